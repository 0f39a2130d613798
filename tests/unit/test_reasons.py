"""Every characteristic that may cost points has a stable code and a text in both languages."""

from loansvc.application import CATALOGUE, MODEL_CHARACTERISTICS
from loansvc.reasons import NUMBER_TEXTS, WORD_CODES, WORD_TEXTS, quantity, reason_code
from loansvc.scorecard import Bin, Described, scored


def test_every_model_characteristic_has_its_own_code() -> None:
    codes = [reason_code(name) for name in MODEL_CHARACTERISTICS]
    assert sorted(codes) == [f"S{i:02d}" for i in range(1, 27)]


def test_every_word_has_a_text() -> None:
    for name in WORD_CODES:
        for word in CATALOGUE[name].words:
            assert word in WORD_TEXTS or word.isupper(), word


def test_every_number_text_names_its_bound() -> None:
    for name, text in NUMBER_TEXTS.items():
        assert all("{bound}" in t for t in (text.low_zh, text.low_en, text.high_zh, text.high_en))
        zh, en = quantity(3, CATALOGUE[name].unit)
        assert zh
        assert en


def test_a_middle_bin_is_told_against_its_better_side() -> None:
    rising = scored(
        Described.from_catalogue("business_age_months"),
        [Bin(-9, None, 12), Bin(0, 12, 36), Bin(9, 36, None), Bin(0, state="missing")],
    )
    assert rising.bins[1].en == "In business for less than 3 years"
    falling = scored(
        Described.from_catalogue("enquiries_6m"),
        [Bin(9, None, 2), Bin(0, 2, 5), Bin(-9, 5, None), Bin(0, state="missing")],
    )
    assert falling.bins[1].en == "2 or more credit enquiries in 6 months"
    assert (falling.bins[3].zh, falling.bins[3].en) == (
        "近6个月征信查询未知",
        "Credit enquiries in 6 months not known",
    )


def test_a_free_characteristic_tells_the_side_on_which_its_best_bin_lies() -> None:
    """Online share: best in the middle, so low and high shares each lack something else."""
    humped = scored(
        Described.from_catalogue("online_revenue_percent"),
        [Bin(-4, None, 10), Bin(6, 10, 60), Bin(-9, 60, None), Bin(0, state="missing")],
    )
    assert humped.bins[0].en == "Online share of revenue below 10 %"
    assert humped.bins[2].en == "Online share of revenue of 60 % or more"


def test_points_are_lost_against_the_best_bin_that_is_ordinary() -> None:
    """A bin that one case in a hundred reached is no measure for the others."""
    bins = [Bin(0, None, 1, n=80), Bin(5, 1, 3, n=19), Bin(40, 3, None, n=1)]
    awarded = scored(
        Described.from_catalogue("contest_award_level"), [*bins, Bin(0, state="missing")]
    )
    assert awarded.best == 5
    assert [b.reason and b.reason.points for b in awarded.bins] == [-5, None, None, -5]


def test_nothing_is_said_in_words_of_its_own() -> None:
    """Not "fewer than 1 employees"."""
    employees = scored(
        Described.from_catalogue("employees"),
        [Bin(0, None, 1), Bin(5, 1, None), Bin(0, state="missing")],
    )
    assert (employees.bins[0].zh, employees.bins[0].en) == ("没有从业人员", "No employees")
