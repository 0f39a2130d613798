"""What any test may ask for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

KINDS = ("sqlite", "postgresql")


@pytest.fixture(autouse=True)
def hooks() -> Iterator[None]:
    """What `logs.install` takes over of a process is given back: pytest itself looks there."""
    before = threading.excepthook
    yield
    threading.excepthook = before
    logging.captureWarnings(capture=False)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small editions, of this module alone."""
    # Imported here: the environment of the peers has nothing that serves.
    from tests.small import small_models

    return small_models(tmp_path_factory.mktemp("small"))


@pytest.fixture(params=KINDS)
def both_databases(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs the test once on each kind of database; its name."""
    # Imported here: the environment of the peers has no PostgreSQL.
    import psycopg
    from sqlalchemy import event
    from sqlalchemy.pool import Pool

    from tests import databases

    opened: list[Any] = []

    def on_connect(connection: Any, _record: Any) -> None:
        opened.append(connection)

    event.listen(Pool, "connect", on_connect)
    try:
        with databases.using(request.param):
            yield request.param
    finally:
        event.remove(Pool, "connect", on_connect)
        # Whoever opens a ledger in a test need not close it; a server would run out of connections.
        for connection in opened:
            if isinstance(connection, psycopg.Connection):
                connection.close()
