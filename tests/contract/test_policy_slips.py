"""What people write wrong in a policy is refused with the line and with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from loansvc.errors import EditionRefused
from loansvc.registry import read_document
from tests.contract.test_policy_refusals import AGE, NEXT, changed, first

# --- what is no TOML ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "remedy"),
    [
        pytest.param(changed("base_yuan = 50_000", "base_yuan = 50 000"), None,
                     "A number has no spaces: write 350_000.", id="a number cut"),
        pytest.param("a = 350,000\n", 1, "A number has no commas: write 350_000.", id="a comma"),
        pytest.param("a = 1\nb = { c = 1，350，000 }\n", 2,
                     "A number has no commas: write 1_350_000.", id="full-width commas"),
        pytest.param("a = “text”\n", 1, "Quotation marks in TOML are straight", id="curly quotes"),
        pytest.param('a = ["x"，"y"]\n', 1, "full-width sign: write ,.",
                     id="a full-width comma"),
        pytest.param("a＝1\n", 1, "is a full-width sign: write =.", id="a full-width equals sign"),
        pytest.param("[[rule]]\na = 1\n[rule]\nb = 1\n", 3,
                     "There are several: write [[rule]] in place of [rule].", id="single brackets"),
        pytest.param("[rule]\na = 1\n\n[[rule]]\nb = 1\n", 4,
                     "Write [[rule]] in place of [rule] in line 1.", id="single brackets before"),
        pytest.param("[price]\na = 1\n[price]\nb = 1\n", 3, "[price] stands twice",
                     id="a table twice"),
        pytest.param("kind = policy\n", 1, "Put a text in quotation marks", id="no quotes"),
        pytest.param('kind = "policy"\nkind = "policy"\n', 2, "kind stands twice in this table",
                     id="a key twice"),
        pytest.param("a = 2026/9/1\n", 1, "Write a day as 2026-09-01", id="a day with slashes"),
        pytest.param("a = 2026-11-31\n", 1, "There is no such day.", id="no such day"),
        pytest.param("a = True\n", 1, "Write true and false in small letters.", id="True"),
        pytest.param("a = 0055\n", 1, "Correct it there.", id="what nobody foresaw"),
        pytest.param("a = 55%\n", 1, "Write the number alone, without %.", id="a percentage"),
        pytest.param("a: 1\n", 1, "Write = in place of the colon.", id="a colon"),
        pytest.param("a = [1, 2\nb = 3\n", 2, "or a bracket is not closed.", id="an open bracket"),
        pytest.param('a = "x\nb = 3\n', 1, "The text is not closed", id="an open text"),
    ],
)  # fmt: skip
def test_what_is_no_toml_is_refused_with_file_line_and_remedy(
    tmp_path: Path, text: str, line: int | None, remedy: str
) -> None:
    (tmp_path / "next.toml").write_text(text, "utf-8")
    line = line or text[: text.index("50 000")].count("\n") + 1
    with pytest.raises(EditionRefused) as refused:
        read_document(tmp_path / "next.toml")
    says = str(refused.value)
    assert says.startswith("next.toml: is not TOML: ")
    assert f"line {line}," in says
    assert remedy in says
    assert says.endswith(".")


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16"])
def test_another_encoding_is_named_with_the_way_out(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "next.toml").write_text(NEXT, encoding)
    with pytest.raises(EditionRefused) as refused:
        read_document(tmp_path / "next.toml")
    assert str(refused.value) == (
        f"next.toml: is not UTF-8; it looks like {encoding.upper()}. Save it as UTF-8 (in Notepad: "
        f"Save as, Encoding UTF-8), or run: iconv -f {encoding.upper()} -t UTF-8 FILE > FILE.utf8"
    )


def test_bytes_of_no_encoding_are_refused(tmp_path: Path) -> None:
    (tmp_path / "next.toml").write_bytes(b"kind = \xff\xff\xff")
    with pytest.raises(EditionRefused, match="is neither UTF-8 nor GB18030"):
        read_document(tmp_path / "next.toml")


def test_the_mark_that_windows_writes_before_a_text_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "next.toml").write_text(NEXT, "utf-8-sig")
    assert read_document(tmp_path / "next.toml")[0].product == "credit_loan"


def test_windows_ends_of_lines_are_no_fault(tmp_path: Path) -> None:
    (tmp_path / "next.toml").write_bytes(NEXT.replace("\n", "\r\n").encode())
    assert read_document(tmp_path / "next.toml")[0].product == "credit_loan"


def test_a_file_that_is_no_edition_is_refused_by_its_ending(tmp_path: Path) -> None:
    (tmp_path / "next.md").write_text(NEXT, "utf-8")
    with pytest.raises(EditionRefused, match=r"is no edition\. Policies and standards are \.toml"):
        read_document(tmp_path / "next.md")


# --- what a key should have been ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(first("otherwise", "otherwize"),
                     "E01.otherwise: is missing; write it in place of otherwize.", id="misspelt"),
        pytest.param(changed("at_least = 18", 'at_least = "18"'),
                     "to 1000000000000, without quotation marks: write 18.", id="in quotes"),
        pytest.param(changed("base_yuan = 50_000", 'base_yuan = "50,000"'),
                     "without quotation marks: write 50000.", id="in quotes with a comma"),
        pytest.param(changed("at_least = 18", "at_least = 18.0"),
                     "without a decimal point: write 18.", id="with a decimal point"),
        pytest.param(changed("at_least = 18", 'at_least = "x"'), "to 1000000000000.", id="a word"),
    ],
)  # fmt: skip
def test_a_slip_is_refused_with_what_was_meant(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "next.toml").write_text(text, "utf-8")
    with pytest.raises(EditionRefused) as refused:
        read_document(tmp_path / "next.toml")
    assert str(refused.value).endswith(says)


# --- examples -----------------------------------------------------------------------------------

AN_EXAMPLE = """
[[example]]
says = "An adult"
given = { age_years = 18 }
expect = { outcome = "approve" }

