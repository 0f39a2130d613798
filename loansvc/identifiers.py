"""Identifiers: the published rules for ID numbers, social credit codes, industries, villages.

Every check returns None for a good value, or a `Flaw` with a stable code and a sentence. All
checks take ASCII only: full-width digits are refused, never folded.
"""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999
ID_CHECK_CHARACTERS = "10X98765432"  # by sum mod 11
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100-2015: no I O S V Z
COUNTY_CODE = "340521"  # Dangtu, statistics code
VIRTUAL_COMMUNITY = "498"  # statistics code of a virtual community: nobody lives there

_ID_NUMBER = re.compile(r"[0-9]{17}[0-9X]", re.ASCII)
_ID_NUMBER_AT = re.compile(r"(?=([0-9]{17}[0-9X]))", re.ASCII)
_USCC = re.compile(rf"[{USCC_ALPHABET}]{{18}}", re.ASCII)
_PERSONAL = re.compile(r"\d{15}|1[3-9]\d{9}")  # also full-width: people write both
_INDUSTRY = re.compile(r"([A-T])([0-9]{2,4})", re.ASCII)
_VILLAGE = re.compile(r"[0-9]{12}", re.ASCII)

# First and last division (two digits) of each GB/T 4754-2017 letter: digits alone fix the letter.
INDUSTRY_DIVISIONS = {
    "A": (1, 5), "B": (6, 12), "C": (13, 43), "D": (44, 46), "E": (47, 50), "F": (51, 52),
    "G": (53, 60), "H": (61, 62), "I": (63, 65), "J": (66, 69), "K": (70, 70), "L": (71, 72),
    "M": (73, 75), "N": (76, 79), "O": (80, 82), "P": (83, 83), "Q": (84, 85), "R": (86, 90),
    "S": (91, 96), "T": (97, 97),
}  # fmt: skip


class Flaw(NamedTuple):
    """Why an identifier is refused."""

    code: str
    detail: str


def id_number_flaw(text: str, *, today: date) -> Flaw | None:
    """What is wrong with a resident ID number (GB 11643), or None.

    Length, real birth date not in the future, check character. The area prefix is not looked
    up: it is the place of first registration and tables of it are never complete.

    >>> id_number_flaw("11010519491231002X", today=date(2026, 11, 23)) is None
    True
    >>> id_number_flaw("110105194912310021", today=date(2026, 11, 23)).code
    'id_number_checksum'
    """
    if not _ID_NUMBER.fullmatch(text):
        return Flaw("id_number_form", "Must be 17 digits and a digit or capital X, ASCII only.")
    born = birth_date(text)
    if born is None or born.year < 1900:
        return Flaw("id_number_birth_date", "Digits 7 to 14 must be a real date of birth.")
    if born > today:
        return Flaw("id_number_birth_date", "The date of birth must not be in the future.")
    if id_check_character(text[:17]) != text[17]:
        return Flaw("id_number_checksum", "The check character does not fit; check for a typo.")
    return None


def holds_personal_number(text: str) -> bool:
    """Whether what looks like an ID number or a mobile number stands in a text.

    >>> holds_personal_number("户主 340521197501010179"), holds_personal_number("article 4 of 2026")
    (True, False)
    """
    return _PERSONAL.search(text) is not None


def holds_id_number(text: str) -> bool:
    """Whether a valid ID number stands in a text; one long number in 25,000 looks like one.

    >>> holds_id_number("A-11010519491231002X-7"), holds_id_number("110105194912310021")
    (True, False)
    """
    parts = (match[1] for match in _ID_NUMBER_AT.finditer(text))
    return any(id_number_flaw(part, today=date.max) is None for part in parts)


def id_check_character(digits: str) -> str:
    """The 18th character of an ID number, from the first 17 digits.

    >>> id_check_character("11010519491231002")
    'X'
    """
    total = sum(weight * int(digit) for weight, digit in zip(ID_WEIGHTS, digits, strict=True))
    return ID_CHECK_CHARACTERS[total % 11]


def birth_date(id_number: str) -> date | None:
    """Date of birth in digits 7 to 14, or None where those are no real date.

    >>> birth_date("11010519491231002X")
    datetime.date(1949, 12, 31)
    """
    try:
        return date(int(id_number[6:10]), int(id_number[10:12]), int(id_number[12:14]))
    except ValueError:
        return None


def uscc_flaw(text: str) -> Flaw | None:
    """What is wrong with a unified social credit code (GB 32100), or None.

    >>> uscc_flaw("91350100M000100Y43") is None  # the standard's worked example
    True
    >>> uscc_flaw("91350100M000100Y4Z").code  # Z is not in the alphabet
    'uscc_form'
    """
    if not _USCC.fullmatch(text):
        return Flaw("uscc_form", "Must be 18 of 0-9 and A-Z without I, O, S, V, Z.")
    if uscc_check_character(text[:17]) != text[17]:
        return Flaw("uscc_checksum", "The check character does not fit; check for a typo.")
    return None


def uscc_check_character(characters: str) -> str:
    """The 18th character of a social credit code, from the first 17.

    >>> uscc_check_character("91350100M000100Y4")
    '3'
    """
    total = sum(USCC_ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(characters))
    # 31 - remainder would be 31 for remainder 0; the standard says "0" there.
    return USCC_ALPHABET[-total % 31]


def is_party(text: str) -> bool:
    """Whether it is an ID number or a social credit code by form and check character.

    >>> is_party("11010519491231002X"), is_party("91350100M000100Y43"), is_party("1")
    (True, True, False)
    """
    return id_number_flaw(text, today=date.max) is None or uscc_flaw(text) is None


def industry_flaw(text: str) -> Flaw | None:
    """What is wrong with a GB/T 4754 class (letter and 2 to 4 digits), or None.

    >>> industry_flaw("A0412") is None, industry_flaw("B0412").code
    (True, 'industry_letter')
    """
    match = _INDUSTRY.fullmatch(text)
    if match is None:
        return Flaw("industry_form", "Must be a letter A to T and 2 to 4 digits, such as A0412.")
    first, last = INDUSTRY_DIVISIONS[match[1]]
    if not first <= int(match[2][:2]) <= last:
        return Flaw(
            "industry_letter", f"Letter {match[1]} has the divisions {first:02d} to {last:02d}."
        )
    return None


def village_code_flaw(text: str, *, known: frozenset[str]) -> Flaw | None:
    """What is wrong with a village code, or None; `known` holds the codes of the register.

    >>> village_code_flaw("340521400498", known=frozenset({"340521102200"})).code
    'village_virtual'
    """
    if not _VILLAGE.fullmatch(text):
        return Flaw("village_code_form", "Must be the 12-digit statistics code of a village.")
    if not text.startswith(COUNTY_CODE):
        return Flaw("village_outside_county", f"Must begin with the county code {COUNTY_CODE}.")
    if text.endswith(VIRTUAL_COMMUNITY):
        return Flaw("village_virtual", "A virtual community has no residents; give the village.")
    if text not in known:
        return Flaw("village_unknown", "No such village in the register: see GET /v1/villages.")
    return None
