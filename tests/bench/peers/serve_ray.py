"""Ray Serve: python -m tests.bench.peers.serve_ray PORT."""

import os
import signal
import sys

import ray
from ray import serve
from starlette.requests import Request

from tests.bench.peers.model import load, probability


@serve.deployment(max_ongoing_requests=100)
class Score:
    def __init__(self, folder: str) -> None:
        self.model = load(folder)

    async def __call__(self, request: Request) -> dict[str, float]:
        return {"pd": probability(self.model, await request.json())}


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    application = Score.bind(os.environ["MODEL_FOLDER"])  # type: ignore[attr-defined]  # by the decorator
    serve.run(application, route_prefix="/predict")
    signal.pause()
