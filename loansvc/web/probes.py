"""Probes: alive, ready, of which version, and in figures; they wait for nobody."""

from __future__ import annotations

import threading
import time
from ipaddress import IPv6Address, ip_address

from flask import Blueprint, Flask, Response, current_app, request

from loansvc import __version__
from loansvc.errors import LoanError, MetricsForbidden
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting
from loansvc.web import metrics
from loansvc.web.gauges import Gauges
from loansvc.web.problems import answer, plain
from loansvc.web.requests import caller_address, is_from

blueprint = Blueprint("probes", __name__)
KEEP_SECONDS = 1.0
# What a proxy may say of the caller that it stands in front of.
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


def install(app: Flask, root: Underwriting, settings: Settings) -> None:
    """Let the app answer probes."""
    app.extensions["readiness"] = Readiness(root)
    app.extensions["scraping"] = Scraping(Gauges(root), settings)
    app.register_blueprint(blueprint)


class Readiness:
    """Whether the service is ready, asked of the ledger once a second however many ask."""

    def __init__(self, root: Underwriting) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._refusal: LoanError | None = None

    def check(self) -> None:
        """Raise what stands against being ready.

        Raises:
            NotReady, LedgerUnavailable
        """
        if self._lock.acquire(timeout=KEEP_SECONDS):
            try:
                if time.monotonic() - self._asked_at >= KEEP_SECONDS:
                    self._refusal = self._ask()
                    self._asked_at = time.monotonic()
            finally:
                self._lock.release()
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)

    def _ask(self) -> LoanError | None:
        try:
            self._root.check_ready()
        except LoanError as refusal:
            return refusal
        return None


class Scraping:
    """The figures of the service, and from where they may be read."""

    def __init__(self, gauges: Gauges, settings: Settings) -> None:
        self.gauges = gauges
        self._networks = settings.metrics_networks
        self._proxy = settings.proxy

    def check(self) -> None:
        """Refuse a caller from elsewhere.

        Raises:
            MetricsForbidden: also where a proxy that is not named stands between, for then nobody
                knows who calls.
        """
        if not is_from(self._proxy) and any(name in request.headers for name in FORWARDED):
            raise MetricsForbidden
        try:
            address = ip_address(caller_address(self._proxy))
        except ValueError:  # a socket without an address
            raise MetricsForbidden from None
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if not any(address in network for network in self._networks):
            raise MetricsForbidden


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process is alive; never touches the database."""
    return answer({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> Response:
    """Editions are in force today and the ledger answers."""
    readiness = current_app.extensions["readiness"]
    assert isinstance(readiness, Readiness)
    readiness.check()
    return answer({"status": "ready"})


@blueprint.get("/version")
def version() -> Response:
    """The version of the program."""
    return answer({"version": __version__, "api": "v1"})


@blueprint.get("/metrics")
def scrape() -> Response:
    """What was counted and what is in force, for Prometheus."""
    scraping = current_app.extensions["scraping"]
    assert isinstance(scraping, Scraping)
    scraping.check()
    text, media_type = metrics.exposition(request.headers.get("Accept", ""), scraping.gauges)
    return plain(text, media_type=media_type)
