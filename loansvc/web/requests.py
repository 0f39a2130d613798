"""Requests: the JSON body and the query of a request, read strictly or refused."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from flask import request
from gunicorn.http.errors import ParseException
from marshmallow import Schema, ValidationError

from loansvc.errors import FieldError, InvalidRequest
from loansvc.web.schemas import flat_errors
from loansvc.web.strict_json import MOST_BYTES, loads, too_large

# Bodies that their view reads itself, piece by piece as they come (web/lines.py).
STREAMED = frozenset({"batches.receive"})


def is_streamed() -> bool:
    """Whether the body of this request is too long to be read at once."""
    return request.endpoint in STREAMED


def json_document() -> Any:
    """The request's JSON document, read strictly."""
    check_media_type("JSON", "application/json")
    return loads(body_bytes())


def check_media_type(what: str, *media_types: str) -> None:
    """Refuse a body that is declared as something else, or is not sent as it is."""
    says = ""
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        says = "Send the body as it is, without Content-Encoding."
    elif request.mimetype not in media_types or charset not in ("utf-8", "utf8"):
        says = f"Send {what} in UTF-8 with Content-Type: {media_types[0]}."
    if says:
        raise InvalidRequest(says, code="unsupported_media_type", status=415)


def check_host() -> None:
    """RFC 9112 section 3.2: 400 to a request of HTTP/1.1 without Host; gunicorn lets it through."""
    if "HTTP_HOST" not in request.environ and request.environ["SERVER_PROTOCOL"] == "HTTP/1.1":
        raise InvalidRequest("Host is missing. Send it: HTTP/1.1 asks for it.", code="not_http")


def body_bytes() -> bytes:
    """The body as it was sent, kept for whoever asks next."""
    try:
        data = request.get_data(cache=True)
    except (ParseException, OSError):
        # gunicorn raises these while the body is read: broken chunks, or the caller has gone.
        raise InvalidRequest("The body could not be read whole. Send it again.") from None
    if len(data) > MOST_BYTES:
        raise too_large()
    return data


def is_from(proxy: str) -> bool:
    """Whether the request came through the proxy that is believed; "" is none."""
    return bool(proxy) and request.remote_addr == proxy


def caller_address(proxy: str) -> str:
    """The address that a request came from, as far as it can be believed.

    Of the proxy's request the last one of X-Forwarded-For, which the proxy wrote: what stands
    before it is the caller's own word.
    """
    peer = request.remote_addr or ""
    if not is_from(proxy):
        return peer
    last = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    try:
        return str(ip_address(last))
    except ValueError:
        return peer


def query_of(schema: type[Schema]) -> dict[str, Any]:
    """The query parameters, strictly: unknown or repeated ones are refused."""
    repeated = [name for name, values in request.args.lists() if len(values) > 1]
    if repeated:
        raise InvalidRequest(
            "A query parameter is given twice. Give it once.", code="invalid_query"
        )
    return read_query(schema, request.args)


def read_query(schema: type[Schema], given: Mapping[str, str]) -> dict[str, Any]:
    """These query parameters, strictly."""
    try:
        query: dict[str, Any] = schema().load(dict(given))
    except ValidationError as error:
        raise InvalidQuery(flat_errors(error, "")) from None
    return query


class InvalidQuery(InvalidRequest):
    """A query parameter is not of its form."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("Some query parameters need correcting.", code="invalid_query")
        self.errors = tuple(errors)
