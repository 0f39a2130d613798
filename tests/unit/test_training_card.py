"""A trained card is the trained model, within what its own document says, and can be made again."""

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loansvc.application import BARRED_PURPOSES, CATALOGUE, MODEL_CHARACTERISTICS, PRODUCTS
from loansvc.registry import read_document
from loansvc.scorecard import Scorecard
from loansvc.training.__main__ import VALID_FROM, shipped_card
from loansvc.training.blend import Blend
from loansvc.training.cells import encode
from loansvc.training.document import UNSEEN_WORD, card_of
from loansvc.training.manifest import findings
from loansvc.training.records import plain
from loansvc.training.train import TrainedCard, lay_aside, train_scorecard, write

N_APPLICANTS = 9_000
NOON = datetime(2026, 6, 30, 12, 0, tzinfo=UTC)


def trained_card(n_applicants: int = N_APPLICANTS, **changes: Any) -> TrainedCard:
    arguments: dict[str, Any] = {
        "seed": 7,
        "n_applicants": n_applicants,
        "valid_from": date(2026, 7, 1),
        "reference": "test",
        "operator": "tester",
        "clock": lambda: NOON,
    }
    return train_scorecard("credit_loan", **(arguments | changes))


@pytest.fixture(scope="module")
def trained() -> TrainedCard:
    return trained_card()


@pytest.fixture(scope="module")
def card(trained: TrainedCard) -> Scorecard:
    return card_of(trained.document)


@pytest.fixture(scope="module")
def card_scores(trained: TrainedCard, card: Scorecard) -> np.ndarray:
    """The hold-out as the service scores it: row by row, from the document."""
    frame = trained.held_out.frame
    columns = [plain(frame[name]) for name in MODEL_CHARACTERISTICS]
    rows = zip(*columns, strict=True)
    return np.array(
        [card.score(dict(zip(MODEL_CHARACTERISTICS, row, strict=True))) for row in rows]
    )


@pytest.fixture(scope="module")
def model_scores(trained: TrainedCard) -> np.ndarray:
    """The hold-out as the trained model scores it, never having seen the card."""
    cells = encode(trained.held_out.frame, trained.fit.inputs)
    model = trained.fit.trained
    return model.calibration.score(model.model.log_odds_bad(cells))


def test_service_scores_what_the_workshop_scores(
    trained: TrainedCard, card_scores: np.ndarray
) -> None:
    """Row by row in the service, by columns in the workshop: the same whole points."""
    cells = encode(trained.held_out.frame, trained.fit.inputs)
    assert (trained.fit.lines.scores(cells, "points") == card_scores).all()


def test_card_and_model_agree_on_every_case_within_what_the_card_states(
    trained: TrainedCard, card_scores: np.ndarray, model_scores: np.ndarray
) -> None:
    """The stated largest difference is the largest there is, up to its third decimal."""
    stated = trained.document["training"]["agreement"]
    difference = np.abs(card_scores - model_scores)
    assert difference.max() <= stated["largest_points"] <= difference.max() + 0.001
    assert difference.mean() <= stated["mean_absolute_points"] <= difference.mean() + 0.001


def test_difference_is_made_of_bins_and_of_rounding(trained: TrainedCard) -> None:
    """And of nothing else: each step within its own stated bound."""
    stated = trained.document["training"]["agreement"]
    assert stated["largest_rounding_points"] <= stated["rounding_bound_points"]
    assert stated["largest_points"] <= (
        stated["largest_compaction_points"] + stated["largest_rounding_points"]
    )


def test_rounding_is_at_most_half_a_point_a_characteristic(trained: TrainedCard) -> None:
    """In every bin of every characteristic."""
    for line in trained.fit.lines.lines:
        assert np.abs(line.points - line.compacted).max() <= 0.5


def test_exact_step_is_the_model(trained: TrainedCard, model_scores: np.ndarray) -> None:
    """Before bins and rounding there is no difference but that of the scale."""
    cells = encode(trained.held_out.frame, trained.fit.inputs)
    exact = trained.fit.lines.scores(cells, "exact")
    assert np.abs(exact - model_scores).max() < 1e-7  # 1e-9 in log-odds, 28.85 points each


def test_same_seed_gives_the_same_bytes() -> None:
    """Document and model card."""
    one, two = trained_card(3_000), trained_card(3_000)
    assert one.text() == two.text()
    assert one.markdown == two.markdown


@pytest.mark.slow
@pytest.mark.parametrize("product", PRODUCTS)
def test_shipped_card_can_be_made_again(product: str) -> None:
    """But for the times of the run, and the Python it ran on."""
    path = Path(__file__).parents[2] / "models" / "scorecards" / product / f"{VALID_FROM}.json"
    shipped, again = (
        json.loads(t) for t in (path.read_text("utf-8"), shipped_card(product).text())
    )
    for document in (shipped, again):
        for key in ("started_at", "ended_at", "python"):
            del document["training"]["run"][key]
    assert again == shipped


