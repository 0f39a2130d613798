"""Divisions: the 154 village-level units of Dangtu county, with their statistics codes.

`divisions.csv` holds the code table of the national statistics bureau in short names (王潭村, not
王潭村委会). The virtual community of the development zone is left out: nobody lives there.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Division:
    """One unit. `kind`: village (村民委员会) or community (居民委员会)."""

    code: str
    name: str
    town_code: str
    town: str
    kind: str


@cache
def divisions() -> tuple[Division, ...]:
    """Every village-level unit, in order of code.

    >>> len(divisions()), next(d.name for d in divisions() if d.code == "340521102200")
    (154, '王潭村')
    """
    table = files("loansvc.training").joinpath("divisions.csv").read_text(encoding="utf-8")
    return tuple(Division(**row) for row in csv.DictReader(table.splitlines()))
