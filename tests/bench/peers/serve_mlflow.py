"""MLflow: python -m tests.bench.peers.serve_mlflow OUT, then mlflow models serve -m OUT."""

import os
import sys

import mlflow

from tests.bench.peers.model import load

if __name__ == "__main__":
    mlflow.sklearn.save_model(
        load(os.environ["MODEL_FOLDER"]), sys.argv[1], pyfunc_predict_fn="predict_proba",
        pip_requirements=[], serialization_format="cloudpickle",
    )  # fmt: skip
