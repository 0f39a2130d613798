"""From evidence to a published register, and what may be marked in it: each step, each refusal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from loansvc import cli
from loansvc.cli import drafts, editions, registering
from loansvc.editions import to_text
from loansvc.registry import LOCK, Registry
from loansvc.registry.publishing import publish
from loansvc.underwriting import SHANGHAI
from tests.contract.test_cli_villages import BINDS, GOOD, STANDARD, UNKNOWN, csv_of
from tests.shell import run
from tests.small import QIFANG, RATES, REGISTER, SHIQIAO, WANGTAN, publish_text

TODAY = datetime(2026, 11, 23, 12, 0, tzinfo=SHANGHAI)
NEXT = "2026-12-01"


class Office:
    """The county's rating office on a folder of editions of its own, on 2026-11-23."""

    def __init__(
        self, folder: Path, capfd: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
    ) -> None:
        self.models, self.folder = folder / "models", folder
        self.part, self.out = folder / "part.json", folder / "register.json"
        self.paper = folder / "minutes.pdf"
        self.paper.write_bytes(b"minutes of the town")
        self._capfd, self._patch = capfd, patch

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, standard output, standard error."""
        return run(self._capfd, self._patch, *arguments)

    def does(self, *arguments: str) -> str:
        """What a command that went well said."""
        status, out, err = self(*arguments)
        assert (status, err) == (0, "")
        return out

    def refused(self, *arguments: str) -> str:
        """The one line of a refusal; no draft and no edition came of it."""
        before = self.state()
        status, out, err = self(*arguments)
        assert (status, out) == (1, "")
        assert self.state() == before
        assert err.startswith("loansvc: ")
        assert err.count("\n") == 1
        return err

    def state(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}

    def rate(self, *rows: dict[str, Any], on: str = "2026-11-23") -> None:
        evidence = self.folder / "evidence.csv"
        evidence.write_text(csv_of(*rows), "utf-8")
        self.does("villages", "rate", str(evidence), "--on", on, "--out", str(self.part))

    def sign(self, role: str, name: str, *more: str) -> str:
        return self.does("villages", "sign", str(self.part), "--as", role, "--name", name, *more)

    def sign_all(self) -> None:
        for role, name in (("village", "甲"), ("town", "乙"), ("bank", "丙")):
            self.sign(role, name)

    def register(self, *more: str, valid_from: str = NEXT) -> tuple[str, ...]:
        given = ("--valid-from", valid_from, "--out", str(self.out))
        return "villages", "register", str(self.part), *given, *more

    def mark(self, verb: str, *more: str, valid_from: str = NEXT) -> tuple[str, ...]:
        given = ("--valid-from", valid_from, "--out", str(self.out))
        return "villages", verb, WANGTAN, *given, *more

    def paper_of(self, reason: str = "数据不实") -> tuple[str, ...]:
        return "--reason", reason, "--document", str(self.paper)

    def publish(self) -> tuple[str, ...]:
        return "publish", str(self.out), "--approver", "test"

    def in_force(self, on: str, code: str = WANGTAN) -> Any:
        day = date.fromisoformat(on)
        registers = [e for e in Registry.open(self.models).editions if e.kind == "villages"]
        newest = max((e for e in registers if e.valid_from <= day), key=lambda e: e.valid_from)
        return newest.content.standing(code, day)

    def line(self, code: str = WANGTAN) -> dict[str, Any]:
        document = json.loads(self.out.read_text("utf-8"))
        [found] = [line for line in document["villages"] if line["code"] == code]
        assert isinstance(found, dict)
        return found


@pytest.fixture
def office(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Office:
    found = Office(tmp_path, capfd, monkeypatch)
    found.models.mkdir()
    for name, document in (("villages", REGISTER), ("rates", RATES)):
        publish_text(found.models, tmp_path / f"{name}.json", to_text(document))
    publish(found.models, STANDARD, role="champion", approver="test")
    monkeypatch.setenv("LOANSVC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOANSVC_MODELS", str(found.models))
    for module in (drafts, editions, registering):
        monkeypatch.setattr(module, "now", lambda: TODAY)
    return found


# --- rating, three signatures, publication ------------------------------------------------------


def test_a_rating_is_signed_registered_and_published(office: Office) -> None:
    """Village by village; what is not rated stays as it was, and so do points."""
    office.rate(GOOD)
    said = office.sign("village", "甲", "--on", "2026-11-20")
    assert said.strip() == (
        f"{office.part}   1 village signed as village; 0 of 1 with all three signatures"
    )
    office.sign("town", "乙")
    assert "1 of 1 with all three" in office.sign("bank", "丙")
    said = office.does(*office.register())
    assert said.splitlines() == [
        f"{WANGTAN} 王潭村   AA -> AAA   evidence of 2026-06-30",
        f"{office.out}   register from 2026-12-01: 1 village rated, 2 as in the register of "
        "2026-07-01",
        f"  next  loansvc publish {office.out} --approver NAME",
    ]
    office.does(*office.publish())
    assert office.in_force("2026-11-30").rating == "AA"
    found = office.in_force(NEXT)
    assert (found.rating, found.assessed_on, found.points) == ("AAA", date(2026, 6, 30), 6)
    assert office.in_force(NEXT, QIFANG).rating == "B"
    assert office.line(QIFANG) == REGISTER["villages"][1]
    days = [(s["role"], s["signed_on"]) for s in office.line()["signatures"]]
    assert days == [("village", "2026-11-20"), ("town", "2026-11-23"), ("bank", "2026-11-23")]


def test_each_village_may_have_a_signer_of_its_own(office: Office) -> None:
    office.rate(GOOD, BINDS)
    office.sign("town", "乙")
    office.sign("bank", "丙")
    office.sign("village", "甲", "--village", WANGTAN)
    assert "340521102201" not in office.sign("village", "丁", "--village", QIFANG)
    office.does(*office.register())
    assert office.line(WANGTAN)["signatures"][2]["name"] == "甲"
    assert office.line(QIFANG)["signatures"][2]["name"] == "丁"


def test_a_village_too_little_known_becomes_unrated_and_loses_its_points(office: Office) -> None:
    office.rate({**UNKNOWN, "code": QIFANG})
    office.sign_all()
    said = office.does(*office.register())
    assert said.startswith(f"{QIFANG} 七房村   B -> unrated   too little is known\n")
    office.does(*office.publish())
    line = office.line(QIFANG)
    assert (line["rating"], line["points"], line["credibility_percent"]) == ("unrated", 0, 0)
    assert not {"assessed_on", "evidence", "record"} & set(line)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda line: line.update(rating="AA"), "changed after it was signed",
                     id="rating"),
        pytest.param(lambda line: line["evidence"].update(borrowers_overdue=0),
                     "changed after it was signed", id="evidence"),
        pytest.param(lambda line: line["signatures"].pop(), "lacks that of bank", id="two"),
        pytest.param(lambda line: line.pop("signatures"), "lacks that of village, town, bank",
                     id="none"),
    ],
)  # fmt: skip
def test_what_was_not_signed_as_it_stands_is_not_registered(
    office: Office, change: Callable[[dict[str, Any]], Any], says: str
) -> None:
    office.rate(GOOD)
    office.sign_all()
    document = json.loads(office.part.read_text("utf-8"))
    change(document["villages"][0])
    office.part.write_text(to_text(document), "utf-8")
    assert says in office.refused(*office.register())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(("--as", "village", "--name", "丁"), "was signed as village on 2026-11-23.",
                     id="role"),
        pytest.param(("--as", "town", "--name", " 甲"), "one has signed twice", id="person"),
        pytest.param(("--as", "town", "--name", "乙", "--on", "2026-11-24"), "is after today",
                     id="a day to come"),
        pytest.param(("--as", "town", "--name", "乙", "--on", "2026-06-29"),
                     "must not be before the evidence", id="before the evidence"),
        pytest.param(("--as", "town", "--name", "340521197501010179"),
                     "without an ID or phone number", id="a number"),
        pytest.param(("--as", "town", "--name", "乙", "--village", QIFANG),
                     "does not rate every --village", id="another village"),
    ],
)  # fmt: skip
def test_a_wrong_signature_is_refused(office: Office, options: tuple[str, ...], says: str) -> None:
    office.rate(GOOD)
    office.sign("village", "甲")
    said = office.refused("villages", "sign", str(office.part), *options)
    assert says in said
    assert "1975" not in said


def test_a_signature_can_be_taken_back_and_given_by_another(office: Office) -> None:
    """The refusal of a second signature names the command that makes way for it."""
    office.rate(GOOD, BINDS)
    unsigned = office.part.read_bytes()
    office.sign("village", "甲")
    signed = office.part.read_bytes()
    again = office.refused("villages", "sign", str(office.part), "--as", "village", "--name", "丁")
    remedy = again.strip().partition("take that signature back first: loansvc ")[2].split(" ")
    said = office.does(*remedy)
    assert "1 village no longer signed as village; 0 of 2 with all three" in said
    office.sign("village", "甲", "--village", WANGTAN)
    assert office.part.read_bytes() == signed
    office.does("villages", "sign", str(office.part), "--as", "village", "--take-back")
    assert office.part.read_bytes() == unsigned


def test_a_signature_that_is_not_there_is_not_taken_back(office: Office) -> None:
    office.rate(GOOD)
    office.sign("village", "甲")
    said = office.refused("villages", "sign", str(office.part), "--as", "bank", "--take-back")
    assert f"{WANGTAN} 王潭村 is not signed as bank." in said


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="nobody signs"),
        pytest.param(("--name", "甲", "--take-back"), id="both"),
        pytest.param(("--on", "2026-11-23", "--take-back"), id="a day to take back on"),
    ],
)
def test_one_signs_or_takes_back(office: Office, options: tuple[str, ...]) -> None:
    office.rate(GOOD)
    status, _, err = office("villages", "sign", str(office.part), "--as", "bank", *options)
    assert status == 2
    assert "Give --name to sign, or --take-back" in err


def test_the_standard_of_the_first_day_must_give_the_rating(office: Office, tmp_path: Path) -> None:
    """A later standard, published after the rating was made and signed."""
    office.rate(GOOD)
    office.sign_all()
    text = STANDARD.read_text("utf-8").replace("{ AAA = 800,", "{ AAA = 900,")
    draft = tmp_path / "standard.toml"
    draft.write_text(text.replace("valid_from = 2026-07-01", "valid_from = 2026-12-01"), "utf-8")
    publish(office.models, draft, role="champion", approver="test")
    said = office.refused(*office.register())
    assert "is AAA, but the standard in force on 2026-12-01 gives its evidence AA." in said


def test_evidence_older_than_registered_is_refused(office: Office) -> None:
    office.rate({**GOOD, "as_of": "2026-03-30"})
    office.sign_all()
    assert "older than that of 2026-03-31" in office.refused(*office.register())


def test_a_draft_begins_after_the_newest_register(office: Office) -> None:
    office.rate(GOOD)
    office.sign_all()
    said = office.refused(*office.register(valid_from="2026-07-01"))
    assert "the newest register starts on 2026-07-01. Choose a later day." in said


def test_a_draft_is_not_written_among_the_editions(office: Office) -> None:
    office.rate(GOOD)
    office.sign_all()
    office.out = office.models / "villages" / "2026-12-01.json"
    assert "never change" in office.refused(*office.register())


def test_what_is_no_part_is_refused(office: Office) -> None:
    office.part.write_text(to_text(REGISTER), "utf-8")
    said = office.refused(*office.register())
    assert "part.json, on: is missing" in said


def test_a_first_real_register_takes_the_code_table_alone(office: Office) -> None:
    """After a synthetic one: nobody's invented rating or points come along."""
    office.models.joinpath(LOCK).unlink()
    office.models.joinpath("villages/2026-07-01.json").unlink()
    made_up = to_text({**REGISTER, "synthetic": True})
    for name, text in (("villages", made_up), ("rates", to_text(RATES))):
        publish_text(office.models, office.folder / f"{name}.json", text)
    publish(office.models, STANDARD, role="champion", approver="test")
    office.rate(GOOD)
    office.sign_all()
    said = office.does(*office.register("--afresh"))
    assert "1 village rated, 2 not rated" in said
    office.does(*office.publish())
    document = json.loads(office.out.read_text("utf-8"))
    assert "synthetic" not in document
    assert {v["code"]: (v["rating"], v["points"]) for v in document["villages"]} == {
        WANGTAN: ("AAA", 0), QIFANG: ("unrated", 0), SHIQIAO: ("unrated", 0),
    }  # fmt: skip


