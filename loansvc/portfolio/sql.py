"""SQL of a portfolio: card, village register, policy and rates of a day as one SELECT.

Pure: no file, no clock, no database. A few steps that a reviewer can run one by one:

    given     the columns as numbers, words and days, the village's standing beside them
    good      the rows in which nothing is wrong
    scored    points of every bin, score, PD, grade
    judged    what rules, limit, price and tier come to
    told      the reasons, at most four

Row by row the answer of `decide` with `Exposure()`, or with what the table itself says of earlier
loans; the guarantee fund is not asked, because one row's place in it depends on all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlglot import exp

from loansvc.application import TOWNS
from loansvc.card_sql import case_of, ppm_of, whole
from loansvc.decision import Editions
from loansvc.errors import TableRefused
from loansvc.portfolio import judging, telling
from loansvc.portfolio.columns import (
    FIELDS,
    PARTS,
    TYPES,
    WITHOUT,
    Flaw,
    derived,
    flaws_of,
    flaws_of_pairs,
    typed,
)
from loansvc.portfolio.dialect import Dialect, text
from loansvc.portfolio.steps import Steps
from loansvc.scorecard import Scorecard, ScoredCharacteristic
from loansvc.scorecard.slots import reachable
from loansvc.villages import POINTS_CAP, Register

ROW = "loansvc_row"  # the number of a row in its file, from 1
MISSHAPEN = "loansvc_misshapen"
SCORE_COLUMNS = ("score", "pd_12m", "grade")
DECISION_COLUMNS = (
    *SCORE_COLUMNS, "village_rating", "village_points", "eligible", "outcome", "limit_yuan",
    "offered_yuan", "rate_bp", "subsidy_bp", "tier", "bank_percent", "expected_loss_yuan",
    "reason_1", "reason_2", "reason_3", "reason_4", "earlier_loans", "fund", "scorecard",
    "villages", "policy", "rates",
)  # fmt: skip
# Facts that no table states: the village's, the score's, the day's, and the limit's on the way.
NOT_IN_A_TABLE = {
    "village_rating",
    "village_flag",
    "town",
    "grade",
    "matrix_limit_yuan",
    "applied_on",
}


@dataclass(frozen=True, slots=True)
class Query:
    """Two SELECTs over one source: the good rows scored, and what is wrong with the others.

    `missing`: columns that were looked for and are not there, so that they are known of nobody.
    """

    scored: str
    rejected: str
    flaws: tuple[Flaw, ...]
    columns: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a table: its source, how its columns are kept, and what is to come out.

    `source`: a FROM that gives them, and `loansvc_row`. `misshapen`: it also gives a truth of that
    name, MISSHAPEN, for what is no row of the table. `only_score`: score, PD and grade alone.
    """

    source: str
    table: Mapping[str, str]
    keys: Sequence[str]
    on: date
    only_score: bool = False
    misshapen: bool = False


def portfolio_sql(
    asked: Asked, editions: Editions, *, village_codes: Iterable[str], dialect: Dialect
) -> Query:
    """Both SELECTs.

    Raises:
        TableRefused: a column that every row needs is not there or not of its kind, a key has the
            name of an answer, or the editions hold more than a mask can.
    """
    card = editions.scorecard.content
    wanted = _wanted(editions, only_score=asked.only_score)
    reading = _Reading(asked, wanted, dialect)
    names = SCORE_COLUMNS if asked.only_score else DECISION_COLUMNS
    _check_keys(asked, names)
    steps = Steps()
    steps.add("given", _given(asked, reading, editions, village_codes, dialect))
    conditions = " OR ".join(f"({flaw.holds})" for flaw in reading.flaws)
    flawed = f"({conditions}) IS TRUE"
    keys = [f"k{i} AS {dialect.named(name)}" for i, name in enumerate(asked.keys, 1)]
    rejected = (
        f"{steps.text()}\nSELECT {', '.join([ROW, *keys])}, "
        + dialect.each_of([
            _found(flaw, i, misshapen=asked.misshapen) for i, flaw in enumerate(reading.flaws, 1)
        ])
        + f" AS flaw\nFROM given WHERE {flawed}"
    )  # fmt: skip
    steps.add("good", f"SELECT * FROM given WHERE NOT ({flawed})")
    if reading.derived:
        steps.extend("derived", {n: derived(n, asked.on, dialect) for n in reading.derived})
    _score(steps, editions, dialect)
    if not asked.only_score:
        _judge(steps, editions, asked, dialect)
        telling.tell(steps, card, editions.policy.content, dialect)
    answers = _answers(editions, asked, dialect)
    chosen = [*keys, f"{ROW} AS {dialect.named('row')}", *(f"{answers[n]} AS {n}" for n in names)]
    scored = f"{steps.text()}\nSELECT {', '.join(chosen)}\nFROM {steps.last}"
    return Query(
        scored, rejected, tuple(reading.flaws), (*asked.keys, "row", *names), reading.missing
    )


