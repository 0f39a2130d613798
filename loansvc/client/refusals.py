"""Refusals: what the service said no to, and that it could not be reached.

Neither holds anything that was sent: they may be logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldRefusal:
    """What is wrong with one field: where (JSON pointer), a stable code, and a sentence."""

    pointer: str
    code: str
    detail: str


class Refused(Exception):
    """The service said no: `code` for programs, the text for people."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", "unknown"))
        self.request_id = str(problem.get("request_id", ""))
        self.fields = tuple(
            FieldRefusal(one["pointer"], one["code"], one["detail"])
            for one in problem.get("errors", ())
        )
        detail = str(problem.get("detail") or f"The service answered {status}.")
        places = (f"{one.pointer or '/'}  {one.detail}" for one in self.fields)
        super().__init__("\n  ".join((detail, *places)))


class Unreachable(Exception):
    """No answer within the patience of the caller: what was sent may or may not be recorded.

    Send it again later, unchanged: an id that is known gives its first answer.
    """
