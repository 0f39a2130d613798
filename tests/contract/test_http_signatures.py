"""Signed requests: by a client of its own that shares no code with the service, and every replay.

The client is the one that docs/access.md prints; the vectors are those of RFC 9421, appendix B.2.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import text
from werkzeug.test import TestResponse

from loansvc.errors import UnknownCredential
from loansvc.ledger import Ledger, keys
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting
from loansvc.web import create_app
from loansvc.web.signatures import Message, verify
from tests import databases
from tests.contract.conftest import Api, is_problem
from tests.databases import over_both
from tests.small import NOON, a_document

PAGE = Path(__file__).parents[2] / "docs" / "access.md"
HOST = "http://localhost"
NONCE = "a-nonce-of-the-bank-1"
NOW = int(NOON.timestamp())


def documented_client() -> Callable[..., dict[str, str]]:
    """`signed_headers` of the page."""
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    space: dict[str, Any] = {}
    exec(code, space)  # our own page
    client: Callable[..., dict[str, str]] = space["signed_headers"]
    return client


signed_headers = documented_client()


class P256:
    """A key of the other algorithm, as the page's client signs: r and s, 32 bytes each."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())

    def public_key(self) -> Any:
        return self.private.public_key()

    def sign(self, data: bytes) -> bytes:
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Bank:
    """A client that signs, and the service it calls."""

    def __init__(
        self, api: Api, private_key: Any = None, algorithm: str = "ed25519", client: str = "bank"
    ) -> None:
        self.api = api
        self.private_key = private_key or ed25519.Ed25519PrivateKey.generate()
        public = self.private_key.public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        self.key_id = api.new_key(client, algorithm=algorithm, public_key=pem)

    def sign(
        self, method: str, path: str, body: bytes = b"", *, host: str = HOST, **given: Any
    ) -> dict[str, str]:
        about = {"key_id": self.key_id, "private_key": self.private_key, "created": NOW}
        return signed_headers(method, host + path, body, **(about | given))

    def send(
        self, method: str, path: str, body: bytes, headers: dict[str, str], **kwargs: Any
    ) -> TestResponse:
        return self.api.call(method, path, key="", headers=headers, data=body, **kwargs)

    def post(self, document: dict[str, Any], **given: Any) -> TestResponse:
        body = json.dumps(document).encode()
        return self.send("POST", "/v1/decisions", body, self.sign(
            "POST", "/v1/decisions", body, **given))  # fmt: skip


@pytest.fixture
def bank(api: Api) -> Bank:
    return Bank(api)


def other_worker(api: Api) -> Api:
    """Another process on the same database: nothing in memory is shared."""
    home = api.root.ledger.home
    ledger = Ledger.open(databases.url_of(home), home=home)
    twin = object.__new__(Api)
    twin.now, twin.key = api.now, api.key
    twin.root = Underwriting(api.root.registry, ledger, clock=lambda: api.now)
    twin.app = create_app(twin.root)
    return twin


def test_a_signed_request_decides_as_the_client_of_the_key(bank: Bank) -> None:
    response = bank.post(a_document(1))
    assert response.status_code == 201
    name = response.get_json()["application_id"]
    assert bank.api.get(f"/v1/decisions/{name}").data == response.data


def test_a_signed_request_without_a_body_reads(bank: Bank) -> None:
    path = "/v1/decisions?limit=5&from=2026-11-01"
    assert bank.send("GET", path, b"", bank.sign("GET", path)).status_code == 200


def test_the_other_algorithm_is_taken_too(api: Api) -> None:
    bank = Bank(api, P256(), "ecdsa-p256-sha256")
    assert bank.post(a_document(1)).status_code == 201


def test_a_signature_opens_no_more_than_its_scopes(bank: Bank) -> None:
    path = "/v1/decisions/X-1/outcomes"
    body = b"{}"
    response = bank.send("POST", path, body, bank.sign("POST", path, body))
    is_problem(response, 403, "forbidden")


def refused(response: TestResponse) -> str:
    detail: str = is_problem(response, 401, "unauthenticated")["detail"]
    return detail


