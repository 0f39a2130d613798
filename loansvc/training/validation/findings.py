"""Findings: what a reviewer must answer, look at, or know, gravest first, each with its figure.

GRAVE   the card should not be used before somebody has answered
LOOK    somebody should look, and write down what was seen
NOTE    what the data could not show, and what is only worth knowing
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from loansvc.training.validation import fairness as fair
from loansvc.training.validation import monotonicity as mono
from loansvc.training.validation import segments as seg
from loansvc.training.validation import stability
from loansvc.training.validation.calibration import FEWEST_BAD
from loansvc.training.validation.estimate import NOT_ENOUGH, SURE, Estimate

GRAVE, LOOK, NOTE = "grave", "look", "note"
MARKS = {GRAVE: "‼", LOOK: "!", NOTE: "·"}
TOO_GOOD_AUC = 0.95  # an application score this good has seen the outcome (DOMAIN 5)
# Outside, 20 points, which should double the odds, are worth less than 18 or more than 22.
SLOPE_LOW, SLOPE_HIGH = 0.9, 1.1
POINTS_THAT_COUNT = 5.0  # a quarter of the points that double the odds
STRONG_PROXY = 0.5  # Cramér's V; a strong association by Cohen's convention
FOLD_THAT_COUNTS = 1.5  # bad over expected, or the other way round
Parts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence for the reviewer, in both languages. `part`: where in the report."""

    gravity: str
    part: str
    en: str
    zh: str

    @property
    def mark(self) -> str:
        """How it is marked without colour."""
        return MARKS[self.gravity]


def findings(parts: Parts) -> tuple[Finding, ...]:
    """All findings, gravest first."""
    makers = (
        _of_sample, _of_protected, _of_monotonicity, _of_discrimination, _of_calibration,
        _of_grades, _of_stability, _of_time, _of_segments, _of_fairness, _of_knockouts, _of_oracle,
    )  # fmt: skip
    listed = [finding for make in makers for finding in make(parts)]
    return tuple(sorted(listed, key=lambda f: list(MARKS).index(f.gravity)))


# --- each part ----------------------------------------------------------------------------------


def _of_sample(parts: Parts) -> Iterator[Finding]:
    about = parts["about"]
    n_good = about.n_known - about.n_bad
    if parts["discrimination"] is None:
        yield Finding(
            GRAVE, "discrimination",
            f"Not enough data: {about.n_bad:,} bad and {n_good:,} good cases carry no statement "
            f"about order or PD; at least {FEWEST_BAD} of each are needed.",
            f"数据不足：坏账{about.n_bad:,}笔、正常{n_good:,}笔，无法评价排序与违约概率，各至少需{FEWEST_BAD}笔。",
        )  # fmt: skip
    if about.synthetic:
        yield Finding(
            NOTE, "discrimination",
            "The card was trained on synthetic data: figures show the method, not how people pay.",
            "评分卡由合成数据训练：数字只说明方法，不代表真实还款表现。",
        )  # fmt: skip
    if about.n > about.n_known:
        share = 1 - about.n_known / about.n
        yield Finding(
            NOTE, "discrimination",
            f"{share:.1%} of the rows have no known outcome; if they were turned away or are too "
            "young, the figures hold for the others.",
            f"{share:.1%}的样本结果未知；若因被拒或未到期，各项数字只对其余样本成立。",
        )  # fmt: skip


def _of_protected(parts: Parts) -> Iterator[Finding]:
    of = parts["protected"]
    for name in of.sensitive_names:
        yield Finding(
            GRAVE, "protected",
            f"The card scores {name}, by its name a field that no card may use (PIPL art. 24).",
            f"评分卡使用了{name}，按其名称属于不得使用的字段（个人信息保护法第二十四条）。",
        )  # fmt: skip
    for swap in of.swaps:
        if not swap.n_changed:
            continue
        gravity = LOOK if swap.scored else GRAVE
        en = "it is scored on purpose: confirm that the difference is justified (PIPL art. 24)"
        zh = "该字段直接计分，须确认差别有正当理由（个人信息保护法第二十四条）"
        yield Finding(
            gravity, "protected",
            f"Swap test: with {swap.field} {swap.how}, {swap.n_changed:,} of {swap.n:,} scores "
            f"change, by up to {swap.largest_change} points; {en}.",
            f"互换检验：{swap.field}变动后，{swap.n:,}个分数中有{swap.n_changed:,}个改变，"
            f"最多{swap.largest_change}分；{zh}。",
        )  # fmt: skip
    for field in of.fields:
        if field.proxy is not None and field.proxy.cramers_v >= STRONG_PROXY:
            proxy = field.proxy
            yield Finding(
                LOOK, "protected",
                f"{proxy.characteristic} tells {field.field} (Cramér's V {proxy.cramers_v:.2f}): "
                "it may stand in for it.",
                f"{proxy.characteristic}与{field.field}高度相关（Cramér's V "
                f"{proxy.cramers_v:.2f}），可能成为其替代变量。",
            )  # fmt: skip


