"""policy, from the shell: files and published policies checked and compared."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from loansvc.application import CATALOGUE, PRODUCTS
from loansvc.cli import policies
from loansvc.policy.coverage import coverage
from loansvc.policy.rules import CONTEXT_LABELS
from loansvc.registry import Registry
from loansvc.registry.publishing import publish
from loansvc.web.presentation import product_document
from tests.shell import run as shell_run
from tests.small import POLICY, publish_text, small_models

SMALL = POLICY.replace("PRODUCT", "fast_loan")
NEXT = SMALL.replace("valid_from = 2026-07-01", "valid_from = 2026-10-01")  # as a draft would be


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    models = small_models(folder)
    later = SMALL.replace("2026-07-01", "2026-09-01").replace("at_least = 18", "at_least = 20")
    publish_text(models, folder / "later.toml", later)
    return models


@pytest.fixture
def shell(
    models: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setenv("LOANSVC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOANSVC_MODELS", str(models))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        return shell_run(capfd, monkeypatch, "policy", *arguments)

    return run


def draft(folder: Path, text: str, name: str = "draft.toml") -> str:
    """A file with a policy, and its name."""
    (folder / name).write_text(text, "utf-8")
    return name


def first_words(out: str) -> list[str]:
    return [line.split()[0] for line in out.splitlines()]


# --- check --------------------------------------------------------------------------------------


def test_check_tries_every_published_policy(shell: Any) -> None:
    status, out, err = shell("check")
    assert (status, err) == (0, "")
    good = [line.split()[1:3] for line in out.splitlines() if line.startswith("good")]
    assert [product for product, _ in good] == sorted([*PRODUCTS, "fast_loan"])


def test_check_says_how_many_cases_reach_what(shell: Any, tmp_path: Path) -> None:
    status, out, _ = shell("check", draft(tmp_path, SMALL))
    assert status == 0
    assert out.splitlines()[0] == (
        "good      fast_loan 2026-07-01: 4 rules, 19 clauses, 0 to verify, 23 texts missing, "
        "review by 2027-06-30"
    )
    assert "on both sides of 10 of 10 thresholds and 5 of 5 lists of words" in out
    assert "49 of 49 cells of the matrix" in out
    assert "missed" not in out


def test_check_lists_what_no_case_reaches_and_goes_well(shell: Any, tmp_path: Path) -> None:
    status, out, err = shell(
        "check",
        draft(tmp_path, NEXT.replace('less = "outstanding_yuan"', "").replace("C01", "C02")),
    )
    assert (status, err) == (0, "")
    assert "  missed  C02 lowers a limit     the tables give at most 150,000 yuan" in out


def test_check_lists_what_is_to_be_verified(shell: Any, tmp_path: Path) -> None:
    weak = NEXT.replace('source_grade = "A"', 'source_grade = "E"\nverify = true', 1)
    _, out, _ = shell("check", draft(tmp_path, weak), "--verify")
    assert "1 to verify" in out
    assert "  verify  vouching               [E] test" in out


def test_check_counts_the_texts_that_a_reader_would_miss(shell: Any, tmp_path: Path) -> None:
    """Each rule's own words for "not met", and each source in Chinese."""
    told = NEXT.replace('reference = "test"', 'reference = "test"\nreference_zh = "测试"')
    told = told.replace('reference_zh = "测试"\n', "", 1)  # the head's is no clause
    _, out, _ = shell("check", draft(tmp_path, told))
    assert "0 to verify, 4 texts missing, review by" in out
    both = 'stage = "{}"\nnot_met_zh = "不符"\nnot_met_en = "It does not hold"'
    for stage in ("eligibility", "knock_out", "referral"):
        told = told.replace(f'stage = "{stage}"', both.format(stage))
    _, out, _ = shell("check", draft(tmp_path, told))
    assert "0 to verify, review by" in out


def test_check_counts_what_is_to_be_verified_and_lists_it_only_if_asked(
    shell: Any, tmp_path: Path
) -> None:
    weak = NEXT.replace('source_grade = "A"', 'source_grade = "E"\nverify = true', 1)
    _, out, _ = shell("check", draft(tmp_path, weak))
    assert "1 to verify" in out
    assert "  verify  " not in out


def test_check_notes_what_the_writer_of_a_draft_may_have_overlooked(
    shell: Any, tmp_path: Path
) -> None:
    """A bound that the text does not say, and that no example stands on both sides of."""
    status, out, err = shell(
        "check", draft(tmp_path, NEXT.replace("at_least = 18", "at_least = 21"))
    )
    assert (status, err) == (0, "")
    assert [line for line in out.splitlines() if line.startswith("  note")] == [
        "  note    E01                    asks for >= 21, but its zh says: 申请人年满18周岁",
        "  note    E01                    asks for >= 21, but its en says: Applicant is 18 or "
        "older",
        "  note    E01                    is new or changed: no [[example]] has age_years = 20 and "
        "none 21; add one",
    ]


