"""Limits: what monitoring holds its figures against, read from a file or as shipped."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from loansvc.application import PRODUCTS
from loansvc.decision import Editions
from loansvc.editions import Edition, Reader
from loansvc.errors import EditionRefused, NoEditionInForce
from loansvc.monitoring.drift import Bounds
from loansvc.rates import STALE_AFTER_DAYS
from loansvc.reasons import notice
from loansvc.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Each is a proposal and no rule of anybody; a file may state others (docs/monitoring.md)."""

    drift_alpha: float = 0.05
    least_psi: float = 0.01  # a tenth of the 0.10 from which people look by custom
    least_share_change_points: float = 5.0  # of a missing or an approval rate
    fewest_cases: int = 100
    most_reversed_percent: float = 5.0  # of the machine's approvals and declines
    calibration_alpha: float = 0.05
    most_lpr_days: int = STALE_AFTER_DAYS
    most_expired_villages: int = 0

    @property
    def drift(self) -> Bounds:
        """What drift is held against."""
        return Bounds(
            alpha=self.drift_alpha, least_psi=self.least_psi,
            least_points=self.least_share_change_points, fewest=self.fewest_cases,
        )  # fmt: skip


SHIPPED_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A limit that is broken: its name in the file, and what is so, in zh and en."""

    limit: str
    zh: str
    en: str


def read_limits(path: Path) -> Limits:
    """The limits of a TOML file; what it does not state is as shipped.

    Raises:
        EditionRefused: it is no TOML, or a key is wrong or not known.
    """
    try:
        table: Any = tomllib.loads(path.read_bytes().decode())
    except ValueError as error:  # of encoding, and of TOML
        raise EditionRefused(f"{path.name}: is no TOML ({error}). Write: key = number") from error
    with Reader(table, file=path.name) as reader:
        bounds = {
            "drift_alpha": (0.0001, 0.5), "least_psi": (0.0, 10.0),
            "least_share_change_points": (0.0, 100.0), "most_reversed_percent": (0.0, 100.0),
            "calibration_alpha": (0.0001, 0.5),
        }  # fmt: skip
        whole = {
            "fewest_cases": (1, 10**9), "most_lpr_days": (0, 10_000),
            "most_expired_villages": (0, 10**6),
        }  # fmt: skip
        stated: dict[str, Any] = {
            key: reader.number(key, low=low, high=high)
            for key, (low, high) in bounds.items()
            if key in reader
        }
        stated |= {
            key: reader.integer(key, low=first, high=last)
            for key, (first, last) in whole.items()
            if key in reader
        }
    return Limits(**stated)


# --- editions -------------------------------------------------------------------------------------


def of_editions(registry: Registry, limits: Limits, *, as_of: date) -> Iterator[Breach]:
    """What is out of date in what is in force on that day."""
    seen: set[str] = set()
    for product in PRODUCTS:
        try:
            editions = registry.in_force(product, as_of)
        except NoEditionInForce as error:
            yield Breach(limit="in_force", zh=f"{product}：当日没有有效的版本", en=error.detail)
            continue
        for edition in (editions.scorecard, editions.policy, editions.villages, editions.rates):
            if edition.path not in seen:
                seen.add(edition.path)
                yield from _review(edition, as_of)
        if editions.rates.digest not in seen:
            seen |= {editions.rates.digest}
            yield from _of_county(editions, limits, as_of)


def _review(edition: Edition[Any], as_of: date) -> Iterator[Breach]:
    due = edition.head.review_by
    if due is None and edition.kind == "policy":
        due = edition.content.review_by
    if due is not None and as_of > due:
        said = notice("POLICY_REVIEW_OVERDUE")
        zh, en = (
            (said.zh, said.en)
            if edition.kind == "policy"
            else ("已过复审日期", "Past its day of review")
        )
        yield Breach(
            limit="review_by",
            zh=f"{edition.path}：{zh}（{due}）",
            en=f"{edition.path}: {en} ({due})",
        )


def _of_county(editions: Editions, limits: Limits, as_of: date) -> Iterator[Breach]:
    quote, register = editions.rates.content.on(as_of), editions.villages.content
    days = (as_of - quote.effective_on).days
    if days > limits.most_lpr_days:
        yield Breach(
            limit="most_lpr_days",
            zh=f"最近的LPR报价为{quote.effective_on}，已{days}天（上限{limits.most_lpr_days}天）",
            en=f"The newest LPR quote is of {quote.effective_on}, {days} days old "
            f"(at most {limits.most_lpr_days})",
        )
    n = sum(register.standing(code, as_of).state == "expired" for code in register.villages)
    if n > limits.most_expired_villages:
        yield Breach(
            limit="most_expired_villages",
            zh=f"{n}个村的评定已过期（上限{limits.most_expired_villages}）",
            en=f"The ratings of {n} villages have expired (at most {limits.most_expired_villages})",
        )
