"""loansvc.client against the service: what it gives, what it sends again, what it raises."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, cast

import httpx
import pytest

from loansvc.client import Client, Patience, Refused, Unreachable, verify_receipt
from loansvc.client.documents import Application
from loansvc.ledger.verifier import Refused as NotProven
from tests.contract.conftest import Api
from tests.small import a_document, with_fund

URL = "http://loansvc.example.cn"
ALL = ("decide", "read", "outcome", "review")


class Faulty(httpx.BaseTransport):
    """The service behind a line that fails as told, before or after the service has answered."""

    def __init__(self, api: Api, *faults: str) -> None:
        self._inner = httpx.WSGITransport(app=api.app)
        self.faults = list(faults)
        self.bodies: list[bytes] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(request.read())
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "refused":
            raise httpx.ConnectError("no")
        if fault.isdecimal():
            return httpx.Response(int(fault), headers={"Retry-After": "7"}, json={})
        answer = self._inner.handle_request(request)
        if fault == "cut":  # the service has recorded it, and nobody hears
            raise httpx.ReadTimeout("late")
        return answer


class Waiting:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def patience(self, **changes: Any) -> Patience:
        given = {"clock": lambda: self.now, "sleep": self.sleep, "chance": lambda: 1.0}
        return Patience(**(given | changes))

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


Calling = Callable[..., Client]


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


@pytest.fixture
def calling(api: Api, waiting: Waiting) -> Iterator[Calling]:
    opened = []

    def call(*faults: str, **given: Any) -> Client:
        http = httpx.Client(transport=Faulty(api, *faults))
        opened.append(http)
        given = given or {"key": api.new_key("bank", ALL)}
        return Client(URL, http=http, patience=given.pop("patience", waiting.patience()), **given)

    yield call
    for http in opened:
        http.close()


def line(client: Client) -> Faulty:
    return cast(Faulty, client._http._transport)


def an_application(number: int = 1, **changes: Any) -> Application:
    return cast(Application, a_document(number, **changes))


def test_a_bank_decides_reads_and_explains(calling: Calling) -> None:
    bank = calling()
    answer = bank.decide(an_application())
    of = answer["application_id"]
    assert bank.get_decision(of)["decision_id"] == answer["decision_id"]
    assert bank.explain(of)["score"]["total"] == answer["score"]
    assert bank.replay(of)["identical"]
    assert [one["application_id"] for one in bank.list_decisions()] == [of]
    assert bank.find_decision("none-of-these") is None


def test_every_page_of_decisions_is_read(calling: Calling) -> None:
    bank = calling()
    of = [bank.decide(an_application(number))["application_id"] for number in (1, 2, 3)]
    assert [one["application_id"] for one in bank.list_decisions(limit="1")] == of[::-1]


def test_what_became_of_a_loan_and_the_people_around_it(calling: Calling, api: Api) -> None:
    with_fund(api.root, 1_000_000)
    bank = calling()
    answer = bank.decide(an_application())
    of, on = answer["application_id"], str(api.now.date())
    bank.record_outcome(
        of, {"reference": "D-1", "kind": "disbursed", "on": on, "amount_yuan": 1000}
    )
    loan = bank.list_outcomes(of)["loan"]
    assert loan is not None
    assert loan["outstanding_yuan"] == 1000
    assert bank.get_fund()["capital_yuan"] == 1_000_000
    assert bank.list_villages()["data"]
    assert bank.list_products()["data"]


@pytest.mark.parametrize("fault", ["cut", "refused", "503", "429", "502"])
def test_what_is_not_heard_is_sent_again_and_recorded_once(calling: Calling, fault: str) -> None:
    bank = calling(fault, fault)
    answer = bank.decide(an_application())
    assert len(line(bank).bodies) == 3
    assert len(set(line(bank).bodies)) == 1
    assert [one["decision_id"] for one in bank.list_decisions()] == [answer["decision_id"]]


def test_it_waits_longer_each_time_and_as_long_as_the_service_asks(
    calling: Calling, waiting: Waiting
) -> None:
    calling("cut", "cut", "503", "cut").decide(an_application())
    assert waiting.slept == [0.25, 0.5, 7.0, 2.0]


@pytest.mark.parametrize(
    ("bounds", "n_sent"),
    [
        pytest.param({"tries": 3}, 3, id="so many tries"),
        pytest.param({"total_s": 1.0}, 3, id="so much time"),
    ],
)
def test_it_gives_up_and_says_that_it_may_be_recorded(
    calling: Calling, waiting: Waiting, bounds: dict[str, Any], n_sent: int
) -> None:
    bank = calling(*["cut"] * 9, patience=waiting.patience(**bounds), key="lsk_x_y")
    application = an_application()
    with pytest.raises(Unreachable, match="may or may not be recorded") as raised:
        bank.decide(application)
    assert len(line(bank).bodies) == n_sent
    assert application["applicant"]["id_number"] not in str(raised.value)


def test_a_refusal_says_where_and_is_not_sent_again(calling: Calling) -> None:
    bank = calling()
    with pytest.raises(Refused) as raised:
        bank.decide(an_application(loan__term_months=0))
    assert (raised.value.status, raised.value.code) == (422, "invalid_application")
    assert [one.pointer for one in raised.value.fields] == ["/loan/term_months"]
    assert "/loan/term_months" in str(raised.value)
    assert raised.value.request_id
    assert len(line(bank).bodies) == 1


def test_another_application_under_the_same_id_is_refused(calling: Calling) -> None:
    bank = calling()
    bank.decide(an_application())
    with pytest.raises(Refused) as raised:
        bank.decide(an_application(loan__amount_yuan=70_000))
    assert (raised.value.status, raised.value.code) == (409, "application_id_reused")


def test_a_proxy_that_knows_no_problem_documents_is_a_refusal_too(calling: Calling) -> None:
    with pytest.raises(Refused, match="answered 404") as raised:
        calling("404").get_fund()
    assert raised.value.code == "unknown"


def test_tokens_are_asked_for_before_each_try(calling: Calling) -> None:
    asked: list[str] = []

    def token() -> str:
        asked.append("")
        return "not-one"

    with pytest.raises(Refused, match="key"):
        calling("503", token=token).get_fund()
    assert len(asked) == 2


@pytest.mark.parametrize("ways", [{}, {"key": "lsk_a_b", "token": lambda: ""}])
def test_one_way_in_is_given_and_no_more(ways: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="one of key, token and signature"):
        Client(URL, **ways)


@pytest.mark.parametrize("name", ["", "..", "a/b", "a?b", "a b", "样本", "x" * 65])
def test_what_is_no_id_leads_nowhere(calling: Calling, name: str) -> None:
    with pytest.raises(ValueError, match="No id"):
        calling().get_decision(name)


def test_a_receipt_is_checked_without_the_service(calling: Calling) -> None:
    bank = calling()
    bank.get_receipt(bank.decide(an_application())["application_id"])  # signs what there is
    kept = bank.get_checkpoint()
    of = bank.decide(an_application(2))["application_id"]
    receipt = bank.get_receipt(of, since=kept["size"])
    first, second = verify_receipt(receipt, kept["keys"], [kept["checkpoint"]])
    assert of in first
    assert "changes none of them" in second
    changed = copy.deepcopy(receipt)
    changed["entry"]["decided_at"] = "2020-01-01T00:00:00.000+08:00"
    with pytest.raises(NotProven):
        verify_receipt(changed, kept["keys"])
