"""Small hand-made editions and a plain valid application: a reader can check the sums on paper."""

from __future__ import annotations

import atexit
import json
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from loansvc.application import PRODUCTS, Application
from loansvc.batching.working import Working
from loansvc.decision import Editions
from loansvc.editions import digest_of, to_text
from loansvc.ledger import Ledger
from loansvc.ledger.commitments import Fact
from loansvc.lending import Lending
from loansvc.registry import Registry
from loansvc.registry.publishing import publish
from loansvc.underwriting import SHANGHAI, Underwriting
from loansvc.web.examples import example_application
from loansvc.web.schemas import load_application
from tests import databases

TODAY = date(2026, 11, 23)
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=SHANGHAI)
FIRST_DAY = "2026-07-01"
WANGTAN, QIFANG, SHIQIAO = "340521102200", "340521102201", "340521103200"
CODES = frozenset({WANGTAN, QIFANG, SHIQIAO})

# As much of a manifest as `publish` asks for. Whoever approves is not "a tester".
TRAINING: dict[str, Any] = {
    "data": {
        "source": "made up", "first_application": "not known: made up",
        "last_application": "not known: made up", "outcome_known_on": "not known: made up",
        "sampling": "none", "n": 1, "n_bad": 0, "storage": "tests/small.py", "sha256": "0" * 64,
    },
    "run": {
        "script": "by hand", "operator": "a tester", "python": "3.11", "machine": "paper",
        "libraries": {"none": "0"}, "started_at": "2026-06-30T09:00:00+08:00",
        "ended_at": "2026-06-30T10:00:00+08:00",
    },
    "model": {"kind": "by hand", "parameters": {"none": 0}, "iterations": 0, "seed": 0},
    "governance": {
        "impact_assessment_id": "test 1", "intended_use": "tests", "limits": ["not for loans"],
    },
}  # fmt: skip
# base 580; with 55 months in business and no arrears: 580 + 30 + 10 = 620, and 6 from the village.
CARD: dict[str, Any] = {
    "kind": "scorecard",
    "valid_from": FIRST_DAY,
    "reference": "test",
    "statement": "A card for tests.",
    "base_points": 580,
    "characteristics": {
        "business_age_months": {
            "bins": [
                {"to": 12, "points": -40},
                {"from": 12, "to": 36, "points": 0},
                {"from": 36, "points": 30},
                {"state": "missing", "points": -10},
            ]
        },
        "max_days_past_due_24m": {
            "bins": [
                {"to": 30, "points": 10},
                {"from": 30, "points": -60},
                {"state": "missing", "points": 0},
            ]
        },
    },
    "training": TRAINING,
}


def _village(code: str, name: str, rating: str, points: int, assessed_on: str) -> dict[str, Any]:
    evidence = {
        "households_total": 500, "households_rated": 480, "households_a_plus": 400,
        "borrowers": 60, "borrowers_overdue": 1, "balance_yuan": 4_000_000,
        "npl_balance_yuan": 20_000, "as_of": "2026-03-31",
    }  # fmt: skip
    return {
        "code": code, "name": name, "town": "乌溪镇", "rating": rating, "points": points,
        "credibility_percent": 10, "assessed_on": assessed_on, "evidence": evidence,
    }  # fmt: skip


REGISTER: dict[str, Any] = {
    "kind": "villages",
    "product": "county",
    "valid_from": FIRST_DAY,
    "reference": "test",
    "statement": "A register for tests.",
    "villages": [
        _village(WANGTAN, "王潭村", "AA", 6, "2026-03-31"),
        _village(QIFANG, "七房村", "B", -8, "2026-03-31"),
        {"code": SHIQIAO, "name": "石桥村", "town": "石桥镇", "rating": "unrated", "points": 0,
         "credibility_percent": 0},
    ],
}  # fmt: skip
RATES: dict[str, Any] = {
    "kind": "rates",
    "product": "county",
    "valid_from": "2019-08-20",
    "reference": "test",
    "quotes": [
        {"effective_on": "2019-08-20", "lpr_1y_bp": 425, "lpr_5y_bp": 485},
        {"effective_on": "2026-10-20", "lpr_1y_bp": 300, "lpr_5y_bp": 350},
    ],
}
POLICY = Path(__file__).with_name("small_policy.toml").read_text("utf-8")


def small_models(folder: Path) -> Path:
    """A folder of editions with the small card and policy for every product, published."""
    published = _published(to_text(REGISTER))
    for part in ("drafts", "models"):
        shutil.copytree(published / part, folder / part)
    return folder / "models"


