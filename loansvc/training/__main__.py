"""Make the shipped editions that programs write: cards, village registers, rates.

    python -m loansvc.training FOLDER

writes them into FOLDER as `models/` has them; `loansvc publish` takes them from there. Seeds are
fixed, so the same libraries give the same bytes again, but for the two times in each manifest.
Those of earlier years (`earlier`) are made from the newest ones.
"""

from __future__ import annotations

import sys
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from loansvc.application import PRODUCTS
from loansvc.editions import to_text
from loansvc.training.document import card_of
from loansvc.training.earlier import earlier_editions
from loansvc.training.rates import rates_document
from loansvc.training.register import (
    N_APPLICANTS,
    VILLAGES_SEED,
    register_document,
    village_loans,
)
from loansvc.training.train import (
    DEFAULT_APPLICANTS,
    DEFAULT_SEED,
    TrainedCard,
    train_scorecard,
    write,
)
from loansvc.training.villages import fit_villages

VALID_FROM = date(2026, 12, 1)
SHANGHAI = timezone(timedelta(hours=8))  # the county's time; no summer time since 1991
OPERATOR = "loansvc.training"
REFERENCE = "synthetic county model 2026-12 (method: section 3 of the model card)"


def main(folder: Path) -> None:
    """Write all of them, saying which."""
    cards = {}
    for product in PRODUCTS:
        trained = shipped_card(product)
        cards[product] = trained.document
        print(write(trained, folder / "scorecards"))
    loans = village_loans(
        card_of(cards["credit_loan"]), n_applicants=N_APPLICANTS, seed=VILLAGES_SEED
    )
    register = register_document(fit_villages(loans), valid_from=VALID_FROM, seed=VILLAGES_SEED)
    _write(register, folder / "villages")
    _write(rates_document(), folder / "rates")
    for place, text in earlier_editions(cards, register):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text, encoding="utf-8")
        print(folder / place)


def shipped_card(product: str) -> TrainedCard:
    """The card of a product as it is shipped, trained anew."""
    return train_scorecard(
        product,
        seed=DEFAULT_SEED,
        n_applicants=DEFAULT_APPLICANTS,
        valid_from=VALID_FROM,
        reference=REFERENCE,
        operator=OPERATOR,
        clock=lambda: datetime.now(SHANGHAI),
    )


def _write(document: dict[str, Any], folder: Path) -> None:
    path = folder / f"{document['valid_from']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_text(document), encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
