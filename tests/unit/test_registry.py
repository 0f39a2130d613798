"""Editions on disk: locked, digested, checked, or refused with the file and the reason."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loansvc.application import EDUCATIONS
from loansvc.editions import Edition, digest_of, to_text
from loansvc.errors import EditionRefused, NoEditionInForce, NotFound
from loansvc.provenance import NONE_NEEDED, NOT_STATED, REQUIRED
from loansvc.reasons import WORD_TEXTS
from loansvc.registry import LOCK, Registry, documents
from loansvc.registry.publishing import publish
from tests.small import CARD, RATES, REGISTER, TODAY, TRAINING, publish_text, small_models

CARD_PATH = "scorecards/credit_loan/2026-07-01.json"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_models(tmp_path_factory.mktemp("made"))


@pytest.fixture
def models(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "models"))


def a_card(**changes: object) -> str:
    return to_text({**CARD, "product": "credit_loan", **changes})


def test_the_editions_of_a_folder_are_in_force_from_their_day(models: Path) -> None:
    registry = Registry.open(models)
    editions = registry.in_force("credit_loan", TODAY)
    assert editions.scorecard.digest == digest_of((models / CARD_PATH).read_bytes())
    with pytest.raises(NoEditionInForce, match="2026-06-30"):
        registry.in_force("credit_loan", date(2026, 6, 30))


def test_a_document_is_read_once_in_a_process_and_its_bytes_each_time(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers are forked with what their parent has read; a file that was changed is refused."""
    before = Registry.open(models).editions

    def again(*_given: object) -> object:
        raise AssertionError("read again")

    monkeypatch.setattr(documents, "parse_document", again)
    after = Registry.open(models).editions
    assert [one.content is other.content for one, other in zip(before, after, strict=True)] == [
        True
    ] * len(before)
    path = models / CARD_PATH
    path.write_text(path.read_text().replace("580", "581"))
    with pytest.raises(EditionRefused, match="has changed since it was published"):
        Registry.open(models)


def test_the_newest_started_edition_is_in_force(models: Path, tmp_path: Path) -> None:
    publish_text(models, tmp_path / "c.json", a_card(valid_from="2026-09-01", base_points=590))
    registry = Registry.open(models)
    for on, points in ((date(2026, 8, 31), 580), (date(2026, 9, 1), 590)):
        assert registry.in_force("credit_loan", on).scorecard.content.base_points == points


def test_a_rollback_is_the_old_document_from_a_later_day(models: Path, tmp_path: Path) -> None:
    publish_text(models, tmp_path / "c.json", a_card(valid_from="2026-09-01", base_points=590))
    old = models / CARD_PATH
    publish(models, old, role="champion", approver="test", valid_from=date(2026, 10, 1))
    registry = Registry.open(models)
    assert registry.in_force("credit_loan", TODAY).scorecard.content.base_points == 580
    assert len(list((models / "scorecards/credit_loan").iterdir())) == 2


def test_a_challenger_stands_beside_the_champion_of_the_same_day(
    models: Path, tmp_path: Path
) -> None:
    publish_text(models, tmp_path / "c.json", a_card(base_points=600), role="challenger")
    registry = Registry.open(models)
    assert registry.in_force("credit_loan", TODAY).scorecard.content.base_points == 580
    challenger = registry.in_force("credit_loan", TODAY, role="challenger").scorecard
    assert challenger.content.base_points == 600


def test_the_model_card_comes_along(models: Path, tmp_path: Path) -> None:
    (tmp_path / "c.md").write_text("# card\n")
    publish_text(models, tmp_path / "c.json", a_card(valid_from="2026-09-01"))
    assert (models / "scorecards/credit_loan/2026-09-01.md").read_text() == "# card\n"


def test_a_digest_finds_its_document(models: Path) -> None:
    registry = Registry.open(models)
    digest = registry.in_force("credit_loan", TODAY).policy.digest
    assert registry.by_digest(digest).kind == "policy"
    with pytest.raises(NotFound):
        registry.by_digest("sha256:0")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def edit(path: Path) -> None:
    path.write_text(path.read_text().replace("580", "680"))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def link(path: Path) -> None:
    target = path.with_suffix(".elsewhere.md")
    path.rename(target)
    path.symlink_to(target)