def _found(flaw: Flaw, number: int, *, misshapen: bool) -> str:
    """The number of a flaw where it is one; of what is no row, nothing else is said."""
    beside = f"NOT {MISSHAPEN} AND " if misshapen and flaw.holds != MISSHAPEN else ""
    return f"CASE WHEN {beside}({flaw.holds}) THEN {number} END"


def _wanted(editions: Editions, *, only_score: bool) -> list[str]:
    """The characteristics and other facts that must be read, in the order of FIELDS."""
    facts = {c.name for c in editions.scorecard.content.characteristics} | {"village_code"}
    if not only_score:
        facts |= judging.facts_of(editions.policy.content)
        facts |= {"loan_start"} if "guarantee_start" in facts else set()
    facts -= NOT_IN_A_TABLE
    return [name for name in FIELDS if name in facts]


def _check_keys(asked: Asked, names: Sequence[str]) -> None:
    for key in asked.keys:
        if key not in asked.table:
            raise TableRefused(f"Column {key!r} is not in the table. Name another --key.")
        if key.casefold() in {*names, "row"}:
            raise TableRefused(f"Key {key!r} has the name of an answer. Rename the column.")


class _Reading:
    """Which columns are read, which are derived, which are missing, and what can be wrong."""

    def __init__(self, asked: Asked, wanted: Sequence[str], dialect: Dialect) -> None:
        self.table, self.dialect, self.on = asked.table, dialect, asked.on
        self.read: list[str] = []
        self.derived: list[str] = []
        missing: list[str] = []
        for name in wanted:
            if name in self.table:
                self._take(name)
            elif name in PARTS and set(PARTS[name]) - {"loan_start"} <= set(self.table):
                self.derived.append(name)
                for part in PARTS[name]:
                    self._take(part)
            else:
                missing.append(name)
        self.missing = tuple(m for m in missing if m not in self.read)
        self._check_missing()
        self.flaws = list(self._flaws(asked.misshapen))

    def _take(self, name: str) -> None:
        if name not in self.read:
            self.read.append(name)

    def _check_missing(self) -> None:
        needed = [n for n in self.missing if FIELDS[n].required and n not in WITHOUT]
        if needed:
            raise TableRefused(
                f"The table has no column {', '.join(needed)}, which every application states. "
                "Add it; docs/portfolio.md lists the columns."
            )

    def _flaws(self, misshapen: bool) -> Iterable[Flaw]:
        if misshapen:
            yield Flaw(
                "",
                "misshapen",
                "Is no row: a CSV line of more or fewer fields than the first, or no JSON object.",
                MISSHAPEN,
            )
        for name in self.read:
            if name in self.table:
                yield from flaws_of(FIELDS[name], self.table[name], self.on, self.dialect)
        known = "Must be the 12-digit code of a village in the register."
        yield Flaw("village_code", "village_unknown", known,
                   "village_code IS NOT NULL AND village_rating IS NULL")  # fmt: skip
        yield from flaws_of_pairs(frozenset(self.read))

    def selected(self) -> list[str]:
        """Every column that is read, typed; and as it stood where that is not the same."""
        found = []
        for name in self.read:
            field = FIELDS[name]
            kept_as = self.table.get(name)
            if kept_as is None:
                found.append(f"CAST(NULL AS {TYPES[field.kind]}) AS {name}")
                continue
            found.append(f"{typed(field, kept_as, self.dialect)} AS {name}")
            if kept_as in ("text", "real") and field.kind in ("whole", "day"):
                found.append(f"{name} AS raw_{name}")
        for name in self.missing:
            kind = TYPES[FIELDS[name].kind]
            found.append(f"CAST({WITHOUT.get(name, 'NULL')} AS {kind}) AS {name}")
        return found


