"""Notes: what the writer of a policy may have overlooked; told by `policy check`, never refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from loansvc.application import GRADES
from loansvc.policy import Policy
from loansvc.policy.rules import DATE_FACTS, Rule, fact_range

_NUMBER = re.compile(r"([0-9][0-9,]*(?:\.[0-9]+)?)\s*(万|年|year)?")
_TIMES = {"万": 10_000, "年": 12, "year": 12}  # a term is told in years and asked for in months


@dataclass(frozen=True, slots=True)
class Note:
    """Where, and what to look at."""

    place: str
    text: str


def notes(policy: Policy, before: Policy | None) -> tuple[Note, ...]:
    """What to look at; `before` is the policy that this one takes the place of, if any."""
    old = {rule.id: rule for rule in before.rules} if before else {}
    new = [r for r in policy.rules if r.id not in old or old[r.id].requires != r.requires]
    return (
        *_texts(policy),
        *_unrated(policy),
        *(note for rule in new for note in _untried(rule, policy)),
    )


def _bounds(rule: Rule) -> Iterator[tuple[int, int]]:
    """Each bound of a number that a rule asks for, and the first value on its other side."""
    low, high = fact_range(rule.requires.fact)
    for bound, step in ((rule.requires.at_least, -1), (rule.requires.at_most, 1)):
        if isinstance(bound, int) and low <= bound + step <= high:
            yield bound, bound + step


def _texts(policy: Policy) -> Iterator[Note]:
    """Texts with numbers of which none is the bound: applicants would read the old one.

    "90 days or more" says at_most = 89, and "5 years" 60 months. A text in words alone is let pass,
    and so is a bound of 0, which people say as "none".
    """
    for rule in policy.rules:
        if rule.requires.fact in DATE_FACTS:
            continue
        for key in ("zh", "en", "not_met_zh", "not_met_en"):
            text = getattr(rule, key)
            told = numbers_in(text)
            bounds = [n for n in (rule.requires.at_least, rule.requires.at_most) if n]
            for n in bounds:
                if told and isinstance(n, int) and told.isdisjoint((n - 1, n, n + 1)):
                    why = f"asks for {rule.requires.threshold()}, but its {key} says: {text}"
                    yield Note(rule.id, why)
                    break


def numbers_in(text: str) -> set[float]:
    """The numbers of a text, also as tens of thousands and as months where it counts in years.

    >>> sorted(numbers_in("合计不超过50万元")), sorted(numbers_in("at most 5 years"))
    ([50.0, 500000.0], [5.0, 60.0])
    """
    found = set()
    for number, unit in _NUMBER.findall(text):
        value = float(number.replace(",", ""))
        found |= {value, value * _TIMES.get(unit, 1)}
    return found


def _unrated(policy: Policy) -> Iterator[Note]:
    """Cells in which a village nobody rated fares better than one rated A or better.

    "unrated" stands outside the order of merit, so no check of that order speaks of it.
    """
    for grade, percent in policy.factor_percent.items():
        below = [rating for rating in GRADES[:3] if percent[rating] < percent["unrated"]]
        if below:
            yield Note(
                f"{grade}.unrated",
                f"gives an unrated village {percent['unrated']} % of the base limit, more than one "
                f"rated {below[0]} ({percent[below[0]]} %); see that it is meant",
            )


def _untried(rule: Rule, policy: Policy) -> Iterator[Note]:
    """Bounds that no pair of examples stands on both sides of."""
    tried = {facts.get(rule.requires.fact) for facts in policy.examples}
    for bound, beyond in _bounds(rule):
        missing = [str(n) for n in sorted((bound, beyond)) if n not in tried]
        if missing:
            yield Note(
                rule.id,
                f"is new or changed: no [[example]] has {rule.requires.fact} = "
                f"{' and none '.join(missing)}; add one",
            )