@over_both
def test_a_request_is_taken_once_by_all_workers_and_over_a_restart(bank: Bank) -> None:
    body = json.dumps(a_document(1)).encode()
    headers = bank.sign("POST", "/v1/decisions", body, nonce=NONCE)
    assert bank.send("POST", "/v1/decisions", body, headers).status_code == 201
    assert "taken already" in refused(bank.send("POST", "/v1/decisions", body, headers))
    twin = other_worker(bank.api)  # also what a restart is: only the database is left
    again = twin.call("POST", "/v1/decisions", key="", headers=headers, data=body)
    assert "taken already" in refused(again)
    twin.close()


def test_a_replay_with_its_headers_in_another_order_is_one(bank: Bank) -> None:
    headers = bank.sign("GET", "/v1/decisions", nonce=NONCE)
    assert bank.send("GET", "/v1/decisions", b"", headers).status_code == 200
    turned = dict(reversed(headers.items()))
    assert "taken already" in refused(bank.send("GET", "/v1/decisions", b"", turned))


def test_a_nonce_is_not_taken_for_another_request(bank: Bank) -> None:
    first = bank.sign("GET", "/v1/decisions", nonce=NONCE)
    assert bank.send("GET", "/v1/decisions", b"", first).status_code == 200
    second = bank.sign("GET", "/v1/products", nonce=NONCE)
    assert "taken already" in refused(bank.send("GET", "/v1/products", b"", second))


@over_both
def test_a_nonce_is_each_keys_own(bank: Bank) -> None:
    other = Bank(bank.api, client="other")
    for one in (bank, other):
        headers = one.sign("GET", "/v1/decisions", nonce=NONCE)
        assert one.send("GET", "/v1/decisions", b"", headers).status_code == 200


@over_both
def test_a_refused_signature_uses_no_nonce_up(bank: Bank) -> None:
    headers = bank.sign("GET", "/v1/decisions", nonce=NONCE)
    refused(bank.send("GET", "/v1/products", b"", headers))
    assert bank.send("GET", "/v1/decisions", b"", headers).status_code == 200


@over_both
def test_nonces_are_kept_for_ten_minutes(bank: Bank) -> None:

    def n_kept() -> int:
        with bank.api.root.ledger.snapshot() as connection:
            return int(connection.execute(text("SELECT count(*) FROM nonce")).scalar_one())

    for minute, expected in ((0, 1), (9, 2), (11, 2), (30, 1)):
        bank.api.now = NOON.replace(minute=minute)
        created = int(bank.api.now.timestamp())
        headers = bank.sign("GET", "/v1/decisions", created=created)
        assert bank.send("GET", "/v1/decisions", b"", headers).status_code == 200
        assert n_kept() == expected


@pytest.mark.parametrize(
    ("seconds", "status"),
    [
        pytest.param(-300, 200, id="300 s ago"),
        pytest.param(-301, 401, id="301 s ago"),
        pytest.param(10, 200, id="10 s ahead"),
        pytest.param(60, 200, id="60 s ahead"),
        pytest.param(61, 401, id="61 s ahead"),
    ],
)
def test_a_signature_is_young(bank: Bank, seconds: int, status: int) -> None:
    headers = bank.sign("GET", "/v1/decisions", created=NOW + seconds)
    assert bank.send("GET", "/v1/decisions", b"", headers).status_code == status


def resigned(bank: Bank, parameters: str, base: str, **fields: str) -> dict[str, str]:
    """A signature over this very base."""
    data = f'{base}\n"@signature-params": {parameters}'
    signature = base64.b64encode(bank.private_key.sign(data.encode())).decode()
    return {"signature-input": f"sig={parameters}", "signature": f"sig=:{signature}:", **fields}