def _of_monotonicity(parts: Parts) -> Iterator[Finding]:
    for of in parts["monotonicity"]:
        if not of.points_keep:
            yield Finding(
                GRAVE, "monotonicity",
                f"The points of {of.name} turn against its direction.",
                f"{of.name}的分值违反其单调方向。",
            )  # fmt: skip
        if of.verdict == mono.CONTRADICTED:
            turn = of.turns[0]
            rates = f"{turn.left_rate:.1%} → {turn.right_rate:.1%}"
            yield Finding(
                LOOK, "monotonicity",
                f"Bad rates of {of.name} go against its direction, beyond chance: {rates} from "
                f"“{turn.left}” to “{turn.right}”. Selection or another characteristic may do it.",
                f"{of.name}的坏账率显著违反其方向：“{turn.left}”到“{turn.right}”为{rates}，"
                "可能由样本选择或其他特征引起。",
            )  # fmt: skip


def _of_discrimination(parts: Parts) -> Iterator[Finding]:
    of = parts["discrimination"]
    if of is None:
        return
    if of.auc.value > TOO_GOOD_AUC:
        yield Finding(
            GRAVE, "discrimination",
            f"AUC {of.auc.value:.3f} is too good: look for what knows the outcome.",
            f"AUC为{of.auc.value:.3f}，好得可疑：请查找泄露结果的变量。",
        )  # fmt: skip
    if of.auc.low <= 0.5:
        yield Finding(
            GRAVE, "discrimination",
            f"AUC {_interval(of.auc)} is not shown to be above 0.5.",
            f"AUC {_interval(of.auc)}，不能证明高于0.5。",
        )  # fmt: skip
    then = of.development
    if then is not None and of.auc.high < then.low:
        fall = then.value - of.auc.value
        yield Finding(
            LOOK, "discrimination",
            f"AUC fell by {fall:.3f} from the development sample ({_interval(then)}) to "
            f"{_interval(of.auc)}.",
            f"AUC较开发样本（{_interval(then)}）下降{fall:.3f}，现为{_interval(of.auc)}。",
        )  # fmt: skip
    if of.brier.value >= of.brier_of_bad_rate:
        yield Finding(
            LOOK, "calibration",
            f"Brier {of.brier.value:.4f} is no better than giving everybody the bad rate "
            f"({of.brier_of_bad_rate:.4f}).",
            f"Brier分数{of.brier.value:.4f}，不优于一律给出平均坏账率（{of.brier_of_bad_rate:.4f}）。",
        )  # fmt: skip


def _of_calibration(parts: Parts) -> Iterator[Finding]:
    of = parts["calibration"]
    if of is None:
        return
    ratio = of.observed_to_expected
    if ratio.is_far_from(1.0):
        high, low = ratio.value > 1, not 1 / 1.2 < ratio.value < 1.2
        yield Finding(
            GRAVE if low else LOOK, "calibration",
            f"{ratio.value:.2f} times as many bad cases as the card expects "
            f"({ratio.low:.2f} to {ratio.high:.2f}): its PD is too {'low' if high else 'high'}.",
            f"实际坏账为预期的{ratio.value:.2f}倍（{ratio.low:.2f}至{ratio.high:.2f}）："
            f"违约概率偏{'低' if high else '高'}。",
        )  # fmt: skip
    if of.slope.is_far_from(1.0):
        far = not SLOPE_LOW <= of.slope.value <= SLOPE_HIGH
        extreme = of.slope.value < 1
        yield Finding(
            LOOK if far else NOTE, "calibration",
            f"Calibration slope {_interval(of.slope)}: PDs are "
            f"{'too extreme' if extreme else 'too much alike'}.",
            f"校准斜率{_interval(of.slope)}：违约概率{'过于极端' if extreme else '过于集中'}。",
        )  # fmt: skip


