"""train, card: from a table of outcomes to a card, and from a card and a table to scores.

The commands of the workshop stand behind `workshop()`: an install that only serves lacks packages.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from loansvc.application import PRODUCTS
from loansvc.cli.days import a_day
from loansvc.cli.extras import needs
from loansvc.provenance import NONE_NEEDED, missing_from
from loansvc.underwriting import now

if TYPE_CHECKING:
    from loansvc.training.intake import Finding
    from loansvc.training.job import Job

a_file = click.Path(path_type=Path, exists=True, dir_okay=False)
NAME_WIDTH = 40
# What is said of a table of cases; the synthetic county says all of it itself.
OF_A_TABLE = (
    "target", "family", "pairs", "spec", "exclude", "special", "weights", "population_bad_rate",
    "first_application", "last_application", "outcome_known_on", "sampling", "storage", "synthetic",
    "window_months",
)  # fmt: skip

Options = dict[str, Any]
workshop = partial(needs, "train", "The workshop")

# --- train --------------------------------------------------------------------------------------


@click.command()
@click.option("--data", type=a_file, help="A table of cases, parquet or CSV. Default: the "
              "synthetic county.")  # fmt: skip
@click.option("--target", help="Its column of outcomes: 1 bad, 0 good.")
@click.option("--out", type=click.Path(path_type=Path), required=True,
              help="The card (.json); of the synthetic county, a folder.")  # fmt: skip
@click.option("--family", type=click.Choice(["boosting", "woe"]), default="boosting",
              show_default=True)  # fmt: skip
@click.option("--pairs", type=click.IntRange(0, 20), default=0, show_default=True,
              help="Most two-way tables.")  # fmt: skip
@click.option("--monotone", "spec", type=a_file, help="TOML: directions, special codes, orders.")
@click.option("--exclude", multiple=True, metavar="COLUMN", help="Leave out; may be repeated.")
@click.option("--special", multiple=True, metavar="COLUMN=CODE,CODE", help="Special codes.")
@click.option("--weights", metavar="COLUMN", help="How much each case counts.")
@click.option("--population-bad-rate", type=click.FloatRange(0, 1, min_open=True, max_open=True),
              help="Where the sample was enriched.")  # fmt: skip
@click.option("--product", type=click.Choice(PRODUCTS), help="To publish it; the columns are "
              "then those of the CATALOGUE.")  # fmt: skip
@click.option("--valid-from", type=a_day, help="First day of the edition.")
@click.option("--reference", help="The paper that orders the training.")
@click.option("--operator", help="Who trains; another person approves.")
@click.option("--impact-assessment", help="Its number. Default: none needed for synthetic data.")
@click.option("--intended-use", help="What the card is for. Default: demonstration.")
@click.option("--limit", "limits", multiple=True, help="What it is not good for; may be repeated.")
@click.option("--first-application", help="First day of the cases, or why it is not known.")
@click.option("--last-application", help="Last day of the cases, or why it is not known.")
@click.option("--outcome-known-on", help="Day of the outcomes, or why it is not known.")
@click.option("--window-months", type=click.IntRange(1, 60), help="From the first draw, in which a "
              "case was bad or not.  [default: 12]")  # fmt: skip
@click.option("--sampling", help="How the cases were chosen.")
@click.option("--storage", help="Where the table is kept, or how it is made again.")
@click.option("--synthetic", is_flag=True, help="The cases are made up: nobody is scored by it.")
@click.option("--applicants", type=click.IntRange(500, 1_000_000), help="Synthetic: how many.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1000), help="Default: as shipped.")
@click.pass_context
@workshop()
def train(context: click.Context, /, **options: Any) -> None:
    """Train a scorecard on a table of cases, or on the synthetic county, ready to be published."""
    if options["data"] is not None:
        _train_on_table(options)
    else:
        _refuse_what_is_of_a_table(context)
        _train_on_county(options)


def _refuse_what_is_of_a_table(context: click.Context) -> None:
    given = [
        option.opts[0]
        for option in context.command.params
        if option.name in OF_A_TABLE
        and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(
            f"{', '.join(given)} is for a table of cases. Add --data, or remove it."
        )


def _need(options: Options, names: Sequence[str], why: str) -> None:
    lacking = [f"--{n.replace('_', '-')}" for n in names if options[n] is None]
    if lacking:
        raise click.UsageError(f"Missing option {', '.join(lacking)}: {why}")


def _train_on_county(options: Options) -> None:
    names = ("product", "valid_from", "reference", "operator")
    _need(options, names, "a card of the synthetic county is one of a product.")
    from loansvc.training import train as county

    with click.progressbar(length=100, label="Training", file=sys.stderr) as bar:

        def on_progress(step: str, done: int, of: int) -> None:
            bar.label = step
            bar.update(100 * done // of - bar.pos)

        trained = county.train_scorecard(
            options["product"],
            seed=county.DEFAULT_SEED if options["seed"] is None else options["seed"],
            n_applicants=options["applicants"] or county.DEFAULT_APPLICANTS,
            valid_from=options["valid_from"].date(),
            reference=options["reference"],
            operator=options["operator"],
            impact_assessment_id=options["impact_assessment"] or NONE_NEEDED,
            intended_use=options["intended_use"] or county.INTENDED_USE,
            limits=(*county.LIMITS, *options["limits"]),
            clock=now,
            on_progress=on_progress,
        )
    path = county.write(trained, options["out"])
    click.echo(f"{path}")
    click.echo(f"Publish it: loansvc publish {path} --approver NAME")


def _train_on_table(options: Options) -> None:
    _need(options, ("target",), "which column says who was bad?")
    if options["applicants"] is not None:
        raise click.UsageError("--applicants is for the synthetic county; remove it or --data.")
    if options["family"] == "woe" and options["pairs"]:
        raise click.UsageError("--pairs needs --family boosting.")
    if options["synthetic"] and options["impact_assessment"] is None:
        options["impact_assessment"] = NONE_NEEDED
    if options["product"] is not None:
        if options["pairs"]:
            raise click.UsageError("--pairs: no product's card has two-way tables; remove it.")
        names = ("valid_from", "reference", "operator", "impact_assessment")
        _need(options, names, "a card of a product can be published.")
    out: Path = options["out"]
    if out.suffix != ".json":
        raise click.UsageError(f"--out {out}: the card is a file that ends in .json.")
    from loansvc.training.job import n_steps, run

    job = _job(options)
    with click.progressbar(length=n_steps(job), label="Training", file=sys.stderr) as bar:
        compiled = run(job, clock=now, on_findings=_tell, on_step=lambda: bar.update(1))
    compiled.card.write(out)
    training = compiled.card.document["training"]["data"]
    click.echo(f"{out}   {compiled.card.digest}")
    click.echo(
        f"{training['n']:,} cases, {training['n_bad']:,} bad; "
        f"{len(compiled.card.names)} characteristics; the card is at most "
        f"{compiled.largest_difference_points:.1f} points from the trained model"
    )
    if options["product"]:
        if lacking := missing_from(compiled.card.document["training"]):
            text = f"note: before it can be published, say {', '.join(lacking)}; see --help."
            click.echo(text, err=True)
        click.echo(f"Publish it: loansvc publish {out} --approver NAME")
    else:
        click.echo(f"Read it: loansvc card show {out}")


def _job(options: Options) -> Job:
    from loansvc.training.job import DEFAULT_SEED, Job, read_spec, special_from

    spec = read_spec(options["spec"]) if options["spec"] else {}
    special = special_from(options["special"])
    if special:
        spec["special"] = {**spec.get("special", {}), **special}
    # Each in the words of the Job; what was not said is as the Job has it.
    said = {
        "data": options["data"], "target": options["target"], "family": options["family"],
        "pairs": options["pairs"], "exclude": tuple(dict.fromkeys(options["exclude"])),
        "spec": spec, "weights": options["weights"], "product": options["product"],
        "population_bad_rate": options["population_bad_rate"],
        "valid_from": options["valid_from"] and options["valid_from"].date(),
        "reference": options["reference"], "operator": options["operator"],
        "impact_assessment_id": options["impact_assessment"],
        "intended_use": options["intended_use"], "limits": options["limits"],
        "first_application": options["first_application"],
        "last_application": options["last_application"],
        "outcome_known_on": options["outcome_known_on"], "sampling": options["sampling"],
        "storage": options["storage"], "synthetic": options["synthetic"],
        "window_months": options["window_months"],
        "seed": DEFAULT_SEED if options["seed"] is None else options["seed"],
    }  # fmt: skip
    return Job(**{k: v for k, v in said.items() if v is not None})


def _tell(found: Sequence[Finding]) -> None:
    for finding in found:
        click.echo(f"{finding.level}: {finding.text}", err=True)


# --- card ---------------------------------------------------------------------------------------


@click.group()
def card() -> None:
    """Cards: read them, and score tables with them."""


@card.command("score")
@click.argument("file", metavar="CARD", type=a_file)
@click.argument("table", type=a_file)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True,
              help="Scores, parquet or CSV by its ending.")  # fmt: skip
@workshop()
def score_(file: Path, table: Path, *, out: Path) -> None:
    """Score every row of TABLE (parquet or CSV) with CARD: columns score and pd, same order."""
    import pandas as pd

    from loansvc.training.card import Card
    from loansvc.training.columns import pd_of
    from loansvc.training.table import check_suffix, read_table, write_table

    check_suffix(out)
    card = Card.read(file)
    scores = card.score(read_table(table, text=card.words))
    write_table(pd.DataFrame({"score": scores, "pd": pd_of(scores)}), out)
    click.echo(f"{out}   {len(scores):,} rows")


@card.command("show")
@click.argument("file", metavar="CARD", type=a_file)
@workshop()
def show(file: Path) -> None:
    """Print CARD as a table that a person can add up, with training counts and bad rates."""
    from loansvc.training.card import Card

    for line in _lines(Card.read(file).document):
        click.echo(line)


def _lines(document: Mapping[str, Any]) -> list[str]:
    found = [
        document["statement"],
        f"{'':<{NAME_WIDTH}}  points     cases  bad rate",
        f"{'base':<{NAME_WIDTH}}  {document['base_points']:+6d}",
    ]
    for name, of in sorted(document["characteristics"].items()):
        direction = {1: "   risk rises", -1: "   risk falls"}.get(of.get("direction", 0), "")
        found.append(f"{name}{direction}")
        found += [_line(bin_) for bin_ in of["bins"]]
    for pair in document.get("pairs", []):
        found += _pair_lines(pair)
    return found


def _line(bin_: Mapping[str, Any]) -> str:
    n, n_bad = bin_.get("n", 0), bin_.get("n_bad", 0)
    rate = f"{100 * n_bad / n:7.1f} %" if n else "        -"
    return f"  {_named(bin_):<{NAME_WIDTH - 2}}  {bin_['points']:+6d}  {n:8,}  {rate}"


def _named(bin_: Mapping[str, Any]) -> str:
    """What stands in a bin, shortened to fit."""
    if "state" in bin_:
        return {"missing": "not known", "unseen": "never seen"}[bin_["state"]]
    if "words" in bin_ or "values" in bin_:
        text = ", ".join(map(str, bin_.get("words") or bin_["values"]))
        return text if len(text) <= NAME_WIDTH - 2 else text[: NAME_WIDTH - 5] + "..."
    low, high = bin_.get("from"), bin_.get("to")
    if low is None:
        return "all" if high is None else f"below {high:,}"
    return f"{low:,} or more" if high is None else f"{low:,} to below {high:,}"


def _pair_lines(pair: Mapping[str, Any]) -> list[str]:
    columns = [_named(b)[:12] for b in pair["columns"]["bins"]]
    return [
        f"{pair['rows']['name']} with {pair['columns']['name']}",
        "  " + " " * 20 + "".join(f"{c:>14}" for c in columns),
        *(
            f"  {_named(bin_)[:20]:<20}" + "".join(f"{p:+14d}" for p in points)
            for bin_, points in zip(pair["rows"]["bins"], pair["points"], strict=True)
        ),
    ]


COMMANDS = (train, card)
