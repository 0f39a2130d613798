"""The shipped nginx in front of a service, on ports of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.service import free_port, wait_for

SHIPPED = Path(__file__).parents[2] / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="no nginx on this machine")


class Proxy:
    """nginx with the shipped file, all but its ports, pid file and log."""

    def __init__(self, folder: Path, upstream_port: int) -> None:
        self.port = free_port()
        text = SHIPPED.read_text("utf-8")
        for shipped, own in (
            ("127.0.0.1:8000", f"127.0.0.1:{upstream_port}"),
            ("127.0.0.1:8080", f"127.0.0.1:{self.port}"),
            ("/run/loansvc-nginx.pid", str(folder / "nginx.pid")),
            ("/dev/stdout", str(folder / "access.log")),
        ):
            assert shipped in text
            text = text.replace(shipped, own)
        folder.mkdir(exist_ok=True)
        path = folder / "nginx.conf"
        path.write_text(text, "utf-8")
        assert NGINX is not None
        with (folder / "error.log").open("wb") as log:
            self._process = subprocess.Popen(
                [NGINX, "-c", str(path), "-p", str(folder), "-g", "daemon off;"],
                stderr=log, start_new_session=True,
            )  # fmt: skip
        wait_for("nginx", (folder / "nginx.pid").exists)

    def close(self) -> None:
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(20)
