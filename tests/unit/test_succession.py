"""From one register to the next: what may be new, and what never is."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loansvc.editions import Edition, Head
from loansvc.errors import EditionRefused
from loansvc.registry import read_document
from loansvc.succession import check_succession
from loansvc.villages import UNRATED, Appeal, Flag, Lift, Register, Revocation, Village
from loansvc.villages.signatures import ROLES, Signature

STANDARD = Path(__file__).parents[2] / "models" / "standards" / "village_rating" / "2026-07-01.toml"
FIRST, NEXT = date(2026, 7, 1), date(2027, 1, 1)
GOOD = {
    "households_total": 500, "households_rated": 480, "households_a_plus": 400, "borrowers": 60,
    "borrowers_overdue": 1, "balance_yuan": 4_000_000, "npl_balance_yuan": 20_000,
    "as_of": "2026-03-31",
}  # fmt: skip
SIGNED = tuple(Signature(role, role, date(2026, 11, 1), "sha256:…") for role in ROLES)
OLD = Village("340521102200", "王潭村", "乌溪镇", "AAA", date(2026, 3, 31), 6, 10, GOOD, None)
NEWER = replace(
    OLD, assessed_on=date(2026, 10, 1), evidence={**GOOD, "as_of": "2026-10-01"}, signatures=SIGNED
)
TAKEN = Revocation(NEXT, "fraud in collection", "0" * 64)
REVOKED = replace(OLD, revocation=Revocation(date(2026, 8, 1), "fraud", "0" * 64))
FLAG = Flag(NEXT, date(2027, 6, 30), "upheld", "0" * 64)
RUNNING = replace(OLD, flags=(replace(FLAG, since=date(2026, 8, 1)),))
APPEAL = Appeal(date(2026, 9, 1), "0" * 64)
APPEALED = replace(OLD, appeal=APPEAL)


def lifted(on: date) -> Village:
    """The village whose flag runs, with that flag lifted."""
    return replace(RUNNING, flags=(replace(RUNNING.flags[0], lifted=Lift(on, "1" * 64)),))


def edition(kind: str, content: Any, on: date = FIRST) -> Edition[Any]:
    head = Head(kind, "county", on, "test", None)
    digest = "sha256:" + hashlib.sha256(f"{kind}{on}".encode()).hexdigest()
    return Edition(kind, "county", "champion", on, "test", digest, f"{kind}.json", head, content)


def register(*villages: Village, synthetic: bool = False) -> Register:
    return Register({v.code: v for v in villages}, synthetic=synthetic, statement="test")


def follow(
    before: Register, after: Register, *, again: bool = False, today: date | None = None,
    standard: bool = True,
) -> None:  # fmt: skip
    editions = [edition("villages", before)]
    if standard:
        editions.append(edition("standard", read_document(STANDARD)[1]))
    check_succession(after, editions, valid_from=NEXT, again=again, today=today, name="draft.json")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(OLD, OLD, id="nothing new"),
        pytest.param(OLD, NEWER, id="rated anew, signed, as the standard says"),
        pytest.param(OLD, replace(OLD, points=-3), id="points, which the analysts answer for"),
        pytest.param(OLD, replace(OLD, signatures=SIGNED), id="signed later"),
        pytest.param(OLD, replace(OLD, revocation=TAKEN), id="revoked from the first day on"),
        pytest.param(OLD, replace(OLD, flags=(FLAG,)), id="flagged from the first day on"),
        pytest.param(OLD, APPEALED, id="an appeal of an earlier day"),
        pytest.param(REVOKED, REVOKED, id="a revocation stays"),
        pytest.param(REVOKED, NEWER, id="a revocation ended by later evidence"),
        pytest.param(APPEALED, NEWER, id="an appeal ended by later evidence"),
        pytest.param(
            APPEALED, replace(OLD, appeal=replace(APPEAL, decided_on=NEXT)), id="an appeal decided"
        ),
        pytest.param(
            replace(NEWER, rating="B"), replace(NEWER, rating="B"), id="rated by an older standard"
        ),
        pytest.param(
            replace(OLD, flags=(FLAG,)), OLD, id="a flag taken off, in favour of the village"
        ),
        pytest.param(RUNNING, lifted(NEXT), id="a flag lifted from the first day on"),
        pytest.param(lifted(FIRST), lifted(FIRST), id="a lift stays"),
    ],
)
def test_what_may_follow(before: Village, after: Village) -> None:
    follow(register(before), register(after))


UNSIGNED = replace(NEWER, signatures=())


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        pytest.param(OLD, UNSIGNED, "without three signatures", id="new evidence, not signed"),
        pytest.param(OLD, replace(OLD, rating=UNRATED, assessed_on=None, evidence={}),
                     "without three signatures", id="a rating dropped"),
        pytest.param(OLD, replace(NEWER, rating="AA"),
                     "is AA, but the standard .* gives its evidence AAA", id="not by the standard"),
        pytest.param(NEWER, replace(OLD, signatures=SIGNED), "older than that of 2026-10-01",
                     id="older evidence"),
        pytest.param(NEWER, UNSIGNED, "its signatures are not those", id="signatures lost"),
        pytest.param(OLD, replace(OLD, revocation=replace(TAKEN, on=date(2026, 12, 31))),
                     "revocation of 2026-12-31 is before the register's first day 2027-01-01",
                     id="revoked back in time"),
        pytest.param(OLD, replace(OLD, revocation=replace(TAKEN, reason="电话 13812345678")),
                     "holds an ID or phone number", id="a person named in a reason"),
        pytest.param(OLD, replace(OLD, revocation=replace(TAKEN, document_sha256="see file")),
                     "proves nothing", id="revoked without a document"),
        pytest.param(REVOKED, OLD, "was revoked on 2026-08-01, which ends only", id="let off"),
        pytest.param(REVOKED, replace(REVOKED, revocation=TAKEN), "was revoked on 2026-08-01",
                     id="revoked later instead"),
        pytest.param(REVOKED,
                     replace(NEWER, rating=UNRATED, assessed_on=None, evidence={},
                             revocation=REVOKED.revocation),
                     "cannot become unrated", id="revoked, then unknown"),
        pytest.param(OLD, replace(OLD, flags=(replace(FLAG, since=date(2026, 12, 31)),)),
                     "flag of 2026-12-31 is before", id="flagged back in time"),
        pytest.param(RUNNING, lifted(date(2026, 12, 31)), "lift of a flag of 2026-12-31 is before",
                     id="a flag lifted back in time"),
        pytest.param(lifted(NEXT), RUNNING, "flag of 2026-08-01 is before",
                     id="a lift taken back"),
        pytest.param(APPEALED, OLD, "its appeal is neither decided", id="an appeal forgotten"),
    ],
)  # fmt: skip
def test_what_may_not_follow(before: Village, after: Village, says: str) -> None:
    with pytest.raises(EditionRefused, match=says) as refused:
        follow(register(before), register(after))
    assert refused.value.detail.startswith("draft.json: 340521102200 (王潭村): ")


def test_evidence_of_the_day_of_a_revocation_does_not_end_it() -> None:
    revoked = replace(OLD, revocation=Revocation(date(2026, 10, 1), "fraud", "0" * 64))
    with pytest.raises(EditionRefused, match="Keep the revocation"):
        follow(register(revoked), register(NEWER))


def test_a_revoked_village_may_be_rated_other_than_the_standard_says() -> None:
    village = replace(NEWER, rating="B", revocation=TAKEN)
    follow(register(OLD), register(village))


@pytest.mark.parametrize("mark", [{"revocation": TAKEN}, {"flags": (FLAG,)}])
def test_nothing_is_taken_away_for_a_day_already_gone(mark: dict[str, Any]) -> None:
    after = register(replace(OLD, **mark))
    follow(register(OLD), after, today=NEXT)
    with pytest.raises(EditionRefused, match="first day 2027-01-01 is gone"):
        follow(register(OLD), after, today=date(2027, 1, 2))


def test_no_flag_is_lifted_for_a_day_already_gone() -> None:
    follow(register(RUNNING), register(lifted(NEXT)), today=NEXT)
    with pytest.raises(EditionRefused, match=r"lift of a flag is new, .* 2027-01-01 is gone"):
        follow(register(RUNNING), register(lifted(NEXT)), today=date(2027, 1, 2))


def test_a_village_may_not_be_left_out() -> None:
    other = replace(OLD, code="340521102201", name="七房村")
    with pytest.raises(EditionRefused, match=r"340521102201: .* may not be left out"):
        follow(register(OLD, other), register(OLD))


def test_without_a_standard_nothing_can_be_rated_anew() -> None:
    follow(register(OLD), register(OLD), standard=False)
    with pytest.raises(EditionRefused, match="no standard is in force on 2027-01-01"):
        follow(register(OLD), register(NEWER), standard=False)


def test_a_synthetic_register_needs_no_signatures_but_reaches_back_no_more() -> None:
    before = register(OLD, synthetic=True)
    follow(before, register(UNSIGNED, synthetic=True))
    back = replace(OLD, revocation=replace(TAKEN, on=FIRST))
    with pytest.raises(EditionRefused, match="never reaches back"):
        follow(before, register(back, synthetic=True))


def test_a_rollback_was_looked_at_before_but_lifts_no_revocation() -> None:
    follow(register(NEWER), register(OLD), again=True)
    with pytest.raises(EditionRefused, match="Keep the revocation"):
        follow(register(REVOKED), register(OLD), again=True)


def test_the_first_register_follows_nothing() -> None:
    check_succession(
        register(UNSIGNED), [], valid_from=NEXT, again=False, today=None, name="draft.json"
    )


def test_many_faults_are_counted() -> None:
    codes = [f"34052110220{n}" for n in range(8)]
    before = register(*(replace(OLD, code=code) for code in codes))
    after = register(*(replace(UNSIGNED, code=code) for code in codes))
    with pytest.raises(EditionRefused, match=r"And 3 more\.$"):
        follow(before, after)


def test_signatures_of_a_synthetic_register_are_held_to_the_standard() -> None:
    after = register(replace(NEWER, rating="AA"), synthetic=True)
    with pytest.raises(EditionRefused, match="is AA, but the standard"):
        follow(register(OLD, synthetic=True), after)


def test_a_synthetic_register_binds_no_real_village() -> None:
    """Its revocation was of an event that never was."""
    unrated = replace(OLD, rating=UNRATED, assessed_on=None, evidence={}, points=0)
    follow(register(REVOKED, synthetic=True), register(unrated))
    with pytest.raises(EditionRefused, match="without three signatures"):
        follow(register(OLD, synthetic=True), register(OLD))


def test_a_synthetic_register_does_not_follow_a_real_one() -> None:
    with pytest.raises(EditionRefused, match="is synthetic, and the register before it is not"):
        follow(register(OLD), register(OLD, synthetic=True))
