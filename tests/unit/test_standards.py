"""Standards: ratings that follow from evidence line by line, and documents that may not say so."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loansvc.editions import Reader, in_force, read_head, to_text
from loansvc.errors import EditionRefused, NoEditionInForce
from loansvc.registry import Registry, read_document
from loansvc.registry.publishing import publish
from loansvc.standards import MEASURES, Standard, contradictions, is_conduct, rate, read_standard
from loansvc.villages import EVIDENCE
from tests.small import REGISTER, TODAY, publish_text, small_models

FOLDER = Path(__file__).parents[2] / "models"
FILE = FOLDER / "standards" / "village_rating" / "2026-07-01.toml"
STANDARD: Standard = read_document(FILE)[1]
ORDER = ("AAA", "AA", "A", "B")
# Exactly on every threshold of AAA: 80 % collected, 80 % A or better, 2 % overdue, 1.5 % bad.
ON_AAA = {
    "households_total": 1250, "households_rated": 1000, "households_a_plus": 800,
    "borrowers": 100, "borrowers_overdue": 2, "balance_yuan": 1_000_000, "npl_balance_yuan": 15_000,
}  # fmt: skip


def rating(**changes: int | None) -> str:
    return rate({**ON_AAA, **changes}, STANDARD).rating


# --- ratings ------------------------------------------------------------------------------------


def test_thresholds_are_part_of_the_rating() -> None:
    """80 % is 80 % or more, 2 % is 2 % or less."""
    assert rating() == "AAA"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"households_a_plus": 799}, "AA", id="a household below AAA"),
        pytest.param({"households_a_plus": 700}, "AA", id="on AA"),
        pytest.param({"households_a_plus": 699}, "A", id="a household below AA"),
        pytest.param({"households_a_plus": 600}, "A", id="on A"),
        pytest.param({"households_a_plus": 599}, "B", id="a household below A"),
        pytest.param({"borrowers_overdue": 3}, "AA", id="over 2 % overdue"),
        pytest.param({"borrowers_overdue": 6}, "A", id="over 5 % overdue"),
        pytest.param({"borrowers_overdue": 11}, "B", id="over 10 % overdue"),
        pytest.param({"npl_balance_yuan": 15_001}, "AA", id="a yuan over 1.5 % bad"),
        pytest.param({"npl_balance_yuan": 30_001}, "A", id="a yuan over 3 % bad"),
        pytest.param({"npl_balance_yuan": 50_001}, "B", id="a yuan over 5 % bad"),
        pytest.param({"households_total": 1251}, "unrated", id="less than 80 % collected"),
        pytest.param({"balance_yuan": 0, "npl_balance_yuan": 0}, "unrated", id="nothing lent"),
    ],
)
def test_one_step_over_a_threshold_costs_the_rating(changes: Any, expected: str) -> None:
    """DOMAIN 2.3: AAA 80 / 2 / 1.5, AA 70 / 5 / 3, A 60 / 10 / 5; else B."""
    assert rating(**changes) == expected


@pytest.mark.parametrize("name", EVIDENCE)
def test_missing_evidence_leaves_a_village_unrated(name: str) -> None:
    """Unknown is not bad, whichever figure it is, and the line says which."""
    found = rate({**ON_AAA, name: None}, STANDARD)
    assert found.rating == "unrated"
    assert all(line.result == "unknown" for line in found.bound)
    asked = {part for m in found.bound for part in _parts(m.measure)}
    assert name in asked


def _parts(measure: str) -> tuple[str, str]:
    return MEASURES[measure].part, MEASURES[measure].whole


def test_few_borrowers_are_unknown_rather_than_bad() -> None:
    """19 of whom all are overdue."""
    assert rating(borrowers=19, borrowers_overdue=19) == "unrated"
    assert rating(borrowers=20, borrowers_overdue=20) == "B"


def test_best_rating_is_bound_by_nothing() -> None:
    assert rate(ON_AAA, STANDARD).bound == ()


def test_bound_is_what_kept_the_next_better_rating_away() -> None:
    """Not what kept AAA away."""
    found = rate({**ON_AAA, "households_a_plus": 650, "borrowers_overdue": 3}, STANDARD)
    assert found.rating == "A"
    assert [(x.rating, x.measure) for x in found.bound] == [("AA", "a_plus_per_mille")]


def test_lines_state_value_threshold_result_and_clause() -> None:
    """Three questions for being rated, and three for each of three ratings."""
    lines = rate(ON_AAA, STANDARD).lines
    assert len(lines) == 3 + 3 * 3
    assert all(line.clause.reference for line in lines)
    first = next(x for x in lines if x.measure == "overdue_per_mille")
    assert (first.rating, first.value, first.whole) == ("AAA", 2, 100)
    assert (first.threshold, first.result) == (20, "met")


def test_contradictions_name_part_and_whole() -> None:
    assert contradictions(ON_AAA) == []
    assert contradictions({**ON_AAA, "npl_balance_yuan": 1_000_001}) == [
        ("npl_balance_yuan", "balance_yuan")
    ]


def test_shares_of_large_sums_are_exact() -> None:
    """A yuan in a billion: a float would not see it."""
    balance = 10**12
    assert rating(balance_yuan=balance, npl_balance_yuan=15 * 10**9) == "AAA"
    assert rating(balance_yuan=balance, npl_balance_yuan=15 * 10**9 + 1) == "AA"


sizes = st.integers(0, 2_000)


@st.composite
def evidence(draw: st.DrawFn) -> dict[str, int]:
    """Figures that agree with each other."""
    total, borrowers = draw(sizes), draw(st.integers(0, 200))
    rated = draw(st.integers(0, total))
    balance = draw(st.integers(0, 10**7))
    return {
        "households_total": total, "households_rated": rated,
        "households_a_plus": draw(st.integers(0, rated)),
        "borrowers": borrowers, "borrowers_overdue": draw(st.integers(0, borrowers)),
        "balance_yuan": balance, "npl_balance_yuan": draw(st.integers(0, balance)),
    }  # fmt: skip


@given(evidence(), sizes, sizes, st.integers(0, 10**7))
def test_better_evidence_never_gives_a_worse_rating(
    worse: dict[str, int], more_a_plus: int, fewer_overdue: int, less_bad: int
) -> None:
    """More households A or better, fewer overdue, less bad balance."""
    better = worse | {
        "households_a_plus": min(
            worse["households_a_plus"] + more_a_plus, worse["households_rated"]
        ),
        "borrowers_overdue": max(worse["borrowers_overdue"] - fewer_overdue, 0),
        "npl_balance_yuan": max(worse["npl_balance_yuan"] - less_bad, 0),
    }
    a, b = rate(better, STANDARD).rating, rate(worse, STANDARD).rating
    assert (a == "unrated") == (b == "unrated")
    assert a == "unrated" or ORDER.index(a) <= ORDER.index(b)


@given(evidence(), sizes)
def test_collecting_more_good_households_never_costs_a_rating(
    before: dict[str, int], newly: int
) -> None:
    """Those not collected yet turn out A or better; an unrated village may become rated."""
    more = min(newly, before["households_total"] - before["households_rated"])
    after = before | {
        "households_rated": before["households_rated"] + more,
        "households_a_plus": before["households_a_plus"] + more,
    }
    a, b = rate(after, STANDARD).rating, rate(before, STANDARD).rating
    assert b == "unrated" or ORDER.index(a) <= ORDER.index(b)


@given(evidence())
def test_every_rating_is_explained_by_its_lines(figures: dict[str, int]) -> None:
    """All its criteria are met, and one of each better rating is not."""
    found = rate(figures, STANDARD)
    if found.rating == "unrated":
        assert found.bound
        return
    results = {r: [x.result for x in found.lines if x.rating == r] for r in ORDER}
    assert set(results[found.rating]) <= {"met"}
    assert all("not_met" in results[r] for r in ORDER[: ORDER.index(found.rating)])


# --- the document -------------------------------------------------------------------------------


def test_shipped_standard_marks_what_is_to_be_verified() -> None:
    """All thresholds are proposals; only the county's grades are from a newspaper."""
    assert len(STANDARD.clauses) == 8
    assert [place for place, clause in STANDARD.clauses if not clause.verify] == ["otherwise"]
    assert all(c.verify for _, c in STANDARD.clauses if c.source_grade in ("M", "E"))


