"""villages sign, register, revoke, flag, lift, appeal: from a rating to the next register's draft.

Every command begins from the newest published register and changes nothing in it; `publish` takes
the draft into force. A document is known by its SHA-256 and stays where it is.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from pathlib import Path
from typing import Any, NoReturn

import click

from loansvc.cli.days import a_day
from loansvc.cli.drafts import Draft, write_out
from loansvc.cli.editions import a_file
from loansvc.editions import Reader, to_text
from loansvc.errors import EditionRefused
from loansvc.files import alone_in
from loansvc.identifiers import holds_personal_number
from loansvc.registry import read_plain
from loansvc.settings import Settings
from loansvc.underwriting import now
from loansvc.villages import UNRATED
from loansvc.villages.document import read_assessment, read_unit
from loansvc.villages.signatures import ROLES, digest_of_assessment

a_place = click.Path(path_type=Path, dir_okay=False)
of_register = click.option(
    "--valid-from", type=a_day, required=True, help="First day of the next register."
)
upon_draft = click.option("--upon", type=a_file, help="Add to this draft of the same day.")
to_draft = click.option("--out", type=a_place, required=True, help="The draft of the register.")
with_document = click.option("--document", type=a_file, required=True, help="Hashed, not kept.")
with_reason = click.option("--reason", required=True, help="A sentence; no names, no numbers.")


@click.command("sign")
@click.argument("part", type=a_file)
@click.option("--as", "role", type=click.Choice(ROLES), required=True, help="For whom.")
@click.option("--name", help="Who signs.")
@click.option("--on", type=a_day, help="Default: today.")
@click.option("--village", "codes", multiple=True, help="Code; default: every one of the part.")
@click.option("--take-back", is_flag=True, help="Take the signature of that role off again.")
def sign(
    part: Path, *, role: str, name: str | None, on: datetime | None, codes: tuple[str, ...],
    take_back: bool,
) -> None:  # fmt: skip
    """Add a signature to the ratings in PART, which `villages rate --out` wrote.

    It states the digest of rating, day and evidence; after it they can no longer be changed.
    """
    if take_back == (name is not None) or (take_back and on):
        raise click.UsageError("Give --name to sign, or --take-back without --name and --on.")
    today = now().date()
    day = on.date() if on else today
    if day > today:
        raise EditionRefused(f"--on {day}: is after today, {today}. Sign on the day you sign.")
    with alone_in(part.resolve().parent):  # two may sign at once
        document, lines = _read_part(part, latest=today, complete=False)
        if not lines.keys() >= set(codes):
            raise EditionRefused(f"{part.name}: does not rate every --village. Check the codes.")
        chosen = codes or tuple(lines)
        for code in chosen:
            if name is None:
                _take_back(lines[code], role)
            else:
                _sign(lines[code], {"role": role, "name": name, "signed_on": day.isoformat()}, part)
        _check_part(document, part, latest=today, complete=False)
        models = Settings.from_environment().models_folder
        write_out(part, to_text(document), reads=None, models=models)
    n_complete = sum(len(line.get("signatures", ())) == len(ROLES) for line in lines.values())
    click.echo(
        f"{part}   {_villages(len(chosen))} {'no longer ' if take_back else ''}signed as {role}; "
        f"{n_complete} of {len(lines)} with all three signatures"
    )


def _sign(line: dict[str, Any], signature: dict[str, str], part: Path) -> None:
    role, signatures = signature["role"], line.setdefault("signatures", [])
    if earlier := [s for s in signatures if s["role"] == role]:
        _refuse(
            line, f"was signed as {role} on {earlier[0]['signed_on']}. Name other villages with "
            "--village, or take that signature back first: "
            f"loansvc villages sign {part} --as {role} --village {line['code']} --take-back"
        )  # fmt: skip
    signatures.append(signature | {"digest": _digest_of_line(line)})


def _take_back(line: dict[str, Any], role: str) -> None:
    kept = [s for s in line.get("signatures", ()) if s["role"] != role]
    if len(kept) == len(line.get("signatures", ())):
        _refuse(line, f"is not signed as {role}. Name those that are with --village.")
    if kept:
        line["signatures"] = kept
    else:
        del line["signatures"]


@click.command("register")
@click.argument("part", type=a_file)
@click.option("--afresh", is_flag=True, help="Take over the code table alone.")
@of_register
@upon_draft
@to_draft
def register(
    part: Path, *, afresh: bool, valid_from: datetime, upon: Path | None, out: Path
) -> None:
    """Put the signed ratings in PART into the next register; other villages stay as they are.

    Points stay, but for a village that becomes unrated. A revocation or an appeal ends where the
    evidence is of a later day.
    """
    if afresh and upon:
        raise click.UsageError("Give --afresh or --upon.")
    draft = Draft.begin(valid_from.date(), upon=upon, afresh=afresh)
    _, lines = _read_part(part, latest=draft.valid_from, complete=True)
    told = [_take_over(draft.line(code), line) for code, line in lines.items()]
    draft.write(out, reads=part)
    for sentence in told:
        click.echo(sentence)
    n_left = len(draft.document["villages"]) - len(lines)
    left = "not rated" if afresh else f"as in the register of {draft.base.valid_from}"
    _print_draft(out, draft, f"{_villages(len(lines))} rated, {n_left} {left}")


@click.command("revoke")
@click.argument("code")
@click.option("--on", type=a_day, required=True, help="From which day.")
@with_reason
@with_document
@of_register
@upon_draft
@to_draft
def revoke(
    code: str, *, on: datetime, reason: str, document: Path, valid_from: datetime,
    upon: Path | None, out: Path,
) -> None:  # fmt: skip
    """Take the rating of the village CODE away: it counts as B from that day, never before."""
    draft = Draft.begin(valid_from.date(), upon=upon)
    line = draft.line(code)
    if "revocation" in line:
        _refuse(line, f"was revoked on {line['revocation']['on']}. Rate it on later evidence.")
    if line["rating"] == UNRATED:
        _refuse(line, "is not rated: there is nothing to take away.")
    line["revocation"] = {
        "on": on.date().isoformat(), "reason": _reason(reason), "document_sha256": _hash(document),
    }  # fmt: skip
    draft.write(out, reads=document)
    _print_draft(out, draft, f"{_named(line)} revoked from {on.date()}")


@click.command("flag")
@click.argument("code")
@click.option("--from", "since", type=a_day, required=True, help="First day of the flag.")
@click.option("--until", type=a_day, required=True, help="Its last day.")
@with_reason
@with_document
@of_register
@upon_draft
@to_draft
def flag(
    code: str, *, since: datetime, until: datetime, reason: str, document: Path,
    valid_from: datetime, upon: Path | None, out: Path,
) -> None:  # fmt: skip
    """Flag the village CODE for referral on some days. Rating, evidence and points stay.

    The only thing that marks of conduct (乡风文明) can do: a person looks.
    """
    draft = Draft.begin(valid_from.date(), upon=upon)
    line = draft.line(code)
    line.setdefault("flag", []).append(
        {"from": since.date().isoformat(), "until": until.date().isoformat(),
         "reason": _reason(reason), "document_sha256": _hash(document)}
    )  # fmt: skip
    draft.write(out, reads=document)
    _print_draft(out, draft, f"{_named(line)} flagged from {since.date()} until {until.date()}")


@click.command("lift")
@click.argument("code")
@click.option("--on", type=a_day, required=True, help="First day without the flag.")
@click.option("--flag", "since", type=a_day, help="Which, by its first day, if there are several.")
@with_document
@of_register
@upon_draft
@to_draft
def lift(
    code: str, *, on: datetime, since: datetime | None, document: Path, valid_from: datetime,
    upon: Path | None, out: Path,
) -> None:  # fmt: skip
    """Take a flag of the village CODE off early, from a day on and never before.

    What the flag said stays in the register, and beside it the document that lifts it.
    """
    draft = Draft.begin(valid_from.date(), upon=upon)
    line = draft.line(code)
    lifted = _flag_to_lift(line, on.date(), since.date() if since else None)
    lifted["lifted"] = {"on": on.date().isoformat(), "document_sha256": _hash(document)}
    draft.write(out, reads=document)
    _print_draft(out, draft, f"{_named(line)} flag of {lifted['from']} lifted from {on.date()}")


def _flag_to_lift(line: dict[str, Any], on: date, since: date | None) -> dict[str, Any]:
    """The one flag of a line that has days left to lift; that of `since`, where it is given."""
    open_ = [
        f for f in line.get("flag", ())
        if "lifted" not in f and date.fromisoformat(f["until"]) >= on
        and since in (None, date.fromisoformat(f["from"]))
    ]  # fmt: skip
    if not open_:
        _refuse(
            line, f"has no such flag that lasts until {on}. "
            f"See which it has: loansvc villages history {line['code']}"
        )  # fmt: skip
    if len(open_) > 1:
        days = ", ".join(f["from"] for f in open_)
        _refuse(line, f"has several flags, of {days}. Name one by its first day: --flag DATE")
    found: dict[str, Any] = open_[0]
    return found


@click.command("appeal")
@click.argument("code")
@click.option("--on", type=a_day, help="When it was lodged.")
@click.option("--document", type=a_file, help="The appeal; hashed, not kept.")
@click.option("--decided-on", type=a_day, help="When it was decided.")
@of_register
@upon_draft
@to_draft
def appeal(
    code: str, *, on: datetime | None, document: Path | None, decided_on: datetime | None,
    valid_from: datetime, upon: Path | None, out: Path,
) -> None:  # fmt: skip
    """Mark an appeal of the village CODE (--on, --document), or that it is decided (--decided-on).

    The rating stands meanwhile. An appeal that is upheld is followed by a rating on new evidence.
    """
    if (on is None) != (document is None) or (on is None and decided_on is None):
        raise click.UsageError("Give --on and --document for an appeal, or --decided-on.")
    draft = Draft.begin(valid_from.date(), upon=upon)
    line = draft.line(code)
    pends = "appeal" in line and "decided_on" not in line["appeal"]
    if on is not None and document is not None:
        if pends:
            _refuse(line, f"has an appeal of {line['appeal']['lodged_on']}. Decide it first.")
        line["appeal"] = {"lodged_on": on.date().isoformat(), "document_sha256": _hash(document)}
    elif not pends:
        _refuse(
            line, f"has no appeal that pends in {upon or draft.base.path}"
            ". Mark it with --on and --document, and publish that draft or give it with --upon."
        )  # fmt: skip
    says = f"{_named(line)} appeal of {line['appeal']['lodged_on']}"
    if decided_on is not None:
        line["appeal"]["decided_on"] = decided_on.date().isoformat()
        says += f" decided on {decided_on.date()}"
    draft.write(out, reads=document)
    _print_draft(out, draft, says)


# --- the part -----------------------------------------------------------------------------------


def _read_part(
    part: Path, *, latest: date, complete: bool
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The document, and its lines by code, every one well formed and its signatures fitting."""
    document = read_plain(part)
    _check_part(document, part, latest=latest, complete=complete)
    return document, {line["code"]: line for line in document["villages"]}


