"""A person's decision beside the machine's, within the rules; and disputes with their clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from loansvc.errors import Erased, InvalidReview, NotFound, OutcomeRefused, ReviewRefused
from loansvc.ledger.entries import NO_EDITIONS
from loansvc.lending import Lending
from loansvc.monitoring.reading import decided_between, erased_between
from loansvc.monitoring.report import report
from loansvc.privacy import Privacy
from loansvc.reviewing import By, Dispute, Override, Review, Reviewing
from loansvc.reviewing.facts import due_on
from loansvc.reviewing.showing import shown
from loansvc.reviewing.words import (
    DISPUTE_KINDS,
    DISPUTED,
    OVERRIDE_REASONS,
    REVIEW_REASONS,
)
from loansvc.underwriting import Underwriting, stamp
from tests.databases import over_both
from tests.small import (
    NOON,
    TODAY,
    Clock,
    a_fact,
    an_application,
    small_underwriting,
    with_fund,
)

ASKER, DECIDER = By("key1", "A. Asker"), By("key2", "D. Decider")
SHARE = 48_000  # 40 % of the 120,000 that the plain application asks for
NO_CONSENT: dict[str, Any] = {"consent__scopes": ["credit_report", "income", "public_records"]}
ABOVE_LIMIT = {"loan__amount_yuan": 200_000}  # referred: the limit is 135,000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def root(tmp_path: Path, models: Path, clock: Clock) -> Iterator[Underwriting]:
    found = small_underwriting(tmp_path, models=models, clock=clock)
    yield found
    found.ledger._engine.dispose()


def decided(root: Underwriting, number: int = 1, **changes: Any) -> str:
    """The id of a decided application."""
    return root.decide(an_application(number, **changes), client="bank")[0].entry.application_id


def a_review(**changes: Any) -> Review:
    return Review(**{"reference": "V-1", "asked_by": "officer", "reason": "referred", **changes})


def an_override(outcome: str = "approve", **changes: Any) -> Override:
    reason = {"approve": "facts_verified", "decline": "facts_not_confirmed"}[outcome]
    return Override(**{"reference": "O-1", "outcome": outcome, "reason": reason, **changes})


def ask(root: Underwriting, name: str, by: By = ASKER, **changes: Any) -> Any:
    return Reviewing(root).ask(name, a_review(**changes), by=by, client="bank")


def close(
    root: Underwriting, name: str, outcome: str = "approve", by: By = DECIDER, **changes: Any
) -> Any:
    override = an_override(outcome, **changes)
    return Reviewing(root).override(name, override, by=by, client="bank")


def refused(root: Underwriting, act: Any, *args: Any, **kwargs: Any) -> ReviewRefused:
    """The refusal, of which nothing stays."""
    before = root.ledger.verify(), Lending(root).fund()
    with pytest.raises(ReviewRefused) as error:
        act(root, *args, **kwargs)
    assert (root.ledger.verify(), Lending(root).fund()) == before
    return error.value


def body(root: Underwriting, name: str) -> dict[str, Any]:
    return Reviewing(root).decision(name, client="bank")


# --- asking ---------------------------------------------------------------------------------------


@over_both
def test_a_review_stands_beside_the_decision_and_changes_nothing_of_it(root: Underwriting) -> None:
    name = decided(root)
    before = body(root, name)
    answer, is_new = ask(root, name, asked_by="applicant", reason="no_automated_decision")
    assert is_new
    assert answer["review_id"].startswith("rev_")
    assert answer["reason"]["zh"] == "申请人不接受仅由系统自动作出的决定"
    found = body(root, name)
    assert found.pop("review")["state"] == "open"
    assert found == before
    assert root.replay(root.find(name, client="bank"))["identical"]
    assert root.ledger.verify() == (2, [])


@over_both
def test_the_same_review_again_gives_the_first_also_once_it_is_closed(root: Underwriting) -> None:
    name = decided(root, **NO_CONSENT)
    first, _ = ask(root, name)
    close(root, name)
    assert ask(root, name) == (first, False)
    assert root.ledger.verify()[0] == 3


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"reference": "V-2"}, "already_reviewed"),
        ({"reason": "officer_doubts"}, "reference_reused"),
    ],
)
@over_both
def test_a_second_review_is_refused(root: Underwriting, changes: dict[str, Any], code: str) -> None:
    name = decided(root)
    ask(root, name)
    assert refused(root, ask, name, **changes).code == code


def test_a_decided_review_is_not_opened_again(root: Underwriting) -> None:
    name = decided(root, **NO_CONSENT)
    ask(root, name)
    close(root, name)
    assert refused(root, ask, name, reference="V-2").code == "already_reviewed"


def test_a_note_that_may_tell_who_somebody_is_is_refused(root: Underwriting) -> None:
    name = decided(root)
    for note in ("户主 340521197501010179", "call 13812345678"):
        with pytest.raises(InvalidReview) as error:
            ask(root, name, note=note)
        assert [e.pointer for e in error.value.errors] == ["/note"]
        assert note not in str(error.value.errors)
    assert root.ledger.verify()[0] == 1


def test_another_clients_decision_is_as_if_it_were_not_there(root: Underwriting) -> None:
    name = decided(root)
    reviewing = Reviewing(root)
    said = Dispute(reference="r", kind="lodged", about="other", on=TODAY)
    for act in (
        lambda: reviewing.ask(name, a_review(), by=ASKER, client="other"),
        lambda: reviewing.override(name, an_override(), by=ASKER, client="other"),
        lambda: reviewing.dispute(name, said, by=ASKER, client="other"),
        lambda: reviewing.disputes(name, client="other"),
        lambda: reviewing.decision(name, client="other"),
    ):
        with pytest.raises(NotFound):
            act()


# --- four eyes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asker", "decider", "is_one"),
    [
        pytest.param(By("k1", "A"), By("k1", "A"), True, id="the same key"),
        pytest.param(By("k1", "A"), By("k2", "A"), True, id="another key of the same holder"),
        pytest.param(By("k1", "Ａ. Clerk"), By("k2", "a.  clerk"), True, id="written otherwise"),
        pytest.param(By("k1"), By("k1"), True, id="a key without a holder"),
        pytest.param(By("k1"), By("k2"), False, id="two keys without holders"),
        pytest.param(By("", "A"), By("k2", "A"), True, id="from the shell, then with a key"),
        pytest.param(By("", "A"), By("", "A"), True, id="twice from the shell"),
        pytest.param(By("k1", "A"), By("k2", "B"), False, id="two persons"),
    ],
)
def test_whoever_asks_does_not_decide(
    root: Underwriting, asker: By, decider: By, is_one: bool
) -> None:
    name = decided(root, **NO_CONSENT)
    ask(root, name, by=asker)
    if not is_one:
        assert close(root, name, by=decider)[1]
        return
    error = refused(root, close, name, by=decider)
    assert (error.code, error.status) == ("four_eyes", 403)


# --- deciding -------------------------------------------------------------------------------------


def test_nobody_decides_what_nobody_asked_for(root: Underwriting) -> None:
    assert refused(root, close, decided(root, **NO_CONSENT)).code == "no_open_review"


@over_both
def test_a_referral_is_approved_with_what_the_rules_give(root: Underwriting) -> None:
    with_fund(root, 1_000_000)
    name = decided(root, **NO_CONSENT)
    recorded = root.find(name, client="bank").decision
    ask(root, name)
    answer, is_new = close(root, name)
    assert (is_new, answer["outcome"]) == (True, "approve")
    assert answer["terms"] == {
        k: recorded[k] for k in ("score", "pd_12m", "grade", "offer", "guarantee")
    }
    assert Lending(root).fund()["reserved_yuan"] == SHARE
    found = body(root, name)
    assert (found["outcome"], found["override"]["outcome"]) == ("refer", "approve")
    assert found["review"]["state"] == "closed"
    assert root.ledger.verify() == (4, [])
    assert root.ledger.rebuild() == 4
    assert Lending(root).fund()["reserved_yuan"] == SHARE


def test_an_override_names_decision_and_review_by_id_and_hash(root: Underwriting) -> None:
    name = decided(root, **NO_CONSENT)
    ask(root, name)
    close(root, name)
    (review, _), (_, payload) = root.find(name, client="bank").acts
    decision = root.find(name, client="bank").entry
    assert (payload["decision_id"], payload["decision_hash"]) == (
        decision.decision_id,
        decision.hash,
    )
    assert (payload["review_id"], payload["review_hash"]) == (review.decision_id, review.hash)
    assert payload["by"] == {"key_id": "key2", "holder": "D. Decider"}


def test_who_asked_and_decided_is_not_in_the_answer(root: Underwriting) -> None:
    name = decided(root, **NO_CONSENT)
    ask(root, name)
    close(root, name)
    text = json.dumps(body(root, name), ensure_ascii=False)
    assert "Asker" not in text
    assert "Decider" not in text


def test_an_amount_above_the_limit_is_approved_at_the_limit_and_no_more(
    root: Underwriting,
) -> None:
    """200,000 were asked for; at most 135,000 may be lent, and a guarantee is of that amount."""
    name = decided(root, **ABOVE_LIMIT)
    ask(root, name)
    error = refused(root, close, name, amount_yuan=135_001)
    assert error.code == "above_limit"
    assert [(e.pointer, e.detail) for e in error.errors] == [
        ("/offer/amount_yuan", "Must be at most 135000.")
    ]
    answer, _ = close(root, name)
    assert answer["terms"]["offer"]["amount_yuan"] == 135_000
    again = root.preview(an_application(9, loan__amount_yuan=135_000))
    assert answer["terms"]["guarantee"] == again["guarantee"]


def test_less_and_shorter_may_be_offered_and_not_more_or_longer_than_asked(
    root: Underwriting,
) -> None:
    name = decided(root, **NO_CONSENT)
    ask(root, name)
    longer = refused(root, close, name, term_months=25)
    assert [e.pointer for e in longer.errors] == ["/offer/term_months"]
    assert refused(root, close, name, amount_yuan=120_001).code == "above_limit"
    offer = close(root, name, amount_yuan=50_000, term_months=12)[0]["terms"]["offer"]
    assert (offer["amount_yuan"], offer["term_months"], offer["limit_yuan"]) == (
        50_000, 12, 135_000,
    )  # fmt: skip


def test_a_person_cannot_lift_a_rule(root: Underwriting) -> None:
    name = decided(root, loan__purpose="securities")
    ask(root, name)
    error = refused(root, close, name)
    assert error.code == "rules_stand"
    assert [e.code for e in error.errors] == ["R01"]
    assert close(root, name, "decline", reason="confirmed")[1]


def test_a_person_cannot_lift_what_leaves_no_limit(root: Underwriting) -> None:
    """Arrears of 30 days: 552 points, R6, for which the policy has no limit."""
    name = decided(
        root, credit_report__max_days_past_due_24m=31, applicant__village_code="340521102201"
    )
    assert root.find(name, client="bank").decision["offer"] is None
    ask(root, name)
    assert [e.code for e in refused(root, close, name).errors] == ["no_limit"]


def test_what_no_longer_stands_in_the_way_does_not_bar_an_approval(
    root: Underwriting, clock: Clock
) -> None:
    """Declined as the fourth policy loan, while three offers were open; they have lapsed since."""
    for number in range(3):
        decided(root, application_id=f"early-{number}", loan__amount_yuan=10_000)
    clock.now += timedelta(days=1)
    name = decided(root)
    assert root.find(name, client="bank").decision["outcome"] == "decline"
    ask(root, name)
    assert [e.code for e in refused(root, close, name).errors] == ["K02"]
    clock.now += timedelta(days=29)
    answer, _ = close(root, name)
    assert answer["terms"]["offer"]["amount_yuan"] == 120_000


def test_what_stands_in_the_way_by_now_bars_an_approval(root: Underwriting) -> None:
    """A referral of before the person had three policy loans."""
    name = decided(root, **NO_CONSENT)
    ask(root, name)
    for number in range(3):
        decided(root, application_id=f"later-{number}", loan__amount_yuan=10_000)
    assert [e.code for e in refused(root, close, name).errors] == ["K02"]


def test_an_old_application_is_not_approved_on_its_facts(root: Underwriting, clock: Clock) -> None:
    name, other = decided(root, **NO_CONSENT), decided(root, 2, **NO_CONSENT)
    for one in (name, other):
        ask(root, one)
    clock.now += timedelta(days=91)
    assert refused(root, close, name).code == "too_old"
    assert close(root, name, "decline")[1]
    clock.now -= timedelta(days=1)
    assert close(root, other)[1]


@over_both
def test_an_approval_taken_back_frees_the_fund(root: Underwriting) -> None:
    lending = with_fund(root, 1_000_000)
    name = decided(root)
    assert lending.fund()["reserved_yuan"] == SHARE
    ask(root, name)
    answer, _ = close(root, name, "decline")
    assert "terms" not in answer
    assert lending.fund()["reserved_yuan"] == 0
    assert root.ledger.verify()[1] == []
    assert lending.outcomes(name, client="bank")["loan"]["state"] == "taken_back"
    with pytest.raises(OutcomeRefused) as error:
        lending.record(name, a_fact("disbursed", 1), client="bank")
    assert error.value.code == "offer_taken_back"
    last = lending.statement(TODAY, TODAY)["movements"][-1]
    assert (last["kind"], last["reserved_yuan"]) == ("taken_back", -SHARE)
    later, _ = root.decide(an_application(1, application_id="later"), client="bank")
    assert later.exposure.policy_loans == 0


def test_nothing_is_paid_out_while_a_person_is_to_decide(root: Underwriting, clock: Clock) -> None:
    """Frozen from the day of asking; what was paid out before is a fact."""
    lending = Lending(root)
    names = [decided(root, number) for number in (1, 2, 3)]
    clock.now += timedelta(days=1)
    for name in names:
        ask(root, name, asked_by="applicant", reason="no_automated_decision")
    today, yesterday = clock.now.date(), clock.now.date() - timedelta(days=1)
    for name in names:
        with pytest.raises(OutcomeRefused) as error:
            lending.record(name, a_fact("disbursed", 1, on=today), client="bank")
        assert error.value.code == "under_review"
    lending.record(names[0], a_fact("disbursed", 1, on=yesterday), client="bank")
    close(root, names[1], reason="confirmed")
    lending.record(names[1], a_fact("disbursed", 1, on=today), client="bank")
    close(root, names[2], "decline")
    with pytest.raises(OutcomeRefused) as error:
        lending.record(names[2], a_fact("disbursed", 1, on=today), client="bank")
    assert error.value.code == "offer_taken_back"
    assert root.ledger.verify()[1] == []


def test_a_loan_that_was_paid_out_cannot_be_taken_back(root: Underwriting) -> None:
    name = decided(root)
    Lending(root).record(name, a_fact("disbursed", 100_000), client="bank")
    ask(root, name)
    assert refused(root, close, name, "decline").code == "loan_drawn"
    assert close(root, name, reason="confirmed")[1]


def test_a_lapsed_offer_may_be_declined_and_frees_nothing_twice(
    root: Underwriting, clock: Clock
) -> None:
    name = decided(root)
    clock.now += timedelta(days=30)
    ask(root, name)
    close(root, name, "decline")
    assert Lending(root).outcomes(name, client="bank")["loan"]["state"] == "lapsed"
    assert Lending(root).fund()["reserved_yuan"] == 0
    assert root.ledger.verify()[1] == []


def test_an_approval_is_confirmed_as_it_is(root: Underwriting) -> None:
    lending = with_fund(root, 1_000_000)
    name = decided(root)
    ask(root, name)
    assert refused(root, close, name, reason="confirmed", amount_yuan=1).code == "offer_stands"
    assert "terms" not in close(root, name, reason="confirmed")[0]
    assert lending.fund()["reserved_yuan"] == SHARE
    lending.record(name, a_fact("disbursed", 100_000), client="bank")
    assert root.ledger.verify()[1] == []


@pytest.mark.parametrize(
    ("application", "outcome", "changes", "pointers"),
    [
        pytest.param({}, "approve", {"reason": "repayment_doubtful"}, ["/reason"], id="of no"),
        pytest.param({}, "decline", {"reason": "facts_verified"}, ["/reason"], id="of yes"),
        pytest.param({}, "decline", {"reason": "confirmed"}, ["/reason"], id="not what it was"),
        pytest.param(NO_CONSENT, "approve", {"reason": "confirmed"}, ["/reason"], id="nothing yet"),
        pytest.param({}, "decline", {"amount_yuan": 1}, ["/offer"], id="an offer with a decline"),
        pytest.param(
            {}, "decline", {"reason": "confirmed", "term_months": 1}, ["/reason", "/offer"],
            id="both at once",
        ),
    ],
)  # fmt: skip
def test_reason_and_offer_go_with_the_outcome(
    root: Underwriting, application: Any, outcome: str, changes: Any, pointers: list[str]
) -> None:
    name = decided(root, **application)
    ask(root, name)
    with pytest.raises(InvalidReview) as error:
        close(root, name, outcome, **changes)
    assert [e.pointer for e in error.value.errors] == pointers


@over_both
def test_the_same_override_again_gives_the_first(root: Underwriting) -> None:
    name = decided(root, **NO_CONSENT)
    ask(root, name)
    first, _ = close(root, name)
    assert close(root, name) == (first, False)
    assert refused(root, close, name, "decline").code == "reference_reused"
    assert refused(root, close, name, reference="O-2").code == "already_overridden"
    assert root.ledger.verify()[0] == 3


@over_both
def test_what_a_person_approved_is_lent_like_any_loan(root: Underwriting, clock: Clock) -> None:
    """The thirty days count from the person's decision."""
    lending = with_fund(root, 1_000_000)
    name = decided(root, **NO_CONSENT)
    ask(root, name)
    with pytest.raises(OutcomeRefused):
        lending.record(name, a_fact("disbursed", 1), client="bank")
    clock.now += timedelta(days=20)
    close(root, name)
    clock.now += timedelta(days=29)
    on = clock.now.date()
    lending.record(name, a_fact("disbursed", 120_000, on=on), client="bank")
    assert lending.fund()["drawn_yuan"] == SHARE
    assert root.ledger.verify()[1] == []


