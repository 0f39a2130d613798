"""/openapi.json and /docs: the contract for machines, and Swagger UI from this server alone."""

from __future__ import annotations

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, current_app, send_from_directory

from loansvc.web.access import underwriting
from loansvc.web.openapi import openapi_document
from loansvc.web.problems import answer

blueprint = Blueprint("docs", __name__)
ASSETS = Path(flask_swagger_ui.__file__).parent / "dist"
# Swagger UI styles elements in place and draws its icons from data: addresses.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>loansvc API</title>
<link rel="icon" href="docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
<div id="page"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</html>
"""
START = """SwaggerUIBundle({url: "openapi.json", dom_id: "#page", deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout", validatorUrl: null});
"""


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """The contract, OpenAPI 3.1, its examples worked out by this very service."""
    extensions = current_app.extensions
    today = underwriting().today()  # the examples are dated
    if extensions.get("openapi", (None,))[0] != today:
        extensions["openapi"] = (today, openapi_document(underwriting()))
    return answer(extensions["openapi"][1])


@blueprint.get("/docs", strict_slashes=True)  # its links are relative
def page() -> Response:
    """The contract for people."""
    response = Response(PAGE, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


@blueprint.get("/docs/start.js")
def start() -> Response:
    """Starts Swagger UI; a file of its own, so that no script stands in the page."""
    return Response(START, content_type="text/javascript; charset=utf-8")


@blueprint.get("/docs/assets/<name>")
def asset(name: str) -> Response:
    """Swagger UI's files, from the installed package."""
    return send_from_directory(ASSETS, name)
