"""Console: the pages at /console/ for people, on the same functions as the API.

Nothing here decides: pages show what `Underwriting`, `Reviewing` and `Lending` say, and forms call
them as the API does, in the name of the key that somebody signed in with.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask

from loansvc.settings import Settings
from loansvc.web.console import (
    county,
    decisions,
    editions,
    letter,
    reviews,
    sign_in,
    trial,
    watched,
)
from loansvc.web.console.frame import blueprint

__all__ = ["install"]

PAGES = (
    county,
    decisions,
    editions,
    letter,
    reviews,
    sign_in,
    trial,
    watched,
)  # each brings its routes


def install(app: Flask, settings: Settings) -> None:
    """Let the app answer at /console/."""
    app.extensions["console_prefix"] = urlsplit(settings.public_url).path
    app.register_blueprint(blueprint)