# --- revocation, flag, appeal -------------------------------------------------------------------


def test_a_revocation_holds_from_its_day(office: Office) -> None:
    said = office.does(*office.mark("revoke", "--on", "2026-12-15", *office.paper_of()))
    assert f"{WANGTAN} 王潭村 revoked from 2026-12-15" in said
    office.does(*office.publish())
    found = [office.in_force(on) for on in ("2026-12-14", "2026-12-15")]
    assert [(s.rating, s.state) for s in found] == [("AA", "rated"), ("B", "revoked")]
    digest = hashlib.sha256(b"minutes of the town").hexdigest()
    assert office.line()["revocation"] == {
        "on": "2026-12-15", "reason": "数据不实", "document_sha256": digest,
    }  # fmt: skip


def test_a_revocation_ends_with_later_evidence_alone(office: Office) -> None:
    office.does(*office.mark("revoke", "--on", NEXT, *office.paper_of()))
    office.does(*office.publish())
    office.rate(GOOD)  # of 2026-06-30
    office.sign_all()
    said = office.does(*office.register(valid_from="2026-12-02"))
    assert "its revocation of 2026-12-01 stays" in said
    office.does(*office.publish())
    assert office.in_force("2026-12-02").state == "revoked"


def test_later_evidence_ends_revocation_and_appeal(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.does(*office.mark("revoke", "--on", "2026-11-23", *office.paper_of(),
                             valid_from="2026-11-23"))  # fmt: skip
    office.does(*office.publish())
    office.does(*office.mark("appeal", "--on", "2026-11-23", "--document", str(office.paper),
                             valid_from="2026-11-24"))  # fmt: skip
    office.does(*office.publish())
    later = datetime(2027, 1, 10, 12, 0, tzinfo=SHANGHAI)
    for module in (drafts, editions, registering, cli.villages):
        monkeypatch.setattr(module, "now", lambda: later)
    office.rate({**GOOD, "as_of": "2026-12-31"}, on="2027-01-10")
    office.sign_all()
    said = office.does(*office.register(valid_from="2027-02-01"))
    assert "its revocation of 2026-11-23 ends; its appeal of 2026-11-23 ends" in said
    office.does(*office.publish())
    found = office.in_force("2027-02-01")
    assert (found.rating, found.state, found.appeal) == ("AAA", "rated", False)


def test_a_flag_asks_for_a_person_on_its_days_and_changes_nothing_else(office: Office) -> None:
    days = ("--from", "2026-12-10", "--until", "2026-12-31")
    said = office.does(*office.mark("flag", *days, *office.paper_of("评议结论经复核维持")))
    assert f"{WANGTAN} 王潭村 flagged from 2026-12-10 until 2026-12-31" in said
    office.does(*office.publish())
    days_asked = ("2026-12-09", "2026-12-10", "2026-12-31", "2027-01-01")
    assert [office.in_force(on).flagged for on in days_asked] == [False, True, True, False]
    flag = office.line().pop("flag")
    assert {k: v for k, v in office.line().items() if k != "flag"} == REGISTER["villages"][0]
    assert flag[0]["reason"] == "评议结论经复核维持"


def flagged(office: Office, *flags: tuple[str, str]) -> None:
    """A published register with flags on the village, each from and until a day."""
    upon: tuple[str, ...] = ()
    for since, until in flags:
        days = ("--from", since, "--until", until)
        office.does(*office.mark("flag", *days, *office.paper_of(), *upon))
        upon = ("--upon", str(office.out))
    office.does(*office.publish())


def lift(office: Office, on: str, *more: str) -> tuple[str, ...]:
    paper = ("--document", str(office.paper))
    return office.mark("lift", "--on", on, *paper, *more, valid_from="2026-12-10")


def test_a_flag_is_lifted_from_a_day_on(office: Office) -> None:
    flagged(office, (NEXT, "2026-12-31"))
    said = office.does(*lift(office, "2026-12-15"))
    assert f"{WANGTAN} 王潭村 flag of 2026-12-01 lifted from 2026-12-15" in said
    office.does(*office.publish())
    days_asked = ("2026-12-09", "2026-12-14", "2026-12-15")
    assert [office.in_force(on).flagged for on in days_asked] == [True, True, False]
    digest = hashlib.sha256(b"minutes of the town").hexdigest()
    [flag] = office.line()["flag"]
    assert (flag["until"], flag["lifted"]["document_sha256"]) == ("2026-12-31", digest)
    history = office.does("villages", "history", WANGTAN)
    assert f"  lifted   flag of 2026-12-01 from 2026-12-15 (document {digest[:12]})" in history


@pytest.mark.parametrize(
    ("on", "more", "says"),
    [
        pytest.param("2026-12-09", ("--flag", NEXT), "is before the register's first day",
                     id="back in time"),
        pytest.param("2026-12-15", (), "several flags, of 2026-12-01, 2026-12-05. Name one",
                     id="which"),
        pytest.param("2027-01-01", (), "no such flag that lasts until 2027-01-01", id="over"),
        pytest.param("2026-12-15", ("--flag", "2026-12-02"), "no such flag", id="another"),
    ],
)  # fmt: skip
def test_a_flag_that_cannot_be_lifted(
    office: Office, on: str, more: tuple[str, ...], says: str
) -> None:
    flagged(office, (NEXT, "2026-12-31"), ("2026-12-05", "2026-12-31"))
    assert says in office.refused(*lift(office, on, *more))


def test_of_several_flags_one_is_lifted(office: Office) -> None:
    flagged(office, (NEXT, "2026-12-31"), ("2026-12-05", "2026-12-31"))
    office.does(*lift(office, "2026-12-15", "--flag", "2026-12-05"))
    assert ["lifted" in flag for flag in office.line()["flag"]] == [False, True]


def test_an_appeal_pends_until_it_is_decided(office: Office) -> None:
    lodged = ("--on", "2026-11-20", "--document", str(office.paper))
    office.does(*office.mark("appeal", *lodged))
    office.does(*office.publish())
    assert office.in_force(NEXT).appeal
    again = office.mark("appeal", *lodged, valid_from="2026-12-02")
    assert "has an appeal of 2026-11-20. Decide it first." in office.refused(*again)
    said = office.does(
        *office.mark("appeal", "--decided-on", "2026-12-05", valid_from="2026-12-05")
    )
    assert "appeal of 2026-11-20 decided on 2026-12-05" in said
    office.does(*office.publish())
    assert [office.in_force(on).appeal for on in ("2026-12-04", "2026-12-05")] == [True, False]
    decided = office.mark("appeal", "--decided-on", "2026-12-06", valid_from="2026-12-06")
    assert "has no appeal that pends in villages/2026-12-05.json" in office.refused(*decided)


@pytest.mark.parametrize(
    ("verb", "days"),
    [("revoke", ("--on", "2026-11-30")), ("flag", ("--from", "2026-11-30", "--until", NEXT))],
)
def test_nothing_reaches_back(office: Office, verb: str, days: tuple[str, ...]) -> None:
    said = office.refused(*office.mark(verb, *days, *office.paper_of()))
    assert "of 2026-11-30 is before the register's first day 2026-12-01; it never" in said


def test_nothing_is_taken_away_for_a_day_gone(office: Office) -> None:
    """Not at drafting, and not when the draft is published too late."""
    gone = office.mark("revoke", "--on", "2026-11-22", *office.paper_of(), valid_from="2026-11-22")
    assert "first day 2026-11-22 is gone" in office.refused(*gone)


def test_a_draft_of_a_revocation_lapses_with_its_first_day(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.does(*office.mark("revoke", "--on", NEXT, *office.paper_of()))
    late = datetime(2026, 12, 2, 8, 0, tzinfo=SHANGHAI)
    monkeypatch.setattr(editions, "now", lambda: late)
    assert "first day 2026-12-01 is gone" in office.refused(*office.publish())


def test_what_is_not_rated_or_revoked_already_is_not_revoked(office: Office) -> None:
    revoke = list(office.mark("revoke", "--on", NEXT, *office.paper_of()))
    revoke[2] = SHIQIAO
    assert "is not rated: there is nothing to take away." in office.refused(*revoke)
    revoke[2] = WANGTAN
    office.does(*revoke)
    office.does(*office.publish())
    again = office.mark("revoke", "--on", "2027-01-01", *office.paper_of(), valid_from="2027-01-01")
    assert "was revoked on 2026-12-01." in office.refused(*again)


def test_a_person_is_not_named_in_a_reason(office: Office) -> None:
    reason = office.paper_of("户主 340521197501010179 举报")
    said = office.refused(*office.mark("revoke", "--on", NEXT, *reason))
    assert "must not hold an ID or phone number" in said
    assert "1975" not in said


def test_a_code_of_no_village_is_not_found(office: Office) -> None:
    revoke = list(office.mark("revoke", "--on", NEXT, *office.paper_of()))
    revoke[2] = "340521999999"
    said = office.refused(*revoke)
    assert "lists no village of this code" in said
    assert "by the village's name: loansvc villages list NAME" in said


def test_the_code_of_a_village_is_found_by_its_name(office: Office) -> None:
    assert office.does("villages", "list", "七房", "--on", NEXT) == (
        f"{QIFANG}  七房村        乌溪镇            B\n"
    )
    codes = [line[:12] for line in office.does("villages", "list", "--on", NEXT).splitlines()]
    assert codes == sorted((WANGTAN, QIFANG, SHIQIAO))
    assert "See all: loansvc villages list" in office.refused("villages", "list", "无此村")


def test_a_list_shows_how_villages_stand_on_a_day(office: Office) -> None:
    office.does(*office.mark("revoke", "--on", "2026-12-15", *office.paper_of()))
    office.does(*office.publish())
    found = [office.does("villages", "list", WANGTAN, "--on", d) for d in (NEXT, "2026-12-15")]
    assert [line.split()[-1] for line in found] == ["AA", "B"]


@pytest.mark.parametrize("options", [(), ("--on", "2026-11-20")])
def test_an_appeal_is_marked_with_its_document_or_decided(
    office: Office, options: tuple[str, ...]
) -> None:
    status, _, err = office(*office.mark("appeal", *options))
    assert status == 2
    assert "Give --on and --document for an appeal, or --decided-on." in err


def test_one_register_may_bring_several_changes(office: Office) -> None:
    office.does(*office.mark("revoke", "--on", NEXT, *office.paper_of()))
    days = ("--from", NEXT, "--until", "2026-12-31")
    upon = ("--upon", str(office.out))
    office.does(*office.mark("flag", *days, *office.paper_of(), *upon))
    assert {"revocation", "flag"} < set(office.line())
    office.rate(BINDS)
    office.sign_all()
    office.does(*office.register(*upon))
    office.does(*office.publish())
    found = office.in_force(NEXT)
    assert (found.state, found.flagged) == ("revoked", True)
    assert office.in_force(NEXT, QIFANG).rating == "A"


@pytest.mark.parametrize(
    ("valid_from", "says"),
    [
        pytest.param("2026-12-02", "is a draft from 2026-12-01, not from 2026-12-02", id="day"),
        pytest.param(NEXT, "kind: must be villages", id="no register"),
    ],
)
def test_a_draft_is_added_to_only_as_what_it_is(office: Office, valid_from: str, says: str) -> None:
    office.does(*office.mark("revoke", "--on", NEXT, *office.paper_of()))
    upon = office.out if valid_from != NEXT else office.folder / "rates.json"
    mark = office.mark(
        "flag", "--from", valid_from, "--until", "2026-12-31", *office.paper_of(),
        "--upon", str(upon), valid_from=valid_from,
    )  # fmt: skip
    assert says in office.refused(*mark)


# --- history ------------------------------------------------------------------------------------


def test_the_history_tells_every_register_that_said_something_new(office: Office) -> None:
    office.rate(GOOD)
    office.sign_all()
    office.does(*office.register())
    office.does(*office.publish())
    office.does(*office.mark("revoke", "--on", "2026-12-20", *office.paper_of(),
                             valid_from="2026-12-15"))  # fmt: skip
    office.does(*office.publish())
    said = office.does("villages", "history", WANGTAN).splitlines()
    digests = {
        str(e.valid_from): e.digest[7:19]
        for e in Registry.open(office.models).editions
        if e.kind == "villages"
    }
    paper = hashlib.sha256(office.paper.read_bytes()).hexdigest()[:12]
    signed = "  signed   village 2026-11-23, town 2026-11-23, bank 2026-11-23"
    assert said == [
        f"{WANGTAN}  王潭村  乌溪镇",
        "2026-07-01  AA         evidence of 2026-03-31   +6 points   register "
        + digests["2026-07-01"],
        "2026-12-01  AAA        evidence of 2026-06-30   +6 points   register "
        + digests["2026-12-01"],
        signed,
        "2026-12-15  AAA        evidence of 2026-06-30   +6 points   register "
        + digests["2026-12-15"],
        signed,
        f"  revoked  from 2026-12-20: 数据不实 (document {paper})",
        "  counts   as B (revoked) from 2026-12-20",
    ]
    document = json.loads(office.does("villages", "history", QIFANG, "--json"))
    assert [h["register"]["valid_from"] for h in document["history"]] == ["2026-07-01"]
    assert [(c["on"], c["state"]) for c in document["history"][0]["changes"]] == [
        ("2028-03-31", "grace"),
        ("2028-06-30", "expired"),
    ]


def test_there_is_no_history_of_a_village_that_is_none(office: Office) -> None:
    assert "There is no such village" in office.refused("villages", "history", "340521999999")
