"""How many requests a second one worker on one core answers, and how long each takes.

Run: make bench. Rounds take turns, so that a busy machine slows all; ratios of one run can be
compared, times of two runs cannot. The load has the other core. Nothing here asserts a time.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests import postgres
from tests.bench.peers.run import LOAD_CORE, Server, bare, constant, measured, ours, show
from tests.load import DECISIONS

pytestmark = pytest.mark.bench
SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))  # of each round
CONNECTIONS = (1, 8, 32, 128)
FLASK = """
from flask import Flask
app = Flask("bare_flask", static_folder=None)
BODY = b'{"status":"ok"}' + b" " * 1000

@app.get("/")
def reply():
    return app.response_class(BODY, mimetype="application/json")
"""


def also(server: Server, name: str, request_of: Callable[[int], bytes], *, new: bool) -> Server:
    """The same service, asked something else; `new`: each time another application."""
    return replace(server, name=name, request_of=request_of, is_ours=new)


def asked_of(server: Server, name: str) -> Iterator[Server]:
    """A decision, a preview, and the same application again."""
    first = server.request_of(0)
    preview = first.replace(DECISIONS.encode(), b"/v1/previews", 1)
    yield also(server, f"{name}: preview", lambda _: preview, new=False)
    yield also(server, f"{name}: decide", server.request_of, new=True)
    yield also(server, f"{name}: the same again", lambda _: first, new=False)


@contextmanager
def on_postgres(scratch: Path, worker: str) -> Iterator[Server]:
    """The same on PostgreSQL, which has the load's core as well."""
    name = f"bench_{worker}"
    postgres.shared().new(name)
    url = {"LOANSVC_DATABASE_URL": postgres.shared().url(name)}
    with ours(scratch / name, worker, f"{worker}: decide, PostgreSQL", **url) as server:
        yield server


def test_one_worker_on_one_core(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    os.sched_setaffinity(0, LOAD_CORE)
    postgres.shared()  # started here, so that it has this core too
    with ExitStack() as stack:
        enter = stack.enter_context
        floor = enter(bare(tmp_path))
        ours_ = {worker: enter(ours(tmp_path, worker)) for worker in ("threads", "asgi")}
        servers = [
            floor,
            enter(constant(tmp_path, "flask", FLASK)),
            enter(
                constant(tmp_path, "flask_gthread", FLASK, "--threads", "64", "--keep-alive", "75")
            ),
            *(one for worker, server in ours_.items() for one in asked_of(server, worker)),
            *(enter(on_postgres(tmp_path, worker)) for worker in ours_),
        ]
        numbers = itertools.count(1)
        found = measured(servers, SECONDS, numbers, CONNECTIONS)
        with capsys.disabled():
            print(f"\n\nOne worker on one core, the load on the other; {SECONDS:.0f} s a round")
            show(found, servers, CONNECTIONS)
            for n in CONNECTIONS:
                of = {s.name: found[s.name, n].per_s / found["bare", n].per_s for s in servers}
                print(f"of bare at {n}:", *(f"{name} {ratio:.2f}" for name, ratio in of.items()))
