"""The OpenAPI 3.1 document: request schemas from marshmallow, answers and examples beside them."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from loansvc import __version__
from loansvc.application import PRODUCTS
from loansvc.decision import Exposure, decide
from loansvc.editions import COUNTY, EVERY_KIND, ROLES
from loansvc.errors import ApplicationIdReused, FieldError, InvalidApplication, LoanError
from loansvc.ledger.acts import STATES
from loansvc.ledger.batches import STATES as STATES_OF_BATCHES
from loansvc.policy import OUTCOMES
from loansvc.underwriting import Underwriting, body_of
from loansvc.web import answers, batches, reviews
from loansvc.web.examples import example_application
from loansvc.web.fields import Day, Parties, Pattern, Text, Whole, Word, Words, YesNo
from loansvc.web.outcomes import OutcomeSchema
from loansvc.web.privacy import ErasureSchema
from loansvc.web.problems import problem_document
from loansvc.web.schemas import APPLICATION_ID_FORM, ApplicationSchema, load_application
from loansvc.web.webhooks import webhooks

DESCRIPTION = """Credit-loan eligibility: an application in; an explained, durable decision out.

`application_id` is the caller's own serial number and the idempotency key: after a time-out send
the same application again. Refusals are `application/problem+json`. Money is whole yuan, rates are
basis points, dates are ISO, instants carry an offset."""
ERRORS = {
    400: "The request cannot be read.",
    401: "No valid key came with the request.",
    403: "The key lacks the scope, or two people are needed.",
    404: "There is no such thing, or it belongs to another client.",
    405: "This address does not take that method.",
    409: "An id was used before with other content, or the record says otherwise.",
    410: "Its person was erased: nothing of it can be shown.",
    413: "The body is larger than 64 KiB, or a batch than it may be here.",
    415: "The body is not declared as JSON, or a batch not as NDJSON.",
    422: "Some fields need correcting; all are named.",
    429: "Too much within a minute, too many variants of one person within a day, or batches that "
    "wait.",
    500: "An error on our side; nothing was recorded unless a repeat says so.",
    503: "Overloaded, or the ledger cannot be reached; send the same request again.",
}
READ_ERRORS = (400, 401, 403, 429, 500, 503)
WRITE_ERRORS = (400, 401, 403, 413, 415, 422, 429, 500, 503)
PREVIEW_SAYS = """What would be answered, recorded nowhere: no decision, no serial number used up.

`editions` beside the application tries other editions than those in force on its day.

- `editions.on`: as if applied on that day, gone or to come; `applied_on` of the answer is that day.
  The scorecard, register, policy and rates in force then decide, and all that is counted to the
  day of application moves with it: the age of the credit report (more than 30 days refer under the
  shipped policies), years in business, credentials that expire, a village's grace, revocation or
  flag. The figures of the application stay as sent, and earlier approvals count as of now.
- `editions.role`: `champion` or `challenger` decides by that scorecard in force on the day, of
  several challengers by the newest; left out, by the one that would decide on this applicant.
  Register, policy and rates stay the champions.

What is not in force on the day is refused (`no_edition_in_force`)."""
ERASURE_SAYS = """Everything recorded of the person becomes unreadable, at every client and at once.

