"""Lending: reports of a loan are recorded like decisions; the fund's figures follow from them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from loansvc.decision import Exposure
from loansvc.errors import (
    InvalidOutcome,
    LedgerDamaged,
    NotFound,
    OutcomeRefused,
    SetupRefused,
)
from loansvc.ledger import Ledger, stores
from loansvc.ledger.commitments import Fact
from loansvc.lending import Lending
from loansvc.policy import Fund
from loansvc.underwriting import Underwriting
from loansvc.web.examples import invented_id_number, invented_uscc
from tests import databases
from tests.small import (
    QIFANG,
    TODAY,
    Clock,
    a_fact,
    an_application,
    publish_caps,
    small_models,
    small_underwriting,
    with_fund,
)

CAPITAL = 1_000_000
SHARE = 48_000  # 40 % of the 120,000 that the plain application asks for


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def root(tmp_path: Path, models: Path, clock: Clock, both_databases: str) -> Underwriting:
    return small_underwriting(tmp_path, models=models, clock=clock)


def decided(root: Underwriting, number: int = 1, **changes: Any) -> tuple[str, Exposure]:
    """The id of a decided application, and the exposure that it was decided with."""
    recorded, _ = root.decide(an_application(number, **changes), client="bank")
    return recorded.entry.application_id, recorded.exposure


def report(root: Underwriting, name: str, *facts: Fact) -> None:
    for fact in facts:
        Lending(root).record(name, fact, client="bank")


def later(number: int) -> dict[str, Any]:
    """The same person applies again."""
    return {"application_id": f"later-{number}"}


# --- reports --------------------------------------------------------------------------------------


def test_a_report_is_recorded_and_listed(root: Underwriting) -> None:
    name, _ = decided(root)
    outcome, is_new = Lending(root).record(name, a_fact("disbursed", 100_000), client="bank")
    assert is_new
    found = Lending(root).outcomes(name, client="bank")
    assert found["data"] == [outcome.answer()]
    assert (found["loan"]["state"], found["loan"]["outstanding_yuan"]) == ("drawn", 100_000)
    assert root.ledger.verify() == (2, [])


def test_the_same_report_again_gives_the_first(root: Underwriting) -> None:
    name, _ = decided(root)
    first, _ = Lending(root).record(name, a_fact("disbursed", 100_000), client="bank")
    again, is_new = Lending(root).record(name, a_fact("disbursed", 100_000), client="bank")
    assert (is_new, again.answer()) == (False, first.answer())
    assert root.ledger.verify()[0] == 2


def refused(root: Underwriting, name: str, fact: Fact) -> str:
    before = root.ledger.verify()
    with pytest.raises(OutcomeRefused) as error:
        report(root, name, fact)
    assert root.ledger.verify() == before
    return error.value.code


def test_a_reference_used_for_another_report_is_refused(root: Underwriting) -> None:
    name, _ = decided(root)
    report(root, name, a_fact("disbursed", 100_000))
    assert refused(root, name, a_fact("disbursed", 99_999)) == "reference_reused"


def test_two_loans_may_use_the_same_reference(root: Underwriting) -> None:
    for number in (1, 2):
        report(root, decided(root, number)[0], a_fact("disbursed", 100_000))
    assert root.ledger.verify() == (4, [])


@pytest.mark.parametrize("changes", [{"loan__purpose": "securities"}, {"credit_report": ...}])
def test_only_an_approval_has_a_loan(root: Underwriting, changes: dict[str, Any]) -> None:
    name, _ = decided(root, **changes)
    assert refused(root, name, a_fact("disbursed", 1)) == "not_approved"
    assert Lending(root).outcomes(name, client="bank")["loan"] is None


def test_what_contradicts_the_record_leaves_nothing(root: Underwriting) -> None:
    name, _ = decided(root)
    assert refused(root, name, a_fact("balance", 1)) == "not_disbursed"
    assert refused(root, name, a_fact("disbursed", 120_001)) == "more_than_offered"
    assert refused(root, name, a_fact("disbursed", 1, on=TODAY - timedelta(1))) == "before_decision"


def test_an_offer_can_be_drawn_for_thirty_days(root: Underwriting, clock: Clock) -> None:
    names = [decided(root, number)[0] for number in (1, 2)]
    clock.now += timedelta(days=30) - timedelta(milliseconds=1)
    report(root, names[0], a_fact("disbursed", 1))
    clock.now += timedelta(milliseconds=1)
    assert Lending(root).outcomes(names[1], client="bank")["loan"]["state"] == "lapsed"
    assert refused(root, names[1], a_fact("disbursed", 1)) == "offer_lapsed"


def test_another_clients_loan_is_as_if_it_were_not_there(root: Underwriting) -> None:
    name, _ = decided(root)
    with pytest.raises(NotFound):
        Lending(root).record(name, a_fact("disbursed", 1), client="other")
    with pytest.raises(NotFound):
        Lending(root).outcomes(name, client="other")


@pytest.mark.parametrize(
    ("fact", "errors"),
    [
        (a_fact("disbursed"), {("/amount_yuan", "required")}),
        (a_fact("disbursed", 0), {("/amount_yuan", "out_of_range")}),
        (a_fact("repaid", 5), {("/amount_yuan", "not_of_this_kind")}),
        (a_fact("days_past_due"), {("/days", "required")}),
        (a_fact("days_past_due", days=10_001), {("/days", "out_of_range")}),
        (a_fact("balance", days=1), {("/days", "not_of_this_kind"), ("/amount_yuan", "required")}),
        (a_fact("repaid", on=TODAY + timedelta(days=1)), {("/on", "in_the_future")}),
        (a_fact("withdrawn"), {("/corrects", "required")}),
    ],
)
def test_fields_that_do_not_go_together_are_all_named(
    root: Underwriting, fact: Fact, errors: set[tuple[str, str]]
) -> None:
    name, _ = decided(root)
    with pytest.raises(InvalidOutcome) as error:
        report(root, name, fact)
    assert {(e.pointer, e.code) for e in error.value.errors} == errors


# --- corrections ----------------------------------------------------------------------------------


def drawn(root: Underwriting, number: int = 1) -> str:
    """The id of an application whose loan of 100,000 was paid out."""
    name, _ = decided(root, number)
    report(root, name, a_fact("disbursed", 100_000))
    return name


def loan_of(root: Underwriting, name: str) -> dict[str, Any]:
    found: dict[str, Any] = Lending(root).outcomes(name, client="bank")["loan"]
    return found


def test_arrears_reported_of_the_wrong_loan_are_withdrawn(root: Underwriting) -> None:
    """All that was ever reported stays on record; what follows from it does without."""
    name = drawn(root)
    before = loan_of(root, name)
    report(root, name, a_fact("days_past_due", days=95))
    assert decided(root, **later(1))[1].policy_loan_overdue is True
    report(root, name, a_fact("withdrawn", corrects="days_past_due"))
    assert loan_of(root, name) == before
    assert decided(root, **later(2))[1].policy_loan_overdue is False
    kinds = [row["kind"] for row in Lending(root).outcomes(name, client="bank")["data"]]
    assert kinds == ["disbursed", "days_past_due", "withdrawn"]
    assert root.ledger.verify() == (6, [])


def test_a_loan_written_off_by_mistake_is_drawn_again(root: Underwriting) -> None:
    name = drawn(root)
    report(root, name, a_fact("written_off"), a_fact("withdrawn", corrects="written_off"))
    assert (loan_of(root, name)["state"], loan_of(root, name)["overdue"]) == ("drawn", False)


def test_a_disbursement_is_put_right_after_the_offer_has_lapsed(
    root: Underwriting, clock: Clock
) -> None:
    """It was paid out in time; only its amount was wrong."""
    name = drawn(root)
    clock.forward(days=40)
    report(root, name, a_fact("disbursed", 80_000, reference="D-2", corrects="disbursed"))
    assert (loan_of(root, name)["outstanding_yuan"], loan_of(root, name)["fund_yuan"]) == (
        80_000, 32_000,
    )  # fmt: skip
    assert Lending(root).fund()["drawn_yuan"] == 32_000


@pytest.mark.parametrize(("days", "state"), [(0, "reserved"), (40, "lapsed")])
def test_a_loan_that_was_never_paid_out_is_an_offer_again(
    root: Underwriting, clock: Clock, days: int, state: str
) -> None:
    name = drawn(root)
    clock.forward(days=days)
    report(root, name, a_fact("withdrawn", corrects="disbursed"))
    assert loan_of(root, name)["state"] == state
    assert root.ledger.verify()[1] == []


def test_what_later_reports_rest_on_stays_until_they_go(root: Underwriting) -> None:
    name = drawn(root)
    report(root, name, a_fact("balance", 90_000))
    lower = a_fact("disbursed", 80_000, reference="D-2", corrects="disbursed")
    for wrong in (lower, a_fact("withdrawn", corrects="disbursed")):
        assert refused(root, name, wrong) == "others_rest_on_it"
    report(root, name, a_fact("withdrawn", corrects="balance"), lower)
    assert loan_of(root, name)["outstanding_yuan"] == 80_000


def test_a_correction_may_be_wrong_itself(root: Underwriting) -> None:
    name = drawn(root)
    report(root, name, a_fact("balance", 50_000),
           a_fact("balance", 60_000, reference="B-2", corrects="balance"))  # fmt: skip
    again = a_fact("balance", 70_000, reference="B-3", corrects="balance")
    assert refused(root, name, again) == "nothing_to_correct"
    report(root, name, a_fact("balance", 70_000, reference="B-3", corrects="B-2"))
    assert loan_of(root, name)["outstanding_yuan"] == 70_000


def test_a_report_is_corrected_by_one_of_its_kind(root: Underwriting) -> None:
    name = drawn(root)
    other = a_fact("balance", 1, corrects="disbursed")
    assert refused(root, name, other) == "corrects_another_kind"
    assert refused(root, name, a_fact("withdrawn", corrects="none")) == "nothing_to_correct"


def test_a_claim_corrected_after_the_capital_was_stated_anew_leaves_that_as_stated(
    root: Underwriting,
) -> None:
    lending = with_fund(root, CAPITAL)
    name = drawn(root)
    report(root, name, a_fact("claim_paid", 8_000))
    with_fund(root, 500_000)
    report(root, name, a_fact("withdrawn", corrects="claim_paid"))
    body = lending.fund()
    assert (body["capital_left_yuan"], body["drawn_yuan"]) == (500_000, 40_000)
    statement = lending.statement(TODAY, TODAY)
    assert statement["movements"][-1]["zh"] == "更正报告"
    assert root.ledger.verify()[1] == []


# --- what the next decision knows -----------------------------------------------------------------


def test_nobody_who_never_borrowed_is_overdue(root: Underwriting) -> None:
    assert decided(root)[1] == Exposure(policy_loan_overdue=False)


def test_a_loan_drawn_counts_with_what_is_outstanding(root: Underwriting, clock: Clock) -> None:
    name, _ = decided(root)
    report(root, name, a_fact("disbursed", 100_000))
    clock.forward(days=61)  # an offer would have lapsed
    report(root, name, a_fact("balance", 30_000, on=clock.now.date()))
    _, exposure = decided(root, **later(1))
    assert (exposure.policy_loans, exposure.outstanding_yuan) == (1, 30_000)
    assert exposure.policy_loan_overdue is False


def test_a_loan_repaid_still_counts_as_one_of_three(root: Underwriting) -> None:
    name, _ = decided(root)
    report(root, name, a_fact("disbursed", 100_000), a_fact("repaid"))
    _, exposure = decided(root, **later(1))
    assert (exposure.policy_loans, exposure.outstanding_yuan) == (1, 0)


def test_arrears_on_an_earlier_loan_are_known_at_every_bank(root: Underwriting) -> None:
    name, _ = decided(root)
    report(root, name, a_fact("disbursed", 100_000), a_fact("days_past_due", days=1))
    recorded, _ = root.decide(an_application(), client="other")
    assert recorded.exposure.policy_loan_overdue is True


def test_a_preview_knows_the_same(root: Underwriting) -> None:
    name, _ = decided(root)
    report(root, name, a_fact("disbursed", 120_000))
    body = root.preview(an_application(loan__amount_yuan=130_000))
    assert body["offer"]["limit_yuan"] == 135_000  # 300,000 less 120,000 is above it
    assert "EXPOSURE_OWN_LEDGER" in [w["code"] for w in body["warnings"]]


# --- the fund -------------------------------------------------------------------------------------


def test_a_fund_that_nobody_stated_is_not_tested(root: Underwriting) -> None:
    decided(root)
    body = Lending(root).fund()
    assert (body["set"], body["capital_yuan"], body["caps"]) == (None, None, [])
    assert body["reserved_yuan"] == SHARE


def test_a_decision_knows_the_fund(root: Underwriting) -> None:
    with_fund(root, CAPITAL)
    decided(root, 1)
    _, exposure = decided(root, 2)
    assert exposure.fund == Fund(
        capital_yuan=CAPITAL, guaranteed_yuan=SHARE, applicant_guaranteed_yuan=0,
        compensation_rate_bp=0, related_guaranteed_yuan=0,
    )  # fmt: skip
    recorded, _ = root.decide(an_application(3), client="bank")
    assert "FUND_NOT_STATED" not in [w["code"] for w in recorded.decision["warnings"]]
    assert root.replay(recorded)["identical"]


def test_a_fund_that_is_full_refers_and_names_the_cap(root: Underwriting, clock: Clock) -> None:
    """480,000 x 10 carries a hundred shares of 48,000; the single-client cap is 48,000."""
    with_fund(root, 480_000)
    for number in range(1, 101):
        decided(root, number)
    full = root.decide(an_application(101), client="bank")[0].decision
    assert (full["outcome"], full["guarantee"]["tier"]) == ("refer", "GX")
    assert full["reasons"][0]["code"] == "F01"
    clock.forward(days=30)
    free = root.decide(an_application(102), client="bank")[0].decision
    assert (free["outcome"], free["guarantee"]["tier"]) == ("approve", "G1")


def test_one_client_is_not_guaranteed_beyond_the_cap(root: Underwriting) -> None:
    with_fund(root, 2 * 480_000 - 1)
    decided(root)
    body = root.decide(an_application(**later(1)), client="other")[0].decision
    assert body["reasons"][0]["code"] == "F02"


def test_a_referral_reserves_nothing(root: Underwriting) -> None:
    with_fund(root, CAPITAL)
    decided(root, applicant__village_code=QIFANG, credit_report=...)
    assert Lending(root).fund()["guaranteed_yuan"] == 0


def test_claims_draw_the_capital_and_raise_the_rate(root: Underwriting) -> None:
    with_fund(root, CAPITAL)
    for number in (1, 2):
        report(root, decided(root, number)[0], a_fact("disbursed", 120_000))
    report(root, "EXAMPLE-20261123-credit_loan-000001", a_fact("claim_paid", 40_000))
    body = Lending(root).fund()
    assert (body["capital_left_yuan"], body["drawn_yuan"]) == (960_000, 2 * SHARE - 40_000)
    assert body["compensation_rate_bp"] == 4167  # 40,000 of 96,000, rounded up
    assert not body["caps"][0]["within_compensation_rate"]
    assert root.decide(an_application(3), client="bank")[0].decision["reasons"][0]["code"] == "F03"


def test_a_capital_stated_anew_begins_a_new_count(root: Underwriting) -> None:
    lending = with_fund(root, CAPITAL)
    report(root, decided(root)[0], a_fact("disbursed", 120_000), a_fact("claim_paid", 8_000))
    with_fund(root, 500_000)
    body = lending.fund()
    assert (body["capital_left_yuan"], body["compensation_rate_bp"]) == (500_000, 0)
    assert body["drawn_yuan"] == 40_000


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({"business__uscc": invented_uscc(9)}, {"business__uscc": invented_uscc(9)},
                     id="one firm"),
        pytest.param({"applicant__related_parties": [invented_id_number(2)]}, {},
                     id="the first named the second"),
        pytest.param({}, {"applicant__related_parties": [invented_id_number(1)]},
                     id="the second names the first"),
        pytest.param({"applicant__related_parties": [invented_id_number(5)]},
                     {"applicant__related_parties": [invented_id_number(5)]},
                     id="both name a third"),
    ],
)  # fmt: skip
def test_who_shares_a_party_is_related(
    root: Underwriting, first: dict[str, Any], second: dict[str, Any]
) -> None:
    with_fund(root, CAPITAL)
    decided(root, 1, **first)
    for exposure in (decided(root, 2, **second)[1], decided(root, 2, **second, **later(2))[1]):
        assert exposure.fund is not None
        assert exposure.fund.related_guaranteed_yuan == SHARE


def test_related_parties_together_are_not_guaranteed_beyond_their_cap(
    tmp_path: Path, clock: Clock
) -> None:
    """10 % of 480,000 are just one share of 48,000; 15 % are not two."""
    models = small_models(tmp_path)
    publish_caps(models, tmp_path, related_percent=15)
    root = small_underwriting(tmp_path, models=models, clock=clock)
    lending = with_fund(root, 480_000)
    decided(root, 1)
    kin = an_application(2, applicant__related_parties=[invented_id_number(1)])
    for body in (root.preview(kin), root.decide(kin, client="bank")[0].decision):
        assert (body["outcome"], body["reasons"][0]["code"]) == ("refer", "F04")
    assert root.preview(an_application(3))["outcome"] == "approve"
    assert lending.fund()["caps"][0]["related_yuan"] == 72_000


def test_strangers_are_not_related(root: Underwriting) -> None:
    with_fund(root, CAPITAL)
    decided(root, 1)
    _, exposure = decided(root, 2)
    assert exposure.fund is not None
    assert exposure.fund.related_guaranteed_yuan == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"capital_yuan": -1},
        {"reference": " "},
        {"approver": ""},
        {"on": TODAY + timedelta(days=1)},
    ],
)
def test_a_capital_that_nobody_can_check_is_refused(
    root: Underwriting, changes: dict[str, Any]
) -> None:
    given = {"capital_yuan": 1, "reference": "r", "approver": "a", "on": TODAY, **changes}
    with pytest.raises(SetupRefused):
        Lending(root).set_fund(**given)
    assert root.ledger.verify() == (0, [])


def test_a_statement_adds_up_from_opening_to_closing(root: Underwriting, clock: Clock) -> None:
    lending = with_fund(root, CAPITAL)
    names = [decided(root, number)[0] for number in (1, 2, 3)]
    clock.forward(days=1)
    report(root, names[0], a_fact("disbursed", 100_000), a_fact("claim_paid", 1_000))
    report(root, names[1], a_fact("disbursed", 120_000))
    clock.forward(days=9)
    report(root, names[1], a_fact("balance", 60_000, on=clock.now.date()),
           a_fact("repaid", on=clock.now.date()))  # fmt: skip
    clock.forward(days=40)

    whole = lending.statement(TODAY, clock.now.date())
    assert [line["kind"] for line in whole["movements"]] == [
        "set", "reserved", "reserved", "reserved", "drawn", "claim", "drawn", "released",
        "released", "lapsed",
    ]  # fmt: skip
    assert whole["movements"][-1]["zh"] == "到期未放款释放"
    assert whole["movements"][-1]["at"] == "2026-12-23T12:00:00.000+08:00"
    assert whole["closing"]["capital_left_yuan"] == CAPITAL - 1_000
    assert whole["closing"]["guaranteed_yuan"] == lending.fund()["guaranteed_yuan"] == 39_000
    later_on = lending.statement(TODAY + timedelta(days=5), clock.now.date())
    assert [line["kind"] for line in later_on["movements"]] == ["released", "released", "lapsed"]
    for found in (whole, later_on):
        for total, change in (
            ("capital_left_yuan", "capital_yuan"), ("reserved_yuan", "reserved_yuan"),
            ("drawn_yuan", "drawn_yuan"),
        ):  # fmt: skip
            moved = sum(line[change] for line in found["movements"])
            assert found["opening"][total] + moved == found["closing"][total]


def test_a_statement_that_ends_before_it_begins_is_refused(root: Underwriting) -> None:
    with pytest.raises(SetupRefused, match="--from"):
        Lending(root).statement(TODAY, TODAY - timedelta(days=1))


# --- the projection follows from the entries ------------------------------------------------------


def some_history(root: Underwriting, clock: Clock) -> None:
    with_fund(root, CAPITAL)
    names = [decided(root, number)[0] for number in (1, 2, 3)]
    report(root, names[0], a_fact("disbursed", 100_000), a_fact("claim_paid", 1_000))
    clock.forward(days=31)
    decided(root, 4, applicant__related_parties=[invented_id_number(1)])


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE commitment SET fund_yuan = fund_yuan - 1 WHERE sequence = 2", "its loan"),
        ("UPDATE commitment SET state = 'reserved' WHERE sequence = 3", "its loan"),
        ("UPDATE commitment SET overdue = 0", "its loan"),
        ("DELETE FROM commitment WHERE sequence = 2", "its loan"),
        ("INSERT INTO commitment SELECT 99, client, 'x', decision_id, subject_ref, offered_yuan,"
         " fund_percent, lapses_at, state, outstanding_yuan, fund_yuan, drawn_yuan, drawn_on,"
         " balance_on, claims_yuan, most_days_past_due, overdue FROM commitment LIMIT 1",
         "its loan"),
        ("UPDATE fund_account SET capital_yuan = capital_yuan + 1", "account"),
        ("UPDATE fund_account SET reserved_yuan = 0", "account"),
        ("UPDATE fund_account SET claims_yuan = 0", "account"),
        ("DELETE FROM fund_account", "account"),
        ("DELETE FROM related WHERE subject_ref = (SELECT subject_ref FROM entry WHERE sequence=7)",
         "related"),
    ],
)  # fmt: skip
def test_a_projection_that_somebody_changed_is_found(
    root: Underwriting, clock: Clock, tmp_path: Path, statement: str, says: str
) -> None:
    some_history(root, clock)
    assert root.ledger.verify() == (7, [])
    before = contents(tmp_path)
    databases.sql(tmp_path / "home", statement)
    assert contents(tmp_path) != before
    _, problems = root.ledger.verify()
    assert problems
    assert all(says in problem.what and problem.follows for problem in problems)
    assert root.ledger.rebuild() == 7
    assert root.ledger.verify() == (7, [])


def test_nothing_is_worked_out_anew_from_entries_that_are_not_whole(
    root: Underwriting, clock: Clock, tmp_path: Path
) -> None:
    some_history(root, clock)
    databases.sql(tmp_path / "home", "DELETE FROM payload WHERE sequence = 2")
    before = contents(tmp_path)
    with pytest.raises(LedgerDamaged):
        root.ledger.rebuild()
    assert contents(tmp_path) == before


def test_an_older_ledger_is_filled_from_its_entries(
    root: Underwriting, clock: Clock, tmp_path: Path
) -> None:
    """As 0001 left it: entries, and none of the tables that follow from them."""
    some_history(root, clock)
    before = contents(tmp_path)
    assert len(before) > 8
    as_0001_left_it(root)
    with pytest.raises(SetupRefused, match="loansvc ledger upgrade"):
        reopened(tmp_path, create=False)
    upgraded = reopened(tmp_path, create=True)
    assert contents(tmp_path) == before
    assert upgraded.verify() == (7, [])


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM payload WHERE sequence = 3",
        "UPDATE payload SET sealed = x'01' WHERE sequence = 3",
        "DELETE FROM subject_key",
    ],
)
def test_an_older_ledger_that_is_damaged_stays_as_it_is(
    root: Underwriting, clock: Clock, tmp_path: Path, statement: str
) -> None:
    some_history(root, clock)
    as_0001_left_it(root)
    databases.sql(tmp_path / "home", statement)
    with pytest.raises(SetupRefused, match="not upgraded"):
        reopened(tmp_path, create=True)
    assert databases.sql(tmp_path / "home", "SELECT * FROM alembic_version") == [("0001",)]


def as_0001_left_it(root: Underwriting) -> None:
    with root.ledger.transaction() as connection:
        stores.downgrade(connection, "0001")
    root.ledger._engine.dispose()


def reopened(tmp_path: Path, *, create: bool) -> Ledger:
    home = tmp_path / "home"
    return Ledger.open(databases.url_of(home), home=home, create=create)


def contents(tmp_path: Path) -> list[Any]:
    return [
        row
        for table in ("commitment", "fund_account", "related")
        for row in sorted(databases.sql(tmp_path / "home", f"SELECT * FROM {table}"))
    ]


def test_the_tables_are_those_that_the_queries_know(root: Underwriting) -> None:
    """Migrations and `tables.py` say the same."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from loansvc.ledger.tables import metadata

    with root.ledger.snapshot() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_projection_names_nobody(root: Underwriting, tmp_path: Path) -> None:
    with_fund(root, CAPITAL)
    decided(root, applicant__related_parties=[invented_id_number(2)])
    data = [repr(databases.everything(tmp_path / "home")).encode()]
    data += [path.read_bytes() for path in (tmp_path / "home").iterdir()]
    for held in data:
        for party in (invented_id_number(1), invented_id_number(2), invented_uscc(1)):
            assert party.encode() not in held
