"""The image of the Dockerfile, built without a daemon and run as an engine would run it.

A base is made by debootstrap, since no registry need be reached; buildah builds on it. It runs as
user 10001 with its root read-only: the volume and /dev/shm alone are written. Needs root.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.e2e.service import free_port, wait_for

ROOT = Path(__file__).parents[2]
USER = 10001
TOOLS = ("buildah", "debootstrap", "unshare")
pytestmark = [
    pytest.mark.image,
    pytest.mark.skipif(
        os.getuid() != 0 or not all(map(shutil.which, TOOLS)),
        reason=f"needs root and {', '.join(TOOLS)}",
    ),
]
# What an engine mounts into a container: the root, the volume, and a /dev with memory.
START = """set -e
mount --bind "$1" "$2"; mount -o remount,bind,ro "$2"
mount --bind "$3" "$2/var/lib/loansvc"; mount --bind "$4" "$2/var/backups/loansvc"
mount -t tmpfs tmpfs "$2/dev"; mkdir "$2/dev/shm"; mount -t tmpfs tmpfs "$2/dev/shm"
for name in null urandom random zero; do
    touch "$2/dev/$name"; mount --bind /dev/$name "$2/dev/$name"
done
mount -t proc proc "$2/proc"
root=$2; port=$5; shift 5
exec chroot --userspec=10001:10001 "$root" /usr/bin/env -i PATH=/opt/loansvc/bin:/usr/bin:/bin \\
    LOANSVC_HOME=/var/lib/loansvc LOANSVC_PORT="$port" PYTHONDONTWRITEBYTECODE=1 "$@"
"""


def buildah(*arguments: str) -> str:
    environment = os.environ | {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}
    done = subprocess.run(
        ["buildah", *arguments], cwd=ROOT, env=environment, text=True, capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout.strip()


def a_base(folder: Path) -> str:
    """A Debian with its own Python, as the base of the image."""
    subprocess.run(
        ["debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates",
         "bookworm", str(folder)],
        check=True, capture_output=True,
    )  # fmt: skip
    container = buildah("from", "scratch")
    buildah("copy", "--quiet", container, str(folder), "/")
    buildah("commit", "--quiet", "--rm", container, "localhost/loansvc-test-base")
    return "localhost/loansvc-test-base"


class Image:
    """The image, mounted; what is run in it shares one volume."""

    def __init__(self, folder: Path) -> None:
        self._work = folder
        self.port = free_port()
        base = a_base(folder / "base")
        (folder / "pip.conf").write_text(
            "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n", "ascii"
        )
        authorities = os.environ.get("PIP_CERT", "/etc/ssl/certs/ca-certificates.crt")
        buildah(
            "build-using-dockerfile", "--network", "host", "--format", "docker",
            "--build-arg", f"PYTHON_IMAGE={base}", "--secret", f"id=pip.conf,src={folder}/pip.conf",
            "--secret", f"id=ca-certificates.crt,src={authorities}", "--tag", "loansvc-test", ".",
        )  # fmt: skip
        self.container = buildah("from", "localhost/loansvc-test")
        self.root = Path(buildah("mount", self.container))
        self.volume, self.backups, self.place = (folder / n for n in ("volume", "backups", "root"))
        self.place.mkdir()
        for theirs in (self.volume, self.backups):
            theirs.mkdir(mode=0o700)
            os.chown(theirs, USER, USER)

    def start(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "bash", "-c", START, "start",
             self.root, self.place, self.volume, self.backups, str(self.port),
             "/bin/sh", "-c", 'umask 0077 && exec "$@"', "--", *command],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip

    def run(self, *command: str) -> str:
        started = self.start(*command)
        said, _ = started.communicate(timeout=120)
        assert started.returncode == 0, said
        return said

    def ask(self, method: str, path: str, body: str = "") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Content-Type": "application/json"} if body else {}
        with suppress(FileNotFoundError):
            headers["Authorization"] = f"Bearer {(self.volume / 'demo-key').read_text()}"
        with closing(connection):
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def is_ready(self) -> bool:
        with suppress(OSError):
            return self.ask("GET", "/readyz")[0] == 200
        return False

    def close(self) -> None:
        buildah("rm", self.container)
        buildah("rmi", "--force", "localhost/loansvc-test", "localhost/loansvc-test-base")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    made = Image(tmp_path_factory.mktemp("image"))
    yield made
    made.close()


def test_the_image_serves_decides_and_ends_when_asked(image: Image) -> None:
    service = image.start("loansvc", "serve")
    try:
        wait_for("the service in the image", image.is_ready)
        example = json.loads((image.volume / "example.json").read_text("utf-8"))
        status, body = image.ask("POST", "/v1/decisions", json.dumps(example))
        assert (status, json.loads(body)["outcome"]) == (201, "approve")
        assert image.run("loansvc", "worker", "--once") is not None
        assert "nothing wrong" in image.run("loansvc", "doctor")
        backup = image.run("loansvc", "ledger", "backup", "/var/backups/loansvc/ledger-1")
        assert "backed up and verified" in backup
    finally:
        service.send_signal(signal.SIGTERM)
        said, _ = service.communicate(timeout=60)
    assert service.returncode == 0, said
    modes = {path.stat().st_mode & 0o077 for path in image.volume.iterdir() if path.is_file()}
    assert modes == {0}


def test_the_image_is_small_and_its_program_is_nobodys_to_change(image: Image) -> None:
    told = json.loads(buildah("inspect", "localhost/loansvc-test"))["Docker"]["config"]
    assert told["User"] == f"{USER}:{USER}"
    assert told["Healthcheck"]["Test"][0] == "CMD"
    assert set(told["Volumes"]) == {"/var/lib/loansvc"}
    program = image.root / "opt" / "loansvc"
    assert not list(program.glob("lib/python*/site-packages/pip"))
    assert not list(program.glob("lib/python*/site-packages/numpy"))
    assert all(path.stat().st_uid == 0 for path in program.rglob("*.py"))
    assert sum(path.lstat().st_size for path in program.rglob("*")) < 90_000_000
    for left in ("etc/pip.conf", "src", "wheels", "opt/build"):
        assert not (image.root / left).exists(), left
