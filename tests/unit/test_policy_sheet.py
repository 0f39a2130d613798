"""The sheet of a policy: all that it says, in either language, with its source."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loansvc.editions import Reader, read_head
from loansvc.policy import Policy
from loansvc.policy.document import read_policy
from loansvc.policy.sheet import sheet, statement_text
from loansvc.policy.terms import COUNTER_GUARANTEES
from loansvc.policy.wording import COUNTER_GUARANTEE_TEXTS
from loansvc.registry import read_document
from tests.small import POLICY

FOLDER = Path(__file__).parents[2] / "models" / "policies"
EDITIONS = {
    f"{path.parent.name}/{path.stem}": read_document(path)[1] for path in FOLDER.rglob("*.toml")
}
every_edition = pytest.mark.parametrize("edition", EDITIONS)
HAN = re.compile("[\u4e00-\u9fff]")
WORD = re.compile(r"[0-9]*[A-Za-z][A-Za-z0-9]*")
# Latin letters in a Chinese line: ids, grades, tiers and ratings, and what everybody calls so.
CODE = re.compile(r"[EKRCLGASPFV]\d\d|R[1-7]|G[0-4]n?|GX|A{1,3}|[BCD]|T\d|M\d|LPR|BP|\d+BP")


def small(change: Callable[[dict[str, Any]], None] = lambda document: None) -> Policy:
    """The small policy of `tests/small_policy.toml`, changed, whatever its example gives then."""
    document = tomllib.loads(POLICY.replace("PRODUCT", "credit_loan"))
    document["example"][0]["expect"] = {"outcome": "approve"}
    change(document)
    with Reader(document, file="small.toml") as reader:
        return read_policy(reader, read_head(reader))


def lines(policy: Policy, *, zh: bool = False) -> list[str]:
    return [line[not zh].strip() for part in sheet(policy) for line in part.lines]


def titles(policy: Policy) -> list[str]:
    return [part.title[1] for part in sheet(policy)]


# --- the shipped policies -----------------------------------------------------------------------


@every_edition
def test_a_chinese_line_has_no_english_word(edition: str) -> None:
    """But in a source that is named in English only, where the document has no other name."""
    policy: Policy = EDITIONS[edition]
    english_only = sorted({c.zh for _, c in policy.clauses if not c.reference_zh}, key=len)
    for line in lines(policy, zh=True):
        told = line
        for reference in reversed(english_only):
            told = told.replace(f"依据：{reference}", "")
        assert all(CODE.fullmatch(word) for word in WORD.findall(told)), line


@every_edition
def test_an_english_line_has_no_chinese_character(edition: str) -> None:
    """But for towns, which are their own names."""
    policy: Policy = EDITIONS[edition]
    for line in lines(policy):
        assert not HAN.search(re.sub(r"[\u4e00-\u9fff]+[镇乡]", "", line)), line


@every_edition
def test_every_clause_names_its_source(edition: str) -> None:
    """All but the change budget, which speaks to whoever writes the next edition."""
    policy: Policy = EDITIONS[edition]
    told = "\n".join(lines(policy))
    clauses = {p: c for p, c in policy.clauses if p != "change_budget"}
    for place, clause in clauses.items():
        mark = " (to be confirmed)" if clause.verify else ""
        assert f"source: {clause.reference}{mark}\n" in told + "\n", place


@every_edition
def test_every_rule_cap_and_row_is_told(edition: str) -> None:
    policy: Policy = EDITIONS[edition]
    told = lines(policy)
    assert {f"{rule.id}  {rule.en}" for rule in policy.rules} <= set(told)
    assert {f"{cap.id}  {cap.en}" for cap in policy.caps} <= set(told)
    for row in policy.tier_rows:
        assert any(line.startswith(f"{row.tier}, the bank ") for line in told)
    for subsidy in policy.subsidies if "subsidy[0]" in dict(policy.clauses) else ():
        assert any(line.startswith(f"{subsidy.en}: ") for line in told)


# --- single things ------------------------------------------------------------------------------


def test_a_source_to_be_confirmed_carries_the_mark() -> None:
    def weak(document: dict[str, Any]) -> None:
        document["rule"][0] |= {"source_grade": "E", "verify": True}

    assert lines(small(weak)).count("source: test (to be confirmed)") == 1
    assert lines(small(weak), zh=True).count("依据：test（待核实）") == 1


def test_a_source_with_a_chinese_name_is_called_so_in_chinese_only() -> None:
    def named(document: dict[str, Any]) -> None:
        document["rule"][0]["reference_zh"] = "某县通知"

    assert "依据：某县通知" in lines(small(named), zh=True)
    assert not any("某县通知" in line for line in lines(small(named)))


def test_a_rule_that_lets_the_unknown_pass_does_not_say_approve() -> None:
    """Other rules and the score still decide."""

    def passes(document: dict[str, Any]) -> None:
        document["rule"][0]["if_unknown"] = "approve"

    told = lines(small(passes))
    assert told[1] == "for everyone; not met: decline; not known: counts as met"


def test_a_policy_that_asks_every_grave_fact_has_no_line_for_what_it_cannot_ask() -> None:
    def asks(document: dict[str, Any]) -> None:
        first = document["rule"][0]
        for i, (fact, test) in enumerate(
            {"aml_listed": ["no"], "dishonest_debtor": ["no"],
             "days_past_due_now": {"at_most": 0}}.items()
        ):  # fmt: skip
            more = {"id": f"K8{i}", "requires": {fact: test}, "if_unknown": "approve"}
            document["rule"].append(first | more)

    def told(policy: Policy) -> bool:
        return any(line.startswith("P01") for line in lines(policy))

    assert told(small())
    assert not told(small(asks))


def test_a_clause_keyed_to_a_day_is_listed_under_it() -> None:
    def keyed(document: dict[str, Any]) -> None:
        days = {"keyed_on": "loan_start", "from": document["valid_from"]}
        document["rule"][0] |= days
        document["cap"][0] |= days

    assert "days by which clauses hold" not in titles(small())
    assert lines(small(keyed))[-1] == (
        "first day of the loan (where not stated, the day of application): E01, C01"
    )
    assert lines(small(keyed), zh=True)[-1] == ("贷款发放日（未载明的，以申请日为准）：E01、C01")


def test_the_matrix_stands_in_columns() -> None:
    told = [line for part in sheet(small()) for line in part.lines]
    at = next(i for i, line in enumerate(told) if line[1].endswith("unrated"))
    head, rows = told[at][1], [row for row, _ in told[at + 1 : at + 8]]
    assert [row.split()[0] for row in rows] == [f"R{i}" for i in range(1, 8)]
    ends = [m.end() for m in re.finditer(r"\S+", head)][:-1]
    assert all([m.end() for m in re.finditer(r"\S+", row)][1:-1] == ends for row in rows)


def test_a_term_after_which_a_limit_is_looked_at_is_told_where_there_is_one() -> None:
    def reassessed(document: dict[str, Any]) -> None:
        document["limit"]["reassess_every_months"] = 12

    assert "Limits are looked at every: 1 year" in lines(small(reassessed))
    assert not any(line.startswith("Limits are looked at") for line in lines(small()))


def test_every_counter_guarantee_has_words() -> None:
    assert set(COUNTER_GUARANTEE_TEXTS) == set(COUNTER_GUARANTEES)


@pytest.mark.parametrize(
    ("statement", "zh", "en"),
    [
        ("本政策为示例。\nAn example.", "本政策为示例。", "An example."),
        ("An example.", "An example.", "An example."),
        ("示例。", "示例。", "示例。"),
    ],
)
def test_a_statement_is_told_in_the_readers_language_where_it_has_both(
    statement: str, zh: str, en: str
) -> None:
    def said(document: dict[str, Any]) -> None:
        document["statement"] = statement

    assert statement_text(small(said)) == (zh, en)
