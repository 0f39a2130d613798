"""docs/operations.md names every metric, alert and field there is, and none besides."""

from __future__ import annotations

import json
import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from loansvc.web import logs
from tests.contract.conftest import Api
from tests.small import with_fund

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")


def test_the_table_of_metrics_is_what_is_told(api: Api) -> None:
    with_fund(api.root, 1_000_000)
    api.get("/v1/products")
    rows = re.findall(r"^\| `(loansvc_\w+)` \| (\w+) \|([^|]*)\|", PAGE, re.MULTILINE)
    printed = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    told = {}
    for family in text_string_to_metric_families(api.get("/metrics", key="").text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        told[name] = (family.type, labels)
    assert printed.keys() == told.keys()
    for name, (kind, labels) in told.items():
        assert printed[name][0] == kind, name
        assert labels in (printed[name][1], set()), name  # of some nothing is counted here


def test_the_line_on_the_page_has_the_fields_of_a_line_and_all_are_told() -> None:
    [text] = re.findall(r"^```json\n(.*?)\n```$", PAGE, re.DOTALL | re.MULTILINE)
    line = json.loads(text)
    always = ["timestamp", "level", "logger", "pid", "event"]
    assert list(line)[:5] == always
    told = set(re.findall(r"`(\w+)`", PAGE.partition("| key |")[2].partition("\n\n")[0]))
    assert {*always, *logs.FIELDS} <= told
