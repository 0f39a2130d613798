"""Rules: tests of facts, and what follows when a test is not met or cannot be made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any

from loansvc.application import CATALOGUE, GRADES, CatalogueRow
from loansvc.editions import Reader

SCORE_GRADES = ("R1", "R2", "R3", "R4", "R5", "R6", "R7")  # best first (DOMAIN 5, master scale)
VILLAGE_RATINGS = (*GRADES, "unrated")
UNKNOWN = "unknown"  # the word with which a clause speaks of a fact that is not known
OUTCOMES = ("approve", "refer", "decline")  # best first
SOURCE_GRADES = ("A", "B", "C", "M", "E")  # DOMAIN: A read in full … M not confirmed, E proposal
WEAK_SOURCES = ("M", "E")

# Facts that no application holds: the village's standing, the score's grade, and the exposure.
CONTEXT_WORDS = {
    "village_rating": VILLAGE_RATINGS,
    "grade": SCORE_GRADES,
    "policy_loan_overdue": ("yes", "no"),
    "village_flag": ("yes", "no"),
}
# Days a clause can be keyed to. A day that the application does not state is the one before it.
DATE_FACTS = ("applied_on", "loan_start", "guarantee_start")
CONTEXT_NUMBERS = ("policy_loans", "outstanding_yuan", "matrix_limit_yuan")
ALIKE = (0.75, 0.6)  # how alike a name must be to be offered for one nobody knows, close ones first
MOST = 10**12  # more than any number a policy may name
CONTEXT_LABELS = {
    "village_rating": ("村信用等级", "village rating"),
    "grade": ("评分等级", "score grade"),
    "policy_loan_overdue": ("政策性贷款曾逾期", "overdue on an earlier policy loan"),
    "village_flag": ("村级人工复核标记", "village marked for a person to look"),
    "applied_on": ("申请日", "day of application"),
    "loan_start": ("贷款发放日", "first day of the loan"),
    "guarantee_start": ("担保起始日", "first day of the guarantee"),
    "policy_loans": ("政策性贷款笔数", "policy loans"),
    "outstanding_yuan": ("已有政策性贷款余额", "outstanding policy loans"),
    "matrix_limit_yuan": ("封顶前额度", "limit before caps"),
}


@dataclass(frozen=True, slots=True)
class Test:
    """One question to one fact: is it one of the words, or within bounds, both included.

    The bounds of a day are days, those of a number whole numbers.
    """

    fact: str
    words: frozenset[str] | None = None
    at_least: int | date | None = None
    at_most: int | date | None = None

    def holds(self, facts: Mapping[str, Any]) -> bool | None:
        """True, False, or None where the fact is not known and the test does not speak of that.

        >>> Test("age_years", at_least=18).holds({"age_years": 18})
        True
        >>> Test("household_grade", frozenset({"AA", "unknown"})).holds({"household_grade": None})
        True
        """
        value = facts.get(self.fact)
        if self.words is not None:
            if value is None:
                return True if UNKNOWN in self.words else None
            if isinstance(value, tuple):
                return not self.words.isdisjoint(value)
            return value in self.words
        if value is None:
            return None
        if self.at_least is not None and value < self.at_least:
            return False
        return self.at_most is None or value <= self.at_most

    def threshold(self) -> str:
        """The bound in one short text, such as ">= 18" or "AAA, AA"."""
        if self.words is not None:
            return ", ".join(_in_order(self.fact, self.words))
        signs = ("from", "until") if self.fact in DATE_FACTS else (">=", "<=")
        bounds = zip(signs, (self.at_least, self.at_most), strict=True)
        return " and ".join(f"{sign} {n}" for sign, n in bounds if n is not None)


@dataclass(frozen=True, slots=True)
class Clause:
    """Where a rule or a row comes from. `verify`: to be confirmed before it is relied on.

    `reference_zh`: the source as a Chinese reader knows it, where the document says so.
    """

    reference: str
    source_grade: str
    verify: bool
    reference_zh: str = ""

    @property
    def zh(self) -> str:
        """The source for a Chinese sentence."""
        return self.reference_zh or self.reference


@dataclass(frozen=True, slots=True)
class Rule:
    """A requirement. Not met: `otherwise`; not known: `if_unknown` (an outcome, approve = pass).

    `zh` and `en` say what must hold; `not_met_zh` and `not_met_en` what is so where it does not,
    for rules whose "not met" would be a double negation.
    """

    id: str
    stage: str
    requires: Test
    when: tuple[Test, ...]
    otherwise: str
    if_unknown: str
    zh: str
    en: str
    clause: Clause
    not_met_zh: str = ""
    not_met_en: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found: `result` is met, not_met, unknown or not_applicable.

    `outcome` is what the finding asks for.
    """

    rule: Rule
    result: str
    value: Any
    outcome: str = "approve"


def all_hold(tests: Iterable[Test], facts: Mapping[str, Any]) -> bool:
    """Whether every test holds; one that cannot be made does not."""
    for test in tests:  # noqa: SIM110 -- a generator for each would cost more than the tests
        if not test.holds(facts):
            return False
    return True


def find(rule: Rule, facts: Mapping[str, Any]) -> Finding:
    """Apply one rule."""
    if rule.when and not all_hold(rule.when, facts):
        return Finding(rule, "not_applicable", None)
    holds = rule.requires.holds(facts)
    value = facts.get(rule.requires.fact)
    if holds:
        return Finding(rule, "met", value)
    if holds is None:
        return Finding(rule, "unknown", value, rule.if_unknown)
    return Finding(rule, "not_met", value, rule.otherwise)


# --- reading ------------------------------------------------------------------------------------