@cache
def _published(register: str) -> Path:
    """Once for all tests: to publish waits for the disk, and a copy reads the same."""
    folder = Path(tempfile.mkdtemp(prefix="loansvc-small-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    drafts, models = folder / "drafts", folder / "models"
    drafts.mkdir()
    models.mkdir()
    for name, document in (("villages", register), ("rates", to_text(RATES))):
        publish_text(models, drafts / f"{name}.json", document)
    for product in PRODUCTS:
        card = to_text({**CARD, "product": product})
        publish_text(models, drafts / f"{product}.json", card)
        policy = POLICY.replace("PRODUCT", product)
        publish_text(models, drafts / f"{product}.toml", policy)
    return folder


def publish_caps(models: Path, folder: Path, *, related_percent: int, **caps: int) -> None:
    """A later policy of the credit loan whose fund caps are these, asking nothing of exposure."""
    policy = POLICY.replace("PRODUCT", "credit_loan").replace("2026-07-01", "2026-08-01")
    for name, value in caps.items():
        policy = re.sub(rf"(?m)^{name} = \d+$", f"{name} = {value}", policy)
    policy = policy.replace("[fund]\n", f"[fund]\nrelated_percent = {related_percent}\n")
    policy = policy.replace("at_most = 2 }", "at_most = 999 }")
    policy = policy.replace("yuan = 300_000\nless", "yuan = 300_000_000\nless")
    publish_text(models, folder / "caps.toml", policy.replace("2027-06-30", "2028-06-30"))


def publish_text(models: Path, draft: Path, text: str, **kwargs: Any) -> None:
    draft.write_text(text, "utf-8")
    publish(models, draft, role=kwargs.pop("role", "champion"), approver="test", **kwargs)


def publish_rival(models: Path, folder: Path, **terms: Any) -> str:
    """A challenger of the small card of the credit loan, with other points; its digest."""
    changes = {"base_points": terms.pop("base_points", 560)}
    card = to_text({**CARD, "product": "credit_loan", **changes})
    publish_text(models, folder / "rival.json", card, role="challenger", **terms)
    return digest_of(card.encode())


def small_underwriting(
    folder: Path, *, clock: Callable[[], datetime] = lambda: NOON, models: Path | None = None
) -> Underwriting:
    """Underwriting on the small editions and a new ledger under `folder`."""
    home = folder / "home"
    if not home.exists():
        databases.begin(home)
    ledger = Ledger.open(databases.url_of(home), home=home, create=True)
    return Underwriting(Registry.open(models or small_models(folder)), ledger, clock=clock)


class Clock:
    """A clock in hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, days: int) -> None:
        self.now += timedelta(days=days)

    def on(self, day: str) -> None:
        self.now = datetime.combine(date.fromisoformat(day), NOON.timetz())


def a_worker(root: Underwriting, **changes: Any) -> Working:
    """A worker on this underwriting."""

    def read(document: Any) -> Application:
        codes = root.registry.village_codes
        return load_application(document, today=root.today(), village_codes=codes)

    return Working(root, read, **changes)


def all_worked(worker: Working) -> int:
    """Decide all that waits; how many rows those were."""
    return sum(piece.n_rows for piece in iter(worker.piece, None))


def lines_of(*documents: Any) -> bytes:
    """The body of a batch."""
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def with_fund(root: Underwriting, capital_yuan: int) -> Lending:
    """Reports and fund on this underwriting, the fund's capital stated."""
    lending = Lending(root)
    on = root.today()
    lending.set_fund(capital_yuan=capital_yuan, reference="test", approver="test", on=on)
    return lending


def a_fact(kind: str, amount_yuan: int | None = None, **changes: Any) -> Fact:
    """A report of a loan, of today, its reference its kind."""
    given = {"reference": kind, "on": TODAY, **changes}
    return Fact(kind=kind, amount_yuan=amount_yuan, **given)


def small_editions(folder: Path, product: str = "credit_loan") -> Editions:
    """The four small editions."""
    return Registry.open(small_models(folder)).in_force(product, TODAY)


def a_document(number: int = 1, product: str = "credit_loan", **changes: Any) -> dict[str, Any]:
    """A valid application document; `changes` are dotted paths, `loan__amount_yuan=1`."""
    document = json.loads(json.dumps(example_application(product, today=TODAY, number=number)))
    for path, value in changes.items():
        *steps, last = path.split("__")
        place = document
        for step in steps:
            place = place[step]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return document


def an_application(number: int = 1, product: str = "credit_loan", **changes: Any) -> Application:
    """A plain valid application, some fields changed."""
    document = a_document(number, product, **changes)
    loaded = load_application(document, today=TODAY, village_codes=CODES)
    return replace(loaded, applied_on=loaded.applied_on or TODAY)
