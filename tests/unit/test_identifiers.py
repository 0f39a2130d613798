"""Identifiers follow the published rules, to the character."""

from datetime import date

import pytest

from loansvc.identifiers import (
    id_check_character,
    id_number_flaw,
    industry_flaw,
    uscc_flaw,
    village_code_flaw,
)
from loansvc.web.examples import invented_id_number

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param("11010519491231002X", id="the standard's own example"),
        pytest.param("340521199003072316", id="Dangtu"),
        pytest.param("34252519600101001" + id_check_character("34252519600101001"),
                     id="Dangtu's code of 1982"),
    ],
)  # fmt: skip
def test_a_good_id_number_is_taken_whatever_its_area(number: str) -> None:
    assert id_number_flaw(number, today=TODAY) is None


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param("110105194912310021", "id_number_checksum", id="wrong check character"),
        pytest.param("11010519491231002x", "id_number_form", id="small x"),
        pytest.param("１1010519491231002X", "id_number_form", id="a full-width digit"),
        pytest.param("11010519491231002X\n", "id_number_form", id="a final newline"),
        pytest.param("110105491231002", "id_number_form", id="the old 15 digits"),
        pytest.param("110105194902300029", "id_number_birth_date", id="30 February"),
        pytest.param("11010520270101002X", "id_number_birth_date", id="born next year"),
        pytest.param("110105189912310020", "id_number_birth_date", id="born before 1900"),
    ],
)
def test_a_wrong_id_number_is_refused_with_its_flaw(number: str, code: str) -> None:
    flaw = id_number_flaw(number, today=TODAY)
    assert flaw is not None
    assert flaw.code == code


def test_every_single_digit_slip_of_an_id_number_is_noticed() -> None:
    """The check character finds any one wrong digit (weights are prime to 11)."""
    good = invented_id_number(123_456)
    for i in range(14, 17):
        for digit in set("0123456789") - {good[i]}:
            slip = good[:i] + digit + good[i + 1 :]
            assert id_number_flaw(slip, today=TODAY) is not None


def test_born_today_is_not_in_the_future() -> None:
    body = "340521" + "20261123" + "001"
    assert id_number_flaw(body + id_check_character(body), today=TODAY) is None


@pytest.mark.parametrize(
    ("code", "flaw"),
    [
        pytest.param("91350100M000100Y43", None, id="the standard's worked example"),
        pytest.param("92340521MA2N00022W", None, id="a sole trader"),
        pytest.param("91350100M000100Y44", "uscc_checksum", id="wrong check character"),
        pytest.param("91350100M000100Y4Z", "uscc_form", id="Z is not in the alphabet"),
        pytest.param("91350100M000100Y4", "uscc_form", id="17 characters"),
    ],
)
def test_a_social_credit_code_is_checked(code: str, flaw: str | None) -> None:
    found = uscc_flaw(code)
    assert (found and found.code) == flaw


def test_remainder_zero_of_a_social_credit_code_gives_zero() -> None:
    """31 - 0 is 31, which has no character: the standard says "0" (prefix from DOMAIN 6)."""
    assert uscc_flaw("91340521MA2N000220") is None


@pytest.mark.parametrize(
    ("code", "flaw"),
    [
        ("A0412", None), ("A04", None), ("T97", None), ("C13", None),
        ("A06", "industry_letter"), ("K69", "industry_letter"), ("0412", "industry_form"),
        ("A0", "industry_form"), ("a0412", "industry_form"), ("A04123", "industry_form"),
        ("U01", "industry_form"),
    ],
)  # fmt: skip
def test_an_industry_is_a_letter_with_its_own_divisions(code: str, flaw: str | None) -> None:
    found = industry_flaw(code)
    assert (found and found.code) == flaw


@pytest.mark.parametrize(
    ("code", "flaw"),
    [
        ("340521102200", None),
        ("340521102999", "village_unknown"),
        ("340521400498", "village_virtual"),
        ("340522102200", "village_outside_county"),
        ("34052110220", "village_code_form"),
        ("34052110220０", "village_code_form"),
    ],
)
def test_a_village_is_one_of_the_register(code: str, flaw: str | None) -> None:
    found = village_code_flaw(code, known=frozenset({"340521102200"}))
    assert (found and found.code) == flaw
