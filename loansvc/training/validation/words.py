"""Words of the page: its style, verdicts in both languages with a mark, headings and notes."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from loansvc.training.validation import fairness as fair
from loansvc.training.validation import monotonicity as mono
from loansvc.training.validation import sample, stability
from loansvc.training.validation import segments as seg
from loansvc.training.validation.estimate import NOT_ENOUGH

if TYPE_CHECKING:
    from loansvc.training.validation.report import About

STYLE = """
.val { font: 14px/1.5 system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif;
  color: #1c2733; max-width: 78rem; }
.val h1 { font-size: 1.5rem; margin: 0 0 .3rem }
.val h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; padding-top: .4rem;
  border-top: 1px solid #d5dce3 }
.val h3 { font-size: 1rem; margin: 1.3rem 0 .3rem }
.val nav h2 { border: 0 } .val nav ol { columns: 2 20rem; margin: 0 }
.val a { color: #0b5c94 }
.val .lead { font-size: 1.08rem; margin: .3rem 0 }
.val .note { color: #4c5a68; max-width: 52rem }
.val .tag { display: inline-block; font-weight: 600; padding: .05rem .6rem; border-radius: .7rem;
  background: #fff3cf; color: #6b4e00; margin: .2rem 0 }
.val .wide { overflow-x: auto; margin: .5rem 0 1rem }
.val table { border-collapse: collapse; font-variant-numeric: tabular-nums; background: none }
.val th, .val td { padding: .2rem .5rem; border-bottom: 1px solid #e1e6eb; text-align: right;
  vertical-align: top; background: none }
.val thead th { font-weight: 600; color: #33414e; border-bottom: 1px solid #8d9aa7;
  vertical-align: bottom; line-height: 1.25; white-space: nowrap }
.val thead th small { font-weight: 400; font-size: .88em }
.val tbody th { font-weight: 400; text-align: left; padding-left: 0; white-space: nowrap }
.val thead th:first-child { text-align: left; padding-left: 0 }
.val td { white-space: nowrap } .val code { font-size: .85em; color: #4c5a68 }
.val .i { color: #5a6877; font-size: .92em }
.val .v { white-space: nowrap } .val .v.bad { color: #9b1c1c; font-weight: 600 }
.val .v.open { color: #6b5200 } .val .v.good { color: #17603a }
.val ul.findings { list-style: none; padding: 0; max-width: 56rem }
.val .findings li { border-left: 4px solid #b8c2cc; padding: .15rem .8rem; margin: .5rem 0 }
.val .findings li span { display: block } .val .findings li span[lang=en] { color: #43515f }
.val .findings li.grave { border-left: 8px double #9b1c1c } .val .findings li.look {
  border-left: 4px solid #c98a00 }
.val figure { margin: 1rem 0 } .val figure svg { max-width: 100%; height: auto }
@media print { .val tr, .val figure, .val li { break-inside: avoid } }
"""
GRAVITIES = {"grave": "严重 grave", "look": "查看 to look at", "note": "说明 note"}
# Which section a plot stands in, and what a reader who cannot see it is told.
PLOTS = {
    "scores": ("discrimination", "分数分布 distribution of scores of good and bad cases"),
    "roc": ("discrimination", "ROC曲线 ROC curve; its figures are in the table"),
    "grades": ("calibration", "各等级坏账率与违约概率 bad rate and PD by grade, as in the table"),
    "periods": ("time", "各时段AUC与坏账率 AUC and bad rate by period, as in the table"),
    "stability": ("stability", "PSI与临界值之比 PSI over its critical value, as in the table"),
    "village": ("villages", "各村实际与预期坏账之比 bad over expected by village"),
    "groups": ("groups", "各群体实际与预期坏账之比 bad over expected by group"),
    "fairness": ("fairness", "各层级批准率 approvals by level, as in the table"),
}
GOOD, BAD, OPEN, PLAIN = ("✓", "good"), ("✗", "bad"), ("?", "open"), ("–", "plain")
VERDICTS = {
    NOT_ENOUGH: (OPEN, "数据不足"),
    seg.AS_EXPECTED: (GOOD, "符合预期"),
    seg.MORE_BAD: (BAD, "坏账多于预期"),
    seg.FEWER_BAD: (BAD, "坏账少于预期"),
    stability.SHIFTED: (BAD, "已偏移"),
    stability.NOT_SHIFTED: (GOOD, "未偏移"),
    mono.AGREES: (GOOD, "一致"),
    mono.CONTRADICTED: (BAD, "相悖"),
    "keep": (GOOD, "保持方向"),
    "turn": (BAD, "违反方向"),
    fair.REFERENCE: (PLAIN, "参照层级"),
    fair.WITHIN: (GOOD, "五分之四以内"),
    fair.MAYBE_OUTSIDE: (OPEN, "可能超出五分之四"),
    fair.OUTSIDE: (BAD, "超出五分之四"),
    fair.NO_GAP: (GOOD, "未见差距"),
    fair.SMALL_GAP: (OPEN, "差距小"),
    fair.GAP: (BAD, "有差距"),
    fair.SAME_ANSWER: (GOOD, "分数不变"),
    fair.OTHER_ANSWER: (BAD, "分数改变"),
}
SEGMENT_HEAD = (
    "部分 part", "样本 n", "坏账 bad", "预期 expected", "坏账率 bad rate (95 %)",
    "违约概率 mean PD", "实际/预期 O/E (95 %)", "结论 verdict",
)  # fmt: skip
LEVEL_HEAD = (
    "层级 level", "样本 n", "批准率 approved (95 %)", "批准率之比 ratio (95 %)",
    "五分之四 four fifths", "良好 good", "良好者批准率 approved of good (95 %)",
    "差距 gap, pp (95 %)", "结论 verdict",
)  # fmt: skip
CHANGES = {
    "left out": "删除",
    "permuted": "打乱",
    "sex digits": "性别位",
    "birth place digits": "籍贯位",
}
VILLAGES_SHOWN = 20  # furthest from expected; the others unfold
NOTHING = "<p><b>? 数据不足 not enough data</b></p>"
SEGMENT_NOTE = (
    f"少于{seg.FEWEST_CASES}笔或预期坏账少于{seg.FEWEST_BAD:g}笔者不作结论。"
    f"No verdict below {seg.FEWEST_CASES} cases or {seg.FEWEST_BAD:g} bad expected; a verdict at "
    "5 % for all parts of a table together."
)
PSI_NOTE = (
    "临界值随样本量而定。The critical value is what chance exceeds in 5 % of samples, for all "
    "characteristics together: chi-square(bins − 1) × (1/n + 1/m). Half a case is added to every "
    "bin; bins with fewer than 5 expected cases count as one."
)
MONOTONE_NOTE = (
    "坏账率为单变量，可受其他特征与样本选择影响。Bad rates are of one characteristic alone: "
    "selection or another characteristic may turn them."
)
FAIR_NOTE = (
    "受保护字段仅用于本检查。五分之四只是惯例。Protected fields serve this check alone. "
    f"Four fifths is a convention; no verdict below {fair.FEWEST_CASES} cases of a level. "
    "Good: known to have repaid."
)
METHOD = (
    "<p>区间均为95 %。Intervals are 95 %: bootstrap for AUC, KS, Brier, log-loss, slope and "
    "intercept; Jeffreys for bad rates and O/E; Wilson for approval rates; Newcombe for "
    "differences; Donner and Zou's MOVER for ratios.</p>"
    f"<p>少于{sample.FEWEST_SHOWN}笔的层级合并或不显示。Levels of fewer than "
    f"{sample.FEWEST_SHOWN} cases are shown together or left out. "
    "Formulas and sources: docs/validation.md.</p>"
)


def said(verdict: str, *, between: str = " ") -> str:
    """A verdict with its mark, in both languages, as HTML."""
    (mark, kind), zh = VERDICTS[verdict]
    return f'<span class="v {kind}">{mark} {zh}{between}{escape(verdict)}</span>'


def two_lines(heading: str) -> str:
    """Chinese above, English below; a heading of one language stays as it is.

    >>> two_lines("坏账率 bad rate")
    '坏账率<br><small>bad rate</small>'
    """
    first, _, rest = heading.partition(" ")
    if rest and any("一" <= character <= "鿿" for character in first):
        return f"{escape(first)}<br><small>{escape(rest)}</small>"
    return escape(heading)


def name_of(about: About) -> str:
    """The card in a few words."""
    named = about.product or about.table or "card"
    return f"{named} {about.valid_from}" if about.valid_from else named
