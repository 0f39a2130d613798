"""How long a decision takes in process, beside scikit-learn.

Run: make bench. Figures are medians of rounds that take turns, so that a busy machine slows all of
them; ratios of one run can be compared, times of two runs cannot. Nothing here asserts a time.
"""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from loansvc.application import PRODUCTS, Application, characteristics
from loansvc.decision import Exposure, decide
from loansvc.registry import LOCK, Registry
from loansvc.remedies import ways
from loansvc.settings import shipped
from loansvc.training.additive import AdditiveModel, model_columns
from loansvc.training.blend import Blend
from loansvc.training.cells import encode
from loansvc.training.document import card_of
from loansvc.training.records import application_records
from loansvc.training.synthetic import generate
from loansvc.training.train import DEFAULT_SEED, train_scorecard
from loansvc.underwriting import now
from loansvc.web.examples import example_application
from loansvc.web.schemas import load_application
from tests.small import small_models

pytestmark = pytest.mark.bench
SHIPPED = shipped("models")
N_ROUNDS = 40


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The shipped editions once they are published, else the small ones; and which."""
    if (SHIPPED / LOCK).exists():
        return SHIPPED, "shipped"
    return small_models(tmp_path_factory.mktemp("small")), "small"


def microseconds(run: Callable[[], object], n: int) -> float:
    """One call, on average over n."""
    started = time.perf_counter_ns()
    for _ in range(n):
        run()
    return (time.perf_counter_ns() - started) / n / 1000


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_one_decision_in_process(models: tuple[Path, str], capsys: pytest.CaptureFixture) -> None:
    """Application to Decision, beside the very model that its card was made from."""
    registry = Registry.open(models[0])
    today = now().date()
    document = example_application("credit_loan", today=today, number=1)
    application: Application = replace(
        load_application(document, today=today, village_codes=registry.village_codes),
        applied_on=today,
    )
    trained = train_scorecard(
        "credit_loan", seed=DEFAULT_SEED, n_applicants=20_000, valid_from=today,
        reference="bench", operator="bench", clock=now,
    )  # fmt: skip
    card = card_of(trained.document)
    in_force = registry.in_force("credit_loan", today)
    editions = replace(in_force, scorecard=replace(in_force.scorecard, content=card))
    exposure, values = Exposure(), characteristics(application)
    inputs, model = trained.fit.inputs, trained.fit.trained.model
    assert isinstance(model, Blend)
    boosted = model.members[-1]
    assert isinstance(boosted, AdditiveModel)
    frame = pd.DataFrame([values])
    cells = model_columns(encode(frame, inputs), inputs)

    def predict(cells: NDArray[np.float64]) -> float:
        """The mean log-odds of the boosted bags, through scikit-learn's own predict_proba."""
        with threadpool_limits(1):
            shares = [bag.predict_proba(cells)[0, 1] for bag in boosted.bags]
        return float(np.mean(np.log(shares)))

    runs: dict[str, tuple[Callable[[], object], int]] = {
        "decide(): points, rules, price, guarantee, reasons": (
            lambda: decide(application, editions, exposure), 200),
        "the score alone, from the card": (lambda: card.score(values), 1000),
        "predict_proba of the trained model, ready array": (lambda: predict(cells), 5),
        "predict_proba of the trained model, one-row frame": (
            lambda: predict(model_columns(encode(frame, inputs), inputs)), 5),
        "decide(), to_document and JSON": (
            lambda: json.dumps(decide(application, editions, exposure).to_document()), 200),
        "load_application: every field rule": (
            lambda: load_application(
                document, today=today, village_codes=registry.village_codes), 100),
    }  # fmt: skip
    for run, n in runs.values():
        microseconds(run, n)
    taken: dict[str, list[float]] = {name: [] for name in runs}
    gc.disable()
    try:
        for _ in range(N_ROUNDS):
            for name, (run, n) in runs.items():
                taken[name].append(microseconds(run, n))
    finally:
        gc.enable()
    base = statistics.median(next(iter(taken.values())))
    with capsys.disabled():
        print(f"\n\nOne decision in process, {models[1]} policy, {len(inputs)} characteristics")
        print(f"{'':<52}{'median us':>10}{'90 %':>10}{'ratio':>8}")
        for name, times in taken.items():
            middle, high = statistics.median(times), statistics.quantiles(times, n=10)[-1]
            print(f"{name:<52}{middle:>10.1f}{high:>10.1f}{middle / base:>8.1f}")


def test_what_would_change_the_answer(capsys: pytest.CaptureFixture) -> None:
    """Synthetic applications that are not approved, by product: milliseconds, and how many ways."""
    registry, on = Registry.open(SHIPPED), now().date()
    with capsys.disabled():
        print(f"\n\n{'what would change the answer':<30}{'cases':>7}{'p50 ms':>9}{'p90':>7}"
              f"{'p99':>7}{'most':>7}{'with a way':>12}")  # fmt: skip
        for product in PRODUCTS:
            editions = registry.in_force(product, on)
            frame = generate(600, seed=20_261_123, product=product).frame
            taken, n_told = [], 0
            for record in application_records(frame, product=product, applied_on=on, seed=11):
                application = load_application(
                    record, today=on, village_codes=registry.village_codes
                )
                if decide(application, editions, Exposure()).outcome == "approve":
                    continue
                started = time.perf_counter()
                n_told += bool(ways(application, editions, Exposure()))
                taken.append((time.perf_counter() - started) * 1000)
            cuts = statistics.quantiles(taken, n=100)
            print(f"{product:<30}{len(taken):>7}{cuts[49]:>9.1f}{cuts[89]:>7.1f}{cuts[98]:>7.1f}"
                  f"{max(taken):>7.1f}{n_told / len(taken):>12.0%}")  # fmt: skip
