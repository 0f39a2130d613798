"""Intake: what is wrong, or looks wrong, with a table before anything is trained on it.

`inspect` tells everything it finds at once. An error stops the training, a warning does not. Each
finding names the column and says what to do. What looks like the outcome in disguise is told, but
kept: whether a column was known on the day of application, no program can know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loansvc.training.edges import edges_of
from loansvc.training.inputs import FEW_ROWS, LEAST_PRINTED, Said, check_known, is_word
from loansvc.training.table import UnfitTable, kind_of, numbers, words
from loansvc.training.woe import information_value

FEW_BADS = 50  # below, the interval of an AUC is wider than the gap between any two models
TOO_FEW_BADS = 10  # below, every bin of a card is a story about one or two people
LEAK_AUC = 0.85  # of one characteristic alone; bureau scores reach about 0.75 to 0.8
STRONG_IV = 0.5  # the customary mark of "suspiciously strong" (Siddiqi 2006)
LEAK_IV = 1.5  # three times that: no honest column of eleven public tables but one reaches it
LEAK_BINS, LEAK_LEAST = 10, 30  # coarse, so that chance alone does not look like knowledge
ID_SHARE, ID_LEAST = 0.9, 20  # of different words among the known; fewer rows tell nothing
RARE_SHARE = 0.5  # of the rows in words that fewer than LEAST_PRINTED have: names, not levels
PERSONAL_SHARE = 0.5  # of texts that look like the number of a person or a phone
LOOKS_PERSONAL = re.compile(r"\d{17}[\dXx]|1[3-9]\d{9}")  # GB 11643; mobile numbers
SHOWN = 5  # values named in a finding
CODES = (*range(-9, 0), -99, -999, -9999, 9, 98, 99, 998, 999, 9998, 9999, 99999, 999999)
CODE_LEAST, CODE_Z = 30, 3.0  # cases of a code, and standard errors its bad rate lies off the rest
CODE_RANGE = 5  # different other values, so that there is a range to stand apart from
CODE_GAP = 0.5  # of the range of all other values, between them and a code
LOOKS_LIKE_AN_AMOUNT = re.compile(r"[¥￥$€]?\s?[+-]?[\d,]+(\.\d+)?\s?[%元]?")
FIRST_DAY, LAST_DAY = 19000101, 21001231  # whole numbers that may be days
LOOKS_LIKE_A_DAY = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ].*)?")


class TableWarning(UserWarning):
    """A finding that does not stop a training."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. `drop`: the column says nothing, so the card leaves it out."""

    level: Literal["error", "warning", "note"]
    column: str
    text: str
    drop: bool = False


class Findings(list[Finding]):
    """What was found, errors first."""

    @property
    def errors(self) -> list[Finding]:
        """Those that stop a training."""
        return [f for f in self if f.level == "error"]

    @property
    def dropped(self) -> list[str]:
        """Columns that the card leaves out."""
        return [f.column for f in self if f.drop]

    def check(self) -> None:
        """Go on only without errors.

        Raises:
            UnfitTable: a ValueError, with the text of every error.
        """
        if self.errors:
            raise UnfitTable(" ".join(f.text for f in self.errors))


def inspect(
    frame: pd.DataFrame,
    target: str,
    *,
    exclude: Sequence[str] = (),
    monotone: Any = None,
    special_codes: Any = None,
    categorical: Any = None,
    orders: Any = None,
) -> Findings:
    """Everything found in a table with its target, errors first.

    >>> table = pd.DataFrame({"age": [20, 30], "bad": [0, 2]})
    >>> print(inspect(table, "bad")[0].text)
    Target bad must be 0 (good) or 1 (bad), but holds 0, 2. Make it so.
    """
    names = [str(c) for c in frame.columns]
    found = [*_duplicates(names)]
    if target not in names:
        found.append(Finding("error", target, _unknown(target, names, "target")))
    for name in exclude:
        if name not in names or name == target:
            found.append(Finding("error", name, _unknown(name, names, "exclude")))
    if found:
        return Findings(found)
    found += _of_target(frame[target], target)
    rest = frame.drop(columns=[target, *exclude])
    try:
        said = Said.of(
            [str(c) for c in rest.columns], monotone=monotone, special_codes=special_codes,
            categorical=categorical, orders=orders,
        )  # fmt: skip
    except UnfitTable as error:
        return Findings([*found, Finding("error", "", error.detail)])
    if any(f.level == "error" for f in found):
        return _sorted([*found, *of_columns(rest, said)])
    is_bad = frame[target].to_numpy(dtype=np.float64) == 1
    return _sorted([*found, *of_bads(is_bad), *of_features(rest, is_bad, said)])


