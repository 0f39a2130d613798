"""A CSV reads the same whatever else stands in it, and says what cannot be read."""

from pathlib import Path

import pandas as pd
import pytest

from loansvc.training.table import kind_of, read_table


def read(folder: Path, *values: str, text: tuple[str, ...] = ()) -> pd.Series:
    path = folder / "t.csv"
    path.write_text("c,n\n" + "".join(f"{v},1\n" for v in values), encoding="utf-8")
    return read_table(path, text=text)["c"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(["1", "2.5", ""], [1.0, 2.5, None], id="numbers"),
        pytest.param(["1", "NA", "null"], [1.0, None, None], id="not known, as R writes it"),
        pytest.param(["01", "02"], ["01", "02"], id="codes keep their zeros"),
        pytest.param(["0", "0.5", "-0.25"], [0.0, 0.5, -0.25], id="a zero before the point"),
        pytest.param(["None", "NA", ""], ["None", "NA", None], id="words, if no number is there"),
        pytest.param(["a", "NA"], ["a", "NA"], id="a word among words"),
        pytest.param(["True", "false"], [1.0, 0.0], id="yes and no"),
    ],
)
def test_a_column_is_what_all_of_it_is(tmp_path: Path, values: list, expected: list) -> None:
    found = read(tmp_path, *values)
    assert [None if pd.isna(v) else v for v in found] == expected


def test_words_of_a_card_stay_words_in_a_file_of_numbers(tmp_path: Path) -> None:
    """Else a row's score would hang on the other rows of its file."""
    assert kind_of(read(tmp_path, "1", "2")) == "number"
    assert read(tmp_path, "1", "2", text=("c",)).tolist() == ["1", "2"]
