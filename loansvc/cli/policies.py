"""policy: the rule books of the products, checked and compared before they are published."""

from __future__ import annotations

from pathlib import Path

import click

from loansvc.cli.editions import a_file
from loansvc.errors import EditionRefused
from loansvc.policy import Policy
from loansvc.registry import Registry, read_document
from loansvc.settings import Settings
from loansvc.underwriting import now


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


COMMANDS = (policy,)
