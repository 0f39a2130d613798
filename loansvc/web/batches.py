"""Batches over HTTP: applications one a line (NDJSON), taken in now, decided by a worker later."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Flask, Response, current_app, g, request

from loansvc.batching import Batching, Result
from loansvc.errors import BatchRefused, FieldError, LoanError
from loansvc.identifiers import holds_id_number
from loansvc.ledger.batches import STATES, WAITING, Row, refused
from loansvc.settings import Settings
from loansvc.web.access import client, requires, underwriting
from loansvc.web.admission import Admission
from loansvc.web.fields import Pattern, Word
from loansvc.web.lines import Lines, pass_over
from loansvc.web.problems import answer, problem_document
from loansvc.web.requests import InvalidQuery, check_media_type, is_streamed, query_of
from loansvc.web.schemas import APPLICATION_ID_FORM, StrictSchema, load_application
from loansvc.web.strict_json import loads, too_large

log = logging.getLogger("loansvc.web")
blueprint = Blueprint("batches", __name__)
MEDIA_TYPE = "application/x-ndjson"
MEDIA_TYPES = (MEDIA_TYPE, "application/ndjson", "application/jsonl")
ROWS_AT_ONCE = 50  # results of one snapshot
MOST_RESULTS = 10_000  # of one answer
DEFAULT_ROWS = 20
ID = APPLICATION_ID_FORM
_ID_NUMBER = re.compile(r"[0-9]{17}[0-9X]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that a batch may have, and how many of a client may wait."""

    rows: int
    bytes: int
    open: int


class ReceiveQuerySchema(StrictSchema):
    """The caller's own id of a batch; one is made if there is none."""

    batch_id = Pattern(
        ID, "Must be 1 to 64 of A-Z a-z 0-9 . _ : - and start with a letter or digit."
    )


class BatchesQuerySchema(StrictSchema):
    """Filters of the list of batches."""

    state = Word(STATES)
    cursor = Pattern("[0-9]{1,18}", "Must be the `next` of an earlier page.")
    limit = Pattern("[1-9][0-9]?|100", "Must be from 1 to 100.")


ResultsQuerySchema = StrictSchema.from_dict(
    {
        "from": Pattern("[1-9][0-9]{0,8}", "Must be the number of a row, from 1."),
        "limit": Pattern("[1-9][0-9]{0,3}|10000", f"Must be from 1 to {MOST_RESULTS}."),
    },
    name="ResultsQuerySchema",
)


def install(app: Flask, settings: Settings) -> None:
    """Let the app take batches within the bounds of the settings."""
    app.extensions["batch_bounds"] = Bounds(
        settings.batch_rows, settings.batch_mb * 1_000_000, settings.batch_queue
    )
    app.register_blueprint(blueprint)
    app.after_request(_pass_over_refused)


def _pass_over_refused(response: Response) -> Response:
    if is_streamed() and response.status_code >= HTTPStatus.BAD_REQUEST:
        pass_over(request)
    return response


@blueprint.post("/v1/batches")
@requires("decide")
def receive() -> Response:
    """Take a batch in: 202 new, 200 the same again."""
    batch_id = query_of(ReceiveQuerySchema)["batch_id"]
    if batch_id and holds_id_number(batch_id):
        says = "Must hold no ID number: it stays in addresses and logs."
        raise InvalidQuery([FieldError("/batch_id", "personal_number", says)])
    check_media_type("one application a line", *MEDIA_TYPES)
    admission = _admission()
    with admission.upload():
        lines = Lines(request, most_bytes=_bounds().bytes)
        found, is_new = Batching(underwriting()).receive(
            _rows(lines), lines.content, client=client(), batch_id=batch_id,
            most_open=_bounds().open, turn=admission.turn,
        )  # fmt: skip
    response = answer(found, HTTPStatus.ACCEPTED if is_new else HTTPStatus.OK)
    response.headers["Location"] = f"/v1/batches/{found['batch_id']}"
    if not is_new:
        response.headers["Idempotent-Replayed"] = "true"
    return response


@blueprint.get("/v1/batches")
@requires("read")
def batches() -> Response:
    """Batches of this client, newest first, a page at a time."""
    query = query_of(BatchesQuerySchema)
    found, before = Batching(underwriting()).page(
        client=client(),
        state=query["state"],
        before=int(query["cursor"]) if query["cursor"] else None,
        limit=int(query["limit"] or DEFAULT_ROWS),
    )
    go_on = None if before is None else str(before)
    return answer({"data": found, "has_more": before is not None, "next": go_on})


@blueprint.get("/v1/batches/<batch_id>")
@requires("read")
def batch(batch_id: str) -> Response:
    """Where a batch stands."""
    return answer(Batching(underwriting()).find(batch_id, client=client()))


@blueprint.post("/v1/batches/<batch_id>/cancel")
@requires("decide")
def cancel(batch_id: str) -> Response:
    """Decide no further row of it."""
    query_of(StrictSchema)
    return answer(Batching(underwriting()).cancel(batch_id, client=client()))