def grow(path: Path) -> None:
    path.write_bytes(b" " * 32_000_001)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        pytest.param(Path.unlink, "is missing", id="missing"),
        pytest.param(cut, "has changed", id="truncated"),
        pytest.param(edit, "has changed", id="edited"),
        pytest.param(empty, "has changed", id="empty"),
        pytest.param(link, "not a plain file", id="a link"),
        pytest.param(grow, "larger than", id="huge"),
    ],
)
def test_a_damaged_edition_is_refused_with_file_and_reason(
    models: Path, damage: Callable[[Path], None], says: str
) -> None:
    damage(models / CARD_PATH)
    with pytest.raises(EditionRefused, match=says) as refused:
        Registry.open(models)
    assert CARD_PATH in str(refused.value)


def test_a_file_that_nobody_published_is_refused(models: Path) -> None:
    (models / "scorecards/credit_loan/2026-08-01.json").write_text(a_card())
    with pytest.raises(EditionRefused, match=r"2026-08-01\.json: is not in editions\.lock"):
        Registry.open(models)


def test_a_half_written_file_is_refused(models: Path) -> None:
    (models / "scorecards/credit_loan/2026-08-01.json.part").write_text("{")
    with pytest.raises(EditionRefused, match=r"\.part: is not in"):
        Registry.open(models)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "is not JSON", id="empty"),
        pytest.param("{", "is not JSON", id="cut"),
        pytest.param("[]", "must be a table", id="a list"),
        pytest.param('{"editions": [{}]}', r"editions\[0\]\.kind: is missing", id="no fields"),
        pytest.param('{"editions": [], "editions": []}', "twice", id="a key twice"),
    ],
)
def test_a_wrong_lock_is_refused(models: Path, text: str, says: str) -> None:
    (models / LOCK).write_text(text)
    with pytest.raises(EditionRefused, match=says):
        Registry.open(models)


def test_a_lock_that_says_otherwise_is_refused(models: Path) -> None:
    lock = json.loads((models / LOCK).read_text())
    entry = next(e for e in lock["editions"] if e["path"] == CARD_PATH)
    entry["valid_from"] = "2026-01-01"
    (models / LOCK).write_text(to_text(lock))
    with pytest.raises(EditionRefused, match="before its own first day"):
        Registry.open(models)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(a_card(base_points=590), "another champion", id="the same first day"),
        pytest.param(a_card(), "is already published", id="published already"),
        pytest.param("{", "is not JSON", id="not JSON"),
        pytest.param('{"kind": "scorecard", "base_points": NaN}', "NaN is not a number", id="NaN"),
        pytest.param('{"kind": "scorecard", "kind": "scorecard"}', "twice", id="a key twice"),
        pytest.param(a_card(valid_from="2026-09-31"), "must be a date", id="no such day"),
        pytest.param(a_card(valid_from="2026-09-01", base_points=None), "base_points", id="a hole"),
        pytest.param(a_card(product="car_loan"), "product: must be one of", id="no such product"),
        pytest.param(a_card(reference=""), "reference: must be a text", id="no reference"),
        pytest.param(a_card(valid_from="2026-09-01", review_by="2026-08-01"), "review_by",
                     id="review before the start"),
    ],
)  # fmt: skip
def test_a_wrong_draft_is_refused_and_nothing_is_written(
    models: Path, tmp_path: Path, text: str, says: str
) -> None:
    before = {p: p.read_bytes() for p in models.rglob("*") if p.is_file()}
    with pytest.raises(EditionRefused, match=says):
        publish_text(models, tmp_path / "draft.json", text)
    assert {p: p.read_bytes() for p in models.rglob("*") if p.is_file()} == before


