"""JSON Schemas of the answers, for the contract; tests hold every answer against them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from loansvc.application import PRODUCTS
from loansvc.editions import COUNTY, EVERY_KIND, KINDS, ROLES, SAID
from loansvc.ledger.batches import OUTCOMES as BATCH_OUTCOMES
from loansvc.ledger.batches import STATES as BATCH_STATES
from loansvc.ledger.chain import NAMES
from loansvc.ledger.commitments import KINDS as OUTCOME_KINDS
from loansvc.ledger.commitments import STATES as LOAN_STATES
from loansvc.policy import DATE_FACTS, OUTCOMES, SCORE_GRADES, SHARERS, TIERS
from loansvc.remedies import LEVERS, MOST_WAYS
from loansvc.reviewing.words import (
    ASKED_BY,
    DISPUTE_KINDS,
    DISPUTED,
    OVERRIDE_REASONS,
    REVIEW_REASONS,
)
from loansvc.reviewing.words import OUTCOMES as HUMAN_OUTCOMES
from loansvc.villages import RATINGS, STATES
from loansvc.villages.signatures import ROLES as SIGNED_AS

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
DAY: Schema = {"type": "string", "format": "date"}
HASH: Schema = {"type": "string", "pattern": "^[A-Za-z0-9+/]{43}=$"}
TRUTH: Schema = {"type": "boolean"}


def _object(properties: Schema, *, optional: tuple[str, ...] = ()) -> Schema:
    """A closed object whose properties are all required but the optional ones."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _or_null(schema: Schema) -> Schema:
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def _one_of(words: tuple[str, ...]) -> Schema:
    return {"type": "string", "enum": list(words)}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _page(items: str) -> Schema:
    return _object({"data": _list(_ref(items))})


EDITION_REFERENCE = _object({"valid_from": DAY, "digest": TEXT})
REASON = _object(
    {"code": TEXT, "kind": TEXT, "zh": TEXT, "en": TEXT, "points": WHOLE, "value": TEXT,
     "threshold": TEXT, "reference": TEXT},
    optional=("points", "value", "threshold", "reference"),
)  # fmt: skip
NOTICE = _object({"code": TEXT, "zh": TEXT, "en": TEXT})
OFFER = _object(
    {"limit_yuan": WHOLE, "amount_yuan": WHOLE, "term_months": WHOLE, "rate_bp": WHOLE,
     "subsidy_bp": WHOLE, "reassess_every_months": WHOLE},
    optional=("reassess_every_months",),
)  # fmt: skip
GUARANTEE = _object(
    {
        "tier": _one_of(TIERS),
        "coverage_percent": WHOLE,
        "counter_guarantee": TEXT,
        "shares_percent": _object(dict.fromkeys(SHARERS, WHOLE)),
        "liability": TEXT,
        "liability_period_months": WHOLE,
        "expected_loss_yuan": _object({"total": WHOLE, "bank": WHOLE}),
    }
)
INSTANT: Schema = {"type": "string", "format": "date-time"}
LEDGER = _object({"sequence": WHOLE, "hash": TEXT})


def _coded(codes: Iterable[str]) -> Schema:
    return _object({"code": _one_of(tuple(codes)), "zh": TEXT, "en": TEXT})


