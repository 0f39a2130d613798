"""villages rate, list, history: evidence in, ratings by a dated standard out; what registers said.

All or nothing: a file with a fault is listed fault by fault, and nothing is rated or written.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from loansvc.cli.days import a_day
from loansvc.cli.decisions import as_json, print_json
from loansvc.cli.drafts import write_out
from loansvc.cli.editions import a_file
from loansvc.cli.evidence import Row, read_bytes, read_rows
from loansvc.editions import COUNTY, Edition, digest_of, in_force, to_text
from loansvc.errors import EditionRefused, NotFound
from loansvc.registry import Registry, read_document
from loansvc.settings import Settings
from loansvc.standards import (
    ENOUGH,
    MEASURES,
    Line,
    Rating,
    Standard,
    rate,
)
from loansvc.underwriting import now
from loansvc.villages import RATINGS, UNRATED, Register, Village, rating_on
from loansvc.villages.history import history_of
from loansvc.web.presentation import village_history_document

WIDTH_OF_NAME = 14  # seven Chinese characters; the longest name of a village here has five


@dataclass(frozen=True, slots=True)
class Rated:
    """A row, its rating, the village as the newest register has it, and how it stands that day."""

    row: Row
    rating: Rating
    listed: Village
    standing: str
    state: str


@dataclass(frozen=True, slots=True)
class Source:
    """The standard applied. `published` False: a draft given with --standard."""

    standard: Standard
    valid_from: date
    reference: str
    digest: str
    published: bool


@click.group()
def villages() -> None:
    """Villages: ratings from evidence, signed, registered, taken away, appealed against."""


@villages.command("rate")
@click.argument("evidence", type=a_file)
@click.option("--on", type=a_day, help="Default: today.")
@click.option("--standard", "draft", type=a_file, help="Default: the published one of that day.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="For the register.")
@click.option("--json", "json_", is_flag=True, help="Print every line behind every rating.")
def rate_(
    evidence: Path, *, on: datetime | None, draft: Path | None, out: Path | None, json_: bool
) -> None:
    """Rate the villages in EVIDENCE, a CSV file in UTF-8, by the standard in force.

    Columns: code, households_total, households_rated, households_a_plus, borrowers,
    borrowers_overdue, balance_yuan, npl_balance_yuan, as_of. An empty figure is one not known.
    """
    folder = Settings.from_environment().models_folder
    registry = Registry.open(folder)
    day = on.date() if on else now().date()
    source = _draft(draft) if draft else _published(registry, day)
    data = read_bytes(evidence)
    latest = min(day, now().date())
    rows = read_rows(data, evidence.name, codes=registry.village_codes, latest=latest)
    listed = _listed(registry)
    rated = [_rated(row, source.standard, listed[row.code], day) for row in rows]
    document = _document(rated, source, day, hashlib.sha256(data).hexdigest())
    if out is not None:
        write_out(out, to_text(_register_part(document)), reads=evidence, models=folder)
    if json_:
        print_json(document)
        return
    _print(rated, source, day)
    if out is not None:
        click.echo(f"{out}   {len(rated)} lines for the register")


@villages.command("list")
@click.argument("name", default="")
@click.option("--on", type=a_day, help="Default: today.")
def list_(name: str, *, on: datetime | None) -> None:
    """Code, name, town and rating of every village, or of those with NAME in name or town."""
    registry = Registry.open(Settings.from_environment().models_folder)
    day = on.date() if on else now().date()
    register: Edition[Register] = in_force(
        registry.editions, kind="villages", product=COUNTY, role="champion", on=day
    )
    found = [
        v for v in _listed(registry).values()
        if name in f"{v.code} {v.name} {v.town}"
    ]  # fmt: skip
    if not found:
        raise NotFound("No village or town has this in its name. See all: loansvc villages list")
    for v in sorted(found, key=lambda v: v.code):
        rating = register.content.standing(v.code, day).rating
        click.echo(f"{v.code}  {_padded(v.name, WIDTH_OF_NAME)}{_padded(v.town, 18)}{rating}")


@villages.command("history")
@click.argument("code")
@as_json
def history(code: str, *, json_: bool) -> None:
    """What every register said of the village CODE that was new, and what followed by itself."""
    registry = Registry.open(Settings.from_environment().models_folder)
    document = village_history_document(history_of(code, registry.editions))
    if json_:
        print_json(document)
        return
    click.echo(f"{document['code']}  {document['name']}  {document['town']}")
    for said in document["history"]:
        _print_said(said)


def _print_said(said: dict[str, Any]) -> None:
    evidence = f"   evidence of {said['evidence_as_of']}" if said["evidence_as_of"] else ""
    points = f"   {said['points']:+d} points" if said["points"] else ""
    synthetic = "   synthetic" if said["synthetic"] else ""
    click.echo(
        f"{said['register']['valid_from']}  {said['rating']:<8}{evidence}{points}"
        f"   register {said['register']['digest'][7:19]}{synthetic}"
    )
    if said["signatures"]:
        signed = ", ".join(f"{s['role']} {s['signed_on']}" for s in said["signatures"])
        click.echo(f"  signed   {signed}")
    if taken := said["revocation"]:
        click.echo(f"  revoked  from {taken['on']}: {taken['reason']} {_document_of(taken)}")
    for flag in said["flags"]:
        days = f"{flag['from']} to {flag['until']}"
        click.echo(f"  flag     {days}: {flag['reason']} {_document_of(flag)}")
        if lift := flag["lifted"]:
            click.echo(f"  lifted   flag of {flag['from']} from {lift['on']} {_document_of(lift)}")
    if appeal := said["appeal"]:
        end = f"decided on {appeal['decided_on']}" if appeal["decided_on"] else "pends"
        click.echo(f"  appeal   of {appeal['lodged_on']}, {end} {_document_of(appeal)}")
    counts = said["counts_as"]
    if counts["state"] not in ("rated", "unrated"):
        click.echo(f"  counts   as {counts['rating']} ({counts['state']}) from its first day")
    for change in said["changes"]:
        click.echo(f"  counts   as {change['rating']} ({change['state']}) from {change['on']}")


def _document_of(mark: dict[str, Any]) -> str:
    return f"(document {mark['document_sha256'][:12]})"


def _published(registry: Registry, on: date) -> Source:
    edition: Edition[Standard] = in_force(
        registry.editions, kind="standard", product=COUNTY, role="champion", on=on
    )
    return Source(
        edition.content, edition.valid_from, edition.head.reference, edition.digest, published=True
    )


def _draft(path: Path) -> Source:
    head, content = read_document(path)
    if not isinstance(content, Standard):
        raise EditionRefused(f"{path.name}: is a {head.kind}, not a standard. Give a standard.")
    digest = digest_of(path.read_bytes())
    return Source(content, head.valid_from, head.reference, digest, published=False)


def _listed(registry: Registry) -> dict[str, Village]:
    """Every village of the code table, as the newest register that lists it has it."""
    registers = [e for e in registry.editions if e.kind == "villages"]
    by_age = sorted(registers, key=lambda e: e.valid_from)
    return {code: v for e in by_age for code, v in e.content.villages.items()}


def _rated(row: Row, standard: Standard, listed: Village, on: date) -> Rated:
    """A rating holds from the day of its evidence; what was taken away stays taken away."""
    rating = rate(row.evidence, standard)
    village = replace(listed, rating=rating.rating, assessed_on=row.as_of)
    return Rated(row, rating, listed, *rating_on(village, on))


# --- the answer ---------------------------------------------------------------------------------


def _document(
    rated: Sequence[Rated], source: Source, on: date, evidence_sha256: str
) -> dict[str, Any]:
    return {
        "on": on.isoformat(),
        "standard": {
            "valid_from": source.valid_from.isoformat(),
            "reference": source.reference,
            "digest": source.digest,
            "published": source.published,
            "statement": source.standard.statement,
        },
        "evidence_sha256": evidence_sha256,
        "villages": [_village(r) for r in rated],
    }


def _village(r: Rated) -> dict[str, Any]:
    return {
        "code": r.row.code,
        "name": r.listed.name,
        "town": r.listed.town,
        "rating": r.rating.rating,
        "registered_rating": r.listed.rating,
        "standing": {"rating": r.standing, "state": r.state},
        "evidence": {**r.row.evidence, "as_of": r.row.as_of.isoformat()},
        "bound": [_line(line) for line in r.rating.bound],
        "lines": [_line(line) for line in r.rating.lines],
    }


def _line(line: Line) -> dict[str, Any]:
    measure = MEASURES[line.measure]
    return {
        "for": line.rating,
        "measure": line.measure,
        "zh": measure.zh,
        "en": measure.en,
        "value": line.value,
        "of": line.whole,
        "at_least" if measure.more_is_better else "at_most": line.threshold,
        "result": line.result,
        "reference": line.clause.reference,
        "source_grade": line.clause.source_grade,
        "verify": line.clause.verify,
    }


def _register_part(document: dict[str, Any]) -> dict[str, Any]:
    """What the register's lines take over: rating, its day, its evidence. Points come elsewhere."""
    return document | {"villages": [_register_line(v) for v in document["villages"]]}


