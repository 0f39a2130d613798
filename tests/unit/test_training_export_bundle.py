"""The offline bundle: one file of the standard library, and proofs that it is the card."""

import ast
import csv
import hashlib
import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import loansvc.training.export
from loansvc.scorecard import pd_ppm
from loansvc.training.card import Card
from loansvc.training.export.bundle import to_bundle
from tests.property.export_cards import CARDS, card_of
from tests.unit.test_training_columns import DOCUMENT, EXPECTED, ROWS

SCORER = Path(loansvc.training.export.__file__).parent / "offline_score.py"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The bundle unpacked where nothing else is."""
    with zipfile.ZipFile(Card.of(DOCUMENT).to_bundle(tmp_path / "card.zip")) as archive:
        archive.extractall(tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def scorer(folder: Path) -> ModuleType:
    """score.py as a module."""
    spec = importlib.util.spec_from_file_location("score", folder / "score.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-I", "-S", "score.py", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", CARDS)
def test_the_same_card_gives_the_same_bytes(name: str) -> None:
    assert to_bundle(card_of(name)) == to_bundle(card_of(name))


def test_it_holds_the_card_and_a_manifest_that_any_shell_can_check(folder: Path) -> None:
    assert (folder / "card.json").read_text("utf-8") == Card.of(DOCUMENT).text()
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert {p.name for p in folder.iterdir()} == {*sums, "SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_the_scorer_is_python_3_8_and_imports_the_standard_library_only() -> None:
    tree = ast.parse(SCORER.read_text("utf-8"), feature_version=(3, 8))
    names = {a.name.partition(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import)
             for a in n.names}  # fmt: skip
    names |= {str(n.module) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert names <= sys.stdlib_module_names
    assert not any(isinstance(n, ast.Match) for n in ast.walk(tree))
    assert all(k.arg != "strict" or ast.unparse(n.func) == "csv.reader"
               for n in ast.walk(tree) if isinstance(n, ast.Call)
               for k in n.keywords)  # fmt: skip


def test_it_scores_a_file(folder: Path) -> None:
    with (folder / "in.csv").open("w", newline="") as out:
        csv.writer(out).writerows([("id", "job", "age"), *(
            (f"A{i}", job or "", "" if age is None else age)
            for i, (age, job, _) in enumerate(ROWS))])  # fmt: skip
    assert run(folder, "in.csv", "out.csv", "--key", "id") == (
        0, f"{len(ROWS)} rows scored, written to out.csv\n"
    )  # fmt: skip
    with (folder / "out.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [int(r["score"]) for r in rows] == EXPECTED
    assert [r["pd"] for r in rows] == [f"{pd_ppm(s) / 1e6:.6f}" for s in EXPECTED]
    assert rows[0] == {
        "id": "A0", "score": "495", "pd": "0.432171", "reasons": "age:-20",
        "reasons_text": "age below 24.5",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("age,job\nold,clerk\n", "Row 1, column age: must be a number", id="text"),
        pytest.param("age,job\n1_0,clerk\n", "Row 1, column age", id="python's own spelling"),
        pytest.param('age,job\n"1,5",clerk\n', "Row 1, column age", id="decimal comma"),
        pytest.param("age,job\n20,x\n1e999,x\n", "Row 2, column age", id="infinite"),
        pytest.param("age\n20\n", "a column job exactly once", id="no column"),
        pytest.param("age,job,job\n20,x,y\n", "a column job exactly once", id="twice"),
        pytest.param("age,job\n20\n", "Row 1 has 1 cells for 2 columns", id="short row"),
    ],
)
def test_a_file_that_cannot_be_scored_is_refused_whole(
    folder: Path, text: str, message: str
) -> None:
    (folder / "in.csv").write_text(text, encoding="utf-8")
    code, said = run(folder, "in.csv", "out.csv")
    assert (code, said[:9]) == (1, "refused: ")
    assert message in said
    assert not (folder / "out.csv").exists()


def test_scores_that_are_there_stay_until_the_new_ones_are_whole(
    folder: Path, scorer: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "in.csv").write_text("age,job\n20,x\n", encoding="utf-8")
    (folder / "out.csv").write_text("yesterday's", encoding="utf-8")
    names = {p.name for p in folder.iterdir()}
    card = scorer.Card.read(folder / "card.json")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        scorer.score_file(card, folder / "in.csv", folder / "out.csv", key=None, lang="en")
    assert (folder / "out.csv").read_text("utf-8") == "yesterday's"
    assert {p.name for p in folder.iterdir()} == names


def test_scores_can_go_down_a_pipe_and_through_a_link(folder: Path) -> None:
    """What is no plain file is written to, not replaced."""
    (folder / "in.csv").write_text("age,job\n20,x\n", encoding="utf-8")
    code, said = run(folder, "in.csv", "/dev/stdout")
    assert (code, "row,score,pd" in said) == (0, True)
    (folder / "link.csv").symlink_to("real.csv")
    assert run(folder, "in.csv", "link.csv")[0] == 0
    assert (folder / "link.csv").is_symlink()
    assert (folder / "real.csv").read_text("utf-8").startswith("row,score,pd")


def test_without_files_it_says_how(folder: Path) -> None:
    code, said = run(folder)
    assert code == 2
    assert "or --check" in said


def test_the_check_finds_another_file_and_another_answer(folder: Path, scorer: ModuleType) -> None:
    assert "golden cases agree" in scorer.check(folder)
    golden = json.loads((folder / "golden.json").read_text("utf-8"))
    golden["cases"][3]["score"] += 1
    (folder / "golden.json").write_text(json.dumps(golden), encoding="utf-8")
    assert run(folder, "--check") == (
        1, "refused: golden.json is not the file that was delivered. Unpack the bundle again.\n"
    )  # fmt: skip
    (folder / "SHA256SUMS").write_text("")
    assert run(folder, "--check")[1].startswith("refused: Golden case 4 gives")


def test_it_is_a_module_too(folder: Path, scorer: ModuleType) -> None:
    card = scorer.Card.read(folder / "card.json", folder / "texts.json")
    assert [card.score({"age": a, "job": j}) for a, j, _ in ROWS] == EXPECTED
    assert card.reasons({"age": 20, "job": "3"}, "zh") == [
        ("age", -20, "age低于24.5"), ("job", -10, "job：3"),
    ]  # fmt: skip
    assert scorer.Card.read(folder / "card.json").reasons({"age": 20, "job": None}) == [
        ("age", -20, "age"), ("job", -4, "job"),
    ]  # fmt: skip


@pytest.mark.parametrize("values", [{"age": "20", "job": "x"}, {"age": 20, "job": 3}])
def test_a_value_of_the_wrong_kind_is_refused(
    folder: Path, scorer: ModuleType, values: dict[str, Any]
) -> None:
    with pytest.raises(scorer.Refused, match="must be a"):
        scorer.Card.read(folder / "card.json").score(values)


def test_the_pd_is_that_of_the_service(scorer: ModuleType) -> None:
    assert [scorer.pd_ppm(s) for s in range(-50, 1300)] == [pd_ppm(s) for s in range(-50, 1300)]
