"""Publication: what is asked of a policy when it is checked or published, and not when it is read.

A policy that was published keeps reading whatever is asked here, so that a folder of editions and
the ledgers made under it stay good.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count

from loansvc.policy import Policy
from loansvc.policy.terms import Cap
from loansvc.reasons import PLAIN_REASONS


def faults(policy: Policy, published: Mapping[str, Policy]) -> list[str]:
    """A sentence for each fault, without the full stop; none where nothing stands against it.

    `published` are the policies of the product that are published, by the name of their file, the
    first of them first.
    """
    return [*_taken_ids(policy), *_changed_ids(policy, published), *_capped_spreads(policy)]


# --- an id keeps its meaning --------------------------------------------------------------------

Meaning = tuple[str, ...]  # what an id stands for: rule or cap, and the facts it asks for


def meanings(policy: Policy) -> dict[str, Meaning]:
    """What each id of a policy asks for: the fact of a rule, the facts a cap is reckoned from.

    Bounds, words and `when` may change from edition to edition; these may not, or a reason recorded
    years ago would be read as saying something else.
    """
    rules: dict[str, Meaning] = {r.id: ("rule", r.requires.fact) for r in policy.rules}
    return rules | {cap.id: ("cap", *_facts_of(cap)) for cap in policy.caps}


def _facts_of(cap: Cap) -> Iterator[str]:
    yield cap.percent_of or ""
    yield cap.less or ""


def _taken_ids(policy: Policy) -> Iterator[str]:
    """Ids that the program gives to reasons of its own: L01 of the limit, S01 of an input."""
    for id_, (kind, *_) in meanings(policy).items():
        if id_ in PLAIN_REASONS or _is_numbered(id_, "S"):
            yield f"{kind} {id_}: is the code of one of the program's own reasons; take another id"


def _changed_ids(policy: Policy, published: Mapping[str, Policy]) -> Iterator[str]:
    first: dict[str, tuple[str, Meaning]] = {}  # the id's first meaning, and where it stands
    for name, earlier in published.items():
        for id_, meaning in meanings(earlier).items():
            first.setdefault(id_, (name, meaning))
    mine = meanings(policy)
    for id_, meaning in mine.items():
        name, was = first.get(id_, ("", meaning))
        if meaning != was:
            yield (
                f"{meaning[0]} {id_}: {_told(meaning)}, but in {name} {id_} {_told(was)}; an id "
                f"keeps its meaning for ever, so give this one an id never used, such as "
                f"{unused(id_, (*first, *mine))}"
            )


def _told(meaning: Meaning) -> str:
    kind, *facts = meaning
    if kind == "rule":
        return f"asks for {facts[0]}"
    percent_of, less = facts
    base = f"a share of {percent_of}" if percent_of else "a fixed sum"
    return f"is a cap of {base}" + (f" less {less}" if less else "")


def unused(id_: str, used: Iterable[str]) -> str:
    """The next id of the same letters that nobody used.

    >>> unused("K02", ["K01", "K02", "K03", "E09"])
    'K04'
    """
    letters = id_.rstrip("0123456789")
    taken = set(used)
    numbers = [int(i.removeprefix(letters)) for i in taken if _is_numbered(i, letters)]
    return next(
        made
        for n in count(max(numbers, default=0) + 1)
        if (made := f"{letters}{n:02}") not in taken
    )


def _is_numbered(id_: str, letters: str) -> bool:
    number = id_.removeprefix(letters)
    return id_.startswith(letters) and number.isascii() and number.isdigit()


# --- a spread is what is charged ----------------------------------------------------------------


def _capped_spreads(policy: Policy) -> Iterator[str]:
    most = policy.most_spread_bp
    for i, row in enumerate(policy.price_rows):
        if row.spread_bp > most:
            yield (
                f"price_row[{i}].spread_bp: is {row.spread_bp}, above price.most_spread_bp "
                f"({most}), which is all that would be charged; write {most} or less, or raise "
                "most_spread_bp"
            )
