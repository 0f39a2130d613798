"""A village's rating holds, lapses, expires and is revoked by date."""

import copy
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from loansvc.editions import Reader
from loansvc.errors import EditionRefused
from loansvc.villages import (
    Appeal,
    Flag,
    Lift,
    Register,
    Revocation,
    Standing,
    Village,
    rating_on,
)
from loansvc.villages.document import read_register
from loansvc.villages.signatures import digest_of_assessment
from tests.small import QIFANG, REGISTER, SHIQIAO, WANGTAN

AA = Village("340521102200", "王潭村", "乌溪镇", "AA", date(2024, 6, 1), 6, 10, {}, None)
TAKEN = Revocation(date(2025, 1, 15), "fraud in collection", "0" * 64)


def read(register: dict[str, Any]) -> Register:
    head = ("kind", "product", "valid_from", "reference")
    body = {k: v for k, v in register.items() if k not in head}
    with Reader(body, file="villages.json") as reader:
        return read_register(reader, valid_from=date(2026, 7, 1))


def changed(index: int, **changes: Any) -> dict[str, Any]:
    register = copy.deepcopy(REGISTER)
    village = register["villages"][index]
    for key, value in changes.items():
        if value is ...:
            del village[key]
        else:
            village[key] = value
    return register


FLAG = {
    "from": "2026-07-01",
    "until": "2026-12-31",
    "reason": "upheld",
    "document_sha256": "a" * 64,
}
APPEAL = {"lodged_on": "2026-06-15", "document_sha256": "b" * 64}


def signed(index: int = 0, **changes: Any) -> list[dict[str, Any]]:
    """Three good signatures of a village of the small register, the first with changes."""
    line = REGISTER["villages"][index]
    digest = digest_of_assessment(
        code=line["code"],
        rating=line["rating"],
        assessed_on=date.fromisoformat(line["assessed_on"]),
        evidence=line["evidence"],
    )
    names = {"village": "甲", "town": "乙", "bank": "丙"}
    first, *others = (
        {"role": role, "name": name, "signed_on": "2026-04-10", "digest": digest}
        for role, name in names.items()
    )
    return [first | changes, *others]


@pytest.mark.parametrize(
    ("on", "rating", "state"),
    [
        pytest.param(date(2026, 5, 31), "AA", "rated", id="the last day of 24 months"),
        pytest.param(date(2026, 6, 1), "A", "grace", id="grace counts one notch lower"),
        pytest.param(date(2026, 8, 31), "A", "grace", id="the last day of grace"),
        pytest.param(date(2026, 9, 1), "unrated", "expired", id="expired"),
    ],
)
def test_a_rating_holds_24_months_and_3_of_grace(on: date, rating: str, state: str) -> None:
    assert rating_on(AA, on) == (rating, state)


@pytest.mark.parametrize(
    ("on", "rating", "state"),
    [
        pytest.param(date(2025, 1, 14), "AA", "rated", id="never before its day"),
        pytest.param(date(2025, 1, 15), "B", "revoked", id="from its day on"),
    ],
)
def test_a_revocation_forces_b_from_its_day(on: date, rating: str, state: str) -> None:
    village = Village("1", "", "", "AA", date(2024, 6, 1), 6, 10, {}, TAKEN)
    assert rating_on(village, on) == (rating, state)


def test_a_revocation_never_lifts_a_worse_rating() -> None:
    village = Village("1", "", "", "C", date(2024, 6, 1), 0, 0, {}, TAKEN)
    assert rating_on(village, date(2025, 2, 1)) == ("C", "revoked")


def test_the_worst_rating_in_grace_stays_the_worst() -> None:
    village = Village("1", "", "", "D", date(2024, 6, 1), 0, 0, {}, None)
    assert rating_on(village, date(2026, 6, 1)) == ("D", "grace")


def standing(village: Village, on: date) -> Standing:
    return Register({village.code: village}, synthetic=True, statement="").standing(
        village.code, on
    )


