"""Replay: a decision as recorded beside the same decision made again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def differences(recorded: Mapping[str, Any], again: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every field that differs, by JSON pointer; none where they are identical.

    Wording is compared by code, not by text: a text may be put better, a reason may not change.
    Fields that a later version added are not in the record, and no difference.

    >>> differences(
    ...     {"score": 600, "reasons": [{"zh": "甲"}]}, {"score": 601, "reasons": [{"zh": ""}]}
    ... )
    [{'pointer': '/score', 'recorded': 600, 'replayed': 601}]
    """
    names = again.keys() & recorded.keys()
    before, after = ({n: _codes_only(d[n]) for n in names} for d in (recorded, again))
    return list(_differences(before, after, ""))


def _codes_only(value: Any) -> Any:
    """A document without its wording."""
    if isinstance(value, dict):
        return {k: _codes_only(v) for k, v in value.items() if k not in ("zh", "en")}
    if isinstance(value, list):
        return [_codes_only(v) for v in value]
    return value


def _differences(then: Any, again: Any, pointer: str) -> Iterator[dict[str, Any]]:
    if isinstance(then, dict) and isinstance(again, dict):
        for key in sorted({*then, *again}):
            yield from _differences(then.get(key), again.get(key), f"{pointer}/{key}")
    elif then != again:
        yield {"pointer": pointer, "recorded": then, "replayed": again}
