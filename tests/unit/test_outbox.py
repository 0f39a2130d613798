"""The outbox: who is told of what in which transaction, and the endpoints that are told."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loansvc.batching import Batching
from loansvc.errors import NotFound, SetupRefused
from loansvc.ledger import endpoints, rotation
from loansvc.ledger.administration import acts
from loansvc.ledger.batches import Batches
from loansvc.ledger.vault import add_key
from loansvc.reviewing import By, Override, Reviewing
from loansvc.underwriting import Underwriting, stamp
from tests import databases
from tests.databases import over_both
from tests.small import (
    NOON,
    Clock,
    a_document,
    a_worker,
    all_worked,
    small_underwriting,
)
from tests.webhooks import URL, a_message, add, closed, messages, says, send_batch


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def root(tmp_path: Path, models: Path, clock: Clock) -> Iterator[Underwriting]:
    found = small_underwriting(tmp_path, models=models, clock=clock)
    yield found
    found.ledger.close()


# --- what is told ---------------------------------------------------------------------------------


@over_both
def test_a_closed_review_is_told_to_its_client_by_ids(root: Underwriting) -> None:
    first, _ = add(root)
    second, _ = add(root, f"{URL}/2", number=2)
    add(root, f"{URL}/3", events=("batch.finished",), number=3)
    add(root, URL, "other", number=4)
    ids = closed(root)
    told = messages(root)
    assert {one.endpoint_id for one in told} == {first, second}
    assert {one.message_id for one in told} == {f"msg_{ids['override_id']}"}
    for one in told:
        assert json.loads(one.body) == {
            "type": "review.closed", "timestamp": "2026-11-23T12:00:00.000+08:00", "data": ids,
        }  # fmt: skip
    assert root.ledger.verify() == (4 + 3, [])


def test_what_is_undone_is_not_told(root: Underwriting, monkeypatch: pytest.MonkeyPatch) -> None:
    add(root)

    def fails(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("loansvc.reviewing.showing.override", fails)
    with pytest.raises(ZeroDivisionError):
        closed(root)
    assert messages(root) == []
    assert root.ledger.verify()[0] == 1 + 2


def test_the_same_override_again_tells_nothing_more(root: Underwriting) -> None:
    add(root)
    ids = closed(root)
    override = Override(reference="O", outcome="approve", reason="facts_verified")
    by = By("2", "D. Decider")
    Reviewing(root).override(ids["application_id"], override, by=by, client="bank")
    assert len(messages(root)) == 1


@over_both
def test_a_batch_is_told_when_its_last_row_is_over(root: Underwriting) -> None:
    add(root)
    send_batch(root, a_document(1), a_document(2))
    worker = a_worker(root, rows_at_once=1)
    assert worker.piece() is not None
    assert messages(root) == []
    all_worked(worker)
    [one] = messages(root)
    assert (one.event, json.loads(one.body)["data"]) == ("batch.finished", {"batch_id": "B-1"})


def test_a_batch_of_which_nothing_waits_is_told_when_it_is_there(root: Underwriting) -> None:
    add(root)
    send_batch(root, None, None)
    assert len(messages(root)) == 1


def test_a_cancelled_batch_is_told_once(root: Underwriting, clock: Clock) -> None:
    add(root)
    send_batch(root, a_document(1))
    for _ in range(2):
        Batching(root).cancel("B-1", client="bank")
    clock.forward(1)
    send_batch(root, a_document(2), batch_id="B-2")
    with root.ledger.writing() as ledger:  # as after an older copy was put in place
        batches = Batches(ledger.connection, ledger.vault)
        assert batches.cancel_all(received_before="9", at=stamp(clock())) == 1
    told = [json.loads(one.body)["data"]["batch_id"] for one in messages(root)]
    assert told == ["B-1", "B-2"]


def test_nobody_listens_and_nothing_is_put_down(root: Underwriting) -> None:
    closed(root)
    assert messages(root) == []


# --- endpoints ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://bank.example.cn", "https://bank.example.cn:8443/a/b?c=d", "https://10.20.0.7/hooks",
        "https://[2001:db8::1]/hooks", "http://127.0.0.1:9000/", "http://localhost/", "http://[::1]/",
    ],
)  # fmt: skip
def test_urls_that_are_taken(url: str) -> None:
    endpoints.check_url(url)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://bank.example.cn/", "https"),
        ("http://10.20.0.7/", "https"),
        ("https://user:secret@bank.example.cn/", "name or password"),
        ("https://token@bank.example.cn/", "name or password"),
        ("ftp://bank.example.cn/", "no URL"),
        ("bank.example.cn/hooks", "no URL"),
        ("https:///hooks", "no URL"),
        ("https://bank.example.cn:0/", "no URL"),
        ("https://bank.example.cn:99999/", "no URL"),
        ("https://bank..example.cn/", "no URL"),
        ("https://[::1/", "no URL"),
        ("https://bank.example.cn/#a", "no URL"),
        ("https://bank.example.cn/\r\nX: y", "visible ASCII"),
        ("https://bank.example.cn/ä", "visible ASCII"),
        ("", "visible ASCII"),
        ("https://bank.example.cn/" + "a" * 500, "at most 500"),
        ("https://bank.example.cn/11010519491231002X", "ID or phone number"),
        ("https://169.254.169.254/latest", "link-local"),
        ("https://[fe80::1]/", "link-local"),
        ("https://[::ffff:169.254.169.254]/", "link-local"),
        ("https://224.0.0.1/", "link-local"),
        ("https://0.0.0.0/", "link-local"),
    ],
)
def test_urls_that_are_refused(url: str, says: str) -> None:
    with pytest.raises(SetupRefused, match=says) as error:
        endpoints.check_url(url)
    assert "secret" not in str(error.value)


def test_an_endpoint_is_added_once_and_removed_with_all_it_has(root: Underwriting) -> None:
    endpoint_id, _ = add(root)
    with pytest.raises(SetupRefused, match=f"remove {endpoint_id}"):
        add(root, number=2)
    add(root, URL, "other", number=2)
    a_message(root, client="bank")
    endpoints.remove(root.ledger, endpoint_id, **says(root, 3))
    found = databases.everything(root.ledger.home)
    assert [len(found[name]) for name in ("endpoint", "endpoint_secret", "outbox")] == [1, 1, 0]
    with root.ledger.reading() as ledger:
        assert [act.action for act in acts(ledger)] == [
            "webhook_added", "webhook_added", "webhook_removed",
        ]  # fmt: skip
    for act in (endpoints.remove, endpoints.enable):
        with pytest.raises(NotFound):
            act(root.ledger, endpoint_id, **says(root, 4))


# --- secrets --------------------------------------------------------------------------------------


def test_a_secret_is_shown_once_and_kept_wrapped(root: Underwriting) -> None:
    endpoint_id, secret = add(root)
    raw = raw_of(secret)
    assert len(raw) == 32
    root.ledger.close()
    files = [path for path in root.ledger.home.iterdir() if path.name.startswith("ledger.db")]
    stored = b"".join(path.read_bytes() for path in files)
    assert endpoint_id.encode() in stored
    assert raw not in stored
    assert secret.removeprefix("whsec_").encode() not in stored


@over_both
def test_secrets_are_brought_under_a_new_outer_key(root: Underwriting) -> None:
    secrets = {endpoint_id: raw_of(secret) for endpoint_id, secret in (
        add(root, f"{URL}/{number}", number=number) for number in range(1, 4)
    )}  # fmt: skip
    ledger = root.ledger
    act: dict[str, Any] = {"at": stamp(NOON), "by": "test"}
    add_key(ledger.home / "vault.json", "key_encryption", "international")
    with pytest.raises(SetupRefused, match="4 records still need it"):
        rotation.retire(ledger, "key_encryption", 1, entry_id="adm_d", **act)
    done = rotation.rotate(ledger, "key_encryption", suite="international", entry_id="adm_r", **act)
    assert done == (2, 1 + 3), "the key of the installation, and the secrets"
    rotation.retire(ledger, "key_encryption", 1, entry_id="adm_d", **act)
    with ledger.reading() as reading:
        for endpoint_id, raw in secrets.items():
            assert endpoints.secrets_of(reading, endpoint_id, now=NOON) == [raw]


def raw_of(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(endpoints.PREFIX))
