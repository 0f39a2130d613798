"""train and card on tables: a card, scores, and a refusal by name for every bad input."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import pytest

from loansvc.cli import training
from loansvc.errors import SetupRefused, TableRefused
from loansvc.provenance import NONE_NEEDED, missing_from
from loansvc.registry import read_document
from loansvc.training import Card, job
from loansvc.training.document import STATEMENT
from loansvc.training.synthetic import generate
from loansvc.training.table import write_table
from tests.shell import run as shell_run
from tests.small import CARD

N = 400
NOON = datetime(2026, 6, 30, 12, 0, tzinfo=UTC)


class Run:
    """The command line in this process: exit status, standard output, standard error."""

    def __init__(self, capfd: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._capfd, self._patch = capfd, patch

    def __call__(self, *arguments: Any) -> tuple[int, str, str]:
        return shell_run(self._capfd, self._patch, *arguments)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(capfd, monkeypatch)


def people(**changes: Any) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    age = rng.integers(20, 70, N)
    bad = rng.random(N) < 1 / (1 + np.exp(0.05 * (age - 40)))
    job = np.where(rng.random(N) < 0.5, "clerk", "smith")
    use = np.where(rng.random(N) < 0.1, -1, rng.integers(0, 100, N))
    return pd.DataFrame({"age": age, "job": job, "use": use, "bad": bad.astype(int)}).assign(
        **changes
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    people().to_csv(path, index=False)
    return path


def spec(folder: Path, text: str) -> Path:
    path = folder / "spec.toml"
    path.write_text(text, encoding="utf-8")
    return path


# --- what goes well -----------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["boosting", "woe"])
def test_a_card_is_trained_shown_and_scored_with(
    run: Run, table: Path, tmp_path: Path, family: str
) -> None:
    out, scores = tmp_path / "card.json", tmp_path / "scores.parquet"
    status, said, _ = run(
        "train", "--data", table, "--target", "bad", "--family", family, "--special", "use=-1",
        "--out", out,
    )  # fmt: skip
    card = Card.read(out)
    assert status == 0
    assert card.digest in said
    assert card.names == ("age", "job", "use")
    status, shown, _ = run("card", "show", out)
    assert status == 0
    assert f"{card.scorecard.base_points:+d}" in shown
    assert "clerk" in shown
    assert run("card", "score", out, table, "--out", scores)[0] == 0
    found = pd.read_parquet(scores)
    assert found.columns.tolist() == ["score", "pd"]
    assert (found["score"] == card.score(people())).all()


def test_what_the_file_says_of_columns_holds(run: Run, table: Path, tmp_path: Path) -> None:
    said = spec(
        tmp_path,
        '[monotone]\nage = -1\njob = 1\n[special]\nuse = [-1]\n[order]\njob = ["clerk", "smith"]\n',
    )
    out = tmp_path / "card.json"
    arguments = ("--target", "bad", "--family", "woe", "--monotone", said, "--exclude", "use")
    status, _, err = run("train", "--data", table, *arguments, "--out", out)
    assert (status, "special_codes: use is not a column" in err) == (1, True)
    status, *_ = run("train", "--data", table, *arguments[:-2], "--out", out)
    document = json.loads(out.read_text("utf-8"))["characteristics"]
    assert status == 0
    assert (document["age"]["direction"], document["job"]["direction"]) == (-1, 1)
    assert [b["values"] for b in document["use"]["bins"] if "values" in b] == [[-1]]


def test_the_manifest_says_what_it_was_made_of(run: Run, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "card.json"
    run(
        "train", "--data", table, "--target", "bad", "--family", "woe", "--out", out,
        "--operator", "A. Analyst", "--seed", 7, "--exclude", "use",
        "--storage", "vault 3, people.csv",
    )  # fmt: skip
    training = json.loads(out.read_text("utf-8"))["training"]
    assert training["data"]["storage"] == "vault 3, people.csv"
    assert training["data"]["sha256"] == hashlib.sha256(table.read_bytes()).hexdigest()
    assert (training["data"]["n"], training["data"]["n_bad"]) == (N, int(people()["bad"].sum()))
    assert (training["model"]["seed"], training["run"]["operator"]) == (7, "A. Analyst")
    assert training["model"]["parameters"]["exclude"] == ["use"]


def test_weights_are_a_column_and_no_characteristic(run: Run, table: Path, tmp_path: Path) -> None:
    weighed, out = tmp_path / "weighed.csv", tmp_path / "card.json"
    people(w=1).to_csv(weighed, index=False)
    cards = []
    for data, more in ((table, ()), (weighed, ("--weights", "w"))):
        status, *_ = run(
            "train", "--data", data, "--target", "bad", "--family", "woe", *more, "--out", out
        )
        assert status == 0
        cards.append(Card.read(out))
    assert cards[0].scorecard == cards[1].scorecard


def test_a_product_s_card_can_be_published(run: Run, tmp_path: Path) -> None:
    """From a table with the catalogue's columns."""
    known = generate(3_000, seed=5).with_known_outcome()
    data, out = tmp_path / "loans.parquet", tmp_path / "card.json"
    names = ["business_age_months", "max_days_past_due_24m", "enquiries_6m", "education"]
    known.frame[names].assign(bad=known.truth["is_bad"]).to_parquet(data)
    head = ("--product", "credit_loan", "--valid-from", "2026-09-01", "--reference", "example")
    by = ("--operator", "A. Analyst", "--impact-assessment", "PIA-2026-1")
    train = ("train", "--data", data, "--target", "bad", "--family", "woe", *head, *by)
    status, said, err = run(*train, "--out", out)
    assert status == 0
    assert "loansvc publish" in said
    assert "say data.first_application" in err
    assert "data.storage" in err
    assert str(tmp_path) not in out.read_text("utf-8")  # a card is published; a folder is nobody's
    of_data = (
        "--first-application", "2023-01-01", "--last-application", "2024-12-31",
        "--outcome-known-on", "2025-12-31", "--intended-use", "tests", "--limit", "not for use",
        "--storage", "drawn again from seed 5",
    )  # fmt: skip
    assert run(*train, *of_data, "--out", out)[0] == 0
    assert read_document(out)[0].product == "credit_loan"
    assert missing_from(json.loads(out.read_text("utf-8"))["training"]) == []


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        pytest.param(("--synthetic",), (True, NONE_NEEDED), id="needs no assessment"),
        pytest.param(
            ("--synthetic", "--impact-assessment", "PIA-1"), (True, "PIA-1"), id="has one"
        ),
        pytest.param(("--impact-assessment", "PIA-1"), (False, "PIA-1"), id="of real cases"),
    ],
)
def test_a_card_of_synthetic_cases_says_so(
    run: Run, tmp_path: Path, flags: tuple[str, ...], expected: tuple[bool, str]
) -> None:
    known = generate(3_000, seed=5).with_known_outcome()
    data, out = tmp_path / "loans.parquet", tmp_path / "card.json"
    names = ["business_age_months", "max_days_past_due_24m"]
    known.frame[names].assign(bad=known.truth["is_bad"]).to_parquet(data)
    status, *_ = run(
        "train", "--data", data, "--target", "bad", "--family", "woe", "--out", out,
        "--product", "credit_loan", "--valid-from", "2026-09-01", "--reference", "example",
        "--operator", "A. Analyst", *flags,
    )  # fmt: skip
    document = json.loads(out.read_text("utf-8"))
    governance = document["training"]["governance"]
    assert status == 0
    assert (document["synthetic"], governance["impact_assessment_id"]) == expected
    assert (document["statement"] == STATEMENT) == expected[0]