def of_features(frame: pd.DataFrame, is_bad: NDArray[np.bool_], said: Said) -> Findings:
    """What is found in the characteristics, without and with the outcome."""
    found = of_columns(frame, said)
    if found.errors:
        return found
    told = set(found.dropped)
    for name in frame.columns:
        if name not in told:
            found += _of_outcome(frame[name], is_bad, said)
    return _sorted(found)


def of_columns(frame: pd.DataFrame, said: Said) -> Findings:
    """What is found in the characteristics themselves."""
    found = [*_duplicates([str(c) for c in frame.columns])]
    if not found:
        found += [f for name in frame.columns for f in _of_column(frame[name], said)]
        told = {f.column for f in found}
        found += _twins(frame[[name for name in frame.columns if name not in told]])
    if not any(f.level == "error" for f in found):
        left = set(frame.columns) - {f.column for f in found if f.drop}
        if not left and len(frame):
            found.append(
                Finding("error", "", "No column is left to train on. Add one that varies.")
            )
    return _sorted(found)


def _sorted(found: Iterable[Finding]) -> Findings:
    return Findings(sorted(found, key=lambda f: f.level))


def _unknown(name: str, names: Sequence[str], word: str) -> str:
    try:
        check_known([name], names, word)
    except UnfitTable as error:
        return error.detail
    return f"{word}: {name} is the target itself. Leave it out of the list."


def _duplicates(names: Sequence[str]) -> Iterator[Finding]:
    for name in dict.fromkeys(n for n in names if names.count(n) > 1):
        text = f"Column {name} is there {names.count(name)} times. Rename or remove the others."
        yield Finding("error", name, text)


# --- the target ---------------------------------------------------------------------------------


def _of_target(values: pd.Series[Any], name: str) -> Iterator[Finding]:
    n_missing = int(values.isna().sum())
    if n_missing:
        yield Finding(
            "error", name,
            f"Target {name} is missing in {n_missing:,} of {len(values):,} rows. "
            "Leave out cases whose outcome is not known.",
        )  # fmt: skip
    levels = values.dropna().unique().tolist()
    if any(v not in (0, 1) for v in levels):
        shown = f"{len(levels):,} values"  # which may be amounts, or persons
        if len(levels) <= SHOWN:
            shown = ", ".join(map(str, sorted(levels, key=str)))
        yield Finding(
            "error", name,
            f"Target {name} must be 0 (good) or 1 (bad), but holds {shown}. Make it so.",
        )  # fmt: skip
    elif len(levels) < 2:
        only = f"is {levels[0]:g} in every row" if levels else "holds nothing"
        yield Finding(
            "error", name, f"Target {name} {only}: one class only. Add cases of the other."
        )


def of_bads(is_bad: NDArray[np.bool_]) -> Iterator[Finding]:
    """Whether bad cases are few."""
    n_bad = int(is_bad.sum())
    if n_bad < TOO_FEW_BADS:
        text = f"Only {n_bad} bad cases: no card can be trained on fewer than {TOO_FEW_BADS}."
        yield Finding("error", "", text + " Wait until more outcomes are known.")
    elif n_bad < FEW_BADS:
        text = (
            f"Only {n_bad} bad cases: with fewer than {FEW_BADS}, figures of the card mean little."
        )
        yield Finding("warning", "", text + " Say so to whoever uses it.")


# --- a characteristic by itself -----------------------------------------------------------------


