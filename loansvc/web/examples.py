"""Example applications: valid, invented, and approved by the shipped editions."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from loansvc.application import PRODUCTS
from loansvc.identifiers import id_check_character, uscc_check_character

# What a product asks for in place of the credit loan's figures.
LOANS: dict[str, dict[str, Any]] = {
    "credit_loan": {"amount_yuan": 120_000, "term_months": 24, "purpose": "working_capital",
                    "repayment": "harvest"},
    "talent_loan": {"amount_yuan": 200_000, "term_months": 24, "purpose": "equipment",
                    "repayment": "instalment"},
    "fast_loan": {"amount_yuan": 100_000, "term_months": 24, "purpose": "working_capital",
                  "repayment": "instalment"},
    "online_loan": {"amount_yuan": 50_000, "term_months": 12, "purpose": "online_stock",
                    "repayment": "bullet"},
}  # fmt: skip


def example_application(product: str, *, today: date, number: int) -> dict[str, Any]:
    """An application document for that product, its dates set back from `today`.

    `number` makes the application and the invented person: another number or product, another one.
    """
    return {
        "application_id": f"EXAMPLE-{today:%Y%m%d}-{product}-{number:06d}",
        "product": product,
        "applied_on": today.isoformat(),
        "applicant": {
            "id_number": invented_id_number(number, product),
            "village_code": "340521102200",
            "household_grade": "AA",
            "education": "technical_college",
            "household_income_12m_yuan": 96_000,
            "household_debt_service_12m_yuan": 14_400,
            "dependants": 2,
            "dishonest_debtor": False,
            "aml_listed": False,
        },
        "credentials": [
            _credential("returning_migrant", "HR-2025-1183", today, days=631),
            _credential("training_certificate", "PX-88231", today, days=439),
            {**_credential("craftsman_title", "GS-0412", today, days=936),
             "expires_on": (today + timedelta(days=158)).isoformat()},
        ],
        "business": {
            "entity": "family_farm",
            "uscc": invented_uscc(number, product),
            "industry": "A0412",
            "started_on": (today - timedelta(days=1697)).isoformat(),
            "employees": 3,
            "revenue_12m_yuan": 310_000,
            "online_revenue_12m_yuan": 90_000,
            "social_insurance_months_24m": 20,
        },
        "credit_report": {
            "reported_on": (today - timedelta(days=3)).isoformat(),
            "repair_applied": True,
            "max_days_past_due_24m": 0,
            "days_past_due_now": 0,
            "active_loans": 1,
            "outstanding_yuan": 40_000,
            "unsecured_outstanding_yuan": 10_000,
            "enquiries_6m": 2,
            "months_since_first_credit": 61,
            "card_utilisation_percent": 35,
            "guarantees_given_yuan": 0,
        },
        "loan": dict(LOANS[product]),
        "consent": {
            "consent_id": f"C-EXAMPLE-{number:06d}",
            "given_on": (today - timedelta(days=3)).isoformat(),
            "scopes": ["credit_report", "income", "public_records", "automated_decision"],
        },
    }  # fmt: skip


def _credential(kind: str, number: str, today: date, *, days: int) -> dict[str, Any]:
    issued_on = (today - timedelta(days=days)).isoformat()
    return {"kind": kind, "issuer": "hrss", "number": number, "issued_on": issued_on}


def invented_uscc(number: int, product: str = PRODUCTS[0]) -> str:
    """A social credit code of nobody's firm: its area code was never assigned.

    >>> invented_uscc(7)
    '92999999MA00000076'
    """
    characters = f"92999999MA{PRODUCTS.index(product)}{number:06d}"
    return characters + uscc_check_character(characters)


def invented_id_number(number: int, product: str = PRODUCTS[0]) -> str:
    """An ID number of nobody: its area code was never assigned; the check character is right.

    >>> invented_id_number(0)[:6], len(invented_id_number(123456))
    ('999999', 18)
    """
    days = number // 1000 * len(PRODUCTS) + PRODUCTS.index(product)
    digits = f"999999{date(1975, 1, 1) + timedelta(days=days):%Y%m%d}{number % 1000:03d}"
    return digits + id_check_character(digits)
