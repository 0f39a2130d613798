"""A report adds up what was decided, hides what may name a person, and runs in no spreadsheet."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from loansvc.monitoring.charts import Bar, bars
from loansvc.monitoring.columns import to_document
from loansvc.monitoring.csv_table import csv_bytes, safe_cell
from loansvc.monitoring.figures import Figures, figures_of
from loansvc.monitoring.report import Report, Row, Table, report
from loansvc.monitoring.report_page import page
from loansvc.registry import Registry
from loansvc.underwriting import SHANGHAI, Recorded
from tests.recorded import a_recorded
from tests.small import QIFANG, SHIQIAO, WANGTAN, small_models

SINCE, UNTIL = date(2026, 1, 1), date(2026, 12, 31)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry.open(small_models(tmp_path_factory.mktemp("small")))


def reported(registry: Registry, *recorded: Recorded, **kwargs: Any) -> Report:
    return report(recorded, registry, since=SINCE, until=UNTIL, **kwargs)


def table(found: Report, name: str) -> Table:
    return next(t for t in found.tables if t.name == name)


def applications(found: Report, name: str) -> dict[str, int]:
    """Applications of each row that has any."""
    rows = table(found, name).rows
    return {r.key: r.figures.applications for r in rows if r.figures.applications}


def credential(kind: str, issuer: str, **changes: str) -> dict[str, str]:
    return {"kind": kind, "issuer": issuer, "number": "1", "issued_on": "2024-01-01", **changes}


# --- figures ------------------------------------------------------------------------------------


def test_an_approval_counts_with_its_amounts(registry: Registry) -> None:
    """120,000 yuan at 80 % guaranteed, the local guarantor 40 %; loss as on paper: 580 and 116."""
    total = reported(registry, a_recorded(registry)).total
    assert (total.applications, total.approved) == (1, 1)
    assert (total.asked_yuan, total.approved_yuan, total.limit_yuan) == (120_000, 120_000, 135_000)
    assert (total.guaranteed_yuan, total.local_guarantor_yuan) == (96_000, 48_000)
    assert (total.expected_loss_yuan, total.expected_loss_bank_yuan) == (580, 116)
    assert (total.approval_rate, total.guaranteed_share) == (1000, 800)


def test_a_referral_counts_with_the_amount_asked_for_alone(registry: Registry) -> None:
    total = reported(registry, a_recorded(registry, loan__amount_yuan=200_000)).total
    assert total == Figures(applications=1, referred=1, asked_yuan=200_000)


def test_a_decline_counts_with_the_amount_asked_for_alone(registry: Registry) -> None:
    total = reported(registry, a_recorded(registry, loan__purpose="securities")).total
    assert total == Figures(applications=1, declined=1, asked_yuan=120_000, finally_declined=1)


def test_an_empty_period_has_zeros_and_no_rates(registry: Registry) -> None:
    found = reported(registry)
    assert found.total == Figures()
    assert (found.total.approval_rate, found.total.guaranteed_share) == (None, None)
    assert [r.figures for r in table(found, "product").rows] == [Figures()] * 4
    assert table(found, "month").rows == ()
    assert "本期没有决定" in page(found)


# --- what people decided ------------------------------------------------------------------------


def overridden(
    recorded: Recorded, outcome: str, reason: str, officer: str = "D. Decider", amount: int = 0
) -> Recorded:
    """The same decision with a person's beside it, as the ledger gives it."""
    by = {"key_id": "k", "holder": officer}
    payload: dict[str, Any] = {"override": {"outcome": outcome, "reason": reason}, "by": by}
    if amount:
        payload["decision"] = {"outcome": outcome, "offer": {"amount_yuan": amount}}
    entry = replace(recorded.entry, kind="override", outcome=outcome)
    return replace(recorded, acts=((entry, payload),))