# --- the steps ------------------------------------------------------------------------------------


def _given(
    asked: Asked, reading: _Reading, editions: Editions, village_codes: Iterable[str],
    dialect: Dialect,
) -> str:  # fmt: skip
    columns = [ROW, *(f"{dialect.named(k)} AS k{i}" for i, k in enumerate(asked.keys, 1))]
    columns += reading.selected()
    if asked.misshapen:
        columns.append(MISSHAPEN)
    villages = _villages(editions.villages.content, asked.on, village_codes)
    return (
        f"SELECT t.*, v.village_rating, v.village_points, v.village_flag, v.town,"
        f" DATE '{asked.on}' AS applied_on\nFROM (SELECT {', '.join(columns)}\n"
        f"FROM {asked.source}) AS t\nLEFT JOIN (VALUES\n{villages}\n"
        ") AS v(code, village_rating, village_points, village_flag, town)\n"
        "ON t.village_code = v.code"
    )


def _villages(register: Register, on: date, village_codes: Iterable[str]) -> str:
    """How every village of the code table stands on that day, a line each."""
    lines = []
    for code in sorted({*village_codes, *register.villages}):
        standing = register.standing(code, on)
        flag = "yes" if standing.flagged else "no"
        town = text(TOWNS[code[:9]]) if code[:9] in TOWNS else "NULL"
        lines.append(
            f"({text(code)}, '{standing.rating}', CAST({standing.points} AS INT), '{flag}', {town})"
        )
    return ",\n".join(lines)


def _points(of: ScoredCharacteristic, dialect: Dialect) -> str:
    case = case_of(
        of, exp.column(of.name), dialect.name, lambda slot: whole(of.bins[slot].points),
        in_whole=True,
    )  # fmt: skip
    return f"CAST({case.sql(dialect.name)} AS INT)"


def _score(steps: Steps, editions: Editions, dialect: Dialect) -> None:
    card: Scorecard = editions.scorecard.content
    if card.pairs:
        raise TableRefused(
            "The card has two-way tables, which no product's card has. Export it with "
            "loansvc card export CARD --to sql."
        )
    points = {f"p{i}": _points(of, dialect) for i, of in enumerate(card.characteristics, 1)}
    steps.extend("pointed", points)
    total = " + ".join([str(card.base_points), *points, "village_points"])
    steps.extend("scored", {"score": total})
    low, high = reachable(card)
    ppm = ppm_of(exp.column("score"), low - POINTS_CAP, high + POINTS_CAP, dialect.name)
    graded = {"pd_ppm": ppm.sql(dialect.name), "grade": judging.grade(editions.policy.content)}
    steps.extend("graded", graded)


