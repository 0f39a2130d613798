"""Derivation: limit, rate, subsidy and guarantee as lines of arithmetic, in Chinese and English.

Every line that has a figure says how it comes out of the lines above it, so that a person can do the
sum on paper. All divisions round down unless the line says otherwise.
"""

from __future__ import annotations

from typing import Any

from loansvc.decision import Case, Decision, expected_loss_yuan
from loansvc.policy import Cap, Fund, FundCaps, Policy, TierRow, fact_label, share_yuan_of
from loansvc.policy.wording import COUNTER_GUARANTEE_TEXTS, LIABILITY_TEXTS, SHARER_TEXTS
from loansvc.reasons import PLAIN_REASONS, quantity

Line = dict[str, Any]
RATING_ZH = {"unrated": "未评定"}  # the others are their own name


def derivation(case: Case, policy: Policy, decision: Decision) -> dict[str, list[Line]]:
    """The lines of each figure; rate and guarantee only where something is offered."""
    limit = {"limit": _limit_lines(case, policy)}
    if decision.offer is None:
        return limit
    return limit | {
        "rate": _rate_lines(case, policy),
        "guarantee": _guarantee_lines(case, policy, decision),
    }


def _line(step: str, zh: str, en: str, **figure: int) -> Line:
    return {"step": step, "zh": zh, "en": en, **figure}


def _yuan(amount: int) -> tuple[str, str]:
    return f"{amount:,}元", f"{amount:,} yuan"


# --- limit ----------------------------------------------------------------------------------------


def _limit_lines(case: Case, policy: Policy) -> list[Line]:
    limit, facts = case.judgement.limit, case.facts
    grade, rating = case.judgement.grade, facts["village_rating"]
    base, factor = _yuan(limit.row.base_yuan), limit.factor_percent
    clause = limit.row.clause
    lines = [
        _line("base", f"基础额度（依据：{clause.zh}）", f"Base limit (clause: {clause.reference})",
              yuan=limit.row.base_yuan),
        _line("factor", f"{base[0]} × {factor}%（评分等级{grade}，村信用等级{RATING_ZH.get(rating, rating)}）",
              f"{base[1]} x {factor} % (grade {grade}, village {rating})",
              yuan=limit.before_caps_yuan),
    ]  # fmt: skip
    lines += [_cap_line(case, cap, bound) for cap, bound in limit.caps]
    lowest = min([limit.before_caps_yuan, *(bound for _, bound in limit.caps)])
    step, least = quantity(policy.round_down_to_yuan, "yuan"), quantity(policy.minimum_yuan, "yuan")
    low = _yuan(lowest)
    lines.append(
        _line("limit", f"取以上最低者{low[0]}，按{step[0]}的整数倍向下取整；低于{least[0]}则没有额度",
              f"The lowest of these, {low[1]}, down to a multiple of {step[1]}; "
              f"below {least[1]} there is none", yuan=limit.limit_yuan)
    )  # fmt: skip
    if policy.reassess_every_months:
        months = policy.reassess_every_months
        every = (
            ("每年", "once a year")
            if months == 12
            else (f"每{months}个月", f"every {months} months")
        )
        lines.append(_line("reassess", f"额度{every[0]}重新评估一次",
                           f"The limit is assessed anew {every[1]}"))  # fmt: skip
    return lines


def _cap_line(case: Case, cap: Cap, bound: int) -> Line:
    sum_zh, sum_en = _cap_sum(case, cap, bound)
    binds = cap is case.judgement.limit.bound_by
    zh, en = ("，以此为准", ": this one binds") if binds else ("", "")
    return _line(cap.id, f"上限：{cap.zh}{zh}{sum_zh}", f"Cap: {cap.en}{en}{sum_en}", yuan=bound)


def _cap_sum(case: Case, cap: Cap, bound: int) -> tuple[str, str]:
    """How a cap comes about, where it is more than one figure."""
    facts = {**case.facts, "matrix_limit_yuan": case.judgement.limit.before_caps_yuan}
    asked = [name for name in (cap.percent_of, cap.less) if name is not None]
    if not asked:
        return "", ""
    unknown = [fact_label(name) for name in asked if facts.get(name) is None]
    if unknown:
        return f"（{unknown[0][0]}未知）", f" ({unknown[0][1]} not known)"
    zh, en = ([str(f"{cap.yuan:,}")] if cap.yuan else [] for _ in range(2))
    if cap.percent_of is not None:
        label = fact_label(cap.percent_of)
        figure = f"{facts[cap.percent_of]:,}"
        zh.append(f"{label[0]}{figure} × {cap.percent}%")
        en.append(f"{label[1]} {figure} x {cap.percent} %")
    sum_zh, sum_en = " + ".join(zh), " + ".join(en)
    if cap.less is not None:
        label, figure = fact_label(cap.less), f"{facts[cap.less]:,}"
        sum_zh, sum_en = f"{sum_zh} - {label[0]}{figure}", f"{sum_en} - {label[1]} {figure}"
    floor = ("，不低于0", ", not below 0") if bound == 0 else ("", "")
    return f"（{sum_zh}{floor[0]}）", f" ({sum_en}{floor[1]})"


