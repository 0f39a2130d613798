"""The HTTP surface on small editions, through Flask's test client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from loansvc.ledger import keys
from loansvc.settings import Settings
from loansvc.web import create_app
from tests.small import NOON, small_models, small_underwriting

SCOPES = ("decide", "read")
# Tests ask of one person what no bank would: the watch on that has tests of its own.
UNWATCHED = Settings(probing_flag=999_999, probing_limit=999_999)


class Api:
    """One service, its clock in hand, and calls with the key of one client."""

    def __init__(self, folder: Path, models: Path) -> None:
        self.now = NOON
        self.root = small_underwriting(folder, models=models, clock=lambda: self.now)
        self.app = create_app(self.root, UNWATCHED)
        self.key = self.new_key("bank")
        self.other = ""  # a key of another client, where a test makes one

    def new_key(
        self,
        client: str,
        scopes: tuple[str, ...] = SCOPES,
        expires_at: datetime | None = None,
        **about: str,
    ) -> str:
        until = expires_at or self.now + timedelta(days=90)
        return keys.create(
            self.root.ledger, client=client, scopes=scopes, now=self.now, expires_at=until, **about
        )[1]

    def call(
        self, method: str, path: str, *, key: str | None = None, headers: Any = None, **kwargs: Any
    ) -> TestResponse:
        """An answer; `key` "" sends none, None sends this client's."""
        given = self.key if key is None else key
        sent = {"Authorization": f"Bearer {given}"} if given else {}
        client = self.app.test_client()
        return client.open(path, method=method, headers={**sent, **(headers or {})}, **kwargs)

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("GET", path, **kwargs)

    def post(
        self,
        document: Any = None,
        *,
        to: str = "/v1/decisions",
        body: bytes | str | None = None,
        content_type: str = "application/json",
        **kwargs: Any,
    ) -> TestResponse:
        """POST a document, or these very bytes."""
        data = json.dumps(document) if body is None else body
        return self.call("POST", to, data=data, content_type=content_type, **kwargs)

    def close(self) -> None:
        self.root.ledger._engine.dispose()


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small editions; never changed by a test."""
    return small_models(tmp_path_factory.mktemp("small"))


@pytest.fixture
def api(tmp_path: Path, models: Path) -> Iterator[Api]:
    """A service of its own."""
    service = Api(tmp_path, models)
    yield service
    service.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Api]:
    """One service for tests that record nothing, or mind nothing that others record."""
    service = Api(tmp_path_factory.mktemp("shared"), models)
    yield service
    service.close()


def is_problem(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    """The body of a refusal, its shape checked."""
    body: dict[str, Any] = response.get_json()
    assert (response.status_code, body["code"]) == (status, code), body
    assert response.content_type == "application/problem+json"
    assert set(body) - {"errors"} == {"type", "title", "status", "code", "detail", "request_id"}
    assert body["status"] == status
    assert body["type"] == f"/problems/{code}"
    assert body["request_id"] == response.headers["X-Request-Id"]
    assert response.headers["Cache-Control"] == "no-store"
    for error in body.get("errors", []):
        assert set(error) == {"pointer", "code", "detail"}
    return body