def _of_grades(parts: Parts) -> Iterator[Finding]:
    for of in parts["grades"]:
        if of.verdict in {seg.MORE_BAD, seg.FEWER_BAD}:
            yield Finding(
                GRAVE if of.verdict == seg.MORE_BAD else LOOK, "calibration",
                f"Grade {of.name}: bad rate {_interval(of.bad_rate, 4)}, PD {of.mean_pd:.4f}: "
                f"{of.verdict}.",
                f"等级{of.name}：坏账率{_interval(of.bad_rate, 4)}，违约概率{of.mean_pd:.4f}，"
                f"坏账{'多' if of.verdict == seg.MORE_BAD else '少'}于预期。",
            )  # fmt: skip


def _of_stability(parts: Parts) -> Iterator[Finding]:
    of = parts["stability"]
    if of is None:
        return
    for row in (of.score, *of.characteristics):
        if row.verdict == stability.SHIFTED:
            name = "the score" if row is of.score else row.name
            far = abs(row.points) >= POINTS_THAT_COUNT
            yield Finding(
                LOOK if far or row is of.score else NOTE, "stability",
                f"Shifted: PSI of {name} {row.psi:.4f}, above {row.critical:.4f} that chance "
                f"gives; it moves the mean score by {row.points:+.1f} points.",
                f"分布偏移：{row.name}的PSI为{row.psi:.4f}，高于随机临界值{row.critical:.4f}；"
                f"平均分变动{row.points:+.1f}分。",
            )  # fmt: skip
    if of.score.verdict == NOT_ENOUGH:
        yield Finding(
            NOTE, "stability",
            f"Not enough data for PSI: {of.n_now:,} cases now, {of.n_then:,} then; at least "
            f"{stability.FEWEST_CASES} each.",
            f"PSI数据不足：现有{of.n_now:,}笔，参照{of.n_then:,}笔，各至少{stability.FEWEST_CASES}笔。",
        )  # fmt: skip


def _of_time(parts: Parts) -> Iterator[Finding]:
    of = parts["out_of_time"]
    if of is None:
        return
    if of.auc_p is not None and of.auc_p < SURE:
        worst = min((p for p in of.periods if p.auc is not None), key=lambda p: p.auc.value)
        yield Finding(
            LOOK, "time",
            f"The card does not order all periods alike ({p_value(of.auc_p)}): AUC is lowest in "
            f"{worst.name}, {_interval(worst.auc)}.",
            f"各时段排序能力不一致（{p_value(of.auc_p)}）：{worst.name}的AUC最低，{_interval(worst.auc)}。",
        )  # fmt: skip
    if of.drift_p is not None and of.drift_p < SURE:
        first, last = (_fold(p) for p in (of.periods[0], of.periods[-1]))
        yield Finding(
            LOOK, "time",
            f"Bad cases drift away from the PD over time ({p_value(of.drift_p)}): {first} of those "
            f"expected in the first period, {last} in the last.",
            f"坏账随时间偏离违约概率（{p_value(of.drift_p)}）：首期为预期的{first}，末期为{last}。",
        )  # fmt: skip
    for period in of.periods:
        if period.verdict in {seg.MORE_BAD, seg.FEWER_BAD}:
            yield _of_segment("time", of.column, period)


def _of_segments(parts: Parts) -> Iterator[Finding]:
    for group in grouped(parts):
        part = "villages" if group is parts["village"] else "groups"
        for segment in group.segments:
            if segment.verdict in {seg.MORE_BAD, seg.FEWER_BAD}:
                yield _of_segment(part, group.column, segment)
        if group.spread is not None and group.spread.p < SURE:
            spread = group.spread
            yield Finding(
                LOOK, part,
                f"{group.column}: its parts differ beyond chance ({p_value(spread.p)}), with a "
                f"standard deviation of about {spread.sd:.2f} in log-odds.",
                f"{group.column}：各部分差异超出随机（{p_value(spread.p)}），"
                f"对数几率标准差约{spread.sd:.2f}。",
            )  # fmt: skip
        thin = sum(s.verdict == NOT_ENOUGH for s in group.segments)
        if thin:
            yield Finding(
                NOTE, part,
                f"{group.column}: {thin} of {len(group.segments)} have not enough data.",
                f"{group.column}：{len(group.segments)}个中有{thin}个数据不足。",
            )  # fmt: skip


