"""policy: the rule books of the products, checked and compared before they are published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from loansvc.application import PRODUCTS
from loansvc.cli.days import a_day
from loansvc.cli.decisions import as_json, in_chinese, print_json
from loansvc.cli.editions import a_file
from loansvc.editions import ROLES, Edition, Head, digest_of, in_force
from loansvc.errors import EditionRefused, NotFound
from loansvc.policy import Policy
from loansvc.policy.changes import Change
from loansvc.policy.coverage import KINDS, coverage
from loansvc.policy.differences import PARTS, differences
from loansvc.policy.facts import as_markdown
from loansvc.policy.notes import Note, notes
from loansvc.policy.sheet import sheet, statement_text
from loansvc.registry import Registry, read_document
from loansvc.registry.publishing import policy_refusals, published_in
from loansvc.settings import Settings
from loansvc.underwriting import now
from loansvc.web.presentation import product_document

SHORT = 3  # arguments of the short form: a product and two days


@click.group()
def policy() -> None:
    """Policies: the rule books of the products."""


@policy.command()
@click.argument("files", type=a_file, nargs=-1)
@click.option("--verify", is_flag=True, help="List the clauses that are still to be verified.")
@click.option("--json", "json_", is_flag=True, help="Print everything found, as JSON.")
def check(files: tuple[Path, ...], *, verify: bool, json_: bool) -> None:
    """Check policy FILES (all published ones by default), before they are published.

    Reads each and runs its examples, holds it against the published policies of its product, tries
    it on generated cases, and tells what no case reaches and what may have been overlooked. Exit 1
    if one is refused.
    """
    folder = Settings.from_environment().models_folder
    if not files:  # the published ones must be those that the lock names
        Registry.open(folder)
    paths = files or tuple(sorted((folder / "policies").rglob("*.toml")))
    found = [_checked(path, folder) for path in paths]
    if json_:
        print_json({"data": found})
    else:
        for one in found:
            _print_checked(one, verify=verify)
    refused = sum(not one["good"] for one in found)
    if refused:
        raise EditionRefused(
            f"{refused} of {len(paths)} policies are refused; correct what is said above."
        )


def _name_of(path: Path, folder: Path) -> str:
    """The path in the folder of editions, where they all have days for names; else as given."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _checked(path: Path, folder: Path) -> dict[str, Any]:
    """What there is to say of one file, held against what is published in the folder."""
    name = _name_of(path, folder)
    try:
        head, content = read_document(path, name=name)
    except EditionRefused as error:
        return {"file": name, "good": False, "refused": list(error.faults)}
    if not isinstance(content, Policy):
        raise EditionRefused(f"{name}: is a {head.kind}, not a policy. Name files of policies.")
    covered = coverage(content, first_day=head.valid_from)
    published = published_in(folder)
    refused = [f"{name}, {what}." for what in covered.broken]
    refused += policy_refusals(path.read_bytes(), head, content, folder, name)
    return {
        "file": name,
        "good": not refused,
        "refused": refused,
        "product": head.product,
        "valid_from": head.valid_from.isoformat(),
        "review_by": content.review_by.isoformat(),
        "review_overdue": content.review_by < now().date() and not _is_replaced(path, published),
        "rules": len(content.rules),
        "clauses": len(content.clauses),
        "texts_missing": content.n_texts_missing,
        "coverage": covered.to_dict(),
        "notes": [asdict(note) for note in _notes(path, head, content, folder, published)],
        "to_verify": [
            {"place": place, "source_grade": clause.source_grade, "reference": clause.reference}
            for place, clause in content.clauses
            if clause.verify
        ],
    }


def _notes(
    path: Path, head: Head, policy: Policy, folder: Path, published: Sequence[dict[str, str]]
) -> tuple[Note, ...]:
    """What the writer of a draft may have overlooked against the policy before; of drafts alone."""
    if any(e["digest"] == digest_of(path.read_bytes()) for e in published):
        return ()
    earlier = [
        (e["valid_from"], e["path"])
        for e in published
        if (e["kind"], e["product"]) == ("policy", head.product)
        and e["valid_from"] < head.valid_from.isoformat()
    ]
    return notes(policy, read_document(folder / max(earlier)[1])[1] if earlier else None)


