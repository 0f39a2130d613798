"""Decisions: the list, and one of them explained, replayed and proved."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from flask import Response

from loansvc.errors import NotReproducible
from loansvc.ledger import verifier
from loansvc.ledger.acts import STATES
from loansvc.ledger.receipts import receipt
from loansvc.monitoring.words import OUTCOME_WORDS, PRODUCT_WORDS
from loansvc.policy.wording import (
    COUNTER_GUARANTEE_TEXTS,
    LIABILITY_TEXTS,
    STAGE_TEXTS,
    value_text,
)
from loansvc.reviewing.showing import shown
from loansvc.reviewing.words import ASKED_BY
from loansvc.underwriting import Recorded, stamp
from loansvc.web.access import client, underwriting
from loansvc.web.api import DecisionsQuerySchema, found_by, register_on
from loansvc.web.console.bars import shares, waterfall
from loansvc.web.console.frame import asked, blueprint, page, see, signed_in
from loansvc.web.console.telling import summary
from loansvc.web.console.words import KIND_WORDS
from loansvc.web.requests import read_query

Text = tuple[str, str]
FILTERS = ("product", "outcome", "final_outcome", "state", "village", "from", "to", "cursor")
IN_REVIEW, REVIEWED = STATES
STATE_WORDS = {
    IN_REVIEW: ("待人工审核", "waits for a person"),
    REVIEWED: ("人工已审核", "decided by a person"),
}
RESULT_WORDS = {
    "met": ("满足", "met"),
    "not_met": ("未满足", "not met"),
    "unknown": ("无法确认", "not known"),
    "not_applicable": ("不适用", "does not apply"),
}
DERIVED = {
    "limit": ("额度", "Limit"),
    "rate": ("利率", "Rate"),
    "guarantee": ("担保与预期损失", "Guarantee and expected loss"),
}
NAMES: dict[str, Any] = {
    "outcomes": OUTCOME_WORDS, "products": PRODUCT_WORDS, "states": STATE_WORDS,
    "results": RESULT_WORDS, "stages": STAGE_TEXTS, "derived": DERIVED, "askers": ASKED_BY,
    "kinds": KIND_WORDS, "counter_guarantees": COUNTER_GUARANTEE_TEXTS,
    "liabilities": LIABILITY_TEXTS,
}  # fmt: skip


@blueprint.get("/decisions")
@signed_in("read")
def decisions() -> Response:
    """Decisions of this client, newest first; of a whole application id, that one."""
    if found := asked(("application_id",)):
        return see("decision", **found)
    filters, root = asked(FILTERS), underwriting()
    page_of, before = found_by(read_query(DecisionsQuerySchema, filters))
    today = root.today()
    rows = [(shown(one, today=today), one.application.loan) for one in page_of]
    return page(
        "decisions.html", rows=rows, before=before, filters=filters, towns=villages_by_town(),
        **NAMES,
    )  # fmt: skip


def villages_by_town() -> dict[str, list[tuple[str, str]]]:
    """Code and name of every village of the register in force, under its town."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for village in register_on(underwriting().today()).content.villages.values():
        found[village.town].append((village.code, village.name))
    return found


@blueprint.get("/decisions/<application_id>")
@signed_in("read")
def decision(application_id: str) -> Response:
    """One decision: what it is and why, and what people did about it."""
    root = underwriting()
    recorded = root.find(application_id, client=client())
    document = shown(recorded, today=root.today())
    return page(
        "decision.html", decision=document, summary=summary(document), why=_why(recorded),
        replay=root.replay(recorded), asked_for=asked_for(recorded), **NAMES,
    )  # fmt: skip


def _why(recorded: Recorded) -> dict[str, Any] | None:
    """The explanation and what is drawn of it; None where this program decides otherwise."""
    try:
        found = underwriting().explain(recorded)
    except NotReproducible:
        return None
    rules: dict[str, list[dict[str, Any]]] = {result: [] for result in RESULT_WORDS}
    for rule in found["rules"]:
        rules[rule["result"]].append(rule)
    guarantee = recorded.decision["guarantee"]
    return {
        **found,
        "steps": waterfall(found["score"]),
        "by_result": rules,
        "shares": shares(guarantee) if guarantee else [],
    }


def asked_for(recorded: Recorded) -> list[Text]:
    """What was asked for, in words."""
    loan = recorded.application.loan
    return [
        value_text(name, getattr(loan, name))
        for name in ("amount_yuan", "term_months", "purpose", "repayment")
    ]


@blueprint.get("/decisions/<application_id>/proof")
@signed_in("read")
def proof(application_id: str) -> Response:
    """The receipt, checked as a bank would check it, by the same functions."""
    root, says, refused = underwriting(), [], ""
    body = receipt(root.ledger, application_id, client=client(), at=stamp(root.clock()))
    with root.ledger.reading() as ledger:
        signers = [verifier.key_of(str(key)) for key in ledger.vault.signatures().keys]
    try:
        says = verifier.check_receipt(body, signers)
    except verifier.Refused as refusal:
        refused = str(refusal)
    signed = verifier.checkpoint_of(body["checkpoint"])
    return page(
        "proof.html", application_id=application_id, entry=body["entry"], signed=signed, says=says,
        refused=refused, n_hashes=len(body["inclusion_path"]),
    )  # fmt: skip
