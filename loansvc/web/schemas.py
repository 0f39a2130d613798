"""The contract of the application at the edge: marshmallow schemas, and from a document to values.

Field rules stand in the schemas; what needs two fields, the day, or the register's code table is
checked after them on whatever fields were good, so that all errors come at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields

from loansvc.application import (
    CREDENTIAL_KINDS,
    EDUCATIONS,
    ENTITIES,
    GRADES,
    ISSUERS,
    LEVELS,
    MOST_YUAN,
    PRODUCTS,
    PURPOSES,
    REPAYMENTS,
    SCOPES,
    Applicant,
    Application,
    Business,
    Consent,
    Credential,
    CreditReport,
    Loan,
)
from loansvc.errors import FieldError, InvalidApplication
from loansvc.identifiers import (
    Flaw,
    id_number_flaw,
    industry_flaw,
    uscc_flaw,
    village_code_flaw,
)
from loansvc.web.fields import (
    MESSAGES,
    Day,
    Flawed,
    Parties,
    Pattern,
    Strict,
    Text,
    Whole,
    Word,
    Words,
    YesNo,
    flawed,
)
from loansvc.web.flat import flat

MOST_CREDENTIALS = 50
MOST_DAYS_AHEAD = 366  # a loan that starts later is another application
# Figures that are part of another: section, figure, the figure that it is part of.
PARTS_OF_WHOLES = (
    ("business", "online_revenue_12m_yuan", "revenue_12m_yuan"),
    ("business", "new_hires_12m", "employees"),
    ("credit_report", "unsecured_outstanding_yuan", "outstanding_yuan"),
)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
NOT_BEFORE = date(2019, 8, 1)  # the first pilot villages were rated then: nothing earlier applies


class StrictSchema(Schema):
    """Unknown fields are refused, and every message carries a code."""

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": MESSAGES["unknown"], "type": MESSAGES["type"]}  # noqa: RUF012  # marshmallow's own name


def _yuan(*, low: int = 0, high: int = MOST_YUAN, **kwargs: Any) -> Whole:
    return Whole(low=low, high=high, **kwargs)


class ApplicantSchema(StrictSchema):
    """The person."""

    id_number = Text(longest=18, form="^[0-9]{17}[0-9X]$", required=True)
    village_code = Text(longest=12, form="^340521[0-9]{6}$", required=True)
    household_grade = Word(GRADES)
    education = Word(EDUCATIONS)
    household_income_12m_yuan = _yuan()
    household_debt_service_12m_yuan = _yuan()
    dependants = Whole(low=0, high=30)
    dishonest_debtor = YesNo()
    aml_listed = YesNo()
    related_parties = Parties()


class CredentialSchema(StrictSchema):
    """What a department vouches for."""

    kind = Word(CREDENTIAL_KINDS, required=True)
    issuer = Word(ISSUERS, required=True)
    number = Text(longest=64, required=True)
    issued_on = Day(required=True)
    expires_on = Day()
    level = Word(LEVELS)


class BusinessSchema(StrictSchema):
    """The business."""

    entity = Word(ENTITIES)
    uscc = Text(longest=18, form="^[0-9A-HJ-NP-RTUW-Y]{18}$")
    industry = Text(longest=5, form="^[A-T][0-9]{2,4}$")
    started_on = Day()
    employees = Whole(low=0, high=100_000)
    new_hires_12m = Whole(low=0, high=100_000)
    revenue_12m_yuan = _yuan()
    online_revenue_12m_yuan = _yuan()
    social_insurance_months_24m = Whole(low=0, high=24)


class CreditReportSchema(StrictSchema):
    """Figures of the central bank's credit report."""

    reported_on = Day(required=True)
    repair_applied = YesNo()
    max_days_past_due_24m = Whole(low=0, high=10_000)
    days_past_due_now = Whole(low=0, high=10_000)
    active_loans = Whole(low=0, high=1000)
    outstanding_yuan = _yuan()
    unsecured_outstanding_yuan = _yuan()
    enquiries_6m = Whole(low=0, high=1000)
    months_since_first_credit = Whole(low=0, high=1200)
    card_utilisation_percent = Whole(low=0, high=500)
    guarantees_given_yuan = _yuan()


