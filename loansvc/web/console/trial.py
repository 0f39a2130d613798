"""Trial: a form with a valid invented application, previewed as its fields change.

Nothing is recorded. A preview is one as of the API: variants of one person are counted, so each
form begins with another invented person.
"""

from __future__ import annotations

import secrets
from typing import Any

from flask import Response, request

from loansvc.application import PRODUCTS
from loansvc.errors import InvalidApplication, LoanError, NoEditionInForce, ProbingLimit
from loansvc.monitoring.words import OUTCOME_WORDS, PRODUCT_WORDS
from loansvc.web.access import underwriting, watch
from loansvc.web.api import application_of
from loansvc.web.console.bars import shares
from loansvc.web.console.decisions import villages_by_town
from loansvc.web.console.form import FIELDS, SECTIONS, document_of, filled_in
from loansvc.web.console.frame import asked, blueprint, page, signed_in
from loansvc.web.console.telling import summary
from loansvc.web.console.words import SECTION_WORDS
from loansvc.web.examples import example_application
from loansvc.web.timing import timing

INVENTED = 1_000_000  # numbers of invented persons


@blueprint.get("/trial")
@signed_in("decide")
def trial() -> Response:
    """The form with an example, not previewed yet."""
    product = asked(("product",)).get("product", "")
    product = product if product in PRODUCTS else PRODUCTS[0]
    number = secrets.randbelow(INVENTED)
    document = example_application(product, today=underwriting().today(), number=number)
    return _page(document, filled_in(document))


@blueprint.post("/trial")
@signed_in("decide")
def preview() -> Response:
    """The form as it was filled in, and what would be decided."""
    document = document_of(request.form)
    filled = {name: request.form.getlist(name) for name in FIELDS}
    try:
        decision = underwriting().preview(application_of(document), watch=watch())
    except (InvalidApplication, NoEditionInForce, ProbingLimit) as refusal:
        return _page(document, filled, refusal=refusal)
    timing().outcome = str(decision["outcome"])
    return _page(document, filled, decision=decision)


def _page(
    document: dict[str, Any], filled: dict[str, list[str]], *,
    decision: dict[str, Any] | None = None, refusal: LoanError | None = None,
) -> Response:  # fmt: skip
    return page(
        "trial.html", sections=SECTIONS, section_words=SECTION_WORDS, filled=filled,
        fields=FIELDS, towns=villages_by_town(), decision=decision, refusal=refusal,
        summary=summary(decision) if decision else None, product=document["product"],
        shares=shares(decision["guarantee"]) if decision and decision["guarantee"] else [],
        products=PRODUCT_WORDS, outcomes=OUTCOME_WORDS,
    )  # fmt: skip
