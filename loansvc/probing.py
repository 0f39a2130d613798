"""Probing: a client that asks about one person again and again, each time a little changed.

With exact scores, a scorecard is read off by as many questions as it has bins; so those of one
client about one person are counted, told to the operators, and then refused for the rest of a day.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loansvc.application import Application
from loansvc.ledger import Ledger, Reading, Vault, Writing
from loansvc.ledger.administration import note
from loansvc.ledger.variants import Bounds, Variant, is_known, keep, variant_of

log = logging.getLogger("loansvc.probing")


@dataclass(frozen=True, slots=True)
class Watch:
    """The watch on one client. `new_id` makes the id of an entry at a moment."""

    client: str
    bounds: Bounds
    new_id: Callable[[datetime], str]

    def variant(self, vault: Vault, application: Application, values: Mapping[str, Any]) -> Variant:
        """What is counted of an application with these characteristics, by the keys at hand."""
        return variant_of(vault, application.applicant.id_number, values, client=self.client)

    def decide(self, ledger: Writing, one: Variant, *, at: datetime) -> None:
        """Count what is decided, in its own transaction.

        Raises:
            ProbingLimit: nothing of it stays.
        """
        if keep(ledger.connection, one, at=at, bounds=self.bounds):
            self._tell(ledger, at)

    def is_new(self, ledger: Reading, one: Variant, *, at: datetime) -> bool:
        """Whether a preview is to be counted.

        Raises:
            ProbingLimit: it would be one too many.
        """
        return not is_known(ledger.connection, one, at=at, bounds=self.bounds)

    def preview(self, ledger: Ledger, one: Variant, *, at: datetime) -> None:
        """Count a preview, which leaves nothing else behind."""
        with ledger.fleeting() as connection:
            is_noticed = keep(connection, one, at=at, bounds=self.bounds)
        if is_noticed:
            with ledger.writing() as writing:
                self._tell(writing, at)

    def _tell(self, ledger: Writing, at: datetime) -> None:
        """Tell the operators, in the log and for good; the person is not named."""
        n = self.bounds.unnoticed + 1
        log.warning("client %s tried %d variants of one person within a day", self.client, n)
        note(
            ledger, "probing", at=at.isoformat(timespec="milliseconds"), entry_id=self.new_id(at),
            by="loansvc", client=self.client, variants=n,
        )  # fmt: skip
