"""Challengers: what may be published, who decides, and what is recorded beside a decision."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from loansvc.batching import Batching
from loansvc.decision.split import BUCKETS, holds
from loansvc.editions import Edition, to_text
from loansvc.errors import EditionRefused, NoEditionInForce
from loansvc.ledger import rotation
from loansvc.ledger.batches import WAITING, Row
from loansvc.privacy import Privacy
from loansvc.registry import Registry
from loansvc.registry.challenging import share_to_come
from loansvc.registry.publishing import publish
from loansvc.underwriting import Underwriting
from tests.small import (
    CARD,
    NOON,
    TODAY,
    a_document,
    a_worker,
    all_worked,
    an_application,
    publish_rival,
    publish_text,
    small_models,
    small_underwriting,
)

LATER = TODAY + timedelta(days=30)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return small_models(tmp_path)


def challengers(models: Path, on: date = TODAY) -> tuple[Edition[Any], ...]:
    return Registry.open(models).challengers("credit_loan", on)


# --- what is published --------------------------------------------------------------------------


def test_several_challengers_hold_at_once(models: Path, tmp_path: Path) -> None:
    digests = [publish_rival(models, tmp_path, base_points=p) for p in (560, 570)]
    assert [c.digest for c in challengers(models)] == digests
    assert [(c.until, c.share_percent) for c in challengers(models)] == [(None, 0)] * 2


def test_the_last_day_counts(models: Path, tmp_path: Path) -> None:
    publish_rival(models, tmp_path, until=LATER)
    assert len(challengers(models, LATER)) == 1
    assert challengers(models, LATER + timedelta(days=1)) == ()
    with pytest.raises(NoEditionInForce, match="Use a later date, or publish"):
        Registry.open(models).in_force("credit_loan", LATER + timedelta(days=1), role="challenger")


def test_the_champions_own_document_challenges_nobody(models: Path, tmp_path: Path) -> None:
    """As after a promotion, while the challenger's publication has no end."""
    digest = publish_rival(models, tmp_path)
    publish(models, tmp_path / "rival.json", role="champion", approver="test", valid_from=LATER)
    assert [c.digest for c in challengers(models, LATER - timedelta(days=1))] == [digest]
    assert challengers(models, LATER) == ()


def test_published_again_it_has_another_share_and_keeps_its_people(
    models: Path, tmp_path: Path
) -> None:
    publish_rival(models, tmp_path, share_percent=5)
    before = challengers(models)[0]
    publish_rival(models, tmp_path, share_percent=20, valid_from=LATER, until=LATER)
    [after] = challengers(models, LATER)
    assert (after.share_percent, after.until) == (20, LATER)
    assert all(holds(after, b) for b in range(BUCKETS) if holds(before, b))
    assert challengers(models, LATER + timedelta(days=1)) == (), "the earlier one stays superseded"


def test_shares_are_of_different_people_on_every_day(models: Path, tmp_path: Path) -> None:
    for points, terms in (
        (560, {"share_percent": 25, "until": LATER}),
        (570, {"share_percent": 25, "valid_from": TODAY}),
        (590, {"share_percent": 20, "valid_from": LATER + timedelta(days=1)}),
    ):
        publish_rival(models, tmp_path, base_points=points, **terms)
    for day, shares in ((TODAY, [25, 25]), (LATER + timedelta(days=1), [25, 20])):
        found = challengers(models, day)
        assert [c.share_percent for c in found] == shares
        for bucket in range(0, BUCKETS, 100):
            assert sum(holds(c, bucket) for c in found) <= 1


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        pytest.param({"until": date(2026, 6, 30)}, "before its first day", id="no day"),
        pytest.param({"share_percent": 51}, "0 to 50 percent", id="more than half"),
        pytest.param({"share_percent": -1}, "0 to 50 percent", id="less than none"),
        pytest.param({"share_percent": 21}, r"51 percent on 2026-12-01.*20 at most",
                     id="together more than half, on a day to come"),
    ],
)  # fmt: skip
def test_what_cannot_be_shared_is_refused(
    models: Path, tmp_path: Path, terms: dict[str, Any], says: str
) -> None:
    publish_rival(models, tmp_path, base_points=570, share_percent=30, valid_from=date(2026, 12, 1))
    lock = (models / "editions.lock").read_bytes()
    with pytest.raises(EditionRefused, match=says):
        publish_rival(models, tmp_path, **terms)
    assert (models / "editions.lock").read_bytes() == lock


def test_what_has_ended_takes_no_room(models: Path, tmp_path: Path) -> None:
    publish_rival(models, tmp_path, base_points=570, share_percent=50, until=TODAY)
    publish_rival(models, tmp_path, share_percent=50, valid_from=TODAY + timedelta(days=1))
    assert challengers(models, LATER)[0].share_percent == 50


