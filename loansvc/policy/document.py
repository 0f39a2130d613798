"""From a policy's TOML document to a `Policy`, refused where it is incomplete or turns around.

A better score grade, village rating, household grade or talent tier never worsens an outcome,
limit, rate or tier: that is checked here, once, so that `judge` need not think of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise, product
from typing import Any

from loansvc.application import CREDENTIAL_KINDS, GRADES, ISSUERS, TALENT_TIERS
from loansvc.editions import Head, Reader
from loansvc.policy import Policy
from loansvc.policy.examples import check_examples
from loansvc.policy.rules import (
    SCORE_GRADES,
    VILLAGE_RATINGS,
    Clause,
    Rule,
    Test,
    fact_words,
    read_clause,
    read_rule,
    read_tests,
)
from loansvc.policy.terms import (
    COUNTER_GUARANTEES,
    LEAST_BANK_PERCENT,
    SHARERS,
    TIERS,
    Cap,
    FundCaps,
    LimitRow,
    PriceRow,
    TierRow,
    first_match,
)

MOST_YUAN = 1_000_000_000
# Facts with an order of merit, best first. "unrated" and "unknown" stand outside the order.
ORDERED: Mapping[str, tuple[str, ...]] = {
    "grade": SCORE_GRADES,
    "village_rating": GRADES,
    "household_grade": GRADES,
    "talent_tier": TALENT_TIERS,
}
LOWEST_FLOOR = -10_000  # below any score: the last grade takes whoever is left


def read_policy(reader: Reader, head: Head) -> Policy:
    """The policy in a document.

    Raises:
        EditionRefused: naming the clause and what is wrong with it.
    """
    clauses: list[tuple[str, Clause]] = []
    if head.review_by is None:
        reader.refuse("review_by", "is missing; a policy says when it is to be looked at again")
    title, cutoff = reader.table("title"), reader.table("cutoff")
    limit, price, guarantee = (reader.table(k) for k in ("limit", "price", "guarantee"))
    with title, cutoff, limit, price, guarantee:
        for table in (cutoff, limit, price, guarantee):
            clauses.append((table.place, read_clause(table)))
        policy = Policy(
            product=head.product,
            title_zh=title.text("zh"),
            title_en=title.text("en"),
            statement=reader.text("statement"),
            review_by=head.review_by,
            vouching=_read_vouching(reader.table("vouching"), clauses),
            rules=_read_rules(reader, clauses),
            grade_floors=_read_grade_floors(reader),
            approve_at_least=cutoff.integer("approve_at_least", low=0, high=2000),
            refer_at_least=cutoff.integer("refer_at_least", low=0, high=2000),
            limit_rows=_read_limit_rows(reader, clauses),
            factor_percent=_read_factors(reader.table("limit_factor_percent"), clauses),
            caps=_read_caps(reader, clauses),
            round_down_to_yuan=limit.integer("round_down_to_yuan", low=1, high=100_000),
            minimum_yuan=limit.integer("minimum_yuan", low=1, high=MOST_YUAN),
            price_rows=_read_price_rows(reader, clauses),
            most_spread_bp=price.integer("most_spread_bp", low=-500, high=2000),
            subsidy_percent_of_rate=price.integer("subsidy_percent_of_rate", low=0, high=100),
            tier_rows=_read_tier_rows(reader, clauses),
            fund_caps=_read_fund_caps(reader.table("fund"), clauses),
            lgd_percent=guarantee.integer("lgd_percent", low=1, high=100),
            liability=guarantee.word("liability", ("general", "joint")),
            liability_period_months=guarantee.integer("liability_period_months", low=1, high=60),
            clauses=tuple(clauses),
            to_verify=any(clause.verify for _, clause in clauses),
        )
    if policy.refer_at_least > policy.approve_at_least:
        cutoff.refuse("refer_at_least", "must not be above approve_at_least")
    _check_order(policy, reader)
    check_examples(policy, reader)
    return policy


def _read_vouching(reader: Reader, clauses: list[tuple[str, Clause]]) -> dict[str, frozenset[str]]:
    with reader:
        clauses.append(("vouching", read_clause(reader)))
        return {kind: frozenset(reader.words(kind, ISSUERS)) for kind in CREDENTIAL_KINDS}


def _read_rules(reader: Reader, clauses: list[tuple[str, Clause]]) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for table in reader.tables("rule", at_least=1):
        rule = read_rule(table)
        if any(rule.id == other.id for other in rules):
            table.refuse("id", f"{rule.id} is used twice")
        _check_rule_order(rule, table)
        rules.append(rule)
        clauses.append((rule.id, rule.clause))
    return tuple(rules)


def _check_rule_order(rule: Rule, table: Reader) -> None:
    """A rule on an ordered fact may only ask for better values, or apply only to worse ones."""
    if not _closed(rule.requires, upward=True):
        table.refuse("requires", "must admit every grade better than one it admits")
    if not all(_closed(test, upward=False) for test in rule.when):
        table.refuse("when", "must apply to every grade worse than one it applies to")


def _closed(test: Test, *, upward: bool) -> bool:
    order = ORDERED.get(test.fact)
    if order is None:
        return True
    admits = [word in (test.words or ()) for word in (order if upward else order[::-1])]
    return admits == sorted(admits, reverse=True)


def _read_grade_floors(reader: Reader) -> tuple[tuple[str, int], ...]:
    floors = []
    for table in reader.tables("grade", at_least=len(SCORE_GRADES)):
        with table:
            grade = table.word("grade", SCORE_GRADES)
            floor = LOWEST_FLOOR
            if grade != SCORE_GRADES[-1]:
                floor = table.integer("score_at_least", low=0, high=2000)
            floors.append((grade, floor))
    if [g for g, _ in floors] != list(SCORE_GRADES):
        reader.refuse("grade", f"must list {', '.join(SCORE_GRADES)} in this order")
    if any(a <= b for (_, a), (_, b) in pairwise(floors)):
        reader.refuse("grade", "must have falling floors from R1 to R7")
    return tuple(floors)


def _when(table: Reader) -> tuple[Test, ...]:
    return read_tests(table.table("when")) if "when" in table else ()


def _read_limit_rows(reader: Reader, clauses: list[tuple[str, Clause]]) -> tuple[LimitRow, ...]:
    rows = []
    for i, table in enumerate(reader.tables("limit_row", at_least=1)):
        with table:
            base = table.integer("base_yuan", low=0, high=MOST_YUAN)
            rows.append(LimitRow(_when(table), base, read_clause(table)))
            clauses.append((f"limit_row[{i}]", rows[-1].clause))
    _check_last_is_for_everyone(rows, reader, "limit_row")
    return tuple(rows)


def _read_price_rows(reader: Reader, clauses: list[tuple[str, Clause]]) -> tuple[PriceRow, ...]:
    rows = []
    for i, table in enumerate(reader.tables("price_row", at_least=1)):
        with table:
            spread = table.integer("spread_bp", low=-500, high=2000)
            rows.append(PriceRow(_when(table), spread, read_clause(table)))
            clauses.append((f"price_row[{i}]", rows[-1].clause))
    _check_last_is_for_everyone(rows, reader, "price_row")
    return tuple(rows)


def _read_factors(reader: Reader, clauses: list[tuple[str, Clause]]) -> dict[str, dict[str, int]]:
    """The matrix score grade x village rating, every cell there, falling along both."""
    factors = {}
    with reader:
        clauses.append(("limit_factor_percent", read_clause(reader)))
        for grade in SCORE_GRADES:
            with reader.table(grade) as row:
                factors[grade] = {r: row.integer(r, low=0, high=200) for r in VILLAGE_RATINGS}
    for better, worse in pairwise(SCORE_GRADES):
        if any(factors[better][r] < factors[worse][r] for r in VILLAGE_RATINGS):
            reader.refuse(worse, f"must not be above {better} for any village rating")
    for grade, row_percent in factors.items():
        if any(row_percent[a] < row_percent[b] for a, b in pairwise(GRADES)):
            reader.refuse(grade, "must not rise from a better to a worse village rating")
    return factors


def _read_caps(reader: Reader, clauses: list[tuple[str, Clause]]) -> tuple[Cap, ...]:
    caps: list[Cap] = []
    for table in reader.tables("cap"):
        with table:
            percent_of = _number_fact(table, "percent_of")
            cap = Cap(
                id=table.text("id"),
                when=_when(table),
                # A cap says `yuan`, `percent` of a fact, or both.
                yuan=table.integer(
                    "yuan", low=0, high=MOST_YUAN, default=0 if percent_of else None
                ),
                percent=table.integer("percent", low=1, high=10_000) if percent_of else 0,
                percent_of=percent_of,
                less=_number_fact(table, "less"),
                if_unknown_yuan=table.integer("if_unknown_yuan", low=0, high=MOST_YUAN, default=0),
                zh=table.text("zh"),
                en=table.text("en"),
                clause=read_clause(table),
            )
            if any(cap.id == other.id for other in caps):
                table.refuse("id", f"{cap.id} is used twice")
            if any(test.fact in ORDERED for test in cap.when):
                table.refuse("when", "must not depend on a grade; steps by grade are limit rows")
            caps.append(cap)
            clauses.append((cap.id, cap.clause))
    return tuple(caps)


def _number_fact(table: Reader, key: str) -> str | None:
    if key not in table:
        return None
    fact = table.text(key)
    if fact_words(fact):
        table.refuse(key, f"must be a number, and {fact} is a word")
    # Read as a test to reuse its refusal of unknown and barred facts.
    read_tests(Reader({fact: {"at_least": 0}}, file=table.file, place=f"{table.place}.{key}"))
    return fact


def _read_tier_rows(reader: Reader, clauses: list[tuple[str, Clause]]) -> tuple[TierRow, ...]:
    rows: list[TierRow] = []
    for i, table in enumerate(reader.tables("tier", at_least=1)):
        with table:
            row = TierRow(
                tier=table.word("tier", TIERS),
                when=_when(table),
                shares_percent=_read_shares(table),
                counter_guarantee=table.word("counter_guarantee", COUNTER_GUARANTEES),
                clause=read_clause(table),
            )
            if not all(_closed(test, upward=True) for test in row.when):
                table.refuse("when", "must admit every grade better than one it admits")
            if rows and TIERS.index(row.tier) < TIERS.index(rows[-1].tier):
                table.refuse("tier", f"must not stand after {rows[-1].tier}")
            rows.append(row)
            clauses.append((f"tier[{i}] {row.tier}", row.clause))
    _check_last_is_for_everyone(rows, reader, "tier")
    if rows[-1].shares_percent["local_guarantor"]:
        reader.refuse("tier", "must end with a tier that needs no local guarantor")
    return tuple(rows)


def _read_shares(table: Reader) -> dict[str, int]:
    with table.table("shares_percent") as shares:
        percent = {name: shares.integer(name, low=0, high=100, default=0) for name in SHARERS}
        if sum(percent.values()) != 100:
            shares.refuse("", f"sums to {sum(percent.values())}; loss shares must sum to 100")
        if percent["bank"] < LEAST_BANK_PERCENT:
            shares.refuse("bank", f"must be at least {LEAST_BANK_PERCENT}")
        return percent


def _read_fund_caps(reader: Reader, clauses: list[tuple[str, Clause]]) -> FundCaps:
    with reader:
        caps = FundCaps(
            multiple=reader.integer("multiple", low=1, high=50),
            single_client_percent=reader.integer("single_client_percent", low=1, high=100),
            compensation_rate_cap_bp=reader.integer("compensation_rate_cap_bp", low=0, high=10_000),
            clause=read_clause(reader),
        )
    clauses.append(("fund", caps.clause))
    return caps


def _check_last_is_for_everyone(rows: Sequence[Any], reader: Reader, key: str) -> None:
    if rows[-1].when:
        reader.refuse(key, "must end with a row for everyone, without `when`")
    if any(not row.when for row in rows[:-1]):
        reader.refuse(key, "has a row without `when` before the last; rows after it are never read")


# --- order of merit -----------------------------------------------------------------------------


def _check_order(policy: Policy, reader: Reader) -> None:
    """Along each ordered fact, the limit never rises and the spread never falls as it worsens."""
    tables: tuple[tuple[str, Any, str, int], ...] = (
        ("limit_row", policy.limit_rows, "base_yuan", 1),
        ("price_row", policy.price_rows, "spread_bp", -1),
    )
    for key, rows, figure, sign in tables:
        tests = [test for row in rows for test in row.when]
        for fact, order in ORDERED.items():
            if not any(test.fact == fact for test in tests):
                continue
            for facts in _representative_facts(tests, without=fact):
                figures = [getattr(first_match(rows, {**facts, fact: w}), figure) for w in order]
                for (better, a), (worse, b) in pairwise(zip(order, figures, strict=True)):
                    if sign * (a - b) < 0:
                        reader.refuse(key, f"gives {fact} {worse} a better {figure} than {better}")


def _representative_facts(tests: list[Test], *, without: str) -> list[dict[str, Any]]:
    """One value of each fact for every way in which the tests can tell its values apart."""
    facts = sorted({t.fact for t in tests} - {without})
    choices = [_representatives(fact, [t for t in tests if t.fact == fact]) for fact in facts]
    return [dict(zip(facts, combination, strict=True)) for combination in product(*choices)]


def _representatives(fact: str, tests: list[Test]) -> list[Any]:
    words = fact_words(fact)
    candidates: list[Any] = [None]
    if fact == "groups":  # one may belong to several groups, or to none
        candidates += [held for n in range(len(words) + 1) for held in combinations(words, n)]
    elif words:
        candidates += words
    else:
        ends = [e for t in tests for e in (t.at_least, t.at_most) if e is not None]
        candidates += sorted({e + d for e in ends for d in (-1, 0, 1)})
    told_apart = {tuple(t.holds({fact: c}) for t in tests): c for c in candidates}
    return list(told_apart.values())
