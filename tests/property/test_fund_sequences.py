"""Whatever is decided, by machine or by people, drawn, paid back, claimed or left to lapse.

The machine keeps books of its own, as simple as can be: a list of loans, summed up anew each time.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from loansvc.errors import OutcomeRefused, ReviewRefused
from loansvc.ledger.commitments import KINDS, Fact
from loansvc.lending import AMOUNT_KINDS, Lending
from loansvc.registry import Registry
from loansvc.reviewing import By, Override, Review, Reviewing
from loansvc.web.examples import invented_id_number
from tests import databases
from tests.small import NOON, an_application, publish_caps, small_models, small_underwriting

PEOPLE = 5
# So that five people reach every cap within a few steps.
MULTIPLE, SINGLE_PERCENT, RELATED_PERCENT, SHARE_PERCENT = 1, 30, 45, 40
RATE_CAP_BP = 2000
WITHOUT_MACHINE = ["credit_report", "income", "public_records"]
FOLDER = tempfile.TemporaryDirectory()


def models() -> Path:
    """The small editions, their policy with a cap on related parties; made once."""
    folder = Path(FOLDER.name)
    if not (folder / "models").exists():
        small_models(folder)
        # Nobody is turned away for a number of loans or a limit: the fund alone decides here.
        publish_caps(
            folder / "models", folder, multiple=MULTIPLE, single_client_percent=SINGLE_PERCENT,
            related_percent=RELATED_PERCENT, compensation_rate_cap_bp=RATE_CAP_BP,
        )  # fmt: skip
    return folder / "models"


@dataclass
class Loan:
    """One approval as the machine knows it."""

    person: int
    application_id: str
    offered: int
    decided_at: datetime
    drawn: int | None = None
    outstanding: int = 0
    claims: int = 0
    over: bool = False
    overdue: bool = False
    taken_back: bool = False
    machine: bool = True
    written_off: bool = False
    asked: bool = False  # a person was, and has not decided: nothing is paid out
    # What was reported and stands, each with how often the capital had been stated by then.
    reports: list[tuple[Fact, int]] = field(default_factory=list)

    def impossible(self, fact: Fact, held: int) -> bool:
        """Whether this fact contradicts what stands, while so much is held of the fund."""
        amount = fact.amount_yuan or 0
        return (
            self.over
            or (fact.kind == "disbursed") != (self.drawn is None)
            or (fact.kind == "disbursed" and amount > self.offered)
            or (fact.kind == "balance" and amount > (self.drawn or 0))
            or (fact.kind == "claim_paid" and amount > held)
            or (fact.kind == "written_off" and self.written_off)
        )

    def apply(self, fact: Fact) -> None:
        amount = fact.amount_yuan or 0
        if fact.kind == "disbursed":
            self.drawn = self.outstanding = amount
        elif fact.kind == "balance":
            self.outstanding = amount
        elif fact.kind == "claim_paid":
            self.claims += amount
        elif fact.kind == "repaid":
            self.over = True
        self.written_off |= fact.kind == "written_off"
        self.overdue |= fact.kind in ("restructured", "written_off", "claim_paid")
        self.overdue |= bool(fact.days)

    def after(self, reports: list[tuple[Fact, int]]) -> Loan | None:
        """The same loan if only these had been reported; None where they do not go together."""
        made = Loan(self.person, self.application_id, self.offered, self.decided_at,
                    machine=self.machine, taken_back=self.taken_back, asked=self.asked,
                    reports=reports)  # fmt: skip
        for fact, _ in reports:
            if made.impossible(fact, made.held(self.decided_at)):
                return None
            made.apply(fact)
        return made

    def held(self, now: datetime) -> int:
        """The fund's share of what is offered or outstanding, less what it has paid."""
        if self.taken_back:
            return 0
        if self.drawn is None:
            return self.share(self.offered) if now < self.decided_at + timedelta(days=30) else 0
        return 0 if self.over else max(self.share(self.outstanding) - self.claims, 0)

    @staticmethod
    def share(amount: int) -> int:
        return (amount * SHARE_PERCENT + 99) // 100


LATER = tuple(kind for kind in KINDS if kind not in ("disbursed", "withdrawn"))
capitals = st.integers(100_000, 200_000)
persons = st.integers(1, PEOPLE)


