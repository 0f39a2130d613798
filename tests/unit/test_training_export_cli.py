"""card export: the file that was asked for, or what to ask for instead."""

import zipfile
from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner
from openpyxl import load_workbook

from loansvc.cli.exporting import DIALECTS, export_
from loansvc.training.card import Card
from loansvc.training.export import sql
from tests.unit.test_training_columns import DOCUMENT


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return Card.of(DOCUMENT).write(tmp_path / "card.json")


def test_every_format_is_written(card: Path, tmp_path: Path) -> None:
    wanted = {
        "sql": ["--dialect", "duckdb", "--table", "risk.people", "--key", "id", "--points"],
        "pmml": [], "onnx": [], "excel": [], "bundle": [],
    }  # fmt: skip
    for format_, more in wanted.items():
        out = tmp_path / "new" / format_
        run = CliRunner().invoke(export_, [str(card), "--to", format_, "--out", str(out), *more])
        assert (run.exit_code, run.output) == (
            0, f"{out}   {format_}   card {Card.of(DOCUMENT).digest}\n"
        )  # fmt: skip
    folder, read = tmp_path / "new", Card.of(DOCUMENT)
    assert (folder / "sql").read_text() == read.to_sql(
        "duckdb", table="risk.people", key=["id"], points=True
    )
    assert (folder / "pmml").read_text() == read.to_pmml()
    assert onnx.load(folder / "onnx").producer_name == "loansvc"
    with (folder / "excel").open("rb") as file:
        assert load_workbook(file)["Score"]["A1"].value == "Scorecard 评分卡 people"
    assert "score.py" in zipfile.ZipFile(folder / "bundle").namelist()


def test_the_dialects_are_those_of_the_export() -> None:
    """Named twice, so that the command line need not load sqlglot to say its help."""
    assert DIALECTS == sql.DIALECTS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--to", "sql"], "--to sql needs --dialect", id="no dialect"),
        pytest.param(["--to", "pmml", "--dialect", "mysql"], "are of --to sql", id="not of SQL"),
        pytest.param(["--to", "word"], "'word' is not one of", id="no such format"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    card: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    run = CliRunner().invoke(export_, [str(card), "--out", str(tmp_path / "x"), *arguments])
    assert run.exit_code == 2
    assert message in run.output
    assert not (tmp_path / "x").exists()


def test_the_card_itself_is_not_written_over(card: Path) -> None:
    run = CliRunner().invoke(export_, [str(card), "--to", "pmml", "--out", str(card)])
    assert (run.exit_code, Card.read(card).digest) == (2, Card.of(DOCUMENT).digest)
