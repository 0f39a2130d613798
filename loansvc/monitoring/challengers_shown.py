"""Challengers shown: the same figures as JSON and as rows for text and page, and what they say."""

from __future__ import annotations

from datetime import date
from typing import Any

from loansvc.editions import Edition
from loansvc.monitoring.challengers import PERCENTS, Contest, Grade, Sums
from loansvc.monitoring.estimates import Estimate
from loansvc.monitoring.sequential import ASKED_FOR, KEEP_WATCHING, PROMOTE, STOP, Evidence
from loansvc.policy import OUTCOMES
from loansvc.registry import Registry
from loansvc.villages.history import months_after

DRAWN_WITHIN_MONTHS = 1  # of the decision, at most: an offer lapses after 30 days
NOTES = (
    (
        "挑战者在每笔记录的决定旁用同一申请、同一名册、政策、利率和敞口评分；除非按份额由它决定，其结果不告知任何人。",
        "A challenger judges each recorded application under the same register, policy, rates and "
        "exposure; unless its share decides, nobody is told.",
    ),
    (
        "只有获批且放款的贷款才有还款结果：冠军拒绝而挑战者会批准的申请，其结果无从知道。",
        "Only loans that were approved and drawn have an end: what would have become of those that "
        "the deciding card turned away is not known.",
    ),
    (
        "贷款在表现期（首次放款起，通常12个月）最后一日才计入，好坏皆然；好坏的定义以冠军的评分卡为准，居中的不计。",
        "A loan counts on the last day of its window, as a rule 12 months from its first draw, "
        "good or bad, as the champion's card defines bad; what is neither is left out.",
    ),
    (
        "区间为95%：比例用Wilson法，Gini用配对的DeLong法。证据可以随时查看：若挑战者的违约概率并不更接近实际，"
        f"证据达到{ASKED_FOR:.0f}∶1的机会至多5%（每个挑战者各自计算）。",
        "Intervals are of 95 percent: Wilson for shares, paired DeLong for Gini. The evidence may "
        "be looked at at any time: were the challenger's PDs no nearer to what happens, it would "
        f"ever reach {ASKED_FOR:.0f}:1 in at most 5 percent of watches, of each challenger.",
    ),
    (
        "被删除人员的决定不计入。",
        "Decisions of people who were erased are left out.",
    ),
)  # fmt: skip


def to_document(
    found: list[Contest], registry: Registry, *, since: date, until: date, n_erased: int
) -> dict[str, Any]:
    """Every figure of a report; `until` is also the day as of which loans are looked at."""
    return {
        "from": since.isoformat(),
        "to": until.isoformat(),
        "n_erased": n_erased,
        "challengers": [_contest(one, registry, as_of=until) for one in found],
        "notes": [{"zh": zh, "en": en} for zh, en in NOTES],
    }


def _contest(contest: Contest, registry: Registry, *, as_of: date) -> dict[str, Any]:
    challenger = _publication(registry, contest.challenger, contest.product, "challenger")
    champion = _publication(registry, contest.champion, contest.product, "champion")
    ginis, found = contest.ginis(), contest.evidence()
    return {
        "product": contest.product,
        "challenger": _named(challenger) | {
            "until": challenger.until and challenger.until.isoformat(),
            "share_percent": challenger.share_percent,
        },
        "champion": _named(champion),
        "decisions": contest.n,
        "decided_by_challenger": contest.n_decided,
        "agreement": _estimate(contest.agreement),
        "moves": [[contest.moves[a, b] for b in OUTCOMES] for a in OUTCOMES],
        "flips": [
            {"champion": a, "challenger": b, "n": n, "share": _estimate(share)}
            for a, b, n, share in contest.flips()
        ],
        "by_champion": _side(contest.of_champion),
        "by_challenger": _side(contest.of_challenger),
        "loans": found.n,
        "bad": found.n_bad,
        "gini": ginis and {
            "champion": _estimate(ginis.first), "challenger": _estimate(ginis.second),
            "difference": _estimate(ginis.difference),
        },
        "verdict": verdict(
            found, until=challenger.until, as_of=as_of,
            window_months=champion.content.default.window_months,
        ),
    }  # fmt: skip