# --- the fund -------------------------------------------------------------------------------------


@over_both
def test_a_full_fund_bars_a_persons_approval_as_it_would_a_decision(root: Underwriting) -> None:
    """One client may take 10 % of 500,000: one share of 48,000 and no second one."""
    with_fund(root, 500_000)
    first = decided(root, application_id="first", **NO_CONSENT)
    second = decided(root, application_id="second", **NO_CONSENT)
    for name in (first, second):
        ask(root, name)
    close(root, first)
    error = refused(root, close, second)
    assert error.code == "over_fund_cap"
    assert [e.code for e in error.errors] == ["F02"]
    assert close(root, second, amount_yuan=5_000)[1]
    assert Lending(root).fund()["reserved_yuan"] == SHARE + 2_000


@over_both
def test_a_later_decision_counts_what_a_person_has_approved(root: Underwriting) -> None:
    with_fund(root, 1_000_000)
    name = decided(root, **NO_CONSENT)
    ask(root, name)
    close(root, name)
    later, _ = root.decide(an_application(1, application_id="later"), client="bank")
    assert later.exposure.policy_loans == 1
    assert later.exposure.outstanding_yuan == 120_000
    assert later.exposure.fund is not None
    assert later.exposure.fund.applicant_guaranteed_yuan == SHARE