[[example]]
says = "A child"
given = { age_years = 17 }
expect = { outcome = "approve", tier = "G3", rate_bp = 385 }
"""
OLDER = changed("at_least = 18", "at_least = 21")


def test_every_example_that_fails_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "next.toml").write_text(OLDER + AN_EXAMPLE, "utf-8")
    with pytest.raises(EditionRefused) as refused:
        read_document(tmp_path / "next.toml")
    line = (OLDER + AN_EXAMPLE).splitlines().index('expect = { outcome = "approve" }') + 1
    correct = "correct the clause, or the example if the new answer is meant."
    assert list(refused.value.faults) == [
        f"next.toml, line {line}, example[1].expect.outcome: is approve, but the policy gives "
        f"decline (An adult); {correct}",
        f"next.toml, line {line + 5}, example[2].expect.outcome: is approve, but the policy gives "
        f"decline; tier is G3, but the policy gives G1 (A child); {correct}",
    ]
    assert str(refused.value) == " ".join(refused.value.faults)


def test_an_example_that_holds_on_another_day_says_which(tmp_path: Path) -> None:
    """A policy may begin in the middle of what its examples speak of."""
    keyed = 'keyed_on = "applied_on"\nuntil = 2026-09-30\n'
    text = changed(f"{AGE}\n", f"{AGE}\n{keyed}") + (
        '\n[[example]]\nsays = "After it"\ngiven = { age_years = 17 }\n'
        'expect = { outcome = "approve" }\n'
    )
    (tmp_path / "next.toml").write_text(text, "utf-8")
    with pytest.raises(EditionRefused) as refused:
        read_document(tmp_path / "next.toml")
    assert str(refused.value).endswith(
        "(After it); it holds on 2026-10-01, and a day that an example does not state is the "
        "policy's first, 2026-09-01: state applied_on or loan_start or guarantee_start in it, or "
        "correct valid_from."
    )
