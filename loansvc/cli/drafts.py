"""Drafts of the next village register: begun from the newest published one, and where they go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from loansvc.editions import COUNTY, Edition, Reader, read_head, to_text
from loansvc.errors import EditionRefused, NoEditionInForce, NotFound, SetupRefused
from loansvc.files import write_whole
from loansvc.registry import Registry, read_plain
from loansvc.settings import Settings
from loansvc.succession import check_succession
from loansvc.underwriting import now
from loansvc.villages import UNRATED, Register
from loansvc.villages.document import read_register

STATEMENT_AFRESH = (
    "本登记册自空白起编：所列评定均经村、镇、银行三方签署，其余各村尚未评定。"
    "A register begun afresh: its ratings are signed by village, town and bank; "
    "other villages are not rated yet."
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A register in the making: the document, and the published one it was begun from."""

    document: dict[str, Any]
    base: Edition[Register]
    registry: Registry
    valid_from: date

    @classmethod
    def begin(cls, valid_from: date, *, upon: Path | None = None, afresh: bool = False) -> Draft:
        """All that the newest register says, or the draft `upon`; with `afresh` the codes alone.

        Raises:
            EditionRefused: the day is not after the newest register's first, or not the draft's.
        """
        registry = Registry.open(Settings.from_environment().models_folder)
        registers = [e for e in registry.editions if e.kind == "villages"]
        if not registers:
            raise NoEditionInForce("villages", COUNTY, "champion", valid_from)
        base = max(registers, key=lambda e: e.valid_from)
        if valid_from <= base.valid_from:
            raise EditionRefused(
                f"--valid-from {valid_from}: the newest register starts on {base.valid_from}. "
                "Choose a later day."
            )
        if upon is not None:
            return cls(_earlier_draft(upon, valid_from), base, registry, valid_from)
        document = _afresh(registry) if afresh else read_plain(registry.folder / base.path)
        document.pop("review_by", None)  # that of the register before
        document |= {
            "valid_from": valid_from.isoformat(),
            "reference": f"village register after that of {base.valid_from} ({base.digest[7:19]})",
        }
        return cls(document, base, registry, valid_from)

    def line(self, code: str) -> dict[str, Any]:
        """The line of a village.

        Raises:
            NotFound: the register does not list it.
        """
        for line in self.document["villages"]:
            if line["code"] == code:
                found: dict[str, Any] = line
                return found
        raise NotFound(
            f"The register of {self.base.valid_from} lists no village of this code. "
            "Find the code by the village's name: loansvc villages list NAME"
        )

    def write(self, out: Path, *, reads: Path | None = None) -> None:
        """Check the draft as `publish` would, and write it whole.

        Raises:
            EditionRefused: it is no register, or may not follow the one before.
            SetupRefused: it cannot be written there.
        """
        check_succession(
            _read(self.document, out.name),
            self.registry.editions,
            valid_from=self.valid_from,
            again=False,
            today=now().date(),
            name=out.name,
        )
        write_out(out, to_text(self.document), reads=reads, models=self.registry.folder)


def _earlier_draft(path: Path, valid_from: date) -> dict[str, Any]:
    document = read_plain(path)
    _read(document, path.name)
    if document["valid_from"] != valid_from.isoformat():
        raise EditionRefused(
            f"{path.name}: is a draft from {document['valid_from']}, not from {valid_from}. "
            "Give that day with --valid-from."
        )
    return document


def _read(document: dict[str, Any], name: str) -> Register:
    with Reader(document, file=name) as reader:
        head = read_head(reader)
        if head.kind != "villages":
            reader.refuse("kind", "must be villages; give the draft of a register")
        return read_register(reader, valid_from=head.valid_from)


def _afresh(registry: Registry) -> dict[str, Any]:
    listed = {
        code: village
        for edition in sorted(registry.editions, key=lambda e: e.valid_from)
        if edition.kind == "villages"
        for code, village in edition.content.villages.items()
    }
    return {
        "kind": "villages",
        "product": COUNTY,
        "statement": STATEMENT_AFRESH,
        "villages": [
            {"code": code, "name": listed[code].name, "town": listed[code].town,
             "rating": UNRATED, "points": 0, "credibility_percent": 0}
            for code in sorted(listed)
        ],
    }  # fmt: skip


def write_out(out: Path, text: str, *, reads: Path | None, models: Path) -> None:
    """Write an answer whole, in no place that the command reads or that holds editions.

    Raises:
        SetupRefused: that is no place for it.
    """
    target = out.resolve()
    if (reads and target == reads.resolve()) or target.is_relative_to(models.resolve()):
        raise SetupRefused(
            f"{out}: is what the command reads, or lies among the editions, which never change. "
            "Choose another place for --out."
        )
    try:
        write_whole(out, text.encode(), part_folder=out.parent)
    except OSError as error:
        raise SetupRefused(
            f"{out}: cannot be written ({error.strerror}). Choose another place for --out."
        ) from None
