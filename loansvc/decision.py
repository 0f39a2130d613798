"""decide: one application, the editions in force, the exposure; out comes one decision.

Pure integer arithmetic: no clock, no file, no chance, no float compare. The same inputs give the
same Decision on every machine, for ever; replay is `==`.

    values   characteristics of the application, from credentials the policy's issuers vouch for
    score    base + points of every characteristic + village points
    PD       of the score alone; the guarantee acts on loss, never on PD
    outcome  the worst asked for by rules, cut-off, limit and guarantee
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from loansvc.application import Application, Credential, characteristics
from loansvc.editions import Edition
from loansvc.policy import GRAVE, SHARERS, Finding, Fund, Judgement, Policy, judge
from loansvc.rates import Quote, Rates
from loansvc.reasons import (
    MOST_REASONS,
    Notice,
    Reason,
    notice,
    plain_reason,
)
from loansvc.scorecard import Bin, Scorecard, pd_ppm
from loansvc.villages import Register, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Editions:
    """The four editions one decision rests on."""

    scorecard: Edition[Scorecard]
    villages: Edition[Register]
    policy: Edition[Policy]
    rates: Edition[Rates]

    def references(self) -> dict[str, dict[str, str]]:
        """First day and digest of each, as a decision records them."""
        named = {
            "scorecard": self.scorecard, "villages": self.villages, "policy": self.policy,
            "rates": self.rates,
        }  # fmt: skip
        return {
            name: {"valid_from": edition.valid_from.isoformat(), "digest": edition.digest}
            for name, edition in named.items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What the ledger and the guarantee fund knew of this applicant at the moment of decision.

    `policy_loans` counts open offers and loans ever drawn, `outstanding_yuan` sums what of them is
    offered or outstanding; `policy_loan_overdue` None, in decisions of earlier versions: not known.
    """

    policy_loans: int = 0
    policy_loan_overdue: bool | None = None
    outstanding_yuan: int = 0
    fund: Fund | None = None


OVERDUE_WORDS = {True: "yes", False: "no", None: None}  # `policy_loan_overdue` as a fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What can be lent. On a referral: what the rules would allow, for the person who decides.

    `reassess_every_months`: how often the limit is looked at anew while the loan runs.
    """

    limit_yuan: int
    amount_yuan: int
    term_months: int
    rate_bp: int
    subsidy_bp: int
    reassess_every_months: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarantee:
    """Who carries which share of a loss, in percent, and of the expected loss, in yuan."""

    tier: str
    counter_guarantee: str
    shares_percent: dict[str, int]
    liability: str
    liability_period_months: int
    expected_loss_yuan: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer. `pd_ppm` is the borrower's probability of default in parts per million."""

    product: str
    applied_on: date
    outcome: str
    eligible: bool
    score: int
    pd_ppm: int
    grade: str
    village: Standing
    offer: Offer | None
    guarantee: Guarantee | None
    reasons: tuple[Reason, ...]
    warnings: tuple[Notice, ...]
    editions: dict[str, dict[str, str]]

    def to_document(self) -> dict[str, Any]:
        """The JSON form that is answered and recorded."""
        return {
            "product": self.product,
            "applied_on": self.applied_on.isoformat(),
            "outcome": self.outcome,
            "eligible": self.eligible,
            "score": self.score,
            "pd_12m": self.pd_ppm / 1_000_000,
            "grade": self.grade,
            "village": _village_document(self.village),
            "offer": self.offer and _plain(self.offer),
            "guarantee": self.guarantee and _guarantee_document(self.guarantee),
            "reasons": [_plain(reason) for reason in self.reasons],
            "editions": self.editions,
            "warnings": [_plain(warning) for warning in self.warnings],
        }


def _plain(value: Any) -> dict[str, Any]:
    """The fields of a flat dataclass that are not None."""
    pairs = ((name, getattr(value, name)) for name in value.__slots__)
    return {name: part for name, part in pairs if part is not None}


