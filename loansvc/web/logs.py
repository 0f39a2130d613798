"""Logs: JSON objects on standard error, one a line, that keep nobody waiting.

Whoever reads our log may stop reading, and its disk may be full. A thread that prints would then
wait, and behind it every other that has something to say, gunicorn's master too. So lines go
through a short queue to a thread of their own; what finds no room is counted, and told of later.

A line has no personal data: of what is logged beside the text only FIELDS are taken, and what
looks like an ID number, a key or a token is masked in text and traceback.
"""

from __future__ import annotations

import logging
import os
import queue
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import orjson
from flask import g, has_request_context
from structlog.processors import JSONRenderer, TimeStamper, format_exc_info
from structlog.stdlib import ExtraAdder, ProcessorFormatter
from structlog.typing import EventDict

log = logging.getLogger("loansvc.logs")
STANDARD_ERROR = 2
MOST_LINES = 1000  # in memory; one may be a traceback of some thousand characters
LAST_WAIT_SECONDS = 1.0  # for the queue to empty when the process ends
# What a line may say beside its text: `log.error("…", extra={"code": …})`.
FIELDS = ("request_id", "trace_id", "code", "endpoint", "status", "outcome", "duration_ms")
MASK = "[masked]"
# An ID number, a key of ours, a JSON web token: none is ever logged; an exception's text might.
_SECRET = re.compile(
    r"(?<![0-9])[0-9]{17}[0-9Xx](?![0-9])|lsk_[A-Za-z0-9_-]{1,512}|eyJ[A-Za-z0-9._-]{1,4096}",
    re.ASCII,
)


def json_lines() -> ProcessorFormatter:
    """What makes a line of a record: timestamp, level, logger, pid, event, and what is known."""
    return ProcessorFormatter(
        processors=[
            _head, TimeStamper(fmt="iso", utc=True, key="timestamp"), _request, ExtraAdder(FIELDS),
            format_exc_info, ProcessorFormatter.remove_processors_meta, _masked,
            JSONRenderer(serializer=_dumps),
        ]
    )  # fmt: skip


def install(level: str, *, requests: bool = False) -> None:
    """Let whatever this process has to say be such lines, from that level on.

    `requests`: a line for each request too.
    """
    handler = PatientHandler()
    handler.setFormatter(json_lines())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("loansvc.requests").setLevel(logging.INFO if requests else logging.WARNING)
    logging.captureWarnings(capture=True)
    threading.excepthook = _on_end_of_thread


def _on_end_of_thread(args: threading.ExceptHookArgs) -> None:
    """Log an exception that ended a thread, which Python would print as it is."""
    if args.exc_value is not None:
        name = args.thread.name if args.thread else "unknown"
        log.critical("thread %s has ended", name, exc_info=args.exc_value)


def _head(_logger: Any, _method: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event["_record"]
    named = {"level": record.levelname.lower(), "logger": record.name, "pid": record.process}
    return {"timestamp": "", **named, **event}


def _request(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Name the request at hand, and the trace that it belongs to."""
    if has_request_context() and "timing" in g:
        event["request_id"] = g.timing.request_id
        if g.timing.trace_id:
            event["trace_id"] = g.timing.trace_id
    return event


def _masked(_logger: Any, _method: str, event: EventDict) -> EventDict:
    for name in ("event", "exception"):
        if name in event:
            text = _SECRET.sub(MASK, event[name])
            # What a database or a file name had of bytes that are no text.
            event[name] = text.encode("utf-8", "backslashreplace").decode()
    return event


def _dumps(event: EventDict, **_: Any) -> str:
    return orjson.dumps(event).decode()


class _Writer:
    """The queue of one process, and the thread that empties it."""

    def __init__(self, descriptor: int, say: Callable[[str], str]) -> None:
        self.pid = os.getpid()
        self._descriptor = descriptor
        self._say = say  # the line of a text of its own
        self._lines: queue.Queue[str] = queue.Queue(MOST_LINES)
        self._n_lost = 0
        threading.Thread(target=self._write_all, name="log", daemon=True).start()

    def put(self, line: str) -> None:
        """Leave a line to be written, if there is room."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._n_lost += 1  # two threads at once may count one: nobody needs it to the line

    def wait(self, seconds: float) -> None:
        """Return when everything is written, or after that time."""
        until = time.monotonic() + seconds
        while self._lines.unfinished_tasks and time.monotonic() < until:
            time.sleep(0.01)

    def _write_all(self) -> None:
        while True:
            line = self._lines.get()
            if not self._write(line):
                self._n_lost += 1
            elif self._n_lost:
                n_lost, self._n_lost = self._n_lost, 0
                if not self._write(self._say(f"{n_lost} lines of the log were not written")):
                    self._n_lost += n_lost
            self._lines.task_done()

    def _write(self, line: str) -> bool:
        """Whether all of it was taken."""
        data = f"{line}\n".encode("utf-8", "backslashreplace")
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:  # a full disk, a reader that has gone
            return False
        return True


class PatientHandler(logging.Handler):
    """A handler that never waits for whoever reads the log."""

    def __init__(self, descriptor: int = STANDARD_ERROR) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._writer: _Writer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Leave the record to the writer of this process: threads do not survive a fork."""
        if self._writer is None or self._writer.pid != os.getpid():
            self._writer = _Writer(self._descriptor, self._say)
        self._writer.put(self.format(record))

    def flush(self) -> None:
        """Give the writer a moment; called when the process ends."""
        if self._writer is not None and self._writer.pid == os.getpid():
            self._writer.wait(LAST_WAIT_SECONDS)

    def _say(self, text: str) -> str:
        return self.format(logging.makeLogRecord(
            {"name": log.name, "levelno": logging.WARNING, "levelname": "WARNING", "msg": text}
        ))  # fmt: skip
