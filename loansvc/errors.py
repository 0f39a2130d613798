"""Refusals: everything loansvc says no to, each with a stable code, a status and a remedy.

    LoanError
    ├── InvalidRequest            the bytes are not an application        400, 413, 415
    ├── InvalidApplication        some fields need correcting             422
    ├── NoEditionInForce          nothing published covers that day       422
    ├── ApplicationIdReused       same id, other content                  409
    ├── InvalidOutcome            a report of a loan needs correcting     422
    ├── OutcomeRefused            it contradicts what is recorded         409
    ├── InvalidReview             what a person sends about a decision    422
    ├── ReviewRefused             likewise; or one person would do two's  409, 403
    ├── InvalidErasure            an erasure asked for needs correcting   422
    ├── ErasureRefused            the law keeps what is to be erased      409
    ├── BatchRefused              a batch cannot be taken or cancelled    409, 413, 422, 429
    ├── NotFound                  no such thing, or not yours             404
    ├── Erased                    its person was erased                   410
    ├── Unauthenticated, Forbidden, StaleForm                             401, 403
    │   └── UnknownCredential     right in form, and it opens nothing
    ├── MetricsForbidden          /metrics, from elsewhere                403
    ├── QuotaExceeded, TooManyTries   too much within a minute            429
    ├── ProbingLimit              too many variants of one person         429
    ├── LedgerUnavailable         the ledger could not be written         503
    ├── Overloaded                too many requests at once               503
    ├── NotReady                  a product has no editions in force      503
    ├── NotReproducible           another answer than the recorded one    500
    ├── LedgerDamaged             the ledger does not verify              500
    ├── EditionRefused            a file under models/ is wrong           500, at start mostly
    │   └── OverBudget            it moves answers too far unexplained    never over HTTP
    ├── SetupRefused              settings, keys or schema are wrong      never over HTTP
    └── TableRefused              a table cannot be trained on or scored  never over HTTP

A refusal carries no value that a person sent: it names the place and what to do next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field: where (JSON pointer), a stable code, and a sentence."""

    pointer: str
    code: str
    detail: str


class LoanError(Exception):
    """A refusal. `code` is for machines, the text is for people and ends in what to do next."""

    code = "refused"
    status = 400
    retry_after_s = 0  # more than the few seconds that every refused caller waits

    def __init__(self, detail: str, *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)


class InvalidRequest(LoanError):
    """The request cannot be read: not JSON, too long, of another media type."""

    code = "invalid_request"

    def __init__(self, detail: str, *, code: str = "invalid_request", status: int = 400) -> None:
        super().__init__(detail)
        self.code = code
        self.status = status


class InvalidApplication(LoanError):
    """Some fields need correcting; all of them are named at once."""

    code = "invalid_application"
    status = 422

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("Some fields need correcting.", errors=errors)


class NoEditionInForce(LoanError):
    """Nothing published covers the date asked for."""

    code = "no_edition_in_force"
    status = 422

    def __init__(
        self, kind: str, product: str, role: str, on: date, *, first: date | None = None
    ) -> None:
        later = f"The first starts on {first}: use that day or a later one" if first else ""
        super().__init__(
            f"No {role} {kind} of {product} is in force on {on}. {later or 'Use a later date'}, or "
            f"publish one that starts on or before that day: loansvc publish FILE"
        )


class ApplicationIdReused(LoanError):
    """The same client used this application_id before, for an application with other content."""

    code = "application_id_reused"
    status = 409

    def __init__(self) -> None:
        super().__init__(
            "This application_id was decided before with other content. "
            "Use a new application_id for a changed application."
        )


class InvalidOutcome(LoanError):
    """Some fields of what became of a loan need correcting; all of them are named at once."""

    code = "invalid_outcome"
    status = 422

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("Some fields need correcting.", errors=errors)


class OutcomeRefused(LoanError):
    """What is reported of a loan contradicts what is recorded of it. `code` says how."""

    status = 409
    texts: ClassVar[Mapping[str, str]] = {
        "reference_reused": "This reference was used before for another report of this loan. "
        "Give each report a reference of its own.",
        "not_approved": "The decision is no approval, so that there is no loan. "
        "Report outcomes of approved applications only.",
        "offer_lapsed": "The offer was not drawn within 30 days, and its guarantee was released. "
        "Decide a new application before the loan is paid out.",
        "offer_taken_back": "A person declined this application after all, and its guarantee was "
        "released. Decide a new application before a loan is paid out.",
        "under_review": "A person was asked to decide this application, and has not yet. "
        "Decide the review before the loan is paid out.",
        "not_disbursed": "The loan is not disbursed yet. Report its disbursement first.",
        "already_disbursed": "The loan is disbursed already. "
        "Report its balance, or correct the report of its disbursement.",
        "more_than_offered": "More than was offered cannot be disbursed under this decision. "
        "Check the amount, or decide a new application.",
        "more_than_disbursed": "More than was disbursed cannot be outstanding. Check the amount.",
        "more_than_fund_share": "The fund stands for less than this. "
        "Check the amount, and the balance reported last.",
        "before_decision": "This day is before the day of the decision. Check the date.",
        "before_disbursement": "This day is before that of the disbursement. Check the date.",
        "before_balance": "A balance is recorded for a later day. "
        "Check the date, or report a balance of 0 of that day first.",
        "nothing_to_correct": "No report of this loan that stands has the reference that this one "
        "corrects. See GET /v1/decisions/{application_id}/outcomes.",
        "corrects_another_kind": "The report to be corrected is of another kind. "
        "Withdraw it, and report what is true.",
        "others_rest_on_it": "Later reports of this loan do not go together with this correction. "
        "Withdraw them first, the newest first.",
        "already_written_off": "The loan is written off already. Report its balance instead.",
        "loan_repaid": "The loan is recorded as repaid: nothing more can become of it. "
        "Check the application_id, or withdraw that report.",
    }

    def __init__(self, code: str) -> None:
        super().__init__(self.texts[code])
        self.code = code


