"""train, card: from a table of outcomes to a card, and from a card and a table to scores."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loansvc.application import PRODUCTS
from loansvc.cli.exporting import export_
from loansvc.errors import SetupRefused
from loansvc.provenance import NONE_NEEDED, missing_from
from loansvc.underwriting import now

if TYPE_CHECKING:
    from loansvc.training.intake import Finding
    from loansvc.training.job import Job

a_file = click.Path(path_type=Path, exists=True, dir_okay=False)
a_day = click.DateTime(formats=["%Y-%m-%d"])
N_STEPS = 10  # bags and folds of a boosted card, for the progress bar
NAME_WIDTH = 40

Options = dict[str, Any]


def _loaded(load: Callable[[], Any]) -> Any:
    """A part of the workshop, or a refusal that says what to install."""
    try:
        return load()
    except ImportError as error:
        raise SetupRefused(
            f"Training needs more packages ({error.name}). Run: pip install 'loansvc[train]', "
            "or make dev in a checkout"
        ) from None


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
@click.option("--sampling", help="How the cases were chosen.")
@click.option("--applicants", type=click.IntRange(500, 1_000_000), help="Synthetic: how many.")
@click.option("--seed", type=int, help="Default: as shipped.")
def train(**options: Any) -> None:
    """Train a scorecard on a table of cases, or on the synthetic county, ready to be published."""
    if options["data"] is not None:
        _train_on_table(options)
    else:
        _train_on_county(options)


def _need(options: Options, names: Sequence[str], why: str) -> None:
    lacking = [f"--{n.replace('_', '-')}" for n in names if options[n] is None]
    if lacking:
        raise click.UsageError(f"Missing option {', '.join(lacking)}: {why}")


def _train_on_county(options: Options) -> None:
    given = [n for n in ("target", "spec", "weights") if options[n] is not None]
    if given or options["exclude"] or options["special"] or options["pairs"]:
        raise click.UsageError("Missing option --data: without a table there are no columns.")
    names = ("product", "valid_from", "reference", "operator")
    _need(options, names, "a card of the synthetic county is one of a product.")
    workshop = _loaded(_county)
    with click.progressbar(length=100, label="Training", file=sys.stderr) as bar:

        def on_progress(step: str, done: int, of: int) -> None:
            bar.label = step
            bar.update(100 * done // of - bar.pos)

        trained = workshop.train_scorecard(
            options["product"],
            seed=workshop.DEFAULT_SEED if options["seed"] is None else options["seed"],
            n_applicants=options["applicants"] or workshop.DEFAULT_APPLICANTS,
            valid_from=options["valid_from"].date(),
            reference=options["reference"],
            operator=options["operator"],
            impact_assessment_id=options["impact_assessment"] or NONE_NEEDED,
            intended_use=options["intended_use"] or workshop.INTENDED_USE,
            limits=(*workshop.LIMITS, *options["limits"]),
            clock=now,
            on_progress=on_progress,
        )
    path = workshop.write(trained, options["out"])
    click.echo(f"{path}")
    click.echo(f"Publish it: loansvc publish {path} --approver NAME")


def _county() -> Any:
    from loansvc.training import train as workshop

    return workshop


def _train_on_table(options: Options) -> None:
    _need(options, ("target",), "which column says who was bad?")
    if options["applicants"] is not None:
        raise click.UsageError("--applicants is for the synthetic county; remove it or --data.")
    if options["family"] == "woe" and options["pairs"]:
        raise click.UsageError("--pairs needs --family boosting.")
    if options["product"] is not None:
        names = ("valid_from", "reference", "operator", "impact_assessment")
        _need(options, names, "a card of a product can be published.")
    workshop = _loaded(_jobs)
    out: Path = options["out"]
    if out.suffix != ".json":
        raise click.UsageError(f"--out {out}: the card is a file that ends in .json.")
    with click.progressbar(length=N_STEPS, label="Training", file=sys.stderr) as bar:
        compiled = workshop.run(
            _job(options, workshop), clock=now, on_findings=_tell, on_step=lambda: bar.update(1)
        )
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


def _jobs() -> Any:
    from loansvc.training import job

    return job


def _job(options: Options, workshop: Any) -> Job:
    spec = workshop.read_spec(options["spec"]) if options["spec"] else {}
    special = workshop.special_from(options["special"])
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
        "seed": workshop.DEFAULT_SEED if options["seed"] is None else options["seed"],
    }  # fmt: skip
    job: Job = workshop.Job(**{k: v for k, v in said.items() if v is not None})
    return job


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
def score_(file: Path, table: Path, *, out: Path) -> None:
    """Score every row of TABLE (parquet or CSV) with CARD: columns score and pd, same order."""
    n_rows = _loaded(lambda: _score)(file, table, out)
    click.echo(f"{out}   {n_rows:,} rows")


def _score(file: Path, table: Path, out: Path) -> int:
    import pandas as pd

    from loansvc.training.card import Card
    from loansvc.training.columns import pd_of
    from loansvc.training.table import check_suffix, read_table, write_table

    check_suffix(out)
    scores = Card.read(file).score(read_table(table))
    write_table(pd.DataFrame({"score": scores, "pd": pd_of(scores)}), out)
    return len(scores)


@card.command("show")
@click.argument("file", metavar="CARD", type=a_file)
def show(file: Path) -> None:
    """Print CARD as a table that a person can add up, with training counts and bad rates."""
    document = _loaded(lambda: _read)(file)
    for line in _lines(document):
        click.echo(line)


def _read(file: Path) -> Mapping[str, Any]:
    from loansvc.training.card import Card

    return Card.read(file).document


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


card.add_command(export_)
COMMANDS = (train, card)