REVIEW = {
    "review_id": TEXT, "reference": TEXT, "asked_by": _one_of(tuple(ASKED_BY)),
    "reason": _coded(REVIEW_REASONS), "note": TEXT, "asked_at": INSTANT, "ledger": LEDGER,
}  # fmt: skip
REVIEW_STATE = {"state": _one_of(("open", "closed"))}
OVERRIDE = {
    "override_id": TEXT, "reference": TEXT, "outcome": _one_of(HUMAN_OUTCOMES),
    "reason": _coded(OVERRIDE_REASONS), "note": TEXT, "decided_at": INSTANT,
    "terms": _object(
        {"score": WHOLE, "pd_12m": {"type": "number", "minimum": 0, "maximum": 1},
         "grade": _one_of(SCORE_GRADES), "offer": OFFER, "guarantee": GUARANTEE}),
    "ledger": LEDGER,
}  # fmt: skip
OPEN_DISPUTE = _object(
    {"about": _coded(DISPUTED), "lodged_on": DAY, "due_on": DAY, "overdue": TRUTH}
)
DISPUTE_MARK = _object({"due_on": DAY, "overdue": TRUTH, "open": _list(OPEN_DISPUTE)})
DISPUTE = {
    "dispute_id": TEXT, "reference": TEXT, "kind": _coded(DISPUTE_KINDS),
    "about": _coded(DISPUTED), "on": DAY, "due_on": DAY, "recorded_at": INSTANT, "ledger": LEDGER,
}  # fmt: skip
# What people did about a decision; each only where there is one.
ACTS: Schema = {
    "review": _object({**REVIEW, **REVIEW_STATE}, optional=("note",)),
    "override": _object(OVERRIDE, optional=("note", "terms")),
    "dispute": DISPUTE_MARK,
}
OF_DECISION: Schema = {
    "decision_id": TEXT, "application_id": TEXT, "product": _one_of(PRODUCTS)
}  # fmt: skip
PREVIEW: Schema = {
    "application_id": TEXT,
    "product": _one_of(PRODUCTS),
    "applied_on": DAY,
    "decided_at": {"type": "string", "format": "date-time"},
    "outcome": _one_of(OUTCOMES),
    "eligible": TRUTH,
    "score": WHOLE,
    "pd_12m": {"type": "number", "minimum": 0, "maximum": 1},
    "grade": _one_of(SCORE_GRADES),
    "village": _object(
        {"code": TEXT, "name": TEXT, "rating": _one_of(RATINGS), "assessed_on": _or_null(DAY),
         "points": WHOLE, "credibility": {"type": "number"}}
    ),
    "offer": _or_null(OFFER),
    "guarantee": _or_null(GUARANTEE),
    "reasons": {**_list(REASON), "maxItems": 4},
    "editions": _object(dict.fromkeys(KINDS, EDITION_REFERENCE)),
    "warnings": _list(NOTICE),
}  # fmt: skip
DECISION = {"decision_id": TEXT, **PREVIEW, "ledger": LEDGER, **ACTS}
RESULTS = ("met", "not_met", "unknown", "not_applicable")
SCORE_LINE = _object(
    {
        "name": TEXT, "code": TEXT, "label_zh": TEXT, "label_en": TEXT, "value": {}, "unit": TEXT,
        "bin": _object({"from": _or_null(WHOLE), "to": _or_null(WHOLE), "words": _list(TEXT),
                        "state": TEXT, "zh": TEXT, "en": TEXT}),
        "points": WHOLE, "best_points": WHOLE,
    }
)  # fmt: skip
RULE_LINE = _object(
    {
        "id": TEXT, "stage": TEXT, "result": _one_of(RESULTS),
        "outcome": _one_of(OUTCOMES), "fact": TEXT, "label_zh": TEXT, "label_en": TEXT, "value": {},
        "value_zh": _or_null(TEXT), "value_en": _or_null(TEXT), "threshold": TEXT,
        "zh": TEXT, "en": TEXT, "reference": TEXT, "reference_zh": TEXT, "document": TEXT,
        "source_grade": TEXT, "verify": TRUTH,
    }
)  # fmt: skip
DERIVATION_LINE = _object(
    {"step": TEXT, "zh": TEXT, "en": TEXT, "yuan": WHOLE, "bp": WHOLE, "percent": WHOLE},
    optional=("yuan", "bp", "percent"),
)
CHANGE = _object(
    {"fact": _one_of(tuple(lever.name for lever in LEVERS)),
     "from": {"type": ["integer", "string", "null"]}, "to": {"type": ["integer", "string"]},
     "zh": TEXT, "en": TEXT}
)  # fmt: skip
WAY = _object(
    {"outcome": _one_of(OUTCOMES[:-1]), "changes": {**_list(CHANGE), "minItems": 1, "maxItems": 2},
     "zh": TEXT, "en": TEXT}
)  # fmt: skip
EXPLANATION = _object(
    {
        "decision_id": TEXT,
        "application_id": TEXT,
        "product": _one_of(PRODUCTS),
        "outcome": _one_of(OUTCOMES),
        "reasons": _list(REASON),
        "warnings": _list(NOTICE),
        "score": _object(
            {
                "base_points": WHOLE,
                "characteristics": _list(SCORE_LINE),
                "village": _object(
                    {"points": WHOLE, "state": TEXT, "credibility": {"type": "number"}}
                ),
                "total": WHOLE,
            }
        ),
        "rules": _list(RULE_LINE),
        "derivation": _object(
            {k: _list(DERIVATION_LINE) for k in ("limit", "rate", "guarantee")},
            optional=("limit", "rate", "guarantee"),
        ),
        "what_would_change": {**_list(WAY), "maxItems": MOST_WAYS},
        "what_would_change_note": _object({"zh": TEXT, "en": TEXT}),
        **ACTS,
    },
    optional=tuple(ACTS),
)
VILLAGE = _object(
    {
        "code": TEXT, "name": TEXT, "town": TEXT, "rating": _one_of(RATINGS), "state": TEXT,
        "assessed_on": _or_null(DAY), "points": WHOLE, "credibility": {"type": "number"},
        "evidence": {"type": ["object", "null"]}, "flagged": TRUTH, "appeal": TRUTH,
        "synthetic": TRUTH, "register": EDITION_REFERENCE,
    }
)  # fmt: skip
COUNTS_AS = {"rating": _one_of(RATINGS), "state": _one_of(STATES)}
VILLAGE_SAID = _object(
    {
        "register": EDITION_REFERENCE, "synthetic": TRUTH, "rating": _one_of(RATINGS),
        "assessed_on": _or_null(DAY), "evidence_as_of": _or_null(DAY), "points": WHOLE,
        "credibility": {"type": "number"},
        "signatures": _list(_object({"role": _one_of(SIGNED_AS), "signed_on": DAY})),
        "revocation": _or_null(_object({"on": DAY, "reason": TEXT, "document_sha256": TEXT})),
        "appeal": _or_null(
            _object({"lodged_on": DAY, "document_sha256": TEXT, "decided_on": _or_null(DAY)})),
        "flags": _list(
            _object({"from": DAY, "until": DAY, "reason": TEXT, "document_sha256": TEXT,
                     "lifted": _or_null(_object({"on": DAY, "document_sha256": TEXT}))})),
        "counts_as": _object(COUNTS_AS), "changes": _list(_object({"on": DAY, **COUNTS_AS})),
    }
)  # fmt: skip
EDITION = {
    "kind": _one_of(EVERY_KIND), "product": _one_of((*PRODUCTS, COUNTY)), "role": _one_of(ROLES),
    "valid_from": DAY, "review_by": _or_null(DAY), "reference": TEXT, "approver": TEXT,
    "digest": TEXT, "path": TEXT, **dict.fromkeys(SAID, TEXT),
}  # fmt: skip
FIELD_ERROR = _object({"pointer": TEXT, "code": TEXT, "detail": TEXT})

