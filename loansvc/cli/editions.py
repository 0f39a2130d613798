"""publish, editions, policy, train: how editions are made, checked and listed."""

from __future__ import annotations

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from loansvc.application import PRODUCTS
from loansvc.cli.decisions import as_json, print_json
from loansvc.editions import COUNTY, KINDS, ROLES, Edition, in_force
from loansvc.errors import EditionRefused, NoEditionInForce, SetupRefused
from loansvc.policy import Policy
from loansvc.registry import Registry, publish, read_document
from loansvc.settings import Settings
from loansvc.underwriting import now
from loansvc.web.presentation import edition_document, newest_first

a_file = click.Path(path_type=Path, exists=True, dir_okay=False)
a_day = click.DateTime(formats=["%Y-%m-%d"])


@click.command("publish")
@click.argument("file", type=a_file)
@click.option("--approver", required=True, help="Who takes responsibility.")
@click.option("--role", type=click.Choice(ROLES), default=ROLES[0], show_default=True)
@click.option("--valid-from", type=a_day, help="Default: the document's own first day.")
@as_json
def publish_(
    file: Path, *, approver: str, role: str, valid_from: datetime | None, json_: bool
) -> None:
    """Check the edition in FILE, take it into the folder of editions and lock it."""
    edition = publish(
        Settings.from_environment().models_folder,
        file,
        role=role,
        approver=approver,
        valid_from=valid_from.date() if valid_from else None,
    )
    if json_:
        print_json(edition_document(edition))
        return
    click.echo(f"{edition.path}   {edition.role} from {edition.valid_from}   {edition.digest}")
    if edition.valid_from < now().date():
        click.echo("It holds from a day gone by; recorded decisions stay as they are.", err=True)


@click.command()
@click.option("--on", type=a_day, help="Only those in force on that day.")
@as_json
def editions(*, on: datetime | None, json_: bool) -> None:
    """List what is published."""
    registry = Registry.open(Settings.from_environment().models_folder)
    found = newest_first(registry.editions)
    if on is not None:
        found = [e for e in found if e in _in_force(registry, on.date())]
    if json_:
        print_json({"data": [edition_document(e) for e in found]})
        return
    for e in found:
        click.echo(
            f"{e.kind:<10} {e.product:<12} {e.role:<10} {e.valid_from}  {e.digest[7:19]}  {e.path}"
        )


def _in_force(registry: Registry, on: date) -> list[Edition[Any]]:
    found = []
    for kind in KINDS:
        for product in (*PRODUCTS, COUNTY):
            for role in ROLES:
                try:
                    found.append(
                        in_force(registry.editions, kind=kind, product=product, role=role, on=on)
                    )
                except NoEditionInForce:
                    continue
    return found


@click.group()
def policy() -> None:
    """Policies: the rule books of the products."""


@policy.command()
@click.argument("files", type=a_file, nargs=-1)
def check(files: tuple[Path, ...]) -> None:
    """Check policy FILES (all published ones by default) and list what is still to be verified."""
    folder = Settings.from_environment().models_folder
    if not files:  # the published ones must be those that the lock names
        Registry.open(folder)
    paths = files or tuple(sorted((folder / "policies").rglob("*.toml")))
    refused = 0
    for path in paths:
        try:
            head, content = read_document(path)
        except EditionRefused as error:
            click.echo(f"refused   {error}")
            refused += 1
            continue
        if not isinstance(content, Policy):
            raise EditionRefused(f"{path.name}: is a {head.kind}, not a policy.")
        weak = [(place, clause) for place, clause in content.clauses if clause.verify]
        late = "   review is overdue" if content.review_by < now().date() else ""
        click.echo(
            f"good      {head.product} {head.valid_from}: {len(content.rules)} rules, "
            f"{len(content.clauses)} clauses, {len(weak)} to verify, review by "
            f"{content.review_by}{late}"
        )
        for place, clause in weak:
            click.echo(f"  verify  {place:<22} [{clause.source_grade}] {clause.reference}")
    if refused:
        raise EditionRefused(f"{refused} of {len(paths)} policies are refused; see above.")


@click.command()
@click.option("--product", type=click.Choice(PRODUCTS), required=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True,
              help="Folder for the card (.json) and its model card (.md).")  # fmt: skip
@click.option("--valid-from", type=a_day, required=True, help="First day of the edition.")
@click.option("--reference", required=True, help="The paper that orders the training.")
@click.option("--operator", required=True, help="Who trains.")
@click.option("--applicants", type=click.IntRange(500, 1_000_000), help="Default: as shipped.")
@click.option("--seed", type=int, help="Default: as shipped.")
def train(
    *, product: str, out: Path, valid_from: datetime, reference: str, operator: str,
    applicants: int | None, seed: int | None,
) -> None:  # fmt: skip
    """Train a scorecard on the synthetic county and write it, ready to be published."""
    try:
        from loansvc.training import train as workshop
    except ImportError as error:
        raise SetupRefused(
            f"Training needs more packages ({error.name}). Run: pip install 'loansvc[train]', "
            "or make dev in a checkout"
        ) from None
    with click.progressbar(length=100, label="Training", file=sys.stderr) as bar:

        def on_progress(step: str, done: int, of: int) -> None:
            bar.label = step
            bar.update(100 * done // of - bar.pos)

        trained = workshop.train_scorecard(
            product,
            seed=workshop.DEFAULT_SEED if seed is None else seed,
            n_applicants=applicants or workshop.DEFAULT_APPLICANTS,
            valid_from=valid_from.date(),
            reference=reference,
            operator=operator,
            clock=now,
            on_progress=on_progress,
        )
    path = workshop.write(trained, out)
    click.echo(f"{path}")
    click.echo(f"Publish it: loansvc publish {path} --approver NAME")


COMMANDS = (publish_, editions, policy, train)