def _village_document(village: Standing) -> dict[str, Any]:
    return {
        "code": village.code,
        "name": village.name,
        "rating": village.rating,
        "assessed_on": village.assessed_on and village.assessed_on.isoformat(),
        "points": village.points,
        "credibility": village.credibility_percent / 100,
    }


def _guarantee_document(guarantee: Guarantee) -> dict[str, Any]:
    return _plain(guarantee) | {"coverage_percent": 100 - guarantee.shares_percent["bank"]}


# --- the verb -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """Everything the verb works out on the way; the explanation is written from the same."""

    application: Application
    values: dict[str, Any]
    bins: list[Bin]
    standing: Standing
    quote: Quote
    score: int
    facts: dict[str, Any]
    judgement: Judgement
    fund: Fund | None
    notices: list[str]


def weigh(application: Application, editions: Editions, exposure: Exposure) -> Case:
    """Characteristics, score and judgement of one application."""
    on = application.on
    card, policy = editions.scorecard.content, editions.policy.content
    application, notices = _vouched(application, policy)
    values = characteristics(application)
    bins = card.bins_for(values)
    standing = editions.villages.content.standing(application.applicant.village_code, on)
    score = card.base_points + sum(b.points for b in bins) + standing.points
    quote = editions.rates.content.on(on)
    facts = values | {
        "village_rating": standing.rating,
        "village_flag": "yes" if standing.flagged else "no",
        **days_of(application),
        "policy_loans": exposure.policy_loans,
        "policy_loan_overdue": OVERDUE_WORDS[exposure.policy_loan_overdue],
        "outstanding_yuan": exposure.outstanding_yuan,
    }
    lpr_bp = quote.for_term(application.loan.term_months)
    judgement = judge(policy, facts, score=score, lpr_bp=lpr_bp, fund=exposure.fund)
    return Case(
        application, values, bins, standing, quote, score, facts, judgement, exposure.fund, notices
    )


def days_of(application: Application) -> dict[str, date]:
    """The days that a clause can be keyed to; one that is not stated is the one before it."""
    on, loan = application.on, application.loan
    loan_start = loan.starts_on or on
    return {
        "applied_on": on,
        "loan_start": loan_start,
        "guarantee_start": loan.guarantee_starts_on or loan_start,
    }


def decide(application: Application, editions: Editions, exposure: Exposure) -> Decision:
    """The decision on one application.

    Without consent to automated decision the outcome is `refer`, whatever score and rules say
    (PIPL art. 24): a person decides.
    """
    case = weigh(application, editions, exposure)
    policy = editions.policy.content
    automated = "automated_decision" in application.consent.scopes
    outcome = case.judgement.outcome if automated else "refer"
    pd = pd_ppm(case.score)
    # Even where a person decides, nothing is offered that the rules would not allow.
    allowed = case.judgement.outcome != "decline" and case.judgement.limit.limit_yuan > 0
    offer = _offer(case, policy) if allowed else None
    return Decision(
        product=application.product,
        applied_on=application.on,
        outcome=outcome,
        eligible=case.judgement.eligible,
        score=case.score,
        pd_ppm=pd,
        grade=case.judgement.grade,
        village=case.standing,
        offer=offer,
        guarantee=_guarantee(case, policy, offer, pd) if offer else None,
        reasons=_reasons(case, outcome=outcome, automated=automated),
        warnings=tuple(notice(code) for code in _notices(case, editions, exposure)),
        editions=editions.references(),
    )


def _vouched(application: Application, policy: Policy) -> tuple[Application, list[str]]:
    """The application with the credentials that count, and notices about those that do not."""
    given = application.credentials
    vouched = tuple(c for c in given if c.issuer in policy.vouching[c.kind])
    notices = []
    if "public_records" in application.consent.scopes:
        if len(vouched) < len(given):
            notices.append("CREDENTIAL_NOT_VOUCHED")
        if any(not c.valid_on(application.on) for c in vouched):
            notices.append("CREDENTIAL_NOT_VALID")
    if len(vouched) < len(given):
        application = replace(application, credentials=vouched)
    return application, notices


