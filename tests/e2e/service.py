"""`loansvc serve` as its users start it: another process, a free port, a home of its own."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loansvc.web.examples import example_application

PATIENCE_S = 60.0  # above gunicorn's own patience of 30 s
N_WORKERS = 2
# Of every service that is started here: `LOANSVC_WORKER=asgi pytest tests/e2e` tries the other one.
WORKER = os.environ.get("LOANSVC_WORKER", "threads")


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, holds: Callable[[], Any]) -> Any:
    """What `holds` gives as soon as it is true."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if found := holds():
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE_S} s for: {what}")


def an_example(number: int, product: str = "credit_loan") -> dict[str, Any]:
    """A valid application of today."""
    from loansvc.underwriting import now

    return example_application(product, today=now().date(), number=number)


class Service:
    """One service on one home; may be killed and started again."""

    def __init__(self, home: Path, models: Path, **settings: str) -> None:
        self.home = home
        self.models = models
        self.port = free_port()
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("LOANSVC_", "COV_"))}
        clean.pop("WEB_CONCURRENCY", None)
        self.environment = {
            **clean,
            "LOANSVC_HOME": str(home),
            "LOANSVC_MODELS": str(models),
            "LOANSVC_WORKERS": str(N_WORKERS),
            "LOANSVC_WORKER": WORKER,
            "no_proxy": "*",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._log = home.with_name(f"{home.name}.log")

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """The command line on the same home."""
        return subprocess.run(
            [sys.executable, "-m", "loansvc", *arguments],
            env=self.environment, input=stdin, text=True, capture_output=True, check=False,
            timeout=PATIENCE_S,
        )  # fmt: skip

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "loansvc", "serve", "--port", str(self.port)]

    def start(self, *within: str) -> Service:
        """Start it and wait until every worker is there; `within`: a command that starts it."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*within, *self.command],
                env=self.environment, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        wait_for("the service to be ready", self._ready)
        # A worker that is asked to stop before it listens to signals would be waited for, and one
        # that has not read its editions yet cannot start once a test has spoiled them.
        if self.environment.get("LOANSVC_LOG_LEVEL", "info") == "info":
            wait_for("every worker", lambda: sum(map(listens, self.workers())) == N_WORKERS)
        return self

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        with suppress(OSError, http.client.HTTPException):
            return self.get("/readyz", key="").status == 200
        return False

    def log_to(self, path: Path) -> None:
        """Keep what it prints there from the next start on, not beside its home."""
        self._log = path

    def log(self) -> str:
        """What it has printed since the start."""
        return self._log.read_text("utf-8")

    @property
    def pid(self) -> int:
        """The master's."""
        assert self._process is not None
        return self._process.pid

    def master(self) -> int | None:
        """gunicorn's master: the process that was started, or its child under a supervisor."""
        return next((p for p in (self.pid, *children(self.pid)) if _serves(p)), None)

    def workers(self) -> list[int]:
        """The worker processes that are alive."""
        master = self.master()
        return [pid for pid in children(master) if _serves(pid)] if master else []

    def kill(self) -> None:
        """Pull the plug: master and workers at once."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(PATIENCE_S)
        wait_for("the port to be free", self._port_is_free)

    def _port_is_free(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) != 0

    def stop(self) -> int:
        """Ask it to stop; its exit status."""
        assert self._process is not None
        self._process.terminate()
        return self.wait()

    def wait(self) -> int:
        """Wait until it has ended; its exit status."""
        assert self._process is not None
        return self._process.wait(PATIENCE_S)

    def close(self) -> None:
        """Leave nothing running."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE_S)

    @property
    def key(self) -> str:
        """The demo key."""
        return (self.home / "demo-key").read_text("ascii")

    def call(
        self, method: str, path: str, document: Any = None, *, key: str | None = None,
        timeout_s: float = PATIENCE_S,
    ) -> Answer:  # fmt: skip
        """One request on a connection of its own."""
        given = self.key if key is None else key
        headers = {"Authorization": f"Bearer {given}"} if given else {}
        body = None
        if document is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(document)
        return self.send(method, path, body, headers, timeout_s=timeout_s)

    def send(
        self, method: str, path: str, body: Any, headers: dict[str, str], *,
        timeout_s: float = PATIENCE_S,
    ) -> Answer:  # fmt: skip
        """These very bytes on a connection of their own; a body that comes in pieces, in chunks."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def get(self, path: str, *, key: str | None = None, timeout_s: float = PATIENCE_S) -> Answer:
        return self.call("GET", path, key=key, timeout_s=timeout_s)

    def post(
        self, document: Any, *, key: str | None = None, timeout_s: float = PATIENCE_S
    ) -> Answer:
        return self.call("POST", "/v1/decisions", document, key=key, timeout_s=timeout_s)


def children(pid: int) -> list[int]:
    """The processes that this one started and that are still there."""
    with suppress(OSError):
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def memory_kb(pid: int, figure: str = "VmRSS") -> int:
    """What a process holds in memory; as VmHWM the most that it ever held."""
    status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    return int(status.partition(f"{figure}:")[2].split()[0])


def listens(worker: int) -> bool:
    """Whether a worker waits for callers yet: its poller looks at a socket."""
    with suppress(OSError):
        for poller in Path(f"/proc/{worker}/fdinfo").iterdir():
            for descriptor in re.findall(r"^tfd: *([0-9]+)", poller.read_text(), re.MULTILINE):
                if os.readlink(f"/proc/{worker}/fd/{descriptor}").startswith("socket:"):
                    return True
    return False


def _serves(pid: int) -> bool:
    """Whether it runs or sleeps: of one that was killed the command line is empty.

    A supervisor has the same words in its own, and is another program.
    """
    with suppress(OSError):
        program = Path(f"/proc/{pid}/exe").resolve()
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return program == Path(sys.executable).resolve() and b"serve" in words
    return False
