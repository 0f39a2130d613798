"""Standards: from a village's evidence to its rating, by a dated document. Reads no file.

    measure    a figure of the evidence, or the share of one in another, in per mille
    enough     what must be known before a village is rated; less is unrated: unknown, not bad
    criterion  the threshold of one measure for each rating

Whole numbers throughout: a share is compared as `part x 1000 >= threshold x whole`, never divided.
Marks of conduct (乡风文明) are no evidence: neither a standard nor a file may name them (DOMAIN 0).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from loansvc.application import GRADES
from loansvc.editions import Head, Reader
from loansvc.policy.rules import Clause, read_clause
from loansvc.villages import EVIDENCE, GRACE_MONTHS, UNRATED, VALID_MONTHS

ENOUGH = "enough"  # stands where a line is not about one rating but about being rated at all
MOST = 10**12  # as in the register
# Parts of names of conduct marks. The law and the county's own lists: DOMAIN 0.
CONDUCT_WORDS = (
    "乡风", "文明", "评议", "道德", "一票否决", "信访", "上访", "缠访",
    "conduct", "moral", "civility", "veto", "petition",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measure:
    """What is asked of the evidence. `whole` empty: a count; else a share in per mille."""

    part: str
    whole: str
    more_is_better: bool
    zh: str
    en: str


MEASURES: Mapping[str, Measure] = {
    "households_rated": Measure("households_rated", "", True, "已采集户数", "households collected"),
    "borrowers": Measure("borrowers", "", True, "贷款户数", "borrowers"),
    "collected_per_mille": Measure(
        "households_rated", "households_total", True, "采集户占比", "households collected"
    ),
    "a_plus_per_mille": Measure(
        "households_a_plus", "households_rated", True, "A 级以上户占比", "households A or better"
    ),
    "overdue_per_mille": Measure(
        "borrowers_overdue", "borrowers", False, "逾期户占比", "borrowers overdue"
    ),
    "npl_per_mille": Measure(
        "npl_balance_yuan", "balance_yuan", False, "不良余额占比", "bad balance"
    ),
}
# A part can never be more than its whole.
PARTS = tuple((m.part, m.whole) for m in MEASURES.values() if m.whole)


@dataclass(frozen=True, slots=True)
class Criterion:
    """One question to the evidence: its threshold for each rating, or for being rated at all."""

    measure: str
    thresholds: Mapping[str, int]
    clause: Clause


@dataclass(frozen=True, slots=True)
class Standard:
    """How villages are rated. `ratings` best first; the last is what is left."""

    title_zh: str
    title_en: str
    statement: str
    review_by: date
    enough: tuple[Criterion, ...]
    criteria: tuple[Criterion, ...]
    ratings: tuple[str, ...]
    valid_months: int
    grace_months: int
    clauses: tuple[tuple[str, Clause], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One criterion read: `rating` it was asked for, value, threshold, met / not_met / unknown."""

    rating: str
    measure: str
    value: int | None
    whole: int | None  # None for a count, or where it is not known
    threshold: int
    result: str
    clause: Clause


@dataclass(frozen=True, slots=True)
class Rating:
    """The rating, every line behind it, and those that kept the village from the next better."""

    rating: str
    lines: tuple[Line, ...]
    bound: tuple[Line, ...]


def rate(evidence: Mapping[str, int | None], standard: Standard) -> Rating:
    """The best rating whose criteria are all met; unrated where too little is known.

    >>> clause = Clause("example", "A", False)
    >>> enough = Criterion("borrowers", {ENOUGH: 20}, clause)
    >>> overdue = Criterion("overdue_per_mille", {"A": 100}, clause)
    >>> standard = Standard(
    ...     "", "", "", date(2027, 6, 30), (enough,), (overdue,), ("A", "B"), 24, 3, ()
    ... )
    >>> [rate({"borrowers": 50, "borrowers_overdue": n}, standard).rating for n in (5, 6, None)]
    ['A', 'B', 'unrated']
    """
    lines = tuple(_lines(evidence, standard))
    lacking = [
        line for line in lines
        if line.result == "unknown" or (line.rating == ENOUGH and line.result == "not_met")
    ]  # fmt: skip
    if lacking:
        by_measure = {line.measure: line for line in reversed(lacking)}  # the first of each
        return Rating(UNRATED, lines, bound=tuple(reversed(by_measure.values())))
    missed: tuple[Line, ...] = ()
    for rating in standard.ratings:
        not_met = tuple(x for x in lines if x.rating == rating and x.result == "not_met")
        if not not_met:
            return Rating(rating, lines, bound=missed)
        missed = not_met
    raise AssertionError("the last rating has no criteria")


def _lines(evidence: Mapping[str, int | None], standard: Standard) -> Iterable[Line]:
    for criterion in (*standard.enough, *standard.criteria):
        for rating, threshold in criterion.thresholds.items():
            yield _line(evidence, criterion, rating, threshold)


def _line(
    evidence: Mapping[str, int | None], criterion: Criterion, rating: str, threshold: int
) -> Line:
    measure = MEASURES[criterion.measure]
    value = evidence.get(measure.part)
    whole = evidence.get(measure.whole) if measure.whole else None
    result = _result(measure, value, whole, threshold)
    return Line(rating, criterion.measure, value, whole, threshold, result, criterion.clause)