def test_what_the_fund_could_not_carry_then_it_may_carry_now(root: Underwriting) -> None:
    lending = with_fund(root, 10_000)
    name = decided(root)
    assert root.find(name, client="bank").decision["guarantee"]["tier"] == "GX"
    ask(root, name)
    assert [e.code for e in refused(root, close, name).errors] == ["F02"]
    lending.set_fund(capital_yuan=1_000_000, reference="r", approver="a", on=TODAY)
    assert close(root, name)[0]["terms"]["guarantee"]["tier"] == "G1"


# --- disputes -------------------------------------------------------------------------------------


def dispute(root: Underwriting, name: str, kind: str = "lodged", **changes: Any) -> Any:
    given = {"reference": kind, "about": "credit_report", "on": TODAY, **changes}
    return Reviewing(root).dispute(name, Dispute(kind=kind, **given), by=ASKER, client="bank")


@over_both
def test_a_dispute_marks_the_decision_until_it_is_answered(root: Underwriting) -> None:
    name = decided(root)
    before = body(root, name)
    answer, is_new = dispute(root, name)
    assert (is_new, answer["due_on"]) == (True, "2026-12-13")
    mark = body(root, name)["dispute"]
    assert (mark["due_on"], mark["overdue"]) == ("2026-12-13", False)
    assert [one["about"]["code"] for one in mark["open"]] == ["credit_report"]
    dispute(root, name, "rejected")
    assert body(root, name) == before
    found = Reviewing(root).disputes(name, client="bank")
    assert [one["kind"]["code"] for one in found["data"]] == ["lodged", "rejected"]
    assert found["dispute"] is None