def _publication(registry: Registry, digest: str, product: str, role: str) -> Edition[Any]:
    """The newest publication of a document in that role; in another, if it never had that."""
    found = [e for e in registry.editions if (e.digest, e.product) == (digest, product)]
    in_role = [e for e in found if e.role == role] or found or [registry.by_digest(digest)]
    return max(in_role, key=lambda e: e.valid_from)


def _named(edition: Edition[Any]) -> dict[str, Any]:
    return {
        "digest": edition.digest,
        "valid_from": edition.valid_from.isoformat(),
        "path": edition.path,
    }


def _side(sums: Sums) -> dict[str, Any]:
    return {
        "scores": {str(p): sums.score_at(p) for p in PERCENTS} if sums.scores else None,
        "grades": dict(sorted(sums.grades.items())),
        "approved_yuan": sums.approved_yuan,
        "expected_loss_yuan": sums.expected_loss_yuan,
        "calibration": [_grade(grade) for grade in sums.calibration()],
    }


def _grade(grade: Grade) -> dict[str, Any]:
    return {
        "grade": grade.grade, "loans": grade.n, "bad": grade.n_bad,
        "expected": round(grade.expected, 6), "observed": _estimate(grade.observed),
    }  # fmt: skip


def _estimate(found: Estimate | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {name: round(getattr(found, name), 6) for name in ("value", "low", "high")}


# --- what it says -------------------------------------------------------------------------------


def verdict(
    found: Evidence, *, until: date | None, as_of: date, window_months: int
) -> dict[str, Any]:
    """Keep watching, promote or stop, and why, in both languages.

    A watch is over once the window of a loan drawn a month after its last day is.
    """
    says, on = found.says, found.reached_on
    last_end = until and months_after(until, DRAWN_WITHIN_MONTHS + window_months)
    if says == KEEP_WATCHING and last_end is not None and last_end < as_of:
        says, on = STOP, last_end
        zh, en = _nothing_shown(found)
    else:
        zh, en = _reached(found)
    return {
        "says": says, "on": on and on.isoformat(), "zh": zh, "en": en,
        "evidence_for_challenger": round(found.for_challenger, 3),
        "evidence_for_champion": round(found.for_champion, 3),
        "evidence_asked_for": round(ASKED_FOR, 3),
    }  # fmt: skip


def _reached(found: Evidence) -> tuple[str, str]:
    loans_zh = f"{found.n}笔到期贷款，其中{found.n_bad}笔不良"
    loans_en = f"{found.n} loans with a known end, {found.n_bad} of them bad"
    asked = f"{ASKED_FOR:.0f}"
    if found.says == PROMOTE:
        return (
            f"建议晋升：{found.reached_on}起，挑战者的违约概率更接近实际，证据达到{asked}∶1"
            f"（至今{loans_zh}）。",
            "Promote: the challenger's PDs were nearer to what happened; the evidence reached "
            f"{asked}:1 on {found.reached_on} ({loans_en}, until now).",
        )
    if found.says == STOP:
        return (
            f"建议停止：{found.reached_on}起，冠军的违约概率更接近实际，证据达到{asked}∶1"
            f"（至今{loans_zh}）。",
            "Stop: the champion's PDs were nearer to what happened; the evidence reached "
            f"{asked}:1 on {found.reached_on} ({loans_en}, until now).",
        )
    if not found.n:
        return ("继续观察：尚无到期贷款。", "Keep watching: no loan has a known end yet.")
    now = f"{max(found.for_challenger, found.for_champion):.1f}"
    leader = found.for_challenger >= found.for_champion
    return (
        f"继续观察：证据为{now}∶1，偏向{'挑战者' if leader else '冠军'}，不到{asked}∶1"
        f"（{loans_zh}）。",
        f"Keep watching: the evidence is {now}:1 for the {'challenger' if leader else 'champion'}, "
        f"short of {asked}:1 ({loans_en}).",
    )


def _nothing_shown(found: Evidence) -> tuple[str, str]:
    return (
        f"建议停止：观察期已过，{found.n}笔到期贷款（{found.n_bad}笔不良）未显示哪张卡更好。",
        f"Stop: the watch is over, and {found.n} loans with a known end, {found.n_bad} of them "
        "bad, did not show that either card is better.",
    )
