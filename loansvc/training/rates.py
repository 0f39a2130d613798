"""Rates: the edition of loan prime rates, from a table of published quotes.

`lpr_history.csv` holds the monthly quotes in percent as two public copies give them; they agree on
all 70 dates both have (DOMAIN 8: the comparison is grade A, the copies themselves are grade C).
"""

from __future__ import annotations

import csv
from decimal import Decimal
from importlib.resources import files
from typing import Any

from loansvc.editions import COUNTY

REFERENCE = (
    "LPR quotes 2019-08-20 to 2026-08-20, public copies of the national interbank funding centre's "
    "announcements (DOMAIN 8; source grade C, agreement of two copies grade A)"
)


def rates_document() -> dict[str, Any]:
    """The document of every quote in the table; it starts with the first one.

    >>> rates_document()["quotes"][0]
    {'effective_on': '2019-08-20', 'lpr_1y_bp': 425, 'lpr_5y_bp': 485}
    """
    text = files("loansvc.training").joinpath("lpr_history.csv").read_text(encoding="utf-8")
    quotes = [
        {
            "effective_on": row["effective_date"],
            "lpr_1y_bp": _basis_points(row["lpr_1y_pct"]),
            "lpr_5y_bp": _basis_points(row["lpr_5y_pct"]),
        }
        for row in csv.DictReader(text.splitlines())
    ]
    return {
        "kind": "rates",
        "product": COUNTY,
        "valid_from": quotes[0]["effective_on"],
        "reference": REFERENCE,
        "quotes": quotes,
    }


def _basis_points(percent: str) -> int:
    return int(Decimal(percent) * 100)
