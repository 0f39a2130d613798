"""Webhooks: how a message is signed, sent, tried again and given up, beside others that hang."""

from __future__ import annotations

import json
import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from loansvc.batching import Batching
from loansvc.errors import LedgerUnavailable, NotFound, SetupRefused
from loansvc.ledger import Ledger, endpoints, outbox
from loansvc.ledger.administration import acts
from loansvc.ledger.outbox import LEASE_MS, LONGEST_WAIT_MS
from loansvc.underwriting import Underwriting, now, stamp
from loansvc.webhooks import JITTER, SCHEDULE_S, sending
from loansvc.webhooks.sending import Answer, send
from loansvc.webhooks.working import LANES, Delivering, post
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
from tests.webhooks import (
    URL,
    Receiver,
    a_message,
    add,
    certificate,
    closed,
    is_ours,
    messages,
    receiver,
    says,
    send_batch,
)

PATIENCE_S = 20.0
ID_NUMBER = re.compile(r"[0-9]{17}[0-9X]")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def root(tmp_path: Path, models: Path, clock: Clock) -> Iterator[Underwriting]:
    found = small_underwriting(tmp_path, models=models, clock=clock)
    yield found
    found.ledger.close()


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def delivering(root: Underwriting, **changes: Any) -> Delivering:
    given = {"clock": root.clock, "chance": lambda: 0.0, **changes}
    return Delivering(root.ledger, **given)


# --- how it is sent -------------------------------------------------------------------------------


@over_both
def test_a_message_is_signed_sent_and_over(
    root: Underwriting, there: Receiver, clock: Clock
) -> None:
    endpoint_id, secret = add(root, f"{there.url}?branch=1")
    ids = closed(root)
    clock.now += timedelta(seconds=90)
    worker = delivering(root)
    assert worker.deliver(endpoint_id)
    assert not worker.deliver(endpoint_id)
    [one] = there.came
    assert one.path == "/hooks?branch=1"
    assert one.message_id == f"msg_{ids['override_id']}"
    assert one.headers["content-type"] == "application/json"
    assert one.headers["webhook-timestamp"] == str(int(clock.now.timestamp()))
    assert is_ours(one, secret, now=clock.now)
    assert not is_ours(one, secret, now=clock.now + timedelta(minutes=6))
    [sent] = messages(root, "sent")
    assert sent.body.encode() == one.body
    assert (sent.attempts, sent.answer, sent.ended_at) == (1, "204", stamp(clock.now))


def test_another_secret_or_another_byte_does_not_fit(root: Underwriting, there: Receiver) -> None:
    endpoint_id, secret = add(root, there.url)
    _, other = add(root, URL, number=2)
    a_message(root)
    delivering(root).deliver(endpoint_id)
    [one] = there.came
    assert is_ours(one, secret, now=NOON)
    assert not is_ours(one, other, now=NOON)
    changed = type(one)(one.path, one.headers, one.body + b" ")
    assert not is_ours(changed, secret, now=NOON)


def test_the_library_of_the_specification_takes_a_message(
    root: Underwriting, there: Receiver
) -> None:
    """While two secrets sign: it is given the second one."""
    endpoint_id, first = add(root, there.url)
    second = endpoints.rotate(root.ledger, endpoint_id, overlap=timedelta(days=9), **says(root, 2))
    a_message(root)
    delivering(root, clock=now).deliver(endpoint_id)  # it looks at the clock of the machine
    [one] = there.came
    for secret in (first, second):
        assert Webhook(secret).verify(one.body, dict(one.headers)) == json.loads(one.body)
    _, other = add(root, URL, number=3)
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(one.body, dict(one.headers))


def test_tls_is_checked_against_the_name(root: Underwriting, tmp_path: Path) -> None:
    trusted, other = certificate(tmp_path / "a.pem"), certificate(tmp_path / "b.pem")
    elsewhere = certificate(tmp_path / "c.pem", host="127.0.0.2")
    believes = ssl.create_default_context(cafile=trusted)
    believes.load_verify_locations(elsewhere)
    for file, context, said in (
        (trusted, believes, "204"),
        (trusted, None, "wrong certificate"),
        (other, believes, "wrong certificate"),
        (elsewhere, believes, "wrong certificate"),
    ):
        with receiver(certificate=file) as found:
            assert str(send(found.url, {}, b"{}", context=context)) == said
            assert len(found.came) == (said == "204")


