"""Refusals over HTTP: `application/problem+json` (RFC 9457), in one shape, from one function."""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import orjson
from flask import Flask, Response, g
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from loansvc.errors import LedgerUnavailable, LoanError, Overloaded
from loansvc.web.strict_json import too_large
from loansvc.web.timing import timing

log = logging.getLogger("loansvc.web")
RETRY_AFTER_SECONDS = (1, 5)  # drawn between the two, so that callers do not all come back at once
Chance = Callable[[int, int], int]  # a whole number from the first to the second, both included


SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class Answer(Response):
    """A response whose headers are whole as they stand, so that none is looked over again."""

    def get_wsgi_headers(self, environ: Any) -> Headers:
        """The headers as they were set."""
        return self.headers


def answer(document: Any, status: int = 200, *, media_type: str = "application/json") -> Response:
    """A JSON response; nothing that is answered may be kept by a cache on the way."""
    return plain(
        orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE), status, media_type=media_type
    )


def plain(body: bytes, status: int = 200, *, media_type: str) -> Response:
    """A response of these bytes; likewise never kept."""
    given = {"Content-Type": media_type, "Cache-Control": "no-store", **SECURITY_HEADERS}
    return Answer(body, status, Headers(given))


def problem_document(error: LoanError, request_id: str) -> dict[str, Any]:
    """The body of a refusal. Holds no value that was sent and no traceback."""
    document = {
        "type": f"/problems/{error.code}",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
        "request_id": request_id,
    }
    if error.errors:
        document["errors"] = [
            {"pointer": e.pointer, "code": e.code, "detail": e.detail} for e in error.errors
        ]
    return document


def problem(error: LoanError, chance: Chance, request_id: str) -> Response:
    """The one function that every refusal over HTTP comes from."""
    response = answer(
        problem_document(error, request_id), error.status, media_type="application/problem+json"
    )
    if error.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        wait_s = error.retry_after_s + chance(*RETRY_AFTER_SECONDS)
        response.headers["Retry-After"] = str(wait_s)
    return response


def install(app: Flask, chance: Chance) -> None:
    """Let every error of the app leave as a problem document."""

    def refused(error: LoanError) -> Response:
        timing().outcome = error.code
        return problem(error, chance, g.request_id)

    @app.errorhandler(LoanError)
    def on_refusal(error: LoanError) -> Response:
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, Overloaded):
            log_refusal(error, g.request_id)
        return refused(error)

    @app.errorhandler(HTTPException)
    def on_http_error(error: HTTPException) -> Response:
        if isinstance(error, RequestEntityTooLarge):
            return refused(too_large())
        response = refused(_from_http(error))
        for name, value in error.get_headers():
            if name == "Allow":
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def on_our_mistake(error: Exception) -> Response:
        log.error("request failed", exc_info=error)
        return refused(our_mistake())


def our_mistake() -> LoanError:
    """What is told of an error that nobody foresaw."""
    refusal = LoanError(
        "An error on our side. Send the same request again; if it stays, report request_id."
    )
    refusal.status, refusal.code = 500, "internal_error"
    return refusal


def log_refusal(error: LoanError, request_id: str) -> None:
    """One line for what passes by itself: a full disk would else fill the log's as well."""
    about = {"request_id": request_id, "code": error.code}
    if error.status != HTTPStatus.SERVICE_UNAVAILABLE:
        log.error("request refused: %s", error.detail, extra=about, exc_info=error)
        return
    cause = error.__cause__ if isinstance(error, LedgerUnavailable) else None
    # As the driver says it, without the statement; a second line may hold values of a row.
    said = str(getattr(cause, "orig", None) or cause or error.detail).partition("\n")[0]
    log.error("request refused: %s", said, extra=about)


def _from_http(error: HTTPException) -> LoanError:
    status = HTTPStatus(error.code or 500)
    texts = {
        HTTPStatus.NOT_FOUND: "There is nothing at this address. See /docs.",
        HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take that method. See /docs.",
    }
    refusal = LoanError(texts.get(status, f"{status.phrase}. See /docs."))
    refusal.status, refusal.code = status.value, status.name.lower()
    return refusal
