"""`loansvc import-outcomes`: many reports from a file, each recorded or refused by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loansvc.cli import importing
from loansvc.errors import LedgerUnavailable
from loansvc.ledger import Ledger
from loansvc.lending import Lending
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting, now
from loansvc.web.examples import example_application
from loansvc.web.schemas import load_application
from loansvc.web.strict_json import MOST_BYTES, loads
from tests.contract.test_cli import Shell, file, home, models, shell
from tests.small import CODES

__all__ = ["file", "home", "models", "shell"]  # fixtures

IMPORT = ("import-outcomes", "--client", "bank")
TODAY = f"{now().date()}"


def decided(root: Underwriting, number: int) -> None:
    """An approval, its application_id LOAN-number."""
    document = example_application("credit_loan", today=root.today(), number=number)
    application = load_application(
        document | {"application_id": f"LOAN-{number}"}, today=root.today(), village_codes=CODES
    )
    assert root.decide(application, client="bank")[0].decision["outcome"] == "approve"


@pytest.fixture
def loans(home: Path, shell: Shell) -> Underwriting:
    """Three approvals of the client bank."""
    root = Underwriting.open(Settings.from_environment(), create=True)
    for number in (1, 2, 3):
        decided(root, number)
    return root


def a_row(name: str, kind: str = "disbursed", amount: int | None = 1_000, **more: Any) -> Any:
    row = {"application_id": name, "reference": f"{kind}-1", "kind": kind, "on": TODAY,
           "amount_yuan": amount, **more}  # fmt: skip
    return {key: value for key, value in row.items() if value is not None}


def ndjson(path: Path, *rows: Any) -> str:
    path.write_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    return str(path)


ROWS = [
    *(a_row(f"LOAN-{number}") for number in (1, 2, 3)),
    a_row("LOAN-2", "days_past_due", None, days=31),
]
CSV = f"""application_id,reference,kind,on,amount_yuan,days
LOAN-1,disbursed-1,disbursed,{TODAY},1000,
LOAN-2,disbursed-1,disbursed,{TODAY},1000,

