"""Remains: what is left of the entries of a person whose key was destroyed.

The columns of the entries stay, since the chain is over them. Of the payloads only the amounts stay
that the guarantee fund's account is made of: they lie in the payload of the `erasure` entry, which
is sealed with the key of the institution. No text that anybody wrote stays, and nothing that says
more of the person than a bank's book of loans would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, exists, literal_column, select

from loansvc.ledger import tables
from loansvc.ledger.chain import Entry

_ENTRY, _ERASURE = tables.entry.c, tables.entry.alias("erasure")
# Spelled as the partial index spells it: a bound value would keep SQLite from using that.
_KIND: ColumnElement[str] = literal_column("'erasure'")
# The person's reference stands where an application_id would: the index is over it.
IS_ERASED = select(_ENTRY.sequence).where(
    _ENTRY.kind == _KIND, _ENTRY.application_id == bindparam("ref")
)
NOT_ERASED = ~exists().where(
    _ERASURE.c.kind == _KIND, _ERASURE.c.application_id == _ENTRY.subject_ref
)
ERASURES = select(tables.entry).where(_ENTRY.kind == _KIND)  # in no order: that would scan

Payload = Mapping[str, Any]


def is_erased(connection: Connection, subject_ref: str) -> bool:
    """Whether that person was erased."""
    return connection.execute(IS_ERASED, {"ref": subject_ref}).first() is not None


def remainder_of(entry: Entry, payload: Payload) -> dict[str, Any]:
    """What stays of a payload, in the payload's own shape.

    >>> offer = {"amount_yuan": 50_000, "rate_bp": 385}
    >>> guarantee = {"tier": "G1", "shares_percent": {"bank": 20, "local_guarantor": 40}}
    >>> _of_decision({"decision": {"score": 612, "offer": offer, "guarantee": guarantee}})
    {'decision': {'offer': {'amount_yuan': 50000}, 'guarantee': {'shares_percent': \
{'bank': 20, 'local_guarantor': 40}}}}
    """
    keep = KEEPERS.get(entry.kind)
    return keep(payload) if keep else {}


def _of_decision(payload: Payload) -> dict[str, Any]:
    kept = _terms(payload["decision"])
    return {"decision": kept} if kept else {}


def _terms(decision: Payload) -> dict[str, Any]:
    """Amount and shares, where there is an offer with a guarantee."""
    offer, guarantee = decision.get("offer"), decision.get("guarantee")
    if not offer or not guarantee:
        return {}
    shares = guarantee["shares_percent"]
    kept = {name: shares[name] for name in ("bank", "local_guarantor") if name in shares}
    return {
        "offer": {"amount_yuan": offer["amount_yuan"]},
        "guarantee": {"shares_percent": kept},
    }


def _of_outcome(payload: Payload) -> dict[str, Any]:
    fact = payload["outcome"]
    kept = {name: fact[name] for name in ("kind", "on", "amount_yuan", "days") if name in fact}
    corrects = {"corrects": payload["corrects"]} if "corrects" in payload else {}
    # The references are texts that somebody wrote; which report is corrected, the number says.
    return {"outcome": {"reference": "", **kept}, **corrects}


def _of_override(payload: Payload) -> dict[str, Any]:
    """A person's approval may have terms of its own; the id says which loan they are of."""
    kept = _terms(payload.get("decision", {}))
    return {"decision_id": payload["decision_id"], "decision": kept} if kept else {}


KEEPERS: dict[str, Callable[[Payload], dict[str, Any]]] = {
    "decision": _of_decision,
    "outcome": _of_outcome,
    "override": _of_override,
}
