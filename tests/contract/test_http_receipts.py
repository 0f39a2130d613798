"""Receipts and checkpoints over HTTP: given to whose decision it is, checked by verify.py."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loansvc.errors import Erased
from loansvc.ledger.chain import NAMES
from loansvc.ledger.verifier import (
    check_checkpoint,
    check_receipt,
    checkpoint_of,
    key_of,
)
from loansvc.privacy import Privacy
from tests.contract.conftest import Api, is_problem
from tests.databases import over_both
from tests.small import a_document

ID = "EXAMPLE-20261123-credit_loan-{:06d}"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Api]:
    service = Api(tmp_path_factory.mktemp("receipts"), models)
    for number in (1, 2, 3):
        assert service.post(a_document(number)).status_code == 201
    yield service
    service.close()


def a_receipt(service: Api, number: int, query: str = "") -> dict[str, Any]:
    response = service.get(f"/v1/decisions/{ID.format(number)}/receipt{query}")
    assert response.status_code == 200, response.get_json()
    body: dict[str, Any] = response.get_json()
    return body


def the_checkpoint(service: Api, query: str = "") -> dict[str, Any]:
    body: dict[str, Any] = service.get(f"/v1/checkpoints{query}").get_json()
    return body


def test_a_receipt_is_checked_with_the_key_of_the_installation(service: Api) -> None:
    receipt = a_receipt(service, 2)
    keys = [key_of(text) for text in the_checkpoint(service)["keys"]]
    [said] = check_receipt(receipt, keys)
    sequence, size = receipt["entry"]["sequence"], receipt["tree_size"]
    assert said.startswith(
        f"Entry {sequence} (decision on {ID.format(2)}) is one of the {size} entries signed by"
    )
    assert tuple(receipt["entry"]) == NAMES


def test_the_entry_is_the_one_that_the_answer_named(service: Api) -> None:
    answered = service.get(f"/v1/decisions/{ID.format(2)}").get_json()
    entry = a_receipt(service, 2)["entry"]
    assert answered["ledger"] == {"sequence": entry["sequence"], "hash": entry["hash"]}


@over_both
def test_a_later_receipt_goes_on_from_a_kept_checkpoint(api: Api) -> None:
    for number in (1, 2, 3):
        assert api.post(a_document(number)).status_code == 201
    kept = checkpoint_of(a_receipt(api, 1)["checkpoint"])
    assert api.post(a_document(4)).status_code == 201
    receipt = a_receipt(api, 4, f"?from={kept.size}")
    keys = [key_of(text) for text in the_checkpoint(api)["keys"]]
    assert len(check_receipt(receipt, keys, [kept])) == 2
    document = the_checkpoint(api, f"?from={kept.size}")
    assert document["size"] == kept.size + 1
    assert len(check_checkpoint(document, keys, [kept])) == 2
    assert the_checkpoint(api, f"?size={kept.size}")["checkpoint"] == kept.note
    forged = replace(kept, root=bytes(32))
    with pytest.raises(Exception, match="does not go on"):
        check_checkpoint(document, keys, [forged])


@pytest.mark.parametrize(
    "path",
    [f"/v1/decisions/{ID.format(1)}/receipt", "/v1/decisions/NOBODYS/receipt"],
)
def test_the_receipt_of_another_client_is_as_one_that_is_not_there(service: Api, path: str) -> None:
    other = service.new_key("other")
    here = is_problem(service.get(path, key=other), 404, "not_found")
    there = is_problem(service.get("/v1/decisions/NOTHING/receipt"), 404, "not_found")
    assert {**here, "request_id": ""} == {**there, "request_id": ""}


@pytest.mark.parametrize(
    "query", ["from=0", "from=x", "from=99", "from=1&from=2", "more=1", "from="]
)
def test_a_query_that_is_not_of_its_form_is_refused(service: Api, query: str) -> None:
    a_receipt(service, 1)
    for path in (f"/v1/decisions/{ID.format(1)}/receipt", "/v1/checkpoints"):
        is_problem(service.get(f"{path}?{query}"), 400, "invalid_query")


def test_a_checkpoint_that_was_never_made_is_not_there(service: Api, api: Api) -> None:
    is_problem(service.get("/v1/checkpoints?size=77"), 404, "not_found")
    is_problem(api.get("/v1/checkpoints"), 404, "not_found")


@over_both
def test_a_receipt_stays_after_an_erasure(api: Api) -> None:
    assert api.post(a_document(1)).status_code == 201
    before = a_receipt(api, 1)
    Privacy(api.root).erase(
        a_document(1)["applicant"]["id_number"], reason="withdrawn", reference="R-1", by="test",
        approver="A. Approver",
    )  # fmt: skip
    after = a_receipt(api, 1)
    keys = [key_of(text) for text in the_checkpoint(api)["keys"]]
    assert after["entry"] == before["entry"]
    assert check_receipt(after, keys)
    with pytest.raises(Erased):
        api.root.find(ID.format(1), client="bank")
