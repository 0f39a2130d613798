"""The log keeps nobody waiting, and says what it lost."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator

import pytest

from loansvc.web.logs import MOST_LINES, PatientHandler


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
