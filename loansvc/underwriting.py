"""Underwriting: editions in force and exposure, then `decide`, then the ledger.

The composition root: every way in (HTTP, CLI, batch) comes through here, and time and ids enter
here as arguments. A decision is recorded before it is returned; no record, no decision.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

from loansvc import decision as verb
from loansvc import explanation
from loansvc.application import PRODUCTS, Application, characteristics, from_record, to_record
from loansvc.decision import Exposure
from loansvc.decision.beside import beside_record
from loansvc.decision.replay import differences
from loansvc.decision.split import bucket_of, decider_of
from loansvc.editions import Edition
from loansvc.errors import (
    ApplicationIdReused,
    FieldError,
    InvalidApplication,
    NoEditionInForce,
    NotFound,
    NotReady,
    NotReproducible,
)
from loansvc.exposure import exposure_of
from loansvc.ledger import Entry, Ledger, Reading, Subject, Writing
from loansvc.ledger.acts import Act
from loansvc.ledger.erasure import reapply
from loansvc.ledger.variants import Variant
from loansvc.policy import Fund
from loansvc.probing import Watch
from loansvc.registry import Registry
from loansvc.scorecard import Scorecard
from loansvc.settings import Settings

SHANGHAI = timezone(timedelta(hours=8))  # no summer time since 1991
MOST_DAYS_BACK = 90  # of applied_on, for a recorded decision
MOST_OPENED = 1000  # sealed payloads looked into for one page


def now() -> datetime:
    """This moment in county time."""
    return datetime.now(SHANGHAI)


def stamp(at: datetime) -> str:
    """A moment as the ledger writes it."""
    return at.isoformat(timespec="milliseconds")


def milliseconds(at: datetime) -> int:
    """A moment as queues count: since 1970."""
    return int(at.timestamp() * 1000)


def new_decision_id(at: datetime) -> str:
    """A new id of a decision, ordered by time."""
    return new_id("dec", at)


def new_id(kind: str, at: datetime) -> str:
    """A new id, ordered by time: UUID version 7 (RFC 9562)."""
    value = (
        milliseconds(at) << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62
        | secrets.randbits(62)
    )  # fmt: skip
    return f"{kind}_{uuid.UUID(int=value)}"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision as the ledger holds it; `acts`: what people did about it, where asked for.

    `beside`: what the other scorecards in force said (`decision/beside.py`); it is never answered.
    """

    entry: Entry
    application: Application
    exposure: Exposure
    decision: dict[str, Any]
    acts: tuple[Act, ...] = ()
    beside: tuple[dict[str, Any], ...] = ()

    def answer(self) -> dict[str, Any]:
        """The body that is answered: the decision and where it stands in the ledger."""
        place = {"sequence": self.entry.sequence, "hash": self.entry.hash}
        return {**self.decision, "ledger": place}


@dataclass(frozen=True, slots=True)
class Derived:
    """An application as it was given, with its day filled in, and what follows from that alone.

    `variant`: what the watch on probing counts, where there is one.
    """

    given: Application
    dated: Application
    values: verb.Values
    variant: Variant | None


