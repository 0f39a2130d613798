"""loansvc beside model servers that answer with the same model, each in its own environment.

    make bench-peers [ARGS="--peers arrangements,fastapi --seconds 5"]

One core for the server (its workers are pinned to it), the other for the load. Rounds take turns:
a bare gunicorn reply, loansvc (a whole new decision, on disk), the peer (`predict_proba` of one
record, nothing recorded). Ratios of one run can be compared; times of two runs cannot.

"arrangements" is no peer: loansvc in gunicorn's threads, in its asgi worker, and in granian.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loansvc.settings import shipped
from tests.bench.connections import Taken, drive, request
from tests.bench.peers.model import write
from tests.e2e.service import Service, children, free_port
from tests.load import DECISIONS, an_application

BARE = """
BODY = b'{"status":"ok"}' + b" " * 1000
def app(environ, start_response):
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/json"),
                              ("Content-Length", str(len(BODY)))])
    return [BODY]
"""
GOOD = frozenset({200, 201})
REFUSED = 503  # where more ask than there is room for
CONNECTIONS = (1, 8, 32)
N_ROUNDS = 3
MOST_PER_S = 4_000  # requests that are made beforehand, for each second
START_S = 120.0
SERVER_CORE, LOAD_CORE = "0", {1}
ON_ONE_CORE = ("taskset", "-c", SERVER_CORE)
QUIET = {
    "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", "BENTOML_DO_NOT_TRACK": "True",
    "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "no_proxy": "*",
}  # fmt: skip


@dataclass(frozen=True)
class Peer:
    """How a server is started, and what it is asked."""

    name: str
    command: Callable[[Path, int, Path], list[str]]  # environment's bin, port, scratch folder
    path: str = "/predict"
    body: Callable[[dict[str, Any]], Any] = lambda record: record


def _mlserver(bin_: Path, port: int, scratch: Path) -> list[str]:
    settings = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port(),
                "host": "127.0.0.1", "parallel_workers": 0, "debug": False}  # fmt: skip
    (scratch / "settings.json").write_text(json.dumps(settings))
    model = {"name": "score", "implementation": "tests.bench.peers.serve_mlserver.Score"}
    (scratch / "model-settings.json").write_text(json.dumps(model))
    return [str(bin_ / "mlserver"), "start", str(scratch)]


def _mlflow(bin_: Path, port: int, scratch: Path) -> list[str]:
    out = scratch / "model"
    subprocess.run([bin_ / "python", "-m", "tests.bench.peers.serve_mlflow", out], check=True)
    return [str(bin_ / "mlflow"), "models", "serve", "-m", str(out), "-p", str(port),
            "--env-manager", "local", "--workers", "1"]  # fmt: skip


def _columns(record: dict[str, Any]) -> dict[str, Any]:
    """The record as the Open Inference Protocol has it: a tensor for each column."""
    return {
        "parameters": {"content_type": "pd"},
        "inputs": [
            {"name": name, "shape": [1], "data": [value],
             "datatype": "BYTES" if isinstance(value, str) else "INT64",
             "parameters": {"content_type": "str"} if isinstance(value, str) else None}
            for name, value in record.items()
        ],
    }  # fmt: skip


PEERS = (
    Peer("fastapi", lambda bin_, port, _: [
        str(bin_ / "uvicorn"), "tests.bench.peers.serve_fastapi:app", "--port", str(port),
        "--log-level", "warning"]),
    Peer("bentoml", lambda bin_, port, _: [
        str(bin_ / "bentoml"), "serve", "tests.bench.peers.serve_bentoml:Score", "--host",
        "127.0.0.1", "--port", str(port)], body=lambda record: {"record": record}),
    Peer("mlserver", _mlserver, "/v2/models/score/infer", _columns),
    Peer("mlflow", _mlflow, "/invocations", lambda record: {"dataframe_records": [record]}),
    Peer("litserve", lambda bin_, port, _: [
        str(bin_ / "python"), "-m", "tests.bench.peers.serve_litserve", str(port)]),
    Peer("ray", lambda bin_, port, _: [
        str(bin_ / "python"), "-m", "tests.bench.peers.serve_ray", str(port)]),
)  # fmt: skip


@dataclass
class Server:
    """One that runs: where, how long it took to answer, and what it is sent."""

    name: str
    port: int
    request_of: Callable[[int], bytes]
    start_s: float
    pid: int
    is_ours: bool = False  # each request is made beforehand, and sent once


@contextmanager
def started(
    name: str, command: list[str], request_of: Callable[[int], bytes], port: int, log: Path,
    environment: Mapping[str, str] = os.environ, folder: Path | None = None,
) -> Iterator[Server]:  # fmt: skip
    """A server until the end of the block, pinned to its core; `folder`: where it is started."""
    began = time.perf_counter()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*ON_ONE_CORE, *command], stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            env=environment, cwd=folder,
        )  # fmt: skip
    try:
        while not _answers(port, request_of(0)):
            if process.poll() is not None or time.perf_counter() - began > START_S:
                said = log.read_text(errors="replace")[-3_000:]
                raise SystemExit(f"{name} does not answer:\n{said}")
            time.sleep(0.05)
        yield Server(name, port, request_of, time.perf_counter() - began, process.pid)
    finally:
        for pid in (process.pid, *_family(process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def _answers(port: int, data: bytes) -> bool:
    with suppress(OSError, AssertionError):
        taken = drive(port, lambda _: data, n_connections=1, seconds=0)
        return taken.statuses.keys() <= GOOD
    return False


def _family(pid: int) -> list[int]:
    """Every process below this one."""
    return [p for child in children(pid) for p in (child, *_family(child))]


def pss_mb(pid: int) -> float:
    """What the process and all below it hold, each shared page counted once among them."""
    total_kb = 0
    for one in (pid, *_family(pid)):
        with suppress(OSError):
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            total_kb += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total_kb / 1024


@contextmanager
def constant(scratch: Path, name: str, text: str, *options: str) -> Iterator[Server]:
    """gunicorn with a constant reply, one worker; away from here, where our settings lie."""
    (scratch / f"{name}_app.py").write_text(text)
    port, sent = free_port(), request("/", b"")
    command = [sys.executable, "-m", "gunicorn", "-w", "1", "-b", f"127.0.0.1:{port}",
               "--log-level", "error", *options, f"{name}_app:app"]  # fmt: skip
    log = scratch / f"{name}.log"
    with started(name, command, lambda _: sent, port, log, folder=scratch) as server:
        yield server


def bare(scratch: Path) -> AbstractContextManager[Server]:
    """A constant reply of gunicorn's sync worker."""
    return constant(scratch, "bare", BARE, "-k", "sync")