def test_check_notes_nothing_of_what_is_published(shell: Any) -> None:
    """The first policy of a product has no edition before it: every bound would be new."""
    _, out, _ = shell("check")
    assert "  note  " not in out


def test_check_says_when_a_review_is_overdue(shell: Any, tmp_path: Path) -> None:
    old = SMALL.replace("2026-07-01", "2020-07-01").replace("2027-06-30", "2021-06-30")
    status, out, _ = shell("check", draft(tmp_path, old))
    assert status == 0
    assert out.splitlines()[0].endswith("review by 2021-06-30   review is overdue")


def test_check_does_not_call_for_a_review_of_what_was_replaced(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the two policies of fast_loan the older one is past, whatever its `review_by` says."""
    monkeypatch.setattr(policies, "now", lambda: datetime(2028, 1, 1, tzinfo=UTC))
    _, out, _ = shell("check")
    late = [line.split()[1:3] for line in out.splitlines() if line.endswith("review is overdue")]
    assert [day for product, day in late if product == "fast_loan"] == ["2026-09-01:"]
    assert len(late) == len(PRODUCTS)


def test_check_refuses_what_publish_refuses(shell: Any, tmp_path: Path) -> None:
    """An id with a new meaning and a first day that is taken, each in a line."""
    turned = SMALL.replace(
        "requires = { policy_loans = { at_most = 2 } }",
        "requires = { employees = { at_most = 9 } }",
    ).replace("[example_facts]", "[example_facts]\nemployees = 5")
    status, out, err = shell("check", draft(tmp_path, turned))
    assert status == 1
    first_day, meaning = out.splitlines()
    assert first_day.startswith("refused   draft.toml: another champion policy of fast_loan starts")
    assert meaning.startswith("refused   draft.toml, rule K02: asks for employees, but in")
    assert err.startswith("loansvc: 1 of 1 policies")


def test_check_needs_no_published_policies(
    shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOANSVC_MODELS", str(tmp_path / "none"))
    assert shell("check", draft(tmp_path, SMALL))[0] == 0


def test_check_refuses_one_of_two_and_names_it(shell: Any, tmp_path: Path) -> None:
    good = draft(tmp_path, SMALL, "good.toml")
    wrong = draft(tmp_path, SMALL.replace("bank = 20", "bank = 21"), "wrong.toml")
    status, out, err = shell("check", good, wrong)
    assert status == 1
    assert first_words(out) == ["good", "cases", "reach", "refused"]
    assert "refused   wrong.toml, line 173, tier[0] G1.shares_percent: sums to 101" in out
    assert err == "loansvc: 1 of 2 policies are refused; correct what is said above.\n"


def test_check_refuses_where_a_case_turns_around(
    shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def turned(*args: Any, **kwargs: Any) -> Any:
        return replace(coverage(*args, **kwargs), broken=("E01: turned; turn it back",))

    monkeypatch.setattr(policies, "coverage", turned)
    status, out, err = shell("check", draft(tmp_path, SMALL))
    assert (status, out) == (1, "refused   draft.toml, E01: turned; turn it back.\n")
    assert err.startswith("loansvc: 1 of 1 policies")


def test_check_as_json_says_the_same(shell: Any, tmp_path: Path) -> None:
    wrong = draft(tmp_path, SMALL.replace("bank = 20", "bank = 21"), "wrong.toml")
    status, out, err = shell("check", draft(tmp_path, SMALL), wrong, "--json")
    good, refused = json.loads(out)["data"]
    assert (status, err.count("\n")) == (1, 1)
    assert (good["file"], good["good"], good["coverage"]["missed"]) == ("draft.toml", True, [])
    assert good["coverage"]["thresholds"] == {"kind": "threshold", "reached": 10, "of": 10}
    assert refused["good"] is False
    assert refused["refused"][0].startswith(
        "wrong.toml, line 173, tier[0] G1.shares_percent: sums to 101"
    )


def test_check_of_another_kind_is_refused(shell: Any, models: Path) -> None:
    card = next((models / "scorecards" / "fast_loan").iterdir())
    status, out, err = shell("check", str(card))
    assert (status, out) == (1, "")
    assert "is a scorecard, not a policy" in err


def test_check_of_no_toml_names_file_and_line(shell: Any, tmp_path: Path) -> None:
    status, out, err = shell("check", draft(tmp_path, "kind = 1\n= = =", "x.toml"))
    assert (status, err.count("\n")) == (1, 1)
    assert "x.toml: is not TOML" in out
    assert "line 2" in out


def test_check_of_a_published_policy_names_its_path(
    shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Published policies have days for names: the folder tells them apart."""
    folder = tmp_path / "models"
    (folder / "policies/fast_loan").mkdir(parents=True)
    monkeypatch.setenv("LOANSVC_MODELS", str(folder))
    wrong = folder / "policies/fast_loan/2026-07-01.toml"
    wrong.write_text(SMALL.replace("bank = 20", "bank = 21"), "utf-8")
    _, out, _ = shell("check", str(wrong))
    assert out.startswith("refused   policies/fast_loan/2026-07-01.toml, line 173, tier[0]")


# --- show ---------------------------------------------------------------------------------------

GOLDEN = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("options", "file"),
    [
        pytest.param((), "small_policy_en.txt", id="English"),
        pytest.param(("--zh",), "small_policy_zh.txt", id="Chinese"),
    ],
)
def test_show_tells_all_of_a_policy(shell: Any, options: tuple[str, ...], file: str) -> None:
    status, out, err = shell("show", "fast_loan", "--on", "2026-08-31", *options)
    assert (status, err) == (0, "")
    assert out == (GOLDEN / file).read_text("utf-8")


