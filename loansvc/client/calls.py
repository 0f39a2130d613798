"""Calls: each operation of /openapi.json that a bank's program needs, by the name it has there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, cast

import httpx

from loansvc.client import documents as doc
from loansvc.client.refusals import Refused
from loansvc.client.sending import JSON, Headers, Patience, Signature, sent

NDJSON = "application/x-ndjson"
_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9._:-]{1,64}", re.ASCII)


class Client:
    """One service, called in the name of one client.

    Give one of `key` (lsk_…), `token` (what gives a token of your own issuer, asked before each
    request) and `signature`. May be used by several threads. `http` is for whoever needs
    certificates or proxies of their own; it is not closed here.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str = "",
        token: Callable[[], str] | None = None,
        signature: Signature | None = None,
        patience: Patience | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        if (bool(key), token is not None, signature is not None).count(True) != 1:
            raise ValueError("Give one of key, token and signature.")
        self._url = httpx.URL(url.rstrip("/") + "/")
        self._proof = signature.headers if signature else _bearer(token or (lambda: key))
        self._patience = patience or Patience()
        self._http = http or httpx.Client()
        self._is_ours = http is None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._is_ours:
            self._http.close()

    # --- decisions --------------------------------------------------------------------------------

    def decide(self, application: doc.Application) -> doc.Decision:
        """The recorded decision on an application; the first one if it was decided before.

        Raises:
            Refused: fields need correcting (422, `fields`), the id is another application's (409),
                and the like.
            Unreachable: no answer; send the same application again.
        """
        return cast(doc.Decision, self._post("v1/decisions", application))

    def preview(self, application: doc.Application | Mapping[str, Any]) -> doc.PreviewAnswer:
        """What would be answered, recorded nowhere; `editions` asks for another day or card."""
        return cast(doc.PreviewAnswer, self._post("v1/previews", application))

    def get_decision(self, application_id: str) -> doc.Decision:
        """A recorded decision, with its review, override and dispute."""
        return cast(doc.Decision, self._of(application_id))

    def find_decision(self, application_id: str) -> doc.Decision | None:
        """Likewise; None where there is none."""
        try:
            return self.get_decision(application_id)
        except Refused as refusal:
            if refusal.code == "not_found":
                return None
            raise

    def list_decisions(self, **filters: str) -> Iterator[doc.Decision]:
        """Decisions, newest first, page by page; `filters` as of GET /v1/decisions."""
        cursor: str | None = ""
        while cursor is not None:
            page = {**filters, "cursor": cursor} if cursor else filters
            found = cast(doc.DecisionPage, self._get("v1/decisions", **page))
            yield from found["data"]
            cursor = found["next"]

    def explain(self, application_id: str) -> doc.Explanation:
        """Every point, rule and line of arithmetic, and what would change the answer."""
        return cast(doc.Explanation, self._of(application_id, "explanation"))

    def replay(self, application_id: str) -> doc.Replay:
        """Decided again from what was recorded."""
        return cast(doc.Replay, self._of(application_id, "replay"))

    # --- what becomes of them ---------------------------------------------------------------------

    def record_outcome(self, application_id: str, outcome: doc.Outcome) -> doc.OutcomeAnswer:
        """Report what became of a loan; its `reference` is recorded once."""
        return cast(doc.OutcomeAnswer, self._post_of(application_id, "outcomes", outcome))

    def list_outcomes(self, application_id: str) -> doc.OutcomeList:
        """What was reported, and where the loan stands."""
        return cast(doc.OutcomeList, self._of(application_id, "outcomes"))

    def ask_for_review(self, application_id: str, review: doc.Review) -> doc.ReviewAnswer:
        """Ask for a person's decision."""
        return cast(doc.ReviewAnswer, self._post_of(application_id, "reviews", review))

    def override(self, application_id: str, override: doc.Override) -> doc.OverrideAnswer:
        """Close a review with a person's decision."""
        return cast(doc.OverrideAnswer, self._post_of(application_id, "override", override))

    def record_dispute(self, application_id: str, dispute: doc.Dispute) -> doc.DisputeAnswer:
        """Record an objection, or its answer."""
        return cast(doc.DisputeAnswer, self._post_of(application_id, "disputes", dispute))

    # --- proof ------------------------------------------------------------------------------------

    def get_receipt(self, application_id: str, *, since: int | None = None) -> doc.Receipt:
        """The proof that a decision is in the signed ledger; `since`: the size you have seen."""
        query = {} if since is None else {"from": str(since)}
        return cast(doc.Receipt, self._of(application_id, "receipt", **query))

    def get_checkpoint(self, *, since: int | None = None) -> doc.Checkpoint:
        """The newest signed head of the ledger, to be kept."""
        query = {} if since is None else {"from": str(since)}
        return cast(doc.Checkpoint, self._get("v1/checkpoints", **query))

    # --- many at once -----------------------------------------------------------------------------

    def send_batch(self, batch_id: str, applications: Iterable[doc.Application]) -> doc.Batch:
        """Send many applications, for a worker to decide; the same id again changes nothing."""
        lines = b"".join(_json(one) + b"\n" for one in applications)
        answer = self._send("POST", "v1/batches", lines, kind=NDJSON, query={"batch_id": batch_id})
        return cast(doc.Batch, answer.json())

    def get_batch(self, batch_id: str) -> doc.Batch:
        """How far a batch is."""
        return cast(doc.Batch, self._get(f"v1/batches/{_part(batch_id)}"))

    def get_batch_results(self, batch_id: str) -> Iterator[dict[str, Any]]:
        """What is decided of a batch, a document for each line, in their order."""
        answer = self._send("GET", f"v1/batches/{_part(batch_id)}/results")
        return (json.loads(line) for line in answer.text.splitlines() if line)

    # --- what is in force -------------------------------------------------------------------------

    def get_fund(self) -> doc.Fund:
        """The guarantee fund."""
        return cast(doc.Fund, self._get("v1/fund"))

    def list_villages(self, **filters: str) -> doc.VillageList:
        """Villages as they stand on a day (`on`)."""
        return cast(doc.VillageList, self._get("v1/villages", **filters))

    def list_products(self, **filters: str) -> doc.ProductList:
        """What each product asks for and gives on a day (`on`)."""
        return cast(doc.ProductList, self._get("v1/products", **filters))

    # --- how it is sent ---------------------------------------------------------------------------

    def _of(self, application_id: str, what: str = "", **query: str) -> Any:
        return self._get(_path(application_id, what), **query)

    def _post_of(self, application_id: str, what: str, document: Mapping[str, Any]) -> Any:
        return self._post(_path(application_id, what), document)

    def _get(self, path: str, **query: str) -> Any:
        return self._send("GET", path, query=query).json()

    def _post(self, path: str, document: Mapping[str, Any]) -> Any:
        return self._send("POST", path, _json(document)).json()

    def _send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        kind: str = JSON,
        query: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        url = self._url.join(path)
        return sent(
            self._http, method, url.copy_merge_params(query) if query else url,
            body=body, kind=kind, proof=self._proof, patience=self._patience,
        )  # fmt: skip