def _register_line(village: dict[str, Any]) -> dict[str, Any]:
    line = {k: village[k] for k in ("code", "name", "town", "rating")}
    if village["rating"] == UNRATED:  # the register keeps neither day nor evidence of these
        return line
    evidence = village["evidence"]
    return line | {"assessed_on": evidence["as_of"], "evidence": evidence}


def _print(rated: Sequence[Rated], source: Source, on: date) -> None:
    for r in rated:
        name = _padded(r.listed.name, WIDTH_OF_NAME)
        before = "" if r.listed.rating == r.rating.rating else f"register: {r.listed.rating}"
        says = "; ".join(_says(line) for line in r.rating.bound) or "meets all criteria"
        click.echo(f"{r.row.code}  {name}{r.rating.rating:<8} {before:<19} {says}".rstrip())
        if r.state in ("grace", "expired", "revoked"):
            click.echo(f"  note  {_note(r, on)}")
    counts = Counter(r.rating.rating for r in rated)
    found = ", ".join(f"{counts[rating]} {rating}" for rating in RATINGS if rating in counts)
    for sentence in source.standard.statement.splitlines():
        click.echo(f"  note  {sentence}")
    weak = sum(clause.verify for _, clause in source.standard.clauses)
    draft = "" if source.published else ", a draft that is not published"
    click.echo(f"{len(rated)} {'village' if len(rated) == 1 else 'villages'}: {found}")
    click.echo(
        f"  under  standard {source.valid_from} ({source.digest[7:19]}{draft}); "
        f"{weak} of its {len(source.standard.clauses)} clauses are to be verified"
    )


