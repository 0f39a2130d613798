"""Succession: what a village register may say that the one in force before it does not.

    rating      a new one is signed by three, on newer evidence, and is what the standard gives
    revocation  never earlier than the register that brings it; ends with newer evidence alone
    flag        never earlier than the register that brings it; so is its lift, which then stays
    appeal      stays until it is decided or the village is rated on newer evidence

Reads no file and no clock: the registers and today come in. Let off is little: a synthetic register
needs no signatures, one published again was looked at before, and what a synthetic register says of
a village binds no real one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from loansvc.editions import COUNTY, Edition, in_force
from loansvc.errors import EditionRefused, NoEditionInForce
from loansvc.identifiers import holds_personal_number
from loansvc.standards import Standard, rate
from loansvc.villages import UNRATED, Register, Village
from loansvc.villages.document import is_sha256

MOST_TOLD = 5  # of the faults; a register of 154 villages may have as many


def check_succession(
    register: Register,
    editions: Iterable[Edition[Any]],
    *,
    valid_from: date,
    again: bool,
    today: date | None,
    name: str,
) -> None:
    """Refuse a register that says what it may not, after the one in force before `valid_from`.

    `editions`: at least every register and standard published. `again`: the same document was
    published before. `today` None: not asked. The first register of a county follows nothing.

    Raises:
        EditionRefused: naming the villages and what to do.
    """
    editions = tuple(editions)
    registers = [e for e in editions if e.kind == "villages" and e.valid_from < valid_from]
    if not registers:
        return
    before: Register = max(registers, key=lambda e: e.valid_from).content
    if register.synthetic and not before.synthetic:
        raise EditionRefused(
            f"{name}: is synthetic, and the register before it is not. Publish a real one."
        )
    step = _Step(
        register,
        before if register.synthetic or not before.synthetic else replace(before, villages={}),
        _standard(editions, valid_from),
        valid_from,
        again=again,
        is_gone=today is not None and valid_from < today,
    )
    if faults := list(step.faults()):
        more = f" And {len(faults) - MOST_TOLD} more." if len(faults) > MOST_TOLD else ""
        raise EditionRefused(f"{name}: {' '.join(faults[:MOST_TOLD])}{more}")


def _standard(editions: Iterable[Edition[Any]], on: date) -> Standard | None:
    try:
        edition: Edition[Standard] = in_force(
            editions, kind="standard", product=COUNTY, role="champion", on=on
        )
    except NoEditionInForce:
        return None
    return edition.content


@dataclass(frozen=True, slots=True)
class _Step:
    """From one register to the next."""

    register: Register
    before: Register
    standard: Standard | None
    valid_from: date
    again: bool
    is_gone: bool

    def faults(self) -> Iterator[str]:
        """What is wrong, village by village, each a sentence with a remedy."""
        for code, earlier in self.before.villages.items():
            must_stay = self._must_sign or earlier.revocation is not None
            if code not in self.register.villages and must_stay:
                yield f"{code}: is in the register before, and may not be left out. Take it over."
        for code, village in self.register.villages.items():
            earlier = self.before.villages.get(code, _unlisted(village))
            for says in self._faults_of(village, earlier):
                yield f"{code} ({village.name}): {says}"

    @property
    def _must_sign(self) -> bool:
        return not self.register.synthetic and not self.again

    def _faults_of(self, village: Village, earlier: Village) -> Iterator[str]:
        is_new = village.assessment != earlier.assessment
        is_signed = bool(village.signatures) and not self.again
        if is_new and (self._must_sign or is_signed):
            yield from self._rated_anew(village, earlier)
        elif self._must_sign and earlier.signatures not in ((), village.signatures):
            yield "its signatures are not those of the register before. Take them over."
        if earlier.revocation not in (None, village.revocation) and not (
            is_new and _is_after(village, earlier.revocation.on)
        ):
            yield (
                f"it was revoked on {earlier.revocation.on}, which ends "
                "only when it is rated on evidence of a later day. Keep the revocation."
            )
        if _drops_appeal(village, earlier, is_new=is_new):
            yield (
                "its appeal is neither decided nor followed by a rating on later evidence. "
                "Keep the appeal."
            )
        yield from self._dated(village, earlier)

    def _rated_anew(self, village: Village, earlier: Village) -> Iterator[str]:
        if not village.signatures:
            yield "is rated anew without three signatures. Have it signed: loansvc villages sign"
        if village.rating == UNRATED:
            if earlier.revocation is not None:
                yield "is revoked and cannot become unrated. Rate it on evidence that is complete."
            return
        assert village.assessed_on is not None, "a rated village has its day"
        if earlier.assessed_on is not None and village.assessed_on < earlier.assessed_on:
            yield f"rests on evidence older than that of {earlier.assessed_on}. Bring newer."
        if village.evidence["as_of"] != village.assessed_on.isoformat():
            yield "must hold from the day of its evidence. Set assessed_on to evidence.as_of."
        if village.revocation is not None:
            return
        if self.standard is None:
            yield f"no standard is in force on {self.valid_from} to rate it by. Publish one first."
        elif (given := rate(village.evidence, self.standard).rating) != village.rating:
            yield (
                f"is {village.rating}, but the standard in force on {self.valid_from} gives its "
                f"evidence {given}. Rate it again: loansvc villages rate --on {self.valid_from}"
            )

    def _dated(self, village: Village, earlier: Village) -> Iterator[str]:
        """Revocations, flags and lifts of flags that are new here, and would reach back."""
        new = list(_new_in_flags(village, earlier))
        if village.revocation not in (None, earlier.revocation):
            assert village.revocation is not None
            new.append(("revocation", village.revocation.on))
            if holds_personal_number(village.revocation.reason):
                yield "its revocation holds an ID or phone number. Leave that to the document."
            if not is_sha256(village.revocation.document_sha256):
                yield "its revocation proves nothing. Give the SHA-256 of its document."
        for what, since in new:
            if since < self.valid_from:
                yield (
                    f"its {what} of {since} is before the register's first day "
                    f"{self.valid_from}; it never reaches back. Date it from that day on."
                )
            elif self.is_gone:
                yield (
                    f"its {what} is new, and the register's first day {self.valid_from} is gone. "
                    "Choose today or later: --valid-from DATE"
                )


def _new_in_flags(village: Village, earlier: Village) -> Iterator[tuple[str, date]]:
    """What is new in the flags, and from which day; a flag whose lift is gone is a new one."""
    known = {replace(flag, lifted=None): flag.lifted for flag in earlier.flags}
    for flag in village.flags:
        bare = replace(flag, lifted=None)
        before = known.get(bare)
        if bare not in known or before not in (None, flag.lifted):
            yield "flag", flag.since
        if flag.lifted not in (None, before):
            assert flag.lifted is not None
            yield "lift of a flag", flag.lifted.on


def _unlisted(village: Village) -> Village:
    """What a register says of a village that it does not list."""
    return Village(village.code, village.name, village.town, UNRATED, None, 0, 0, {}, None)


def _is_after(village: Village, day: date) -> bool:
    """Whether its evidence is of a later day."""
    return bool(village.evidence) and date.fromisoformat(village.evidence["as_of"]) > day


def _drops_appeal(village: Village, earlier: Village, *, is_new: bool) -> bool:
    """Whether an appeal that pends is no longer there, and no later evidence has answered it."""
    appeal = earlier.appeal
    if appeal is None or appeal.decided_on is not None:
        return False
    kept = village.appeal is not None and (
        (village.appeal.lodged_on, village.appeal.document_sha256)
        == (appeal.lodged_on, appeal.document_sha256)
    )
    return not kept and not (is_new and _is_after(village, appeal.lodged_on))
