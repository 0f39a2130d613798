"""Reading: pages and filters of decisions, villages, products, editions, and the probes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from loansvc import __version__
from loansvc.application import PRODUCTS
from loansvc.editions import digest_of, to_text
from loansvc.registry.publishing import publish
from loansvc.villages.signatures import ROLES, digest_of_assessment
from tests.contract.conftest import Api, is_problem
from tests.small import (
    NOON,
    POLICY,
    QIFANG,
    REGISTER,
    SHIQIAO,
    WANGTAN,
    a_document,
    publish_text,
    small_models,
)

LATER = "2026-12-01"


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A service with twelve decisions of 21 to 23 November, and a policy of 1 December."""
    folder = tmp_path_factory.mktemp("county")
    models = small_models(folder)
    later = POLICY.replace("PRODUCT", "credit_loan").replace("2026-07-01", LATER)
    # Line ends of another system: they are part of the digest.
    (folder / "later.toml").write_bytes(later.replace("\n", "\r\n").encode())
    publish(models, folder / "later.toml", role="champion", approver="test")
    service = Api(folder, models)
    for number in range(1, 13):
        service.now = NOON - timedelta(days=2 - number % 3)
        document = a_document(
            number,
            PRODUCTS[number % 2],
            applied_on="2026-11-20",
            applicant__village_code=(WANGTAN, QIFANG, SHIQIAO)[number % 3],
        )
        if number % 4 == 0:
            document["loan"]["purpose"] = "securities"
        assert service.post(document).status_code == 201
    service.now = NOON
    yield service
    service.close()


def number_of(body: dict[str, Any]) -> int:
    """The number of which the example was made."""
    return int(body["application_id"][-6:])


def pages(api: Api, query: str) -> list[list[dict[str, Any]]]:
    """Every page of a list, from first to last."""
    found, cursor = [], ""
    while True:
        body = api.get(f"/v1/decisions?{query}{cursor}").get_json()
        found.append(body["data"])
        assert body["has_more"] == (body["next"] is not None)
        if not body["has_more"]:
            return found
        cursor = f"&cursor={body['next']}"


@pytest.mark.parametrize("limit", [1, 2, 5, 11, 12, 13, 100])
def test_pages_are_complete_newest_first_and_without_repeats(county: Api, limit: int) -> None:
    found = pages(county, f"limit={limit}")
    assert [number_of(d) for page in found for d in page] == list(range(12, 0, -1))
    assert all(len(page) == limit for page in found[:-1])


def test_a_page_is_what_each_decision_was(county: Api) -> None:
    for body in county.get("/v1/decisions").get_json()["data"]:
        one = county.get(f"/v1/decisions/{body['application_id']}").get_json()
        assert one == body


