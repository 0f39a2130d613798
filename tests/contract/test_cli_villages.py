"""`loansvc villages rate`: evidence in, ratings out; a file with a fault is refused whole."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from loansvc.editions import Reader, read_head, to_text
from loansvc.registry.publishing import publish
from loansvc.villages.document import read_register
from tests.shell import run
from tests.small import FIRST_DAY, QIFANG, RATES, REGISTER, SHIQIAO, WANGTAN, publish_text

STANDARD = Path(__file__).parents[2] / "models" / "standards" / "village_rating" / "2026-07-01.toml"
COLUMNS = (
    "code", "households_total", "households_rated", "households_a_plus", "borrowers",
    "borrowers_overdue", "balance_yuan", "npl_balance_yuan", "as_of",
)  # fmt: skip
GOOD = dict(
    zip(COLUMNS, (WANGTAN, 1210, 1117, 905, 72, 1, 5220000, 10000, "2026-06-30"), strict=True)
)
BINDS = {**GOOD, "code": QIFANG, "households_a_plus": 740, "borrowers_overdue": 4}
UNKNOWN = {**GOOD, "code": SHIQIAO, "npl_balance_yuan": ""}
ON = ("--on", "2026-11-23")


def csv_of(*rows: dict[str, Any], columns: tuple[str, ...] = COLUMNS) -> str:
    lines = [",".join(columns)] + [",".join(str(row[c]) for c in columns) for row in rows]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    drafts, folder = tmp_path_factory.mktemp("drafts"), tmp_path_factory.mktemp("models")
    for name, document in (("villages", REGISTER), ("rates", RATES)):
        publish_text(folder, drafts / f"{name}.json", to_text(document))
    publish(folder, STANDARD, role="champion", approver="test")
    return folder


class Clerk:
    """Writes a file and runs the command on it."""

    def __init__(
        self, folder: Path, capfd: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
    ) -> None:
        self.file, self.out = folder / "evidence.csv", folder / "part.json"
        self._capfd, self._patch = capfd, patch

    def __call__(self, text: str | bytes, *arguments: str) -> tuple[int, str, str]:
        """Exit status, standard output, standard error."""
        self.file.write_bytes(text.encode() if isinstance(text, str) else text)
        return run(self._capfd, self._patch, "villages", "rate", self.file, *ON, *arguments)

    def refused(self, text: str | bytes, *arguments: str) -> list[str]:
        """The faults listed; nothing on standard output, nothing written."""
        status, said, err = self(text, "--out", str(self.out), *arguments)
        assert (status, said) == (1, "")
        assert not self.out.exists()
        *faults, last = err.splitlines()
        assert last.startswith("loansvc: ")
        return faults or [last]


@pytest.fixture
def clerk(
    tmp_path: Path, models: Path, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Clerk:  # fmt: skip
    monkeypatch.setenv("LOANSVC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOANSVC_MODELS", str(models))
    return Clerk(tmp_path, capfd, monkeypatch)


# --- a good file --------------------------------------------------------------------------------


def test_table_names_village_rating_and_what_bound_it(clerk: Clerk) -> None:
    status, said, err = clerk(csv_of(GOOD, BINDS, UNKNOWN))
    assert (status, err) == (0, "")
    lines = said.splitlines()
    assert lines[0] == f"{WANGTAN}  王潭村        AAA      register: AA        meets all criteria"
    assert lines[1] == (
        f"{QIFANG}  七房村        A        register: B         "
        "households A or better 66.24 %, AA asks at least 70 %; "
        "borrowers overdue 5.56 %, AA asks at most 5 %"
    )
    assert (
        lines[2] == f"{SHIQIAO}  石桥村        unrated                      bad balance not known"
    )
    assert lines[-2] == "3 villages: 1 AAA, 1 A, 1 unrated"
    assert lines[-1].startswith("  under  standard 2026-07-01 (")
    assert lines[-1].endswith("7 of its 8 clauses are to be verified")
    assert "An example standard" in said


def test_json_has_every_line_with_its_clause(clerk: Clerk) -> None:
    _, said, _ = clerk(csv_of(BINDS), "--json")
    document = json.loads(said)
    assert (document["on"], document["standard"]["published"]) == ("2026-11-23", True)
    assert document["evidence_sha256"] == hashlib.sha256(clerk.file.read_bytes()).hexdigest()
    (village,) = document["villages"]
    assert (village["rating"], village["registered_rating"]) == ("A", "B")
    assert len(village["lines"]) == 12
    a_plus = next(x for x in village["bound"] if x["measure"] == "a_plus_per_mille")
    assert (a_plus["value"], a_plus["of"], a_plus["at_least"]) == (740, 1117, 700)
    assert (a_plus["result"], a_plus["source_grade"], a_plus["verify"]) == ("not_met", "E", True)
    assert "DOMAIN 2.3" in a_plus["reference"]


def test_out_fits_into_a_register(clerk: Clerk) -> None:
    """Rating, day and evidence of a line are taken over as they are; points are not among them."""
    status, said, _ = clerk(csv_of(GOOD, UNKNOWN), "--out", str(clerk.out))
    assert status == 0
    assert said.splitlines()[-1] == f"{clerk.out}   2 lines for the register"
    text = clerk.out.read_text("utf-8")
    rated, unrated = json.loads(text)["villages"]
    assert unrated == {"code": SHIQIAO, "name": "石桥村", "town": "石桥镇", "rating": "unrated"}
    assert '"assessed_on": "2026-06-30", "code": ' in text  # sorted keys, one village a line
    line = {"points": 0, "credibility_percent": 0} | rated
    register = {**REGISTER, "villages": [line]}
    with Reader(register, file="register.json") as reader:
        head = read_head(reader)
        found = read_register(reader, valid_from=head.valid_from)
    assert (found.villages[WANGTAN].rating, str(head.valid_from)) == ("AAA", FIRST_DAY)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda t: "\ufeff" + t, id="a byte order mark"),
        pytest.param(lambda t: t.replace("\n", "\r\n"), id="lines of Windows"),
        pytest.param(lambda t: t + ",,,,,,,,\n\n", id="empty lines below"),
        pytest.param(lambda t: t.replace(",", " , "), id="spaces around cells"),
        pytest.param(lambda t: t.replace("72", '"72"'), id="quotation marks"),
    ],
)
def test_habits_of_spreadsheets_are_taken(clerk: Clerk, change: Any) -> None:
    status, said, err = clerk(change(csv_of(GOOD)))
    assert (status, err) == (0, "")
    assert said.startswith(f"{WANGTAN}  王潭村        AAA ")


def test_order_of_the_columns_is_free(clerk: Clerk) -> None:
    assert clerk(csv_of(GOOD, columns=COLUMNS[::-1]))[0] == 0


def test_old_evidence_is_told(clerk: Clerk) -> None:
    """24 months and 3 of grace are counted from the day of the evidence."""
    _, said, _ = clerk(csv_of({**GOOD, "as_of": "2024-10-31"}))
    assert "evidence of 2024-10-31 is old: on 2026-11-23 the village counts as AA (grace)" in said


def test_draft_of_a_standard_can_be_tried(clerk: Clerk, tmp_path: Path) -> None:
    """Before it is published; the answer says so."""
    draft = tmp_path / "draft.toml"
    text = STANDARD.read_text("utf-8").replace("{ AAA = 800,", "{ AAA = 900,")
    draft.write_text(text, "utf-8")
    _, said, _ = clerk(csv_of(GOOD), "--standard", str(draft))
    assert "AA       " in said.splitlines()[0]
    assert "a draft that is not published" in said


# --- a bad file ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"code": ""}, "column code: Must be the 12-digit", id="no code"),
        pytest.param({"code": "340521102999"}, "is not in the county's code table", id="unknown"),
        pytest.param(
            {"code": "340521400498"}, "A virtual community has no residents", id="virtual"
        ),
        pytest.param({"code": "340522102200"}, "county code 340521", id="another county"),
        pytest.param({"code": "3.40521E+11"}, "has lost digits", id="a code turned into a number"),
        pytest.param({"borrowers": -72}, "column borrowers: must not be negative", id="negative"),
        pytest.param({"borrowers": "72.5"}, "column borrowers: must be a whole", id="a fraction"),
        pytest.param({"borrowers": "７２"}, "column borrowers: must be a whole", id="full width"),
        pytest.param({"borrowers": "7" * 13}, "column borrowers: must be a whole", id="too large"),
        pytest.param(
            {"households_a_plus": 1118},
            "column households_a_plus: must not be more",
            id="A+ > rated",
        ),
        pytest.param(
            {"households_rated": 1211},
            "column households_rated: must not be more",
            id="rated > all",
        ),
        pytest.param(
            {"borrowers_overdue": 73}, "column borrowers_overdue: must not be more", id="overdue"
        ),
        pytest.param(
            {"npl_balance_yuan": 5220001}, "column npl_balance_yuan: must not be more", id="npl"
        ),
        pytest.param({"as_of": "2026-11-24"}, "must not be after 2026-11-23", id="the future"),
        pytest.param({"as_of": "2026/6/30"}, "must be the day of the evidence", id="no ISO date"),
        pytest.param({"as_of": "2026-06-31"}, "must be the day of the evidence", id="no such day"),
        pytest.param({"as_of": ""}, "must be the day of the evidence", id="no day"),
    ],
)
def test_fault_is_named_with_line_and_column(
    clerk: Clerk, change: dict[str, Any], says: str
) -> None:
    (fault,) = clerk.refused(csv_of(BINDS, {**GOOD, **change}))
    assert fault.startswith("evidence.csv, line 3, column ")
    assert says in fault


def test_all_faults_are_listed_at_once(clerk: Clerk) -> None:
    """And counted in the last line."""
    faults = clerk.refused(
        csv_of({**GOOD, "borrowers": "x", "as_of": "x"}, GOOD, {**BINDS, "balance_yuan": -1})
    )
    assert [f.split(": ")[0] for f in faults] == [
        "evidence.csv, line 2, column borrowers",
        "evidence.csv, line 2, column as_of",
        "evidence.csv, line 3, column code",
        "evidence.csv, line 4, column balance_yuan",
    ]
    assert "stands in line 2 already" in faults[2]


@pytest.mark.parametrize("name", ["conduct_score", "乡风文明得分", "veto_items"])
def test_marks_of_conduct_are_refused_by_name(clerk: Clerk, name: str) -> None:
    row = {**GOOD, name: 1}
    (fault,) = clerk.refused(csv_of(row, columns=(*COLUMNS, name)))
    assert f"column {name}: is a mark of conduct" in fault


def test_unknown_missing_and_doubled_columns_are_named(clerk: Clerk) -> None:
    columns = (*COLUMNS[:-2], "as_of", "as_of", "average_age")
    faults = clerk.refused(csv_of({**GOOD, "average_age": 40}, columns=columns))
    assert [f.removeprefix("evidence.csv, line 1, column ") for f in faults] == [
        "as_of: stands twice. Remove one.",
        "average_age: is not known. Remove it, or correct its name.",
        "npl_balance_yuan: is missing. Add it.",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "is empty. The first line must be: code,", id="empty"),
        pytest.param(csv_of(), "has no row below the first line", id="no rows"),
        pytest.param(csv_of(GOOD).replace(",", ";"), "parted by commas", id="semicolons"),
        pytest.param(csv_of(GOOD).replace(",72,", ",7,2,"), "has 10 cells", id="a cell too many"),
        pytest.param(csv_of(GOOD) + '"', "Check the quotation marks", id="an open quotation"),
        pytest.param("村,".encode("gb18030"), "iconv -f GB18030 -t UTF-8", id="GB18030"),
        pytest.param(b"\xff\xff\xff", "neither UTF-8 nor GB18030", id="no text"),
        pytest.param("x" * 32_000_001, "is larger than 32000000 bytes", id="too large"),
    ],
)
def test_file_that_is_no_evidence_is_refused_with_a_remedy(
    clerk: Clerk, text: str | bytes, says: str
) -> None:
    (fault,) = clerk.refused(text)
    assert says in fault


def test_refusals_do_not_repeat_what_stands_in_a_cell(clerk: Clerk) -> None:
    """Somebody may have put a person's number there."""
    status, _, err = clerk(csv_of({**GOOD, "code": "340521197501010179X"}))
    assert status == 1
    assert "1975" not in err


# --- places and editions ------------------------------------------------------------------------


def test_editions_and_evidence_are_never_written_over(clerk: Clerk, models: Path) -> None:
    for place in (models / "villages" / "2026-07-01.json", clerk.file):
        status, said, err = clerk(csv_of(GOOD), "--out", str(place))
        assert (status, said) == (1, "")
        assert "Choose another place for --out." in err
    assert clerk.file.read_text("utf-8") == csv_of(GOOD)


def test_place_that_cannot_be_written_is_told(clerk: Clerk, tmp_path: Path) -> None:
    status, _, err = clerk(csv_of(GOOD), "--out", str(tmp_path / "none" / "part.json"))
    assert status == 1
    assert "cannot be written (No such file or directory)" in err


def test_day_before_the_standard_is_refused(clerk: Clerk) -> None:
    status, _, err = clerk(csv_of(GOOD), "--on", "2026-06-30")
    assert status == 1
    assert "No champion standard of county is in force on 2026-06-30" in err


def test_edition_of_another_kind_is_no_standard(clerk: Clerk, models: Path) -> None:
    status, _, err = clerk(csv_of(GOOD), "--standard", str(models / "rates" / "2019-08-20.json"))
    assert status == 1
    assert "is a rates, not a standard" in err
