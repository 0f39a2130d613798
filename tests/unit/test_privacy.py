"""A person is erased, and everything that does not need the person goes on as before."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from loansvc.cli.reporting import measure
from loansvc.errors import (
    Erased,
    ErasureRefused,
    InvalidErasure,
    LedgerUnavailable,
    NotFound,
    SetupRefused,
)
from loansvc.ledger import Ledger, erasure
from loansvc.ledger.commitments import Fact
from loansvc.ledger.retention import RULES
from loansvc.lending import Lending
from loansvc.monitoring.reading import decided_between, erased_between, last_decided, n_decided
from loansvc.monitoring.report import Report
from loansvc.monitoring.report import report as report_on
from loansvc.privacy import Privacy
from loansvc.registry import Registry
from loansvc.underwriting import Underwriting
from tests import databases
from tests.databases import over_both
from tests.small import NOON, TODAY, WANGTAN, Clock, a_fact, an_application, with_fund

CAPITAL = 1_000_000
WHY = {"reason": "withdrawn", "reference": "E-1", "by": "bank", "approver": "officer"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(home: Path, models: Path, clock: Clock) -> Underwriting:
    ledger = Ledger.open(databases.url_of(home), home=home, create=True)
    root = Underwriting(Registry.open(models), ledger, clock=clock)
    root.erase_again()
    return root


@pytest.fixture
def root(tmp_path: Path, models: Path, clock: Clock) -> Underwriting:
    return opened(tmp_path / "home", models, clock)


def id_of(number: int) -> str:
    return an_application(number).applicant.id_number


def decided(root: Underwriting, number: int = 1, *, client: str = "bank", **changes: Any) -> str:
    recorded, _ = root.decide(an_application(number, **changes), client=client)
    return recorded.entry.application_id


def decided_today(root: Underwriting, number: int, *, person: int) -> None:
    plain = an_application(number)
    applicant = replace(plain.applicant, id_number=id_of(person))
    application = replace(plain, applied_on=root.today(), applicant=applicant)
    root.decide(application, client="bank")


def report(root: Underwriting, name: str, *facts: Fact, client: str = "bank") -> None:
    for fact in facts:
        Lending(root).record(name, fact, client=client)


def rows(home: Path, table: str) -> list[Any]:
    return databases.sql(home, f"SELECT * FROM {table}")


# --- erased ---------------------------------------------------------------------------------------


@over_both
def test_nothing_of_an_erased_person_is_told_any_more(root: Underwriting) -> None:
    name = decided(root)
    answer = Privacy(root).erase(id_of(1), **WHY)
    assert (answer["decisions"], answer["outcomes"], answer["offers_lapsed"]) == (1, 0, 1)
    with pytest.raises(Erased):
        root.find(name, client="bank")
    with pytest.raises(Erased):
        root.decide(an_application(1), client="bank")
    with pytest.raises(Erased):
        Lending(root).outcomes(name, client="bank")
    with pytest.raises(Erased):
        Lending(root).record(name, a_fact("disbursed", 1), client="bank")
    assert root.page(client="bank", limit=10) == ([], None)
    assert root.ledger.verify() == (2, [])


@over_both
def test_a_person_is_erased_at_every_client(root: Underwriting) -> None:
    one = decided(root)
    other = decided(root, client="other")
    decided(root, 2)
    assert Privacy(root).erase(id_of(1), **WHY)["decisions"] == 2
    for name, client in ((one, "bank"), (other, "other")):
        with pytest.raises(Erased):
            root.find(name, client=client)
    [left], _ = root.page(client="bank", limit=10)
    assert left.application.applicant.id_number == id_of(2)


@over_both
def test_rows_that_follow_from_a_person_go(root: Underwriting, tmp_path: Path) -> None:
    decided(root)
    decided(root, 2)
    counts = {t: len(rows(tmp_path / "home", t)) for t in ("commitment", "related")}
    Privacy(root).erase(id_of(1), **WHY)
    left = {t: len(rows(tmp_path / "home", t)) for t in ("commitment", "related")}
    assert {t: 2 * n for t, n in left.items()} == counts
    institution = 1
    assert len(rows(tmp_path / "home", "subject")) == 1 + institution
    assert len(rows(tmp_path / "home", "subject_key")) == 1 + institution


@over_both
def test_the_funds_account_stays_as_it_was_but_for_the_open_offer(
    root: Underwriting, clock: Clock
) -> None:
    lending = with_fund(root, CAPITAL)
    over, _ = decided(root, 1), decided(root, 2)
    report(root, over, a_fact("disbursed", 100_000), a_fact("claim_paid", 5_000),
           a_fact("repaid"))  # fmt: skip
    Privacy(root).erase(id_of(1), **WHY)
    after_over = lending.fund()
    assert (after_over["claims_paid_yuan"], after_over["reserved_yuan"]) == (5_000, 48_000)
    Privacy(root).erase(id_of(2), **{**WHY, "reference": "E-2"})
    assert lending.fund()["reserved_yuan"] == 0
    statement = lending.statement(TODAY, TODAY)
    assert [line["kind"] for line in statement["movements"]] == [
        "set", "reserved", "reserved", "drawn", "claim", "released", "lapsed",
    ]  # fmt: skip
    assert root.ledger.verify() == (8, [])
    before = lending.fund()
    root.ledger.rebuild()
    assert lending.fund() == before
    assert root.ledger.verify()[1] == []


@over_both
def test_what_was_corrected_stays_corrected_of_a_person_who_was_erased(root: Underwriting) -> None:
    """References are gone with the person; which report took whose place is not."""
    lending = with_fund(root, CAPITAL)
    name = decided(root, 1)
    report(root, name, a_fact("disbursed", 100_000), a_fact("claim_paid", 5_000),
           a_fact("claim_paid", 3_000, reference="C-2", corrects="claim_paid"),
           a_fact("written_off"), a_fact("withdrawn", corrects="written_off"),
           a_fact("repaid"))  # fmt: skip
    before = lending.fund()
    Privacy(root).erase(id_of(1), **WHY)
    assert root.ledger.verify()[1] == []
    root.ledger.rebuild()
    after = lending.fund()
    assert after["claims_paid_yuan"] == before["claims_paid_yuan"] == 3_000
    assert root.ledger.verify()[1] == []


@pytest.mark.parametrize("last", [(), (("written_off", None),)])
def test_a_loan_that_is_not_over_keeps_its_record(
    root: Underwriting, last: tuple[tuple[str, None], ...]
) -> None:
    name = decided(root)
    report(root, name, a_fact("disbursed", 100_000), *(a_fact(kind) for kind, _ in last))
    with pytest.raises(ErasureRefused) as refused:
        Privacy(root).erase(id_of(1), **WHY)
    assert (refused.value.status, refused.value.code) == (409, "loan_outstanding")
    assert root.find(name, client="bank").application.applicant.id_number == id_of(1)


@over_both
def test_again_and_of_nobody_known_the_answer_is_an_answer(root: Underwriting) -> None:
    decided(root)
    first = Privacy(root).erase(id_of(1), **WHY)
    assert Privacy(root).erase(id_of(1), **WHY) == first
    nobody = Privacy(root).erase(id_of(3), **{**WHY, "reference": "E-3"})
    assert nobody["erasure_id"] is nobody["ledger"] is None
    assert (nobody["decisions"], nobody["reference"]) == (0, "E-3")
    assert root.ledger.verify() == (2, [])


@over_both
def test_afterwards_the_same_person_is_a_new_one(root: Underwriting) -> None:
    name = decided(root)
    ref = root.find(name, client="bank").entry.subject_ref
    Privacy(root).erase(id_of(1), **WHY)
    again = decided(root, application_id="NEW-1")
    recorded = root.find(again, client="bank")
    assert recorded.entry.subject_ref != ref
    assert recorded.exposure.policy_loans == 0
    assert Privacy(root).erase(id_of(1), **{**WHY, "reference": "E-2"})["decisions"] == 1
    assert root.ledger.verify()[1] == []


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"id_number": "340521199003072315"}, "/id_number", "id_number_checksum"),
        ({"reference": " "}, "/reference", "wrong_form"),
        ({"approver": "户主 340521197501010179"}, "/approver", "personal_number"),
        ({"approver": "bank"}, "/approver", "same_person"),
        ({"approver": "Ｂank"}, "/approver", "same_person"),
    ],
)
def test_a_field_of_an_erasure_that_is_wrong_is_named(
    root: Underwriting, changes: dict[str, str], pointer: str, code: str
) -> None:
    with pytest.raises(InvalidErasure) as refused:
        Privacy(root).erase(**{"id_number": id_of(1), **WHY, **changes})
    assert [(e.pointer, e.code) for e in refused.value.errors] == [(pointer, code)]


@over_both
def test_a_key_lost_without_an_erasure_is_still_found(root: Underwriting, tmp_path: Path) -> None:
    decided(root)
    databases.sql(tmp_path / "home", "DELETE FROM subject_key")
    [problem] = root.ledger.verify()[1]
    assert "key of its payload" in problem.what


@over_both
@pytest.mark.parametrize("opens", [True, False])
def test_an_erasure_whose_key_is_there_again_is_found(
    root: Underwriting, tmp_path: Path, opens: bool
) -> None:
    """Also a row in its place that opens nothing: an erasure leaves none."""
    decided(root)
    [(ref, version, wrapped)] = rows(tmp_path / "home", "subject_key")
    Privacy(root).erase(id_of(1), **WHY)
    key = wrapped if opens else b"nothing"
    row = f"'{ref}', {version}, x'{bytes(key).hex()}'"
    databases.sql(tmp_path / "home", f"INSERT INTO subject_key VALUES ({row})")
    [problem] = root.ledger.verify()[1]
    assert (problem.sequence, problem.what) == (2, "the key that it destroyed is there again")


def test_an_erasure_holds_no_text_that_anybody_wrote(root: Underwriting) -> None:
    """What remains of a person is amounts, kinds and days, and nothing else."""
    name = decided(root)
    report(root, name, a_fact("disbursed", 100_000, reference="by Mr Wang"), a_fact("repaid"))
    Privacy(root).erase(id_of(1), **WHY)
    with root.ledger.reading() as ledger:
        [(entry, said)] = ledger.erasures()
    assert said["remains"] == {
        "1": {"decision": {"offer": {"amount_yuan": 120_000},
                           "guarantee": {"shares_percent": {"bank": 20, "local_guarantor": 40}}}},
        "2": {"outcome": {"reference": "", "kind": "disbursed", "on": TODAY.isoformat(),
                          "amount_yuan": 100_000}},
        "3": {"outcome": {"reference": "", "kind": "repaid", "on": TODAY.isoformat()}},
    }  # fmt: skip
    assert (said["reason"], said["reference"], said["approver"]) == ("withdrawn", "E-1", "officer")
    assert (entry.kind, entry.client, entry.outcome) == ("erasure", "", "withdrawn")


# --- the list beside the database -----------------------------------------------------------------


@over_both
def test_an_older_copy_put_back_does_not_bring_a_person_back(
    tmp_path: Path, models: Path, clock: Clock
) -> None:
    home = tmp_path / "home"
    root = opened(home, models, clock)
    with_fund(root, CAPITAL)
    name = decided(root)
    report(root, name, a_fact("disbursed", 100_000))
    root.ledger.close()
    put_back = databases.kept(home)  # the loan is still drawn in this copy
    report(root, name, a_fact("repaid"))
    first = Privacy(root).erase(id_of(1), **WHY)
    root.ledger.close()
    put_back()

    again = opened(home, models, clock)
    with pytest.raises(Erased):
        again.find(name, client="bank")
    with again.ledger.reading() as ledger:
        [(entry, said)] = ledger.erasures()
    assert (entry.outcome, said["reference"]) == ("reapplied", first["erasure_id"])
    assert again.ledger.verify()[1] == []
    assert Lending(again).fund()["guaranteed_yuan"] == 0
    assert opened(home, models, clock).ledger.verify()[0] == entry.sequence  # once


@over_both
def test_a_person_entered_after_the_older_copy_stays_away(
    tmp_path: Path, models: Path, clock: Clock
) -> None:
    home = tmp_path / "home"
    root = opened(home, models, clock)
    root.ledger.close()
    put_back = databases.kept(home)
    decided(root)
    Privacy(root).erase(id_of(1), **WHY)
    root.ledger.close()
    put_back()
    assert opened(home, models, clock).ledger.verify() == (0, [])


@over_both
def test_a_list_that_misses_an_erasure_is_completed(
    tmp_path: Path, models: Path, clock: Clock
) -> None:
    """As after a crash between the commit and the line."""
    home = tmp_path / "home"
    root = opened(home, models, clock)
    decided(root)
    Privacy(root).erase(id_of(1), **WHY)
    line = (home / "erasures").read_text()
    (home / "erasures").write_text(line[:20])  # cut off in the middle
    opened(home, models, clock)
    assert (home / "erasures").read_text() == line[:20] + "\n" + line
    assert opened(home, models, clock).erase_again() == 0


def test_a_line_says_nothing_of_the_person(root: Underwriting, tmp_path: Path) -> None:
    decided(root)
    answer = Privacy(root).erase(id_of(1), **WHY)
    path = tmp_path / "home" / "erasures"
    line = json.loads(path.read_text())
    assert line.keys() == {"subject", "entry", "at"}
    assert line["entry"] == answer["erasure_id"]
    assert path.stat().st_mode & 0o777 == 0o600


@over_both
def test_an_erasure_that_is_not_on_the_list_is_not_answered(
    root: Underwriting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full for the list: ask again, and the answer is that of the first time."""
    decided(root)

    def full(*_: Any) -> None:
        raise OSError(28, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(f"{erasure.__name__}.os.fsync", full)
        with pytest.raises(LedgerUnavailable):
            Privacy(root).erase(id_of(1), **WHY)
    answer = Privacy(root).erase(id_of(1), **WHY)
    assert answer["decisions"] == 1
    assert answer["erasure_id"] in (root.ledger.home / "erasures").read_text()


def test_a_list_that_is_not_what_was_written_stops_the_start(
    tmp_path: Path, models: Path, clock: Clock
) -> None:
    home = tmp_path / "home"
    opened(home, models, clock)
    (home / "erasures").write_text("nothing to see\n")
    with pytest.raises(SetupRefused, match="line 1"):
        opened(home, models, clock)


# --- export ---------------------------------------------------------------------------------------


@over_both
def test_an_export_holds_everything_of_one_person_and_nothing_of_another(
    root: Underwriting,
) -> None:
    name = decided(root)
    decided(root, 1, client="other")
    decided(root, 2)
    report(root, name, a_fact("disbursed", 100_000))
    found = Privacy(root).export(id_of(1), by="shell")
    assert [(r["kind"], r["client"]) for r in found["records"]] == [
        ("decision", "bank"), ("decision", "other"), ("outcome", "bank"),
    ]  # fmt: skip
    assert found["records"][0]["recorded"]["application"]["applicant"]["id_number"] == id_of(1)
    assert found["records"][0]["explanation"]["rules"][0]["zh"]
    assert [loan["state"] for loan in found["loans"]] == ["drawn", "reserved"]
    assert id_of(2) not in json.dumps(found)
    assert root.ledger.verify() == (5, [])  # that it was given is an entry


def test_nobody_known_is_not_exported(root: Underwriting) -> None:
    with pytest.raises(NotFound):
        Privacy(root).export(id_of(9), by="shell")


# --- retention ------------------------------------------------------------------------------------


def due(root: Underwriting) -> dict[str, int]:
    body = Privacy(root).retention()
    return {c["class"]: c["records_due"] for c in body["classes"] if c["records_due"]}


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        pytest.param("2029-12-22", {}, id="a day before"),
        pytest.param("2029-12-23", {"not_drawn": 1}, id="three years after the offer lapsed"),
    ],
)
@over_both
def test_an_offer_never_drawn_is_due_after_three_years(
    root: Underwriting, clock: Clock, day: str, expected: dict[str, int]
) -> None:
    decided(root)
    clock.on(day)
    assert due(root) == expected


