"""The HTTP surface under /v1."""

from __future__ import annotations

from datetime import date
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response
from marshmallow import ValidationError

from loansvc.application import PRODUCTS, Application
from loansvc.editions import (
    COUNTY,
    EVERY_KIND,
    ROLES,
    Edition,
    digest_of,
    holding,
    in_force,
)
from loansvc.errors import (
    EditionRefused,
    InvalidApplication,
    NotFound,
)
from loansvc.ledger.acts import STATES
from loansvc.policy import OUTCOMES
from loansvc.reviewing import Reviewing
from loansvc.reviewing.showing import shown
from loansvc.underwriting import Recorded
from loansvc.villages import Register, Village
from loansvc.villages.history import history_of
from loansvc.web.access import client, requires, underwriting, watch
from loansvc.web.fields import Day, Pattern, Word
from loansvc.web.presentation import (
    edition_document,
    newest_first,
    product_document,
    village_history_document,
)
from loansvc.web.problems import answer
from loansvc.web.requests import json_document, query_of
from loansvc.web.schemas import StrictSchema, flat_errors, load_application
from loansvc.web.timing import timing

blueprint = Blueprint("api", __name__)
MOST_ROWS = 100
DEFAULT_ROWS = 20


class OverrideSchema(StrictSchema):
    """Which editions a preview uses instead of those in force today."""

    on = Day()
    role = Word(ROLES)


class OnSchema(StrictSchema):
    """The day asked about."""

    on = Day()


class EditionsQuerySchema(OnSchema):
    """Filters of the list of editions."""

    kind = Word(EVERY_KIND)
    product = Word((*PRODUCTS, COUNTY))
    role = Word(ROLES)


DecisionsQuerySchema = StrictSchema.from_dict(
    {
        "product": Word(PRODUCTS),
        "outcome": Word(OUTCOMES),
        "final_outcome": Word(OUTCOMES),
        "state": Word(STATES),
        "village": Pattern("[0-9]{12}", "Must be the 12-digit code of a village."),
        "from": Day(),
        "to": Day(),
        "cursor": Pattern("[0-9]{1,18}", "Must be the `next` of an earlier page."),
        "limit": Pattern("[1-9][0-9]?|100", f"Must be from 1 to {MOST_ROWS}."),
    },
    name="DecisionsQuerySchema",
)


@blueprint.post("/v1/decisions")
@requires("decide")
def decide() -> Response:
    """Decide and record: 201 new, 200 the same application again."""
    timed = timing()
    application = application_of(json_document())
    recorded, is_new = underwriting().decide(
        application, client=client(), watch=watch(), stage=timed.stage
    )
    timed.outcome = str(recorded.decision["outcome"]) if is_new else "replayed"
    response = answer(recorded.answer(), HTTPStatus.CREATED if is_new else HTTPStatus.OK)
    if is_new:
        response.headers["Location"] = f"/v1/decisions/{recorded.entry.application_id}"
    else:
        response.headers["Idempotent-Replayed"] = "true"
    return response


@blueprint.post("/v1/previews")
@requires("decide")
def preview() -> Response:
    """The same answer, recorded nowhere; `editions` may ask for another day or role."""
    document = json_document()
    override: dict[str, Any] = {}
    if isinstance(document, dict) and "editions" in document:
        asked = document.pop("editions")
        try:
            override = OverrideSchema().load({} if asked is None else asked)
        except ValidationError as error:
            raise InvalidApplication(flat_errors(error, "/editions")) from None
    application = application_of(document)
    previewed = underwriting().preview(application, **override, watch=watch())
    timing().outcome = str(previewed["outcome"])
    return answer(previewed)


@blueprint.get("/v1/decisions")
@requires("read")
def decisions() -> Response:
    """Decisions of this client, newest first, a page at a time."""
    found, before = found_by(query_of(DecisionsQuerySchema))
    today = underwriting().today()
    return answer(
        {
            "data": [shown(recorded, today=today) for recorded in found],
            "has_more": before is not None,
            "next": None if before is None else str(before),
        }
    )


def found_by(query: dict[str, Any]) -> tuple[list[Recorded], int | None]:
    """What a query of this client finds: a page, and where the next one begins (None: no more)."""
    return underwriting().page(
        client=client(),
        limit=int(query["limit"] or DEFAULT_ROWS),
        before=int(query["cursor"]) if query["cursor"] else None,
        village=query["village"],
        product=query["product"],
        outcome=query["outcome"],
        final_outcome=query["final_outcome"],
        state=query["state"],
        since=query["from"] and query["from"].isoformat(),
        until=query["to"] and f"{query['to']}T24",  # as text, after every instant of that day
    )


