"""Rows of a portfolio at random, edges included, and what `decide` says of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loansvc import decision as verb
from loansvc.application import (
    CATALOGUE,
    GROUPS,
    TOWNS,
    Applicant,
    Application,
    Consent,
    Loan,
    characteristics,
)
from loansvc.decision import Editions, Exposure, decide
from loansvc.portfolio.columns import FIELDS
from loansvc.portfolio.run import Order, Summary, score

Row = dict[str, Any]
NOT_KNOWN = 0.12  # share of values that are not known
NEVER_UNKNOWN = {"amount_yuan", "term_months", "purpose", "repayment", "automated_decision"}
ID_NUMBER = "999999197501010179"


def edges_of(editions: Editions) -> dict[str, list[int]]:
    """By characteristic: every number that card or policy names, and those beside it."""
    found: dict[str, set[int]] = {}
    for of in editions.scorecard.content.characteristics:
        for cut in of.cuts:
            found.setdefault(of.name, set()).update((int(cut) - 1, int(cut), int(cut) + 1))
    policy = editions.policy.content
    rows: list[Any] = [
        *policy.rules,
        *policy.limit_rows,
        *policy.caps,
        *policy.price_rows,
        *policy.tier_rows,
    ]
    tests = [rule.requires for rule in policy.rules] + [t for row in rows for t in row.when]
    for test in tests:
        for end in (test.at_least, test.at_most):
            if isinstance(end, int):
                found.setdefault(test.fact, set()).update((end - 1, end, end + 1))
    return {name: sorted(values) for name, values in found.items()}


GOOD: Row = {  # what most policies approve, so that limits, tiers and points are met often
    "primary_group": "graduate", "entity": "sole_trader", "purpose": "working_capital",
    "education": "university", "household_grade": "AA", "household_income_12m_yuan": 200_000,
    "household_debt_service_percent": 10, "dependants": 1, "training_certificates": 2,
    "craftsman_level": 2, "contest_award_level": 2, "park_months": 12, "business_age_months": 60,
    "employees": 5, "revenue_12m_yuan": 600_000, "online_revenue_percent": 30,
    "social_insurance_months_24m": 24, "max_days_past_due_24m": 0, "active_loans": 0,
    "unsecured_outstanding_yuan": 0, "enquiries_6m": 0, "months_since_first_credit": 80,
    "card_utilisation_percent": 10, "guarantees_given_yuan": 0, "loan_to_revenue_percent": 10,
    "term_months": 12, "age_years": 40, "age_at_maturity_years": 42, "amount_yuan": 60_000,
    "unsecured_total_yuan": 60_000, "report_age_days": 3, "repayment": "instalment",
    "groups": ("graduate", "online_merchant"), "talent_tier": "T3", "hire_share_percent": 20,
    "days_past_due_now": 0, "repair_applied": "no", "dishonest_debtor": "no", "aml_listed": "no",
    "park_resident": "yes", "automated_decision": "yes",
}  # fmt: skip


def rows_of(
    editions: Editions, codes: frozenset[str], *, n: int, seed: int, on: date
) -> Iterator[Row]:
    """So many rows: good ones with more and more drawn at random, two in three of it at an edge."""
    random, edges = Random(seed), edges_of(editions)
    villages = sorted(codes)
    for i in range(n):
        row: Row = {"application_id": f"R-{i}", "village_code": random.choice(villages)}
        drawn = random.choice((0.05, 0.1, 0.2, 1.0))  # share of the values
        for name, good in GOOD.items():
            row[name] = good
            if random.random() < drawn:
                row[name] = _value(name, edges.get(name, []), random)
        longest, now = row["max_days_past_due_24m"], row["days_past_due_now"]
        if longest is not None and now is not None:
            row["days_past_due_now"] = min(longest, now)
        row["policy_loans"] = random.choice((0, 0, 0, 0, 1, 2, 3))
        row["policy_loan_overdue"] = random.choice(("no", "no", "no", "no", "yes", None))
        row["outstanding_yuan"] = random.choice((0, 0, 50_000, random.randrange(10**6)))
        row |= _days(random, on)
        yield row


def _value(name: str, edges: list[int], random: Random) -> Any:
    of = CATALOGUE[name]
    if name not in NEVER_UNKNOWN and random.random() < NOT_KNOWN:
        return None
    if name == "groups":
        return tuple(g for g in GROUPS if random.random() < 0.2)
    return random.choice(of.words) if of.words else _number(name, edges, random)


def _number(name: str, edges: list[int], random: Random) -> int:
    of = CATALOGUE[name]
    low, high = of.low or 0, of.high or 0
    where = random.random()
    if edges and where < 0.66:
        return min(max(random.choice(edges), low), high)
    if where < 0.72:
        return random.choice((low, high))
    top = min(high, max([*edges, 20]) * 2)
    return random.randrange(low, top + 1)


def _days(random: Random, on: date) -> Row:
    start = random.choice((None, on, on + timedelta(days=random.randrange(367))))
    first = start or on
    ahead = (on + timedelta(days=366) - first).days
    guarantee = random.choice((None, first, first + timedelta(days=random.randrange(ahead + 1))))
    return {"loan_start": start, "guarantee_start": guarantee}


def application_of(row: Mapping[str, Any], product: str, on: date) -> Application:
    """An application with what `decide` reads beside the characteristics."""
    scopes = ("credit_report", "income", "public_records")
    automated = ("automated_decision",) if row["automated_decision"] == "yes" else ()
    return Application(
        application_id="R", product=product, applied_on=on,
        applicant=Applicant(id_number=ID_NUMBER, village_code=row["village_code"]),
        loan=Loan(
            amount_yuan=row["amount_yuan"], term_months=row["term_months"], purpose=row["purpose"],
            repayment=row["repayment"], starts_on=row["loan_start"],
            guarantee_starts_on=row["guarantee_start"],
        ),
        consent=Consent(consent_id="C", given_on=on, scopes=(*scopes, *automated)),
    )  # fmt: skip


def decided(
    row: Mapping[str, Any], editions: Editions, *, on: date, patch: pytest.MonkeyPatch
) -> Row:
    """What `decide` says of a row, in the columns of a portfolio."""
    values = {name: row.get(name) for name, of in CATALOGUE.items() if of.use != "none"}
    values["town"] = TOWNS.get(row["village_code"][:9])
    patch.setattr(verb, "characteristics", lambda _: values)
    overdue = row["policy_loan_overdue"]
    exposure = Exposure(
        policy_loans=row["policy_loans"], outstanding_yuan=row["outstanding_yuan"],
        policy_loan_overdue=None if overdue is None else overdue == "yes",
    )  # fmt: skip
    decision = decide(application_of(row, editions.policy.content.product, on), editions, exposure)
    return answers_of(decision)


def answers_of(decision: verb.Decision) -> Row:
    """A decision in the columns of a portfolio."""
    document = decision.to_document()
    offer, guarantee = document["offer"] or {}, document["guarantee"] or {}
    reasons = [reason["code"] for reason in document["reasons"]] + [None] * 4
    return {
        "score": document["score"],
        "pd_12m": document["pd_12m"],
        "grade": document["grade"],
        "village_rating": document["village"]["rating"],
        "village_points": document["village"]["points"],
        "eligible": document["eligible"],
        "outcome": document["outcome"],
        "limit_yuan": offer.get("limit_yuan"),
        "offered_yuan": offer.get("amount_yuan"),
        "rate_bp": offer.get("rate_bp"),
        "subsidy_bp": offer.get("subsidy_bp"),
        "tier": guarantee.get("tier"),
        "bank_percent": guarantee["shares_percent"]["bank"] if guarantee else None,
        "expected_loss_yuan": guarantee["expected_loss_yuan"]["total"] if guarantee else None,
        **{f"reason_{n}": code for n, code in enumerate(reasons[:4], 1)},
        **{name: edition["digest"] for name, edition in document["editions"].items()},
    }


def row_of(application: Application, editions: Editions) -> Row:
    """What a portfolio holds of a real application, by the names of the CATALOGUE."""
    vouched, _ = verb._vouched(application, editions.policy.content)
    loan = application.loan
    return characteristics(vouched) | {
        "application_id": application.application_id,
        "village_code": application.applicant.village_code,
        "policy_loans": 0, "policy_loan_overdue": None, "outstanding_yuan": 0,
        "loan_start": loan.starts_on, "guarantee_start": loan.guarantee_starts_on,
    }  # fmt: skip


def arrow(rows: list[Row]) -> pa.Table:
    """The rows as a table, each column of the type that its field is kept as."""
    types = {
        "whole": pa.int64(), "word": pa.string(), "words": pa.list_(pa.string()),
        "day": pa.date32(), "code": pa.string(),
    }  # fmt: skip
    names = [name for name in rows[0] if name in FIELDS or name == "application_id"]
    return pa.table({
        name: pa.array([r[name] for r in rows], types[FIELDS[name].kind])
        if name in FIELDS
        else pa.array([r[name] for r in rows])
        for name in names
    })  # fmt: skip


def scored(
    path: Path, out: Path, editions: Editions, codes: frozenset[str], on: date, **more: Any
) -> Summary:
    """A portfolio run of this file."""
    order = Order(given=str(path), out=out, editions=editions, village_codes=codes, on=on, **more)
    return score(order)


def answers_in(out: Path) -> list[Row]:
    """Every row of a run into parts of parquet, in order."""
    tables = [pq.read_table(path) for path in sorted(out.glob("part-*.parquet"))]
    rows: list[Row] = pa.concat_tables(tables).to_pylist()
    return rows


def agree(found: list[Row], rows: list[Row], wanted: Iterator[Row]) -> None:
    """All of them, or the first row that differs."""
    assert len(found) == len(rows)
    for got, row, want in zip(found, rows, wanted, strict=True):
        told = {name: got[name] for name in want}
        assert told == want, (row["application_id"], told, want)