def _service(home: Path, worker: str, **settings: str) -> Service:
    """loansvc with one worker and no limit on how often a client may ask."""
    service = Service(
        home, shipped("models"), LOANSVC_WORKERS="1", LOANSVC_LOG_LEVEL="error",
        LOANSVC_CONCURRENCY="32", LOANSVC_QUEUE="256", LOANSVC_RATE_LIMIT="999999",
        LOANSVC_WORKER=worker, **settings,
    )  # fmt: skip
    service.run("ledger", "upgrade")  # makes the home
    return service


def _deciding(key: str) -> Callable[[int], bytes]:
    """Every request a new application, to be decided and recorded."""
    return lambda n: request(DECISIONS, an_application(n), f"Authorization: Bearer {key}")


@contextmanager
def ours(
    scratch: Path, worker: str = "threads", name: str = "loansvc", **settings: str
) -> Iterator[Server]:
    """loansvc in gunicorn."""
    service = _service(scratch / f"home-{worker}", worker, **settings)
    began = time.perf_counter()
    try:
        service.start(*ON_ONE_CORE)
        start_s = time.perf_counter() - began
        yield Server(name, service.port, _deciding(service.key), start_s, service.pid, is_ours=True)
    finally:
        service.close()


@contextmanager
def ours_on_granian(scratch: Path, bin_: Path) -> Iterator[Server]:
    """The same WSGI application in granian: no checkpoints, and slow callers hold its threads."""
    service, port = _service(scratch / "home-granian", "threads"), free_port()
    key = service.run("keys", "create", "bench").stdout.strip()
    command = [
        str(bin_ / "granian"), "--interface", "wsgi", "--workers", "1", "--blocking-threads", "16",
        "--port", str(port), "--log-level", "error", "--factory", "loansvc.web:create_app",
    ]  # fmt: skip
    environment, log = service.environment | {"PYTHONPATH": str(Path.cwd())}, scratch / "granian"
    with started("granian", command, _deciding(key), port, log, environment) as server:
        server.is_ours = True
        yield server


