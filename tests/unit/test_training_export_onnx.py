"""ONNX of a card: doubles, old operators, inputs by name; tests/property runs what it gives."""

import json
import math
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from loansvc.training.card import Card
from tests.property.export_cards import CARDS, card_of, nasty
from tests.unit.test_training_columns import DOCUMENT


@pytest.mark.parametrize("name", CARDS)
def test_it_is_sound_and_the_same_every_time(name: str) -> None:
    data = card_of(name).to_onnx()
    model = onnx.load_from_string(data)
    onnx.checker.check_model(model, full_check=True)
    assert data == card_of(name).to_onnx()
    assert {(o.domain, o.version) for o in model.opset_import} == {("", 17), ("ai.onnx.ml", 2)}
    kinds = {i.data_type for i in model.graph.initializer}
    assert kinds <= {onnx.TensorProto.DOUBLE, onnx.TensorProto.INT64}


def test_inputs_are_named_by_characteristic() -> None:
    session = onnxruntime.InferenceSession(Card.of(DOCUMENT).to_onnx())
    assert [(i.name, i.type) for i in session.get_inputs()] == [
        ("age", "tensor(double)"), ("job", "tensor(string)"), ("job_missing", "tensor(bool)"),
    ]  # fmt: skip
    assert [(o.name, o.type) for o in session.get_outputs()] == [
        ("score", "tensor(int64)"), ("pd", "tensor(double)"), ("points", "tensor(int64)"),
    ]  # fmt: skip


def test_names_that_are_taken_are_told_in_the_metadata() -> None:
    session = onnxruntime.InferenceSession(Card.of(nasty()).to_onnx())
    inputs = json.loads(session.get_modelmeta().custom_metadata_map["inputs"])
    assert (inputs["score"], inputs["pd"], inputs["select"]) == ("score_", "pd_", "select")
    assert set(inputs.values()) <= {i.name for i in session.get_inputs()}


@pytest.mark.parametrize(
    ("age", "points"),
    [
        pytest.param(24.5, 0, id="on a cut"),
        pytest.param(math.nextafter(24.5, 0), -10, id="the double before: the same in float32"),
        pytest.param(math.inf, 10, id="infinite: the last bin"),
        pytest.param(-math.inf, -10, id="below all: the first"),
        pytest.param(math.nan, -4, id="not known"),
    ],
)
def test_a_number_is_compared_as_a_double(age: float, points: int) -> None:
    session = onnxruntime.InferenceSession(Card.of(DOCUMENT).to_onnx())
    feed: dict[str, Any] = {
        "age": np.array([age]), "job": np.array([""], object), "job_missing": np.array([False]),
    }  # fmt: skip
    assert session.run(["points"], feed)[0][0, 0] == points


def test_an_empty_word_is_a_word_and_not_known_has_its_own_input() -> None:
    session = onnxruntime.InferenceSession(Card.of(DOCUMENT).to_onnx())
    feed: dict[str, Any] = {
        "age": np.array([20.0, 20.0]), "job": np.array(["", ""], object),
        "job_missing": np.array([False, True]),
    }  # fmt: skip
    assert session.run(["score"], feed)[0].tolist() == [490, 491]
    del feed["job_missing"]
    with pytest.raises(ValueError, match="job_missing"):
        session.run(["score"], feed)