def test_the_clock_counts_twenty_days_after_the_day_of_receipt(
    root: Underwriting, clock: Clock
) -> None:
    name = decided(root)
    dispute(root, name)
    reviewing = Reviewing(root)
    clock.now += timedelta(days=20)
    assert reviewing.open_disputes(client=None, overdue=True) == []
    clock.now += timedelta(days=1)
    [late] = reviewing.open_disputes(client=None, overdue=True)
    assert (late["application_id"], late["due_on"]) == (name, "2026-12-13")
    assert body(root, name)["dispute"]["overdue"]
    assert reviewing.open_disputes(client="other") == []
    dispute(root, name, "unconfirmed", on=clock.now.date())
    assert reviewing.open_disputes(client=None) == []


@over_both
def test_the_first_that_is_due_is_told(root: Underwriting) -> None:
    name = decided(
        root, applied_on="2026-11-13", credit_report=None, consent__given_on="2026-11-10"
    )
    dispute(root, name)
    dispute(root, name, reference="2", about="identity", on=date(2026, 11, 13))
    mark = body(root, name)["dispute"]
    assert mark["due_on"] == "2026-12-03"
    assert [one["about"]["code"] for one in mark["open"]] == ["identity", "credit_report"]


@pytest.mark.parametrize(
    ("earlier", "said", "code"),
    [
        ([], {"kind": "upheld"}, "not_lodged"),
        (["lodged"], {"reference": "2"}, "already_lodged"),
        (["lodged"], {"kind": "upheld", "about": "identity"}, "not_lodged"),
        (["lodged", "upheld"], {"kind": "rejected"}, "not_lodged"),
        ([], {"on": TODAY - timedelta(days=1)}, "before_application"),
        (["lodged"], {"kind": "lodged", "about": "other"}, "reference_reused"),
    ],
)
def test_a_dispute_that_contradicts_the_record_is_refused(
    root: Underwriting, earlier: list[str], said: dict[str, Any], code: str
) -> None:
    name = decided(root)
    for kind in earlier:
        dispute(root, name, kind)
    assert refused(root, dispute, name, **said).code == code