def test_an_edition_is_never_published_before_its_own_first_day(
    models: Path, tmp_path: Path
) -> None:
    draft = tmp_path / "draft.json"
    draft.write_text(a_card(valid_from="2026-09-01"))
    with pytest.raises(EditionRefused, match="before its own first day"):
        publish(models, draft, role="champion", approver="test", valid_from=date(2026, 8, 1))


def test_only_a_scorecard_can_challenge(models: Path, tmp_path: Path) -> None:
    policy = next((models / "policies").rglob("*.toml"))
    with pytest.raises(EditionRefused, match="only a scorecard"):
        publish(models, policy, role="challenger", approver="test")


def test_every_line_of_the_lock_is_held_against_the_file(models: Path) -> None:
    """A second line for a file that was read already is no exception."""
    lock = json.loads((models / LOCK).read_text())
    entry = next(e for e in lock["editions"] if e["path"] == CARD_PATH)
    later = {**entry, "valid_from": "2026-09-01", "digest": "sha256:" + "f" * 64}
    lock["editions"].append(later)
    (models / LOCK).write_text(to_text(lock))
    with pytest.raises(EditionRefused, match="has changed since it was published"):
        Registry.open(models)


def test_two_editions_of_one_place_and_day_are_refused(models: Path) -> None:
    lock = json.loads((models / LOCK).read_text())
    lock["editions"].append(lock["editions"][0])
    (models / LOCK).write_text(to_text(lock))
    with pytest.raises(EditionRefused, match="start together"):
        Registry.open(models)


def test_publishers_take_turns(models: Path, tmp_path: Path) -> None:
    """Eight at once: every line is there, and the folder is good."""
    drafts = []
    for day in range(1, 9):
        draft = tmp_path / f"{day}.json"
        draft.write_text(a_card(valid_from=f"2026-09-0{day}"))
        drafts.append(draft)
    before = len(Registry.open(models).editions)

    def one(draft: Path) -> None:
        publish(models, draft, role="champion", approver="test")

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(one, drafts))
    assert len(Registry.open(models).editions) == before + 8


# --- who made it, how, and who approves ---------------------------------------------------------


def training_with(path: str, value: object) -> dict[str, Any]:
    """The small manifest with one key changed; `...` takes it away."""
    training = deepcopy(TRAINING)
    part, key = path.split(".")
    if value is ...:
        del training[part][key]
    else:
        training[part][key] = value
    return training


def a_later_card(**changes: object) -> str:
    return a_card(valid_from="2026-09-01", **changes)


@pytest.mark.parametrize("path", REQUIRED)
@pytest.mark.parametrize("value", [..., None, "", " ", "Not stated", [], {}], ids=repr)
def test_a_card_that_does_not_say_how_it_was_made_is_refused(
    models: Path, tmp_path: Path, path: str, value: object
) -> None:
    """Each key of the manifest must be there and say something."""
    text = a_later_card(training=training_with(path, value))
    with pytest.raises(EditionRefused, match=f"training lacks {path}[.] "):
        publish_text(models, tmp_path / "c.json", text)
    assert not (models / "scorecards/credit_loan/2026-09-01.json").exists()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("data.sha256", "to follow", id="no checksum"),
        pytest.param("data.n", 0, id="no cases"),
        pytest.param("data.n", True, id="not a number"),
        pytest.param("run.started_at", "2026-06-30", id="no time of day"),
        pytest.param("run.ended_at", "2026-06-30T10:00:00", id="no offset"),
        pytest.param("governance.limits", "none", id="one text is no list"),
        pytest.param("governance.limits", ["a", ""], id="an empty limit"),
        pytest.param("governance.limits", [NOT_STATED], id="a limit that says nothing"),
    ],
)
def test_a_value_that_does_not_say_it_is_missing(
    models: Path, tmp_path: Path, path: str, value: object
) -> None:
    text = a_later_card(training=training_with(path, value))
    with pytest.raises(EditionRefused, match=f"training lacks {path}[.] "):
        publish_text(models, tmp_path / "c.json", text)


