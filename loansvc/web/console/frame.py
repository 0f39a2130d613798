"""Frame: what every page of the console is held in: session, language, links, headers.

Pages are made on the server; the one script only previews and prints. A refusal leaves the service
as a problem document and reaches a person as a page.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec
from urllib.parse import quote, urlencode, urlsplit

from flask import Blueprint, Response, current_app, g, render_template, request, url_for
from werkzeug.datastructures import MultiDict

from loansvc.errors import Forbidden, NotFound, StaleForm, Unauthenticated
from loansvc.reasons import PLAIN_REASONS
from loansvc.web.access import access, underwriting
from loansvc.web.console.session import LONGEST, Session
from loansvc.web.console.words import BOUND_ZH, FIELD_ZH, REFUSAL_ZH
from loansvc.web.requests import body_bytes

Args = ParamSpec("Args")
blueprint = Blueprint("console", __name__, url_prefix="/console", template_folder="templates")
SESSION, LANGUAGE = "loansvc_console", "loansvc_language"
LANGUAGES = ("zh", "en")  # Chinese unless asked otherwise
YEAR_SECONDS = 365 * 24 * 3600
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PROBLEM = "application/problem+json"
_FIGURE = re.compile("[0-9]+", re.ASCII)
MENU = (  # page, its names, the scope that opens it
    ("decisions", ("决定", "Decisions"), "read"),
    ("reviews", ("人工审核", "Reviews"), "read"),
    ("trial", ("试算", "Try it"), "decide"),
    ("villages", ("村镇", "Villages"), "read"),
    ("editions", ("版本", "Editions"), "read"),
    ("fund", ("担保基金", "Fund"), "read"),
    ("monitoring", ("监测", "Monitoring"), "admin"),
    ("county_report", ("统计报告", "Report"), "admin"),
)


# --- language -------------------------------------------------------------------------------------


def language() -> str:
    """The language of this page."""
    asked = request.args.get("language") or request.cookies.get(LANGUAGE)
    return asked if asked in LANGUAGES else LANGUAGES[0]


def told(zh: str, en: str) -> str:
    """A text in the language of this page."""
    return zh if language() == "zh" else en


def of(texts: tuple[str, str] | Any, name: str = "") -> str:
    """A pair of texts, or the `zh` and `en` of a document (`name_zh`, `name_en`), likewise."""
    if isinstance(texts, tuple):
        return told(*texts)
    return str(texts[f"{name}_{language()}" if name else language()] or "")


# --- links and pages ------------------------------------------------------------------------------


def link(endpoint: str, **values: Any) -> str:
    """The address of a page, as the browser reaches it."""
    return f"{current_app.extensions['console_prefix']}{url_for(f'console.{endpoint}', **values)}"


def in_other_language() -> str:
    """The address of this page in the other language."""
    other = LANGUAGES[1 - LANGUAGES.index(language())]
    # Not by `url_for`, to which some names of parameters mean something.
    query = urlencode({**request.args.to_dict(), "language": other})
    return f"{current_app.extensions['console_prefix']}{quote(request.path)}?{query}"


def page(template: str, status: int = 200, **values: Any) -> Response:
    """A page."""
    html = render_template(template, **values)
    return Response(html, status, content_type="text/html; charset=utf-8")


def see(endpoint: str, **values: Any) -> Response:
    """Go on to another page."""
    return Response(status=303, headers={"Location": link(endpoint, **values)})


def asked(names: tuple[str, ...]) -> dict[str, str]:
    """Of the query, these parameters that were filled in."""
    return _filled(request.args, names)


def sent(names: tuple[str, ...]) -> dict[str, str]:
    """Of the form, these fields that were filled in, without spaces around them."""
    return _filled(request.form, names)


def _filled(given: MultiDict[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: text for name in names if (text := given.get(name, "").strip())}


# --- who is signed in -----------------------------------------------------------------------------


def session() -> Session | None:
    """The session that the request came with."""
    if "session" not in g:
        root = underwriting()
        cookie = request.cookies.get(SESSION, "")
        found = Session.read(cookie, root.ledger.vault, now=root.clock()) if cookie else None
        g.session = None if found and found.has_ended(root.ledger) else found
    found = g.session
    assert found is None or isinstance(found, Session)
    return found


def form_token() -> str:
    """What a form of this page carries; before anybody has signed in, of a session of nobody."""
    found = session()
    if found is None:
        found = g.session = Session.begin("", now=underwriting().clock())
    return found.form_token(underwriting().ledger.vault)


def signed_in(scope: str) -> Callable[[Callable[Args, Response]], Callable[Args, Response]]:
    """A page for those who have signed in with a key of this scope; others are asked to."""

    def wrap(view: Callable[Args, Response]) -> Callable[Args, Response]:
        @wraps(view)
        def checked(*args: Args.args, **kwargs: Args.kwargs) -> Response:
            found = session()
            if found is None or not found.key_id:
                return _to_sign_in()
            try:
                g.caller = access().signed_in(found.key_id)
            except Unauthenticated:
                g.session = None
                return _to_sign_in()
            if scope not in g.caller.scopes:
                raise Forbidden(scope)
            return view(*args, **kwargs)

        return checked

    return wrap


def _to_sign_in() -> Response:
    """Ask who it is, and come back here afterwards."""
    back = request.full_path.rstrip("?") if request.method == "GET" else ""
    return see("sign_in", **({"back": back} if back else {}))


def may(scope: str) -> bool:
    """Whether whoever is signed in has a key of this scope."""
    return "caller" in g and scope in g.caller.scopes


@blueprint.before_request
def check_form() -> None:
    """Take a form only from a page of the same session (OWASP: cross-site request forgery).

    Raises:
        NotFound: this service has no console.
        StaleForm: it came from elsewhere.
    """
    if not access().takes("console"):
        raise NotFound("This service has no console. See LOANSVC_ACCESS in docs/access.md.")
    if request.method != "POST":
        return
    body_bytes()  # as every body is read: whole or not at all
    found = session()
    from_here = request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")
    token = request.form.get("form_token", "")
    if not from_here or not found or not found.owns(token, underwriting().ledger.vault):
        raise StaleForm


@blueprint.after_request
def finish(response: Response) -> Response:
    """A refusal as a page; headers and cookies of every page."""
    if response.mimetype == PROBLEM:
        response = _refusal(response)
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    # A form posted under "no-referrer" would say that it came from nowhere.
    response.headers["Referrer-Policy"] = "same-origin"
    if "session" in g:
        _set_session(response)
    if request.args.get("language") in LANGUAGES:
        _set_cookie(response, LANGUAGE, language(), seconds=YEAR_SECONDS)
    return response


def _refusal(response: Response) -> Response:
    problem = response.get_json()
    shown = page("refusal.html", response.status_code, problem=problem)
    for name in ("Retry-After", "Allow"):
        if name in response.headers:
            shown.headers[name] = response.headers[name]
    return shown


def _set_session(response: Response) -> None:
    root, found = underwriting(), session()
    if found is not None:
        cookie = found.renewed(now=root.clock()).cookie(root.ledger.vault)
        _set_cookie(response, SESSION, cookie, seconds=int(LONGEST.total_seconds()))
    elif SESSION in request.cookies:
        _set_cookie(response, SESSION, "", seconds=0)


def _set_cookie(response: Response, name: str, value: str, *, seconds: int) -> None:
    response.set_cookie(
        name, value, max_age=seconds, path=_cookie_path(), secure=not _is_at_hand(),
        httponly=True, samesite="Strict",
    )  # fmt: skip


def _cookie_path() -> str:
    return f"{current_app.extensions['console_prefix']}/console"


def _is_at_hand() -> bool:
    """Whether the browser is on this very machine, where there need be no TLS."""
    host = urlsplit(f"//{request.host}").hostname or ""
    try:
        return not request.is_secure and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return not request.is_secure and host == "localhost"


# --- what templates say ---------------------------------------------------------------------------


def refusal_text(code: str, detail: str) -> str:
    """A refusal in the language of the page; in English where it has no Chinese text."""
    return told(REFUSAL_ZH.get(code, detail), detail)


def flaw_text(code: str, detail: str) -> str:
    """What is wrong with a field, likewise; a bound keeps its figures.

    >>> from loansvc.web.console.words import BOUND_ZH
    >>> BOUND_ZH["out_of_range"].format(*_FIGURE.findall("Must be from 0 to 100."))
    '应为0至100。'
    """
    figures, bound = _FIGURE.findall(detail), BOUND_ZH.get(code, "")
    zh = FIELD_ZH.get(code) or (PLAIN_REASONS[code][1] if code in PLAIN_REASONS else detail)
    if bound and len(figures) == bound.count("{}"):
        zh = bound.format(*figures)
    return told(zh, detail)


@blueprint.context_processor
def names() -> dict[str, Any]:
    """What every template may use."""
    return {
        "language": language(), "t": told, "of": of, "link": link, "may": may,
        "in_other_language": in_other_language, "form_token": form_token,
        # Chinese marks stand without spaces around them.
        "colon": told("：", ": "), "comma": told("，", ", "),
        "opening": told("（", " ("), "closing": told("）", ")"),
        "refusal_text": refusal_text, "flaw_text": flaw_text, "caller": g.get("caller"),
        "menu": MENU, "here": (request.endpoint or "").rpartition(".")[2],
    }  # fmt: skip