class Underwriting:
    """One registry, one ledger, one clock."""

    def __init__(
        self,
        registry: Registry,
        ledger: Ledger,
        *,
        clock: Callable[[], datetime] = now,
        new_id: Callable[[datetime], str] = new_decision_id,
    ) -> None:
        self.registry = registry
        self.ledger = ledger
        self.clock = clock
        self._new_id = new_id

    @classmethod
    def open(
        cls, settings: Settings, *, create: bool = False, registry: Registry | None = None
    ) -> Underwriting:
        """Everything that the settings name, verified; `registry` where it is open already.

        Raises:
            EditionRefused, SetupRefused: with the file or setting and what to do.
        """
        registry = registry or Registry.open(settings.models_folder)
        ledger = Ledger.open(
            settings.url,
            home=settings.home,
            vault_keys=settings.vault_keys,
            busy_timeout_ms=settings.busy_timeout_ms,
            create=create,
            suite=settings.cryptography,
        )
        root = cls(registry, ledger)
        root.erase_again()
        return root

    def erase_again(self) -> int:
        """How many people an older copy of the ledger had brought back; they are erased again."""
        at = self.clock()
        return len(reapply(self.ledger, at=stamp(at), new_id=lambda: new_id("era", at)))

    def today(self) -> date:
        """The day in the county."""
        return self.clock().date()

    def check_ready(self) -> None:
        """Refuse to serve unless every product can be decided today and the ledger answers.

        Raises:
            NotReady, LedgerUnavailable
        """
        try:
            for product in PRODUCTS:
                self.registry.in_force(product, self.today())
        except NoEditionInForce as error:
            raise NotReady(error.detail) from error
        with self.ledger.reading() as ledger:
            ledger.find("", "")

    def decide(
        self, application: Application, *, client: str, watch: Watch | None = None,
        stage: Callable[[str], None] = lambda _name: None,
    ) -> tuple[Recorded, bool]:  # fmt: skip
        """The recorded decision, and whether it is new.

        The same application again gives the recorded one; the same id with other content is
        refused. On return the decision is on disk. `watch`: on probing by this client. `stage` is
        told what begins, for whoever takes the time: wait, decide, commit, answer.

        Raises:
            ApplicationIdReused, Erased, InvalidApplication, NoEditionInForce, ProbingLimit,
            LedgerUnavailable
        """
        derived = self.derive(application, watch=watch)

        def work(ledger: Writing) -> tuple[Recorded, bool]:
            stage("decide")
            try:
                return self.decide_within(ledger, derived, client=client, watch=watch)
            finally:
                stage("commit")

        stage("wait")
        made = self.ledger.write(work)
        stage("answer")
        return made

    def derive(self, application: Application, *, watch: Watch | None = None) -> Derived:
        """What `decide_within` needs and no transaction: in one, everybody else waits for it."""
        dated = self._dated(application)
        values = characteristics(dated)
        variant = watch.variant(self.ledger.vault, dated, values) if watch else None
        return Derived(application, dated, values, variant)

    def decide_within(
        self, ledger: Writing, derived: Derived, *, client: str, watch: Watch | None = None
    ) -> tuple[Recorded, bool]:
        """`decide` within a write transaction of the caller's: on disk when that has ended.

        After a refusal the caller undoes what was written since before the call.

        Raises:
            as `decide`
        """
        entry = ledger.find(client, derived.given.application_id)
        if entry is not None:
            return _same_again(_recorded(ledger, entry), derived.given), False
        application = derived.dated
        self._check_recent(application)
        editions, beside = self._deciding(ledger, application)
        subject = ledger.subject_for(application.applicant.id_number)
        at = self.clock()
        if watch is not None and derived.variant is not None:
            watch.decide(ledger, derived.variant, at=at)
        ledger.fund.lapse(stamp(at))
        exposure = exposure_of(ledger, subject, application, stamp(at))
        decision = verb.decide(application, editions, exposure, derived.values)
        others = [
            beside_record(
                verb.decide(application, replace(editions, scorecard=c), exposure, derived.values),
                role=c.role,
            )
            for c in beside
        ]
        found = self._record(ledger, subject, application, exposure, decision, others, client, at)
        return found, True

    def _deciding(
        self, ledger: Reading, application: Application
    ) -> tuple[verb.Editions, list[Edition[Scorecard]]]:
        """The editions that decide on this person, and the scorecards that are scored beside.

        Raises:
            NoEditionInForce
        """
        product, on = application.product, application.on
        champion = self.registry.in_force(product, on)
        challengers = self.registry.challengers(product, on)
        if not any(c.share_percent for c in challengers):
            return champion, list(challengers)
        mark = ledger.vault.split_mark(application.applicant.id_number)
        decider = decider_of(bucket_of(mark, salt=product), challengers)
        deciding = decider or champion.scorecard
        beside = [c for c in (champion.scorecard, *challengers) if c is not deciding]
        return replace(champion, scorecard=deciding), beside

    def _record(
        self, ledger: Writing, subject: Subject, application: Application, exposure: Exposure,
        decision: verb.Decision, beside: list[dict[str, Any]], client: str, at: datetime,
    ) -> Recorded:  # fmt: skip
        decision_id = self._new_id(at)
        body = body_of(application, decision, decision_id=decision_id, decided_at=at)
        payload = {
            "application": to_record(application),
            "exposure": exposure.to_record(),
            "decision": body,
            **({"beside": beside} if beside else {}),
        }
        entry = ledger.append(
            subject,
            payload,
            kind="decision",
            decided_at=body["decided_at"],
            client=client,
            application_id=application.application_id,
            decision_id=decision_id,
            product=application.product,
            outcome=decision.outcome,
            tier=decision.guarantee.tier if decision.guarantee else "",
            **{kind: reference["digest"] for kind, reference in decision.editions.items()},
        )
        return Recorded(entry, application, exposure, body, beside=tuple(beside))

    def preview(
        self, application: Application, *, on: date | None = None, role: str | None = None,
        watch: Watch | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """The same answer, recorded nowhere.

        `on`: as if applied on that day. `role`: by the champion, or by the newest challenger in
        force, whoever would decide on this person.

        Raises:
            InvalidApplication, NoEditionInForce, ProbingLimit, LedgerUnavailable
        """
        asked = replace(application, applied_on=on) if on else application
        derived = self.derive(asked, watch=watch)
        application, variant = derived.dated, derived.variant
        at = self.clock()
        with self.ledger.reading() as ledger:
            if role is None:
                editions, _ = self._deciding(ledger, application)
            else:
                editions = self.registry.in_force(application.product, application.on, role=role)
            subject = ledger.find_subject(application.applicant.id_number)
            exposure = exposure_of(ledger, subject, application, stamp(at))
            is_new = watch and variant and watch.is_new(ledger, variant, at=at)
        if watch and variant and is_new:
            watch.preview(self.ledger, variant, at=at)
        decision = verb.decide(application, editions, exposure, derived.values)
        return body_of(application, decision, decision_id=None, decided_at=at)

    def find(self, application_id: str, *, client: str) -> Recorded:
        """The recorded decision on an application of this client.

        Raises:
            NotFound: there is none, or it is another client's.
            Erased: its person was erased.
        """
        with self.ledger.reading() as ledger:
            return find_in(ledger, application_id, client=client)

    def erased(
        self, *, client: str | None, product: str | None = None, since: str | None = None,
        until: str | None = None,
    ) -> list[tuple[Entry, dict[str, Any]]]:  # fmt: skip
        """Decisions of people who were erased, with what remains of them; filters as of `page`.

        What remains: amount and shares of an approval (`ledger/remains.py`), of others nothing;
        under `override`, in the shape of its payload, what a person decided.
        """
        with self.ledger.reading() as ledger:
            entries = ledger.page(
                client, before=None, limit=None, erased=True, product=product, since=since,
                until=until,
            )  # fmt: skip
            remains = ledger.remains() if entries else {}
            overrides = ledger.acts.of_erased() if entries else {}
        return [(e, _remaining(e, remains.get(e.subject_ref, {}), overrides)) for e in entries]

    def clients_of(self, application_id: str) -> list[str]:
        """The clients that used this application_id, for the operator's shell."""
        with self.ledger.reading() as ledger:
            return ledger.clients_of(application_id)

    def page(
        self,
        *,
        client: str | None,
        limit: int,
        before: int | None = None,
        village: str | None = None,
        **filters: Any,
    ) -> tuple[list[Recorded], int | None]:
        """Decisions of a client, newest first, and the sequence to go on before (None: no more).

        The village lies in the sealed payload, so that filter opens rows to see; a page looks at
        MOST_OPENED of them at most, and may then be short while there is more.
        """
        most = limit if village is None else MOST_OPENED
        found: list[Recorded] = []
        go_on: int | None = None
        with self.ledger.reading() as ledger:
            entries = ledger.page(client, before=before, limit=most + 1, **filters)
            for n_opened, entry in enumerate(entries[:most], start=1):
                recorded = _recorded(ledger, entry)
                if village in (None, recorded.application.applicant.village_code):
                    found.append(recorded)
                if len(found) == limit or n_opened == most:
                    go_on = entry.sequence if n_opened < len(entries) else None
                    break
            acts = ledger.acts.of(*(recorded.entry for recorded in found))
        return [replace(one, acts=acts[one.entry.sequence]) for one in found], go_on

    def again(self, recorded: Recorded) -> tuple[verb.Editions, verb.Decision]:
        """The recorded editions, and the decision made again under them.

        Raises:
            NotReproducible: this version of the program derives another one.
        """
        editions = self.registry.recorded(recorded.decision["editions"])
        again = verb.decide(recorded.application, editions, recorded.exposure)
        before = recorded.decision
        if (again.score, again.outcome) != (before["score"], before["outcome"]):
            raise NotReproducible
        return editions, again

    def explain(self, recorded: Recorded) -> dict[str, Any]:
        """Why: points, rules and derivation, from the recorded inputs and editions."""
        editions, again = self.again(recorded)
        lines = explanation.explain(recorded.application, editions, recorded.exposure, again)
        names = ("decision_id", "application_id", "product", "outcome", "reasons", "warnings")
        return {**{name: recorded.decision[name] for name in names}, **lines}

    def replay(self, recorded: Recorded) -> dict[str, Any]:
        """Decide again from what was recorded: identical, or a difference field by field."""
        editions = self.registry.recorded(recorded.decision["editions"])
        again = verb.decide(recorded.application, editions, recorded.exposure)
        found = differences(recorded.decision, again.to_document())
        return {
            "decision_id": recorded.entry.decision_id,
            "application_id": recorded.entry.application_id,
            "identical": not found,
            "differences": found,
            "editions": recorded.decision["editions"],
        }

    def _dated(self, application: Application) -> Application:
        """The application with its day filled in."""
        if application.applied_on is not None:
            return application
        return replace(application, applied_on=self.today())

    def _check_recent(self, application: Application) -> None:
        """Refuse to record a decision of a day too far back."""
        if (self.today() - application.on).days > MOST_DAYS_BACK:
            raise InvalidApplication(
                [
                    FieldError(
                        "/applied_on",
                        "too_far_back",
                        f"Must be at most {MOST_DAYS_BACK} days back for a recorded decision. "
                        "Preview an earlier day: loansvc decide FILE --preview, "
                        "or POST /v1/previews.",
                    )
                ]
            )


def body_of(
    application: Application,
    decision: verb.Decision,
    *,
    decision_id: str | None,
    decided_at: datetime,
) -> dict[str, Any]:
    """The body of an answer, all but its place in the ledger."""
    document = decision.to_document()
    return {
        **({"decision_id": decision_id} if decision_id else {}),
        "application_id": application.application_id,
        "product": document.pop("product"),
        "applied_on": document.pop("applied_on"),
        "decided_at": stamp(decided_at),
        **document,
    }


def find_in(ledger: Reading, application_id: str, *, client: str) -> Recorded:
    """The recorded decision on an application of this client, and what people did about it.

    Raises:
        NotFound: there is none, or it is another client's.
    """
    entry = ledger.find(client, application_id)
    if entry is None:
        raise NotFound("There is no decision with this application_id.")
    return replace(_recorded(ledger, entry), acts=ledger.acts.of(entry)[entry.sequence])


def _recorded(ledger: Reading, entry: Entry) -> Recorded:
    """The decision of an entry.

    Raises:
        Erased: its person was erased.
    """
    return recorded_of(entry, ledger.payload_of(entry))


def recorded_of(entry: Entry, payload: dict[str, Any]) -> Recorded:
    """The decision that a payload holds."""
    exposure = dict(payload["exposure"])
    fund = exposure.pop("fund")
    return Recorded(
        entry=entry,
        application=from_record(payload["application"]),
        exposure=Exposure(**exposure, fund=Fund(**fund) if fund else None),
        decision=payload["decision"],
        beside=tuple(payload.get("beside", ())),
    )


def _remaining(
    decision: Entry, remains: Mapping[int, dict[str, Any]],
    overrides: Mapping[tuple[str, str], tuple[int, str]],
) -> dict[str, Any]:  # fmt: skip
    """What remains of a decision, and under `override` of what a person decided about it."""
    left: dict[str, Any] = dict(remains.get(decision.sequence, {}).get("decision", {}))
    if override := overrides.get((decision.client, decision.application_id)):
        sequence, outcome = override
        left["override"] = {"override": {"outcome": outcome}, **remains.get(sequence, {})}
    return left


def _same_again(recorded: Recorded, application: Application) -> Recorded:
    """The recorded decision, if this is the application it was made on.

    Raises:
        ApplicationIdReused: it is not.
    """
    if application.applied_on is None:  # "today" was the day of the first time
        application = replace(application, applied_on=recorded.application.applied_on)
    if application != recorded.application:
        raise ApplicationIdReused
    return recorded