def _is_replaced(path: Path, published: Sequence[dict[str, str]]) -> bool:
    """Whether this is a published policy, and a later one of its product holds by now."""
    digest, today = digest_of(path.read_bytes()), now().date().isoformat()
    last = max((e["valid_from"] for e in published if e["digest"] == digest), default=today)
    product = next((e["product"] for e in published if e["digest"] == digest), "")
    return any(
        (e["kind"], e["product"]) == ("policy", product) and last < e["valid_from"] <= today
        for e in published
    )


def _print_checked(one: dict[str, Any], *, verify: bool) -> None:
    for refused in one["refused"]:
        click.echo(f"refused   {refused}")
    if not one["good"]:
        return
    missing = f"{one['texts_missing']} texts missing, " if one["texts_missing"] else ""
    late = "   review is overdue" if one["review_overdue"] else ""
    click.echo(
        f"good      {one['product']} {one['valid_from']}: {one['rules']} rules, "
        f"{one['clauses']} clauses, {len(one['to_verify'])} to verify, {missing}review by "
        f"{one['review_by']}{late}"
    )
    covered = one["coverage"]
    sides, words = covered["thresholds"], covered["word_tests"]
    click.echo(
        f"  cases   {covered['n_cases']}, on both sides of {sides['reached']} of {sides['of']} "
        f"thresholds and {words['reached']} of {words['of']} lists of words"
    )
    counts = (f"{r['reached']} of {r['of']} {KINDS[r['kind']]}" for r in covered["reached"])
    click.echo(f"  reach   {', '.join(counts)}")
    for missed in covered["missed"]:
        place = f"{missed['place']} {missed['what']}"
        click.echo(f"  missed  {place:<22} {missed['why']}")
    for note in one["notes"]:
        click.echo(f"  note    {note['place']:<22} {note['text']}")
    for weak in one["to_verify"] if verify else ():
        click.echo(f"  verify  {weak['place']:<22} [{weak['source_grade']}] {weak['reference']}")


@policy.command()
@click.argument("which", nargs=-1, required=True, metavar="A B | PRODUCT DATE DATE")
@click.option("--zh", is_flag=True, help="In Chinese.")
@click.option(
    "--json", "json_", is_flag=True, help="Print every change in both languages, as JSON."
)
def diff(which: tuple[str, ...], *, zh: bool, json_: bool) -> None:
    """Say in words what policy B changes against policy A.

    A and B are files, published policies by their path under models, or PRODUCT@DATE for the one
    in force on that day. PRODUCT DATE DATE is short for PRODUCT@DATE PRODUCT@DATE.
    """
    if len(which) == SHORT:
        product, *days = which
        which = tuple(f"{product}@{day}" for day in days)
    if len(which) != 2:
        raise click.UsageError("Give two policies, or a product and two dates.")
    (before, a), (after, b) = (_read(one) for one in which)
    changes = differences(a, b)
    if json_:
        print_json({"before": before, "after": after, "changes": [asdict(c) for c in changes]})
        return
    for letter, head in (("A", before), ("B", after)):
        click.echo(f"{letter}  {head['product']} {head['valid_from']}   {head['reference']}")
    _print_changes(changes, zh=zh)


def _read(which: str) -> tuple[dict[str, str], Policy]:
    """The policy that an argument names, with what its head says."""
    folder = Settings.from_environment().models_folder
    path, name = Path(which), which
    if not path.is_file():
        path = folder / _published(Registry.open(folder), which).path
        name = _name_of(path, folder)
    head, content = read_document(path, name=name)
    if not isinstance(content, Policy):
        raise EditionRefused(f"{name}: is a {head.kind}, not a policy. Name a policy.")
    return {
        "name": name,
        "product": head.product,
        "valid_from": head.valid_from.isoformat(),
        "reference": head.reference,
    }, content


