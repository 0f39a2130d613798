"""`loansvc` for pages, without what it costs to start Python: one warm process forks for each call.

A shell of a page finds a small `loansvc` on its path. It hands arguments, folder, environment and
the three standard streams to the warm process, which forks; the child is what the shell started:
it reads its pipes, writes its files, ends with its status, and is told of signals.

The clocks of a child are as many seconds ahead of the machine's as its environment says.
"""

from __future__ import annotations

import array
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
import tempfile
import time
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType

AHEAD = "PAGE_AHEAD"
SHIM = """#!{python} -IS
import array, json, os, signal, socket, sys
if {name!r} == "python" and not (sys.argv[1:] and sys.argv[1].endswith(".py")):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
warm = socket.socket(socket.AF_UNIX)
warm.connect({address!r})
streams = array.array("i", [0, 1, 2])
call = json.dumps([{name!r}, sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
warm.sendmsg([len(call).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
warm.sendall(call)
child = int.from_bytes(warm.recv(8), "big")
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda number, _frame: os.kill(child, number))
os.close(0); os.close(1); os.close(2)
sys.exit((warm.recv(1) or b"\\x01")[0])
"""


def serve(address: str) -> None:
    """Fork for each call, until nobody is there any more."""
    _warm_up()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(16)
        print("ready", flush=True)
        while os.getppid() != 1:
            called, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _answer(called)
            called.close()


def _warm_up() -> None:
    """Read once what nearly every call reads: the program, the editions, a new ledger's tables."""
    import loansvc.cli
    import loansvc.training
    import loansvc.training.validation
    import loansvc.web  # noqa: F401
    from loansvc.settings import Settings
    from loansvc.underwriting import Underwriting

    with tempfile.TemporaryDirectory() as folder:
        root = Underwriting.open(Settings(home=Path(folder)), create=True)
        root.ledger.close()
    gc.freeze()


def _set_clock(ahead: timedelta) -> None:
    """Let all that takes the time from `underwriting.now`, at whatever place, take it from here."""
    from loansvc import underwriting

    vars(underwriting)["told"] = lambda: datetime.now(underwriting.SHANGHAI) + ahead
    underwriting.now.__code__ = _moved.__code__
    real = time.time  # with which programs of banks sign their requests
    vars(time)["time"] = lambda: real() + ahead.total_seconds()


def _moved() -> datetime:
    return told()  # type: ignore[name-defined]  # noqa: F821  # of that module


def _answer(called: socket.socket) -> None:
    size, control, _, _ = called.recvmsg(8, socket.CMSG_SPACE(3 * array.array("i").itemsize))
    streams = array.array("i")
    streams.frombytes(control[0][2])
    text = b""
    while len(text) < int.from_bytes(size, "big"):
        text += called.recv(1 << 20)
    name, arguments, folder, environment = json.loads(text)
    child = os.fork()
    if child == 0:
        called.close()
        for place, stream in enumerate(streams):
            os.dup2(stream, place)
            os.close(stream)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        _run(name, arguments)
    for stream in streams:
        os.close(stream)
    called.sendall(child.to_bytes(8, "big"))
    ended = os.pidfd_open(child)
    if ended not in select.select([called.fileno(), ended], [], [])[0]:  # whoever called is gone
        os.kill(child, signal.SIGTERM)
        if not select.select([ended], [], [], 10.0)[0]:
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    with suppress(BrokenPipeError):
        called.sendall(bytes([code if code >= 0 else 128 - code]))
    os._exit(0)


def _run(name: str, arguments: list[str]) -> None:
    import loansvc.cli

    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [name, *arguments]
    vars(sys.modules["__main__"])["__package__"] = None  # by which click tells how it was called
    _set_clock(timedelta(seconds=float(os.environ[AHEAD])))
    code: object = 1
    try:
        if name == "loansvc":
            loansvc.cli.main()
        else:  # python FILE
            sys.argv = arguments
            sys.path.insert(0, os.getcwd())
            runpy.run_path(arguments[0], run_name="__main__")
            code = 0
    except SystemExit as left:
        code = left.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


def stop(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    serve(sys.argv[1])
