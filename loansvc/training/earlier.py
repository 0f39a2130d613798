"""Earlier: synthetic editions for the years before the first shipped ones.

With them dated policies can be tried on any day from 2019-08-01. No decision was made under any.

    registers   unrated; the pilot of 2020; the whole county in 2021, 2023 and 2025
    cards       the newest card of each product, dated back to the product's first day
    rates       the base rate before the first LPR quote

Points and credibility are 0 in all registers: nothing was fitted then. Of the pilot only the totals
are known (DOMAIN 2.1); how they part among its villages is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loansvc.editions import COUNTY, digest_of, to_text
from loansvc.training import county, synthetic
from loansvc.training.divisions import Division, divisions
from loansvc.training.register import NEVER_ASSESSED, evidence_for
from loansvc.villages import UNRATED

FIRST_DAYS = {  # of each product's first policy (DOMAIN 9)
    "credit_loan": date(2019, 8, 1), "fast_loan": date(2021, 1, 1),
    "online_loan": date(2021, 1, 1), "talent_loan": date(2021, 6, 1),
}  # fmt: skip
START, PILOT = date(2019, 8, 1), date(2020, 9, 28)
# Two years apart, as elsewhere (DOMAIN 2.1, Tongling), so that no rating lapses in between.
ROUNDS = (date(2021, 5, 1), date(2023, 5, 1), date(2025, 5, 1))
SEED = 20190801

PILOT_COLLECTED, PILOT_A_PLUS, PILOT_BORROWERS = 13_404, 12_158, 781  # households (DOMAIN 2.1)
PILOT_HOUSEHOLDS = 14_522  # of which 13,404 are 92.3 % (DOMAIN 2.1)
PILOT_BALANCE_YUAN = 56_623_000  # drawn by households (DOMAIN 2.1)
SIZE_SPREAD = 0.35  # in ln, between villages; as of the later registers

REGISTER_STATEMENT = (
    "本登记册为事后补编的合成登记册，仅为便于按日期试用政策；当时没有据此作出任何决定。"
    "仅村名和代码是真实的。A synthetic register, drawn up afterwards so that dated policies can be "
    "tried; no decision was made under it. Only names and codes are real."
)
CARD_STATEMENT = (
    "本评分卡是2026年12月的合成评分卡，将生效日期提前，仅为便于按日期试用政策；"
    "当时没有据此作出任何决定，也不得用于实际授信。This is the synthetic card of 2026-12, dated "
    "back so that dated policies can be tried; no decision was made under it, and it must not "
    "decide real loans."
)
LIMIT = (
    "Dated back: it was trained in 2026 on synthetic applications of 2023 and 2024, and says "
    "nothing of how anybody would have been scored on its first day."
)
OF_A_MANIFEST = ("data", "governance", "model", "run")  # the rest is in the card it is taken from
RATES_REFERENCE = (
    "People's Bank base rate for loans of one and of more than five years, from 2015-10-24 "
    "(DOMAIN 8), until the LPR quotes of the edition of 2019-08-20 take over"
)


def earlier_editions(
    cards: Mapping[str, Mapping[str, Any]], register: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Place under `models/` and text of every one, from the newest cards and register."""
    for document in earlier_registers(register):
        yield f"villages/{document['valid_from']}.json", to_text(document)
    for product, card in cards.items():
        document = dated_back(card, FIRST_DAYS[product])
        stem = f"scorecards/{product}/{document['valid_from']}"
        yield f"{stem}.json", to_text(document)
        yield f"{stem}.md", _model_card(document, card["valid_from"])
    yield f"rates/{START}.json", to_text(base_rate_document())


# --- registers ----------------------------------------------------------------------------------