class InvalidReview(LoanError):
    """Some fields of a review, an override or a dispute need correcting; all are named at once."""

    code = "invalid_review"
    status = 422

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("Some fields need correcting.", errors=errors)


class ReviewRefused(LoanError):
    """What a person would do about a decision is against the record or the rules. `code` says how.

    `errors` name the rules or caps that stand in the way, where some do.
    """

    texts: ClassVar[Mapping[str, str]] = {
        "reference_reused": "This reference was used before for something else about this "
        "decision. Give each review, override and dispute a reference of its own.",
        "already_reviewed": "A person's decision was asked for already, and there is one for each "
        "decision. See GET /v1/decisions/{application_id}, or decide a new application.",
        "no_open_review": "Nobody has asked for a person's decision. "
        "Ask for it first: POST /v1/decisions/{application_id}/reviews",
        "already_overridden": "A person has decided already, and that is final here. "
        "See GET /v1/decisions/{application_id}, or decide a new application.",
        "four_eyes": "Whoever asked for a person's decision may not be the one who decides. "
        "Let another person decide, with a key of that person's own.",
        "rules_stand": "Rules of the policy decline this case or leave it no limit, and a person "
        "cannot lift them. If facts were wrong, decide a new application with corrected facts.",
        "above_limit": "The rules do not allow this offer. Offer less, or for a shorter term.",
        "over_fund_cap": "The guarantee fund cannot carry its share of this offer. "
        "Offer less, or wait until the fund has room: GET /v1/fund",
        "offer_stands": "The offer was approved as it is: a person may confirm or decline it. "
        "Leave `offer` out, or decide a new application for other terms.",
        "loan_drawn": "The loan was paid out already: declining cannot take it back. "
        "Report what becomes of it: POST /v1/decisions/{application_id}/outcomes",
        "too_old": "The application is more than 90 days old, too old to be approved on its facts. "
        "Decide a new application.",
        "already_lodged": "A dispute about this is open already. Report how it ended first.",
        "not_lodged": "No dispute about this is open. Report that it was lodged first.",
        "before_application": "This day is before the day of application. Check the date.",
        "before_lodging": "This day is before the dispute was lodged. Check the date.",
    }

    def __init__(self, code: str, *, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(self.texts[code], errors=errors)
        self.code = code
        self.status = 403 if code == "four_eyes" else 409


class BatchRefused(LoanError):
    """A batch cannot be taken, or not be cancelled any more. `code` says why."""

    texts: ClassVar[Mapping[str, tuple[int, str]]] = {
        "batch_id_reused": (409, "This batch_id was used before for other rows. "
                            "Give each batch an id of its own."),
        "batch_replaced": (409, "The same batch was sent again before this one had arrived whole. "
                           "See GET /v1/batches/{batch_id}"),
        "batch_done": (409, "Every row of this batch is decided: nothing is left to be cancelled. "
                       "See GET /v1/batches/{batch_id}/results"),
        "batch_too_large": (413, "The batch has more rows or bytes than one may have here. "
                            "Send it in several batches."),
        "empty_batch": (422, "The batch has no rows. Send one application a line."),
        "too_many_batches": (429, "As many batches of this client wait as may. "
                             "Send it again when one of them is done."),
    }  # fmt: skip

    def __init__(self, code: str) -> None:
        self.status, text = self.texts[code]
        super().__init__(text)
        self.code = code


class NotFound(LoanError):
    """There is no such thing, or it belongs to another client: the answer is the same."""

    code = "not_found"
    status = 404


class Erased(LoanError):
    """What was recorded of this application was destroyed with its person's key."""

    code = "erased"
    status = 410

    def __init__(self) -> None:
        super().__init__(
            "What was recorded of this application was erased, as the law on personal information "
            "asks for. Nothing of it can be shown. A new application needs a new application_id."
        )


class InvalidErasure(LoanError):
    """Some fields of an erasure need correcting; all of them are named at once."""

    code = "invalid_erasure"
    status = 422

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("Some fields need correcting.", errors=errors)


class ErasureRefused(LoanError):
    """A loan of this person is not over, and the record of it has to stay until then."""

    code = "loan_outstanding"
    status = 409

    def __init__(self) -> None:
        super().__init__(
            "A loan of this person is drawn and not over, so that its record has to be kept: it is "
            "stored and put to no other use (PIPL art. 47, second paragraph). "
            "Report the loan as repaid, then erase."
        )


class Unauthenticated(LoanError):
    """No valid key, signature or token came with the request."""

    code = "unauthenticated"
    status = 401

    def __init__(self, detail: str = "") -> None:
        super().__init__(
            detail
            or "Send a valid key: Authorization: Bearer lsk_… (made by: loansvc keys create CLIENT)"
        )


class UnknownCredential(Unauthenticated):
    """A key, signature or token of the right form that opens nothing: it counts as a try."""


class Forbidden(LoanError):
    """The key is valid but lacks the scope."""

    code = "forbidden"
    status = 403

    def __init__(self, scope: str) -> None:
        super().__init__(f"This key lacks the scope '{scope}'. Ask for a key that has it.")


class MetricsForbidden(LoanError):
    """/metrics was asked for from an address that may not read it, or from nobody knows where."""

    code = "metrics_forbidden"
    status = 403

    def __init__(self) -> None:
        super().__init__(
            "Metrics are read from the addresses that LOANSVC_METRICS names. "
            "Ask whoever runs this service to add yours."
        )


class StaleForm(LoanError):
    """A form of the console was not sent from a page of this session."""

    code = "stale_form"
    status = 403

    def __init__(self) -> None:
        super().__init__(
            "This form is not of your session any more, or the browser kept no cookie: it does so "
            "over https, and over http on this very machine. Open the page again."
        )


class QuotaExceeded(LoanError):
    """The client sent as many requests as it may within a minute."""

    code = "quota_exceeded"
    status = 429

    def __init__(self, *, retry_after_s: int) -> None:
        super().__init__("The client's quota is used up. Send the same again after Retry-After.")
        self.retry_after_s = retry_after_s


class ProbingLimit(LoanError):
    """The client tried too many variants of one person within a day."""

    code = "probing_limit"
    status = 429

    def __init__(self, *, retry_after_s: int) -> None:
        super().__init__(
            "Too many variants of this person were tried within 24 hours. Send the application as "
            "it is; what was sent before is answered again."
        )
        self.retry_after_s = retry_after_s


class TooManyTries(LoanError):
    """Too many keys, signatures or tokens from one address opened nothing."""

    code = "too_many_tries"
    status = 429

    def __init__(self, *, retry_after_s: int) -> None:
        super().__init__(
            "Too many keys from this address opened nothing. Check the key, and wait for "
            "Retry-After; a right one is let in at once."
        )
        self.retry_after_s = retry_after_s


class LedgerUnavailable(LoanError):
    """The ledger could not be read or written; whether a commit took effect may be unknown."""

    code = "ledger_unavailable"
    status = 503

    def __init__(self) -> None:
        super().__init__(
            "The ledger cannot be reached just now. "
            "Send the same application again with the same application_id."
        )


class Overloaded(LoanError):
    """There are more requests than can be worked on; nothing of this one was done."""

    code = "overloaded"
    status = 503

    def __init__(self) -> None:
        super().__init__(
            "The service has more requests than it can work on. Nothing was done: send the same "
            "request again after Retry-After seconds."
        )


class NotReady(LoanError):
    """The service is up but cannot decide every product today."""

    code = "not_ready"
    status = 503


class NotReproducible(LoanError):
    """This version of the program derives another answer from what was recorded."""

    code = "not_reproducible"
    status = 500

    def __init__(self) -> None:
        super().__init__(
            "This version does not derive the recorded answer again, so it cannot explain it. "
            "See the replay for the differences, and explain it with the version that decided."
        )


class LedgerDamaged(LoanError):
    """A row of the ledger is not what was written."""

    code = "ledger_damaged"
    status = 500


class EditionRefused(LoanError):
    """An edition file is wrong, truncated, unlocked or changed. Says which file and what to do.

    `faults` are its sentences one by one, where several things are wrong at once.
    """

    code = "edition_refused"
    status = 500

    def __init__(self, detail: str, *, faults: Sequence[str] = ()) -> None:
        super().__init__(detail)
        self.faults = tuple(faults) or (detail,)


class OverBudget(EditionRefused):
    """An edition would move recorded answers further than allowed, and nobody said why."""

    code = "over_budget"


class SetupRefused(LoanError):
    """A setting, a key file or the database schema is not fit to start on."""

    code = "setup_refused"
    status = 500


class TableRefused(LoanError, ValueError):
    """A table that cannot be trained on or scored; names the column or row, and the remedy."""

    code = "table_refused"
    status = 422
