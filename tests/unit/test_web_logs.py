"""The log keeps nobody waiting, says what it lost, and is of JSON lines without secrets."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from loansvc.web import logs
from loansvc.web.logs import MASK, MOST_LINES, PatientHandler, json_lines

ID_NUMBER = "340521199003072316"
KEY = "lsk_0123456789ab_" + "A" * 43


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe that nobody reads unless the test does."""
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)


def a_record(text: str) -> logging.LogRecord:
    return logging.LogRecord("test", logging.ERROR, __file__, 1, text, None, None)


def read_until(reader: int, mark: bytes) -> bytes:
    data = b""
    while mark not in data:
        data += os.read(reader, 65_536)
    return data


def test_lines_come_in_order_and_are_there_once_flushed(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    handler = PatientHandler(writer)
    for text in ("one", "two", "三"):
        handler.emit(a_record(text))
    handler.flush()
    assert os.read(reader, 100).decode() == "one\ntwo\n三\n"


def test_nobody_waits_for_a_reader_that_has_stopped(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    handler = PatientHandler(writer)
    started = time.monotonic()
    for _ in range(MOST_LINES * 2):
        handler.emit(a_record("x" * 1000))
    assert time.monotonic() - started < 5
    assert b"lines of the log were not written" in read_until(reader, b"were not written")


def test_a_line_that_cannot_be_written_ends_nothing(pipe: tuple[int, int]) -> None:
    """/dev/full takes nothing, as a full disk."""
    full = os.open("/dev/full", os.O_WRONLY)
    handler = PatientHandler(full)
    handler.emit(a_record("lost"))
    handler.flush()
    reader, writer = pipe
    os.dup2(writer, full)
    handler.emit(a_record("there is room"))
    handler.flush()
    assert os.read(reader, 1000) == b"there is room\n1 lines of the log were not written\n"


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of Python 3.12: it is meant
def test_a_child_after_a_fork_writes_by_itself(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    handler = PatientHandler(writer)
    handler.emit(a_record("parent"))
    handler.flush()
    child = os.fork()
    if child == 0:
        handler.emit(a_record("child"))
        handler.flush()
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 100) == b"parent\nchild\n"


def line_of(record: logging.LogRecord) -> dict[str, Any]:
    """A record as the log has it."""
    text = json_lines().format(record)
    assert "\n" not in text
    line: dict[str, Any] = json.loads(text)
    return line


def test_a_line_says_when_how_bad_who_and_what() -> None:
    line = line_of(a_record("三\ntwo"))
    assert list(line) == ["timestamp", "level", "logger", "pid", "event"]
    assert line["timestamp"].endswith("Z")
    assert (line["level"], line["logger"]) == ("error", "test")
    assert (line["pid"], line["event"]) == (os.getpid(), "三\ntwo")


def test_beside_the_text_only_known_fields_are_taken() -> None:
    record = a_record("x")
    record.__dict__ |= {"request_id": "r-1", "code": "overloaded", "applicant": ID_NUMBER}
    line = line_of(record)
    assert (line["request_id"], line["code"]) == ("r-1", "overloaded")
    assert "applicant" not in line


@pytest.mark.parametrize("secret", [ID_NUMBER, ID_NUMBER[:17] + "x", KEY, "eyJhbGciOi.eyJp.c2ln"])
def test_a_secret_is_masked_in_text_and_traceback(secret: str) -> None:
    """No line of ours holds one; the text of somebody else's exception might."""
    try:
        raise KeyError(secret)
    except KeyError:
        record = logging.LogRecord("t", 40, "f", 1, "of %s!", (secret,), sys.exc_info())
    line = line_of(record)
    assert line["event"] == f"of {MASK}!"
    assert line["exception"].endswith(f"KeyError: '{MASK}'")
    assert secret not in str(line)


@pytest.mark.parametrize("text", ["dec_019aaf2c-5b7c-7c54-8a3e-0d1f6c2b9e41", "1" * 17, "1" * 19])
def test_an_id_of_something_else_is_not_masked(text: str) -> None:
    assert line_of(a_record(text))["event"] == text


def test_what_is_no_text_is_written_as_bytes() -> None:
    assert line_of(a_record("of \udce9"))["event"] == "of \\udce9"


def test_of_lines_that_were_lost_a_line_like_any_other_tells(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    full = os.open("/dev/full", os.O_WRONLY)
    handler = PatientHandler(full)
    handler.setFormatter(json_lines())
    handler.emit(a_record("lost"))
    handler.flush()
    os.dup2(writer, full)
    handler.emit(a_record("there is room"))
    handler.flush()
    written = [json.loads(line) for line in os.read(reader, 1000).splitlines()]
    assert written[1]["event"] == "1 lines of the log were not written"
    assert written[1]["level"] == "warning"


@pytest.fixture
def installed(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[int, PatientHandler]]:
    """The log of a process, as a worker sets it up; the end where it is read."""
    reader, writer = pipe
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    monkeypatch.setattr(root, "handlers", [])
    handler = PatientHandler(writer)
    monkeypatch.setattr(logs, "PatientHandler", lambda: handler)
    logs.install("info")
    yield reader, handler
    root.handlers = before


def test_warnings_and_threads_that_end_are_lines_too(installed: tuple[int, PatientHandler]) -> None:
    """Python itself would print them as they are."""
    reader, handler = installed
    thread = threading.Thread(target=lambda: 1 / 0, name="broken")
    thread.start()
    thread.join()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    handler.flush()
    ended, warned = (json.loads(line) for line in os.read(reader, 10_000).splitlines())
    assert (ended["level"], ended["event"]) == ("critical", "thread broken has ended")
    assert ended["exception"].endswith("ZeroDivisionError: division by zero")
    assert (warned["logger"], "DeprecationWarning: old" in warned["event"]) == ("py.warnings", True)
