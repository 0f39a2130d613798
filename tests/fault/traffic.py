"""Traffic: clients that never give up while a fault is made, and the rule for all faults.

Each client sends one application after the other, each again under the same application_id until it
is answered, for up to 30 s; every attempt is kept.
"""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager

from tests.e2e.service import Service
from tests.load import ATTEMPT_S, BROKEN, PATIENCE_S, Load, closed_load, ledger_holds

__all__ = [
    "ATTEMPT_S", "BROKEN", "N_CLIENTS", "PATIENCE_S", "RECOVERY_S", "ledger_holds", "survived",
    "traffic",
]  # fmt: skip
N_CLIENTS = 8
RECOVERY_S = 5.0  # after the fault has ended


def traffic(
    service: Service, *, n_clients: int = N_CLIENTS, first: int = 0
) -> AbstractContextManager[Load]:
    """Clients that send as fast as they are answered, each request on a connection of its own."""
    load = Load(service.port, service.key, keep_alive=False)
    return closed_load(load, n_clients=n_clients, first=first)


def survived(service: Service, *sent: Load, others: int = 0) -> str:
    """Hold the service to the rule, and say it in figures; `others`: entries that others made."""
    answers = {n: answer for one in sent for n, answer in one.answers.items()}
    assert [answer.body for one in sent for answer in one.wrong] == []
    assert [number for one in sent for number in one.given_up] == []
    ledger_holds(service, answers, n_entries=len(answers) + others)
    statuses = sum((one.count() for one in sent), Counter[int]())
    return (
        f"{len(answers)} decisions, 0 lost, 0 doubled, {statuses[503]} times 503, "
        f"{statuses[BROKEN]} broken connections"
    )
