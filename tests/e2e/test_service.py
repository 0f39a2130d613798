"""The built service: first start, the line it tells one to paste, and a start after kill -9."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from loansvc.application import PRODUCTS
from loansvc.ledger import Ledger
from loansvc.ledger.keys import KNOWN_S
from loansvc.registry import Registry
from loansvc.underwriting import Underwriting
from loansvc.web.schemas import load_application
from tests import databases
from tests.e2e.service import Service, an_example, children, wait_for

MARKED = "340521198812304813"  # an ID number that must not come back
OF_ITS_OWN = {"decision_id", "decided_at", "ledger"}


@pytest.fixture(scope="module", params=databases.KINDS)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, models: Path
) -> Iterator[Service]:
    """One service on each kind of database; its home has a space in its name, as homes do."""
    home = tmp_path_factory.mktemp("e2e") / "my home"
    with databases.using(request.param):
        url = databases.url_of(home)
    settings = {} if request.param == databases.SQLITE else {"LOANSVC_DATABASE_URL": url}
    running = Service(home, models, **settings).start()
    yield running
    running.close()


@pytest.fixture
def own(tmp_path: Path, models: Path) -> Iterator[Service]:
    """A service to be started, killed and damaged by one test."""
    running = Service(tmp_path / "home", models)
    yield running
    running.close()


def test_it_says_where_the_docs_are(service: Service) -> None:
    assert f"docs http://127.0.0.1:{service.port}/docs" in service.log()


def test_the_line_it_prints_works_as_pasted(service: Service) -> None:
    [line] = [part for part in service.log().splitlines() if part.startswith("curl ")]
    if shutil.which("curl") is None:
        assert service.post(json.loads((service.home / "example.json").read_text())).status == 201
        return
    run = subprocess.run(
        f"{line} -w '%{{http_code}}'", shell=True, capture_output=True, text=True, check=True,
        env=service.environment,
    )  # fmt: skip
    body, status = run.stdout.rsplit("\n", 1)
    assert status == "201"
    assert json.loads(body)["outcome"] == "approve"


def test_secrets_can_be_read_by_their_owner_alone(service: Service) -> None:
    for name in ("vault.json", "demo-key"):
        assert stat.S_IMODE((service.home / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(service.home.stat().st_mode) == 0o700


def test_no_secret_is_printed(service: Service) -> None:
    service.post(an_example(11))
    assert service.key.split("_", 2)[2] not in service.log()
    for versions in json.loads((service.home / "vault.json").read_text()).values():
        for key in versions.values():
            assert key not in service.log()


def test_people_sign_in_to_the_console_with_the_demo_key(service: Service) -> None:
    """In either kind of worker: pages and forms pass both."""
    assert f"console http://127.0.0.1:{service.port}/console/" in service.log()
    page = service.get("/console/sign-in", key="")
    [token] = re.findall(r'name="form_token" value="([^"]+)"', page.body.decode())
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    form = urlencode({"form_token": token, "key": service.key})
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    signed = service.send("POST", "/console/sign-in", form, headers)
    assert (signed.status, signed.headers["Location"]) == (303, "/console/")
    cookie = signed.headers["Set-Cookie"].partition(";")[0]
    name = service.post(an_example(12)).json()["application_id"]
    for path in ("/console/decisions", f"/console/decisions/{name}", "/console/static/console.css"):
        found = service.send("GET", path, None, {"Cookie": cookie})
        assert found.status == 200, path
    assert service.key.split("_", 2)[2] not in service.log()


class Links(HTMLParser):
    """What a page loads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("src", "href") and value]


def test_the_docs_load_everything_from_this_service(service: Service) -> None:
    page = service.get("/docs", key="")
    assert page.status == 200
    links = Links(page.body.decode()).found
    assert len(links) == 4
    for link in links:
        asset = service.get(f"/{link}", key="")
        assert asset.status == 200, link
        assert asset.body
        if link.endswith(".css"):
            urls = re.findall(r"url\(([^)]{0,40})", asset.body.decode())
            assert all(url.strip("\"'").startswith("data:") for url in urls)
    start = service.get("/docs/start.js", key="").body.decode()
    assert "//" not in page.body.decode().replace("<!doctype", "")
    assert "//" not in start
    assert service.get("/openapi.json", key="").status == 200