# --- rate -----------------------------------------------------------------------------------------


def _rate_lines(case: Case, policy: Policy) -> list[Line]:
    price, quote = case.judgement.price, case.quote
    capped = price.row.spread_bp > price.spread_bp
    note_zh = (
        f"，按上限{policy.most_spread_bp}基点计" if capped else f"，上限{policy.most_spread_bp}基点"
    )
    note_en = f", held to the cap of {policy.most_spread_bp}" if capped else (
        f", the cap being {policy.most_spread_bp}")  # fmt: skip
    clause, since = price.row.clause, quote.effective_on
    zh, en = (
        (f"{since}起的贷款基准利率（基点）", f"Base rate of the central bank from {since}")
        if quote.is_base_rate
        else (f"{since}起的LPR（基点）", f"LPR quoted on {since}")
    )
    lines = [
        _line("lpr", zh, en, bp=price.lpr_bp),
        _line("spread", f"加点{price.row.spread_bp}基点{note_zh}（依据：{clause.zh}）",
              f"Spread of {price.row.spread_bp}{note_en} (clause: {clause.reference})",
              bp=price.spread_bp),
        _line("rate", f"年利率 = {price.lpr_bp} + {price.spread_bp}",
              f"Rate a year = {price.lpr_bp} + {price.spread_bp}", bp=price.rate_bp),
    ]  # fmt: skip
    return lines + (_subsidy_lines(case) if price.subsidy_bp else [])


def _subsidy_lines(case: Case) -> list[Line]:
    price = case.judgement.price
    subsidy, rate, lpr = price.subsidy, price.rate_bp, price.lpr_bp
    if subsidy.borrower_over_lpr_bp is None:
        zh = f"{rate} × {subsidy.percent_of_rate}%"
        en = f"{rate} x {subsidy.percent_of_rate} %"
    else:
        over = subsidy.borrower_over_lpr_bp
        zh = en = f"{rate} - ({lpr} {'+' if over >= 0 else '-'} {abs(over)})"
    return [
        _line("subsidy", f"财政贴息 = {zh}，舍去小数（{subsidy.zh}；依据：{subsidy.clause.zh}）",
              f"Paid by the state = {en}, rounded down ({subsidy.en}; clause: "
              f"{subsidy.clause.reference})", bp=price.subsidy_bp),
        _line("borrower_pays", f"借款人实际承担 = {rate} - {price.subsidy_bp}",
              f"The borrower pays = {rate} - {price.subsidy_bp}", bp=rate - price.subsidy_bp),
    ]  # fmt: skip


# --- guarantee ------------------------------------------------------------------------------------