def test_a_gap_that_is_too_small_is_no_room(models: Path, tmp_path: Path) -> None:
    """Two that follow each other may leave pieces, of which none holds the whole share."""
    ends = TODAY
    for points in range(560, 568):
        publish_rival(
            models, tmp_path, base_points=points, share_percent=12, valid_from=ends, until=ends
        )
        ends += timedelta(days=1)
    with pytest.raises(EditionRefused, match="leave no room for 38 percent"):
        publish_rival(models, tmp_path, base_points=600, share_percent=38)


@pytest.mark.parametrize("terms", [{"until": LATER}, {"share_percent": 5}])
def test_a_champion_has_neither_end_nor_share(
    models: Path, tmp_path: Path, terms: dict[str, Any]
) -> None:
    card = to_text({**CARD, "product": "credit_loan", "base_points": 600})
    with pytest.raises(EditionRefused, match="--role challenger"):
        publish_text(models, tmp_path / "c.json", card, valid_from=LATER, **terms)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"share_percent": 5', '"share_percent": 51', "share_percent: must be a whole number"),
        ('"until": "2026-12-23"', '"until": "2026-06-30"', "until: is before valid_from"),
        ('"until": "2026-12-23"', '"until": "soon"', "until: must be a date"),
    ],
)
def test_a_lock_that_says_the_impossible_is_not_opened(
    models: Path, tmp_path: Path, old: str, new: str, says: str
) -> None:
    publish_rival(models, tmp_path, until=LATER, share_percent=5)
    lock = models / "editions.lock"
    assert old in lock.read_text()
    lock.write_text(lock.read_text().replace(old, new))
    with pytest.raises(EditionRefused, match=says):
        Registry.open(models)


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        pytest.param({"share_percent": 5}, True, id="now"),
        pytest.param({"share_percent": 5, "valid_from": LATER}, True, id="to come"),
        pytest.param({"share_percent": 5, "until": date(2026, 11, 22)}, False, id="ended"),
        pytest.param({}, False, id="shadow only"),
    ],
)
def test_a_share_that_holds_or_is_to_come_is_known(
    models: Path, tmp_path: Path, terms: dict[str, Any], *, expected: bool
) -> None:
    publish_rival(models, tmp_path, **terms)
    assert (share_to_come(Registry.open(models).editions, on=TODAY) is not None) is expected


# --- what is recorded ---------------------------------------------------------------------------


def a_root(tmp_path: Path, **terms: Any) -> tuple[Underwriting, str]:
    models = small_models(tmp_path)
    digest = publish_rival(models, tmp_path, **terms)
    return small_underwriting(tmp_path, models=models), digest


def a_person(n: int, **changes: Any) -> Any:
    return an_application(n, application_id=f"of-{n}", **changes)


def test_a_challenger_is_scored_beside_and_changes_nothing(tmp_path: Path) -> None:
    alone = small_underwriting(tmp_path / "alone", models=small_models(tmp_path / "one"))
    root, digest = a_root(tmp_path)
    expected, _ = alone.decide(an_application(), client="bank")
    recorded, _ = root.decide(an_application(), client="bank")
    own = {"decision_id": expected.decision["decision_id"]}
    assert recorded.decision | own == expected.decision
    assert recorded.exposure == expected.exposure
    [beside] = recorded.beside
    preview = root.preview(an_application(2), role="challenger")
    assert (beside["digest"], beside["role"]) == (digest, "challenger")
    assert beside["score"] == recorded.decision["score"] - 20
    assert beside["outcome"] == preview["outcome"]
    assert expected.beside == ()


def test_what_is_recorded_beside_is_found_again(tmp_path: Path) -> None:
    root, _ = a_root(tmp_path)
    recorded, _ = root.decide(an_application(), client="bank")
    again = root.find(recorded.entry.application_id, client="bank")
    assert again.beside == recorded.beside
    assert again.answer() == recorded.answer()
    assert root.ledger.verify() == (1, [])


def test_it_is_recorded_in_whole_numbers_of_the_same_exposure(tmp_path: Path) -> None:
    root, digest = a_root(tmp_path)
    recorded, _ = root.decide(an_application(), client="bank")
    preview = root.preview(an_application(2), role="challenger")
    assert recorded.beside[0] == {
        "role": "challenger", "digest": digest, "valid_from": "2026-07-01",
        "outcome": "approve", "score": 606, "pd_ppm": round(preview["pd_12m"] * 1_000_000),
        "grade": preview["grade"], "limit_yuan": preview["offer"]["limit_yuan"],
        "amount_yuan": preview["offer"]["amount_yuan"], "tier": preview["guarantee"]["tier"],
        "expected_loss_yuan": preview["guarantee"]["expected_loss_yuan"]["total"],
    }  # fmt: skip


