"""A Chromium, a service, and people in front of it.

The Chromium is the machine's own where there is one (Debian: chromium), else the one that
`playwright install chromium` brought. Where there is neither, these tests are skipped and say so;
with `CI` set they fail.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright
from playwright.sync_api import Error as BrowserError
from werkzeug.serving import make_server

from loansvc.ledger import keys
from loansvc.settings import Settings, shipped
from loansvc.underwriting import Underwriting
from loansvc.web import create_app
from loansvc.web.console.frame import LANGUAGE, SESSION
from loansvc.web.console.session import Session
from tests.small import NOON, an_application, small_underwriting, with_fund

NAMES = ("chromium", "chromium-browser", "google-chrome")
SWITCHES = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
NONE = "no Chromium here: apt-get install chromium, or .venv/bin/playwright install chromium"
SCOPES = ("decide", "read", "review", "admin")
expect.set_options(timeout=30_000)  # as long as for a page: other tests share the machine
WIDE, NARROW = (1280, 900), (390, 844)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", metavar="FOLDER", help="Write a picture of every page there.")


@pytest.fixture
def pictures(request: pytest.FixtureRequest) -> Path:
    """Where pictures of pages go, to be looked at by eye."""
    folder = request.config.getoption("--pictures", None)
    if folder is None:
        pytest.skip("asked for by hand: pytest tests/browser --pictures FOLDER")
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for a module: while it is open, no other test can run an event loop here."""
    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, NAMES)), None)
        try:
            started = playwright.chromium.launch(executable_path=path, args=SWITCHES)
        except BrowserError as error:
            if path is None and not os.environ.get("CI"):
                pytest.skip(NONE)
            raise RuntimeError(NONE) from error
        yield started
        started.close()


@dataclass
class Console:
    """A service on a port of this machine, and the keys of two people of one bank."""

    root: Underwriting
    address: str
    keys: dict[str, str]

    def decide(self, number: int, **changes: Any) -> str:
        """An application decided; its id."""
        recorded, _ = self.root.decide(an_application(number, **changes), client="bank")
        return recorded.entry.application_id


def now_then(began_at: datetime) -> Any:
    """A clock that goes on from noon of that day: sessions end by it."""
    return lambda: NOON + (datetime.now(NOON.tzinfo) - began_at)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """The shipped editions, a fund, and three decisions: approved, referred, declined."""
    clock = now_then(datetime.now(NOON.tzinfo))
    folder = tmp_path_factory.mktemp("console")
    root = small_underwriting(folder, models=shipped("models"), clock=clock)
    with_fund(root, 50_000_000)
    made = {
        name: keys.create(
            root.ledger, client="bank", scopes=SCOPES, now=clock(), holder=name,
            expires_at=clock() + timedelta(days=1),
        )[1]
        for name in ("Ming Li", "Hong Wang")
    }  # fmt: skip
    server = make_server("127.0.0.1", 0, create_app(root, Settings()), threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    found = Console(root, f"http://127.0.0.1:{server.port}", made)
    found.decide(1)
    found.decide(2, consent__scopes=["credit_report", "income", "public_records"])
    found.decide(3, credit_report__days_past_due_now=5, credit_report__max_days_past_due_24m=95)
    yield found
    server.shutdown()
    root.ledger.close()


class Person:
    """Somebody at a browser. What the browser complains of, or asks elsewhere, is noted."""

    def __init__(self, page: Page, console: Console) -> None:
        self.page = page
        self.console = console
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._follow)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _follow(self, request: Request) -> None:
        if not request.url.startswith(self.console.address):
            self.elsewhere.append(request.url)

    def go(self, path: str) -> None:
        self.page.goto(f"{self.console.address}{path}")

    def sign_in(self, name: str = "Ming Li", *, language: str = "en") -> None:
        self.go(f"/console/?language={language}")
        self.page.locator("#key").fill(self.console.keys[name])
        self.page.locator("main button").click()
        self.page.wait_for_url("**/console/decisions*")

    def enter(self, name: str = "Ming Li", *, language: str = "en") -> None:
        """Be signed in already."""
        ledger, now = self.console.root.ledger, self.console.root.clock()
        session = Session.begin(self.console.keys[name].split("_")[1], now=now)
        cookies = {SESSION: session.cookie(ledger.vault), LANGUAGE: language}
        for cookie, value in cookies.items():
            self.page.context.add_cookies(
                [{"name": cookie, "value": value, "url": f"{self.console.address}/console"}]
            )

    @property
    def text(self) -> str:
        return self.page.locator("main").inner_text()


@pytest.fixture
def person(browser: Browser, console: Console) -> Iterator[Person]:
    """Somebody with a browser of their own; it never complains, and never asks anybody else."""
    context = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]}, locale="zh-CN")
    found = Person(context.new_page(), console)
    yield found
    context.close()
    assert found.complaints == []
    assert found.elsewhere == []


@pytest.fixture
def second(browser: Browser, console: Console) -> Iterator[Person]:
    """Another person, at another browser."""
    context = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]}, locale="zh-CN")
    yield Person(context.new_page(), console)
    context.close()
