"""train and card on tables: a card, scores, and a refusal by name for every bad input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loansvc import cli
from loansvc.provenance import missing_from
from loansvc.registry import read_document
from loansvc.training import Card
from loansvc.training.synthetic import generate

N = 400


class Run:
    """The command line in this process: exit status, standard output, standard error."""

    def __init__(self, capfd: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._capfd, self._patch = capfd, patch

    def __call__(self, *arguments: Any) -> tuple[int, str, str]:
        self._patch.setattr(sys, "argv", ["loansvc", *map(str, arguments)])
        self._capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = self._capfd.readouterr()
        return int(left.value.code or 0), out, err


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
    import hashlib

    out = tmp_path / "card.json"
    run(
        "train", "--data", table, "--target", "bad", "--family", "woe", "--out", out,
        "--operator", "A. Analyst", "--seed", 7, "--exclude", "use",
    )  # fmt: skip
    training = json.loads(out.read_text("utf-8"))["training"]
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
    of_data = (
        "--first-application", "2023-01-01", "--last-application", "2024-12-31",
        "--outcome-known-on", "2025-12-31", "--intended-use", "tests", "--limit", "not for use",
    )  # fmt: skip
    assert run(*train, *of_data, "--out", out)[0] == 0
    assert read_document(out)[0].product == "credit_loan"
    assert missing_from(json.loads(out.read_text("utf-8"))["training"]) == []


# --- what is refused ----------------------------------------------------------------------------


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
