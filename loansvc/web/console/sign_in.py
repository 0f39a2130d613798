"""Sign-in: signing in and out, the files that pages need, and addresses where there is nothing."""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path

from flask import Response, current_app, g, redirect, request, send_from_directory
from werkzeug.wrappers import Response as Answer

from loansvc.errors import NotFound, Unauthenticated
from loansvc.settings import shipped
from loansvc.web.access import access, underwriting
from loansvc.web.console.frame import blueprint, page, see, sent, session, signed_in
from loansvc.web.console.session import Session

STATIC = Path(__file__).parent / "static"
STATIC_SECONDS = 3600
FONT = "NotoSansSC-subset.otf"  # as letters and reports have it
_BACK = re.compile(r"/console/[A-Za-z0-9/._~:?&=%-]{0,500}", re.ASCII)


@blueprint.get("/")
@signed_in("read")
def home() -> Response:
    """Where people begin."""
    return see("decisions")


@blueprint.get("/sign-in")
def sign_in() -> Response:
    """Asks for a key."""
    return page("sign_in.html", refusal=None)


@blueprint.post("/sign-in")
def take_key() -> Answer:
    """Begins a session, if the key opens something; goes on to where one came from."""
    key = sent(("key",)).get("key", "")
    try:
        found = access().signs_in(key)
    except Unauthenticated as refusal:
        return page("sign_in.html", HTTPStatus.UNAUTHORIZED, refusal=refusal)
    g.session = Session.begin(found.key_id, now=underwriting().clock())
    back = request.args.get("back", "")
    if not _BACK.fullmatch(back) or "//" in back or "/../" in back:
        return see("home")
    return redirect(f"{current_app.extensions['console_prefix']}{back}", HTTPStatus.SEE_OTHER)


@blueprint.post("/sign-out")
def sign_out() -> Response:
    """Ends the session, in every copy of its cookie."""
    root, found = underwriting(), session()
    assert found is not None, "a form is of a session"
    found.end(root.ledger, now=root.clock())
    g.session = None
    return see("sign_in")


@blueprint.get("/static/<name>")
def static(name: str) -> Response:
    """A file of the pages."""
    folder = shipped("fonts") if name == FONT else STATIC
    response = send_from_directory(folder, name, max_age=STATIC_SECONDS)
    response.headers["Cache-Control"] = f"public, max-age={STATIC_SECONDS}"
    return response


@blueprint.get("/<path:_rest>")
def nowhere(_rest: str) -> Response:
    """There is nothing at this address, told as a page."""
    raise NotFound("There is nothing at this address. See /console/")