@pytest.mark.parametrize("training", [..., None, {}, [], "by hand"], ids=repr)
def test_a_card_without_a_manifest_is_refused_with_all_that_it_lacks(
    models: Path, tmp_path: Path, training: object
) -> None:
    card = json.loads(a_later_card())
    if training is ...:
        del card["training"]
    else:
        card["training"] = training
    with pytest.raises(EditionRefused, match="publish again") as refused:
        publish_text(models, tmp_path / "c.json", to_text(card))
    assert all(path in str(refused.value) for path in REQUIRED)


@pytest.mark.parametrize(
    "approver",
    [
        "a tester", " A  Tester ", "A TESTER", "ａ　ｔｅｓｔｅｒ", "a\u200b tester", "a\ttester",
    ],
)  # fmt: skip
def test_who_made_a_card_does_not_approve_it(models: Path, tmp_path: Path, approver: str) -> None:
    """However the name is written."""
    draft = tmp_path / "c.json"
    draft.write_text(a_later_card())
    with pytest.raises(EditionRefused, match="made this card and cannot approve it"):
        publish(models, draft, role="champion", approver=approver)


def test_who_made_a_card_does_not_promote_it(models: Path, tmp_path: Path) -> None:
    publish_text(models, tmp_path / "c.json", a_later_card(), role="challenger")
    with pytest.raises(EditionRefused, match="cannot approve it"):
        publish(models, tmp_path / "c.json", role="champion", approver="A Tester")


def test_only_a_synthetic_card_needs_no_impact_assessment(models: Path, tmp_path: Path) -> None:
    training = training_with("governance.impact_assessment_id", NONE_NEEDED)
    with pytest.raises(EditionRefused, match="does not say that it is synthetic"):
        publish_text(models, tmp_path / "c.json", a_later_card(training=training))
    publish_text(models, tmp_path / "c.json", a_later_card(training=training, synthetic=True))