def test_what_is_final_stands_beside_what_the_machine_decided(registry: Registry) -> None:
    no_machine: dict[str, Any] = {"consent__scopes": ["credit_report", "income", "public_records"]}
    found = reported(
        registry,
        a_recorded(registry, 1),
        overridden(a_recorded(registry, 2), "decline", "applicant_withdrew"),
        overridden(a_recorded(registry, 3, **no_machine), "approve", "visit", amount=50_000),
        overridden(a_recorded(registry, 4), "approve", "confirmed"),
        a_recorded(registry, 5, **no_machine),
    )
    total = found.total
    assert (total.approved, total.referred, total.declined) == (3, 2, 0)
    assert (total.by_person, total.finally_approved, total.finally_declined) == (3, 3, 1)
    assert (total.approved_yuan, total.finally_approved_yuan) == (360_000, 290_000)
    rows = {row.key: row.figures.applications for row in table(found, "override").rows}
    assert rows == {"applicant_withdrew": 1, "visit": 1, "confirmed": 1}


def test_reasons_and_officers_of_few_people_are_hidden(registry: Registry) -> None:
    def of(first: int, n: int, reason: str, officer: str) -> list[Recorded]:
        made = (a_recorded(registry, number) for number in range(first, first + n))
        return [overridden(one, "decline", reason, officer) for one in made]

    found = reported(
        registry, *of(1, 3, "visit", "A"), *of(10, 4, "purpose_doubtful", "B"),
        *of(20, 1, "applicant_withdrew", "C"),
    )  # fmt: skip
    assert hidden(found, "override") == {"applicant_withdrew", "visit"}
    assert hidden(found, "officer") == {"A", "C"}
    document = to_document(found)["by"]["officer"]["rows"]
    assert [row["finally_declined"] for row in document] == [None, 4, None]


def test_an_officer_s_name_runs_in_no_spreadsheet_and_no_page(registry: Registry) -> None:
    name = "=cmd|'<b>"
    decided = (a_recorded(registry, number) for number in range(3))
    found = reported(registry, *(overridden(one, "decline", "visit", name) for one in decided))
    cells = csv_bytes(found).decode("utf-8-sig")
    assert f"officer,'{name}" in cells
    assert "<b>" not in page(found)


# --- dimensions ---------------------------------------------------------------------------------


def test_a_person_in_two_groups_counts_in_both(registry: Registry) -> None:
    both = [credential("veteran", "veterans_affairs"), credential("graduate", "hrss")]
    found = reported(registry, a_recorded(registry, credentials=both))
    assert applications(found, "group") == {"graduate": 1, "veteran": 1}
    assert applications(found, "department") == {"hrss": 1, "veterans_affairs": 1}
    assert not table(found, "group").adds_up


def test_a_credential_that_did_not_count_makes_no_group(registry: Registry) -> None:
    by_another = [credential("veteran", "hrss")]
    found = reported(registry, a_recorded(registry, credentials=by_another))
    assert applications(found, "group") == {"none": 1}
    assert applications(found, "department") == {"none": 1}


def test_a_certificate_counts_for_its_department_though_it_makes_no_group(
    registry: Registry,
) -> None:
    certificate = [credential("training_certificate", "hrss")]
    found = reported(registry, a_recorded(registry, credentials=certificate))
    assert applications(found, "group") == {"none": 1}
    assert applications(found, "department") == {"hrss": 1}


def test_a_village_has_the_name_and_town_of_its_register(registry: Registry) -> None:
    [row] = table(reported(registry, a_recorded(registry)), "village").rows
    assert (row.key, row.zh) == (WANGTAN, "乌溪镇 王潭村")


def test_a_month_without_decisions_stands_between_two_that_have_some(registry: Registry) -> None:
    months = [datetime(2026, m, 1, tzinfo=SHANGHAI) for m in (11, 9)]
    found = reported(registry, *(a_recorded(registry, decided_at=at) for at in months))
    rows = table(found, "month").rows
    assert [(r.key, r.figures.applications) for r in rows] == [
        ("2026-09", 1), ("2026-10", 0), ("2026-11", 1),
    ]  # fmt: skip


def test_a_synthetic_card_is_named_at_the_top_with_how_many_decisions_it_made(
    registry: Registry,
) -> None:
    plain, made_up = a_recorded(registry), a_recorded(registry, 2)
    warning = {"code": "SYNTHETIC_SCORECARD", "zh": "合成", "en": "made up"}
    made_up.decision["warnings"].append(warning)
    [caution] = reported(registry, plain, made_up).cautions
    assert (caution.code, caution.decisions) == ("SYNTHETIC_SCORECARD", 1)