def credentials_that_count(application: Application, policy: Policy) -> tuple[Credential, ...]:
    """Those that an issuer admitted by the policy gave, valid on the day, with consent to read."""
    if "public_records" not in application.consent.scopes:
        return ()
    vouched, _ = _vouched(application, policy)
    return tuple(c for c in vouched.credentials if c.valid_on(application.on))


def _offer(case: Case, policy: Policy) -> Offer:
    loan, limit, price = case.application.loan, case.judgement.limit, case.judgement.price
    return Offer(
        limit_yuan=limit.limit_yuan,
        amount_yuan=min(loan.amount_yuan, limit.limit_yuan),
        term_months=loan.term_months,
        rate_bp=price.rate_bp,
        subsidy_bp=price.subsidy_bp,
        reassess_every_months=policy.reassess_every_months,
    )


def _guarantee(case: Case, policy: Policy, offer: Offer, pd: int) -> Guarantee:
    tier = case.judgement.tier
    shares = {name: tier.shares_percent[name] for name in SHARERS}
    total, parts = expected_loss_yuan(offer.amount_yuan, pd, policy.lgd_percent, shares)
    return Guarantee(
        tier=tier.tier,
        counter_guarantee=tier.counter_guarantee,
        shares_percent=shares,
        liability=policy.liability,
        liability_period_months=policy.liability_period_months,
        expected_loss_yuan={"total": total, "bank": parts["bank"]},
    )


