"""Reasons: stable codes with the Chinese and English text a person reads.

A01 speaks of the consent to automated decision, P01 of what a policy cannot ask, S01 to S26 of a characteristic of the scorecard,
V01 of the village, L01, L02 and G01 of limit and guarantee, F01 to F04 of the guarantee fund. Policy
rules bring their own id and text. Notices (the answer's `warnings`) say what the reader should
know about the answer itself. A code never changes its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MOST_REASONS = 4


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: kind is consent, policy, scorecard, village, limit, guarantee or fund.

    `points` are those lost against the best bin (scorecard) or added by the village; `value` and
    `threshold` are what a rule read and asked for; `reference` is the clause cited.
    """

    code: str
    kind: str
    zh: str
    en: str
    points: int | None = None
    value: str | None = None
    threshold: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to know about the answer."""

    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Text:
    """Texts of one scored number: `low` when the value is below a bound, `high` at or above it.

    `none`, where there is one, when the value can only be 0.
    """

    code: str
    low_zh: str
    low_en: str
    high_zh: str
    high_en: str
    none_zh: str = ""
    none_en: str = ""


# {bound} is a quantity with its unit: "3 years", "50,000 yuan", "40 %".
NUMBER_TEXTS: Mapping[str, Text] = {
    "household_income_12m_yuan": Text(
        "S06", "家庭年收入低于{bound}", "Household income below {bound} a year",
        "家庭年收入达到{bound}", "Household income of {bound} a year or more"),
    "business_age_months": Text(
        "S07", "经营年限不足{bound}", "In business for less than {bound}",
        "经营年限达到{bound}", "In business for {bound} or more"),
    "household_debt_service_percent": Text(
        "S08", "偿债支出占家庭收入的比例低于{bound}", "Debt service below {bound} of household income",
        "偿债支出占家庭收入的比例达到{bound}", "Debt service of {bound} of household income or more"),
    "dependants": Text(
        "S09", "被抚养人数少于{bound}人", "Fewer than {bound} dependants",
        "被抚养人数达到{bound}人", "{bound} or more dependants",
        "没有被抚养人", "No dependants"),
    "training_certificates": Text(
        "S10", "技能培训证书少于{bound}本", "Fewer than {bound} training certificates",
        "技能培训证书达到{bound}本", "{bound} or more training certificates",
        "没有技能培训证书", "No training certificate"),
    "craftsman_level": Text(
        "S11", "工匠称号未达到{bound}", "No craftsman title of {bound} or higher",
        "工匠称号达到{bound}", "Craftsman title of {bound} or higher"),
    "contest_award_level": Text(
        "S12", "创业大赛奖项未达到{bound}", "No contest award of {bound} or higher",
        "创业大赛奖项达到{bound}", "Contest award of {bound} or higher"),
    "park_months": Text(
        "S13", "入驻创业园不足{bound}", "In a founders' park for less than {bound}",
        "入驻创业园达到{bound}", "In a founders' park for {bound} or more",
        "入驻创业园不足1个月或未入驻", "Not in a founders' park, or for less than a month"),
    "employees": Text(
        "S14", "从业人数少于{bound}人", "Fewer than {bound} employees",
        "从业人数达到{bound}人", "{bound} or more employees",
        "没有从业人员", "No employees"),
    "revenue_12m_yuan": Text(
        "S15", "年营业收入低于{bound}", "Revenue below {bound} a year",
        "年营业收入达到{bound}", "Revenue of {bound} a year or more"),
    "online_revenue_percent": Text(
        "S16", "线上收入占比低于{bound}", "Online share of revenue below {bound}",
        "线上收入占比达到{bound}", "Online share of revenue of {bound} or more",
        "没有线上收入", "No online revenue"),
    "social_insurance_months_24m": Text(
        "S17", "近24个月社保缴纳不足{bound}", "Social insurance paid for less than {bound} in the last 24 months",
        "近24个月社保缴纳达到{bound}", "Social insurance paid for {bound} or more in the last 24 months",
        "近24个月未缴纳社保", "No social insurance paid in the last 24 months"),
    "max_days_past_due_24m": Text(
        "S18", "近24个月最长逾期少于{bound}", "Longest arrears in 24 months below {bound}",
        "近24个月最长逾期达到{bound}", "Arrears of {bound} or more in the last 24 months",
        "近24个月无逾期", "No arrears in the last 24 months"),
    "active_loans": Text(
        "S19", "未结清贷款少于{bound}笔", "Fewer than {bound} active loans",
        "未结清贷款达到{bound}笔", "{bound} or more active loans",
        "没有未结清贷款", "No active loan"),
    "unsecured_outstanding_yuan": Text(
        "S20", "信用贷款余额低于{bound}", "Unsecured balance below {bound}",
        "信用贷款余额达到{bound}", "Unsecured balance of {bound} or more",
        "没有信用贷款余额", "No unsecured balance"),
    "enquiries_6m": Text(
        "S21", "近6个月征信查询少于{bound}次", "Fewer than {bound} credit enquiries in 6 months",
        "近6个月征信查询达到{bound}次", "{bound} or more credit enquiries in 6 months",
        "近6个月无征信查询", "No credit enquiry in 6 months"),
    "months_since_first_credit": Text(
        "S22", "信用历史不足{bound}", "Credit history shorter than {bound}",
        "信用历史达到{bound}", "Credit history of {bound} or more"),
    "card_utilisation_percent": Text(
        "S23", "信用卡额度使用率低于{bound}", "Card utilisation below {bound}",
        "信用卡额度使用率达到{bound}", "Card utilisation of {bound} or more",
        "信用卡额度未使用", "Card not used"),
    "guarantees_given_yuan": Text(
        "S24", "对外担保余额低于{bound}", "Guarantees given for others below {bound}",
        "对外担保余额达到{bound}", "Guarantees given for others of {bound} or more",
        "没有对外担保", "No guarantees given for others"),
    "loan_to_revenue_percent": Text(
        "S25", "贷款额占年营业收入的比例低于{bound}", "Loan below {bound} of yearly revenue",
        "贷款额占年营业收入的比例达到{bound}", "Loan of {bound} of yearly revenue or more"),
    "term_months": Text(
        "S26", "贷款期限短于{bound}", "Term shorter than {bound}",
        "贷款期限达到{bound}", "Term of {bound} or longer"),
}  # fmt: skip
WORD_CODES: Mapping[str, str] = {
    "primary_group": "S01", "entity": "S02", "purpose": "S03", "education": "S04",
    "household_grade": "S05",
}  # fmt: skip
WORD_TEXTS: Mapping[str, tuple[str, str]] = {
    "veteran": ("退役军人", "veteran"),
    "ex_fisher": ("退捕渔民", "former fisher"),
    "employment_difficulty": ("就业困难人员", "person with employment difficulty"),
    "graduate": ("高校毕业生", "graduate"),
    "returning_migrant": ("返乡创业人员", "returning migrant"),
    "farmer_founder": ("农民创业者", "farmer starting a business"),
    "none": ("不属于评分卡所列群体", "none of the groups that the scorecard knows"),
    "household": ("农户", "household"),
    "sole_trader": ("个体工商户", "sole trader"),
    "micro_enterprise": ("小微企业", "micro enterprise"),
    "family_farm": ("家庭农场", "family farm"),
    "cooperative": ("农民合作社", "cooperative"),
    "village_collective": ("村集体经济组织", "village collective"),
    "working_capital": ("流动资金", "working capital"),
    "equipment": ("购置设备", "equipment"),
    "planting": ("种植", "planting"),
    "breeding": ("畜禽养殖", "livestock"),
    "aquaculture": ("水产养殖", "aquaculture"),
    "online_stock": ("网店备货", "stock for online sale"),
    "renovation": ("经营场所装修", "renovation"),
    "consumption": ("消费", "consumption"),
    "securities": ("证券投资", "securities"),
    "property": ("购房", "property"),
    "on_lending": ("转借他人", "on-lending"),
    "primary": ("小学", "primary school"),
    "junior": ("初中", "junior secondary"),
    "senior": ("高中", "senior secondary"),
    "technical_college": ("大专、技工院校", "technical college"),
    "university": ("本科及以上", "university"),
}
LEVEL_TEXTS = (("无", "none"), ("县级", "county level"), ("市级", "prefecture level"),
               ("省级", "provincial level"), ("国家级", "national level"))  # fmt: skip

PLAIN_REASONS: Mapping[str, tuple[str, str, str]] = {
    "A01": ("consent", "未同意自动化决策，由人工审核", "No consent to an automated decision: a person decides"),
    "V01": ("village", "本村借款人的实际还款情况低于评分卡的预期", "Borrowers of this village repaid less well than the scorecard expected"),
    "P01": ("policy", "申请载明了本版政策没有规定如何处理的重要情况（当前逾期或列入名单），由人工审核", "The application states something grave (overdue now, a list) that this edition of the policy does not ask about: a person decides"),
    "L01": ("limit", "申请金额高于可贷额度", "The amount asked for is above the limit"),
    "L02": ("limit", "申请金额低于最低贷款额", "The amount asked for is below the smallest loan"),
    "G01": ("guarantee", "没有可适用的担保层级", "No guarantee tier carries this case"),
    "F01": ("fund", "本笔担保会使担保基金超过放大倍数上限", "The guarantee would pass the fund's multiple"),
    "F02": ("fund", "本户的担保会超过担保基金的单户上限", "The guarantee would pass the fund's single-client cap"),
    "F04": ("fund", "本户及关联方的担保合计会超过担保基金的上限", "The guarantee would pass the fund's cap on related parties"),
    "F03": ("fund", "担保基金的代偿率高于上限", "The fund's compensation rate is above its cap"),
}  # fmt: skip
NOTICES: Mapping[str, tuple[str, str]] = {
    "SYNTHETIC_SCORECARD": (
        "评分卡由合成数据训练，仅供演示", "The scorecard was trained on synthetic data: for demonstration only"),
    "SYNTHETIC_REGISTER": (
        "村级评定数据为合成数据，仅供演示", "The village evidence is synthetic: for demonstration only"),
    "POLICY_TO_VERIFY": (
        "政策中有条款的依据尚待核实", "Some clauses of the policy rest on sources still to be verified"),
    "POLICY_REVIEW_OVERDUE": (
        "政策已过复审日期", "The policy is past the date by which it was to be reviewed"),
    "LPR_STALE": (
        "最近的LPR报价已超过45天", "The newest LPR quote is more than 45 days old"),
    "FUND_NOT_STATED": (
        "担保基金状况未知，未核对其各项上限", "The state of the guarantee fund is not known; its caps were not tested"),
    "EXPOSURE_PARTIAL": (
        "以往的政策性贷款只计本系统近30天内批准的", "Earlier policy loans: only approvals of this system in the last 30 days are counted"),
    "EXPOSURE_OWN_LEDGER": (
        "以往的政策性贷款只计本系统有记录的", "Earlier policy loans: only those recorded in this ledger are known"),
    "NOT_LOOKED_UP": (
        "未提供当前逾期、失信或反洗钱名单的核查结果，按无不利信息处理，放款前须核查", "Not stated whether there is anything overdue now or on a list of dishonest debtors or against money laundering: taken as clear, to be looked up before lending"),
    "VILLAGE_GRACE": (
        "村级评定已到期，宽限期内降一级使用", "The village rating is past its term; in grace it counts one notch lower"),
    "VILLAGE_EXPIRED": (
        "村级评定已过期，按未评定处理", "The village rating has expired and counts as unrated"),
    "VILLAGE_REVOKED": (
        "村级评定已被撤销", "The village rating was revoked"),
    "VILLAGE_UNRATED": (
        "该村尚未评定；未评定不等于评价差", "The village is unrated: unknown, not bad"),
    "VILLAGE_FLAGGED": (
        "该村有一项有期限的乡风文明标记，提请人工复核；不影响评定和评分",
        "The village carries a dated mark asking that a person looks; rating and points do not know it"),
    "VILLAGE_APPEAL": (
        "该村的申诉正在处理，作出决定前评定照常有效",
        "An appeal of the village is pending; the rating stands until it is decided"),
    "CONSENT_CREDIT_REPORT": (
        "未授权查询信用报告，相关信息按未知处理", "No consent to the credit report: its inputs count as not known"),
    "CONSENT_INCOME": (
        "未授权收入信息，相关信息按未知处理", "No consent to income data: those inputs count as not known"),
    "CONSENT_PUBLIC_RECORDS": (
        "未授权公共信息，相关信息按未知处理", "No consent to public records: those inputs count as not known"),
    "CREDENTIAL_NOT_VOUCHED": (
        "有的证明不是由可出具该类证明的部门出具，没有计入", "A credential comes from an issuer that does not vouch for its kind; it was not counted"),
    "CREDENTIAL_NOT_VALID": (
        "有的证明在申请日不在有效期内，没有计入", "A credential is not valid on the day of application; it was not counted"),
}  # fmt: skip


def reason_code(characteristic: str) -> str:
    """The stable reason code of a characteristic of the scorecard."""
    return WORD_CODES.get(characteristic) or NUMBER_TEXTS[characteristic].code


def plain_reason(code: str, *, points: int | None = None, value: str | None = None) -> Reason:
    """A reason without a bound: village, limit, guarantee, fund."""
    kind, zh, en = PLAIN_REASONS[code]
    return Reason(code, kind, zh, en, points=points, value=value)


def notice(code: str) -> Notice:
    """A notice by its code."""
    return Notice(code, *NOTICES[code])


def quantity(value: int, unit: str) -> tuple[str, str]:
    """A number with its unit in Chinese and English.

    >>> quantity(36, "months"), quantity(18, "months"), quantity(50000, "yuan"), quantity(1, "days")
    (('3年', '3 years'), ('18个月', '18 months'), ('5万元', '50,000 yuan'), ('1天', '1 day'))
    """
    if unit == "level":
        return LEVEL_TEXTS[value] if 0 <= value < len(LEVEL_TEXTS) else (str(value), str(value))
    if unit == "months" and value and value % 12 == 0:
        return f"{value // 12}年", f"{value // 12} year{'s' * (value != 12)}"
    if unit == "yuan":
        wan = f"{value // 10_000}万元" if value and value % 10_000 == 0 else f"{value:,}元"
        return wan, f"{value:,} yuan"
    zh, en = {
        "months": ("个月", "month"), "years": ("岁", "year"), "days": ("天", "day"),
        "percent": ("%", " %"), "count": ("", ""),
    }[unit]  # fmt: skip
    plural = "s" if unit in ("months", "years", "days") and value != 1 else ""
    space = " " if plural or unit in ("months", "years", "days") else ""
    return f"{value}{zh}", f"{value}{space}{en}{plural}"
