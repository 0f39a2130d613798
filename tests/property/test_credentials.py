"""Whatever stands in a header of access, the answer is a refusal and never an error of ours."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from loansvc.errors import Unauthenticated
from loansvc.web import signatures, tokens
from loansvc.web.issuers import Issuers
from tests.small import NOON

# What structured fields are made of, so that more than the first character is read.
PIECES = st.lists(
    st.sampled_from(
        ["sig", "=", "(", ")", '"@method"', '"@target-uri"', '"content-digest"', ";", ",", " ",
         "created", "=1795406400", "keyid", '="0123456789ab"', "nonce", '="aaaaaaaaaaaaaaaaaaaa"',
         ":AAAA:", ":", "?1", "-1.5", "@9", "%", '"', "\\", "tag", "*", "sha-256", "\x00", "\x7f",
         "key=", "bs", "sf", "req", "tr", "999999999999999", "alg"]
    ),
    max_size=40,
).map("".join)  # fmt: skip
FIELD = PIECES | st.text(st.characters(max_codepoint=255), max_size=60)
PEM = (
    Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


@settings(max_examples=500, deadline=None)
@given(FIELD)
def test_a_signature_input_is_read_or_refused(field: str) -> None:
    try:
        found = signatures._parameters(field)
    except Unauthenticated:
        return
    assert found.key_id == "0123456789ab"


@settings(max_examples=500, deadline=None)
@given(FIELD, FIELD, FIELD, st.sampled_from(["/v1/x", "/v1/x?a=%zz", "//", "/\x7f", "/é"]))
def test_no_made_up_signature_verifies(given_: str, signature: str, digest: str, path: str) -> None:
    headers = {"Signature-Input": given_, "Signature": signature, "Content-Digest": digest}
    message = signatures.Message("POST", f"http://localhost{path}", headers)
    with pytest.raises(Unauthenticated):
        signatures.verify(
            message, b"{}", algorithm="ed25519", public_key=PEM, must=signatures.ALWAYS
        )


@pytest.fixture(scope="module")
def issuers(tmp_path_factory: pytest.TempPathFactory) -> Issuers:
    folder = tmp_path_factory.mktemp("issuers")
    public = base64.urlsafe_b64encode(b"\x20" * 32).rstrip(b"=").decode()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": public, "kid": "k"}
    (folder / "k.json").write_text(json.dumps({"keys": [jwk]}))
    (folder / "i.toml").write_text(_toml(folder))
    return Issuers(folder / "i.toml")


def _toml(folder: Path) -> str:
    assert folder.exists()
    return (
        '[[issuer]]\nissuer = "i"\nclient = "bank"\naudience = "a"\njwks = "k.json"\n'
        'algorithms = ["EdDSA"]\nscopes = ["read"]\n'
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["i", "a", "k", "EdDSA", "none", "HS256", "at+jwt"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)  # fmt: skip
PARTS = st.dictionaries(
    st.sampled_from(["alg", "kid", "typ", "crit", "iss", "aud", "sub", "iat", "exp", "nbf", "cnf"]),
    VALUES,
)


@settings(max_examples=500, deadline=None)
@given(PARTS, PARTS, st.binary(max_size=64))
def test_no_made_up_token_opens_anything(
    issuers: Issuers, header: dict[str, object], claims: dict[str, object], signature: bytes
) -> None:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    with pytest.raises(Unauthenticated):
        tokens.key_of(token, issuers, now=NOON)


ASCII = st.characters(max_codepoint=127)


@settings(max_examples=300, deadline=None)
@given(
    st.from_regex(r"[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,9}", fullmatch=True)
)
def test_what_only_looks_like_a_token_opens_nothing(issuers: Issuers, text: str) -> None:
    assert tokens.is_token(text)
    with pytest.raises(Unauthenticated):
        tokens.key_of(text, issuers, now=NOON)
