"""Scorecard: from characteristics to whole points, score and PD. Reads no file and no clock.

Scales:
    points     whole number; 600 points = 50:1 odds good to bad, 20 more points double the odds
    pd_ppm     probability of default in parts per million; of a product's card, within 12 months
               of the first draw

The card is what is printed, reviewed and scored: points per bin, nothing else. A bin holds numbers
`from <= value < to`, or special codes, or words; "not known" and "never seen in training" have
their own. A two-way table gives points to the bins of two characteristics together.

A product's card uses the characteristics of the CATALOGUE, whole numbers and words. A card trained
on another table describes its own, and may have decimal cuts, compared as float64.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from functools import cache
from typing import Any, TypeAlias

from loansvc.application import CATALOGUE
from loansvc.reasons import NUMBER_TEXTS, WORD_TEXTS, Reason, quantity, reason_code

SCORE_AT_ODDS, ODDS, POINTS_TO_DOUBLE = 600, 50, 20  # DOMAIN 5, scaling
ORDINARY_ONE_IN = 10  # a bin is ordinary when at least one training case in ten stood in it

Number: TypeAlias = int | float


@dataclass(frozen=True, slots=True)
class Described:
    """What a characteristic is: a number, or one of its words; and what people call it.

    `direction`: +1 risk grows with the value (for words: along their order), -1 it falls, 0 free.
    `own`: described by the card itself, because the CATALOGUE does not know it.
    """

    name: str
    words: tuple[str, ...] = ()
    direction: int = 0
    unit: str = ""
    zh: str = ""
    en: str = ""
    own: bool = False

    @classmethod
    def from_catalogue(cls, name: str) -> Described:
        """As the CATALOGUE describes it."""
        row = CATALOGUE[name]
        return cls(name, row.words, row.direction, row.unit, row.zh, row.en)

    @property
    def code(self) -> str:
        """The code of its reasons: of its own, its name."""
        return self.name if self.own else reason_code(self.name)


@dataclass(frozen=True, slots=True)
class Bin:
    """One line of the card. `start <= value < end` (None: open), `words`, `values` or a state.

    `values`: special codes, which stand outside the order. `state`: "" for a plain bin, "missing"
    for not known, "unseen" for a word never trained on. `n`: training cases in it. `zh`, `en`:
    what is true of every value in it. `reason`: what it costs against the best bin.
    """

    points: int
    start: Number | None = None
    end: Number | None = None
    words: tuple[str, ...] = ()
    values: tuple[Number, ...] = ()
    state: str = ""
    n: int = 0
    zh: str = ""
    en: str = ""
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class ScoredCharacteristic:
    """One scored input: its bins in printed order, and where to find the bin of a value.

    `best`: points of the best bin that is ordinary, against which points are lost.
    """

    described: Described
    bins: tuple[Bin, ...]
    cuts: tuple[Number, ...]
    index: Mapping[Number | str, int]  # of words, and of special codes
    missing: int
    unseen: int
    best: int

    @property
    def name(self) -> str:
        """The name of the characteristic."""
        return self.described.name

    @property
    def code(self) -> str:
        """The code of its reasons."""
        return self.described.code

    def slot_of(self, value: Number | str | None) -> int:
        """The place among `bins` of the bin that holds the value; every value has one."""
        if isinstance(value, str):
            return self.index.get(value, self.unseen)
        if value is None or value != value:  # noqa: PLR0124 -- NaN alone is not itself
            return self.missing
        if value in self.index:
            return self.index[value]
        # bisect_right: a value on a cut belongs to the right, so "12 months" is "12 and more".
        # Of any other table numbers are float64, as its columns are.
        return bisect_right(self.cuts, float(value) if self.described.own else value)

    def bin_of(self, value: Number | str | None) -> Bin:
        """The bin that holds the value.

        >>> years = scored(
        ...     Described.from_catalogue("business_age_months"),
        ...     [Bin(-9, None, 12), Bin(4, 12, None), Bin(0, state="missing")],
        ... )
        >>> [years.bin_of(v).points for v in (0, 11, 12, 240, None)]
        [-9, -9, 4, 4, 0]
        """
        return self.bins[self.slot_of(value)]


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """A two-way table: points for the bins of two characteristics together.

    `rows` and `columns` place a value on their axis; `points[row][column]`, one for every slot.
    """

    rows: ScoredCharacteristic
    columns: ScoredCharacteristic
    points: tuple[tuple[int, ...], ...]

    def points_of(self, values: Mapping[str, Any]) -> int:
        """The points of the cell in which both values stand."""
        row = self.rows.slot_of(values[self.rows.name])
        return self.points[row][self.columns.slot_of(values[self.columns.name])]


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultDefinition:
    """So many days past due within so many months of the first draw.

    Source of 90 days: DOMAIN 5 [B, C]; of 12 months: what every score is a PD of (`pd_ppm`).
    """

    window_months: int = 12
    days_past_due: int = 90


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A card: `score = base_points + the points of one bin per characteristic`, and per table.

    `default`: what it calls bad.
    """

    base_points: int
    characteristics: tuple[ScoredCharacteristic, ...]
    synthetic: bool
    statement: str
    pairs: tuple[ScoredPair, ...] = ()  # none in a product's card: no reason could name a cell
    default: DefaultDefinition = DefaultDefinition()

    def bins_for(self, values: Mapping[str, Any]) -> list[Bin]:
        """The bin each characteristic falls in, in the order of `characteristics`."""
        return [c.bin_of(values[c.name]) for c in self.characteristics]

    def score(self, values: Mapping[str, Any]) -> int:
        """The score of these characteristics, without any village."""
        score = self.base_points + sum(b.points for b in self.bins_for(values))
        return score + sum(p.points_of(values) for p in self.pairs) if self.pairs else score


