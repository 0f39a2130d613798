"""History: each recorded decision with what its card read and what became of it, to train on.

One row a decision. What the card read is read again by the code that decides, from the recorded
application alone, so that nothing of after the decision can stand in it; what became of it stands
in columns of its own. As of a day: what came to be known later does not count. No row says who
somebody is: it names the decision, and nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any

from loansvc.application import CATALOGUE, MODEL_CHARACTERISTICS, Application
from loansvc.decision import weigh
from loansvc.errors import Erased
from loansvc.ledger.acts import Act
from loansvc.ledger.performance import Performance, performance
from loansvc.ledger.retention import RULES
from loansvc.monitoring.reading import decided_between, erased_between, reports_of
from loansvc.reviewing.showing import override_of
from loansvc.scorecard import DefaultDefinition
from loansvc.underwriting import Recorded, Underwriting

# The central bank's one-time repair: reports from here on leave out small arrears that were paid
# (DOMAIN 0 [B]).
REPAIR_FROM = date(2026, 1, 1)
# What is known when it is decided, what was answered, and what became of it: none but the
# CHARACTERISTICS may be trained on.
KNOWN: dict[str, type] = {
    "decision_id": str, "product": str, "village_code": str, "applied_month": str,
    "decided_month": str, "asked_yuan": int, "credit_repair_break": int,
}  # fmt: skip
ANSWER: dict[str, type] = {
    "outcome": str, "score": int, "pd_12m": float, "offered_yuan": int, "scorecard": str,
    "villages": str, "policy": str, "rates": str,
}  # fmt: skip
OUTCOME: dict[str, type] = {
    "by_person": int, "final_outcome": str, "rejected": int, "drawn_month": str,
    "drawn_yuan": int, "reported_month": str, "target_state": str, "target": int,
}  # fmt: skip
CHARACTERISTICS: dict[str, type] = {
    name: str if CATALOGUE[name].words else int for name in MODEL_CHARACTERISTICS
}
COLUMNS = KNOWN | CHARACTERISTICS | ANSWER | OUTCOME
FOR_TRAINING = CHARACTERISTICS | {"target": int}  # all that a product's card may be trained on
# Why a decision has no row.
ERASED, TOO_OLD, NOT_REPRODUCIBLE = "erased", "too_old", "not_reproducible"
LEFT_OUT = (ERASED, TOO_OLD, NOT_REPRODUCIBLE)

Row = dict[str, Any]


class History:
    """Decisions of some days, both included, as of a day; `left_out` counts those without a row.

    `window_months`: of the default definition; None: as the product's card of that day has it.
    """

    def __init__(
        self, root: Underwriting, since: date, until: date, *, as_of: date,
        product: str | None = None, window_months: int | None = None,
    ) -> None:  # fmt: skip
        self._root = root
        self._since, self._until, self._as_of = since, until, as_of
        self._product, self._window_months = product, window_months
        self._definitions: dict[str, DefaultDefinition] = {}
        self.left_out = Counter(dict.fromkeys(LEFT_OUT, 0))

    def rows(self) -> Iterator[Row]:
        """A row for each decision, newest first, with every one of COLUMNS; a page is in memory."""
        since, until, product = self._since, self._until, self._product
        erased = erased_between(self._root, since.isoformat(), until.isoformat(), product=product)
        self.left_out[ERASED] += len(erased)
        for recorded in decided_between(self._root, since, until, product=product):
            row = self._row(recorded)
            if isinstance(row, str):
                self.left_out[row] += 1
            else:
                yield row

    def _row(self, recorded: Recorded) -> Row | str:
        """The row of a decision, or why it has none."""
        application, decision = recorded.application, recorded.decision
        editions = self._root.registry.recorded(decision["editions"])
        case = weigh(application, editions, recorded.exposure)
        if case.score != decision["score"]:
            return NOT_REPRODUCIBLE
        try:
            how = self._performance(recorded)
        except Erased:  # since its page was read
            return ERASED
        if how.is_too_old(self._as_of) or _shows_old_arrears(application, self._as_of):
            return TOO_OLD
        return {
            **_known(recorded),
            **{name: case.values[name] for name in CHARACTERISTICS},
            **_answer(decision),
            **_outcome(decision, self._override(recorded), how),
        }

    def _performance(self, recorded: Recorded) -> Performance:
        reports = reports_of(self._root, recorded)
        return performance(reports, self._definition(recorded.entry.product), as_of=self._as_of)

    def _override(self, recorded: Recorded) -> Act | None:
        """What a person had decided about it by then."""
        last = self._as_of.isoformat()
        return override_of(act for act in recorded.acts if act[0].decided_at[:10] <= last)

    def _definition(self, product: str) -> DefaultDefinition:
        """One definition for all of a product, whichever card decided."""
        if product not in self._definitions:
            card = self._root.registry.in_force(product, self._as_of).scorecard.content
            found = card.default
            if self._window_months is not None:
                found = DefaultDefinition(
                    window_months=self._window_months, days_past_due=found.days_past_due
                )
            self._definitions[product] = found
        return self._definitions[product]


def _known(recorded: Recorded) -> Row:
    application = recorded.application
    return {
        "decision_id": recorded.entry.decision_id,
        "product": recorded.entry.product,
        "village_code": application.applicant.village_code,
        "applied_month": _month(application.on),
        "decided_month": recorded.entry.decided_at[:7],
        "asked_yuan": application.loan.amount_yuan,
        "credit_repair_break": repair_break(application),
    }


def _answer(decision: dict[str, Any]) -> Row:
    digests = {kind: reference["digest"] for kind, reference in decision["editions"].items()}
    offer = decision["offer"]
    return {
        "outcome": decision["outcome"],
        "score": decision["score"],
        "pd_12m": decision["pd_12m"],
        "offered_yuan": offer and offer["amount_yuan"],
        **digests,
    }


def _outcome(decision: dict[str, Any], override: Act | None, how: Performance) -> Row:
    final = override[0].outcome if override else decision["outcome"]
    return {
        "by_person": int(override is not None),
        "final_outcome": final,
        "rejected": int(final != "approve"),
        "drawn_month": how.drawn_on and _month(how.drawn_on),
        "drawn_yuan": how.drawn_yuan,
        "reported_month": how.reported_on and _month(how.reported_on),
        "target_state": how.state,
        "target": how.target,
    }


def repair_break(application: Application) -> int | None:
    """1 where the credit report is of after the one-time repair, 0 before; None: not known.

    Arrears mean something else on either side: train on one, or tell the two apart.
    """
    report = application.credit_report
    if report is None or "credit_report" not in application.consent.scopes:
        return None
    return int(bool(report.repair_applied) or report.reported_on >= REPAIR_FROM)


def _shows_old_arrears(application: Application, as_of: date) -> bool:
    """Whether the credit report shows arrears that may not be used any more on that day.

    They are as old as the report at least, and those that went on then are not known to have ended.
    """
    report = application.credit_report
    if report is None or not report.max_days_past_due_24m or report.days_past_due_now:
        return False
    return RULES["negative"].due_on(report.reported_on) <= as_of


def _month(day: date) -> str:
    return f"{day:%Y-%m}"
