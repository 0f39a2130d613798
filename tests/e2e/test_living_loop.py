"""Drift is seen, a challenger is trained from the ledger, shadows, is promoted by its day, and
calibration comes back: two years of a synthetic county, by the commands that people use.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loansvc.settings import shipped
from tests.shell import run as shell_run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_core")]
# People apply from June 2021 to May 2023; from June 2022 on it is another county.
SIMULATED = ("--applications", "1000", "--window-months", "4")
BEFORE_DRIFT = ("--reference", "2021-06-01", "2022-04-30")
TWO_PEOPLE = ("--proposer", "An Analyst", "--approver", "A Head of Risk")
SAID = (
    "--product", "credit_loan", "--target", "target", "--window-months", "4", "--synthetic",
    "--first-application", "2022-06-01", "--last-application", "2022-09-30",
    "--outcome-known-on", "2023-01-31", "--sampling", "loans since the drift",
    "--storage", "loansvc simulate", "--reference", "drift seen in June 2022",
    "--operator", "An Analyst", "--intended-use", "a test", "--limit", "synthetic",
)  # fmt: skip

Shell = Callable[..., str]


@pytest.fixture
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def shell(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    monkeypatch.setenv("LOANSVC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOANSVC_MODELS", str(tmp_path / "models"))
    shutil.copytree(shipped("models"), tmp_path / "models")

    def run(*arguments: object, status: int = 0) -> str:
        found, out, err = shell_run(capfd, monkeypatch, *arguments)
        assert found == status, err
        return out

    return run


def test_the_loop_closes(shell: Shell, tmp_path: Path) -> None:
    def watched(month: str, last_day: int, *broken: str) -> dict[str, Any]:
        """What a month shows a year later, and which limits it breaks."""
        period = ("--from", f"{month}-01", "--to", f"{month}-{last_day}", "--as-of", "2023-12-15")
        found = json.loads(
            shell("monitor", *period, *BEFORE_DRIFT, "--json", status=int(bool(broken)))
        )
        assert {breach["limit"] for breach in found["broken"]} == set(broken)
        return found

    # What bad means has to be known in time to be learnt from: a champion of four months.
    card = json.loads((tmp_path / "models/scorecards/credit_loan/2019-08-01.json").read_text())
    champion = tmp_path / "champion.json"
    champion.write_text(
        json.dumps(card | {"valid_from": "2021-06-01", "default": {"window_months": 4}})
    )
    shell("publish", champion, *TWO_PEOPLE)
    shell("simulate", *SIMULATED, "--through", 20)

    # The training table comes out of the ledger, as it was known on a day.
    table, challenger = tmp_path / "table.parquet", tmp_path / "challenger.json"
    since_drift = ("--from", "2022-06-01", "--to", "2022-09-30", "--as-of", "2023-01-31")
    told = shell("history", *since_drift, "--for-training", table, "--json")
    states = json.loads(told)["by_state"]
    assert (states["immature"], states["not_drawn"]) == (0, 0)
    assert states["bad"] > 80
    shell("train", "--data", table, *SAID, "--valid-from", "2023-02-01", "--out", challenger)
    role = ("--role", "challenger", "--until", "2023-03-31")
    shell("publish", challenger, *role, *TWO_PEOPLE)
    shell("simulate", "--through", 22)

    # Promoted by its day, with a reason: it moves answers further than a policy lets it.
    edition = tmp_path / "models/scorecards/credit_loan/2023-02-01.json"
    reason = ("--force-reason", "drift since June 2022")
    shell("publish", edition, "--valid-from", "2023-04-01", *reason, *TWO_PEOPLE)
    shell("simulate")

    # Before the drift nothing; with it other people, and losses that the champion did not expect.
    quiet = watched("2022-05", 31)
    drifted = watched("2022-06", 30, "drift_alpha", "calibration_alpha")
    assert largest_shift(drifted) == "online_revenue_percent" != largest_shift(quiet)
    # In the shadow it was nearer to what happened; nobody was told what it said.
    shadows = json.loads(shell("challengers", "--product", "credit_loan", "--to", "2023-12-15",
                               "--json"))["challengers"]  # fmt: skip
    assert [one["decisions"] for one in shadows] == [2_000]
    assert shadows[0]["verdict"]["says"] == "promote"
    # Since it decides, losses are as it says.
    after = watched("2023-04", 30)
    assert {one["scorecard"] for one in after["drift"]} == {shadows[0]["challenger"]["digest"]}
    assert sum(grade["n"] for grade in after["calibration"]) > 100
    assert json.loads(shell("ledger", "verify", "--json"))["problems"] == []


def largest_shift(found: dict[str, Any]) -> str:
    """The characteristic with the largest PSI of a month."""
    [part] = found["drift"]
    shifts = [one for one in part["comparisons"] if one["kind"] == "characteristic"]
    return str(max(shifts, key=lambda one: one["psi"])["name"])