# --- small cells --------------------------------------------------------------------------------


def village(registry: Registry, code: str, people: int, first: int) -> list[Recorded]:
    return [
        a_recorded(registry, first + i, applicant__village_code=code, loan__amount_yuan=50_000)
        for i in range(people)
    ]


def hidden(found: Report, name: str = "village") -> set[str]:
    return {row.key for row in table(found, name).rows if row.hidden}


def test_a_village_of_three_people_is_shown(registry: Registry) -> None:
    assert hidden(reported(registry, *village(registry, WANGTAN, 3, 1))) == set()


def test_three_applications_of_one_person_are_hidden(registry: Registry) -> None:
    again = [a_recorded(registry, n, person="the same") for n in range(3)]
    assert hidden(reported(registry, *again)) == {WANGTAN}


def test_a_single_hidden_village_hides_the_smallest_other_with_it(registry: Registry) -> None:
    """Else the total less the villages shown would be the hidden one."""
    decided = [
        *village(registry, WANGTAN, 2, 1),
        *village(registry, QIFANG, 4, 10),
        *village(registry, SHIQIAO, 5, 20),
    ]
    assert hidden(reported(registry, *decided)) == {WANGTAN, QIFANG}


def test_two_hidden_villages_of_three_people_together_need_no_third(registry: Registry) -> None:
    decided = [
        *village(registry, WANGTAN, 2, 1),
        *village(registry, QIFANG, 1, 10),
        *village(registry, SHIQIAO, 5, 20),
    ]
    assert hidden(reported(registry, *decided)) == {WANGTAN, QIFANG}


def of_group(registry: Registry, kind: str, issuer: str, people: int, first: int) -> list[Recorded]:
    held = [credential(kind, issuer)]
    return [a_recorded(registry, first + i, credentials=held) for i in range(people)]


def test_a_group_of_two_people_is_hidden_with_the_smallest_other(registry: Registry) -> None:
    decided = [
        *of_group(registry, "veteran", "veterans_affairs", 2, 1),
        *of_group(registry, "graduate", "hrss", 5, 10),
        *of_group(registry, "online_merchant", "hrss", 3, 20),
        *of_group(registry, "farmer_founder", "agriculture", 4, 30),
    ]
    found = reported(registry, *decided)
    assert hidden(found, "group") == {"veteran", "online_merchant"}
    assert hidden(found, "department") == {"veterans_affairs", "agriculture"}
    [row] = [r for r in to_document(found)["by"]["group"]["rows"] if r["key"] == "veteran"]
    assert (row["suppressed"], row["applications"], row["approved_yuan"]) == (True, 2, None)


def test_a_group_of_three_people_is_shown(registry: Registry) -> None:
    found = reported(registry, *of_group(registry, "veteran", "veterans_affairs", 3, 1))
    assert (hidden(found, "group"), hidden(found, "department")) == (set(), set())


def test_two_credentials_of_one_person_are_one_person(registry: Registry) -> None:
    """Groups of the same two people hide one another, and a third of others with them."""
    both = [credential("veteran", "veterans_affairs"), credential("graduate", "hrss")]
    two = [a_recorded(registry, n, credentials=both) for n in (1, 2)]
    found = reported(registry, *two, *of_group(registry, "farmer_founder", "agriculture", 3, 10))
    assert hidden(found, "group") == {"veteran", "graduate", "farmer_founder"}


def test_a_group_of_nobody_has_nothing_to_hide(registry: Registry) -> None:
    found = reported(registry, *of_group(registry, "veteran", "veterans_affairs", 1, 1))
    assert hidden(found, "group") == {"veteran"}


def test_all_cells_hides_nothing_and_says_so(registry: Registry) -> None:
    found = reported(registry, a_recorded(registry), all_cells=True)
    assert found.n_hidden == 0
    assert "do not pass them on" in to_document(found)["notes"][-1]["en"]


