"""What a spreadsheet would run: names go in, and no cell of an export comes out as a formula."""

from __future__ import annotations

import copy
import csv
import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from loansvc.errors import TableRefused
from loansvc.training.card import Card
from loansvc.training.export.excel import to_excel
from loansvc.web.schemas import load_application
from tests.contract.test_cli_report import PERIOD
from tests.shell import run
from tests.small import (
    CODES,
    REGISTER,
    TODAY,
    a_document,
    small_models,
    small_underwriting,
)
from tests.unit.test_training_columns import DOCUMENT

PAYLOADS = (
    "=1+1", "+1+1", "-1+1", "@SUM(1+1)", "\t=1+1", "\r=1+1", "\x00=1+1", "＝1+1", "＋1+1", "－1+1",
    "＠SUM(1)", " =1+1", "\n=1+1", "\u3000=1+1", "\u200b=1+1", "\ufeff=1+1", '=HYPERLINK("http://x")',
    "=cmd|'/C calc'!A0", "-2+3+cmd|'/C calc'!A0", '"=1+1"', "'=1+1", "=1;=2",
)  # fmt: skip
STARTS = tuple("=+-@\t\r\n\x00＝＋－＠")
IDS = [ascii(payload) for payload in PAYLOADS]


def formulas(rows: list[list[str]]) -> list[str]:
    """The cells that a spreadsheet would run: what it may skip before them is left out."""
    return [
        c
        for row in rows
        for c in row
        if c.lstrip(" \u3000\u200b\ufeff").startswith(STARTS) and not number(c)
    ]


def number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell == cell.strip()


def read_csv(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))


def test_there_are_22_and_each_is_known_for_one() -> None:
    assert len(PAYLOADS) == 22
    assert formulas([list(PAYLOADS)]) == [p for p in PAYLOADS if p[0] not in "'\""]
    assert formulas([["-5", "1e-3", "王潭村", "a=b", "'=1"]]) == []


def test_a_report_of_villages_that_are_named_so_holds_no_formula(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Register, three people of each village, report as CSV, read again."""
    villages = [
        {**REGISTER["villages"][0], "code": f"3405211022{n:02d}", "name": name, "town": name}
        for n, name in enumerate(PAYLOADS)
    ]
    codes = frozenset(v["code"] for v in villages)
    monkeypatch.setattr("tests.small.REGISTER", {**REGISTER, "villages": villages})
    models = small_models(tmp_path)
    root = small_underwriting(tmp_path, models=models)
    for n, code in enumerate(sorted(codes) * 3):
        document = a_document(n, applicant__village_code=code, consent__consent_id=PAYLOADS[n % 22])
        if any(not c.isprintable() for c in PAYLOADS[n % 22]):
            document["consent"]["consent_id"] = "C-1"
        root.decide(
            load_application(document, today=TODAY, village_codes=codes | CODES), client="bank"
        )
    root.ledger._engine.dispose()
    monkeypatch.setenv("LOANSVC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOANSVC_MODELS", str(models))
    assert run(capfd, monkeypatch, "report", *PERIOD, "--csv", tmp_path / "r.csv")[0] == 0
    rows = read_csv((tmp_path / "r.csv").read_bytes())
    assert formulas(rows) == []
    named = {row[2].removeprefix("'") for row in rows if row[0] == "village"}
    for payload in PAYLOADS:  # what was written is read again
        assert any(name.startswith(payload.removeprefix("'")) for name in named), payload


def card_of(payload: str) -> Card:
    """A card whose characteristic, words and statement are that text."""
    document: dict[str, Any] = copy.deepcopy({k: v for k, v in DOCUMENT.items() if k != "pairs"})
    job = document["characteristics"].pop("job")
    job["words"] = [payload, "3"]
    job["bins"][0]["words"] = [payload]
    document["characteristics"][payload] = job
    return Card.of(document | {"statement": payload})


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_a_workbook_keeps_such_names_as_texts(payload: str) -> None:
    """Or refuses the card, where a cell cannot hold the name at all."""
    try:
        data = to_excel(card_of(payload))
    except TableRefused:
        assert any(c < " " and c not in "\t\n" for c in payload)
        return
    book = load_workbook(io.BytesIO(data))
    cells = [c for sheet in book.worksheets for row in sheet.iter_rows() for c in row]
    assert {c.parent.title for c in cells if c.data_type == "f"} == {"Score"}
    texts = [c for c in cells if isinstance(c.value, str) and c.data_type != "f"]
    assert all(c.data_type == "s" and c.quotePrefix for c in texts)
    assert sum(payload in c.value for c in texts) >= 3


@pytest.mark.parametrize("part", ["statement", "zh", "en"])
def test_a_text_that_no_cell_can_hold_is_refused_wherever_it_stands(part: str) -> None:
    document: dict[str, Any] = copy.deepcopy(DOCUMENT)
    place = document if part == "statement" else document["characteristics"]["age"]
    place[part] = "a\x07"
    with pytest.raises(TableRefused, match="which Excel cannot hold"):
        to_excel(Card.of(document))


def test_scores_of_a_file_with_such_keys_hold_no_formula(tmp_path: Path) -> None:
    """Of the bundle that scores offline: key, words, reasons and texts are carried over."""
    payloads = [p for p in PAYLOADS if "\x00" not in p]
    with zipfile.ZipFile(card_of("=1+1").to_bundle(tmp_path / "card.zip")) as archive:
        archive.extractall(tmp_path)
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("@key", "age", "=1+1"))
        writer.writerows((payload, 20, "3") for payload in payloads)
    command = [sys.executable, "-I", "-S", "score.py", "in.csv", "out.csv", "--key", "@key"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    rows = read_csv((tmp_path / "out.csv").read_bytes())
    assert formulas(rows) == []
    assert [r[0].removeprefix("'") for r in rows[1:]] == [p.removeprefix("'") for p in payloads]
    assert {r[3].removeprefix("'") for r in rows[1:]} == {"age:-20;=1+1:-10"}


def test_a_key_that_is_a_number_stays_one(tmp_path: Path) -> None:
    with zipfile.ZipFile(card_of("job").to_bundle(tmp_path / "card.zip")) as archive:
        archive.extractall(tmp_path)
    (tmp_path / "in.csv").write_text("key,age,job\n-5,20,3\n+7,20,3\n1e5,20,3\n", "utf-8")
    command = [sys.executable, "-I", "-S", "score.py", "in.csv", "out.csv", "--key", "key"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    rows = read_csv((tmp_path / "out.csv").read_bytes())
    assert [r[0] for r in rows[1:]] == ["-5", "+7", "1e5"]