COVERED = '("@method" "@target-uri")'
LIST = f'"@method": GET\n"@target-uri": {HOST}/v1/decisions'


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        pytest.param(f'{{C}};created={NOW};keyid="{{K}}";nonce="{NONCE}"', 200, id="as it should"),
        pytest.param(
            f'{{C}};created={NOW};expires={NOW};keyid="{{K}}";nonce="{NONCE}"', 200, id="expires"
        ),
        pytest.param(
            f'{{C}};created={NOW};expires={NOW - 1};keyid="{{K}}";nonce="{NONCE}"', 401,
            id="expired",
        ),
        pytest.param(f'{{C}};keyid="{{K}}";nonce="{NONCE}"', 401, id="no created"),
        pytest.param(f'{{C}};created={NOW};keyid="{{K}}"', 401, id="no nonce"),
        pytest.param(f'{{C}};created={NOW};keyid="{{K}}";nonce="short"', 401, id="a short nonce"),
        pytest.param(f'{{C}};created={NOW};nonce="{NONCE}"', 401, id="no keyid"),
        pytest.param(
            f'{{C}};created={NOW};keyid="{"0" * 12}";nonce="{NONCE}"', 401, id="an unknown keyid"
        ),
        pytest.param(
            f'{{C}};created="{NOW}";keyid="{{K}}";nonce="{NONCE}"', 401, id="created as a text"
        ),
        pytest.param(
            f'{{C}};created={NOW}.0;keyid="{{K}}";nonce="{NONCE}"', 401, id="created as a decimal"
        ),
        pytest.param(
            f'{{C}};created={NOW};keyid="{{K}}";nonce="{NONCE}";alg="hmac-sha256"', 401,
            id="another algorithm",
        ),
        pytest.param(
            f'{{C}};created={NOW};keyid="{{K}}";nonce="{NONCE}";alg="ed25519"', 200, id="its own"
        ),
        pytest.param(
            f'{{C}};created={NOW};keyid="{{K}}";nonce="{NONCE}";who="me"', 401, id="one more"
        ),
        pytest.param(
            f'{{C}};created=999999999999999;keyid="{{K}}";nonce="{NONCE}"', 401, id="far ahead"
        ),
    ],
)  # fmt: skip
def test_what_a_signature_says_of_itself_is_held_to_the_rule(
    bank: Bank, parameters: str, status: int
) -> None:
    given = parameters.replace("{C}", COVERED).replace("{K}", bank.key_id)
    response = bank.send("GET", "/v1/decisions", b"", resigned(bank, given, LIST))
    assert response.status_code == status, response.get_json()


@pytest.mark.parametrize("left_out", ["@method", "@target-uri", "content-digest", "content-type"])
def test_what_must_be_signed_may_not_be_left_out(bank: Bank, left_out: str) -> None:
    body = json.dumps(a_document(1)).encode()
    whole = bank.sign("POST", "/v1/decisions", body)
    values = {
        "@method": "POST", "@target-uri": f"{HOST}/v1/decisions",
        "content-type": whole["content-type"], "content-digest": whole["content-digest"],
    }  # fmt: skip
    base = "\n".join(f'"{n}": {v}' for n, v in values.items() if n != left_out)
    names = " ".join(f'"{n}"' for n in values if n != left_out)
    parameters = f'({names});created={NOW};keyid="{bank.key_id}";nonce="{NONCE}"'
    fields = {n: v for n, v in whole.items() if n.startswith("content")}
    headers = resigned(bank, parameters, base, **fields)
    refused(bank.send("POST", "/v1/decisions", body, headers))


@pytest.mark.parametrize("name", ["x-request-id", "idempotency-key"])
def test_a_header_that_means_something_is_signed_where_it_is_sent(bank: Bank, name: str) -> None:
    headers = bank.sign("GET", "/v1/decisions")
    refused(bank.send("GET", "/v1/decisions", b"", {**headers, name: "A-1"}))
    parameters = (
        f'("@method" "@target-uri" "{name}");created={NOW};keyid="{bank.key_id}";nonce="{NONCE}"'
    )
    signed = resigned(bank, parameters, f'{LIST}\n"{name}": A-1', **{name: "A-1"})
    assert bank.send("GET", "/v1/decisions", b"", signed).status_code == 200


def _other_body(sent: dict[str, Any]) -> None:
    sent["body"] = sent["body"].replace(b"120000", b"990000")


def _other_path(sent: dict[str, Any]) -> None:
    sent["path"] = "/v1/previews"


def _a_query(sent: dict[str, Any]) -> None:
    sent["path"] += "?limit=1"


