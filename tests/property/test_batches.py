"""What becomes of the rows is the same, whatever the pieces and however many workers there are."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loansvc.batching import Batching, Result
from loansvc.batching.working import Working
from loansvc.errors import LoanError
from loansvc.ledger.batches import WAITING, Row
from loansvc.underwriting import Underwriting
from tests.small import a_document, a_worker, small_models, small_underwriting, with_fund

FOLDER = tempfile.TemporaryDirectory()


@cache
def models() -> Path:
    return small_models(Path(FOLDER.name))


@contextmanager
def a_root() -> Iterator[Underwriting]:
    """A ledger of its own, with a fund that has room for a few."""
    with tempfile.TemporaryDirectory(dir=FOLDER.name) as folder:
        root = small_underwriting(Path(folder), models=models())
        with_fund(root, 300_000)
        yield root
        root.ledger.close()


@st.composite
def documents(draw: st.DrawFn) -> list[Any]:
    """Rows of a few people, some with an id or content that was there before, some wrong."""
    found = []
    for _ in range(draw(st.integers(1, 14))):
        document = a_document(draw(st.integers(1, 6)))
        document["application_id"] = f"A-{draw(st.integers(1, 9))}"
        document["loan"]["term_months"] = draw(st.sampled_from([0, 12, 24]))
        found.append(document)
    return found


def told(result: Result) -> dict[str, Any]:
    """A result without what is new each time: ids and hashes."""
    decision = {
        k: v for k, v in (result.decision or {}).items() if k not in ("decision_id", "ledger")
    }
    refusal = result.refusal and (result.refusal.code, result.refusal.errors)
    return {"row": result.row, "status": result.status, "decision": decision, "refusal": refusal}


def taken_in(root: Underwriting, sent: list[Any]) -> Batching:
    batching = Batching(root)
    rows = (
        Row(number, WAITING, document, document["applicant"]["id_number"])
        for number, document in enumerate(sent, start=1)
    )
    batching.receive(rows, lambda: "content", client="bank", batch_id="B-1")
    return batching


def alone(sent: list[Any]) -> list[dict[str, Any]]:
    """What each would be answered, sent by itself, one after the other."""
    found = []
    with a_root() as root:
        read = a_worker(root).read
        for row, document in enumerate(sent, start=1):
            try:
                recorded, is_new = root.decide(read(document), client="bank")
                status, answer = 201 if is_new else 200, recorded.answer()
                found.append(told(Result(row, status, None, answer, None)))
            except LoanError as error:
                found.append(told(Result(row, error.status, None, None, error)))
    return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sent=documents(), sizes=st.lists(st.integers(1, 9), min_size=1, max_size=3), data=st.data())
def test_rows_are_decided_as_if_sent_alone(sent: list[Any], sizes: list[int], data: Any) -> None:
    """By workers of these sizes, who come to their pieces in any order, and end at any time."""
    expected = json.loads(json.dumps(alone(sent), default=str))
    with a_root() as root:
        batching = taken_in(root, sent)
        workers: list[Working] = [a_worker(root, rows_at_once=size) for size in sizes]
        for _ in range(200):
            worker = data.draw(st.sampled_from(workers))
            if worker.piece() is None:
                worker = workers[0]
                for one in workers:
                    one.let_go()
            if data.draw(st.booleans()):
                worker.let_go()
            if batching.find("B-1", client="bank")["state"] == "done":
                break
        found = batching.results("B-1", client="bank", first=1, limit=100)
        assert json.loads(json.dumps([told(one) for one in found], default=str)) == expected
        assert root.ledger.verify()[1] == []