@blueprint.get("/v1/batches/<batch_id>/results")
@requires("read")
def results(batch_id: str) -> Response:
    """What became of its rows, one a line, in order, as far as they are over."""
    query = query_of(ResultsQuerySchema)
    first, limit = int(query["from"] or 1), int(query["limit"] or MOST_RESULTS)
    look = partial(Batching(underwriting()).results, batch_id, client=client())
    some = look(
        first=first, limit=min(limit, ROWS_AT_ONCE)
    )  # a refusal comes before the first line
    response = Response(_told(some, look, limit, _admission(), g.request_id), mimetype=MEDIA_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response


def _told(
    some: list[Result], look: Any, limit: int, admission: Admission, request_id: str
) -> Iterator[bytes]:
    """The lines of an answer, a piece at a time, each with a place of its own among the requests.

    It ends early where there is none for long: the caller goes on from the row after the last.
    """
    n_told = 0
    while some:
        yield "".join(_line(result, request_id) for result in some).encode()
        n_told += len(some)
        if n_told >= limit or len(some) < ROWS_AT_ONCE:
            return
        try:
            with admission.turn():
                some = look(first=some[-1].row + 1, limit=min(limit - n_told, ROWS_AT_ONCE))
        except LoanError as error:
            about = {"request_id": request_id, "code": error.code}
            log.warning("results end early", extra=about)
            return


def _line(result: Result, request_id: str) -> str:
    document: dict[str, Any] = {
        "row": result.row, "application_id": result.application_id, "status": result.status,
    }  # fmt: skip
    if result.refusal is None:
        document["decision"] = result.decision
    else:
        document["problem"] = problem_document(result.refusal, request_id)
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


# --- rows -----------------------------------------------------------------------------------------


def _rows(lines: Lines) -> Iterator[Row]:
    most = _bounds().rows
    for number, line in enumerate(lines, start=1):
        if number > most:
            raise BatchRefused("batch_too_large")
        yield _row(number, line)


def _row(number: int, line: bytes | None) -> Row:
    """A row that waits, or is over already: only of whom an erasure can find is anything kept."""
    document: Any = None
    try:
        if line is None:
            raise too_large()
        document = loads(line)
        person = document["applicant"]["id_number"] if _has_person(document) else None
        if person is None:
            root = underwriting()
            codes = root.registry.village_codes
            load_application(document, today=root.today(), village_codes=codes)
            raise AssertionError("an application names its person")
    except LoanError as error:
        return refused(number, error, document)
    return Row(number, WAITING, document, person)


def _has_person(document: Any) -> bool:
    applicant = document.get("applicant") if isinstance(document, dict) else None
    id_number = applicant.get("id_number") if isinstance(applicant, dict) else None
    return isinstance(id_number, str) and _ID_NUMBER.fullmatch(id_number) is not None


def _bounds() -> Bounds:
    bounds = current_app.extensions["batch_bounds"]
    assert isinstance(bounds, Bounds)
    return bounds


def _admission() -> Admission:
    admission = current_app.extensions["admission"]
    assert isinstance(admission, Admission)
    return admission


# --- for the contract -----------------------------------------------------------------------------

RECEIVE_SAYS = """NDJSON: one application a line, as `POST /v1/decisions` takes it; empty lines are
passed over and not counted. The body may come in chunks and is read as it comes. Answered is when
every row is on disk, sealed; they are decided later, in order, by the same function, and so with
the same idempotency: a row whose `application_id` was decided before gets that decision.

A line that cannot be read refuses that row alone. The whole batch is refused when it is cut off,
has too many rows or bytes (`batch_too_large`), none (`empty_batch`), or when as many batches of the
client wait as may (`too_many_batches`); nothing of it is kept then. The same `batch_id` with the
same bytes again answers 200, with other bytes 409 (`batch_id_reused`). A signature of a batch must
cover Content-Digest, which is checked when the body is there."""
BATCH_SAYS = """`rows_over` of `rows` are decided or refused, by outcome in `counts`; `results_to`
is the last row up to which every result can be had. States: `receiving`, `waiting`, `running`,
`done`, `cancelled`. Some days after its end a batch is dropped and answers 404; its decisions
stay."""
CANCEL_SAYS = """Rows that wait are deleted; what was decided stays, and so do its results. Again,
the answer is the same. A batch of which every row is over refuses it (`batch_done`)."""
RESULTS_SAYS = """One object a line: `row`, `application_id`, `status` and `decision` or `problem`.

`status` is what `POST /v1/decisions` would have answered: 201, 200 for one that was decided before,
or that of the problem. A decision is shown as it stands now, with what people did about it; of
somebody who was erased since it is a problem, `erased`. An answer may have fewer rows than there
are: go on with `from` one above the last row, until `results_to` of the batch."""
