"""Webhooks from the shell, and what a publication tells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loansvc.editions import to_text
from loansvc.ledger.outbox import EVENTS
from loansvc.registry.documents import read_lock
from loansvc.underwriting import now
from tests import databases
from tests.databases import over_both
from tests.shell import run
from tests.small import CARD, RATES, small_models
from tests.webhooks import Receiver, is_ours, receiver

URL = "https://bank.example.cn/hooks"
CHALLENGER = CARD | {"product": "credit_loan", "valid_from": "2026-12-20"}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return small_models(tmp_path / "editions")


@pytest.fixture
def shell(tmp_path: Path, models: Path, capfd: pytest.CaptureFixture[str], monkeypatch: Any) -> Any:
    home = tmp_path / "home"
    monkeypatch.setenv("LOANSVC_HOME", str(home))
    monkeypatch.setenv("LOANSVC_DATABASE_URL", databases.url_of(home))
    monkeypatch.setenv("LOANSVC_MODELS", str(models))
    monkeypatch.setenv("LOANSVC_OPERATOR", "O. Perator")

    def call(*arguments: object) -> tuple[int, str, str]:
        return run(capfd, monkeypatch, *arguments)

    return call


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def listed(shell: Any, what: str = "list") -> list[dict[str, Any]]:
    status, out, said = shell("webhooks", what, "--json")
    assert status == 0, said
    found: list[dict[str, Any]] = json.loads(out)["data"]
    return found


def add(shell: Any, *arguments: object) -> tuple[str, str]:
    """The id and the secret of a new endpoint."""
    status, out, said = shell("webhooks", "add", *arguments)
    assert status == 0, said
    return said.split()[1], out.strip()


def published(shell: Any, tmp_path: Path, document: Any, *more: object) -> None:
    file = tmp_path / "draft.json"
    file.write_text(to_text(document), "utf-8")
    status, _, said = shell("publish", file, "--approver", "R. Reviewer", *more)
    assert status == 0, said


@over_both
def test_an_endpoint_is_added_tested_rotated_listed_and_removed(
    shell: Any, there: Receiver
) -> None:
    endpoint_id, first = add(shell, "bank", there.url, "--event", EVENTS[1], "--event", EVENTS[0])
    [one] = listed(shell)
    assert one.pop("added_at")[:4] == str(now().year)
    assert one == {
        "endpoint_id": endpoint_id, "client": "bank", "url": there.url, "events": list(EVENTS[:2]),
        "disabled_at": None, "waiting": 0, "failed": 0,
    }  # fmt: skip
    assert shell("webhooks", "test", endpoint_id)[:2] == (0, "taken   204\n")
    status, second, said = shell("webhooks", "rotate", endpoint_id, "--overlap-hours", 2)
    assert (status, "2 hours more" in said) == (0, True)
    assert shell("webhooks", "test", endpoint_id)[0] == 0
    assert [json.loads(one.body)["type"] for one in there.came] == ["webhook.test"] * 2
    assert is_ours(there.came[0], first, now=now())
    assert is_ours(there.came[1], second.strip(), now=now())
    assert len(set(there.ids())) == 2
    out = shell("webhooks", "list")[1]
    assert f"{endpoint_id}  bank" in out
    assert "in use   0 waiting, 0 failed" in out
    assert first not in out + shell("webhooks", "list", "--json")[1]
    assert shell("webhooks", "remove", endpoint_id)[:2] == (0, f"removed   {endpoint_id}\n")
    assert listed(shell) == []
    told = [act["action"] for act in json.loads(shell("audit", "--json")[1])["data"]]
    assert told == ["webhook_added", "webhook_rotated", "webhook_removed"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add", "a bank", URL), "A client is named"),
        (("add", "bank", "http://bank.example.cn/"), "https"),
        (("remove", "whe_1"), "loansvc webhooks list"),
        (("rotate", "whe_1"), "loansvc webhooks list"),
        (("enable", "whe_1"), "loansvc webhooks list"),
        (("test", "whe_1"), "loansvc webhooks list"),
        (("retry", "whe_1"), "loansvc webhooks failed"),
    ],
)
def test_a_refusal_is_one_line_with_what_to_do(shell: Any, arguments: Any, says: str) -> None:
    shell("ledger", "upgrade")
    status, out, said = shell("webhooks", *arguments)
    assert (status, out, len(said.splitlines())) == (1, "", 1)
    assert says in said


def test_a_test_that_is_not_taken_is_refused(shell: Any, there: Receiver) -> None:
    endpoint_id, _ = add(shell, "bank", there.url)
    there.answer = lambda _: (404, {})
    status, _, said = shell("webhooks", "test", endpoint_id)
    assert (status, "did not take it: 404" in said) == (1, True)


@over_both
def test_a_publication_that_decides_is_told_to_every_client(
    shell: Any, tmp_path: Path, models: Path, there: Receiver
) -> None:
    _, secret = add(shell, "bank", there.url)
    add(shell, "other", there.url)
    add(shell, "third", there.url, "--event", "review.closed")
    published(shell, tmp_path, CHALLENGER, "--role", "challenger")
    assert [one["waiting"] for one in listed(shell)] == [0, 0, 0]
    published(shell, tmp_path, RATES | {"valid_from": "2026-12-20"})
    assert [one["waiting"] for one in listed(shell)] == [1, 1, 0]
    assert shell("worker", "--once")[0] == 0
    assert [one["waiting"] for one in listed(shell)] == [0, 0, 0]
    assert len(there.came) == 2
    assert len(set(there.ids())) == 1, "one event, one id"
    assert sum(is_ours(one, secret, now=now()) for one in there.came) == 1
    lock = read_lock(models)[-1]
    for one in there.came:
        assert json.loads(one.body)["data"] == {
            "kind": "rates", "product": "county", "valid_from": "2026-12-20",
            "digest": lock["digest"],
        }  # fmt: skip


def test_a_publication_that_is_refused_is_not_told(shell: Any, tmp_path: Path) -> None:
    add(shell, "bank", URL)
    file = tmp_path / "draft.json"
    file.write_text(to_text(RATES | {"valid_from": "2026-12-20"}), "utf-8")
    assert shell("publish", file, "--approver", "O. Perator")[0] == 1
    assert listed(shell)[0]["waiting"] == 0


def test_what_failed_is_listed_and_waits_again(
    shell: Any, tmp_path: Path, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint_id, _ = add(shell, "bank", there.url)
    monkeypatch.setattr("loansvc.webhooks.SCHEDULE_S", ())
    there.answer = lambda _: (500, {})
    published(shell, tmp_path, RATES | {"valid_from": "2026-12-20"})
    assert shell("worker", "--once")[0] == 0
    [one] = listed(shell, "failed")
    assert one["data"]["valid_from"] == "2026-12-20"
    assert (one["event"], one["attempts"], one["answer"]) == ("edition.published", 1, "500")
    line = shell("webhooks", "failed")[1]
    assert f"{endpoint_id}  edition.published  {one['message_id']}" in line
    assert "1 failed" in shell("webhooks", "list")[1]
    again = shell("webhooks", "retry", endpoint_id, one["message_id"])
    assert again[:2] == (0, "again   1 messages wait\n")
    there.answer = lambda _: (410, {})
    assert shell("worker", "--once")[0] == 0
    assert "disabled" in shell("webhooks", "list")[1]
    assert shell("webhooks", "retry", endpoint_id)[0] == 1
    assert shell("webhooks", "enable", endpoint_id)[:2] == (0, f"enabled   {endpoint_id}\n")
    there.answer = lambda _: (200, {})
    assert shell("webhooks", "retry", endpoint_id)[0] == 0
    assert shell("worker", "--once")[0] == 0
    assert listed(shell, "failed") == []
    assert there.ids() == [one["message_id"]] * 3


def test_an_event_that_is_not_known_is_wrong_usage(shell: Any) -> None:
    assert shell("webhooks", "add", "bank", URL, "--event", "decision.made")[0] == 2
