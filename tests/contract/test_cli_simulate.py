"""`loansvc simulate`: it goes on where it stopped, and never mixes with what people decided."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.shell import run as shell_run
from tests.small import an_application, small_underwriting

SMALL = ("--applications", "28", "--months", "2")


@pytest.fixture
def shell(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setenv("LOANSVC_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> tuple[int, str, str]:
        return shell_run(capfd, monkeypatch, *arguments)

    return run


def test_it_goes_on_where_it_stopped(shell: Any, tmp_path: Path) -> None:
    status, out, _ = shell("simulate", *SMALL, "--through", "1")
    assert (status, out.splitlines()) == (
        0, ["month   1   28 applications (synthetic)", "simulated through month 1 of 9"],
    )  # fmt: skip
    status, out, _ = shell("simulate", "--through", "2")
    assert (status, out.splitlines()) == (
        0, ["month   2   28 applications (synthetic)", "simulated through month 2 of 9"],
    )  # fmt: skip
    assert json.loads((tmp_path / "home" / "simulation.json").read_text())["through"] == 2
    status, out, _ = shell("simulate", "--through", "2")
    assert (status, out.splitlines()) == (0, ["simulated through month 2 of 9"])
    assert shell("ledger", "verify")[0] == 0


def test_another_plan_is_refused(shell: Any) -> None:
    shell("simulate", *SMALL, "--through", "1")
    status, out, err = shell("simulate", "--seed", "2")
    assert (status, out) == (1, "")
    assert "--seed: this ledger is simulated with 1." in err


def test_a_ledger_of_real_decisions_is_left_alone(shell: Any, tmp_path: Path) -> None:
    root = small_underwriting(tmp_path)
    root.decide(an_application(1, applied_on=date(2026, 11, 20).isoformat()), client="bank")
    root.ledger.close()
    status, out, err = shell("simulate", *SMALL)
    assert (status, out) == (1, "")
    assert "has decisions that no simulation made" in err
    assert not (tmp_path / "home" / "simulation.json").exists()
