"""gunicorn: the tuned defaults. `loansvc serve` starts gunicorn with this file.

The worker is gthread, made silent about broken requests, with many threads, so that a few slow
clients cannot hold the service; put a buffering proxy in front where clients are not trusted.
`LOANSVC_WORKER=asgi` takes gunicorn's asgi worker, which carries the same application.
"""

import gc
import importlib
import os
import shutil
import signal
import socket
import sys
from itertools import count
from typing import Any

from loansvc.files import folder_in_memory, make_room
from loansvc.settings import Settings

_settings = Settings.from_environment()
# What a worker counts: some 170 bytes for each endpoint and outcome, and each bucket of each.
COUNTS_BYTES = 256 * 1024
# A file of each kind for the master, the workers, and those that take over from them.
_COUNTS = [f"{kind}_{place}.db" for kind in ("counter", "histogram")
           for place in range(2 * _settings.workers + 1)]  # fmt: skip
_folder = folder_in_memory("loansvc-metrics-", n_bytes=COUNTS_BYTES * len(_COUNTS))
_folder.mkdir(mode=0o700, exist_ok=True)  # at a HUP somebody may have tidied it away
for _name in _COUNTS:
    if not (_folder / _name).exists():  # else this is a HUP
        make_room(_folder / _name, COUNTS_BYTES)

wsgi_app = "loansvc.web:create_app()"
bind = _settings.address
workers = _settings.workers
_is_asgi = _settings.worker == "asgi"
worker_class = "loansvc.web.asgi.Worker" if _is_asgi else "loansvc.web.worker.Worker"
threads = 1 if _is_asgi else _settings.threads  # the asgi worker has a pool of its own
keepalive = 75  # above the idle time of common proxies, so that they close first
# Of silence. A worker that freezes under load holds the writers more often than not, and nobody
# else can write until it is killed: that must be well before callers give up.
timeout = 20
graceful_timeout = 30
# Room for a storm of connections: the kernel resets what does not fit. None ages in it: all are
# taken at once and, where there is no place for them, refused at once (web/admission.py).
backlog = 1024
loglevel = _settings.log_level
logger_class = "loansvc.web.worker.Logger"  # a log that nobody reads holds up nobody
# A header of the default trusted proxy can otherwise move SCRIPT_NAME and break every route.
forwarder_headers = ""
header_map = "refuse"
control_socket_disable = True  # one surface less, and the root may be read-only
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108  # heartbeat in memory

CHECK_SECONDS = 30
FITS = b"it fits"


def on_starting(arbiter: Any) -> None:
    """Read the program once for all workers; let a HUP change nothing where none could start.

    Whoever is forked has the program already: a worker reads editions alone, within a moment.
    """
    importlib.import_module("loansvc.web")
    importlib.import_module("loansvc.web.metrics").share(str(_folder))
    gc.freeze()  # so that its pages stay shared
    # For a USR2: gunicorn would run its own file, beside which its `http` hides Python's.
    arbiter.START_CTX["args"] = [sys.executable, "-m", "gunicorn", *sys.argv[1:]]
    reload = arbiter.handle_hup

    def checked() -> None:
        refusal = _refusal()
        if refusal:
            arbiter.log.error("not reloaded, the workers stay as they are: %s", refusal)
        else:
            reload()

    arbiter.handle_hup = checked


def pre_fork(arbiter: Any, worker: Any) -> None:
    """Give a worker the first place for its counts that no other has."""
    taken = {one.metrics_place for one in arbiter.WORKERS.values()}
    worker.metrics_place = next(place for place in count(1) if place not in taken)


def post_fork(_arbiter: Any, worker: Any) -> None:
    """Let the worker count in its place."""
    importlib.import_module("loansvc.web.metrics").take_place(worker.metrics_place)


def on_exit(_arbiter: Any) -> None:
    """Remove what was counted: a service that starts again counts from nothing."""
    shutil.rmtree(_folder, ignore_errors=True)


def _refusal() -> str:
    """Why a worker could not start now, in a line; tried in a process of its own, as one would."""
    ours, its = socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            its.sendall(_tried())
        finally:
            os._exit(0)
    its.close()
    with ours:
        ours.settimeout(CHECK_SECONDS)
        try:
            said = b"".join(iter(lambda: ours.recv(65536), b""))
        except TimeoutError:
            os.kill(child, signal.SIGKILL)
            return f"the editions could not be read within {CHECK_SECONDS} s"
    # Its exit is for gunicorn to collect, which waits for whatever child ends.
    return "" if said == FITS else said.decode() or "no reason given"


def _tried() -> bytes:
    try:
        importlib.import_module("loansvc.web").create_app()
    except Exception as error:  # whatever a worker would end of
        return f"{type(error).__name__}: {error}".splitlines()[-1].encode()
    return FITS


def pre_request(worker: object, req: object) -> None:
    """Log nothing: gunicorn would log every address at level debug, whatever a caller put in it."""
