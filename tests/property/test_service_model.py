"""Whatever clients, operators and people do in whatever order, the service answers as its oracle.

Two workers serve one folder; the oracle knows neither ledger nor registry: lists, and rules of one
line. `make test` tries a little, `make test-fuzz` 2,000 steps for each of 20 seeds.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from werkzeug.test import TestResponse

from loansvc.editions import to_text
from loansvc.errors import NotFound, SetupRefused
from loansvc.ledger import Ledger, keys
from loansvc.registry import Registry
from loansvc.settings import Settings
from loansvc.underwriting import Underwriting
from loansvc.web import create_app
from tests import databases
from tests.small import CARD, NOON, TODAY, a_document, publish_text, small_models

ALL, SOME = ("decide", "read", "review"), ("decide", "read")
UNWATCHED = Settings(probing_flag=999_999, probing_limit=999_999, rate_limit=999_999)
ABOVE_BASE = 30 + 10 + 6  # points of the plain application on the small card, and its village's
PRODUCT, MOST_LOANS, MOST_KEYS = "credit_loan", 3, 2
LAPSES, MOST_TIME = timedelta(days=30), timedelta(days=60)
WITHOUT_MACHINE = ["credit_report", "income", "public_records"]
FOLDER = tempfile.TemporaryDirectory()


@cache
def models() -> Path:
    return small_models(Path(FOLDER.name))


# --- what the oracle knows ------------------------------------------------------------------------


@dataclass
class Key:
    """A key of a client as whoever made it knows it."""

    id: str
    token: str
    client: str
    scopes: tuple[str, ...]
    until: datetime
    revoked: bool = False

    def is_usable(self, now: datetime) -> bool:
        return not self.revoked and now < self.until


@dataclass
class Decision:
    """A decision as its client knows it; the answers are those of the first time."""

    person: int
    document: dict[str, Any]
    answer: bytes
    machine: str
    at: datetime
    review: tuple[str, str, bytes] | None = None  # reference, key and answer
    override: tuple[dict[str, Any], bytes] | None = None
    human: str = ""
    erased: bool = False

    def is_loan(self, now: datetime) -> bool:
        """Whether it counts as a policy loan of its person."""
        approved = (self.human or self.machine) == "approve"
        return approved and not self.erased and now < self.at + LAPSES


@dataclass
class Oracle:
    """What there is, as lists."""

    now: datetime = NOON
    keys: list[Key] = field(default_factory=list)
    decisions: dict[tuple[str, str], Decision] = field(default_factory=dict)
    published: dict[date, int] = field(default_factory=lambda: {date(2026, 7, 1): 580})
    loaded: dict[date, int] = field(default_factory=dict)
    erasures: dict[int, bytes] = field(default_factory=dict)
    n_entries: int = 0

    def base_on(self, day: date) -> int:
        return self.loaded[max(first for first in self.loaded if first <= day)]

    def of_person(self, person: int) -> list[Decision]:
        return [d for d in self.decisions.values() if d.person == person and not d.erased]

    def n_loans(self, person: int) -> int:
        return sum(d.is_loan(self.now) for d in self.of_person(person))

    def outcome(self, person: int, document: dict[str, Any]) -> str:
        if "automated_decision" not in document["consent"]["scopes"]:
            return "refer"
        return "decline" if self.n_loans(person) >= MOST_LOANS else "approve"

    def has_place(self, client: str, scopes: tuple[str, ...]) -> bool:
        same = [k for k in self.keys if (k.client, k.scopes) == (client, scopes)]
        return sum(k.is_usable(self.now) for k in same) < MOST_KEYS

    def at_the_door(self, key: Key, scope: str) -> int:
        """The status of whoever is not let in, else 0."""
        if not key.is_usable(self.now):
            return 401
        return 0 if scope in key.scopes else 403

    def missing(self, name: tuple[str, str]) -> int:
        """The status of a decision that cannot be shown, else 0."""
        if name not in self.decisions:
            return 404
        return 410 if self.decisions[name].erased else 0


# --- what is done ---------------------------------------------------------------------------------

which = st.integers(0, 9)
persons = st.integers(1, 3)
names = st.integers(1, 6).map("A-{}".format)
clients = st.sampled_from(["bank", "other"])


@pytest.fixture(autouse=True, scope="module")
def _no_key_is_kept() -> Iterator[None]:
    """A key is kept for a second by the clock on the wall; the clock here is the oracle's."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(keys, "KNOWN_S", 0.0)
        yield