def test_the_docs_may_not_load_anything_from_elsewhere(service: Service) -> None:
    policy = service.get("/docs", key="").headers["Content-Security-Policy"]
    sources = {s for part in policy.split("; ") for s in part.split(" ")[1:]}
    assert sources == {"'none'", "'self'", "'unsafe-inline'", "data:"}


@pytest.mark.parametrize("product", PRODUCTS)
def test_http_command_line_and_python_give_the_same_decision(
    service: Service, models: Path, tmp_path: Path, product: str
) -> None:
    """But for the id, the time and the place in the ledger."""
    document = an_example(PRODUCTS.index(product) + 21, product)
    over_http = service.post(document).json()

    shell = Service(tmp_path / "shell", models)
    run = shell.run("decide", "-", "--json", stdin=json.dumps(document))
    assert (run.returncode, run.stderr) == (0, "")
    in_shell = json.loads(run.stdout)

    home = tmp_path / "python"
    ledger = Ledger.open(f"sqlite:///{home / 'ledger.db'}", home=home, create=True)
    root = Underwriting(Registry.open(models), ledger)
    codes = root.registry.village_codes
    application = load_application(document, today=root.today(), village_codes=codes)
    in_python = root.decide(application, client="me")[0].answer()
    ledger._engine.dispose()

    assert list(over_http) == list(in_shell) == list(in_python)
    assert common(over_http) == common(in_shell) == common(in_python)


def common(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in OF_ITS_OWN}


def test_the_command_line_reads_what_was_decided_over_http(service: Service) -> None:
    answer = service.post(an_example(31))
    name = an_example(31)["application_id"]
    run = service.run("replay", name, "--client", "demo", "--json")
    assert (run.returncode, json.loads(run.stdout)["identical"]) == (0, True)
    assert json.loads(run.stdout) == service.get(f"/v1/decisions/{name}/replay").json()
    explained = service.run("explain", name, "--client", "demo", "--json")
    assert explained.stdout.encode() == service.get(f"/v1/decisions/{name}/explanation").body
    assert answer.status == 201


def test_a_key_revoked_on_the_command_line_is_refused_by_every_worker(service: Service) -> None:
    key = service.run("keys", "create", "bank", "--scope", "read").stdout.strip()
    assert {service.get("/v1/decisions", key=key).status for _ in range(20)} == {200}
    assert service.run("keys", "revoke", key.split("_")[1]).returncode == 0
    assert KNOWN_S < 5, "promised is: within five seconds"
    time.sleep(KNOWN_S)
    assert {service.get("/v1/decisions", key=key).status for _ in range(20)} == {401}
    assert "key_revoked" in service.run("audit").stdout


def test_a_second_start_keeps_keys_and_decisions(own: Service) -> None:
    own.start()
    kept = {name: (own.home / name).read_bytes() for name in ("vault.json", "demo-key")}
    first = own.post(an_example(1))
    assert own.stop() == 0
    own.start()
    assert {name: (own.home / name).read_bytes() for name in kept} == kept
    again = own.post(an_example(1))
    assert (again.status, again.body) == (200, first.body)
    assert own.stop() == 0
    files = {path.name for path in own.home.iterdir() if path.name.startswith("ledger")}
    assert files == {"ledger.db"}, "SQLite's log was left beside it"


def test_a_decision_outlives_kill_9_right_after_its_answer(own: Service) -> None:
    own.start()
    answers = []
    for number in range(1, 4):
        answers.append(own.post(an_example(number)))
        own.kill()
        own.start()
    for number, answer in enumerate(answers, start=1):
        name = an_example(number)["application_id"]
        assert answer.status == 201
        assert own.get(f"/v1/decisions/{name}").body == answer.body
        assert own.get(f"/v1/decisions/{name}/replay").json()["identical"] is True
        again = own.post(an_example(number))
        assert (again.status, again.body) == (200, answer.body)
    verified = own.run("ledger", "verify")  # the demo key is an entry too
    assert (verified.returncode, verified.stdout) == (0, "verified   4 entries\n")


