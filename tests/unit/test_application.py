"""Characteristics are read from an application by one function each, integers and words alone."""

from datetime import date

import pytest

from loansvc.application import (
    CATALOGUE,
    MODEL_CHARACTERISTICS,
    Credential,
    characteristics,
    from_record,
    groups,
    primary_group,
    talent_tier,
    to_record,
)
from loansvc.identifiers import id_check_character
from tests.small import TODAY, a_document, an_application


def credential(kind: str, issued_on: str = "2026-01-01", **more: str) -> dict[str, str]:
    return {"kind": kind, "issuer": "hrss", "number": "1", "issued_on": issued_on, **more}


def test_the_record_form_gives_the_same_application_back() -> None:
    for application in (
        an_application(),
        an_application(credit_report=..., business=..., credentials=...),
    ):
        assert from_record(to_record(application)) == application


def test_every_characteristic_of_the_contract_example_is_derived() -> None:
    """Worked out by hand from the document."""
    values = characteristics(an_application())
    assert {name: values[name] for name in MODEL_CHARACTERISTICS} == {
        "primary_group": "returning_migrant", "entity": "family_farm",
        "purpose": "working_capital", "education": "technical_college", "household_grade": "AA",
        "household_income_12m_yuan": 96_000, "household_debt_service_percent": 15,
        "dependants": 2, "training_certificates": 1, "craftsman_level": 1,
        "contest_award_level": 0, "park_months": 0, "business_age_months": 55, "employees": 3,
        "revenue_12m_yuan": 310_000, "online_revenue_percent": 29,
        "social_insurance_months_24m": 20, "max_days_past_due_24m": 0, "active_loans": 1,
        "unsecured_outstanding_yuan": 10_000, "enquiries_6m": 2, "months_since_first_credit": 61,
        "card_utilisation_percent": 35, "guarantees_given_yuan": 0, "loan_to_revenue_percent": 38,
        "term_months": 24,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("scope", "hidden", "kept"),
    [
        ("credit_report", "max_days_past_due_24m", "revenue_12m_yuan"),
        ("income", "revenue_12m_yuan", "training_certificates"),
        ("public_records", "primary_group", "max_days_past_due_24m"),
    ],
)
def test_without_consent_an_input_is_not_known(scope: str, hidden: str, kept: str) -> None:
    """What was sent does not count, whatever it says."""
    scopes = a_document()["consent"]["scopes"]
    scopes.remove(scope)
    values = characteristics(an_application(consent__scopes=scopes))
    assert values[hidden] is None
    assert values[kept] is not None


def test_no_credentials_is_knowing_that_there_are_none() -> None:
    values = characteristics(an_application(credentials=[]))
    assert values["primary_group"] == "none"
    assert values["training_certificates"] == 0


def test_no_credit_report_is_not_known_rather_than_clean() -> None:
    values = characteristics(an_application(credit_report=...))
    assert values["max_days_past_due_24m"] is None


@pytest.mark.parametrize(
    ("on", "valid"),
    [
        pytest.param(date(2026, 1, 1), True, id="the first day counts"),
        pytest.param(date(2025, 12, 31), False, id="the day before"),
        pytest.param(date(2026, 6, 30), True, id="the last day counts"),
        pytest.param(date(2026, 7, 1), False, id="the day after"),
    ],
)
def test_a_credential_holds_from_its_first_to_its_last_day(on: date, *, valid: bool) -> None:
    held = Credential(
        kind="graduate", issuer="hrss", number="1", issued_on=date(2026, 1, 1),
        expires_on=date(2026, 6, 30),
    )  # fmt: skip
    assert held.valid_on(on) is valid


def test_an_expired_credential_makes_nobody_a_member() -> None:
    expired = credential("veteran", expires_on="2026-11-22")
    assert groups(an_application(credentials=[expired])) == ()


def test_one_group_enters_the_scorecard_in_a_stated_order() -> None:
    both = [credential("graduate"), credential("veteran"), credential("online_merchant")]
    application = an_application(credentials=both)
    assert primary_group(application) == "veteran"
    assert groups(application) == ("graduate", "veteran", "online_merchant")


@pytest.mark.parametrize(
    ("held", "tier"),
    [
        pytest.param([credential("talent_plan", level="national")], "T1", id="national plan"),
        pytest.param([credential("talent_plan", level="province")], "T1", id="province plan"),
        pytest.param([credential("talent_plan", level="prefecture")], "T2", id="prefecture plan"),
        pytest.param([credential("craftsman_title")], "T3", id="county craftsman"),
        pytest.param([credential("contest_award")], "T3", id="contest award"),
        pytest.param([credential("graduate", "2021-11-23")], "T4", id="graduate of five years"),
        pytest.param([credential("graduate", "2021-10-22")], "none", id="five years and a month"),
        pytest.param([credential("veteran"), credential("training_certificate")], "T5",
                     id="veteran with a training certificate"),
        pytest.param([credential("training_certificate")], "none", id="a certificate alone"),
        pytest.param([], "none", id="nothing"),
    ],
)  # fmt: skip
def test_talent_tiers_come_from_credentials(held: list[dict[str, str]], tier: str) -> None:
    assert talent_tier(an_application(credentials=held)) == tier


