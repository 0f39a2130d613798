"""Scorecard: from characteristics to whole points, score and PD. Reads no file and no clock.

Scales:
    points     whole number; 600 points = 50:1 odds good to bad, 20 more points double the odds
    pd_ppm     probability of default within 12 months of the first draw, in parts per million

The card is what is printed, reviewed and scored: points per bin, nothing else. A bin holds whole
numbers `from <= value < to`, or words; "not known" and "never seen in training" have their own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from functools import cache
from itertools import pairwise
from typing import Any

from loansvc.application import CATALOGUE, CatalogueRow
from loansvc.editions import Reader
from loansvc.reasons import NUMBER_TEXTS, WORD_TEXTS, Reason, quantity, reason_code

SCORE_AT_ODDS, ODDS, POINTS_TO_DOUBLE = 600, 50, 20  # DOMAIN 5, scaling
MOST_POINTS = 300  # 10 in log-odds at 28.85 points each: more is a broken card
MOST_BINS = 50
ORDINARY_ONE_IN = 10  # a bin is ordinary when at least one training case in ten stood in it
LOWEST, HIGHEST = -(10**12), 10**12


@dataclass(frozen=True, slots=True)
class Bin:
    """One line of the card. `start <= value < end` (None: open), or `words`, or a state.

    `state`: "" for a plain bin, "missing" for not known, "unseen" for a word never trained on.
    `n`: training cases in it. `zh`, `en`: what is true of every value in it. `reason`: what it
    costs against the best bin.
    """

    points: int
    start: int | None = None
    end: int | None = None
    words: tuple[str, ...] = ()
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

    name: str
    code: str
    bins: tuple[Bin, ...]
    cuts: tuple[int, ...]
    index_of_word: Mapping[str, int]
    missing: int
    unseen: int
    best: int

    def bin_of(self, value: int | str | None) -> Bin:
        """The bin that holds the value; every value has one.

        >>> years = scored(
        ...     "business_age_months",
        ...     [Bin(-9, None, 12), Bin(4, 12, None), Bin(0, state="missing")],
        ... )
        >>> [years.bin_of(v).points for v in (0, 11, 12, 240, None)]
        [-9, -9, 4, 4, 0]
        """
        if value is None:
            return self.bins[self.missing]
        if isinstance(value, str):
            return self.bins[self.index_of_word.get(value, self.unseen)]
        # bisect_right: a value on a cut belongs to the right, so "12 months" is "12 and more".
        return self.bins[bisect_right(self.cuts, value)]


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A card: `score = base_points + the points of one bin per characteristic`."""

    base_points: int
    characteristics: tuple[ScoredCharacteristic, ...]
    synthetic: bool
    statement: str

    def bins_for(self, values: Mapping[str, Any]) -> list[Bin]:
        """The bin each characteristic falls in, in the order of `characteristics`."""
        return [c.bin_of(values[c.name]) for c in self.characteristics]

    def score(self, values: Mapping[str, Any]) -> int:
        """The score of these characteristics, without any village."""
        return self.base_points + sum(b.points for b in self.bins_for(values))


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


def scored(name: str, bins: Sequence[Bin]) -> ScoredCharacteristic:
    """A characteristic from its bins in printed order: values ascending, then the states."""
    plain = [b for b in bins if not b.state]
    states = {b.state: i for i, b in enumerate(bins) if b.state}
    # What hardly anybody has is no reason for what somebody did not get: where the card says how
    # many stood in each bin, points are lost against the best one that a tenth of them reached.
    n_cases = sum(b.n for b in bins)
    ordinary = [b for b in plain if b.n * ORDINARY_ONE_IN >= n_cases]
    best = max(ordinary or plain, key=lambda b: b.points)
    return ScoredCharacteristic(
        name=name,
        code=reason_code(name),
        bins=tuple(_told(b, CATALOGUE[name], best) for b in bins),
        cuts=tuple(b.end for b in plain if b.end is not None),
        index_of_word={w: i for i, b in enumerate(bins) for w in b.words},
        missing=states["missing"],
        unseen=states.get("unseen", states["missing"]),
        best=best.points,
    )


def _told(bin_: Bin, row: CatalogueRow, best: Bin) -> Bin:
    """The bin with its texts, written once so that no request has to."""
    zh, en = _text(bin_, row, best)
    lost = bin_.points - best.points
    reason = Reason(reason_code(row.name), "scorecard", zh, en, points=lost) if lost < 0 else None
    return replace(bin_, zh=zh, en=en, reason=reason)


def _text(bin_: Bin, row: CatalogueRow, best: Bin) -> tuple[str, str]:
    """What is true of every value in a bin, said against the better side, in zh and en."""
    label = row.en[0].upper() + row.en[1:]
    if bin_.state == "missing":
        return f"{row.zh}未知", f"{label} not known"
    if bin_.state == "unseen":
        return f"{row.zh}：模型未见过的取值", f"{label}: not seen in training"
    if bin_.words:
        texts = [WORD_TEXTS.get(word, (word, word)) for word in bin_.words]
        zh, en = "、".join(zh for zh, _ in texts), " or ".join(en for _, en in texts)
        return f"{row.zh}：{zh}", f"{label}: {en}"
    text = NUMBER_TEXTS[row.name]
    if bin_.start is None and bin_.end == 1 and text.none_zh:
        return text.none_zh, text.none_en
    if bin_.end is not None and (bin_.start is None or _lies_below(bin_, best)):
        zh, en = quantity(bin_.end, row.unit)
        return text.low_zh.format(bound=zh), text.low_en.format(bound=en)
    if bin_.start is None:
        return f"{row.zh}：不分档", f"{label}: one bin for all"
    zh, en = quantity(bin_.start, row.unit)
    return text.high_zh.format(bound=zh), text.high_en.format(bound=en)


