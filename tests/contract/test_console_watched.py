"""Monitoring and the county's report as pages: the figures of the shell, for admins alone."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from loansvc.monitoring.csv_table import csv_bytes
from loansvc.monitoring.reading import decided_between
from loansvc.monitoring.report import report
from loansvc.web.console import watched
from loansvc.web.console.sign_in import STATIC
from tests.contract.conftest import Api
from tests.contract.test_console import Browser, text_of
from tests.small import a_document

CHART = "chart-4.6.1.umd.min.js"
DIGEST = "c17f2ce49fb9c71ef7fb39c03f868804ac5ab34730149976eebe6b7f807bef0c"
PAGES = ("/console/monitoring", "/console/report", "/console/report.csv")


@pytest.fixture
def county(tmp_path: Path, models: Path) -> Iterator[Api]:
    service = Api(tmp_path, models)
    for number in (1, 2, 3, 4):
        service.post(a_document(number))
    service.key = service.new_key("county", ("admin",), holder="C. Head")
    yield service
    service.close()


@pytest.fixture
def browser(county: Api) -> Browser:
    found = Browser(county)
    found.sign_in()
    return found


@pytest.mark.parametrize("page", PAGES)
def test_other_keys_do_not_open_them(county: Api, page: str) -> None:
    other = Browser(county)
    other.sign_in(county.new_key("bank", ("decide", "read", "review")))
    assert other.get(page).status_code == 403
    assert "统计报告" not in other.get("/console/villages").text


def test_the_report_has_the_figures_of_the_shell(county: Api, browser: Browser) -> None:
    today = county.root.today()
    first = today.replace(month=1, day=1)
    decided = decided_between(county.root, first, today)
    found = report(decided, county.root.registry, since=first, until=today)
    response = browser.get("/console/report.csv")
    assert response.data == csv_bytes(found)
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert list(csv.reader(io.StringIO(response.text)))
    text = text_of(browser.get("/console/report?language=en"))
    assert f"Applications {found.total.applications}" in text
    assert f"{found.total.approved_yuan:,} yuan" in text


def test_monitoring_says_what_is_broken_first(county: Api) -> None:
    county.now += timedelta(days=200)
    browser = Browser(county)
    browser.sign_in(county.new_key("county", ("admin",), holder="C. Head"))
    text = text_of(browser.get("/console/monitoring?from=2026-11-01&to=2026-11-30&language=en"))
    assert "Broken limits" in text.partition("Approved and referred")[0]
    assert "LPR" in text
    assert "4" in text.partition("Approved and referred")[2]


def test_nothing_decided_is_told(browser: Browser) -> None:
    for page in PAGES[:2]:
        assert "本期没有决定" in text_of(browser.get(f"{page}?from=2026-01-01&to=2026-01-31"))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        pytest.param("from=2026-02-01&to=2026-01-01", "to", id="the wrong way round"),
        pytest.param("from=2026-13-01", "from", id="no day"),
        pytest.param(
            "from=2026-11-01&to=2026-11-30&reference_from=2026-11-30&reference_to=2026-12-31",
            "reference_to", id="a reference of the same days",
        ),
    ],
)  # fmt: skip
def test_days_that_do_not_fit_are_refused_with_their_field(
    browser: Browser, query: str, field: str
) -> None:
    response = browser.get(f"/console/monitoring?{query}&language=en")
    assert response.status_code == 400
    assert field in response.text


def test_more_than_a_page_reads_is_refused(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "MOST_DECISIONS", 3)
    response = browser.get("/console/report?language=en")
    assert response.status_code == 400
    assert "more than 3 decisions. Choose fewer days" in text_of(response)


def test_the_library_of_charts_is_the_published_one() -> None:
    assert hashlib.sha256((STATIC / CHART).read_bytes()).hexdigest() == DIGEST
    page = (Path(__file__).parents[2] / "docs" / "console.md").read_text("utf-8")
    assert DIGEST[:16] in page