class Service(RuleBasedStateMachine):
    """Two workers on one folder, and the oracle beside them."""

    @initialize()
    def begin(self) -> None:
        self.oracle, self.serial = Oracle(), count(1)
        self.folder = tempfile.TemporaryDirectory()
        self.home = Path(self.folder.name) / "home"
        self.models = Path(self.folder.name) / "models"
        shutil.copytree(models(), self.models)
        self.url = databases.url_of(self.home)
        self.workers: list[Underwriting] = []
        self.restart()
        self.admin = self.made("county", ("admin",), 365)
        for client in ("bank", "other", "bank"):
            self.oracle.keys.append(self.made(client, ALL, 90))
        for number in range(3):
            self.decide(number, number + 1, f"A-{number + 1}", 8_000, number != 1, 0)

    def teardown(self) -> None:
        if hasattr(self, "workers"):
            if sys.exc_info()[0] is None:  # else that is what is to be told
                self.look_at_everything()
            self.stop()
            self.folder.cleanup()

    def stop(self) -> None:
        for root in self.workers:
            root.ledger.close()

    @rule()
    def restart(self) -> None:
        self.stop()
        self.workers = [self.worker() for _ in range(2)]
        self.apps = [create_app(root, UNWATCHED) for root in self.workers]
        self.oracle.loaded = dict(self.oracle.published)

    def worker(self) -> Underwriting:
        ledger = Ledger.open(self.url, home=self.home, create=True)
        root = Underwriting(Registry.open(self.models), ledger, clock=lambda: self.oracle.now)
        assert root.erase_again() == 0
        return root

    @property
    def ledger(self) -> Ledger:
        return self.workers[0].ledger

    def call(self, method: str, path: str, key: Key, document: Any = None) -> TestResponse:
        """The answer of one of the workers in turn, at an address of its own: wrong tries count."""
        n = next(self.serial)
        return self.apps[n % 2].test_client().open(
            path, method=method, json=document, headers={"Authorization": f"Bearer {key.token}"},
            environ_overrides={"REMOTE_ADDR": f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"},
        )  # fmt: skip

    def is_refused(self, answer: TestResponse, status: int) -> bool:
        """Whether it is to be refused, as it then is."""
        event(f"{answer.request.method} {answer.status_code}")
        if status:
            assert answer.status_code == status, answer.text
            assert answer.content_type == "application/problem+json"
        return bool(status)

    # --- keys and time ---------------------------------------------------------------------------

    def made(self, client: str, scopes: tuple[str, ...], days: int) -> Key:
        until = self.oracle.now + timedelta(days=days)
        key, token = keys.create(
            self.ledger, client=client, scopes=scopes, now=self.oracle.now, expires_at=until
        )
        self.oracle.n_entries += 1
        return Key(key.key_id, token, client, scopes, until)

    def key(self, number: int) -> Key:
        """One of the newest; more often than not one that opens everything."""
        newest = self.oracle.keys[-6:]
        good = [k for k in newest if k.is_usable(self.oracle.now) and k.scopes == ALL]
        found = good if good and number < 8 else newest
        return found[number % len(found)]

    @rule(hours=st.sampled_from([1, 24, 24 * 7]))
    def wait(self, hours: int) -> None:
        self.oracle.now = min(self.oracle.now + timedelta(hours=hours), NOON + MOST_TIME)

    @rule(client=clients, scopes=st.sampled_from([ALL, ALL, SOME]), days=st.sampled_from([1, 90]))
    def issue(self, client: str, scopes: tuple[str, ...], days: int) -> None:
        if self.oracle.has_place(client, scopes):
            self.oracle.keys.append(self.made(client, scopes, days))
            return
        with pytest.raises(SetupRefused):
            self.made(client, scopes, days)

    @rule(number=which, hours=st.sampled_from([0, 1, 48]))
    def rotate(self, number: int, hours: int) -> None:
        now, old = self.oracle.now, self.key(number)
        until = now + timedelta(days=90)
        about: dict[str, Any] = {
            "now": now, "overlap": timedelta(hours=hours), "expires_at": until,
        }  # fmt: skip
        if not (is_usable := old.is_usable(now)) or not self.oracle.has_place(
            old.client, old.scopes
        ):
            with pytest.raises(SetupRefused if is_usable else NotFound):
                keys.rotate(self.ledger, old.id, **about)
            return
        key, token = keys.rotate(self.ledger, old.id, **about)
        old.until = min(old.until, now + timedelta(hours=hours))
        self.oracle.keys.append(Key(key.key_id, token, old.client, old.scopes, until))
        self.oracle.n_entries += 1

    @rule(number=which)
    def revoke(self, number: int) -> None:
        key = self.key(number)
        if key.revoked:
            with pytest.raises(NotFound):
                keys.revoke(self.ledger, key.id, now=self.oracle.now)
            return
        keys.revoke(self.ledger, key.id, now=self.oracle.now)
        key.revoked = True
        self.oracle.n_entries += 1

    # --- decisions -------------------------------------------------------------------------------

    @rule(
        number=which,
        person=persons,
        name=names,
        amount=st.sampled_from([8_000, 9_000]),
        automated=st.sampled_from([True, True, False]),
        back=st.sampled_from([0, 0, 9]),
    )
    def decide(
        self, number: int, person: int, name: str, amount: int, automated: bool, back: int
    ) -> None:
        consent: dict[str, Any] = {} if automated else {"consent__scopes": WITHOUT_MACHINE}
        day = max(self.oracle.now.date() - timedelta(days=back), TODAY)
        self.post(number, person, a_document(
            person, application_id=name, loan__amount_yuan=amount, applied_on=day.isoformat(),
            **consent,
        ))  # fmt: skip

    @rule(number=which, known=which, changed=st.booleans())
    def decide_again(self, number: int, known: int, changed: bool) -> None:
        """What was sent before, by this client or the other one, in another order; or changed."""
        if not self.oracle.decisions:
            return
        newest = list(self.oracle.decisions.values())[-5:]
        decision = newest[known % len(newest)]
        document = dict(reversed(decision.document.items()))
        if changed:
            amount = document["loan"]["amount_yuan"] + 1_000
            document["loan"] = document["loan"] | {"amount_yuan": amount}
        self.post(number, decision.person, document)

    def post(self, number: int, person: int, document: dict[str, Any]) -> None:
        key = self.key(number)
        name = (key.client, document["application_id"])
        known = self.oracle.decisions.get(name)
        status = self.oracle.at_the_door(key, "decide")
        if not status and known is not None:
            status = 410 if known.erased else 409 if known.document != document else 0
        answer = self.call("POST", "/v1/decisions", key, document)
        if self.is_refused(answer, status):
            return
        if known is not None:
            assert (answer.status_code, answer.data) == (200, known.answer)
            return
        assert answer.status_code == 201, answer.text
        body = answer.get_json()
        outcome = self.oracle.outcome(person, document)
        day = date.fromisoformat(document["applied_on"])
        assert (body["outcome"], body["score"]) == (outcome, ABOVE_BASE + self.oracle.base_on(day))
        self.oracle.n_entries += 1
        assert body["ledger"]["sequence"] <= self.oracle.n_entries + 1  # and the installation's own
        self.oracle.decisions[name] = Decision(
            person, document, answer.data, outcome, self.oracle.now
        )

    @rule(number=which, name=names, kind=st.sampled_from(["", "/replay", "/explanation"]))
    def read(self, number: int, name: str, kind: str) -> None:
        key = self.key(number)
        status = self.oracle.at_the_door(key, "read") or self.oracle.missing((key.client, name))
        answer = self.call("GET", f"/v1/decisions/{name}{kind}", key)
        if self.is_refused(answer, status):
            return
        decision = self.oracle.decisions[key.client, name]
        body, first = answer.get_json(), json.loads(decision.answer)
        if kind == "/replay":
            assert body["identical"]
        elif kind == "/explanation":
            assert body["outcome"] == decision.machine
        else:
            assert {name: body[name] for name in first} == first
            assert ("review" in body, "override" in body) == (
                decision.review is not None, decision.override is not None,
            )  # fmt: skip

    # --- people ----------------------------------------------------------------------------------

    @rule(number=which, name=names, reference=st.sampled_from(["V-1", "V-1", "V-2"]))
    def ask_for_a_review(self, number: int, name: str, reference: str) -> None:
        key = self.key(number)
        decision = self.oracle.decisions.get((key.client, name))
        status = self.oracle.at_the_door(key, "review") or self.oracle.missing((key.client, name))
        if not status and decision and decision.review and decision.review[0] != reference:
            status = 409
        said = {"reference": reference, "asked_by": "officer", "reason": "referred"}
        answer = self.call("POST", f"/v1/decisions/{name}/reviews", key, said)
        if self.is_refused(answer, status):
            return
        assert decision is not None
        if decision.review:
            assert (answer.status_code, answer.data) == (200, decision.review[2])
            return
        assert answer.status_code == 201, answer.text
        decision.review = (reference, key.id, answer.data)
        self.oracle.n_entries += 1

    @rule(
        number=which,
        asker=st.none() | which,
        name=names,
        outcome=st.sampled_from(["approve", "decline"]),
    )
    def override(self, number: int, asker: int | None, name: str, outcome: str) -> None:
        """A person decides, most often on a review asked for just before."""
        if asker is not None:
            self.ask_for_a_review(asker, name, "V-1")
        key = self.key(number)
        decision = self.oracle.decisions.get((key.client, name))
        reason = {"approve": "facts_verified", "decline": "facts_not_confirmed"}[outcome]
        if decision and decision.machine == outcome:
            reason = "confirmed"
        said = {"reference": "O-1", "outcome": outcome, "reason": reason}
        status = self.oracle.at_the_door(key, "review") or self.oracle.missing((key.client, name))
        status = status or self.bar_to_override(decision, key, said)
        answer = self.call("POST", f"/v1/decisions/{name}/override", key, said)
        if self.is_refused(answer, status):
            return
        assert decision is not None
        if decision.override:
            assert (answer.status_code, answer.data) == (200, decision.override[1])
            return
        assert answer.status_code == 201, answer.text
        decision.override = (said, answer.data)
        if reason != "confirmed":
            decision.human, decision.at = outcome, self.oracle.now
        self.oracle.n_entries += 1

    def bar_to_override(self, decision: Decision | None, key: Key, said: dict[str, Any]) -> int:
        assert decision is not None
        if decision.override:
            return 0 if decision.override[0] == said else 409
        if not decision.review:
            return 409
        if decision.review[1] == key.id:
            return 403
        lends = said["outcome"] == "approve" and decision.machine != "approve"
        return 409 if lends and self.oracle.n_loans(decision.person) >= MOST_LOANS else 0

    @rule(person=persons)
    def erase(self, person: int) -> None:
        id_number = a_document(person)["applicant"]["id_number"]
        said = {
            "id_number": id_number, "reason": "withdrawn", "reference": f"E-{person}",
            "approver": "officer",
        }  # fmt: skip
        here = self.oracle.of_person(person)
        n_acts = sum((d.review is not None) + (d.override is not None) for d in here)
        n_lapsed = self.oracle.n_loans(person)
        answer = self.call("POST", "/v1/erasures", self.admin, said)
        assert answer.status_code == 200, answer.text
        assert id_number not in answer.text
        body = answer.get_json()
        if here:
            told = (body["decisions"], body["other_entries"], body["offers_lapsed"])
            assert told == (len(here), n_acts, n_lapsed)
            for decision in here:
                decision.erased = True
            self.oracle.erasures[person] = answer.data
            self.oracle.n_entries += 1
        elif person in self.oracle.erasures:
            assert answer.data == self.oracle.erasures[person]
        else:
            assert (body["decisions"], body["erasure_id"]) == (0, None)

    # --- editions --------------------------------------------------------------------------------

    @rule(base=st.integers(56, 62), days=st.sampled_from([-2, 0, 1, 8]), taken_up=st.booleans())
    def publish(self, base: int, days: int, taken_up: bool) -> None:
        """A card with another base; whoever serves takes it up when started again."""
        first = self.oracle.now.date() + timedelta(days=days)
        if first in self.oracle.published:
            return
        card = {**CARD, "product": PRODUCT, "base_points": base * 10,
                "valid_from": first.isoformat()}  # fmt: skip
        publish_text(self.models, Path(self.folder.name) / f"{first}.json", to_text(card))
        self.oracle.published[first] = base * 10
        if taken_up:
            self.restart()

    # --- everything ------------------------------------------------------------------------------

    @rule()
    def look_at_everything(self) -> None:
        """The chain holds what was done and no more, and each client sees its own, newest first."""
        for root in self.workers:
            assert root.ledger.verify() == (self.oracle.n_entries, [])
            for client in ("bank", "other"):
                found, _ = root.page(client=client, limit=99)
                mine = [(n, d) for (c, n), d in self.oracle.decisions.items() if c == client]
                assert [one.entry.application_id for one in found] == [
                    name for name, d in reversed(mine) if not d.erased
                ]


class ServiceInPostgres(Service):
    """The same on the other database."""

    @initialize()
    def begin(self) -> None:
        with databases.using(databases.POSTGRESQL):
            super().begin()


STEPS, SEEDS, EXAMPLES_OF_A_SEED = 50, 20, 40  # 2,000 steps for each seed
SHORT = settings(
    max_examples=8, stateful_step_count=STEPS, deadline=None, derandomize=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
TestService, TestServiceInPostgres = Service.TestCase, ServiceInPostgres.TestCase
TestService.settings = SHORT
TestServiceInPostgres.settings = settings(SHORT, max_examples=1)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(SEEDS))
def test_of_many_more_steps_none_is_answered_otherwise(number: int) -> None:
    longer = settings(
        SHORT, max_examples=EXAMPLES_OF_A_SEED, derandomize=False, database=None,
        phases=[Phase.generate],
    )  # fmt: skip
    run_state_machine_as_test(seed(number)(Service), settings=longer)
