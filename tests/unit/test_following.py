"""Following: the tables held against the entries, loans let go of one by one or at the end."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from loansvc.ledger import Reading, following
from loansvc.ledger.book import take
from loansvc.ledger.chain import Entry
from loansvc.ledger.commitments import Fact
from loansvc.ledger.entries import NO_EDITIONS
from loansvc.ledger.fund import LOAN_COLUMNS, FundWriting
from loansvc.privacy import Privacy
from loansvc.underwriting import Underwriting, stamp
from loansvc.web.examples import invented_id_number
from tests import databases
from tests.small import TODAY, Clock, a_fact, small_underwriting, with_fund
from tests.unit.test_lending import CAPITAL, decided, report

REPAID, LAPSED, CLAIMED, DRAWN, ERASED, OPEN = 2, 3, 4, 5, 6, 14  # sequences of the approvals
N_ENTRIES = 14


@pytest.fixture(params=[1, 1000], ids=["one at once", "a thousand at once"])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """After how many changes loans are looked for in their table."""
    monkeypatch.setattr(following, "ROWS_AT_ONCE", request.param)
    return int(request.param)


@pytest.fixture
def root(tmp_path: Path, models: Path, both_databases: str) -> Underwriting:
    """A loan of each fate: repaid, lapsed, claimed, drawn, of a person erased, and open."""
    clock = Clock()
    root = small_underwriting(tmp_path, models=models, clock=clock)
    with_fund(root, CAPITAL)
    names = [decided(root, number)[0] for number in range(1, 6)]
    report(
        root, names[0], a_fact("disbursed", 100_000), a_fact("balance", 50_000), a_fact("repaid")
    )
    report(root, names[2], a_fact("disbursed", 90_000), a_fact("claim_paid", 1_000))
    report(root, names[3], a_fact("disbursed", 80_000))
    clock.forward(days=31)
    erased = {"reason": "withdrawn", "reference": "E-1", "by": "bank", "approver": "officer"}
    Privacy(root).erase(invented_id_number(5), **erased)
    decided(root, 6)
    return root


def told(root: Underwriting) -> list[tuple[int, str]]:
    return [(problem.sequence, problem.what) for problem in root.ledger.verify()[1]]


def test_what_the_entries_add_up_to_is_what_the_tables_have(
    root: Underwriting, at_once: int
) -> None:
    assert root.ledger.verify() == (N_ENTRIES, [])


@pytest.mark.parametrize("loan", [REPAID, LAPSED, CLAIMED, DRAWN, OPEN])
def test_a_change_of_any_column_of_any_loan_is_found(
    root: Underwriting, tmp_path: Path, at_once: int, loan: int
) -> None:
    where = f"WHERE sequence = {loan}"
    for name in LOAN_COLUMNS[1:]:
        [(value,)] = databases.sql(tmp_path / "home", f"SELECT {name} FROM commitment {where}")
        other = f"'{value[:-1]}#'" if isinstance(value, str) else str(value + 1)
        was = f"'{value}'" if isinstance(value, str) else str(value)
        databases.sql(tmp_path / "home", f"UPDATE commitment SET {name} = {other} {where}; ")
        assert told(root) == [(loan, "its loan is not what the entries add up to")], name
        databases.sql(tmp_path / "home", f"UPDATE commitment SET {name} = {was} {where}")
    assert told(root) == []


def test_loans_of_somebody_erased_that_are_there_again_are_found(
    root: Underwriting, tmp_path: Path, at_once: int
) -> None:
    """As they were when the erasure came, so that until then nothing is wrong with them."""
    columns = ", ".join(LOAN_COLUMNS)
    [(ref,)] = databases.sql(
        tmp_path / "home", f"SELECT subject_ref FROM entry WHERE sequence = {ERASED}"
    )
    of_another = columns.replace("sequence", str(ERASED)).replace("subject_ref", f"'{ref}'")
    [entry] = databases.sql(
        tmp_path / "home",
        f"SELECT application_id, decision_id FROM entry WHERE sequence = {ERASED}",
    )
    for name, value in zip(("application_id", "decision_id"), entry, strict=True):
        of_another = of_another.replace(name, f"'{value}'")
    databases.sql(
        tmp_path / "home",
        f"INSERT INTO commitment ({columns}) SELECT {of_another} FROM commitment "
        f"WHERE sequence = {LAPSED}",
    )
    assert told(root) == [(ERASED, "its loan is not what the entries add up to")]


def append_unasked(
    root: Underwriting, about: int, fact: Fact, monkeypatch: Any, **more: int
) -> None:
    """A fact that somebody with all keys entered although it contradicts what is recorded."""
    monkeypatch.setattr(FundWriting, "take", lambda *_: None)
    with root.ledger.writing() as ledger:
        entry = entry_at(ledger, about)
        fields = {"decided_at": stamp(root.clock()), "client": entry.client} | NO_EDITIONS
        ledger.append(
            ledger.subject_of(entry.subject_ref), {"outcome": fact.to_record(), **more},
            kind="outcome",
            application_id=entry.application_id, decision_id="out_forged", product=entry.product,
            outcome=fact.kind, **fields,
        )  # fmt: skip


def entry_at(ledger: Reading, sequence: int) -> Entry:
    return next(entry for entry, _ in ledger.all_recorded() if entry.sequence == sequence)


@pytest.mark.parametrize("loan", [REPAID, LAPSED])
def test_a_fact_about_a_loan_that_is_over_is_found(
    root: Underwriting, at_once: int, loan: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the loan was let go of long ago."""
    fact = a_fact("balance", 1, on=TODAY + timedelta(days=1))
    append_unasked(root, loan, fact, monkeypatch)
    assert told(root) == [(N_ENTRIES + 1, "it holds what no entry can hold")]


