"""Client: loansvc from a bank's program, over HTTP.

    with Client("https://credit.example.cn", key="lsk_…") as loansvc:
        answer = loansvc.decide(application)
        print(answer["outcome"], answer["decision_id"])

What may be sent again is sent again, with the same bytes: an application, a report and the like
carry an id of the caller's, and whoever sends one twice gets the first answer. So after a time-out
nothing is recorded twice and nothing is lost. Documents are those of /openapi.json, as types in
`loansvc.client.documents`.

Needs loansvc[client]; nothing else of loansvc is read but what checks a receipt.
"""

from __future__ import annotations

from loansvc.client.calls import Client, verify_receipt
from loansvc.client.refusals import FieldRefusal, Refused, Unreachable
from loansvc.client.sending import Patience, Signature

__all__ = [
    "Client",
    "FieldRefusal",
    "Patience",
    "Refused",
    "Signature",
    "Unreachable",
    "verify_receipt",
]