def test_the_environment_names_whose_certificates_are_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate(tmp_path / "a.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setattr(sending, "_of_this_system", sending._of_this_system.__wrapped__)
    with receiver(certificate=file) as found:
        assert str(send(found.url, {}, b"{}")) == "204"


def test_no_redirect_is_followed(there: Receiver) -> None:
    with receiver() as other:
        there.answer = lambda _: (307, {"Location": other.url})
        answer = send(there.url, {}, b"{}")
        assert (answer.status, answer.is_taken, other.came) == (307, False, [])


def test_a_receiver_that_is_not_there_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(send("http://127.0.0.1:1/", {}, b"{}")) == "refused"

    def knows_nobody(*_: Any, **__: Any) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", knows_nobody)
    assert str(send(URL, {}, b"{}")) == "unknown host"


def test_a_receiver_without_tls_or_without_an_answer_is_told_in_words(there: Receiver) -> None:
    assert str(send(there.url.replace("http", "https"), {}, b"{}")) == "no TLS"
    there.answer = lambda _: None
    assert str(send(there.url, {}, b"{}")) == "no answer"


def test_a_receiver_that_answers_byte_by_byte_is_cut_off(there: Receiver) -> None:
    """Each byte would begin the time limit of a socket anew."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                for _ in range(200):
                    connection.sendall(b"H")
                    time.sleep(0.02)

        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        assert str(send(url, {}, b"{}", most_seconds=0.3)) == "timed out"
        assert 0.3 <= time.monotonic() - began < 2
        thread.join()


# --- again, and given up --------------------------------------------------------------------------


@over_both
def test_a_receiver_that_is_down_is_tried_again_at_the_stated_times(
    root: Underwriting, there: Receiver, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    there.answer = lambda _: (500, {})
    endpoint_id, _ = add(root, there.url)
    message_id, worker = a_message(root), delivering(root)
    for n, wait_s in enumerate(SCHEDULE_S, start=1):
        assert worker.deliver(endpoint_id)
        clock.now += timedelta(seconds=wait_s, milliseconds=-1)
        assert not worker.deliver(endpoint_id), f"before the wait of {wait_s} s is over"
        clock.now += timedelta(milliseconds=1)
        assert len(there.came) == n
    assert clock.now - NOON == timedelta(hours=75, minutes=35, seconds=5)
    assert messages(root, "failed") == []
    assert worker.deliver(endpoint_id)
    assert set(there.ids()) == {message_id}
    assert len({one.headers["webhook-timestamp"] for one in there.came}) == 10
    [given_up] = messages(root, "failed")
    assert (given_up.attempts, given_up.answer) == (10, "500")
    assert f"{message_id} to {endpoint_id}: 500, given up after 10 attempts" in caplog.text
    clock.forward(5)
    assert not worker.deliver(endpoint_id)


def test_waits_are_longer_by_chance_and_as_the_receiver_asks(
    root: Underwriting, there: Receiver, clock: Clock
) -> None:
    endpoint_id, _ = add(root, there.url)
    a_message(root)
    worker = delivering(root, chance=lambda: 1.0)
    there.answer = lambda _: (500, {})
    worker.deliver(endpoint_id)
    [one] = messages(root)
    assert one.due == int(NOON.timestamp() * 1000) + round(5 * (1 + JITTER) * 1000)
    clock.now += timedelta(seconds=6)
    there.answer = lambda _: (503, {"Retry-After": "1200"})
    worker.deliver(endpoint_id)
    [one] = messages(root)
    assert one.due == int(clock.now.timestamp() * 1000) + 1_200_000
    clock.now += timedelta(seconds=1200)
    there.answer = lambda _: (503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})
    worker.deliver(endpoint_id)
    [one] = messages(root)
    assert one.due == int(clock.now.timestamp() * 1000) + 1_980_000


def test_no_wait_is_taken_for_a_clock_that_was_set_back() -> None:
    assert max(SCHEDULE_S) * (1 + JITTER) * 1000 <= LONGEST_WAIT_MS


def test_a_clock_that_is_set_back_holds_no_message_for_ever(
    root: Underwriting, there: Receiver, clock: Clock
) -> None:
    endpoint_id, _ = add(root, there.url)
    a_message(root)
    there.answer = lambda _: (500, {})
    clock.forward(9000)
    delivering(root).deliver(endpoint_id)
    clock.now = NOON
    assert delivering(root).deliver(endpoint_id)


@over_both
def test_what_was_given_up_waits_again_when_an_operator_says_so(
    root: Underwriting, there: Receiver
) -> None:
    endpoint_id, _ = add(root, there.url)
    other, _ = add(root, f"{there.url}/2", number=2)
    first, second = a_message(root, 1), a_message(root, 2)
    with root.ledger.writing() as ledger:
        for one in (endpoint_id, other):
            outbox.give_up(ledger.connection, one, "500", at=stamp(NOON))
        assert [m.message_id for m in outbox.listed(ledger.connection, "failed")] == [first] * 2 + [
            second
        ] * 2
        assert outbox.retry(ledger.connection, endpoint_id, "msg_x") == 0
        assert outbox.retry(ledger.connection, endpoint_id, second) == 1
        assert outbox.retry(ledger.connection, endpoint_id) == 1
        assert outbox.retry(ledger.connection, endpoint_id) == 0
    worker = delivering(root)
    assert [worker.deliver(endpoint_id) for _ in range(3)] == [True, True, False]
    assert sorted(there.ids()) == [first, second]


@over_both
def test_gone_disables_the_endpoint_and_an_operator_enables_it(
    root: Underwriting, there: Receiver, clock: Clock
) -> None:
    endpoint_id, _ = add(root, there.url)
    a_message(root, 1), a_message(root, 2)
    there.answer = lambda _: (410, {})
    worker = delivering(root)
    assert worker.deliver(endpoint_id)
    assert not worker.deliver(endpoint_id)
    assert len(there.came) == 1
    assert [(m.attempts, m.answer) for m in messages(root, "failed")] == [
        (1, "410"), (0, "410"),
    ]  # fmt: skip
    a_message(root, 3)
    assert messages(root) == []
    with root.ledger.reading() as ledger:
        act = list(acts(ledger))[-1]
    assert (act.action, act.by, act.client) == ("webhook_disabled", "loansvc worker", "bank")
    endpoints.enable(root.ledger, endpoint_id, **says(root, 2))
    with pytest.raises(SetupRefused, match="in use"):
        endpoints.enable(root.ledger, endpoint_id, **says(root, 3))
    there.answer = lambda _: (200, {})
    a_message(root, 4)
    assert worker.deliver(endpoint_id)
    assert root.ledger.verify() == (3, [])


@over_both
def test_a_message_whose_end_could_not_be_written_comes_again_under_its_id(
    root: Underwriting, there: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint_id, _ = add(root, there.url)
    message_id, worker = a_message(root), delivering(root)

    def cannot(*_: Any, **__: Any) -> None:
        raise LedgerUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "end_sent", cannot)
        with pytest.raises(LedgerUnavailable):
            worker.deliver(endpoint_id)
    assert not worker.deliver(endpoint_id)
    clock.now += timedelta(milliseconds=LEASE_MS)
    assert worker.deliver(endpoint_id)
    assert there.ids() == [message_id] * 2
    assert len(messages(root, "sent")) == 1


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        pytest.param(LedgerUnavailable(), "the ledger cannot be used just now", id="the ledger"),
        pytest.param(ZeroDivisionError(), "an error on our side", id="ours"),
    ],
)
def test_trouble_is_told_and_the_threads_go_on(
    root: Underwriting, there: Receiver, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, trouble: Exception, says: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("loansvc.webhooks.working.LOOK_SECONDS", 0.01)
    add(root, there.url)
    a_message(root)
    look, troubles = outbox.due_endpoints, [trouble]

    def at_first(*args: Any, **kwargs: Any) -> list[str]:
        if troubles:
            raise troubles.pop()
        return look(*args, **kwargs)

    monkeypatch.setattr(outbox, "due_endpoints", at_first)
    run_until(delivering(root), lambda: bool(there.came))
    assert says in caplog.text


# --- several at once ------------------------------------------------------------------------------


@over_both
def test_two_workers_never_send_one_message_at_once(
    root: Underwriting, clock: Clock, tmp_path: Path
) -> None:
    endpoint_id, _ = add(root)
    message_id = a_message(root)
    other = Ledger.open(databases.url_of(tmp_path / "home"), home=tmp_path / "home")
    sent: list[str] = []

    def slow(_url: str, headers: Any, _body: bytes) -> Answer:
        """While it is on its way."""
        sent.append(headers["webhook-id"])
        second = Delivering(other, root.clock, send=quick)
        assert not second.deliver(endpoint_id)
        clock.now += timedelta(milliseconds=LEASE_MS)
        assert second.deliver(endpoint_id), "nothing was heard of the first"
        return Answer(0, "timed out")

    def quick(_url: str, headers: Any, _body: bytes) -> Answer:
        sent.append(headers["webhook-id"])
        return Answer(200)

    assert delivering(root, send=slow).deliver(endpoint_id)
    assert sent == [message_id] * 2, "again, under the same id"
    [one] = messages(root, "sent")
    assert one.answer == "200", "what came late of the first changes nothing"
    other.close()


def test_a_message_that_was_taken_late_is_sent_although_it_was_given_up(
    root: Underwriting,
) -> None:
    endpoint_id, _ = add(root)
    a_message(root)

    def late(*_: Any) -> Answer:
        with root.ledger.writing() as ledger:
            outbox.give_up(ledger.connection, endpoint_id, "410", at=stamp(NOON))
        return Answer(200)

    assert delivering(root, send=late).deliver(endpoint_id)
    assert len(messages(root, "sent")) == 1


def test_a_late_failure_leaves_the_message_to_whoever_holds_it(
    root: Underwriting, clock: Clock
) -> None:
    endpoint_id, _ = add(root)
    a_message(root)

    def late(*_: Any) -> Answer:
        clock.now += timedelta(milliseconds=LEASE_MS)
        with root.ledger.writing() as ledger:
            at = int(clock.now.timestamp() * 1000)
            assert outbox.lease_next(ledger.connection, endpoint_id, "another", at=at)
        return Answer(500)

    assert delivering(root, send=late).deliver(endpoint_id)
    [one] = messages(root)
    assert (one.attempts, one.leased_by) == (0, "another")


def run_until(worker: Delivering, holds: Callable[[], bool]) -> None:
    """Run its threads until it is so."""
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    until = time.monotonic() + PATIENCE_S
    try:
        while not holds():
            assert time.monotonic() < until
            time.sleep(0.01)
    finally:
        stop.set()
        thread.join()


def test_receivers_that_hang_hold_up_neither_others_nor_batches(
    root: Underwriting, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loansvc.webhooks.working.LOOK_SECONDS", 0.01)
    released = threading.Event()

    def hangs(_: Any) -> tuple[int, dict[str, str]]:
        released.wait(PATIENCE_S)
        return 200, {}

    def others_are_done() -> bool:
        all_worked(a_worker(root))
        is_done = Batching(root).find("B-1", client="bank")["state"] == "done"
        if is_done and len(there.came) == 5 and all(one.came for one in slow):
            assert [len(one.came) for one in slow] == [1] * len(slow), "one at a time for each"
            assert not released.is_set()
            released.set()
        return released.is_set()

    with ExitStack() as stack:
        slow = [stack.enter_context(receiver()) for _ in range(LANES - 1)]
        for number, one in enumerate(slow, start=2):
            one.answer = hangs
            add(root, one.url, number=number)
        add(root, there.url, "quick")
        for number in range(1, 6):
            a_message(root, number)
        send_batch(root, a_document(1), a_document(2))
        stack.callback(released.set)
        run_until(delivering(root), others_are_done)


def test_once_ends_when_nothing_is_due(root: Underwriting, there: Receiver) -> None:
    add(root, there.url)
    with receiver() as other:
        add(root, other.url, number=2)
        other.answer = lambda _: (500, {})
        for number in (1, 2, 3):
            a_message(root, number)
        delivering(root).run(threading.Event(), once=True)
        assert (len(there.came), len(other.came)) == (3, 3)
    assert len(messages(root)) == 3, "those wait for five seconds to be over"


def test_once_leaves_nothing_that_is_due_although_a_lane_ends_while_it_looks(
    root: Underwriting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loansvc.webhooks.working.LOOK_SECONDS", 0.001)
    monkeypatch.setattr("loansvc.webhooks.working.TURN_SECONDS", 0.0)

    class LooksLong(Delivering):
        def _look(self) -> list[str]:
            found = super()._look()
            while self._busy:
                time.sleep(0.001)
            return found

    def slow(*_: Any) -> Answer:
        time.sleep(0.03)
        return Answer(200)

    add(root)
    for number in (1, 2, 3):
        a_message(root, number)
    LooksLong(root.ledger, root.clock, slow).run(threading.Event(), once=True)
    assert len(messages(root, "sent")) == 3


# --- secrets --------------------------------------------------------------------------------------


@over_both
def test_both_secrets_sign_while_one_takes_the_place_of_the_other(
    root: Underwriting, there: Receiver, clock: Clock
) -> None:
    endpoint_id, first = add(root, there.url)
    day = timedelta(hours=24)
    second = endpoints.rotate(root.ledger, endpoint_id, overlap=day, **says(root, 2))
    with pytest.raises(SetupRefused, match=r"until 2026-11-24T12.*--overlap-hours 0"):
        endpoints.rotate(root.ledger, endpoint_id, overlap=day, **says(root, 3))
    worker = delivering(root)

    def fit(number: int) -> list[bool]:
        a_message(root, number)
        assert worker.deliver(endpoint_id)
        return [is_ours(there.came[-1], secret, now=clock.now) for secret in (first, second)]

    assert fit(1) == [True, True]
    assert there.came[-1].headers["webhook-signature"].count("v1,") == 2
    clock.now += day
    assert fit(2) == [False, True]
    worker.tidy()
    assert databases.sql(root.ledger.home, "SELECT number FROM endpoint_secret") == [(2,)]
    endpoints.rotate(root.ledger, endpoint_id, overlap=timedelta(0), **says(root, 4))
    assert fit(3) == [False, False], "a secret that got out ends at once"


def test_an_outer_key_that_is_lost_delays_and_is_told(
    root: Underwriting, there: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint_id, _ = add(root, there.url)
    a_message(root)
    databases.sql(root.ledger.home, "UPDATE endpoint_secret SET wrapped = x'00'")
    stop = threading.Event()
    delivering(root)._lane(endpoint_id, stop)
    assert "an error on our side" in caplog.text
    assert there.came == []
    [one] = messages(root)
    assert one.leased_by != "", "it is tried again when the lease is over, not at once"


def test_nothing_is_sent_to_an_endpoint_that_is_not_there(root: Underwriting) -> None:
    with pytest.raises(NotFound, match="loansvc webhooks list"):
        post(root.ledger, "whe_1", "msg_1", "{}", at=NOON)


def test_an_endpoint_that_is_removed_while_a_message_is_on_its_way_is_no_trouble(
    root: Underwriting,
) -> None:
    endpoint_id, _ = add(root)
    a_message(root)

    def removes(*_: Any) -> Answer:
        endpoints.remove(root.ledger, endpoint_id, **says(root, 2))
        return Answer(410)

    worker = delivering(root, send=removes)
    assert worker.deliver(endpoint_id)
    assert not worker.deliver(endpoint_id)
    assert root.ledger.verify() == (2, [])


# --- what is kept ---------------------------------------------------------------------------------


@over_both
def test_what_is_over_goes_after_some_days(
    root: Underwriting, there: Receiver, clock: Clock
) -> None:
    endpoint_id, _ = add(root, there.url)
    a_message(root, 1), a_message(root, 2)
    worker = delivering(root, days_kept=3)
    worker.deliver(endpoint_id)
    with root.ledger.writing() as ledger:
        outbox.give_up(ledger.connection, endpoint_id, "500", at=stamp(NOON))
    a_message(root, 3)
    clock.forward(3)
    worker.tidy()
    assert len(messages(root, "sent") + messages(root, "failed")) == 2
    clock.now += timedelta(seconds=1)
    worker.tidy()
    assert messages(root, "sent") + messages(root, "failed") == []
    assert len(messages(root)) == 1, "what waits stays"


@over_both
def test_a_copy_goes_on_where_the_ledger_was(
    root: Underwriting, there: Receiver, tmp_path: Path
) -> None:
    endpoint_id, secret = add(root, there.url)
    message_id = a_message(root)
    folder = tmp_path / "copy"
    folder.mkdir()
    url = databases.url_of(folder)
    root.ledger.copy_to(url)
    copy = root.ledger.beside(url, folder)
    assert Delivering(copy, root.clock).deliver(endpoint_id)
    assert there.ids() == [message_id]
    assert is_ours(there.came[0], secret, now=NOON)
    copy.close()


def test_no_body_and_no_line_of_the_log_tells_of_a_person_or_an_address(
    root: Underwriting, there: Receiver, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint_id, secret = add(root, there.url)
    document = a_document(7)
    closed(root, 1)
    send_batch(root, document)
    all_worked(a_worker(root))
    worker = delivering(root)
    there.answer = lambda _: (500, {})
    while worker.deliver(endpoint_id):
        pass
    clock.forward(1)
    there.answer = lambda _: (410, {})
    worker.deliver(endpoint_id)
    said = caplog.text + "".join(one.body.decode() + repr(one.headers) for one in there.came)
    assert len(there.came) == 3
    assert "410, the endpoint is disabled" in caplog.text
    assert not ID_NUMBER.search(re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "", said))
    for text in (document["applicant"]["id_number"], "approve", secret.removeprefix("whsec_")):
        assert text not in said
    assert there.url not in caplog.text
    assert sending.MOST_SECONDS * 1000 * 3 <= LEASE_MS
