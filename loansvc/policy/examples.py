"""Example cases inside a policy: sentences with facts and the answer expected, run at load."""

from __future__ import annotations

from datetime import date
from typing import Any

from loansvc.application import CATALOGUE
from loansvc.editions import Reader
from loansvc.policy import Judgement, Policy, judge
from loansvc.policy.rules import (
    CONTEXT_LABELS,
    DATE_FACTS,
    OUTCOMES,
    UNKNOWN,
    fact_words,
    like_fact,
)

ALWAYS_KNOWN = (
    "score",
    "lpr_bp",
    "amount_yuan",
    "village_rating",
)  # what `judge` cannot do without
EXPECTED = (
    "outcome", "grade", "limit_yuan", "rate_bp", "subsidy_bp", "tier", "counter_guarantee",
    "shares_percent", "not_met", "unknown",
)  # fmt: skip


def check_examples(policy: Policy, reader: Reader, *, valid_from: date) -> dict[str, Any]:
    """Run every `[[example]]`; gives `[example_facts]`, the facts each one starts from.

    A day that they do not state is the policy's first.

    Raises:
        EditionRefused: an example gives another answer; says which, and both answers.
    """
    table = reader.table("example_facts")
    for name in ALWAYS_KNOWN:
        table.value(name)
    plain = dict.fromkeys(DATE_FACTS, valid_from) | _read_facts(table)
    for example in reader.tables("example", at_least=1):
        with example:
            says = example.text("says")
            facts = plain | _read_facts(example.table("given"))
            score, lpr_bp = facts.pop("score"), facts.pop("lpr_bp")
            judgement = judge(policy, facts, score=score, lpr_bp=lpr_bp, fund=None)
            answer = answer_of(judgement)
            with example.table("expect") as expect:
                expect.word("outcome", OUTCOMES)
                for key in expect.keys():
                    if key not in EXPECTED:
                        expect.refuse(key, f"must be one of {', '.join(EXPECTED)}")
                    wanted = expect.value(key)
                    if wanted != answer[key]:
                        expect.refuse(
                            key,
                            f"is {wanted}, but the policy gives {answer[key]} ({says}); correct "
                            "the clause, or the example if the new answer is meant",
                        )
    return plain


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
