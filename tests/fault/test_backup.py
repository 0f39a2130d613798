"""Backups taken under load: each is put back, verifies, and lacks nothing that it says it has."""

from __future__ import annotations

import http.client
import itertools
import shutil
import signal
import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from loansvc.ledger import Ledger
from loansvc.ledger.backup import Act, put_back, take
from loansvc.underwriting import new_id, now, stamp
from tests import postgres
from tests.e2e.service import PATIENCE_S, Service, an_example, wait_for
from tests.unit.test_ledger import append

N_CLIENTS = 4


class Load:
    """Clients that decide all the while; what was acknowledged, and when."""

    def __init__(self, service: Service) -> None:
        self.acknowledged: dict[str, datetime] = {}
        self._service, self._numbers = service, itertools.count(1)
        self._over = threading.Event()
        self._clients = [threading.Thread(target=self._send) for _ in range(N_CLIENTS)]
        for client in self._clients:
            client.start()

    def _send(self) -> None:
        for number in self._numbers:
            if self._over.is_set():
                return
            document = an_example(number)
            with suppress(OSError, http.client.HTTPException):
                if self._service.post(document).status == 201:
                    self.acknowledged[document["application_id"]] = now()

    def end(self) -> None:
        self._over.set()
        for client in self._clients:
            client.join(PATIENCE_S)


def backed_up_under_load(service: Service, folder: Path, times: int) -> int:
    """So many backups while clients decide, each put back elsewhere; how many were decided."""
    url = service.environment["LOANSVC_DATABASE_URL"]
    ledger, load = Ledger.open(url, home=service.home), Load(service)
    try:
        wait_for("some decisions", lambda: len(load.acknowledged) > 20)
        for turn in range(times):
            backup = folder / f"backup-{turn}"
            manifest = take(ledger, backup, clock=lambda: stamp(now()))
            until = datetime.fromisoformat(manifest["complete_until"])
            expected = {name for name, at in load.acknowledged.copy().items() if at < until}
            assert expected
            assert expected <= put_back_elsewhere(service, backup, folder / f"home-{turn}")
            shutil.rmtree(backup)
    finally:
        load.end()
        ledger.close()
    return len(load.acknowledged)


def put_back_elsewhere(service: Service, backup: Path, home: Path) -> set[str]:
    """The applications in a ledger that is the backup put back, on a machine with the same keys."""
    home.mkdir(mode=0o700)
    shutil.copy2(service.home / "vault.json", home)
    url = f"sqlite:///{home / 'ledger.db'}"
    put_back(
        backup, url, lambda at: Ledger.open(at, home=home, create=True, older=True),
        home=home, by=Act("test", stamp(now()), new_id("adm", now())),
    )  # fmt: skip
    ledger = Ledger.open(url, home=home)
    _, problems = ledger.verify()
    ledger.close()
    assert problems == []
    engine = create_engine(url)
    with engine.connect() as connection:
        names = set(connection.execute(text("SELECT application_id FROM entry")).scalars())
    engine.dispose()
    return names


@pytest.mark.fault
def test_backups_under_load_lack_nothing(service: Service, tmp_path: Path) -> None:
    backed_up_under_load(service, tmp_path, 3)
    assert "Traceback" not in service.log()


@pytest.mark.slow
def test_twenty_backups_under_load_lack_nothing(service: Service, tmp_path: Path) -> None:
    backed_up_under_load(service, tmp_path, 20)


# --- PostgreSQL's own log, kept elsewhere (docs/backup.md) ----------------------------------------


@pytest.mark.faults(within_s=120)
@pytest.mark.parametrize("by", ["archive", "receiver"])
def test_a_lost_disk_comes_back_from_base_and_log(tmp_path: Path, by: str) -> None:
    """The data folder is deleted; what was answered before is there again."""
    server = postgres.a_server(wal_level="replica")
    receiver = None
    try:
        logs = server.folder / by
        server.run("mkdir", str(logs))
        if by == "archive":
            server.stop(signal.SIGINT)
            server.settings |= {
                "archive_mode": "on",
                "archive_command": f"test ! -f {logs}/%f && cp %p {logs}/%f.part && "
                f"sync {logs}/%f.part && mv {logs}/%f.part {logs}/%f",
            }
            server.start()
        url, base = server.new("ledger"), server.folder / "base"
        ledger = Ledger.open(url, home=tmp_path, create=True)
        append(ledger, 1)
        server.run("pg_basebackup", "-d", url, "-D", str(base), "-X", "stream", "-c", "fast")
        if by == "receiver":
            receiver = server.spawn("pg_receivewal", "-d", url, "-D", str(logs), "--synchronous")
            wait_for("the receiver", lambda: list(logs.glob("*.partial")))
            server.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'pg_receivewal'",
                       "SELECT pg_reload_conf()")  # fmt: skip
            waits = "SELECT sync_state FROM pg_stat_replication"
            wait_for("the server to wait", lambda: server.sql("postgres", waits) == [("sync",)])
        for number in range(2, 40):
            append(ledger, number)
        if by == "archive":  # what `archive_timeout` does after a minute
            segment = server.sql("postgres", "SELECT pg_walfile_name(pg_switch_wal())")[0][0]
            wait_for("the log to be archived", (logs / str(segment)).exists)
        ledger.close()
        server.stop(signal.SIGQUIT)
        if receiver is not None:
            receiver.kill()
            receiver.wait(PATIENCE_S)
            receiver = None
        shutil.rmtree(server.data)
        base.rename(server.data)
        (server.data / "recovery.signal").touch()
        server.settings |= {
            "restore_command": f"cp {logs}/%f %p || cp {logs}/%f.partial %p",
            "synchronous_standby_names": "",
            "archive_mode": "off",
        }
        server.start()
        writable = "SELECT pg_is_in_recovery()"
        wait_for("the end of the log", lambda: server.sql("postgres", writable) == [(False,)])
        again = Ledger.open(url, home=tmp_path)
        assert again.verify() == (39, [])
        assert append(again, 40).sequence == 40
        again.close()
    finally:
        if receiver is not None:
            receiver.kill()
            receiver.wait(PATIENCE_S)
        server.close()