@cache
def pd_ppm(score: int) -> int:
    """Probability of default in parts per million, half up, from 1 to 999,999.

    `PD = 1 / (1 + 50 * 2 ** ((score - 600) / 20))`, in decimal arithmetic, so that it is the same
    on every machine. Source: 600 points at 50:1, 20 points double the odds (DOMAIN 5).

    >>> [pd_ppm(s) for s in (560, 600, 627, 640)]
    [74074, 19608, 7785, 4975]
    """
    with localcontext() as context:
        context.prec = 40
        doublings = Decimal(score - SCORE_AT_ODDS) / POINTS_TO_DOUBLE
        ppm = int(Decimal(1_000_000) / (1 + ODDS * Decimal(2) ** doublings) + Decimal("0.5"))
    return min(max(ppm, 1), 999_999)


def scored(described: Described, bins: Sequence[Bin]) -> ScoredCharacteristic:
    """A characteristic from its bins in printed order: values ascending, codes, then the states."""
    plain = [b for b in bins if not b.state and not b.values]
    states = {b.state: i for i, b in enumerate(bins) if b.state}
    # What hardly anybody has is no reason for what somebody did not get: where the card says how
    # many stood in each bin, points are lost against the best one that a tenth of them reached.
    n_cases = sum(b.n for b in bins)
    ordinary = [b for b in plain if b.n * ORDINARY_ONE_IN >= n_cases]
    best = max(ordinary or plain, key=lambda b: b.points)
    return ScoredCharacteristic(
        described=described,
        bins=tuple(_told(b, described, best) for b in bins),
        cuts=tuple(b.end for b in plain if b.end is not None),
        index={value: i for i, b in enumerate(bins) for value in (*b.words, *b.values)},
        missing=states["missing"],
        unseen=states.get("unseen", states["missing"]),
        best=best.points,
    )


def _told(bin_: Bin, of: Described, best: Bin) -> Bin:
    """The bin with its texts, written once so that no request has to."""
    zh, en = _text(bin_, of, best)
    lost = bin_.points - best.points
    reason = Reason(of.code, "scorecard", zh, en, points=lost) if lost < 0 else None
    return replace(bin_, zh=zh, en=en, reason=reason)


def _text(bin_: Bin, of: Described, best: Bin) -> tuple[str, str]:
    """What is true of every value in a bin, said against the better side, in zh and en."""
    label = of.en if of.own else of.en[0].upper() + of.en[1:]
    if bin_.state == "missing":
        return f"{of.zh}未知", f"{label} not known"
    if bin_.state == "unseen":
        return f"{of.zh}：模型未见过的取值", f"{label}: not seen in training"
    if bin_.words or bin_.values:
        named = [str(v) for v in (*bin_.words, *bin_.values)]
        texts = [(n, n) if of.own else WORD_TEXTS.get(n, (n, n)) for n in named]
        zh, en = "、".join(zh for zh, _ in texts), " or ".join(en for _, en in texts)
        return f"{of.zh}：{zh}", f"{label}: {en}"
    if bin_.start is None and bin_.end is None:
        return f"{of.zh}：不分档", f"{label}: one bin for all"
    return _own_range(bin_, of, label) if of.own else _catalogued_range(bin_, of, best)


def _own_range(bin_: Bin, of: Described, label: str) -> tuple[str, str]:
    if bin_.start is None:
        return f"{of.zh}低于{bin_.end}", f"{label} below {bin_.end}"
    if bin_.end is None:
        return f"{of.zh}达到{bin_.start}", f"{label} {bin_.start} or more"
    return (
        f"{of.zh}达到{bin_.start}、低于{bin_.end}",
        f"{label} from {bin_.start} to below {bin_.end}",
    )


def _catalogued_range(bin_: Bin, of: Described, best: Bin) -> tuple[str, str]:
    text = NUMBER_TEXTS[of.name]
    if bin_.start is None and bin_.end == 1 and text.none_zh:
        return text.none_zh, text.none_en
    # `quantity` speaks of whole numbers, and a catalogued cut is one.
    if bin_.end is not None and (bin_.start is None or _lies_below(bin_, best)):
        zh, en = quantity(int(bin_.end), of.unit)
        return text.low_zh.format(bound=zh), text.low_en.format(bound=en)
    assert bin_.start is not None, "a bin open on both sides is told as one bin for all"
    zh, en = quantity(int(bin_.start), of.unit)
    return text.high_zh.format(bound=zh), text.high_en.format(bound=en)


def _lies_below(bin_: Bin, best: Bin) -> bool:
    """Whether the best bin lies above, so that "less than" says what is lacking."""
    return best.start is not None and bin_.start is not None and best.start > bin_.start
