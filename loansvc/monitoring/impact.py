"""Impact: recorded decisions decided again, with one edition replaced by a draft.

Each decision is made twice from its recorded application, exposure and editions. *Before*: the
edition of the draft's kind is the one now in force on the draft's first day. *After*: it is the
draft. So nothing but the draft tells the two apart; what was recorded may differ from both.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from pathlib import Path
from typing import Any

from loansvc.application import GROUPS, PRODUCTS
from loansvc.decision import Decision, decide
from loansvc.editions import Edition, digest_of, in_force
from loansvc.errors import EditionRefused
from loansvc.monitoring.figures import Figures, figures_of
from loansvc.monitoring.offers import Prices, prices_of, terms_changed
from loansvc.monitoring.report import standing_of, village_name
from loansvc.monitoring.words import GROUP_WORDS, NONE, PRODUCT_WORDS
from loansvc.policy import OUTCOMES, TIERS
from loansvc.registry import Registry, read_document
from loansvc.underwriting import Recorded

WEIGHED = ("policy", "scorecard")  # the kinds a draft can be of
DEFAULT_LAST = 1000  # decisions: enough to tell 1 % from 3 %, and a few seconds' work


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """One application whose outcome changes, by its ids, with the codes of its reasons."""

    sequence: int
    application_id: str
    before: str
    after: str
    reasons_before: tuple[str, ...]
    reasons_after: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The same decisions before and after, and how many differ.

    `n_other_terms`: the same outcome with another offer or guarantee; `terms` counts them by the
    term that differs, so that one with two counts in both. `prices_before` and `prices_after` are
    of the decisions approved both times, so that no price moves because others are approved.
    """

    before: Figures
    after: Figures
    prices_before: Prices
    prices_after: Prices
    n_flips: int
    n_other_terms: int
    terms: Mapping[str, int]

    @property
    def differs(self) -> bool:
        """Whether any outcome, term or figure differs."""
        return bool(self.n_flips or self.n_other_terms or self.before != self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part(Sides):
    """A product, a village or a group."""

    key: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TierPart:
    """Approvals of one tier, in number and amount."""

    tier: str
    n_before: int
    n_after: int
    before_yuan: int
    after_yuan: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact(Sides):
    """What a draft would have done to these decisions.

    `moves` counts by (outcome before, outcome after). `score_change`: points in all, for a
    scorecard. `n_erased`: decisions between those that are left out, their person erased since.
    """

    kind: str
    product: str
    valid_from: date
    draft: str
    in_force: Mapping[str, str]
    decided_from: str | None
    decided_to: str | None
    moves: Mapping[tuple[str, str], int]
    score_change: int
    flips: tuple[Flip, ...]
    tiers: tuple[TierPart, ...]
    parts: Mapping[str, tuple[Part, ...]]
    n_erased: int = 0

    @property
    def n(self) -> int:
        """How many decisions were made again."""
        return self.before.applications

    @property
    def is_of_itself(self) -> bool:
        """Whether the draft is what is in force on that day already: nothing can differ."""
        return self.draft == self.in_force["digest"]


def draft_of(path: Path, *, valid_from: date | None = None) -> Edition[Any]:
    """The document in a file as the edition it would be.

    Raises:
        EditionRefused: it is wrong, or of a kind whose impact is not measured.
    """
    head, content = read_document(path)
    return checked(
        Edition(
            kind=head.kind, product=head.product, role="champion",
            valid_from=valid_from or head.valid_from, approver="",
            digest=digest_of(path.read_bytes()), path=path.name, head=head, content=content,
        )
    )  # fmt: skip


def checked(draft: Edition[Any]) -> Edition[Any]:
    """The draft, if it is of a kind whose impact is measured and holds no sooner than it may."""
    if draft.kind not in WEIGHED:
        raise EditionRefused(
            f"{draft.path}: is of kind {draft.kind}; impact is measured of a policy or a scorecard."
        )
    if draft.valid_from < draft.head.valid_from:
        raise EditionRefused(
            f"{draft.path}: cannot hold before its own first day {draft.head.valid_from}."
        )
    return draft


def replaced_by(draft: Edition[Any], registry: Registry) -> Edition[Any]:
    """The edition in force on the draft's first day, whose place it would take.

    Raises:
        NoEditionInForce: there is none.
    """
    return in_force(
        registry.editions, kind=draft.kind, product=draft.product, role="champion",
        on=draft.valid_from,
    )  # fmt: skip


def impact(recorded: Iterable[Recorded], registry: Registry, draft: Edition[Any]) -> Impact:
    """What the draft would have done to these decisions of its product, in whatever order.

    Groups are those of the credentials that count before, so that a row holds the same people.

    Raises:
        NoEditionInForce: nothing is in force that the draft would take the place of.
        NotFound: an edition that a decision names is no longer there.
    """
    current = replaced_by(draft, registry)
    sums = _Sums()
    for one in recorded:
        editions = registry.recorded(one.decision["editions"])
        before = replace(editions, **{draft.kind: current})
        after = replace(editions, **{draft.kind: draft})
        groups, _ = standing_of(one.application, before.policy.content)
        sums.add(
            one,
            decide(one.application, before, one.exposure),
            decide(one.application, after, one.exposure),
            groups=groups,
            village=village_name(one.decision, registry),
        )
    return Impact(
        kind=draft.kind,
        product=draft.product,
        valid_from=draft.valid_from,
        draft=draft.digest,
        in_force={"valid_from": current.valid_from.isoformat(), "digest": current.digest},
        decided_from=min(sums.decided_at, default=None),
        decided_to=max(sums.decided_at, default=None),
        moves=sums.moves,
        score_change=sums.score_change,
        flips=tuple(sorted(sums.flips, key=lambda flip: flip.sequence)),
        tiers=sums.tiers(),
        parts=sums.parts(),
        **sums.total.sides(),
    )


@dataclass(slots=True)
class _Pair:
    """Both sides, while they grow."""

    before: Figures = field(default_factory=Figures)
    after: Figures = field(default_factory=Figures)
    prices_before: Prices = field(default_factory=Prices)
    prices_after: Prices = field(default_factory=Prices)
    n_flips: int = 0
    n_other_terms: int = 0
    terms: Counter[str] = field(default_factory=Counter)

    def add(self, before: _Side, after: _Side, *, terms: tuple[str, ...]) -> None:
        """Count one decision, made twice; `terms` differ."""
        self.before += before.figures
        self.after += after.figures
        if before.figures.approved and after.figures.approved:
            self.prices_before += before.prices
            self.prices_after += after.prices
        if before.outcome != after.outcome:
            self.n_flips += 1
        elif terms:
            self.n_other_terms += 1
            self.terms.update(terms)

    def sides(self) -> dict[str, Any]:
        """The fields of Sides."""
        return {f.name: getattr(self, f.name) for f in fields(Sides)}


@dataclass(frozen=True, slots=True)
class _Side:
    """One decision as it is counted."""

    outcome: str
    figures: Figures
    prices: Prices

    @classmethod
    def of(cls, decision: Decision, *, asked_yuan: int) -> _Side:
        figures = figures_of(decision.to_document(), asked_yuan=asked_yuan)
        return cls(decision.outcome, figures, prices_of(decision))


def _pairs() -> defaultdict[str, _Pair]:
    return defaultdict(_Pair)


@dataclass(slots=True)
class _Sums:
    """What is held while the decisions go by."""

    total: _Pair = field(default_factory=_Pair)
    product: defaultdict[str, _Pair] = field(default_factory=_pairs)
    village: defaultdict[str, _Pair] = field(default_factory=_pairs)
    group: defaultdict[str, _Pair] = field(default_factory=_pairs)
    tier: defaultdict[str, _Pair] = field(default_factory=_pairs)
    village_names: dict[str, str] = field(default_factory=dict)
    decided_at: set[str] = field(default_factory=set)
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    flips: list[Flip] = field(default_factory=list)
    score_change: int = 0

    def add(
        self, one: Recorded, before: Decision, after: Decision, *, groups: tuple[str, ...],
        village: str,
    ) -> None:  # fmt: skip
        """Count one decision, made twice."""
        asked_yuan, code = one.application.loan.amount_yuan, one.application.applicant.village_code
        was, now = (_Side.of(d, asked_yuan=asked_yuan) for d in (before, after))
        terms = terms_changed(before, after)
        rows = [self.total, self.product[before.product], self.village[code]]
        for row in (*rows, *(self.group[g] for g in groups)):
            row.add(was, now, terms=terms)
        if was.figures.approved and before.guarantee:
            self.tier[before.guarantee.tier].before += was.figures
        if now.figures.approved and after.guarantee:
            self.tier[after.guarantee.tier].after += now.figures
        self.village_names.setdefault(code, village)
        self.decided_at.add(one.entry.decided_at[:10])
        self.moves[before.outcome, after.outcome] += 1
        self.score_change += after.score - before.score
        if before.outcome != after.outcome:
            self.flips.append(_flip(one, before, after))

    def tiers(self) -> tuple[TierPart, ...]:
        """Tiers that somebody has before or after, best first."""
        return tuple(
            TierPart(
                tier=tier, n_before=pair.before.approved, n_after=pair.after.approved,
                before_yuan=pair.before.approved_yuan, after_yuan=pair.after.approved_yuan,
            )
            for tier in TIERS
            if (pair := self.tier.get(tier)) is not None
        )  # fmt: skip

    def parts(self) -> dict[str, tuple[Part, ...]]:
        """By product, village and group: those that have a decision."""
        villages = {code: (name, name) for code, name in sorted(self.village_names.items())}
        return {
            "product": _parts(self.product, PRODUCTS, PRODUCT_WORDS),
            "village": _parts(self.village, villages, villages),
            "group": _parts(self.group, (*GROUPS, NONE), GROUP_WORDS),
        }


def _parts(
    sums: Mapping[str, _Pair], keys: Iterable[str], words: Mapping[str, tuple[str, str]]
) -> tuple[Part, ...]:
    return tuple(
        Part(key=key, zh=words[key][0], en=words[key][1], **sums[key].sides())
        for key in keys
        if key in sums
    )


def _flip(one: Recorded, before: Decision, after: Decision) -> Flip:
    return Flip(
        sequence=one.entry.sequence,
        application_id=one.entry.application_id,
        before=before.outcome,
        after=after.outcome,
        reasons_before=tuple(reason.code for reason in before.reasons),
        reasons_after=tuple(reason.code for reason in after.reasons),
    )


def move_table(found: Impact) -> list[list[int]]:
    """The 3x3 table: a row for each outcome before, a column for each after, in OUTCOMES' order."""
    return [[found.moves.get((a, b), 0) for b in OUTCOMES] for a in OUTCOMES]
