"""Programs of banks against the built service: loansvc.client, and one that a generator wrote."""

from __future__ import annotations

import importlib
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from loansvc.client import Client, Patience, Signature, Unreachable
from loansvc.client.documents import Application
from tests.e2e.service import Service, an_example

QUICK = Patience(answer_s=5.0, first_wait_s=0.01)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("clients") / "home", models)
    yield running.start()
    running.close()


def an_application(number: int) -> Application:
    return cast(Application, an_example(number))


class Cutting:
    """A line to the service that is cut when the service has answered, before anybody hears."""

    def __init__(self, port: int, n_cut: int) -> None:
        self.n_cut = n_cut
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:  # it was closed
                return
            with near, suppress(OSError), socket.create_connection(("127.0.0.1", self._to)) as far:
                far.sendall(_whole(near))
                answer = _whole(far)  # recorded
                if self.n_cut > 0:
                    self.n_cut -= 1
                else:
                    near.sendall(answer)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)  # lets go of whoever waits for a caller
        self._thread.join()
        self._listening.close()


def _whole(near: socket.socket) -> bytes:
    """A request or an answer with its body."""
    text = b""
    while True:
        more = near.recv(1 << 20)
        if not more:
            raise ConnectionError("it ended before it was whole")
        text += more
        head, between, body = text.partition(b"\r\n\r\n")
        said = re.search(rb"(?i)content-length: (\d+)", head)
        if between and len(body) >= (int(said[1]) if said else 0):
            return text


def test_an_answer_that_was_lost_is_fetched_and_nothing_is_recorded_twice(service: Service) -> None:
    with (
        closing(Cutting(service.port, n_cut=2)) as line,
        Client(line.url, key=service.key, patience=QUICK) as bank,
    ):
        answer = bank.decide(an_application(1))
    assert line.n_cut == 0
    with Client(f"http://127.0.0.1:{service.port}", key=service.key) as bank:
        [found] = bank.list_decisions()
        assert found["decision_id"] == answer["decision_id"]


def test_whoever_gives_up_may_go_on_later(service: Service) -> None:
    patience = Patience(tries=2, first_wait_s=0.01)
    with (
        closing(Cutting(service.port, n_cut=2)) as line,
        Client(line.url, key=service.key, patience=patience) as bank,
    ):
        with pytest.raises(Unreachable):
            bank.decide(an_application(2))
        assert line.n_cut == 0
        first = bank.get_decision(an_application(2)["application_id"])
        assert bank.decide(an_application(2))["decision_id"] == first["decision_id"]


def test_signed_requests_are_let_in(service: Service, tmp_path: Path) -> None:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "bank.pem").write_bytes(public)
    made = service.run(
        "keys", "create", "demo", "--public-key", str(tmp_path / "bank.pem"),
        "--algorithm", "ed25519", "--scope", "decide", "--scope", "read",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    key_id = next(word for word in made.stdout.split() if word.isalnum() and len(word) >= 12)
    signature = Signature(key_id, private)
    assert "object" not in repr(signature)
    with Client(f"http://127.0.0.1:{service.port}", signature=signature) as bank:
        assert bank.decide(an_application(3))["outcome"]
        assert list(bank.list_decisions(limit="1"))


def test_a_client_that_a_generator_wrote_works(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By openapi-python-client, which shares no code with ours, from what the service tells."""
    contract = tmp_path / "openapi.json"
    contract.write_bytes(service.get("/openapi.json", key="").body)
    made = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", "--path", contract,
         "--output-path", tmp_path / "generated", "--meta", "none", "--overwrite"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    monkeypatch.syspath_prepend(tmp_path)

    def of(name: str) -> Any:
        return importlib.import_module(f"generated.{name}")

    client = of("client").AuthenticatedClient(f"http://127.0.0.1:{service.port}", service.key)
    application = of("models.application").Application.from_dict(an_example(4))
    with client as bank:
        decided = of("api.decisions.decide").sync(client=bank, body=application)
        assert decided.outcome in ("approve", "refer", "decline")
        read = of("api.decisions.get_decision").sync(decided.application_id, client=bank)
        assert read.decision_id == decided.decision_id
        assert read.guarantee.to_dict() == decided.guarantee.to_dict()
        page = of("api.decisions.list_decisions").sync(client=bank)
        assert decided.decision_id in [one.decision_id for one in page.data]
        application.loan.term_months = 0
        refused = of("api.decisions.decide").sync(client=bank, body=application)
        assert (refused.status, refused.errors[0].pointer) == (422, "/loan/term_months")
    assert json.loads(contract.read_text())["openapi"] == "3.1.0"
