"""Words: what the keys of a table are called in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

NONE = "none"  # key of whoever has no credential that counts
PRODUCT_WORDS: Mapping[str, tuple[str, str]] = {
    "credit_loan": ("信用贷", "credit loan"),
    "talent_loan": ("人才贷", "talent loan"),
    "fast_loan": ("快服贷", "fast loan"),
    "online_loan": ("线上贷", "online loan"),
}
GROUP_WORDS: Mapping[str, tuple[str, str]] = {
    "graduate": ("高校毕业生", "graduates"),
    "veteran": ("退役军人", "veterans"),
    "returning_migrant": ("返乡创业人员", "returning migrants"),
    "ex_fisher": ("退捕渔民", "former fishers"),
    "employment_difficulty": ("就业困难人员", "persons with employment difficulty"),
    "registered_unemployed": ("登记失业人员", "registered unemployed"),
    "online_merchant": ("网络商户", "online merchants"),
    "farmer_founder": ("农民创业者", "farmers starting a business"),
    "poverty_relieved": ("脱贫人口", "persons relieved from poverty"),
    "released_prisoner": ("刑满释放人员", "persons released from prison"),
    "overcapacity_worker": ("化解过剩产能企业职工", "workers of over-capacity firms"),
    "technician_graduate": ("技师学院高级班毕业生", "graduates of technicians' senior classes"),
    NONE: ("无", "none"),
}
DEPARTMENT_WORDS: Mapping[str, tuple[str, str]] = {
    "hrss": ("人力资源和社会保障局", "human resources and social security"),
    "youth_league": ("团县委", "youth league"),
    "veterans_affairs": ("退役军人事务局", "veterans affairs"),
    "agriculture": ("农业农村局", "agriculture and rural affairs"),
    "party_organisation": ("组织部", "party organisation"),
    "talent_office": ("人才办", "talent office"),
    NONE: ("无", "none"),
}
OUTCOME_WORDS: Mapping[str, tuple[str, str]] = {
    "approve": ("批准", "approve"),
    "refer": ("转人工", "refer"),
    "decline": ("不予批准", "decline"),
}