def _judge(steps: Steps, editions: Editions, asked: Asked, dialect: Dialect) -> None:
    policy = editions.policy.content
    matrix = dialect.divide(
        f"{judging.base_yuan(policy)} * {judging.factor_percent(policy)}", "100"
    )
    days = judging.days_of(policy)
    if days:
        steps.extend("dated", days)
    steps.extend("matrix", {
        "factor_percent": judging.factor_percent(policy),
        "matrix_limit_yuan": f"CAST({matrix} AS BIGINT)",
    })  # fmt: skip
    bounds = {
        f"bound_{i}": judging.bound_yuan(cap, dialect) for i, cap in enumerate(policy.caps, 1)
    }
    rate, subsidy = judging.price(policy, editions.rates.content.on(asked.on))
    steps.extend("asked", bounds | {
        "declining": judging.asking(policy, "decline"),
        "referring": judging.asking(policy, "refer"),
        "by_score": judging.score_outcome(policy),
        "unasked": judging.unasked(policy),
        "eligible": f"({judging.not_eligible(policy)}) IS NOT TRUE",
        "tier_row": judging.tier(policy),
        "rate_bp": rate,
        "subsidy_bp": subsidy,
    })  # fmt: skip
    least = f"LEAST({', '.join(['matrix_limit_yuan', *bounds])})" if bounds else "matrix_limit_yuan"
    steps.extend("capped", {"capped_yuan": least})
    rounded = f"capped_yuan - capped_yuan % {policy.round_down_to_yuan}"
    enough = f"capped_yuan - capped_yuan % {policy.round_down_to_yuan} >= {policy.minimum_yuan}"
    steps.extend("limited", {"limit_yuan": f"CASE WHEN {enough} THEN {rounded} ELSE 0 END"})
    no_tier = [str(i) for i, row in enumerate(policy.tier_rows, 1) if row.tier == "GX"]
    without = f"tier_row IN ({', '.join(no_tier)})" if no_tier else "FALSE"
    steps.extend("bounded", {
        "above_limit": "amount_yuan > limit_yuan",
        "below_minimum": f"amount_yuan < {policy.minimum_yuan}",
        "without_tier": without,
    })  # fmt: skip
    steps.extend("judged", {
        "judged": "CASE WHEN declining <> 0 OR by_score = 2 THEN 2"
        " WHEN referring <> 0 OR by_score = 1 OR above_limit OR below_minimum OR without_tier"
        " OR unasked THEN 1 ELSE 0 END",
        "automated": "automated_decision = 'yes'",
    })  # fmt: skip


def _answers(editions: Editions, asked: Asked, dialect: Dialect) -> dict[str, str]:
    """What stands in each column of the answer."""
    answers = {"score": "score", "pd_12m": "pd_ppm / 1e6", "grade": "grade"}
    if asked.only_score:
        return answers
    policy = editions.policy.content
    offered = "judged <> 2 AND limit_yuan > 0"
    loss = dialect.divide(
        f"(LEAST(amount_yuan, limit_yuan) * CAST(pd_ppm AS BIGINT) * {policy.lgd_percent}"
        " + 50000000)", "100000000",
    )  # fmt: skip
    tiers = [text(row.tier) for row in policy.tier_rows]
    bank = [str(row.shares_percent["bank"]) for row in policy.tier_rows]

    def where_offered(said: str) -> str:
        return f"CASE WHEN {offered} THEN {said} END"

    stated = {"policy_loans", "policy_loan_overdue", "outstanding_yuan"} & set(asked.table)
    digests = {name: edition["digest"] for name, edition in editions.references().items()}
    return answers | {
        "village_rating": "village_rating",
        "village_points": "village_points",
        "eligible": "eligible",
        "outcome": "CASE WHEN NOT automated OR judged = 1 THEN 'refer'"
        " WHEN judged = 0 THEN 'approve' ELSE 'decline' END",
        "limit_yuan": where_offered("limit_yuan"),
        "offered_yuan": where_offered("LEAST(amount_yuan, limit_yuan)"),
        "rate_bp": where_offered("rate_bp"),
        "subsidy_bp": where_offered("subsidy_bp"),
        "tier": where_offered(dialect.pick_word(tiers, "tier_row")),
        "bank_percent": where_offered(dialect.pick(bank, "tier_row")),
        "expected_loss_yuan": where_offered(loss),
        **{f"reason_{n}": f"reason_{n}" for n in range(1, 5)},
        "earlier_loans": dialect.constant("'as stated'" if stated else "'not checked'"),
        "fund": dialect.constant("'not checked'"),
        **{name: dialect.constant(text(digest)) for name, digest in digests.items()},
    }