def _of_segment(part: str, column: str, of: seg.Segment) -> Finding:
    ratio = of.observed_to_expected
    far = ratio is not None and ratio.value >= FOLD_THAT_COUNTS
    return Finding(
        GRAVE if far and of.verdict == seg.MORE_BAD and part == "groups" else LOOK, part,
        f"{column} {of.name}: {of.n_bad:,} bad of {of.n:,}, {of.expected_bad:.1f} expected, "
        f"{_interval(ratio, 2)} times as many: {of.verdict}.",
        f"{column} {of.name}：{of.n:,}笔中坏账{of.n_bad:,}笔，预期{of.expected_bad:.1f}笔，"
        f"为{_interval(ratio, 2)}倍，{'多' if of.verdict == seg.MORE_BAD else '少'}于预期。",
    )  # fmt: skip


def _of_fairness(parts: Parts) -> Iterator[Finding]:
    of = parts["protected"]
    compared = {field.field for field in of.fields}
    for name in dict.fromkeys(swap.field for swap in of.swaps if swap.field not in compared):
        yield Finding(
            NOTE, "fairness",
            f"{name} holds ID numbers: it was changed, but its levels were not compared.",
            f"{name}含身份证号：已做互换检验，未按取值比较。",
        )  # fmt: skip
    for field in of.fields:
        for level in field.levels:
            if level.ratio_verdict in {fair.OUTSIDE, fair.MAYBE_OUTSIDE}:
                sure = level.ratio_verdict == fair.OUTSIDE
                yield Finding(
                    LOOK if sure else NOTE, "fairness",
                    f"{field.field} {level.name}: approved {_interval(level.approval_ratio, 2)} "
                    f"times as often as {field.reference}, {level.ratio_verdict} (a convention).",
                    f"{field.field} {level.name}：批准率为{field.reference}的"
                    f"{_interval(level.approval_ratio, 2)}倍，"
                    f"{'' if sure else '可能'}超出五分之四惯例。",
                )  # fmt: skip
            if level.gap_verdict == fair.GAP:
                yield Finding(
                    LOOK, "fairness",
                    f"{field.field} {level.name}: of those who proved good, "
                    f"{_signed(level.opportunity_gap)} are approved compared with "
                    f"{field.reference}.",
                    f"{field.field} {level.name}：事后良好者的批准率与{field.reference}相差"
                    f"{_signed(level.opportunity_gap)}。",
                )  # fmt: skip


def _of_knockouts(parts: Parts) -> Iterator[Finding]:
    of = parts["knockouts"]
    if of is None:
        return
    added = of.added_bad_rate
    if added is None:
        yield Finding(
            NOTE, "knockouts",
            "Not enough known outcomes to say what the score adds to the knock-outs.",
            "已知结果不足，无法说明评分对一票否决的增益。",
        )  # fmt: skip
    elif added.low <= 0:
        yield Finding(
            LOOK, "knockouts",
            f"The score is not shown to add to the knock-outs: bad rate below the cut-off less "
            f"that above, {_signed(added)}.",
            f"不能证明评分在一票否决之外有增益：分数线以下与以上坏账率之差为{_signed(added)}。",
        )  # fmt: skip


def _of_oracle(parts: Parts) -> Iterator[Finding]:
    of = parts["oracle"]
    if of is not None:
        yield Finding(
            NOTE, "oracle",
            f"AUC is {_interval(of.distance)} below the oracle of the synthetic county.",
            f"AUC比合成县的理论最优低{_interval(of.distance)}。",
        )  # fmt: skip


def grouped(parts: Parts) -> list[Any]:
    """The columns of groups, villages first."""
    return [g for g in (parts["village"], *parts["groups"]) if g is not None]


# --- words --------------------------------------------------------------------------------------


def _interval(of: Estimate | None, digits: int = 3) -> str:
    if of is None:
        return "–"
    return f"{of.value:.{digits}f} ({of.low:.{digits}f}–{of.high:.{digits}f})"


def _signed(of: Estimate | None) -> str:
    if of is None:
        return "–"
    value, low, high = (100 * v for v in (of.value, of.low, of.high))
    return f"{value:+.1f} pp ({low:+.1f} to {high:+.1f})"


def _fold(of: seg.Segment) -> str:
    return "–" if of.observed_to_expected is None else f"{of.observed_to_expected.value:.2f}"


def p_value(p: float) -> str:
    """A chance, not more exact than it is.

    >>> p_value(0.0371), p_value(1e-9)
    ('p 0.037', 'p < 0.001')
    """
    return f"p {p:.3f}" if p >= 0.001 else "p < 0.001"
