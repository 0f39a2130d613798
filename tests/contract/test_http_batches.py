"""Many applications at once: taken in whole or not at all, decided later as if sent alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from loansvc.batching import SILENT, Batching
from loansvc.privacy import Privacy
from loansvc.settings import Settings
from loansvc.web import create_app
from loansvc.web.admission import MOST_UPLOADS
from loansvc.web.strict_json import MOST_BYTES
from tests import databases
from tests.contract.conftest import Api, is_problem
from tests.small import a_document, a_worker, all_worked, lines_of

pytestmark = pytest.mark.usefixtures("both_databases")
NDJSON = "application/x-ndjson"
BATCHES = "/v1/batches"


@pytest.fixture
def api(tmp_path: Path, models: Path, both_databases: str) -> Iterator[Api]:
    service = Api(tmp_path, models)
    yield service
    service.close()


def send(api: Api, body: bytes, batch_id: str = "B-1", **kwargs: Any) -> TestResponse:
    to = f"{BATCHES}?batch_id={batch_id}"
    return api.post(to=to, body=body, content_type=NDJSON, **kwargs)


def results(api: Api, query: str = "", batch_id: str = "B-1", **kwargs: Any) -> list[Any]:
    answer = api.get(f"{BATCHES}/{batch_id}/results{query}", **kwargs)
    assert (answer.status_code, answer.content_type) == (200, NDJSON)
    return [json.loads(line) for line in answer.text.splitlines()]


def standing(api: Api, batch_id: str = "B-1") -> dict[str, Any]:
    body: dict[str, Any] = api.get(f"{BATCHES}/{batch_id}").get_json()
    return body


def test_a_batch_is_taken_in_and_decided_later_as_if_sent_alone(api: Api) -> None:
    documents = [a_document(n) for n in range(1, 6)]
    taken = send(api, lines_of(*documents))
    assert (taken.status_code, taken.headers["Location"]) == (202, f"{BATCHES}/B-1")
    assert taken.get_json() == {
        "batch_id": "B-1", "state": "waiting", "received_at": "2026-11-23T12:00:00.000+08:00",
        "ended_at": None, "rows": 5, "rows_over": 0, "results_to": 0,
        "counts": {"approve": 0, "refer": 0, "decline": 0, "refused": 0},
    }  # fmt: skip
    assert results(api) == []
    assert all_worked(a_worker(api.root)) == 5
    assert (standing(api)["state"], standing(api)["rows_over"]) == ("done", 5)
    found = results(api)
    assert [(one["row"], one["status"]) for one in found] == [(n, 201) for n in range(1, 6)]
    for document, one in zip(documents, found, strict=True):
        again = api.post(document)
        assert (again.status_code, again.get_json()) == (200, one["decision"])
        read = api.get(f"/v1/decisions/{one['application_id']}")
        assert read.get_json() == one["decision"]


def test_a_row_is_refused_for_what_would_refuse_it_alone(api: Api) -> None:
    api.post(a_document(1))
    api.post(a_document(2))
    person = a_document(7)["applicant"]["id_number"]
    rows = [
        a_document(1), a_document(2, loan__term_months=6), a_document(3, loan__term_months="6"),
        a_document(4, applicant__id_number="1"), {}, [], 7, a_document(5, more=1),
        a_document(6, applied_on="2026-08-01"), a_document(7, application_id=person), a_document(8),
    ]  # fmt: skip
    lines = lines_of(*rows) + b'{"a": 1, "a": 1}\n\xff\n' + b"x" * (MOST_BYTES + 1) + b"\n{"
    lines += b"\n\r\n\n" + json.dumps(a_document(10)).encode()
    assert send(api, lines).status_code == 202
    all_worked(a_worker(api.root))
    found = results(api)
    statuses = [200, 409, 422, 422, 422, 422, 422, 422, 422, 422, 201, 400, 400, 413, 400, 201]
    assert [one["status"] for one in found] == statuses
    assert [one["row"] for one in found] == list(range(1, 17))
    for document, one in zip(rows[1:10], found[1:10], strict=True):
        alone = api.post(document).get_json()
        assert _timeless(one["problem"]) == _timeless(alone)
    assert found[9]["application_id"] is None, "it holds somebody's ID number"
    assert standing(api)["counts"] == {"approve": 3, "refer": 0, "decline": 0, "refused": 13}


def _timeless(problem: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in problem.items() if name != "request_id"}


def test_the_first_of_two_rows_with_one_id_is_decided(api: Api) -> None:
    send(api, lines_of(a_document(1), a_document(1, loan__term_months=6), a_document(1)))
    all_worked(a_worker(api.root))
    assert [one["status"] for one in results(api)] == [201, 409, 200]


def test_results_are_read_in_order_from_any_row(api: Api) -> None:
    """And as far as the rows are over, also past those that were refused when they came."""
    bad = {"application_id": "BAD"}
    send(api, lines_of(*(a_document(n) if n % 10 else bad for n in range(1, 131))))
    worker = a_worker(api.root, rows_at_once=3)
    worker.piece()
    worker.piece()
    to = standing(api)["results_to"]
    assert [one["row"] for one in results(api)] == list(range(1, to + 1))
    all_worked(worker)
    assert [one["row"] for one in results(api)] == list(range(1, 131))
    assert [one["row"] for one in results(api, "?from=61&limit=55")] == list(range(61, 116))
    assert [one["row"] for one in results(api, "?from=130")] == [130]
    assert results(api, "?from=131") == []


def test_the_same_batch_again_is_the_same_batch(api: Api) -> None:
    body = lines_of(a_document(1), a_document(2))
    first = send(api, body)
    again = send(api, body)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.get_json() == first.get_json()
    is_problem(send(api, body + b"\n"), 409, "batch_id_reused")
    all_worked(a_worker(api.root))
    assert send(api, body).get_json()["state"] == "done"


def test_a_batch_without_an_id_gets_one(api: Api) -> None:
    taken = api.post(to=BATCHES, body=lines_of(a_document(1)), content_type=NDJSON)
    name = taken.get_json()["batch_id"]
    assert name.startswith("bat_")
    assert taken.headers["Location"] == f"{BATCHES}/{name}"


@pytest.mark.parametrize(
    ("body", "kwargs", "status", "code"),
    [
        pytest.param(b"", {}, 422, "empty_batch", id="nothing"),
        pytest.param(b"\n \n\r\n", {}, 422, "empty_batch", id="empty lines"),
        pytest.param(b"{}\n" * 21, {}, 413, "batch_too_large", id="too many rows"),
        pytest.param(b"{" * 1_000_001, {}, 413, "batch_too_large", id="too many bytes"),
    ],
)
def test_a_batch_is_refused_whole(
    api: Api, body: bytes, kwargs: Any, status: int, code: str
) -> None:
    api.app = create_app(api.root, Settings(batch_rows=20, batch_mb=1))
    is_problem(send(api, body, **kwargs), status, code)
    is_problem(api.get(f"{BATCHES}/B-1"), 404, "not_found")
    assert databases.sql(api.root.ledger.home, "SELECT number FROM batch_row") == []


def test_what_was_cut_off_leaves_nothing(api: Api) -> None:
    body = lines_of(*(a_document(n) for n in range(1, 5)))
    longer = {"CONTENT_LENGTH": str(len(body) + 1)}
    refused = send(api, body, environ_overrides=longer)
    assert refused.status_code == 400
    assert databases.sql(api.root.ledger.home, "SELECT number FROM batch_row") == []


def test_another_media_type_is_refused(api: Api) -> None:
    refused = api.post(to=BATCHES, body=b"{}", content_type="application/json")
    is_problem(refused, 415, "unsupported_media_type")
    coded = send(api, b"{}", headers={"Content-Encoding": "gzip"})
    is_problem(coded, 415, "unsupported_media_type")


@pytest.mark.parametrize("batch_id", ["", "a" * 65, "a b", "..", "..%2f", "11010519491231002X"])
def test_an_id_of_another_form_is_refused(api: Api, batch_id: str) -> None:
    is_problem(send(api, lines_of({}), batch_id), 400, "invalid_query")


def test_a_client_has_only_so_many_batches_that_wait(api: Api) -> None:
    for number in range(Settings().batch_queue):
        assert send(api, lines_of(a_document(number)), f"B-{number}").status_code == 202
    held = send(api, lines_of(a_document(99)), "B-99")
    is_problem(held, 429, "too_many_batches")
    assert int(held.headers["Retry-After"]) >= 1
    other = api.new_key("other")
    assert send(api, lines_of(a_document(99)), "B-99", key=other).status_code == 202
    all_worked(a_worker(api.root))
    assert send(api, lines_of(a_document(99)), "B-99").status_code == 202


def test_only_so_many_long_bodies_are_read_at_once(api: Api) -> None:
    admission = api.app.extensions["admission"]
    for _ in range(MOST_UPLOADS):
        admission._uploads.acquire()
    is_problem(send(api, lines_of(a_document(1))), 503, "overloaded")
    admission._uploads.release()
    assert send(api, lines_of(a_document(1))).status_code == 202


def test_a_cancelled_batch_decides_no_further_row(api: Api) -> None:
    send(api, lines_of(*(a_document(n) for n in range(1, 7))))
    worker = a_worker(api.root, rows_at_once=2)
    worker.piece()
    n_over = standing(api)["rows_over"]
    cancelled = api.post(to=f"{BATCHES}/B-1/cancel", body=b"")
    assert (cancelled.status_code, cancelled.get_json()["state"]) == (200, "cancelled")
    assert all_worked(worker) == 0
    assert api.post(to=f"{BATCHES}/B-1/cancel", body=b"").get_json() == cancelled.get_json()
    assert [one["row"] for one in results(api)] == list(range(1, n_over + 1))
    rows = databases.sql(api.root.ledger.home, "SELECT status FROM batch_row")
    assert rows == [(201,)] * n_over


def test_a_batch_that_is_done_cannot_be_cancelled(api: Api) -> None:
    send(api, lines_of(a_document(1)))
    all_worked(a_worker(api.root))
    is_problem(api.post(to=f"{BATCHES}/B-1/cancel", body=b""), 409, "batch_done")


def test_batches_are_listed_newest_first_a_page_at_a_time(api: Api) -> None:
    for number in range(3):
        send(api, lines_of(a_document(number)), f"B-{number}")
    first = api.get(f"{BATCHES}?limit=2").get_json()
    assert [one["batch_id"] for one in first["data"]] == ["B-2", "B-1"]
    last = api.get(f"{BATCHES}?cursor={first['next']}").get_json()
    assert [one["batch_id"] for one in last["data"]] == ["B-0"]
    assert (last["has_more"], last["next"]) == (False, None)
    assert api.get(f"{BATCHES}?state=done").get_json()["data"] == []


def test_a_person_who_was_erased_is_not_decided(api: Api) -> None:
    """Known from a waiting row alone, from a decision, and from a row that is over."""
    send(api, lines_of(*(a_document(n) for n in range(1, 4))))
    api.post(a_document(12) | {"applicant": a_document(2)["applicant"]})
    for number in (1, 2):
        erased = Privacy(api.root).erase(
            a_document(number)["applicant"]["id_number"], reason="withdrawn",
            reference=f"E-{number}", by="bank", approver="officer",
        )  # fmt: skip
        assert erased["erasure_id"] is not None
    all_worked(a_worker(api.root))
    found = results(api)
    assert [one["status"] for one in found] == [410, 410, 201]
    assert found[0]["problem"]["code"] == "erased"
    assert found[0]["application_id"] == a_document(1)["application_id"]
    Privacy(api.root).erase(
        a_document(3)["applicant"]["id_number"], reason="withdrawn", reference="E-3", by="bank",
        approver="officer",
    )  # fmt: skip
    assert [one["status"] for one in results(api)] == [410, 410, 410]
    assert api.root.ledger.verify()[1] == []


def test_an_application_of_somebody_who_was_erased_is_a_new_persons(api: Api) -> None:
    api.post(a_document(1))
    Privacy(api.root).erase(
        a_document(1)["applicant"]["id_number"], reason="withdrawn", reference="E-1", by="bank",
        approver="officer",
    )  # fmt: skip
    renamed = a_document(1) | {"application_id": "NEW"}
    send(api, lines_of(a_document(1), renamed))
    all_worked(a_worker(api.root))
    assert [one["status"] for one in results(api)] == [410, 201]


def test_nothing_of_a_person_stands_in_clear(api: Api) -> None:
    document = a_document(1, loan__amount_yuan=123_457)
    send(api, lines_of(document, {"applicant": "王小明", "note": "13812345678"}))
    stored = _stored(api)
    all_worked(a_worker(api.root))
    stored += _stored(api)
    for text in (document["applicant"]["id_number"], "123457", "王小明", "13812345678"):
        assert text not in stored
        assert text.encode().hex() not in stored


def _stored(api: Api) -> str:
    found = databases.everything(api.root.ledger.home)
    return repr([found[name] for name in ("batch", "batch_row")])


def test_a_batch_is_dropped_some_days_after_its_end(api: Api) -> None:
    send(api, lines_of(a_document(1)), "OVER")
    all_worked(a_worker(api.root))
    send(api, lines_of(a_document(2)), "WAITS")
    batching = Batching(api.root)
    api.now += timedelta(days=6, hours=23)
    assert batching.tidy(days=7) == 0
    api.now += timedelta(hours=2)
    assert batching.tidy(days=7) == 1
    is_problem(api.get(f"{BATCHES}/OVER"), 404, "not_found")
    assert standing(api, "WAITS")["state"] == "waiting"
    assert api.get(f"/v1/decisions/{a_document(1)['application_id']}").status_code == 200


def test_a_batch_that_broke_off_is_dropped_or_sent_again(api: Api) -> None:
    """As after a crash of the server in the middle of it."""
    batching = Batching(api.root)
    batching._begin("bank", "B-1", 9)
    batching._begin("bank", "B-2", 9)
    assert standing(api)["state"] == "receiving"
    assert send(api, lines_of(a_document(1))).status_code == 202
    api.now += SILENT + timedelta(seconds=1)
    assert batching.tidy(days=7) == 1
    is_problem(api.get(f"{BATCHES}/B-2"), 404, "not_found")
    assert all_worked(a_worker(api.root)) == 1