def _check_part(document: dict[str, Any], part: Path, *, latest: date, complete: bool) -> None:
    with Reader(document, file=part.name) as reader:
        for key in ("on", "standard", "evidence_sha256"):
            reader.value(key)
        codes = [
            _check_line(line, latest=latest, complete=complete)
            for line in reader.tables("villages", at_least=1)
        ]
        if len(set(codes)) != len(codes):
            reader.refuse("villages", "rates a village twice")


def _check_line(reader: Reader, *, latest: date, complete: bool) -> str:
    with reader:
        code, _, _ = read_unit(reader)
        read_assessment(reader, code=code, latest=latest, complete=complete)
        return code


def _digest_of_line(line: dict[str, Any]) -> str:
    assessed_on = line.get("assessed_on")
    return digest_of_assessment(
        code=line["code"],
        rating=line["rating"],
        assessed_on=date.fromisoformat(assessed_on) if assessed_on else None,
        evidence=line.get("evidence", {}),
    )


# --- the register -------------------------------------------------------------------------------


def _take_over(line: dict[str, Any], rated: dict[str, Any]) -> str:
    """Put a signed rating into a line of the register; what to tell of it."""
    before, as_of = line["rating"], rated.get("assessed_on")
    for key in ("assessed_on", "evidence"):
        line.pop(key, None)
    line |= {k: rated[k] for k in ("rating", "assessed_on", "evidence", "signatures") if k in rated}
    notes = []
    for mark, day in (("revocation", "on"), ("appeal", "lodged_on")):
        if mark not in line:
            continue
        since = line[mark][day]
        ends = as_of is not None and as_of > since  # ISO days are in order as text
        notes.append(f"its {mark} of {since} {'ends' if ends else 'stays'}")
        if ends:
            del line[mark]
    if line["rating"] == UNRATED:
        line |= {"points": 0, "credibility_percent": 0}
        line.pop("record", None)
    evidence = f"evidence of {as_of}" if as_of else "too little is known"
    change = f"{before} -> {line['rating']}" if before != line["rating"] else f"{before} again"
    return f"{_named(line)}   {change}   {'; '.join([evidence, *notes])}"


def _reason(reason: str) -> str:
    if holds_personal_number(reason):
        raise EditionRefused(
            "--reason: must not hold an ID or phone number; everybody can read a register. "
            "Leave it to the document."
        )
    return reason


def _hash(document: Path) -> str:
    return hashlib.sha256(document.read_bytes()).hexdigest()


def _refuse(line: dict[str, Any], why: str) -> NoReturn:
    raise EditionRefused(f"{_named(line)} {why}")


def _named(line: dict[str, Any]) -> str:
    return f"{line['code']} {line['name']}"


def _villages(n: int) -> str:
    return f"{n} village{'' if n == 1 else 's'}"


def _print_draft(out: Path, draft: Draft, says: str) -> None:
    click.echo(f"{out}   register from {draft.valid_from}: {says}")
    click.echo(f"  next  loansvc publish {out} --approver NAME")


COMMANDS = (sign, register, revoke, flag, lift, appeal)
