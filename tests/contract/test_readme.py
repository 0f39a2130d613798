"""The request and the answer in the README are real."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loansvc.decision import Exposure, decide
from loansvc.registry import Registry
from loansvc.settings import shipped
from loansvc.web.schemas import load_application
from tests.small import small_underwriting

NEW_HERE = Exposure(policy_loan_overdue=False)  # as the ledger knows one who never borrowed
README = Path(__file__).parents[2] / "README.md"


def json_blocks() -> list[dict[str, Any]]:
    texts = re.findall(r"```json[^\n]*\n(.*?)```", README.read_text("utf-8"), re.S)
    return [json.loads(text) for text in texts]


def shortened(value: Any) -> Any:
    """Digests as the README shortens them."""
    if isinstance(value, dict):
        return {k: shortened(v) for k, v in value.items()}
    if isinstance(value, list):
        return [shortened(v) for v in value]
    return value[:15] + "…" if isinstance(value, str) and value.startswith("sha256:") else value


def test_the_answer_in_the_readme_is_what_the_shipped_editions_give() -> None:
    request, answer = json_blocks()
    registry, on = Registry.open(shipped("models")), date.fromisoformat(request["applied_on"])
    application = load_application(request, today=on, village_codes=registry.village_codes)
    decision = decide(application, registry.in_force(request["product"], on), NEW_HERE)
    for name, value in decision.to_document().items():
        assert answer[name] == shortened(value), name
    recorded = {"decision_id", "application_id", "decided_at", "ledger"}
    assert set(answer) == set(decision.to_document()) | recorded


@pytest.mark.parametrize(
    ("on", "says", "outcome", "codes"),
    [
        pytest.param("2026-12-10", "approved on 2026-12-10", "approve",
                     ["S21", "S08", "S01", "S09"], id="the next card"),
        pytest.param("2026-12-24", "referred on 2026-12-24", "refer", ["R09"], id="an old report"),
    ],
)  # fmt: skip
def test_a_preview_of_another_day_is_as_the_readme_says(
    tmp_path: Path, on: str, says: str, outcome: str, codes: list[str]
) -> None:
    assert says in README.read_text("utf-8")
    request, _ = json_blocks()
    root = small_underwriting(tmp_path, models=shipped("models"))
    known = root.registry.village_codes
    application = load_application(request, today=root.today(), village_codes=known)
    body = root.preview(application, on=date.fromisoformat(on))
    root.ledger._engine.dispose()
    assert (body["applied_on"], body["outcome"]) == (on, outcome)
    assert [reason["code"] for reason in body["reasons"]] == codes
