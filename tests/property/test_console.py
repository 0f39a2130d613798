"""Whatever is put into a form of the console, the answer is a page and never an error of ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loansvc.web.console.form import FIELDS, filled_in
from tests.contract.conftest import Api
from tests.contract.test_console import DECISIONS, NO_CONSENT, TOKEN, Browser
from tests.small import a_document, small_models

ODD = st.sampled_from(
    [
        "",
        "0",
        "-1",
        "1e9",
        "9" * 40,
        "\x00",
        "é",
        "１",
        "8万",
        "<b>",
        "2026-11-31",
        "yes",
        "AA",
        "{}",
    ]
)
TEXTS = st.one_of(ODD, st.text(max_size=80))
ACTS = ("reference", "asked_by", "reason", "note", "outcome", "kind", "about", "on", "amount_yuan",
        "term_months")  # fmt: skip
QUERIES = ("product", "outcome", "state", "village", "from", "to", "cursor", "on", "language",
           "_external", "endpoint")  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("console")
    api = Api(folder, small_models(folder))
    api.key = api.new_key("bank", ("decide", "read", "review"))
    api.post(a_document(1, **NO_CONSENT))
    found = Browser(api)
    found.sign_in()
    yield found
    api.close()


quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def token_of(browser: Browser) -> str:
    return str(TOKEN.findall(browser.get("/console/trial").text)[0])


@quick
@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), TEXTS, min_size=1, max_size=4))
def test_a_preview_of_anything_is_a_page(browser: Browser, changed: dict[str, str]) -> None:
    form = filled_in(a_document(1)) | {name: [text] for name, text in changed.items()}
    page = browser.client.post("/console/trial", data=form | {"form_token": [token_of(browser)]})
    assert page.status_code == 200
    assert "data-previewed" in page.text


@quick
@given(
    st.sampled_from(["review", "override", "dispute"]),
    st.dictionaries(st.sampled_from(ACTS), TEXTS, max_size=6),
)
def test_an_act_of_anything_is_told_what_is_wrong(
    browser: Browser, act: str, form: dict[str, str]
) -> None:
    path = f"{DECISIONS}/{a_document(1)['application_id']}/{act}"
    page = browser.client.post(path, data=form | {"form_token": token_of(browser)})
    assert page.status_code in (200, 303, 403, 409, 422)


@quick
@given(
    st.sampled_from(["decisions", "reviews", "villages", "editions", "trial", "sign-in"]),
    st.dictionaries(st.sampled_from(QUERIES), TEXTS, max_size=3),
)
def test_a_query_of_anything_is_answered_or_refused(
    browser: Browser, page: str, query: dict[str, str]
) -> None:
    found = browser.get(f"/console/{page}", query_string=query)
    assert found.status_code in (200, 400, 422)
    assert found.mimetype == "text/html"
