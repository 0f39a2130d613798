"""From a policy's TOML document to a `Policy`, refused where it is incomplete or turns around."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from loansvc.application import CREDENTIAL_KINDS, GRADES, ISSUERS
from loansvc.editions import Head, Reader
from loansvc.policy import Policy
from loansvc.policy.examples import check_examples
from loansvc.policy.order import (
    MUST_ADMIT_BETTER,
    ORDERED,
    check_order,
    check_rows,
    check_rule,
    closed,
    missing,
)
from loansvc.policy.rules import (
    DATE_FACTS,
    SCORE_GRADES,
    VILLAGE_RATINGS,
    Clause,
    Rule,
    Test,
    fact_words,
    read_clause,
    read_rule,
    read_tests,
    read_when,
    read_window,
)
from loansvc.policy.terms import (
    COUNTER_GUARANTEES,
    LEAST_BANK_PERCENT,
    PROPOSED_CHANGE_BUDGET,
    SHARERS,
    TIERS,
    Cap,
    ChangeBudget,
    FundCaps,
    LimitRow,
    PriceRow,
    Subsidy,
    TierRow,
)

MOST_YUAN = 1_000_000_000
# Kinds of credential that came later: a policy older than them has nobody vouch for them.
LATER_KINDS = ("released_prisoner", "overcapacity_worker", "technician_graduate")
LOWEST_FLOOR = -10_000  # below any score: the last grade takes whoever is left


def read_policy(reader: Reader, head: Head) -> Policy:
    """The policy in a document.

    Raises:
        EditionRefused: naming the clause and what is wrong with it.
    """
    clauses: list[tuple[str, Clause]] = []
    if head.review_by is None:
        reader.refuse("review_by", "is missing; add the day by which to look at it again")
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
            reassess_every_months=(
                limit.integer("reassess_every_months", low=1, high=120)
                if "reassess_every_months" in limit
                else None
            ),
            price_rows=_read_price_rows(reader, clauses),
            most_spread_bp=price.integer("most_spread_bp", low=-500, high=2000),
            subsidies=_read_subsidies(reader, price, clauses),
            tier_rows=_read_tier_rows(reader, clauses),
            fund_caps=_read_fund_caps(reader.table("fund"), clauses),
            lgd_percent=guarantee.integer("lgd_percent", low=1, high=100),
            liability=guarantee.word("liability", ("general", "joint")),
            liability_period_months=guarantee.integer("liability_period_months", low=1, high=60),
            change_budget=_read_change_budget(reader, clauses),
            clauses=tuple(clauses),
            to_verify=any(clause.verify for _, clause in clauses),
        )
    if policy.refer_at_least > policy.approve_at_least:
        cutoff.refuse(
            "refer_at_least",
            f"must not be above approve_at_least ({policy.approve_at_least}); lower it",
        )
    check_order(policy, reader)
    facts, examples = check_examples(policy, reader, valid_from=head.valid_from)
    return replace(policy, example_facts=facts, examples=examples)


def _read_vouching(reader: Reader, clauses: list[tuple[str, Clause]]) -> dict[str, frozenset[str]]:
    with reader:
        clauses.append(("vouching", read_clause(reader)))
        return {
            kind: frozenset(reader.words(kind, ISSUERS))
            if kind not in LATER_KINDS or kind in reader
            else frozenset()
            for kind in CREDENTIAL_KINDS
        }


def _read_rules(reader: Reader, clauses: list[tuple[str, Clause]]) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for table in reader.tables("rule", at_least=1):
        rule = read_rule(table)
        check_rule(rule, rules, table)
        rules.append(rule)
        clauses.append((rule.id, rule.clause))
    return tuple(rules)


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
    for (better, a), (worse, b) in pairwise(floors):
        if a <= b:
            reader.refuse(
                "grade",
                f"must have falling floors from R1 to R7; lower {worse} ({b}) below {better} ({a})",
            )
    return tuple(floors)


def _read_limit_rows(reader: Reader, clauses: list[tuple[str, Clause]]) -> tuple[LimitRow, ...]:
    rows = []
    for i, table in enumerate(reader.tables("limit_row", at_least=1)):
        with table:
            base = table.integer("base_yuan", low=0, high=MOST_YUAN)
            rows.append(LimitRow(read_when(table), base, read_clause(table)))
            clauses.append((f"limit_row[{i}]", rows[-1].clause))
    check_rows(rows, reader, "limit_row")
    return tuple(rows)


def _read_price_rows(reader: Reader, clauses: list[tuple[str, Clause]]) -> tuple[PriceRow, ...]:
    rows = []
    for i, table in enumerate(reader.tables("price_row", at_least=1)):
        with table:
            spread = table.integer("spread_bp", low=-500, high=2000)
            rows.append(PriceRow(read_when(table), spread, read_clause(table)))
            clauses.append((f"price_row[{i}]", rows[-1].clause))
    check_rows(rows, reader, "price_row")
    return tuple(rows)


def _read_subsidies(
    reader: Reader, price: Reader, clauses: list[tuple[str, Clause]]
) -> tuple[Subsidy, ...]:
    """Periods that follow one another without gap or overlap, the first and the last open.

    A policy older than `[[subsidy]]` has one percentage for every loan in its table of prices.
    """
    if "subsidy" not in reader:
        percent = price.integer("subsidy_percent_of_rate", low=0, high=100)
        zh, en = "财政贴息", "Paid by the state"
        clause = next(c for place, c in clauses if place == price.place)
        return (Subsidy(Test(DATE_FACTS[0]), percent, None, zh, en, clause),)
    periods: list[Subsidy] = []
    for i, table in enumerate(reader.tables("subsidy", at_least=1)):
        with table:
            periods.append(_read_subsidy(table))
            _check_follows(periods, table)
            clauses.append((f"subsidy[{i}]", periods[-1].clause))
    if periods[-1].last_day is not None:
        reader.refuse("subsidy", f"leaves a gap after {periods[-1].last_day}; add a period")
    return tuple(periods)


def _read_subsidy(table: Reader) -> Subsidy:
    days = read_window(table) or Test(DATE_FACTS[0])
    kinds = [k for k in ("percent_of_rate", "borrower_pays_lpr_plus_bp") if k in table]
    if len(kinds) != 1:
        table.refuse("", "must say either percent_of_rate or borrower_pays_lpr_plus_bp")
    share = kinds[0] == "percent_of_rate"
    return Subsidy(
        days=days,
        percent_of_rate=table.integer(kinds[0], low=0, high=100) if share else 0,
        borrower_over_lpr_bp=None if share else table.integer(kinds[0], low=-500, high=2000),
        zh=table.text("zh"),
        en=table.text("en"),
        clause=read_clause(table),
    )


def _check_follows(periods: Sequence[Subsidy], table: Reader) -> None:
    """The newest period starts on the day after the one before it."""
    this = periods[-1]
    if len(periods) == 1:
        if this.first_day is not None:
            table.refuse("from", "leaves a gap before the first period; leave it out there")
        return
    before = periods[-2]
    if this.days.fact != before.days.fact:
        table.refuse("keyed_on", f"must be {before.days.fact}, as in the period before")
    if before.last_day is None or this.first_day is None or this.first_day <= before.last_day:
        table.refuse("from", "overlaps the period before; start on the day after its `until`")
    if this.first_day > before.last_day + timedelta(days=1):
        table.refuse("from", f"leaves a gap after {before.last_day}; start on the day after it")


def _read_factors(reader: Reader, clauses: list[tuple[str, Clause]]) -> dict[str, dict[str, int]]:
    """The matrix score grade x village rating, every cell there, falling along both."""
    factors = {}
    with reader:
        clauses.append(("limit_factor_percent", read_clause(reader)))
        for grade in SCORE_GRADES:
            with reader.table(grade) as row:
                factors[grade] = {r: row.integer(r, low=0, high=200) for r in VILLAGE_RATINGS}
    for better, worse in pairwise(SCORE_GRADES):
        for r in VILLAGE_RATINGS:
            if factors[better][r] < factors[worse][r]:
                reader.refuse(
                    f"{worse}.{r}",
                    f"is {factors[worse][r]} and must not be above {better}.{r}, of the better "
                    f"score grade; lower {worse}.{r} to {factors[better][r]} or less",
                )
    for grade, percent in factors.items():
        for a, b in pairwise(GRADES):
            if percent[a] < percent[b]:
                reader.refuse(
                    f"{grade}.{b}",
                    f"is {percent[b]} and must not rise from a better to a worse village rating; "
                    f"lower {grade}.{b} to {percent[a]} or less, or raise {grade}.{a}",
                )
    return factors


def _read_caps(reader: Reader, clauses: list[tuple[str, Clause]]) -> tuple[Cap, ...]:
    caps: list[Cap] = []
    for table in reader.tables("cap"):
        with table:
            percent_of = _number_fact(table, "percent_of")
            cap = Cap(
                id=table.text("id"),
                when=read_when(table),
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
            if any(cap.id == place for place, _ in clauses):  # of a rule or a cap before it
                table.refuse("id", f"{cap.id} is used twice; give this cap an id of its own")
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
        table.refuse(key, f"must be a number, and {fact} is a word; name a number")
    # Read as a test to reuse its refusal of unknown and barred facts.
    read_tests(
        Reader(
            {fact: {"at_least": 0}},
            file=table.file,
            place=f"{table.place}.{key}",
            line_of=table.line_of,
        )
    )
    return fact


def _read_tier_rows(reader: Reader, clauses: list[tuple[str, Clause]]) -> tuple[TierRow, ...]:
    rows: list[TierRow] = []
    for i, table in enumerate(reader.tables("tier", at_least=1)):
        with table:
            row = TierRow(
                tier=table.word("tier", TIERS),
                when=read_when(table),
                shares_percent=_read_shares(table),
                counter_guarantee=table.word("counter_guarantee", COUNTER_GUARANTEES),
                clause=read_clause(table),
                compensation_rate_cap_bp=(
                    table.integer("compensation_rate_cap_bp", low=0, high=10_000)
                    if "compensation_rate_cap_bp" in table
                    else None
                ),
            )
            if not all(closed(test, upward=True) for test in row.when):
                table.refuse("when", f"{MUST_ADMIT_BETTER}{missing(row.when, upward=True)}")
            if rows and TIERS.index(row.tier) < TIERS.index(rows[-1].tier):
                table.refuse(
                    "tier",
                    f"must not stand after {rows[-1].tier}; move it up, in the order "
                    f"{', '.join(TIERS)}",
                )
            rows.append(row)
            clauses.append((f"tier[{i}] {row.tier}", row.clause))
    check_rows(rows, reader, "tier")
    if rows[-1].shares_percent["local_guarantor"]:
        reader.refuse(
            "tier",
            "must end with a tier that needs no local guarantor; add GX with bank = 100 at the end",
        )
    return tuple(rows)


def _read_shares(table: Reader) -> dict[str, int]:
    with table.table("shares_percent") as shares:
        percent = {name: shares.integer(name, low=0, high=100, default=0) for name in SHARERS}
        total = sum(percent.values())
        if total != 100:
            by = f"add {100 - total} to one" if total < 100 else f"take {total - 100} from one"
            shares.refuse("", f"sums to {total}; loss shares must sum to 100: {by} of them")
        if percent["bank"] < LEAST_BANK_PERCENT:
            shares.refuse(
                "bank", f"must be at least {LEAST_BANK_PERCENT}; take the rest from another share"
            )
        return percent


def _read_fund_caps(reader: Reader, clauses: list[tuple[str, Clause]]) -> FundCaps:
    with reader:
        caps = FundCaps(
            multiple=reader.integer("multiple", low=1, high=50),
            single_client_percent=reader.integer("single_client_percent", low=1, high=100),
            compensation_rate_cap_bp=reader.integer("compensation_rate_cap_bp", low=0, high=10_000),
            related_percent=(
                reader.integer("related_percent", low=1, high=100)
                if "related_percent" in reader
                else None
            ),
            clause=read_clause(reader),
        )
    clauses.append(("fund", caps.clause))
    return caps


def _read_change_budget(reader: Reader, clauses: list[tuple[str, Clause]]) -> ChangeBudget:
    """How far this policy lets its successor, or the next card, move answers; optional."""
    if "change_budget" not in reader:
        return PROPOSED_CHANGE_BUDGET
    with reader.table("change_budget") as table:
        budget = ChangeBudget(
            **{
                # A change can be more than the whole: 1000 lets everything pass.
                name: table.integer(name, low=0, high=1000)
                for name in (
                    "most_flips_percent", "most_limit_change_percent",
                    "most_expected_loss_change_percent", "most_fund_use_change_percent",
                )
            },
            # Not in policies older than that key.
            most_interest_change_percent=(
                table.integer("most_interest_change_percent", low=0, high=1000)
                if "most_interest_change_percent" in table
                else PROPOSED_CHANGE_BUDGET.most_interest_change_percent
            ),
            least_decisions=table.integer("least_decisions", low=1, high=1_000_000),
            clause=read_clause(table),
        )  # fmt: skip
    clauses.append(("change_budget", budget.clause))
    return budget
