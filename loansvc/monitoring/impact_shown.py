"""Impact shown: the same figures as JSON and as rows for text and page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from loansvc.monitoring.budget import Verdict
from loansvc.monitoring.figures import Figures
from loansvc.monitoring.impact import Impact, Part, move_table
from loansvc.policy import OUTCOMES

# Figures of which the sum before and after is told, with what they are called.
SUMS = (
    ("approved", "批准笔数", "approved"),
    ("referred", "转人工笔数", "referred"),
    ("declined", "不予批准笔数", "declined"),
    ("limit_yuan", "额度合计（元）", "limits, yuan"),
    ("approved_yuan", "批准金额（元）", "amount approved, yuan"),
    ("expected_loss_yuan", "预期损失（元）", "expected loss, yuan"),
    ("expected_loss_bank_yuan", "其中银行承担（元）", "of it the bank, yuan"),
    ("local_guarantor_yuan", "担保资金占用（元）", "fund use, yuan"),
)
PARTS = (
    ("product", "按产品", "By product"),
    ("village", "按村", "By village"),
    ("group", "按扶持群体", "By group"),
)
NOTES = (
    (
        "每笔决定按记录的申请、敞口和版本重作两次：“现行”一次将草案所属类别的版本换成草案生效日有效的版本，"
        "“草案”一次换成草案；两者之差只来自草案，与当时记录的决定可能都不同。",
        "Each decision is made twice from its recorded application, exposure and editions: "
        '"in force" with the edition of that kind that holds on the draft\'s first day, "draft" '
        "with the draft. Only the draft tells them apart; both may differ from what was recorded.",
    ),
    (
        "各项金额只计批准的申请。担保资金占用＝批准金额×本地担保机构承担比例，逐笔四舍五入到元。",
        "Amounts count approvals alone. Fund use = amount approved x the local guarantor's share, "
        "rounded half up to whole yuan for each decision.",
    ),
    (
        "按群体的各行之和可大于合计：一人可属多个群体。",
        "Rows by group may add up to more than the total: a person may belong to several.",
    ),
    (
        "人数很少的行和逐笔列出的申请可能识别到个人，仅供审议草案的人使用。",
        "Rows of few people, and the applications listed, may tell who somebody is: for those who "
        "decide on the draft.",
    ),
    (
        "敞口为当时记录的敞口：草案多批或少批的贷款不会影响后面的申请。",
        "Exposure is what was recorded: loans that the draft would have added or left out do not "
        "count for later applications.",
    ),
)


def mean_score_change(found: Impact) -> str | None:
    """Points a decision, with two decimals, half away from zero; None of a policy or of nothing.

    A policy changes no score.
    """
    if found.kind != "scorecard" or not found.n:
        return None
    hundredths = (200 * abs(found.score_change) + found.n) // (2 * found.n)
    sign = "-" if found.score_change < 0 else "+" if hundredths else ""
    return f"{sign}{hundredths // 100}.{hundredths % 100:02d}"


def to_document(found: Impact, verdict: Verdict) -> dict[str, Any]:
    """The JSON form; percentages have one decimal."""
    score = mean_score_change(found)
    return {
        "kind": found.kind,
        "product": found.product,
        "draft": {"valid_from": found.valid_from.isoformat(), "digest": found.draft},
        "in_force": dict(found.in_force),
        "decisions": found.n,
        "decided_from": found.decided_from,
        "decided_to": found.decided_to,
        "outcomes": {
            before: dict(zip(OUTCOMES, row, strict=True))
            for before, row in zip(OUTCOMES, move_table(found), strict=True)
        },
        "other_terms": found.n_other_terms,
        "mean_score_change": None if score is None else float(score),
        "sums": _sums_document(found.before, found.after),
        "tiers": [
            {
                "tier": t.tier,
                "approved": {"before": t.n_before, "after": t.n_after},
                "approved_yuan": {"before": t.before_yuan, "after": t.after_yuan},
            }
            for t in found.tiers
        ],
        "by": {name: _parts_document(found.parts[name]) for name, _, _ in PARTS},
        "flips": [
            {
                "sequence": f.sequence,
                "application_id": f.application_id,
                "before": {"outcome": f.before, "reasons": list(f.reasons_before)},
                "after": {"outcome": f.after, "reasons": list(f.reasons_after)},
            }
            for f in found.flips
        ],
        "change_budget": _verdict_document(verdict),
        "notes": [{"zh": zh, "en": en} for zh, en in NOTES],
    }


def _sums_document(before: Figures, after: Figures) -> dict[str, dict[str, int]]:
    return {
        name: {"before": getattr(before, name), "after": getattr(after, name)}
        for name, _, _ in SUMS
    }


def _parts_document(parts: Iterable[Part]) -> list[dict[str, Any]]:
    return [
        {
            "key": p.key, "zh": p.zh, "en": p.en, "decisions": p.before.applications,
            "flips": p.flips, **_sums_document(p.before, p.after),
        }
        for p in parts
    ]  # fmt: skip


def _verdict_document(verdict: Verdict) -> dict[str, Any]:
    return {
        "enough_decisions": verdict.is_enough,
        "least_decisions": verdict.least_decisions,
        "over": bool(verdict.over),
        "measures": [
            {
                "name": m.name,
                "percent": None if m.change is None else m.change / 10,
                "most_percent": m.most_percent,
                "over": m.is_over,
            }
            for m in verdict.measures
        ],
    }