def test_who_is_erased_takes_it_along(tmp_path: Path) -> None:
    root, digest = a_root(tmp_path)
    application = an_application()
    root.decide(application, client="bank")
    Privacy(root).erase(
        application.applicant.id_number, reason="asked", reference="1", by="me", approver="you"
    )
    [(_, remains)] = root.erased(client=None)
    assert digest not in str(remains)
    assert not any(digest.encode() in f.read_bytes() for f in (tmp_path / "home").glob("*.db*"))


# --- who decides --------------------------------------------------------------------------------


def test_a_share_decides_its_people_and_the_champion_is_recorded_beside(tmp_path: Path) -> None:
    root, digest = a_root(tmp_path, share_percent=50)
    champion = root.registry.in_force("credit_loan", TODAY).scorecard.digest
    decided_by = set()
    for n in range(1, 25):
        recorded, _ = root.decide(a_person(n), client="bank")
        [beside] = recorded.beside
        decider = recorded.decision["editions"]["scorecard"]["digest"]
        roles = {digest: "challenger", champion: "champion"}
        assert {decider, beside["digest"]} == roles.keys()
        assert beside["role"] == roles[beside["digest"]]
        assert recorded.entry.scorecard == decider
        assert root.replay(recorded)["identical"]
        root.explain(recorded)
        decided_by.add(decider)
    assert decided_by == {digest, champion}


def deciders(root: Underwriting, n: int, *, days: int = 0) -> list[str]:
    """Who would decide on each of n people, asked without recording."""
    on = TODAY + timedelta(days=days)
    return [
        root.preview(a_person(i), on=on)["editions"]["scorecard"]["digest"] for i in range(1, n + 1)
    ]


def test_a_preview_is_decided_by_whoever_will_decide(tmp_path: Path) -> None:
    root, _ = a_root(tmp_path, share_percent=50)
    expected = deciders(root, 12)
    for n, decider in enumerate(expected, start=1):
        recorded, _ = root.decide(a_person(n), client="bank")
        assert recorded.decision["editions"]["scorecard"]["digest"] == decider
    champion = root.registry.in_force("credit_loan", TODAY).scorecard.digest
    asked = {
        root.preview(a_person(n), role="champion")["editions"]["scorecard"]["digest"]
        for n in range(1, 13)
    }
    assert asked == {champion} != set(expected)


def test_the_same_person_keeps_to_the_same_card(tmp_path: Path) -> None:
    """On another day, with another application, after a restart, and under a new pseudonym key."""
    root, _ = a_root(tmp_path, share_percent=50)
    before = deciders(root, 24)
    assert deciders(root, 24, days=30) == before
    rotation.rotate(
        root.ledger, "pseudonym", suite="international", at="2026-11-23T12:00:00.000+08:00",
        entry_id="adm_1", by="test",
    )  # fmt: skip
    assert root.ledger.vault.current("pseudonym") == 2
    assert deciders(root, 24) == before
    again = Underwriting(root.registry, root.ledger, clock=lambda: NOON)
    assert deciders(again, 24) == before


def test_a_batch_decides_as_one_by_one(tmp_path: Path) -> None:
    """The same people under other ids, in a ledger of its own that knows the same keys."""
    root, _ = a_root(tmp_path, share_percent=50)
    people = range(1, 13)
    expected = deciders(root, len(people))
    documents = [a_document(n, application_id=f"row-{n}") for n in people]
    rows = (Row(n, WAITING, d, d["applicant"]["id_number"]) for n, d in enumerate(documents, 1))
    Batching(root).receive(rows, lambda: json.dumps(documents), client="bank", batch_id="B-1")
    assert all_worked(a_worker(root)) == len(people)
    found = [root.find(f"row-{n}", client="bank") for n in people]
    assert [one.decision["editions"]["scorecard"]["digest"] for one in found] == expected
    assert all(len(one.beside) == 1 for one in found)


def test_older_records_have_nothing_beside(tmp_path: Path) -> None:
    models = small_models(tmp_path)
    root = small_underwriting(tmp_path, models=models)
    first, _ = root.decide(a_person(1), client="bank")
    publish_rival(models, tmp_path)
    later = Underwriting(Registry.open(models), root.ledger, clock=lambda: NOON)
    second, _ = later.decide(a_person(2), client="bank")
    found, _ = later.page(client="bank", limit=2)
    assert [len(one.beside) for one in found] == [1, 0]
    assert all(later.replay(one)["identical"] for one in (first, second))
    assert root.ledger.verify() == (2, [])
