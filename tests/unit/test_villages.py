"""A village's rating holds, lapses, expires and is revoked by date."""

import copy
from datetime import date
from typing import Any

import pytest

from loansvc.editions import Reader
from loansvc.errors import EditionRefused
from loansvc.villages import Register, Revocation, Village, rating_on, read_register
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
        pytest.param(changed(0, conduct="veto"), "conduct: is not a key", id="conduct items"),
    ],
)  # fmt: skip
def test_a_wrong_register_is_refused_at_its_place(register: dict[str, Any], says: str) -> None:
    with pytest.raises(EditionRefused, match=says):
        read(register)
