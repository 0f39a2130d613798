"""The console: who gets in, what a form must carry, what pages say and what they never hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from fontTools.ttLib import TTFont
from werkzeug.test import TestResponse

from loansvc import reasons
from loansvc.editions import to_text
from loansvc.errors import ReviewRefused
from loansvc.ledger import keys
from loansvc.registry import Registry
from loansvc.settings import Settings, shipped
from loansvc.underwriting import Underwriting
from loansvc.web import create_app
from loansvc.web.console import frame, letter
from loansvc.web.console.form import filled_in
from loansvc.web.console.sign_in import FONT
from loansvc.web.console.words import REFUSAL_ZH
from tests.contract.conftest import UNWATCHED, Api
from tests.small import (
    CARD,
    QIFANG,
    WANGTAN,
    a_document,
    publish_caps,
    publish_rival,
    publish_text,
    small_models,
    with_fund,
)

ALL = ("decide", "read", "review")
NO_CONSENT: dict[str, Any] = {"consent__scopes": ["credit_report", "income", "public_records"]}
TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
DECISIONS = "/console/decisions"


class Browser:
    """A browser without a script: it keeps cookies, follows links and sends forms."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.client: FlaskClient = api.app.test_client()

    def get(self, path: str, **kwargs: object) -> TestResponse:
        return self.client.get(path, **kwargs)

    def post(self, path: str, *, page: str = "", **form: str) -> TestResponse:
        """Send the form of a page, as the page has it unless fields are given."""
        held = self.get(page or path).text
        fields = {unescape(n): unescape(v) for n, v in _HIDDEN.findall(held)}
        return self.client.post(path, data=fields | form)

    def sign_in(self, key: str | None = None, *, back: str = "") -> TestResponse:
        query = f"?back={back}" if back else ""
        return self.post(f"/console/sign-in{query}", key=key or self.api.key)


_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


