"""A portfolio run: what is read of each format, what is rejected, what is taken over."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import sqlglot

from loansvc.application import CATALOGUE
from loansvc.decision import Editions
from loansvc.errors import TableRefused
from loansvc.portfolio import judging
from loansvc.portfolio.columns import FIELDS
from loansvc.portfolio.dialect import DIALECTS
from loansvc.portfolio.run import memory_bytes
from loansvc.portfolio.sql import Asked, portfolio_sql
from loansvc.portfolio.tables import files_of
from loansvc.registry import Registry
from loansvc.settings import shipped
from tests.portfolio_rows import GOOD, Row, answers_in, arrow, rows_of, scored

ON = date(2026, 12, 5)
VILLAGE = "340521102200"
KEPT = {"whole": "whole", "word": "text", "words": "texts", "day": "day", "code": "text"}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.open(shipped("models"))


@pytest.fixture(scope="module")
def editions(registry: Registry) -> Editions:
    return registry.in_force("credit_loan", ON)


@pytest.fixture(scope="module")
def rows(registry: Registry, editions: Editions) -> list[Row]:
    return list(rows_of(editions, registry.village_codes, n=300, seed=7, on=ON))


class Runs:
    """Runs into a folder of the test, and what came of them."""

    def __init__(self, registry: Registry, editions: Editions, folder: Path) -> None:
        self.registry, self.editions, self.folder = registry, editions, folder
        self.out = folder / "out"

    def run(self, given: Path, **more: Any) -> Any:
        out, codes = more.pop("out", self.out), self.registry.village_codes
        return scored(given, out, self.editions, codes, ON, **more)

    def of_table(self, rows: list[Row], **more: Any) -> Any:
        path = self.folder / "in.parquet"
        pq.write_table(arrow(rows), path)
        return self.run(path, **more)

    def rejects(self) -> list[tuple[int, str, str]]:
        path = self.out / "part-00000.rejects.csv"
        if not path.exists():
            return []
        with path.open(newline="") as lines:
            return [(int(r["row"]), r["field"], r["code"]) for r in csv.DictReader(lines)]


@pytest.fixture
def runs(registry: Registry, editions: Editions, tmp_path: Path) -> Runs:
    return Runs(registry, editions, tmp_path)


def a_row(**changes: Any) -> Row:
    return {"application_id": "A-1", "village_code": VILLAGE, **GOOD, **changes}


# --- what the text is ----------------------------------------------------------------------------


@pytest.mark.parametrize("product", ["credit_loan", "talent_loan", "fast_loan", "online_loan"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_both_dialects_read_the_text(registry: Registry, product: str, dialect: str) -> None:
    """As sqlglot reads them; the same editions give the same text."""
    editions = registry.in_force(product, ON)
    table = {name: KEPT[field.kind] for name, field in FIELDS.items()}
    asked = Asked(source="applications", table=table, keys=(), on=ON)
    codes = registry.village_codes
    query = portfolio_sql(asked, editions, village_codes=codes, dialect=DIALECTS[dialect])
    for text in (query.scored, query.rejected):
        assert sqlglot.parse_one(text, read=dialect) is not None
    again = portfolio_sql(asked, editions, village_codes=codes, dialect=DIALECTS[dialect])
    assert again == query


def test_every_fact_of_a_policy_can_be_read(registry: Registry) -> None:
    """Of every policy that was ever published; nothing is silently not known."""
    elsewhere = {"village_rating", "village_flag", "town", "grade", "matrix_limit_yuan",
                 "applied_on"}  # fmt: skip
    for edition in registry.editions:
        if edition.kind == "policy":
            assert judging.facts_of(edition.content) <= FIELDS.keys() | elsewhere
    assert {n for n, of in CATALOGUE.items() if of.use != "none"} <= FIELDS.keys() | elsewhere


def test_more_rules_than_a_mask_can_hold_are_refused(editions: Editions) -> None:
    policy = editions.policy.content
    rules = tuple(replace(policy.rules[0], id=f"X{i}") for i in range(judging.MOST_RULES + 1))
    with pytest.raises(TableRefused, match="63 rules"):
        judging.asking(replace(policy, rules=rules), "decline")


# --- what is wrong with a row --------------------------------------------------------------------

LATE = ON + timedelta(days=367)


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        pytest.param({"amount_yuan": None}, "amount_yuan", "required", id="not there"),
        pytest.param({"amount_yuan": 0}, "amount_yuan", "out_of_range", id="too little"),
        pytest.param({"term_months": 361}, "term_months", "out_of_range", id="too long"),
        pytest.param({"purpose": "gambling"}, "purpose", "not_a_choice", id="no such word"),
        pytest.param({"groups": ("heroes",)}, "groups", "not_a_choice", id="no such group"),
        pytest.param({"village_code": None}, "village_code", "required", id="no village"),
        pytest.param({"village_code": "340521999200"}, "village_code", "village_unknown",
                     id="village unknown"),
        pytest.param({"days_past_due_now": 9}, "days_past_due_now", "more_than_whole",
                     id="arrears now above the longest"),
        pytest.param({"loan_start": ON - timedelta(days=1)}, "loan_start", "before_application",
                     id="a loan before its application"),
        pytest.param({"loan_start": LATE}, "loan_start", "too_far_ahead", id="a loan far ahead"),
        pytest.param({"loan_start": LATE - timedelta(days=2), "guarantee_start": ON},
                     "guarantee_start", "before_application", id="a guarantee before its loan"),
    ],
)  # fmt: skip
def test_a_bad_row_is_rejected_with_its_reason(
    registry: Registry, tmp_path: Path, changes: Row, field: str, code: str
) -> None:
    """The rows beside it are decided. Only fast loans ask for groups, and credit loans for days."""
    product = "fast_loan" if field == "groups" else "credit_loan"
    runs = Runs(registry, registry.in_force(product, ON), tmp_path)
    days = {"loan_start": None, "guarantee_start": None}
    given = [a_row(**days), a_row(**days | changes), a_row(**days)]
    summary = runs.of_table(given)
    assert (summary.rows, summary.rejected) == (2, 1)
    assert runs.rejects() == [(2, field, code)]
    assert [row["row"] for row in answers_in(runs.out)] == [1, 3]


def test_rejects_quote_nothing_of_a_row(runs: Runs) -> None:
    runs.of_table([a_row(purpose="SECRET-OF-A-PERSON")])
    text = (runs.out / "part-00000.rejects.csv").read_text()
    assert "SECRET" not in text


@pytest.mark.parametrize(
    ("column", "kind", "says"),
    [
        pytest.param([True], pa.bool_(), "Column employees is BOOLEAN, and whole numbers are read",
                     id="a truth"),
        pytest.param([date(2026, 1, 1)], pa.date32(), "Column employees is DATE", id="a day"),
    ],
)  # fmt: skip
def test_a_column_of_another_kind_is_refused(runs: Runs, column: Any, kind: Any, says: str) -> None:
    table = arrow([a_row()])
    at = table.column_names.index("employees")
    pq.write_table(table.set_column(at, "employees", pa.array(column, kind)),
                   runs.folder / "in.parquet")  # fmt: skip
    with pytest.raises(TableRefused, match=says):
        runs.run(runs.folder / "in.parquet")


def test_a_column_that_every_application_states_must_be_there(runs: Runs) -> None:
    pq.write_table(arrow([a_row()]).drop_columns(["amount_yuan"]), runs.folder / "in.parquet")
    with pytest.raises(TableRefused, match="no column amount_yuan"):
        runs.run(runs.folder / "in.parquet")


def test_reals_say_whole_numbers_or_nothing(runs: Runs) -> None:
    """NaN is not known, as tables of reals say it; 1.5 and infinity are no whole numbers."""
    table = arrow([a_row() for _ in range(4)])
    at = table.column_names.index("employees")
    reals = pa.array([5.0, float("nan"), 1.5, float("inf")])
    pq.write_table(table.set_column(at, "employees", reals), runs.folder / "in.parquet")
    assert runs.run(runs.folder / "in.parquet").rows == 2
    assert runs.rejects() == [
        (3, "employees", "not_an_integer"),
        (4, "employees", "not_an_integer"),
    ]


# --- formats -------------------------------------------------------------------------------------


def as_text(row: Row) -> Row:
    """A row as CSV says it: lists with commas, none for an empty one."""
    shown = dict(row)
    if shown["groups"] is not None:
        shown["groups"] = ",".join(shown["groups"]) or "none"
    return shown


def test_all_formats_give_the_same_answers(runs: Runs, rows: list[Row], tmp_path: Path) -> None:
    runs.of_table(rows)
    wanted = answers_in(runs.out)
    texts = pa.Table.from_pylist([as_text(row) for row in rows])
    pa_csv.write_csv(texts, tmp_path / "in.csv")
    with (tmp_path / "in.ndjson").open("w") as lines:
        for row in rows:
            lines.write(json.dumps(row, default=str) + "\n")
    for name in ("in.csv", "in.ndjson"):
        out = tmp_path / f"{name} answered"
        assert runs.run(tmp_path / name, out=out).rejected == 0
        assert answers_in(out) == wanted, name


def test_lines_that_are_no_rows_are_told_by_number(runs: Runs, tmp_path: Path) -> None:
    text = pa.Table.from_pylist([as_text(a_row()) for _ in range(3)])
    pa_csv.write_csv(text, tmp_path / "in.csv")
    first, *lines = (tmp_path / "in.csv").read_text().splitlines()
    long, short = lines[0] + ",1", lines[1].rpartition(",")[0]
    (tmp_path / "in.csv").write_text("\n".join([first, lines[0], long, short, lines[2]]) + "\n")
    assert runs.run(tmp_path / "in.csv").rows == 2
    assert runs.rejects() == [(2, "", "misshapen"), (3, "", "misshapen")]


def test_json_that_is_no_object_and_quoted_numbers_are_rejected(runs: Runs) -> None:
    good = json.dumps(a_row())
    quoted = json.dumps(a_row(employees="5"))
    path = runs.folder / "in.ndjson"
    path.write_text("\n".join([good, "{oops", "[1]", quoted, good]) + "\n")
    assert runs.run(path).rows == 2
    assert runs.rejects() == [
        (2, "", "misshapen"), (3, "", "misshapen"), (4, "employees", "not_an_integer"),
    ]  # fmt: skip


@pytest.mark.parametrize("ending", ["parquet", "csv", "ndjson"])
def test_one_file_is_made_of_all_parts(
    runs: Runs, rows: list[Row], tmp_path: Path, ending: str
) -> None:
    """Its rejects and the record of the run lie beside it, and the parts are gone."""
    given = [*rows[:50], a_row(**rows[50] | {"purpose": "gambling"})]
    out = tmp_path / f"answers.{ending}"
    assert runs.of_table(given, out=out, part_rows=20).parts == 3
    readers = {
        "parquet": lambda: pq.read_table(out).num_rows,
        "csv": lambda: pa_csv.read_csv(out).num_rows,
        "ndjson": lambda: len(out.read_text().splitlines()),
    }
    assert readers[ending]() == 50
    assert "gambling" not in (tmp_path / "answers.rejects.csv").read_text()
    assert json.loads((tmp_path / "answers.run.json").read_text())["done"]["rejected"] == 1
    assert not out.with_name(out.name + ".parts").exists()


def test_csv_is_safe_to_open_in_a_spreadsheet(runs: Runs) -> None:
    runs.of_table([a_row(application_id="=1+1")], format="csv")
    assert (runs.out / "part-00000.csv").read_text().splitlines()[1].startswith("'=1+1,1,")


def test_characteristics_follow_from_what_they_are_derived_of(
    runs: Runs, rows: list[Row], tmp_path: Path
) -> None:
    """Days, parts and wholes in place of months, years and percentages give the same answers."""
    born, started = date(1984, 2, 29), date(2021, 3, 31)
    raw = {
        "birth_date": born, "started_on": started, "reported_on": ON - timedelta(days=3),
        "household_debt_service_12m_yuan": 33_333, "online_revenue_12m_yuan": 199_999,
    }  # fmt: skip
    derived = {
        "age_years": 42, "business_age_months": 68, "report_age_days": 3,
        "age_at_maturity_years": 43, "household_debt_service_percent": 16,
        "online_revenue_percent": 33, "loan_to_revenue_percent": 10,
        "unsecured_total_yuan": 60_000,
    }  # fmt: skip
    runs.of_table([a_row(**derived)])
    plain = {n: v for n, v in a_row().items() if n not in derived}
    runs_of_raw = runs.of_table([plain | raw], out=tmp_path / "raw")
    assert not set(derived) & set(runs_of_raw.missing)
    assert answers_in(tmp_path / "raw") == answers_in(runs.out)


# --- files ---------------------------------------------------------------------------------------


def test_a_folder_and_a_glob_are_read_in_order_of_name(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    for name in ("b.parquet", "a.csv", "more/c.ndjson", "notes.txt"):
        (tmp_path / name).touch()
    named = [path.name for path in files_of(str(tmp_path))]
    assert named == ["a.csv", "b.parquet", "c.ndjson"]
    assert [p.name for p in files_of(f"{tmp_path}/*.parquet")] == ["b.parquet"]
    with pytest.raises(TableRefused, match=r"notes\.txt"):
        files_of(f"{tmp_path}/*")
    with pytest.raises(TableRefused, match="no such file"):
        files_of(f"{tmp_path}/absent.csv")


def test_answers_below_the_folder_that_is_read_are_no_input(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "book").mkdir()
    pq.write_table(arrow([a_row()]), tmp_path / "book" / "in.parquet")
    for _ in range(2):
        assert runs.run(tmp_path / "book", out=tmp_path / "book" / "answers").parts == 1


def test_a_table_without_rows_has_no_answers(runs: Runs, tmp_path: Path) -> None:
    pq.write_table(arrow([a_row()]).slice(1), tmp_path / "in.parquet")
    assert runs.run(tmp_path / "in.parquet").rows == 0
    assert answers_in(runs.out) == []


def test_a_name_with_signs_of_a_glob_is_one_file(runs: Runs, tmp_path: Path) -> None:
    path = tmp_path / "it's [1]*.parquet"
    pq.write_table(arrow([a_row()]), path)
    pq.write_table(arrow([a_row()]), tmp_path / "it's 1x.parquet")
    assert runs.run(path).rows == 1


def test_a_file_that_is_cut_short_is_refused_by_name(runs: Runs, tmp_path: Path) -> None:
    pq.write_table(arrow([a_row()]), tmp_path / "in.parquet")
    whole = (tmp_path / "in.parquet").read_bytes()
    (tmp_path / "in.parquet").write_bytes(whole[:-20])
    with pytest.raises(TableRefused, match=r"in\.parquet: it cannot be read"):
        runs.run(tmp_path / "in.parquet")


@pytest.mark.parametrize("said", ["1", "lots", "100MB", "-1GB"])
def test_a_ceiling_must_be_a_size_that_suffices(said: str) -> None:
    with pytest.raises(TableRefused, match="Memory"):
        memory_bytes(said)


# --- going on ------------------------------------------------------------------------------------


def test_rows_stay_in_order_whatever_is_taken_out(runs: Runs) -> None:
    """Slices begin within a batch of DuckDB's, and most rows of some batches are bad."""
    given = [
        a_row(application_id=f"A-{i}", purpose="gambling" if i % 5000 > 40 else "equipment")
        for i in range(20_000)
    ]
    runs.of_table(given, part_rows=7001)
    numbers = [row["row"] for row in answers_in(runs.out)]
    assert numbers == [i + 1 for i in range(20_000) if i % 5000 <= 40]