@pytest.mark.parametrize(
    ("overdue", "expected"), [(False, {"loan_over": 1}), (True, {"negative": 1})]
)
@over_both
def test_a_loan_is_due_five_years_after_its_end(
    root: Underwriting, clock: Clock, overdue: bool, expected: dict[str, int]
) -> None:
    name = decided(root)
    report(root, name, a_fact("disbursed", 100_000))
    if overdue:
        report(root, name, a_fact("days_past_due", days=31))
    clock.on("2027-02-28")
    report(root, name, a_fact("repaid", on=date(2027, 2, 28)))
    clock.on("2032-02-27")
    assert due(root) == {}
    clock.on("2032-02-28")
    assert due(root) == expected
    assert Privacy(root).apply_retention(by="shell") == 1
    assert due(root) == {}


def test_a_loan_that_is_not_over_is_never_due(root: Underwriting, clock: Clock) -> None:
    report(root, decided(root), a_fact("disbursed", 100_000))
    clock.on("2090-01-01")
    assert due(root) == {}


@over_both
def test_a_record_that_is_due_waits_for_the_persons_others(
    root: Underwriting, clock: Clock
) -> None:
    decided(root, loan__purpose="securities")
    clock.now = NOON + timedelta(days=3 * 365 + 1)
    decided_today(root, 7, person=1)
    body = Privacy(root).retention()
    assert (body["people_due"], body["records_waiting"]) == (0, 1)
    assert Privacy(root).apply_retention(by="shell") == 0