@pytest.mark.parametrize(
    ("on", "flagged"),
    [
        pytest.param(date(2025, 1, 14), False, id="never before its day"),
        pytest.param(date(2025, 1, 15), True, id="from its first day"),
        pytest.param(date(2025, 3, 31), True, id="to its last day"),
        pytest.param(date(2025, 4, 1), False, id="and no longer"),
    ],
)
def test_a_flag_holds_on_its_days_and_changes_nothing_else(on: date, flagged: bool) -> None:
    flag = Flag(date(2025, 1, 15), date(2025, 3, 31), "upheld", "0" * 64)
    found = standing(replace(AA, flags=(flag,)), on)
    assert found == replace(standing(AA, on), flagged=flagged)


@pytest.mark.parametrize(
    ("lifted_on", "flagged"),
    [
        pytest.param(date(2025, 2, 2), True, id="the day before the lift"),
        pytest.param(date(2025, 2, 1), False, id="the day of the lift"),
        pytest.param(date(2025, 1, 10), False, id="lifted before it began"),
    ],
)
def test_a_lifted_flag_holds_no_longer(lifted_on: date, flagged: bool) -> None:
    flag = Flag(date(2025, 1, 15), date(2025, 3, 31), "upheld", "0" * 64, Lift(lifted_on, "1" * 64))
    assert standing(replace(AA, flags=(flag,)), date(2025, 2, 1)).flagged is flagged


@pytest.mark.parametrize(
    ("on", "appeal"),
    [
        pytest.param(date(2025, 1, 14), False, id="before it is lodged"),
        pytest.param(date(2025, 1, 15), True, id="it pends"),
        pytest.param(date(2025, 2, 3), False, id="decided"),
    ],
)
def test_the_rating_stands_while_an_appeal_pends(on: date, appeal: bool) -> None:
    lodged = Appeal(date(2025, 1, 15), "0" * 64, decided_on=date(2025, 2, 3))
    found = standing(replace(AA, appeal=lodged), on)
    assert found == replace(standing(AA, on), appeal=appeal)


def test_an_unrated_village_can_carry_a_flag() -> None:
    flag = Flag(date(2025, 1, 15), date(2025, 3, 31), "upheld", "0" * 64)
    village = Village("1", "", "", "unrated", None, 0, 0, {}, None, flags=(flag,))
    found = standing(village, date(2025, 2, 1))
    assert (found.state, found.flagged) == ("unrated", True)


def test_points_expire_with_the_rating() -> None:
    register = Register({AA.code: AA}, synthetic=True, statement="")
    assert register.standing(AA.code, date(2026, 8, 31)).points == 6
    assert register.standing(AA.code, date(2026, 9, 1)).points == 0


def test_a_village_not_listed_is_unrated_rather_than_bad() -> None:
    standing = read(REGISTER).standing("340521999999", date(2026, 11, 23))
    assert (standing.rating, standing.state, standing.points) == ("unrated", "unrated", 0)


def test_a_register_is_read_in_full() -> None:
    register = read(REGISTER)
    assert set(register.villages) == {WANGTAN, QIFANG, SHIQIAO}
    assert register.villages[WANGTAN].evidence["households_a_plus"] == 400
    assert register.villages[SHIQIAO].evidence == {}


def test_the_record_behind_the_points_may_be_stated() -> None:
    register = read(changed(0, record={"loans": 60, "loans_bad": 2}))
    assert register.villages[WANGTAN].record == {"loans": 60, "loans_bad": 2}
    assert register.villages[QIFANG].record == {}