def test_show_is_of_today_unless_asked(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "now", lambda: datetime(2026, 9, 1, tzinfo=UTC))
    first = shell("show", "fast_loan")[1].splitlines()[0]
    assert first == "Test (fast_loan)   from 2026-09-01   to be reviewed by 2027-06-30"


def test_show_as_json_is_the_product_of_the_api(shell: Any, models: Path) -> None:
    status, out, err = shell("show", "fast_loan", "--on", "2026-08-31", "--json")
    assert (status, err, out.count("\n")) == (0, "", 1)
    editions = Registry.open(models).in_force("fast_loan", date(2026, 8, 31))
    assert json.loads(out) == product_document("fast_loan", editions)


@pytest.mark.parametrize("options", [(), ("--zh",), ("--json",)])
def test_show_of_a_day_before_the_first_names_the_first(
    shell: Any, options: tuple[str, ...]
) -> None:
    status, out, err = shell("show", "fast_loan", "--on", "2026-06-30", *options)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "The first starts on 2026-07-01" in err


@pytest.mark.parametrize(
    "arguments", [(), ("car_loan",), ("fast_loan", "--on", "2026-11-31")]
)  # fmt: skip
def test_show_of_no_product_or_no_day_is_wrong_usage(
    shell: Any, arguments: tuple[str, ...]
) -> None:
    status, out, err = shell("show", *arguments)
    assert (status, out) == (2, "")
    assert "Usage:" in err


# --- facts --------------------------------------------------------------------------------------


def test_facts_are_those_of_the_page(shell: Any) -> None:
    """The page is written by `loansvc policy facts`; write it again when a fact is new."""
    page = (Path(__file__).parents[2] / "docs" / "policy_facts.md").read_text("utf-8")
    status, out, err = shell("facts")
    assert (status, err) == (0, "")
    assert page[page.index("| name in a policy") :] == out


def test_every_fact_that_a_policy_may_ask_for_has_a_line(shell: Any) -> None:
    names = re.findall(r"^\| `(\w+)` \|", shell("facts")[1], re.MULTILINE)
    allowed = [row.name for row in CATALOGUE.values() if row.use in ("policy", "both")]
    assert sorted(names) == sorted([*allowed, *CONTEXT_LABELS])


# --- diff ---------------------------------------------------------------------------------------

CHANGED = SMALL.replace("at_most = 89", "at_most = 59")
SENTENCE = "K01 asks that longest arrears in 24 months is at most 59 days (was at most 89 days)"


def test_diff_of_two_files_is_in_words_under_its_part(shell: Any, tmp_path: Path) -> None:
    a, b = draft(tmp_path, SMALL, "a.toml"), draft(tmp_path, CHANGED, "b.toml")
    status, out, err = shell("diff", a, b)
    assert (status, err) == (0, "")
    head_a, head_b, count, empty, part, sentence = out.splitlines()
    assert head_a == "A  fast_loan 2026-07-01   test"
    assert head_b == "B  fast_loan 2026-07-01   test"
    assert (count, empty, part) == ("1 change", "", "rules")
    assert sentence.startswith(f"  {SENTENCE}")


def test_diff_in_chinese(shell: Any, tmp_path: Path) -> None:
    a, b = draft(tmp_path, SMALL, "a.toml"), draft(tmp_path, CHANGED, "b.toml")
    _, out, _ = shell("diff", a, b, "--zh")
    assert "共1项变更\n\n规则\n  K01要求近24个月最长逾期不超过59天（原为不超过89天）" in out


