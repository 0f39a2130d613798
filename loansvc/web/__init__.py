"""Web: the Flask application. Bytes become an application; a decision becomes bytes."""

from __future__ import annotations

import random
import re
import secrets
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request

from loansvc.errors import Overloaded
from loansvc.identifiers import holds_id_number
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting
from loansvc.web import (
    api,
    batches,
    console,
    docs,
    logs,
    metrics,
    outcomes,
    privacy,
    probes,
    problems,
    receipts,
    reviews,
    timing,
)
from loansvc.web.access import Access
from loansvc.web.admission import Admission
from loansvc.web.requests import check_host
from loansvc.web.strict_json import MOST_BYTES

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
NAMED = "loansvc.request_id"  # in the environ, where the server has named the request already


class _App(Flask):
    """Flask that does nothing for a request which a full service refuses anyway.

    No view of it is a coroutine, so that no request asks of each whether it is.
    """

    refuses: Callable[[WSGIEnvironment], Response | None]

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function as it is."""
        return func

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        return (self.refuses(environ) or super().wsgi_app)(environ, start_response)


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
        logs.install(settings.log_level, requests=settings.log_requests == "yes")
        underwriting = Underwriting.open(settings)
        underwriting.check_ready()
    app = _App("loansvc.web", static_folder=None)
    # One more than is read: werkzeug cuts a chunked body at the limit without a word.
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES + 1
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # would answer 308 in HTML, with the path in it
    app.extensions["underwriting"] = underwriting
    underwriting.ledger.on_commit(metrics.note_commit)
    app.before_request(_name_request)
    app.before_request(check_host)
    app.after_request(_finish_response)
    problems.install(app, chance)
    app.refuses = partial(_refused_early, Admission.install(app, settings or Settings()), chance)
    probes.install(app, underwriting, settings or Settings())
    Access.install(app, underwriting, settings or Settings())
    app.register_blueprint(api.blueprint)
    app.register_blueprint(outcomes.blueprint)
    app.register_blueprint(reviews.blueprint)
    app.register_blueprint(receipts.blueprint)
    app.register_blueprint(privacy.blueprint)
    batches.install(app, settings or Settings())
    app.register_blueprint(docs.blueprint)
    console.install(app, settings or Settings())
    return app


def _name_request() -> None:
    g.request_id = _named(request.environ)
    timing.begin(g.request_id)


def _named(environ: WSGIEnvironment) -> str:
    named: str = environ.get(NAMED) or request_id_of(environ.get("HTTP_X_REQUEST_ID", ""))
    return named


def _refused_early(
    admission: Admission, chance: problems.Chance, environ: WSGIEnvironment
) -> Response | None:
    """The very answer that Flask would come to, for a fifth of its work."""
    if not admission.refuses(environ):
        return None
    request_id = _named(environ)
    response = problems.problem(Overloaded(), chance, request_id)
    response.headers.add("X-Request-Id", request_id)
    timing.end_early(environ, request_id, response, Overloaded.code)
    return response


def request_id_of(given: str) -> str:
    """What a request is called in our log: as its caller calls it, where that can be logged."""
    fits = _REQUEST_ID.fullmatch(given) and not holds_id_number(given)
    return given if fits else secrets.token_hex(8)


def _finish_response(response: Response) -> Response:
    response.headers.add("X-Request-Id", g.request_id)
    if not isinstance(response, problems.Answer):  # which has them from the start
        for name, value in problems.SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
    timing.finish(response)  # last of all that is done with an answer, for it is the first here
    return response
