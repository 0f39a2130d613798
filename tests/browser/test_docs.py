"""The contract at /docs in a real browser: its examples run as they stand."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Person


def test_an_example_runs_with_a_key(person: Person) -> None:
    page = person.page
    person.go("/docs")
    page.locator("button.authorize").click()
    page.locator(".auth-container input").fill(person.console.keys["Ming Li"])
    page.locator(".auth-btn-wrapper .authorize").click()
    page.locator(".btn-done").click()
    preview = page.locator("#operations-Decisions-preview")
    preview.locator(".opblock-summary-control").click()
    preview.locator(".try-out__btn").click()
    preview.locator(".execute").click()
    answered = preview.locator(".live-responses-table .response")
    expect(answered).to_contain_text("200")
    expect(answered).to_contain_text('"product": "credit_loan"')


def test_every_call_says_what_it_does(person: Person) -> None:
    person.go("/docs")
    calls = person.page.locator(".opblock")
    expect(calls.first).to_be_visible()
    said = person.page.locator(".opblock-summary-description").all_inner_texts()
    assert len(said) == calls.count() > 25
    assert all(said)
