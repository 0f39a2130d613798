"""Every loader on damaged input: it is read, or refused by a refusal that was declared, never else.

Real files are damaged in bits, cuts and pieces, and hostile values put at any place of them.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loansvc.application import from_record, to_record
from loansvc.cli.evidence import COLUMNS, read_rows
from loansvc.errors import EditionRefused, LoanError, SetupRefused
from loansvc.ledger import Ledger
from loansvc.ledger.commitments import Fact
from loansvc.ledger.erasure import LIST, on_list
from loansvc.ledger.vault import Vault
from loansvc.registry import Registry
from loansvc.registry.documents import parse, parse_document
from loansvc.reviewing.facts import Dispute, Override, Review
from loansvc.training.card import Card
from loansvc.training.job import read_spec
from loansvc.training.table import read_table
from loansvc.web.issuers import Issuers
from loansvc.web.schemas import load_application
from loansvc.web.strict_json import loads
from tests.contract.test_http_tokens import PRIVATE, TOML, jwk
from tests.property.damages import bytes_of, csv_of, json_of, toml_of
from tests.small import (
    CARD,
    CODES,
    POLICY,
    RATES,
    REGISTER,
    TODAY,
    a_document,
    an_application,
    small_models,
)
from tests.unit.test_training_columns import DOCUMENT

SHIPPED = Path(__file__).parents[2] / "models"
TWENTIETHS = range(21)


@dataclass(frozen=True)
class Loader:
    """What reads bytes, files that it reads, and how else than in bytes they are damaged."""

    name: str
    read: Callable[[bytes, Path], object]
    samples: tuple[bytes, ...]
    damage: Callable[[bytes, Random], bytes] = json_of


def _edition(suffix: str) -> Callable[[bytes, Path], object]:
    return lambda data, _: parse_document(data, f"draft{suffix}")


def _from_file(read: Callable[[Path], object], name: str) -> Callable[[bytes, Path], object]:
    """Write the bytes to a file of that name, then read it."""

    def reading(data: bytes, folder: Path) -> object:
        path = folder / name
        path.write_bytes(data)
        path.chmod(0o600)
        return read(path)

    return reading


def _registry(data: bytes, folder: Path) -> object:
    (folder / "models" / "editions.lock").write_bytes(data)
    return Registry.open(folder / "models")


def _table_and_score(path: Path) -> object:
    card = Card.of(CARD | {"product": "credit_loan"})
    table = read_table(path, text=card.words)
    return card.score(table)


def _issuers(damaged: str) -> Callable[[bytes, Path], object]:
    """The issuers of two files, of which one is these bytes."""

    def reading(data: bytes, folder: Path) -> object:
        for name, good in (("issuers.toml", TOML.encode()), ("bank.jwks.json", JWKS)):
            (folder / name).write_bytes(data if name == damaged else good)
        return Issuers(folder / "issuers.toml")

    return reading


def _list_of_erasures(path: Path) -> object:
    return on_list(cast("Ledger", SimpleNamespace(home=path.parent)))


def _application(data: bytes, _: Path) -> object:
    application = load_application(loads(data), today=TODAY, village_codes=CODES)
    assert from_record(to_record(application)) == application
    return application


def _record(build: Callable[[Any], object]) -> Callable[[bytes, Path], object]:
    """From a JSON record as the ledger keeps it; other bytes are not its business."""

    def building(data: bytes, _: Path) -> object:
        try:
            record = json.loads(data)
        except (ValueError, RecursionError):
            return None
        return build(record)

    return building


def _dump(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def _evidence() -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for code in sorted(CODES):
        writer.writerow([code, *range(900, 900 - 10 * (len(COLUMNS) - 2), -10), "2026-03-31"])
    return out.getvalue().encode()


def _newest(folder: str, suffix: str) -> bytes:
    return max((SHIPPED / folder).rglob(f"*{suffix}")).read_bytes()


LOCK = b""  # the small editions' own, read where they are made
VAULT = _dump(
    {p: {"1": "A" * 43 + "="} for p in ("pseudonym", "key_encryption", "chain", "signing")}
)
TABLE = b"business_age_months,max_days_past_due_24m,word\n12,0,a\n,30,b\n40.5,,\n"
SPEC = b"""categorical = ["branch"]
[monotone]
age = -1
[special]
utilisation = [-1, -9]
[order]
grade = ["A", "B", "C"]
"""
FACT = {"reference": "D-1", "kind": "disbursed", "on": "2026-11-25", "amount_yuan": 120_000}
REVIEW = {"reference": "V-1", "asked_by": "officer", "reason": "referred", "note": "n"}
OVERRIDE = {"reference": "O-1", "outcome": "approve", "reason": "visit", "amount_yuan": 1}
DISPUTE = {"reference": "X-1", "kind": "lodged", "about": "other", "on": "2026-11-25"}
JWKS = _dump({"keys": [jwk(algorithm) for algorithm in PRIVATE]})
LOADERS = (
    Loader("strict JSON", lambda data, _: loads(data), (
        _dump(a_document(1)), b'{"a": [1.5, "\xe5\xbc\xa0"]}')),
    Loader("application", _application, (
        _dump(a_document(1)), _dump(a_document(2, "online_loan")))),
    Loader("scorecard", _edition(".json"), (
        _dump(CARD | {"product": "credit_loan"}), _newest("scorecards/credit_loan", ".json"))),
    Loader("policy", _edition(".toml"), (
        POLICY.replace("PRODUCT", "credit_loan").encode(),
        *(_newest(f"policies/{p}", ".toml") for p in ("credit_loan", "fast_loan"))), toml_of),
    Loader("register", _edition(".json"), (_dump(REGISTER), _newest("villages", ".json"))),
    Loader("rates", _edition(".json"), (_dump(RATES), _newest("rates", ".json"))),
    Loader("standard", _edition(".toml"), (_newest("standards", ".toml"),), toml_of),
    Loader("lock", _registry, (LOCK,)),
    Loader("vault", _from_file(Vault.open, "vault.json"), (VAULT,)),
    Loader("evidence", lambda data, _: read_rows(data, "e.csv", codes=CODES, latest=TODAY),
           (_evidence(),), csv_of),
    Loader("table", _from_file(_table_and_score, "table.csv"), (TABLE,), csv_of),
    Loader("card", _from_file(Card.read, "card.json"), (
        _dump(DOCUMENT), _newest("scorecards/fast_loan", ".json"))),
    Loader("spec", _from_file(read_spec, "spec.toml"), (SPEC,), toml_of),
    Loader("issuers", _issuers("issuers.toml"), (TOML.encode(),), toml_of),
    Loader("JWKS", _issuers("bank.jwks.json"), (JWKS,)),
    Loader("list of erasures", _from_file(_list_of_erasures, LIST), (
        b'{"subject": "s-1", "entry": "e-1"}\n{"subject": "s-2", "entry": "e-2"}\n',), bytes_of),
    Loader("application record", _record(from_record), (_dump(to_record(an_application())),)),
    Loader("outcome record", _record(Fact.from_record), (_dump(FACT),)),
    Loader("review record", _record(Review.from_record), (_dump(REVIEW),)),
    Loader("override record", _record(Override.from_record), (_dump(OVERRIDE),)),
    Loader("dispute record", _record(Dispute.from_record), (_dump(DISPUTE),)),
)  # fmt: skip
BY_ITS_NAME = {loader.name: loader for loader in LOADERS}
BY_NAME = pytest.mark.parametrize("loader", LOADERS, ids=lambda loader: loader.name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("loaders")
    small_models(found)
    return found


def samples_of(loader: Loader, folder: Path) -> tuple[bytes, ...]:
    lock = folder / "lock"  # its text before anything was done to it
    if not lock.exists():
        lock.write_bytes((folder / "models" / "editions.lock").read_bytes())
    return tuple(sample or lock.read_bytes() for sample in loader.samples)


def read_or_refused(loader: Loader, data: bytes, folder: Path) -> None:
    """It reads the bytes, or refuses them in a sentence that can be shown."""
    try:
        loader.read(data, folder)
    except LoanError as refusal:
        text = str(refusal)
        assert text.strip()
        text.encode("utf-8")


@BY_NAME
def test_the_samples_are_read(loader: Loader, folder: Path) -> None:
    """Else nothing below would reach beyond the first check."""
    for sample in samples_of(loader, folder):
        loader.read(sample, folder)


@BY_NAME
def test_a_file_cut_at_any_twentieth_is_read_or_refused(loader: Loader, folder: Path) -> None:
    for sample in samples_of(loader, folder):
        for n in TWENTIETHS:
            read_or_refused(loader, sample[: len(sample) * n // 20], folder)


@pytest.mark.parametrize("name", BY_ITS_NAME)  # hypothesis shows what a test is called with
@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**64))
def test_a_damaged_file_is_read_or_refused(name: str, folder: Path, seed: int) -> None:
    loader, random = BY_ITS_NAME[name], Random(seed)
    sample = random.choice(samples_of(loader, folder))
    damage = random.choice((bytes_of, loader.damage))
    read_or_refused(loader, damage(sample, random), folder)


@pytest.mark.parametrize("raw", [r'"\ud800"', r'{"\udfff": 1}', r'["a\uD83D"]'])
def test_half_a_character_is_refused_where_it_stands_in_a_file(raw: str) -> None:
    """It could be read, and then neither printed nor answered."""
    with pytest.raises(EditionRefused, match="is not JSON"):
        parse(f'{{"statement": {raw}}}'.encode(), "card.json", ".json")


@pytest.mark.parametrize("points", [[1, 2, 3, 4], ["ab"] * 4, [None], {"a": 1}, [[1], 2]])
def test_a_two_way_table_that_is_none_is_refused(points: object) -> None:
    pair = {**DOCUMENT["pairs"][0], "points": points}
    with pytest.raises(EditionRefused, match="must be 4 lists of"):
        Card.of({**DOCUMENT, "pairs": [pair]})


@pytest.mark.parametrize("key", ["path", "digest"])
@pytest.mark.parametrize(
    "value", ["a" * 5000, "../../etc/passwd", "/etc/passwd", "a\x00", "a\n", "a/../b", "sha256:0"]
)
def test_a_lock_names_files_of_its_folder_alone(folder: Path, key: str, value: str) -> None:
    lock = json.loads(samples_of(BY_ITS_NAME["lock"], folder)[0])
    lock["editions"][0][key] = value
    if (key, value) == ("path", "sha256:0"):
        value = lock["editions"][0][key] = ""
    with pytest.raises(EditionRefused, match=rf"editions\[0\]\.{key}: must be"):
        _registry(_dump(lock), folder)


@pytest.mark.parametrize(
    ("of", "key", "value"),
    [
        *(("job", "words", value) for value in (7, "clerk", {"clerk": 1}, ["clerk", 3], [["a"]])),
        *(("age", "values", value) for value in (7, [True], [10**400], [float("inf")], [[1]])),
    ],
)
def test_words_and_codes_of_a_bin_that_are_none_are_refused(of: str, key: str, value: Any) -> None:
    document = copy.deepcopy(DOCUMENT)
    [*_, bin_] = [b for b in document["characteristics"][of]["bins"] if key in b]
    bin_[key] = value
    with pytest.raises(EditionRefused, match=rf"{key}: must be a list of"):
        Card.of(document)


@pytest.mark.parametrize("day", ["0001-01-01", "1899-12-31", "3000-01-01", "9999-12-31"])
def test_a_day_from_which_one_cannot_count_is_refused(day: str) -> None:
    """The day before the first and the day after the last that Python knows cannot be named."""
    clause = f"valid_from = {day}\n"
    text = POLICY.replace("PRODUCT", "credit_loan").replace("valid_from = 2026-07-01\n", clause)
    with pytest.raises(EditionRefused, match="valid_from: must be a date from 1900 to 2999"):
        parse_document(text.encode(), "draft.toml")
    keyed = f'\n[[rule]]\nkeyed_on = "applied_on"\nuntil = {day}\n'
    text = POLICY.replace("PRODUCT", "credit_loan").replace("\n[[rule]]\n", keyed, 1)
    with pytest.raises(EditionRefused, match="until: must be a date from 1900 to 2999"):
        parse_document(text.encode(), "draft.toml")


@pytest.mark.parametrize("file", ["a pipe", "/dev/null", ".", "a\\u0000", "a" * 300])
def test_an_issuer_names_a_plain_file(folder: Path, file: str) -> None:
    """A device would be read for ever: /dev/zero took all memory there was."""
    if not (folder / "a pipe").exists():
        os.mkfifo(folder / "a pipe")  # whoever opens it waits
    text = TOML.replace("bank.jwks.json", file)
    with pytest.raises(SetupRefused, match="cannot be read"):
        _issuers("issuers.toml")(text.encode(), folder)


def test_no_more_of_a_file_of_keys_is_read_than_may_be_in_it(folder: Path) -> None:
    with pytest.raises(SetupRefused, match="larger than"):
        _issuers("bank.jwks.json")(b" " * 2**20, folder)
