"""Underwriting: recorded before it is returned, the same again, and replayed."""

import itertools
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from loansvc.editions import to_text
from loansvc.errors import (
    ApplicationIdReused,
    InvalidApplication,
    NoEditionInForce,
    NotFound,
    NotReady,
    NotReproducible,
)
from loansvc.registry import Registry
from loansvc.underwriting import Underwriting, new_decision_id
from tests.small import (
    CARD,
    NOON,
    QIFANG,
    an_application,
    publish_text,
    small_models,
    small_underwriting,
)

pytestmark = pytest.mark.usefixtures("both_databases")


@pytest.fixture
def root(tmp_path: Path) -> Underwriting:
    return small_underwriting(tmp_path)


def test_a_decision_is_recorded_and_found(root: Underwriting) -> None:
    recorded, is_new = root.decide(an_application(), client="bank")
    assert is_new
    name = "EXAMPLE-20261123-credit_loan-000001"
    assert root.find(name, client="bank").answer() == recorded.answer()


def test_the_same_application_again_gives_the_recorded_answer(root: Underwriting) -> None:
    first, _ = root.decide(an_application(), client="bank")
    again, is_new = root.decide(an_application(), client="bank")
    assert not is_new
    assert again.answer() == first.answer()


def test_a_day_left_out_stands_for_the_day_of_the_first_time(tmp_path: Path) -> None:
    """A retry after midnight is still the same application."""
    times = itertools.count()
    root = small_underwriting(tmp_path, clock=lambda: NOON + timedelta(hours=next(times)))
    application = an_application()
    undated = type(application)(
        **{f: getattr(application, f) for f in application.__slots__ if f != "applied_on"}
    )
    first, _ = root.decide(undated, client="bank")
    for _ in range(20):
        again, is_new = root.decide(undated, client="bank")
        assert (is_new, again.answer()) == (False, first.answer())


def test_the_same_id_with_other_content_is_refused(root: Underwriting) -> None:
    root.decide(an_application(), client="bank")
    with pytest.raises(ApplicationIdReused):
        root.decide(an_application(loan__amount_yuan=119_999), client="bank")


def test_one_client_never_sees_another_clients_decision(root: Underwriting) -> None:
    root.decide(an_application(), client="bank")
    with pytest.raises(NotFound):
        root.find("EXAMPLE-20261123-credit_loan-000001", client="other")
    _, is_new = root.decide(an_application(), client="other")
    assert is_new


@pytest.mark.parametrize(("days", "taken"), [(90, True), (91, False)])
def test_a_recorded_application_is_at_most_90_days_old(
    root: Underwriting, days: int, *, taken: bool
) -> None:
    on = NOON.date() - timedelta(days=days)
    old = an_application(
        applied_on=on.isoformat(), consent__given_on=on.isoformat(), credit_report=...,
        business=..., credentials=[],
    )  # fmt: skip
    if taken:
        assert root.decide(old, client="bank")[0].answer()["applied_on"] == on.isoformat()
    else:
        with pytest.raises(InvalidApplication) as refused:
            root.decide(old, client="bank")
        assert refused.value.errors[0].pointer == "/applied_on"


def test_an_earlier_approval_is_exposure_until_it_lapses(tmp_path: Path) -> None:
    clock = [NOON]
    root = small_underwriting(tmp_path, clock=lambda: clock[0])
    first, _ = root.decide(an_application(), client="bank")
    assert first.exposure.policy_loans == 0

    for days, loans in ((29, 1), (61, 0)):
        clock[0] = NOON + timedelta(days=days)
        later = an_application(application_id=f"later-{days}")
        recorded, _ = root.decide(later, client="bank")
        assert recorded.exposure.policy_loans == loans
        assert recorded.exposure.outstanding_yuan == 120_000 * loans


def test_a_preview_knows_the_exposure_and_records_nothing(root: Underwriting) -> None:
    root.decide(an_application(), client="bank")
    body = root.preview(an_application(application_id="other"))
    assert body["offer"]["limit_yuan"] == 135_000
    assert "decision_id" not in body
    assert root.ledger.verify() == (1, [])


def test_a_preview_may_ask_for_another_day(root: Underwriting) -> None:
    assert root.preview(an_application(), on=date(2027, 5, 1))["applied_on"] == "2027-05-01"
    with pytest.raises(NoEditionInForce):
        root.preview(an_application(), on=date(2026, 6, 30))