"LOAN-3",disbursed-1,disbursed,{TODAY},1000,
LOAN-2,days_past_due-1,days_past_due,{TODAY},,31
"""


def counts(recorded: int, before: int, refused: int) -> dict[str, int]:
    return {"recorded": recorded, "recorded_before": before, "refused": refused}


def test_the_same_file_again_changes_nothing(
    shell: Shell, loans: Underwriting, tmp_path: Path
) -> None:
    """Nor does the same as CSV, with the mark that Excel writes before it and its line ends."""
    path = ndjson(tmp_path / "reports.ndjson", *ROWS)
    assert shell.json(*IMPORT, path) == counts(4, 0, 0)
    assert shell(*IMPORT, path) == (0, "recorded 0   recorded before 4   refused 0\n", "")
    table = tmp_path / "reports.csv"
    table.write_bytes(b"\xef\xbb\xbf" + CSV.replace("\n", "\r\n").encode())
    assert shell.json(*IMPORT, str(table)) == counts(0, 4, 0)
    assert loans.ledger.verify() == (7, [])
    found = Lending(loans).outcomes("LOAN-2", client="bank")["loan"]
    assert (found["state"], found["most_days_past_due"]) == ("drawn", 31)


REFUSED: list[tuple[Any, str, list[str]]] = [
    (a_row("LOAN-9"), "not_found", []),
    (a_row("LOAN-1", amount=None), "invalid_outcome", ["/amount_yuan"]),
    (a_row("LOAN-1", amount="1000"), "invalid_outcome", ["/amount_yuan"]),  # type: ignore[arg-type]
    (a_row("LOAN-1", "lost", 1, reference=""), "invalid_outcome", ["/reference", "/kind"]),
    ({"kind": "repaid"}, "invalid_outcome", ["/reference", "/on", "/application_id"]),
    (a_row("LOAN-1", "repaid", None), "not_disbursed", []),
    ([1], "invalid_outcome", [""]),
]


def test_a_refused_row_keeps_no_other_from_being_recorded(
    shell: Shell, loans: Underwriting, tmp_path: Path
) -> None:
    """Told by line and reason, in the words of the API, and without what stands in the row."""
    rejects = tmp_path / "rejects.ndjson"
    rows = [row for row, _, _ in REFUSED]
    path = ndjson(tmp_path / "reports.ndjson", *rows, a_row("LOAN-1"))
    with Path(path).open("ab") as file:
        file.write(b"{}}\n\n" + b'{"a": "' + b"x" * (3 * MOST_BYTES) + b'"}\n')
        file.write(json.dumps(a_row("LOAN-2")).encode())  # the last line need not end
    status, out, err = shell(*IMPORT, path, "--rejects", str(rejects), "--json")
    assert (status, json.loads(out), err) == (1, counts(2, 0, 9), "")
    told = [json.loads(line) for line in rejects.read_text("utf-8").splitlines()]
    said = [(row["line"], row["code"], [e["pointer"] for e in row["errors"]]) for row in told]
    assert said == [
        *((i, code, at) for i, (_, code, at) in enumerate(REFUSED, start=1)),
        (9, "not_json", []), (11, "body_too_large", []),
    ]  # fmt: skip
    assert {key for row in told for key in row} == {"line", "code", "detail", "errors"}
    assert "LOAN" not in rejects.read_text("utf-8")
    assert loans.ledger.verify() == (5, [])


def test_refusals_are_lines_on_standard_error(
    shell: Shell, loans: Underwriting, tmp_path: Path
) -> None:
    path = tmp_path / "reports.csv"
    path.write_text(
        f"on,kind,reference,application_id,amount_yuan\n{TODAY},disbursed,D,LOAN-1,1.5\n"
        f'{TODAY},disbursed,D,LOAN-1\n{TODAY},"disbursed,D,LOAN-1,5\n{TODAY},repaid,R,LOAN-1,\n'
    )
    status, out, err = shell(*IMPORT, str(path))
    assert (status, out) == (1, "recorded 0   recorded before 0   refused 4\n")
    assert err.splitlines() == [
        "line 2: Some fields need correcting.  /amount_yuan Must be a whole number, not quoted.",
        "line 3: The line has more or fewer fields than the first line. Correct it.",
        "line 4: The line is not CSV. Correct its quotes.",
        "line 5: The loan is not disbursed yet. Report its disbursement first.",
    ]


@pytest.mark.parametrize(
    "first",
    [
        "application_id,reference,kind",
        "application_id,reference,kind,on,on",
        "application_id,reference,kind,on,id_number",
        "",
    ],
)
def test_a_table_with_other_columns_is_refused_whole(
    shell: Shell, loans: Underwriting, tmp_path: Path, first: str
) -> None:
    path = tmp_path / "reports.csv"
    path.write_text(f"{first}\n{CSV.split(chr(10), 1)[1]}" if first else "")
    status, out, err = shell(*IMPORT, str(path))
    assert (status, out) == (1, "")
    assert "The first line must name fields of a report" in err
    assert loans.ledger.verify() == (3, [])


def test_many_rows_are_read_a_few_at_a_time(
    shell: Shell, loans: Underwriting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounds of any length record the same, in order: each balance is that of a later row."""
    monkeypatch.setattr(importing, "ROWS_AT_ONCE", 7)
    rows = [a_row("LOAN-1"), *(
        a_row("LOAN-1", "balance", 1_000 - n, reference=f"B-{n}") for n in range(30)
    )]  # fmt: skip
    bad = [a_row("LOAN-9")] * 20
    path = ndjson(tmp_path / "reports.jsonl", *bad, *rows)
    status, out, _ = shell(*IMPORT, path, "--json")
    assert (status, json.loads(out)) == (1, counts(31, 0, 20))
    loan = Lending(loans).outcomes("LOAN-1", client="bank")["loan"]
    assert loan["outstanding_yuan"] == 971


def test_it_rests_while_others_write(loans: Underwriting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here somebody is decided each time that a row was refused."""
    monkeypatch.setattr(importing, "ROWS_AT_ONCE", 1)
    numbers, rests = iter((4, 5)), list[float]()

    def somebody_writes(*_: object) -> None:
        decided(loans, next(numbers))

    documents = [*ROWS[:2], a_row("LOAN-9"), ROWS[2], a_row("LOAN-9")]
    lines = iter([(n, json.dumps(row).encode()) for n, row in enumerate(documents, start=1)])
    found = importing.record_all(
        loans, lines, loads, client="bank", refuse=somebody_writes, rest=rests.append
    )
    assert found == counts(3, 0, 2)
    assert len(rests) == 2
    assert all(0 < rest <= 1 for rest in rests)


def test_what_stops_an_import_half_way_is_made_good_by_the_same_file(
    shell: Shell, loans: Underwriting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "ROWS_AT_ONCE", 2)
    path = ndjson(tmp_path / "reports.ndjson", *ROWS)
    rejects = tmp_path / "rejects.ndjson"
    whole, rounds = Ledger.round, []

    def one_round(ledger: Ledger) -> Any:
        rounds.append(1)
        if len(rounds) == 2:
            raise LedgerUnavailable
        return whole(ledger)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "round", one_round)
        status, out, err = shell(*IMPORT, path, "--rejects", str(rejects))
    assert (status, out) == (1, "")
    assert "Import the same file again" in err
    assert not list(tmp_path.glob("*rejects*"))
    assert shell.json(*IMPORT, path) == counts(2, 2, 0)
    assert loans.ledger.verify() == (7, [])


def test_another_ending_is_wrong_usage(shell: Shell, loans: Underwriting, tmp_path: Path) -> None:
    path = tmp_path / "reports.txt"
    path.write_text("")
    assert shell(*IMPORT, str(path))[0] == 2
