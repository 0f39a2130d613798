"""The command line: every verb, as text and as the API's own body; refusals on stderr."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from loansvc import __version__, cli
from loansvc.application import PRODUCTS
from loansvc.ledger import keys
from loansvc.settings import Settings
from loansvc.underwriting import SHANGHAI, Underwriting, now
from loansvc.web import create_app
from loansvc.web.examples import example_application
from tests import databases
from tests.shell import run
from tests.small import CARD, POLICY, publish_text, small_models


class Shell:
    """The command line on one home, run in this process."""

    def __init__(self, capfd: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._capfd, self._patch = capfd, patch

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, standard output, standard error."""
        return run(self._capfd, self._patch, *arguments)

    @staticmethod
    def _run() -> None:
        cli.main()
        sys.exit(0)

    def json(self, *arguments: str) -> Any:
        """What a verb that went well printed."""
        status, out, err = self(*arguments, "--json")
        assert (status, err) == (0, "")
        assert out.count("\n") == 1
        return json.loads(out)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_models(tmp_path_factory.mktemp("small"))


@pytest.fixture
def home(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOANSVC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOANSVC_DATABASE_URL", databases.url_of(tmp_path / "home"))
    monkeypatch.setenv("LOANSVC_MODELS", str(models))
    return tmp_path / "home"


@pytest.fixture
def shell(home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(capfd, monkeypatch)


def document(number: int = 1, product: str = "credit_loan", **loan: Any) -> dict[str, Any]:
    found = example_application(product, today=now().date(), number=number)
    found["loan"] |= loan
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The plain valid application in a file."""
    path = tmp_path / "application.json"
    path.write_text(json.dumps(document()))
    return path


NAME = document()["application_id"]


def one_line(result: tuple[int, str, str], *says: str) -> None:
    """A refusal: nothing on standard output, one line on standard error, exit 1."""
    status, out, err = result
    assert (status, out, err.count("\n")) == (1, "", 1), result
    assert err.startswith("loansvc: ")
    for part in says:
        assert part in err


# --- decide, explain, replay, example -----------------------------------------------------------


def test_decide_prints_the_decision_for_people(shell: Shell, file: Path) -> None:
    status, out, err = shell("decide", str(file))
    assert (status, err) == (0, "")
    first, *_, last = out.splitlines()
    assert first == (
        "approve   626 points   PD 0.81 %   grade R2   limit 135,000 yuan   rate 3.85 %   "
        "tier G1 (bank bears 20 %)"
    )
    assert last == (
        "  under scorecard 2026-07-01 · villages 2026-07-01 · policy 2026-07-01 · rates 2019-08-20"
    )


def test_decide_json_is_the_body_of_the_api(shell: Shell, home: Path, file: Path) -> None:
    _, out, _ = shell("decide", str(file), "--json", "--client", "bank")
    root = Underwriting.open(Settings.from_environment())
    token = keys.create(
        root.ledger, client="bank", scopes=("read",), now=now(),
        expires_at=now() + timedelta(days=1),
    )[1]  # fmt: skip
    client = create_app(root).test_client()
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get(f"/v1/decisions/{NAME}", headers=headers).text == out
    for verb, path in (("explain", "explanation"), ("replay", "replay")):
        _, out, _ = shell(verb, NAME, "--json", "--client", "bank")
        assert client.get(f"/v1/decisions/{NAME}/{path}", headers=headers).text == out
    root.ledger._engine.dispose()


def test_decide_reads_standard_input(home: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "loansvc", "decide", "-", "--json"],
        input=json.dumps(document()), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, "")
    assert json.loads(run.stdout)["application_id"] == NAME


def test_the_same_application_again_is_the_same_decision(shell: Shell, file: Path) -> None:
    assert shell.json("decide", str(file)) == shell.json("decide", str(file))


def test_a_decline_is_an_answer(shell: Shell, file: Path) -> None:
    file.write_text(json.dumps(document(purpose="securities")))
    status, out, err = shell("decide", str(file))
    assert (status, err) == (0, "")
    assert out.startswith("decline   626 points")
    assert "R01" in out


def test_a_preview_may_ask_about_another_day(shell: Shell, file: Path) -> None:
    later = (now() + timedelta(days=40)).date().isoformat()
    assert shell.json("decide", str(file), "--preview", "--on", later)["applied_on"] == later


def test_only_a_preview_may_ask_about_another_day(shell: Shell, file: Path) -> None:
    status, _, err = shell("decide", str(file), "--on", "2026-11-01")
    assert (status, "add --preview" in err) == (2, True)


def test_decision_and_explanation_are_told_in_chinese(shell: Shell, file: Path) -> None:
    number = shell.json("decide", str(file))["application_id"]
    told = shell("decide", str(file), "--zh")[1] + shell("explain", number, "--zh")[1]
    assert told.startswith("批准   ")
    assert "385 基点  年利率 = 300 + 85" in told
    assert " bp " not in told
    assert not [line for line in told.splitlines() if "approve" in line or "not known" in line]


def test_a_preview_is_recorded_nowhere(shell: Shell, file: Path) -> None:
    body = shell.json("decide", str(file), "--preview")
    assert "ledger" not in body
    assert shell.json("ledger", "verify") == {"entries": 0, "problems": []}


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_example_of_every_product_is_decided(
    shell: Shell, tmp_path: Path, product: str
) -> None:
    status, out, err = shell("example", "--product", product, "--number", "7")
    assert (status, err) == (0, "")
    assert json.loads(out) == document(7, product)
    (tmp_path / "example.json").write_text(out)
    body = shell.json("decide", str(tmp_path / "example.json"))
    assert (body["product"], body["score"]) == (product, 626)


def test_two_examples_are_two_applications_of_two_people(shell: Shell) -> None:
    one, other = (json.loads(shell("example", "--number", n)[1]) for n in ("1", "2"))
    assert one["application_id"] != other["application_id"]
    assert one["applicant"]["id_number"] != other["applicant"]["id_number"]


def test_explain_prints_lines_that_add_up(shell: Shell, file: Path) -> None:
    shell("decide", str(file))
    status, out, _ = shell("explain", NAME)
    lines = out.splitlines()
    total = next(i for i, line in enumerate(lines) if line.endswith("  score"))
    points = [int(line.split()[0]) for line in lines[1 : total + 1]]
    assert status == 0
    assert sum(points[:-1]) == points[-1] == 626


@pytest.mark.parametrize(
    ("language", "read"),
    [
        pytest.param((), "(purpose: working capital)", id="English"),
        pytest.param(("--zh",), "（贷款用途：流动资金）", id="Chinese"),
    ],
)
def test_explain_says_in_words_what_a_rule_read(
    shell: Shell, file: Path, language: tuple[str, ...], read: str
) -> None:
    shell("decide", str(file))
    [line] = [r for r in shell("explain", NAME, *language)[1].splitlines() if "R01" in r]
    assert line.endswith(read)


@pytest.mark.parametrize(
    ("language", "read"),
    [
        pytest.param((), "(read: securities)", id="English"),
        pytest.param(("--zh",), "（读到：证券投资）", id="Chinese"),
    ],
)
def test_decide_says_in_words_what_a_rule_read(
    shell: Shell, tmp_path: Path, language: tuple[str, ...], read: str
) -> None:
    file = tmp_path / "securities.json"
    file.write_text(json.dumps(document(purpose="securities")))
    [line] = [r for r in shell("decide", str(file), *language)[1].splitlines() if "R01" in r]
    assert line.rstrip().endswith(read)


def test_explain_prints_what_would_change_the_answer(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "much.json"
    file.write_text(json.dumps(document(amount_yuan=200_000)))
    shell("decide", str(file))
    lines = shell("explain", NAME)[1].splitlines()
    start = lines.index("  what would change the answer")
    assert [line.strip() for line in lines[start + 1 :]] == [
        "Ask for 135,000 yuan instead of 200,000: the answer becomes approve",
        "Worked out by deciding again under the same editions, all else equal; no promise.",
    ]


def test_whoever_has_the_shell_finds_any_clients_decision(shell: Shell, file: Path) -> None:
    shell("decide", str(file), "--client", "bank")
    assert shell("explain", NAME)[0] == 0
    shell("decide", str(file), "--client", "other")
    one_line(shell("explain", NAME), "bank, other", "--client NAME")
    assert shell("replay", NAME, "--client", "other")[0] == 0
    assert shell("replay", "--all")[1] == "2 replayed, 0 different\n"


def test_replay_says_identical(shell: Shell, file: Path) -> None:
    shell("decide", str(file))
    assert shell("replay", NAME)[:2] == (0, f"identical   {NAME}\n")


def test_replay_of_all_counts_them(shell: Shell, file: Path) -> None:
    for number in range(3):
        file.write_text(json.dumps(document(number)))
        shell("decide", str(file))
    status, out, _ = shell("replay", "--all")
    assert (status, out) == (0, "3 replayed, 0 different\n")


def test_replay_of_all_as_json_is_a_line_each(shell: Shell, file: Path) -> None:
    for number in range(3):
        file.write_text(json.dumps(document(number)))
        shell("decide", str(file))
    _, out, _ = shell("replay", "--all", "--json")
    assert [json.loads(line)["identical"] for line in out.splitlines()] == [True] * 3


def test_replay_of_all_of_an_empty_ledger_is_none(shell: Shell) -> None:
    shell("ledger", "upgrade")
    assert shell("replay", "--all")[:2] == (0, "0 replayed, 0 different\n")


# --- refusals -----------------------------------------------------------------------------------


def test_a_wrong_application_is_refused_with_all_its_fields(shell: Shell, file: Path) -> None:
    wrong = document(amount_yuan=0, term_months="24")
    file.write_text(json.dumps(wrong))
    status, out, err = shell("decide", str(file))
    assert (status, out) == (1, "")
    assert err == (
        "loansvc: Some fields need correcting.\n"
        "  /loan/amount_yuan  Must be from 1 to 10000000000.\n"
        "  /loan/term_months  Must be a whole number, not quoted.\n"
    )


def test_a_document_that_is_no_object_is_refused_at_its_root(shell: Shell, file: Path) -> None:
    file.write_text("[]")
    _, _, err = shell("decide", str(file))
    assert err.splitlines()[1:] == ["  /  Must be an object."]


def test_an_application_of_long_ago_is_refused_and_told_what_can_be_done(
    shell: Shell, file: Path
) -> None:
    on = (now().date() - timedelta(days=91)).isoformat()
    old = document() | {"applied_on": on, "credit_report": None, "credentials": None}
    old["consent"]["given_on"] = on
    file.write_text(json.dumps(old))
    _, _, err = shell("decide", str(file))
    assert err.splitlines()[1:] == [
        "  /applied_on  Must be at most 90 days back for a recorded decision. Preview an earlier "
        "day: loansvc decide FILE --preview, or POST /v1/previews."
    ]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is not JSON"),
        (b'{"a": 1, "a": 2}', "stands twice"),
        (b"\xff", "is not UTF-8"),
        (b" " * 70_000, "larger than 65536 bytes"),
    ],
)
def test_a_file_that_is_no_application_is_refused(
    shell: Shell, file: Path, data: bytes, says: str
) -> None:
    file.write_bytes(data)
    one_line(shell("decide", str(file)), says)


def test_the_same_id_with_other_content_is_refused(shell: Shell, file: Path) -> None:
    shell("decide", str(file))
    file.write_text(json.dumps(document(amount_yuan=1000)))
    one_line(shell("decide", str(file)), "decided before with other content")


@pytest.mark.parametrize("verb", ["explain", "replay"])
def test_what_is_not_there_is_refused(shell: Shell, file: Path, verb: str) -> None:
    shell("decide", str(file))
    one_line(shell(verb, "absent"), "There is no decision")
    one_line(shell(verb, NAME, "--client", "other"), "There is no decision")


@pytest.mark.parametrize(
    "arguments",
    [
        ("ledger", "verify"), ("keys", "list"), ("replay", "--all"), ("explain", "x"),
        ("keys", "revoke", "x"),
    ],
)  # fmt: skip
def test_without_a_ledger_the_refusal_says_how_to_make_one(
    shell: Shell, home: Path, arguments: tuple[str, ...]
) -> None:
    one_line(shell(*arguments), "There is no ledger at", "loansvc serve")
    assert not home.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("decide",), ("decide", "/nowhere.json"), ("decide", "-", "--surprise"), ("surprise",),
        ("replay",), ("replay", "x", "--all"), ("example", "--product", "car_loan"),
        ("example", "--number", "-1"), ("keys", "create"),
        ("keys", "create", "x", "--scope", "all"),
        ("keys", "create", "x", "--days", "0"), ("editions", "--on", "today"),
        ("policy", "check", "/nowhere.toml"), ("publish", "/nowhere.json", "--approver", "x"),
        ("serve", "--port", "0"), ("train",),
    ],
)  # fmt: skip
def test_wrong_usage_is_exit_2(shell: Shell, arguments: tuple[str, ...]) -> None:
    status, out, err = shell(*arguments)
    assert (status, out) == (2, "")
    assert "Usage:" in err


@pytest.mark.parametrize(
    "arguments",
    [(), ("decide",), ("keys",), ("keys", "create"), ("ledger", "verify"), ("serve",), ("train",)],
)
def test_every_verb_says_how_it_is_used(shell: Shell, arguments: tuple[str, ...]) -> None:
    status, out, _ = shell(*arguments, "--help")
    assert status == 0
    assert out.startswith("Usage: ")


def test_the_version_is_told(shell: Shell) -> None:
    assert __version__ in shell("--version")[1]


def test_a_refusal_of_a_real_process_is_one_line(home: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "loansvc", "decide", "-"],
        input="{", capture_output=True, text=True, check=False,
    )  # fmt: skip
    one_line((run.returncode, run.stdout, run.stderr), "is not JSON")


# --- keys, ledger, settings ---------------------------------------------------------------------


def test_a_key_is_made_listed_and_revoked(shell: Shell) -> None:
    status, token, note = shell("keys", "create", "bank", "--scope", "read", "--days", "5")
    key_id = token.split("_")[1]
    assert status == 0
    assert note == f"key {key_id} of bank until {now().date() + timedelta(days=5)}: keep it now.\n"
    [listed] = shell.json("keys", "list")
    assert (listed["key_id"], listed["scopes"], listed["usable"]) == (key_id, ["read"], True)
    assert token.strip() not in shell("keys", "list")[1]
    assert shell("keys", "revoke", key_id) == (0, f"revoked   {key_id}\n", "")
    assert "revoked" in shell("keys", "list")[1]
    one_line(shell("keys", "revoke", key_id), "There is no such key in use")


def test_a_key_has_decide_and_read_unless_asked_otherwise(shell: Shell) -> None:
    shell("keys", "create", "bank")
    assert shell.json("keys", "list")[0]["scopes"] == ["decide", "read"]


@pytest.mark.parametrize("client", ["", " ", "a b", "-bank", "银行", "x" * 65, "a\nb"])
def test_a_client_needs_a_plain_name(shell: Shell, client: str) -> None:
    one_line(shell("keys", "create", "--", client), "A client is named with")


def test_a_ledger_that_is_whole_verifies(shell: Shell, file: Path) -> None:
    shell("decide", str(file))
    assert shell("ledger", "verify") == (0, "verified   1 entries\n", "")


def test_a_ledger_that_was_changed_is_named_with_its_first_bad_entry(
    shell: Shell, home: Path, file: Path
) -> None:
    for number in range(3):
        file.write_text(json.dumps(document(number)))
        shell("decide", str(file))
    with closing(sqlite3.connect(home / "ledger.db")) as connection, connection:
        connection.execute("DROP TRIGGER entry_no_update")
        connection.execute("UPDATE entry SET outcome = 'decline' WHERE sequence = 2")
    status, out, err = shell("ledger", "verify")
    assert (status, out) == (1, "entry 2: the entry was changed\n")
    assert err.startswith("loansvc: The ledger is damaged from entry 2 on.")
    status, out, _ = shell("ledger", "verify", "--json")
    assert status == 1
    problems = [{"sequence": 2, "what": "the entry was changed"}]
    assert json.loads(out) == {"entries": 3, "problems": problems}


def test_a_replay_that_differs_is_exit_1(shell: Shell, home: Path, file: Path) -> None:
    """Here the recorded exposure is replaced by one that would have been declined."""
    shell("decide", str(file))
    root = Underwriting.open(Settings.from_environment())
    recorded = root.find(NAME, client="cli")
    with root.ledger.writing() as ledger:
        subject = ledger.find_subject(document()["applicant"]["id_number"])
        assert subject is not None
        payload = ledger.payload_of(recorded.entry)
        payload["exposure"]["policy_loans"] = 5
        sealed = subject.seal(payload, recorded.entry.decision_id)
        ledger._connection.exec_driver_sql("UPDATE payload SET sealed = ?", (sealed,))
    root.ledger._engine.dispose()
    status, out, _ = shell("replay", NAME)
    assert status == 1
    assert out.startswith(f"different   {NAME}   /guarantee, /offer, /outcome")
    assert shell("replay", "--all")[0] == 1


def test_upgrade_makes_the_tables_and_may_be_repeated(shell: Shell) -> None:
    for _ in range(2):
        assert shell("ledger", "upgrade")[0] == 0
    assert shell.json("ledger", "verify")["entries"] == 0


def test_settings_are_listed_without_secrets(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setenv("LOANSVC_VAULT_KEYS", "very secret")
    status, out, _ = shell("settings")
    assert status == 0
    assert "very secret" not in out
    assert f"LOANSVC_HOME               {home}" in out
    assert len(out.splitlines()) == len(list(Settings().listed()))


def test_an_unknown_setting_is_refused(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOANSVC_SURPRISE", "1")
    one_line(shell("settings"), "LOANSVC_SURPRISE is not a setting")


# --- editions -----------------------------------------------------------------------------------


def test_editions_are_listed(shell: Shell) -> None:
    _, out, _ = shell("editions")
    assert len(out.splitlines()) == 10
    assert len(shell.json("editions")["data"]) == 10


@pytest.mark.parametrize(
    ("on", "n_expected"), [("2026-06-30", 1), ("2026-07-01", 10), ("2019-08-19", 0)]
)
def test_editions_of_a_day_are_those_in_force(shell: Shell, on: str, n_expected: int) -> None:
    assert len(shell.json("editions", "--on", on)["data"]) == n_expected


def test_editions_of_a_day_leave_out_those_that_were_followed(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = small_models(tmp_path)
    later = json.dumps({**CARD, "product": "fast_loan", "valid_from": "2026-09-01"})
    publish_text(models, tmp_path / "later.json", later)
    monkeypatch.setenv("LOANSVC_MODELS", str(models))
    for on, first_day in (("2026-08-31", "2026-07-01"), ("2026-09-01", "2026-09-01")):
        data = shell.json("editions", "--on", on)["data"]
        assert len(data) == 10
        [card] = [e for e in data if (e["kind"], e["product"]) == ("scorecard", "fast_loan")]
        assert card["valid_from"] == first_day


def test_publish_takes_an_edition_into_the_folder(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = small_models(tmp_path)
    monkeypatch.setenv("LOANSVC_MODELS", str(models))
    draft = tmp_path / "draft.json"
    draft.write_text(json.dumps({**CARD, "product": "fast_loan", "base_points": 600}))
    body = shell.json(
        "publish", str(draft), "--approver", "me", "--role", "challenger",
        "--valid-from", "2026-10-01",
    )  # fmt: skip
    assert (body["role"], body["valid_from"]) == ("challenger", "2026-10-01")
    assert (models / body["path"]).read_bytes() == draft.read_bytes()
    assert body in shell.json("editions")["data"]
    one_line(
        shell("publish", str(draft), "--approver", "me", "--role", "challenger",
              "--valid-from", "2026-10-01"),
        "is already published", f"{body['path']} from 2026-10-01",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("today", "says"),
    [
        pytest.param(9, "It holds from a day gone by; recorded decisions stay", id="gone by"),
        pytest.param(8, "It holds from today; what was decided today before stays", id="today"),
        pytest.param(7, "", id="tomorrow"),
    ],
)
def test_publish_says_that_a_day_has_begun(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, today: int, says: str
) -> None:
    """What was decided before stays, and whoever publishes knows it."""
    monkeypatch.setenv("LOANSVC_MODELS", str(small_models(tmp_path)))
    monkeypatch.setattr(
        "loansvc.cli.editions.now", lambda: datetime(2026, 9, today, tzinfo=SHANGHAI)
    )
    draft = tmp_path / "draft.toml"
    text = POLICY.replace("PRODUCT", "fast_loan").replace("2026-07-01", "2026-09-08")
    draft.write_text(text, "utf-8")
    status, _, err = shell("publish", str(draft), "--approver", "me")
    assert status == 0
    assert ("It holds from" in err) is bool(says)
    assert says in err


def test_a_wrong_edition_is_refused_and_nothing_is_written(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = small_models(tmp_path)
    monkeypatch.setenv("LOANSVC_MODELS", str(models))
    before = {path: path.read_bytes() for path in models.rglob("*") if path.is_file()}
    draft = tmp_path / "draft.json"
    draft.write_text(json.dumps({**CARD, "product": "fast_loan", "surprise": 1}))
    one_line(
        shell("publish", str(draft), "--approver", "me", "--valid-from", "2027-01-01"),
        "draft.json, surprise",
    )
    assert before == {path: path.read_bytes() for path in models.rglob("*") if path.is_file()}


def test_a_place_that_cannot_be_written_is_one_line(home: Path, shell: Shell) -> None:
    """A folder where the file of keys belongs, as a full disk or a read-only one would be."""
    (home / "vault.json").mkdir(mode=0o700, parents=True)
    refused = shell("ledger", "upgrade")
    one_line(refused, "vault.json: Is a directory. Check the place, its rights and the disk")