def _guarantee_lines(case: Case, policy: Policy, decision: Decision) -> list[Line]:
    assert decision.guarantee is not None
    assert decision.offer is not None
    guarantee, tier = decision.guarantee, case.judgement.tier
    lines: list[Line] = []
    for row, code in case.judgement.tier_caps:
        line = _passed_over_line(case, policy, row, code)
        if line not in lines:  # rows of one tier differ in whom they are for, not in the sum
            lines.append(line)
    bank = tier.shares_percent["bank"]
    zh, en = (
        ("损失全部由银行承担", "the bank alone carries a loss")
        if bank == 100
        else (f"银行以外各方分担100% - {bank}%", f"others carry 100 % - {bank} %")
    )
    lines.append(
        _line("tier", f"担保层级{tier.tier}：{zh}（依据：{tier.clause.zh}）",
              f"Guarantee tier {tier.tier}: {en} (clause: {tier.clause.reference})",
              percent=100 - bank)
    )  # fmt: skip
    asked, amount = case.facts["amount_yuan"], decision.offer.amount_yuan
    if asked != amount:
        lines.append(
            _line("tier_amount", f"担保层级按申请金额{asked:,}元确定；按{amount:,}元重新申请，层级可能不同",
                  f"The tier is that of the {asked:,} yuan asked for; "
                  f"an application for {amount:,} yuan may have another")
        )  # fmt: skip
    for name, percent in guarantee.shares_percent.items():
        if percent:
            zh, en = SHARER_TEXTS[name]
            lines.append(_line(f"share_{name}", f"本金损失由{zh}承担的比例",
                               f"Of a loss of principal, borne by {en}", percent=percent))  # fmt: skip
    local = guarantee.shares_percent["local_guarantor"]
    if local:
        lines.append(
            _line("fund_share", f"占用担保基金 = {amount:,} × {local}%，向上取整",
                  f"The guarantee fund carries = {amount:,} x {local} %, rounded up",
                  yuan=share_yuan_of(amount, tier))
        )  # fmt: skip
    counter = COUNTER_GUARANTEE_TEXTS[guarantee.counter_guarantee]
    lines.append(_line("counter_guarantee", *counter))
    if guarantee.shares_percent["bank"] < 100:
        zh, en = LIABILITY_TEXTS[guarantee.liability]
        months = guarantee.liability_period_months
        lines.append(_line("liability", f"保证方式：{zh}，保证期间为债务到期后{months}个月",
                           f"Liability: {en}, for {months} months after the debt falls due"))  # fmt: skip
    return lines + _loss_lines(policy, decision)


def _passed_over_line(case: Case, policy: Policy, row: TierRow, code: str) -> Line:
    """A tier that the fund could not carry, with the sum that shows it."""
    assert case.fund is not None
    share = share_yuan_of(case.facts["amount_yuan"], row)
    zh, en = _cap_test(policy.fund_caps.for_row(row), case.fund, share, code)
    _, why_zh, why_en = PLAIN_REASONS[code]
    return _line("passed_over", f"{row.tier}未采用（{code} {why_zh}）：{zh}",
                 f"{row.tier} not taken ({code} {why_en}): {en}", yuan=share)  # fmt: skip


def _cap_test(caps: FundCaps, fund: Fund, share: int, code: str) -> tuple[str, str]:
    """The inequality by which a cap of the fund binds."""
    capital = f"{fund.capital_yuan:,}"
    if code == "F03":
        rate, cap = fund.compensation_rate_bp, caps.compensation_rate_cap_bp
        return f"代偿率{rate}基点 > {cap}基点", f"compensation rate {rate} bp > {cap} bp"
    if code == "F01":
        text = f"{fund.guaranteed_yuan:,} + {share:,} > {capital} × {caps.multiple}"
        return text, text.replace("×", "x")
    own = f"{fund.applicant_guaranteed_yuan:,}"
    if code == "F02":
        text = f"{own} + {share:,} > {capital} × {caps.single_client_percent}%"
    else:
        related = f"{fund.related_guaranteed_yuan:,}"
        text = f"{own} + {share:,} + {related} > {capital} × {caps.related_percent}%"
    return text, text.replace("×", "x").replace("%", " %")


def _loss_lines(policy: Policy, decision: Decision) -> list[Line]:
    assert decision.guarantee is not None
    assert decision.offer is not None
    shares, lgd = decision.guarantee.shares_percent, policy.lgd_percent
    amount, pd = decision.offer.amount_yuan, decision.pd_ppm
    total, parts = expected_loss_yuan(amount, pd, lgd, shares)
    lines = [
        _line("expected_loss", f"预期损失 = {amount:,}元 × 违约概率{pd}/1,000,000 × 损失率{lgd}%，四舍五入",
              f"Expected loss = {amount:,} yuan x PD {pd}/1,000,000 x LGD {lgd} %, to the nearest yuan",
              yuan=total)
    ]  # fmt: skip
    others = 0
    for name, yuan in parts.items():
        if name == "bank" or not shares[name]:
            continue
        zh, en = SHARER_TEXTS[name]
        lines.append(
            _line(f"loss_{name}", f"其中{zh} = {total:,} × {shares[name]}%，四舍五入",
                  f"Of it {en} = {total:,} x {shares[name]} %, to the nearest yuan", yuan=yuan)
        )  # fmt: skip
        others += yuan
    if others:
        lines.append(
            _line("bank_loss", f"其中银行 = {total:,} - {others:,}",
                  f"Of it the bank = {total:,} - {others:,}", yuan=parts["bank"])
        )  # fmt: skip
    else:
        lines.append(_line("bank_loss", "全部由银行承担", "All of it the bank", yuan=parts["bank"]))
    return lines
