"""A challenger that shadows is told to nobody, in no answer, export or log; one that decides is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from loansvc.ledger.exporting import exported
from loansvc.underwriting import stamp
from tests.contract.conftest import Api
from tests.small import (
    TODAY,
    a_document,
    a_worker,
    all_worked,
    lines_of,
    publish_rival,
    small_models,
    with_fund,
)

SCOPES = ("decide", "read", "review", "outcome", "admin")
NAME = "EXAMPLE-20261123-credit_loan-000001"
TOLD = "/v1/editions"  # the list of what is published, as ever: role, first day and digest
PARTS = {
    "application_id": NAME, "batch_id": "B-1", "code": "340521102200", "name": "logo.svg",
    "filename": "logo.svg",
}  # fmt: skip


@pytest.fixture
def rival(tmp_path: Path) -> str:
    """The digest of a challenger of the credit loan, without its algorithm."""
    models = small_models(tmp_path)
    return publish_rival(models, tmp_path).removeprefix("sha256:")


@pytest.fixture
def bank(tmp_path: Path, rival: str) -> Iterator[Api]:
    """A service that has decided one by one and in a batch, with all that may follow."""
    service = Api(tmp_path, tmp_path / "models")
    service.key = service.new_key("bank", SCOPES)
    with_fund(service.root, 1_000_000_000)
    yield service
    service.close()


def everything_asked(bank: Api) -> Iterator[str]:
    """The texts of answers to every call of the API there is, headers included."""
    report = {"reference": "1", "kind": "disbursed", "on": TODAY.isoformat(), "amount_yuan": 10_000}
    review = {"asked_by": "applicant", "reason": "information_wrong"}
    for to, document in (
        ("/v1/decisions", a_document(1)), ("/v1/decisions", a_document(1)),
        ("/v1/decisions", a_document(1, loan__amount_yuan=1)), ("/v1/previews", a_document(2)),
        (f"/v1/decisions/{NAME}/outcomes", report), (f"/v1/decisions/{NAME}/reviews", review),
    ):  # fmt: skip
        answer = bank.post(document, to=to)
        yield f"{answer.headers}{answer.text}"
    lines = lines_of(*(a_document(n) for n in range(2, 5)))
    bank.post(to="/v1/batches?batch_id=B-1", body=lines, content_type="application/x-ndjson")
    assert all_worked(a_worker(bank.root)) == 3
    rules = [
        rule for rule in bank.app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.endpoint.startswith("console.")
    ]  # fmt: skip
    champion = bank.root.registry.in_force("credit_loan", TODAY).scorecard.digest
    with bank.app.test_request_context():
        for rule in rules:
            parts = {**PARTS, "digest": champion}
            _, path = rule.build({name: parts[name] for name in rule.arguments}) or ("", "")
            if path != TOLD:
                answer = bank.get(path)
                yield f"{path}{answer.headers}{answer.text}"


def test_no_answer_tells_of_a_challenger(
    bank: Api, rival: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = list(everything_asked(bank))
    recorded = bank.root.find(NAME, client="bank")
    assert recorded.beside[0]["digest"].endswith(rival), "it was recorded"
    assert any(f"/v1/decisions/{NAME}/explanation" in text for text in texts)
    assert any("B-1/results" in text and '"score"' in text for text in texts)
    assert [text for text in texts if rival in text or '"beside"' in text] == []
    assert rival not in caplog.text


@pytest.mark.parametrize("client", [None, "bank"])
def test_no_export_of_the_ledger_tells_of_a_challenger(
    bank: Api, rival: str, client: str | None
) -> None:
    bank.post(a_document(1))
    lines = list(exported(bank.root.ledger, at=stamp(bank.now), client=client, payloads=True))
    assert len(lines) > 2
    assert not [line for line in lines if rival in line]


def test_the_list_of_editions_tells_neither_share_nor_end(tmp_path: Path) -> None:
    models = small_models(tmp_path)
    end = TODAY + timedelta(days=30)
    digest = publish_rival(models, tmp_path, share_percent=7, until=end)
    service = Api(tmp_path, models)
    [told] = service.get("/v1/editions?role=challenger").get_json()["data"]
    by_digest = service.get(f"/v1/editions/{digest}").get_json()
    assert told["digest"] == digest
    assert not {"until", "share_percent", "share_from_percent"} & (told.keys() | by_digest.keys())
    for on, n in ((end, 1), (end + timedelta(days=1), 0)):
        found = service.get(f"/v1/editions?role=challenger&on={on}").get_json()["data"]
        assert len(found) == n
    service.close()


def test_what_a_challenger_decides_is_answered_like_any_other(tmp_path: Path) -> None:
    """Preview, decision, explanation, replay and receipt are of the card that decided."""
    models = small_models(tmp_path)
    digest = publish_rival(models, tmp_path, share_percent=50)
    service = Api(tmp_path, models)
    deciders = set()
    for n in range(1, 13):
        preview = service.post(a_document(n), to="/v1/previews").get_json()
        body = service.post(a_document(n)).get_json()
        decider = body["editions"]["scorecard"]["digest"]
        assert preview["editions"]["scorecard"]["digest"] == decider
        assert preview["score"] == body["score"] == (606 if decider == digest else 626)
        of = f"/v1/decisions/{body['application_id']}"
        assert service.get(f"{of}/replay").get_json()["identical"]
        assert service.get(f"{of}/receipt").status_code == 200
        points = service.get(f"{of}/explanation").get_json()["score"]
        assert points["total"] == body["score"]
        deciders.add(decider)
    assert len(deciders) == 2
    service.close()
