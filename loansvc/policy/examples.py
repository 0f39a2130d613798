"""Example cases inside a policy: sentences with facts and the answer expected, run at load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from loansvc.application import CATALOGUE
from loansvc.editions import Reader
from loansvc.errors import EditionRefused
from loansvc.policy import Judgement, Policy, judge
from loansvc.policy.order import values_to_try
from loansvc.policy.rules import (
    CONTEXT_LABELS,
    DATE_FACTS,
    OUTCOMES,
    UNKNOWN,
    fact_words,
    like_fact,
)
from loansvc.policy.terms import Row

ALWAYS_KNOWN = (
    "score",
    "lpr_bp",
    "amount_yuan",
    "village_rating",
)  # what `judge` cannot do without
CORRECT = "correct the clause, or the example if the new answer is meant"
EXPECTED = (
    "outcome", "grade", "limit_yuan", "rate_bp", "subsidy_bp", "tier", "counter_guarantee",
    "shares_percent", "not_met", "unknown",
)  # fmt: skip


Facts = dict[str, Any]


def check_examples(
    policy: Policy, reader: Reader, *, valid_from: date
) -> tuple[Facts, tuple[Facts, ...]]:
    """Run every `[[example]]`; gives `[example_facts]`, which each starts from, and those of each.

    A day that they do not state is the policy's first.

    Raises:
        EditionRefused: examples give another answer; a sentence for each, with both answers.
    """
    table = reader.table("example_facts")
    for name in ALWAYS_KNOWN:
        table.value(name)
    plain = dict.fromkeys(DATE_FACTS, valid_from) | _read_facts(table)
    faults, cases = [], []
    for example in reader.tables("example", at_least=1):
        with example:
            says = example.text("says")
            given = _read_facts(example.table("given"))
            expected = _read_expected(example)
            cases.append(plain | given)
            answer = _answer(policy, cases[-1])
            wrong = [key for key, wanted in expected.items() if wanted != answer[key]]
            if wrong:
                told = "; ".join(
                    f"{f'{key} ' * (key != wrong[0])}is {expected[key]}, but the policy gives "
                    f"{answer[key]}"
                    for key in wrong
                )
                stated = {*given, *table.keys()}
                hint = _days_text(policy, cases[-1], expected, stated, valid_from)
                why = f"{told} ({says}); {hint or CORRECT}"
                faults.append(example.fault(f"expect.{wrong[0]}", why))
    if faults:
        raise EditionRefused(" ".join(faults), faults=faults)
    return plain, tuple(cases)


def _read_expected(example: Reader) -> dict[str, Any]:
    with example.table("expect") as expect:
        expect.word("outcome", OUTCOMES)
        for key in expect.keys():
            if key not in EXPECTED:
                expect.refuse(key, f"must be one of {', '.join(EXPECTED)}")
        return {key: expect.value(key) for key in expect.keys()}


def _answer(policy: Policy, facts: Mapping[str, Any]) -> dict[str, Any]:
    case = {k: v for k, v in facts.items() if k not in ("score", "lpr_bp")}
    judgement = judge(policy, case, score=facts["score"], lpr_bp=facts["lpr_bp"], fund=None)
    return answer_of(judgement)


def _days_text(
    policy: Policy, facts: Mapping[str, Any], expected: Mapping[str, Any], stated: set[str],
    valid_from: date,
) -> str:  # fmt: skip
    """What to do where an example is right on another day than the policy's first; else empty."""
    left_out = [fact for fact in DATE_FACTS if fact not in stated]
    for day in _days_named(policy):
        answer = _answer(policy, {**facts, **dict.fromkeys(left_out, day)})
        if left_out and all(answer[key] == wanted for key, wanted in expected.items()):
            return (
                f"it holds on {day}, and a day that an example does not state is the policy's "
                f"first, {valid_from}: state {' or '.join(left_out)} in it, or correct valid_from"
            )
    return ""


def _days_named(policy: Policy) -> list[date]:
    """Every day on which a clause begins or ends to hold, and the day to either side."""
    clauses: tuple[Sequence[Row], ...] = (
        policy.rules, policy.caps, policy.limit_rows, policy.price_rows, policy.tier_rows,
    )  # fmt: skip
    whens = (row.when for rows in clauses for row in rows)
    tests = [test for when in whens for test in when if test.fact in DATE_FACTS]
    tests += [s.days for s in policy.subsidies]
    return [] if not tests else values_to_try(DATE_FACTS[0], tests)


def answer_of(judgement: Judgement) -> dict[str, Any]:
    """The parts of a judgement that an example can speak of."""
    by_result = {
        result: [f.rule.id for f in judgement.findings if f.result == result]
        for result in ("not_met", "unknown")
    }
    return {
        "outcome": judgement.outcome,
        "grade": judgement.grade,
        "limit_yuan": judgement.limit.limit_yuan,
        "rate_bp": judgement.price.rate_bp,
        "subsidy_bp": judgement.price.subsidy_bp,
        "tier": judgement.tier.tier,
        "counter_guarantee": judgement.tier.counter_guarantee,
        "shares_percent": {name: n for name, n in judgement.tier.shares_percent.items() if n},
        **by_result,
    }


def _read_facts(reader: Reader) -> dict[str, Any]:
    return {name: _read_fact(reader, name) for name in reader.keys()}


def _read_fact(reader: Reader, name: str) -> Any:
    """One value; the word "unknown" stands for a fact that is not known."""
    if name == "grade":
        reader.refuse(name, "follows from the score; give the score")
    if name not in CATALOGUE and name not in CONTEXT_LABELS and name not in ALWAYS_KNOWN:
        reader.refuse(name, f"is not a fact; {like_fact(name)}")
    if name not in ALWAYS_KNOWN and reader.value(name) == UNKNOWN:
        return None
    if name in DATE_FACTS:
        return reader.day(name)
    words = fact_words(name)
    if name == "groups":
        return reader.words(name, words) if reader.value(name) else ()
    return reader.word(name, words) if words else reader.integer(name, low=0, high=10**12)
