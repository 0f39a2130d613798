"""Privacy: what a person may ask of the ledger (erase, export), and what is erased by itself.

On the ledger and clock of an underwriting. An ID number comes in as an argument and goes nowhere:
not into an address, a log, an answer or an entry.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from loansvc.errors import FieldError, InvalidErasure, LoanError, NotFound
from loansvc.identifiers import holds_personal_number, id_number_flaw
from loansvc.ledger import Entry
from loansvc.ledger.administration import note
from loansvc.ledger.batches import Batches
from loansvc.ledger.erasure import erase, keep_on_list
from loansvc.ledger.retention import RULES, RULES_OF, Review, is_due, review
from loansvc.lending import loan_document
from loansvc.provenance import same_person
from loansvc.underwriting import Underwriting, new_id, recorded_of, stamp

LONGEST_TEXT = 64  # of reference and approver
NOTHING = {"decisions": 0, "outcomes": 0, "other_entries": 0, "offers_lapsed": 0}


class Privacy:
    """Erasures, exports and retention, on the ledger and clock of an underwriting."""

    def __init__(self, root: Underwriting) -> None:
        self._root = root
        self._ledger = root.ledger

    def erase(
        self, id_number: str, *, reason: str, reference: str, by: str, approver: str
    ) -> dict[str, Any]:
        """Erase a person, at every client; what was erased, in counts.

        Somebody nobody knows is erased already: the answer is that of the erasure with this
        reference, and counts nothing where there is none.

        Raises:
            InvalidErasure: a field needs correcting.
            ErasureRefused: a loan of the person is not over.
            LedgerUnavailable: it is not known to be done; ask again.
        """
        self._check(id_number, reference=reference, by=by, approver=approver)
        done: tuple[Entry, dict[str, Any]] | None = None
        with self._ledger.writing() as ledger:
            at = self._root.clock()
            subject = ledger.find_subject(id_number)
            n_forgotten = Batches(ledger.connection, ledger.vault).forget(id_number)
            if subject is None and n_forgotten:
                # Known from waiting rows alone: that they are gone is to be known to older copies.
                subject = ledger.subject_for(id_number)
            if subject is not None:
                done = erase(
                    ledger, subject.ref, reason=reason, at=stamp(at), entry_id=new_id("era", at),
                    reference=reference, by=by, approver=approver,
                )  # fmt: skip
        if done is not None:
            self._ledger.leave_no_trace()
            keep_on_list(self._ledger, [done[0]])
        else:
            self._root.erase_again()  # a list that could not be written then is completed
            done = self._erasure_of(reference)
        return _erasure_document(done, reference)

    def _check(self, id_number: str, *, reference: str, by: str, approver: str) -> None:
        flaw = id_number_flaw(id_number, today=self._root.today())
        errors = [FieldError("/id_number", flaw.code, flaw.detail)] if flaw else []
        for name, text in (("reference", reference), ("approver", approver)):
            if not text.strip() or len(text) > LONGEST_TEXT:
                says = f"Must be a text of 1 to {LONGEST_TEXT} characters."
                errors.append(FieldError(f"/{name}", "wrong_form", says))
            elif holds_personal_number(text):
                says = "Must hold no ID number or telephone number: it stays when the person goes."
                errors.append(FieldError(f"/{name}", "personal_number", says))
        if same_person(approver, by):
            says = "Must be somebody else than who asks for the erasure."
            errors.append(FieldError("/approver", "same_person", says))
        if errors:
            raise InvalidErasure(errors)

    def _erasure_of(self, reference: str) -> tuple[Entry, dict[str, Any]] | None:
        with self._ledger.reading() as ledger:
            found = [one for one in ledger.erasures() if one[1]["reference"] == reference]
        return found[-1] if found else None

    # --- retention -------------------------------------------------------------------------------

    def retention(self) -> dict[str, Any]:
        """What is due by class, and how many people would be erased."""
        with self._ledger.reading() as ledger:
            found = review(ledger, at=self._root.clock())
        return _retention_document(found, on=self._root.today())

    def apply_retention(self, *, by: str, progress: Callable[[int], None] = lambda _: None) -> int:
        """How many people were erased, of whom every record was due.

        Each in a transaction of its own: killed in the middle, the next run does the rest.
        """
        at = self._root.clock()
        with self._ledger.reading() as ledger:
            people = review(ledger, at=at).people
        n_erased = 0
        for ref in people:
            with self._ledger.writing() as ledger:
                # Looked at again: the person may have applied since, or asked to be erased.
                if not ledger.has_key(ref) or not is_due(ledger, ref, at=at):
                    continue
                entry, _ = erase(
                    ledger, ref, reason="period_over", at=stamp(self._root.clock()),
                    entry_id=new_id("era", at), reference=f"retention {at.date()}", by=by,
                    approver=f"rules of {RULES_OF}",
                )  # fmt: skip
            keep_on_list(self._ledger, [entry])
            n_erased += 1
            progress(1)
        if n_erased:
            with self._ledger.writing() as ledger:
                note(ledger, "retention", at=stamp(at), entry_id=new_id("adm", at), by=by,
                     people=n_erased, rules_of=RULES_OF.isoformat())  # fmt: skip
        self._ledger.leave_no_trace()
        return n_erased

    # --- export ----------------------------------------------------------------------------------

    def export(self, id_number: str, *, by: str) -> dict[str, Any]:
        """Everything that the ledger holds of one person, for that person (PIPL art. 45).

        That it was given is noted first.

        Raises:
            InvalidErasure: it is no ID number.
            NotFound: the ledger knows nobody of that number.
        """
        flaw = id_number_flaw(id_number, today=self._root.today())
        if flaw:
            raise InvalidErasure([FieldError("/id_number", flaw.code, flaw.detail)])
        at = self._root.clock()
        with self._ledger.writing() as ledger:
            subject = ledger.find_subject(id_number)
            if subject is None:
                raise NotFound("The ledger holds nothing of a person with this ID number.")
            note(ledger, "subject_exported", at=stamp(at), entry_id=new_id("adm", at), by=by,
                 subject=subject.ref)  # fmt: skip
        with self._ledger.reading() as ledger:
            entries = ledger.entries_of(subject.ref)
            records = [(entry, ledger.payload_of(entry)) for entry in entries]
            loans = ledger.fund.all_of(subject.ref)
            n_related = ledger.fund.n_related(subject.ref)
        return {
            "as_of": stamp(at),
            "records": [self._record_document(*record) for record in records],
            "loans": [
                {"client": c.client, "application_id": c.application_id, **loan_document(c)}
                for c in loans
            ],
            "others_who_share_a_party": n_related,
        }

    def _record_document(self, entry: Entry, payload: dict[str, Any]) -> dict[str, Any]:
        document = {
            "kind": entry.kind, "recorded_at": entry.decided_at, "client": entry.client,
            "application_id": entry.application_id, "id": entry.decision_id,
            "product": entry.product, "outcome": entry.outcome, "recorded": payload,
        }  # fmt: skip
        if entry.kind != "decision":
            return document
        try:
            explanation = self._root.explain(recorded_of(entry, payload))
        except (
            LoanError
        ) as error:  # an edition that is gone, or a rule this version knows otherwise
            return {**document, "explanation": None, "not_explained": error.code}
        return {**document, "explanation": explanation}


def _erasure_document(done: tuple[Entry, dict[str, Any]] | None, reference: str) -> dict[str, Any]:
    """The answer: counts, and where the erasure stands in the ledger."""
    entry, erasure = done or (None, {"counts": NOTHING})
    return {
        "erasure_id": entry and entry.decision_id,
        "reference": reference,
        "erased_at": entry and entry.decided_at,
        **erasure["counts"],
        "ledger": entry and {"sequence": entry.sequence, "hash": entry.hash},
    }


def _retention_document(found: Review, *, on: date) -> dict[str, Any]:
    return {
        "on": on.isoformat(),
        "rules_of": RULES_OF.isoformat(),
        "people_due": len(found.people),
        "records_waiting": found.n_waiting,
        "classes": [
            {
                "class": rule.name, "zh": rule.zh, "en": rule.en, "years": rule.years,
                "source": rule.source, "grade": rule.grade, "verify": rule.verify,
                "records_due": found.n_due.get(rule.name, 0),
                "oldest_due_on": (day := found.oldest.get(rule.name)) and day.isoformat(),
            }
            for rule in RULES.values()
        ],
    }  # fmt: skip
