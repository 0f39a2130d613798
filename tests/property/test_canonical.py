"""The bytes of an entry that are hashed are those of the verifier that banks have."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from loansvc.ledger import verifier
from loansvc.ledger.chain import NAMES, canonical

# As a database may hold them: any text, a lone surrogate for a byte that is no UTF-8, bytes.
anything = st.text() | st.text(st.characters(categories=["Cs", "Cc", "Zl"])) | st.binary()
entries = st.fixed_dictionaries(
    {name: st.integers(-(2**63), 2**63 - 1) if name == "sequence" else anything for name in NAMES}
)


def written(canonical: Any, fields: dict[str, Any]) -> object:
    try:
        return canonical(fields)
    except UnicodeEncodeError:  # of a surrogate that stands for no byte, which no database gives
        return "cannot be written"


@given(entries)
@example(dict.fromkeys(NAMES, '\x7f\u2028\ud800\x00\b\f"\\/ü村'))
@example(dict.fromkeys(NAMES, "\udcff"))
def test_an_entry_has_the_bytes_that_the_verifier_gives_it(fields: dict[str, Any]) -> None:
    assert written(canonical, fields) == written(verifier.canonical, fields)
