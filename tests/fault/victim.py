"""A process that does one thing once somebody traces it, and says how that went.

Run by test_syscalls: python -m tests.fault.victim; reads "ACTION FOLDER" a line, forks, prints the
child's pid. The child waits until strace holds it, so that the calls counted are those of the
action alone, and everything it needs is loaded before.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from loansvc.errors import LoanError
from loansvc.ledger import Ledger
from loansvc.privacy import Privacy
from loansvc.registry import Registry
from loansvc.registry.publishing import publish
from loansvc.underwriting import Underwriting
from tests.small import NOON, an_application

NEW, ERASED, CLIENT = 99, 1, "bank"
DONE, REFUSED, OS_ERROR = 0, 3, 4
MOST_WAIT_S = 10.0


def open_ledger(folder: Path, *, create: bool = False) -> Ledger:
    home = folder / "home"
    return Ledger.open(f"sqlite:///{home / 'ledger.db'}", home=home, create=create)


def decide(folder: Path) -> None:
    """Open, decide, close: the last to leave moves the WAL into the database."""
    root = Underwriting(Registry.open(folder / "models"), open_ledger(folder), clock=lambda: NOON)
    root.decide(an_application(NEW), client=CLIENT)
    root.ledger._engine.dispose()


def publish_card(folder: Path) -> None:
    publish(folder / "models", folder / "later.json", role="champion", approver="test")


def migrate(folder: Path) -> None:
    open_ledger(folder, create=True)._engine.dispose()


def erase(folder: Path) -> None:
    """The person of application ERASED."""
    root = Underwriting(Registry.open(folder / "models"), open_ledger(folder), clock=lambda: NOON)
    Privacy(root).erase(
        an_application(ERASED).applicant.id_number, reason="withdrawn", reference="E-1", by="one",
        approver="another",
    )  # fmt: skip
    root.ledger._engine.dispose()


ACTIONS: dict[str, Callable[[Path], None]] = {
    "decision": decide,
    "publication": publish_card,
    "migration": migrate,
    "erasure": erase,
}


def _traced() -> bool:
    return "TracerPid:\t0\n" not in Path("/proc/self/status").read_text("ascii")


def _once_traced(act: Callable[[Path], None], folder: Path) -> int:
    until = time.monotonic() + MOST_WAIT_S
    while not _traced():
        assert time.monotonic() < until
        time.sleep(0.001)
    try:
        act(folder)
    except LoanError:
        return REFUSED
    except OSError:
        return OS_ERROR
    return DONE


def main() -> None:
    for line in sys.stdin:
        action, folder = line.split()
        child = os.fork()
        if child == 0:
            os._exit(_once_traced(ACTIONS[action], Path(folder)))
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
