"""Serving loads nothing of the workshop: asked of a fresh interpreter, not of this one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKSHOP = ("numpy", "pandas", "sklearn", "scipy", "joblib", "matplotlib", "loansvc.training")

SERVE_ONE_REQUEST = """
import json, sys
from pathlib import Path
from tests.small import a_document, small_underwriting, small_models
from loansvc.web import create_app
app = create_app(small_underwriting(Path(sys.argv[1])))
assert app.test_client().get("/readyz").status_code == 200
assert app.test_client().get("/openapi.json").status_code == 200
"""
PROGRAMS = {
    "the package": "import loansvc",
    "the app": "import loansvc.web",
    "the command line": "import loansvc.cli",
    "an app that answers": SERVE_ONE_REQUEST,
}


def loaded_by(program: str, *arguments: str) -> set[str]:
    """Names of the modules that are loaded when the program has ended."""
    run = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport json, sys\nprint(json.dumps(list(sys.modules)))",
         *arguments],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(json.loads(run.stdout))


@pytest.mark.parametrize("name", PROGRAMS)
def test_serving_loads_nothing_of_the_workshop(name: str, tmp_path: Path) -> None:
    loaded = loaded_by(PROGRAMS[name], str(tmp_path))
    assert [module for module in WORKSHOP if module in loaded] == []


def test_what_sends_spans_is_loaded_by_none_that_is_not_asked_to(tmp_path: Path) -> None:
    loaded = loaded_by(SERVE_ONE_REQUEST, str(tmp_path))
    assert [module for module in loaded if module.startswith("opentelemetry")] == []


def test_nothing_of_ours_that_serves_loads_pickle() -> None:
    """SQLAlchemy imports pickle for columns we do not have; our own modules never name it."""
    found = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "loansvc").rglob("*.py")
        if "training" not in path.parts and "pickle" in path.read_text("utf-8")
    ]
    assert found == []
