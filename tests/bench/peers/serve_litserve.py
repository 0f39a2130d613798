"""LitServe: python -m tests.bench.peers.serve_litserve PORT."""

import os
import sys
from typing import Any

import litserve

from tests.bench.peers.model import load, probability


class Score(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.model = load(os.environ["MODEL_FOLDER"])

    def predict(self, record: dict[str, Any]) -> dict[str, float]:
        return {"pd": probability(self.model, record)}


if __name__ == "__main__":
    server = litserve.LitServer(Score(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="error"
    )
