"""Explanation: a decision as lines that a person can check by adding up.

Written from the same `Case` that the decision was made from: points from base to score, every rule
with the value read and the clause, and limit, rate, guarantee and expected loss as arithmetic.
Beside them stands what would change the answer (`remedies/`).
"""

from __future__ import annotations

from typing import Any

from loansvc.application import CATALOGUE, Application
from loansvc.decision import Case, Decision, Editions, Exposure
from loansvc.decision import weigh as weigh_case
from loansvc.derivation import Line, derivation
from loansvc.policy import Finding, fact_label
from loansvc.policy.wording import value_text
from loansvc.remedies import note, ways
from loansvc.scorecard import Scorecard


def explain(
    application: Application, editions: Editions, exposure: Exposure, decision: Decision
) -> dict[str, Any]:
    """The lines of the decision, and what would change its outcome, in zh and en."""
    return lines_of(application, editions, exposure, decision) | what_would_change(
        application, editions, exposure
    )


def what_would_change(
    application: Application, editions: Editions, exposure: Exposure
) -> dict[str, Any]:
    """Up to three ways to a better outcome, each decided again, and how to read them."""
    found = ways(application, editions, exposure)
    zh, en = note(weigh_case(application, editions, exposure), found)
    return {
        "what_would_change": [way.to_document() for way in found],
        "what_would_change_note": {"zh": zh, "en": en},
    }


def lines_of(
    application: Application, editions: Editions, exposure: Exposure, decision: Decision
) -> dict[str, Any]:
    """Score lines that sum to the score, rule lines, and derivation lines, in zh and en."""
    case = weigh_case(application, editions, exposure)
    card, policy = editions.scorecard.content, editions.policy.content
    lines = _score_lines(case, card)
    total = card.base_points + sum(line["points"] for line in lines) + case.standing.points
    assert total == decision.score, "the explanation adds up to the score"
    return {
        "score": {
            "base_points": card.base_points,
            "characteristics": lines,
            "village": {"points": case.standing.points, "state": case.standing.state,
                        "credibility": case.standing.credibility_percent / 100},
            "total": total,
        },
        "rules": [
            _rule_line(finding, document=editions.policy.head.reference)
            for finding in case.judgement.findings
        ],
        "derivation": derivation(case, policy, decision),
    }  # fmt: skip


def _score_lines(case: Case, card: Scorecard) -> list[Line]:
    lines = []
    for characteristic, bin_ in zip(card.characteristics, case.bins, strict=True):
        row = CATALOGUE[characteristic.name]
        lines.append(
            {
                "name": row.name,
                "code": characteristic.code,
                "label_zh": row.zh,
                "label_en": row.en,
                "value": case.values[row.name],
                "unit": row.unit,
                "bin": {"from": bin_.start, "to": bin_.end, "words": list(bin_.words),
                        "state": bin_.state, "zh": bin_.zh, "en": bin_.en},
                "points": bin_.points,
                "best_points": characteristic.best,
            }
        )  # fmt: skip
    return lines


def _rule_line(finding: Finding, *, document: str) -> Line:
    """What a rule read and found, its clause, and the document that the clause stands in."""
    rule = finding.rule
    label_zh, label_en = fact_label(rule.requires.fact)
    value = finding.value
    value_zh, value_en = (None, None) if value is None else value_text(rule.requires.fact, value)
    return {
        "id": rule.id,
        "stage": rule.stage,
        "result": finding.result,
        "outcome": finding.outcome,
        "fact": rule.requires.fact,
        "label_zh": label_zh,
        "label_en": label_en,
        "value": list(value) if isinstance(value, tuple) else value,
        "value_zh": value_zh,
        "value_en": value_en,
        "threshold": rule.requires.threshold(),
        "zh": rule.zh,
        "en": rule.en,
        "reference": rule.clause.reference,
        "reference_zh": rule.clause.zh,
        "document": document,
        "source_grade": rule.clause.source_grade,
        "verify": rule.clause.verify,
    }