def test_a_dispute_does_not_end_before_it_began(root: Underwriting, clock: Clock) -> None:
    name = decided(root)
    clock.now += timedelta(days=2)
    dispute(root, name, on=TODAY + timedelta(days=2))
    late = TODAY + timedelta(days=1)
    assert refused(root, dispute, name, "upheld", on=late).code == "before_lodging"
    with pytest.raises(InvalidReview):
        dispute(root, name, "upheld", on=TODAY + timedelta(days=3))


def test_the_same_thing_may_be_disputed_again(root: Underwriting) -> None:
    name = decided(root)
    dispute(root, name)
    dispute(root, name, "withdrawn")
    assert dispute(root, name, reference="again")[1]
    assert dispute(root, name)[1] is False


def test_days_are_counted_over_months_and_years() -> None:
    assert due_on(date(2027, 2, 10)) == date(2027, 3, 2)
    assert due_on(date(2028, 2, 10)) == date(2028, 3, 1)
    assert due_on(date(2026, 12, 31)) == date(2027, 1, 20)


# --- lists ----------------------------------------------------------------------------------------


@over_both
def test_the_queue_has_the_newest_first_and_goes_on(root: Underwriting) -> None:
    names = [decided(root, number, **NO_CONSENT) for number in range(1, 6)]
    for name in names:
        ask(root, name)
    close(root, names[3])
    reviewing = Reviewing(root)
    first, more = reviewing.queue(client="bank", state="open", limit=3)
    rest, end = reviewing.queue(client="bank", state="open", limit=3, before=more)
    assert [r["application_id"] for r in first + rest] == [names[i] for i in (4, 2, 1, 0)]
    assert end is None
    [closed], _ = reviewing.queue(client=None, state="closed", limit=3)
    assert (closed["outcome"], closed["final_outcome"]) == ("refer", "approve")
    assert len(reviewing.queue(client="bank", limit=9)[0]) == 5
    assert reviewing.queue(client="other", limit=9) == ([], None)