def test_shipped_standard_says_that_it_is_an_example() -> None:
    assert "不是当涂县" in STANDARD.statement
    assert "An example standard" in STANDARD.statement


def refuse(change: Callable[[dict[str, Any]], object]) -> str:
    """What is said of the shipped document, changed."""
    document = deepcopy(tomllib.loads(FILE.read_text("utf-8")))
    change(document)
    with (
        pytest.raises(EditionRefused) as refused,
        Reader(document, file="standard.toml") as reader,
    ):
        read_standard(reader, read_head(reader))
    return str(refused.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(
            lambda d: d["criterion"][0].update(measure="乡风文明得分"),
            "criterion[0].measure: is a mark of conduct",
            id="conduct",
        ),
        pytest.param(
            lambda d: d["criterion"][0].update(measure="average_age"),
            "criterion[0].measure: must be one of",
            id="an unknown measure",
        ),
        pytest.param(
            lambda d: d["criterion"][0]["at_least"].update(AAA=650),
            "criterion[0].at_least.AAA: must not be looser than that of AA",
            id="a better rating asks for less",
        ),
        pytest.param(
            lambda d: d["criterion"][1]["at_most"].update(AA=200),
            "criterion[1].at_most.AA: must not be looser than that of A",
            id="a better rating allows more",
        ),
        pytest.param(
            lambda d: d["criterion"][1]["at_most"].pop("AA"),
            "criterion[1].at_most.AA: is missing",
            id="a rating without threshold",
        ),
        pytest.param(
            lambda d: d["criterion"][0]["at_least"].update(AAA=1001),
            "must be a whole number from 0 to 1000",
            id="over 100 %",
        ),
        pytest.param(
            lambda d: d["criterion"].pop(2),
            "criterion: asks nothing of balance_yuan, npl_balance_yuan",
            id="evidence that does not count",
        ),
        pytest.param(
            lambda d: d["criterion"].append(deepcopy(d["criterion"][0])),
            "criterion: asks for a measure twice",
            id="a measure twice",
        ),
        pytest.param(
            lambda d: d["enough"][0].update(measure="npl_per_mille"),
            "enough[0].measure: must be a measure of how much is known",
            id="bad is not unknown",
        ),
        pytest.param(
            lambda d: d["criterion"][0].pop("verify"),
            "criterion[0].verify: must be true for source grade E",
            id="a proposal that hides",
        ),
        pytest.param(
            lambda d: d["validity"].update(months=36),
            "validity.months: must be 24",
            id="another validity than the program's",
        ),
        pytest.param(lambda d: d.pop("review_by"), "review_by: is missing", id="no review"),
        pytest.param(lambda d: d.update(weights={}), "weights: is not a key", id="unknown key"),
        pytest.param(
            lambda d: d.update(product="credit_loan"),
            "product: must be one of county",
            id="product",
        ),
    ],
)
def test_standard_that_is_wrong_is_refused_with_its_place(change: Any, says: str) -> None:
    assert says in refuse(change)