def test_another_seed_gives_another_card(trained: TrainedCard) -> None:
    """The bytes hang on the data, not on chance."""
    assert trained_card(3_000, seed=8).text() != trained_card(3_000).text()


def test_written_card_is_read_by_the_registry(trained: TrainedCard, tmp_path: Path) -> None:
    """Under product and first day, with its model card beside it."""
    path = write(trained, tmp_path)
    assert path == tmp_path / "credit_loan" / "2026-07-01.json"
    head, content = read_document(path)
    assert (head.product, head.valid_from) == ("credit_loan", date(2026, 7, 1))
    assert content == card_of(trained.document)
    assert path.with_suffix(".md").read_text(encoding="utf-8") == trained.markdown


@pytest.mark.parametrize(("suffix", "n_before"), [(".json", 0), (".md", 2)])
def test_a_full_disk_leaves_the_card_that_was_there(
    trained: TrainedCard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    n_before: int,
) -> None:
    """Document and model card are each written whole or not at all; a file and its folder sync."""
    path = write(trained, tmp_path).with_suffix(suffix)
    before = path.read_bytes()

    calls = iter(range(n_before))

    def full(descriptor: int) -> None:
        if next(calls, None) is None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(replace(trained, document={}, markdown="new"), tmp_path)
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 2


def test_card_scores_the_26_characteristics(card: Scorecard) -> None:
    """None is left out, none is from outside the catalogue."""
    assert {c.name for c in card.characteristics} == set(MODEL_CHARACTERISTICS)
    assert len(card.characteristics) == 26


def test_bins_are_few_and_arrears_may_have_more(card: Scorecard) -> None:
    """At most 8, and 12 for arrears and enquiries; words and states apart."""
    for c in card.characteristics:
        plain_bins = [b for b in c.bins if not b.state and not b.words]
        most = 12 if c.name in ("max_days_past_due_24m", "enquiries_6m") else 8
        assert len(plain_bins) <= most


def test_every_loan_stands_in_one_bin_of_each_characteristic(trained: TrainedCard) -> None:
    """The counts a reviewer sees add up."""
    data = trained.document["training"]["data"]
    for characteristic in trained.document["characteristics"].values():
        assert sum(b["n"] for b in characteristic["bins"]) == data["n"]
        assert sum(b["n_bad"] for b in characteristic["bins"]) == data["n_bad"]


def test_each_word_has_a_bin_of_its_own(trained: TrainedCard) -> None:
    """The best first, so that a reason names only what the applicant is."""
    for name, characteristic in trained.document["characteristics"].items():
        bins = [b for b in characteristic["bins"] if "words" in b]
        assert all(len(b["words"]) == 1 for b in bins)
        assert sorted(b["words"][0] for b in bins) == sorted(CATALOGUE[name].words)
        points = [b["points"] for b in bins]
        assert points == sorted(points, reverse=True)


def test_words_with_equal_points_stand_in_catalogue_order(trained: TrainedCard) -> None:
    """The barred purposes have equal points."""
    bins = trained.document["characteristics"]["purpose"]["bins"]
    words = [b["words"][0] for b in bins if "words" in b]
    barred = [w for w in CATALOGUE["purpose"].words if w in BARRED_PURPOSES]
    assert [w for w in words if w in BARRED_PURPOSES] == barred


def test_no_loan_stands_behind_a_barred_purpose(trained: TrainedCard) -> None:
    """Their bins say so."""
    bins = trained.document["characteristics"]["purpose"]["bins"]
    barred = [b for b in bins if set(b.get("words", ())) & set(BARRED_PURPOSES)]
    assert [(b["n"], b["n_bad"]) for b in barred] == [(0, 0)] * len(BARRED_PURPOSES)


def test_barred_purposes_are_neutral(card: Scorecard) -> None:
    """They were never trained on; the policy refuses them, not the card."""
    purpose = next(c for c in card.characteristics if c.name == "purpose")
    points = {purpose.bin_of(word).points for word in BARRED_PURPOSES}
    assert points == {purpose.bin_of(UNSEEN_WORD).points}


def test_golden_cases_cover_both_sides_of_every_edge(trained: TrainedCard, card: Scorecard) -> None:
    """And every word, a word never seen, and nothing known at all."""
    cases = trained.document["golden"]
    assert len(cases) == 60
    for i, c in enumerate(card.characteristics):
        values = {case["values"][i] for case in cases}
        assert None in values
        assert values >= {side for cut in c.cuts for side in (cut - 1, cut)}
        if CATALOGUE[c.name].words:
            assert values >= {UNSEEN_WORD, *CATALOGUE[c.name].words}