def _published(registry: Registry, which: str) -> Edition[Any]:
    """The published policy of a path, or of PRODUCT@DATE.

    Raises:
        NotFound: there is none.
        NoEditionInForce: none had started by that day.
    """
    product, at, day = which.partition("@")
    if at and product in PRODUCTS:
        try:
            on = date.fromisoformat(day)
        except ValueError:
            raise NotFound(f"{which}: {day} is no date; write one such as 2026-09-01.") from None
        return in_force(registry.editions, kind="policy", product=product, role=ROLES[0], on=on)
    for edition in registry.editions:
        if edition.kind == "policy" and edition.path == which:
            return edition
    raise NotFound(
        f"{which}: no file and no published policy. Give a file, a path that loansvc editions "
        f"lists, or PRODUCT@DATE with one of {', '.join(PRODUCTS)}."
    )


def _print_changes(changes: tuple[Change, ...], *, zh: bool) -> None:
    if not changes:
        click.echo("两者内容相同，没有变更。" if zh else "Nothing changed: both say the same.")
        return
    n = len(changes)
    click.echo(f"共{n}项变更" if zh else f"{n} change{'s' * (n != 1)}")
    for part, (part_zh, part_en) in PARTS.items():
        of_part = [change for change in changes if change.part == part]
        if of_part:
            click.echo(f"\n{part_zh if zh else part_en}")
        for change in of_part:
            click.echo(f"  {change.zh if zh else change.en}")


@policy.command()
@click.argument("product", type=click.Choice(PRODUCTS))
@click.option("--on", type=a_day, help="The policy in force on that day; default: today.")
@in_chinese
@as_json
def show(product: str, *, on: datetime | None, zh: bool, json_: bool) -> None:
    """Show what PRODUCT asks for and gives, as a loan officer reads it.

    Who may borrow, what refuses, what goes to a person, score, limits, prices, guarantee, each
    clause with its source. --json prints the product of GET /v1/products.
    """
    registry = Registry.open(Settings.from_environment().models_folder)
    day = on.date() if on else now().date()
    if json_:
        print_json(product_document(product, registry.in_force(product, day)))
        return
    edition = in_force(registry.editions, kind="policy", product=product, role=ROLES[0], on=day)
    _print_head(edition, last_day=_last_day(registry, edition), zh=zh)
    for part in sheet(edition.content):
        click.echo(f"\n{part.title[not zh]}")
        for line in part.lines:
            click.echo(f"  {line[not zh]}")


def _last_day(registry: Registry, edition: Edition[Any]) -> date | None:
    """The day before the next policy of the product takes its place; None: none is published."""
    place = (edition.kind, edition.product, edition.role)
    later = [
        e.valid_from
        for e in registry.editions
        if (e.kind, e.product, e.role) == place and e.valid_from > edition.valid_from
    ]
    return min(later) - timedelta(days=1) if later else None


def _print_head(edition: Edition[Policy], *, last_day: date | None, zh: bool) -> None:
    policy, first_day = edition.content, edition.valid_from
    if zh:
        until = f"至{last_day}止" if last_day else ""
        click.echo(
            f"{policy.title_zh}（{policy.product}）   自{first_day}起{until}"
            f"   复审日期：{policy.review_by}"
        )
    else:
        until = f" until {last_day}" if last_day else ""
        click.echo(
            f"{policy.title_en} ({policy.product})   from {first_day}{until}"
            f"   to be reviewed by {policy.review_by}"
        )
    click.echo(f"{'依据：' if zh else 'source: '}{edition.head.reference}")
    click.echo(statement_text(policy)[not zh])


@policy.command()
def facts() -> None:
    """Print the facts that a policy may ask for, as the table of docs/policy_facts.md."""
    click.echo(as_markdown(), nl=False)


COMMANDS = (policy,)
