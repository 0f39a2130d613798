"""Bearer tokens of a bank's own issuer, made by another library; and the attacks on them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from werkzeug.test import TestResponse

from loansvc.errors import SetupRefused
from loansvc.settings import Settings
from loansvc.web import create_app, issuers
from tests.contract.conftest import Api, is_problem
from tests.small import NOON, a_document

NOW = int(NOON.timestamp())
ISSUER, AUDIENCE = "https://login.bank.example.cn", "https://credit.example.cn"
PRIVATE: dict[str, Any] = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "PS256": rsa.generate_private_key(65537, 2048),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
STRANGER = ec.generate_private_key(ec.SECP256R1())
TOML = """
[[issuer]]
issuer = "https://login.bank.example.cn"
client = "bank"
audience = "https://credit.example.cn"
jwks = "bank.jwks.json"
algorithms = ["ES256", "PS256", "EdDSA"]
scopes = ["decide", "read"]
"""


def jwk(algorithm: str, private: Any = None, **about: Any) -> dict[str, Any]:
    kinds = {"ES256": ECAlgorithm, "PS256": RSAAlgorithm, "EdDSA": OKPAlgorithm}
    public = (private or PRIVATE[algorithm]).public_key()
    document = json.loads(kinds[algorithm].to_jwk(public))  # type: ignore[attr-defined]
    return {**document, "kid": f"k-{algorithm}", **about}


class Issuing:
    """A bank with an issuer of its own, and the service that knows of it."""

    def __init__(self, api: Api, folder: Path) -> None:
        self.api, self.folder = api, folder
        self.write(*(jwk(algorithm) for algorithm in PRIVATE))
        self.toml(TOML)
        self.serve()

    def write(self, *keys: dict[str, Any]) -> None:
        (self.folder / "bank.jwks.json").write_text(json.dumps({"keys": keys}))

    def toml(self, text: str) -> None:
        (self.folder / "issuers.toml").write_text(text, "utf-8")

    def serve(self) -> None:
        settings = Settings(issuers=self.folder / "issuers.toml")
        self.api.app = create_app(self.api.root, settings)

    def claims(self, **changes: Any) -> dict[str, Any]:
        plain = {"iss": ISSUER, "aud": AUDIENCE, "sub": "los-1", "iat": NOW, "exp": NOW + 300,
                 "scope": "decide read"}  # fmt: skip
        return {name: value for name, value in (plain | changes).items() if value is not ...}

    def token(
        self, algorithm: str = "ES256", *, key: Any = None, headers: Any = None, **changes: Any
    ) -> str:
        return jwt.encode(
            self.claims(**changes), key or PRIVATE[algorithm], algorithm,
            headers={"kid": f"k-{algorithm}", "typ": "at+jwt", **(headers or {})},
        )  # fmt: skip

    def get(self, token: str, path: str = "/v1/decisions") -> TestResponse:
        return self.api.get(path, key=token)


@pytest.fixture
def bank(api: Api, tmp_path: Path) -> Issuing:
    return Issuing(api, tmp_path)


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_a_token_of_a_known_issuer_is_its_client(bank: Issuing, algorithm: str) -> None:
    decided = bank.api.post(a_document(1), key=bank.token(algorithm))
    assert decided.status_code == 201
    name = decided.get_json()["application_id"]
    assert bank.api.get(f"/v1/decisions/{name}").data == decided.data  # by a key of the client


def test_the_newer_name_of_an_algorithm_is_taken(bank: Issuing) -> None:
    header = _encoded({"alg": "Ed25519", "kid": "k-EdDSA"})
    signed = header + "." + _encoded(bank.claims())
    signature = PRIVATE["EdDSA"].sign(signed.encode())
    assert bank.get(f"{signed}.{_b64(signature)}").status_code == 200


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _encoded(part: Any) -> str:
    return _b64(json.dumps(part).encode())


def refused(response: TestResponse) -> str:
    detail: str = is_problem(response, 401, "unauthenticated")["detail"]
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="loansvc"'
    return detail


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({"aud": ["https://other", AUDIENCE]}, 200, id="one of the audiences"),
        pytest.param({"aud": "https://other"}, 401, id="another audience"),
        pytest.param({"aud": AUDIENCE + "/"}, 401, id="nearly the audience"),
        pytest.param({"aud": ...}, 401, id="no audience"),
        pytest.param({"iss": "https://login.other.example.cn"}, 401, id="another issuer"),
        pytest.param({"iss": ISSUER + "/"}, 401, id="nearly the issuer"),
        pytest.param({"iss": ...}, 401, id="no issuer"),
        pytest.param({"sub": ...}, 401, id="no holder"),
        pytest.param({"sub": " "}, 401, id="a blank holder"),
        pytest.param({"sub": "a\nb"}, 401, id="a holder of two lines"),
        pytest.param({"sub": "x" * 65}, 401, id="a long holder"),
        pytest.param({"iat": NOW - 300, "exp": NOW + 1}, 200, id="its last second"),
        pytest.param({"iat": NOW - 300, "exp": NOW}, 401, id="expired"),
        pytest.param({"exp": NOW + 600}, 200, id="ten minutes"),
        pytest.param({"exp": NOW + 601}, 401, id="longer than ten minutes"),
        pytest.param({"exp": ...}, 401, id="no end"),
        pytest.param({"iat": ...}, 401, id="no beginning"),
        pytest.param({"iat": NOW + 60}, 200, id="60 s ahead"),
        pytest.param({"iat": NOW + 61}, 401, id="61 s ahead"),
        pytest.param({"nbf": NOW + 60}, 200, id="valid in 60 s"),
        pytest.param({"nbf": NOW + 61}, 401, id="valid in 61 s"),
        pytest.param({"iat": True, "exp": NOW + 1}, 401, id="a truth for a time"),
        pytest.param({"iat": 1e300, "exp": 1e300}, 401, id="times beyond all years"),
        pytest.param({"cnf": {"x5t#S256": "A" * 43}}, 401, id="bound to a certificate"),
        pytest.param({"client": "other", "scope": "read"}, 200, id="a claim that means nothing"),
    ],
)  # fmt: skip
def test_claims_are_held_to_the_rule(bank: Issuing, changes: dict[str, Any], status: int) -> None:
    response = bank.get(bank.token(**changes))
    assert response.status_code == status, response.get_json()


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        pytest.param("decide read", 200, id="both"),
        pytest.param("read", 200, id="one"),
        pytest.param("decide", 403, id="the other"),
        pytest.param("", 403, id="none"),
        pytest.param(..., 403, id="no claim"),
        pytest.param(["read"], 403, id="not a text"),
        pytest.param("READ", 403, id="in other letters"),
        pytest.param("read:all", 403, id="a longer word"),
    ],
)
def test_a_token_does_what_both_sides_grant(bank: Issuing, scope: Any, status: int) -> None:
    assert bank.get(bank.token(scope=scope)).status_code == status


def test_a_token_never_gets_a_scope_that_its_issuer_has_not(bank: Issuing) -> None:
    token = bank.token(scope="decide read outcome review admin")
    body = bank.api.call("POST", "/v1/decisions/A/outcomes", key=token, json={})
    is_problem(body, 403, "forbidden")


def _none(bank: Issuing) -> str:
    return _encoded({"alg": "none", "kid": "k-ES256"}) + "." + _encoded(bank.claims()) + "."


def _none_with_a_signature(bank: Issuing) -> str:
    return _none(bank) + "AAAA"


def _hs256_with_the_public_key(bank: Issuing) -> str:
    public = (
        PRIVATE["PS256"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    signed = _encoded({"alg": "HS256", "kid": "k-PS256"}) + "." + _encoded(bank.claims())
    return f"{signed}.{_b64(hmac.new(public, signed.encode(), hashlib.sha256).digest())}"


def _another_key(bank: Issuing) -> str:
    return bank.token(key=STRANGER)


def _unknown_kid(bank: Issuing) -> str:
    return bank.token(headers={"kid": "k-2"})


def _kid_of_another_algorithm(bank: Issuing) -> str:
    return bank.token(headers={"kid": "k-PS256"})


def _kid_that_is_a_path(bank: Issuing) -> str:
    return bank.token(headers={"kid": "../../../../dev/null"})


def _kid_that_is_a_query(bank: Issuing) -> str:
    return bank.token(headers={"kid": "' OR 1=1 --"})


def _no_kid(bank: Issuing) -> str:
    return jwt.encode(bank.claims(), PRIVATE["ES256"], "ES256")


def _rs256(bank: Issuing) -> str:
    return bank.token(key=PRIVATE["PS256"], algorithm="RS256", headers={"kid": "k-PS256"})


def _its_own_key(bank: Issuing) -> str:
    own = jwk("ES256", STRANGER)
    return bank.token(key=STRANGER, headers={"jwk": own})


def _keys_from_elsewhere(bank: Issuing) -> str:
    return bank.token(key=STRANGER, headers={"jku": "https://evil.example/jwks.json"})


def _a_certificate_from_elsewhere(bank: Issuing) -> str:
    return bank.token(key=STRANGER, headers={"x5u": "https://evil.example/x.pem"})


def _rightly_signed_with_jku(bank: Issuing) -> str:
    return bank.token(headers={"jku": "https://evil.example/jwks.json"})


def _critical_header(bank: Issuing) -> str:
    return bank.token(headers={"crit": ["exp"], "exp": NOW})


def _unencoded_payload(bank: Issuing) -> str:
    return bank.token(headers={"b64": False, "crit": ["b64"]})


def _an_id_token(bank: Issuing) -> str:
    return bank.token(headers={"typ": "logout+jwt"})


def _changed_claims(bank: Issuing) -> str:
    header, _, signature = bank.token().split(".")
    return f"{header}.{_encoded(bank.claims(sub='other'))}.{signature}"


def _iss_twice(bank: Issuing) -> str:
    claims = json.dumps(bank.claims())[:-1] + f', "iss": "{ISSUER}"}}'
    return jwt.api_jws.encode(claims.encode(), PRIVATE["ES256"], "ES256", {"kid": "k-ES256"})


def _claims_that_are_a_list(bank: Issuing) -> str:
    return jwt.api_jws.encode(b"[1]", PRIVATE["ES256"], "ES256", {"kid": "k-ES256"})


def _not_json(bank: Issuing) -> str:
    return jwt.api_jws.encode(b"\xff\xfe", PRIVATE["ES256"], "ES256", {"kid": "k-ES256"})


def _four_parts(bank: Issuing) -> str:
    return bank.token() + ".AAAA"


def _with_spaces(bank: Issuing) -> str:
    return bank.token() + " "


def _very_long(bank: Issuing) -> str:
    return bank.token(note="x" * 5000)


def _the_signature_of_zeros(bank: Issuing) -> str:
    signed = bank.token().rpartition(".")[0]
    return f"{signed}.{_b64(bytes(64))}"


ATTACKS = [
    _none, _none_with_a_signature, _hs256_with_the_public_key, _another_key, _unknown_kid,
    _kid_of_another_algorithm, _kid_that_is_a_path, _kid_that_is_a_query, _no_kid, _rs256,
    _its_own_key, _keys_from_elsewhere, _a_certificate_from_elsewhere, _rightly_signed_with_jku,
    _critical_header, _unencoded_payload, _an_id_token, _changed_claims, _iss_twice,
    _claims_that_are_a_list, _not_json, _four_parts, _with_spaces, _very_long,
    _the_signature_of_zeros,
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda f: f.__name__.strip("_"))
def test_an_attack_opens_nothing(bank: Issuing, attack: Callable[[Issuing], str]) -> None:
    token = attack(bank)
    assert token.strip() not in refused(bank.get(token))


def test_two_authorization_headers_open_nothing(bank: Issuing) -> None:
    for headers in (
        [("Authorization", f"Bearer {bank.api.key}"), ("Authorization", f"Bearer {bank.token()}")],
        [("Authorization", f"Bearer {bank.token()}")] * 2,
    ):
        refused(bank.api.app.test_client().get("/v1/decisions", headers=headers))


def test_a_token_in_the_query_opens_nothing(bank: Issuing) -> None:
    refused(bank.api.get(f"/v1/decisions?access_token={bank.token()}", key=""))


def test_a_bound_token_is_taken_where_the_proxy_checks_the_binding(bank: Issuing) -> None:
    bank.toml(TOML + 'binding = "proxy"\n')
    bank.serve()
    assert bank.get(bank.token(cnf={"x5t#S256": "A" * 43})).status_code == 200


def test_where_no_issuer_is_known_no_token_opens_anything(bank: Issuing) -> None:
    bank.api.app = create_app(bank.api.root)
    refused(bank.get(bank.token()))


def test_where_tokens_are_not_taken_none_is(bank: Issuing) -> None:
    settings = Settings(issuers=bank.folder / "issuers.toml", access="key,signature")
    bank.api.app = create_app(bank.api.root, settings)
    refused(bank.get(bank.token()))


# --- the files -----------------------------------------------------------------------------------


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are looked at for every token."""
    monkeypatch.setattr(issuers, "LOOKED_AT_EVERY_S", 0.0)


