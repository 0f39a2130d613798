"""BentoML: bentoml serve tests.bench.peers.serve_bentoml:Score."""

import os
from typing import Any

import bentoml

from tests.bench.peers.model import load, probability


@bentoml.service(workers=1)
class Score:
    def __init__(self) -> None:
        self.model = load(os.environ["MODEL_FOLDER"])

    @bentoml.api
    def predict(self, record: dict[str, Any]) -> float:
        return probability(self.model, record)