FACTORS = _object(dict.fromkeys(RATINGS, WHOLE))
TEST = _object({"fact": TEXT, "zh": TEXT, "en": TEXT, "threshold": TEXT})
SUBSIDY = _object(
    {"keyed_on": _one_of(DATE_FACTS), "from": _or_null(DAY), "until": _or_null(DAY),
     "percent_of_rate": WHOLE, "borrower_over_lpr_bp": _or_null(WHOLE), "zh": TEXT, "en": TEXT,
     "reference": TEXT}
)  # fmt: skip
PRODUCT = _object(
    {
        "product": _one_of(PRODUCTS), "zh": TEXT, "en": TEXT, "statement": TEXT,
        "approve_at_least": WHOLE, "refer_at_least": WHOLE,
        "grades": _list(_object({"grade": _one_of(SCORE_GRADES), "score_at_least": WHOLE})),
        "rules": _list(_object(
            {"id": TEXT, "stage": TEXT, "zh": TEXT, "en": TEXT, "requires": TEST,
             "when": _list(TEST), "otherwise": TEXT, "if_unknown": TEXT, "reference": TEXT,
             "verify": TRUTH})),
        "limit": _object(
            {"rows": _list(_object({"when": _list(TEST), "base_yuan": WHOLE})),
             "factor_percent": _object(dict.fromkeys(SCORE_GRADES, FACTORS)),
             "caps": _list(_object({"id": TEXT, "zh": TEXT, "en": TEXT})),
             "round_down_to_yuan": WHOLE, "minimum_yuan": WHOLE,
             "reassess_every_months": _or_null(WHOLE)}),
        "price": _object(
            {"most_spread_bp": WHOLE, "subsidies": _list(SUBSIDY),
             "rows": _list(_object({"when": _list(TEST), "spread_bp": WHOLE}))}),
        "guarantee": _list(_object(
            {"tier": _one_of(TIERS), "when": _list(TEST),
             "shares_percent": _object(dict.fromkeys(SHARERS, WHOLE)),
             "counter_guarantee": TEXT, "reference": TEXT})),
        "editions": _object(dict.fromkeys(KINDS, EDITION_REFERENCE)),
    }
)  # fmt: skip

