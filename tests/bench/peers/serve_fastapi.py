"""FastAPI: uvicorn tests.bench.peers.serve_fastapi:app."""

import os
from typing import Any

from fastapi import FastAPI

from tests.bench.peers.model import load, probability

app = FastAPI()
model = load(os.environ["MODEL_FOLDER"])


@app.post("/predict")
def predict(record: dict[str, Any]) -> dict[str, float]:
    return {"pd": probability(model, record)}