# --- the job ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "n_bad", "expected"),
    [
        pytest.param({"family": "woe"}, None, 1, id="woe"),
        pytest.param({}, None, 11, id="blend"),
        pytest.param({"pairs": 1}, None, 51, id="blend with pairs"),
        pytest.param({"pairs": 1}, 36, 51, id="folds of the test with too few for a blend"),
        pytest.param({}, 20, 11, id="too few for a blend"),
    ],
)
def test_every_step_of_a_job_is_taken(
    tmp_path: Path, said: dict[str, Any], n_bad: int | None, expected: int
) -> None:
    """So that the progress bar is complete at the end, and not before."""
    data = tmp_path / "people.csv"
    frame = people() if n_bad is None else people(bad=(np.arange(N) % (N // n_bad) == 0) * 1)
    frame.to_csv(data, index=False)
    asked = job.Job(data=data, target="bad", seed=1, **said)
    steps: list[None] = []
    job.run(asked, clock=lambda: NOON, on_step=lambda: steps.append(None))
    assert (len(steps), job.n_steps(asked)) == (expected, expected)


def test_the_digest_is_of_the_bytes_that_were_trained_on(table: Path) -> None:
    """Whatever becomes of the file afterwards."""
    before = hashlib.sha256(table.read_bytes()).hexdigest()
    asked = job.Job(data=table, target="bad", family="woe", seed=1)

    def overwrite(found: Any) -> None:
        table.write_text("gone", encoding="utf-8")

    compiled = job.run(asked, clock=lambda: NOON, on_findings=overwrite)
    assert compiled.card.document["training"]["data"]["sha256"] == before


def test_a_file_that_changes_while_it_is_read_is_refused(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed_meanwhile(path: Path, **_: Any) -> pd.DataFrame:
        frame = pd.read_csv(path)
        path.write_text("age,bad\n1,0\n", encoding="utf-8")
        return frame

    monkeypatch.setattr(job, "read_table", changed_meanwhile)
    asked = job.Job(data=table, target="bad", family="woe", seed=1)
    with pytest.raises(TableRefused, match="changed while it was read"):
        job.run(asked, clock=lambda: NOON)


def test_the_families_are_those_of_the_job() -> None:
    """Named twice, so that the command line need not load pandas to say its help."""
    [family] = [o for o in training.train.params if o.name == "family"]
    assert isinstance(family.type, click.Choice)
    assert set(family.type.choices) == set(job.KINDS)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_is_written_whole_or_not_at_all(tmp_path: Path, suffix: str) -> None:
    class Unwritable:
        def __str__(self) -> str:
            raise ValueError("no text")

    path = tmp_path / f"scores{suffix}"
    write_table(people(), path)
    before = path.read_bytes()
    with pytest.raises(Exception, match=r"no text|Unwritable"):
        write_table(pd.DataFrame({"age": [1, Unwritable()]}), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        ("--target", "bad"), ("--family", "boosting"), ("--family", "woe"), ("--pairs", "0"),
        ("--monotone", __file__), ("--exclude", "age"), ("--special", "use=-1"), ("--weights", "w"),
        ("--population-bad-rate", "0.1"), ("--first-application", "2023-01-01"),
        ("--last-application", "2024-12-31"), ("--outcome-known-on", "2025-12-31"),
        ("--sampling", "all"), ("--storage", "vault"), ("--synthetic",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_is_said_of_a_table_is_refused_where_there_is_none(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...]
) -> None:
    """And not ignored."""

    def unwanted(*_: Any, **__: Any) -> None:
        raise AssertionError("trained all the same")

    monkeypatch.setattr("loansvc.training.train.train_scorecard", unwanted)
    head = ("--product", "credit_loan", "--valid-from", "2026-09-01", "--reference", "example")
    status, _, err = run("train", *head, "--operator", "A. Analyst", *given, "--out", tmp_path)
    assert (status, "Usage:" in err) == (2, True)
    assert f"{given[0]} is for a table" in err
    assert "--data" in err


HIDDEN = "import sys; sys.modules[sys.argv.pop(1)] = None; from loansvc import cli; cli.main()"
COUNTY = (
    "train", "--product", "credit_loan", "--valid-from", "2026-09-01", "--reference", "example",
    "--operator", "A. Analyst", "--out", "drafts",
)  # fmt: skip


@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        pytest.param("pandas", COUNTY, id="train on the county"),
        pytest.param(
            "pandas", ("train", "--data", "t.csv", "--target", "bad", "--out", "c.json"),
            id="train on a table",
        ),
        pytest.param(
            "pandas", ("card", "score", "card.json", "t.csv", "--out", "s.csv"), id="score"
        ),
        pytest.param("numpy", ("card", "show", "card.json"), id="show"),
        pytest.param(
            "pandas", ("card", "export", "card.json", "--to", "pmml", "--out", "x"), id="export"
        ),
        pytest.param(
            "onnx", ("card", "export", "card.json", "--to", "onnx", "--out", "x"),
            id="export, late",
        ),
        pytest.param(
            "pandas", ("validate", "card.json", "t.csv", "--target", "bad", "--out", "r.html"),
            id="validate",
        ),
    ],
)  # fmt: skip
def test_without_the_workshop_s_packages_it_says_what_to_install(
    table: Path, tmp_path: Path, package: str, arguments: tuple[str, ...]
) -> None:
    """As on an install that only serves."""
    table.rename(tmp_path / "t.csv")
    (tmp_path / "card.json").write_text(json.dumps(CARD | {"product": "credit_loan"}), "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", HIDDEN, package, *arguments],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert f"more packages ({package}). Run: pip install 'loansvc[train]'" in done.stderr


def test_a_part_of_our_own_that_is_not_there_is_our_mistake() -> None:
    """Nothing to install would help."""
    with pytest.raises(ModuleNotFoundError), training.workshop():
        import_module("loansvc.training.nothing")
    with pytest.raises(SetupRefused), training.workshop():
        raise ImportError("Missing optional dependency")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"bad": np.arange(N) % 3}, "holds 0, 1, 2", id="target not 0 or 1"),
        pytest.param({"bad": [1.0, np.nan] * (N // 2)}, "is missing in 200 of 400", id="missing"),
        pytest.param({"bad": 0}, "one class only", id="one class"),
        pytest.param({"bad": np.arange(N) < 5}, "Only 5 bad cases", id="five bad cases"),
        pytest.param({"age": np.inf}, "age is infinite", id="infinite"),
        pytest.param({"age": [*range(N - 1), "old"]}, "age holds both", id="mixed types"),
        pytest.param({"age": "2026-01-01"}, "age holds dates", id="dates"),
    ],
)
def test_a_bad_table_is_told_and_nothing_is_written(
    run: Run, tmp_path: Path, changes: dict, words: str
) -> None:
    data, out = tmp_path / "people.csv", tmp_path / "card.json"
    people(**changes).to_csv(data, index=False)
    status, said, err = run("train", "--data", data, "--target", "bad", "--out", out)
    assert (status, said) == (1, "")
    assert words in err
    assert "Traceback" not in err
    assert [p.name for p in tmp_path.iterdir()] == ["people.csv"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("--target", "badd"), "Did you mean bad?", id="target"),
        pytest.param(("--target", "bad", "--exclude", "agee"), "Did you mean age?", id="exclude"),
        pytest.param(("--target", "bad", "--special", "use=x"), "COLUMN=CODE", id="special"),
        pytest.param(("--target", "bad", "--special", "-1"), "COLUMN=CODE", id="no column"),
        pytest.param(("--target", "bad", "--weights", "w"), "weights: w is not", id="weights"),
        pytest.param(("--target", "bad", "--weights", "job"), "holds text", id="words as weights"),
    ],
)
def test_a_column_that_is_not_there_is_refused_by_name(
    run: Run, table: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    status, _, err = run("train", "--data", table, *arguments, "--out", tmp_path / "card.json")
    assert status == 1
    assert words in err
    assert not (tmp_path / "card.json").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[monotone]\nagee = 1\n", "Did you mean age?", id="column"),
        pytest.param("[monotone]\nage = 2\n", "monotone.age must be -1", id="direction"),
        pytest.param("[monoton]\nage = 1\n", "monoton is not known here", id="key"),
        pytest.param("monotone = 1\n", "must be a table: [monotone]", id="no table"),
        pytest.param("[special]\nuse = -1\n", "special.use must be a list", id="no list"),
        pytest.param("[monotone\n", "cannot be read as TOML", id="no TOML"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_name(
    run: Run, table: Path, tmp_path: Path, text: str, words: str
) -> None:
    said = ("--monotone", spec(tmp_path, text))
    status, _, err = run(
        "train", "--data", table, "--target", "bad", *said, "--out", tmp_path / "card.json"
    )
    assert status == 1
    assert words in err


def test_columns_of_one_name_are_refused(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "twice.csv"
    data.write_text("age,age,bad\n1,2,0\n3,4,1\n", encoding="utf-8")
    status, _, err = run("train", "--data", data, "--target", "bad", "--out", tmp_path / "c.json")
    assert status == 1
    assert "names column age twice" in err


def test_a_suspected_leak_is_a_warning_that_names_it(run: Run, tmp_path: Path) -> None:
    data, out = tmp_path / "people.csv", tmp_path / "card.json"
    people(paid=1 - people()["bad"]).to_csv(data, index=False)
    status, _, err = run(
        "train", "--data", data, "--target", "bad", "--family", "woe", "--out", out
    )
    assert status == 0
    assert "warning: Column paid alone" in err
    assert "--exclude paid" in err
    assert "paid" in " ".join(json.loads(out.read_text("utf-8"))["training"]["findings"])


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param((), id="no target"),
        pytest.param(("--target", "bad", "--applicants", "1000"), id="applicants of a table"),
        pytest.param(("--target", "bad", "--family", "woe", "--pairs", "2"), id="pairs of woe"),
        pytest.param(("--target", "bad", "--product", "credit_loan"), id="product without head"),
    ],
)
def test_wrong_usage_is_exit_2(
    run: Run, table: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    status, _, err = run("train", "--data", table, *arguments, "--out", tmp_path / "card.json")
    assert status == 2
    assert "Usage:" in err


def test_a_folder_for_a_table_s_card_is_wrong_usage(run: Run, table: Path, tmp_path: Path) -> None:
    status, _, err = run("train", "--data", table, "--target", "bad", "--out", tmp_path)
    assert (status, "ends in .json" in err) == (2, True)


def test_a_table_without_the_card_s_columns_is_refused(
    run: Run, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "card.json"
    run("train", "--data", table, "--target", "bad", "--family", "woe", "--out", out)
    other = tmp_path / "other.csv"
    people().drop(columns="age").to_csv(other, index=False)
    status, _, err = run("card", "score", out, other, "--out", tmp_path / "scores.csv")
    assert (status, err.count("\n")) == (1, 1)
    assert "Column age is missing" in err
    assert not (tmp_path / "scores.csv").exists()
    status, _, err = run("card", "score", out, table, "--out", tmp_path / "scores.txt")
    assert (status, "must end in .parquet or .csv" in err) == (1, True)
