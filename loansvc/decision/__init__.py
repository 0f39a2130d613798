"""decide: one application, the editions in force, the exposure; out comes one decision.

Pure integer arithmetic: no clock, no file, no chance, no float compare. The same inputs give the
same Decision on every machine, for ever; replay is `==`.

    values   characteristics of the application, from credentials the policy's issuers vouch for
    score    base + points of every characteristic + village points
    PD       of the score alone; the guarantee acts on loss, never on PD
    outcome  the worst asked for by rules, cut-off, limit and guarantee
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from loansvc.application import Application, Credential, characteristics
from loansvc.application.records import fields_of
from loansvc.decision.telling import notices_for, reasons_for
from loansvc.editions import Edition
from loansvc.policy import SHARERS, Fund, Judgement, Policy, judge
from loansvc.rates import Quote, Rates
from loansvc.reasons import Notice, Reason, notice
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

    def to_record(self) -> dict[str, Any]:
        """The JSON form that is recorded: None stays."""
        names, parts_of = fields_of(Exposure)
        record = dict(zip(names, parts_of(self), strict=True))
        return record | {"fund": self.fund and asdict(self.fund)}


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
    kind: Any = type(value)
    names, parts_of = fields_of(kind)
    return {n: part for n, part in zip(names, parts_of(value), strict=True) if part is not None}


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

Values = dict[str, Any]


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


def weigh(
    application: Application, editions: Editions, exposure: Exposure, values: Values | None = None
) -> Case:
    """Characteristics, score and judgement of one application; `values` as of `decide`."""
    on = application.on
    card, policy = editions.scorecard.content, editions.policy.content
    vouched, notices = _vouched(application, policy)
    if values is None or vouched is not application:
        values = characteristics(vouched)
    application = vouched
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


def decide(
    application: Application, editions: Editions, exposure: Exposure, values: Values | None = None
) -> Decision:
    """The decision on one application; `values` are its characteristics, where they are at hand.

    Without consent to automated decision the outcome is `refer`, whatever score and rules say
    (PIPL art. 24): a person decides.
    """
    case = weigh(application, editions, exposure, values)
    automated = "automated_decision" in application.consent.scopes
    outcome = case.judgement.outcome if automated else "refer"
    pd = pd_ppm(case.score)
    # Even where a person decides, nothing is offered that the rules would not allow.
    allowed = case.judgement.outcome != "decline" and case.judgement.limit.limit_yuan > 0
    offer, guarantee = terms_of(case, editions) if allowed else (None, None)
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
        guarantee=guarantee,
        reasons=reasons_for(case, outcome=outcome, automated=automated),
        warnings=tuple(notice(code) for code in notices_for(case, editions, exposure)),
        editions=editions.references(),
    )


def terms_of(case: Case, editions: Editions) -> tuple[Offer, Guarantee]:
    """What limit, price and guarantee come to, whatever the outcome."""
    policy = editions.policy.content
    offer = _offer(case, policy)
    return offer, _guarantee(case, policy, offer, pd_ppm(case.score))


def terms_document(case: Case, editions: Editions) -> dict[str, Any]:
    """Score and terms in the form in which a decision records them."""
    offer, guarantee = terms_of(case, editions)
    return {
        "score": case.score,
        "pd_12m": pd_ppm(case.score) / 1_000_000,
        "grade": case.judgement.grade,
        "offer": _plain(offer),
        "guarantee": _guarantee_document(guarantee),
    }


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
