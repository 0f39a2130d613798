"""simulate: months of a synthetic county, for trying out what the ledger is good for."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loansvc.application import PRODUCTS
from loansvc.cli.days import a_day
from loansvc.cli.extras import needs
from loansvc.errors import SetupRefused
from loansvc.files import write_whole
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting

if TYPE_CHECKING:
    from loansvc.training.simulation import Plan

PLAN = "simulation.json"  # beside the ledger: what is simulated in it, and how far that has come


@click.command()
@click.option("--through", type=click.IntRange(1), help="The month to stop after, counted from 1.  "
              "[default: until every loan has had its window]")  # fmt: skip
@click.option("--first-day", type=a_day, help="Of the first month.  [default: 2021-06-01]")
@click.option("--months", type=click.IntRange(1, 120), help="In which people apply.  [default: 24]")
@click.option("--applications", type=click.IntRange(28, 5_000), help="A month.  [default: 500]")
@click.option("--drift-month", type=click.IntRange(0), help="From which other people come and all "
              "repay worse; 0: never.  [default: 13]")  # fmt: skip
@click.option("--window-months", type=click.IntRange(4, 24), help="From the first draw, in which a "
              "bad loan turns bad.  [default: 6]")  # fmt: skip
@click.option("--product", type=click.Choice(PRODUCTS), help="[default: credit_loan]")
@click.option("--seed", type=click.IntRange(0, 2**31), help="[default: 1]")
@needs("train", "The simulation")
def simulate(*, through: int | None, **asked: Any) -> None:
    """Let months of a SYNTHETIC county happen in the ledger of LOANSVC_HOME, which must be new.

    Called again it goes on where it stopped, with the editions of that day. Nobody in it is real.
    """
    from loansvc.training.simulation import live, steps_of

    settings = Settings.from_environment()
    root = Underwriting.open(settings, create=True)
    path = settings.home / PLAN
    plan, done = _begun(root, path, {k: v for k, v in asked.items() if v is not None})
    last = min(through or plan.last_month, plan.last_month)
    for month in range(done + 1, last + 1):
        n_steps = len(steps_of(plan, month))
        with click.progressbar(length=n_steps, label=f"Month {month}", file=sys.stderr) as bar:
            n_decided = live(plan, root, month, lambda: bar.update(1))
        _keep(path, plan, month)
        click.echo(f"month {month:3}   {n_decided:,} applications (synthetic)")
    click.echo(f"simulated through month {max(done, last)} of {plan.last_month}")


def _begun(root: Underwriting, path: Path, asked: dict[str, Any]) -> tuple[Plan, int]:
    """The plan of this ledger, and how many of its months are done; a new one of what is asked.

    Raises:
        SetupRefused: the ledger has another plan, or decisions that no simulation made.
    """
    from loansvc.training.simulation import Plan

    if "first_day" in asked:
        asked["first_day"] = asked["first_day"].date().replace(day=1)
    if path.exists():
        kept = json.loads(path.read_text("utf-8"))
        plan = Plan.from_record(kept["plan"])
        for name, value in asked.items():
            if getattr(plan, name) != value:
                option = f"--{name.replace('_', '-')}"
                raise SetupRefused(
                    f"{option}: this ledger is simulated with {getattr(plan, name)}. Leave the "
                    "option out, or take a new folder: LOANSVC_HOME"
                )
        return plan, int(kept["through"])
    if root.page(client=None, limit=1)[0]:
        raise SetupRefused(
            f"The ledger in {path.parent} has decisions that no simulation made. "
            "Take a new folder: LOANSVC_HOME"
        )
    plan = Plan(**{"first_day": date(2021, 6, 1), **asked})
    _keep(path, plan, 0)
    return plan, 0


def _keep(path: Path, plan: Plan, through: int) -> None:
    text = json.dumps({"plan": plan.to_record(), "through": through}, indent=1)
    write_whole(path, f"{text}\n".encode(), part_folder=path.parent)


COMMANDS = (simulate,)
