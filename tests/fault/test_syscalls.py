"""F5: every single system call that writes fails once, or is the last one of its process.

strace holds a process that decides, publishes or migrates, and lets the i-th call of a kind fail
or kills the process at it, for every kind and every i. Then the same is done again, as a client or
an operator would, and must find a ledger and a folder of editions that are whole.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from loansvc.editions import to_text
from loansvc.errors import EditionRefused
from loansvc.ledger.stores import downgrade
from loansvc.registry import Registry
from tests.fault import victim
from tests.fault.tools import needs
from tests.small import CARD, an_application, small_models, small_underwriting

KINDS = ("pwrite64", "write", "fdatasync", "fsync", "ftruncate", "unlink", "link", "rename",
         "mkdir", "openat")  # fmt: skip
WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT")
FAILURES = ("error=EIO", "error=ENOSPC", "signal=KILL")
KILLED = -9
N_BEFORE = 5  # decisions that were there before
LATER = "2026-09-01"
HALF_WAY = -1

Check = Callable[[Path, int], None]


class Victim:
    """The process that forks one that acts, each under strace."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fault.victim"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def act(self, action: str, folder: Path, *options: str) -> tuple[int, str]:
        """The exit code, and the trace."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        trace = folder / "trace"
        print(action, folder, file=self._process.stdin, flush=True)
        pid = self._process.stdout.readline().strip()
        subprocess.run(
            ["strace", "-q", "-o", str(trace), *options, "-p", pid], check=True,
            capture_output=True, timeout=30,
        )  # fmt: skip
        return int(self._process.stdout.readline()), trace.read_text("utf-8", "replace")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def victim_process() -> Iterator[Victim]:
    process = Victim()
    yield process
    process.close()


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger at rest with some decisions, editions, and a card that is not published yet."""
    folder = tmp_path_factory.mktemp("origin")
    root = small_underwriting(folder, models=small_models(folder))
    for number in range(N_BEFORE):
        root.decide(an_application(number), client=victim.CLIENT)
    root.ledger._engine.dispose()
    card = to_text({**CARD, "product": "credit_loan", "valid_from": LATER, "base_points": 590})
    (folder / "later.json").write_text(card, "utf-8")
    return folder


