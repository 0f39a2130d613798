"""Webhooks in tests: things that are told, and a receiver in this process that they come to.

It keeps what comes, answers as it is told, and checks signatures with the lines that
docs/webhooks.md gives to banks.
"""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from loansvc.batching import Batching
from loansvc.errors import NotFound
from loansvc.ledger import endpoints, outbox
from loansvc.ledger.batches import WAITING, Row, refused
from loansvc.ledger.outbox import EVENTS, Message
from loansvc.reviewing import By, Override, Review, Reviewing
from loansvc.underwriting import Underwriting, stamp
from tests.small import an_application

NO_CONSENT: dict[str, Any] = {"consent__scopes": ["credit_report", "income", "public_records"]}
URL = "https://bank.example.cn/hooks"
PAGE = Path(__file__).parents[1] / "docs" / "webhooks.md"
LOCALHOST = "127.0.0.1"


@dataclass(frozen=True)
class Received:
    """A message as it came; names of header fields in small letters."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """What came, and what is answered: a status and header fields, or None to hang up."""

    url: str = ""
    came: list[Received] = field(default_factory=list)
    answer: Callable[[Received], tuple[int, dict[str, str]] | None] = lambda _: (204, {})

    def ids(self) -> list[str]:
        return [one.message_id for one in self.came]


@contextmanager
def receiver(*, certificate: Path | None = None) -> Iterator[Receiver]:
    """One that listens on this machine, with TLS where it has a certificate (and its key)."""
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            one = Received(self.path, headers, body)
            found.came.append(one)
            answer = found.answer(one)
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer[0])
            for name, value in answer[1].items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nobody looks."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """Whoever hangs up on it is a part of a test."""

    with Server((LOCALHOST, 0), Handler) as server:
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            scheme = "https"
        found.url = f"{scheme}://{LOCALHOST}:{server.server_port}/hooks"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def certificate(file: Path, *, host: str = LOCALHOST) -> Path:
    """Key and certificate of a host, signed by itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + made.public_bytes(Encoding.PEM))
    return file


@cache
def _page_says() -> dict[str, Any]:
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    found: dict[str, Any] = {}
    exec(code, found)
    return found


def is_ours(one: Received, secret: str, *, now: datetime) -> bool:
    """Whether a bank that does as the page says takes a message."""
    found: bool = _page_says()["is_ours"](one.headers, one.body, secret, now=now.timestamp())
    return found


# --- what is told ---------------------------------------------------------------------------------


def says(root: Underwriting, number: int = 1) -> dict[str, Any]:
    return {"now": root.clock(), "entry_id": f"adm_{number}", "by": "O. Perator"}


def add(
    root: Underwriting, url: str = URL, client: str = "bank", events: Any = EVENTS, number: int = 1
) -> tuple[str, str]:
    """The id and the secret of a new endpoint."""
    made, secret = endpoints.add(
        root.ledger, client=client, url=url, events=events, **says(root, number)
    )
    return made.endpoint_id, secret


def messages(root: Underwriting, state: str = "waiting") -> list[Message]:
    with root.ledger.snapshot() as connection:
        return outbox.listed(connection, state)


def closed(root: Underwriting, number: int = 1, client: str = "bank") -> dict[str, str]:
    """Close a review; the ids of all that took part."""
    recorded, _ = root.decide(an_application(number, **NO_CONSENT), client=client)
    name, of = recorded.entry.application_id, Reviewing(root)
    asked = Review(reference="V", asked_by="officer", reason="referred")
    review, _ = of.ask(name, asked, by=By("1", "A. Asker"), client=client)
    override = Override(reference="O", outcome="approve", reason="facts_verified")
    answer, _ = of.override(name, override, by=By("2", "D. Decider"), client=client)
    return {
        "application_id": name, "decision_id": recorded.entry.decision_id,
        "review_id": review["review_id"], "override_id": answer["override_id"],
    }  # fmt: skip


def send_batch(root: Underwriting, *documents: Any, batch_id: str = "B-1") -> None:
    rows = [
        Row(n, WAITING, one, one["applicant"]["id_number"]) if one else refused(n, NotFound(""), {})
        for n, one in enumerate(documents, start=1)
    ]
    Batching(root).receive(iter(rows), lambda: "x", client="bank", batch_id=batch_id)


def a_message(root: Underwriting, number: int = 1, client: str | None = None) -> str:
    """The id of a message about nothing that happened."""
    with root.ledger.writing() as ledger:
        outbox.tell(
            ledger.connection, "batch.finished", {"batch_id": f"B-{number}"}, about=f"n_{number}",
            at=stamp(root.clock()), client=client,
        )  # fmt: skip
    return f"msg_n_{number}"