def test_a_preview_may_ask_for_the_challenger(tmp_path: Path) -> None:
    models = small_models(tmp_path)
    card = to_text({**CARD, "product": "credit_loan", "base_points": 500})
    publish_text(models, tmp_path / "c.json", card, role="challenger")
    root = small_underwriting(tmp_path, models=models)
    scores = [root.preview(an_application(), role=r)["score"] for r in ("champion", "challenger")]
    assert scores == [626, 546]


def test_replay_is_identical_after_a_new_edition(tmp_path: Path) -> None:
    models = small_models(tmp_path)
    root = small_underwriting(tmp_path, models=models)
    root.decide(an_application(), client="bank")
    card = {**CARD, "product": "credit_loan", "base_points": 400, "valid_from": "2026-11-23"}
    publish_text(models, tmp_path / "c.json", to_text(card))
    later = Underwriting(Registry.open(models), root.ledger, clock=lambda: NOON)
    recorded = later.find("EXAMPLE-20261123-credit_loan-000001", client="bank")
    assert later.replay(recorded)["identical"]
    assert later.preview(an_application(number=2))["score"] == 446


def test_a_record_that_does_not_follow_from_its_inputs_is_shown_field_by_field(
    root: Underwriting,
) -> None:
    recorded, _ = root.decide(an_application(), client="bank")
    recorded.decision["score"] = 700
    replay = root.replay(recorded)
    assert replay["differences"] == [{"pointer": "/score", "recorded": 700, "replayed": 626}]


def test_a_text_put_better_is_no_difference(root: Underwriting) -> None:
    recorded, _ = root.decide(an_application(loan__purpose="securities"), client="bank")
    recorded.decision["reasons"][0]["en"] = "Put better"
    assert root.replay(recorded)["identical"]


def test_pages_hold_every_decision_once_newest_first(root: Underwriting) -> None:
    for number in range(1, 8):
        village = {"applicant__village_code": QIFANG} if number % 2 else {}
        root.decide(an_application(number=number, **village), client="bank")
    root.decide(an_application(number=1), client="other")
    for filters, expected in (({}, [7, 6, 5, 4, 3, 2, 1]), ({"village": QIFANG}, [7, 5, 3, 1])):
        found, before, pages = [], None, 0
        while pages == 0 or before is not None:
            page, before = root.page(client="bank", limit=2, before=before, **filters)
            found += [int(r.entry.application_id[-6:]) for r in page]
            pages += 1
        assert found == expected


def test_ids_are_ordered_by_time() -> None:
    at = [datetime.fromisoformat(f"2026-11-23T12:00:{s:02d}+08:00") for s in range(3)]
    ids = [new_decision_id(t) for t in at]
    assert ids == sorted(ids)
    assert ids[0][4 + 14] == "7"


def test_nothing_is_served_while_a_product_cannot_be_decided(tmp_path: Path) -> None:
    clock = [NOON]
    root = small_underwriting(tmp_path, clock=lambda: clock[0])
    root.check_ready()
    clock[0] = NOON.replace(month=6, day=30)
    with pytest.raises(NotReady, match="No champion scorecard of credit_loan is in force"):
        root.check_ready()


def test_a_page_by_village_looks_at_a_bounded_number_of_rows(
    root: Underwriting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loansvc.underwriting.MOST_OPENED", 3)
    for number in range(1, 8):
        village = {"applicant__village_code": QIFANG} if number < 3 else {}
        root.decide(an_application(number=number, **village), client="bank")
    sizes, before = [], None
    for _ in range(3):
        page, before = root.page(client="bank", limit=2, before=before, village=QIFANG)
        sizes.append(len(page))
    assert (sizes, before) == ([0, 1, 1], None)


def test_a_program_that_derives_otherwise_does_not_explain(
    root: Underwriting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines that add up to another score than the recorded one would be a false explanation."""
    recorded, _ = root.decide(an_application(), client="bank")
    recorded.decision["score"] -= 1
    with pytest.raises(NotReproducible):
        root.explain(recorded)


def test_a_field_that_a_later_version_adds_is_no_difference(root: Underwriting) -> None:
    recorded, _ = root.decide(an_application(), client="bank")
    del recorded.decision["eligible"]
    assert root.replay(recorded)["identical"]
