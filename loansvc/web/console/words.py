"""Words: what pages of the console say in Chinese where the rest of the program says it in English.

Texts of decisions, rules, reasons and reviews have both languages where they are made; here are
refusals, flaws of fields, and names of the fields that a form shows.
"""

from __future__ import annotations

from collections.abc import Mapping

# By the code of a refusal (loansvc.errors); what is missing here is shown in English.
REFUSAL_ZH: Mapping[str, str] = {
    "unauthenticated": "密钥无效、已过期或已撤销，请核对后重新登录。",
    "forbidden": "您的密钥没有办理此事项的权限，请使用有权限的密钥。",
    "stale_form": "此表单已不属于当前登录，或浏览器没有保存Cookie（须用https访问，本机除外），请重新打开页面。",
    "not_found": "没有这项内容，或者不属于贵机构。",
    "erased": "此人的个人信息已删除，不能再查看。",
    "quota_exceeded": "本机构的请求次数已达上限，请稍后再试。",
    "too_many_tries": "此地址多次使用了无效的密钥，请核对密钥，稍后再试。",
    "probing_limit": "24小时内对同一人试算的不同情形过多，请按实际情况提交，或另换一人。",
    "overloaded": "请求过多，请稍后再试。",
    "ledger_unavailable": "账本暂时无法读写，请稍后再试；再次提交同一内容不会重复办理。",
    "not_ready": "当前没有可用的版本，请联系管理员。",
    "no_edition_in_force": "该日期没有生效的版本，请选择其他日期。",
    "not_reproducible": "本程序版本得出的结果与记录不同，因此不作解释；记录本身没有改变。请联系管理员。",
    "ledger_damaged": "账本校验未通过，请停止办理并联系管理员。",
    "internal_error": "系统出错。请重试；如仍出错，请将编号告知管理员。",
    "invalid_query": "查询条件填写有误，请更正。",
    "invalid_application": "有字段需要更正。",
    "invalid_review": "有字段需要更正。",
    "reference_reused": "此编号已用于其他事项，请换一个编号。",
    "already_reviewed": "已经申请过人工审核，每项决定只能申请一次。",
    "no_open_review": "尚未申请人工审核，请先申请。",
    "already_overridden": "人工审核已经完成，不能再次审核。",
    "four_eyes": "申请人工审核的人不能自己作出决定，请由另一人用本人的密钥办理。",
    "rules_stand": "有规则不予批准，或没有可用额度，人工审核不能突破。如事实有误，请更正后重新申请。",
    "above_limit": "超出规则允许的额度或期限，请减少金额或缩短期限。",
    "over_fund_cap": "担保基金无法承担该笔份额，请减少金额，或待基金有余额后办理。",
    "offer_stands": "系统已按原条件批准，人工审核只能维持或不予批准；金额和期限请留空。",
    "loan_drawn": "贷款已经发放，不能再改为不予批准。",
    "too_old": "申请已超过90天，不能再据此批准，请重新申请。",
    "already_lodged": "同一事项的异议尚未办结。",
    "not_lodged": "没有这一事项的异议可供办结。",
    "before_application": "日期早于申请日，请核对。",
    "before_lodging": "日期早于提出异议之日，请核对。",
}

# By the code of a field's flaw.
FIELD_ZH: Mapping[str, str] = {
    "required": "必填。",
    "wrong_form": "格式不对。",
    "out_of_range": "超出允许的范围。",
    "not_an_integer": "请填写整数。",
    "not_a_choice": "请从所列选项中选择。",
    "not_a_date": "请填写真实的日期，如2026-11-23。",
    "not_a_boolean": "请选择是、否或未知。",
    "not_a_list": "数量过多或格式不对。",
    "twice": "重复填写。",
    "unknown_field": "不是本版本的字段，请删除。",
    "in_the_future": "不能晚于今天。",
    "too_far_back": "申请日距今不能超过90天。",
    "after_application": "不能晚于申请日。",
    "before_application": "不能早于申请日，担保也不能早于贷款。",
    "before_issue": "不能早于发证日。",
    "too_far_ahead": "距申请日不能超过366天。",
    "more_than_whole": "不能大于其所属的总数。",
    "personal_number": "不能含有身份证号或电话号码。",
    "id_number_form": "身份证号应为18位。",
    "id_number_birth_date": "身份证号中的出生日期不存在或在今天之后。",
    "id_number_checksum": "身份证号校验位不对，请核对。",
    "uscc_form": "统一社会信用代码应为18位。",
    "uscc_checksum": "统一社会信用代码校验位不对，请核对。",
    "industry_form": "应为国民经济行业分类代码，如A0412。",
    "village_code_form": "应为12位村级代码。",
    "village_outside_county": "不是本县的村。",
    "village_unknown": "名册中没有这个村。",
    "village_virtual": "虚拟社区不能填写。",
    "not_of_this_outcome": "与所选结果不符。",
    "above_limit": "超出规则允许的额度。",
    "no_limit": "规则没有留下额度。",
}
BOUND_ZH: Mapping[str, str] = {"out_of_range": "应为{}至{}。", "above_limit": "最多{}。"}