def test_a_word_that_no_reason_could_name_is_refused(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [{"words": [word], "points": 0} for word in EDUCATIONS]
    states = [{"state": s, "points": 0} for s in ("missing", "unseen")]
    education = {"education": {"bins": [*words, *states]}}
    text = a_later_card(characteristics={**CARD["characteristics"], **education})
    monkeypatch.delitem(WORD_TEXTS, "primary")
    with pytest.raises(EditionRefused, match="no reason could name education"):
        publish_text(models, tmp_path / "c.json", text)


def test_a_card_from_before_these_rules_opens_and_can_be_rolled_back_to(
    models: Path, tmp_path: Path
) -> None:
    """Opening asks for no manifest, and the safest remedy is never barred."""
    path = models / CARD_PATH
    old = json.loads(path.read_text())
    del old["training"]
    path.write_text(to_text(old))
    lock = json.loads((models / LOCK).read_text())
    entry = next(e for e in lock["editions"] if e["path"] == CARD_PATH)
    entry["digest"] = digest_of(path.read_bytes())
    (models / LOCK).write_text(to_text(lock))
    publish_text(models, tmp_path / "c.json", a_later_card())
    publish(models, path, role="champion", approver="test", valid_from=date(2026, 10, 1))
    found = Registry.open(models).in_force("credit_loan", TODAY).scorecard
    assert found.digest == entry["digest"]
    with pytest.raises(EditionRefused, match="training lacks"):
        publish(models, path, role="challenger", approver="test", valid_from=date(2026, 11, 1))


# --- village registers ---------------------------------------------------------------------------


def a_later_register(**changes: Any) -> str:
    """The small register from 2026-12-01, its first village changed."""
    document = deepcopy({**REGISTER, "valid_from": "2026-12-01"})
    document["villages"][0] |= changes
    return to_text(document)


def test_a_register_that_rates_unsigned_is_not_published(models: Path, tmp_path: Path) -> None:
    before = (models / LOCK).read_bytes()
    with pytest.raises(EditionRefused, match=r"王潭村\): is rated anew without three signatures"):
        publish_text(models, tmp_path / "r.json", a_later_register(rating="AAA"))
    assert (models / LOCK).read_bytes() == before
    assert not (models / "villages/2026-12-01.json").exists()


def test_a_revocation_is_not_published_for_a_day_gone(models: Path, tmp_path: Path) -> None:
    taken = {"on": "2026-12-01", "reason": "fraud in collection", "document_sha256": "0" * 64}
    text = a_later_register(revocation=taken)
    with pytest.raises(EditionRefused, match="first day 2026-12-01 is gone"):
        publish_text(models, tmp_path / "r.json", text, today=date(2026, 12, 2))
    publish_text(models, tmp_path / "r.json", text, today=date(2026, 12, 1))


def test_a_rollback_to_an_older_register_is_not_barred(models: Path, tmp_path: Path) -> None:
    text = a_later_register(points=0)
    publish_text(models, tmp_path / "r.json", text)
    first = models / "villages/2026-07-01.json"
    publish(models, first, role="champion", approver="test", valid_from=date(2027, 1, 1))
    found = Registry.open(models).in_force("credit_loan", date(2027, 1, 1)).villages
    assert found.digest == digest_of(first.read_bytes())


# --- what is said beside a publication ----------------------------------------------------------


def test_reason_and_impact_are_kept_with_the_publication(models: Path, tmp_path: Path) -> None:
    publish_text(
        models, tmp_path / "c.json", a_later_card(), reason="notice 3", measure=lambda *_: "5 flip"
    )
    found = Registry.open(models).editions[-1]
    assert (found.reason, found.impact) == ("notice 3", "5 flip")


def test_a_publication_of_which_nothing_was_said_has_no_such_keys(
    models: Path, tmp_path: Path
) -> None:
    publish_text(models, tmp_path / "c.json", a_later_card(), measure=lambda *_: "")
    entry = json.loads((models / LOCK).read_text())["editions"][-1]
    assert not {"reason", "impact"} & set(entry)


def test_what_measures_sees_the_draft_beside_the_editions_as_they_stand(
    models: Path, tmp_path: Path
) -> None:
    seen: list[tuple[int, str, date]] = []

    def measure(registry: Registry, draft: Edition[Any]) -> str:
        seen.append((len(registry.editions), draft.kind, draft.valid_from))
        return ""

    n_before = len(Registry.open(models).editions)
    publish_text(models, tmp_path / "c.json", a_later_card(), measure=measure)
    assert seen == [(n_before, "scorecard", date(2026, 9, 1))]


@pytest.mark.parametrize(
    ("text", "name", "role"),
    [
        pytest.param(
            to_text({**RATES, "valid_from": "2026-09-01"}), "r.json", "champion", id="rates"
        ),
        pytest.param(None, "c.json", "challenger", id="a challenger"),
    ],
)
def test_what_decides_nothing_by_itself_is_not_measured(
    models: Path, tmp_path: Path, text: str | None, name: str, role: str
) -> None:
    def measure(*_: Any) -> str:
        raise AssertionError("must not be asked")

    publish_text(models, tmp_path / name, text or a_later_card(), role=role, measure=measure)


def test_what_measuring_refuses_leaves_everything_as_it_was(models: Path, tmp_path: Path) -> None:
    def measure(*_: Any) -> str:
        raise EditionRefused("too far")

    before = {p: p.read_bytes() for p in models.rglob("*") if p.is_file()}
    with pytest.raises(EditionRefused, match="too far"):
        publish_text(models, tmp_path / "c.json", a_later_card(), measure=measure)
    assert {p: p.read_bytes() for p in models.rglob("*") if p.is_file()} == before


def test_a_draft_that_is_refused_anyway_is_not_measured(models: Path, tmp_path: Path) -> None:
    def measure(*_: Any) -> str:
        raise AssertionError("must not be asked")

    text = a_later_card(training={**TRAINING, "run": {**TRAINING["run"], "operator": "test"}})
    with pytest.raises(EditionRefused, match="cannot approve it"):
        publish_text(models, tmp_path / "c.json", text, measure=measure)