def _of_column(values: pd.Series[Any], said: Said) -> Iterator[Finding]:
    name, known = str(values.name), values.dropna()
    kind = kind_of(values)
    if known.empty:
        text = f"Column {name} is never known; it is left out."
        yield Finding("warning", name, text, drop=True)
    elif kind == "date" or _holds_days(known, kind):
        text = f"Column {name} holds dates. Give a number instead, such as months until a day."
        yield Finding("error", name, text)
    elif kind == "mixed" or (kind == "word" and _half_numbers(known, said)):
        text = f"Column {name} holds both numbers and text. Make it all numbers, or all text"
        yield Finding("error", name, f"{text} (categorical, if the numbers are names).")
    elif kind == "number" and np.isinf(_floats(known)).any():
        row = int(np.flatnonzero(np.isinf(_floats(values)))[0]) + 1
        text = f"Column {name} is infinite in row {row}. Replace it by the value meant, or leave it"
        yield Finding("error", name, f"{text} empty if it is not known.")
    elif _is_personal(known):
        text = f"Column {name} holds numbers of persons or phones. Leave it out of the table."
        yield Finding("error", name, text)
    elif kind == "word" and _are_amounts(known, said):
        text = f"Column {name} looks like numbers written with signs, such as 1,234 or 12 %."
        yield Finding("error", name, f"{text} Give plain numbers.")
    elif known.nunique() == 1 and len(known) == len(values):
        text = f"Column {name} is the same in every row; it is left out."
        yield Finding("warning", name, text, drop=True)
    else:
        yield from _like_an_id(values, known, said)


def _floats(values: pd.Series[Any]) -> NDArray[np.float64]:
    return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))


def _holds_days(known: pd.Series[Any], kind: str) -> bool:
    if kind == "number":
        found = _floats(known)
        if not ((found >= FIRST_DAY) & (found <= LAST_DAY)).all() or (found % 1 != 0).any():
            return False
        months, days = found // 100 % 100, found % 100
        return bool(((months >= 1) & (months <= 12) & (days >= 1) & (days <= 31)).all())
    shown = [str(v) for v in known.head(100).tolist()]
    return kind == "word" and all(LOOKS_LIKE_A_DAY.fullmatch(v) for v in shown)


def _are_amounts(known: pd.Series[Any], said: Said) -> bool:
    """Whether every text is a number with a sign, and at least one is no plain number."""
    if known.name in said.categorical or known.name in said.orders:
        return False
    levels = pd.Series(known.astype(str).unique())
    is_amount = levels.str.fullmatch(LOOKS_LIKE_AN_AMOUNT).all()
    return bool(is_amount and levels.str.contains(r"[¥￥$€,%元]").any())


def _is_personal(known: pd.Series[Any]) -> bool:
    shown = pd.Series(words(known), dtype=str)
    return bool(shown.str.fullmatch(LOOKS_PERSONAL).mean() >= PERSONAL_SHARE)


def _half_numbers(known: pd.Series[Any], said: Said) -> bool:
    """Whether most of the different texts are numbers, and some are not."""
    if known.name in said.categorical or known.name in said.orders:
        return False
    levels = pd.Series(known.astype(str).unique())
    share = float(pd.to_numeric(levels, errors="coerce").notna().mean())
    return 0.5 < share < 1.0 and len(levels) >= SHOWN


def _like_an_id(values: pd.Series[Any], known: pd.Series[Any], said: Said) -> Iterator[Finding]:
    name, n, n_different = str(values.name), len(known), int(known.nunique())
    if n < ID_LEAST:
        return
    if is_word(values, said) and (n_different > ID_SHARE * n or _mostly_rare(known)):
        yield Finding(
            "warning", name,
            f"Column {name} has {n_different:,} different words in {n:,} rows, like a name or a "
            "number of a case; it is left out.",
            drop=True,
        )  # fmt: skip
    elif not is_word(values, said) and n_different == n == len(values):
        steps = np.diff(_floats(values))
        if (steps == 1).all():
            text = f"Column {name} counts the rows; it is left out."
            yield Finding("warning", name, text, drop=True)


def _mostly_rare(known: pd.Series[Any]) -> bool:
    """Whether most rows hold a word that hardly anybody else has."""
    if len(known) < FEW_ROWS:
        return False
    counts = known.value_counts()
    return bool(counts[counts < LEAST_PRINTED].sum() > RARE_SHARE * len(known))


def _twins(frame: pd.DataFrame) -> Iterator[Finding]:
    first: dict[int, str] = {}
    for name in frame.columns:
        key = hash(pd.util.hash_pandas_object(frame[name], index=False).to_numpy().tobytes())
        other = first.setdefault(key, name)
        if other != name and frame[name].equals(frame[other].rename(name)):
            text = f"Columns {other} and {name} are the same in every row. Exclude one of them."
            yield Finding("warning", name, text)


# --- a characteristic with the outcome ----------------------------------------------------------


