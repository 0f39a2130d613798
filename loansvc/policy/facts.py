"""Facts: the table of everything that a policy may ask for, for whoever writes one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from loansvc.application import CATALOGUE
from loansvc.policy.rules import CONTEXT_LABELS, DATE_FACTS, fact_label, fact_words
from loansvc.policy.wording import CONTEXT_UNITS, word_text


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: its name in a policy, what it is called, and its unit or its words."""

    name: str
    zh: str
    en: str
    values: str


def facts() -> tuple[Fact, ...]:
    """Every fact that a policy may ask for, those of the application first, in their order."""
    names = [row.name for row in CATALOGUE.values() if row.use in ("policy", "both")]
    return tuple(Fact(name, *fact_label(name), _values(name)) for name in (*names, *CONTEXT_LABELS))


def _values(name: str) -> str:
    if name in DATE_FACTS:
        return "a day, by `keyed_on`"
    if words := fact_words(name):
        return ", ".join(_word(word, name) for word in words)
    row = CATALOGUE.get(name)
    if row is None:
        return CONTEXT_UNITS[name]
    return f"{row.unit}, {row.low:,} to {row.high:,}"


def _word(word: str, fact: str) -> str:
    zh, en = word_text(word, fact)
    return f"`{word}`" if en == word and zh == word else f"`{word}` {zh}"


def as_markdown() -> str:
    """The table as it stands in docs/policy_facts.md, a line a fact."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "| name in a policy | 名称 | what it is | unit and range, or words |"
    yield "|---|---|---|---|"
    for fact in facts():
        yield f"| `{fact.name}` | {fact.zh} | {fact.en} | {fact.values} |"
