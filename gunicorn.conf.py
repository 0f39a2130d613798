"""gunicorn: the tuned defaults. `loansvc serve` starts gunicorn with this file.

The worker is gthread, made silent about broken requests, with many threads, so that a few slow
clients cannot hold the service; put a buffering proxy in front where clients are not trusted.
"""

import os

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
backlog = 128  # a longer queue is work whose caller has gone
loglevel = _settings.log_level
# A header of the default trusted proxy can otherwise move SCRIPT_NAME and break every route.
forwarder_headers = ""
header_map = "refuse"
control_socket_disable = True  # one surface less, and the root may be read-only
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108  # heartbeat in memory
