"""Sequential: whose PDs were nearer to what happened, looked at as often as anybody likes.

A bet against "the champion's PDs are at least as near". Of one loan, with p the champion's PD, q
the challenger's and m half-way, it pays

    1 + b (q - m) (y - m) / (m (1 - m))        y = 1 for a bad loan, else 0; 0 < b <= 1

which with b = 1 is the chance of y under q over that under m. Both PDs are fixed before y is known,
and it pays 1 or less on average wherever the champion's Brier score, weighed by 1 / (m (1 - m)), is
expected to be no worse than the challenger's. The product of all that was paid is then a
supermartingale: that it ever reaches 20 has a chance of 1/20 or less (Ville's inequality), however
often it is looked at. The same bet the other way round speaks for the champion.

Sources: Ville 1939; Ramdas, Grünwald, Vovk and Shafer 2023 (Stat. Sci. 38:576), on betting; Henzi
and Ziegel 2022 (Biometrika 109:647), on forecasts compared so. Half-way and the weights are ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from math import exp, log1p

CHANCE = 0.05  # of "promote" over the whole watch although the challenger's PDs are no nearer
ASKED_FOR = 1 / CHANCE
# A third of the stake on each: a challenger that is right, and one that exaggerates what it knows.
BETS = (0.25, 0.5, 1.0)
MOST_LOG = 700.0  # exp of more is no float
KEEP_WATCHING, PROMOTE, STOP = SAYS = ("keep watching", "promote", "stop")


@dataclass(frozen=True, slots=True)
class End:
    """The day on which a loan's window was over, and whether it had gone bad by then."""

    on: date
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Loan:
    """A loan with a known end, and the PD of both cards in parts per million."""

    end: End
    sequence: int
    champion_ppm: int
    challenger_ppm: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """How many times the stake each bet has become, and the first that reached what is asked for.

    `reached_on`: the day of the loan with which it did so; None, with KEEP_WATCHING, for neither.
    """

    says: str
    for_challenger: float
    for_champion: float
    reached_on: date | None
    n: int
    n_bad: int


def evidence(loans: Iterable[Loan]) -> Evidence:
    """What the loans say, taken in the order in which their ends became known.

    Once one side has what is asked for, what follows does not take it back: else looking often
    would say otherwise than looking once.
    """
    stakes = {PROMOTE: [0.0] * len(BETS), STOP: [0.0] * len(BETS)}  # in natural logarithms
    says, reached_on, n, n_bad = KEEP_WATCHING, None, 0, 0
    for loan in sorted(loans, key=lambda one: (one.end.on, one.sequence)):
        n, n_bad = n + 1, n_bad + loan.end.is_bad
        for side, sign in ((PROMOTE, 1), (STOP, -1)):
            stakes[side] = [
                log + log1p(sign * bet * _return(loan))
                for log, bet in zip(stakes[side], BETS, strict=True)
            ]
            if says == KEEP_WATCHING and _worth(stakes[side]) >= ASKED_FOR:
                says, reached_on = side, loan.end.on
    return Evidence(says, _worth(stakes[PROMOTE]), _worth(stakes[STOP]), reached_on, n, n_bad)


def _return(loan: Loan) -> float:
    """What the whole stake on the challenger wins on a loan, above -1."""
    half_way = (loan.champion_ppm + loan.challenger_ppm) / 2_000_000
    apart = loan.challenger_ppm / 1_000_000 - half_way
    return apart * (loan.end.is_bad - half_way) / (half_way * (1 - half_way))


def _worth(logs: list[float]) -> float:
    return sum(exp(min(log, MOST_LOG)) for log in logs) / len(logs)