@over_both
def test_what_of_an_erased_person_waits_is_in_no_list(root: Underwriting) -> None:
    """Else nobody could open a list with one of them on it."""
    names = [decided(root, number) for number in (1, 2)]
    for name in names:
        ask(root, name)
        dispute(root, name)
    with root.ledger.writing() as ledger:
        ref = root.find(names[0], client="bank").entry.subject_ref
        ledger.append(
            ledger.subject_for("the installation"), {}, kind="erasure", decided_at=stamp(NOON),
            client="", application_id=ref, decision_id="era_1", product="", outcome="by_law",
            **NO_EDITIONS,
        )  # fmt: skip
    reviewing = Reviewing(root)
    assert [r["application_id"] for r in reviewing.queue(client="bank", limit=9)[0]] == names[1:]
    assert [d["application_id"] for d in reviewing.open_disputes(client=None)] == names[1:]


@over_both
def test_decisions_are_listed_by_what_became_of_them(root: Underwriting) -> None:
    names = [decided(root, number, **NO_CONSENT) for number in range(1, 5)]
    for name in names[:3]:
        ask(root, name)
    close(root, names[0])
    close(root, names[1], "decline")

    def listed(**filters: Any) -> list[str]:
        found, _ = root.page(client="bank", limit=9, **filters)
        return [one.entry.application_id for one in reversed(found)]

    assert listed(outcome="refer") == names
    assert listed(final_outcome="approve") == [names[0]]
    assert listed(final_outcome="refer") == names[2:]
    assert listed(state="in_review") == [names[2]]
    assert listed(state="reviewed") == names[:2]
    found, _ = root.page(client="bank", limit=9)
    assert ["override" in shown(one, today=TODAY) for one in found] == [False, False, True, True]