def _says(line: Line) -> str:
    """A line in words.

    >>> from loansvc.policy.rules import Clause
    >>> _says(Line("AA", "a_plus_per_mille", 866, 1323, 700, "not_met", Clause("x", "A", False)))
    'households A or better 65.45 %, AA asks at least 70 %'
    """
    measure = MEASURES[line.measure]
    if line.result == "unknown":
        return f"{measure.en} not known"
    asks = "any rating" if line.rating == ENOUGH else line.rating
    bound = "at least" if measure.more_is_better else "at most"
    threshold = f"{line.threshold / 10:g} %" if measure.whole else str(line.threshold)
    return f"{measure.en} {_read(line)}, {asks} asks {bound} {threshold}"


def _read(line: Line) -> str:
    """The value read; a share is rounded away from the threshold's favour, so it never flatters."""
    measure = MEASURES[line.measure]
    assert line.value is not None, "a line that is not known has no value to show"
    if not line.whole:
        return str(line.value)
    sign = 1 if measure.more_is_better else -1
    hundredths = sign * (sign * line.value * 10_000 // line.whole)
    return f"{hundredths // 100}.{hundredths % 100:02d} %"


def _note(r: Rated, on: date) -> str:
    if r.state == "revoked":
        return f"taken away in the register, and counts as {r.standing} until that is lifted there"
    return (
        f"evidence of {r.row.as_of} is old: on {on} the village counts as {r.standing} ({r.state})"
    )


def _padded(text: str, width: int) -> str:
    """Text and blanks up to a width on the screen, where a Chinese character takes two places."""
    taken = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
    return text + " " * max(width - taken, 1)


COMMANDS = (villages,)