def expected_loss_yuan(
    amount_yuan: int, pd: int, lgd_percent: int, shares_percent: dict[str, int]
) -> tuple[int, dict[str, int]]:
    """Expected loss and each sharer's part: half up, the bank carrying what rounding leaves.

    Source of the example: DOMAIN 10 (150,000 yuan, PD 1/51, LGD 0.90).

    >>> expected_loss_yuan(
    ...     150_000,
    ...     19_608,
    ...     90,
    ...     {
    ...         "bank": 20,
    ...         "local_guarantor": 40,
    ...         "provincial_reguarantor": 30,
    ...         "national_fund": 0,
    ...         "government": 10,
    ...     },
    ... )[1]["bank"]
    529
    """
    total = (amount_yuan * pd * lgd_percent + 50_000_000) // 100_000_000
    parts = {name: (total * p + 50) // 100 for name, p in shares_percent.items() if name != "bank"}
    return total, {"bank": total - sum(parts.values()), **parts}


# --- reasons and notices ------------------------------------------------------------------------


def _reasons(case: Case, *, outcome: str, automated: bool) -> tuple[Reason, ...]:
    """At most four: consent, then what by itself asks for this answer, then the rest.

    Points lost are a reason only where the score decided, or where the answer is yes and they
    tell what it cost: a good score is no reason for a refusal that a rule asked for. Where the
    score asked for the worst outcome, points come before rules that asked for less.
    """
    judgement = case.judgement
    decisive = _policy_reasons(judgement, asking_for=judgement.outcome)
    lesser = [] if judgement.outcome == "refer" else _policy_reasons(judgement, asking_for="refer")
    fund = [plain_reason(code) for code in dict.fromkeys(c for _, c in judgement.tier_caps)]
    capped = [plain_reason("P01", value=", ".join(judgement.unasked))] if judgement.unasked else []
    capped += fund
    if judgement.above_limit:
        capped += _limit_reasons(judgement)
    if judgement.below_minimum:
        capped.append(plain_reason("L02"))
    if judgement.without_tier:
        capped.append(plain_reason("G01"))
    by_score = judgement.score_outcome == judgement.outcome
    told = outcome == "approve" or judgement.score_outcome != "approve"
    points = _score_reasons(case) if told else []
    if by_score and outcome != "approve" and decisive:
        decisive, points = decisive[:2], points[:2] + decisive[2:] + points[2:]
    reasons = [] if automated else [plain_reason("A01")]
    reasons += (
        [*decisive, *points, *capped, *lesser]
        if by_score
        else [*decisive, *capped, *lesser, *points]
    )
    if not reasons and case.application.loan.amount_yuan > judgement.limit.limit_yuan:
        reasons.append(plain_reason("L01"))  # a grade without limit, and nothing cost points
    told_of_fund = any(reason.kind == "fund" for reason in reasons[:MOST_REASONS])
    if fund and outcome != "decline" and not told_of_fund:
        reasons = [*reasons[: MOST_REASONS - 1], fund[0]]  # whoever is moved down is told why
    return tuple(reasons[:MOST_REASONS])


def _limit_reasons(judgement: Judgement) -> list[Reason]:
    """That the amount is above the limit, and the cap that made it so low, if one did."""
    cap = judgement.limit.bound_by
    if cap is None:
        return [plain_reason("L01")]
    said = Reason(
        cap.id, "limit", f"额度上限：{cap.zh}", f"Cap on the limit: {cap.en}",
        reference=cap.clause.reference,
    )  # fmt: skip
    return [plain_reason("L01"), said]


def _policy_reasons(judgement: Judgement, *, asking_for: str) -> list[Reason]:
    """Rules not met or not known that ask for this outcome, in the order of the file."""
    return [
        Reason(
            code=f.rule.id,
            kind="policy",
            zh=_rule_text(f, "无法确认：", f.rule.not_met_zh or f"未满足：{f.rule.zh}", f.rule.zh),
            en=_rule_text(
                f, "Not known: ", f.rule.not_met_en or f"Not met: {f.rule.en}", f.rule.en
            ),
            value=_value_text(f.value),
            threshold=f.rule.requires.threshold(),
            reference=f.rule.clause.reference,
        )
        for f in judgement.findings
        if f.outcome == asking_for != "approve"
    ]


def _rule_text(finding: Finding, not_known: str, not_met: str, requirement: str) -> str:
    return not_met if finding.result == "not_met" else not_known + requirement


def _value_text(value: Any) -> str | None:
    """What a rule read, as text; several words with commas."""
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return None if value is None else str(value)


def _score_reasons(case: Case) -> list[Reason]:
    """What characteristics and village cost, most first; ties by code."""
    reasons = [b.reason for b in case.bins if b.reason is not None]
    if case.standing.points < 0:
        reasons.append(plain_reason("V01", points=case.standing.points))
    return sorted(reasons, key=lambda reason: (reason.points, reason.code))


def _notices(case: Case, editions: Editions, exposure: Exposure) -> Iterator[str]:
    """Codes of what to know about this answer, in a fixed order."""
    on, policy = case.application.on, editions.policy.content
    if editions.scorecard.content.synthetic:
        yield "SYNTHETIC_SCORECARD"
    if editions.villages.content.synthetic:
        yield "SYNTHETIC_REGISTER"
    if policy.to_verify:
        yield "POLICY_TO_VERIFY"
    if on > policy.review_by:
        yield "POLICY_REVIEW_OVERDUE"
    if case.quote.stale_on(on):
        yield "LPR_STALE"
    if any(
        f.result == "unknown" and f.rule.requires.fact in GRAVE for f in case.judgement.findings
    ):
        yield "NOT_LOOKED_UP"
    if exposure.fund is None:
        yield "FUND_NOT_STATED"
    known = exposure.policy_loan_overdue is not None
    yield "EXPOSURE_OWN_LEDGER" if known else "EXPOSURE_PARTIAL"
    if case.standing.state != "rated":
        yield f"VILLAGE_{case.standing.state.upper()}"
    if case.standing.flagged:
        yield "VILLAGE_FLAGGED"
    if case.standing.appeal:
        yield "VILLAGE_APPEAL"
    for scope in ("credit_report", "income", "public_records"):
        if scope not in case.application.consent.scopes:
            yield f"CONSENT_{scope.upper()}"
    yield from case.notices