The entries stay and still verify; decisions of the person answer 410 `erased` and are left out of
lists. An open offer lapses. A loan that is drawn and not over refuses it (`loan_outstanding`).
Again, or for somebody nobody knows, the answer is 200 too: that of the erasure with this reference,
or counts of 0. An application of the same person afterwards is one of a new person."""
EXAMPLE_ID = "dec_019aaf2c-0000-7000-8000-000000000000"
EXAMPLE_HASH = "sha256:" + "0" * 64


def openapi_document(underwriting: Underwriting) -> dict[str, Any]:
    """The whole contract. Examples are worked out now, so that they are true."""
    plugin = MarshmallowPlugin()
    spec = APISpec(
        title="loansvc", version=__version__, openapi_version="3.1.0", plugins=[plugin],
        info={"description": DESCRIPTION, "license": {"name": "Apache-2.0"}},
        servers=[{"url": "/"}], security=[{"key": []}],
    )  # fmt: skip
    _map_fields(plugin)
    spec.components.security_scheme(
        "key", {"type": "http", "scheme": "bearer", "description": "lsk_<key id>_<secret>"}
    )
    spec.components.schema("Application", schema=ApplicationSchema)
    spec.components.schema("Outcome", schema=OutcomeSchema)
    spec.components.schema("Review", schema=reviews.ReviewSchema)
    spec.components.schema("Override", schema=reviews.OverrideSchema)
    spec.components.schema("Dispute", schema=reviews.DisputeSchema)
    spec.components.schema("Erasure", schema=ErasureSchema)
    for name, schema in answers.SCHEMAS.items():
        spec.components.schema(name, schema)
    for status, says in ERRORS.items():
        spec.components.response(f"Refusal{status}", _refusal(status, says))
    examples = _examples(underwriting)
    paths = {**_paths(examples), **_review_paths(), **_batch_paths(examples)}
    for path, operations in paths.items():
        for operation in operations.values():
            operation["tags"] = [_tag(path)]
        spec.path(path=path, operations=operations)
    document = {**spec.to_dict(), "webhooks": webhooks()}
    _preview_body(document)
    return document


def _tag(path: str) -> str:
    """The heading under which an address stands."""
    if path.startswith(("/v1/decisions", "/v1/previews", "/v1/reviews", "/v1/checkpoints")):
        return "Decisions"
    if path.startswith("/v1/batches"):
        return "Batches"
    if path.startswith("/v1/erasures"):
        return "Privacy"
    return "What is in force" if path.startswith("/v1/") else "Service"


def _map_fields(plugin: MarshmallowPlugin) -> None:
    assert plugin.converter is not None
    for kind, openapi_type, form in (
        (Whole, "integer", None), (YesNo, "boolean", None), (Word, "string", None),
        (Pattern, "string", None), (Text, "string", None), (Day, "string", "date"),
        (Words, "array", None), (Parties, "array", None),
    ):  # fmt: skip
        plugin.converter.field_mapping[kind] = (openapi_type, form)

    def words(_converter: Any, field: Any, **_: Any) -> dict[str, Any]:
        if isinstance(field, Parties):
            return {"items": {"type": "string", "pattern": "^[0-9A-Z]{18}$"}}
        if not isinstance(field, Words):
            return {}
        return {"items": {"type": "string", "enum": list(field.words)}, "uniqueItems": True}

    plugin.converter.add_attribute_function(words)  # type: ignore[no-untyped-call]  # of apispec


def _preview_body(document: dict[str, Any]) -> None:
    """A preview takes an application and, beside it, `editions`."""
    schemas = document["components"]["schemas"]
    preview = copy.deepcopy(schemas["Application"])
    preview["properties"]["editions"] = {
        "type": ["object", "null"],
        "description": "Which editions to try; those in force on `applied_on` if left out.",
        "additionalProperties": False,
        "properties": {
            "on": {
                "type": ["string", "null"],
                "format": "date",
                "pattern": Day.pattern,
                "description": "As if applied on this day, gone or to come.",
            },
            "role": {
                "type": ["string", "null"],
                "enum": [*ROLES, None],
                "description": "By the champion or the challenger scorecard in force that day.",
            },
        },
    }
    schemas["Preview"] = preview


def _examples(underwriting: Underwriting) -> dict[str, Any]:
    """Applications and what would be decided on them, by the editions alone: no ledger is read."""
    at = underwriting.clock()
    today = at.date()
    good = example_application("credit_loan", today=today, number=1)
    person_decides = copy.deepcopy(good)
    person_decides["consent"]["scopes"].remove("automated_decision")
    barred = copy.deepcopy(good)
    barred["loan"]["purpose"] = "securities"
    codes = underwriting.registry.village_codes
    later = {"editions": {"on": (today + timedelta(days=31)).isoformat()}}
    previews = {"approve": {"value": good}, "another day": {"value": good | later}}
    found: dict[str, Any] = {"applications": {}, "answers": {}, "previews": previews}
    for name, document in (("approve", good), ("refer", person_decides), ("decline", barred)):
        application = load_application(document, today=today, village_codes=codes)
        editions = underwriting.registry.in_force(application.product, today)
        decision = decide(application, editions, Exposure(policy_loan_overdue=False))
        body = body_of(application, decision, decision_id=EXAMPLE_ID, decided_at=at)
        body["ledger"] = {"sequence": 1042, "hash": EXAMPLE_HASH}
        found["applications"][name] = {"value": document}
        found["answers"][name] = {"value": body}
    return found


def _refusal(status: int, says: str) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}}
    examples: dict[int, LoanError] = {
        409: ApplicationIdReused(),
        422: InvalidApplication(
            [
                FieldError(
                    "/loan/amount_yuan", "not_an_integer", "Must be a whole number, not quoted."
                )
            ]
        ),
    }
    if status in examples:
        content["example"] = problem_document(examples[status], "9f86d081884c7d65")
    response: dict[str, Any] = {
        "description": says,
        "content": {"application/problem+json": content},
    }
    if status in (429, 503):
        response["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return response


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(schema: str, says: str, **extra: Any) -> dict[str, Any]:
    return {"description": says, "content": {"application/json": {"schema": _ref(schema), **extra}}}


def _operation(
    name: str, says: str, scope: str | None, answers_: dict[int, Any], errors: tuple[int, ...],
    *, at_length: str = "", **extra: Any,
) -> dict[str, Any]:  # fmt: skip
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": says,
        "responses": {
            **{str(status): answer for status, answer in answers_.items()},
            **{str(s): {"$ref": f"#/components/responses/Refusal{s}"} for s in (*errors, 405)},
        },
        **extra,
    }
    if scope is None:
        operation["security"] = []
    else:
        needs = f"Needs a key with the scope `{scope}`."
        operation["description"] = f"{at_length}\n\n{needs}".lstrip()
        operation["x-scope"] = scope
    return operation


def _parameter(name: str, place: str, schema: dict[str, Any], says: str) -> dict[str, Any]:
    return {
        "name": name, "in": place, "required": place == "path", "schema": schema,
        "description": says,
    }  # fmt: skip


APPLICATION_ID = _parameter(
    "application_id", "path", {"type": "string", "pattern": f"^{APPLICATION_ID_FORM}$"},
    "The caller's own serial number.",
)  # fmt: skip
DATE = {"type": "string", "format": "date", "pattern": Day.pattern}
ON = _parameter("on", "query", DATE, "The day; today if left out.")


def _query(name: str, schema: dict[str, Any], says: str) -> dict[str, Any]:
    return _parameter(name, "query", schema, says)


PAGE_PARAMETERS = [
    _query("cursor", {"type": "string", "pattern": "^[0-9]{1,18}$"}, "`next` of an earlier page."),
    _query("limit", {"type": "integer", "minimum": 1, "maximum": 100}, "Rows a page; 20."),
]
LIST_PARAMETERS = [
    _query("product", {"type": "string", "enum": list(PRODUCTS)}, "Only this product."),
    _query("outcome", {"type": "string", "enum": list(OUTCOMES)}, "Only this outcome."),
    _query(
        "final_outcome",
        {"type": "string", "enum": list(OUTCOMES)},
        "Only this outcome, a person's where one decided.",
    ),
    _query(
        "state", {"type": "string", "enum": list(STATES)}, "Only what people are asked, or did."
    ),
    _query(
        "village",
        {"type": "string", "pattern": "^[0-9]{12}$"},
        "Only this village; a page may be short while `has_more`.",
    ),
    _query("from", DATE, "Decided on or after this day."),
    _query("to", DATE, "Decided on or before this day."),
    *PAGE_PARAMETERS,
]
ENTRIES = {"type": "integer", "minimum": 1, "maximum": 10**18 - 1}
SINCE = _query("from", ENTRIES, "The size of an earlier checkpoint, to be proved a beginning.")
SIZE = _query("size", ENTRIES, "The checkpoint of this size; the newest if left out.")
RECEIPT_SAYS = """Keep it: `verify.py` (`loansvc ledger verifier`) checks it without this service.