@pytest.mark.usefixtures("at_once")
def test_a_key_is_rotated_by_changing_the_file(bank: Issuing) -> None:
    new = bank.token(key=STRANGER, headers={"kid": "k-new"})
    refused(bank.get(new))
    bank.write(jwk("ES256"), jwk("ES256", STRANGER, kid="k-new"))
    assert bank.get(new).status_code == 200
    assert bank.get(bank.token()).status_code == 200
    bank.write(jwk("ES256", STRANGER, kid="k-new"))
    refused(bank.get(bank.token()))


@pytest.mark.usefixtures("at_once")
def test_a_file_spoilt_while_serving_leaves_the_issuers_as_they_were(
    bank: Issuing, caplog: pytest.LogCaptureFixture
) -> None:
    bank.toml("[[issuer]]\nissuer = 1\n")
    assert bank.get(bank.token()).status_code == 200
    assert "stay as they were" in caplog.text
    (bank.folder / "issuers.toml").unlink()
    assert bank.get(bank.token()).status_code == 200
    bank.toml(TOML.replace('scopes = ["decide", "read"]', 'scopes = ["decide"]'))
    assert bank.get(bank.token()).status_code == 403


def test_files_are_looked_at_once_a_second(bank: Issuing) -> None:
    os.utime(bank.folder / "issuers.toml")
    assert bank.get(bank.token()).status_code == 200  # and nothing was read: no clock is waited for


