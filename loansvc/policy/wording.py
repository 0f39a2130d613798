"""Wording: tests, figures and words of a policy as a person says them, in Chinese and English."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import TypeAlias

from loansvc.application import CATALOGUE
from loansvc.policy.order import ORDERED
from loansvc.policy.rules import DATE_FACTS, UNKNOWN, Test, fact_label, fact_words
from loansvc.policy.terms import Cap
from loansvc.reasons import WORD_TEXTS, quantity

Text: TypeAlias = tuple[str, str]  # Chinese, English

SHARER_TEXTS = {
    "bank": ("银行", "the bank"),
    "local_guarantor": ("市县担保机构", "the local guarantor"),
    "provincial_reguarantor": ("省级再担保机构", "the provincial re-guarantor"),
    "national_fund": ("国家融资担保基金", "the national guarantee fund"),
    "government": ("地方政府", "local government"),
}
COUNTER_GUARANTEE_TEXTS = {
    "none": ("不涉及反担保", "No counter-guarantee is involved"),
    "waived": ("免除反担保", "The counter-guarantee is waived"),
    "one_natural_person": (
        "需一名自然人提供反担保",
        "One natural person gives a counter-guarantee",
    ),
    "spouse_or_adult_with_income": (
        "需配偶或一名有收入的成年人提供反担保",
        "The spouse or one adult with an income gives a counter-guarantee",
    ),
    "two_persons_or_collateral": (
        "需两名自然人或抵押物提供反担保",
        "Two persons or collateral stand as counter-guarantee",
    ),
}
LIABILITY_TEXTS = {
    "general": ("一般保证", "general guarantee"),
    "joint": ("连带责任保证", "joint and several guarantee"),
}
OUTCOME_TEXTS = {
    "approve": ("通过", "approve"),
    "refer": ("转人工", "refer to a person"),
    "decline": ("不予批准", "decline"),
}
STAGE_TEXTS = {
    "eligibility": ("准入条件", "eligibility rule"),
    "knock_out": ("否决规则", "knock-out"),
    "referral": ("转人工规则", "referral rule"),
}
ISSUER_TEXTS = {
    "hrss": ("人社部门", "human resources and social security"),
    "youth_league": ("共青团", "the Youth League"),
    "veterans_affairs": ("退役军人事务部门", "veterans affairs"),
    "agriculture": ("农业农村部门", "agriculture"),
    "party_organisation": ("组织部门", "the party's organisation department"),
    "talent_office": ("人才办", "the talent office"),
}
# Words of facts and credentials that no scorecard has, so that `reasons` does not know them.
MORE_WORD_TEXTS = {
    "registered_unemployed": ("登记失业人员", "registered unemployed"),
    "online_merchant": ("网络商户", "online merchant"),
    "poverty_relieved": ("脱贫人口", "person lifted out of poverty"),
    "released_prisoner": ("刑满释放人员", "released prisoner"),
    "overcapacity_worker": ("化解过剩产能企业职工", "worker of a firm cutting overcapacity"),
    "technician_graduate": (
        "技师学院高级班毕业生",
        "graduate of a technician college's senior class",
    ),
    "graduate_startup_subsidy": ("高校毕业生创业补贴", "startup subsidy for graduates"),
    "training_certificate": ("培训合格证书", "training certificate"),
    "craftsman_title": ("工匠称号", "craftsman title"),
    "contest_award": ("创业大赛奖项", "contest award"),
    "talent_plan": ("人才计划", "talent plan"),
    "park_resident": ("创业园入驻", "residence in a founders' park"),
    "instalment": ("分期还款", "instalments"),
    "interest_first": ("按期付息、到期还本", "interest first"),
    "bullet": ("到期一次性还本", "one sum at the end"),
    "harvest": ("收获后还款", "after harvest"),
    "unrated": ("未评定", "unrated"),
    "yes": ("是", "yes"),
    "no": ("否", "no"),
    UNKNOWN: ("未知", "not known"),
}
NO_TALENT_TIER = ("无人才层级", "no talent tier")
# Units of the numbers that no application holds; those of the others stand in the CATALOGUE.
CONTEXT_UNITS = {"policy_loans": "count", "outstanding_yuan": "yuan", "matrix_limit_yuan": "yuan"}
FEW = 3  # a list of all words but so many is said by what it leaves out


def word_text(word: str, fact: str = "") -> Text:
    """One word of a fact; a grade, a tier or a town is its own name.

    >>> word_text("unrated"), word_text("AA")
    (('未评定', 'unrated'), ('AA', 'AA'))
    """
    if (fact, word) == ("talent_tier", "none"):
        return NO_TALENT_TIER
    return MORE_WORD_TEXTS.get(word) or WORD_TEXTS.get(word) or (word, word)


def list_text(texts: Iterable[Text], *, en: str = "or") -> Text:
    """Several texts in one.

    >>> list_text([("甲", "a"), ("乙", "b"), ("丙", "c")])
    ('甲、乙、丙', 'a, b or c')
    """
    all_zh, all_en = zip(*texts, strict=True)
    *most, last = all_en
    return "、".join(all_zh), f"{', '.join(most)} {en} {last}" if most else last


def figure_text(fact: str, value: int | date) -> Text:
    """A number or a day of a fact with its unit.

    >>> figure_text("age_years", 18), figure_text("outstanding_yuan", 500_000)
    (('18岁', '18 years'), ('50万元', '500,000 yuan'))
    """
    if isinstance(value, date):
        return value.isoformat(), value.isoformat()
    row = CATALOGUE.get(fact)
    return quantity(value, row.unit if row else CONTEXT_UNITS[fact])


def value_text(fact: str, value: int | str | tuple[str, ...]) -> Text:
    """A value as a rule read it: words in words, a number as it was counted, with its unit.

    An amount keeps every figure and a term its months, so that it can be held against the
    threshold; a list without entries is "none".

    >>> value_text("purpose", "working_capital"), value_text("amount_yuan", 160_000)
    (('流动资金', 'working capital'), ('160,000元', '160,000 yuan'))
    >>> value_text("term_months", 36), value_text("groups", ())
    (('36个月', '36 months'), ('无', 'none'))
    """
    if isinstance(value, tuple):
        texts = [word_text(word, fact) for word in value]
        return list_text(texts, en="and") if texts else ("无", "none")
    if isinstance(value, str):
        return word_text(value, fact)
    row = CATALOGUE.get(fact)
    unit = row.unit if row else CONTEXT_UNITS[fact]
    if unit == "yuan":
        return f"{value:,}元", f"{value:,} yuan"
    if unit == "months":
        return f"{value}个月", f"{value} month{'s' * (value != 1)}"
    if unit == "count":
        return f"{value:,}", f"{value:,}"
    return quantity(value, unit)


def percent_of_bp_text(bp: int) -> Text:
    """Basis points in percent.

    >>> percent_of_bp_text(505)
    ('5.05%', '5.05 %')
    """
    percent = f"{bp // 100}.{bp % 100:02d}"
    return f"{percent}%", f"{percent} %"


def condition_text(test: Test) -> Text:
    """What a test asks, without the name of its fact.

    >>> condition_text(Test("household_debt_service_percent", at_most=50))
    ('不超过50%', 'is at most 50 %')
    >>> condition_text(Test("loan_start", at_least=date(2023, 10, 1)))
    ('自2023-10-01起', 'is from 2023-10-01')
    """
    if test.words is not None:
        return _words_text(test.fact, test.words)
    ends = (test.at_least, test.at_most)
    low, high = (None if end is None else figure_text(test.fact, end) for end in ends)
    zh, en = [], []
    if low:
        zh.append(f"自{low[0]}起" if test.fact in DATE_FACTS else f"不低于{low[0]}")
        en.append(f"from {low[1]}" if test.fact in DATE_FACTS else f"at least {low[1]}")
    if high:
        zh.append(f"至{high[0]}止" if test.fact in DATE_FACTS else f"不超过{high[0]}")
        en.append(f"until {high[1]}" if test.fact in DATE_FACTS else f"at most {high[1]}")
    joint = " " if test.fact in DATE_FACTS else " and "
    return "、".join(zh), f"is {joint.join(en)}"


def _words_text(fact: str, words: frozenset[str]) -> Text:
    """The words it admits; "AA or better" along an order; what it bars where it admits most.

    Every word but "unknown" asks only that the fact is known.

    >>> _words_text("grade", frozenset({"R1", "R2", "R3", "R4"}))
    ('为R4及以上', 'is R4 or better')
    >>> _words_text("purpose", frozenset(fact_words("purpose")) - {"consumption"})
    ('为除消费以外的', 'is anything but consumption')
    """
    every = fact_words(fact)
    if fact == "groups":  # one may belong to several, so that no group is barred
        zh, en = list_text(word_text(w, fact) for w in (*every, UNKNOWN) if w in words)
        return f"包括{zh}", f"include {en}"
    if words == frozenset(every):
        return "为已知", "is known"
    barred = [word_text(w, fact) for w in every if w not in words]
    if fact not in ORDERED and 0 < len(barred) <= FEW < len(every) - len(barred):
        also = UNKNOWN in words
        zh, en = list_text(barred)
        return (
            f"为除{zh}以外的{'，或未知' * also}",
            f"is anything but {en}{', or not known' * also}",
        )
    zh, en = list_text(_along_order(fact, words))
    return f"为{zh}", f"is {en}"


def _along_order(fact: str, words: frozenset[str]) -> Iterator[Text]:
    """Each word, but three and more from either end of an order of merit in one."""
    order = [w for w in ORDERED.get(fact, ()) if w != "none"]
    inside = [w for w in order if w in words]
    rest = [w for w in (*fact_words(fact), UNKNOWN) if w in words and w not in inside]
    if len(inside) >= FEW and inside == order[: len(inside)]:
        yield f"{inside[-1]}及以上", f"{inside[-1]} or better"
    elif len(inside) >= FEW and inside == order[-len(inside) :]:
        yield f"{inside[0]}及以下", f"{inside[0]} or worse"
    else:
        yield from (word_text(w, fact) for w in inside)
    yield from (word_text(w, fact) for w in rest)


def test_text(test: Test) -> Text:
    """A test with the name of its fact.

    >>> test_text(Test("village_rating", frozenset({"AA", "AAA"})))
    ('村信用等级为AAA、AA', 'village rating is AAA or AA')
    """
    label, condition = fact_label(test.fact), condition_text(test)
    return f"{label[0]}{condition[0]}", f"{label[1]} {condition[1]}"


def when_text(tests: Iterable[Test]) -> Text:
    """To which cases a clause applies: where all tests hold, or to everyone."""
    texts = [test_text(test) for test in tests]
    if not texts:
        return "所有情形", "everyone"
    return "且".join(zh for zh, _ in texts), " and ".join(en for _, en in texts)


def bound_text(cap: Cap) -> Text:
    """A cap as it is reckoned."""
    zh, en = [], []
    if cap.yuan or cap.percent_of is None:
        amount = quantity(cap.yuan, "yuan")
        zh.append(amount[0])
        en.append(amount[1])
    if cap.percent_of is not None:
        label = fact_label(cap.percent_of)
        zh.append(f"{label[0]}的{cap.percent}%")
        en.append(f"{cap.percent} % of {label[1]}")
    bound_zh, bound_en = "加".join(zh), " plus ".join(en)
    if cap.less is not None:
        label = fact_label(cap.less)
        bound_zh, bound_en = f"{bound_zh}减{label[0]}", f"{bound_en} less {label[1]}"
    if cap.percent_of is not None or cap.less is not None:
        unknown = quantity(cap.if_unknown_yuan, "yuan")
        bound_zh, bound_en = (
            f"{bound_zh}，未知时{unknown[0]}",
            f"{bound_en}, {unknown[1]} if not known",
        )
    return bound_zh, bound_en


def issuers_text(issuers: frozenset[str]) -> Text:
    """Who may vouch for something, in the order of the departments.

    >>> issuers_text(frozenset({"agriculture", "hrss"}))
    ('人社部门、农业农村部门', 'human resources and social security or agriculture')
    """
    named = [text for issuer, text in ISSUER_TEXTS.items() if issuer in issuers]
    return list_text(named) if named else ("无", "nobody")
