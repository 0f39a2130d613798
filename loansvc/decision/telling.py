"""Telling: why a case was decided as it was, and what its reader should know, in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from loansvc.policy import GRAVE, Finding, Judgement
from loansvc.reasons import MOST_REASONS, Reason, plain_reason

if TYPE_CHECKING:
    from loansvc.decision import Case, Editions, Exposure


def reasons_for(case: Case, *, outcome: str, automated: bool) -> tuple[Reason, ...]:
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


def notices_for(case: Case, editions: Editions, exposure: Exposure) -> Iterator[str]:
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
