"""report, impact: many decisions added up, and what a draft would do to them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from loansvc.cli.days import a_day
from loansvc.cli.decisions import as_json, print_json
from loansvc.editions import Edition, in_force
from loansvc.files import write_whole
from loansvc.monitoring import budget, impact_page, impact_shown, report_page
from loansvc.monitoring.columns import (
    AMOUNTS,
    COUNTS,
    Column,
    notes,
    to_document,
    total_row,
    values,
)
from loansvc.monitoring.csv_table import csv_bytes
from loansvc.monitoring.figures import percent_text
from loansvc.monitoring.impact import DEFAULT_LAST, Impact, Part, draft_of, impact, move_table
from loansvc.monitoring.offers import rate_text
from loansvc.monitoring.reading import decided_between, erased_between, last_decided, n_decided
from loansvc.monitoring.report import BY_PERSON, Report, Row, report
from loansvc.policy import OUTCOMES
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting

T = TypeVar("T")
SEVERAL = " (one may stand in several rows)"
a_file = click.Path(path_type=Path, exists=True, dir_okay=False)
a_target = click.Path(path_type=Path, dir_okay=False)


@click.command("report")
@click.option("--from", "since", type=a_day, required=True, help="First day of decision.")
@click.option("--to", "until", type=a_day, required=True, help="Last day, included.")
@click.option("--csv", "csv_file", type=a_target, help="Write one long table, too.")
@click.option("--html", type=a_target, help="Write a page with charts, too.")
@click.option("--all-cells", is_flag=True, help="Show rows of fewer than 3 people, too.")
@as_json
def report_(
    since: datetime, until: datetime, *, csv_file: Path | None, html: Path | None,
    all_cells: bool, json_: bool,
) -> None:  # fmt: skip
    """Add up what was decided in a period, by product, group, department, village and month."""
    if until < since:
        raise click.UsageError("--to must not be before --from.")
    root = Underwriting.open(Settings.from_environment())
    recorded = decided_between(root, since.date(), until.date())
    with progress(recorded, label="Reading") as counted:
        found = report(
            counted, root.registry, since=since.date(), until=until.date(), all_cells=all_cells,
            erased=erased_between(root, since.date().isoformat(), until.date().isoformat()),
        )  # fmt: skip
    if csv_file is not None:
        write(csv_file, csv_bytes(found))
    if html is not None:
        write(html, report_page.page(found).encode())
    if json_:
        print_json(to_document(found))
        return
    _print_report(found)
    for path in filter(None, (csv_file, html)):
        click.echo(path)


@contextmanager
def progress(
    things: Iterable[T], *, label: str, length: int | None = None
) -> Iterator[Iterator[T]]:
    """The same things, a bar on standard error moving with them where a person looks on."""
    with click.progressbar(
        things, length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        yield iter(bar)


def write(path: Path, data: bytes) -> None:
    """Write a whole file, its folder made where it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data, part_folder=path.parent)


# --- report as text -----------------------------------------------------------------------------


def _print_report(found: Report) -> None:
    click.echo(f"Decided from {found.since} to {found.until}: {found.total.applications}")
    for caution in found.cautions:
        click.echo(f"  note  {caution.en} ({caution.decisions} decisions)")
    total = total_row(found)
    for table in found.tables:
        if table.name in BY_PERSON and not table.rows:
            continue
        rows = [*table.rows, total]
        several = "" if table.adds_up or table.name in BY_PERSON else SEVERAL
        click.echo(f"\n{table.en}{several}")
        for columns in (COUNTS, AMOUNTS):
            _print_columns(rows, columns)
    click.echo("")
    for _, en in notes(found):
        click.echo(f"  {en}")


def _print_columns(rows: list[Row], columns: tuple[Column, ...]) -> None:
    """Some columns of a table, each as wide as its longest figure."""
    lines = [("", [c.en for c in columns])]
    for row in rows:
        name = f"{row.key} {row.zh}" if row.zh == row.en else row.en  # a village has one name
        lines.append((name, [_text(c, v, row) for c, v in values(row) if c in columns]))
    label = max(map(width, (name for name, _ in lines)))
    widths = [max(len(shown[i]) for _, shown in lines) for i in range(len(columns))]
    for name, shown in lines:
        figures = "".join(f"{text:>{w + 2}}" for text, w in zip(shown, widths, strict=True))
        click.echo(f"  {name}{' ' * (label - width(name))}{figures}")


