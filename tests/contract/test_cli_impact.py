"""`loansvc impact`, and a publication that is refused for how far it moves recorded answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from loansvc.editions import to_text
from loansvc.web.schemas import load_application
from tests.shell import run as shell_run
from tests.small import CARD, CODES, POLICY, a_document, small_models, small_underwriting

LATER = "2027-01-01"
BUDGET = """
[change_budget]
most_flips_percent = 50
most_limit_change_percent = 100
most_expected_loss_change_percent = 1000
most_fund_use_change_percent = 100
least_decisions = 3
reference = "test"
source_grade = "A"

[limit]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_models(tmp_path_factory.mktemp("small"))


@pytest.fixture
def models(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "models"))


@pytest.fixture
def shell(
    models: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setenv("LOANSVC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOANSVC_MODELS", str(models))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        return shell_run(capfd, monkeypatch, *arguments)

    return run


@pytest.fixture
def ledger(tmp_path: Path, models: Path) -> None:
    """Three credit loans of 120,000 yuan at 626 points, and one fast loan."""
    root = small_underwriting(tmp_path, models=models)
    decide(root, 1, "credit_loan")
    decide(root, 2, "credit_loan")
    decide(root, 3, "credit_loan")
    decide(root, 4, "fast_loan")
    root.ledger._engine.dispose()


def decide(root: Any, number: int, product: str) -> None:
    document = a_document(number, product)
    root.decide(load_application(document, today=root.today(), village_codes=CODES), client="bank")


def a_card(folder: Path, *, name: str = "card.json", **changes: Any) -> str:
    document = {**CARD, "product": "credit_loan", "valid_from": LATER, **changes}
    (folder / name).write_text(to_text(document), "utf-8")
    return name


def a_policy(folder: Path, *, text: str = POLICY, valid_from: str = LATER) -> str:
    text = text.replace("PRODUCT", "credit_loan")
    text = text.replace("valid_from = 2026-07-01", f"valid_from = {valid_from}")
    (folder / "policy.toml").write_text(text, "utf-8")
    return "policy.toml"


def without_spreads(text: str) -> str:
    """The policy with the LPR of 3 % as everybody's rate."""
    for old, new in (("spread_bp = 85", "spread_bp = 0"), ("\nspread_bp = 150", "\nspread_bp = 0"),
                     ("rate_bp = 385", "rate_bp = 300")):  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    return text


def in_json(shell: Any, *arguments: str) -> Any:
    status, out, err = shell(*arguments, "--json")
    assert (status, err) == (0, "")
    return json.loads(out)


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- impact -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("ledger")
def test_impact_counts_the_decisions_of_the_drafts_product(shell: Any, tmp_path: Path) -> None:
    body = in_json(shell, "impact", a_card(tmp_path, base_points=530))
    assert (body["kind"], body["product"], body["decisions"]) == ("scorecard", "credit_loan", 3)
    assert body["outcomes"]["approve"] == {"approve": 0, "refer": 3, "decline": 0}
    assert [f["sequence"] for f in body["flips"]] == [1, 2, 3]
    assert body["mean_score_change"] == -50.0
    assert body["sums"]["limit_yuan"] == {"before": 405_000, "after": 0}
    assert body["change_budget"]["over"] is False  # three are too few for the proposed budget


@pytest.mark.usefixtures("ledger")
def test_impact_looks_at_the_last_decisions_alone(shell: Any, tmp_path: Path) -> None:
    body = in_json(shell, "impact", a_card(tmp_path, base_points=530), "--last", "2")
    assert [f["sequence"] for f in body["flips"]] == [2, 3]


@pytest.mark.usefixtures("ledger")
def test_the_same_ledger_and_draft_give_the_same_impact(shell: Any, tmp_path: Path) -> None:
    draft = a_card(tmp_path, base_points=530)
    assert shell("impact", draft, "--json") == shell("impact", draft, "--json")


@pytest.mark.usefixtures("ledger")
def test_impact_in_text_names_the_flips_with_their_reasons(shell: Any, tmp_path: Path) -> None:
    status, out, err = shell("impact", a_card(tmp_path, base_points=530))
    assert (status, err) == (0, "")
    name = a_document(1)["application_id"]
    assert f"1  {name}   approve (-) -> refer (L01)" in out
    assert "mean score" in out


@pytest.mark.usefixtures("ledger")
def test_impact_writes_nothing_but_the_page(shell: Any, tmp_path: Path, models: Path) -> None:
    draft, before = a_card(tmp_path), files(models)
    _, out, _ = shell("impact", draft, "--html", "new/impact.html")
    assert out.endswith("new/impact.html\n")
    assert "草案影响分析" in (tmp_path / "new" / "impact.html").read_text("utf-8")
    assert files(models) == before


def test_impact_of_a_ledger_without_decisions_is_zeros_in_json(shell: Any, tmp_path: Path) -> None:
    shell("ledger", "upgrade")
    body = in_json(shell, "impact", a_card(tmp_path))
    assert (body["decisions"], body["sums"]["limit_yuan"]) == (0, {"before": 0, "after": 0})


def test_impact_of_a_ledger_without_decisions_is_one_sentence(shell: Any, tmp_path: Path) -> None:
    shell("ledger", "upgrade")
    assert shell("impact", a_card(tmp_path)) == (
        0,
        "No decision on credit_loan is recorded here: there is nothing to measure the scorecard "
        "from 2027-01-01 on.\n",
        "",
    )


@pytest.mark.usefixtures("ledger")
def test_impact_of_what_is_in_force_already_warns(shell: Any, tmp_path: Path, models: Path) -> None:
    published = str(models / "scorecards" / "credit_loan" / "2026-07-01.json")
    status, out, err = shell("impact", published)
    assert (status, err.count("\n")) == (0, 1)
    assert f"{published}: It is published already and in force on 2026-07-01" in err
    assert "0 keep their outcome with other terms" in out
    assert shell("impact", a_card(tmp_path))[2] == ""


@pytest.mark.usefixtures("ledger")
def test_impact_tells_a_price_before_and_after(shell: Any, tmp_path: Path) -> None:
    """Three times 120,000 yuan: at 3.85 % 4,620 yuan of interest a year each, at 3 % 3,600."""
    draft = a_policy(tmp_path, text=without_spreads(POLICY))
    body = in_json(shell, "impact", draft)
    assert body["prices"] == {
        "approved_both_times": 3,
        "amount_yuan": {"before": 360_000, "after": 360_000},
        "interest_yuan": {"before": 13_860, "after": 10_800},
        "subsidy_yuan": {"before": 0, "after": 0},
        "borrower_yuan": {"before": 13_860, "after": 10_800},
        "mean_rate_bp": {"before": 385.0, "after": 300.0},
    }
    assert (body["other_terms"], body["changed_terms"]) == (
        3,
        {"limit": 0, "amount": 0, "rate": 3, "subsidy": 0, "tier": 0, "counter_guarantee": 0,
         "other": 0},
    )  # fmt: skip
    [village] = body["by"]["village"]
    assert village["prices"] == body["prices"]
    assert (village["other_terms"], village["changed_terms"]["rate"]) == (3, 3)
    out = shell("impact", draft)[1]
    assert "3 keep their outcome with other terms: rate 3\n" in out
    assert "Prices, 3 approved twice" in out
    assert "3 with other terms   interest 13,860 -> 10,800   mean rate 385 -> 300\n" in out
    assert [line.split() for line in out.splitlines() if "mean rate, bp" in line] == [
        ["mean", "rate,", "bp", "385", "300", "-22.1", "%"]
    ]


def test_impact_without_a_ledger_is_refused(shell: Any, tmp_path: Path) -> None:
    status, out, err = shell("impact", a_card(tmp_path))
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "There is no ledger at" in err


# --- publish ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("ledger")
def test_a_draft_over_budget_is_refused_and_what_is_in_force_stays(
    shell: Any, tmp_path: Path, models: Path
) -> None:
    strict = POLICY.replace("[limit]\n", BUDGET)
    assert shell("publish", a_policy(tmp_path, text=strict, valid_from="2026-12-01"),
                 "--approver", "me")[0] == 0  # fmt: skip
    before = files(models)
    draft = a_card(tmp_path, base_points=530)
    status, out, err = shell("publish", draft, "--approver", "me")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "card.json: would move recorded answers further" in err
    assert "flips 100.0 % (at most 50 %), over 3 decisions" in err
    assert "limits" not in err.partition("Look at")[0].partition("allows:")[2]
    assert files(models) == before


@pytest.mark.usefixtures("ledger")
def test_a_policy_whose_every_spread_is_0_is_refused_without_a_reason(
    shell: Any, tmp_path: Path, models: Path
) -> None:
    """Nobody flips and no sum of amounts moves: the price alone is over its bound."""
    few = POLICY.replace("[limit]\n", BUDGET)  # three decisions are enough to refuse on
    shell("publish", a_policy(tmp_path, text=few, valid_from="2026-12-01"), "--approver", "me")
    before = files(models)
    draft = a_policy(tmp_path, text=without_spreads(few))
    status, out, err = shell("publish", draft, "--approver", "me")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "allows: interest -22.1 % (at most 10 %), paid by borrowers -22.1 %" in err
    assert files(models) == before
    body = in_json(shell, "publish", draft, "--approver", "me", "--force-reason", "committee 3")
    assert body["impact"].startswith("3 decisions, 0 change, 3 with other terms: flips 0.0 %")


@pytest.mark.usefixtures("ledger")
def test_a_reason_lets_it_pass_and_is_kept_with_the_figures(
    shell: Any, tmp_path: Path, models: Path
) -> None:
    strict = POLICY.replace("[limit]\n", BUDGET)
    shell("publish", a_policy(tmp_path, text=strict, valid_from="2026-12-01"), "--approver", "me")
    draft = a_card(tmp_path, base_points=530)
    body = in_json(shell, "publish", draft, "--approver", "me", "--force-reason", "整改通知 3")
    assert body["reason"] == "整改通知 3"
    assert body["impact"].startswith(
        "3 decisions, 3 change, 0 with other terms: flips 100.0 % (at most 50 %), "
    )
    assert body["impact"].endswith("over the change budget")
    assert body in in_json(shell, "editions")["data"]
    out = shell("editions")[1]
    assert "  reason  整改通知 3\n" in out
    assert f"  impact  {body['impact']}\n" in out
    lock = json.loads((models / "editions.lock").read_text("utf-8"))["editions"]
    assert [e.get("reason") for e in lock][-2:] == [None, "整改通知 3"]


@pytest.mark.usefixtures("ledger")
def test_a_draft_within_budget_is_published_with_its_figures(shell: Any, tmp_path: Path) -> None:
    body = in_json(shell, "publish", a_card(tmp_path), "--approver", "me")
    assert "reason" not in body
    assert body["impact"].startswith(
        "3 decisions, 0 change, 0 with other terms: flips 0.0 % (at most 5 %), limits 0.0 %"
    )


@pytest.mark.usefixtures("ledger")
def test_a_rollback_is_measured_as_any_other_publication(
    shell: Any, tmp_path: Path, models: Path
) -> None:
    strict = POLICY.replace("[limit]\n", BUDGET)
    shell("publish", a_policy(tmp_path, text=strict, valid_from="2026-12-01"), "--approver", "me")
    draft = a_card(tmp_path, base_points=530)
    shell("publish", draft, "--approver", "me", "--force-reason", "stricter")
    back = str(next((models / "scorecards" / "credit_loan").glob("2026-07-01.json")))
    rollback = ("publish", back, "--approver", "me", "--valid-from", "2027-02-01")
    assert shell(*rollback)[0] == 1
    body = in_json(shell, *rollback, "--force-reason", "a mistake")
    assert (body["reason"], body["valid_from"]) == ("a mistake", "2027-02-01")


@pytest.mark.usefixtures("ledger")
def test_a_challenger_decides_nothing_and_is_not_measured(shell: Any, tmp_path: Path) -> None:
    draft = a_card(tmp_path, base_points=530)
    body = in_json(shell, "publish", draft, "--approver", "me", "--role", "challenger")
    assert "impact" not in body


@pytest.mark.usefixtures("ledger")
def test_a_challenger_with_a_share_is_measured_as_if_it_decided_all(
    shell: Any, tmp_path: Path
) -> None:
    draft = a_card(tmp_path, base_points=530)
    whole = in_json(shell, "impact", draft)
    terms = ("--approver", "me", "--role", "challenger", "--share", "10")
    body = in_json(shell, "publish", draft, *terms, "--force-reason", "a trial")
    assert whole["decisions"] == 3
    assert body["impact"].startswith("3 decisions")


def test_without_a_ledger_it_is_published_and_said_that_nothing_was_measured(
    shell: Any, tmp_path: Path
) -> None:
    status, out, err = shell("publish", a_card(tmp_path, base_points=530), "--approver", "me")
    assert status == 0
    assert "scorecards/credit_loan/2027-01-01.json" in out
    assert err == "No impact was measured: there is no ledger here.\n"
    assert not (tmp_path / "home").exists()


@pytest.mark.usefixtures("ledger")
def test_without_decisions_of_its_product_it_is_said_that_nothing_was_measured(
    shell: Any, tmp_path: Path
) -> None:
    draft = a_card(tmp_path, product="online_loan")
    status, _, err = shell("publish", draft, "--approver", "me")
    assert (status, err) == (
        0, "No impact was measured: no decision on online_loan is recorded here.\n",
    )  # fmt: skip


@pytest.mark.usefixtures("ledger")
def test_a_ledger_that_cannot_be_opened_stops_a_publication(
    shell: Any, tmp_path: Path, models: Path
) -> None:
    """What cannot be measured for want of a key is not the same as nothing to measure."""
    (tmp_path / "home" / "vault.json").unlink()
    before = files(models)
    status, out, err = shell("publish", a_card(tmp_path), "--approver", "me")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "vault.json" in err
    assert files(models) == before


@pytest.mark.usefixtures("ledger")
def test_a_publication_that_was_cut_off_is_put_right_by_publishing_again(
    shell: Any, tmp_path: Path, models: Path
) -> None:
    """The file lies in its place, the lock does not name it yet."""
    draft = a_card(tmp_path)
    shutil.copy(tmp_path / draft, models / "scorecards" / "credit_loan" / f"{LATER}.json")
    assert shell("editions")[0] == 1
    assert shell("publish", draft, "--approver", "me")[0] == 0
    assert shell("editions")[0] == 0


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "x" * 501])
def test_a_reason_is_one_line_that_says_something(
    shell: Any, tmp_path: Path, models: Path, reason: str
) -> None:
    before = files(models)
    draft = a_card(tmp_path)
    status, _, err = shell("publish", draft, "--approver", "me", "--force-reason", reason)
    assert (status, err.count("\n")) == (1, 1)
    assert "--force-reason" in err
    assert files(models) == before
