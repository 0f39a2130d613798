"""gunicorn: the tuned defaults. `loansvc serve` starts gunicorn with this file.

The worker is gthread, made silent about broken requests, with many threads, so that a few slow
clients cannot hold the service; put a buffering proxy in front where clients are not trusted.
"""

import os
import subprocess
import sys
from typing import Any

from loansvc.settings import Settings

_settings = Settings.from_environment()

wsgi_app = "loansvc.web:create_app()"
bind = _settings.address
workers = _settings.workers
worker_class = "loansvc.web.worker.Worker"
threads = _settings.threads
keepalive = 75  # above the idle time of common proxies, so that they close first
timeout = 30
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

CHECK = "from loansvc.web import create_app; create_app()"
CHECK_SECONDS = 30


def on_starting(arbiter: Any) -> None:
    """Let a HUP change nothing where the new workers could not start: those that serve stay."""
    reload = arbiter.handle_hup

    def checked() -> None:
        refusal = _refusal()
        if refusal:
            arbiter.log.error("not reloaded, the workers stay as they are: %s", refusal)
        else:
            reload()

    arbiter.handle_hup = checked


def _refusal() -> str:
    """Why a worker could not start now, in a line; in a process of its own, as a worker would."""
    try:
        tried = subprocess.run(  # noqa: S603  # nothing here is a user's text
            [sys.executable, "-c", CHECK], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=CHECK_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"the editions could not be read within {CHECK_SECONDS} s"
    if tried.returncode == 0:
        return ""
    return (tried.stderr.strip().splitlines() or ["no reason given"])[-1]


def pre_request(worker: object, req: object) -> None:
    """Log nothing: gunicorn would log every address at level debug, whatever a caller put in it."""
