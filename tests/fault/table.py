"""The table of faults in docs/reliability.md: a row each, filled in by the tests that ran."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
HEADING = "| Id | Fault | How it is made | Measured | Survived |\n|---|---|---|---|---|\n"
FAULTS: dict[str, tuple[str, str]] = {
    "F1": ("workers die", "kill -9 of a worker every 2 s for 60 s, under load"),
    "F2": ("the master dies", "kill -9 of the master under load; a supervisor starts it again"),
    "F3": ("a worker freezes", "SIGSTOP of a worker for 3 s, and for longer than gunicorn waits"),
    "F4": ("reload", "SIGHUP with a newly published card, 10 times under load"),
    "F5": ("any system call fails", "strace: EIO, ENOSPC and SIGKILL at every single call that "
           "writes, of a decision, a publication, a migration and an erasure"),
    "F6": ("disk full", "the ledger on a file system of 80 MB, filled by load, then freed"),
    "F7": ("disk slow", "strace: 1.5 s before every fdatasync of the workers"),
    "F8": ("disk fails", "strace: EIO from every fdatasync of the workers"),
    "F9": ("the ledger is locked", "another writer holds BEGIN IMMEDIATE for 10 s"),
    "F10": ("PostgreSQL stops", "stopped at once, started; frozen for 10 s; moved to a new port"),
    "F11": ("the network to PostgreSQL", "0.5 s each way, silent, cut 20 times, 30 % lost"),
    "F12": ("tampering", "10,000 single changes of rows, bits, order and hashes"),
    "F13": ("damaged pages", "a random page or byte overwritten in 200 copies"),
    "F14": ("a broken card", "cut, empty, changed, huge, nested, a link, a folder, and more, at "
           "start and at reload"),
    "F15": ("a broken policy", "gap, overlap, impossible day, unknown grade, key twice, and more, "
            "at start and at reload"),
    "F16": ("a wrong clock", "libfaketime: a day on, 2 and 400 days back, 30 years on"),
    "F17": ("read-only files", "every mount read-only but the folder of the ledger"),
    "F18": ("little memory", "400 MB for each process, and bodies of 20 MB"),
    "F19": ("no descriptors left", "64 open files for each process, 200 idle connections"),
    "F20": ("the log cannot be written", "its disk full; its reader stopped"),
    "F21": ("the answer is lost", "a proxy cuts after the request, 1,000 times"),
    "F22": ("wrong keys", "vault.json missing, cut, of another ledger, readable by others"),
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What one test says of a fault: passed, failed or skipped, with what it measured."""

    fault: str
    outcome: str
    measured: tuple[str, ...]
    skipped_because: str = ""


def rows(runs: Iterable[Run]) -> dict[str, str]:
    """A row of the table for each fault that a test ran or skipped, by its id."""
    of: dict[str, list[Run]] = {}
    for run in runs:
        of.setdefault(run.fault, []).append(run)
    return {fault: _row(fault, found) for fault, found in of.items()}


def _row(fault: str, found: list[Run]) -> str:
    what, how = FAULTS[fault]
    measured = [text for run in found for text in run.measured]
    measured += [
        f"not run here: {run.skipped_because}" for run in found if run.outcome == "skipped"
    ]
    outcomes = {run.outcome for run in found}
    survived = "**no**" if "failed" in outcomes else "yes" if "passed" in outcomes else "-"
    return f"| {fault} | {what} | {how} | {'; '.join(measured)} | {survived} |"


def write(page: Path, found: dict[str, str], on: date) -> None:
    """Put rows into the table of a page; rows of faults that were not run stay as they are."""
    before, _, rest = page.read_text("utf-8").partition(BEGIN)
    inside, _, after = rest.partition(END)
    kept = {
        line.split("|")[1].strip(): line for line in inside.splitlines() if line.startswith("| F")
    }
    table = {**kept, **found}
    lines = [table[fault] for fault in FAULTS if fault in table]
    text = f"{BEGIN}\n{machine(on)}\n\n{HEADING}" + "\n".join(lines) + f"\n{END}"
    page.write_text(before + text + after, "utf-8")


def machine(on: date) -> str:
    """A sentence that says where and when it was measured."""
    return (
        f"Measured on {on}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{platform.system()} {platform.release().split('-')[0]}."
    )