def _escaped_path(sent: dict[str, Any]) -> None:
    sent["path"] = "/v1/%64ecisions"


def _other_host(sent: dict[str, Any]) -> None:
    sent["base_url"] = "http://elsewhere"


def _other_type(sent: dict[str, Any]) -> None:
    sent["headers"]["content-type"] = "application/json; charset=utf-8"


def _other_digest(sent: dict[str, Any]) -> None:
    sent["headers"]["content-digest"] = "sha-256=:" + "A" * 43 + "=:"


def _no_digest(sent: dict[str, Any]) -> None:
    del sent["headers"]["content-digest"]


def _second_digest(sent: dict[str, Any]) -> None:
    sent["headers"]["content-digest"] += ", md5=:AAAA:"


def _changed_signature(sent: dict[str, Any]) -> None:
    was = sent["headers"]["signature"]
    sent["headers"]["signature"] = was[:-5] + ("A" if was[-5] != "A" else "B") + was[-4:]


def _no_signature(sent: dict[str, Any]) -> None:
    del sent["headers"]["signature"]


def _no_input(sent: dict[str, Any]) -> None:
    del sent["headers"]["signature-input"]


def _other_label(sent: dict[str, Any]) -> None:
    sent["headers"]["signature"] = "other" + sent["headers"]["signature"][3:]


def _two_signatures(sent: dict[str, Any]) -> None:
    for name in ("signature", "signature-input"):
        value = sent["headers"][name]
        sent["headers"][name] = f"{value}, b{value}"


def _other_created(sent: dict[str, Any]) -> None:
    value = sent["headers"]["signature-input"]
    sent["headers"]["signature-input"] = value.replace(str(NOW), str(NOW + 1))


def _not_ascii(sent: dict[str, Any]) -> None:
    sent["headers"]["signature-input"] += ';tag="\u00b2"'


def _very_long(sent: dict[str, Any]) -> None:
    sent["headers"]["signature-input"] += ";a" * 2000


def _nested(sent: dict[str, Any]) -> None:
    sent["headers"]["signature-input"] = "sig=" + "(" * 500


def _lower_method(sent: dict[str, Any]) -> None:
    sent["environ_overrides"] = {"REQUEST_METHOD": "post"}


def _whole_target(sent: dict[str, Any]) -> None:
    sent["environ_overrides"] = {"RAW_URI": f"{HOST}/v1/decisions"}


def _with_a_key(sent: dict[str, Any]) -> None:
    sent["headers"]["authorization"] = "Bearer lsk_0123456789ab_" + "A" * 43


CHANGES = [
    _other_body, _other_path, _a_query, _escaped_path, _other_host, _other_type, _other_digest,
    _no_digest, _second_digest, _changed_signature, _no_signature, _no_input, _other_label,
    _two_signatures, _other_created, _not_ascii, _very_long, _nested, _lower_method, _whole_target,
    _with_a_key,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__.strip("_"))
def test_a_request_changed_on_the_way_is_refused_and_as_it_was_taken(
    bank: Bank, change: Callable[[dict[str, Any]], None]
) -> None:
    body = json.dumps(a_document(1)).encode()
    headers = bank.sign("POST", "/v1/decisions", body)
    sent: dict[str, Any] = {"path": "/v1/decisions", "body": body, "headers": dict(headers)}
    change(sent)
    path, data, changed = sent.pop("path"), sent.pop("body"), sent.pop("headers")
    refused(bank.send("POST", path, data, changed, **sent))
    assert bank.send("POST", "/v1/decisions", body, headers).status_code == 201


def test_a_body_that_is_too_large_is_refused_as_such(bank: Bank) -> None:
    body = b" " * 70_000
    response = bank.send("POST", "/v1/decisions", body, bank.sign("POST", "/v1/decisions", body))
    is_problem(response, 413, "body_too_large")


@over_both
def test_a_revoked_key_signs_nothing(bank: Bank) -> None:
    keys.revoke(bank.api.root.ledger, bank.key_id, now=bank.api.now)
    refused(bank.post(a_document(1)))


