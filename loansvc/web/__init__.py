"""Web: the Flask application. Bytes become an application; a decision becomes bytes."""

from __future__ import annotations

import logging
import random
import re
import secrets
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, g, request

from loansvc.identifiers import holds_id_number
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting
from loansvc.web import api, batches, docs, outcomes, privacy, probes, problems, receipts, reviews
from loansvc.web.access import Access
from loansvc.web.admission import Admission
from loansvc.web.logs import PatientHandler
from loansvc.web.probes import Readiness
from loansvc.web.requests import check_host
from loansvc.web.strict_json import MOST_BYTES

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
NAMED = "loansvc.request_id"  # in the environ, where the server has named the request already


class _App(Flask):
    """Flask without views that are coroutines, so that no request asks of each whether it is."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function as it is."""
        return func


def create_app(
    underwriting: Underwriting | None = None,
    settings: Settings | None = None,
    *,
    chance: problems.Chance = random.randint,
) -> Flask:
    """The WSGI application, on what the environment's settings name unless they are given.

    `chance` spreads the callers who are told to come back; no secret comes from it.

    Raises:
        EditionRefused, SetupRefused: the service does not start on wrong editions or keys.
    """
    if underwriting is None:
        settings = settings or Settings.from_environment()
        logging.basicConfig(level=settings.log_level.upper(), handlers=[PatientHandler()])
        logging.getLogger("alembic").setLevel(logging.WARNING)
        underwriting = Underwriting.open(settings)
        underwriting.check_ready()
    app = _App("loansvc.web", static_folder=None)
    # One more than is read: werkzeug cuts a chunked body at the limit without a word.
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES + 1
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # would answer 308 in HTML, with the path in it
    app.extensions["underwriting"] = underwriting
    app.before_request(_name_request)
    app.before_request(check_host)
    app.after_request(_finish_response)
    problems.install(app, chance)
    Admission.install(app, settings or Settings())
    app.extensions["readiness"] = Readiness(underwriting)
    app.register_blueprint(probes.blueprint)
    Access.install(app, underwriting, settings or Settings())
    app.register_blueprint(api.blueprint)
    app.register_blueprint(outcomes.blueprint)
    app.register_blueprint(reviews.blueprint)
    app.register_blueprint(receipts.blueprint)
    app.register_blueprint(privacy.blueprint)
    batches.install(app, settings or Settings())
    app.register_blueprint(docs.blueprint)
    return app


def _name_request() -> None:
    named = request.environ.get(NAMED)
    g.request_id = named or request_id_of(request.headers.get("X-Request-Id", ""))


def request_id_of(given: str) -> str:
    """What a request is called in our log: as its caller calls it, where that can be logged."""
    fits = _REQUEST_ID.fullmatch(given) and not holds_id_number(given)
    return given if fits else secrets.token_hex(8)


def _finish_response(response: Response) -> Response:
    response.headers.add("X-Request-Id", g.request_id)
    if not isinstance(response, problems.Answer):  # which has them from the start
        for name, value in problems.SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
    return response
