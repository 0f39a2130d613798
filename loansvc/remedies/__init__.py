"""Remedies: what would change the answer. Exact smallest changes that a person can act on.

`levers.py` is the table of what can be acted on, `search.py` finds by how little. Reads no file, no
clock; nothing is kept, and nothing here is a promise.

Order: approve before refer; one change before two, and two only where no single one will do; then
the order of `LEVERS`. Of two changes each is as small as the other allows. No lever is named twice.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from loansvc.application import Application
from loansvc.decision import Case, Editions, Exposure, decide, weigh
from loansvc.policy import OUTCOMES, fact_label
from loansvc.remedies.lever import Setting
from loansvc.remedies.levers import LEVERS
from loansvc.remedies.search import EnoughTried, Moves, Search

__all__ = ["LEVERS", "MOST_WAYS", "Change", "Way", "note", "ways"]

MOST_WAYS = 3
OUTCOME_TEXTS = {
    "approve": ("批准", "approve"),
    "refer": ("转人工审核", "refer (a person decides)"),
}
NOTES = {
    "ways": ("按相同版本、其他事项不变重新计算得出；不构成承诺。",
             "Worked out by deciding again under the same editions, all else equal; no promise."),
    "approved": ("已批准，无需改变。", "Approved: nothing needs to change."),
    "person": ("未同意自动化决策，由人工审核；本服务不会建议放弃这项权利。",
               "There is no consent to an automated decision, so a person decides; "
               "giving up that right is never suggested."),
    "none": ("在申请人可以改变的事项中，没有找到改变一项或两项即可改变结果的办法。",
             "No change of one or two things that a person can act on was found to change it."),
    "unknown": ("有未知事项：{zh}。提交后的结果取决于其内容，不作推测；其余事项中没有找到办法。",
                "Not known: {en}. What they would change depends on what they are and is not "
                "guessed; nothing else that a person can act on was found to change the answer."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One thing brought from where it stands (None: nothing yet) to where it would have to be."""

    fact: str
    before: int | str | None
    after: int | str
    zh: str
    en: str

    def to_document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "fact": self.fact, "from": self.before, "to": self.after, "zh": self.zh, "en": self.en,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Way:
    """One or two changes and the outcome they give, with what was decided on to see it."""

    outcome: str
    changes: tuple[Change, ...]
    application: Application
    editions: Editions

    def to_document(self) -> dict[str, Any]:
        """The JSON form, with both changes in one sentence."""
        zh, en = OUTCOME_TEXTS[self.outcome]
        together_zh, together_en = ("同时：", "Together: ") if len(self.changes) > 1 else ("", "")
        together_zh += "；".join(change.zh for change in self.changes)
        together_en += "; ".join(change.en for change in self.changes)
        return {
            "outcome": self.outcome,
            "changes": [change.to_document() for change in self.changes],
            "zh": f"{together_zh}：结果变为{zh}",
            "en": f"{together_en}: the answer becomes {en}",
        }


def ways(application: Application, editions: Editions, exposure: Exposure) -> tuple[Way, ...]:
    """Up to three ways to a better outcome, none sharing a lever; each was decided again.

    None where the answer is approve, or where a person decides for want of consent to automated
    decision: giving up that right is never suggested.
    """
    case = weigh(application, editions, exposure)
    automated = "automated_decision" in application.consent.scopes
    if not automated or case.judgement.outcome == "approve":
        return ()
    # Only the credentials that count, so that no lever need look at others: same outcome.
    search = Search(Setting(case.application, editions), case, exposure)
    found: list[Moves] = []
    with suppress(EnoughTried):  # what was found so far stands
        for moves in islice(search.run(), MOST_WAYS):
            found.append(moves)
    return tuple(_way(moves, search) for moves in found)


def _way(moves: Moves, search: Search) -> Way:
    """The moves as a way, decided again from the whole."""
    setting, changes = search.start, []
    for lever, value in moves:
        before = lever.value(search.start)
        changes.append(Change(lever.name, before, value, *lever.texts(before, value)))
        setting = lever.move(setting, value)
    outcome = decide(setting.application, setting.editions, search.exposure).outcome
    was = search.case.judgement.outcome
    assert OUTCOMES.index(outcome) < OUTCOMES.index(was), "every way is decided again"
    return Way(outcome, tuple(changes), setting.application, setting.editions)


def note(case: Case, found: tuple[Way, ...]) -> tuple[str, str]:
    """What to know beside the ways, in Chinese and English: how to read them, or why none."""
    if found:
        return NOTES["ways"]
    if "automated_decision" not in case.application.consent.scopes:
        return NOTES["person"]
    if case.judgement.outcome == "approve":
        return NOTES["approved"]
    asked = [f for f in case.judgement.findings if f.result == "unknown" and f.outcome != "approve"]
    if not asked:
        return NOTES["none"]
    labels = dict.fromkeys(fact_label(f.rule.requires.fact) for f in asked)
    zh, en = NOTES["unknown"]
    return zh.format(zh="、".join(z for z, _ in labels)), en.format(
        en=", ".join(e for _, e in labels)
    )