def test_a_key_with_a_secret_signs_nothing(bank: Bank) -> None:
    refused(bank.post(a_document(1), key_id=bank.api.key.split("_")[1]))


@pytest.fixture
def proxied(api: Api) -> Bank:
    """Behind a proxy that clients call by another name."""
    api.app = create_app(api.root, Settings(public_url="https://credit.example.cn/loans"))
    return Bank(api)


def test_behind_a_proxy_the_public_address_is_signed(proxied: Bank) -> None:
    path = "/v1/decisions?limit=1"
    public = proxied.sign("GET", path, host="https://credit.example.cn/loans")
    assert proxied.send("GET", path, b"", public).status_code == 200
    refused(proxied.send("GET", path, b"", proxied.sign("GET", path)))


def test_where_signatures_are_not_taken_none_is(api: Api) -> None:
    bank = Bank(api)
    api.app = create_app(api.root, Settings(access="key"))
    response = bank.post(a_document(1))
    refused(response)
    assert "Accept-Signature" not in response.headers


def test_where_only_signatures_are_taken_a_key_opens_nothing(api: Api) -> None:
    bank = Bank(api)
    api.app = create_app(api.root, Settings(access="signature"))
    response = api.get("/v1/decisions")
    assert "sign the request" in refused(response)
    assert response.headers["WWW-Authenticate"] == 'Signature realm="loansvc"'
    assert "content-digest" in response.headers["Accept-Signature"]
    assert bank.post(a_document(1)).status_code == 201


# --- vectors of RFC 9421, appendix B ------------------------------------------------------------

ED25519_KEY = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----"""
ECC_P256_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf
w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
-----END PUBLIC KEY-----"""
B26 = {  # the test request of appendix B.2, signed as B.2.6
    "Host": "example.com",
    "Date": "Tue, 20 Apr 2021 02:07:55 GMT",
    "Content-Type": "application/json",
    "Content-Digest": "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNN"
    "yealdVLvRwEmTHWXvJwew==:",
    "Content-Length": "18",
    "Signature-Input": 'sig-b26=("date" "@method" "@path" "@authority" "content-type" '
    '"content-length");created=1618884473;keyid="test-key-ed25519"',
    "Signature": "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6"
    "vuQv5lIp5WPpBKRCw==:",
}


class Answer:
    """The test response of appendix B.2, signed as B.2.4."""

    status_code = 200
    request = None
    headers = {  # noqa: RUF012
        "Date": "Tue, 20 Apr 2021 02:07:56 GMT",
        "Content-Type": "application/json",
        "Content-Digest": "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69"
        "wWdXymyU0rjJuahq4l5aGgfLQ==:",
        "Content-Length": "23",
        "Signature-Input": 'sig-b24=("@status" "content-type" "content-digest" "content-length")'
        ';created=1618884473;keyid="test-key-ecc-p256"',
        "Signature": "sig-b24=:wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5"
        "eCdlYUEkLIj+32oiasw==:",
    }


def test_the_ed25519_vector_of_the_standard_verifies() -> None:
    message = Message("POST", "https://example.com/foo?param=Value&Pet=dog", B26)
    must = ("date", "@method", "@path", "@authority")
    verify(message, None, algorithm="ed25519", public_key=ED25519_KEY, must=must)
    other = Message("POST", "https://example.com/bar", B26)
    with pytest.raises(UnknownCredential):
        verify(other, None, algorithm="ed25519", public_key=ED25519_KEY, must=must)
    body = b'{"hello": "world"}'
    with pytest.raises(
        UnknownCredential
    ):  # the digest is not signed in it, so that no body is vouched for
        verify(message, body, algorithm="ed25519", public_key=ED25519_KEY, must=())


def test_the_ecdsa_p256_vector_of_the_standard_verifies() -> None:
    answer: Any = Answer()
    body = b'{"message": "good dog"}'
    verify(answer, body, algorithm="ecdsa-p256-sha256", public_key=ECC_P256_KEY, must=("@status",))
    with pytest.raises(UnknownCredential):
        verify(answer, body[:-1], algorithm="ecdsa-p256-sha256", public_key=ECC_P256_KEY, must=())
