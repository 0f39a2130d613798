"""What is shipped for Prometheus and Grafana loads there, and speaks of metrics that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "loansvc.rules.yml"
PAGE = (DEPLOY.parent / "docs" / "operations.md").read_text("utf-8")
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "loansvc.json").read_text("utf-8"))
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="no promtool here (Debian: apt-get install prometheus)"
)


@needs_promtool
@pytest.mark.parametrize(
    ("what", "file"),
    [
        ("check rules", "loansvc.rules.yml"),
        ("check config", "prometheus.yml"),
        ("test rules", "loansvc.test.yml"),
    ],
)
def test_promtool_takes_it(what: str, file: str) -> None:
    run = subprocess.run(
        ["promtool", *what.split(), str(DEPLOY / "prometheus" / file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "SUCCESS" in run.stdout


def test_every_alert_is_set_off_in_the_tests_of_the_rules_and_told_on_the_page() -> None:
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text("utf-8"))
    assert len(alerts) == len(set(alerts)) > 8
    fired = re.findall(r'alertname="(\w+)"', RULES.with_name("loansvc.test.yml").read_text("utf-8"))
    assert set(fired) == set(alerts)
    assert {alert for alert in alerts if f"`{alert}`" not in PAGE} == set()


@needs_promtool
def test_every_query_of_the_dashboard_can_be_read(tmp_path: Path) -> None:
    """As rules, with what Grafana puts in place of its variables."""
    rules = []
    for number, query in enumerate(queries()):
        asked = (
            query.replace("$__rate_interval", "5m").replace("$job", "x").replace("$instance", "y")
        )
        assert "$" not in asked
        rules.append({"record": f"q{number}", "expr": asked})
    file = tmp_path / "queries.json"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    run = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert (run.returncode, f"{len(rules)} rules found" in run.stdout) == (0, True), run.stderr


def queries() -> list[str]:
    return [t["expr"] for panel in DASHBOARD["panels"] for t in panel.get("targets", [])]


def test_panels_have_ids_of_their_own_and_cover_none_of_another() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 15
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24  # columns of a dashboard


def test_every_panel_asks_the_data_source_that_the_reader_chose() -> None:
    for panel in DASHBOARD["panels"]:
        if panel["type"] != "row":
            sources = {one["datasource"]["uid"] for one in (panel, *panel["targets"])}
            assert sources == {"${datasource}"}, panel["title"]
