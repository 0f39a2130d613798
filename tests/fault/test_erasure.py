"""What was erased is nowhere any more: not in the database, its log, freed pages or the logs."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from loansvc.ledger import Ledger
from loansvc.privacy import Privacy
from loansvc.underwriting import Underwriting, now
from tests.e2e.service import Service, an_example, wait_for
from tests.fault.traffic import BROKEN, survived, traffic
from tests.small import an_application, small_underwriting

pytestmark = pytest.mark.fault
WHY = {"reason": "withdrawn", "by": "bank", "approver": "officer"}
ADMIN = ("admin",)


def secrets_of(home: Path, ids: list[str], ledger: Ledger) -> dict[str, list[bytes]]:
    """What must be found nowhere once these people are erased."""
    with ledger.reading() as reading:
        refs = [s.ref for s in map(reading.find_subject, ids) if s is not None]
        marks = [mark for one in ids for mark in reading.vault.party_marks(one)]
        names = [name for one in ids for name in reading.vault.pseudonyms(one)]
    assert len(refs) == len(ids)
    marker = ", ".join("?" * len(refs))
    with closing(sqlite3.connect(home / "ledger.db")) as connection:
        wrapped = connection.execute(
            f"SELECT wrapped FROM subject_key WHERE subject_ref IN ({marker})", refs
        ).fetchall()
    return {
        "ID numbers": [one.encode() for one in ids],
        "wrapped keys": [key for (key,) in wrapped],
        "parts of wrapped keys": [key[20:44] for (key,) in wrapped],
        "pseudonyms": [name[3:].encode() for name in names],
        "marks of relations": [mark[3:].encode() for mark in marks],
    }


def hits(folder: Path, secrets: dict[str, list[bytes]]) -> dict[str, int]:
    """How many of them are in any file of that folder."""
    data = b"\n".join(p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file())
    return {name: sum(one in data for one in some) for name, some in secrets.items()}


def erased_without_a_trace(folder: Path, models: Path, *, n_people: int, n_erased: int) -> None:
    root = small_underwriting(folder, models=models)
    home = folder / "home"
    for number in range(n_people):
        root.decide(an_application(number), client="bank")
    chance = random.Random(20_261_123)
    ids = [an_application(n).applicant.id_number for n in chance.sample(range(n_people), n_erased)]
    secrets = secrets_of(home, ids, root.ledger)
    before = hits(home, secrets)
    assert before["ID numbers"] == 0
    assert all(before[name] == n_erased for name in secrets if name != "ID numbers")
    for number, one in enumerate(ids):
        Privacy(root).erase(one, reference=f"E-{number}", **WHY)
    assert hits(home, secrets) == dict.fromkeys(secrets, 0)
    n_entries, problems = root.ledger.verify()
    assert (n_entries, problems) == (n_people + n_erased, [])
    left, _ = root.page(client="bank", limit=n_people)
    assert len(left) == n_people - n_erased


def test_nothing_of_20_of_200_people_is_left(tmp_path: Path, models: Path) -> None:
    erased_without_a_trace(tmp_path, models, n_people=200, n_erased=20)


@pytest.mark.slow
def test_nothing_of_1000_of_10000_people_is_left(tmp_path: Path, models: Path) -> None:
    erased_without_a_trace(tmp_path, models, n_people=10_000, n_erased=1_000)


def test_whoever_reads_meanwhile_only_puts_it_off(tmp_path: Path, models: Path) -> None:
    """A long look at the ledger holds its log; it is cut as soon as that has ended."""
    root = small_underwriting(tmp_path, models=models)
    home = tmp_path / "home"
    for number in range(3):
        root.decide(an_application(number), client="bank")
    one = an_application(1).applicant.id_number
    secrets = secrets_of(home, [one], root.ledger)
    with root.ledger.reading() as reading:
        reading.find("bank", "")
        Privacy(root).erase(one, reference="E-1", **WHY)
        assert sum(hits(home, secrets).values()) > 0
    wait_for("the log to be cut", lambda: not any(hits(home, secrets).values()))


# --- a running service ----------------------------------------------------------------------------


@pytest.fixture
def service(tmp_path: Path, models: Path) -> Iterator[Service]:
    running = Service(tmp_path / "home", models, LOANSVC_LOG_LEVEL="debug").start()
    yield running
    running.close()


def a_key(service: Service, scope: str) -> str:
    made = service.run("keys", "create", "operator", "--scope", scope)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def test_an_erasure_holds_at_once_in_every_worker_and_nothing_of_it_is_logged(
    service: Service,
) -> None:
    admin = a_key(service, "admin")
    examples = [an_example(number) for number in range(8)]
    for example in examples:
        assert service.post(example).status == 201
    for number, example in enumerate(examples[:4]):
        asked = {"id_number": example["applicant"]["id_number"], "reason": "withdrawn",
                 "reference": f"E-{number}", "approver": "officer"}  # fmt: skip
        assert service.call("POST", "/v1/erasures", asked, key=admin).status == 200
        for _ in range(8):  # connections of their own: whichever worker takes them
            path = f"/v1/decisions/{example['application_id']}"
            assert service.get(path).status == 410
            assert service.post(example).status == 410
    service.post({"id_number": examples[0]["applicant"]["id_number"]})
    service.call("GET", f"/v1/decisions/{examples[0]['applicant']['id_number']}x")
    log = service.log()
    ids = [example["applicant"]["id_number"] for example in examples]
    assert [line for line in log.splitlines() if any(one in line for one in ids)] == []
    assert admin not in log
    assert service.key not in log
    verified = service.run("ledger", "verify")
    assert verified.returncode == 0, verified.stdout


@pytest.mark.slow
def test_keys_change_under_load_without_a_single_error(service: Service) -> None:
    """Callers decide, and others again, while every outer key is changed and the old destroyed."""
    with traffic(service, n_clients=4) as first, traffic(service, n_clients=4) as again:
        time.sleep(1)
        for purpose in ("pseudonym", "key_encryption", "chain"):
            for verb in (("rotate", purpose), ("retire", purpose, "1")):
                done = service.run("vault", *verb)
                assert done.returncode == 0, done.stderr
        time.sleep(1)
    print(f"\n{survived(service, first, again)}")
    assert first.count()[BROKEN] == again.count()[BROKEN] == 0
    by_both = first.answers.keys() & again.answers.keys()
    assert len(by_both) > 50
    for number in by_both:
        assert first.answers[number].body == again.answers[number].body


# --- retention, interrupted -----------------------------------------------------------------------

N_DUE, N_KEPT, N_KILLS = 90, 5, 20


@pytest.mark.slow
def test_retention_killed_at_20_points_erases_whom_it_should_and_nobody_else(
    tmp_path: Path, models: Path
) -> None:
    """What is due was decided four years ago; the rest today."""
    at = [now() - timedelta(days=4 * 365)]
    root = small_underwriting(tmp_path, models=models, clock=lambda: at[0])
    _record(root, range(N_DUE))
    at[0] = now()
    _record(root, range(N_DUE, N_DUE + N_KEPT))
    shell = Service(tmp_path / "home", models)
    assert json.loads(shell.run("retention", "--json").stdout)["people_due"] == N_DUE
    n_before = 0
    for _ in range(N_KILLS):
        job = _retention(shell)
        while _n_erased(tmp_path / "home") <= n_before and job.poll() is None:
            time.sleep(0.0005)
        job.send_signal(signal.SIGKILL)
        job.wait()
        n_before = _n_erased(tmp_path / "home")
        assert root.ledger.verify()[1] == []
    assert N_KILLS <= n_before < N_DUE, "every one was killed in the middle"
    done = shell.run("retention", "--apply", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["people_due"] == 0
    left = [r.application.application_id for r in root.page(client="bank", limit=100)[0]]
    assert sorted(left) == sorted(_name(n) for n in range(N_DUE, N_DUE + N_KEPT))
    assert len(root.erased(client="bank")) == N_DUE
    lines = (tmp_path / "home" / "erasures").read_text().splitlines()
    assert len(set(lines)) == N_DUE


def _n_erased(home: Path) -> int:
    path = home / "erasures"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _name(number: int) -> str:
    return f"R-{number}"


def _record(root: Underwriting, numbers: range) -> None:
    for number in numbers:
        plain = an_application(number, application_id=_name(number), loan__purpose="securities")
        # Under the editions of today: none were in force four years ago.
        root.decide(replace(plain, applied_on=now().date()), client="bank")


def _retention(shell: Service) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "loansvc", "retention", "--apply"], env=shell.environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
