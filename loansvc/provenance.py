"""Provenance: what a card must say of how it was made before it can be published.

The one list of it. The lists of JR/T 0221-2021 (data, modelling), the impact assessment of PIPL
art. 55, what the card is for and what it is not for. A card of any table can fill it: where a
source does not say when its cases applied, the manifest says just that, in words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

NONE_NEEDED = "synthetic: none needed"  # the impact assessment of a card that nobody is scored by
NOT_STATED = "not stated"  # what a program may write for what nobody told it; says nothing
_SHA256 = re.compile(r"[0-9a-f]{64}")


def missing_from(training: Any) -> list[str]:
    """Every key that the manifest lacks, as a path; also one whose value does not say it.

    >>> missing_from({"data": {"source": "loans of 2025", "n": 800}})[:3]
    ['data.first_application', 'data.last_application', 'data.outcome_known_on']
    """
    return [path for path, says in REQUIRED.items() if not says(_at(training, path))]


def operator_of(training: Any) -> str:
    """Who made the card; empty where the manifest does not say."""
    operator = _at(training, "run.operator")
    return operator if isinstance(operator, str) else ""


def impact_assessment_of(training: Any) -> str:
    """The number of the impact assessment; empty where the manifest does not say."""
    found = _at(training, "governance.impact_assessment_id")
    return found if isinstance(found, str) else ""


def same_person(one: str, other: str) -> bool:
    """Whether two names are one, however wide, high, spaced or invisible their characters are.

    >>> same_person("Ａ. Analyst ", "a.  ANALYST"), same_person("王小明", "王小红")
    (True, False)
    """
    return _folded(one) == _folded(other)


def _folded(name: str) -> str:
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    seen = "".join(c for c in plain if unicodedata.category(c) != "Cf")  # zero-width and the like
    return " ".join(seen.split())


def _at(training: Any, path: str) -> Any:
    value = training
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


# --- what a value must be to say something ----------------------------------------------------


def _text(value: Any) -> bool:
    return isinstance(value, str) and _folded(value) not in ("", NOT_STATED)


def _texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(map(_text, value))


def _whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def _at_least_one(value: Any) -> bool:
    return _whole(value) and value >= 1


def _whole_or_list(value: Any) -> bool:
    return _whole(value) or (isinstance(value, list | tuple) and bool(value))


def _table(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value)


def _sha256(value: Any) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _instant(value: Any) -> bool:
    """A time of day with its offset, in ISO form."""
    try:
        return datetime.fromisoformat(value).utcoffset() is not None
    except (TypeError, ValueError):
        return False


# Path in the manifest -> whether a value says it. `first_application`, `last_application` and
# `outcome_known_on` are days, or a sentence that says why they are not known ("the source gives
# no dates"); NOT_STATED is none.
REQUIRED: Mapping[str, Callable[[Any], bool]] = {
    "data.source": _text,
    "data.first_application": _text,
    "data.last_application": _text,
    "data.outcome_known_on": _text,
    "data.sampling": _text,
    "data.n": _at_least_one,
    "data.n_bad": _whole,
    "data.storage": _text,  # where the table is kept, or how it is made again
    "data.sha256": _sha256,
    "run.script": _text,
    "run.operator": _text,
    "run.started_at": _instant,
    "run.ended_at": _instant,
    "run.python": _text,
    "run.libraries": _table,
    "run.machine": _text,
    "model.kind": _text,
    "model.parameters": _table,
    "model.iterations": _whole_or_list,
    "model.seed": _whole_or_list,
    "governance.impact_assessment_id": _text,
    "governance.intended_use": _text,
    "governance.limits": _texts,
}
