"""Cut-offs and limits: four loans that can be counted on paper, and the synthetic county."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loansvc.training.limits import LimitStrategy, by_grade
from loansvc.training.strategy import Book, CutoffStrategy, Fund, along_cutoff, book

SHARES = {"bank": 20, "local_guarantor": 40, "provincial_reguarantor": 30, "government": 10}  # 4321
SCORES = [640, 620, 600, 560]
FUND = Fund(capital_yuan=20_000, multiple=10)


def four(**changes: Any) -> Book:
    """Four loans of 100,000 yuan; PD 1, 2, 5 and 20 percent; half is lost; shared 4321."""
    given_: dict[str, Any] = {
        "pd_12m": [0.01, 0.02, 0.05, 0.20],
        "lgd": 0.5,
        "shares_percent": SHARES,
    } | changes
    return book([100_000] * 4, **given_)


def paper(**changes: Any) -> CutoffStrategy:
    given_: dict[str, Any] = {"fund": FUND, "margin_percent": 2.0, "cutoffs": SCORES} | changes
    return along_cutoff(SCORES, four(), **given_)


def test_the_table_can_be_counted_on_paper() -> None:
    row: Any = paper().table.loc[600]
    assert row["n_approved"] == 3
    assert row["approval_rate"] == 0.75
    assert row["bad_rate"] == pytest.approx(0.08 / 3)
    assert row["amount_yuan"] == 300_000
    assert row["expected_loss_yuan"] == pytest.approx(100_000 * 0.08 * 0.5)
    assert row["fund_loss_yuan"] == pytest.approx(0.4 * 4_000)
    assert row["fund_guaranteed_yuan"] == pytest.approx(120_000)
    assert row["fund_use"] == pytest.approx(120_000 / 200_000)
    assert row["profit_yuan"] == pytest.approx(0.02 * 100_000 * 2.92 - 0.2 * 4_000)


def test_outcomes_give_the_bad_rate_and_pds_the_loss() -> None:
    table: Any = along_cutoff(SCORES, four(is_bad=[False, False, True, True])).table
    assert table.loc[600, "bad_rate"] == pytest.approx(1 / 3)
    assert table.loc[600, "expected_loss_yuan"] == pytest.approx(4_000)
    only: Any = along_cutoff(SCORES, four(pd_12m=None, is_bad=[0, 0, 0, 1])).table
    assert only.loc[560, "expected_loss_yuan"] == pytest.approx(50_000)


def test_every_cut_off_between_lowest_and_highest_score_is_shown() -> None:
    table: Any = paper(cutoffs=None).table
    assert (table.index[0], table.index[-1], len(table)) == (560, 640, 81)
    assert table.loc[561, "n_approved"] == 3


def test_without_margin_or_fund_there_is_no_such_column() -> None:
    found = paper(fund=None, margin_percent=None)
    assert {"profit_yuan", "fund_use"}.isdisjoint(found.table.columns)
    with pytest.raises(ValueError, match="maximise one of"):
        found.best("profit_yuan")
    assert found.best("approval_rate").cutoff == 560


def test_fund_use_starts_from_what_is_guaranteed_already() -> None:
    fund = Fund(capital_yuan=20_000, multiple=10, guaranteed_yuan=100_000)
    assert paper(fund=fund).table.loc[640, "fund_use"] == pytest.approx(0.7)


# --- the best cut-off ---------------------------------------------------------------------------


def test_the_best_cut_off_meets_every_constraint_and_says_which_bound() -> None:
    free = paper().best("approval_rate")
    assert (free.cutoff, free.binding) == (560, ())
    found = paper().best("approval_rate", most_bad_rate=0.02)
    assert (found.cutoff, found.binding) == (620, ("bad_rate at most 2 %",))
    assert found.row["approval_rate"] == 0.5
    assert found.text.endswith("bad_rate 1.50 %. Bound by bad_rate at most 2 %.")


def test_profit_is_largest_where_the_last_loan_still_earns() -> None:
    """2 % of 80,000 against a fifth of 10,000: the last one does not."""
    assert paper().best().cutoff == 600


def test_the_fund_binds_unless_told_otherwise() -> None:
    small = Fund(capital_yuan=10_000, multiple=10)
    found = paper(fund=small).best("approval_rate")
    assert (found.cutoff, found.binding) == (620, ("fund_use at most 100 %",))
    assert paper(fund=small).best("approval_rate", most_fund_use=None).cutoff == 560


def test_a_constraint_that_another_one_outdoes_does_not_bind() -> None:
    found = paper().best("approval_rate", most_bad_rate=0.02, most_expected_loss_yuan=5_000)
    assert found.binding == ("bad_rate at most 2 %",)
    both = paper().best("approval_rate", most_bad_rate=0.03, most_expected_loss_yuan=5_000)
    assert both.cutoff == 600
    assert both.binding == ("bad_rate at most 3 %", "expected_loss_yuan at most 5,000 yuan")


def test_no_cut_off_meets_all_and_the_fewest_that_cannot_are_named() -> None:
    found = paper().best(most_bad_rate=0.02, least_approval_rate=0.7, most_expected_loss_yuan=1e9)
    assert (found.cutoff, dict(found.row)) == (None, {})
    assert found.binding == ("bad_rate at most 2 %", "approval_rate at least 70 %")
    assert found.text == (
        "No cut-off meets all. These bind: bad_rate at most 2 %: met between 620 and 640; "
        "approval_rate at least 70 %: met between 560 and 600."
    )


def test_a_constraint_that_no_cut_off_meets_is_named_alone() -> None:
    found = paper().best(most_bad_rate=0.001, least_approval_rate=0.7)
    assert found.binding == ("bad_rate at most 0.1 %",)
    assert "met nowhere, nearest is 1.00 %" in found.text


def test_of_equally_good_cut_offs_the_higher_one_is_taken() -> None:
    assert paper(cutoffs=None).best("approval_rate", most_bad_rate=0.03).cutoff == 600


@given(
    st.lists(
        st.tuples(st.integers(480, 700), st.floats(0.001, 0.9), st.integers(1, 500_000)),
        min_size=1, max_size=40,
    ),
    st.floats(0, 1), st.floats(0, 1),
)  # fmt: skip
def test_what_is_chosen_holds_and_what_is_refused_cannot(
    rows: list[tuple[int, float, int]], bad_rate: float, approval_rate: float
) -> None:
    """For every book: the table is what counting gives, and the search misses nothing."""
    scores, pds, amounts = (np.array(column) for column in zip(*rows, strict=True))
    found = along_cutoff(scores, book(amounts, pd_12m=pds), margin_percent=3)
    choice = found.best(most_bad_rate=bad_rate, least_approval_rate=approval_rate)
    profits = {}
    for cutoff in range(scores.min(), scores.max() + 1):
        here = scores >= cutoff
        row: Any = found.table.loc[cutoff]
        assert row["n_approved"] == here.sum()
        assert row["expected_loss_yuan"] == pytest.approx((amounts * pds * 0.6)[here].sum())
        if row["bad_rate"] <= bad_rate and here.mean() >= approval_rate:
            profits[cutoff] = row["profit_yuan"]
    if choice.cutoff is None:
        assert not profits
        assert choice.binding
    else:
        assert profits[choice.cutoff] == max(profits.values())


# --- limits by grade ----------------------------------------------------------------------------

GRADES = ["R1", "R2", "R3", "R5"]
WANTED = {"R1": 100_000, "R2": 100_000, "R3": 80_000, "R5": 50_000}


def limits(**changes: Any) -> LimitStrategy:
    given_: dict[str, Any] = {
        "limits_yuan": [50_000, 200_000],
        "wanted_yuan": WANTED,
        "fund": FUND,
    } | changes
    return by_grade(GRADES, four(), **given_)


def test_each_grade_and_limit_can_be_counted_on_paper() -> None:
    table: Any = limits().table
    row = table.loc[("R3", 50_000)]
    assert (row["n"], row["lent_yuan"]) == (1, 50_000)
    assert row["loss_per_yuan"] == pytest.approx(0.025)
    assert row["expected_loss_yuan"] == pytest.approx(1_250)
    assert row["fund_guaranteed_yuan"] == pytest.approx(20_000)
    assert row["fund_share_of_cap"] == pytest.approx(0.1)
    # Nobody is lent more than asked for.
    assert table.loc[("R3", 200_000), "lent_yuan"] == 100_000


def test_limits_the_fund_can_carry_stay() -> None:
    found = limits()
    assert found.within["limit_yuan"].to_dict() == WANTED
    assert found.fund_use == pytest.approx(0.4 * 330_000 / 200_000)


def test_limits_are_lowered_from_the_weakest_grade_up_until_the_fund_carries_them() -> None:
    found = limits(fund=Fund(capital_yuan=11_000, multiple=10))  # 110,000: 275,000 lent
    assert found.within["limit_yuan"].to_dict() == WANTED | {"R5": 0, "R3": 70_000}
    assert found.fund_use is not None
    assert found.fund_use <= 1


def test_a_full_fund_leaves_no_limit() -> None:
    found = limits(fund=Fund(capital_yuan=100, multiple=10, guaranteed_yuan=1_000))
    assert set(found.within["limit_yuan"]) == {0}
    assert found.within.loc["R5", "loss_per_yuan"] == pytest.approx(0.1)


def test_without_a_fund_nothing_is_lowered() -> None:
    found = limits(fund=None)
    assert (found.fund_use, found.within["limit_yuan"].to_dict()) == (None, WANTED)


# --- shown --------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [paper, limits])
def test_everything_is_plain_values(made: Any) -> None:
    document = json.loads(json.dumps(made().to_dict(), allow_nan=False))
    assert document["fund"] == {"capital_yuan": 20_000, "multiple": 10, "guaranteed_yuan": 0}


def test_a_grade_that_nobody_has_is_no_number_in_the_document() -> None:
    nobody = limits(wanted_yuan=WANTED | {"R7": 0}).to_dict()["within"][-1]
    assert (nobody["grade"], nobody["n"], nobody["loss_per_yuan"]) == ("R7", 0, None)


def test_a_choice_is_plain_values() -> None:
    document = paper().best().to_dict()
    assert json.loads(json.dumps(document)) == {**document, "binding": []}


def test_tables_show_yuan_in_whole_ones_and_shares_in_percent() -> None:
    html = paper()._repr_html_()
    assert "<td>600</td><td>3</td><td>75.00 %</td><td>2.67 %</td><td>300,000</td>" in html
    assert "expected, mean PD" in html
    assert "Every tenth cut-off" in paper(cutoffs=None)._repr_html_()
    assert "Use of the fund: 66.0 %" in limits()._repr_html_()


@pytest.mark.parametrize("fund", [FUND, None])
def test_a_plot_names_its_axes_and_units(fund: Fund | None) -> None:
    found = paper(fund=fund, cutoffs=None)
    figure = found.plot(found.best("approval_rate", most_bad_rate=0.02))
    figure.savefig(io.BytesIO())
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert len(labels) == (4 if fund else 3)
    assert all("%" in label or "yuan" in label for label in labels)
    assert any("points" in ax.get_xlabel() for ax in figure.axes)
    assert figure.axes[0].get_title(loc="left") == "chosen cut-off: 620 points"


def test_a_plot_without_a_choice_draws_no_line() -> None:
    figure = paper().plot(paper().best(most_bad_rate=0.001))
    assert figure.axes[0].get_title(loc="left") == ""


def test_a_plot_of_limits_names_its_axes_and_units() -> None:
    figure = limits().plot()
    figure.savefig(io.BytesIO())
    assert [ax.get_ylabel() for ax in figure.axes] == [
        "expected loss\n(% of a yuan lent)", "limit (10,000 yuan)",
    ]  # fmt: skip


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"pd_12m": None}, "give pd_12m, is_bad, or both", id="neither"),
        pytest.param({"pd_12m": [0.1, 0.1, 0.1, 1.1]}, "pd_12m must lie", id="PD above 1"),
        pytest.param({"pd_12m": [0.1, 0.1, 0.1, np.nan]}, "must lie", id="PD not known"),
        pytest.param({"lgd": -0.1}, "lgd must lie", id="LGD below 0"),
        pytest.param({"pd_12m": [0.1]}, "one for each of the 4", id="another length"),
        pytest.param({"shares_percent": {"bank": 20}}, "must sum to 100", id="shares short"),
        pytest.param({"shares_percent": {"bank": 20, "uncle": 80}}, "uncle", id="nobody we know"),
    ],
)
def test_a_book_that_cannot_be_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        four(**changes)


@pytest.mark.parametrize("amounts", [[], [0, 1], [-1, 1], [np.nan, 1]])
def test_amounts_are_above_zero(amounts: list[float]) -> None:
    with pytest.raises(ValueError, match="amount_yuan must be above 0"):
        book(amounts, pd_12m=0.1)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(lambda: along_cutoff([600.5] * 4, four()), "whole points", id="half a point"),
        pytest.param(lambda: along_cutoff([600], four()), "one for each", id="another length"),
        pytest.param(lambda: paper(cutoffs=[641]), "approves nobody", id="above everybody"),
        pytest.param(lambda: paper(cutoffs=[]), "approves nobody", id="no cut-off"),
        pytest.param(lambda: limits(wanted_yuan={"R1": 1}), "no limit for R2", id="a grade short"),
        pytest.param(lambda: limits(wanted_yuan=WANTED | {"R9": 1}), "grades are of R1", id="R9"),
        pytest.param(lambda: limits(wanted_yuan=WANTED | {"R5": 90_000}), "weaker grade",
                     id="not in order of merit"),
        pytest.param(lambda: Fund(capital_yuan=0, multiple=10), "capital", id="no capital"),
    ],
)  # fmt: skip
def test_a_strategy_that_cannot_be_is_refused(make: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()
