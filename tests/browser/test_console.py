"""The console in a real browser: people at work, a keyboard, a screen reader's eyes, a printer."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.conftest import NARROW, WIDE, Console, Person

SERIOUS = ("serious", "critical")
REFERRED = "EXAMPLE-20261123-credit_loan-000002"
DECLINED = "EXAMPLE-20261123-credit_loan-000003"
NO_CONSENT = ["credit_report", "income", "public_records"]
PAGES = (
    "/console/decisions",
    f"/console/decisions/{REFERRED}",
    f"/console/decisions/{DECLINED}",
    f"/console/decisions/{DECLINED}/letter",
    f"/console/decisions/{DECLINED}/proof",
    f"/console/decisions/{DECLINED}/review",
    f"/console/decisions/{DECLINED}/override",
    f"/console/decisions/{DECLINED}/dispute",
    "/console/reviews",
    "/console/trial",
    "/console/villages",
    "/console/villages/340521102200",
    "/console/editions",
    "/console/fund",
    "/console/monitoring",
    "/console/report",
)


def test_signing_in_leads_to_the_decisions(person: Person) -> None:
    person.sign_in(language="zh")
    assert person.page.locator("h1").inner_text() == "决定"
    assert REFERRED in person.text


def test_the_first_screen_says_why_it_was_referred(person: Person) -> None:
    person.enter()
    person.go("/console/decisions")
    person.page.get_by_role("link", name=REFERRED).click()
    answer = person.page.locator(".answer")
    assert answer.inner_text().startswith("A person has to decide, because: No consent")
    box = answer.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 900  # of the window


def test_the_language_is_switched_on_the_spot_and_stays(person: Person) -> None:
    person.enter(language="zh")
    person.go(f"/console/decisions/{DECLINED}")
    person.page.get_by_role("link", name="English").click()
    assert person.page.locator(".answer").inner_text().startswith("Declined")
    person.page.get_by_role("link", name="Decisions").first.click()
    assert person.page.locator("h1").inner_text() == "Decisions"


def test_one_person_asks_and_another_decides(
    console: Console, person: Person, second: Person
) -> None:
    waiting = console.decide(11, consent__scopes=NO_CONSENT)
    person.enter("Ming Li")
    person.go(f"/console/decisions/{waiting}")
    person.page.get_by_role("link", name="Ask for a person's decision").click()
    person.page.get_by_label("Who asks").select_option("applicant")
    person.page.get_by_label("Why").select_option("no_automated_decision")
    person.page.locator("main button").click()
    assert "Waits for a person" in person.text

    second.enter("Hong Wang")
    second.go("/console/reviews")
    second.page.get_by_role("link", name=f"Decide {waiting}").click()
    second.page.get_by_label("Decision").select_option("approve")
    second.page.get_by_label("Why").select_option("facts_verified")
    second.page.get_by_label("Amount in yuan").fill("80000")
    second.page.locator("main button").click()
    assert "A person decided: approve, 80,000 yuan" in second.text
    assert second.complaints == []


def test_the_same_person_cannot_do_both(console: Console, second: Person) -> None:
    waiting = console.decide(12, consent__scopes=NO_CONSENT)
    second.enter("Ming Li")
    second.go(f"/console/decisions/{waiting}/review")
    second.page.get_by_label("Who asks").select_option("officer")
    second.page.get_by_label("Why").select_option("referred")
    second.page.locator("main button").click()
    second.page.get_by_role("link", name="Decide it").click()
    second.page.get_by_label("Decision").select_option("decline")
    second.page.get_by_label("Why").select_option("visit")
    second.page.locator("main button").click()
    assert "may not be the one who decides" in second.page.get_by_role("alert").inner_text()


def test_a_form_is_previewed_as_its_fields_change(person: Person) -> None:
    person.enter()
    person.go("/console/trial")
    preview = person.page.locator("#preview")
    expect(preview).to_contain_text("Approved: 120,000 yuan")
    amount = person.page.get_by_label("amount asked for")
    amount.fill("80000")
    amount.blur()
    expect(preview).to_contain_text("Approved: 80,000 yuan")
    person.page.get_by_label("an automated decision").uncheck()
    expect(preview).to_contain_text("A person has to decide")


def test_what_is_wrong_is_told_beside_its_field_until_it_is_right(person: Person) -> None:
    person.enter(language="zh")
    person.go("/console/trial")
    amount = person.page.get_by_label("申请金额")
    for wrong, told in (("8万", 1), ("80000", 0)):
        amount.fill(wrong)
        amount.blur()
        expect(person.page.locator("span.flaw")).to_have_count(told)
    expect(person.page.locator("#preview")).to_contain_text("批准：80,000元")


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious(person: Person, path: str) -> None:
    person.enter(language="zh")
    person.go(path)
    found = Axe().run(person.page).response["violations"]
    assert [
        (one["id"], node["html"][:100])
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ] == []


def test_axe_finds_nothing_serious_before_signing_in(person: Person) -> None:
    person.go("/console/sign-in")
    assert not [v for v in Axe().run(person.page).response["violations"] if v["impact"] in SERIOUS]


@pytest.mark.parametrize("path", PAGES)
def test_no_page_is_wider_than_a_telephone(person: Person, path: str) -> None:
    person.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    person.enter()
    person.go(path)
    assert person.page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]


@pytest.mark.parametrize("path", ["/console/monitoring", "/console/report"])
def test_charts_are_drawn_from_the_tables_and_say_what_they_are(person: Person, path: str) -> None:
    person.enter(language="zh")
    person.go(path)
    charts = person.page.locator("canvas[role=img]")
    expect(charts.first).to_be_visible()
    assert all(charts.evaluate_all("all => all.map((one) => one.getAttribute('aria-label'))"))
    pixels = "one.getContext('2d').getImageData(0, 0, one.width, one.height).data"
    assert charts.first.evaluate(f"(one) => {pixels}.some((value) => value)")


def test_everything_is_reached_by_the_keyboard(person: Person) -> None:
    person.go("/console/?language=en")
    person.page.keyboard.press("Tab")
    assert person.page.locator(":focus").inner_text() == "Skip to content"
    for _ in range(2):  # the switch of language, the key
        person.page.keyboard.press("Tab")
    person.page.keyboard.type(person.console.keys["Ming Li"])
    person.page.keyboard.press("Enter")
    person.page.wait_for_url("**/console/decisions")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_letter_prints_on_one_page(person: Person, language: str) -> None:
    person.enter(language=language)
    person.go(f"/console/decisions/{DECLINED}/letter")
    assert len(re.findall(rb"/Type\s*/Page\b", person.page.pdf(prefer_css_page_size=True))) == 1
    person.page.emulate_media(media="print")
    assert not person.page.get_by_role("navigation").is_visible()


def test_pages_are_pictured(person: Person, pictures: Path) -> None:
    for language, size, path in product(("zh", "en"), (WIDE, NARROW), PAGES):
        person.page.set_viewport_size({"width": size[0], "height": size[1]})
        person.enter(language=language)
        person.go(path)
        person.page.evaluate("document.fonts.ready")
        name = path.removeprefix("/console/").replace("/", "-")
        person.page.screenshot(path=pictures / f"{name}-{size[0]}-{language}.png", full_page=True)