def _text(column: Column, value: int | None, row: Row) -> str:
    if value is None:
        return "*" if row.hidden else "-"
    return percent_text(value) if column.is_rate else f"{value:,}"


def width(text: str) -> int:
    """Columns of a terminal; a Chinese character takes two."""
    return sum(2 if ord(c) > 0x2E7F else 1 for c in text)


# --- impact -------------------------------------------------------------------------------------

PART_SUMS = (
    ("limit_yuan", "limits"), ("approved_yuan", "approved"), ("expected_loss_yuan", "loss"),
    ("local_guarantor_yuan", "fund"),
)  # fmt: skip
PART_PRICES = (("interest_yuan", "interest"), ("subsidy_yuan", "subsidy"))
MOST_FLIPS_SHOWN = 20  # as text; all of them as JSON and on the page


@click.command("impact")
@click.argument("file", type=a_file)
@click.option(
    "--last",
    type=click.IntRange(1, 100_000),
    default=DEFAULT_LAST,
    show_default=True,
    help="How many recorded decisions.",
)
@click.option("--valid-from", type=a_day, help="Default: the document's own first day.")
@click.option("--html", type=a_target, help="Write a page, too.")
@as_json
def impact_(
    file: Path, *, last: int, valid_from: datetime | None, html: Path | None, json_: bool
) -> None:  # fmt: skip
    """Decide the last recorded applications again as if the draft in FILE were in force."""
    draft = draft_of(file, valid_from=valid_from.date() if valid_from else None)
    root = Underwriting.open(Settings.from_environment())
    found, verdict = measure(root, draft, last=last)
    if found.is_of_itself:
        click.echo(f"{file}: {impact_shown.itself_text(found)[1]}", err=True)
    if html is not None:
        write(html, impact_page.page(found, verdict).encode())
    if json_:
        print_json(impact_shown.to_document(found, verdict))
        return
    _print_impact(found, verdict)
    if html is not None:
        click.echo(html)


def measure(
    root: Underwriting, draft: Edition[Any], *, last: int = DEFAULT_LAST
) -> tuple[Impact, budget.Verdict]:
    """The impact of a draft on the last decisions of its product, beside the change budget.

    The budget is that of the policy in force on the draft's first day.

    Raises:
        NoEditionInForce: there is none, or nothing that the draft would take the place of.
    """
    policy = in_force(
        root.registry.editions, kind="policy", product=draft.product, role="champion",
        on=draft.valid_from,
    )  # fmt: skip
    recorded = last_decided(root, draft.product, last)
    length = n_decided(root, draft.product, most=last)
    with progress(recorded, label="Deciding again", length=length) as counted:
        found = impact(counted, root.registry, draft)
    n_erased = len(erased_between(root, found.decided_from, None, product=draft.product))
    found = replace(found, n_erased=n_erased)
    return found, budget.weigh(found, policy.content.change_budget)


def _print_impact(found: Impact, verdict: budget.Verdict) -> None:
    if not found.n:
        click.echo(impact_shown.nothing_text(found)[1])
        return
    current = found.in_force["valid_from"]
    click.echo(
        f"{found.kind} of {found.product} from {found.valid_from} ({found.draft[7:19]}) in place "
        f"of the one from {current}: {found.n} decisions, {found.decided_from} to "
        f"{found.decided_to}"
    )
    if found.n_erased:
        click.echo(impact_shown.erased_text(found)[1])
    over = " OVER" if verdict.over else "" if verdict.is_enough else " (too few to refuse on)"
    click.echo(f"\nChange budget{over}")
    for m in verdict.measures:
        click.echo(f"  {m.en:<18}{m.figure:>14}   at most {m.most_percent} %")
    if score := impact_shown.mean_score_change(found):
        click.echo(f"  {'mean score':<18}{score:>14}")
    click.echo("\nOutcomes, in force down, draft across")
    click.echo(f"  {'':<10}" + "".join(f"{o:>10}" for o in OUTCOMES))
    for before, row in zip(OUTCOMES, move_table(found), strict=True):
        click.echo(f"  {before:<10}" + "".join(f"{n:>10,}" for n in row))
    terms = impact_shown.terms_text(found)[1]
    click.echo(
        f"  {found.n_other_terms} keep their outcome with other terms"
        + (f": {terms}" if terms else "")
    )
    _print_sums(found)
    _print_prices(found)
    _print_parts(found)
    _print_flips(found)