# Fields of an application that are no characteristic by that name; those of the CATALOGUE have theirs.
FIELD_WORDS: Mapping[str, tuple[str, str]] = {
    "application_id": ("申请编号", "application id"),
    "product": ("产品", "product"),
    "applied_on": ("申请日", "day of application"),
    "id_number": ("身份证号", "ID number"),
    "village_code": ("所在村", "village"),
    "household_debt_service_12m_yuan": (
        "家庭年偿债支出",
        "debt service of the household in 12 months",
    ),
    "kind": ("种类", "kind"),
    "issuer": ("出具部门", "issuer"),
    "number": ("编号", "number"),
    "issued_on": ("发证日", "issued on"),
    "expires_on": ("到期日", "expires on"),
    "level": ("级别", "level"),
    "uscc": ("统一社会信用代码", "social credit code"),
    "industry": ("行业代码", "industry code"),
    "started_on": ("开业日期", "in business since"),
    "new_hires_12m": ("近12个月新招用重点群体人数", "new hires of priority groups in 12 months"),
    "online_revenue_12m_yuan": ("其中线上收入", "of it online"),
    "reported_on": ("信用报告日期", "day of the credit report"),
    "outstanding_yuan": ("贷款余额", "balance of all loans"),
    "starts_on": ("贷款起始日", "first day of the loan"),
    "guarantee_starts_on": ("担保起始日", "first day of the guarantee"),
    "consent_id": ("授权书编号", "consent id"),
    "given_on": ("授权日期", "day of consent"),
    "scopes": ("授权范围", "consent to"),
}
SECTION_WORDS: Mapping[str, tuple[str, str]] = {
    "loan": ("贷款", "Loan"),
    "applicant": ("申请人", "Applicant"),
    "business": ("经营情况", "Business"),
    "credit_report": ("信用报告", "Credit report"),
    "credentials": ("证明材料", "Credentials"),
    "consent": ("授权", "Consent"),
}
UNIT_WORDS: Mapping[str, tuple[str, str]] = {
    "yuan": ("元", "yuan"),
    "months": ("个月", "months"),
    "days": ("天", "days"),
    "percent": ("%", "%"),
}
# Words of an application that the wording of policies does not know.
WORD_WORDS: Mapping[str, tuple[str, str]] = {
    "credit_report": ("查询信用报告", "the credit report"),
    "income": ("核实收入", "income"),
    "public_records": ("查询公共信息", "public records"),
    "automated_decision": ("自动化决策", "an automated decision"),
    "county": ("县级", "county"),
    "prefecture": ("市级", "prefecture"),
    "province": ("省级", "province"),
    "national": ("国家级", "national"),
}
STANDING_WORDS: Mapping[str, tuple[str, str]] = {
    "rated": ("已评定", "rated"),
    "grace": ("宽限期", "in its months of grace"),
    "expired": ("已过期", "expired"),
    "revoked": ("已撤销", "revoked"),
    "unrated": ("未评定", "not rated"),
}
EVIDENCE_WORDS: Mapping[str, tuple[str, str]] = {
    "households_total": ("总户数", "households"),
    "households_rated": ("已采集户数", "households collected"),
    "households_a_plus": ("A级以上户数", "households A or better"),
    "borrowers": ("贷款户数", "borrowers"),
    "borrowers_overdue": ("逾期户数", "borrowers overdue"),
    "balance_yuan": ("贷款余额（元）", "balance, yuan"),
    "npl_balance_yuan": ("不良余额（元）", "balance not performing, yuan"),
    "as_of": ("截至", "as of"),
}
KIND_WORDS: Mapping[str, tuple[str, str]] = {
    "scorecard": ("评分卡", "scorecard"),
    "policy": ("政策", "policy"),
    "villages": ("村镇名册", "register of villages"),
    "rates": ("LPR报价", "LPR quotes"),
    "standard": ("村镇评定标准", "standard for villages"),
}