def test_it_stops_when_asked(own: Service) -> None:
    assert own.start().stop() == 0
    assert "Traceback" not in own.log()


# --- requests that no well-meaning client sends -------------------------------------------------


def raw(service: Service, *parts: bytes) -> bytes:
    """The whole answer to these bytes, the sending side closed after them."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)
        found = b""
        while chunk := connection.recv(65536):
            found += chunk
        return found


def head(service: Service, *lines: str) -> bytes:
    common_lines = (
        "POST /v1/decisions HTTP/1.1", "Host: x", "Content-Type: application/json",
        f"Authorization: Bearer {service.key}", "Connection: close",
    )  # fmt: skip
    return "\r\n".join((*common_lines, *lines, "", "")).encode()


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        pytest.param(["Transfer-Encoding: chunked"], b"zz\r\n", id="a chunk of no size"),
        pytest.param(["Transfer-Encoding: chunked"], b"5\r\nab", id="a chunk cut short"),
        pytest.param(["Transfer-Encoding: chunked"], b"2\r\n{}x\r\n0\r\n\r\n", id="a long chunk"),
        pytest.param(["Transfer-Encoding: chunked"], b"", id="no chunk"),
        pytest.param(["Content-Length: 50"], b"{}", id="a body cut short"),
        pytest.param(["Content-Length: -1"], b"{}", id="a negative length"),
        pytest.param(["Content-Length: 2", "Content-Length: 3"], b"{}", id="two lengths"),
        pytest.param(
            ["Content-Length: 2", "Transfer-Encoding: chunked"], b"0\r\n\r\n",
            id="a length and chunks",
        ),
        pytest.param(["Transfer-Encoding: gzip"], b"{}", id="an unknown coding"),
        pytest.param(["X-Odd: a\x00b", "Content-Length: 2"], b"{}", id="a zero byte in a header"),
        pytest.param([f"X-Long: {'a' * 10_000}"], b"", id="a long header"),
    ],
)  # fmt: skip
def test_a_broken_request_is_the_callers_mistake_not_ours(
    service: Service, lines: list[str], body: bytes
) -> None:
    answered = raw(service, head(service, *lines), body)
    status = int(answered.split(b" ", 2)[1]) if answered else 0
    assert status == 0 or 400 <= status < 500, answered
    assert not answered or b"Content-Type: application/problem+json\r\n" in answered
    assert b"Traceback" not in answered
    assert "Traceback" not in service.log()
    assert service.get("/healthz").status == 200


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(f"{MARKED}\r\n\r\n", id="no request line"),
        pytest.param(f"GET /{MARKED} HTTP/9.9\r\n\r\n", id="no version"),
        pytest.param(f"GET / HTTP/1.1\r\nHost: x\r\n{MARKED} x: 1\r\n\r\n", id="no header"),
        pytest.param(f"GET /healthz HTTP/1.1\r\nX: {MARKED}\r\n\r\n", id="no host"),
        pytest.param(f"GET /{MARKED * 300} HTTP/1.1\r\n\r\n", id="a long address"),
        pytest.param(f"GET / HTTP/1.1\r\nHost: x\r\nExpect: {MARKED}\r\n\r\n", id="an expectation"),
    ],
)
def test_what_is_not_http_is_refused_without_a_word_of_it(service: Service, request_: str) -> None:
    answered = raw(service, request_.encode())
    assert answered.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answered.split(b"\r\n\r\n", 1)[1])["code"] == "not_http"
    assert MARKED.encode() not in answered
    assert MARKED not in service.log()


def test_a_body_longer_than_declared_does_not_get_into_the_log(service: Service) -> None:
    """What is left over is read as the next request of the connection."""
    body = json.dumps({"applicant": {"id_number": MARKED}})
    lines = head(service, "Content-Length: 2").replace(b"Connection: close\r\n", b"")
    answered = raw(service, lines, b"{}" + body.encode() + b"\r\n\r\n")
    assert answered.startswith(b"HTTP/1.1 422 ")
    assert MARKED.encode() not in answered
    assert MARKED not in service.log()


def test_a_chunked_application_is_decided(service: Service) -> None:
    text = json.dumps(an_example(41)).encode()
    middle = len(text) // 2
    chunks = b"".join(
        f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in (text[:middle], text[middle:])
    )
    answered = raw(service, head(service, "Transfer-Encoding: chunked"), chunks, b"0\r\n\r\n")
    assert answered.startswith(b"HTTP/1.1 201 ")


def test_a_chunked_body_without_end_is_refused_when_it_is_too_long(service: Service) -> None:
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    answered = raw(service, head(service, "Transfer-Encoding: chunked"), chunk * 5, b"0\r\n\r\n")
    assert answered.startswith(b"HTTP/1.1 413 ")
    assert b"body_too_large" in answered


def test_callers_who_send_half_a_request_do_not_hold_up_the_others(service: Service) -> None:
    half = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(40)]
    try:
        for connection in half:
            connection.sendall(head(service, "Content-Length: 100")[:-20])
        started = time.monotonic()
        assert {service.get("/v1/products").status for _ in range(10)} == {200}
        assert time.monotonic() - started < 5
    finally:
        for connection in half:
            connection.close()


# --- starts that are refused --------------------------------------------------------------------


def a_card(models: Path) -> Path:
    return next((models / "scorecards" / "fast_loan").iterdir())


def truncate(models: Path, _home: Path) -> str:
    card = a_card(models)
    card.write_bytes(card.read_bytes()[:100])
    return f"scorecards/fast_loan/{card.name}: has changed"


def edit(models: Path, _home: Path) -> str:
    policy = next((models / "policies" / "talent_loan").iterdir())
    policy.write_text(policy.read_text().replace("at_least = 18", "at_least = 16"))
    return f"policies/talent_loan/{policy.name}: has changed"


def leave_unlocked(models: Path, _home: Path) -> str:
    shutil.copy(a_card(models), models / "scorecards" / "fast_loan" / "2026-12-01.json")
    return "scorecards/fast_loan/2026-12-01.json: is not in editions.lock"


def lose_an_edition(models: Path, _home: Path) -> str:
    next((models / "rates").iterdir()).unlink()
    return "rates/2019-08-20.json: is missing"


def lose_the_lock(models: Path, _home: Path) -> str:
    (models / "editions.lock").unlink()
    return "editions.lock: is missing"


def cut_the_lock(models: Path, _home: Path) -> str:
    lock = models / "editions.lock"
    lock.write_text(lock.read_text()[:200])
    return "editions.lock: is not"


def link_an_edition(models: Path, _home: Path) -> str:
    card = a_card(models)
    card.rename(models / "elsewhere.json")
    card.symlink_to(models / "elsewhere.json")
    return f"scorecards/fast_loan/{card.name}: is missing or not a plain file"


def replace_the_vault(_models: Path, home: Path) -> str:
    (home / "vault.json").unlink()
    other = home / "other"
    Ledger.open(f"sqlite:///{other / 'ledger.db'}", home=other, create=True)._engine.dispose()
    (other / "vault.json").rename(home / "vault.json")
    return "is not the one this ledger was written with. Restore vault.json"


def lose_the_vault(_models: Path, home: Path) -> str:
    (home / "vault.json").unlink()
    return "vault.json is missing"


def cut_the_vault(_models: Path, home: Path) -> str:
    vault = home / "vault.json"
    vault.write_text(vault.read_text()[:50])
    return "vault.json does not hold the outer keys"


def garble_the_vault(_models: Path, home: Path) -> str:
    (home / "vault.json").write_bytes(b"\xff\x00\x80")
    return "vault.json does not hold the outer keys"


def shorten_a_key(_models: Path, home: Path) -> str:
    vault = home / "vault.json"
    keys = json.loads(vault.read_text())
    keys["chain"]["1"] = "AAAA"
    vault.write_text(json.dumps(keys))
    return "vault.json: every key must be 32 bytes"


def open_the_vault_to_all(_models: Path, home: Path) -> str:
    (home / "vault.json").chmod(0o644)
    return "vault.json can be read by others"


def make_the_ledger_of_another_version(_models: Path, home: Path) -> str:
    with closing(sqlite3.connect(home / "ledger.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    return "The ledger's tables are of a version that this program does not know"


def garble_the_ledger(_models: Path, home: Path) -> str:
    for path in home.glob("ledger.db-*"):
        path.unlink()
    (home / "ledger.db").write_bytes(b"this is no database" * 1000)
    return "ledger"


DAMAGES = [
    truncate, edit, leave_unlocked, lose_an_edition, lose_the_lock, cut_the_lock, link_an_edition,
    replace_the_vault, lose_the_vault, cut_the_vault, garble_the_vault, shorten_a_key,
    open_the_vault_to_all, make_the_ledger_of_another_version, garble_the_ledger,
]  # fmt: skip


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Path:
    """The home of a service that ran and was stopped, one decision in its ledger."""
    running = Service(tmp_path_factory.mktemp("stopped") / "home", models)
    try:
        assert running.start().post(an_example(1)).status == 201
        running.stop()
    finally:
        running.close()
    return running.home


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_it_does_not_start_and_says_why_in_one_line(
    stopped: Path, models: Path, tmp_path: Path, damage: Callable[[Path, Path], str]
) -> None:
    shutil.copytree(models, tmp_path / "models")
    shutil.copytree(stopped, tmp_path / "home")
    service = Service(tmp_path / "home", tmp_path / "models")
    reason = damage(tmp_path / "models", tmp_path / "home")
    run = service.run("serve", "--port", str(service.port))
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1, run.stderr
    assert run.stderr.startswith("loansvc: ")
    assert reason in run.stderr


def test_the_home_before_any_damage_starts(stopped: Path, models: Path, tmp_path: Path) -> None:
    """So that the refusals above are due to the damage."""
    shutil.copytree(stopped, tmp_path / "home")
    service = Service(tmp_path / "home", models).start()
    try:
        assert service.post(an_example(1)).status == 200
    finally:
        service.close()


def test_a_usr2_starts_another_master_that_serves_alone_afterwards(
    stopped: Path, models: Path, tmp_path: Path
) -> None:
    shutil.copytree(stopped, tmp_path / "home")
    service = Service(tmp_path / "home", models).start()
    try:
        os.kill(service.pid, signal.SIGUSR2)
        # The only child that has children, its workers.
        wait_for("the other master", lambda: any(map(children, children(service.pid))))
        assert service.stop() == 0
        assert service.post(an_example(1)).status == 200
    finally:
        service.close()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("LOANSVC_PRT", "1", "LOANSVC_PRT is not a setting"),
        ("LOANSVC_PORT", "http", "LOANSVC_PORT must be a whole number"),
        ("LOANSVC_WORKERS", "0", "LOANSVC_WORKERS must be a whole number"),
        ("LOANSVC_VAULT_KEYS", "{}", "LOANSVC_VAULT_KEYS does not hold the outer keys"),
        ("LOANSVC_MODELS", "/nowhere", "editions.lock: is missing"),
        ("LOANSVC_HOME", "/dev/null/home", "LOANSVC_HOME"),
        ("LOANSVC_DATABASE_URL", "nonsense", "LOANSVC_DATABASE_URL"),
        ("LOANSVC_DATABASE_URL", "mongodb://x/y", "LOANSVC_DATABASE_URL"),
        ("LOANSVC_LOG_LEVEL", "loud", "LOANSVC_LOG_LEVEL"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(
    models: Path, tmp_path: Path, name: str, value: str, says: str
) -> None:
    service = Service(tmp_path / "home", models, **{name: value})
    run = service.run("serve")
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1, run.stderr
    assert says in run.stderr
