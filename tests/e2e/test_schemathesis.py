"""schemathesis on the built service: all its checks, all its phases, and one check of our own.

Two clients ask, so that one that reads the other's decisions is found.
`make test-schemathesis` asks for longer, with three seeds.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from schemathesis.checks import CHECKS, CheckContext
from schemathesis.config import SchemathesisConfig
from schemathesis.core.transport import Response
from schemathesis.engine import events, from_schema

from loansvc.ledger.keys import SCOPES
from tests.e2e.hostile import NO_LIMITS
from tests.e2e.service import Service, an_example
from tests.small import small_models

# What the schema says of a field: whatever fits it is never refused with one of these. It cannot
# say that 6.0 is no whole number, and it does not say which kind of report needs which figure.
SAID_BY_SCHEMA = frozenset(
    {"unknown_field", "not_an_object", "not_a_boolean", "not_a_choice", "not_a_list", "twice"}
)
SETTINGS_OF_CHECKS: dict[str, Any] = {
    # Rules between fields and of check characters are stated in words only: 422, see below. 401: it
    # asks without a key, too; 403: a review is asked for and decided by one person.
    "positive_data_acceptance": {"expected-statuses": ["2xx", "401", "403", "404", "409", "422"]},
    "max_response_time": 5,  # a hang; how long an answer takes is measured elsewhere
}


@schemathesis.serializer("application/x-ndjson")
def lines_as_they_are(_ctx: Any, value: Any) -> bytes:
    """The text of a batch; what is none stands for an empty one, which is refused as well."""
    return value.encode("utf-8", "replace") if isinstance(value, str) else b""


# Whether a ledger has that many entries no schema can say; `from` and `size` are refused with 400.
AND_400 = {"expected-statuses": ["2xx", "400", "404"]}


@schemathesis.check
def refused_for_what_no_schema_says(
    ctx: CheckContext, response: Response, case: schemathesis.Case
) -> None:
    """A request that fits the schema is refused only for what the schema cannot say."""
    if response.status_code != 422 or case.meta is None:
        return
    if case.meta.generation.mode.is_positive:
        codes = {error["code"] for error in response.json().get("errors", ())}
        assert codes.isdisjoint(SAID_BY_SCHEMA), f"refused for {codes & SAID_BY_SCHEMA}"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    running = Service(tmp_path / "home", small_models(tmp_path / "small"), **NO_LIMITS).start()
    yield running
    running.close()


def two_clients(service: Service, file: Path) -> None:
    """Write keys of two clients where schemathesis reads them; the first has decisions."""
    scopes = [part for scope in SCOPES for part in ("--scope", scope)]
    keys = {c: service.run("keys", "create", c, *scopes).stdout.strip() for c in ("bank", "other")}
    for number in range(1, 4):
        decided = service.call("POST", "/v1/decisions", an_example(number), key=keys["bank"])
        assert decided.status == 201
    users = [
        {"name": client, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {key}"}]}
        for client, key in keys.items()
    ]
    file.write_text(json.dumps({"schemaVersion": "0.2.0", "auth": users}))


def failures(service: Service, folder: Path, *, seed: int, n_examples: int) -> list[str]:
    """What every check found; how many cases there were is printed, and held to be many."""
    two_clients(service, folder / "users.json")
    config = SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "cache": {"enabled": False},  # what an earlier run found is no part of this one
            "auth": {"wfc": {"path": str(folder / "users.json"), "peers": ["bank", "other"]}},
            "generation": {"mode": "all", "database": "none", "max-examples": n_examples},
            "checks": SETTINGS_OF_CHECKS,
            "operations": [
                {"include-path": path, "checks": {"positive_data_acceptance": AND_400}}
                for path in ("/v1/checkpoints", "/v1/decisions/{application_id}/receipt")
            ],
        }
    )
    schema = schemathesis.openapi.from_url(
        f"http://127.0.0.1:{service.port}/openapi.json", config=config
    )
    cases, checks, found = Counter[str](), Counter[str](), []
    for event in from_schema(schema).execute():
        assert not isinstance(event, events.NonFatalError | events.FatalError), str(event)
        if isinstance(event, events.ScenarioFinished):
            cases[event.phase.value] += len(event.recorder.cases)
            for check in (c for made in event.recorder.checks.values() for c in made):
                checks[check.name] += 1
                if check.failure_info is not None:
                    info = check.failure_info
                    found.append(f"{check.name}: {info.failure}\n{info.code_sample}")
    print(f"\nseed {seed}:", *(f"{n} {phase}" for phase, n in cases.items()))
    print(*(f"{name} x {n}" for name, n in sorted(checks.items())), sep=", ")
    assert set(cases) == {"examples", "coverage", "fuzzing", "stateful"}
    assert sum(cases.values()) > 1500
    assert checks.keys() >= set(CHECKS.get_all_names())
    return found


@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket")  # of its client, when collected
def test_generated_requests_are_answered_as_the_contract_says(
    service: Service, tmp_path: Path
) -> None:
    found = failures(service, tmp_path, seed=20_261_123, n_examples=10)
    assert not found, "\n\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_many_generated_requests_are_answered_as_the_contract_says(
    service: Service, tmp_path: Path, seed: int
) -> None:
    """RELIABILITY I2: 500 examples of each operation."""
    found = failures(service, tmp_path, seed=seed, n_examples=500)
    assert not found, "\n\n".join(found)