@pytest.mark.parametrize("corrects", [DRAWN, N_ENTRIES + 1])
def test_a_correction_of_what_is_no_report_of_the_loan_is_found(
    root: Underwriting, at_once: int, corrects: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fact = a_fact("withdrawn", corrects="disbursed")
    append_unasked(root, DRAWN, fact, monkeypatch, corrects=corrects)
    assert told(root) == [(N_ENTRIES + 1, "it holds what no entry can hold")]


def test_a_loan_is_made_anew_after_it_was_let_go_of(
    root: Underwriting, at_once: int, tmp_path: Path
) -> None:
    with root.ledger.reading() as ledger:
        loan = entry_at(ledger, DRAWN)
    late = a_fact("days_past_due", days=95, reference="P-1", on=TODAY + timedelta(days=31))
    report(root, loan.application_id, late, a_fact("withdrawn", corrects="P-1"))
    assert told(root) == []
    databases.sql(
        tmp_path / "home", f"UPDATE commitment SET most_days_past_due = 95 WHERE sequence = {DRAWN}"
    )
    assert told(root) == [(DRAWN, "its loan is not what the entries add up to")]


def test_a_loan_goes_on_after_it_was_let_go_of(
    root: Underwriting, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its table has it as before a fact that never came there."""
    append_unasked(root, DRAWN, a_fact("balance", 1), monkeypatch)
    assert told(root) == [
        (DRAWN, "its loan is not what the entries add up to"),
        (N_ENTRIES + 1, "the fund's account is not what the entries add up to"),
    ]


def test_only_loans_that_may_change_are_kept_in_memory(
    root: Underwriting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "ROWS_AT_ONCE", 1)
    with root.ledger.reading() as reading:
        loans = following.Loans(reading.connection, reading.vault)
        for entry, payload in reading.all_recorded():
            take(loans, entry, payload, reading.reports_before)
        assert list(loans.rows) == [OPEN]
        assert list(loans.others()) == []
