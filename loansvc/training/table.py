"""Table: one row a case, whatever it came as: pandas, polars, a parquet or a CSV file.

From here on it is a pandas frame whose columns are of two kinds: numbers (float64, NaN for not
known) and words (text, None for not known). True and false are the numbers 1 and 0.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loansvc.errors import TableRefused
from loansvc.files import write_whole

NO_NUMBER = ("NA", "N/A", "NaN", "nan", "null", "NULL", "None")  # beside numbers: not known
LEADING_ZERO = r"[+-]?0[0-9]"  # a code such as 007, not a number
SUFFIXES = (".parquet", ".csv")
KINDS_OF_NUMBERS = ("integer", "floating", "mixed-integer-float", "boolean", "decimal", "empty")
KINDS_OF_DATES = ("date", "datetime", "datetime64", "time", "timedelta", "timedelta64", "period")


class UnfitTable(TableRefused, ValueError):
    """A table refused inside an estimator, where scikit-learn expects a ValueError."""


class UnfitValue(TableRefused, TypeError):
    """A value that is neither number nor text, where scikit-learn expects a TypeError."""


def read_table(path: Path, *, text: Collection[str] = ()) -> pd.DataFrame:
    """The table in a parquet or CSV file (UTF-8, first line the names).

    In a CSV nothing but an empty field is not known. A column is one of numbers if all that is
    known in it is a number, "NA" and its like aside, and none is written with a leading zero; a
    column named in `text` never is, so that a card's words stay words in every file.

    Raises:
        TableRefused: another format, no such file, or one that cannot be read.
    """
    check_suffix(path)
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        names = pd.read_csv(path, header=None, nrows=1, dtype=str, encoding="utf-8-sig")
        twice = names.iloc[0][names.iloc[0].duplicated()].tolist()
        if twice:  # pandas would rename the second one
            raise TableRefused(f"{path.name}: names column {twice[0]} twice. Rename one of them.")
        frame = pd.read_csv(
            path, encoding="utf-8-sig", dtype=str, keep_default_na=False, na_values=[""]
        )
        typed = {c: _typed(frame[c]) for c in frame.columns if c not in text}
        return frame.assign(**typed)
    except TableRefused:
        raise
    except FileNotFoundError:
        raise TableRefused(f"{path.name}: there is no such file.") from None
    except UnicodeDecodeError:
        raise TableRefused(f"{path.name}: is not UTF-8. Save it again as CSV UTF-8.") from None
    except (OSError, ValueError) as error:  # of pyarrow and of pandas' parser
        raise TableRefused(f"{path.name}: cannot be read as a table: {error}") from None


def _typed(values: pd.Series[Any]) -> pd.Series[Any]:
    """As numbers, or true and false, where all of it is that."""
    known = values[values.notna() & ~values.isin(NO_NUMBER)]
    if known.empty:
        return values
    if known.isin(("True", "False", "true", "false")).all():
        return values.str.lower().map({"true": 1.0, "false": 0.0})
    if known.str.match(LEADING_ZERO).any():
        return values
    found = pd.to_numeric(values.where(~values.isin(NO_NUMBER)), errors="coerce")
    return found if found[known.index].notna().all() else values


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as parquet or CSV, by the ending of its name; all of it or nothing.

    Raises:
        TableRefused: another ending.
    """
    check_suffix(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = BytesIO()
    if path.suffix == ".parquet":
        frame.to_parquet(data, index=False)
    else:
        frame.to_csv(data, index=False)
    write_whole(path, data.getvalue(), part_folder=path.parent)


def check_suffix(path: Path) -> None:
    """Refuse a name that ends in neither .parquet nor .csv.

    Raises:
        TableRefused: it does.
    """
    if path.suffix not in SUFFIXES:
        raise TableRefused(f"{path.name}: must end in .parquet or .csv.")


def as_frame(table: Any, names: Sequence[str] | None = None) -> pd.DataFrame:
    """A pandas frame of a pandas or polars frame, or of a matrix with these column names.

    >>> as_frame(np.array([[1.0, 2.0]])).columns.tolist()
    ['x0', 'x1']
    """
    if isinstance(table, pd.DataFrame):
        return table
    if hasattr(table, "to_pandas"):  # polars, pyarrow
        return pd.DataFrame(table.to_pandas())
    matrix = np.asarray(table)
    return pd.DataFrame(matrix, columns=list(names or (f"x{i}" for i in range(matrix.shape[1]))))


def kind_of(values: pd.Series[Any]) -> str:
    """What a column holds: number (true and false are), word, date, or mixed.

    >>> [kind_of(pd.Series(v, dtype=object)) for v in ([1, None], ["a", None], [1, "a"])]
    ['number', 'word', 'mixed']

    Raises:
        UnfitValue: it holds something that is neither number nor text.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        return "word"
    if pd.api.types.is_complex_dtype(values.dtype):
        raise UnfitTable(f"Column {values.name}: Complex data not supported. Give real numbers.")
    if pd.api.types.is_numeric_dtype(values.dtype):
        return "number"
    found = pd.api.types.infer_dtype(values, skipna=True)
    if found in KINDS_OF_NUMBERS:
        return "number"
    if found in KINDS_OF_DATES:
        return "date"
    if found == "string":
        return "word"
    for value in values.tolist():
        if not isinstance(value, str | bytes | int | float | np.generic | None) and (
            value is not pd.NA
        ):
            raise UnfitValue(
                f"Column {values.name}: argument must be a string or a real number, "
                f"not {type(value).__name__}. Give one number or one word a cell."
            )
    return "mixed"


def numbers(values: pd.Series[Any]) -> NDArray[np.float64]:
    """The column as float64, NaN for not known.

    Raises:
        TableRefused: a value that is no number, or infinite; names the column and the row.
    """
    try:
        found = values.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        found = np.array([_number(v, str(values.name)) for v in values.tolist()], dtype=np.float64)
    if np.isinf(found).any():
        row = int(np.flatnonzero(np.isinf(found))[0])
        raise UnfitTable(
            f"Column {values.name} is infinite in row {row + 1}. Replace it by the value meant, "
            "or leave it empty if it is not known."
        )
    return found


def _number(value: Any, name: str) -> float:
    if value is None or value is pd.NA or value is pd.NaT:
        return np.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UnfitTable(
            f"Column {name} holds text where numbers are expected. "
            "Make it all numbers, or all text."
        ) from None


def words(values: pd.Series[Any]) -> list[str | None]:
    """The column as texts, None for not known; whole numbers without a decimal point.

    >>> words(pd.Series(["a", None, 3.0, 2.5], dtype=object))
    ['a', None, '3', '2.5']
    """
    return [_word(v) for v in values.astype(object).tolist()]


def _word(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if value is None or value is pd.NA or value is pd.NaT or value != value:  # noqa: PLR0124 -- NaN alone is not itself
        return None
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)
