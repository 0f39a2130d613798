"""Explanation: a decision as lines that a person can check by adding up.

Written from the same `Case` that the decision was made from: points from base to score, every rule
with the value read and the clause, and limit, rate, guarantee and expected loss as arithmetic.
"""

from __future__ import annotations

from typing import Any

from loansvc.application import CATALOGUE, Application
from loansvc.decision import Case, Decision, Editions, Exposure
from loansvc.decision import weigh as weigh_case
from loansvc.policy import Finding, Policy, fact_label
from loansvc.reasons import quantity
from loansvc.scorecard import Scorecard

Line = dict[str, Any]
SHARER_TEXTS = {
    "bank": ("银行承担", "Borne by the bank"),
    "local_guarantor": ("市县担保机构承担", "Borne by the local guarantor"),
    "provincial_reguarantor": ("省级再担保机构承担", "Borne by the provincial re-guarantor"),
    "national_fund": ("国家融资担保基金承担", "Borne by the national guarantee fund"),
    "government": ("地方政府承担", "Borne by local government"),
}


def explain(
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
        "rules": [_rule_line(finding) for finding in case.judgement.findings],
        "derivation": _derivation(case, policy, decision),
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


def _rule_line(finding: Finding) -> Line:
    rule = finding.rule
    label_zh, label_en = fact_label(rule.requires.fact)
    value = list(finding.value) if isinstance(finding.value, tuple) else finding.value
    return {
        "id": rule.id,
        "stage": rule.stage,
        "result": finding.result,
        "outcome": finding.outcome,
        "fact": rule.requires.fact,
        "label_zh": label_zh,
        "label_en": label_en,
        "value": value,
        "threshold": rule.requires.threshold(),
        "zh": rule.zh,
        "en": rule.en,
        "reference": rule.clause.reference,
        "source_grade": rule.clause.source_grade,
        "verify": rule.clause.verify,
    }


def _derivation(case: Case, policy: Policy, decision: Decision) -> dict[str, list[Line]]:
    limit = {"limit": _limit_lines(case, policy)}
    if decision.offer is None:
        return limit
    return limit | {
        "rate": _rate_lines(case, policy),
        "guarantee": _guarantee_lines(case, policy, decision),
    }


def _line(step: str, zh: str, en: str, **figure: int) -> Line:
    return {"step": step, "zh": zh, "en": en, **figure}


def _limit_lines(case: Case, policy: Policy) -> list[Line]:
    limit, facts = case.judgement.limit, case.facts
    grade, rating = case.judgement.grade, facts["village_rating"]
    lines = [
        _line("base", f"基础额度（依据：{limit.row.clause.reference}）",
              f"Base limit (clause: {limit.row.clause.reference})", yuan=limit.row.base_yuan),
        _line("factor", f"评分等级{grade} × 村等级{rating}：{limit.factor_percent}%",
              f"Grade {grade} x village {rating}: {limit.factor_percent} %",
              yuan=limit.before_caps_yuan),
    ]  # fmt: skip
    for cap, bound in limit.caps:
        binds = cap is limit.bound_by
        zh, en = ("，为最终约束", ": this one binds") if binds else ("", "")
        lines.append(_line(cap.id, f"上限：{cap.zh}{zh}", f"Cap: {cap.en}{en}", yuan=bound))
    step = quantity(policy.round_down_to_yuan, "yuan")
    least = quantity(policy.minimum_yuan, "yuan")
    lines.append(
        _line("limit", f"向下取整至{step[0]}，低于{least[0]}的视为无额度",
              f"Rounded down to {step[1]}; below {least[1]} there is none", yuan=limit.limit_yuan)
    )  # fmt: skip
    return lines


def _rate_lines(case: Case, policy: Policy) -> list[Line]:
    price, quote = case.judgement.price, case.quote
    lines = [
        _line("lpr", f"{quote.effective_on}起的LPR", f"LPR quoted on {quote.effective_on}",
              bp=price.lpr_bp),
        _line("spread", f"加点，最高{policy.most_spread_bp}个基点",
              f"Spread, at most {policy.most_spread_bp} basis points", bp=price.spread_bp),
        _line("rate", "年利率", "Rate a year", bp=price.rate_bp),
    ]  # fmt: skip
    if price.subsidy_bp:
        share = policy.subsidy_percent_of_rate
        lines.append(
            _line("subsidy", f"财政贴息，利率的{share}%",
                  f"Paid by the state, {share} % of the rate", bp=price.subsidy_bp)
        )  # fmt: skip
    return lines


def _guarantee_lines(case: Case, policy: Policy, decision: Decision) -> list[Line]:
    assert decision.guarantee is not None
    assert decision.offer is not None
    guarantee, tier = decision.guarantee, case.judgement.tier
    lines = [
        _line("passed_over", f"{name}未采用：{code}", f"{name} not possible: cap {code} binds")
        for name, code in case.judgement.tier_caps
    ]
    lines.append(
        _line("tier", f"担保层级{tier.tier}（依据：{tier.clause.reference}）",
              f"Guarantee tier {tier.tier} (clause: {tier.clause.reference})",
              percent=100 - guarantee.shares_percent["bank"])
    )  # fmt: skip
    lines += [
        _line(f"share_{name}", *SHARER_TEXTS[name], percent=percent)
        for name, percent in guarantee.shares_percent.items()
        if percent
    ]
    loss = guarantee.expected_loss_yuan
    amount, pd, lgd = decision.offer.amount_yuan, decision.pd_ppm, policy.lgd_percent
    lines.append(
        _line("expected_loss",
              f"预期损失 = {amount:,}元 × PD {pd}ppm × LGD {lgd}%",
              f"Expected loss = {amount:,} yuan x PD {pd} ppm x LGD {lgd} %", yuan=loss["total"])
    )  # fmt: skip
    lines.append(
        _line(
            "bank_loss",
            "银行承担的预期损失：其他各方四舍五入后的余额",
            "Expected loss of the bank: what the others' rounded shares leave",
            yuan=loss["bank"],
        )
    )
    return lines
