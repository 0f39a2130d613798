"""Exposure: what the ledger knows of a person and of the guarantee fund, before it is decided."""

from __future__ import annotations

from loansvc.application import Application
from loansvc.decision import Exposure
from loansvc.ledger import Reading, Subject
from loansvc.policy import Fund


def exposure_of(
    ledger: Reading, subject: Subject | None, application: Application, at: str
) -> Exposure:
    """What this ledger knows of the person, and of the guarantee fund if its capital is stated.

    `at`: the instant asked about. Loans drawn count for ever, repaid ones too (at most three policy
    loans); offers while open.
    """
    ref = subject.ref if subject else ""
    loans = ledger.fund.of(ref, at) if subject else []
    account = ledger.fund.account_at(at)
    fund = None
    if account.capital_yuan is not None:
        applicant, firm = application.applicant, application.business.uscc
        parties = [applicant.id_number, *applicant.related_parties, *([firm] if firm else [])]
        fund = Fund(
            capital_yuan=account.capital_left_yuan,
            guaranteed_yuan=account.guaranteed_yuan,
            applicant_guaranteed_yuan=sum(loan.fund_yuan for loan in loans),
            compensation_rate_bp=account.compensation_rate_bp,
            related_guaranteed_yuan=ledger.fund.related_yuan(ref, parties, at),
        )
    return Exposure(
        policy_loans=len(loans),
        policy_loan_overdue=any(loan.overdue for loan in loans),
        outstanding_yuan=sum(loan.outstanding_yuan for loan in loans),
        fund=fund,
    )
