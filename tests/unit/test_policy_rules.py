"""Tests of facts, and what a rule finds: met, not met, not known, not applicable."""

from __future__ import annotations

from typing import Any

import pytest

from loansvc.editions import Reader
from loansvc.errors import EditionRefused
from loansvc.policy.rules import (
    UNKNOWN,
    Clause,
    Finding,
    Rule,
    all_hold,
    find,
    read_clause,
    read_rule,
    read_tests,
)
from loansvc.policy.rules import Test as FactTest  # `Test` would be collected by pytest

GOOD_HOUSEHOLD = FactTest("household_grade", words=frozenset({"AAA", "AA"}))
PRIORITY_GROUP = FactTest("groups", words=frozenset({"veteran", "graduate"}))


def a_rule(**changed: Any) -> Rule:
    """An age rule for bullet loans, plain and valid, with some parts changed."""
    plain: dict[str, Any] = {
        "id": "E01",
        "stage": "eligibility",
        "requires": FactTest("age_years", at_least=18),
        "when": (FactTest("repayment", words=frozenset({"bullet"})),),
        "otherwise": "decline",
        "if_unknown": "refer",
        "zh": "申请人年满18周岁",
        "en": "Applicant is 18 or older",
        "clause": Clause("notice 1", "A", verify=False),
    }
    return Rule(**plain | changed)


def reader_of(table: Any) -> Reader:
    return Reader(table, file="small.toml", place="rule[0]")


def refusal_of(table: Any, read: Any) -> str:
    with pytest.raises(EditionRefused) as refusal:
        read(reader_of(table))
    return str(refusal.value)


# --- a test holds -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("test", "age", "expected"),
    [
        pytest.param(FactTest("age_years", at_least=18), 17, False, id="one below the lower bound"),
        pytest.param(FactTest("age_years", at_least=18), 18, True, id="the lower bound counts"),
        pytest.param(FactTest("age_years", at_most=60), 60, True, id="the upper bound counts"),
        pytest.param(FactTest("age_years", at_most=60), 61, False, id="one above the upper bound"),
        pytest.param(FactTest("age_years", at_least=18, at_most=60), 17, False, id="below a range"),
        pytest.param(FactTest("age_years", at_least=18, at_most=60), 40, True, id="in a range"),
        pytest.param(FactTest("age_years", at_least=18, at_most=60), 61, False, id="above a range"),
        pytest.param(FactTest("age_years", at_least=0), 0, True, id="nought is a number"),
        pytest.param(FactTest("age_years", at_least=18), None, None, id="not known"),
    ],
)
def test_number_test_includes_its_bounds(
    test: FactTest, age: int | None, expected: bool | None
) -> None:
    assert test.holds({"age_years": age}) is expected


@pytest.mark.parametrize(
    ("test", "value", "expected"),
    [
        pytest.param(GOOD_HOUSEHOLD, "AA", True, id="a word of the list"),
        pytest.param(GOOD_HOUSEHOLD, "A", False, id="another word"),
        pytest.param(GOOD_HOUSEHOLD, None, None, id="not known, and the list does not say so"),
        pytest.param(
            FactTest("household_grade", words=frozenset({"AA", UNKNOWN})),
            None,
            True,
            id="not known, and the list says unknown",
        ),
        pytest.param(
            FactTest("household_grade", words=frozenset({UNKNOWN})),
            "AA",
            False,
            id="known, and the list says only unknown",
        ),
        pytest.param(
            PRIORITY_GROUP, ("ex_fisher", "veteran"), True, id="one of several groups fits"
        ),
        pytest.param(PRIORITY_GROUP, ("ex_fisher",), False, id="no group fits"),
        pytest.param(PRIORITY_GROUP, (), False, id="known to be in no group"),
        pytest.param(PRIORITY_GROUP, None, None, id="groups not known"),
    ],
)
def test_word_test_holds_for_its_words(test: FactTest, value: Any, expected: bool | None) -> None:
    assert test.holds({test.fact: value}) is expected


def test_fact_that_is_absent_is_not_known() -> None:
    assert GOOD_HOUSEHOLD.holds({}) is None


def test_tests_that_cannot_be_made_do_not_all_hold() -> None:
    assert not all_hold((GOOD_HOUSEHOLD,), {"household_grade": None})


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (FactTest("age_years", at_least=18), ">= 18"),
        (FactTest("age_years", at_least=18, at_most=60), ">= 18 and <= 60"),
        (GOOD_HOUSEHOLD, "AAA, AA"),
        (FactTest("household_grade", words=frozenset({UNKNOWN, "A"})), "A, unknown"),
    ],
)
def test_threshold_is_said_in_one_order(test: FactTest, expected: str) -> None:
    """Words stand best first, whatever order the file has them in."""
    assert test.threshold() == expected


