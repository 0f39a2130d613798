"""Commitments: what a loan holds of the fund after each fact, and what contradicts the record."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from loansvc.errors import OutcomeRefused
from loansvc.ledger.commitments import Account, Commitment, Fact

DECIDED = date(2026, 11, 23)
OFFER = Commitment(
    sequence=1, client="bank", application_id="A-1", decision_id="dec_1", subject_ref="s",
    offered_yuan=100_000, fund_percent=40, lapses_at="2026-12-23T12:00:00.000+08:00",
    state="reserved", outstanding_yuan=100_000, fund_yuan=40_000,
)  # fmt: skip


def fact(kind: str, amount_yuan: int | None = None, on: str = "2026-12-01", **more: Any) -> Fact:
    day = date.fromisoformat(on)
    return Fact(reference="R", kind=kind, on=day, amount_yuan=amount_yuan, **more)


def loan(*facts: Fact) -> Commitment:
    """A loan of 80,000 of the 100,000 offered, and what became of it."""
    commitment = OFFER.after(fact("disbursed", 80_000, on="2026-11-25"))
    for one in facts:
        commitment = commitment.after(one)
    return commitment


def held(commitment: Commitment) -> tuple[str, int, int]:
    return commitment.state, commitment.outstanding_yuan, commitment.fund_yuan


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param([], ("drawn", 80_000, 32_000), id="what was not drawn is free again"),
        pytest.param([fact("balance", 50_001)], ("drawn", 50_001, 20_001), id="rounded up"),
        pytest.param([fact("balance", 9), fact("balance", 70_000)], ("drawn", 70_000, 28_000),
                     id="a later report corrects an earlier one"),
        pytest.param([fact("balance", 50_000), fact("balance", 70_000, on="2026-11-30")],
                     ("drawn", 50_000, 20_000), id="a late report of an earlier day"),
        pytest.param([fact("claim_paid", 12_000)], ("drawn", 80_000, 20_000), id="a claim"),
        pytest.param([fact("claim_paid", 12_000), fact("balance", 40_000)],
                     ("drawn", 40_000, 4_000), id="a balance after a claim"),
        pytest.param([fact("claim_paid", 32_000), fact("balance", 40_000)],
                     ("drawn", 40_000, 0), id="the whole share is paid"),
        pytest.param([fact("written_off")], ("written_off", 80_000, 32_000),
                     id="written off: the claim may still come"),
        pytest.param([fact("written_off"), fact("claim_paid", 32_000)], ("written_off", 80_000, 0),
                     id="a claim after writing off"),
        pytest.param([fact("repaid")], ("repaid", 0, 0), id="repaid"),
        pytest.param([fact("written_off"), fact("repaid")], ("repaid", 0, 0), id="recovered"),
        pytest.param([fact("days_past_due", days=31)], ("drawn", 80_000, 32_000), id="in arrears"),
    ],
)  # fmt: skip
def test_a_loan_holds_the_share_of_what_is_outstanding(
    facts: list[Fact], expected: tuple[str, int, int]
) -> None:
    assert held(loan(*facts)) == expected


@pytest.mark.parametrize(
    ("commitment", "refused", "code"),
    [
        (OFFER, fact("balance", 1), "not_disbursed"),
        (OFFER, fact("disbursed", 100_001), "more_than_offered"),
        (OFFER, fact("disbursed", 1, on="2026-11-22"), "before_decision"),
        (OFFER.lapse(), fact("disbursed", 1), "offer_lapsed"),
        (loan(), fact("disbursed", 1), "already_disbursed"),
        (loan(), fact("balance", 80_001), "more_than_disbursed"),
        (loan(), fact("balance", 1, on="2026-11-24"), "before_disbursement"),
        (loan(), fact("claim_paid", 32_001), "more_than_fund_share"),
        (loan(fact("balance", 1)), fact("repaid", on="2026-11-30"), "before_balance"),
        (loan(fact("written_off")), fact("written_off"), "already_written_off"),
        (loan(fact("repaid")), fact("balance", 1), "loan_repaid"),
        (loan(fact("repaid")), fact("claim_paid", 1), "loan_repaid"),
    ],
)
def test_what_contradicts_the_record_is_refused(
    commitment: Commitment, refused: Fact, code: str
) -> None:
    with pytest.raises(OutcomeRefused) as error:
        commitment.after(refused)
    assert error.value.code == code


@pytest.mark.parametrize(
    ("facts", "overdue"),
    [
        ([], False),
        ([fact("days_past_due", days=0)], False),
        ([fact("days_past_due", days=1), fact("days_past_due", days=0)], True),
        ([fact("restructured")], True),
        ([fact("written_off")], True),
        ([fact("claim_paid", 1)], True),
        ([fact("repaid")], False),
        ([fact("days_past_due", days=1), fact("repaid")], True),
    ],
)
def test_trouble_with_a_loan_is_never_forgotten(facts: list[Fact], *, overdue: bool) -> None:
    assert loan(*facts).overdue is overdue


def test_an_account_is_the_sum_of_what_is_held() -> None:
    drawn, claimed = loan(), loan(fact("claim_paid", 2_000))
    account = Account().stated(1_000_000, 1).moved(None, OFFER)
    assert (account.reserved_yuan, account.drawn_yuan) == (40_000, 0)
    account = account.moved(OFFER, drawn)
    assert (account.reserved_yuan, account.drawn_yuan, account.carried_yuan) == (0, 32_000, 32_000)
    account = account.moved(drawn, claimed)
    assert (account.drawn_yuan, account.capital_left_yuan) == (30_000, 998_000)
    assert account.compensation_rate_bp == 625  # 2,000 of 32,000


def test_a_new_capital_begins_a_new_count_of_claims() -> None:
    account = Account(capital_yuan=10, drawn_yuan=30_000, claims_yuan=5, carried_yuan=90_000)
    stated = account.stated(500, 7)
    assert (stated.capital_left_yuan, stated.compensation_rate_bp) == (500, 0)
    assert (stated.carried_yuan, stated.guaranteed_yuan) == (30_000, 30_000)


def test_a_fact_is_read_back_as_it_was_recorded() -> None:
    for one in (fact("balance", 0), fact("days_past_due", days=3), fact("repaid")):
        assert Fact.from_record(one.to_record()) == one