class LoanSchema(StrictSchema):
    """What is asked for."""

    amount_yuan = _yuan(low=1, required=True)
    term_months = Whole(low=1, high=360, required=True)
    purpose = Word(PURPOSES, required=True)
    repayment = Word(REPAYMENTS, required=True)
    starts_on = Day()
    guarantee_starts_on = Day()


class ConsentSchema(StrictSchema):
    """What the applicant agreed to."""

    consent_id = Text(longest=64, required=True)
    given_on = Day(required=True)
    scopes = Words(SCOPES, required=True)


class Part(fields.Nested):
    """An object within the application; null is "not known" unless it is required."""

    def __init__(self, schema: type[Schema], *, required: bool = False) -> None:
        super().__init__(schema(), required=required, allow_none=not required)

    make_error = Strict.make_error


class Credentials(fields.List[Any]):
    """A list of credentials of bounded length."""

    def __init__(self) -> None:
        super().__init__(
            Part(CredentialSchema, required=True),
            allow_none=True,
            metadata={"maxItems": MOST_CREDENTIALS},
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if not isinstance(value, list) or len(value) > MOST_CREDENTIALS:
            detail = f"Must be a list of at most {MOST_CREDENTIALS} credentials."
            raise ValidationError([flawed("not_a_list", detail)])
        return super()._deserialize(value, attr, data, **kwargs)


# It stands in paths, where `.` and `..` would lead elsewhere.
APPLICATION_ID_FORM = "[A-Za-z0-9][A-Za-z0-9._:-]{0,63}"


class ApplicationSchema(StrictSchema):
    """One loan application."""

    application_id = Pattern(
        APPLICATION_ID_FORM,
        "Must be 1 to 64 of A-Z a-z 0-9 . _ : - and start with a letter or digit",
        required=True,
    )
    product = Word(PRODUCTS, required=True)
    applied_on = Day()
    applicant = Part(ApplicantSchema, required=True)
    credentials = Credentials()
    business = Part(BusinessSchema)
    credit_report = Part(CreditReportSchema)
    loan = Part(LoanSchema, required=True)
    consent = Part(ConsentSchema, required=True)


_SCHEMA = ApplicationSchema()  # built once: marshmallow would build a class anew for each load
_FLAT = flat(_SCHEMA)


def load_application(document: Any, *, today: date, village_codes: frozenset[str]) -> Application:
    """The application in a JSON document.

    Raises:
        InvalidApplication: with every field error there is, each by JSON pointer.
    """
    errors: list[FieldError] = []
    data = _FLAT(document)
    if data is None:
        try:
            data = _SCHEMA.load(document)
        except ValidationError as error:
            data, errors = error.valid_data, flat_errors(error, "")
    if isinstance(data, dict):
        errors += _cross_errors(data, today, village_codes)
    if errors:
        raise InvalidApplication(errors)
    return _application(data)


def flat_errors(error: ValidationError, pointer: str) -> list[FieldError]:
    """Every message of a marshmallow error, below that pointer."""
    return list(_flat(error.messages, pointer))


UNKNOWN = [MESSAGES["unknown"]]
STRANGE_NAME = flawed(
    "unknown_field", "Holds a field whose name is none of this version; remove that field."
)


def _flat(messages: Any, pointer: str) -> Iterator[FieldError]:
    """Marshmallow's nested messages as errors with JSON pointers, in order."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            # A key that is no name of ours may hold anything: then the object is pointed at.
            if isinstance(key, int) or _NAME.fullmatch(key):
                yield from _flat(inner, f"{pointer}/{key}")
            else:
                yield from _flat([STRANGE_NAME] if inner == UNKNOWN else inner, pointer)
        return
    for message in messages:
        code = message.code if isinstance(message, Flawed) else "invalid"
        yield FieldError(pointer, code, str(message))


def _cross_errors(
    data: Mapping[str, Any], today: date, village_codes: frozenset[str]
) -> Iterator[FieldError]:
    """What the fields say together, looking only at those that are good by themselves."""
    part = {
        name: data.get(name) or {}
        for name in ("applicant", "business", "credit_report", "loan", "consent")
    }
    applicant, business, report = part["applicant"], part["business"], part["credit_report"]
    for pointer, value, flaw_of in (
        ("/applicant/id_number", applicant.get("id_number"),
         lambda t: id_number_flaw(t, today=today)),
        ("/applicant/village_code", applicant.get("village_code"),
         lambda t: village_code_flaw(t, known=village_codes)),
        ("/business/uscc", business.get("uscc"), uscc_flaw),
        ("/business/industry", business.get("industry"), industry_flaw),
    ):  # fmt: skip
        flaw: Flaw | None = flaw_of(value) if isinstance(value, str) else None
        if flaw is not None:
            yield FieldError(pointer, flaw.code, flaw.detail)
    if (applicant.get("id_number") or " ") in (data.get("application_id") or ""):
        says = "Must not hold the ID number: it stays in addresses and in the ledger for good."
        yield FieldError("/application_id", "personal_number", says)
    yield from _day_errors(data, part, today)
    for section, name, whole in PARTS_OF_WHOLES:
        fields_of = part[section]
        small, most = fields_of.get(name), fields_of.get(whole)
        if small is not None and most is not None and small > most:
            detail = f"Must not be more than {whole}."
            yield FieldError(f"/{section}/{name}", "more_than_whole", detail)
    now, longest = report.get("days_past_due_now"), report.get("max_days_past_due_24m")
    if now is not None and longest is not None and now > longest:
        detail = "Must not be more than max_days_past_due_24m: what is overdue now is among it."
        yield FieldError("/credit_report/days_past_due_now", "more_than_whole", detail)


def _day_errors(
    data: Mapping[str, Any], part: Mapping[str, Mapping[str, Any]], today: date
) -> Iterator[FieldError]:
    applied_on = data.get("applied_on")
    if applied_on is not None and applied_on > today:
        yield FieldError("/applied_on", "in_the_future", "Must not be after today.")
    if applied_on is not None and applied_on < NOT_BEFORE:
        yield FieldError("/applied_on", "out_of_range", f"Must be on or after {NOT_BEFORE}.")
    on = min(applied_on or today, today)
    yield from _loan_day_errors(part["loan"], on)
    for pointer, day in (
        ("/business/started_on", part["business"].get("started_on")),
        ("/credit_report/reported_on", part["credit_report"].get("reported_on")),
        ("/consent/given_on", part["consent"].get("given_on")),
    ):
        if day is not None and day > on:
            yield FieldError(
                pointer, "after_application", "Must not be after the day of application."
            )
    for i, credential in enumerate(data.get("credentials") or []):
        issued_on, expires_on = credential.get("issued_on"), credential.get("expires_on")
        if issued_on is not None and issued_on > on:
            yield FieldError(f"/credentials/{i}/issued_on", "after_application",
                             "Must not be after the day of application.")  # fmt: skip
        if issued_on is not None and expires_on is not None and expires_on < issued_on:
            yield FieldError(f"/credentials/{i}/expires_on", "before_issue",
                             "Must not be before issued_on.")  # fmt: skip


def _loan_day_errors(loan: Mapping[str, Any], on: date) -> Iterator[FieldError]:
    """The loan starts on the day of application or within a year, its guarantee not before it."""
    starts_on, guarantee_on = loan.get("starts_on"), loan.get("guarantee_starts_on")
    earliest = {"starts_on": on, "guarantee_starts_on": starts_on or on}
    for name, day in (("starts_on", starts_on), ("guarantee_starts_on", guarantee_on)):
        if day is not None and day < earliest[name]:
            detail = "Must not be before the day of application, nor a guarantee before its loan."
            yield FieldError(f"/loan/{name}", "before_application", detail)
        elif day is not None and (day - on).days > MOST_DAYS_AHEAD:
            detail = f"Must be at most {MOST_DAYS_AHEAD} days after the day of application."
            yield FieldError(f"/loan/{name}", "too_far_ahead", detail)


def _application(data: Mapping[str, Any]) -> Application:
    report = data.get("credit_report")
    return Application(
        application_id=data["application_id"],
        product=data["product"],
        applied_on=data["applied_on"],
        applicant=Applicant(
            **data["applicant"] | {"related_parties": data["applicant"]["related_parties"] or ()}
        ),
        credentials=tuple(Credential(**c) for c in data.get("credentials") or ()),
        business=Business(**(data.get("business") or {})),
        credit_report=CreditReport(**report) if report else None,
        loan=Loan(**data["loan"]),
        consent=Consent(**data["consent"]),
    )
