"""Fields: marshmallow's, made strict, with a stable code beside every sentence.

marshmallow alone takes 5.7 for 5, "yes" for true, "20240101" for a date and full-width digits for
numbers; each field here takes one JSON type and one spelling.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from marshmallow import ValidationError, fields

from loansvc.identifiers import is_party

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
EARLIEST = date(1950, 1, 1)


class Flawed(str):
    """A sentence about a field, with its code."""

    __slots__ = ("code",)
    code: str


def flawed(code: str, detail: str) -> Flawed:
    """The sentence, carrying the code."""
    message = Flawed(detail)
    message.code = code
    return message


MESSAGES = {
    "required": flawed("required", "Is required; add it."),
    "null": flawed("required", "Is required and may not be null."),
    "unknown": flawed("unknown_field", "Is not a field of this version; remove it."),
    "type": flawed("not_an_object", "Must be an object."),
}


class Strict(fields.Field[Any]):
    """A field that takes null for "not known" unless it is required."""

    def __init__(self, *, required: bool = False, **kwargs: Any) -> None:
        if not required:
            kwargs.setdefault("load_default", None)
        super().__init__(required=required, allow_none=not required, **kwargs)

    def make_error(self, key: str, **kwargs: Any) -> ValidationError:
        """The error of that key with our code and sentence."""
        return ValidationError([MESSAGES[key]])


class Whole(Strict):
    """A whole number as a JSON integer, within bounds."""

    def __init__(self, *, low: int, high: int, **kwargs: Any) -> None:
        self.low, self.high = low, high
        super().__init__(metadata={"minimum": low, "maximum": high}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            raise ValidationError([flawed("not_an_integer", "Must be a whole number, not quoted.")])
        if not self.low <= value <= self.high:
            detail = f"Must be from {self.low} to {self.high}."
            raise ValidationError([flawed("out_of_range", detail)])
        return value


class YesNo(Strict):
    """true or false, nothing else."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if type(value) is not bool:
            raise ValidationError([flawed("not_a_boolean", "Must be true or false.")])
        return value


class Word(Strict):
    """One of the words of the contract."""

    def __init__(self, words: Sequence[str], **kwargs: Any) -> None:
        unknown = () if kwargs.get("required") else (None,)
        super().__init__(metadata={"enum": [*words, *unknown]}, **kwargs)
        self.words = words

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or value not in self.words:
            detail = f"Must be one of {', '.join(self.words)}."
            raise ValidationError([flawed("not_a_choice", detail)])
        return value


class Pattern(Strict):
    """A short ASCII text of a stated form."""

    def __init__(self, pattern: str, says: str, **kwargs: Any) -> None:
        super().__init__(metadata={"pattern": f"^({pattern})$"}, **kwargs)
        self._pattern, self._says = re.compile(pattern, re.ASCII), says

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        # fullmatch, not "$": that would let a final newline through.
        if not isinstance(value, str) or not self._pattern.fullmatch(value):
            raise ValidationError([flawed("wrong_form", self._says)])
        return value


class Day(Strict):
    """An ISO date, 2026-11-23, from 1950 on."""

    pattern = "^(19[5-9]|[2-9][0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}$"  # what a contract can say of it

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"pattern": self.pattern}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        try:
            if not isinstance(value, str) or not _DATE.fullmatch(value):
                raise ValueError
            day = date.fromisoformat(value)
        except ValueError:
            raise ValidationError(
                [flawed("not_a_date", "Must be a real date such as 2026-11-23.")]
            ) from None
        if day < EARLIEST:
            raise ValidationError([flawed("out_of_range", f"Must be on or after {EARLIEST}.")])
        return day


class Words(Strict):
    """A list of words, none twice."""

    def __init__(self, words: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = words

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValidationError([flawed("not_a_list", "Must be a list.")])
        wrong = {
            i: [flawed("not_a_choice", f"Must be one of {', '.join(self.words)}.")]
            for i, word in enumerate(value)
            if not isinstance(word, str) or word not in self.words
        }
        if wrong:
            raise ValidationError(wrong)
        if len(set(value)) != len(value):
            raise ValidationError([flawed("twice", "Must name each word once.")])
        return tuple(value)


class Parties(Strict):
    """ID numbers or social credit codes, none twice, each with its check character."""

    most = 10

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"maxItems": self.most, "uniqueItems": True}, **kwargs)

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> tuple[str, ...]:
        if not isinstance(value, list) or len(value) > self.most:
            detail = f"Must be a list of at most {self.most} ID numbers or social credit codes."
            raise ValidationError([flawed("not_a_list", detail)])
        says = "Must be an 18-character ID number or social credit code; check for a typo."
        wrong = {
            i: [flawed("wrong_form", says)]
            for i, party in enumerate(value)
            if not isinstance(party, str) or not is_party(party)
        }
        if wrong:
            raise ValidationError(wrong)
        if len(set(value)) != len(value):
            raise ValidationError([flawed("twice", "Must name each party once.")])
        return tuple(value)


class Text(Strict):
    """A short text of printable characters; `form` documents a rule that is checked later."""

    def __init__(self, *, longest: int, form: str | None = None, **kwargs: Any) -> None:
        metadata = {"minLength": 1, "maxLength": longest, **({"pattern": form} if form else {})}
        super().__init__(metadata=metadata, **kwargs)
        self.longest = longest

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= self.longest:
            detail = f"Must be a quoted text of 1 to {self.longest} characters."
            raise ValidationError([flawed("wrong_form", detail)])
        if not value.isprintable():
            detail = "Must hold printable characters only."
            raise ValidationError([flawed("wrong_form", detail)])
        return value
