"""Sealing: a person as the ledger knows one, and the bytes of that person's payloads.

The first byte of a payload says what it is: 1, JSON under AES-256-GCM; 2, JSON under SM4-GCM. It is
part of what the seal is bound to. No data key is kept beyond the transaction that unwrapped it, so
that an erasure holds in every worker at once.
"""

from __future__ import annotations

from typing import Any

import orjson

from loansvc.errors import LedgerDamaged
from loansvc.ledger.ciphers import COMMERCIAL, INTERNATIONAL, seal, unseal

SCHEMAS = {INTERNATIONAL: 1, COMMERCIAL: 2}
SUITE_OF = {schema: suite for suite, schema in SCHEMAS.items()}


class Subject:
    """A person: a random reference and the key of the payloads.

    `suite`: by which new payloads are sealed; old ones say themselves.
    """

    def __init__(self, ref: str, data_key: bytes, suite: str = INTERNATIONAL) -> None:
        self.ref = ref
        self._data_key = data_key
        self._suite = suite

    def seal(self, document: dict[str, Any], decision_id: str) -> bytes:
        """The sealed bytes of a payload, bound to its decision."""
        data = orjson.dumps(document)
        schema = SCHEMAS[self._suite]
        label = _label(decision_id, schema)
        return bytes([schema]) + seal(self._data_key, data, label, self._suite)

    def unseal(self, sealed: bytes, decision_id: str) -> dict[str, Any]:
        """The payload.

        Raises:
            LedgerDamaged: it was changed, or is of a schema that this version does not know.
        """
        suite = SUITE_OF.get(sealed[0]) if sealed else None
        if suite is None:
            raise LedgerDamaged(
                "A sealed record is of no schema known here: it was changed, or written by a newer "
                "version. Run: loansvc ledger verify"
            )
        label = _label(decision_id, sealed[0])
        document: dict[str, Any] = orjson.loads(unseal(self._data_key, sealed[1:], label, suite))
        return document


def _label(decision_id: str, schema: int) -> str:
    return f"payload|{decision_id}|{schema}"