def verify_receipt(
    receipt: Mapping[str, Any], public_keys: Sequence[str], checkpoints: Sequence[str] = ()
) -> list[str]:
    """What a receipt proves, sentence by sentence; asks nobody.

    `public_keys`: the ledger's, as you were given them once, by another way than this service.
    `checkpoints`: those that you kept; it must be shown that nothing was changed since.

    Raises:
        loansvc.ledger.verifier.Refused: it proves nothing, with what is wrong.
    """
    from loansvc.ledger.verifier import check_receipt, checkpoint_of, key_of

    keys = [key_of(text) for text in public_keys]
    return check_receipt(dict(receipt), keys, [checkpoint_of(note) for note in checkpoints])


def _bearer(token: Callable[[], str]) -> Callable[[str, str, bytes, str], Headers]:
    return lambda _method, _url, _body, _kind: {"authorization": f"Bearer {token()}"}


def _path(application_id: str, what: str) -> str:
    return f"v1/decisions/{_part(application_id)}" + (f"/{what}" if what else "")


def _part(name: str) -> str:
    """A part of a path: what could mean something else is no id of this service.

    Raises:
        ValueError: it is no id.
    """
    if not _ID.fullmatch(name):
        raise ValueError("No id: give 1 to 64 of A-Z a-z 0-9 . _ : -")
    return name


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
