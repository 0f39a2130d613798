"""The notebooks run from top to bottom, and what they print is true."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from loansvc.editions import digest_of

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SECONDS_PER_CELL = 300


@pytest.fixture
def kernel_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the kernel's own files out of the home directory."""
    for name in ("IPYTHONDIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


def run(path: Path, **parameters: object) -> nbformat.NotebookNode:
    """The notebook with its outputs, its parameter cell followed by these values."""
    notebook = nbformat.read(path, as_version=4)
    cell = next(c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    cell.source += "".join(f"\n{name} = {value!r}" for name, value in parameters.items())
    return NotebookClient(notebook, kernel_name="python3", timeout=SECONDS_PER_CELL).execute()


def test_training_notebook_ends_with_the_digest_of_the_published_file(
    kernel_home: None, tmp_path: Path
) -> None:
    """The last cell prints path and digest, and both are right."""
    notebook = run(
        NOTEBOOKS / "2_train_scorecard.ipynb", MODELS=str(tmp_path / "models"), N_APPLICANTS=8_000
    )
    path, digest = notebook.cells[-1].outputs[0].text.split()
    assert digest == digest_of(Path(path).read_bytes())
    assert Path(path).with_suffix(".md").exists()


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.name)
def test_notebooks_are_stored_without_outputs(path: Path) -> None:
    """Outputs stay out of git."""
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    assert not any(c.outputs or c.execution_count for c in cells)
