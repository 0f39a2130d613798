"""Access to the built service: two workers, one database, and what they know of each other."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from loansvc.settings import WORKERS
from tests.contract.test_http_signatures import signed_headers
from tests.e2e.service import PATIENCE_S, Service, an_example
from tests.small import small_models


@pytest.fixture(scope="module", params=WORKERS)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("access")
    models = small_models(folder)
    running = Service(folder / "home", models, LOANSVC_WORKER=request.param).start()
    yield running
    running.close()


def call(service: Service, method: str, path: str, body: bytes, headers: dict[str, str]) -> int:
    """The status of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE_S)
    connection.request(method, path, body=body or None, headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def signing_key(service: Service, folder: Path) -> tuple[str, Ed25519PrivateKey]:
    private = Ed25519PrivateKey.generate()
    file = folder / "bank.pem"
    file.write_bytes(
        private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    made = service.run(
        "keys", "create", "bank", "--public-key", str(file), "--algorithm", "ed25519"
    )
    assert made.returncode == 0, made.stderr
    return made.stdout.strip(), private


def test_a_signed_request_sent_by_many_at_once_is_taken_once(
    service: Service, tmp_path: Path
) -> None:
    key_id, private = signing_key(service, tmp_path)
    body = json.dumps(an_example(1)).encode()
    url = f"http://127.0.0.1:{service.port}/v1/decisions"
    headers = signed_headers("POST", url, body, key_id=key_id, private_key=private)
    # Eight at a time: a worker has places for them all, and none is told to come back.
    with ThreadPoolExecutor(8) as callers:
        found = Counter(
            callers.map(lambda _: call(service, "POST", "/v1/decisions", body, headers), range(48))
        )
    assert found == {201: 1, 401: 47}, found
    service.kill()
    service.start()
    assert call(service, "POST", "/v1/decisions", body, headers) == 401
    fresh = signed_headers("POST", url, body, key_id=key_id, private_key=private)
    assert call(service, "POST", "/v1/decisions", body, fresh) == 200
