"""compare, from the shell: files and published cards, as text, as JSON and as a page."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loansvc.editions import to_text
from loansvc.registry import Registry
from tests.shell import run as shell_run
from tests.small import CARD, publish_text, small_models


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    models = small_models(folder)
    later = {**CARD, "product": "credit_loan", "valid_from": "2026-09-01", "base_points": 590}
    publish_text(models, folder / "later.json", to_text(later))
    rival = {**CARD, "product": "credit_loan", "valid_from": "2026-09-01", "base_points": 570}
    publish_text(models, folder / "rival.json", to_text(rival), role="challenger")
    return models


@pytest.fixture
def shell(
    made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.setenv("LOANSVC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOANSVC_MODELS", str(made))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        return shell_run(capfd, monkeypatch, "compare", *arguments)

    return run


def digest_on(models: Path, day: date, role: str = "champion") -> str:
    return Registry.open(models).in_force("credit_loan", day, role=role).scorecard.digest


def test_published_cards_are_named_by_product_and_day(shell: Any) -> None:
    status, out, err = shell("credit_loan@2026-08-31", "credit_loan@2026-09-01")
    assert (status, err) == (0, "")
    assert "changes by +10 to +10 points; the same: 2 of 2." in out


def test_a_challenger_is_named_by_its_role(shell: Any) -> None:
    _, out, _ = shell("credit_loan@2026-09-01", "credit_loan@2026-09-01:challenger", "--json")
    assert json.loads(out)["least"] == -20


@pytest.mark.parametrize("cut", [slice(7, 19), slice(0, 19), slice(None)])
def test_a_published_card_is_named_by_the_first_digits_of_its_digest(
    shell: Any, made: Path, cut: slice
) -> None:
    digest = digest_on(made, date(2026, 9, 1))
    status, out, _ = shell("credit_loan@2026-08-31", digest[cut], "--json")
    assert (status, json.loads(out)["most"]) == (0, 10)


def test_a_file_need_not_be_published_nor_be_of_a_product(shell: Any, tmp_path: Path) -> None:
    bins: list[dict[str, Any]] = [
        {"to": 1.5, "points": 1},
        {"from": 1.5, "points": 2},
        {"state": "missing", "points": 0},
    ]
    card: dict[str, Any] = {
        "table": "elsewhere", "statement": "s", "base_points": 500,
        "characteristics": {"x": {"type": "number", "bins": bins}},
    }  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(card))
    bins[1]["points"] = 5
    (tmp_path / "b.json").write_text(json.dumps(card))
    status, out, err = shell("a.json", "b.json")
    assert (status, err) == (0, "")
    assert "x   points changed   +0 to +3" in out
    assert "  1.5 and more" in out


def test_equal_cards_are_said_to_be_equal(shell: Any) -> None:
    _, out, _ = shell("credit_loan@2026-08-31", "fast_loan@2026-08-31")
    assert "Both give every applicant the same score." in out


def test_a_page_is_written_whole(shell: Any, tmp_path: Path) -> None:
    out_file = tmp_path / "pages" / "c.html"
    status, out, _ = shell(
        "credit_loan@2026-08-31", "credit_loan@2026-09-01", "--html", str(out_file)
    )
    assert status == 0
    assert out.endswith(f"{out_file}\n")
    assert out_file.read_text("utf-8").startswith("<!doctype html>")
    assert [p.name for p in out_file.parent.iterdir()] == ["c.html"]


@pytest.mark.parametrize(
    ("which", "says"),
    [
        pytest.param("credit_loan@2026-06-30", "No champion scorecard", id="too early"),
        pytest.param("car_loan@2026-09-01", "No champion scorecard of car_loan", id="no product"),
        pytest.param("credit_loan@soon", "comes a date", id="no date"),
        pytest.param("nothing.json", "no file and no published card", id="no file"),
        pytest.param("sha256:ab", "no file and no published card", id="too few digits"),
        pytest.param("", "no file and no published card", id="empty"),
        pytest.param("sha256:", "no file and no published card", id="no digits"),
    ],
)
def test_what_names_no_card_is_refused_in_one_line(shell: Any, which: str, says: str) -> None:
    status, out, err = shell(which, "credit_loan@2026-09-01")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert says in err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("[]", "must be a table", id="no table"),
        pytest.param("{", "is not JSON", id="no JSON"),
        pytest.param("{}", "characteristics: is missing", id="no card"),
        pytest.param('{"product": "x", "characteristics": {"shoe_size": {}}}', "shoe_size",
                     id="not of the CATALOGUE"),
    ],
)  # fmt: skip
def test_an_unsound_card_is_refused_in_one_line(
    shell: Any, tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "bad.json").write_text(text)
    status, out, err = shell("bad.json", "credit_loan@2026-09-01")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert says in err


def test_policies_are_sent_to_policy_diff(shell: Any, tmp_path: Path) -> None:
    (tmp_path / "draft.toml").write_text("")
    status, out, err = shell("draft.toml", "credit_loan@2026-09-01")
    assert (status, out) == (1, "")
    assert err == (
        "loansvc: draft.toml: is no card. compare is for scorecards; for policies: "
        "loansvc policy diff A B\n"
    )


def test_a_damaged_folder_is_refused(
    shell: Any, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(made, tmp_path / "copy"))
    (copy / "scorecards/credit_loan/2026-07-01.json").write_text("{}")
    monkeypatch.setenv("LOANSVC_MODELS", str(copy))
    status, _, err = shell("credit_loan@2026-08-31", "credit_loan@2026-09-01")
    assert (status, "has changed" in err) == (1, True)