OUTCOME = _object(
    {
        "outcome_id": TEXT, "decision_id": TEXT, "application_id": TEXT, "reference": TEXT,
        "kind": _one_of(OUTCOME_KINDS), "on": DAY, "amount_yuan": WHOLE, "days": WHOLE,
        "corrects": TEXT, "recorded_at": INSTANT,
        "ledger": _object({"sequence": WHOLE, "hash": TEXT}),
    },
    optional=("amount_yuan", "days", "corrects"),
)  # fmt: skip
LOAN = _object(
    {
        "state": _one_of(LOAN_STATES), "offered_yuan": WHOLE, "lapses_at": INSTANT,
        "disbursed_yuan": WHOLE, "outstanding_yuan": WHOLE, "fund_percent": WHOLE,
        "fund_yuan": WHOLE, "claims_yuan": WHOLE, "most_days_past_due": WHOLE, "overdue": TRUTH,
    }
)  # fmt: skip
FUND_CAPS = _object(
    {
        "product": _one_of(PRODUCTS), "zh": TEXT, "en": TEXT, "multiple": WHOLE,
        "most_guaranteed_yuan": WHOLE,
        "free_yuan": WHOLE, "single_client_percent": WHOLE, "single_client_yuan": WHOLE,
        "related_percent": _or_null(WHOLE), "related_yuan": _or_null(WHOLE),
        "compensation_rate_cap_bp": WHOLE, "within_compensation_rate": TRUTH,
        "policy": EDITION_REFERENCE,
    }
)  # fmt: skip
FUND = _object(
    {
        "as_of": INSTANT,
        "set": _or_null(_object({"on": DAY, "reference": TEXT, "recorded_at": INSTANT})),
        "capital_yuan": _or_null(WHOLE), "claims_paid_yuan": WHOLE, "capital_left_yuan": WHOLE,
        "reserved_yuan": WHOLE, "drawn_yuan": WHOLE, "guaranteed_yuan": WHOLE,
        "compensation_rate_bp": WHOLE, "caps": _list(FUND_CAPS),
    }
)  # fmt: skip
ERASURE = _object(
    {
        "erasure_id": _or_null(TEXT), "reference": TEXT, "erased_at": _or_null(INSTANT),
        "decisions": WHOLE, "outcomes": WHOLE, "other_entries": WHOLE, "offers_lapsed": WHOLE,
        "ledger": _or_null(_object({"sequence": WHOLE, "hash": TEXT})),
    }
)  # fmt: skip

CONSISTENCY = _or_null(_object({"from": WHOLE, "path": _list(HASH)}))
RECEIPT = _object(
    {
        "entry": _object(dict.fromkeys(NAMES, TEXT) | {"sequence": WHOLE}),
        "leaf_index": WHOLE, "tree_size": WHOLE, "inclusion_path": _list(HASH),
        "checkpoint": TEXT, "consistency": CONSISTENCY,
    }
)  # fmt: skip
CHECKPOINT = _object(
    {
        "size": WHOLE, "root": HASH, "at": INSTANT, "checkpoint": TEXT, "keys": _list(TEXT),
        "consistency": CONSISTENCY,
    }
)  # fmt: skip

