"""Spark: the SQL of a portfolio on a cluster. No row passes through Python.

`score` and `rejected` are for a bank's own job: a DataFrame in, a DataFrame out, nothing run yet.
Editions travel as literals in the text, so that executors read no file of ours. `run` is what the
command line does: parquet to parquet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from loansvc.decision import Editions
from loansvc.errors import TableRefused
from loansvc.portfolio.columns import FIELDS
from loansvc.portfolio.dialect import SPARK, text
from loansvc.portfolio.sql import ROW, Asked, Query, portfolio_sql
from loansvc.portfolio.tables import check_fits

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

FILE = "loansvc_file"
SOURCE = "loansvc_applications"
# For the session of a job. Java compiles no method of more than 8,000 bytes of code but interprets
# it, and Spark would make one of many steps. With this it cuts what is larger into small ones.
SETTINGS = {"spark.sql.codegen.hugeMethodLimit": "8000"}
WHOLE = {"tinyint", "smallint", "int", "bigint"}
KINDS = {"string": "text", "boolean": "truth", "date": "day", "array<string>": "texts"}


@dataclass(slots=True)
class Summary:
    """What came of a run. `missing`: columns that are not there, so known of nobody."""

    rows: int
    rejected: int
    missing: list[str] = field(default_factory=list)
    editions: dict[str, dict[str, str]] = field(default_factory=dict)


def score(
    frame: DataFrame, editions: Editions, *, village_codes: Iterable[str], on: date,
    keys: Sequence[str] = (), only_score: bool = False,
) -> DataFrame:  # fmt: skip
    """The good rows scored, or decided in full, with the columns that `keys` names given back.

    Set SETTINGS on the session: it is faster. `frame` has the columns of docs/portfolio.md.

    Raises:
        TableRefused: a column is not there or not of its kind, or a key has the name of an answer.
    """
    asked = _Question(frame, editions, village_codes, on, keys, only_score)
    answers = asked.answer(asked.query.scored)
    return answers if asked.has_rows else answers.drop("row")


def rejected(
    frame: DataFrame, editions: Editions, *, village_codes: Iterable[str], on: date,
    keys: Sequence[str] = (), only_score: bool = False,
) -> DataFrame:  # fmt: skip
    """What is wrong with the other rows: keys, field, code and detail, a row for each flaw.

    Raises:
        TableRefused: as `score`.
    """
    asked = _Question(frame, editions, village_codes, on, keys, only_score)
    flaws = ", ".join(
        f"({i}, {text(f.field)}, {text(f.code)}, {text(f.detail)})"
        for i, f in enumerate(asked.query.flaws, 1)
    )
    named = [f"r.{SPARK.named(key)}" for key in keys]
    named += [f"r.{ROW} AS row"] if asked.has_rows else []
    chosen = ", ".join([*named, "f.field", "f.code", "f.detail"])
    return asked.answer(
        f"SELECT {chosen} FROM ({asked.query.rejected}) AS r JOIN (VALUES {flaws})"
        " AS f(id, field, code, detail) ON r.flaw = f.id"
    )


class _Question:
    """A DataFrame with its columns typed, and the query over it."""

    def __init__(
        self, frame: DataFrame, editions: Editions, village_codes: Iterable[str], on: date,
        keys: Sequence[str], only_score: bool,
    ) -> None:  # fmt: skip
        self.has_rows = ROW in frame.columns
        kept, chosen = _columns(frame, keys)
        chosen.append(ROW if self.has_rows else f"CAST(NULL AS BIGINT) AS {ROW}")
        self.frame = frame.selectExpr(*chosen)
        asked = Asked(source=SOURCE, table=kept, keys=keys, on=on, only_score=only_score)
        self.query: Query = portfolio_sql(
            asked, editions, village_codes=village_codes, dialect=SPARK
        )

    def answer(self, sql: str) -> DataFrame:
        """What the text says of the frame, which stands in it by its name in braces."""
        braced = sql.replace("{", "{{").replace("}", "}}")
        named = braced.replace(f"FROM {SOURCE})", f"FROM {{{SOURCE}}})")
        return self.frame.sparkSession.sql(named, **{SOURCE: self.frame})


def _columns(frame: DataFrame, keys: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """How each column that may be asked for is kept, and the text that reads it so."""
    kept, chosen = {}, []
    for name, type_ in frame.dtypes:
        if name not in FIELDS and name not in keys:
            continue
        kind, said = _kept(SPARK.named(name), type_)
        if name in FIELDS:
            check_fits(name, kind, type_)
        kept[name] = kind
        chosen.append(f"{said} AS {SPARK.named(name)}")
    return kept, chosen


def _kept(name: str, type_: str) -> tuple[str, str]:
    """As a column of parquet in `tables`: what is wider than a BIGINT is compared as a real.

    >>> _kept("`age_years`", "decimal(12,2)")
    ('real', 'CAST(`age_years` AS DOUBLE)')
    """
    if type_ in WHOLE:
        return "whole", name
    if type_ in ("float", "double") or type_.startswith("decimal"):
        return "real", f"CAST({name} AS DOUBLE)"
    if type_.startswith("timestamp"):
        return "day", f"CAST({name} AS DATE)"
    if type_.startswith(("varchar", "char")):
        return "text", f"CAST({name} AS STRING)"
    return KINDS.get(type_, "other"), name


# --- from files to files --------------------------------------------------------------------------


def session_of(master: str) -> SparkSession:
    """A session on this master, with SETTINGS; `local[2]` is two threads of this process."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("loansvc portfolio").master(master)
    settings = SETTINGS | {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def run(
    session: SparkSession, given: str, out: str, editions: Editions, *,
    village_codes: Iterable[str], on: date, keys: Sequence[str] | None = None,
    only_score: bool = False, again: bool = False,
) -> Summary:  # fmt: skip
    """Score parquet in `given` into the folder `out`, and what is wrong into `out`.rejects as CSV.

    Raises:
        TableRefused: there is no such parquet, `out` is there already, or as `score`.
    """
    frame = _read(session, given)
    wanted = keys
    if wanted is None:
        wanted = ("application_id",) if "application_id" in frame.columns else ()
    codes, mode = frozenset(village_codes), "overwrite" if again else "errorifexists"
    asked = _Question(frame, editions, codes, on, wanted, only_score)
    _write(asked.answer(asked.query.scored), out, mode)
    n_good, n_all = session.read.parquet(out).count(), frame.count()
    if n_good < n_all:
        flaws = rejected(
            frame, editions, village_codes=codes, on=on, keys=(FILE,), only_score=only_score
        )
        flaws = flaws.withColumnRenamed(FILE, "file").orderBy("file", "row")
        _write(flaws.coalesce(1), f"{out}.rejects", mode, format_="csv")
    return Summary(n_good, n_all - n_good, list(asked.query.missing), editions.references())


def _read(session: SparkSession, given: str) -> DataFrame:
    from pyspark.errors import AnalysisException

    try:
        frame = session.read.parquet(given)
    except AnalysisException:
        raise TableRefused(
            f"{given}: Spark finds no parquet there. Name a file, a folder or a glob that every "
            "worker reaches; CSV and NDJSON are scored without --engine spark."
        ) from None
    return frame.selectExpr(
        "*", f"_metadata.row_index + 1 AS {ROW}", f"_metadata.file_path AS {FILE}"
    )


def _write(frame: DataFrame, out: str, mode: str, *, format_: str = "parquet") -> None:
    from pyspark.errors import AnalysisException

    try:
        frame.write.mode(mode).format(format_).option("header", "true").save(out)
    except AnalysisException as error:
        if error.getCondition() != "PATH_ALREADY_EXISTS":
            raise
        raise TableRefused(
            f"{out}: it is there already. Name another place, or begin anew with --again."
        ) from None