def test_manifest_has_no_empty_key(trained: TrainedCard) -> None:
    """Each question of the traceability list has an answer (findings may be none)."""
    training = trained.document["training"]
    for part in ("data", "run", "model", "agreement", "held_out", "through_the_door"):
        assert all(value not in (None, "", [], {}) for value in training[part].values())


def test_card_and_model_card_say_synthetic(trained: TrainedCard) -> None:
    """In both languages, and in every heading that shows figures."""
    assert trained.document["synthetic"] is True
    assert "合成数据" in trained.document["statement"]
    assert "synthetic" in trained.document["statement"]
    headings = re.findall(r"^#+ .*(?:SYNTHETIC|synthetic).*$", trained.markdown, re.MULTILINE)
    assert len(headings) == 4  # title, data, figures, points


@pytest.mark.parametrize(
    ("valid_from", "says_so"),
    [
        pytest.param(date(2026, 6, 29), True, id="made the day after its first day"),
        pytest.param(date(2026, 6, 30), False, id="made on its first day"),
    ],
)
def test_model_card_says_when_it_is_dated_back(valid_from: date, says_so: bool) -> None:
    """Nothing can have been decided under it before it was made."""
    markdown = trained_card(3_000, valid_from=valid_from).markdown
    assert ("Dated back for the examples" in markdown) == says_so


def test_model_card_states_both_distances_from_the_oracle(trained: TrainedCard) -> None:
    """As the manifest has them."""
    held, door = (trained.document["training"][part] for part in ("held_out", "through_the_door"))
    aside = held["oracle_auc"] - held["auc"]
    stated = f"laid aside {aside:.4f}, through the door {door['distance']:.4f}"
    assert stated in trained.markdown


def test_model_card_names_what_is_neutral(trained: TrainedCard) -> None:
    """Slots and words that too few cases tell anything about."""
    neutral = trained.document["training"]["neutral"]
    assert set(neutral["words"]) >= {f"purpose: {word}" for word in BARRED_PURPOSES}
    line = next(x for x in trained.markdown.splitlines() if x.startswith("- Neutral points"))
    assert all(slot in line for slot in (*neutral["not_known"], *neutral["words"]))


def test_text_is_canonical_json(trained: TrainedCard) -> None:
    """What is read back is what was written, and holds no NaN."""
    assert json.loads(trained.text()) == json.loads(json.dumps(trained.document, allow_nan=False))


def test_progress_runs_from_the_first_step_to_the_last() -> None:
    """Never back, and complete at the end."""
    seen: list[tuple[str, int, int]] = []
    trained_card(6_000, on_progress=lambda *step: seen.append(step))
    done = [d for _, d, _ in seen]
    assert done == list(range(len(seen)))
    assert seen[-1] == ("done", done[-1], done[-1])
    assert {of for _, _, of in seen} == {done[-1]}


def test_a_quarter_is_laid_aside_with_the_same_share_of_bad(trained: TrainedCard) -> None:
    """Nobody is in both parts."""
    parts = trained.trained_on, trained.held_out
    sizes = [len(p.frame) for p in parts]
    assert sizes[1] / sum(sizes) == pytest.approx(0.25, abs=0.001)
    rates = [p.truth["is_bad"].mean() for p in parts]
    assert rates[0] == pytest.approx(rates[1], abs=0.001)


def test_laying_aside_hangs_on_the_seed_alone(trained: TrainedCard) -> None:
    """So that a card can be made again."""
    one, two = (lay_aside(trained.trained_on, seed=1)[1] for _ in range(2))
    assert one.frame.equals(two.frame)


@pytest.mark.parametrize(
    ("slope", "auc", "n_bad", "words"),
    [
        pytest.param(1.0, 0.75, 500, [], id="nothing to say"),
        pytest.param(0.7, 0.75, 500, ["slope"], id="overfitted"),
        pytest.param(1.0, 0.75, 20, ["20 bad"], id="too few bad cases"),
        pytest.param(1.0, 0.97, 500, ["too good"], id="something knows the outcome"),
    ],
)
def test_findings_name_what_is_wrong(
    trained: TrainedCard,
    slope: float,
    auc: float,
    n_bad: int,
    words: list[str],
) -> None:
    """One finding for each, in words."""
    blend = trained.fit.trained.model
    assert isinstance(blend, Blend)
    leaning = replace(blend, shares=np.array([slope, 0.0, 0.0, 0.0]))
    fitted = replace(trained.fit, trained=replace(trained.fit.trained, model=leaning))
    reached = replace(trained.figures, auc=auc)
    found = findings(fitted, reached, n_bad=n_bad)
    assert len(found) == len(words)
    assert all(word in text for word, text in zip(words, found, strict=True))
