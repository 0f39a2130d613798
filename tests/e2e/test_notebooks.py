"""The notebooks run from top to bottom, and what they print is true."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from loansvc.application import MODEL_CHARACTERISTICS
from loansvc.editions import digest_of
from loansvc.training.synthetic import generate

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SECONDS_PER_CELL = 120
LEAST_FIGURES = 3


@pytest.fixture
def kernel_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the kernel's own files out of the home directory, and it to one core."""
    for name in ("IPYTHONDIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def run(path: Path, **parameters: object) -> nbformat.NotebookNode:
    """The notebook with its outputs, its parameter cell followed by these values."""
    notebook = nbformat.read(path, as_version=4)
    cell = next(c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    cell.source += "".join(f"\n{name} = {value!r}" for name, value in parameters.items())
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=SECONDS_PER_CELL,
        resources={"metadata": {"path": str(path.parent)}},
    )
    return client.execute()


def outputs(notebook: nbformat.NotebookNode) -> list[Any]:
    """What all cells put out, in order."""
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def check_report(notebook: nbformat.NotebookNode) -> Path:
    """Figures, no warnings, and path and digest at the end, both right; the path."""
    found = outputs(notebook)
    figures = [o for o in found if "image/png" in o.get("data", {})]
    assert len(figures) >= LEAST_FIGURES
    assert not any("<Figure" in str(o.get("data", {})) for o in found if o not in figures)
    warned = [o.text for o in found if o.get("name") == "stderr" and "Warning" in o.text]
    assert warned == [], "a warning, such as of a glyph that the font lacks"
    # The kernel may send what one cell prints in several pieces.
    path, digest = "".join(o.text for o in notebook.cells[-1].outputs).splitlines()
    assert digest == digest_of(Path(path).read_bytes())
    return Path(path)


def printed(notebook: nbformat.NotebookNode) -> str:
    """Everything that was printed."""
    return "".join(o.text for o in outputs(notebook) if o.get("name") == "stdout")


@pytest.mark.usefixtures("kernel_home")
def test_exploring_catches_the_column_that_knows_the_outcome() -> None:
    """The made-up leak is named; the card in force is named by path and digest."""
    notebook = run(NOTEBOOKS / "1_explore_history.ipynb", N_APPLICANTS=12_000)
    check_report(notebook)
    assert "made_up_term alone tells bad from good" in printed(notebook)


@pytest.mark.usefixtures("kernel_home")
def test_training_publishes_a_card_that_another_person_approved(tmp_path: Path) -> None:
    """The model card lies beside the card; the developer was refused as approver."""
    notebook = run(
        NOTEBOOKS / "2_train_scorecard.ipynb", MODELS=str(tmp_path / "models"), N_APPLICANTS=8_000
    )
    path = check_report(notebook)
    assert path.with_suffix(".md").exists()
    assert "made this card and cannot approve it" in printed(notebook)


@pytest.mark.usefixtures("kernel_home")
def test_training_on_a_table_of_the_catalogue_publishes_what_says_how_it_was_made(
    tmp_path: Path,
) -> None:
    """A parquet file and what is stated of it are enough for a card of the product."""
    people = generate(8_000, seed=5).with_known_outcome()
    table = people.frame[list(MODEL_CHARACTERISTICS)].assign(gone=people.truth["is_bad"])
    table.astype({"gone": int}).to_parquet(tmp_path / "history.parquet")
    stated = {
        "storage": "made for this test",
        "impact_assessment_id": "EXAMPLE-1",
        "intended_use": "a test",
        "limits": ("a test",),
        "first_application": "2023-07-01",
        "last_application": "2024-12-31",
        "outcome_known_on": "2026-06-30",
    }
    notebook = run(
        NOTEBOOKS / "2_train_scorecard.ipynb", HISTORY=str(tmp_path / "history.parquet"),
        TARGET="gone", STATED=stated, MODELS=str(tmp_path / "models"),
    )  # fmt: skip
    path = check_report(notebook)
    assert path.parent.name == "credit_loan"
    assert "Published as a challenger of credit_loan" in printed(notebook)


@pytest.mark.usefixtures("kernel_home")
def test_training_on_any_other_table_writes_a_card_of_that_table(tmp_path: Path) -> None:
    """A CSV of other columns gives a card that is written and not published."""
    loans = pd.read_parquet(NOTEBOOKS / "data/sba_loans.parquet").sample(2_000, random_state=1)
    loans.to_csv(tmp_path / "other.csv", index=False)
    notebook = run(
        NOTEBOOKS / "2_train_scorecard.ipynb", HISTORY=str(tmp_path / "other.csv"),
        TARGET="target", EXCLUDE=("term", "approval_fy"), MODELS=str(tmp_path / "models"),
    )  # fmt: skip
    assert check_report(notebook) == tmp_path / "models" / "other.json"
    assert "Written, not published." in printed(notebook)


@pytest.mark.slow
@pytest.mark.usefixtures("kernel_home")
def test_validating_ends_in_a_challenger_that_its_maker_could_not_approve(tmp_path: Path) -> None:
    """However the maker's name is spelt."""
    notebook = run(
        NOTEBOOKS / "3_validate_and_publish.ipynb", MODELS=str(tmp_path / "models"),
        N_APPLICANTS=12_000, N_CHECK=12_000,
    )  # fmt: skip
    check_report(notebook)
    assert printed(notebook).count("made this card and cannot approve it") == 2


@pytest.mark.usefixtures("kernel_home")
def test_rating_villages_ends_in_a_register(tmp_path: Path) -> None:
    """With few loans, too, whatever weight the test leaves the village term."""
    notebook = run(
        NOTEBOOKS / "4_rate_villages.ipynb", MODELS=str(tmp_path / "models"), N_APPLICANTS=16_000
    )
    check_report(notebook)
    assert "the village term keeps weight" in printed(notebook)


@pytest.mark.slow
@pytest.mark.usefixtures("kernel_home")
def test_real_loans_end_in_a_card_without_the_leak(tmp_path: Path) -> None:
    """The term is named as a suspected leak, and no card scores it."""
    notebook = run(NOTEBOOKS / "5_real_loans.ipynb", FOLDER=str(tmp_path))
    path = check_report(notebook)
    assert "Column term alone" in printed(notebook)
    assert '"term"' not in path.read_text(encoding="utf-8").partition('"golden"')[0]
    assert "SQLite gives the score and PD of the card for all 19,836 loans" in printed(notebook)


@pytest.mark.slow
@pytest.mark.usefixtures("kernel_home")
def test_what_is_watched_becomes_the_table_that_the_next_card_is_trained_on(tmp_path: Path) -> None:
    """Drift and losses of the simulated county are seen; training takes what the ledger gives."""
    watched = run(NOTEBOOKS / "6_watch_portfolio.ipynb", N_APPLICATIONS=300)
    table = check_report(watched)
    said = printed(watched)
    assert "First alarm: share of online revenue, in 2022-06." in said
    assert "calibration_alpha" in said
    assert "The parts add up to the change: True." in said
    trained = run(
        NOTEBOOKS / "2_train_scorecard.ipynb", HISTORY=str(table), TARGET="target",
        MODELS=str(tmp_path / "models"),
    )  # fmt: skip
    assert check_report(trained).parent == tmp_path / "models"


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.name)
def test_notebooks_are_stored_without_outputs(path: Path) -> None:
    """Outputs stay out of git."""
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    assert not any(c.outputs or c.execution_count for c in cells)
