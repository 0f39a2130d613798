"""The page of an impact: the verdict, who flips, sums, tiers, parts, and the flips one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from loansvc.monitoring import page as frame
from loansvc.monitoring.budget import Verdict, change_of, change_text
from loansvc.monitoring.charts import Bar, bars
from loansvc.monitoring.figures import Figures
from loansvc.monitoring.impact import Impact, Part, move_table
from loansvc.monitoring.impact_shown import (
    MEAN_RATE,
    NOTES,
    PARTS,
    PRICES,
    SUMS,
    erased_text,
    itself_text,
    mean_score_change,
    nothing_text,
    terms_text,
)
from loansvc.monitoring.offers import Prices, rate_change_text, rate_text
from loansvc.monitoring.page import both, heading
from loansvc.monitoring.words import OUTCOME_WORDS, PRODUCT_WORDS
from loansvc.policy import OUTCOMES

LEGEND = tuple(f"{zh} {en}" for zh, en in OUTCOME_WORDS.values())
KINDS = {"policy": ("政策", "policy"), "scorecard": ("评分卡", "scorecard")}
IN_FORCE, DRAFT = ("现行", "in force"), ("草案", "draft")
SUMS_HEAD = (("", ""), IN_FORCE, DRAFT, ("差额", "difference"), ("", ""))
# With short names all columns fit a sheet of A4 across.
PART_SUMS = (
    ("approved", "批准", "approved"),
    ("limit_yuan", "额度", "limits"),
    ("approved_yuan", "金额", "amount"),
    ("expected_loss_yuan", "预期损失", "loss"),
    ("expected_loss_bank_yuan", "银行承担", "of it bank"),
    ("local_guarantor_yuan", "担保占用", "fund use"),
)
PART_PRICES = (("interest_yuan", "年利息", "interest"), ("subsidy_yuan", "贴息", "subsidy"))


def page(found: Impact, verdict: Verdict) -> str:
    """The whole document; where no decision was made again, a sentence instead of figures."""
    parts = [_lead(found), *(_figures(found, verdict) if found.n else _nothing(found))]
    return frame.page("草案影响分析", "Impact of a draft", parts)


def _nothing(found: Impact) -> list[str]:
    return [f'<p class="note">{both(*nothing_text(found))}</p>']


def _figures(found: Impact, verdict: Verdict) -> list[str]:
    return [
        *_verdict(verdict),
        heading("结果变化", "Outcomes"),
        _outcome_chart(found),
        _moves(found),
        heading("合计", "Sums"),
        _sums(found),
        heading("利率与利息", "Rates and interest"),
        *_prices(found),
        heading("担保层级", "Guarantee tiers"),
        _tiers(found),
        *(part for name, zh, en in PARTS for part in _by(found.parts[name], zh, en)),
        heading("结果改变的申请", "Applications whose outcome changes"),
        _flips(found),
        heading("说明", "How to read this"),
        frame.notes(
            (
                (
                    "各分表中第二行粗体为草案的数字；金额单位为元，利率单位为基点。",
                    "Bold figures below others: under the draft. Amounts are in yuan, rates in "
                    "basis points.",
                ),
                *NOTES,
            )
        ),
    ]


def _lead(found: Impact) -> str:
    kind_zh, kind_en = KINDS[found.kind]
    product_zh, product_en = PRODUCT_WORDS[found.product]
    current = found.in_force["valid_from"]
    lines = [
        f'<p class="lead">{both(f"{product_zh}{kind_zh}", f"{kind_en} of the {product_en}")}</p>',
        '<p class="note">'
        + both(
            f"草案自{found.valid_from}起；届时现行版本自{current}起。",
            f"Draft from {found.valid_from}; in force on that day: the one from {current}.",
        )
        + "</p>",
        f'<p class="note"><code>{found.draft[:19]}</code> · '
        f"<code>{found.in_force['digest'][:19]}</code></p>",
    ]
    if found.is_of_itself:
        lines.append(frame.caution(*itself_text(found)))
    if found.n:
        period = f"{found.decided_from} – {found.decided_to}"
        text = both(f"最近{found.n}笔决定，{period}", f"the last {found.n} decisions, {period}")
        lines.append(f'<p class="note">{text}</p>')
    if found.n_erased:
        lines.append(f'<p class="note">{both(*erased_text(found))}</p>')
    if score := mean_score_change(found):
        text = both(f"平均分变化：{score}分", f"mean change of score: {score} points")
        lines.append(f'<p class="note">{text}</p>')
    return "".join(lines)


def _verdict(verdict: Verdict) -> Iterator[str]:
    yield heading("变动预算", "Change budget")
    if verdict.over:
        yield frame.caution(
            "超出现行政策规定的变动预算：不说明理由不得发布。",
            "Over the change budget of the policy in force: not to be published without a reason.",
        )
    elif not verdict.is_enough:
        yield frame.caution(
            f"决定不足{verdict.least_decisions}笔，不足以据此拒绝发布。",
            f"Fewer than {verdict.least_decisions} decisions: too few to refuse on.",
        )
    lines = (
        f'<tr class="{"over" if m.is_over else ""}"><td>{both(m.zh, m.en)}</td>'
        f"<td>{m.figure}</td><td>{m.most_percent} %</td></tr>"
        for m in verdict.measures
    )
    yield frame.table([("", ""), ("变化", "change"), ("上限", "at most")], lines)


def _outcome_chart(found: Impact) -> str:
    rows = [
        Bar(f"{zh} {en}", (f.approved, f.referred, f.declined), f"{f.applications:,}")
        for (zh, en), f in ((IN_FORCE, found.before), (DRAFT, found.after))
    ]
    return bars(rows, legend=LEGEND, title="Outcomes in force and under the draft")


def _moves(found: Impact) -> str:
    head = [("现行 ＼ 草案", "in force \\ draft"), *(OUTCOME_WORDS[o] for o in OUTCOMES)]
    lines = (
        f"<tr><td>{both(*OUTCOME_WORDS[before])}</td>"
        + "".join(
            f"<td><b>{n:,}</b></td>" if n and after != before else f"<td>{n:,}</td>"
            for after, n in zip(OUTCOMES, row, strict=True)
        )
        + "</tr>"
        for before, row in zip(OUTCOMES, move_table(found), strict=True)
    )
    flips, other = found.n_flips, found.n_other_terms
    terms_zh, terms_en = terms_text(found)
    text = both(
        f"结果改变{flips}笔；结果不变而条件改变{other}笔"
        + (f"（{terms_zh}）。" if other else "。"),
        f"{flips} change their outcome; {other} keep it with other terms"
        + (f" ({terms_en})." if other else "."),
    )
    return f'{frame.table(head, lines)}<p class="note">{text}</p>'


def _sums(found: Impact) -> str:
    lines = _sum_lines(SUMS, found.before, found.after)
    return frame.table(SUMS_HEAD, lines)


def _prices(found: Impact) -> Iterator[str]:
    """Of what is approved both times: sums, and the mean rate in basis points."""
    before, after = found.prices_before, found.prices_after
    n = before.approvals
    text = both(f"现行、草案均批准的{n}笔。", f"Of the {n} approved both times.")
    yield f'<p class="note">{text}</p>'
    lines = _sum_lines(PRICES, before, after)
    was, now = before.mean_rate or 0, after.mean_rate or 0
    lines.append(
        f"<tr><td>{both(*MEAN_RATE)}</td><td>{rate_text(before.mean_rate)}</td>"
        f"<td>{rate_text(after.mean_rate)}</td><td>{rate_change_text(was, now)}</td>"
        f"<td>{change_text(change_of(was, now))}</td></tr>"
    )
    yield frame.table(SUMS_HEAD, lines)


def _sum_lines(
    rows: Iterable[tuple[str, str, str]], before: Figures | Prices, after: Figures | Prices
) -> list[str]:
    lines = []
    for name, zh, en in rows:
        was, now = getattr(before, name), getattr(after, name)
        difference = f"{now - was:+,}" if now != was else "0"
        lines.append(
            f"<tr><td>{both(zh, en)}</td><td>{was:,}</td><td>{now:,}</td>"
            f"<td>{difference}</td><td>{change_text(change_of(was, now))}</td></tr>"
        )
    return lines


def _tiers(found: Impact) -> str:
    rows = [
        bar
        for t in found.tiers
        for bar in (
            Bar(f"{t.tier} {IN_FORCE[0]}", (t.before_yuan,), f"{t.before_yuan:,}"),
            Bar(f"{t.tier} {DRAFT[0]}", (0, t.after_yuan), f"{t.after_yuan:,}"),
        )
    ]
    lines = (
        f"<tr><td>{t.tier}</td><td>{t.n_before:,}</td><td>{t.n_after:,}</td>"
        f"<td>{t.before_yuan:,}</td><td>{t.after_yuan:,}</td></tr>"
        for t in found.tiers
    )
    head = [
        ("层级", "tier"), ("现行笔数", "in force, number"), ("草案笔数", "draft, number"),
        ("现行金额", "in force, yuan"), ("草案金额", "draft, yuan"),
    ]  # fmt: skip
    legend = [f"{zh} {en}" for zh, en in (IN_FORCE, DRAFT)]
    return bars(rows, legend=legend, title="Amount approved by tier") + frame.table(head, lines)


def _by(parts: tuple[Part, ...], zh: str, en: str) -> Iterator[str]:
    """A table of the parts in which something changes; the others folded away."""
    yield heading(zh, en)
    head = [
        ("", ""), ("决定", "decisions"), ("结果改变", "flips"), ("条件改变", "other terms"),
        *((z, e) for _, z, e in PART_SUMS), ("平均利率", "mean rate"),
        *((z, e) for _, z, e in PART_PRICES),
    ]  # fmt: skip
    for changes in (True, False):
        shown = [p for p in parts if p.differs == changes]
        if not shown:
            continue
        table = frame.table(head, map(_part, shown))
        if changes:
            yield table
        else:
            said = both(f"没有变化的{len(shown)}行", f"{len(shown)} rows without a change")
            yield f"<details><summary>{said}</summary>{table}</details>"


def _part(part: Part) -> str:
    """A part: of each sum what it is in force, and below it what it is under the draft."""
    code = f" <code>{escape(part.key)}</code>" if part.zh == part.en else ""  # a village
    terms = both(*terms_text(part))
    cells = [
        f"{part.before.applications:,}",
        f"{part.n_flips:,}",
        f"{part.n_other_terms:,}" + (f"<br>{terms}" if part.terms else ""),
        *_both_sums(PART_SUMS, part.before, part.after),
        _twice(rate_text(part.prices_before.mean_rate), rate_text(part.prices_after.mean_rate)),
        *_both_sums(PART_PRICES, part.prices_before, part.prices_after),
    ]
    return (
        f"<tr><td>{both(part.zh, part.en)}{code}</td>"
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
    )


def _both_sums(
    rows: Iterable[tuple[str, str, str]], before: Figures | Prices, after: Figures | Prices
) -> Iterator[str]:
    for name, _, _ in rows:
        yield _twice(f"{getattr(before, name):,}", f"{getattr(after, name):,}")


def _twice(before: str, after: str) -> str:
    return before if after == before else f"{before}<br><b>{after}</b>"


def _flips(found: Impact) -> str:
    if not found.flips:
        return f'<p class="note">{both("没有。", "None.")}</p>'
    lines = (
        f'<tr><td>{f.sequence}</td><td class="word">{escape(f.application_id)}</td>'
        f'<td class="word">{both(*OUTCOME_WORDS[f.before])}</td>'
        f'<td class="word">{escape(" ".join(f.reasons_before))}</td>'
        f'<td class="word">{both(*OUTCOME_WORDS[f.after])}</td>'
        f'<td class="word">{escape(" ".join(f.reasons_after))}</td></tr>'
        for f in found.flips
    )
    head = [
        ("序号", "sequence"), ("申请编号", "application_id"), ("现行结果", "in force"),
        ("理由代码", "reasons"), ("草案结果", "draft"), ("理由代码", "reasons"),
    ]  # fmt: skip
    return frame.table(head, lines)