@pytest.fixture(scope="module")
def old_origin(origin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the tables of the first version."""
    folder = tmp_path_factory.mktemp("old") / "folder"
    shutil.copytree(origin, folder)
    ledger = victim.open_ledger(folder)
    with ledger.transaction() as connection:
        downgrade(connection, "0001")
    ledger._engine.dispose()
    return folder


def ledger_is_whole(folder: Path, *, n_entries: int) -> None:
    ledger = victim.open_ledger(folder, create=True)
    assert ledger.verify() == (n_entries, [])
    ledger._engine.dispose()
    with closing(sqlite3.connect(folder / "home" / "ledger.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def one_decision(folder: Path, code: int) -> None:
    """Acknowledged means there; done again, it is there once."""
    if code == victim.DONE:
        ledger_is_whole(folder, n_entries=N_BEFORE + 1)
    victim.decide(folder)
    ledger_is_whole(folder, n_entries=N_BEFORE + 1)


def one_publication(folder: Path, code: int) -> None:
    """The editions before or those after; and those after, once it was done again."""
    before = n_editions(folder.parent)
    found = n_editions(folder)
    assert found in ({before + 1} if code == victim.DONE else {HALF_WAY, before, before + 1})
    if found != before + 1:
        victim.publish_card(folder)
    assert n_editions(folder) == before + 1


def n_editions(folder: Path) -> int:
    """How many publications there are; HALF_WAY where the new file is there and not yet locked."""
    try:
        return len(Registry.open(folder / "models").editions)
    except EditionRefused as error:
        if f"{LATER}.json: is not in editions.lock. Publish it" not in error.detail:
            raise
        return HALF_WAY


def one_migration(folder: Path, _code: int) -> None:
    victim.migrate(folder)
    ledger_is_whole(folder, n_entries=N_BEFORE)


def one_erasure(folder: Path, code: int) -> None:
    """Acknowledged means that no file holds the key; done again, none does, and once."""
    if code == victim.DONE:
        assert places_of_the_key(folder) == []
    victim.erase(folder)
    ledger_is_whole(folder, n_entries=N_BEFORE + 1)
    assert places_of_the_key(folder) == []
    (line,) = (folder / "home" / "erasures").read_text("ascii").splitlines()[-1:]
    with closing(sqlite3.connect(folder / "home" / "ledger.db")) as connection:
        query = "SELECT decision_id FROM entry WHERE kind = 'erasure'"
        assert connection.execute(query).fetchall() == [(json.loads(line)["entry"],)]


def places_of_the_key(folder: Path) -> list[str]:
    """The files that hold the wrapped data key which the person had before."""
    reference = an_application(victim.ERASED).application_id
    with closing(sqlite3.connect(folder.parent / "before.db")) as connection:
        query = ("SELECT wrapped FROM subject_key JOIN entry USING (subject_ref) "
                 "WHERE application_id = ?")  # fmt: skip
        (wrapped,) = connection.execute(query, (reference,)).fetchone()
    return [path.name for path in (folder / "home").iterdir() if wrapped in path.read_bytes()]


CHECKS: dict[str, Check] = {
    "decision": one_decision,
    "publication": one_publication,
    "migration": one_migration,
    "erasure": one_erasure,
}


def calls(trace: str) -> dict[str, list[int]]:
    """The calls that write, by kind: their numbers, counted from 1 within the kind."""
    found: dict[str, list[int]] = {}
    counted: dict[str, int] = {}
    for line in trace.splitlines():
        kind = line.partition("(")[0]
        counted[kind] = counted.get(kind, 0) + 1
        if kind in KINDS and (kind != "openat" or WRITES.search(line)):
            found.setdefault(kind, []).append(counted[kind])
    return found


@pytest.mark.faults("F5", within_s=400)
@pytest.mark.parametrize("action", CHECKS)
def test_whatever_call_fails_the_same_again_puts_it_right(
    action: str, victim_process: Victim, origin: Path, old_origin: Path, tmp_path: Path,
    measured: Callable[[str], None],
) -> None:  # fmt: skip
    needs("strace")
    source = old_origin if action == "migration" else origin
    shutil.copytree(source / "models", tmp_path / "models")
    shutil.copy(source / "home" / "ledger.db", tmp_path / "before.db")
    started = time.monotonic()

    def run(*options: str) -> int:
        folder = tmp_path / "run"
        shutil.copytree(source, folder)
        code, trace = victim_process.act(action, folder, "-e", f"trace={','.join(KINDS)}", *options)
        (tmp_path / "trace").write_text(trace, "utf-8")
        CHECKS[action](folder, code)
        shutil.rmtree(folder)
        return code

    assert run() == victim.DONE
    swept = calls((tmp_path / "trace").read_text("utf-8"))
    n_calls = sum(map(len, swept.values()))
    assert n_calls >= 10, "the calls were not seen"
    n_hurt = 0
    for kind, numbers in swept.items():
        for number in numbers:
            for failure in FAILURES:
                code = run("-e", f"inject={kind}:{failure}:when={number}")
                assert code in {victim.DONE, victim.REFUSED, victim.OS_ERROR, KILLED}, (
                    kind, number, failure, code,
                )  # fmt: skip
                assert failure != "signal=KILL" or code == KILLED
                n_hurt += code != victim.DONE
    n_runs = n_calls * len(FAILURES)
    measured(
        f"{action}: {n_calls} calls, {n_runs} of {n_runs} runs consistent, {n_hurt} of them "
        f"refused or killed, {time.monotonic() - started:.0f} s"
    )
