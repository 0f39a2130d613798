"""F14, F15: a broken card or policy is refused with its name, at start and at reload."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from loansvc.errors import EditionRefused, NotReady
from loansvc.registry import Registry
from tests.e2e.service import Service
from tests.fault.broken import CARDS, FILES, POLICIES, Breakage, relocked
from tests.fault.tools import needs_root
from tests.small import FIRST_DAY, NOON, POLICY, publish_text, small_models, small_underwriting

NOBODY = 65534
MOST_S = 2.0
BEFORE_ALL = NOON.replace(month=6, day=30)
CARD = f"scorecards/credit_loan/{FIRST_DAY}.json"
POLICY_FILE = f"policies/credit_loan/{FIRST_DAY}.toml"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_models(tmp_path_factory.mktemp("whole"))


def refusal(whole: Path, folder: Path, name: str, breaks: Breakage, *, relock: bool) -> float:
    """How long a registry took to refuse the folder with that file broken, and by its name."""
    models = folder / "models"
    shutil.rmtree(models, ignore_errors=True)
    shutil.copytree(whole, models)
    breaks(models / name)
    if relock and (models / name).is_file() and (models / name).stat().st_size < 10**8:
        relocked(models, models / name)
    started = time.monotonic()
    with pytest.raises(EditionRefused) as refused:
        Registry.open(models)
    assert name in str(refused.value)
    assert str(refused.value).endswith("."), "no remedy"
    return time.monotonic() - started


@pytest.mark.parametrize(
    ("name", "breakages"),
    [
        pytest.param(CARD, FILES | CARDS, marks=pytest.mark.faults("F14", within_s=120)),
        pytest.param(POLICY_FILE, FILES | POLICIES, marks=pytest.mark.faults("F15", within_s=120)),
    ],
)  # fmt: skip
def test_a_broken_file_is_refused_by_its_name(
    whole: Path, tmp_path: Path, name: str, breakages: dict[str, Breakage],
    measured: Callable[[str], None],
) -> None:  # fmt: skip
    """Once with the digest it was published with, once with one that fits what is in it now."""
    slowest, accepted = 0.0, []
    for what, breaks in breakages.items():
        for relock in (False, True):
            try:
                took = refusal(whole, tmp_path, name, breaks, relock=relock)
            except pytest.fail.Exception:
                accepted.append(what)
            else:
                assert took < MOST_S, what
                slowest = max(slowest, took)
    assert accepted == []
    measured(
        f"{2 * len(breakages)} of {2 * len(breakages)} refused with the file's name, "
        f"slowest {slowest * 1000:.0f} ms"
    )


@pytest.mark.faults("F14")
def test_a_file_that_may_not_be_read_is_refused_by_its_name(whole: Path) -> None:
    needs_root()
    folder = Path(tempfile.mkdtemp())
    try:
        shutil.copytree(whole, folder / "models")
        folder.chmod(0o755)
        (folder / "models" / CARD).chmod(0o600)
        os.seteuid(NOBODY)
        with pytest.raises(EditionRefused, match=f"{CARD}: cannot be read: Permission denied"):
            Registry.open(folder / "models")
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)


@pytest.mark.faults("F15")
def test_a_product_whose_only_policy_is_of_the_future_is_not_ready(tmp_path: Path) -> None:
    """And 29 February is a day like any other where it exists."""
    models = small_models(tmp_path)
    leap = POLICY.replace("PRODUCT", "fast_loan").replace("2026-07-01", "2028-02-29")
    leap = leap.replace("2027-06-30", "2029-06-30")
    publish_text(models, tmp_path / "leap.toml", leap)
    small_underwriting(tmp_path, models=models).check_ready()
    in_force = Registry.open(models).in_force("fast_loan", date(2028, 2, 29))
    assert in_force.policy.valid_from == date(2028, 2, 29)
    root = small_underwriting(tmp_path / "early", models=models, clock=lambda: BEFORE_ALL)
    with pytest.raises(NotReady):
        root.check_ready()


@pytest.fixture
def service(tmp_path: Path, whole: Path) -> Iterator[Service]:
    shutil.copytree(whole, tmp_path / "models")
    running = Service(tmp_path / "home", tmp_path / "models")
    yield running
    running.close()


@pytest.mark.parametrize(
    ("name", "what"),
    [
        pytest.param(CARD, "cut at 50 %", marks=pytest.mark.faults("F14")),
        pytest.param(CARD, "a pipe", marks=pytest.mark.faults("F14")),
        pytest.param(POLICY_FILE, "a YAML tag", marks=pytest.mark.faults("F15")),
    ],
)
def test_a_service_does_not_start_on_a_broken_file(
    service: Service, name: str, what: str, measured: Callable[[str], None]
) -> None:
    path = service.models / name
    (FILES | (CARDS if name == CARD else POLICIES))[what](path)
    if path.is_file():
        relocked(service.models, path)
    refused = service.run("serve", "--port", str(service.port))
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert refused.stderr.startswith(f"loansvc: {name}: ")
    measured(f"start with it {what}: exit 1, one line")