@pytest.mark.parametrize(
    ("register", "says"),
    [
        pytest.param(changed(0, code="340521400498"), "virtual community", id="nobody lives there"),
        pytest.param(changed(0, code=QIFANG), "lists a village twice", id="twice"),
        pytest.param(changed(0, rating="A+"), r"villages\[0\].rating", id="no such rating"),
        pytest.param(changed(0, points=11), "from -10 to 10", id="above the cap"),
        pytest.param(changed(2, points=1), "must be 0 for an unrated", id="unrated with points"),
        pytest.param(changed(0, assessed_on="2026-07-02"), "must not be after the register",
                     id="assessed later than published"),
        pytest.param(changed(0, assessed_on=...), "assessed_on: is missing", id="no date"),
        pytest.param(changed(0, evidence=...), "evidence: is missing", id="no evidence"),
        pytest.param(changed(0, evidence={**REGISTER["villages"][0]["evidence"],
                     "households_a_plus": 481}), "must not be more than households_rated",
                     id="more A households than households"),
        pytest.param(changed(0, record={"loans": 9, "loans_bad": 10}),
                     "loans_bad: must be a whole number from 0 to 9",
                     id="more bad loans than loans"),
        pytest.param(changed(0, record={"loans": 9}), "loans_bad: is missing", id="half a record"),
        pytest.param(changed(0, flag=[{**FLAG, "until": "2026-06-30"}]),
                     r"flag\[0\].until: must not be before from", id="a flag turned around"),
        pytest.param(changed(0, flag=[{**FLAG, "document_sha256": "see file"}]),
                     r"flag\[0\].document_sha256: must be the SHA-256", id="a flag unproven"),
        pytest.param(changed(0, flag=[{**FLAG, "reason": "户主 340521197501010179"}]),
                     "must not hold an ID or phone number", id="a person named in a flag"),
        pytest.param(changed(0, flag=[{**FLAG, "lifted": {"on": "2027-01-01",
                                                          "document_sha256": "a" * 64}}]),
                     r"flag\[0\].lifted.on: must not be after until", id="lifted after its end"),
        pytest.param(changed(0, flag=[{**FLAG, "lifted": {"on": "2026-09-01"}}]),
                     r"flag\[0\].lifted.document_sha256: is missing", id="a lift unproven"),
        pytest.param(changed(0, flag=[{**FLAG, "points": -5}]), "points: is not a key",
                     id="points by conduct"),
        pytest.param(changed(0, appeal={**APPEAL, "lodged_on": "2026-07-02"}),
                     "lodged_on: must not be after the register", id="an appeal to come"),
        pytest.param(changed(0, appeal={**APPEAL, "decided_on": "2026-06-01"}),
                     "decided_on: must not be before lodged_on", id="decided before lodged"),
        pytest.param(changed(0, conduct="veto"), "conduct: is not a key", id="conduct items"),
    ],
)  # fmt: skip
def test_a_wrong_register_is_refused_at_its_place(register: dict[str, Any], says: str) -> None:
    with pytest.raises(EditionRefused, match=says):
        read(register)


def test_signatures_flags_and_appeals_are_read() -> None:
    village = read(changed(0, signatures=signed(), flag=[FLAG], appeal=APPEAL)).villages[WANGTAN]
    assert [s.role for s in village.signatures] == ["village", "town", "bank"]
    assert village.flags == (Flag(date(2026, 7, 1), date(2026, 12, 31), "upheld", "a" * 64),)
    assert village.appeal == Appeal(date(2026, 6, 15), "b" * 64)


def test_a_register_may_say_nothing_of_them() -> None:
    """As all did before there was signing."""
    village = read(REGISTER).villages[WANGTAN]
    assert (village.signatures, village.flags, village.appeal) == ((), (), None)


@pytest.mark.parametrize(
    ("signatures", "says"),
    [
        pytest.param(signed(digest="sha256:0"), r"signatures\[0\].digest: is not that of this line",
                     id="of other content"),
        pytest.param(signed(role="bank"), "two signatures of one role", id="a role twice"),
        pytest.param(signed(name=" 乙 "), "one has signed twice", id="a person twice"),
        pytest.param(signed(role="clerk"), "must be one of village, town, bank", id="no role"),
        pytest.param(signed()[1:], "lacks that of village; add it", id="two of three"),
        pytest.param([], "lacks that of village, town, bank", id="none, but the key"),
        pytest.param(signed(signed_on="2026-03-30"), "must not be before the evidence",
                     id="before the evidence"),
        pytest.param(signed(signed_on="2026-07-02"), "signed_on: must not be after 2026-07-01",
                     id="after the first day"),
        pytest.param(signed(name="340521197501010179"), "without an ID or phone number",
                     id="a number for a name"),
    ],
)  # fmt: skip
def test_a_wrong_signature_is_refused(signatures: list[Any], says: str) -> None:
    with pytest.raises(EditionRefused, match=says):
        read(changed(0, signatures=signatures))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"rating": "AAA"}, id="rating"),
        pytest.param({"assessed_on": "2026-04-01"}, id="day"),
        pytest.param({"evidence": {**REGISTER["villages"][0]["evidence"], "borrowers": 61}},
                     id="evidence"),
    ],
)  # fmt: skip
def test_a_change_after_signing_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(EditionRefused, match="changed after it was signed"):
        read(changed(0, signatures=signed(), **change))
