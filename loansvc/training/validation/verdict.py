"""Verdict: the whole of a validation in a sentence, and the rules behind it.

Never "passed": a check that finds nothing is no proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from loansvc.metrics import SMOOTHING
from loansvc.training.validation import fairness as fair
from loansvc.training.validation import sample, stability
from loansvc.training.validation import segments as seg
from loansvc.training.validation.calibration import FEWEST_BAD
from loansvc.training.validation.estimate import ALPHA, LEVEL, NOT_ENOUGH, SURE
from loansvc.training.validation.findings import GRAVE, LOOK, Finding, Parts, grouped


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many findings and checks, and the sentence that says so."""

    n_grave: int
    n_look: int
    n_checks: int  # that gave an answer
    n_unanswered: int  # that had not enough data
    en: str
    zh: str


def verdict(parts: Parts, found: Sequence[Finding]) -> Verdict:
    """How many findings, and how many checks stand behind them."""
    verdicts = list(_verdicts(parts))
    unanswered = sum(v == NOT_ENOUGH for v in verdicts)
    asked, about = len(verdicts) - unanswered, parts["about"]
    grave, look = (sum(f.gravity == g for f in found) for g in (GRAVE, LOOK))
    base_en = (
        f"{asked} checks on {about.n_known:,} known outcomes, {about.n_bad:,} of them bad; "
        f"{unanswered} more had not enough data."
    )
    base_zh = (
        f"共{asked}项检查，已知结果{about.n_known:,}笔，其中坏账{about.n_bad:,}笔；"
        f"另有{unanswered}项数据不足。"
    )
    if grave:
        en, zh = (
            f"Not to be used before {grave} grave finding{_s(grave)} {_are(grave)} answered; "
            f"{look} more to look at.",
            f"有{grave}项严重发现，答复之前不得使用；另有{look}项需要查看。",
        )
    elif look:
        en, zh = f"No grave finding; {look} to look at.", f"无严重发现；有{look}项需要查看。"
    else:
        en, zh = (
            "Nothing found against the card, which is no proof that it is right.",
            ("未发现不利证据，但这并不证明评分卡正确。"),
        )
    return Verdict(grave, look, asked, unanswered, f"{en} {base_en}", f"{zh}{base_zh}")


def _verdicts(parts: Parts) -> Iterator[str]:
    """What each check said."""
    for name in ("discrimination", "calibration"):
        yield NOT_ENOUGH if parts[name] is None else "answered"
    listed = [parts["grades"], *(g.segments for g in grouped(parts))]
    if parts["out_of_time"] is not None:
        listed.append(parts["out_of_time"].periods)
    for group in listed:
        yield from (s.verdict for s in group if s.n)
    if parts["stability"] is not None:
        yield parts["stability"].score.verdict
        yield from (s.verdict for s in parts["stability"].characteristics)
    yield from (d.verdict for d in parts["monotonicity"])
    yield from (s.verdict for s in parts["protected"].swaps)
    for field in parts["protected"].fields:
        for level in field.levels:
            if level.ratio_verdict != fair.REFERENCE:
                yield from (level.ratio_verdict, level.gap_verdict)


def method() -> dict[str, Any]:
    """The rules by which verdicts were given, to be read beside them."""
    return {
        "fewest_bad_expected_of_a_part": seg.FEWEST_BAD,
        "fewest_bad_of_the_sample": FEWEST_BAD,
        "fewest_cases_of_a_level": fair.FEWEST_CASES,
        "fewest_cases_of_a_part": seg.FEWEST_CASES,
        "fewest_cases_of_a_psi": stability.FEWEST_CASES,
        "fewest_cases_shown": sample.FEWEST_SHOWN,
        "four_fifths": fair.FOUR_FIFTHS,
        "intervals": LEVEL,
        "psi_critical": "chi-square(bins - 1) x (1/n + 1/m), 5 % for all rows of a table together",
        "psi_rare_bins": "fewer than 5 expected cases: counted as one",
        "psi_smoothing_cases": SMOOTHING,
        "verdicts": f"{round(ALPHA, 2)} for all parts of a table together (Bonferroni); "
        f"{SURE} for one test of the whole sample",
    }


def _s(n: int) -> str:
    return "" if n == 1 else "s"


def _are(n: int) -> str:
    return "is" if n == 1 else "are"
