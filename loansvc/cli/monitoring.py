"""monitor: a period of the ledger against what went before, and against limits; made for cron."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from loansvc.cli.days import a_day
from loansvc.cli.decisions import as_json, print_json
from loansvc.cli.reporting import a_file, a_target, progress, width, write
from loansvc.monitoring import watch_page
from loansvc.monitoring.limits import SHIPPED_LIMITS, read_limits
from loansvc.monitoring.reading import decided_between, erased_between, loans_of
from loansvc.monitoring.watch import TOTAL, Part, Watch, watch
from loansvc.monitoring.watch_shown import (
    curve_months,
    headline,
    largest,
    least_known,
    percent,
    reference_text,
    rows_of,
    silence_text,
    to_document,
)
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting


@click.command("monitor")
@click.option("--from", "since", type=a_day, required=True, help="First day of decision.")
@click.option("--to", "until", type=a_day, required=True, help="Last day, included.")
@click.option("--reference", type=a_day, nargs=2, help="First and last day to compare with.  "
              "[default: the training of each card]")  # fmt: skip
@click.option("--as-of", type=a_day, help="What was known by then, of loans and editions.  "
              "[default: today]")  # fmt: skip
@click.option("--limits", type=a_file, help="TOML; what it leaves out is as shipped.")
@click.option("--html", type=a_target, help="Write a page, too.")
@click.option("--all-cells", is_flag=True, help="Show rows of fewer than 3 people, too.")
@as_json
@click.pass_context
def monitor(
    context: click.Context, since: datetime, until: datetime, *,
    reference: tuple[datetime, datetime] | None, as_of: datetime | None, limits: Path | None,
    html: Path | None, all_cells: bool, json_: bool,
) -> None:  # fmt: skip
    """Watch a period for drift, losses and what is out of date; exit 1 if a limit is broken."""
    if until < since or (reference and reference[1] < reference[0]):
        raise click.UsageError("The last day must not be before the first.")
    if reference and reference[0] <= until and since <= reference[1]:
        raise click.UsageError("--reference must be other days than those from --from to --to.")
    held = read_limits(limits) if limits else SHIPPED_LIMITS
    root = Underwriting.open(Settings.from_environment())
    day = as_of.date() if as_of else root.today()
    days = (reference[0].date(), reference[1].date()) if reference else None
    with progress(decided_between(root, since.date(), until.date()), label="Reading") as counted:
        found = watch(
            counted, root.registry, loans_of(root, day),
            since=since.date(), until=until.date(), as_of=day, limits=held,
            before=decided_between(root, *days) if days else (), reference=days,
            all_cells=all_cells,
            erased=erased_between(root, since.date().isoformat(), until.date().isoformat()),
        )  # fmt: skip
    if html is not None:
        write(html, watch_page.page(found).encode())
    if json_:
        print_json(to_document(found))
    else:
        _print(found)
        if html is not None:
            click.echo(html)
    if found.breaches:
        context.exit(1)


# --- as text --------------------------------------------------------------------------------------


def _print(found: Watch) -> None:
    click.echo(headline(found)[1])
    for breach in found.breaches:
        click.echo(f"  {breach.limit}  {breach.en}")
    report = found.report
    click.echo(f"\nDecided from {report.since} to {report.until}: {report.total.applications}")
    click.echo(f"{reference_text(found)[1]}; loans and editions as of {found.as_of}")
    for caution in report.cautions:
        click.echo(f"  note  {caution.en} ({caution.decisions} decisions)")
    if found.n_not_reproducible:
        n = found.n_not_reproducible
        click.echo(f"  note  {n} decisions score otherwise by this version: not in the drift")
    _print_rates(found)
    for part in found.parts:
        _print_part(part)
    _print_loans(found)


def _print_rates(found: Watch) -> None:
    click.echo(f"\n{'':<24}{'n':>8}{'approved':>10}{'referred':>10}{'by person':>11}{'score':>8}")
    for table in ("month", "product", "group", "village"):
        for row in rows_of(found, table):
            name = f"{row.key} {row.zh}" if row.zh == row.en else row.en
            figures, n = row.figures, row.figures.applications
            label = f"{name}{' ' * max(1, 24 - width(name))}{n:>8,}"
            scores = found.scores.get((table, row.key))
            if row.hidden or scores is None:
                click.echo(f"{label}{'*' if row.hidden else '-':>10}")
                continue
            rates = (figures.approved / n, figures.referred / n, figures.by_person / n)
            shown = "".join(f"{percent(r):>{w}}" for r, w in zip(rates, (10, 10, 11), strict=True))
            click.echo(f"{label}{shown}{scores.points / scores.n:>8.1f}")
    if total := found.scores.get(TOTAL):
        grades = ", ".join(f"{g} {n:,}" for g, n in sorted(total.grades.items()))
        click.echo(f"Grades: {grades}")


def _print_part(part: Part) -> None:
    click.echo(f"\n{part.product} {part.month}, card {part.card[7:19]}: {part.n:,} cases")
    if part.hidden:
        click.echo("  * of too few people: --all-cells")
        return
    if missing := least_known(part):
        click.echo("  least known: " + ", ".join(f"{n} ({percent(k)} not)" for n, k in missing))
    if part.move is None:
        click.echo("  no reference: --reference FROM TO names days of the ledger")
        return
    of = (
        "" if part.reference_card == part.card else f", by card {(part.reference_card or '')[7:19]}"
    )
    click.echo(f"  beside {part.n_reference:,} of the reference{of}")
    if not part.comparisons:
        click.echo("  not compared: too few cases, or another card")
    shown = [c for c in part.comparisons if c.psi is not None]
    for one in sorted(shown, key=lambda c: c.adjusted)[:5]:
        over = "  OVER" if one.is_over else ""
        critical = "-" if one.critical is None else f"{one.critical:.4f}"
        click.echo(
            f"  {one.name:<34}PSI {one.psi:.4f}   chance {critical}   p {one.adjusted:.3f}{over}"
        )
    moved = part.move
    without = "" if moved.villages else " without village points"
    click.echo(f"  mean score{without} {float(moved.then):.2f} -> {float(moved.now):.2f}, most by")
    for name, points in largest(moved):
        click.echo(f"    {name:<34}{points:>+8.2f}")


def _print_loans(found: Watch) -> None:
    if not found.loans:
        click.echo("\nNo loan of these decisions was drawn yet.")
        return
    states = ", ".join(f"{state} {n:,}" for state, n in sorted(found.loans.items()))
    click.echo(f"\nLoans drawn: {states}")
    if found.n_silent:
        click.echo(f"  note  {silence_text(found)[1]}")
    for grade in found.calibration:
        over = "  OVER" if grade.is_over else ""
        click.echo(
            f"  {grade.grade}   {grade.bad} bad of {grade.n:,}, PD {100 * grade.pd_12m:.2f} %   "
            f"p {grade.adjusted:.3f}{over}"
        )
    months = curve_months(found)
    if months:
        heads = "".join(f"{f'{k} m':>8}" for k in months)
        click.echo(f"  bad by months on book, by month of first draw\n{'':<12}{'drawn':>8}{heads}")
    for one in found.vintages:
        curve = "".join(
            f"{percent(one.bad[k - 1] / one.watched[k - 1]) if k <= len(one.watched) else '-':>8}"
            for k in months
        )
        click.echo(f"    {one.month}{one.drawn:>9,}{curve}")
    for officer in found.officers:
        said = "*" if officer.hidden else f"{officer.bad} bad of {officer.n:,} known"
        click.echo(f"  approved by {officer.name}: {said}")


COMMANDS = (monitor,)
