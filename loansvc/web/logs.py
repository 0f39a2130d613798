"""Logs: lines on standard error that keep nobody waiting.

Whoever reads our log may stop reading, and its disk may be full. A thread that prints would then
wait, and behind it every other that has something to say, gunicorn's master too. So lines go
through a short queue to a thread of their own; what finds no room is counted, and told of later.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time

STANDARD_ERROR = 2
MOST_LINES = 1000  # in memory; one may be a traceback of some thousand characters
LAST_WAIT_SECONDS = 1.0  # for the queue to empty when the process ends


class _Writer:
    """The queue of one process, and the thread that empties it."""

    def __init__(self, descriptor: int) -> None:
        self.pid = os.getpid()
        self._descriptor = descriptor
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
                if not self._write(f"{n_lost} lines of the log were not written"):
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
            self._writer = _Writer(self._descriptor)
        self._writer.put(self.format(record))

    def flush(self) -> None:
        """Give the writer a moment; called when the process ends."""
        if self._writer is not None and self._writer.pid == os.getpid():
            self._writer.wait(LAST_WAIT_SECONDS)
