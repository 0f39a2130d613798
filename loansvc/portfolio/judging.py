"""Judging: a policy as SQL, clause by clause, as `policy.judge` applies it with no fund stated.

Every fact is a column of its own name. Which rules ask for what stands in two masks, a bit for each
rule in the order of the file, from which `telling` names the reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date

from loansvc.application import CATALOGUE
from loansvc.errors import TableRefused
from loansvc.policy import GRAVE, SCORE_GRADES, Cap, Policy, PriceRow, Rule, Test
from loansvc.policy.rules import UNKNOWN
from loansvc.policy.terms import Row, RowType
from loansvc.portfolio.dialect import Dialect, text
from loansvc.rates import ONE_YEAR_UP_TO_MONTHS, Quote

MOST_RULES = 62  # bits of a BIGINT that are no sign
APPROVE, REFER, DECLINE = 0, 1, 2

# Days that a case can leave open stand under a name of their own once they are filled in.
DAYS = {"loan_start": "loan_day", "guarantee_start": "guarantee_day"}


def facts_of(policy: Policy) -> set[str]:
    """Every fact that some clause asks for, and those that every case needs."""
    tests = [rule.requires for rule in policy.rules]
    rows: list[Sequence[Row]] = [
        policy.rules, policy.limit_rows, policy.caps, policy.price_rows, policy.subsidies,
        policy.tier_rows,
    ]  # fmt: skip
    tests += [test for of_kind in rows for row in of_kind for test in row.when]
    asked = {test.fact for test in tests} | set(GRAVE)
    for cap in policy.caps:
        asked |= {fact for fact in (cap.percent_of, cap.less) if fact}
    return asked | {"amount_yuan", "term_months", "purpose", "repayment", "automated_decision"}


def holds(test: Test) -> str:
    """The test as a condition: true, false, or NULL where it cannot be made.

    >>> holds(Test("age_years", at_least=18, at_most=65))
    '(age_years >= 18 AND age_years <= 65)'
    >>> holds(Test("household_grade", frozenset({"AA", "unknown"})))
    "(household_grade IS NULL OR household_grade IN ('AA'))"
    """
    fact = DAYS.get(test.fact, test.fact)
    if test.words is None:
        bounds = ((">=", test.at_least), ("<=", test.at_most))
        said = [f"{fact} {sign} {_bound(end)}" for sign, end in bounds if end is not None]
        return f"({' AND '.join(said)})"
    words = sorted(test.words - {UNKNOWN})
    if fact in CATALOGUE and CATALOGUE[fact].unit == "words":
        known = " OR ".join(f"{fact} LIKE '%,{w},%'" for w in words)
    else:
        known = f"{fact} IN ({', '.join(map(text, words))})" if words else ""
    if UNKNOWN not in test.words:
        return f"({known})"
    return f"({fact} IS NULL OR {known})" if known else f"({fact} IS NULL)"


def _bound(end: int | date) -> str:
    return str(end) if isinstance(end, int) else f"DATE '{end}'"


def all_hold(tests: Iterable[Test]) -> str:
    """Every test; none at all is true."""
    return " AND ".join(map(holds, tests)) or "TRUE"


def first_match(rows: Sequence[RowType], of: Callable[[RowType], str]) -> str:
    """What the first row that fits says; a published policy ends with a row for everyone."""
    said: list[tuple[str, str]] = []
    for row in rows:
        said.append((all_hold(row.when), of(row)))
        if not row.when:
            break
    if len({what for _, what in said}) == 1:
        return said[0][1]
    whens = " ".join(f"WHEN {when} THEN {what}" for when, what in said if when != "TRUE")
    return f"CASE {whens} ELSE {said[-1][1] if said[-1][0] == 'TRUE' else 'NULL'} END"


def days_of(policy: Policy) -> dict[str, str]:
    """The days that clauses are keyed to; one that is not stated is the one before it."""
    stated = {
        "loan_start": "COALESCE(loan_start, applied_on)",
        "guarantee_start": "COALESCE(guarantee_start, loan_start, applied_on)",
    }
    facts = facts_of(policy)
    return {DAYS[fact]: said for fact, said in stated.items() if fact in facts}


# --- rules ---------------------------------------------------------------------------------------


def asking(policy: Policy, outcome: str) -> str:
    """A mask of the rules that ask for this outcome: the first rule is 1, the next 2, then 4.

    Raises:
        TableRefused: there are more rules than bits.
    """
    if len(policy.rules) > MOST_RULES:
        raise TableRefused(
            f"The policy has {len(policy.rules)} rules, and a portfolio run can tell apart "
            f"{MOST_RULES}. Decide its applications one by one, or join rules."
        )
    bits = []
    for i, rule in enumerate(policy.rules):
        when = _asks(rule, outcome)
        if when:
            bits.append(f"CASE WHEN {when} THEN {2**i} ELSE 0 END")
    return f"CAST({' + '.join(bits)} AS BIGINT)" if bits else "CAST(0 AS BIGINT)"


def _asks(rule: Rule, outcome: str) -> str:
    """When a rule asks for that outcome; empty where it never does."""
    requires = holds(rule.requires)
    if outcome == rule.otherwise == rule.if_unknown:
        asks = f"{requires} IS NOT TRUE"
    elif outcome == rule.otherwise:
        asks = f"NOT {requires}"
    elif outcome == rule.if_unknown:
        asks = f"{requires} IS NULL"
    else:
        return ""
    return f"{all_hold(rule.when)} AND {asks}" if rule.when else asks


def not_eligible(policy: Policy) -> str:
    """Whether a rule of eligibility is not met."""
    rules = [rule for rule in policy.rules if rule.stage == "eligibility"]
    said = [" AND ".join([*map(holds, r.when), f"NOT {holds(r.requires)}"]) for r in rules]
    return " OR ".join(f"({one})" for one in said) or "FALSE"


def unasked(policy: Policy) -> str:
    """Whether something grave is stated that no rule of the policy asks for."""
    asked = {rule.requires.fact for rule in policy.rules}
    said = [
        f"{fact} <> {text(harmless) if isinstance(harmless, str) else harmless}"
        for fact, harmless in GRAVE.items()
        if fact not in asked
    ]
    return f"COALESCE({' OR '.join(said)}, FALSE)" if len(said) == 1 else (
        f"({' OR '.join(f'COALESCE({one}, FALSE)' for one in said)})" if said else "FALSE"
    )  # fmt: skip


# --- score, limit, price, tier --------------------------------------------------------------------


def grade(policy: Policy) -> str:
    """R1 to R7 of the score."""
    *floors, (last, _) = policy.grade_floors
    whens = " ".join(f"WHEN score >= {floor} THEN '{g}'" for g, floor in floors)
    return f"CASE {whens} ELSE '{last}' END"


def score_outcome(policy: Policy) -> str:
    """0 approve, 1 refer, 2 decline: what the score alone asks for."""
    return (
        f"CASE WHEN score >= {policy.approve_at_least} THEN {APPROVE}"
        f" WHEN score >= {policy.refer_at_least} THEN {REFER} ELSE {DECLINE} END"
    )


def factor_percent(policy: Policy) -> str:
    """The cell of grade and village rating in the matrix of limits."""
    whens = []
    for of_grade in SCORE_GRADES:
        row = policy.factor_percent[of_grade]
        by_value: dict[int, list[str]] = {}
        for rating, percent in row.items():
            by_value.setdefault(percent, []).append(rating)
        *some, most = sorted(by_value, key=lambda p: len(by_value[p]))
        cell = str(most)
        if some:
            inner = " ".join(
                f"WHEN village_rating IN ({', '.join(map(text, by_value[p]))}) THEN {p}"
                for p in some
            )
            cell = f"CASE {inner} ELSE {most} END"
        whens.append(f"WHEN grade = '{of_grade}' THEN {cell}")
    return f"CASE {' '.join(whens)} END"


def base_yuan(policy: Policy) -> str:
    """The limit before the matrix."""
    return f"CAST({first_match(policy.limit_rows, lambda row: str(row.base_yuan))} AS BIGINT)"


def bound_yuan(cap: Cap, dialect: Dialect) -> str:
    """What a cap allows; NULL where it is not for this case."""
    bound, needed = str(cap.yuan), []
    if cap.percent_of is not None:
        bound += f" + {dialect.divide(f'{cap.percent} * {cap.percent_of}', '100')}"
        needed.append(cap.percent_of)
    if cap.less is not None:
        bound += f" - {cap.less}"
        needed.append(cap.less)
    known = f"GREATEST({bound}, 0)" if needed else bound
    unknown = " OR ".join(f"{fact} IS NULL" for fact in needed)
    if unknown:
        known = f"CASE WHEN {unknown} THEN {cap.if_unknown_yuan} ELSE {known} END"
    when = all_hold(cap.when)
    bound = known if when == "TRUE" else f"CASE WHEN {when} THEN {known} END"
    return f"CAST({bound} AS BIGINT)"


def price(policy: Policy, quote: Quote) -> tuple[str, str]:
    """The rate and the subsidy in basis points: whole numbers of the edition, only picked here."""

    def by_term(of: Callable[[int], str]) -> str:
        short, long = of(quote.lpr_1y_bp), of(quote.lpr_5y_bp)
        if short == long:
            return short
        return f"CASE WHEN term_months <= {ONE_YEAR_UP_TO_MONTHS} THEN {short} ELSE {long} END"

    def spread(row: PriceRow) -> int:
        return min(row.spread_bp, policy.most_spread_bp)

    rate = first_match(policy.price_rows, lambda row: by_term(lambda lpr: str(lpr + spread(row))))
    subsidy = first_match(
        policy.subsidies,
        lambda given: first_match(
            policy.price_rows,
            lambda row: by_term(lambda lpr: str(given.of_rate(lpr + spread(row), lpr))),
        ),
    )
    return rate, subsidy


def tier(policy: Policy) -> str:
    """The place of the first tier row that fits; no fund is stated, so that none is passed over."""
    places = {id(row): str(i) for i, row in enumerate(policy.tier_rows, 1)}
    return first_match(policy.tier_rows, lambda row: places[id(row)])