# --- a rule finds -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "result", "value", "outcome"),
    [
        pytest.param({"age_years": 18, "repayment": "bullet"}, "met", 18, "approve", id="met"),
        pytest.param(
            {"age_years": 17, "repayment": "bullet"}, "not_met", 17, "decline", id="not met"
        ),
        pytest.param(
            {"age_years": None, "repayment": "bullet"}, "unknown", None, "refer", id="unknown"
        ),
        pytest.param(
            {"age_years": 17, "repayment": "harvest"},
            "not_applicable",
            None,
            "approve",
            id="for others",
        ),
        pytest.param(
            {"age_years": 17, "repayment": None},
            "not_applicable",
            None,
            "approve",
            id="whether it applies is not known",
        ),
    ],
)
def test_rule_finds_what_the_facts_say(
    facts: dict[str, Any], result: str, value: int | None, outcome: str
) -> None:
    rule = a_rule()
    assert find(rule, facts) == Finding(rule, result, value, outcome)


def test_rule_without_when_applies_to_everyone() -> None:
    assert find(a_rule(when=()), {"age_years": 17}).result == "not_met"


def test_rule_may_let_the_unknown_pass() -> None:
    assert find(a_rule(when=(), if_unknown="approve"), {}).outcome == "approve"


# --- reading ------------------------------------------------------------------------------------


def test_tests_are_read_as_words_and_bounds() -> None:
    table = {"household_grade": ["AAA", "AA"], "age_years": {"at_least": 18}}
    assert read_tests(reader_of(table)) == (GOOD_HOUSEHOLD, FactTest("age_years", at_least=18))


def test_context_facts_can_be_asked_for() -> None:
    assert read_tests(reader_of({"policy_loans": {"at_most": 2}, "village_rating": ["unrated"]}))


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        pytest.param({"shoe_size": ["42"]}, "rule[0].shoe_size: is not a fact", id="unknown fact"),
        pytest.param(
            {"education": ["senior"]},
            "rule[0].education: may not be used by a policy (its use is model",
            id="fact for scorecards only",
        ),
        pytest.param(
            {"sex": ["female"]},
            "rule[0].sex: may not be used by a policy (its use is none",
            id="fact for nobody",
        ),
        pytest.param(
            {"household_grade": ["AAAA"]},
            "rule[0].household_grade: must be a list of AAA",
            id="unknown word",
        ),
        pytest.param(
            {"household_grade": []}, "rule[0].household_grade: must be a list", id="no word"
        ),
        pytest.param(
            {"household_grade": ["A", "A"]},
            "rule[0].household_grade: names a word twice",
            id="a word twice",
        ),
        pytest.param(
            {"age_years": [18]},
            "rule[0].age_years: must be a table",
            id="words for a number",
        ),
        pytest.param(
            {"age_years": {}},
            "rule[0].age_years: must have at_least, at_most or both",
            id="no bound",
        ),
        pytest.param(
            {"age_years": {"at_least": 2, "at_most": 1}},
            "rule[0].age_years.at_least: must not be above at_most",
            id="bounds crossed",
        ),
        pytest.param(
            {"age_years": {"above": 1, "at_most": 1}},
            "rule[0].age_years.above: is not a key",
            id="unknown bound",
        ),
    ],
)
def test_wrong_test_is_refused_with_its_place(table: Any, expected: str) -> None:
    assert refusal_of(table, read_tests).startswith(f"small.toml, {expected}")


@pytest.mark.parametrize("grade", ["M", "E"])
def test_weak_source_must_be_marked(grade: str) -> None:
    table = {"reference": "proposal", "source_grade": grade}
    assert refusal_of(table, read_clause) == (
        f"small.toml, rule[0].verify: must be true for source grade {grade}."
    )


def test_strong_source_may_be_marked_as_well() -> None:
    table = {"reference": "notice 1", "source_grade": "B", "verify": True}
    assert read_clause(reader_of(table)) == Clause("notice 1", "B", verify=True)


@pytest.mark.parametrize(
    "requires",
    [
        pytest.param({}, id="none"),
        pytest.param({"age_years": {"at_least": 18}, "term_months": {"at_most": 12}}, id="two"),
    ],
)
def test_rule_must_test_one_fact(requires: Any) -> None:
    assert "rule[0].requires: must test exactly one fact" in refusal_of(
        {"requires": requires}, read_rule
    )
