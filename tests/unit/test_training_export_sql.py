"""SQL of a card: the traps of each database, seen in the text and in what runs here."""

import copy
import math
import random
import sqlite3
import struct
from decimal import Decimal, localcontext
from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from loansvc.card_sql import double
from loansvc.errors import TableRefused
from loansvc.scorecard import pd_ppm
from loansvc.scorecard.slots import HIGHEST_PD_SCORE, LOWEST_PD_SCORE
from loansvc.training.card import Card
from loansvc.training.export.sql import DIALECTS
from tests.property.export_cards import card_of, nasty
from tests.unit.test_training_columns import DOCUMENT


def with_words(*words: str) -> Card:
    document = copy.deepcopy(DOCUMENT)
    job = document["characteristics"]["job"]
    job["words"], job["bins"][0]["words"] = [*words, "3"], list(words)
    document["pairs"] = []
    return Card.of(document)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", ["by_hand", "nasty", "credit_loan"])
def test_it_is_read_back_as_it_was_written(name: str, dialect: str) -> None:
    """sqlglot reads its own text as one SELECT that says the same."""
    text = card_of(name).to_sql(dialect, points=True)
    (read,) = sqlglot.parse(text, dialect=dialect)
    assert isinstance(read, exp.Select)
    again = read.sql(dialect=dialect, pretty=True, comments=False)
    assert again == text.split("\n", 1)[1].rstrip("\n")
    assert text == card_of(name).to_sql(dialect, points=True)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_cuts_are_doubles(dialect: str) -> None:
    """0.1 alone would be a DECIMAL, which holds another number than the double does."""
    text = Card.of(DOCUMENT).to_sql(dialect)
    assert "< 24.5e0" in text
    assert "IN (-1e0, -2e0)" in text


@pytest.mark.parametrize(
    ("dialect", "word", "written"),
    [
        pytest.param("duckdb", "a\\'b", "'a\\''b'", id="duckdb: a quote twice"),
        pytest.param("postgres", "a\\'b", "'a\\''b'", id="postgres: a quote twice"),
        pytest.param("sqlite", "a\\'b", "'a\\''b'", id="sqlite: a quote twice"),
        pytest.param("mysql", "a\\'b", "x'615c2762'", id="mysql: settings decide on backslashes"),
        pytest.param("spark", "it's", "CAST(X'69742773' AS STRING)", id="spark: versions differ"),
        pytest.param("mysql", "农户", "CAST('农户' AS CHAR CHARACTER SET utf8mb4)", id="charset"),
        pytest.param("mysql", "clerk", "'clerk'", id="mysql: plain"),
        pytest.param("spark", "农户", "'农户'", id="spark: plain"),
    ],
)
def test_words_are_quoted_as_each_database_reads_them(
    dialect: str, word: str, written: str
) -> None:
    assert f"IN ({written})" in with_words(word).to_sql(dialect)


def test_mysql_compares_bytes() -> None:
    """Its collations take 'a', 'A' and 'a ' for one; and it has no NaN to test for."""
    text = Card.of(DOCUMENT).to_sql("mysql")
    assert "CAST(CAST(a.`job` AS CHAR CHARACTER SET utf8mb4) AS BINARY)" in text
    assert "NaN" not in text


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "spark"])
def test_nan_is_not_known(dialect: str) -> None:
    """There NaN equals itself and is above every number."""
    kind = "DOUBLE PRECISION" if dialect == "postgres" else "DOUBLE"
    assert f"CAST('NaN' AS {kind}))" in Card.of(DOCUMENT).to_sql(dialect)