def fact_words(fact: str) -> tuple[str, ...]:
    """The words a fact can be, in order; empty for numbers."""
    row: CatalogueRow | None = CATALOGUE.get(fact)
    return row.words if row else CONTEXT_WORDS.get(fact, ())


def fact_range(fact: str) -> tuple[int, int]:
    """The least and the most a number can be; those of the exposure are never below 0."""
    row = CATALOGUE.get(fact)
    if row is None or row.low is None or row.high is None:
        return 0, MOST
    return row.low, row.high


def fact_label(fact: str) -> tuple[str, str]:
    """What a fact is called, in Chinese and English."""
    row = CATALOGUE.get(fact)
    return (row.zh, row.en) if row else CONTEXT_LABELS[fact]


def _in_order(fact: str, words: frozenset[str]) -> list[str]:
    return [w for w in (*fact_words(fact), UNKNOWN) if w in words]


def read_tests(reader: Reader) -> tuple[Test, ...]:
    """The tests of a table `fact = [words]` or `fact = { at_least = …, at_most = … }`."""
    with reader:
        return tuple(_read_test(reader, fact) for fact in reader.keys())


def like_fact(fact: str) -> str:
    """What to write in place of a fact that nobody knows: the nearest names there are.

    >>> like_fact("household_debt_percent")
    'write household_debt_service_percent'
    >>> like_fact("debt_service_pct")
    'write household_debt_service_percent'
    """
    known = [row.name for row in CATALOGUE.values() if row.use in ("policy", "both")]
    names = [*known, *CONTEXT_LABELS]
    meant = next(filter(None, (get_close_matches(fact, names, cutoff=c) for c in ALIKE)), None)
    return f"write {' or '.join(meant)}" if meant else f"take one of {', '.join(known)}"


def _read_test(reader: Reader, fact: str) -> Test:
    row = CATALOGUE.get(fact)
    if row is None and fact not in CONTEXT_LABELS:
        reader.refuse(fact, f"is not a fact that a policy can ask for; {like_fact(fact)}")
    if row is not None and row.use not in ("policy", "both"):
        reader.refuse(
            fact, f"may not be used by a policy (its use is {row.use}); ask for another fact"
        )
    words = fact_words(fact)
    if fact in DATE_FACTS:
        reader.refuse(fact, f"is a day: key the clause to it, keyed_on = {fact!r} with from, until")
    if words:
        return Test(fact, words=frozenset(reader.words(fact, (*words, UNKNOWN))))
    with reader.table(fact) as bounds:
        ends = {
            key: bounds.integer(key, low=-MOST, high=MOST)
            for key in ("at_least", "at_most")
            if key in bounds
        }
        if not ends:
            bounds.refuse("", "must have at_least, at_most or both")
        if len(ends) == 2 and ends["at_least"] > ends["at_most"]:
            bounds.refuse(
                "at_least",
                f"must not be above at_most ({ends['at_most']}); exchange them or correct one",
            )
        return Test(fact, at_least=ends.get("at_least"), at_most=ends.get("at_most"))


def read_when(reader: Reader) -> tuple[Test, ...]:
    """To whom a rule or a row applies, and the days in which it holds, if it names any."""
    tests = read_tests(reader.table("when")) if "when" in reader else ()
    window = read_window(reader)
    return tests if window is None else (*tests, window)


def read_window(reader: Reader) -> Test | None:
    """The days in which a clause holds, `from` and `until` included, by the date of `keyed_on`."""
    ends = {key: reader.day(key) if key in reader else None for key in ("from", "until")}
    if not any(ends.values()):
        if "keyed_on" in reader:
            reader.refuse("keyed_on", "needs from, until or both beside it")
        return None
    if ends["from"] and ends["until"] and ends["from"] > ends["until"]:
        reader.refuse(
            "until", f"must not be before from ({ends['from']}); exchange them or correct one"
        )
    fact = reader.word("keyed_on", DATE_FACTS)
    return Test(fact, at_least=ends["from"], at_most=ends["until"])


def read_clause(reader: Reader) -> Clause:
    """Reference, source grade and verify mark; a weak source must be marked."""
    if "reference" not in reader:
        reader.refuse("reference", "is missing; add the law, notice or minute the clause rests on")
    clause = Clause(
        reference=reader.text("reference"),
        source_grade=reader.word("source_grade", SOURCE_GRADES),
        verify=reader.truth("verify", default=False),
        reference_zh=reader.text("reference_zh") if "reference_zh" in reader else "",
    )
    if clause.source_grade in WEAK_SOURCES and not clause.verify:
        reader.refuse("verify", f"must be true for source grade {clause.source_grade}")
    return clause


def read_rule(reader: Reader) -> Rule:
    """One rule, with exactly one test under `requires`."""
    with reader:
        requires = read_tests(reader.table("requires"))
        if len(requires) != 1:
            reader.refuse("requires", "must test exactly one fact; write one rule a fact")
        otherwise = reader.word("otherwise", ("refer", "decline"))
        if requires[0].fact == "village_flag" and otherwise != "refer":
            reader.refuse("otherwise", "must be refer: a mark of conduct only asks for a person")
        return Rule(
            id=reader.text("id"),
            stage=reader.word("stage", ("eligibility", "knock_out", "referral")),
            requires=requires[0],
            when=read_when(reader),
            otherwise=otherwise,
            if_unknown=reader.word("if_unknown", OUTCOMES),
            zh=reader.text("zh"),
            en=reader.text("en"),
            clause=read_clause(reader),
            not_met_zh=reader.text("not_met_zh") if "not_met_zh" in reader else "",
            not_met_en=reader.text("not_met_en") if "not_met_en" in reader else "",
        )