class Fund(RuleBasedStateMachine):
    """One ledger and the machine's own books."""

    @initialize(capital=capitals)
    def begin(self, capital: int) -> None:
        self.now = NOON
        self.folder = tempfile.TemporaryDirectory()
        self.root = small_underwriting(
            Path(self.folder.name), models=models(), clock=lambda: self.now
        )
        self.lending = Lending(self.root)
        self.loans: list[Loan] = []
        self.named: set[tuple[int, int]] = set()
        self.referred: list[tuple[int, str, int]] = []
        self.n = self.n_stated = 0
        self.set_capital(capital)

    def teardown(self) -> None:
        if hasattr(self, "root"):
            self.root.ledger._engine.dispose()
            self.folder.cleanup()

    @rule(capital=capitals)
    def set_capital(self, capital: int) -> None:
        self.lending.set_fund(capital_yuan=capital, reference="r", approver="a", on=self.now.date())
        self.capital, self.claims = capital, 0
        self.n_stated += 1
        self.carried = sum(loan.held(self.now) for loan in self.loans if loan.drawn is not None)

    @rule(hours=st.sampled_from([1, 24, 24 * 7, 24 * 29, 24 * 30]))
    def wait(self, hours: int) -> None:
        self.now = min(self.now + timedelta(hours=hours), NOON + timedelta(days=200))

    @rule(
        person=persons,
        amount=st.integers(5_000, 135_000),
        names=st.none() | persons,
        automated=st.sampled_from([True, True, False]),
    )
    def decide(self, person: int, amount: int, names: int | None, automated: bool) -> None:
        self.n += 1
        parties = [invented_id_number(names)] if names and names != person else []
        if names and names != person:
            self.named.add((person, names))
        consent: dict[str, Any] = {} if automated else {"consent__scopes": WITHOUT_MACHINE}
        application = replace(
            an_application(
                person, application_id=f"A-{self.n}", loan__amount_yuan=amount,
                applicant__related_parties=parties,
                **consent,
            ),
            applied_on=self.now.date(),
        )  # fmt: skip
        before = self.held_by_person()
        preview = self.root.preview(application)
        recorded, _ = self.root.decide(application, client="bank")
        assert preview["outcome"] == recorded.decision["outcome"]
        fund = recorded.exposure.fund
        assert fund is not None
        kin = self.kin_of(person)
        left = max(self.capital - self.claims, 0)
        assert fund.capital_yuan == left
        assert fund.guaranteed_yuan == sum(before.values())
        assert fund.applicant_guaranteed_yuan == before[person]
        assert fund.related_guaranteed_yuan == sum(before[other] for other in kin)
        assert fund.compensation_rate_bp == self.rate_bp()
        told = [r["code"] for r in recorded.decision["reasons"] if r["kind"] == "fund"]
        event(f"decided: {recorded.decision['outcome']} {told}")
        earlier = [loan for loan in self.loans if loan.person == person and self.counts(loan)]
        assert recorded.exposure.policy_loans == len(earlier)
        assert recorded.exposure.policy_loan_overdue == any(loan.overdue for loan in earlier)
        if recorded.decision["outcome"] != "approve":
            self.referred.append((person, f"A-{self.n}", amount))
            return
        assert self.fits(person, amount)
        self.loans.append(Loan(person, f"A-{self.n}", amount, self.now))

    def fits(self, person: int, amount: int) -> bool:
        """Whether the fund may carry the share of this amount for that person now."""
        held, left = self.held_by_person(), max(self.capital - self.claims, 0)
        share = Loan.share(amount)
        client = held[person] + share
        together = client + sum(held[other] for other in self.kin_of(person))
        return (
            self.rate_bp() <= RATE_CAP_BP
            and sum(held.values()) + share <= left * MULTIPLE
            and 100 * client <= left * SINGLE_PERCENT
            and 100 * together <= left * RELATED_PERCENT
        )

    @precondition(lambda self: self.referred)
    @rule(which=st.integers(0, 50), part=st.sampled_from([10, 50, 100, 100]))
    def approve_by_hand(self, which: int, part: int) -> None:
        """A person approves one of the newest referrals, or part of what it asked for."""
        newest = self.referred[-8:]
        person, name, asked = newest[which % len(newest)]
        amount = asked * part // 100
        may = self.fits(person, amount)
        override = Override(reference="o", outcome="approve", reason="visit", amount_yuan=amount)
        code = self.decided_by_hand(name, override)
        # A fund that cannot carry it is the only reason against it: nobody asks for above a limit.
        assert code in ({""} if may else {"over_fund_cap"}) | {"too_old"}
        if not code:
            self.referred.remove((person, name, asked))
            self.loans.append(Loan(person, name, amount, self.now, machine=False))

    @rule(which=st.integers(0, 50))
    def take_back(self, which: int) -> None:
        """A person declines one of the newest approvals of the machine."""
        newest = [loan for loan in self.loans[-3:] if loan.machine and not loan.taken_back]
        if not newest:
            return
        loan = newest[which % len(newest)]
        override = Override(reference="o", outcome="decline", reason="visit")
        code = self.decided_by_hand(loan.application_id, override)
        assert code in ("already_overridden", "loan_drawn" if loan.drawn is not None else "")
        loan.asked = code == "loan_drawn"
        if not code:
            loan.taken_back = loan.drawn is None and self.counts(loan)

    def decided_by_hand(self, name: str, override: Override) -> str:
        """The code of the refusal, or nothing."""
        reviewing = Reviewing(self.root)
        review = Review(reference="v", asked_by="officer", reason="referred")
        reviewing.ask(name, review, by=By("1"), client="bank")
        code = ""
        try:
            reviewing.override(name, override, by=By("2"), client="bank")
        except ReviewRefused as error:
            code = error.code
        event(f"by hand: {override.outcome} {code or 'recorded'}")
        return code

    @rule(which=st.integers(0, 50), part=st.sampled_from([1, 50, 99, 100, 101]))
    def draw(self, which: int, part: int) -> None:
        self.report(which, "disbursed", part, 0)

    @rule(
        which=st.integers(0, 50),
        kind=st.sampled_from(["disbursed", *LATER, "balance", "claim_paid"]),
        part=st.sampled_from([0, 3, 50, 100, 101]),
        days=st.integers(0, 90),
    )
    def report(self, which: int, kind: str, part: int, days: int) -> None:
        """Something of one of the newest loans, more often possible than not."""
        newest = [loan for loan in self.loans[-8:] if (loan.drawn is None) == (kind == "disbursed")]
        newest = newest or self.loans
        if not newest:
            return
        loan = newest[which % len(newest)]
        whole = {"disbursed": loan.offered, "balance": loan.drawn or 1}.get(
            kind, max(loan.held(self.now), 1)
        )
        amount = max(whole * part // 100, AMOUNT_KINDS[kind]) if kind in AMOUNT_KINDS else None
        self.n += 1
        fact = Fact(
            reference=f"R-{self.n}", kind=kind, on=self.now.date(), amount_yuan=amount,
            days=days if kind == "days_past_due" else None,
        )  # fmt: skip
        lapsed = loan.drawn is None and not loan.held(self.now)  # or taken back
        waits = kind == "disbursed" and loan.asked
        impossible = lapsed or waits or loan.impossible(fact, loan.held(self.now))
        code = self.recorded(loan, fact)
        assert impossible == bool(code)
        if not code:
            before = replace(loan)
            loan.apply(fact)
            loan.reports.append((fact, self.n_stated))
            self.moved(before, loan)

    @rule(person=persons, part=st.sampled_from([50, 100]), kind=st.sampled_from(LATER))
    def lend(self, person: int, part: int, kind: str) -> None:
        """A small loan that the fund mostly has room for, paid out and reported on."""
        self.decide(person, 5_000, None, automated=True)
        if self.loans and self.loans[-1].application_id == f"A-{self.n}":
            self.report(len(self.loans[-8:]) - 1, "disbursed", 100, 0)
            self.report(len(self.loans[-8:]) - 1, kind, part, 31)

    @precondition(lambda self: any(loan.reports for loan in self.loans))
    @rule(
        which=st.integers(0, 50), place=st.integers(0, 50), part=st.sampled_from([0, 50, 100]),
        withdraw=st.booleans(),
    )  # fmt: skip
    def correct(self, which: int, place: int, part: int, *, withdraw: bool) -> None:
        """A report turns out to be wrong: another takes its place, or it is withdrawn."""
        reported = [loan for loan in self.loans if loan.reports][-8:]
        loan = reported[which % len(reported)]
        place %= len(loan.reports)
        wrong, stated = loan.reports[place]
        self.n += 1
        known: dict[str, Any] = {"reference": f"R-{self.n}", "corrects": wrong.reference}
        if withdraw:
            fact = Fact(kind="withdrawn", on=self.now.date(), **known)
            reports = loan.reports[:place] + loan.reports[place + 1 :]
        else:
            least = AMOUNT_KINDS.get(wrong.kind, 0)
            amount = wrong.amount_yuan and max(wrong.amount_yuan * part // 100, least)
            fact = replace(wrong, amount_yuan=amount, **known)
            reports = [*loan.reports[:place], (fact, stated), *loan.reports[place + 1 :]]
        after = loan.after(reports)
        code = self.recorded(loan, fact)
        assert code == ("" if after else "others_rest_on_it")
        if after:
            self.loans[self.loans.index(loan)] = after
            if stated == self.n_stated:
                self.moved(loan, after)

    def recorded(self, loan: Loan, fact: Fact) -> str:
        """The code of the refusal, or nothing."""
        code = ""
        try:
            self.lending.record(loan.application_id, fact, client="bank")
        except OutcomeRefused as error:
            code = error.code
        event(f"{'corrected: ' if fact.corrects else ''}{fact.kind}: {code or 'recorded'}")
        return code

    def moved(self, before: Loan, after: Loan) -> None:
        """Claims and the liability carried, of a report made since the capital was stated."""
        self.claims += after.claims - before.claims
        self.carried += Loan.share(after.drawn or 0) - Loan.share(before.drawn or 0)

    def counts(self, loan: Loan) -> bool:
        if loan.taken_back:
            return False
        return loan.drawn is not None or self.now < loan.decided_at + timedelta(days=30)

    def held_by_person(self) -> dict[int, int]:
        found = dict.fromkeys(range(1, PEOPLE + 1), 0)
        for loan in self.loans:
            found[loan.person] += loan.held(self.now)
        return found

    def kin_of(self, person: int) -> set[int]:
        """Whoever shares a party: named, named by, or naming the same one."""
        circles = {p: {p, *(o for o in range(1, PEOPLE + 1) if (p, o) in self.named)}
                   for p in range(1, PEOPLE + 1)}  # fmt: skip
        return {o for o in circles if o != person and circles[o] & circles[person]}

    def rate_bp(self) -> int:
        return (10_000 * self.claims + self.carried - 1) // self.carried if self.carried else 0

    @invariant()
    def the_account_is_the_sum_of_the_loans(self) -> None:
        if not hasattr(self, "root"):
            return
        body = self.lending.fund()
        assert body["guaranteed_yuan"] == sum(self.held_by_person().values())
        assert body["claims_paid_yuan"] == self.claims
        assert body["compensation_rate_bp"] == self.rate_bp()

    @invariant()
    def the_projection_is_what_the_entries_add_up_to(self) -> None:
        if hasattr(self, "root"):
            assert self.root.ledger.verify()[1] == []

    @invariant()
    def the_statement_adds_up(self) -> None:
        if not hasattr(self, "root"):
            return
        found = self.lending.statement(NOON.date(), self.now.date())
        for name in ("reserved_yuan", "drawn_yuan"):
            assert sum(line[name] for line in found["movements"]) == found["closing"][name]
        assert found["closing"]["guaranteed_yuan"] == sum(self.held_by_person().values())


class FundInPostgres(Fund):
    """The same in the other database."""

    @initialize(capital=capitals)
    def begin(self, capital: int) -> None:
        with databases.using(databases.POSTGRESQL):
            super().begin(capital)


TestFund, TestFundInPostgres = Fund.TestCase, FundInPostgres.TestCase
TestFund.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, derandomize=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
TestFundInPostgres.settings = settings(TestFund.settings, max_examples=8)


def test_the_editions_of_this_machine_are_in_force() -> None:
    policy = Registry.open(models()).in_force("credit_loan", NOON.date()).policy.content
    assert policy.fund_caps.related_percent == RELATED_PERCENT
    assert policy.fund_caps.single_client_percent == SINGLE_PERCENT
    assert policy.fund_caps.multiple == MULTIPLE