def measured(
    servers: list[Server], seconds: float, numbers: Iterator[int],
    connections: tuple[int, ...] = CONNECTIONS,
) -> dict[Any, Taken]:  # fmt: skip
    """By server and connections, rounds taken in turn."""
    found: dict[Any, Taken] = {}
    for n in connections:
        for _, server in itertools.product(range(N_ROUNDS), servers):
            request_of = server.request_of
            if server.is_ours:
                n_made = round(seconds * MOST_PER_S)
                request_of = [request_of(next(numbers)) for _ in range(n_made)].__getitem__
            taken = drive(server.port, request_of, n_connections=n, seconds=seconds)
            assert taken.statuses.keys() <= GOOD | {REFUSED}, (server.name, taken.statuses)
            found.setdefault((server.name, n), Taken()).add(taken)
    return found


def show(
    found: dict[Any, Taken], servers: list[Server], connections: tuple[int, ...] = CONNECTIONS
) -> None:
    """Print what these servers did in the same minutes."""
    width = max(len(server.name) for server in servers)
    heads = (f"{n:>3}: per s, p50, p99 ms" for n in connections)
    print(f"\n{'':<{width}}", *heads, "PSS MB start s", sep=" | ")
    for server in servers:
        taken = [found[server.name, n] for n in connections]
        figures = (
            f"{t.per_s:7.0f} {t.percentile_ms(50):6.1f} {t.percentile_ms(99):7.1f}" for t in taken
        )
        ends = f"{pss_mb(server.pid):7.0f}{server.start_s:7.1f}"
        print(f"{server.name:<{width}}", *figures, ends, sep=" | ")


def show_ratios(found: dict[Any, Taken], them: str) -> None:
    """Print what loansvc does to a peer and to the bare reply."""
    for n in CONNECTIONS[1:]:
        us, theirs, floor = (found[name, n] for name in ("loansvc", them, "bare"))
        print(
            f"at {n}: loansvc {us.per_s / theirs.per_s:.0f} times {them}, "
            f"{us.per_s / floor.per_s:.2f} of bare; p99 "
            f"{us.percentile_ms(99) / theirs.percentile_ms(99):.2f} of {them}'s"
        )


def beside(peer: Peer, bin_: Path, scratch: Path, record: dict[str, Any], asked: Any) -> None:
    """One peer, with loansvc and the bare reply taking turns with it."""
    folder = scratch / peer.name
    folder.mkdir()
    environment = {"VIRTUAL_ENV": str(bin_.parent), "PATH": f"{bin_}:{os.environ['PATH']}"}
    port, sent = free_port(), request(peer.path, json.dumps(peer.body(record)).encode())
    command = peer.command(bin_, port, folder)
    with (
        bare(folder) as floor,
        ours(folder) as us,
        started(
            peer.name, command, lambda _: sent, port, folder / "log", os.environ | environment
        ) as them,
    ):
        servers = [floor, us, them]
        found = measured(servers, asked.seconds, itertools.count(1))
        show(found, servers)
        show_ratios(found, peer.name)


def arrangements(bin_: Path, scratch: Path, asked: Any) -> None:
    """loansvc in each server that can carry it, with the bare reply taking turns with them."""
    folder = scratch / "arrangements"
    folder.mkdir()
    with (
        bare(folder) as floor,
        ours(folder, "threads", "threads") as threads,
        ours(folder, "asgi", "asgi") as asgi,
        ours_on_granian(folder, bin_) as granian,
    ):
        servers = [floor, threads, asgi, granian]
        found = measured(servers, asked.seconds, itertools.count(1))
        show(found, servers)
    for n in CONNECTIONS:
        ratio = {s.name: found[s.name, n].per_s / found["bare", n].per_s for s in servers[1:]}
        print(f"at {n}, of bare:", *(f"{name} {value:.2f}" for name, value in ratio.items()))


def main() -> None:
    """Measure every peer that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environments", type=Path)
    every = ["arrangements", *(peer.name for peer in PEERS)]
    parser.add_argument("--peers", default=",".join(every))
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round")
    asked = parser.parse_args()
    os.sched_setaffinity(0, LOAD_CORE)
    with tempfile.TemporaryDirectory(prefix="loansvc-peers-") as made:
        scratch = Path(made)
        os.environ.update(QUIET, MODEL_FOLDER=made, PYTHONPATH=str(Path.cwd()))
        record = write(scratch)
        if "arrangements" in asked.peers.split(","):
            arrangements(asked.environments.absolute() / "granian" / "bin", scratch, asked)
        for peer in PEERS:
            if peer.name in asked.peers.split(","):
                bin_ = asked.environments.absolute() / peer.name / "bin"
                beside(peer, bin_, scratch, record, asked)


if __name__ == "__main__":
    main()