It is checked against the public key that you were given when you joined. The entry is one leaf of a
Merkle tree (RFC 6962, SHA-256) over the whole ledger; of other entries the receipt tells hashes
alone. With `from`, the size of a checkpoint that you kept, it proves too that nothing signed then
was changed since. A checkpoint is made for it if none covers the decision yet. After an erasure it
stays as it is."""
CHECKPOINT_SAYS = """Name, number of entries, root of the tree, time and signature, as a note.

The note has the form of C2SP tlog-checkpoint. One is made at least every 60 seconds or 1,000
entries while decisions come in. Keep one from time to time, apart from this service: nobody can
then rewrite what came before it, whatever keys they have."""
OUTCOME_EXAMPLES = {
    "disbursed": {"value": {"reference": "D-1", "kind": "disbursed", "on": "2026-11-25",
                            "amount_yuan": 120_000}},
    "balance": {"value": {"reference": "B-1", "kind": "balance", "on": "2027-02-28",
                          "amount_yuan": 90_000}},
    "days_past_due": {"value": {"reference": "P-1", "kind": "days_past_due", "on": "2027-03-01",
                                "days": 12}},
    "claim_paid": {"value": {"reference": "C-1", "kind": "claim_paid", "on": "2027-06-01",
                             "amount_yuan": 36_000}},
    "repaid": {"value": {"reference": "E-1", "kind": "repaid", "on": "2028-11-25"}},
    "corrected": {"value": {"reference": "P-2", "kind": "days_past_due", "on": "2027-03-01",
                            "days": 2, "corrects": "P-1"}},
    "withdrawn": {"value": {"reference": "P-3", "kind": "withdrawn", "on": "2027-03-02",
                            "corrects": "P-2"}},
}  # fmt: skip
ERASURE_EXAMPLE = {
    "withdrawn": {"value": {"id_number": "11010519491231002X", "reason": "withdrawn",
                            "reference": "PIPL-47 2026-12", "approver": "data protection officer"}},
}  # fmt: skip
EDITION_PARAMETERS = [
    _query("kind", {"type": "string", "enum": list(EVERY_KIND)}, "Only this kind."),
    _query("product", {"type": "string", "enum": [*PRODUCTS, COUNTY]}, "Only this product."),
    _query("role", {"type": "string", "enum": list(ROLES)}, "Only this role."),
    ON,
]


def _body(schema: str, examples: dict[str, Any]) -> dict[str, Any]:
    content = {"schema": _ref(schema), "examples": examples}
    return {"required": True, "content": {"application/json": content}}


def _paths(examples: dict[str, Any]) -> dict[str, Any]:
    """Every address with what it takes and answers."""
    applications, decided = examples["applications"], examples["answers"]
    get = "get"
    one: dict[str, Any] = {"parameters": [APPLICATION_ID]}
    code = _parameter("code", "path", {"type": "string", "pattern": "^[0-9]{12}$"}, "12 digits.")
    digest = _parameter("digest", "path", {"type": "string"}, "sha256:…")
    return {
        "/v1/decisions": {
            "post": _operation(
                "decide", "Decide and record an application", "decide",
                {201: _answer("Decision", "Decided and on disk.", examples=decided),
                 200: _answer("Decision", "The same application again: the recorded decision.")},
                (*WRITE_ERRORS, 409, 410), requestBody=_body("Application", applications)),
            get: _operation(
                "listDecisions", "Decisions of this client, newest first", "read",
                {200: _answer("DecisionPage", "A page.")}, READ_ERRORS, parameters=LIST_PARAMETERS),
        },
        "/v1/previews": {
            "post": _operation(
                "preview", "The same answer, recorded nowhere", "decide",
                {200: _answer("PreviewAnswer", "What would be decided.")}, WRITE_ERRORS,
                at_length=PREVIEW_SAYS, requestBody=_body("Preview", examples["previews"])),
        },
        "/v1/decisions/{application_id}": {
            get: _operation("getDecision", "One decision as answered", "read",
                            {200: _answer("Decision", "It.")}, (*READ_ERRORS, 404, 410),
                            **one)},
        "/v1/decisions/{application_id}/explanation": {
            get: _operation("explain", "Points, rules, derivation, what would change it", "read",
                            {200: _answer("Explanation", "Why.")}, (*READ_ERRORS, 404, 410),
                            **one)},
        "/v1/decisions/{application_id}/replay": {
            get: _operation("replay", "Decide again from what was recorded", "read",
                            {200: _answer("Replay", "Identical, or the differences.")},
                            (*READ_ERRORS, 404, 410), **one)},
        "/v1/decisions/{application_id}/outcomes": {
            "post": _operation(
                "recordOutcome", "Record what became of a loan", "outcome",
                {201: _answer("OutcomeAnswer", "Recorded and on disk."),
                 200: _answer("OutcomeAnswer", "The same report again: the recorded one.")},
                (*WRITE_ERRORS, 404, 409, 410), requestBody=_body("Outcome", OUTCOME_EXAMPLES),
                **one),
            get: _operation("listOutcomes", "What became of a loan, oldest first", "read",
                            {200: _answer("OutcomeList", "Reports and standing.")},
                            (*READ_ERRORS, 404, 410), **one)},
        "/v1/decisions/{application_id}/receipt": {
            get: _operation("getReceipt", "Proof that the decision is in the signed ledger", "read",
                            {200: _answer("Receipt", "Entry, path and checkpoint.")},
                            (*READ_ERRORS, 404), at_length=RECEIPT_SAYS,
                            parameters=[APPLICATION_ID, SINCE])},
        "/v1/checkpoints": {
            get: _operation("getCheckpoint", "The newest signed checkpoint of the ledger", "read",
                            {200: _answer("Checkpoint", "It, and the keys that sign here.")},
                            (*READ_ERRORS, 404), at_length=CHECKPOINT_SAYS,
                            parameters=[SINCE, SIZE])},
        "/v1/erasures": {
            "post": _operation(
                "erase", "Destroy the key of one person, at every client", "admin",
                {200: _answer("ErasureAnswer", "What was erased, in counts.")},
                (*WRITE_ERRORS, 409), at_length=ERASURE_SAYS,
                requestBody=_body("Erasure", ERASURE_EXAMPLE))},
        "/v1/fund": {
            get: _operation("getFund", "The guarantee fund at this moment", "read",
                            {200: _answer("Fund", "It.")}, (*READ_ERRORS, 422))},
        "/v1/villages": {
            get: _operation("listVillages", "The register in force", "read",
                            {200: _answer("VillageList", "Every village.")},
                            (*READ_ERRORS, 422), parameters=[ON])},
        "/v1/villages/{code}": {
            get: _operation("getVillage", "One village", "read", {200: _answer("Village", "It.")},
                            (*READ_ERRORS, 404, 422), parameters=[code, ON])},
        "/v1/villages/{code}/history": {
            get: _operation("getVillageHistory", "What every register said of one village", "read",
                            {200: _answer("VillageHistory", "Oldest first.")},
                            (*READ_ERRORS, 404), parameters=[code])},
        "/v1/products": {
            get: _operation("listProducts", "The products in force", "read",
                            {200: _answer("ProductList", "All four.")}, (*READ_ERRORS, 422),
                            parameters=[ON])},
        "/v1/editions": {
            get: _operation("listEditions", "Publications, newest first", "read",
                            {200: _answer("EditionList", "Without their content.")},
                            (*READ_ERRORS, 422), parameters=EDITION_PARAMETERS)},
        "/v1/editions/{digest}": {
            get: _operation("getEdition", "One edition with its text", "read",
                            {200: _answer("EditionText", "As published.")}, (*READ_ERRORS, 404),
                            parameters=[digest])},
        "/healthz": {get: _operation("healthz", "The process is alive", None,
                                     {200: _answer("Status", "Yes.")}, (500,))},
        "/readyz": {get: _operation("readyz", "Editions and ledger are there", None,
                                    {200: _answer("Status", "Yes.")}, (500, 503))},
        "/version": {get: _operation("version", "The program's version", None,
                                     {200: _answer("Version", "It.")}, (500,))},
    }  # fmt: skip


def _review_paths() -> dict[str, Any]:
    """What people do about a decision."""
    of_one = "/v1/decisions/{application_id}"
    state = _query("state", {"type": "string", "enum": list(reviews.REVIEW_STATES)}, "Only these.")
    return {
        f"{of_one}/reviews": {"post": _said(
            "askForReview", "Ask for a person's decision", "Review", reviews.REVIEW_SAYS,
            reviews.REVIEW_EXAMPLES)},
        f"{of_one}/override": {"post": _said(
            "override", "Close the review with a person's decision", "Override",
            reviews.OVERRIDE_SAYS, reviews.OVERRIDE_EXAMPLES)},
        f"{of_one}/disputes": {
            "post": _said(
                "recordDispute", "Record that an objection was lodged, or how it ended", "Dispute",
                reviews.DISPUTE_SAYS, reviews.DISPUTE_EXAMPLES),
            "get": _operation("listDisputes", "Disputes about a decision, oldest first", "read",
                              {200: _answer("DisputeList", "Reports, and the mark if any.")},
                              (*READ_ERRORS, 404), parameters=[APPLICATION_ID])},
        "/v1/reviews": {
            "get": _operation("listReviews", "Reviews of this client, newest first", "read",
                              {200: _answer("ReviewPage", "A page.")}, READ_ERRORS,
                              parameters=[state, *PAGE_PARAMETERS])},
    }  # fmt: skip


def _batch_paths(examples: dict[str, Any]) -> dict[str, Any]:
    """Many applications at once, decided later."""
    one = _parameter(
        "batch_id", "path", {"type": "string", "pattern": f"^{batches.ID}$"}, "As it was given."
    )
    given = _query("batch_id", one["schema"], "Your own id of it; one is made if there is none.")
    state = _query("state", {"type": "string", "enum": list(STATES_OF_BATCHES)}, "Only these.")
    number = {"type": "integer", "minimum": 1}
    rows = [
        _query("from", {**number, "maximum": 999_999_999}, "The first row; 1."),
        _query("limit", {**number, "maximum": batches.MOST_RESULTS}, "Rows at most; 10,000."),
    ]
    good = [examples["applications"][name]["value"] for name in ("approve", "refer")]
    lines = "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in good)
    return {
        "/v1/batches": {
            "post": _operation(
                "sendBatch", "Send many applications, to be decided later", "decide",
                {202: _answer("Batch", "It waits, on disk."),
                 200: _answer("Batch", "The same batch again: where it stands.")},
                (*WRITE_ERRORS, 409), at_length=batches.RECEIVE_SAYS, parameters=[given],
                requestBody={"required": True, "content": _lines(
                    "Application", examples={"two": {"value": lines}})}),
            "get": _operation("listBatches", "Batches of this client, newest first", "read",
                              {200: _answer("BatchPage", "A page.")}, READ_ERRORS,
                              parameters=[state, *PAGE_PARAMETERS])},
        "/v1/batches/{batch_id}": {
            "get": _operation("getBatch", "Where a batch stands", "read",
                              {200: _answer("Batch", "It.")}, (*READ_ERRORS, 404),
                              at_length=batches.BATCH_SAYS, parameters=[one])},
        "/v1/batches/{batch_id}/cancel": {
            "post": _operation("cancelBatch", "Decide no further row of a batch", "decide",
                               {200: _answer("Batch", "It, cancelled.")},
                               (*READ_ERRORS, 404, 409, 413), at_length=batches.CANCEL_SAYS,
                               parameters=[one])},
        "/v1/batches/{batch_id}/results": {
            "get": _operation("getBatchResults", "What became of its rows, one a line", "read",
                              {200: {"description": "In order, as far as they are over.",
                                     "content": _lines("BatchResult")}}, (*READ_ERRORS, 404),
                              at_length=batches.RESULTS_SAYS, parameters=[one, *rows])},
    }  # fmt: skip


def _lines(schema: str, **extra: Any) -> dict[str, Any]:
    """NDJSON: no JSON Schema says it, so the one of a line stands beside it."""
    content = {"schema": {"type": "string", "minLength": 1}, "x-schema-of-a-line": _ref(schema)}
    return {batches.MEDIA_TYPE: {**content, **extra}}


def _said(name: str, says: str, schema: str, at_length: str, examples: Any) -> dict[str, Any]:
    """A POST by which a person says something about a decision."""
    answers_ = {201: "Recorded and on disk.", 200: "The same again: the recorded one."}
    return _operation(
        name, says, "review", {s: _answer(f"{schema}Answer", t) for s, t in answers_.items()},
        (*WRITE_ERRORS, 404, 409), at_length=at_length, requestBody=_body(schema, examples),
        parameters=[APPLICATION_ID],
    )  # fmt: skip
