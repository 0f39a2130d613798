"""Gauges: what is looked up when somebody scrapes: editions in force, fund, queue of batches.

Of a ledger that does not answer in time the figures are left out, and `loansvc_ledger_up` is 0: a
scrape waits no longer, and where one is still waited for, the next does not ask beside it.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from loansvc import __version__
from loansvc.application import PRODUCTS
from loansvc.editions import Edition
from loansvc.errors import LoanError, NoEditionInForce
from loansvc.ledger import outbox
from loansvc.ledger.batches import Queue, queue
from loansvc.lending import Lending
from loansvc.underwriting import Underwriting, milliseconds

log = logging.getLogger("loansvc.metrics")
PATIENCE_SECONDS = 1.0  # with the ledger; Prometheus itself gives up after ten
DAY_SECONDS = 86_400
NOT_TAKEN = ("waiting", "failed")  # states of a message; sent ones are dropped after some days
FUND_PARTS = ("capital_left", "claims_paid", "reserved", "drawn", "guaranteed")


@dataclass(frozen=True, slots=True)
class Noted:
    """What the ledger says at one moment."""

    n_entries: int
    queue: Queue
    n_messages: Counter[str]  # of webhooks, by state
    fund: dict[str, Any]


class Gauges(Collector):
    """The gauges of an underwriting, read at each scrape."""

    def __init__(self, root: Underwriting, *, patience_s: float = PATIENCE_SECONDS) -> None:
        self._root = root
        self._patience_s = patience_s
        self._lock = threading.Lock()  # guards what follows
        self._pool = ThreadPoolExecutor(1, "metrics")
        self._asked: Future[Noted] | None = None

    def collect(self) -> Iterator[Metric]:
        """Every gauge, those of the ledger if it answers."""
        build = GaugeMetricFamily("loansvc_build_info", "Always 1.", labels=("version",))
        build.add_metric((__version__,), 1)
        yield build
        yield from self._editions()
        noted = self._noted()
        yield GaugeMetricFamily(
            "loansvc_ledger_up", "Whether the ledger answered this scrape in time.",
            value=noted is not None,
        )  # fmt: skip
        if noted is not None:
            yield CounterMetricFamily(
                "loansvc_ledger_entries", "Entries of the ledger.", value=noted.n_entries
            )
            yield from _of_queue(noted.queue, self._root.clock())
            yield from _of_webhooks(noted.n_messages)
            yield from _of_fund(noted.fund)

    def _editions(self) -> Iterator[Metric]:
        """The age of each edition in force, and of the rates' newest quote."""
        today = self._root.today()
        age = GaugeMetricFamily(
            "loansvc_edition_age_seconds", "Since the first day of each edition in force.",
            labels=("kind", "product", "valid_from", "digest"),
        )  # fmt: skip
        quote_age = GaugeMetricFamily(
            "loansvc_rates_quote_age_seconds", "Since the day of the newest quote of the LPR."
        )
        for one in self._in_force(today):
            digest = one.digest.partition(":")[2][:12]
            labels = (one.kind, one.product, one.valid_from.isoformat(), digest)
            age.add_metric(labels, _seconds_since(one.valid_from, today))
            if one.kind == "rates":
                quoted_on = one.content.on(today).effective_on
                quote_age.add_metric((), _seconds_since(quoted_on, today))
        yield age
        yield quote_age

    def _in_force(self, today: date) -> list[Edition[Any]]:
        """The editions that decide today; of a product that lacks one, none."""
        found: dict[tuple[str, str], Edition[Any]] = {}
        for product in PRODUCTS:
            with suppress(NoEditionInForce):  # which /readyz tells of
                held = self._root.registry.in_force(product, today)
                for one in (held.scorecard, held.villages, held.policy, held.rates):
                    found[one.kind, one.product] = one
        return list(found.values())

    def _noted(self) -> Noted | None:
        with self._lock:
            if self._asked is None or self._asked.done():
                self._asked = self._pool.submit(self._ask)
            asked = self._asked
        try:
            return asked.result(self._patience_s)
        except TimeoutError:
            log.warning("the ledger does not answer a scrape")
        except LoanError as error:
            log.warning("the ledger cannot be read for a scrape", extra={"code": error.code})
        return None

    def _ask(self) -> Noted:
        with self._root.ledger.reading() as ledger:
            n_entries = ledger.last_sequence
            waiting = queue(ledger.connection, at=milliseconds(self._root.clock()))
            n_messages: Counter[str] = Counter()
            for (_endpoint, state), n in outbox.counted(ledger.connection).items():
                n_messages[state] += n
        fund: dict[str, Any] = {}
        with suppress(NoEditionInForce):  # of one product: its caps are not known
            fund = Lending(self._root).fund()
        return Noted(n_entries, waiting, n_messages, fund)


def _seconds_since(first: date, today: date) -> int:
    return (today - first).days * DAY_SECONDS


def _of_queue(waiting: Queue, now: datetime) -> Iterator[Metric]:
    batches = GaugeMetricFamily(
        "loansvc_batches", "Batches that are not over, by state.", labels=("state",)
    )
    for state, n_batches in waiting.batches.items():
        batches.add_metric((state,), n_batches)
    yield batches
    yield GaugeMetricFamily(
        "loansvc_batch_rows_waiting", "Rows of batches that are still to be decided.",
        value=waiting.n_rows,
    )  # fmt: skip
    yield GaugeMetricFamily(
        "loansvc_batch_workers", "Processes that are deciding rows of batches.",
        value=waiting.n_workers,
    )  # fmt: skip
    oldest = waiting.oldest
    yield GaugeMetricFamily(
        "loansvc_batch_oldest_seconds", "Since the oldest batch came that is not over; 0: none is.",
        value=(now - datetime.fromisoformat(oldest)).total_seconds() if oldest else 0,
    )  # fmt: skip


def _of_webhooks(n_messages: Counter[str]) -> Iterator[Metric]:
    messages = GaugeMetricFamily(
        "loansvc_webhook_messages", "Messages to clients that were not taken, by state.",
        labels=("state",),
    )  # fmt: skip
    for state in NOT_TAKEN:
        messages.add_metric((state,), n_messages[state])
    yield messages


def _of_fund(fund: dict[str, Any]) -> Iterator[Metric]:
    """The fund's figures; nothing where its capital was never stated."""
    yuan = GaugeMetricFamily(
        "loansvc_fund_yuan", "The guarantee fund: capital left, reserved, drawn.", labels=("part",)
    )
    most = GaugeMetricFamily(
        "loansvc_fund_most_guaranteed_yuan", "What a product's policy lets the fund guarantee.",
        labels=("product",),
    )  # fmt: skip
    if fund.get("capital_yuan") is not None:
        for part in FUND_PARTS:
            yuan.add_metric((part,), fund[f"{part}_yuan"])
    for caps in fund.get("caps", ()):
        most.add_metric((caps["product"],), caps["most_guaranteed_yuan"])
    yield yuan
    yield most