def test_a_column_of_texts_has_no_score_in_sqlite() -> None:
    """SQLite would read 'old' as 0 years."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE applications (age, job)")
    rows = [("old", "clerk"), (20, "clerk"), ("", None)]
    database.executemany("INSERT INTO applications VALUES (?, ?)", rows)
    query = Card.of(DOCUMENT).to_sql("sqlite", key="age")
    assert database.execute(query).fetchall() == [
        ("old", None, None), (20, 495, pd_ppm(495) / 1e6), ("", None, None),
    ]  # fmt: skip
    database.execute("ALTER TABLE applications RENAME age TO years")
    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        database.execute(query.replace('a."age" AS k1', "1 AS k1"))
    database.close()


@pytest.mark.parametrize("kind", ["BIGINT", "DOUBLE", "FLOAT", "VARCHAR", "DECIMAL(9, 0)"])
def test_words_may_stand_in_a_column_of_numbers(kind: str) -> None:
    with duckdb.connect() as database:
        database.execute(f"CREATE TABLE applications (age INTEGER, job {kind})")
        database.execute("INSERT INTO applications VALUES (50, 3), (50, NULL), (50, 4)")
        if kind in ("DOUBLE", "FLOAT"):
            database.execute("INSERT INTO applications VALUES (50, 'NaN')")
        rows = database.execute(Card.of(DOCUMENT).to_sql("duckdb")).fetchall()
    assert [score for _, _, score, _ in rows] == [512, 511, 510, 511][: len(rows)]


def test_words_differ_in_capitals_whatever_the_column_says() -> None:
    with duckdb.connect() as database:
        database.execute("CREATE TABLE applications (age INTEGER, job VARCHAR COLLATE NOCASE)")
        database.execute("INSERT INTO applications VALUES (20, 'clerk'), (20, 'Clerk')")
        rows = database.execute(Card.of(DOCUMENT).to_sql("duckdb")).fetchall()
    assert [score for _, _, score, _ in rows] == [495, 490]


def test_whole_numbers_beyond_2_to_the_53_are_rounded_as_everywhere() -> None:
    document = copy.deepcopy(DOCUMENT)
    age = document["characteristics"]["age"]["bins"]
    age[1]["to"] = age[2]["from"] = 2**53 + 2
    document["pairs"] = []
    card = Card.of(document)
    values = [2**53 + 1, 2**53 + 2, 2**53 + 3]
    with duckdb.connect() as database:
        database.execute("CREATE TABLE applications (age BIGINT, job VARCHAR)")
        database.executemany("INSERT INTO applications VALUES (?, 'clerk')", [(v,) for v in values])
        rows = database.execute(card.to_sql("duckdb")).fetchall()
    assert [row[2] for row in rows] == [
        card.scorecard.score({"age": float(v), "job": "clerk"}) for v in values
    ]


def test_sqlite_reads_every_double_to_the_last_bit() -> None:
    """Its own reading of 17 digits is one step off at times; ours avoids it."""
    chance, database = random.Random(1), sqlite3.connect(":memory:")
    bits = (struct.unpack("d", chance.randbytes(8))[0] for _ in range(500))
    numbers = [b for b in bits if math.isfinite(b)] + [0.1, 1e-7, 5e-324, 1.7e308, -0.3, 1e22]
    numbers += [chance.uniform(-1e6, 1e6) for _ in range(500)]
    for number in numbers:
        query = "SELECT " + double(number, "sqlite").sql("sqlite")
        assert database.execute(query).fetchone() == (number,)
    database.close()


def test_rounding_the_formula_of_the_pd_is_safe() -> None:
    """No score comes near half a part per million, and beyond the ends the PD stands still."""
    with localcontext() as context:
        context.prec = 40
        for score in range(LOWEST_PD_SCORE, HIGHEST_PD_SCORE + 1):
            odds = 50 * Decimal(2) ** (Decimal(score - 600) / 20)
            ppm = Decimal(1_000_000) / (1 + odds)
            assert abs(ppm % 1 - Decimal("0.5")) > Decimal("0.00005")
            half_up = math.floor(1e6 / (1 + 50 * 2 ** ((score - 600) / 20)) + 0.5)
            assert min(max(half_up, 1), 999_999) == pd_ppm(score)
    assert (pd_ppm(LOWEST_PD_SCORE), pd_ppm(HIGHEST_PD_SCORE)) == (999_999, 1)


@pytest.mark.parametrize("dialect", ["duckdb", "sqlite"])
@pytest.mark.parametrize("base", [-10_000, 0, 90, 880, 10_000])
def test_scores_without_bounds_have_a_pd(base: int, dialect: str) -> None:
    document = {**DOCUMENT, "base_points": base}
    card = Card.of(document)
    query = card.to_sql(dialect)
    table = "(SELECT 20 AS age, 'clerk' AS job)"
    query = query.replace('"applications" AS a', f"{table} AS a")
    if dialect == "sqlite":
        database = sqlite3.connect(":memory:")
        row: Any = database.execute(query).fetchone()
        database.close()
    else:
        with duckdb.connect() as connection:
            row = connection.execute(query).fetchone()
    assert row[2:] == (base - 5, pd_ppm(base - 5) / 1e6)


def test_a_table_may_stand_in_a_schema() -> None:
    card = Card.of(DOCUMENT)
    assert 'FROM "risk"."people" AS a' in card.to_sql("postgres", table="risk.people")
    assert 'FROM "a.b" AS a' in card.to_sql("postgres", table=["a.b"])


def test_names_that_are_taken_get_a_tail() -> None:
    text = Card.of(nasty()).to_sql("duckdb")
    assert 'AS "score_"' in text
    assert 'AS "pd_"' in text
    assert 'AS "score",' in Card.of(nasty()).to_sql("duckdb", key="id")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"dialect": "oracle"}, "is not one of duckdb", id="dialect"),
        pytest.param({"dialect": "mysql", "table": ""}, "one to three parts", id="no table"),
        pytest.param({"dialect": "mysql", "table": "a.b.c.d"}, "one to three parts", id="parts"),
    ],
)
def test_what_cannot_be_asked_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TableRefused, match=message):
        Card.of(DOCUMENT).to_sql(**arguments)


def test_names_that_differ_in_capitals_only_are_refused_where_they_are_one_column() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["characteristics"]["AGE"] = document["characteristics"]["age"]
    with pytest.raises(TableRefused, match="upper and lower case"):
        Card.of(document).to_sql("duckdb")
    assert 'a."AGE"' in Card.of(document).to_sql("postgres")


def test_a_word_that_no_text_can_hold_is_refused() -> None:
    with pytest.raises(TableRefused, match="'job': its name or one of its words"):
        with_words("a\0b").to_sql("duckdb")