def _of_outcome(values: pd.Series[Any], is_bad: NDArray[np.bool_], said: Said) -> Iterator[Finding]:
    name = str(values.name)
    n, n_bad = _coarse(values, is_bad, said)
    if min(is_bad.sum(), (~is_bad).sum()) >= TOO_FEW_BADS and len(n) > 1:
        auc, value = _auc(n, n_bad), _value_beyond_chance(n, n_bad)
        if auc > LEAK_AUC or value > STRONG_IV:
            is_leak = auc > LEAK_AUC or value > LEAK_IV
            word = "suspected leak" if is_leak else "suspiciously strong"
            yield Finding(
                "warning", name,
                f"Column {name} alone tells bad from good with AUC {auc:.2f} and information value "
                f"{value:.2f}: {word}. If it is not known on the day of application, or is "
                f"rewritten afterwards, leave it out (on the command line: --exclude {name}).",
            )  # fmt: skip
    if not is_word(values, said) and name not in said.special_codes:
        yield from _codes(numbers(values), is_bad, name)


def _coarse(
    values: pd.Series[Any], is_bad: NDArray[np.bool_], said: Said
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cases and bad cases in a few bins, "not known" and each special code by itself."""
    if is_word(values, said):
        at, _ = pd.factorize(pd.Series(words(values), dtype=object))
    else:
        found, codes = numbers(values), said.special_codes.get(str(values.name), ())
        known = found[~np.isnan(found) & ~np.isin(found, codes)]
        edges = edges_of(known, most=LEAK_BINS) if len(known) else ()
        at = np.searchsorted(np.array(edges, dtype=np.float64), found, side="right")
        for place, code in enumerate(codes):
            at[found == code] = len(edges) + 1 + place
        at[np.isnan(found)] = -1
    n = np.bincount(at + 1).astype(np.float64)
    n_bad = np.bincount((at + 1)[is_bad], minlength=len(n)).astype(np.float64)
    thin = n < LEAK_LEAST
    parts = [(x[~thin], [x[thin].sum()] if thin.any() else []) for x in (n, n_bad)]
    n, n_bad = (np.concatenate(p) for p in parts)
    return n[n > 0], n_bad[n > 0]


def _auc(n: NDArray[np.float64], n_bad: NDArray[np.float64]) -> float:
    """Of the bins in order of their bad rate, so whatever the shape: from 0.5 to 1."""
    order = np.argsort(n_bad / n)
    bad, good = n_bad[order], (n - n_bad)[order]
    below = np.cumsum(good) - good / 2
    return float(bad @ below / (bad.sum() * good.sum()))


def _value_beyond_chance(n: NDArray[np.float64], n_bad: NDArray[np.float64]) -> float:
    """The information value less what as many bins would show by chance alone."""
    chance = (len(n) - 1) * (1 / n_bad.sum() + 1 / (n - n_bad).sum())
    return max(0.0, information_value(n, n_bad) - float(chance))


def _codes(found: NDArray[np.float64], is_bad: NDArray[np.bool_], name: str) -> Iterator[Finding]:
    known = found[~np.isnan(found)]
    held = [c for c in CODES if (known == c).any()]
    rest = known[~np.isin(known, held)]
    if len(np.unique(rest)) < CODE_RANGE:
        return
    low, high = float(rest.min()), float(rest.max())
    gap = CODE_GAP * (high - low)
    apart = [c for c in held if (c < 0 <= low) or c > high + gap or c < low - gap]
    told = [c for c in apart if _differs(found == c, is_bad, np.isin(found, rest))]
    if told:
        listed = ",".join(map(str, sorted(told)))
        text = f"Column {name} holds {listed} apart from its other values, with another bad rate."
        yield Finding("warning", name, f"{text} If it is a code, say so: --special {name}={listed}")


def _differs(here: NDArray[np.bool_], is_bad: NDArray[np.bool_], rest: NDArray[np.bool_]) -> bool:
    n, m = int(here.sum()), int(rest.sum())
    if n < CODE_LEAST or m < CODE_LEAST:
        return False
    rate = float(is_bad[here | rest].mean())
    error = np.sqrt(max(rate * (1 - rate), 1e-9) * (1 / n + 1 / m))
    return bool(abs(is_bad[here].mean() - is_bad[rest].mean()) > CODE_Z * error)
