"""Words: the codes with which people ask, decide and object, with the text a person reads."""

from __future__ import annotations

from collections.abc import Mapping

ASKED_BY: Mapping[str, tuple[str, str]] = {
    "applicant": ("申请人", "the applicant"),
    "officer": ("信贷人员", "a credit officer"),
}
REVIEW_REASONS: Mapping[str, tuple[str, str]] = {
    "no_automated_decision": (
        "申请人不接受仅由系统自动作出的决定",
        "The applicant does not accept a decision made by a machine alone",
    ),
    "facts_contested": (
        "申请人认为所用信息有误或不全",
        "The applicant says that facts used are wrong or missing",
    ),
    "facts_not_considered": (
        "申请人有系统未考虑的情况",
        "The applicant has circumstances that the machine did not consider",
    ),
    "referred": ("系统转人工审核", "The case was referred to a person"),
    "officer_doubts": (
        "信贷人员对系统的决定有疑问",
        "A credit officer doubts the machine's decision",
    ),
}
# For each reason the outcomes that it can stand for.
OVERRIDE_REASONS: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "confirmed": (
        ("approve", "decline"),
        "人工复核后维持系统的决定",
        "Looked at by a person, the machine's decision stands",
    ),
    "facts_verified": (
        ("approve",),
        "已核实系统未知或存疑的事实",
        "Facts that were not known or in doubt have been verified",
    ),
    "visit": (
        ("approve", "decline"),
        "根据实地走访的情况",
        "On the findings of a visit to the business",
    ),
    "repayment_source": (
        ("approve",),
        "已核实可靠的还款来源",
        "A reliable source of repayment has been verified",
    ),
    "facts_not_confirmed": (
        ("decline",),
        "所报事实经核实不属实或无法证实",
        "Facts stated turned out wrong or could not be confirmed",
    ),
    "repayment_doubtful": (
        ("decline",),
        "还款来源不足或不可靠",
        "The source of repayment is too small or not reliable",
    ),
    "purpose_doubtful": (
        ("decline",),
        "贷款用途存疑",
        "The purpose of the loan is in doubt",
    ),
    "applicant_withdrew": (
        ("decline",),
        "申请人撤回申请",
        "The applicant has withdrawn the application",
    ),
}
DISPUTED: Mapping[str, tuple[str, str]] = {
    "credit_report": ("信用报告", "the credit report"),
    "village_rating": ("村信用评定", "the rating of the village"),
    "identity": ("身份信息", "who the applicant is"),
    "other": ("其他信息", "something else"),
}
# How a dispute goes: lodged, then one of the others (征信业管理条例 art. 25 (3) [A]).
DISPUTE_KINDS: Mapping[str, tuple[str, str]] = {
    "lodged": ("已提出异议", "lodged"),
    "upheld": ("异议成立，信息予以更正", "upheld: the information is to be corrected"),
    "rejected": ("异议不成立，取消标注", "rejected: the information is right"),
    "unconfirmed": ("经核查仍不能确认，予以记载", "looked into and not to be confirmed: on record"),
    "withdrawn": ("申请人撤回异议", "withdrawn by the applicant"),
}
OUTCOMES = ("approve", "decline")  # a person does not refer


def coded(code: str, texts: tuple[str, str]) -> dict[str, str]:
    """A code with its texts, as an answer has it."""
    return {"code": code, "zh": texts[0], "en": texts[1]}