@pytest.mark.parametrize("name", ["conduct_points", "Moral_Score", "乡风文明", "信访次数", "veto"])
def test_names_of_conduct_marks_are_known(name: str) -> None:
    assert is_conduct(name)


def test_no_evidence_has_the_name_of_a_conduct_mark() -> None:
    assert not any(is_conduct(name) for name in (*EVIDENCE, *MEASURES))


# --- in the registry ----------------------------------------------------------------------------


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of editions with a register alone."""
    folder = tmp_path / "models"
    folder.mkdir()
    publish_text(folder, tmp_path / "villages.json", to_text(REGISTER))
    return folder


def test_standard_is_published_and_opened_like_any_edition(models: Path) -> None:
    """Under its folder, and found by its digest."""
    edition = publish(models, FILE, role="champion", approver="test")
    assert edition.path == "standards/village_rating/2026-07-01.toml"
    registry = Registry.open(models)
    assert [e.digest for e in registry.editions if e.kind == "standard"] == [edition.digest]
    assert isinstance(registry.by_digest(edition.digest).content, Standard)


def test_decisions_stay_under_four_editions(tmp_path: Path) -> None:
    """A standard makes registers; it decides nothing itself."""
    models = small_models(tmp_path)
    publish(models, FILE, role="champion", approver="test")
    decided_under = Registry.open(models).in_force("credit_loan", TODAY).references()
    assert set(decided_under) == {"scorecard", "villages", "policy", "rates"}


def test_standard_cannot_be_a_challenger(models: Path) -> None:
    with pytest.raises(EditionRefused, match="only a scorecard"):
        publish(models, FILE, role="challenger", approver="test")


def test_standard_that_nobody_published_stops_the_start(models: Path) -> None:
    place = models / "standards" / "village_rating" / FILE.name
    place.parent.mkdir(parents=True)
    place.write_bytes(FILE.read_bytes())
    with pytest.raises(EditionRefused, match=r"is not in editions\.lock"):
        Registry.open(models)


def test_no_standard_is_in_force_before_its_first_day(models: Path) -> None:
    publish(models, FILE, role="champion", approver="test")
    editions = Registry.open(models).editions
    with pytest.raises(NoEditionInForce, match="No champion standard of county"):
        in_force(editions, kind="standard", product="county", role="champion",
                 on=date(2026, 6, 30))  # fmt: skip