def test_only_the_parts_that_lack_are_made_again(runs: Runs, rows: list[Row]) -> None:
    runs.of_table(rows, part_rows=100)
    wanted = answers_in(runs.out)
    marks = {p.name: p.stat().st_mtime_ns for p in runs.out.glob("part-*")}
    for path in runs.out.glob("part-00001.*"):
        path.unlink()
    summary = runs.run(runs.folder / "in.parquet", part_rows=100)
    assert (summary.parts, summary.taken_over, summary.rows) == (3, 2, 300)
    assert answers_in(runs.out) == wanted
    again = {p.name: p.stat().st_mtime_ns for p in runs.out.glob("part-*")}
    assert {n for n in marks if again[n] != marks[n]} == {"part-00001.json", "part-00001.parquet"}


def test_the_parts_of_another_run_are_not_taken_over(runs: Runs, rows: list[Row]) -> None:
    runs.of_table(rows)
    with pytest.raises(TableRefused, match=r"parts of another run \(other columns\)"):
        runs.run(runs.folder / "in.parquet", only_score=True)
    assert runs.run(runs.folder / "in.parquet", only_score=True, again=True).taken_over == 0
    assert "tier" not in answers_in(runs.out)[0]


def test_a_folder_of_something_else_is_not_written_into(runs: Runs) -> None:
    runs.out.mkdir()
    (runs.out / "letters.txt").touch()
    with pytest.raises(TableRefused, match="something else"):
        runs.of_table([a_row()])


def test_a_killed_run_goes_on(runs: Runs, rows: list[Row], tmp_path: Path) -> None:
    """Ended by the kernel between two parts; nothing is lost, doubled or half written."""
    many = rows * 40
    pq.write_table(arrow(many), tmp_path / "in.parquet")
    program = (
        "import sys; from loansvc.portfolio import run\n"
        "run.Order.__init__.__kwdefaults__['part_rows'] = 1000\n"
        "from loansvc.cli import main; sys.argv[0] = 'loansvc'; main()"
    )
    command = [sys.executable, "-c", program, "portfolio", "score", str(tmp_path / "in.parquet"),
               str(runs.out), "--on", ON.isoformat(), "--threads", "1"]  # fmt: skip
    victim = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(runs.out.glob("part-*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    n_there = len(list(runs.out.glob("part-*.json")))
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert f"{n_there} of 12 parts were there from before" in done.stdout
    assert f"{len(many):,} scored   0 rejected" in done.stdout
    found = answers_in(runs.out)
    assert [row["application_id"] for row in found] == [row["application_id"] for row in many]
    assert not list(runs.out.glob(".*.draft"))