@over_both
def test_retention_erases_whom_it_lists_and_notes_it(root: Underwriting, clock: Clock) -> None:
    for number in (1, 2, 3):
        decided(root, number, loan__purpose="securities")
    clock.on("2029-12-01")
    decided_today(root, 4, person=4)
    privacy = Privacy(root)
    assert privacy.retention()["people_due"] == 3
    assert privacy.apply_retention(by="shell") == 3
    assert privacy.apply_retention(by="shell") == 0
    n_entries, problems = root.ledger.verify()
    assert (n_entries, problems) == (4 + 3 + 1, [])
    assert root.page(client="bank", limit=9)[0][0].application.applicant.id_number == id_of(4)


def test_the_page_says_the_rules_that_hold() -> None:
    text = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text("utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", text, re.MULTILINE))
    assert told == {rule.name: str(rule.years) for rule in RULES.values()}


def test_every_rule_names_its_source_and_grade() -> None:
    assert all(rule.source and rule.grade in "ABCME" for rule in RULES.values())
    assert RULES["negative"].years == 5


# --- figures --------------------------------------------------------------------------------------


@over_both
def test_a_report_counts_who_was_erased_as_far_as_it_can(root: Underwriting) -> None:
    for number in (1, 2, 3):
        decided(root, number)
    decided(root, 4, loan__purpose="securities")

    def reported() -> Report:
        return report_on(
            decided_between(root, TODAY, TODAY), root.registry, since=TODAY, until=TODAY,
            erased=erased_between(root, TODAY.isoformat(), TODAY.isoformat()),
        )  # fmt: skip

    before = reported().total
    for number in (1, 4):
        Privacy(root).erase(id_of(number), **{**WHY, "reference": f"E-{number}"})
    found = reported()
    same = ("applications", "approved", "declined", "approved_yuan", "guaranteed_yuan",
            "local_guarantor_yuan")  # fmt: skip
    assert [getattr(found.total, n) for n in same] == [getattr(before, n) for n in same]
    assert found.total.asked_yuan == before.asked_yuan // 2
    assert [(c.code, c.decisions) for c in found.cautions] == [("ERASED", 2)]
    villages = next(table for table in found.tables if table.name == "village")
    assert {row.key: (row.figures.applications, row.hidden) for row in villages.rows} == {
        WANGTAN: (2, True), "erased": (2, True),
    }  # fmt: skip


@over_both
def test_a_replay_an_impact_and_a_history_bear_the_erased(root: Underwriting) -> None:
    for number in (1, 2):
        decided(root, number)
    Privacy(root).erase(id_of(1), **WHY)
    assert [r.application for r in last_decided(root, "credit_loan", 9)] == [an_application(2)]
    assert n_decided(root, "credit_loan", most=9) == 1
    current = root.registry.in_force("credit_loan", TODAY).policy
    found, _ = measure(root, current)
    assert (found.n, found.n_erased) == (1, 1)
