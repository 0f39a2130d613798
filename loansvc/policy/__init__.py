"""Policy: eligibility, cut-off, limit, price and guarantee tier of one product, from one edition.

`judge` is pure integer arithmetic over facts; every figure comes from the dated TOML text. The
guarantee acts on loss and never on the default probability: no fact of a policy changes a score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from loansvc.policy.rules import (
    CONTEXT_LABELS,
    DATE_FACTS,
    OUTCOMES,
    SCORE_GRADES,
    VILLAGE_RATINGS,
    Clause,
    Finding,
    Rule,
    Test,
    all_hold,
    fact_label,
    find,
)
from loansvc.policy.terms import (
    PROPOSED_CHANGE_BUDGET,
    SHARERS,
    TIERS,
    Cap,
    ChangeBudget,
    Fund,
    FundCaps,
    Limit,
    LimitRow,
    Price,
    PriceRow,
    Subsidy,
    TierRow,
    binding_cap,
    first_match,
    share_yuan_of,
)

__all__ = [
    "CONTEXT_LABELS", "DATE_FACTS", "GRAVE", "OUTCOMES", "SCORE_GRADES", "SHARERS", "TIERS",
    "VILLAGE_RATINGS", "Cap", "ChangeBudget", "Clause", "Finding", "Fund", "FundCaps", "Judgement",
    "Limit", "LimitRow", "Policy", "Price", "PriceRow", "Rule", "Subsidy", "Test", "TierRow",
    "fact_label", "judge", "share_yuan_of",
]  # fmt: skip


# Facts that newer policies ask about, and the value that speaks against nobody.
GRAVE: Mapping[str, Any] = {"aml_listed": "no", "dishonest_debtor": "no", "days_past_due_now": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One product's rule book. Rows of each table are tried from top to bottom.

    `example_facts`: what its examples start from, `score` and `lpr_bp` among them, `examples`: the
    facts of each; no rules.
    """

    product: str
    title_zh: str
    title_en: str
    statement: str
    review_by: date
    vouching: Mapping[str, frozenset[str]]
    rules: tuple[Rule, ...]
    grade_floors: tuple[tuple[str, int], ...]
    approve_at_least: int
    refer_at_least: int
    limit_rows: tuple[LimitRow, ...]
    factor_percent: Mapping[str, Mapping[str, int]]
    caps: tuple[Cap, ...]
    round_down_to_yuan: int
    minimum_yuan: int
    reassess_every_months: int | None
    price_rows: tuple[PriceRow, ...]
    most_spread_bp: int
    subsidies: tuple[Subsidy, ...]
    tier_rows: tuple[TierRow, ...]
    fund_caps: FundCaps
    lgd_percent: int
    liability: str
    liability_period_months: int
    clauses: tuple[tuple[str, Clause], ...]
    to_verify: bool
    change_budget: ChangeBudget = PROPOSED_CHANGE_BUDGET
    example_facts: Mapping[str, Any] = field(default_factory=dict)
    examples: tuple[Mapping[str, Any], ...] = ()

    @property
    def n_texts_missing(self) -> int:
        """Texts a reader would miss: "not met" of a rule in own words, a source in Chinese."""
        rules = sum(not (rule.not_met_zh and rule.not_met_en) for rule in self.rules)
        return rules + sum(not clause.reference_zh for _, clause in self.clauses)

    def grade_for(self, score: int) -> str:
        """R1 (best) to R7 for a score."""
        return next(grade for grade, floor in self.grade_floors if score >= floor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a policy says of one case. `tier_caps`: tiers passed over, and the cap that bound.

    `unasked`: grave facts that are stated and that no rule of this policy asks about.
    """

    outcome: str
    score_outcome: str
    eligible: bool
    grade: str
    findings: tuple[Finding, ...]
    limit: Limit
    price: Price
    tier: TierRow
    tier_caps: tuple[tuple[TierRow, str], ...]
    above_limit: bool
    below_minimum: bool
    without_tier: bool
    unasked: tuple[str, ...]


def judge(
    policy: Policy, facts: Mapping[str, Any], *, score: int, lpr_bp: int, fund: Fund | None
) -> Judgement:
    """Apply a policy to one case.

    `facts` are the characteristics of the application, the village's rating and the exposure;
    `lpr_bp` is the LPR for the term; `fund` None means that its state is not known, and then no
    fund cap is tested. The worst outcome asked for by any rule, the cut-off, the limit or the
    guarantee is the outcome.
    """
    grade = policy.grade_for(score)
    facts = {**facts, "grade": grade}
    findings = tuple([find(rule, facts) for rule in policy.rules])
    limit = _limit_for(policy, facts)
    tier, tier_caps = _tier_for(policy, facts, fund)
    amount = facts["amount_yuan"]
    # Without any limit before caps, the score or the rule that asks for a grade speaks for itself.
    above_limit = limit.before_caps_yuan > 0 and amount > limit.limit_yuan
    without_tier = limit.factor_percent > 0 and tier.tier == "GX"
    score_outcome = _score_outcome(policy, score)
    not_met = [f.rule for f in findings if f.result == "not_met"]
    asked_for = {score_outcome, *[f.outcome for f in findings]}
    below_minimum = amount < policy.minimum_yuan
    if amount > limit.limit_yuan or below_minimum or tier.tier == "GX":
        asked_for.add("refer")
    unasked = _unasked(policy, facts)
    if unasked:
        asked_for.add("refer")
    return Judgement(
        outcome=max(asked_for, key=OUTCOMES.index),
        score_outcome=score_outcome,
        eligible=all(rule.stage != "eligibility" for rule in not_met),
        grade=grade,
        findings=findings,
        limit=limit,
        price=_price_for(policy, facts, lpr_bp),
        tier=tier,
        tier_caps=tier_caps,
        above_limit=above_limit,
        below_minimum=below_minimum,
        without_tier=without_tier,
        unasked=unasked,
    )


def _unasked(policy: Policy, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """What speaks against a case although this policy, older than the question, cannot ask it.

    Else an application dated back would pass by an edition that does not know the list it is on.
    """
    stated = [fact for fact, harmless in GRAVE.items() if facts.get(fact) not in (None, harmless)]
    if not stated:
        return ()
    asked = {rule.requires.fact for rule in policy.rules}
    return tuple(fact for fact in stated if fact not in asked)


def _score_outcome(policy: Policy, score: int) -> str:
    if score >= policy.approve_at_least:
        return "approve"
    return "refer" if score >= policy.refer_at_least else "decline"


def _limit_for(policy: Policy, facts: Mapping[str, Any]) -> Limit:
    """Base x factor, then the lowest cap, rounded down; below the minimum there is none."""
    row = first_match(policy.limit_rows, facts)
    factor = policy.factor_percent[facts["grade"]][facts["village_rating"]]
    before = limit = row.base_yuan * factor // 100
    facts = {**facts, "matrix_limit_yuan": before}
    bounds, bound_by = [], None
    for cap in policy.caps:
        if all_hold(cap.when, facts):
            bound = cap.bound_yuan(facts)
            bounds.append((cap, bound))
            if bound < limit:
                limit, bound_by = bound, cap
    limit -= limit % policy.round_down_to_yuan
    if limit < policy.minimum_yuan:
        limit = 0
    return Limit(row, factor, before, tuple(bounds), bound_by, limit)


def _price_for(policy: Policy, facts: Mapping[str, Any], lpr_bp: int) -> Price:
    """LPR plus the row's spread, capped; the subsidy is that of the loan's period."""
    row = first_match(policy.price_rows, facts)
    spread = min(row.spread_bp, policy.most_spread_bp)
    rate = lpr_bp + spread
    subsidy = first_match(policy.subsidies, facts)
    return Price(row, lpr_bp, spread, rate, subsidy, subsidy.of_rate(rate, lpr_bp))


def _tier_for(
    policy: Policy, facts: Mapping[str, Any], fund: Fund | None
) -> tuple[TierRow, tuple[tuple[TierRow, str], ...]]:
    """The first row that admits the case and that the fund can carry; the caps met on the way."""
    passed_over: list[tuple[TierRow, str]] = []
    for row in policy.tier_rows:
        if not all_hold(row.when, facts):
            continue
        share_yuan = share_yuan_of(facts["amount_yuan"], row)
        bound = binding_cap(policy.fund_caps.for_row(row), fund, share_yuan) if fund else None
        if bound is None:
            return row, tuple(passed_over)
        passed_over.append((row, bound))
    raise AssertionError("a policy ends with a tier for everyone that needs no fund")
