"""Editions in words and figures, for readers of products, editions and histories of villages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from loansvc.decision import Editions
from loansvc.editions import SAID, Edition
from loansvc.policy import Policy, Subsidy, Test, fact_label
from loansvc.villages.history import Said


def newest_first(editions: Iterable[Edition[Any]]) -> list[Edition[Any]]:
    """Publications in the order in which they are listed."""
    return sorted(editions, key=lambda e: (e.valid_from, e.kind, e.product), reverse=True)


def edition_document(edition: Edition[Any]) -> dict[str, Any]:
    """What is known of a publication without its content."""
    head = edition.head
    return {
        "kind": edition.kind,
        "product": edition.product,
        "role": edition.role,
        "valid_from": edition.valid_from.isoformat(),
        "review_by": head.review_by and head.review_by.isoformat(),
        "reference": head.reference,
        "approver": edition.approver,
        "digest": edition.digest,
        "path": edition.path,
        **{name: text for name in SAID if (text := getattr(edition, name))},
    }


def village_history_document(said: Sequence[Said]) -> dict[str, Any]:
    """What every register said of one village. Who signed is named by role, not by name."""
    newest = said[-1].village
    return {
        "code": newest.code,
        "name": newest.name,
        "town": newest.town,
        "history": [_said_document(one) for one in said],
    }


def _said_document(said: Said) -> dict[str, Any]:
    village, taken, appeal = said.village, said.village.revocation, said.village.appeal
    return {
        "register": {
            "valid_from": said.register.valid_from.isoformat(),
            "digest": said.register.digest,
        },
        "synthetic": said.register.content.synthetic,
        "rating": village.rating,
        "assessed_on": village.assessed_on and village.assessed_on.isoformat(),
        "evidence_as_of": village.evidence.get("as_of"),
        "points": village.points,
        "credibility": village.credibility_percent / 100,
        "signatures": [
            {"role": s.role, "signed_on": s.signed_on.isoformat()} for s in village.signatures
        ],
        "revocation": taken and {
            "on": taken.on.isoformat(),
            "reason": taken.reason,
            "document_sha256": taken.document_sha256,
        },
        "appeal": appeal and {
            "lodged_on": appeal.lodged_on.isoformat(),
            "document_sha256": appeal.document_sha256,
            "decided_on": appeal.decided_on and appeal.decided_on.isoformat(),
        },
        "flags": [
            {"from": flag.since.isoformat(), "until": flag.until.isoformat(),
             "reason": flag.reason, "document_sha256": flag.document_sha256,
             "lifted": flag.lifted and {
                 "on": flag.lifted.on.isoformat(),
                 "document_sha256": flag.lifted.document_sha256,
             }}
            for flag in village.flags
        ],
        "counts_as": {"rating": said.counts.rating, "state": said.counts.state},
        "changes": [
            {"on": change.on.isoformat(), "rating": change.rating, "state": change.state}
            for change in said.changes
        ],
    }  # fmt: skip


def product_document(product: str, editions: Editions) -> dict[str, Any]:
    """One product as its policy has it on a day."""
    policy = editions.policy.content
    return {
        "product": product,
        "zh": policy.title_zh,
        "en": policy.title_en,
        "statement": policy.statement,
        "approve_at_least": policy.approve_at_least,
        "refer_at_least": policy.refer_at_least,
        "grades": [{"grade": g, "score_at_least": s} for g, s in policy.grade_floors],
        "rules": [
            {"id": r.id, "stage": r.stage, "zh": r.zh, "en": r.en,
             "requires": _test(r.requires), "when": _tests(r.when), "otherwise": r.otherwise,
             "if_unknown": r.if_unknown, "reference": r.clause.reference, "verify": r.clause.verify}
            for r in policy.rules
        ],
        "limit": _limit(policy),
        "price": {
            "most_spread_bp": policy.most_spread_bp,
            "subsidies": [_subsidy(s) for s in policy.subsidies],
            "rows": [{"when": _tests(r.when), "spread_bp": r.spread_bp} for r in policy.price_rows],
        },
        "guarantee": [
            {"tier": r.tier, "when": _tests(r.when), "shares_percent": dict(r.shares_percent),
             "counter_guarantee": r.counter_guarantee, "reference": r.clause.reference}
            for r in policy.tier_rows
        ],
        "editions": editions.references(),
    }  # fmt: skip


def _limit(policy: Policy) -> dict[str, Any]:
    return {
        "rows": [{"when": _tests(r.when), "base_yuan": r.base_yuan} for r in policy.limit_rows],
        "factor_percent": {g: dict(row) for g, row in policy.factor_percent.items()},
        "caps": [{"id": c.id, "zh": c.zh, "en": c.en} for c in policy.caps],
        "round_down_to_yuan": policy.round_down_to_yuan,
        "minimum_yuan": policy.minimum_yuan,
        "reassess_every_months": policy.reassess_every_months,
    }


def _subsidy(subsidy: Subsidy) -> dict[str, Any]:
    first, last = subsidy.first_day, subsidy.last_day
    return {
        "keyed_on": subsidy.days.fact,
        "from": first and first.isoformat(),
        "until": last and last.isoformat(),
        "percent_of_rate": subsidy.percent_of_rate,
        "borrower_over_lpr_bp": subsidy.borrower_over_lpr_bp,
        "zh": subsidy.zh,
        "en": subsidy.en,
        "reference": subsidy.clause.reference,
    }


def _tests(tests: tuple[Test, ...]) -> list[dict[str, str]]:
    return [_test(test) for test in tests]


def _test(test: Test) -> dict[str, str]:
    zh, en = fact_label(test.fact)
    return {"fact": test.fact, "zh": zh, "en": en, "threshold": test.threshold()}
