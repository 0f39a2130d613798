"""Documents: what /openapi.json says of each, as types. Written by `make reference`."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

ApplicantRelatedParty: TypeAlias = str


class Applicant(TypedDict):
    id_number: str
    village_code: str
    household_grade: NotRequired[Literal['AAA', 'AA', 'A', 'B', 'C', 'D'] | None]
    education: NotRequired[Literal['primary', 'junior', 'senior', 'technical_college', 'university'] | None]
    household_income_12m_yuan: NotRequired[int | None]
    household_debt_service_12m_yuan: NotRequired[int | None]
    dependants: NotRequired[int | None]
    dishonest_debtor: NotRequired[bool | None]
    aml_listed: NotRequired[bool | None]
    related_parties: NotRequired[list[ApplicantRelatedParty] | None]


class Credential(TypedDict):
    kind: Literal['graduate', 'veteran', 'returning_migrant', 'ex_fisher', 'employment_difficulty', 'registered_unemployed', 'online_merchant', 'farmer_founder', 'poverty_relieved', 'released_prisoner', 'overcapacity_worker', 'technician_graduate', 'graduate_startup_subsidy', 'training_certificate', 'craftsman_title', 'contest_award', 'talent_plan', 'park_resident']
    issuer: Literal['hrss', 'youth_league', 'veterans_affairs', 'agriculture', 'party_organisation', 'talent_office']
    number: str
    issued_on: str
    expires_on: NotRequired[str | None]
    level: NotRequired[Literal['county', 'prefecture', 'province', 'national'] | None]


class Business(TypedDict):
    entity: NotRequired[Literal['household', 'sole_trader', 'micro_enterprise', 'family_farm', 'cooperative', 'village_collective'] | None]
    uscc: NotRequired[str | None]
    industry: NotRequired[str | None]
    started_on: NotRequired[str | None]
    employees: NotRequired[int | None]
    new_hires_12m: NotRequired[int | None]
    revenue_12m_yuan: NotRequired[int | None]
    online_revenue_12m_yuan: NotRequired[int | None]
    social_insurance_months_24m: NotRequired[int | None]


class CreditReport(TypedDict):
    reported_on: str
    repair_applied: NotRequired[bool | None]
    max_days_past_due_24m: NotRequired[int | None]
    days_past_due_now: NotRequired[int | None]
    active_loans: NotRequired[int | None]
    outstanding_yuan: NotRequired[int | None]
    unsecured_outstanding_yuan: NotRequired[int | None]
    enquiries_6m: NotRequired[int | None]
    months_since_first_credit: NotRequired[int | None]
    card_utilisation_percent: NotRequired[int | None]
    guarantees_given_yuan: NotRequired[int | None]


class Loan(TypedDict):
    amount_yuan: int
    term_months: int
    purpose: Literal['working_capital', 'equipment', 'planting', 'breeding', 'aquaculture', 'online_stock', 'renovation', 'consumption', 'securities', 'property', 'on_lending']
    repayment: Literal['instalment', 'interest_first', 'bullet', 'harvest']
    starts_on: NotRequired[str | None]
    guarantee_starts_on: NotRequired[str | None]


class Consent(TypedDict):
    consent_id: str
    given_on: str
    scopes: list[Literal['credit_report', 'income', 'public_records', 'automated_decision']]


class Application(TypedDict):
    application_id: str
    product: Literal['credit_loan', 'talent_loan', 'fast_loan', 'online_loan']
    applied_on: NotRequired[str | None]
    applicant: Applicant
    credentials: NotRequired[list[Credential] | None]
    business: NotRequired[Business | None]
    credit_report: NotRequired[CreditReport | None]
    loan: Loan
    consent: Consent


class Outcome(TypedDict):
    reference: str
    kind: Literal['disbursed', 'balance', 'days_past_due', 'restructured', 'repaid', 'written_off', 'claim_paid', 'withdrawn']
    on: str
    amount_yuan: NotRequired[int | None]
    days: NotRequired[int | None]
    corrects: NotRequired[str | None]


class Review(TypedDict):
    reference: str
    asked_by: Literal['applicant', 'officer']
    reason: Literal['no_automated_decision', 'facts_contested', 'facts_not_considered', 'referred', 'officer_doubts']
    note: NotRequired[str | None]


class Offered(TypedDict):
    amount_yuan: NotRequired[int | None]
    term_months: NotRequired[int | None]


class Override(TypedDict):
    reference: str
    outcome: Literal['approve', 'decline']
    reason: Literal['confirmed', 'facts_verified', 'visit', 'repayment_source', 'facts_not_confirmed', 'repayment_doubtful', 'purpose_doubtful', 'applicant_withdrew']
    offer: NotRequired[Offered | None]
    note: NotRequired[str | None]


class Dispute(TypedDict):
    reference: str
    kind: Literal['lodged', 'upheld', 'rejected', 'unconfirmed', 'withdrawn']
    about: Literal['credit_report', 'village_rating', 'identity', 'other']
    on: str


class Erasure(TypedDict):
    id_number: str
    reason: Literal['purpose_met', 'service_ended', 'period_over', 'withdrawn', 'unlawful', 'by_law']
    reference: str
    approver: str


class DecisionVillage(TypedDict):
    code: str
    name: str
    rating: Literal['AAA', 'AA', 'A', 'B', 'C', 'D', 'unrated']
    assessed_on: str | None
    points: int
    credibility: float


class DecisionOffer(TypedDict):
    limit_yuan: int
    amount_yuan: int
    term_months: int
    rate_bp: int
    subsidy_bp: int
    reassess_every_months: NotRequired[int]


class DecisionGuaranteeSharesPercent(TypedDict):
    bank: int
    local_guarantor: int
    provincial_reguarantor: int
    national_fund: int
    government: int


class DecisionGuaranteeExpectedLossYuan(TypedDict):
    total: int
    bank: int


class DecisionGuarantee(TypedDict):
    tier: Literal['G0', 'G1', 'G1n', 'G2', 'G3', 'G4', 'GX']
    coverage_percent: int
    counter_guarantee: str
    shares_percent: DecisionGuaranteeSharesPercent
    liability: str
    liability_period_months: int
    expected_loss_yuan: DecisionGuaranteeExpectedLossYuan


class DecisionReason(TypedDict):
    code: str
    kind: str
    zh: str
    en: str
    points: NotRequired[int]
    value: NotRequired[str]
    threshold: NotRequired[str]
    reference: NotRequired[str]


class DecisionEditionsScorecard(TypedDict):
    valid_from: str
    digest: str


class DecisionEditionsVillages(TypedDict):
    valid_from: str
    digest: str


class DecisionEditionsPolicy(TypedDict):
    valid_from: str
    digest: str


class DecisionEditionsRates(TypedDict):
    valid_from: str
    digest: str


class DecisionEditions(TypedDict):
    scorecard: DecisionEditionsScorecard
    villages: DecisionEditionsVillages
    policy: DecisionEditionsPolicy
    rates: DecisionEditionsRates


class DecisionWarning(TypedDict):
    code: str
    zh: str
    en: str


class DecisionLedger(TypedDict):
    sequence: int
    hash: str


class DecisionReviewReason(TypedDict):
    code: Literal['no_automated_decision', 'facts_contested', 'facts_not_considered', 'referred', 'officer_doubts']
    zh: str
    en: str


class DecisionReviewLedger(TypedDict):
    sequence: int
    hash: str


class DecisionReview(TypedDict):
    review_id: str
    reference: str
    asked_by: Literal['applicant', 'officer']
    reason: DecisionReviewReason
    note: NotRequired[str]
    asked_at: str
    ledger: DecisionReviewLedger
    state: Literal['open', 'closed']


class DecisionOverrideReason(TypedDict):
    code: Literal['confirmed', 'facts_verified', 'visit', 'repayment_source', 'facts_not_confirmed', 'repayment_doubtful', 'purpose_doubtful', 'applicant_withdrew']
    zh: str
    en: str


class DecisionOverrideTermsOffer(TypedDict):
    limit_yuan: int
    amount_yuan: int
    term_months: int
    rate_bp: int
    subsidy_bp: int
    reassess_every_months: NotRequired[int]


class DecisionOverrideTermsGuaranteeSharesPercent(TypedDict):
    bank: int
    local_guarantor: int
    provincial_reguarantor: int
    national_fund: int
    government: int


class DecisionOverrideTermsGuaranteeExpectedLossYuan(TypedDict):
    total: int
    bank: int


class DecisionOverrideTermsGuarantee(TypedDict):
    tier: Literal['G0', 'G1', 'G1n', 'G2', 'G3', 'G4', 'GX']
    coverage_percent: int
    counter_guarantee: str
    shares_percent: DecisionOverrideTermsGuaranteeSharesPercent
    liability: str
    liability_period_months: int
    expected_loss_yuan: DecisionOverrideTermsGuaranteeExpectedLossYuan


class DecisionOverrideTerms(TypedDict):
    score: int
    pd_12m: float
    grade: Literal['R1', 'R2', 'R3', 'R4', 'R5', 'R6', 'R7']
    offer: DecisionOverrideTermsOffer
    guarantee: DecisionOverrideTermsGuarantee


class DecisionOverrideLedger(TypedDict):
    sequence: int
    hash: str


class DecisionOverride(TypedDict):
    override_id: str
    reference: str
    outcome: Literal['approve', 'decline']
    reason: DecisionOverrideReason
    note: NotRequired[str]
    decided_at: str
    terms: NotRequired[DecisionOverrideTerms]
    ledger: DecisionOverrideLedger


class DecisionDisputeOpenItemAbout(TypedDict):
    code: Literal['credit_report', 'village_rating', 'identity', 'other']
    zh: str
    en: str


class DecisionDisputeOpenItem(TypedDict):
    about: DecisionDisputeOpenItemAbout
    lodged_on: str
    due_on: str
    overdue: bool


class DecisionDispute(TypedDict):
    due_on: str
    overdue: bool
    open: list[DecisionDisputeOpenItem]


class Decision(TypedDict):
    decision_id: str
    application_id: str
    product: Literal['credit_loan', 'talent_loan', 'fast_loan', 'online_loan']
    applied_on: str
    decided_at: str
    outcome: Literal['approve', 'refer', 'decline']
    eligible: bool
    score: int
    pd_12m: float
    grade: Literal['R1', 'R2', 'R3', 'R4', 'R5', 'R6', 'R7']
    village: DecisionVillage
    offer: DecisionOffer | None
    guarantee: DecisionGuarantee | None
    reasons: list[DecisionReason]
    editions: DecisionEditions
    warnings: list[DecisionWarning]
    ledger: DecisionLedger
    review: NotRequired[DecisionReview]
    override: NotRequired[DecisionOverride]
    dispute: NotRequired[DecisionDispute]


class PreviewAnswerVillage(TypedDict):
    code: str
    name: str
    rating: Literal['AAA', 'AA', 'A', 'B', 'C', 'D', 'unrated']
    assessed_on: str | None
    points: int
    credibility: float


class PreviewAnswerOffer(TypedDict):
    limit_yuan: int
    amount_yuan: int
    term_months: int
    rate_bp: int
    subsidy_bp: int
    reassess_every_months: NotRequired[int]


class PreviewAnswerGuaranteeSharesPercent(TypedDict):
    bank: int
    local_guarantor: int
    provincial_reguarantor: int
    national_fund: int
    government: int


class PreviewAnswerGuaranteeExpectedLossYuan(TypedDict):
    total: int
    bank: int


class PreviewAnswerGuarantee(TypedDict):
    tier: Literal['G0', 'G1', 'G1n', 'G2', 'G3', 'G4', 'GX']
    coverage_percent: int
    counter_guarantee: str
    shares_percent: PreviewAnswerGuaranteeSharesPercent
    liability: str
    liability_period_months: int
    expected_loss_yuan: PreviewAnswerGuaranteeExpectedLossYuan


class PreviewAnswerReason(TypedDict):
    code: str
    kind: str
    zh: str
    en: str
    points: NotRequired[int]
    value: NotRequired[str]
    threshold: NotRequired[str]
    reference: NotRequired[str]


class PreviewAnswerEditionsScorecard(TypedDict):
    valid_from: str
    digest: str


class PreviewAnswerEditionsVillages(TypedDict):
    valid_from: str
    digest: str


class PreviewAnswerEditionsPolicy(TypedDict):
    valid_from: str
    digest: str


class PreviewAnswerEditionsRates(TypedDict):
    valid_from: str
    digest: str


class PreviewAnswerEditions(TypedDict):
    scorecard: PreviewAnswerEditionsScorecard
    villages: PreviewAnswerEditionsVillages
    policy: PreviewAnswerEditionsPolicy
    rates: PreviewAnswerEditionsRates


class PreviewAnswerWarning(TypedDict):
    code: str
    zh: str
    en: str


class PreviewAnswer(TypedDict):
    application_id: str
    product: Literal['credit_loan', 'talent_loan', 'fast_loan', 'online_loan']
    applied_on: str
    decided_at: str
    outcome: Literal['approve', 'refer', 'decline']
    eligible: bool
    score: int
    pd_12m: float
    grade: Literal['R1', 'R2', 'R3', 'R4', 'R5', 'R6', 'R7']
    village: PreviewAnswerVillage
    offer: PreviewAnswerOffer | None
    guarantee: PreviewAnswerGuarantee | None
    reasons: list[PreviewAnswerReason]
    editions: PreviewAnswerEditions
    warnings: list[PreviewAnswerWarning]


class DecisionPage(TypedDict):
    data: list[Decision]
    has_more: bool
    next: str | None


class ExplanationReason(TypedDict):
    code: str
    kind: str
    zh: str
    en: str
    points: NotRequired[int]
    value: NotRequired[str]
    threshold: NotRequired[str]
    reference: NotRequired[str]


class ExplanationWarning(TypedDict):
    code: str
    zh: str
    en: str


ExplanationScoreCharacteristicBin = TypedDict(
    'ExplanationScoreCharacteristicBin',
    {
        'from': int | None,
        'to': int | None,
        'words': list[str],
        'state': str,
        'zh': str,
        'en': str,
    },
)


class ExplanationScoreCharacteristic(TypedDict):
    name: str
    code: str
    label_zh: str
    label_en: str
    value: Any
    unit: str
    bin: ExplanationScoreCharacteristicBin
    points: int
    best_points: int


class ExplanationScoreVillage(TypedDict):
    points: int
    state: str
    credibility: float


class ExplanationScore(TypedDict):
    base_points: int
    characteristics: list[ExplanationScoreCharacteristic]
    village: ExplanationScoreVillage
    total: int


class ExplanationRule(TypedDict):
    id: str
    stage: str
    result: Literal['met', 'not_met', 'unknown', 'not_applicable']
    outcome: Literal['approve', 'refer', 'decline']
    fact: str
    label_zh: str
    label_en: str
    value: Any
    value_zh: str | None
    value_en: str | None
    threshold: str
    zh: str
    en: str
    reference: str
    reference_zh: str
    document: str
    source_grade: str
    verify: bool


class ExplanationDerivationLimitItem(TypedDict):
    step: str
    zh: str
    en: str
    yuan: NotRequired[int]
    bp: NotRequired[int]
    percent: NotRequired[int]


class ExplanationDerivationRateItem(TypedDict):
    step: str
    zh: str
    en: str
    yuan: NotRequired[int]
    bp: NotRequired[int]
    percent: NotRequired[int]


class ExplanationDerivationGuaranteeItem(TypedDict):
    step: str
    zh: str
    en: str
    yuan: NotRequired[int]
    bp: NotRequired[int]
    percent: NotRequired[int]


class ExplanationDerivation(TypedDict):
    limit: NotRequired[list[ExplanationDerivationLimitItem]]
    rate: NotRequired[list[ExplanationDerivationRateItem]]
    guarantee: NotRequired[list[ExplanationDerivationGuaranteeItem]]


ExplanationWhatWouldChangeItemChange = TypedDict(
    'ExplanationWhatWouldChangeItemChange',
    {
        'fact': Literal['amount_yuan', 'term_months', 'repayment', 'report_age_days', 'days_past_due_now', 'card_utilisation_percent', 'enquiries_6m', 'unsecured_outstanding_yuan', 'active_loans', 'guarantees_given_yuan', 'household_debt_service_12m_yuan', 'social_insurance_months_24m', 'training_certificates', 'craftsman_level', 'contest_award_level', 'talent_plan_level', 'park_months', 'new_hires_12m', 'employees', 'online_revenue_12m_yuan', 'revenue_12m_yuan', 'household_income_12m_yuan', 'business_age_months', 'household_grade', 'village_rating'],
        'from': int | str | None,
        'to': int | str,
        'zh': str,
        'en': str,
    },
)


class ExplanationWhatWouldChangeItem(TypedDict):
    outcome: Literal['approve', 'refer']
    changes: list[ExplanationWhatWouldChangeItemChange]
    zh: str
    en: str


class ExplanationWhatWouldChangeNote(TypedDict):
    zh: str
    en: str


class ExplanationReviewReason(TypedDict):
    code: Literal['no_automated_decision', 'facts_contested', 'facts_not_considered', 'referred', 'officer_doubts']
    zh: str
    en: str


class ExplanationReviewLedger(TypedDict):
    sequence: int
    hash: str


class ExplanationReview(TypedDict):
    review_id: str
    reference: str
    asked_by: Literal['applicant', 'officer']
    reason: ExplanationReviewReason
    note: NotRequired[str]
    asked_at: str
    ledger: ExplanationReviewLedger
    state: Literal['open', 'closed']


class ExplanationOverrideReason(TypedDict):
    code: Literal['confirmed', 'facts_verified', 'visit', 'repayment_source', 'facts_not_confirmed', 'repayment_doubtful', 'purpose_doubtful', 'applicant_withdrew']
    zh: str
    en: str


class ExplanationOverrideTermsOffer(TypedDict):
    limit_yuan: int
    amount_yuan: int
    term_months: int
    rate_bp: int
    subsidy_bp: int
    reassess_every_months: NotRequired[int]


class ExplanationOverrideTermsGuaranteeSharesPercent(TypedDict):
    bank: int
    local_guarantor: int
    provincial_reguarantor: int
    national_fund: int
    government: int


class ExplanationOverrideTermsGuaranteeExpectedLossYuan(TypedDict):
    total: int
    bank: int


class ExplanationOverrideTermsGuarantee(TypedDict):
    tier: Literal['G0', 'G1', 'G1n', 'G2', 'G3', 'G4', 'GX']
    coverage_percent: int
    counter_guarantee: str
    shares_percent: ExplanationOverrideTermsGuaranteeSharesPercent
    liability: str
    liability_period_months: int
    expected_loss_yuan: ExplanationOverrideTermsGuaranteeExpectedLossYuan


class ExplanationOverrideTerms(TypedDict):
    score: int
    pd_12m: float
    grade: Literal['R1', 'R2', 'R3', 'R4', 'R5', 'R6', 'R7']
    offer: ExplanationOverrideTermsOffer
    guarantee: ExplanationOverrideTermsGuarantee


class ExplanationOverrideLedger(TypedDict):
    sequence: int
    hash: str


class ExplanationOverride(TypedDict):
    override_id: str
    reference: str
    outcome: Literal['approve', 'decline']
    reason: ExplanationOverrideReason
    note: NotRequired[str]
    decided_at: str
    terms: NotRequired[ExplanationOverrideTerms]
    ledger: ExplanationOverrideLedger


class ExplanationDisputeOpenItemAbout(TypedDict):
    code: Literal['credit_report', 'village_rating', 'identity', 'other']
    zh: str
    en: str


class ExplanationDisputeOpenItem(TypedDict):
    about: ExplanationDisputeOpenItemAbout
    lodged_on: str
    due_on: str
    overdue: bool


class ExplanationDispute(TypedDict):
    due_on: str
    overdue: bool
    open: list[ExplanationDisputeOpenItem]


class Explanation(TypedDict):
    decision_id: str
    application_id: str
    product: Literal['credit_loan', 'talent_loan', 'fast_loan', 'online_loan']
    outcome: Literal['approve', 'refer', 'decline']
    reasons: list[ExplanationReason]
    warnings: list[ExplanationWarning]
    score: ExplanationScore
    rules: list[ExplanationRule]
    derivation: ExplanationDerivation
    what_would_change: list[ExplanationWhatWouldChangeItem]
    what_would_change_note: ExplanationWhatWouldChangeNote
    review: NotRequired[ExplanationReview]
    override: NotRequired[ExplanationOverride]
    dispute: NotRequired[ExplanationDispute]


class ReplayDifference(TypedDict):
    pointer: str
    recorded: Any
    replayed: Any


class ReplayEditionsScorecard(TypedDict):
    valid_from: str
    digest: str


class ReplayEditionsVillages(TypedDict):
    valid_from: str
    digest: str


class ReplayEditionsPolicy(TypedDict):
    valid_from: str
    digest: str


class ReplayEditionsRates(TypedDict):
    valid_from: str
    digest: str


class ReplayEditions(TypedDict):
    scorecard: ReplayEditionsScorecard
    villages: ReplayEditionsVillages
    policy: ReplayEditionsPolicy
    rates: ReplayEditionsRates


class Replay(TypedDict):
    decision_id: str
    application_id: str
    identical: bool
    differences: list[ReplayDifference]
    editions: ReplayEditions


class OutcomeAnswerLedger(TypedDict):
    sequence: int
    hash: str


class OutcomeAnswer(TypedDict):
    outcome_id: str
    decision_id: str
    application_id: str
    reference: str
    kind: Literal['disbursed', 'balance', 'days_past_due', 'restructured', 'repaid', 'written_off', 'claim_paid', 'withdrawn']
    on: str
    amount_yuan: NotRequired[int]
    days: NotRequired[int]
    corrects: NotRequired[str]
    recorded_at: str
    ledger: OutcomeAnswerLedger


class OutcomeListLoan(TypedDict):
    state: Literal['reserved', 'drawn', 'written_off', 'repaid', 'lapsed', 'taken_back']
    offered_yuan: int
    lapses_at: str
    disbursed_yuan: int
    outstanding_yuan: int
    fund_percent: int
    fund_yuan: int
    claims_yuan: int
    most_days_past_due: int
    overdue: bool


class OutcomeList(TypedDict):
    application_id: str
    decision_id: str
    loan: OutcomeListLoan | None
    data: list[OutcomeAnswer]


class ReviewAnswerReason(TypedDict):
    code: Literal['no_automated_decision', 'facts_contested', 'facts_not_considered', 'referred', 'officer_doubts']
    zh: str
    en: str


class ReviewAnswerLedger(TypedDict):
    sequence: int
    hash: str


class ReviewAnswer(TypedDict):
    decision_id: str
    application_id: str
    product: Literal['credit_loan', 'talent_loan', 'fast_loan', 'online_loan']
    review_id: str
    reference: str
    asked_by: Literal['applicant', 'officer']
    reason: ReviewAnswerReason
    note: NotRequired[str]
    asked_at: str
    ledger: ReviewAnswerLedger


class ReviewPageDatumReason(TypedDict):
    code: Literal['no_automated_decision', 'facts_contested', 'facts_not_considered', 'referred', 'officer_doubts']
    zh: str
    en: str


class ReviewPageDatumLedger(TypedDict):
    sequence: int
    hash: str


class ReviewPageDatum(TypedDict):
    decision_id: str
    application_id: str
    product: Literal['credit_loan', 'talent_loan', 'fast_loan', 'online_loan']
    review_id: str
    reference: str
    asked_by: Literal['applicant', 'officer']
    reason: ReviewPageDatumReason
    note: NotRequired[str]
    asked_at: str
    ledger: ReviewPageDatumLedger
    state: Literal['open', 'closed']
    outcome: Literal['approve', 'refer', 'decline']
    final_outcome: NotRequired[Literal['approve', 'decline']]


class ReviewPage(TypedDict):
    data: list[ReviewPageDatum]
    has_more: bool
    next: str | None


class OverrideAnswerReason(TypedDict):
    code: Literal['confirmed', 'facts_verified', 'visit', 'repayment_source', 'facts_not_confirmed', 'repayment_doubtful', 'purpose_doubtful', 'applicant_withdrew']
    zh: str
    en: str


class OverrideAnswerTermsOffer(TypedDict):
    limit_yuan: int
    amount_yuan: int
    term_months: int
    rate_bp: int
    subsidy_bp: int
    reassess_every_months: NotRequired[int]


class OverrideAnswerTermsGuaranteeSharesPercent(TypedDict):
    bank: int
    local_guarantor: int
    provincial_reguarantor: int
    national_fund: int
    government: int


class OverrideAnswerTermsGuaranteeExpectedLossYuan(TypedDict):
    total: int
    bank: int


class OverrideAnswerTermsGuarantee(TypedDict):
    tier: Literal['G0', 'G1', 'G1n', 'G2', 'G3', 'G4', 'GX']
    coverage_percent: int
    counter_guarantee: str
    shares_percent: OverrideAnswerTermsGuaranteeSharesPercent
    liability: str
    liability_period_months: int
    expected_loss_yuan: OverrideAnswerTermsGuaranteeExpectedLossYuan


class OverrideAnswerTerms(TypedDict):
    score: int
    pd_12m: float
    grade: Literal['R1', 'R2', 'R3', 'R4', 'R5', 'R6', 'R7']
    offer: OverrideAnswerTermsOffer
    guarantee: OverrideAnswerTermsGuarantee


class OverrideAnswerLedger(TypedDict):
    sequence: int
    hash: str


class OverrideAnswer(TypedDict):
    decision_id: str
    application_id: str
    product: Literal['credit_loan', 'talent_loan', 'fast_loan', 'online_loan']
    override_id: str
    reference: str
    outcome: Literal['approve', 'decline']
    reason: OverrideAnswerReason
    note: NotRequired[str]
    decided_at: str
    terms: NotRequired[OverrideAnswerTerms]
    ledger: OverrideAnswerLedger


class DisputeAnswerKind(TypedDict):
    code: Literal['lodged', 'upheld', 'rejected', 'unconfirmed', 'withdrawn']
    zh: str
    en: str


class DisputeAnswerAbout(TypedDict):
    code: Literal['credit_report', 'village_rating', 'identity', 'other']
    zh: str
    en: str


class DisputeAnswerLedger(TypedDict):
    sequence: int
    hash: str


class DisputeAnswer(TypedDict):
    decision_id: str
    application_id: str
    product: Literal['credit_loan', 'talent_loan', 'fast_loan', 'online_loan']
    dispute_id: str
    reference: str
    kind: DisputeAnswerKind
    about: DisputeAnswerAbout
    on: str
    due_on: NotRequired[str]
    recorded_at: str
    ledger: DisputeAnswerLedger


class DisputeListDisputeOpenItemAbout(TypedDict):
    code: Literal['credit_report', 'village_rating', 'identity', 'other']
    zh: str
    en: str


class DisputeListDisputeOpenItem(TypedDict):
    about: DisputeListDisputeOpenItemAbout
    lodged_on: str
    due_on: str
    overdue: bool


class DisputeListDispute(TypedDict):
    due_on: str
    overdue: bool
    open: list[DisputeListDisputeOpenItem]


class DisputeListDatumKind(TypedDict):
    code: Literal['lodged', 'upheld', 'rejected', 'unconfirmed', 'withdrawn']
    zh: str
    en: str


class DisputeListDatumAbout(TypedDict):
    code: Literal['credit_report', 'village_rating', 'identity', 'other']
    zh: str
    en: str


class DisputeListDatumLedger(TypedDict):
    sequence: int
    hash: str


class DisputeListDatum(TypedDict):
    dispute_id: str
    reference: str
    kind: DisputeListDatumKind
    about: DisputeListDatumAbout
    on: str
    due_on: NotRequired[str]
    recorded_at: str
    ledger: DisputeListDatumLedger


class DisputeList(TypedDict):
    application_id: str
    dispute: DisputeListDispute | None
    data: list[DisputeListDatum]


class BatchCounts(TypedDict):
    approve: int
    refer: int
    decline: int
    refused: int


class Batch(TypedDict):
    batch_id: str
    state: Literal['receiving', 'waiting', 'running', 'done', 'cancelled']
    received_at: str
    ended_at: str | None
    rows: int
    rows_over: int
    counts: BatchCounts
    results_to: int


class BatchPage(TypedDict):
    data: list[Batch]
    has_more: bool
    next: str | None


class FundSet(TypedDict):
    on: str
    reference: str
    recorded_at: str


class FundCapPolicy(TypedDict):
    valid_from: str
    digest: str


class FundCap(TypedDict):
    product: Literal['credit_loan', 'talent_loan', 'fast_loan', 'online_loan']
    zh: str
    en: str
    multiple: int
    most_guaranteed_yuan: int
    free_yuan: int
    single_client_percent: int
    single_client_yuan: int
    related_percent: int | None
    related_yuan: int | None
    compensation_rate_cap_bp: int
    within_compensation_rate: bool
    policy: FundCapPolicy


class Fund(TypedDict):
    as_of: str
    set: FundSet | None
    capital_yuan: int | None
    claims_paid_yuan: int
    capital_left_yuan: int
    reserved_yuan: int
    drawn_yuan: int
    guaranteed_yuan: int
    compensation_rate_bp: int
    caps: list[FundCap]


class ReceiptEntry(TypedDict):
    sequence: int
    kind: str
    decided_at: str
    client: str
    application_id: str
    decision_id: str
    product: str
    outcome: str
    tier: str
    scorecard: str
    villages: str
    policy: str
    rates: str
    subject_ref: str
    payload_digest: str
    previous_hash: str
    hash: str


ReceiptConsistency = TypedDict(
    'ReceiptConsistency',
    {
        'from': int,
        'path': list[str],
    },
)


class Receipt(TypedDict):
    entry: ReceiptEntry
    leaf_index: int
    tree_size: int
    inclusion_path: list[str]
    checkpoint: str
    consistency: ReceiptConsistency | None


CheckpointConsistency = TypedDict(
    'CheckpointConsistency',
    {
        'from': int,
        'path': list[str],
    },
)


class Checkpoint(TypedDict):
    size: int
    root: str
    at: str
    checkpoint: str
    keys: list[str]
    consistency: CheckpointConsistency | None


class ErasureAnswerLedger(TypedDict):
    sequence: int
    hash: str


class ErasureAnswer(TypedDict):
    erasure_id: str | None
    reference: str
    erased_at: str | None
    decisions: int
    outcomes: int
    other_entries: int
    offers_lapsed: int
    ledger: ErasureAnswerLedger | None


class VillageRegister(TypedDict):
    valid_from: str
    digest: str


class Village(TypedDict):
    code: str
    name: str
    town: str
    rating: Literal['AAA', 'AA', 'A', 'B', 'C', 'D', 'unrated']
    state: str
    assessed_on: str | None
    points: int
    credibility: float
    evidence: dict[str, Any] | None
    flagged: bool
    appeal: bool
    synthetic: bool
    register: VillageRegister


class VillageList(TypedDict):
    data: list[Village]


class VillageHistoryHistoryItemRegister(TypedDict):
    valid_from: str
    digest: str


class VillageHistoryHistoryItemSignature(TypedDict):
    role: Literal['village', 'town', 'bank']
    signed_on: str


class VillageHistoryHistoryItemRevocation(TypedDict):
    on: str
    reason: str
    document_sha256: str


class VillageHistoryHistoryItemAppeal(TypedDict):
    lodged_on: str
    document_sha256: str
    decided_on: str | None


class VillageHistoryHistoryItemFlagLifted(TypedDict):
    on: str
    document_sha256: str


VillageHistoryHistoryItemFlag = TypedDict(
    'VillageHistoryHistoryItemFlag',
    {
        'from': str,
        'until': str,
        'reason': str,
        'document_sha256': str,
        'lifted': VillageHistoryHistoryItemFlagLifted | None,
    },
)


class VillageHistoryHistoryItemCountsAs(TypedDict):
    rating: Literal['AAA', 'AA', 'A', 'B', 'C', 'D', 'unrated']
    state: Literal['rated', 'grace', 'expired', 'revoked', 'unrated']


class VillageHistoryHistoryItemChange(TypedDict):
    on: str
    rating: Literal['AAA', 'AA', 'A', 'B', 'C', 'D', 'unrated']
    state: Literal['rated', 'grace', 'expired', 'revoked', 'unrated']


class VillageHistoryHistoryItem(TypedDict):
    register: VillageHistoryHistoryItemRegister
    synthetic: bool
    rating: Literal['AAA', 'AA', 'A', 'B', 'C', 'D', 'unrated']
    assessed_on: str | None
    evidence_as_of: str | None
    points: int
    credibility: float
    signatures: list[VillageHistoryHistoryItemSignature]
    revocation: VillageHistoryHistoryItemRevocation | None
    appeal: VillageHistoryHistoryItemAppeal | None
    flags: list[VillageHistoryHistoryItemFlag]
    counts_as: VillageHistoryHistoryItemCountsAs
    changes: list[VillageHistoryHistoryItemChange]


class VillageHistory(TypedDict):
    code: str
    name: str
    town: str
    history: list[VillageHistoryHistoryItem]


class ProductGrade(TypedDict):
    grade: Literal['R1', 'R2', 'R3', 'R4', 'R5', 'R6', 'R7']
    score_at_least: int


class ProductRuleRequires(TypedDict):
    fact: str
    zh: str
    en: str
    threshold: str


class ProductRuleWhenItem(TypedDict):
    fact: str
    zh: str
    en: str
    threshold: str


class ProductRule(TypedDict):
    id: str
    stage: str
    zh: str
    en: str
    requires: ProductRuleRequires
    when: list[ProductRuleWhenItem]
    otherwise: str
    if_unknown: str
    reference: str
    verify: bool


class ProductLimitRowWhenItem(TypedDict):
    fact: str
    zh: str
    en: str
    threshold: str


class ProductLimitRow(TypedDict):
    when: list[ProductLimitRowWhenItem]
    base_yuan: int


class ProductLimitFactorPercentR1(TypedDict):
    AAA: int
    AA: int
    A: int
    B: int
    C: int
    D: int
    unrated: int


class ProductLimitFactorPercentR2(TypedDict):
    AAA: int
    AA: int
    A: int
    B: int
    C: int
    D: int
    unrated: int


class ProductLimitFactorPercentR3(TypedDict):
    AAA: int
    AA: int
    A: int
    B: int
    C: int
    D: int
    unrated: int


class ProductLimitFactorPercentR4(TypedDict):
    AAA: int
    AA: int
    A: int
    B: int
    C: int
    D: int
    unrated: int


class ProductLimitFactorPercentR5(TypedDict):
    AAA: int
    AA: int
    A: int
    B: int
    C: int
    D: int
    unrated: int


class ProductLimitFactorPercentR6(TypedDict):
    AAA: int
    AA: int
    A: int
    B: int
    C: int
    D: int
    unrated: int


class ProductLimitFactorPercentR7(TypedDict):
    AAA: int
    AA: int
    A: int
    B: int
    C: int
    D: int
    unrated: int


class ProductLimitFactorPercent(TypedDict):
    R1: ProductLimitFactorPercentR1
    R2: ProductLimitFactorPercentR2
    R3: ProductLimitFactorPercentR3
    R4: ProductLimitFactorPercentR4
    R5: ProductLimitFactorPercentR5
    R6: ProductLimitFactorPercentR6
    R7: ProductLimitFactorPercentR7


class ProductLimitCap(TypedDict):
    id: str
    zh: str
    en: str


class ProductLimit(TypedDict):
    rows: list[ProductLimitRow]
    factor_percent: ProductLimitFactorPercent
    caps: list[ProductLimitCap]
    round_down_to_yuan: int
    minimum_yuan: int
    reassess_every_months: int | None


ProductPriceSubsidy = TypedDict(
    'ProductPriceSubsidy',
    {
        'keyed_on': Literal['applied_on', 'loan_start', 'guarantee_start'],
        'from': str | None,
        'until': str | None,
        'percent_of_rate': int,
        'borrower_over_lpr_bp': int | None,
        'zh': str,
        'en': str,
        'reference': str,
    },
)


class ProductPriceRowWhenItem(TypedDict):
    fact: str
    zh: str
    en: str
    threshold: str


class ProductPriceRow(TypedDict):
    when: list[ProductPriceRowWhenItem]
    spread_bp: int


class ProductPrice(TypedDict):
    most_spread_bp: int
    subsidies: list[ProductPriceSubsidy]
    rows: list[ProductPriceRow]


class ProductGuaranteeItemWhenItem(TypedDict):
    fact: str
    zh: str
    en: str
    threshold: str


class ProductGuaranteeItemSharesPercent(TypedDict):
    bank: int
    local_guarantor: int
    provincial_reguarantor: int
    national_fund: int
    government: int


class ProductGuaranteeItem(TypedDict):
    tier: Literal['G0', 'G1', 'G1n', 'G2', 'G3', 'G4', 'GX']
    when: list[ProductGuaranteeItemWhenItem]
    shares_percent: ProductGuaranteeItemSharesPercent
    counter_guarantee: str
    reference: str


class ProductEditionsScorecard(TypedDict):
    valid_from: str
    digest: str


class ProductEditionsVillages(TypedDict):
    valid_from: str
    digest: str


class ProductEditionsPolicy(TypedDict):
    valid_from: str
    digest: str


class ProductEditionsRates(TypedDict):
    valid_from: str
    digest: str


class ProductEditions(TypedDict):
    scorecard: ProductEditionsScorecard
    villages: ProductEditionsVillages
    policy: ProductEditionsPolicy
    rates: ProductEditionsRates


class Product(TypedDict):
    product: Literal['credit_loan', 'talent_loan', 'fast_loan', 'online_loan']
    zh: str
    en: str
    statement: str
    approve_at_least: int
    refer_at_least: int
    grades: list[ProductGrade]
    rules: list[ProductRule]
    limit: ProductLimit
    price: ProductPrice
    guarantee: list[ProductGuaranteeItem]
    editions: ProductEditions


class ProductList(TypedDict):
    data: list[Product]


class Edition(TypedDict):
    kind: Literal['scorecard', 'villages', 'policy', 'rates', 'standard']
    product: Literal['credit_loan', 'talent_loan', 'fast_loan', 'online_loan', 'county']
    role: Literal['champion', 'challenger']
    valid_from: str
    review_by: str | None
    reference: str
    approver: str
    digest: str
    path: str
    proposer: NotRequired[str]
    reason: NotRequired[str]
    impact: NotRequired[str]


class EditionList(TypedDict):
    data: list[Edition]


class EditionText(TypedDict):
    kind: Literal['scorecard', 'villages', 'policy', 'rates', 'standard']
    product: Literal['credit_loan', 'talent_loan', 'fast_loan', 'online_loan', 'county']
    role: Literal['champion', 'challenger']
    valid_from: str
    review_by: str | None
    reference: str
    approver: str
    digest: str
    path: str
    proposer: NotRequired[str]
    reason: NotRequired[str]
    impact: NotRequired[str]
    text: str


class Status(TypedDict):
    status: str


class Version(TypedDict):
    version: str
    api: str


class ProblemError(TypedDict):
    pointer: str
    code: str
    detail: str


class Problem(TypedDict):
    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str
    errors: NotRequired[list[ProblemError]]


class PreviewEditions(TypedDict):
    on: NotRequired[str | None]
    role: NotRequired[Literal['champion', 'challenger'] | None]


class Preview(TypedDict):
    application_id: str
    product: Literal['credit_loan', 'talent_loan', 'fast_loan', 'online_loan']
    applied_on: NotRequired[str | None]
    applicant: Applicant
    credentials: NotRequired[list[Credential] | None]
    business: NotRequired[Business | None]
    credit_report: NotRequired[CreditReport | None]
    loan: Loan
    consent: Consent
    editions: NotRequired[PreviewEditions | None]


class BatchResult(TypedDict):
    row: int
    application_id: str | None
    status: int
    decision: NotRequired[Decision]
    problem: NotRequired[Problem]
