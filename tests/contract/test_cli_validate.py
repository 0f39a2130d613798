"""validate, from the shell: findings as text, the report as JSON and as a page, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from loansvc.training.synthetic import generate
from tests.shell import run as shell_run
from tests.small import CARD


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("validate")
    (folder / "card.json").write_text(json.dumps(CARD | {"product": "credit_loan"}))
    _county(seed=1).to_csv(folder / "now.csv", index=False)
    _county(seed=2).to_parquet(folder / "then.parquet")
    return folder


def _county(*, seed: int) -> pd.DataFrame:
    county = generate(1_200, seed=seed)
    return county.frame.assign(
        bad=county.truth["is_bad"].astype(int),
        true=county.truth["log_odds_bad"],
        late=county.frame["max_days_past_due_24m"].fillna(0) > 60,
    )


@pytest.fixture
def shell(made: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(made)

    def run(*arguments: str) -> tuple[int, str, str]:
        return shell_run(capfd, monkeypatch, "validate", *arguments)

    return run


PLAIN = ("card.json", "now.csv", "--target", "bad", "--resamples", "100")
EVERYTHING = (
    *PLAIN, "--reference", "then.parquet", "--time", "application_month",
    "--village", "village_code", "--group", "primary_group", "--group", "purpose",
    "--protected", "sex", "--protected", "age_years", "--cutoff", "590",
    "--knockout", "late", "--oracle", "true",
)  # fmt: skip


def test_findings_are_printed_gravest_first_and_the_page_is_written(shell: Any, made: Path) -> None:
    status, out, err = shell(*EVERYTHING, "--out", "pages/report.html")
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[0].startswith("credit_loan   sha256:")
    assert "grave finding" in lines[1]
    gravities = [line.split()[0] for line in lines[2:-1]]
    assert gravities == sorted(gravities, key=["grave", "look", "note"].index)
    assert lines[-1] == "pages/report.html"
    assert (made / lines[-1]).read_text("utf-8").startswith("<!doctype html>")


def test_json_is_the_whole_report(shell: Any) -> None:
    status, out, err = shell(*EVERYTHING, "--out", "r.html", "--json")
    report = json.loads(out)
    assert (status, err) == (0, "")
    assert set(report) == {
        "about", "calibration", "discrimination", "findings", "grades", "groups",
        "knockouts", "method", "monotonicity", "oracle", "out_of_time", "protected", "stability",
        "verdict", "village",
    }  # fmt: skip
    assert [g["column"] for g in report["groups"]] == ["primary_group", "purpose"]
    assert [f["field"] for f in report["protected"]["fields"]] == ["sex", "age_years"]
    assert all(s["n_changed"] == 0 for s in report["protected"]["swaps"])
    assert report["stability"]["n_then"] == 1_200


def test_what_is_not_asked_for_is_null(shell: Any) -> None:
    _, out, _ = shell(*PLAIN, "--out", "r.html", "--json")
    report = json.loads(out)
    absent = ("knockouts", "oracle", "out_of_time", "stability", "village")
    assert [report[name] for name in absent] == [None] * 5


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        pytest.param(("--target", "default"), "Column default is missing", id="no target"),
        pytest.param(("--time", "day"), "Column day is missing", id="no time"),
        pytest.param(("--knockout", "late"), "cut-off", id="knock-outs without a cut-off"),
        pytest.param(("--reference", "card.json"), "parquet or .csv", id="reference no table"),
    ],
)
def test_what_cannot_be_checked_is_refused_in_one_line(
    shell: Any, made: Path, changed: tuple[str, ...], says: str
) -> None:
    status, out, err = shell(*PLAIN, *changed, "--out", "refused.html")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert says in err
    assert not (made / "refused.html").exists()


def test_an_unsound_card_is_refused_in_one_line(shell: Any, made: Path) -> None:
    (made / "bad.json").write_text("{}")
    status, out, err = shell("bad.json", *PLAIN[1:], "--out", "r.html")
    assert (status, out, err.count("\n")) == (1, "", 1)


def test_wrong_usage_is_told_apart_from_a_refusal(shell: Any) -> None:
    assert shell(*PLAIN)[0] == 2  # no --out
    assert shell("nothing.json", *PLAIN[1:], "--out", "r.html")[0] == 2


def test_village_codes_of_a_csv_file_keep_their_names(shell: Any, made: Path) -> None:
    """They arrive as whole numbers."""
    assert pd.read_csv(made / "now.csv")["village_code"].dtype == "int64"
    _, out, _ = shell(*PLAIN, "--village", "village_code", "--out", "r.html", "--json")
    names = [s["name"] for s in json.loads(out)["village"]["segments"]]
    assert any(name.startswith("3405211") and name.endswith("村") for name in names)
