"""Environs: a request as an ASGI server tells it, as the WSGI application reads it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from loansvc.web.environs import Message, Receive, Upload, environ_of, pieces


def a_scope(**changes: Any) -> dict[str, Any]:
    """The scope of a plain request."""
    return {
        "method": "GET", "raw_path": b"/v1/fund", "query_string": b"", "scheme": "http",
        "http_version": "1.1", "headers": [], "client": ("127.0.0.1", 4000),
        "server": ("127.0.0.1", 8000), **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("raw_path", "path", "uri"),
    [
        (b"/v1/fund", "/v1/fund", "/v1/fund"),
        (b"/a%2Fb%E5", "/a/b\xe5", "/a%2Fb%E5"),
        (b"http://host/v1/fund", "/v1/fund", "http://host/v1/fund"),
        (b"*", "*", "*"),
    ],
)
def test_the_path_is_decoded_and_the_target_kept(raw_path: bytes, path: str, uri: str) -> None:
    environ = environ_of(a_scope(raw_path=raw_path))
    assert (environ["PATH_INFO"], environ["RAW_URI"]) == (path, uri)


def test_headers_have_their_names_and_repeated_ones_are_joined() -> None:
    headers = [(b"content-type", b"a/b"), (b"x-odd", b"1"), (b"x-odd", b"2"), (b"host", b"h")]
    environ = environ_of(a_scope(headers=headers))
    names = ("CONTENT_TYPE", "HTTP_X_ODD", "HTTP_HOST")
    assert [environ[name] for name in names] == ["a/b", "1,2", "h"]
    assert "HTTP_CONTENT_TYPE" not in environ


def telling(*messages: Message, pause_s: float = 0.0) -> Receive:
    """A server that tells these, one after the other, and then nothing."""
    left = list(messages)

    async def receive() -> Message:
        await asyncio.sleep(pause_s if left else 60)
        return left.pop(0)

    return receive


def a_piece(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def all_of(receive: Receive, seconds: float) -> bytes:
    return b"".join([piece async for piece, _ in pieces(receive, seconds)])


def test_a_body_ends_where_it_is_said_to() -> None:
    told = telling(a_piece(b"ab", more=True), a_piece(b"c", more=False), a_piece(b"d", more=False))
    assert asyncio.run(all_of(told, 5)) == b"abc"


@pytest.mark.parametrize("pause_s", [0.0, 0.04], ids=["nothing more", "drop by drop"])
def test_a_body_that_does_not_come_in_time_is_not_waited_for(pause_s: float) -> None:
    drops = [a_piece(b" ", more=True)] * (100 if pause_s else 1)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(all_of(telling(*drops, pause_s=pause_s), 0.2))
    assert time.monotonic() - started < 2


def test_a_time_out_that_a_piece_takes_away_counts_all_the_same() -> None:
    """As `asyncio.wait_for` of Python 3.11 does, where a piece comes in the same moment."""
    told = telling(*[a_piece(b" ", more=True)] * 100, pause_s=0.05)

    async def receive() -> Message:
        try:
            return await told()
        except asyncio.CancelledError:
            return a_piece(b" ", more=True)

    with pytest.raises(TimeoutError):
        asyncio.run(all_of(receive, 0.2))


def test_a_thread_reads_what_has_come_and_then_what_comes() -> None:
    async def run() -> tuple[bytes, bytes, bytes, bytes]:
        loop = asyncio.get_running_loop()
        told = telling(a_piece(b"", more=True), a_piece(b"cd", more=False))
        upload = Upload(told, loop, 5.0, b"ab")

        def read() -> tuple[bytes, bytes, bytes, bytes]:
            return upload.read(1), upload.read(9), upload.read(9), upload.read(9)

        return await loop.run_in_executor(None, read)

    assert asyncio.run(run()) == (b"a", b"b", b"cd", b"")


@pytest.mark.parametrize(
    "receive", [telling(), telling({"type": "http.disconnect"})], ids=["silent", "gone"]
)
def test_a_thread_is_told_of_a_caller_who_is_silent_or_gone(receive: Receive) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        upload = Upload(receive, loop, 0.1)
        with pytest.raises(OSError, match=r"in time|gone"):
            await loop.run_in_executor(None, upload.read)

    asyncio.run(run())