@pytest.mark.parametrize(
    ("toml", "keys", "says"),
    [
        pytest.param(TOML.replace("issuer]]", "isuer]]"), None, "isuer", id="a slip"),
        pytest.param(TOML.replace('"ES256", ', '"HS256", '), None, "algorithms", id="HS256"),
        pytest.param(TOML.replace('"ES256", ', '"none", '), None, "algorithms", id="none"),
        pytest.param(TOML.replace('"read"', '"all"'), None, "scopes", id="an unknown scope"),
        pytest.param(TOML.replace('"bank"', '"a bank"'), None, "client", id="no client's name"),
        pytest.param(TOML + 'extra = "x"', None, "extra", id="an unknown key"),
        pytest.param(TOML + TOML, None, "twice", id="an issuer twice"),
        pytest.param(TOML.replace("bank.jwks", "none.jwks"), None, "none.jwks", id="no JWKS"),
        pytest.param(TOML, [], "no key", id="no keys"),
        pytest.param(TOML, [jwk("ES256"), jwk("ES256", STRANGER)], "twice", id="a kid twice"),
        pytest.param(TOML, [{**jwk("ES256"), "kid": 1}], "kid", id="a kid that is a number"),
        pytest.param(TOML, [{**jwk("ES256"), "d": "AAAA"}], "secret", id="a private key"),
        pytest.param(TOML, [{"kty": "oct", "k": "AAAA", "kid": "x"}], "secret", id="a shared key"),
        pytest.param(TOML, [{**jwk("ES256"), "x": "AAAA"}], "read", id="not on the curve"),
        pytest.param(TOML, [{**jwk("ES256"), "use": "enc"}], "no key", id="a key to encrypt"),
        pytest.param(
            TOML, [jwk("PS256", rsa.generate_private_key(65537, 1024))], "2048", id="a short key"
        ),
    ],
)  # fmt: skip
def test_wrong_issuers_stop_the_start_and_say_where(
    bank: Issuing, toml: str, keys: list[dict[str, Any]] | None, says: str
) -> None:
    bank.toml(toml)
    if keys is not None:
        bank.write(*keys)
    with pytest.raises(SetupRefused, match=says):
        bank.serve()