def _lies_below(bin_: Bin, best: Bin) -> bool:
    """Whether the best bin lies above, so that "less than" says what is lacking."""
    return best.start is not None and bin_.start is not None and best.start > bin_.start


def read_scorecard(reader: Reader) -> Scorecard:
    """The card in a document, its bins complete, in range, and monotone where a direction is known.

    Raises:
        EditionRefused: naming the characteristic and the bin.
    """
    table = reader.table("characteristics")
    names = table.keys()
    if not names:
        reader.refuse("characteristics", "names none; a card scores at least one")
    card = Scorecard(
        base_points=reader.integer("base_points", low=0, high=2000),
        characteristics=tuple(_read_characteristic(table, name) for name in sorted(names)),
        synthetic=reader.truth("synthetic", default=False),
        statement=reader.text("statement"),
    )
    if "training" in reader:
        reader.value("training")  # the manifest of how it was made: read by people, not by scoring
    _check_golden(card, reader)
    return card


def _read_characteristic(table: Reader, name: str) -> ScoredCharacteristic:
    row = CATALOGUE.get(name)
    if row is None or row.use not in ("model", "both"):
        table.refuse(name, "is not a characteristic that a scorecard may use; see the CATALOGUE")
    with table.table(name) as characteristic:
        bins = [_read_bin(r) for r in characteristic.tables("bins", at_least=2)]
        if len(bins) > MOST_BINS:
            characteristic.refuse("bins", f"has more than {MOST_BINS} bins")
        states = [b.state for b in bins if b.state]
        wanted = ["missing", "unseen"] if row.words else ["missing"]
        if states != wanted or any(b.state for b in bins[: -len(wanted)]):
            characteristic.refuse("bins", f"must end with the bins {' and '.join(wanted)}")
        plain = bins[: -len(wanted)]
        if row.words:
            _check_words(plain, row, characteristic)
        else:
            _check_line(plain, row, characteristic)
        return scored(name, bins)


def _read_bin(reader: Reader) -> Bin:
    with reader:
        if "state" in reader and any(key in reader for key in ("from", "to", "words")):
            reader.refuse("state", "stands alone: such a bin has no from, to or words")
        n = reader.integer("n", low=0, high=HIGHEST, default=0)
        reader.integer("n_bad", low=0, high=n, default=0)  # for the reviewer
        return Bin(
            points=reader.integer("points", low=-MOST_POINTS, high=MOST_POINTS),
            start=reader.integer("from", low=LOWEST, high=HIGHEST) if "from" in reader else None,
            end=reader.integer("to", low=LOWEST, high=HIGHEST) if "to" in reader else None,
            words=tuple(map(str, reader.value("words"))) if "words" in reader else (),
            state=reader.word("state", ("missing", "unseen")) if "state" in reader else "",
            n=n,
        )


def _check_line(bins: list[Bin], row: CatalogueRow, reader: Reader) -> None:
    """The bins cover all whole numbers, without gap or overlap, in the declared direction."""
    if not bins or bins[0].start is not None or bins[-1].end is not None:
        reader.refuse("bins", "must be open below in the first bin and above in the last")
    for left, right in pairwise(bins):
        if left.end is None or left.end != right.start:
            reader.refuse("bins", f"has a gap or an overlap between {left.end} and {right.start}")
        if left.start is not None and left.start >= left.end:
            reader.refuse("bins", f"has a bin from {left.start} to {left.end}")
    if any(b.words for b in bins):
        reader.refuse("bins", "has words, but the characteristic is a number")
    _check_direction([b.points for b in bins], row, reader)


def _check_words(bins: list[Bin], row: CatalogueRow, reader: Reader) -> None:
    """Every word of the catalogue stands in one bin, and grades keep their order."""
    listed = [w for b in bins for w in b.words]
    if sorted(listed) != sorted(row.words):
        reader.refuse("bins", f"must list each of {', '.join(row.words)} in exactly one bin")
    if any(b.start is not None or b.end is not None for b in bins):
        reader.refuse("bins", "has numbers, but the characteristic is a word")
    points = {w: b.points for b in bins for w in b.words}
    _check_direction([points[w] for w in row.words], row, reader)


def _check_direction(points: list[int], row: CatalogueRow, reader: Reader) -> None:
    steps = [row.direction * (b - a) for a, b in pairwise(points)]
    if any(step > 0 for step in steps):
        word = "fall" if row.direction > 0 else "rise"
        reader.refuse("bins", f"must not turn: points of {row.name} may only {word}")


def _check_golden(card: Scorecard, reader: Reader) -> None:
    """The cases recorded when the card was made still score the same."""
    names = [c.name for c in card.characteristics]
    for case in reader.tables("golden"):
        with case:
            values = case.value("values")
            if not isinstance(values, list) or len(values) != len(names):
                case.refuse("values", f"must list the {len(names)} characteristics in order")
            expected = case.integer("score", low=-10_000, high=10_000)
            score = card.score(dict(zip(names, values, strict=True)))
            if score != expected:
                case.refuse("score", f"is {expected}, but the card gives {score}")