def test_decisions_made_while_paging_do_not_disturb_the_pages(api: Api) -> None:
    for number in range(1, 6):
        api.post(a_document(number))
    first = api.get("/v1/decisions?limit=3").get_json()
    api.post(a_document(6))
    rest = api.get(f"/v1/decisions?limit=3&cursor={first['next']}").get_json()
    assert [number_of(d) for d in first["data"] + rest["data"]] == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("product=credit_loan", [12, 10, 8, 6, 4, 2], id="product"),
        pytest.param("product=online_loan", [], id="a product without decisions"),
        pytest.param("outcome=decline", [12, 8, 4], id="outcome"),
        pytest.param(f"village={QIFANG}", [10, 7, 4, 1], id="village"),
        pytest.param(f"village={QIFANG}&outcome=decline", [4], id="village and outcome"),
        pytest.param("village=340521999999", [], id="a village without decisions"),
        pytest.param("from=2026-11-23", [11, 8, 5, 2], id="from a day on"),
        pytest.param("to=2026-11-21", [12, 9, 6, 3], id="up to a day"),
        pytest.param("from=2026-11-22&to=2026-11-22", [10, 7, 4, 1], id="one day"),
        pytest.param("from=2026-11-22&to=2026-11-21", [], id="no day"),
        pytest.param("to=9999-12-31&outcome=decline", [12, 8, 4], id="up to the last day"),
    ],
)
def test_filters_hold_on_every_page(
    county: Api, query: str, expected: list[int], limit: int
) -> None:
    found = pages(county, f"{query}&limit={limit}")
    assert [number_of(d) for page in found for d in page] == expected


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("limit=0", "/limit", "wrong_form"),
        ("limit=101", "/limit", "wrong_form"),
        ("limit=-1", "/limit", "wrong_form"),
        ("limit=1.0", "/limit", "wrong_form"),
        ("limit=%EF%BC%95", "/limit", "wrong_form"),
        ("limit=", "/limit", "wrong_form"),
        ("limit=5%0A", "/limit", "wrong_form"),
        ("cursor=x", "/cursor", "wrong_form"),
        ("cursor=9999999999999999999", "/cursor", "wrong_form"),
        ("cursor=-1", "/cursor", "wrong_form"),
        ("product=car_loan", "/product", "not_a_choice"),
        ("outcome=maybe", "/outcome", "not_a_choice"),
        ("village=1", "/village", "wrong_form"),
        ("from=yesterday", "/from", "not_a_date"),
        ("to=20261123", "/to", "not_a_date"),
        ("sort=asc", "/sort", "unknown_field"),
    ],
)
def test_a_wrong_filter_is_named(county: Api, query: str, pointer: str, code: str) -> None:
    [error] = is_problem(county.get(f"/v1/decisions?{query}"), 400, "invalid_query")["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)


@pytest.mark.parametrize("path", ["decisions?limit=1&limit=1", "products?on=2026-11-23&on="])
def test_a_filter_given_twice_is_refused(county: Api, path: str) -> None:
    is_problem(county.get(f"/v1/{path}"), 400, "invalid_query")


@pytest.mark.parametrize("path", ["villages", f"villages/{WANGTAN}", "products", "editions"])
@pytest.mark.parametrize("on", ["", "today", "2026-02-30", "20261123", "1949-12-31"])
def test_a_day_that_is_none_is_refused(county: Api, path: str, on: str) -> None:
    is_problem(county.get(f"/v1/{path}?on={on}"), 400, "invalid_query")


def test_every_village_of_the_register_is_listed(county: Api) -> None:
    body = county.get("/v1/villages").get_json()
    assert [v["code"] for v in body["data"]] == [WANGTAN, QIFANG, SHIQIAO]


@pytest.mark.parametrize(
    ("code", "on", "rating", "state", "points"),
    [
        pytest.param(WANGTAN, "", "AA", "rated", 6, id="rated"),
        pytest.param(WANGTAN, "?on=2028-03-31", "A", "grace", 6, id="in its months of grace"),
        pytest.param(WANGTAN, "?on=2028-06-30", "unrated", "expired", 0, id="expired"),
        pytest.param(SHIQIAO, "", "unrated", "unrated", 0, id="never rated"),
        pytest.param(WANGTAN, "?on=9999-12-31", "unrated", "expired", 0, id="the last day"),
    ],
)
def test_a_village_stands_as_of_the_day_asked_for(
    county: Api, code: str, on: str, rating: str, state: str, points: int
) -> None:
    body = county.get(f"/v1/villages/{code}{on}").get_json()
    assert (body["rating"], body["state"], body["points"]) == (rating, state, points)
    assert (body["evidence"] is None) == (code == SHIQIAO)


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[Api]:
    """A service whose first village is revoked, flagged and appealing from 2026-11-01."""
    models = small_models(tmp_path)
    first, *others = REGISTER["villages"]
    paper = {"document_sha256": "a" * 64}
    marks = {
        "revocation": {"on": "2026-11-10", "reason": "数据不实", **paper},
        "flag": [
            {
                "from": "2026-11-20",
                "until": "2026-11-25",
                "reason": "维持",
                **paper,
                "lifted": {"on": "2026-11-24", "document_sha256": "b" * 64},
            }
        ],
        "appeal": {"lodged_on": "2026-10-30", **paper},
    }
    register = {**REGISTER, "valid_from": "2026-11-01", "villages": [first | marks, *others]}
    publish_text(models, tmp_path / "register.json", to_text(register))
    service = Api(tmp_path, models)
    yield service
    service.close()


def test_a_village_tells_its_marks_of_the_day(marked: Api) -> None:
    found = {}
    for on in ("2026-10-31", "2026-11-09", "2026-11-20", "2026-11-24"):
        body = marked.get(f"/v1/villages/{WANGTAN}?on={on}").get_json()
        found[on] = (body["rating"], body["flagged"], body["appeal"])
    assert found == {
        "2026-10-31": ("AA", False, False),
        "2026-11-09": ("AA", False, True),
        "2026-11-20": ("B", True, True),
        "2026-11-24": ("B", False, True),
    }


def test_the_history_of_a_village_is_told(marked: Api) -> None:
    """Oldest first; a register that says nothing new is left out."""
    body = marked.get(f"/v1/villages/{WANGTAN}/history").get_json()
    assert (body["code"], body["name"], body["town"]) == (WANGTAN, "王潭村", "乌溪镇")
    first, second = body["history"]
    assert (first["register"]["valid_from"], first["changes"]) == ("2026-07-01", [])
    assert second["changes"] == [{"on": "2026-11-10", "rating": "B", "state": "revoked"}]
    assert second["counts_as"] == {"rating": "AA", "state": "rated"}
    assert second["appeal"]["decided_on"] is None
    assert second["flags"][0]["until"] == "2026-11-25"
    assert second["flags"][0]["lifted"] == {"on": "2026-11-24", "document_sha256": "b" * 64}
    other = marked.get(f"/v1/villages/{QIFANG}/history").get_json()["history"]
    assert [said["register"]["valid_from"] for said in other] == ["2026-07-01"]


def test_who_signed_is_told_by_role_alone(tmp_path: Path) -> None:
    models = small_models(tmp_path)
    line = REGISTER["villages"][0]
    digest = digest_of_assessment(
        code=WANGTAN,
        rating=line["rating"],
        assessed_on=date.fromisoformat(line["assessed_on"]),
        evidence=line["evidence"],
    )
    signatures = [
        {"role": role, "name": f"签字人{role}", "signed_on": "2026-04-10", "digest": digest}
        for role in ROLES
    ]
    villages = [line | {"signatures": signatures}, *REGISTER["villages"][1:]]
    register = {**REGISTER, "valid_from": "2026-11-01", "villages": villages}
    publish_text(models, tmp_path / "register.json", to_text(register))
    service = Api(tmp_path, models)
    answer = service.get(f"/v1/villages/{WANGTAN}/history")
    service.close()
    assert "签字人" not in answer.get_data(as_text=True)
    assert answer.get_json()["history"][1]["signatures"] == [
        {"role": role, "signed_on": "2026-04-10"} for role in ROLES
    ]


def test_a_village_of_no_register_has_no_history(county: Api) -> None:
    is_problem(county.get("/v1/villages/340521999999/history"), 404, "not_found")


def test_a_history_is_of_no_day(county: Api) -> None:
    is_problem(county.get(f"/v1/villages/{WANGTAN}/history?on=2026-11-01"), 400, "invalid_query")


@pytest.mark.parametrize("path", ["villages", f"villages/{WANGTAN}", "products"])
def test_before_the_first_edition_nothing_is_in_force(county: Api, path: str) -> None:
    is_problem(county.get(f"/v1/{path}?on=2026-06-30"), 422, "no_edition_in_force")


def test_the_products_of_a_day_name_their_editions(county: Api) -> None:
    for on, first_day in (("2026-11-30", "2026-07-01"), (LATER, LATER)):
        body = county.get(f"/v1/products?on={on}").get_json()["data"]
        assert [p["product"] for p in body] == list(PRODUCTS)
        assert body[0]["editions"]["policy"]["valid_from"] == first_day
        assert body[1]["editions"]["policy"]["valid_from"] == "2026-07-01"


def test_a_product_says_its_rules_in_words_and_figures(county: Api) -> None:
    rule = county.get("/v1/products").get_json()["data"][0]["rules"][1]
    assert (rule["id"], rule["otherwise"], rule["if_unknown"]) == ("K01", "decline", "refer")
    assert rule["zh"]
    assert rule["en"]
    assert rule["requires"]["fact"] == "max_days_past_due_24m"


@pytest.mark.parametrize(
    ("query", "n_expected"),
    [
        pytest.param("", 11, id="all"),
        pytest.param("?kind=policy", 5, id="kind"),
        pytest.param("?kind=policy&product=credit_loan", 2, id="kind and product"),
        pytest.param("?product=county", 2, id="the county's"),
        pytest.param("?role=challenger", 0, id="role"),
        pytest.param("?on=2026-11-23", 10, id="in force on a day"),
        pytest.param(f"?on={LATER}&kind=policy", 4, id="in force later"),
        pytest.param("?on=2026-06-30", 1, id="only the rates hold before July"),
        pytest.param("?on=1999-01-01", 0, id="in force before all"),
    ],
)
def test_editions_are_listed_by_filter(county: Api, query: str, n_expected: int) -> None:
    body = county.get(f"/v1/editions{query}").get_json()["data"]
    assert len(body) == n_expected
    days = [e["valid_from"] for e in body]
    assert days == sorted(days, reverse=True)


def test_the_edition_in_force_is_the_newest_that_has_started(county: Api) -> None:
    for on, first_day in (("2026-11-30", "2026-07-01"), (LATER, LATER)):
        query = f"?kind=policy&product=credit_loan&on={on}"
        [edition] = county.get(f"/v1/editions{query}").get_json()["data"]
        assert edition["valid_from"] == first_day


def test_an_edition_by_digest_is_the_file_byte_by_byte(county: Api) -> None:
    listed = county.get("/v1/editions").get_json()["data"]
    for edition in listed:
        body = county.get(f"/v1/editions/{edition['digest']}").get_json()
        assert digest_of(body["text"].encode()) == edition["digest"]
        assert (county.root.registry.folder / edition["path"]).read_bytes() == body["text"].encode()
        assert {k: v for k, v in body.items() if k != "text"} == edition


def test_an_edition_that_was_changed_on_disk_since_the_start_is_not_shown(
    tmp_path: Path,
) -> None:
    service = Api(tmp_path, small_models(tmp_path))
    edition = service.root.registry.editions[-1]
    with (service.root.registry.folder / edition.path).open("a") as file:
        file.write("# one more line\n")
    is_problem(service.get(f"/v1/editions/{edition.digest}"), 500, "edition_refused")
    service.close()


def test_the_service_is_ready(county: Api) -> None:
    response = county.get("/readyz", key="")
    assert (response.status_code, response.get_json()) == (200, {"status": "ready"})


def test_the_service_is_not_ready_when_nothing_is_in_force(api: Api) -> None:
    api.now = datetime.fromisoformat("2026-06-30T12:00:00+08:00")
    is_problem(api.get("/readyz", key=""), 503, "not_ready")


def test_the_version_is_told(county: Api) -> None:
    assert county.get("/version", key="").get_json() == {"version": __version__, "api": "v1"}
