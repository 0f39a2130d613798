"""Challengers: what recorded decisions, and then loans, say of a challenger beside its champion.

Both judged the same application under the same register, policy, rates and exposure, whichever of
them decided. Nothing is decided again here: what is added up was recorded with the decision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from loansvc.editions import CHAMPION
from loansvc.monitoring.ends import EndOf
from loansvc.monitoring.estimates import Estimate, Ginis, ginis, share
from loansvc.monitoring.sequential import End, Evidence, Loan, evidence
from loansvc.underwriting import Recorded

PERCENTS = (10, 25, 50, 75, 90)  # of decisions, at or below a score


@dataclass(frozen=True, slots=True)
class Side:
    """What one card said of one application; amounts are 0 where it would not approve."""

    outcome: str
    score: int
    pd_ppm: int
    grade: str
    approved_yuan: int
    expected_loss_yuan: int

    @classmethod
    def of_decision(cls, decision: Mapping[str, Any]) -> Side:
        """The card that decided."""
        approved = decision["outcome"] == "approve"
        loss = decision["guarantee"]["expected_loss_yuan"]["total"] if approved else 0
        return cls(
            decision["outcome"], decision["score"], round(decision["pd_12m"] * 1_000_000),
            decision["grade"], decision["offer"]["amount_yuan"] if approved else 0, loss,
        )  # fmt: skip

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Side:
        """A card that was scored beside."""
        approved = record["outcome"] == "approve"
        return cls(
            record["outcome"], record["score"], record["pd_ppm"], record["grade"],
            record["amount_yuan"] if approved else 0,
            record["expected_loss_yuan"] if approved else 0,
        )  # fmt: skip


@dataclass(slots=True)
class Sums:
    """One card's part of a contest, while it grows. `loans` by grade: n, bad, sum of PDs in ppm."""

    scores: Counter[int] = field(default_factory=Counter)
    grades: Counter[str] = field(default_factory=Counter)
    approved_yuan: int = 0
    expected_loss_yuan: int = 0
    n_loans: Counter[str] = field(default_factory=Counter)
    n_bad: Counter[str] = field(default_factory=Counter)
    pd_ppm: Counter[str] = field(default_factory=Counter)

    def add(self, side: Side) -> None:
        """Count one judgement."""
        self.scores[side.score] += 1
        self.grades[side.grade] += 1
        self.approved_yuan += side.approved_yuan
        self.expected_loss_yuan += side.expected_loss_yuan

    def add_loan(self, side: Side, *, is_bad: bool) -> None:
        """Count one loan whose end is known."""
        self.n_loans[side.grade] += 1
        self.n_bad[side.grade] += is_bad
        self.pd_ppm[side.grade] += side.pd_ppm

    def score_at(self, percent: int) -> int:
        """The lowest score that so many percent of the decisions do not pass."""
        left = -(-percent * self.scores.total() // 100)
        for score in sorted(self.scores):
            left -= self.scores[score]
            if left <= 0:
                return score
        raise AssertionError("no decision was counted")

    def calibration(self) -> list[Grade]:
        """Expected and observed, best grade first."""
        return [
            Grade(g, n, self.n_bad[g], self.pd_ppm[g] / n / 1_000_000, share(self.n_bad[g], n))
            for g, n in sorted(self.n_loans.items())
        ]


@dataclass(frozen=True, slots=True)
class Grade:
    """Loans of one grade with a known end: the mean PD beside the share that went bad."""

    grade: str
    n: int
    n_bad: int
    expected: float
    observed: Estimate | None


@dataclass(slots=True)
class Contest:
    """A challenger beside one champion of a product, while it grows.

    `n_decided` of the `n` decisions were the challenger's own; `moves` counts by (outcome of the
    champion, of the challenger).
    """

    product: str
    challenger: str
    champion: str
    n: int = 0
    n_decided: int = 0
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    of_champion: Sums = field(default_factory=Sums)
    of_challenger: Sums = field(default_factory=Sums)
    loans: list[Loan] = field(default_factory=list)
    scores: list[tuple[int, int]] = field(default_factory=list)

    def add(self, one: Recorded, champion: Side, challenger: Side, end: End | None) -> None:
        """Count one decision, and its loan where the end of that is known."""
        self.n += 1
        self.n_decided += one.decision["editions"]["scorecard"]["digest"] == self.challenger
        self.moves[champion.outcome, challenger.outcome] += 1
        self.of_champion.add(champion)
        self.of_challenger.add(challenger)
        if end is not None:
            self.of_champion.add_loan(champion, is_bad=end.is_bad)
            self.of_challenger.add_loan(challenger, is_bad=end.is_bad)
            self.loans.append(Loan(end, one.entry.sequence, champion.pd_ppm, challenger.pd_ppm))
            self.scores.append((champion.score, challenger.score))

    @property
    def agreement(self) -> Estimate | None:
        """The share of decisions with the same outcome."""
        return share(sum(n for (a, b), n in self.moves.items() if a == b), self.n)

    def flips(self) -> list[tuple[str, str, int, Estimate | None]]:
        """Outcome of the champion, of the challenger, how many, and their share; most first."""
        found = [(a, b, n, share(n, self.n)) for (a, b), n in self.moves.items() if a != b]
        return sorted(found, key=lambda flip: (-flip[2], flip[:2]))

    def ginis(self) -> Ginis | None:
        """Of champion and challenger on the same loans; None of too few bad or good ones."""
        return ginis(
            [a for a, _ in self.scores], [b for _, b in self.scores],
            [loan.end.is_bad for loan in self.loans],
        )  # fmt: skip

    def evidence(self) -> Evidence:
        """What the loans say of both cards' PDs."""
        return evidence(self.loans)


def contests(
    recorded: Iterable[Recorded], end_of: EndOf, expected: Iterable[tuple[str, str, str]] = ()
) -> list[Contest]:
    """A contest for each challenger and champion that judged a decision together.

    And for each product, challenger and champion that are `expected`. By product and digests,
    whatever the order of the decisions.
    """
    found = {key: Contest(*key) for key in expected}
    for one in recorded:
        if not one.beside:
            continue
        decider, end = one.decision["editions"]["scorecard"]["digest"], end_of(one)
        sides = {record["digest"]: Side.of_record(record) for record in one.beside}
        sides[decider] = Side.of_decision(one.decision)
        champion = next((r["digest"] for r in one.beside if r["role"] == CHAMPION), decider)
        for challenger in sides.keys() - {champion}:
            key = (one.entry.product, challenger, champion)
            contest = found.setdefault(key, Contest(*key))
            contest.add(one, sides[champion], sides[challenger], end)
    return [found[key] for key in sorted(found)]