def test_diff_as_json_has_both_languages(shell: Any, tmp_path: Path) -> None:
    a, b = draft(tmp_path, SMALL, "a.toml"), draft(tmp_path, CHANGED, "b.toml")
    status, out, err = shell("diff", a, b, "--json")
    assert (status, err, out.count("\n")) == (0, "", 1)
    body = json.loads(out)
    assert body["before"] == {
        "name": "a.toml", "product": "fast_loan", "valid_from": "2026-07-01", "reference": "test",
    }  # fmt: skip
    [change] = body["changes"]
    assert (change["part"], change["place"], change["kind"]) == ("rules", "K01.requires", "changed")
    assert change["en"].startswith(SENTENCE)
    assert change["zh"].startswith("K01要求")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("fast_loan", "2026-08-31", "2026-09-01"), id="a product and two days"),
        pytest.param(("fast_loan@2026-07-01", "fast_loan@2026-09-01"), id="PRODUCT@DATE twice"),
        pytest.param(
            ("policies/fast_loan/2026-07-01.toml", "policies/fast_loan/2026-09-01.toml"),
            id="the paths of published policies",
        ),
    ],
)
def test_diff_of_published_policies(shell: Any, arguments: tuple[str, ...]) -> None:
    status, out, err = shell("diff", *arguments)
    assert (status, err) == (0, "")
    assert "E01 asks that age is at least 20 years (was at least 18 years)" in out


def test_diff_of_a_draft_against_the_policy_in_force(shell: Any, tmp_path: Path) -> None:
    _, out, _ = shell("diff", "fast_loan@2026-08-31", draft(tmp_path, CHANGED))
    assert SENTENCE in out


def test_diff_of_one_policy_with_itself_says_that_nothing_changed(shell: Any) -> None:
    _, out, _ = shell("diff", "fast_loan", "2026-07-01", "2026-08-31")
    assert out.splitlines()[-1] == "Nothing changed: both say the same."


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(("a.toml", "fast_loan"), "a.toml: no file and no published policy", id="none"),
        pytest.param(
            ("fast_loan", "2026-07-01", "tomorrow"), "tomorrow is no date", id="no date"
        ),
        pytest.param(
            ("fast_loan", "2026-06-30", "2026-07-01"), "No champion policy of fast_loan",
            id="before the first",
        ),
        pytest.param(("car_loan@2026-07-01",) * 2, "with one of credit_loan", id="no such product"),
    ],
)  # fmt: skip
def test_diff_of_what_is_not_there_is_refused(
    shell: Any, arguments: tuple[str, ...], says: str
) -> None:
    status, out, err = shell("diff", *arguments)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert says in err


def test_diff_with_a_card_is_refused(shell: Any, models: Path) -> None:
    card = str(next((models / "scorecards" / "fast_loan").iterdir()))
    status, out, err = shell("diff", card, card)
    assert (status, out) == (1, "")
    assert "is a scorecard, not a policy" in err


@pytest.mark.parametrize("arguments", [(), ("a",), ("a", "b", "c", "d")])
def test_diff_of_one_or_four_is_wrong_usage(shell: Any, arguments: tuple[str, ...]) -> None:
    status, out, err = shell("diff", *arguments)
    assert (status, out) == (2, "")
    assert "Usage:" in err


# --- a change, as the README tells it -----------------------------------------------------------

SHIPPED = Path(__file__).parents[2] / "models"


def test_a_change_is_copied_checked_compared_and_published(
    shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound of one rule, by somebody who forgets the text and the example at first."""
    models = Path(shutil.copytree(SHIPPED, tmp_path / "models"))
    monkeypatch.setenv("LOANSVC_MODELS", str(models))
    newest = max((models / "policies/credit_loan").iterdir())
    day = date.fromisoformat(newest.stem) + timedelta(days=30)
    old = newest.read_text("utf-8")
    wrong = old.replace(f"valid_from = {newest.stem}", f"valid_from = {day}").replace(
        "household_debt_service_percent = { at_most = 55 }",
        "household_debt_service_percent = { at_most = 50 }",
    )
    status, out, _ = shell("check", draft(tmp_path, wrong))
    assert status == 1
    assert out.startswith("refused   draft.toml, line ")
    assert ", example[30].expect.outcome: is approve, but the policy gives decline" in out
    right = wrong.replace(
        "household_debt_service_percent = 55", "household_debt_service_percent = 50"
    )
    assert shell("check", draft(tmp_path, right))[0] == 0
    _, out, _ = shell("diff", f"policies/credit_loan/{newest.name}", "draft.toml")
    assert "K02 asks that debt service in income is at most 50 % (was at most 55 %)" in out
    assert "its text is unchanged" in out
    publish(models, tmp_path / "draft.toml", role="champion", approver="R. Reviewer")
    policy = Registry.open(models).in_force("credit_loan", day).policy
    assert policy.path == f"policies/credit_loan/{day}.toml"