def text_of(response: TestResponse) -> str:
    """What a person reads: the page without its tags."""
    main = response.text.partition("<main")[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


@pytest.fixture
def bank(tmp_path: Path, models: Path) -> Iterator[Api]:
    service = Api(tmp_path, models)
    service.key = service.new_key("bank", ALL, holder="A. Asker")
    yield service
    service.close()


@pytest.fixture
def browser(bank: Api) -> Browser:
    found = Browser(bank)
    found.sign_in()
    return found


def name(number: int = 1) -> str:
    return str(a_document(number)["application_id"])


# --- who gets in ----------------------------------------------------------------------------------


def test_who_has_not_signed_in_is_asked_to_and_comes_back(bank: Api) -> None:
    browser = Browser(bank)
    asked = browser.get(f"{DECISIONS}?outcome=refer")
    assert asked.status_code == 303
    assert asked.headers["Location"].startswith("/console/sign-in?back=")
    page = asked.headers["Location"]
    signed = browser.post(page, key=bank.key)
    assert (signed.status_code, signed.headers["Location"]) == (303, f"{DECISIONS}?outcome=refer")
    assert browser.get(DECISIONS).status_code == 200


@pytest.mark.parametrize(
    "back", ["https://evil.example", "//evil.example", "/v1/decisions", "/console//evil", "\\evil"]
)
def test_nobody_is_led_elsewhere_by_signing_in(bank: Api, back: str) -> None:
    assert Browser(bank).sign_in(back=back).headers["Location"] == "/console/"


@pytest.mark.parametrize("key", ["lsk_0", "", "lsk_0123456789ab_" + "A" * 43])
def test_a_key_that_opens_nothing_is_refused_on_the_page(bank: Api, key: str) -> None:
    browser = Browser(bank)
    refused = browser.post("/console/sign-in", key=key)
    assert refused.status_code == 401
    assert "密钥无效" in text_of(refused)
    assert browser.get(DECISIONS).status_code == 303


def test_wrong_keys_are_counted_as_on_the_api(bank: Api) -> None:
    browser = Browser(bank)
    wrong = "lsk_0123456789ab_" + "A" * 43
    statuses = {browser.post("/console/sign-in", key=wrong).status_code for _ in range(22)}
    assert statuses == {401, 429}
    assert bank.get("/v1/fund", key=wrong).status_code == 429
    assert browser.sign_in().status_code == 303


def test_the_cookie_holds_no_key_and_is_sent_to_the_console_alone(bank: Api) -> None:
    [session] = Browser(bank).sign_in().headers.getlist("Set-Cookie")
    assert bank.key.rpartition("_")[2] not in session
    assert {"HttpOnly", "SameSite=Strict", "Path=/console"} <= set(session.split("; "))


@pytest.mark.parametrize(
    ("host", "is_secure"),
    [("127.0.0.1:8000", False), ("localhost", False), ("[::1]:8000", False),
     ("credit.example.cn", True), ("127.0.0.1.example.cn", True)],
)  # fmt: skip
def test_only_on_this_machine_a_cookie_goes_without_tls(
    bank: Api, host: str, *, is_secure: bool
) -> None:
    response = bank.app.test_client().get("/console/sign-in", headers={"Host": host})
    assert ("Secure" in response.headers["Set-Cookie"].split("; ")) == is_secure


def test_below_a_path_of_a_proxy_links_and_cookies_have_it(bank: Api) -> None:
    app = create_app(bank.root, Settings(public_url="https://bank.example.cn/credit"))
    page = app.test_client().get("/console/sign-in")
    assert "Path=/credit/console" in page.headers["Set-Cookie"]
    addresses = re.findall(r'(?:href|src|action)="([^"]+)"', page.text)
    assert [a for a in addresses if not a.startswith(("/credit/console/", "#"))] == []


def test_the_cookie_opens_nothing_of_the_api(browser: Browser) -> None:
    cookie = browser.client.get_cookie("loansvc_console", path="/console")
    assert cookie is not None
    headers = {"Cookie": f"loansvc_console={cookie.value}"}
    for sent in (headers, {"Authorization": f"Bearer {cookie.value}"}):
        assert browser.api.call("GET", "/v1/decisions", key="", headers=sent).status_code == 401


def test_a_session_of_nobody_does_not_become_somebodys(bank: Api) -> None:
    """Whoever put a cookie into somebody's browser does not know the one after signing in."""
    browser = Browser(bank)
    browser.get("/console/sign-in")
    before = browser.client.get_cookie("loansvc_console", path="/console")
    browser.sign_in()
    after = browser.client.get_cookie("loansvc_console", path="/console")
    assert before
    assert after
    assert before.value.partition(".")[0] != after.value.partition(".")[0]


def test_signing_out_ends_every_copy(browser: Browser) -> None:
    kept = browser.client.get_cookie("loansvc_console", path="/console")
    assert kept is not None
    assert browser.post("/console/sign-out", page=DECISIONS).status_code == 303
    browser.client.set_cookie("loansvc_console", kept.value, path="/console")
    assert browser.get(DECISIONS).status_code == 303


def test_a_session_ends_with_its_key_and_with_time(browser: Browser, bank: Api) -> None:
    assert browser.get(DECISIONS).status_code == 200
    bank.now += timedelta(minutes=31)
    assert browser.get(DECISIONS).status_code == 303
    browser.sign_in()
    assert browser.get(DECISIONS).status_code == 200
    keys.revoke(bank.root.ledger, bank.key.split("_")[1], now=bank.now)
    assert browser.get(DECISIONS).status_code == 303


def test_access_says_whether_there_is_a_console(bank: Api) -> None:
    def status(access: str, path: str) -> int:
        app = create_app(bank.root, Settings(access=access))
        headers = {"Authorization": f"Bearer {bank.key}"}
        return app.test_client().get(path, headers=headers).status_code

    assert status("key", "/console/sign-in") == 404
    assert status("signature,token,console", "/console/sign-in") == 200
    assert status("signature,token,console", "/v1/decisions") == 401  # keys open the console alone
    assert status("console", "/v1/decisions") == 401


def test_requests_of_the_console_are_counted_with_the_clients(bank: Api) -> None:
    bank.app = create_app(bank.root, Settings(rate_limit=4, workers=1))
    browser = Browser(bank)
    browser.sign_in()
    statuses = [browser.get(DECISIONS).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert bank.get("/v1/decisions").status_code == 429


# --- forms ----------------------------------------------------------------------------------------


def test_a_form_without_the_token_of_its_session_is_refused(browser: Browser, bank: Api) -> None:
    bank.post(a_document(1))
    other = Browser(bank)
    other.sign_in()
    [token, *_] = TOKEN.findall(other.get(f"{DECISIONS}/{name()}/review").text)
    for form in ({}, {"form_token": ""}, {"form_token": token}):
        asked = {"asked_by": "officer", "reason": "referred", "reference": "V-1"}
        refused = browser.client.post(f"{DECISIONS}/{name()}/review", data=asked | form)
        assert refused.status_code == 403
    assert "review" not in bank.get(f"/v1/decisions/{name()}").get_json()


def test_a_form_from_another_site_is_refused_even_with_the_token(browser: Browser) -> None:
    [token, *_] = TOKEN.findall(browser.get(DECISIONS).text)
    refused = browser.client.post(
        "/console/sign-out", data={"form_token": token}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert refused.status_code == 403


# --- pages ----------------------------------------------------------------------------------------


def test_every_page_keeps_scripts_and_frames_out(browser: Browser, bank: Api) -> None:
    bank.post(a_document(1))
    for path in ("/console/sign-in", DECISIONS, f"{DECISIONS}/{name()}", "/console/none"):
        response = browser.get(path)
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["Cache-Control"] == "no-store"
        assert not re.search(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=", response.text)


def test_the_font_that_is_carried_holds_every_character_of_ours(browser: Browser) -> None:
    with browser.get(f"/console/static/{FONT}") as response:
        held = TTFont(BytesIO(response.data)).getBestCmap()
    ours = [*Path(frame.__file__).parent.rglob("*"), *Path(reasons.__file__).parent.glob("*.py")]
    texts = [path.read_text("utf-8") for path in ours if path.suffix in (".py", ".html")]
    registers = [*(shipped("models") / "villages").rglob("*.json")]
    said = {c for text in texts for c in text if "\u2e80" <= c <= "\uffef"}
    names = {c for path in registers for c in path.read_text("utf-8") if "\u2e80" <= c <= "\uffef"}
    assert min(len(said), len(names)) > 100
    assert {c for c in said | names if ord(c) not in held} == set()


def test_no_page_and_no_address_holds_who_the_applicant_is(browser: Browser, bank: Api) -> None:
    document = a_document(1, **NO_CONSENT)
    bank.post(document)
    pages = (DECISIONS, f"{DECISIONS}/{name()}", f"{DECISIONS}/{name()}/proof")
    for path in pages:
        text = browser.get(path).text
        assert document["applicant"]["id_number"] not in text
        assert document["consent"]["consent_id"] not in text


def test_the_first_sentence_says_why_it_was_referred(browser: Browser, bank: Api) -> None:
    bank.post(a_document(1, **NO_CONSENT))
    text = text_of(browser.get(f"{DECISIONS}/{name()}"))
    assert "转人工审核，因为：未同意自动化决策，由人工审核。" in text
    english = text_of(browser.get(f"{DECISIONS}/{name()}?language=en"))
    assert (
        "A person has to decide, because: No consent to an automated decision: a person decides."
        in english
    )


def test_a_decision_is_shown_from_base_to_score_and_replayed(browser: Browser, bank: Api) -> None:
    bank.post(a_document(1))
    text = text_of(browser.get(f"{DECISIONS}/{name()}?language=en"))
    assert re.search(r"Base 580 .* \+30 .* \+10 .* \+6 Score 626", text)
    assert "Decided again from what was recorded: identical." in text
    assert re.search(r"the bank 20 %", text)


def test_the_language_stays_as_it_was_chosen(browser: Browser) -> None:
    assert "<h1>决定</h1>" in browser.get(DECISIONS).text
    assert "<h1>Decisions</h1>" in browser.get(f"{DECISIONS}?language=en").text
    again = browser.get(DECISIONS).text
    assert "<h1>Decisions</h1>" in again
    assert '<html lang="en">' in again


@pytest.mark.parametrize("query", ["_scheme=javascript&_external=1", "endpoint=x", "_anchor=x"])
def test_the_link_to_the_other_language_is_of_this_page_whatever_was_asked(
    browser: Browser, query: str
) -> None:
    page = browser.get(f"{DECISIONS}?{query}&outcome=refer")
    assert page.status_code == 200
    [href] = re.findall(r'href="([^"]+)" lang="en">English', page.text)
    assert unescape(href) == f"{DECISIONS}?{query}&outcome=refer&language=en"


def test_decisions_are_found_by_what_is_asked(browser: Browser, bank: Api) -> None:
    bank.post(a_document(1))
    bank.post(a_document(2, **NO_CONSENT))
    bank.post(a_document(3, applicant__village_code=QIFANG))
    for query, found in (
        ("outcome=&product=", {1, 2, 3}), ("outcome=refer", {2, 3}), ("village=" + WANGTAN, {1, 2}),
        ("from=2026-11-24", set()), ("to=2026-11-23&outcome=approve", {1}),
    ):  # fmt: skip
        text = browser.get(f"{DECISIONS}?{query}").text
        assert {n for n in (1, 2, 3) if name(n) in text} == found, query


def test_a_whole_application_id_leads_to_its_decision(browser: Browser, bank: Api) -> None:
    bank.post(a_document(1))
    found = browser.get(f"{DECISIONS}?application_id={name()}&outcome=&product=")
    assert (found.status_code, found.headers["Location"]) == (303, f"{DECISIONS}/{name()}")
    elsewhere = browser.get(f"{DECISIONS}?application_id=//evil.example/")
    assert elsewhere.headers["Location"].startswith(f"{DECISIONS}/")


def test_pages_go_on_where_the_one_before_ended(browser: Browser, bank: Api) -> None:
    for number in range(1, 23):
        bank.post(a_document(number))
    first = browser.get(DECISIONS).text
    [onward] = re.findall(r'class="next" href="([^"]+)"', first)
    second = browser.get(unescape(onward)).text
    assert name(22) in first
    assert name(2) not in first
    assert name(2) in second
    assert 'class="next"' not in second


def test_a_filter_that_is_none_is_refused_in_words(browser: Browser) -> None:
    refused = browser.get(f"{DECISIONS}?from=yesterday")
    assert refused.status_code == 400
    assert "查询条件填写有误" in text_of(refused)


def test_another_clients_decision_is_not_there(browser: Browser, bank: Api) -> None:
    bank.post(a_document(1), key=bank.new_key("other"))
    for path in ("", "/proof", "/review"):
        assert browser.get(f"{DECISIONS}/{name()}{path}").status_code == 404
    assert name() not in browser.get(DECISIONS).text


def test_what_a_key_does_not_open_is_not_offered(bank: Api) -> None:
    bank.post(a_document(1))
    reader = Browser(bank)
    reader.sign_in(bank.new_key("bank", ("read",)))
    page = reader.get(f"{DECISIONS}/{name()}")
    assert f"{name()}/review" not in page.text
    assert reader.get(f"{DECISIONS}/{name()}/review").status_code == 403


def test_the_receipt_is_checked_as_a_bank_would(browser: Browser, bank: Api) -> None:
    bank.post(a_document(1))
    text = text_of(browser.get(f"{DECISIONS}/{name()}/proof?language=en"))
    assert "This decision is in the signed ledger, unchanged since." in text


def test_a_refusal_is_a_page_with_its_status(browser: Browser) -> None:
    missing = browser.get("/console/decisions/none/nothing")
    assert (missing.status_code, missing.mimetype) == (404, "text/html")
    assert missing.headers["X-Request-Id"] in missing.text


# --- people's decisions ---------------------------------------------------------------------------


@pytest.fixture
def second(bank: Api) -> Browser:
    """Another person of the same bank."""
    found = Browser(bank)
    found.sign_in(bank.new_key("bank", ALL, holder="D. Decider"))
    return found


def asked_for_review(browser: Browser, **form: str) -> TestResponse:
    given = {"asked_by": "applicant", "reason": "no_automated_decision"} | form
    return browser.post(f"{DECISIONS}/{name()}/review", **given)


def test_one_asks_and_another_decides(browser: Browser, second: Browser, bank: Api) -> None:
    bank.post(a_document(1, **NO_CONSENT))
    assert asked_for_review(browser, note="asked at the counter").status_code == 303
    assert name() in browser.get("/console/reviews").text
    alone = browser.post(
        f"{DECISIONS}/{name()}/override", outcome="approve", reason="facts_verified"
    )
    assert alone.status_code == 403
    assert "申请人工审核的人不能自己作出决定" in text_of(alone)
    decided = second.post(
        f"{DECISIONS}/{name()}/override", outcome="approve", reason="facts_verified",
        amount_yuan="80000",
    )  # fmt: skip
    assert decided.status_code == 303
    recorded = bank.get(f"/v1/decisions/{name()}").get_json()["override"]
    assert recorded["terms"]["offer"]["amount_yuan"] == 80_000
    text = text_of(browser.get(f"{DECISIONS}/{name()}?language=en"))
    assert "A person decided: approve, 80,000 yuan over 24 months" in text
    assert name() not in browser.get("/console/reviews").text
    assert name() in browser.get("/console/reviews?state=closed").text


def test_a_form_that_is_sent_twice_records_once(browser: Browser, bank: Api) -> None:
    bank.post(a_document(1))
    page = browser.get(f"{DECISIONS}/{name()}/review").text
    form = {unescape(n): unescape(v) for n, v in _HIDDEN.findall(page)}
    form |= {"asked_by": "officer", "reason": "officer_doubts"}
    sent = [browser.client.post(f"{DECISIONS}/{name()}/review", data=form) for _ in range(2)]
    assert [response.status_code for response in sent] == [303, 303]


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(
    browser: Browser, second: Browser, bank: Api
) -> None:
    bank.post(a_document(1, **NO_CONSENT))
    asked_for_review(browser)
    wrong = second.post(
        f"{DECISIONS}/{name()}/override", outcome="approve", reason="visit", amount_yuan="8万",
        note="seen",
    )  # fmt: skip
    assert wrong.status_code == 422
    assert re.search(r'name="note"[^>]* value="seen"', wrong.text)
    assert "override" not in bank.get(f"/v1/decisions/{name()}").get_json()
    assert "请填写整数" in text_of(wrong)
    above = second.post(
        f"{DECISIONS}/{name()}/override", outcome="approve", reason="visit", amount_yuan="130000"
    )
    assert above.status_code == 409
    assert "最多120000。" in text_of(above)
    both = second.post(
        f"{DECISIONS}/{name()}/override", outcome="decline", reason="visit", amount_yuan="1"
    )
    assert "与所选结果不符。" in text_of(both)


def test_a_rule_that_stands_is_named_in_words(browser: Browser, second: Browser, bank: Api) -> None:
    bank.post(a_document(1, credit_report__max_days_past_due_24m=95))
    asked_for_review(browser)
    refused = second.post(f"{DECISIONS}/{name()}/override", outcome="approve", reason="visit")
    assert refused.status_code == 409
    assert "规则不予批准：" in text_of(refused)


def test_what_a_person_writes_is_shown_as_text(browser: Browser, bank: Api) -> None:
    bank.post(a_document(1))
    asked_for_review(browser, note="<script>alert(1)</script>")
    page = browser.get(f"{DECISIONS}/{name()}").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page


def test_a_dispute_is_recorded_with_its_last_day(browser: Browser, bank: Api) -> None:
    bank.post(a_document(1))
    form = {"kind": "lodged", "about": "credit_report", "on": "2026-11-23"}
    assert browser.post(f"{DECISIONS}/{name()}/dispute", **form).status_code == 303
    assert "2026-12-13" in text_of(browser.get(f"{DECISIONS}/{name()}"))
    assert name() in browser.get("/console/reviews").text


# --- trying ---------------------------------------------------------------------------------------


def trial_form(browser: Browser, **changes: str) -> dict[str, list[str]]:
    """The form of an example as it stands, some fields changed."""
    filled = filled_in(a_document(1))
    [token, *_] = TOKEN.findall(browser.get("/console/trial").text)
    changed = {name.replace("__", "/"): [value] for name, value in changes.items()}
    return filled | changed | {"form_token": [token]}


def test_a_preview_says_what_would_be_decided_and_records_nothing(
    browser: Browser, bank: Api
) -> None:
    before = bank.root.ledger.verify()[0]
    page = browser.client.post("/console/trial", data=trial_form(browser))
    assert page.status_code == 200
    assert "批准：120,000元，24个月" in text_of(page)
    assert bank.get(f"/v1/decisions/{name()}").status_code == 404
    assert bank.root.ledger.verify()[0] == before


def test_every_flaw_of_a_preview_is_told_by_its_field(browser: Browser) -> None:
    form = trial_form(browser, __loan__amount_yuan="8万", __applicant__id_number="none")
    page = browser.client.post("/console/trial", data=form)
    told = re.findall(r'data-for="([^"]+)" data-says="([^"]+)"', page.text)
    assert ("/loan/amount_yuan", "请填写整数。") in told
    assert {pointer for pointer, _ in told} == {"/loan/amount_yuan", "/applicant/id_number"}
    assert 'value="8万"' in page.text


def test_previews_of_the_console_are_watched_as_those_of_the_api(bank: Api) -> None:
    bank.app = create_app(bank.root, Settings(probing_flag=1, probing_limit=2))
    browser = Browser(bank)
    browser.sign_in()
    told = [
        text_of(
            browser.client.post(
                "/console/trial", data=trial_form(browser, __applicant__dependants=n)
            )
        )
        for n in "012"
    ]
    assert ["试算的不同情形过多" in text for text in told] == [False, False, True]


def test_each_form_begins_with_another_invented_person(browser: Browser) -> None:
    found = {
        re.findall(
            r'name="/applicant/id_number" value="([0-9X]+)"', browser.get("/console/trial").text
        )[0]
        for _ in range(3)
    }
    assert len(found) == 3
    assert all(number.startswith("999999") for number in found)


# --- county and editions --------------------------------------------------------------------------


def test_villages_stand_as_they_do_on_the_day_asked(browser: Browser) -> None:
    today = text_of(browser.get("/console/villages"))
    assert re.search(r"王潭村 乌溪镇 AA 已评定 2026-03-31 \+6 0.10", today)
    later = text_of(browser.get("/console/villages?on=2028-05-01&language=en"))
    assert re.search(r"王潭村 乌溪镇 A in its months of grace", later)
    assert "石桥村 石桥镇 unrated not rated" in later


def test_a_village_tells_its_history(browser: Browser) -> None:
    text = text_of(browser.get(f"/console/villages/{WANGTAN}?language=en"))
    assert "Rating AA" in text
    assert "From 2028-03-31: A, in its months of grace" in text
    assert browser.get("/console/villages/340521999999").status_code == 404


def test_a_fund_without_capital_says_so_and_one_with_it_its_room(
    browser: Browser, bank: Api
) -> None:
    assert "尚未登记基金资本金" in text_of(browser.get("/console/fund"))
    with_fund(bank.root, 5_000_000)
    bank.post(a_document(1))
    text = text_of(browser.get("/console/fund?language=en"))
    assert "Reserved for offers 48,000 yuan" in text  # 40 % of 120,000 yuan
    assert "49,952,000 yuan" in text


def test_editions_are_those_of_the_day_and_compared_with_the_one_before(
    tmp_path: Path, bank: Api
) -> None:
    folder = tmp_path / "later"
    folder.mkdir()
    models = small_models(folder)
    publish_caps(models, folder, related_percent=15)
    bins = [
        {"to": 12, "points": -40},
        {"from": 12, "points": 25},
        {"state": "missing", "points": 0},
    ]
    changed = {**CARD["characteristics"], "business_age_months": {"bins": bins}}
    card = {
        **CARD,
        "characteristics": changed,
        "product": "credit_loan",
        "valid_from": "2026-09-01",
    }
    publish_text(models, folder / "card.json", to_text(card))
    bank.app = create_app(Underwriting(Registry.open(models), bank.root.ledger), UNWATCHED)
    browser = Browser(bank)
    browser.sign_in()
    assert (
        "2026-09-01" not in browser.get("/console/editions?on=2026-07-31").text.partition("<h2>")[0]
    )
    page = browser.get("/console/editions?on=2026-11-23&language=en")
    found = dict(re.findall(r'href="([^"]+)">compare<span class="unseen"> ([a-z]+) ', page.text))
    texts = {kind: text_of(browser.get(path)) for path, kind in found.items()}
    assert "changes by -5 to +25 points" in texts["scorecard"]
    assert re.search(r"12 to below 36 0 \+25 \+25", texts["scorecard"])
    assert "fund.related_percent" in texts["policy"]


def test_only_cards_and_policies_of_one_kind_are_compared(browser: Browser, bank: Api) -> None:
    first = {e.kind: e.digest for e in bank.root.registry.editions}
    for pair in (("scorecard", "policy"), ("rates", "rates")):
        path = "/".join(first[kind] for kind in pair)
        assert browser.get(f"/console/editions/{path}").status_code == 404
    assert browser.get(f"/console/editions/{first['policy']}/none").status_code == 404
    same = browser.get(f"/console/editions/{first['policy']}/{first['policy']}?language=en")
    assert "No difference." in text_of(same)


# --- letters --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({}, "您的申请已获批准。 批准的条件 金额120,000元，期限24个月", id="approved"),
        pytest.param(NO_CONSENT, "将由人工审核，尚未作出最终决定。 理由 未同意", id="referred"),
        pytest.param({"credit_report__max_days_past_due_24m": 95}, "您的申请未获批准。 理由",
                     id="declined"),
    ],
)  # fmt: skip
def test_a_letter_says_what_was_decided_and_what_one_may_do(
    browser: Browser, bank: Api, changes: dict[str, Any], says: str
) -> None:
    bank.post(a_document(1, **changes))
    text = text_of(browser.get(f"{DECISIONS}/{name()}/letter"))
    assert says in text
    assert "要求由工作人员审核（《个人信息保护法》第二十四条）" in text
    assert "20日内书面答复" in text
    assert ("由系统自动作出" in text.partition("您的申请")[0]) == (changes != NO_CONSENT)


def test_a_letter_after_a_person_decided_tells_that_persons_reason(
    browser: Browser, second: Browser, bank: Api
) -> None:
    bank.post(a_document(1, **NO_CONSENT))
    asked_for_review(browser)
    second.post(f"{DECISIONS}/{name()}/override", outcome="decline", reason="repayment_doubtful")
    text = text_of(browser.get(f"{DECISIONS}/{name()}/letter?language=en"))
    assert "Your application is declined. Reasons The source of repayment is too small" in text
    assert "by a member of staff" in text
    assert "refuse a decision made by a computer" not in text  # that right was used


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_letter_is_a_pdf_of_one_page_with_every_character(
    browser: Browser, bank: Api, language: str, caplog: pytest.LogCaptureFixture
) -> None:
    bank.post(a_document(1, **NO_CONSENT))
    path = f"{DECISIONS}/{name()}/letter.pdf?language={language}"
    first, again = browser.get(path), browser.get(path)
    assert first.content_type == "application/pdf"
    assert first.data.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", first.data)) == 1
    assert first.data == again.data
    assert [record for record in caplog.records if "glyph" in record.getMessage()] == []


def test_no_page_about_a_decision_tells_of_a_challenger(tmp_path: Path) -> None:
    models = small_models(tmp_path)
    rival = publish_rival(models, tmp_path)
    service = Api(tmp_path, models)
    service.key = service.new_key("bank", ALL, holder="A. Asker")
    service.post(a_document(1))
    assert service.root.find(name(), client="bank").beside[0]["digest"] == rival, "it was recorded"
    person = Browser(service)
    person.sign_in()
    for page in ("", f"/{name()}", f"/{name()}/proof", f"/{name()}/letter", f"/{name()}/review"):
        answer = person.get(f"{DECISIONS}{page}")
        assert answer.status_code == 200, page
        assert rival[7:15] not in answer.text, page
    service.close()


def test_an_install_that_makes_no_pdf_offers_none(
    browser: Browser, bank: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letter, "makes_pdf", lambda: False)
    bank.post(a_document(1))
    assert "letter.pdf" not in browser.get(f"{DECISIONS}/{name()}/letter").text
    answer = browser.get(f"{DECISIONS}/{name()}/letter.pdf?language=en")
    assert answer.status_code == 404
    assert "Print the page" in answer.text


def test_a_letter_holds_no_points_and_nobodys_number(browser: Browser, bank: Api) -> None:
    document = a_document(1)
    bank.post(document)
    text = text_of(browser.get(f"{DECISIONS}/{name()}/letter"))
    assert document["applicant"]["id_number"] not in text
    assert "626" not in text


def test_every_refusal_of_a_review_has_a_chinese_text() -> None:
    assert set(ReviewRefused.texts) <= set(REFUSAL_ZH)