def test_of_a_hidden_row_only_the_number_of_applications_is_told(registry: Registry) -> None:
    found = reported(registry, a_recorded(registry))
    [row] = to_document(found)["by"]["village"]["rows"]
    told = {name for name, value in row.items() if isinstance(value, int) and value is not True}
    assert (row["suppressed"], told) == (True, {"applications"})
    [line] = [r for r in csv_rows(found) if r["dimension"] == "village"]
    assert (line["suppressed"], line["applications"], line["approved"]) == ("yes", "1", "")
    text = page(found)
    line_of_village = text[text.index(WANGTAN) :].partition("</tr>")[0]
    assert line_of_village.count("∗") == 16


# --- CSV ----------------------------------------------------------------------------------------


def csv_rows(found: Report) -> list[dict[str, str]]:
    data = csv_bytes(found)
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_the_csv_has_the_figures_of_the_json_form(registry: Registry) -> None:
    found = reported(registry, *village(registry, WANGTAN, 3, 1))
    [line] = [r for r in csv_rows(found) if (r["dimension"], r["key"]) == ("village", WANGTAN)]
    [row] = to_document(found)["by"]["village"]["rows"]
    names = [name for name in line if name in row and name not in ("key", "suppressed")]
    assert len(names) == 17
    assert {n: line[n] for n in names} == {n: str(row[n]) for n in names}


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "　+", "\ufeff@", "＝"]
)
def test_a_text_that_a_spreadsheet_would_run_has_an_apostrophe(start: str) -> None:
    assert safe_cell(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize("text", ["王潭村", "2026-11", "a=b", "", "12"])
def test_another_text_stays_as_it_is(text: str) -> None:
    assert safe_cell(text) == text


def test_a_village_named_like_a_formula_is_no_formula(registry: Registry) -> None:
    name = '=HYPERLINK("http://example.com")'
    bad = Row(key="1", zh=name, en=name, figures=Figures())
    tables = (Table(name="village", zh="", en="", adds_up=True, rows=(bad,)),)
    found = Report(since=SINCE, until=UNTIL, total=Figures(), tables=tables, cautions=(),
                   all_cells=False)  # fmt: skip
    [line] = [r for r in csv_rows(found) if r["dimension"] == "village"]
    assert line["label_zh"] == f"'{name}"


# --- page ---------------------------------------------------------------------------------------


def test_the_page_needs_nothing_else_and_is_chinese_first(registry: Registry) -> None:
    text = page(reported(registry, *village(registry, WANGTAN, 3, 1)))
    assert "<script" not in text
    assert "http" not in text
    assert "src=" not in text
    assert text.index("贷款申请统计报告") < text.index("Report on loan applications")
    assert text.count("<svg") == 10  # numbers and amounts for each of five dimensions


def test_a_name_cannot_become_markup(registry: Registry) -> None:
    name = "<b>&"
    bad = Row(key="1", zh=name, en=name, figures=Figures(applications=1))
    tables = (Table(name="village", zh="", en="", adds_up=True, rows=(bad,)),)
    found = Report(since=SINCE, until=UNTIL, total=Figures(), tables=tables, cautions=(),
                   all_cells=False)  # fmt: skip
    assert "<b>&" not in page(found)


def test_a_chart_draws_each_part_to_scale() -> None:
    rows = [Bar("甲", (3, 1), "4"), Bar("乙", (2, 0), "2")]
    svg = ET.fromstring(bars(rows, legend=("yes", "no"), title="t"))
    widths = [float(r.get("width", "")) for r in svg.iter("rect")][2:]  # after the legend
    assert widths == pytest.approx([450 * n / 4 for n in (3, 1, 2)], abs=0.1)


def test_what_is_guaranteed_is_rounded_as_the_fund_rounds() -> None:
    """40 % and 80 % of 120,001 yuan, up to the yuan."""
    approval = {
        "outcome": "approve",
        "offer": {"amount_yuan": 120_001, "limit_yuan": 135_000, "subsidy_bp": 0},
        "guarantee": {
            "shares_percent": {"bank": 20, "local_guarantor": 40},
            "expected_loss_yuan": {"total": 0, "bank": 0},
        },
    }
    found = figures_of(approval, asked_yuan=120_001)
    assert (found.guaranteed_yuan, found.local_guarantor_yuan) == (96_001, 48_001)
