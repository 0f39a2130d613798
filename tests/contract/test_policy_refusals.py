"""A wrong policy is refused with file, clause and remedy, and the one in force stays in force."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest

from loansvc.editions import digest_of, to_text
from loansvc.errors import EditionRefused
from loansvc.registry import LOCK, Registry, read_document
from loansvc.registry.publishing import publish
from tests.small import POLICY, TODAY, publish_text, small_models

# The small policy as the next edition of a product: sound before each of the changes below.
NEXT = POLICY.replace("PRODUCT", "credit_loan").replace(
    "valid_from = 2026-07-01", "valid_from = 2026-09-01"
)
SUBSIDY = """
[[subsidy]]
percent_of_rate = 0
zh = "不贴息"
en = "None"
keyed_on = "loan_start"
until = 2026-09-30
reference = "test"
source_grade = "A"

[[subsidy]]
percent_of_rate = 50
zh = "贴息一半"
en = "Half"
keyed_on = "loan_start"
from = 2026-10-01
reference = "test"
source_grade = "A"

[example_facts]"""
SUBSIDISED = NEXT.replace("subsidy_percent_of_rate = 0\n", "").replace("\n[example_facts]", SUBSIDY)
FIRST_ROW = 'when = { household_grade = ["AAA", "AA"] }\nbase_yuan = 150_000'
LAST_ROW = '[[limit_row]]\nbase_yuan = 50_000\nreference = "test"\nsource_grade = "A"\n'
AGE = "requires = { age_years = { at_least = 18 } }"


def changed(old: str, new: str, text: str = NEXT) -> str:
    """The text with one passage changed; it must be there once."""
    assert text.count(old) == 1, old
    return text.replace(old, new)


def first(old: str, new: str, text: str = NEXT) -> str:
    """The text with the first such passage changed."""
    assert old in text, old
    return text.replace(old, new, 1)


WRONG = [
    # a gap
    pytest.param(
        changed(LAST_ROW, ""), "limit_row", "it leaves a gap; add one at the end",
        id="a gap: no limit for the others",
    ),
    pytest.param(
        changed("R5 = { AAA = 60, AA = 50, ", "R5 = { AAA = 60, "), "limit_factor_percent.R5.AA",
        "is missing; add it", id="a gap: a cell of the matrix",
    ),
    pytest.param(
        changed('[[grade]]\ngrade = "R3"\nscore_at_least = 600\n', ""), "grade",
        "must be a list of at least 7 tables", id="a gap: a grade",
    ),
    pytest.param(
        changed("from = 2026-10-01", "from = 2026-10-02", SUBSIDISED), "subsidy[1].from",
        "leaves a gap after 2026-09-30; start on the day after it", id="a gap: between periods",
    ),
    pytest.param(
        changed("from = 2026-10-01", "from = 2026-10-01\nuntil = 2026-12-31", SUBSIDISED),
        "subsidy", "leaves a gap after 2026-12-31; add a period", id="a gap: after the last period",
    ),
    # an overlap
    pytest.param(
        changed(FIRST_ROW, 'when = { household_grade = ["AAA", "AA", "A", "B", "C", "D", '
                '"unknown"] }\nbase_yuan = 150_000'), "limit_row[1]",
        "remove it, narrow a row above, or move it up", id="an overlap: rows of limits",
    ),
    pytest.param(
        changed(FIRST_ROW, "base_yuan = 150_000"), "limit_row",
        "move it to the end or give it a `when`", id="an overlap: two rows for everyone",
    ),
    pytest.param(
        changed("from = 2026-10-01", "from = 2026-09-30", SUBSIDISED), "subsidy[1].from",
        "overlaps the period before; start on the day after its `until`",
        id="an overlap: of periods",
    ),
    pytest.param(
        changed('[[grade]]\ngrade = "R3"\nscore_at_least = 600',
                '[[grade]]\ngrade = "R3"\nscore_at_least = 620'), "grade",
        "lower R3 (620) below R2 (620)", id="an overlap: of grades",
    ),
    pytest.param(
        changed('id = "K01"', 'id = "E01"'), "rule[1] E01.id",
        "E01 is used twice; give this rule an id of its own", id="an id of a rule used twice",
    ),
    pytest.param(
        changed('id = "C01"', 'id = "E01"'), "cap[0] E01.id",
        "E01 is used twice; give this cap an id of its own", id="an id of a rule used by a cap",
    ),
    pytest.param(
        changed("requires = { max_days_past_due_24m = { at_most = 89 } }", AGE),
        "rule[1] K01.requires", "asks the same of the same cases as E01; keep one",
        id="two rules that say the same",
    ),
    # shares
    pytest.param(
        first("bank = 20,", "bank = 21,"), "tier[0] G1.shares_percent",
        "sums to 101; loss shares must sum to 100: take 1 from one of them",
        id="shares above 100",
    ),
    pytest.param(
        first("government = 10", "government = 5"), "tier[0] G1.shares_percent",
        "sums to 95; loss shares must sum to 100: add 5 to one of them", id="shares below 100",
    ),
    pytest.param(
        first("bank = 20, local_guarantor = 40", "bank = 10, local_guarantor = 50"),
        "tier[0] G1.shares_percent.bank", "must be at least 20; take the rest from another share",
        id="the bank bears too little",
    ),
    # better with a worse score
    pytest.param(
        changed('grade = ["R1", "R2", "R3", "R4"], village', 'grade = ["R3", "R4"], village'),
        "tier[0] G1.when", "add R1, R2 to grade", id="a tier that R1 and R2 miss",
    ),
    pytest.param(
        changed('village_rating = ["AAA", "AA"], amount', 'village_rating = ["A"], amount'),
        "tier[0] G1.when", "add AAA, AA to village_rating", id="a tier that better villages miss",
    ),
    pytest.param(
        changed("R5 = { AAA = 60, AA = 50, A = 40", "R5 = { AAA = 90, AA = 50, A = 40"),
        "limit_factor_percent.R5.AAA", "lower R5.AAA to 80 or less",
        id="a larger limit for a worse score",
    ),
    pytest.param(
        changed("R4 = { AAA = 80, AA = 70, A = 60", "R4 = { AAA = 80, AA = 60, A = 65"),
        "limit_factor_percent.R4.A", "lower R4.A to 60 or less",
        id="a larger limit for a worse village",
    ),
    pytest.param(
        changed("base_yuan = 50_000", "base_yuan = 200_000"), "limit_row",
        "limit_row[1] 200000 against limit_row[0] 150000; lower that of limit_row[1], or raise",
        id="a larger limit for a worse household",
    ),
    pytest.param(
        changed("spread_bp = 150", "spread_bp = 80"), "price_row",
        "price_row[1] 80 against price_row[0] 85; raise that of price_row[1], or lower that of",
        id="a lower rate for a worse household",
    ),
    pytest.param(
        changed("refer_at_least = 540", "refer_at_least = 590"), "cutoff.refer_at_least",
        "must not be above approve_at_least (580); lower it", id="cut-offs that cross",
    ),
    # no reference
    pytest.param(
        changed(f'{FIRST_ROW}\nreference = "test"', FIRST_ROW), "limit_row[0].reference",
        "is missing; add the law, notice or minute the clause rests on", id="no reference",
    ),
    pytest.param(
        changed(f'{FIRST_ROW}\nreference = "test"', f'{FIRST_ROW}\nreference = " "'),
        "limit_row[0].reference", "must be a text that is not empty", id="an empty reference",
    ),
    pytest.param(
        changed(f'{FIRST_ROW}\nreference = "test"\nsource_grade = "A"',
                f'{FIRST_ROW}\nreference = "test"\nsource_grade = "M"'),
        "limit_row[0].verify", "must be true for source grade M", id="a weak source not marked",
    ),
    # an unknown characteristic
    pytest.param(
        changed(AGE, "requires = { age_year = { at_least = 18 } }"),
        "rule[0] E01.requires.age_year",
        "is not a fact that a policy can ask for; write age_years", id="a characteristic misspelt",
    ),
    pytest.param(
        changed(AGE, "requires = { shoe_size = { at_least = 18 } }"),
        "rule[0] E01.requires.shoe_size",
        "is not a fact that a policy can ask for; take one of primary_group, entity",
        id="a characteristic nobody knows",
    ),
    pytest.param(
        changed(AGE, "requires = { dependants = { at_most = 5 } }"),
        "rule[0] E01.requires.dependants",
        "may not be used by a policy (its use is model); ask for another fact",
        id="a characteristic of scorecards",
    ),
    pytest.param(
        changed(AGE, 'requires = { sex = ["male"] }'), "rule[0] E01.requires.sex",
        "may not be used by a policy (its use is none); ask for another fact",
        id="a characteristic nobody may use",
    ),
    pytest.param(
        changed(AGE, f"{AGE}\nif_unknwon = 1"), "rule[0] E01.if_unknwon",
        "is not a key this version knows; write if_unknown, or remove it", id="a key misspelt",
    ),
    # a range that ends before it begins
    pytest.param(
        changed(AGE, f'{AGE}\nkeyed_on = "applied_on"\nfrom = 2026-10-01\nuntil = 2026-09-30'),
        "rule[0] E01.until", "must not be before from (2026-10-01); exchange them or correct one",
        id="days that end before they begin",
    ),
    pytest.param(
        changed(AGE, "requires = { age_years = { at_least = 65, at_most = 18 } }"),
        "rule[0] E01.requires.age_years.at_least",
        "must not be above at_most (18); exchange them or correct one",
        id="numbers that end before they begin",
    ),
    pytest.param(
        changed("review_by = 2027-06-30", "review_by = 2026-08-31"), "review_by",
        "must not be before valid_from (2026-09-01); give a later day",
        id="a review before the first day",
    ),
    # what is never reached
    pytest.param(
        changed(AGE, "requires = { age_years = { at_least = 0 } }").replace(
            'if_unknown = "refer"', 'if_unknown = "approve"', 1), "rule[0] E01.requires",
        "so the rule never speaks; remove it", id="a rule that never speaks",
    ),
    # the rest
    pytest.param(
        first('tier = "G1"', 'tier = "G9"'), "tier[0] G9.tier", "must be one of G0, G1",
        id="a tier nobody knows",
    ),
    pytest.param(
        changed("limit_yuan = 135_000", "limit_yuan = 136_000"), "example[0].expect.limit_yuan",
        "correct the clause, or the example if the new answer is meant",
        id="an example that no longer holds",
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_models(tmp_path_factory.mktemp("small"))


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_policies_that_are_changed_here_are_sound(tmp_path: Path) -> None:
    for text in (NEXT, SUBSIDISED):
        (tmp_path / "next.toml").write_text(text, "utf-8")
        assert read_document(tmp_path / "next.toml")[0].product == "credit_loan"


@pytest.mark.parametrize(("text", "place", "remedy"), WRONG)
def test_a_wrong_policy_is_refused_with_file_clause_and_remedy(
    tmp_path: Path, text: str, place: str, remedy: str
) -> None:
    (tmp_path / "next.toml").write_text(text, "utf-8")
    with pytest.raises(EditionRefused) as refused:
        read_document(tmp_path / "next.toml")
    says = str(refused.value)
    said = re.match(rf"next\.toml(?:, line (\d+))?, {re.escape(place)}: ", says)
    assert said
    if said[1]:
        stands = text.splitlines()[int(said[1]) - 1]
        assert re.split(r"[.\[ ]", place)[0] in stands or place.rpartition(".")[2] in stands
    assert remedy in says
    assert says.endswith(".")


@pytest.mark.parametrize(("text", "place", "remedy"), WRONG)
def test_a_refused_policy_leaves_the_one_in_force_in_force(
    models: Path, tmp_path: Path, text: str, place: str, remedy: str
) -> None:
    """The lock, every file and what the registry opens are as before."""
    before = contents(models)
    in_force = Registry.open(models).in_force("credit_loan", TODAY).policy
    with pytest.raises(EditionRefused, match=re.escape(place)):
        publish_text(models, tmp_path / "next.toml", text)
    assert contents(models) == before
    assert Registry.open(models).in_force("credit_loan", TODAY).policy == in_force


def test_the_next_policy_once_right_takes_over_on_its_day(tmp_path: Path) -> None:
    models = small_models(tmp_path)
    draft = tmp_path / "next.toml"
    draft.write_text(NEXT, "utf-8")
    published = publish(models, draft, role="champion", approver="test")
    assert Registry.open(models).in_force("credit_loan", TODAY).policy == published


def test_two_policies_of_a_product_on_one_day_are_refused(models: Path, tmp_path: Path) -> None:
    same_day = NEXT.replace("2026-09-01", "2026-07-01") + "# otherwise the same"
    before = contents(models)
    with pytest.raises(EditionRefused) as refused:
        publish_text(models, tmp_path / "next.toml", same_day)
    assert str(refused.value) == (
        "next.toml: another champion policy of credit_loan starts on 2026-07-01 "
        "(policies/credit_loan/2026-07-01.toml). Choose a later first day: valid_from in the file, "
        "or --valid-from DATE"
    )
    assert contents(models) == before


def test_a_policy_published_already_is_refused_by_that_name(models: Path, tmp_path: Path) -> None:
    same = NEXT.replace("2026-09-01", "2026-07-01")
    with pytest.raises(EditionRefused) as refused:
        publish_text(models, tmp_path / "next.toml", same)
    assert str(refused.value).startswith(
        "next.toml: is already published, as policies/credit_loan/2026-07-01.toml from 2026-07-01"
    )


# --- what `publish` asks for, and opening does not ----------------------------------------------

MORE_FACTS = NEXT.replace(
    "[example_facts]", "[example_facts]\nemployees = 5\nunsecured_outstanding_yuan = 0"
)
NEW_MEANING = changed(
    "requires = { policy_loans = { at_most = 2 } }", "requires = { employees = { at_most = 50 } }",
    MORE_FACTS,
)  # fmt: skip
UNPUBLISHABLE = [
    pytest.param(
        NEW_MEANING, "rule K02: asks for employees, but in policies/credit_loan/2026-07-01"
        ".toml K02 asks for policy_loans; an id keeps its meaning for ever, so give "
        "this one an id never used, such as K03", id="a rule's id with another fact",
    ),
    pytest.param(
        changed('less = "outstanding_yuan"', 'less = "unsecured_outstanding_yuan"', MORE_FACTS),
        "cap C01: is a cap of a fixed sum less unsecured_outstanding_yuan", id="a cap less another",
    ),
    pytest.param(
        changed('yuan = 300_000\nless = "outstanding_yuan"',
                'percent_of = "amount_yuan"\npercent = 200\nif_unknown_yuan = 0'),
        "cap C01: is a cap of a share of amount_yuan", id="a cap of another fact",
    ),
    pytest.param(
        changed('id = "C01"', 'id = "K09"').replace('id = "K02"', 'id = "C01"'),
        "rule C01: asks for policy_loans", id="a cap's id for a rule",
    ),
    pytest.param(
        changed('id = "R01"', 'id = "L01"'),
        "rule L01: is the code of one of the program's own reasons; take another id",
        id="the code of a reason of the limit",
    ),
    pytest.param(
        changed('id = "R01"', 'id = "S27"'), "rule S27: is the code of one of the program's own",
        id="the code of a reason of the scorecard",
    ),
    pytest.param(
        changed("spread_bp = 150", "spread_bp = 1100"),
        "price_row[1].spread_bp: is 1100, above price.most_spread_bp (200)", id="a spread capped",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), UNPUBLISHABLE)
def test_what_may_be_read_but_not_published(
    models: Path, tmp_path: Path, text: str, says: str
) -> None:
    """A folder in which it was published before still opens."""
    draft = tmp_path / "next.toml"
    draft.write_text(text, "utf-8")
    assert read_document(draft)[0].kind == "policy"
    before = contents(models)
    with pytest.raises(EditionRefused) as refused:
        publish(models, draft, role="champion", approver="test")
    assert str(refused.value).startswith(f"next.toml, {says}")
    assert contents(models) == before


def test_an_id_may_ask_for_another_bound(tmp_path: Path) -> None:
    models = small_models(tmp_path)
    publish_text(models, tmp_path / "next.toml", changed("at_most = 89", "at_most = 59"))
    assert Registry.open(models).in_force("credit_loan", TODAY).policy.valid_from.month == 9


def test_a_rollback_is_not_held_against_what_is_asked_of_drafts(tmp_path: Path) -> None:
    """What was published before this was asked may hold again."""
    models = small_models(tmp_path)
    stray = models / "policies/credit_loan/2026-09-01.toml"
    stray.write_text(NEW_MEANING, "utf-8")
    lock = json.loads((models / LOCK).read_text("utf-8"))
    own = next(e for e in lock["editions"] if e["path"] == "policies/credit_loan/2026-07-01.toml")
    path, digest = stray.relative_to(models).as_posix(), digest_of(stray.read_bytes())
    lock["editions"].append(own | {"path": path, "digest": digest, "valid_from": "2026-09-01"})
    (models / LOCK).write_text(to_text(lock), "utf-8")
    again = publish(models, stray, role="champion", approver="test", valid_from=date(2026, 10, 1))
    assert Registry.open(models).in_force("credit_loan", TODAY).policy == again