@blueprint.get("/v1/decisions/<application_id>")
@requires("read")
def decision(application_id: str) -> Response:
    """One decision as it was answered, and what people did about it."""
    return answer(Reviewing(underwriting()).decision(application_id, client=client()))


@blueprint.get("/v1/decisions/<application_id>/explanation")
@requires("read")
def explanation(application_id: str) -> Response:
    """Why: points from base to score, rules, derivation of limit, rate and guarantee."""
    return answer(Reviewing(underwriting()).explain(application_id, client=client()))


@blueprint.get("/v1/decisions/<application_id>/replay")
@requires("read")
def replay(application_id: str) -> Response:
    """Decide again from the recorded inputs: identical, or the differences."""
    root = underwriting()
    return answer(root.replay(root.find(application_id, client=client())))


@blueprint.get("/v1/villages")
@requires("read")
def villages() -> Response:
    """Every village of the register in force, as it stands on a day."""
    on = _on()
    register = register_on(on)
    return answer(
        {"data": [village_document(v, register, on) for v in register.content.villages.values()]}
    )


@blueprint.get("/v1/villages/<code>")
@requires("read")
def village(code: str) -> Response:
    """One village: rating, points, evidence."""
    on = _on()
    register = register_on(on)
    if code not in register.content.villages:
        raise NotFound("There is no such village in the register. See GET /v1/villages.")
    return answer(village_document(register.content.villages[code], register, on))


@blueprint.get("/v1/villages/<code>/history")
@requires("read")
def village_history(code: str) -> Response:
    """What every register said of one village that was new, and what followed by itself."""
    query_of(StrictSchema)
    return answer(village_history_document(history_of(code, underwriting().registry.editions)))


@blueprint.get("/v1/products")
@requires("read")
def products() -> Response:
    """The products in force on a day: rules, limits, prices and guarantee in words and figures."""
    on, registry = _on(), underwriting().registry
    return answer({"data": [product_document(p, registry.in_force(p, on)) for p in PRODUCTS]})


@blueprint.get("/v1/editions")
@requires("read")
def editions() -> Response:
    """Publications, newest first; with `on` those in force that day."""
    query = query_of(EditionsQuerySchema)
    wanted = [
        e
        for e in underwriting().registry.editions
        if all(query[k] in (None, getattr(e, k)) for k in ("kind", "product", "role"))
    ]
    if query["on"] is not None:
        wanted = holding(wanted, on=query["on"])
    return answer({"data": [edition_document(e) for e in newest_first(wanted)]})


@blueprint.get("/v1/editions/<digest>")
@requires("read")
def edition(digest: str) -> Response:
    """One edition with its text as published."""
    found = underwriting().registry.by_digest(digest)
    return answer(edition_document(found) | {"text": text_of(found)})


def text_of(edition: Edition[Any]) -> str:
    """The text of an edition as it was published.

    Raises:
        EditionRefused: the file has changed since.
    """
    folder = underwriting().registry.folder
    data = (folder / edition.path).read_bytes()  # as bytes: line ends are part of the digest
    if digest_of(data) != edition.digest:
        raise EditionRefused(f"{edition.path}: has changed since the start. Restore the file.")
    return data.decode("utf-8")


def application_of(document: Any) -> Application:
    """The application in a document, read as of today by the register's villages."""
    root = underwriting()
    codes = root.registry.village_codes
    return load_application(document, today=root.today(), village_codes=codes)


def _on() -> date:
    """The day of the query, today unless given."""
    on = query_of(OnSchema)["on"]
    return on if isinstance(on, date) else underwriting().today()


def register_on(on: date) -> Edition[Register]:
    """The register of villages in force on a day."""
    found = underwriting().registry.editions
    return in_force(found, kind="villages", product=COUNTY, role="champion", on=on)


def village_document(village: Village, register: Edition[Register], on: date) -> dict[str, Any]:
    """A village as it stands on a day."""
    standing = register.content.standing(village.code, on)
    return {
        "code": village.code,
        "name": village.name,
        "town": village.town,
        "rating": standing.rating,
        "state": standing.state,
        "assessed_on": village.assessed_on and village.assessed_on.isoformat(),
        "points": standing.points,
        "credibility": standing.credibility_percent / 100,
        "evidence": dict(village.evidence) or None,
        "flagged": standing.flagged,
        "appeal": standing.appeal,
        "synthetic": register.content.synthetic,
        "register": {"valid_from": register.valid_from.isoformat(), "digest": register.digest},
    }
