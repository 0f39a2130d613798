"""history: recorded decisions and what became of them, as a table to train on."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import click

from loansvc.application import PRODUCTS
from loansvc.cli.days import a_day
from loansvc.cli.decisions import as_json, print_json
from loansvc.cli.extras import needs
from loansvc.cli.outcomes import today_or
from loansvc.cli.reporting import a_target, progress
from loansvc.files import whole_file
from loansvc.ledger.performance import STATES
from loansvc.monitoring.history import COLUMNS, FOR_TRAINING, LEFT_OUT, History, Row
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting

ROWS_AT_ONCE = 10_000  # of a parquet file: a group of rows, in memory together
WHY_LEFT_OUT = {
    "erased": "their person was erased",
    "too_old": "what is bad about them is over for five years",
    "not_reproducible": "this version derives another score",
}
SIDES = {"before_repair": 0, "after_repair": 1, "none": None}  # of the one-time repair


@click.command()
@click.option("--from", "since", type=a_day, required=True, help="First day of decision.")
@click.option("--to", "until", type=a_day, required=True, help="Last day, included.")
@click.option("--as-of", "as_of", type=a_day, help="What was known on that day.  [default: today]")
@click.option("--product", type=click.Choice(PRODUCTS), help="Only this product.")
@click.option("--window-months", type=click.IntRange(1, 60), help="From the first draw.  "
              "[default: as the product's card says]")  # fmt: skip
@click.option("--for-training", is_flag=True, help="Only the characteristics and the target, of "
              "cases whose outcome is known: as loansvc train takes them.")  # fmt: skip
@click.argument("out", type=a_target)
@as_json
def history(
    since: datetime, until: datetime, as_of: datetime | None, *, product: str | None,
    window_months: int | None, for_training: bool, out: Path, json_: bool,
) -> None:  # fmt: skip
    """Write recorded decisions and what became of them to OUT (.parquet or .csv), one row each.

    Those who were turned away are there too, marked as such. No row says who somebody is.
    """
    root = Underwriting.open(Settings.from_environment())
    day = today_or(as_of, root)
    if not since <= until or not until.date() <= day <= root.today():
        raise click.UsageError("The days must follow one another: --from, --to, --as-of, today.")
    if out.suffix not in WRITERS:
        raise click.UsageError(f"OUT must end in {' or '.join(WRITERS)}.")
    of = History(root, since.date(), until.date(), as_of=day, product=product,
                 window_months=window_months)  # fmt: skip
    columns = FOR_TRAINING if for_training else COLUMNS
    states, sides = Counter[str](), Counter[int | None]()
    with whole_file(out) as part, progress(of.rows(), label="Reading") as rows:
        kept = (row for row in rows if not for_training or row["target"] is not None)
        WRITERS[out.suffix](_counted(kept, states, sides), columns, part)
    found = {
        "as_of": day.isoformat(),
        "rows": states.total(),
        "by_state": {state: states[state] for state in STATES},
        "credit_reports": {
            "before_repair": sides[0],
            "after_repair": sides[1],
            "none": sides[None],
        },
        "left_out": {why: of.left_out[why] for why in LEFT_OUT},
    }
    if json_:
        print_json(found)
    else:
        _print(out, found)


def _counted(
    rows: Iterable[Row], states: Counter[str], sides: Counter[int | None]
) -> Iterator[Row]:
    """The same rows, counted by how the loan did and by the side of the one-time repair."""
    for row in rows:
        states[row["target_state"]] += 1
        sides[row["credit_repair_break"]] += 1
        yield row


def _print(out: Path, found: Mapping[str, Any]) -> None:
    click.echo(f"{out}   {found['rows']:,} decisions as of {found['as_of']}")
    for state, n in found["by_state"].items():
        click.echo(f"  {n:>9,}  {state}")
    for why, n in found["left_out"].items():
        if n:
            click.echo(f"  {n:>9,}  left out: {WHY_LEFT_OUT[why]}")
    before, after = (found["credit_reports"][side] for side in ("before_repair", "after_repair"))
    if before and after:
        click.echo(
            f"  note  Credit reports of before ({before:,}) and after ({after:,}) the one-time "
            "repair: arrears in them do not mean the same. Train on one side: --from, --to"
        )


# --- the files ----------------------------------------------------------------------------------


def _write_csv(rows: Iterable[Row], columns: Mapping[str, type], path: Path) -> None:
    with path.open("x", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(columns), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


@needs("train", "Parquet")
def _write_parquet(rows: Iterable[Row], columns: Mapping[str, type], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
    several = iter(rows)
    with pq.ParquetWriter(path, schema) as writer:
        while some := list(islice(several, ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist(some, schema))


WRITERS = {".parquet": _write_parquet, ".csv": _write_csv}
COMMANDS = (history,)
