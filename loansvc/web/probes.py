"""Probes: alive, ready, and of which version; they wait for nobody."""

from __future__ import annotations

import threading
import time

from flask import Blueprint, Response, current_app

from loansvc import __version__
from loansvc.errors import LoanError
from loansvc.underwriting import Underwriting
from loansvc.web.problems import answer

blueprint = Blueprint("probes", __name__)
KEEP_SECONDS = 1.0


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