def test_park_months_count_full_months_of_the_longest_stay() -> None:
    stays = [credential("park_resident", "2026-10-24"), credential("park_resident", "2025-11-23")]
    assert characteristics(an_application(credentials=stays))["park_months"] == 12


@pytest.mark.parametrize(
    ("debt", "income", "percent"),
    [(0, 0, 0), (1, 0, 500), (55, 100, 55), (559, 1000, 55), (549, 1000, 54), (10**9, 1, 500)],
)
def test_ratios_are_whole_percent_rounded_down_with_a_ceiling(
    debt: int, income: int, percent: int
) -> None:
    application = an_application(
        applicant__household_debt_service_12m_yuan=debt, applicant__household_income_12m_yuan=income
    )
    assert characteristics(application)["household_debt_service_percent"] == percent


def test_the_catalogue_describes_every_row_in_full() -> None:
    for row in CATALOGUE.values():
        assert row.zh, row.name
        assert row.en, row.name
        assert row.direction in (-1, 0, 1)
        assert row.use in ("model", "policy", "both", "none")
        assert row.scope in (None, "credit_report", "income", "public_records")
        assert row.words or row.use == "none" or (row.low is not None and row.high is not None)


def test_at_least_twenty_characteristics_may_enter_a_scorecard() -> None:
    assert len(MODEL_CHARACTERISTICS) == 26


def test_nothing_derived_from_the_id_number_may_enter_a_scorecard() -> None:
    """Age is for the policy alone; sex is for nothing."""
    from_id = [row for row in CATALOGUE.values() if "id_number" in row.source]
    assert {row.name: row.use for row in from_id} == {
        "age_years": "policy", "age_at_maturity_years": "policy", "sex": "none",
    }  # fmt: skip
    assert "sex" not in characteristics(an_application())


@pytest.mark.parametrize(
    ("term_months", "years"),
    [
        pytest.param(1, 64, id="turned 64 by then"),
        pytest.param(24, 65, id="due the day before turning 66"),
        pytest.param(25, 66, id="a month later"),
    ],
)
def test_age_at_maturity_is_the_age_on_the_day_it_falls_due(term_months: int, years: int) -> None:
    """Born 1962-11-24, applied 2026-11-23: 63, and 64 tomorrow."""
    digits = "34052119621124001"
    application = an_application(
        applicant__id_number=digits + id_check_character(digits), loan__term_months=term_months
    )
    assert characteristics(application)["age_years"] == 63
    assert characteristics(application)["age_at_maturity_years"] == years


def test_the_same_certificate_sent_twice_counts_once() -> None:
    twice = [credential("training_certificate")] * 2
    assert characteristics(an_application(credentials=twice))["training_certificates"] == 1


def test_age_counts_birthdays() -> None:
    document_day = an_application(number=0).applicant.id_number[6:14]
    assert document_day == "19750101"
    assert characteristics(an_application(number=0))["age_years"] == TODAY.year - 1975


def born_on(day: str) -> str:
    """An ID number with that day of birth, such as 19611127."""
    return (digits := f"110105{day}001") + id_check_character(digits)


@pytest.mark.parametrize(
    ("starts_on", "years"),
    [
        pytest.param(None, 65, id="from the day of application"),
        pytest.param("2026-11-27", 66, id="from the first day of the loan"),
    ],
)
def test_age_at_maturity_counts_from_the_first_day_of_the_loan(
    starts_on: str | None, years: int
) -> None:
    """Born on 27 November 1961, twelve months from 23 November 2026 or from the 27th."""
    loan = {"amount_yuan": 1, "term_months": 12, "purpose": "planting", "repayment": "harvest"}
    application = an_application(
        applicant__id_number=born_on("19611127"), loan=loan | {"starts_on": starts_on}
    )
    assert characteristics(application)["age_at_maturity_years"] == years


@pytest.mark.parametrize(
    ("graduated_on", "tier"),
    [
        pytest.param("2021-11-23", "T4", id="five years on the day"),
        pytest.param("2021-11-22", "none", id="five years and a day"),
    ],
)
def test_a_graduate_is_a_talent_for_five_years(graduated_on: str, tier: str) -> None:
    graduate = credential("graduate", graduated_on)
    assert talent_tier(an_application(credentials=[graduate])) == tier


def test_facts_of_a_firm_and_a_place() -> None:
    read = characteristics(
        an_application(
            business__employees=40, business__new_hires_12m=6, applicant__aml_listed=True
        )
    )
    assert (read["hire_share_percent"], read["town"], read["aml_listed"]) == (15, "乌溪镇", "yes")
    assert (read["dishonest_debtor"], read["park_resident"]) == ("no", "no")
