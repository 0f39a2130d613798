"""The shipped policies as people read them: sources in Chinese, what is so where a rule fails."""

from __future__ import annotations

import re

import pytest

from loansvc.policy import Rule
from loansvc.policy.wording import figure_text
from tests.contract.test_shipped_policies import EDITIONS, FILES, FIRST_OF_2026

# The editions of July 2026 were published before a policy could say either.
TOLD = [name for name in EDITIONS if not name.endswith(FIRST_OF_2026)]
every_edition_told = pytest.mark.parametrize("edition", TOLD)

CHINESE = re.compile(r"[\u4e00-\u9fff]")
# What stays in Latin letters between Chinese: rates, grades, tiers, classes of arrears.
LATIN_NAMES = re.compile(r"LPR|[RTM][1-7]|A{1,3}|[BCD]")
DOCUMENT_NUMBER = re.compile(r"〔(\d{4})〕(\d+)号")
FEWEST_TOLD_IN_FIGURES = 2  # "no arrears", "no staff": nought and one are said in words


def test_all_editions_but_those_of_july_2026_are_told() -> None:
    assert len(TOLD) == len(EDITIONS) - 4 == 18


@every_edition_told
def test_every_clause_has_a_source_for_chinese_readers(edition: str) -> None:
    clauses = EDITIONS[edition].clauses
    assert [place for place, clause in clauses if not CHINESE.search(clause.reference_zh)] == []


@every_edition_told
def test_no_source_for_chinese_readers_is_english(edition: str) -> None:
    """Nor does it cite the fact sheet or its grades, which stand in English."""
    latin = {
        (place, word)
        for place, clause in EDITIONS[edition].clauses
        for word in re.findall(r"[A-Za-z]+\d*|\[", clause.reference_zh)
        if not LATIN_NAMES.fullmatch(word)
    }
    assert latin == set()


@every_edition_told
def test_a_proposal_is_called_one_in_both_languages(edition: str) -> None:
    differing = [
        place
        for place, clause in EDITIONS[edition].clauses
        if ("proposal" in clause.reference) != ("建议值" in clause.reference_zh)
    ]
    assert differing == []


@every_edition_told
def test_a_proposal_is_called_unconfirmed(edition: str) -> None:
    proposals = [c for _, c in EDITIONS[edition].clauses if "建议值" in c.reference_zh]
    assert proposals
    assert [c.reference_zh for c in proposals if "待县里核实" not in c.reference_zh] == []


@every_edition_told
def test_a_document_cited_in_chinese_is_cited_in_english(edition: str) -> None:
    unknown = [
        (place, year, number)
        for place, clause in EDITIONS[edition].clauses
        for year, number in DOCUMENT_NUMBER.findall(clause.reference_zh)
        if f"{year} no. {number}" not in clause.reference
    ]
    assert unknown == []


def test_one_source_is_told_alike_everywhere() -> None:
    said: dict[str, set[str]] = {}
    for name in TOLD:
        for _, clause in EDITIONS[name].clauses:
            said.setdefault(clause.reference, set()).add(clause.reference_zh)
    assert {reference: zh for reference, zh in said.items() if len(zh) > 1} == {}


@every_edition_told
def test_every_rule_says_what_is_so_where_it_is_not_met(edition: str) -> None:
    for rule in EDITIONS[edition].rules:
        assert CHINESE.search(rule.not_met_zh), rule.id
        assert rule.not_met_en, rule.id
        assert rule.not_met_zh != rule.zh, rule.id
        assert rule.not_met_en != rule.en, rule.id
        assert not rule.not_met_zh.startswith("未满足"), rule.id
        assert not rule.not_met_en.startswith("Not met"), rule.id


@every_edition_told
def test_what_is_so_where_a_bound_is_not_met_names_the_figure(edition: str) -> None:
    """The bound itself or the first figure beyond it: "90 days or more" for at most 89."""
    for rule in EDITIONS[edition].rules:
        for zh, en in _figures(rule):
            assert _names(rule.not_met_zh, zh), (rule.id, zh, rule.not_met_zh)
            assert _names(rule.not_met_en, en), (rule.id, en, rule.not_met_en)


def _figures(rule: Rule) -> list[tuple[set[str], set[str]]]:
    """For each bound that is told in figures, the ways to write it in Chinese and English."""
    test, ways = rule.requires, []
    for bound, beyond in ((test.at_least, -1), (test.at_most, 1)):
        if isinstance(bound, int) and bound >= FEWEST_TOLD_IN_FIGURES:
            plain = {str(bound), str(bound + beyond)}
            texts = [figure_text(test.fact, n) for n in (bound, bound + beyond)]
            ways.append((plain | {zh for zh, _ in texts}, plain | {en for _, en in texts}))
    return ways


def _names(text: str, ways: set[str]) -> bool:
    """Whether one of the figures stands in the text, as a number of its own."""
    return any(re.search(rf"(?<![\d,]){re.escape(way)}(?![\d,])", text) for way in ways)


@every_edition_told
def test_one_word_for_one_thing(edition: str) -> None:
    text = FILES[edition].read_text("utf-8")
    assert "征信报告" not in text  # 信用报告
    assert "ex-fisher" not in text  # former fisher
