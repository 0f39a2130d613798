"""What serves calls nobody, and loads nothing that trains, fetches or unpickles: seen from outside.

strace sees every connect of master and workers, whatever library makes it; the interpreter tells
every module that it loads, and through its audit events whatever is unpickled or started.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from loansvc.ledger.keys import SCOPES
from tests import databases
from tests.databases import POSTGRESQL, SQLITE
from tests.e2e.hostile import NDJSON, NO_LIMITS, TAKEN, routes_of
from tests.e2e.service import Service, an_example
from tests.fault.tools import needs
from tests.small import WANGTAN, small_models

NOT_HERE = {
    "numpy", "pandas", "sklearn", "scipy", "joblib", "matplotlib", "pyarrow", "onnx", "cloudpickle",
    "dill", "requests", "urllib3", "httpx", "aiohttp",
}  # fmt: skip
# SQLAlchemy and Jinja load pickle for what is not used here: nothing may be read with it.
LISTENER = """
import os, sys
HEARD = {"pickle.find_class", "subprocess.Popen", "os.exec", "os.system", "os.posix_spawn"}
def heard(event, args):
    if event in HEARD:
        os.write(2, f"heard {event} in {os.getpid()}\\n".encode())
sys.addaudithook(heard)
os.write(2, f"heard from {os.getpid()} on\\n".encode())
"""
BATCH = "/v1/batches?batch_id=DONE"
CONNECT = re.compile(r"connect\(.*sa_family=(\w+)(?:.*htons\((\d+)\))?")


@pytest.fixture
def service(tmp_path: Path, both_databases: str) -> Iterator[Service]:
    home, listener = tmp_path / "home", tmp_path / "listener"
    listener.mkdir()
    (listener / "sitecustomize.py").write_text(LISTENER)
    made = Service(
        home, small_models(tmp_path), LOANSVC_DATABASE_URL=databases.url_of(home), **NO_LIMITS
    )
    path = made.environment.get("PYTHONPATH", "")
    made.environment |= {"PYTHONPATH": f"{listener}:{path}", "PYTHONPROFILEIMPORTTIME": "1"}
    yield made
    made.close()


def use_everything(service: Service) -> None:
    """Every operation of the contract, as a client that may do everything."""
    made = service.run("keys", "create", "bank", *(p for s in SCOPES for p in ("--scope", s)))
    key, examples = made.stdout.strip(), map(an_example, count(1001))
    contract = service.get("/openapi.json", key="").json()
    names = []
    for example in examples:
        assert service.post(example, key=key).status == 201
        names.append({"application_id": example["application_id"], "batch_id": "DONE"})
        if len(names) == sum("post" in methods for methods in contract["paths"].values()):
            break
    bearer = {"Authorization": f"Bearer {key}"}
    assert service.send("POST", BATCH, b"{}", bearer | {"Content-Type": NDJSON}).status == 202
    for route in routes_of(contract, key=key, values=iter(names)):
        body = json.dumps(route.document("outward")) if route.reads != "nothing" else None
        kind = {"Content-Type": route.media_type} if body else {}
        answer = service.send("POST", route.path, body, bearer | kind)
        assert answer.status in TAKEN | {403}, (route.template, answer.body)  # four eyes
    of = names[0] | {"code": WANGTAN, "digest": "sha256:0"}
    for template, methods in contract["paths"].items():
        if "get" in methods:
            path = template.format_map(of)
            assert service.get(path, key=key).status in (200, 404, 410), template


@pytest.mark.parametrize(
    "both_databases", [SQLITE, pytest.param(POSTGRESQL, marks=pytest.mark.slow)], indirect=True
)
def test_what_serves_connects_to_its_database_alone_and_loads_no_workshop(
    both_databases: str, service: Service, tmp_path: Path
) -> None:
    needs("strace")
    trace = tmp_path / "trace"
    service.start(
        "strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=connect", "-o", str(trace)
    )  # fmt: skip
    use_everything(service)
    master = service.master()
    assert master is not None
    os.kill(master, signal.SIGTERM)  # strace, its parent, keeps signals to itself
    service.wait()
    database = urlsplit(service.environment["LOANSVC_DATABASE_URL"]).port
    connects = {m.groups() for m in map(CONNECT.search, trace.read_text().splitlines()) if m}
    # A name service of the machine itself is asked by the database's library who the user is.
    outward = {found for found in connects if found[0] != "AF_UNIX"}
    assert outward == ({("AF_INET", str(database))} if database else set())
    loaded = loaded_in(service.log())
    assert {"loansvc.web.api", "gunicorn.arbiter"} <= loaded  # else nothing was told
    assert {name for name in loaded if name.split(".")[0] in NOT_HERE} == set()
    assert {name for name in loaded if name.startswith("loansvc.training")} == set()
    heard = [line for line in service.log().splitlines() if line.startswith("heard")]
    assert heard == [f"heard from {master} on"]  # and nothing afterwards, of its workers neither


def loaded_in(log: str) -> set[str]:
    """The modules that any process told of when it loaded them."""
    return {line.rpartition("|")[2].strip() for line in log.splitlines() if "import time:" in line}
