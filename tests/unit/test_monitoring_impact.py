"""An impact shows what one draft changes, and nothing else; the budget says how far is too far."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loansvc.editions import Edition, to_text
from loansvc.errors import EditionRefused, NoEditionInForce, OverBudget
from loansvc.monitoring.budget import check, weigh
from loansvc.monitoring.impact import Impact, TierPart, draft_of, impact, move_table
from loansvc.monitoring.impact_page import page
from loansvc.monitoring.impact_shown import mean_score_change, to_document
from loansvc.policy import ChangeBudget
from loansvc.policy.terms import PROPOSED_CHANGE_BUDGET
from loansvc.registry import Registry
from loansvc.underwriting import Recorded
from tests.recorded import a_recorded
from tests.small import CARD, POLICY, QIFANG, REGISTER, WANGTAN, publish_text, small_models

LATER = "2027-01-01"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry.open(small_models(tmp_path_factory.mktemp("small")))


@pytest.fixture(scope="module")
def decided(registry: Registry) -> list[Recorded]:
    """Newest first: 626 points in a good village, 618 in a bad one, a decline.

    On paper: 580 + 30 + 10, and 6 or -8 from the village; 135,000 and 150,000 x 50 % = 75,000.
    """
    return [
        a_recorded(registry, 3, loan__purpose="securities"),
        a_recorded(registry, 2, applicant__village_code=QIFANG, loan__amount_yuan=50_000),
        a_recorded(registry, 1, loan__amount_yuan=100_000),
    ]


LOWER_LIMIT = ("AA = 90", "AA = 80"), ("limit_yuan = 135_000", "limit_yuan = 120_000")


def a_card(folder: Path, **changes: Any) -> Edition[Any]:
    path = folder / "card.json"
    document = {**CARD, "product": "credit_loan", "valid_from": LATER, **changes}
    path.write_text(to_text(document), "utf-8")
    return draft_of(path)


def a_policy(folder: Path, *changes: tuple[str, str]) -> Edition[Any]:
    text = POLICY.replace("PRODUCT", "credit_loan").replace("valid_from = 2026-07-01",
                                                            f"valid_from = {LATER}")  # fmt: skip
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "policy.toml"
    path.write_text(text, "utf-8")
    return draft_of(path)


# --- impact -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [a_card, a_policy])
def test_an_identical_draft_changes_nothing(
    registry: Registry, decided: list[Recorded], tmp_path: Path, make: Any
) -> None:
    found = impact(decided, registry, make(tmp_path))
    assert move_table(found) == [[2, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert (found.flips, found.n_other_terms, found.score_change) == ((), 0, 0)
    assert found.before == found.after
    assert found.n == 3


def test_a_card_of_fewer_points_flips_who_falls_below_the_cut_off(
    registry: Registry, decided: list[Recorded], tmp_path: Path
) -> None:
    """40 points less: 586 stays above 580, and 572 falls below; the decline stays one."""
    found = impact(decided, registry, a_card(tmp_path, base_points=540))
    assert move_table(found) == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]
    [flip] = found.flips
    assert (flip.sequence, flip.before, flip.after) == (2, "approve", "refer")
    assert flip.application_id == decided[1].application.application_id
    assert flip.reasons_after == ("V01", "L01")
    assert (found.score_change, mean_score_change(found)) == (-120, "-40.00")
    # 105,000 = 150,000 x 70 %: grade R4 in a village rated AA.
    assert (found.before.limit_yuan, found.after.limit_yuan) == (135_000 + 75_000, 105_000)


def test_a_policy_of_lower_limits_changes_sums_without_a_flip(
    registry: Registry, decided: list[Recorded], tmp_path: Path
) -> None:
    found = impact(decided, registry, a_policy(tmp_path, *LOWER_LIMIT))
    assert (found.flips, found.n_other_terms) == ((), 1)
    assert (found.before.limit_yuan, found.after.limit_yuan) == (210_000, 195_000)
    assert found.before.approved_yuan == found.after.approved_yuan == 150_000
    assert mean_score_change(found) is None


def test_tiers_are_told_in_number_and_amount(
    registry: Registry, decided: list[Recorded], tmp_path: Path
) -> None:
    changes = ('["AAA", "AA"], amount', '["AAA"], amount'), ('tier = "G1" }', 'tier = "G3" }')
    found = impact(decided, registry, a_policy(tmp_path, *changes))
    assert found.tiers == (
        TierPart(tier="G1", n_before=1, n_after=0, before_yuan=100_000, after_yuan=0),
        TierPart(tier="G3", n_before=1, n_after=2, before_yuan=50_000, after_yuan=150_000),
    )


def test_villages_and_groups_have_their_own_figures(
    registry: Registry, decided: list[Recorded], tmp_path: Path
) -> None:
    found = impact(decided, registry, a_card(tmp_path, base_points=540))
    villages = {p.key: (p.before.applications, p.n_flips) for p in found.parts["village"]}
    assert villages == {WANGTAN: (2, 0), QIFANG: (1, 1)}
    [group] = found.parts["group"]
    assert (group.key, group.before.applications, group.n_flips) == ("returning_migrant", 3, 1)
    [product] = found.parts["product"]
    assert (product.key, product.before, product.after) == (
        "credit_loan", found.before, found.after,
    )  # fmt: skip


def test_only_the_draft_shows_where_the_record_is_older_than_what_is_in_force(
    decided: list[Recorded], tmp_path: Path
) -> None:
    """Recorded under 580, in force 540, draft 540 again: nothing changes."""
    models = small_models(tmp_path)
    older = {**CARD, "product": "credit_loan", "valid_from": "2026-12-01", "base_points": 540}
    publish_text(models, tmp_path / "older.json", to_text(older))
    found = impact(decided, Registry.open(models), a_card(tmp_path, base_points=540))
    assert (found.flips, found.before.approved) == ((), 1)
    assert found.in_force["valid_from"] == "2026-12-01"


def test_recorded_exposure_is_used_again(registry: Registry, tmp_path: Path) -> None:
    """Whoever had three loans is declined before and after."""
    had = a_recorded(registry, 1)
    had = replace(had, exposure=replace(had.exposure, policy_loans=3))
    found = impact([had], registry, a_policy(tmp_path))
    assert (found.before.declined, found.after.declined) == (1, 1)


def test_the_order_of_the_decisions_does_not_matter(
    registry: Registry, decided: list[Recorded], tmp_path: Path
) -> None:
    draft = a_card(tmp_path, base_points=500)
    one, other = (shown(impact(d, registry, draft)) for d in (decided, decided[::-1]))
    assert one == other
    assert [f["sequence"] for f in one["flips"]] == [1, 2]


def test_without_decisions_there_are_zeros(registry: Registry, tmp_path: Path) -> None:
    found = impact([], registry, a_card(tmp_path))
    assert (found.n, found.decided_from, mean_score_change(found)) == (0, None, None)
    text = page(found, weigh(found, PROPOSED_CHANGE_BUDGET))
    assert "没有已记录的信用贷决定" in text
    assert "<table" not in text


def test_a_draft_from_before_every_edition_takes_nothings_place(
    registry: Registry, decided: list[Recorded], tmp_path: Path
) -> None:
    with pytest.raises(NoEditionInForce, match="2026-01-01"):
        impact(decided, registry, a_card(tmp_path, valid_from="2026-01-01"))


def test_a_register_is_no_draft_whose_impact_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "register.json"
    path.write_text(to_text(REGISTER), "utf-8")
    with pytest.raises(EditionRefused, match=r"register\.json: is of kind villages"):
        draft_of(path)


def test_a_draft_holds_no_sooner_than_its_own_first_day(tmp_path: Path) -> None:
    a_card(tmp_path)
    with pytest.raises(EditionRefused, match="cannot hold before its own first day 2027-01-01"):
        draft_of(tmp_path / "card.json", valid_from=date(2026, 12, 31))


def shown(found: Impact) -> dict[str, Any]:
    return to_document(found, weigh(found, PROPOSED_CHANGE_BUDGET))


def test_the_json_form_is_json_and_names_ids_alone(
    registry: Registry, decided: list[Recorded], tmp_path: Path
) -> None:
    body = shown(impact(decided, registry, a_card(tmp_path, base_points=540)))
    text = json.dumps(body)
    assert body["outcomes"]["approve"] == {"approve": 1, "refer": 1, "decline": 0}
    assert body["mean_score_change"] == -40.0
    assert all(d.application.applicant.id_number not in text for d in decided)


def test_the_page_needs_nothing_else_and_is_chinese_first(
    registry: Registry, decided: list[Recorded], tmp_path: Path
) -> None:
    found = impact(decided, registry, a_card(tmp_path, base_points=540))
    text = page(found, weigh(found, PROPOSED_CHANGE_BUDGET))
    assert "<script" not in text
    assert "http" not in text
    assert text.index("草案影响分析") < text.index("Impact of a draft")
    assert decided[1].application.application_id in text


# --- prices and terms ---------------------------------------------------------------------------

# On paper: 100,000 at 385 bp is 3,850 yuan a year, 50,000 at 385 bp 1,925.
EXAMPLE_RATE = "rate_bp = 385"


def half_subsidised(folder: Path) -> Edition[Any]:
    return a_policy(folder, ("subsidy_percent_of_rate = 0", "subsidy_percent_of_rate = 50"))


def test_interest_and_the_borrowers_part_are_told_before_and_after(
    registry: Registry, decided: list[Recorded], tmp_path: Path
) -> None:
    """Half of 385 bp, rounded down, is 192: 1,920 and 960 yuan of subsidy."""
    found = impact(decided, registry, half_subsidised(tmp_path))
    was, now = found.prices_before, found.prices_after
    assert (was.approvals, was.amount_yuan, was.mean_rate) == (2, 150_000, 38_500)
    assert (was.interest_yuan, was.subsidy_yuan, was.borrower_yuan) == (5_775, 0, 5_775)
    assert (now.interest_yuan, now.subsidy_yuan, now.borrower_yuan) == (5_775, 2_880, 2_895)
    assert (found.n_other_terms, found.terms) == (2, {"subsidy": 2})


def test_a_mean_rate_is_weighted_by_amount(
    registry: Registry, decided: list[Recorded], tmp_path: Path
) -> None:
    """100,000 at 385 bp and 50,000, now in a row of its own, at 400 bp: 390 bp."""
    worse = 'household_grade = ["AAA", "AA"], village_rating = ["B", "C", "D", "unrated"]'
    row = f"[[price_row]]\nwhen = {{ {worse} }}\nspread_bp = 100\n"
    source = 'reference = "test"\nsource_grade = "A"\n\n'
    first = '[[price_row]]\nwhen = { household_grade = ["AAA", "AA"] }'
    found = impact(decided, registry, a_policy(tmp_path, (first, row + source + first)))
    assert (found.prices_before.mean_rate, found.prices_after.mean_rate) == (38_500, 39_000)
    changed = {p.key: p.prices_after.mean_rate for p in found.parts["village"] if p.differs}
    assert changed == {QIFANG: 40_000}


def test_prices_are_of_what_is_approved_both_times(flipped: Impact) -> None:
    """50,000 yuan are approved no more, which is no change of price."""
    assert (flipped.before.approved_yuan, flipped.after.approved_yuan) == (150_000, 100_000)
    assert flipped.prices_before == flipped.prices_after
    assert (flipped.prices_before.approvals, flipped.prices_before.interest_yuan) == (1, 3_850)


@pytest.mark.parametrize(
    ("changes", "terms"),
    [
        pytest.param(LOWER_LIMIT, {"limit": 1}, id="limit"),
        pytest.param(
            (('["AAA", "AA"], amount', '["AAA"], amount'), ('tier = "G1" }', 'tier = "G3" }')),
            {"tier": 1, "counter_guarantee": 1}, id="tier, and what it asks for",
        ),
        pytest.param(
            (('"waived"', '"one_natural_person"'),), {"counter_guarantee": 1},
            id="counter-guarantee alone",
        ),
        pytest.param(
            (("liability_period_months = 6", "liability_period_months = 12"),), {"other": 2},
            id="period of the guarantee",
        ),
        pytest.param((("lgd_percent = 60", "lgd_percent = 45"),), {}, id="expected loss is none"),
    ],
)  # fmt: skip
def test_other_terms_are_counted_by_the_term(
    registry: Registry, decided: list[Recorded], tmp_path: Path, changes: Any, terms: dict[str, int]
) -> None:
    found = impact(decided, registry, a_policy(tmp_path, *changes))
    assert found.flips == ()
    assert found.terms == terms
    assert found.n_other_terms == max(terms.values(), default=0)
    assert all(f"{n}笔" in shown_page(found) for n in terms.values())


def shown_page(found: Impact) -> str:
    return page(found, weigh(found, PROPOSED_CHANGE_BUDGET))


def test_the_page_tells_prices_in_both_languages(
    registry: Registry, decided: list[Recorded], tmp_path: Path
) -> None:
    text = shown_page(impact(decided, registry, half_subsidised(tmp_path)))
    for part in (
        "利率与利息", "Rates and interest", "现行、草案均批准的2笔", "其中借款人负担（元）",
        "2,895", "（贴息2笔）", "(subsidy 2)",
    ):  # fmt: skip
        assert part in text


def test_a_draft_that_is_in_force_already_is_told_to_be_compared_with_itself(
    registry: Registry, decided: list[Recorded], tmp_path: Path
) -> None:
    current = registry.in_force("credit_loan", date(2026, 12, 1)).policy
    found = impact(decided, registry, current)
    assert found.is_of_itself
    assert "该文件已经发布" in shown_page(found)
    another = impact(decided, registry, a_policy(tmp_path))
    assert not another.is_of_itself
    assert "该文件已经发布" not in shown_page(another)


# --- budget -------------------------------------------------------------------------------------


def budget(**changes: Any) -> ChangeBudget:
    return replace(PROPOSED_CHANGE_BUDGET, least_decisions=1, **changes)


@pytest.fixture
def flipped(registry: Registry, decided: list[Recorded], tmp_path: Path) -> Impact:
    """One of three flips; limits 210,000 -> 105,000, fund use 60,000 -> 40,000."""
    return impact(decided, registry, a_card(tmp_path, base_points=540))


def test_a_change_within_every_bound_passes(flipped: Impact) -> None:
    wide = budget(
        most_flips_percent=34, most_limit_change_percent=60, most_fund_use_change_percent=60,
        most_expected_loss_change_percent=1000,
    )  # fmt: skip
    verdict = weigh(flipped, wide)
    assert verdict.over == ()
    assert verdict.text().startswith(
        "3 decisions, 1 change, 1 with other terms: flips 33.3 % (at most 34 %), limits "
    )
    assert verdict.text().endswith("; within the change budget")
    check(verdict, "card.json")


@pytest.mark.parametrize(("most", "is_over"), [(33, True), (34, False)])
def test_a_bound_is_compared_exactly(flipped: Impact, most: int, is_over: bool) -> None:
    """A third is over 33 %, though both are told as 33.3 % and 33 %."""
    names = [m.name for m in weigh(flipped, budget(most_flips_percent=most)).over]
    assert ("flips" in names) == is_over


def test_a_figure_on_its_bound_is_within(
    registry: Registry, decided: list[Recorded], tmp_path: Path
) -> None:
    """210,000 -> 195,000 is 7.14 %; with 8 % it passes, with 7 % it does not."""
    found = impact(decided, registry, a_policy(tmp_path, *LOWER_LIMIT))
    for most, n_over in ((8, 0), (7, 1)):
        assert len(weigh(found, budget(most_limit_change_percent=most)).over) == n_over


@pytest.mark.parametrize(("most", "n_over"), [(51, 0), (50, 0), (49, 1)])
def test_what_borrowers_pay_is_held_against_the_bound_of_interest(
    registry: Registry, decided: list[Recorded], tmp_path: Path, most: int, n_over: int
) -> None:
    """A subsidy of half the rate: interest stays, borrowers pay 5,775 -> 2,895, which is 49.9 %."""
    found = impact(decided, registry, half_subsidised(tmp_path))
    over = weigh(found, budget(most_interest_change_percent=most)).over
    assert [m.text() for m in over] == ["paid by borrowers -49.9 % (at most 49 %)"] * n_over


@pytest.mark.parametrize(("spread", "change"), [("77", "-2.1"), ("93", "+2.1")], ids=["down", "up"])
@pytest.mark.parametrize(("most", "is_over"), [(3, False), (2, True)])
def test_interest_is_held_against_its_bound_up_and_down(
    registry: Registry, decided: list[Recorded], tmp_path: Path, *, spread: str, change: str,
    most: int, is_over: bool,
) -> None:  # fmt: skip
    """8 bp of 385 are 2.08 %."""
    rate = f"rate_bp = {300 + int(spread)}"
    draft = a_policy(tmp_path, ("spread_bp = 85", f"spread_bp = {spread}"), (EXAMPLE_RATE, rate))
    verdict = weigh(impact(decided, registry, draft), budget(most_interest_change_percent=most))
    [interest] = [m for m in verdict.measures if m.name == "interest_yuan"]
    assert (interest.figure, interest.is_over) == (f"{change} %", is_over)
    assert verdict.text().startswith("3 decisions, 0 change, 2 with other terms: ")


def test_over_budget_is_refused_with_figure_bound_and_remedy(flipped: Impact) -> None:
    with pytest.raises(OverBudget) as refused:
        check(weigh(flipped, budget()), "card.json")
    for part in ("flips 33.3 % (at most 5 %)", "over 3 decisions", "--force-reason TEXT",
                 "loansvc impact card.json"):  # fmt: skip
        assert part in refused.value.detail


def test_too_few_decisions_are_never_refused(flipped: Impact) -> None:
    verdict = weigh(flipped, replace(PROPOSED_CHANGE_BUDGET, least_decisions=4))
    check(verdict, "card.json")
    assert verdict.text().endswith("too few to refuse on (at least 4)")


def test_something_from_nothing_is_over_any_bound(registry: Registry, tmp_path: Path) -> None:
    """The one decline becomes an approval: limits from 0 to 135,000."""
    declined = [a_recorded(registry, 1, loan__purpose="securities")]
    draft = a_policy(tmp_path, ('"renovation"]', '"renovation", "securities"]'))
    verdict = weigh(impact(declined, registry, draft), budget(most_limit_change_percent=1000))
    [limits] = [m for m in verdict.over if m.name == "limit_yuan"]
    assert limits.text() == "limits from nothing (at most 1000 %)"