def earlier_registers(register: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Five registers before the given one, oldest first, with its ratings and villages.

    What the given register says was assessed before the last of the five stands in that one too.
    """
    ratings = dict(zip(*synthetic.villages()[["code", "rating"]].to_numpy().T, strict=True))
    lines: list[dict[str, dict[str, Any]]] = [{}, _pilot_lines()]
    for first_day in ROUNDS:
        rng = np.random.default_rng([SEED, first_day.year])
        lines.append(
            {
                unit.code: _assessed(ratings[unit.code], first_day, rng)
                for unit in divisions()
                if unit.code not in NEVER_ASSESSED
            }
        )
    lines[-1] |= {
        line["code"]: {key: line[key] for key in ("rating", "assessed_on", "evidence")}
        for line in register["villages"]
        if line.get("assessed_on", "9999") <= ROUNDS[-1].isoformat()
    }
    days = (START, PILOT, *ROUNDS)
    return [_register(day, rated) for day, rated in zip(days, lines, strict=True)]


def _register(first_day: date, rated: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "kind": "villages",
        "product": COUNTY,
        "valid_from": first_day.isoformat(),
        "reference": _reference(first_day),
        "synthetic": True,
        "statement": REGISTER_STATEMENT,
        "villages": [_line(unit, rated.get(unit.code, {})) for unit in divisions()],
    }


def _reference(first_day: date) -> str:
    if first_day == START:
        return "synthetic: before the pilot's end no village is rated (DOMAIN 2.1)"
    if first_day == PILOT:
        return (
            "synthetic but for the totals of the pilot: 12 villages, all AAA; 13,404 households "
            "collected (92.3 %), 12,158 A or better, 781 borrowers, 56.623 m yuan (DOMAIN 2.1, "
            "source grade B); arrears are not published and stand at 0"
        )
    return f"synthetic round of {first_day}, seed {SEED} (county-wide from 2021: DOMAIN 2.1)"


def _line(unit: Division, rated: Mapping[str, Any]) -> dict[str, Any]:
    named = {"code": unit.code, "name": unit.name, "town": unit.town}
    return {**named, "rating": UNRATED, "points": 0, "credibility_percent": 0, **rated}


def _assessed(rating: str, on: date, rng: np.random.Generator) -> dict[str, Any]:
    day = on.isoformat()
    evidence = evidence_for(rating, rng) | {"as_of": day}
    return {"rating": rating, "assessed_on": day, "evidence": evidence}


def _pilot_lines() -> dict[str, dict[str, Any]]:
    """The villagers' committees of the two pilot towns, the totals parted among them."""
    pilots = [
        d.code for d in divisions() if d.town_code in county.PILOT_TOWNS and d.kind == "village"
    ]
    rng = np.random.default_rng([SEED, PILOT.year])
    sizes = np.exp(SIZE_SPREAD * rng.normal(size=len(pilots)))
    collected = parted(PILOT_COLLECTED, sizes)
    borrowers = parted(PILOT_BORROWERS, collected)
    figures = {
        "households_total": parted(PILOT_HOUSEHOLDS, collected),
        "households_rated": collected,
        "households_a_plus": parted(PILOT_A_PLUS, collected),
        "borrowers": borrowers,
        "borrowers_overdue": [0] * len(pilots),
        "balance_yuan": parted(PILOT_BALANCE_YUAN, borrowers),
        "npl_balance_yuan": [0] * len(pilots),
    }
    day = PILOT.isoformat()
    return {
        code: {
            "rating": "AAA",
            "assessed_on": day,
            "evidence": {name: each[i] for name, each in figures.items()} | {"as_of": day},
        }
        for i, code in enumerate(pilots)
    }


def parted(total: int, shares: Sequence[float] | NDArray[Any]) -> list[int]:
    """A total in whole parts in proportion to shares, the largest remainders rounded up.

    >>> parted(10, [1, 1, 1]), parted(781, [2, 1])
    ([4, 3, 3], [521, 260])
    """
    exact = total * np.asarray(shares, dtype=float) / np.sum(shares)
    parts = np.floor(exact).astype(int)
    largest = np.argsort(parts - exact, kind="stable")
    parts[largest[: total - int(parts.sum())]] += 1
    return [int(part) for part in parts]


# --- cards and rates ----------------------------------------------------------------------------


def dated_back(card: Mapping[str, Any], valid_from: date) -> dict[str, Any]:
    """The same card from an earlier day, which says so, without the figures of its validation."""
    training = {key: card["training"][key] for key in OF_A_MANIFEST}
    governance = training["governance"]
    training["governance"] = governance | {"limits": [*governance["limits"], LIMIT]}
    digest = digest_of(to_text(card).encode())
    return {
        **card,
        "valid_from": valid_from.isoformat(),
        "reference": f"synthetic card of {card['valid_from']} ({digest[7:19]}), dated back",
        "statement": CARD_STATEMENT,
        "training": training,
    }


def _model_card(document: Mapping[str, Any], taken_from: str) -> str:
    return (
        f"# Scorecard {document['product']}, from {document['valid_from']}: SYNTHETIC, dated back\n"
        f"\n> {document['statement']}\n"
        f"\nBins, points and manifest are those of the card of {taken_from}; how it was made and\n"
        f"how well it works is told there: [{taken_from}.md]({taken_from}.md).\n"
    )


def base_rate_document() -> dict[str, Any]:
    """The rate that loans were priced on before there was an LPR.

    >>> base_rate_document()["quotes"]
    [{'effective_on': '2015-10-24', 'lpr_1y_bp': 435, 'lpr_5y_bp': 490}]
    """
    return {
        "kind": "rates",
        "product": COUNTY,
        "valid_from": START.isoformat(),
        "reference": RATES_REFERENCE,
        "quotes": [{"effective_on": "2015-10-24", "lpr_1y_bp": 435, "lpr_5y_bp": 490}],
    }