BATCH = _object(
    {
        "batch_id": TEXT,
        "state": _one_of(BATCH_STATES),
        "received_at": TEXT,
        "ended_at": _or_null(TEXT),
        "rows": WHOLE,
        "rows_over": WHOLE,
        "counts": _object(dict.fromkeys(BATCH_OUTCOMES, WHOLE)),
        "results_to": WHOLE,
    }
)
SCHEMAS: dict[str, Schema] = {
    "Decision": _object(DECISION, optional=tuple(ACTS)),
    "PreviewAnswer": _object(PREVIEW),
    "DecisionPage": _object(
        {"data": _list(_ref("Decision")), "has_more": TRUTH, "next": _or_null(TEXT)}
    ),
    "Explanation": EXPLANATION,
    "Replay": _object(
        {
            "decision_id": TEXT,
            "application_id": TEXT,
            "identical": TRUTH,
            "differences": _list(_object({"pointer": TEXT, "recorded": {}, "replayed": {}})),
            "editions": _object(dict.fromkeys(KINDS, EDITION_REFERENCE)),
        }
    ),
    "OutcomeAnswer": OUTCOME,
    "OutcomeList": _object(
        {
            "application_id": TEXT,
            "decision_id": TEXT,
            "loan": _or_null(LOAN),
            "data": _list(_ref("OutcomeAnswer")),
        }
    ),
    "ReviewAnswer": _object({**OF_DECISION, **REVIEW}, optional=("note",)),
    "ReviewPage": _object(
        {
            "data": _list(
                _object(
                    {**OF_DECISION, **REVIEW, **REVIEW_STATE, "outcome": _one_of(OUTCOMES),
                     "final_outcome": _one_of(HUMAN_OUTCOMES)},
                    optional=("note", "final_outcome"),
                )
            ),
            "has_more": TRUTH,
            "next": _or_null(TEXT),
        }
    ),
    "OverrideAnswer": _object({**OF_DECISION, **OVERRIDE}, optional=("note", "terms")),
    "DisputeAnswer": _object({**OF_DECISION, **DISPUTE}, optional=("due_on",)),
    "DisputeList": _object(
        {
            "application_id": TEXT,
            "dispute": _or_null(DISPUTE_MARK),
            "data": _list(_object(DISPUTE, optional=("due_on",))),
        }
    ),
    "Batch": BATCH,
    "BatchPage": _object(
        {"data": _list(_ref("Batch")), "has_more": TRUTH, "next": _or_null(TEXT)}
    ),
    "BatchResult": _object(
        {"row": WHOLE, "application_id": _or_null(TEXT), "status": WHOLE,
         "decision": _ref("Decision"), "problem": _ref("Problem")},
        optional=("decision", "problem"),
    ),
    "Fund": FUND,
    "Receipt": RECEIPT,
    "Checkpoint": CHECKPOINT,
    "ErasureAnswer": ERASURE,
    "Village": VILLAGE,
    "VillageList": _page("Village"),
    "VillageHistory": _object(
        {"code": TEXT, "name": TEXT, "town": TEXT, "history": _list(VILLAGE_SAID)}
    ),
    "Product": PRODUCT,
    "ProductList": _page("Product"),
    "Edition": _object(EDITION, optional=SAID),
    "EditionList": _page("Edition"),
    "EditionText": _object({**EDITION, "text": TEXT}, optional=SAID),
    "Status": _object({"status": TEXT}),
    "Version": _object({"version": TEXT, "api": TEXT}),
    "Problem": _object(
        {"type": TEXT, "title": TEXT, "status": WHOLE, "code": TEXT, "detail": TEXT,
         "request_id": TEXT, "errors": _list(FIELD_ERROR)},
        optional=("errors",),
    ),
}  # fmt: skip
