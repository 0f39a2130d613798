"""Reading: recorded decisions, newest first, a page at a time.

Only one page of opened records is held at once; whoever adds up keeps sums, not decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from typing import Any

from loansvc.errors import Erased
from loansvc.ledger import Entry
from loansvc.ledger.book import report_of
from loansvc.ledger.commitments import Report
from loansvc.monitoring.lent import Loan, loan_of
from loansvc.underwriting import Recorded, Underwriting

PAGE = 100  # records opened in one snapshot: short enough never to hold up a checkpoint


def decided_between(
    root: Underwriting, since: date, until: date, *, product: str | None = None
) -> Iterator[Recorded]:
    """Every client's decisions of these days, both ends included, newest first."""
    # Compared as text: no instant of that day comes after "T24".
    return _pages(root, since=since.isoformat(), until=f"{until}T24", product=product)


def erased_between(
    root: Underwriting, since: str | None, until: str | None, *, product: str | None = None
) -> list[tuple[Entry, dict[str, Any]]]:
    """Decisions of these days whose person was erased since, with what remains of them."""
    last = None if until is None else f"{until}T24"
    return root.erased(client=None, product=product, since=since, until=last)


def reports_of(root: Underwriting, recorded: Recorded) -> list[Report]:
    """What was reported of the loan that a decision approved, oldest first.

    Raises:
        Erased: its person was, since the decision was read.
    """
    with root.ledger.reading() as ledger:
        outcomes = ledger.outcomes_of(recorded.entry)
    return [report_of(entry, payload) for entry, payload in outcomes]


def loans_of(root: Underwriting, as_of: date) -> Callable[[Recorded], Loan | None]:
    """What became of a decision, by what was recorded of it up to and on that day."""

    def became(one: Recorded) -> Loan | None:
        card = root.registry.recorded_one(one.decision["editions"]["scorecard"]).content
        try:
            reports = reports_of(root, one)
        except Erased:  # since its page was read
            return None
        return loan_of(reports, card.default, as_of=as_of)

    return became


def last_decided(root: Underwriting, product: str, n: int) -> Iterator[Recorded]:
    """The last n decisions on one product, of every client, newest first."""
    return islice(_pages(root, product=product), n)


def n_decided(root: Underwriting, product: str, *, most: int) -> int:
    """How many decisions on one product there are, counted no further than `most`."""
    with root.ledger.reading() as ledger:
        return len(ledger.page(None, before=None, limit=most, product=product))


def _pages(root: Underwriting, **filters: Any) -> Iterator[Recorded]:
    page, before = root.page(client=None, limit=PAGE, **filters)
    while True:
        yield from page
        if before is None:
            return
        page, before = root.page(client=None, limit=PAGE, before=before, **filters)
