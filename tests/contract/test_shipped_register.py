"""The shipped village register: what it promises in figures. Thresholds are literal on purpose."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from loansvc.editions import Head
from loansvc.registry import read_document
from loansvc.villages import Register, Village

FILE = Path(__file__).parents[2] / "models" / "villages" / "2026-12-01.json"
READ: tuple[Head, Register] = read_document(FILE)
HEAD, REGISTER = READ
VILLAGES = list(REGISTER.villages.values())
RATED = [v for v in VILLAGES if v.rating != "unrated"]
UNRATED = [v for v in VILLAGES if v.rating == "unrated"]


# DOMAIN 2.3: A+ households of those rated at least, overdue borrowers and bad balance at most.
THRESHOLDS_PER_MILLE = {"AAA": (800, 20, 15), "AA": (700, 50, 30), "A": (600, 100, 50)}


def meets(village: Village, rating: str) -> bool:
    """Whether its evidence is good enough for that rating, in whole numbers."""
    a_plus, overdue, npl = THRESHOLDS_PER_MILLE[rating]
    e = village.evidence
    return (
        1000 * e["households_a_plus"] >= a_plus * e["households_rated"]
        and 1000 * e["borrowers_overdue"] <= overdue * e["borrowers"]
        and 1000 * e["npl_balance_yuan"] <= npl * e["balance_yuan"]
    )


def test_register_lists_the_154_units_of_the_county() -> None:
    """From its first day, marked synthetic."""
    assert len(VILLAGES) == 154
    assert (HEAD.product, HEAD.valid_from) == ("county", date(2026, 12, 1))
    assert REGISTER.synthetic
    assert "合成数据" in REGISTER.statement


def test_three_are_unrated_and_one_is_revoked() -> None:
    """The others are AAA, AA, A or B."""
    assert len(UNRATED) == 3
    assert sum(v.revocation is not None for v in VILLAGES) == 1
    assert set(Counter(v.rating for v in RATED)) == {"AAA", "AA", "A", "B"}


@pytest.mark.parametrize("rating", ["AAA", "AA", "A"])
def test_evidence_meets_the_thresholds_of_the_rating(rating: str) -> None:
    """AAA 80 / 2 / 1.5 percent, AA 70 / 5 / 3, A 60 / 10 / 5."""
    below = [v.name for v in RATED if v.rating == rating and not meets(v, rating)]
    assert below == []


def test_b_is_given_only_where_the_evidence_fails_a() -> None:
    """B is what is left."""
    assert [v.name for v in RATED if v.rating == "B" and meets(v, "A")] == []


def test_ratings_were_made_before_the_first_day() -> None:
    """Each with evidence of its own day."""
    for village in RATED:
        assert village.assessed_on is not None
        assert village.assessed_on < date(2026, 7, 1)
        assert village.evidence["as_of"] == village.assessed_on.isoformat()


def test_standings_on_the_first_day() -> None:
    """24 months, then 3 of grace: one rating is in grace, one has expired."""
    found = Counter(REGISTER.standing(v.code, date(2026, 7, 1)).state for v in VILLAGES)
    assert found == {"rated": 148, "grace": 1, "expired": 1, "revoked": 1, "unrated": 3}


def test_no_balance_is_bad_where_no_borrower_is_overdue() -> None:
    """The evidence of a village agrees with itself."""
    for village in RATED:
        assert village.evidence["borrowers_overdue"] or not village.evidence["npl_balance_yuan"]


def test_points_stay_within_ten_and_need_a_record() -> None:
    """A village that is not believed moves no score."""
    for village in VILLAGES:
        assert abs(village.points) <= 10
        assert village.points == 0 or village.record["loans"] > 0


def test_unrated_have_neither_points_nor_credibility() -> None:
    """Unknown, not bad."""
    assert all((v.points, v.credibility_percent) == (0, 0) for v in UNRATED)
    assert not any(v.evidence or v.record for v in UNRATED)


def test_credibility_can_be_recomputed_from_record_and_k() -> None:
    """Z = loans / (loans + K), in whole percent, half up."""
    found = re.search(r"K (\d+) loans", HEAD.reference)
    assert found is not None
    k = int(found[1])
    for village in RATED:
        loans = village.record["loans"]
        assert village.credibility_percent == (200 * loans + loans + k) // (2 * (loans + k))


def test_invented_revocation_says_so_first_in_both_languages() -> None:
    """The village is real, the event is not."""
    (revocation,) = [v.revocation for v in VILLAGES if v.revocation is not None]
    assert revocation.reason.startswith("合成示例，并非真实事件：")
    assert " synthetic example, not a real event: " in revocation.reason
    assert revocation.on == date(2026, 5, 18)


def test_register_states_the_test_behind_its_points() -> None:
    """Out of time, on enough bad loans, and the term that keeps weight gains."""
    fit = json.loads(FILE.read_text(encoding="utf-8"))["fit"]
    kept = next(a for a in fit["arms"] if a["arm"] == "card and village term at weight 1")
    assert fit["weight_percent"] == 100
    assert kept["gain_ppm"] > kept["gain_error_ppm"] > 0
    assert fit["loans_tested_bad"] >= 100
