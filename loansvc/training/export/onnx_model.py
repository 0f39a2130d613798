"""ONNX: the card as a small graph of comparisons and look-ups, in float64 and whole numbers.

Made from the card's tables, never from an estimator: thresholds in float32 flip. Every input is a
vector `(n_rows,)`. A number is a double, NaN for not known. A word is a string, and beside it
stands `<name>_missing`, true where it is not known: no string says so without being a word as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from loansvc.scorecard import ScoredCharacteristic, pd_ppm
from loansvc.scorecard.slots import HIGHEST_PD_SCORE, LOWEST_PD_SCORE, as_doubles, reachable
from loansvc.training.export import check_fits, free_name

if TYPE_CHECKING:
    from loansvc.training.card import Card

OPSET, OPSET_ML, IR = 17, 2, 8  # of 2022: old enough for runtimes in service


def to_onnx(card: Card) -> bytes:
    """The card as a serialised ONNX model.

    Its outputs: `score` and `points` as int64, `(n_rows,)` and `(n_rows, n_parts)`, `pd` as double.
    The model's metadata say in JSON the card's digest, the parts in the order of `points`, and for
    every characteristic the name of its input and of its flag, should a name have been taken.

    Raises:
        TableRefused: a name or a word that a string of ONNX cannot hold.
    """
    scorecard = card.scorecard
    check_fits(scorecard, format_="ONNX")
    graph = _Graph(card.names)
    for of in scorecard.characteristics:
        graph.add_input(of)
    points, parts = [], []
    for of in scorecard.characteristics:
        slot = graph.slot_of(of, part=of.name)
        table = [b.points for b in of.bins]
        points.append(graph.look_up(table, slot, part=of.name))
        parts.append(of.name)
    for pair in scorecard.pairs:
        part = f"{pair.rows.name}*{pair.columns.name}"
        rows = graph.slot_of(pair.rows, part=f"{part}/rows")
        columns = graph.slot_of(pair.columns, part=f"{part}/columns")
        width = graph.constant(np.int64(len(pair.columns.bins)))
        cell = graph.node("Add", graph.node("Mul", rows, width), columns)
        points.append(graph.look_up(np.array(pair.points).ravel(), cell, part=part))
        parts.append(part)
    graph.add_outputs(points, scorecard.base_points, reachable(scorecard))
    model = helper.make_model(
        graph.made(f"{scorecard.statement} Card {card.digest}."),
        producer_name="loansvc",
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", OPSET_ML)],
        ir_version=IR,
    )
    told = {"card": card.digest, "points": parts, "inputs": graph.names, "missing": graph.flags}
    helper.set_model_props(model, {k: json.dumps(v, ensure_ascii=False) for k, v in told.items()})
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


class _Graph:
    """Nodes and constants as they are added; every value has a name of its own."""

    def __init__(self, names: Iterable[str]) -> None:
        self.taken: list[str] = ["score", "pd", "points"]
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.names: dict[str, str] = {}
        self.missing: dict[str, str] = {}
        self.flags: dict[str, str] = {}
        for name in names:
            self.names[name] = self.own_name(name)

    def own_name(self, name: str) -> str:
        self.taken.append(free_name(name, self.taken))
        return self.taken[-1]

    def constant(self, value: Any) -> str:
        array = np.asarray(value)
        name = f"constant/{array.dtype}/{array.tolist()!r}"
        if name not in self.constants:
            own = self.own_name(f"constant/{len(self.constants) + 1}")
            self.constants[name] = numpy_helper.from_array(array, own)
        return self.constants[name].name

    def node(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        name = self.own_name(name or f"{kind}/{len(self.nodes) + 1}")
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def add_input(self, of: ScoredCharacteristic) -> None:
        kind = TensorProto.STRING if of.described.words else TensorProto.DOUBLE
        name = self.names[of.name]
        self.inputs.append(helper.make_tensor_value_info(name, kind, ["n_rows"]))
        if of.described.words:
            self.missing[of.name] = self.flags[of.name] = flag = self.own_name(f"{name}_missing")
            self.inputs.append(helper.make_tensor_value_info(flag, TensorProto.BOOL, ["n_rows"]))
        else:
            self.missing[of.name] = self.node("IsNaN", name, name=f"{name}/missing")

    def slot_of(self, of: ScoredCharacteristic, *, part: str) -> str:
        """The place among the bins, as in `ScoredCharacteristic.slot_of`."""
        name = self.names[of.name]
        if of.described.words:
            words = {w: i for w, i in of.index.items() if isinstance(w, str)}
            slot = self.node(
                "LabelEncoder", name, domain="ai.onnx.ml", keys_strings=list(words),
                values_int64s=list(words.values()), default_int64=of.unseen,
            )  # fmt: skip
        else:
            column = self.node("Unsqueeze", name, self.constant(np.array([1])))
            slot = self.count(self.node("GreaterOrEqual", column, self.doubles(of.cuts)))
            by_slot: dict[int, list[Any]] = {}
            for code, place in of.index.items():
                by_slot.setdefault(place, []).append(code)
            for place, codes in by_slot.items():
                found = self.count(self.node("Equal", column, self.doubles(codes)))
                is_code = self.node("Greater", found, self.constant(np.int64(0)))
                slot = self.node("Where", is_code, self.constant(np.int64(place)), slot)
        missing = self.constant(np.int64(of.missing))
        return self.node("Where", self.missing[of.name], missing, slot, name=f"{part}/slot")

    def doubles(self, values: Iterable[Any]) -> str:
        return self.constant(np.array(as_doubles(list(values)), dtype=np.float64))

    def count(self, truths: str) -> str:
        """How many of a row are true; 0 where there are none to test."""
        whole = self.node("Cast", truths, to=TensorProto.INT64)
        return self.node("ReduceSum", whole, self.constant(np.array([1])), keepdims=0)

    def look_up(self, table: Any, at: str, *, part: str) -> str:
        whole = self.constant(np.array(table, dtype=np.int64))
        return self.node("Gather", whole, at, name=f"{part}/points")

    def add_outputs(self, points: list[str], base: int, scores: tuple[int, int]) -> None:
        axis = self.constant(np.array([1]))
        columns = [self.node("Unsqueeze", p, axis) for p in points]
        self.nodes.append(helper.make_node("Concat", columns, ["points"], name="points", axis=1))
        total = self.node("ReduceSum", "points", axis, keepdims=0)
        whole = self.constant(np.int64(base))
        self.nodes.append(helper.make_node("Add", [total, whole], ["score"], name="score"))
        low, high = (min(max(s, LOWEST_PD_SCORE), HIGHEST_PD_SCORE) for s in scores)
        ends = [self.constant(np.int64(s)) for s in (low, high)]
        at = self.node("Sub", self.node("Clip", "score", *ends), ends[0])
        ppm = np.array([pd_ppm(s) for s in range(low, high + 1)], dtype=np.float64) / 1e6
        table = self.constant(ppm)
        self.nodes.append(helper.make_node("Gather", [table, at], ["pd"], name="pd"))
        n = "n_rows"
        self.outputs = [
            helper.make_tensor_value_info("score", TensorProto.INT64, [n]),
            helper.make_tensor_value_info("pd", TensorProto.DOUBLE, [n]),
            helper.make_tensor_value_info("points", TensorProto.INT64, [n, len(points)]),
        ]

    def made(self, statement: str) -> onnx.GraphProto:
        return helper.make_graph(
            self.nodes, "loansvc card", self.inputs, self.outputs,
            list(self.constants.values()), doc_string=statement,
        )  # fmt: skip