def test_every_code_has_both_texts() -> None:
    tables = (REVIEW_REASONS, DISPUTED, DISPUTE_KINDS)
    texts = [pair for table in tables for pair in table.values()]
    texts += [(zh, en) for _, zh, en in OVERRIDE_REASONS.values()]
    assert all(zh and en and zh != en for zh, en in texts)
    assert ReviewRefused.texts.keys() >= {"four_eyes", "rules_stand"}


# --- of people who were erased --------------------------------------------------------------------


def erase(root: Underwriting, number: int) -> None:
    Privacy(root).erase(
        an_application(number).applicant.id_number, reason="withdrawn", reference=f"E-{number}",
        by="bank", approver="officer",
    )  # fmt: skip


@over_both
def test_nothing_can_be_done_about_a_decision_on_an_erased_person(root: Underwriting) -> None:
    name = decided(root, **NO_CONSENT)
    ask(root, name)
    erase(root, 1)
    before = root.ledger.verify()
    reviewing = Reviewing(root)
    for act in (
        lambda: ask(root, name),
        lambda: close(root, name),
        lambda: dispute(root, name),
        lambda: reviewing.disputes(name, client="bank"),
        lambda: reviewing.decision(name, client="bank"),
        lambda: reviewing.explain(name, client="bank"),
    ):
        with pytest.raises(Erased):
            act()
    assert reviewing.queue(client="bank", limit=9) == ([], None)
    assert root.ledger.verify() == before


@over_both
def test_fund_and_report_still_count_what_people_decided_of_the_erased(root: Underwriting) -> None:
    """A person approved 50,000, took one approval back and confirmed another; one waits."""
    lending = with_fund(root, 1_000_000)
    names = [decided(root, 1, **NO_CONSENT), *(decided(root, number) for number in (2, 3))]
    decided(root, 4, **NO_CONSENT)
    for name in names:
        ask(root, name)
    close(root, names[0], amount_yuan=50_000)
    close(root, names[1], "decline")
    close(root, names[2], reason="confirmed")
    of: dict[str, Any] = {"since": TODAY, "until": TODAY}
    before = report(decided_between(root, TODAY, TODAY), root.registry, **of).total
    for number in range(1, 5):
        erase(root, number)
    assert root.ledger.verify()[1] == []
    assert lending.fund()["reserved_yuan"] == 0
    erased = erased_between(root, TODAY.isoformat(), TODAY.isoformat())
    after = report([], root.registry, erased=erased, **of).total
    for name in ("applications", "approved_yuan", "by_person", "finally_approved",
                 "finally_declined", "finally_approved_yuan"):  # fmt: skip
        assert getattr(after, name) == getattr(before, name), name
    assert (after.by_person, after.finally_approved, after.finally_declined) == (3, 2, 1)
    assert after.finally_approved_yuan == 170_000


def test_an_open_review_keeps_no_disbursement_from_being_put_right(root: Underwriting) -> None:
    """It was paid out before somebody asked; only its amount was told wrong."""
    name = decided(root)
    lending = Lending(root)
    lending.record(name, a_fact("disbursed", 100_000), client="bank")
    ask(root, name)
    right = a_fact("disbursed", 90_000, reference="D-2", corrects="disbursed")
    lending.record(name, right, client="bank")
    assert lending.outcomes(name, client="bank")["loan"]["outstanding_yuan"] == 90_000