def _result(measure: Measure, value: int | None, whole: int | None, threshold: int) -> str:
    """A share of nothing is not known: no loans are no sign of good ones."""
    if value is None or (measure.whole and not whole):
        return "unknown"
    left, right = (value * 1000, threshold * whole) if whole else (value, threshold)
    return "met" if (left >= right if measure.more_is_better else left <= right) else "not_met"


def contradictions(evidence: Mapping[str, int | None]) -> list[tuple[str, str]]:
    """The parts that are more than their whole.

    >>> contradictions({"borrowers": 3, "borrowers_overdue": 4})
    [('borrowers_overdue', 'borrowers')]
    """
    found = []
    for part, whole in PARTS:
        a, b = evidence.get(part), evidence.get(whole)
        if a is not None and b is not None and a > b:
            found.append((part, whole))
    return found


def is_conduct(name: str) -> bool:
    """Whether a name is that of a conduct mark, which must never rate a village.

    >>> is_conduct("乡风文明得分"), is_conduct("Veto_Items"), is_conduct("borrowers")
    (True, True, False)
    """
    return any(word in name.lower() for word in CONDUCT_WORDS)


# --- reading ------------------------------------------------------------------------------------


def read_standard(reader: Reader, head: Head) -> Standard:
    """The standard in a document.

    Raises:
        EditionRefused: naming the clause and what is wrong with it.
    """
    if head.review_by is None:
        reader.refuse("review_by", "is missing; a standard says when it is to be looked at again")
    title, otherwise, validity = (reader.table(k) for k in ("title", "otherwise", "validity"))
    with title, otherwise, validity:
        left = otherwise.word("rating", GRADES[1:])
        ratings = GRADES[: GRADES.index(left) + 1]
        enough = [_read_enough(t) for t in reader.tables("enough", at_least=1)]
        criteria = [_read_criterion(t, ratings) for t in reader.tables("criterion", at_least=1)]
        clauses = [
            *((f"enough {c.measure}", c.clause) for c in enough),
            *((c.measure, c.clause) for c in criteria),
            ("otherwise", read_clause(otherwise)),
            ("validity", read_clause(validity)),
        ]
        standard = Standard(
            title_zh=title.text("zh"),
            title_en=title.text("en"),
            statement=reader.text("statement"),
            review_by=head.review_by,
            enough=tuple(enough),
            criteria=tuple(criteria),
            ratings=ratings,
            valid_months=_as_in_force(validity, "months", VALID_MONTHS),
            grace_months=_as_in_force(validity, "grace_months", GRACE_MONTHS),
            clauses=tuple(clauses),
        )
    _check_whole(standard, reader)
    return standard


def _as_in_force(reader: Reader, key: str, months: int) -> int:
    """How long a rating holds is code (`villages.rating_on`): a standard may only say the same."""
    if reader.integer(key, low=0, high=1200) != months:
        reader.refuse(key, f"must be {months}: this version of loansvc lets ratings hold so long")
    return months


def _read_enough(reader: Reader) -> Criterion:
    with reader:
        name = _read_measure(reader)
        if not MEASURES[name].more_is_better:
            reader.refuse("measure", "must be a measure of how much is known, not of how bad it is")
        threshold = reader.integer("at_least", low=1, high=_highest(name))
        return Criterion(name, {ENOUGH: threshold}, read_clause(reader))


def _read_criterion(reader: Reader, ratings: tuple[str, ...]) -> Criterion:
    """Thresholds for every rating but the last, none looser than that of a worse rating."""
    with reader:
        name = _read_measure(reader)
        more = MEASURES[name].more_is_better
        key = "at_least" if more else "at_most"
        with reader.table(key) as table:
            thresholds = {r: table.integer(r, low=0, high=_highest(name)) for r in ratings[:-1]}
        for (better, a), (worse, b) in pairwise(thresholds.items()):
            if (a < b) if more else (a > b):
                reader.refuse(f"{key}.{better}", f"must not be looser than that of {worse}")
        return Criterion(name, thresholds, read_clause(reader))


def _read_measure(reader: Reader) -> str:
    name = reader.text("measure")
    if is_conduct(name):
        reader.refuse(
            "measure", "is a mark of conduct (乡风文明) and never rates a village; remove it"
        )
    return reader.word("measure", tuple(MEASURES))


def _highest(measure: str) -> int:
    return 1000 if MEASURES[measure].whole else MOST


def _check_whole(standard: Standard, reader: Reader) -> None:
    """No measure asked twice, and none of the evidence left unasked."""
    for key, criteria in (("enough", standard.enough), ("criterion", standard.criteria)):
        names = [c.measure for c in criteria]
        if len(set(names)) != len(names):
            reader.refuse(key, "asks for a measure twice")
    asked = {MEASURES[c.measure] for c in (*standard.enough, *standard.criteria)}
    used = {name for m in asked for name in (m.part, m.whole)}
    if unused := [name for name in EVIDENCE if name not in used]:
        reader.refuse("criterion", f"asks nothing of {', '.join(unused)}; all evidence must count")
