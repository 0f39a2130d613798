"""Impact shown: the same figures as JSON and as rows for text and page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from loansvc.monitoring.budget import Verdict
from loansvc.monitoring.figures import Figures
from loansvc.monitoring.impact import Impact, Part, Sides, move_table
from loansvc.monitoring.offers import TERMS
from loansvc.monitoring.words import PRODUCT_WORDS
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
# Of the decisions approved both times.
PRICES = (
    ("amount_yuan", "金额（元）", "amount, yuan"),
    ("interest_yuan", "年利息（元）", "interest a year, yuan"),
    ("subsidy_yuan", "其中财政贴息（元）", "of it subsidy, yuan"),
    ("borrower_yuan", "其中借款人负担（元）", "of it the borrower, yuan"),
)
MEAN_RATE = ("平均利率（基点）", "mean rate, bp")
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
        "比较的是系统自动作出的决定；人工复核的结果不计入。",
        "What is compared are the machine's decisions; what people decided about them is left out.",
    ),
    (
        "各项金额只计批准的申请。担保资金占用＝批准金额×本地担保机构承担比例，逐笔四舍五入到元。",
        "Amounts count approvals alone. Fund use = amount approved x the local guarantor's share, "
        "rounded half up to whole yuan for each decision.",
    ),
    (
        "利率与利息只计现行、草案均批准的申请，因此不受批准与否影响。年利息＝金额×利率基点÷10000，即按全额支用一年计算，"
        "逐笔四舍五入到元；平均利率按金额加权。",
        "Rates and interest count what is approved both times, so that they do not move with who "
        "is approved. Interest a year = amount x rate in basis points / 10,000, as if all of it "
        "were drawn for a year, rounded half up to whole yuan for each decision; the mean rate is "
        "weighted by amount.",
    ),
    (
        "条件改变的申请按改变的条件分列，一笔可计入几项；申请人看不到的预期损失不算条件。",
        "Those with other terms are counted by the term that differs, one in several where several "
        "do; the expected loss, of which no applicant is told, is no term.",
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


def nothing_text(found: Impact) -> tuple[str, str]:
    """What is said instead of figures where no decision was made again."""
    return (
        f"没有已记录的{PRODUCT_WORDS[found.product][0]}决定，无从测算草案的影响。",
        f"No decision on {found.product} is recorded here: there is nothing to measure the "
        f"{found.kind} from {found.valid_from} on.",
    )


def itself_text(found: Impact) -> tuple[str, str]:
    """The warning about a draft that is compared with itself."""
    return (
        f"该文件已经发布，且自{found.in_force['valid_from']}起即为该日的现行版本：与自身相比，不会有任何变化。",
        f"It is published already and in force on {found.valid_from}: compared with itself, "
        "nothing can change. Give a draft that is not published yet.",
    )


def erased_text(found: Impact) -> tuple[str, str]:
    """How many decisions are left out because their person was erased since."""
    return (
        f"另有{found.n_erased}笔决定的个人信息此后已删除，未计入。",
        f"{found.n_erased} more are left out: their person was erased since.",
    )


def terms_text(sides: Sides) -> tuple[str, str]:
    """How many have which other term, in Chinese and English; empty where none has."""
    some = [(sides.terms[name], words) for name, words in TERMS.items() if sides.terms.get(name)]
    return (
        "，".join(f"{zh}{n}笔" for n, (zh, _) in some),
        ", ".join(f"{en} {n:,}" for n, (_, en) in some),
    )


def to_document(found: Impact, verdict: Verdict) -> dict[str, Any]:
    """The JSON form; percentages have one decimal."""
    score = mean_score_change(found)
    return {
        "kind": found.kind,
        "product": found.product,
        "draft": {"valid_from": found.valid_from.isoformat(), "digest": found.draft},
        "in_force": dict(found.in_force),
        "decisions": found.n,
        "decisions_erased": found.n_erased,
        "decided_from": found.decided_from,
        "decided_to": found.decided_to,
        "outcomes": {
            before: dict(zip(OUTCOMES, row, strict=True))
            for before, row in zip(OUTCOMES, move_table(found), strict=True)
        },
        "other_terms": found.n_other_terms,
        "changed_terms": _terms_document(found),
        "mean_score_change": None if score is None else float(score),
        "sums": _sums_document(found.before, found.after),
        "prices": _prices_document(found),
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


def _terms_document(sides: Sides) -> dict[str, int]:
    return {name: sides.terms.get(name, 0) for name in TERMS}


def _prices_document(sides: Sides) -> dict[str, Any]:
    before, after = sides.prices_before, sides.prices_after
    return {
        "approved_both_times": before.approvals,
        **{
            name: {"before": getattr(before, name), "after": getattr(after, name)}
            for name, _, _ in PRICES
        },
        "mean_rate_bp": {"before": _bp(before.mean_rate), "after": _bp(after.mean_rate)},
    }


def _bp(hundredths: int | None) -> float | None:
    return None if hundredths is None else hundredths / 100


def _parts_document(parts: Iterable[Part]) -> list[dict[str, Any]]:
    return [
        {
            "key": p.key, "zh": p.zh, "en": p.en, "decisions": p.before.applications,
            "flips": p.n_flips, "other_terms": p.n_other_terms,
            "changed_terms": _terms_document(p), **_sums_document(p.before, p.after),
            "prices": _prices_document(p),
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
