"""`loansvc monitor`: figures that others recompute, limits that a cron job learns of."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from loansvc.lending import Lending
from loansvc.monitoring.limits import SHIPPED_LIMITS, Limits, read_limits
from loansvc.reviewing import By, Override, Review, Reviewing
from loansvc.underwriting import SHANGHAI, Underwriting
from tests.shell import run as shell_run
from tests.small import (
    QIFANG,
    SHIQIAO,
    WANGTAN,
    Clock,
    a_fact,
    an_application,
    small_models,
    small_underwriting,
)

OCTOBER = ("--reference", "2026-10-01", "2026-10-31")
NOVEMBER = ("--from", "2026-11-01", "--to", "2026-11-30", *OCTOBER, "--as-of", "2026-11-30")
VILLAGES = (WANGTAN, QIFANG, SHIQIAO)
SCOPES = ("credit_report", "income", "public_records", "automated_decision")
FEW = "fewest_cases = 20\n"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_models(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Path:
    """40 people in October, 40 in November; half of the later ones have a business of months."""
    folder, clock = tmp_path_factory.mktemp("ledger"), Clock()
    root = small_underwriting(folder, models=models, clock=clock)
    for number in range(80):
        clock.now = datetime(2026, 10 + number // 40, 1 + number % 20, 12, tzinfo=SHANGHAI)
        is_young = number >= 40 and number % 2
        age = timedelta(days=100 if is_young else 600 + 20 * (number % 40))
        application = an_application(
            number,
            applied_on=clock.now.date().isoformat(),
            applicant__village_code=VILLAGES[number % 3],
            business__started_on=(clock.now - age).date().isoformat(),
            credit_report__reported_on=(clock.now - timedelta(days=2)).date().isoformat(),
            credit_report__max_days_past_due_24m=45 if number % 7 == 0 else 0,
            consent__given_on="2026-09-01",
            consent__scopes=[s for s in SCOPES if s != "credit_report" or number not in (50, 60)],
        )
        root.decide(application, client="bank")
    _lend_and_review(root, clock)
    root.ledger._engine.dispose()
    return folder / "home"


def _lend_and_review(root: Underwriting, clock: Clock) -> None:
    """Every approval of November is drawn on the 22nd; a person takes the one before it back."""
    clock.on("2026-11-22")
    found, _ = root.page(client=None, limit=100, since="2026-11-01", outcome="approve")
    taken, *drawn = found
    by = By(holder="D. Decider")
    reviewing, name = Reviewing(root), taken.entry.application_id
    asked = Review(reference="V", asked_by="officer", reason="officer_doubts")
    reviewing.ask(name, asked, by=By(holder="A. Asker"), client="bank")
    said = Override(reference="O", outcome="decline", reason="visit")
    reviewing.override(name, said, by=by, client="bank")
    for one in drawn:
        amount = one.decision["offer"]["amount_yuan"]
        fact = a_fact("disbursed", amount, on=clock.now.date())
        Lending(root).record(one.entry.application_id, fact, client="bank")


@pytest.fixture
def shell(
    models: Path, home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setenv("LOANSVC_HOME", str(home))
    monkeypatch.setenv("LOANSVC_MODELS", str(models))

    def run(*arguments: str) -> tuple[int, str, str]:
        return shell_run(capfd, monkeypatch, "monitor", *arguments)

    return run


@pytest.fixture
def few(tmp_path: Path) -> tuple[str, str]:
    """Limits under which 40 cases are compared."""
    path = tmp_path / "limits.toml"
    path.write_text(FEW, "utf-8")
    return ("--limits", str(path))


@pytest.fixture(scope="module")
def recorded(home: Path, models: Path) -> pd.DataFrame:
    """A line for each decision, from its explanation: nothing of monitoring is asked."""
    root = small_underwriting(home.parent, models=models)
    found, _ = root.page(client=None, limit=100)
    rows = []
    for one in found:
        score = root.explain(one)["score"]
        row = {
            "month": one.decision["decided_at"][:7], "outcome": one.decision["outcome"],
            "grade": one.decision["grade"], "score": one.decision["score"],
            "village": one.decision["village"]["code"],
            "village_points": score["village"]["points"],
        }  # fmt: skip
        for line in score["characteristics"]:
            row[f"bin {line['name']}"] = json.dumps(line["bin"])
            row[f"points {line['name']}"] = line["points"]
        rows.append(row)
    root.ledger._engine.dispose()
    return pd.DataFrame(rows)


def in_json(shell: Any, *arguments: str) -> Any:
    _, out, err = shell(*arguments, "--json")
    assert err == ""
    return json.loads(out)


def test_rates_scores_and_grades_are_those_of_the_recorded_decisions(
    shell: Any, recorded: pd.DataFrame
) -> None:
    now = recorded[recorded.month == "2026-11"]
    [month] = in_json(shell, *NOVEMBER)["by"]["month"]
    assert month["applications"] == len(now) == 40
    for name, outcome in (("approval_rate", "approve"), ("referral_rate", "refer")):
        assert month[name]["share"] == pytest.approx((now.outcome == outcome).mean())
    assert month["mean_score"] == pytest.approx(now.score.mean(), abs=0.005)
    assert month["grades"] == now.grade.value_counts().sort_index().to_dict()
    assert month["override_rate"]["k"] == 1
    assert month["reversed"] == {"k": 1, "answered": int((now.outcome != "refer").sum())}
    for row in in_json(shell, *NOVEMBER)["by"]["village"]:
        of = now[now.village == row["key"]]
        assert (row["applications"], row["mean_score"]) == (
            len(of), pytest.approx(of.score.mean(), abs=0.005),
        )  # fmt: skip


def test_psi_is_that_of_the_recorded_bins(
    shell: Any, few: tuple[str, str], recorded: pd.DataFrame
) -> None:
    [part] = in_json(shell, *NOVEMBER, *few)["drift"]
    [age] = [c for c in part["comparisons"]
             if (c["kind"], c["name"]) == ("characteristic", "business_age_months")]  # fmt: skip
    table = pd.crosstab(recorded["bin business_age_months"], recorded.month).to_numpy() + 0.5
    then, now = (table / table.sum(axis=0)).T
    assert age["psi"] == pytest.approx(((now - then) * np.log(now / then)).sum(), rel=1e-5)
    assert age["is_over"]


def test_what_is_not_known_is_told_without_a_reference(shell: Any) -> None:
    """Two of 40 gave no consent to a credit report."""
    [part] = in_json(shell, "--from", "2026-11-01", "--to", "2026-11-30")["drift"]
    assert part["reference"] == {"scorecard": None, "applications": 0}
    arrears = part["not_known"]["max_days_past_due_24m"]
    assert (arrears["k"], arrears["share"]) == (2, 0.05)


def test_what_moved_the_mean_score_adds_up_to_the_last_digit(
    shell: Any, recorded: pd.DataFrame
) -> None:
    [part] = in_json(shell, *NOVEMBER)["drift"]
    moved = part["mean_score"]
    then, now = (recorded[recorded.month == m] for m in ("2026-10", "2026-11"))
    change = Fraction(int(now.score.sum()), len(now)) - Fraction(int(then.score.sum()), len(then))
    assert Fraction(moved["change"]) == change != 0
    parts = [moved["base"], *moved["characteristics"].values(), *moved["villages"].values()]
    assert sum(map(Fraction, parts)) == change
    for name, points in moved["characteristics"].items():
        means = [Fraction(int(of[f"points {name}"].sum()), len(of)) for of in (now, then)]
        assert Fraction(points) == means[0] - means[1]
    for code, points in moved["villages"].items():
        sums = [
            Fraction(int(of[of.village == code].village_points.sum()), len(of))
            for of in (now, then)
        ]
        assert Fraction(points) == sums[0] - sums[1]


def test_loans_too_young_stand_in_vintages_and_in_no_rate(shell: Any) -> None:
    body = in_json(shell, *NOVEMBER[:-1], "2026-12-30")
    [vintage] = body["vintages"]
    n = body["loans"]["immature"]
    assert n > 0
    assert vintage == {
        "month": "2026-11", "drawn": n,
        "by_months_on_book": [{"months": 1, "watched": n, "bad": 0, "share": 0.0}],
    }  # fmt: skip
    assert body["calibration"] == []


def test_an_officer_of_few_people_is_hidden(shell: Any) -> None:
    assert in_json(shell, *NOVEMBER)["officers"] == [{"name": "D. Decider", "hidden": True}]


def test_a_broken_limit_is_named_first_and_is_exit_1(shell: Any, few: tuple[str, str]) -> None:
    status, out, err = shell(*NOVEMBER, *few)
    assert (status, err) == (1, "")
    first, *named = out.split("\n\n")[0].splitlines()
    assert first == f"Broken limits: {len(named)}"
    assert any("characteristic business_age_months has shifted" in line for line in named)


def test_what_is_out_of_date_is_a_broken_limit(shell: Any) -> None:
    """The small LPR is of 2026-10-20, the small policy to be reviewed by 2027-06-30."""
    late = in_json(shell, *NOVEMBER[:-1], "2027-07-01")["broken"]
    assert {b["limit"] for b in late} == {"most_lpr_days", "review_by"}
    assert "254 days old (at most 45)" in next(
        b["en"] for b in late if b["limit"] == "most_lpr_days"
    )
    status, out, _ = shell(*NOVEMBER)
    assert (status, out.splitlines()[0]) == (0, "No limit is broken.")


def test_without_a_reference_that_is_said(shell: Any) -> None:
    """The small card does not state how many stood in its bins."""
    status, out, _ = shell("--from", "2026-11-01", "--to", "2026-11-30", "--as-of", "2026-11-30")
    assert status == 0
    assert "no reference: --reference FROM TO names days of the ledger" in out


def test_an_empty_period_breaks_nothing(shell: Any) -> None:
    body = in_json(shell, "--from", "2026-08-01", "--to", "2026-08-31", "--as-of", "2026-11-20")
    assert (body["total"]["applications"], body["drift"], body["broken"]) == (0, [], [])


def test_the_page_names_what_is_broken_and_nobody(
    shell: Any, few: tuple[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "new" / "m.html"
    shell(*NOVEMBER, *few, "--html", str(path))
    text = path.read_text("utf-8")
    assert "超出限值" in text
    assert "变量分布“经营年限”偏移" in text
    assert "经营年限：变量分布" in text
    assert "<script" not in text
    person = an_application(41)
    for secret in (person.applicant.id_number, person.application_id):
        assert secret not in text


def test_of_few_people_no_characteristic_is_told(shell: Any) -> None:
    """Two people applied on 2 November: a mean of two is nearly each one's."""
    days = ("--from", "2026-11-02", "--to", "2026-11-02", *OCTOBER)
    [part] = in_json(shell, *days)["drift"]
    assert (part["suppressed"], part["applications"]) == (True, 2)
    assert "mean_score" not in part
    assert "of too few people" in shell(*days)[1]
    [part] = in_json(shell, *days, "--all-cells")["drift"]
    assert part["mean_score"]["change"] != "0"


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        pytest.param("drift_alfa = 0.1\n", "drift_alfa", id="a key that is not known"),
        pytest.param("drift_alpha = 2\n", "must be a number from", id="no chance"),
        pytest.param("drift_alpha =\n", "is no TOML", id="no TOML"),
    ],
)
def test_wrong_limits_are_refused(shell: Any, tmp_path: Path, limits: str, says: str) -> None:
    path = tmp_path / "limits.toml"
    path.write_text(limits, "utf-8")
    status, out, err = shell(*NOVEMBER, "--limits", str(path))
    assert (status, out) == (1, "")
    assert says in err


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--from", "2026-11-02", "--to", "2026-11-01"), id="ends before it starts"),
        pytest.param(
            ("--from", "2026-11-01", "--to", "2026-11-02", "--reference", "2026-10-01",
             "2026-11-01"), id="a reference that has a day of the period",
        ),
    ],
)  # fmt: skip
def test_wrong_usage_is_exit_2(shell: Any, arguments: tuple[str, ...]) -> None:
    status, out, _ = shell(*arguments)
    assert (status, out) == (2, "")


def test_the_page_of_the_docs_shows_the_limits_as_shipped(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text("utf-8")
    path = tmp_path / "limits.toml"
    path.write_text(text.split("```toml\n")[1].split("```")[0], "utf-8")
    stated = tomllib.loads(path.read_text("utf-8"))
    assert set(stated) == {f.name for f in fields(Limits)}
    assert read_limits(path) == SHIPPED_LIMITS
