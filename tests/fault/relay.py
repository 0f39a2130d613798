"""A relay between the service and its database: it passes on, delays, holds back, or cuts.

In a test's process, or as one of its own:
python -m tests.fault.relay HOST PORT TO_HOST TO_PORT
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time
from contextlib import suppress

Place = tuple[str, int]
LOOK_EVERY_S = 0.02
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing is a reset, not a polite end


class Relay:
    """Listens, and passes every connection on to wherever `to` is when it comes."""

    def __init__(self, to: Place, at: Place = ("127.0.0.1", 0)) -> None:
        self.to = to
        self.delay_s = 0.0
        self.holds = False  # takes everything and passes nothing on, as a cable that is out
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(at, backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        """Take connections until it is closed."""
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def cut(self) -> None:
        """Reset every connection there is."""
        for one in list(self._open):
            with suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _join(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(self.to, 5)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        self._open |= {near, far}
        back = threading.Thread(target=self._pass_on, args=(far, near), daemon=True)
        back.start()
        self._pass_on(near, far)
        back.join()
        self._open -= {near, far}
        near.close()
        far.close()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                time.sleep(self.delay_s)
                while self.holds:
                    time.sleep(LOOK_EVERY_S)
                sink.sendall(data)
        for one in (source, sink):  # one end gone: the other hears of it
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    host, port, to_host, to_port = sys.argv[1:]
    relay = Relay((to_host, int(to_port)), (host, int(port)))
    print(relay.port, flush=True)
    threading.Event().wait()