def _print_sums(found: Impact) -> None:
    click.echo(f"\n{'Sums':<26}{'in force':>14}{'draft':>14}{'change':>14}")
    for name, _, en in impact_shown.SUMS:
        _print_change(en, getattr(found.before, name), getattr(found.after, name))
    for tier in found.tiers:
        name = f"tier {tier.tier}, yuan ({tier.n_before} -> {tier.n_after})"
        _print_change(name, tier.before_yuan, tier.after_yuan)


def _print_change(name: str, before: int, after: int) -> None:
    change = budget.change_text(budget.change_of(before, after))
    click.echo(f"  {name:<24}{before:>14,}{after:>14,}{change:>14}")


def _print_prices(found: Impact) -> None:
    before, after = found.prices_before, found.prices_after
    title = f"Prices, {before.approvals:,} approved twice"
    click.echo(f"\n{title:<26}{'in force':>14}{'draft':>14}{'change':>14}")
    for name, _, en in impact_shown.PRICES:
        _print_change(en, getattr(before, name), getattr(after, name))
    change = budget.change_text(budget.change_of(before.mean_rate or 0, after.mean_rate or 0))
    rates = f"{rate_text(before.mean_rate):>14}{rate_text(after.mean_rate):>14}"
    click.echo(f"  {impact_shown.MEAN_RATE[1]:<24}{rates}{change:>14}")


def _print_parts(found: Impact) -> None:
    """Parts in which something changes: most rows of a small change are the same twice."""
    for name, _, en in impact_shown.PARTS:
        changed = [p for p in found.parts[name] if p.differs]
        same = len(found.parts[name]) - len(changed)
        click.echo(f"\n{en}" + (f" ({same} unchanged)" if same else ""))
        for p in changed:
            label = f"{p.key} {p.zh}" if p.zh == p.en else p.en
            click.echo(f"  {label}{' ' * max(0, 36 - width(label))}{_part_figures(p)}")


def _part_figures(p: Part) -> str:
    """What changes in a part; figures that stay are left out."""
    told = [
        (name, f"{getattr(before, of):,}", f"{getattr(after, of):,}")
        for before, after, sums in (
            (p.before, p.after, PART_SUMS), (p.prices_before, p.prices_after, PART_PRICES),
        )
        for of, name in sums
    ]  # fmt: skip
    rates = rate_text(p.prices_before.mean_rate), rate_text(p.prices_after.mean_rate)
    told.append(("mean rate", *rates))
    return "   ".join(
        (
            f"{p.n_flips:>4} of {p.before.applications:,} flip",
            f"{p.n_other_terms:,} with other terms",
            *(f"{name} {before} -> {after}" for name, before, after in told if before != after),
        )
    )


def _print_flips(found: Impact) -> None:
    if found.flips:
        click.echo("\nOutcomes that change")
    for f in found.flips[:MOST_FLIPS_SHOWN]:
        before, after = " ".join(f.reasons_before) or "-", " ".join(f.reasons_after) or "-"
        click.echo(
            f"  {f.sequence:>7}  {f.application_id}   {f.before} ({before}) -> {f.after} ({after})"
        )
    if (more := len(found.flips) - MOST_FLIPS_SHOWN) > 0:
        click.echo(f"  and {more} more: --json or --html lists them all")


COMMANDS = (report_, impact_)
