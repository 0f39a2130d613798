"""MLServer: mlserver start FOLDER, with this as the implementation of the model."""

import os

import pandas as pd
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, PandasCodec
from mlserver.types import InferenceRequest, InferenceResponse

from tests.bench.peers.model import load


class Score(MLModel):
    async def load(self) -> bool:
        self.model = load(os.environ["MODEL_FOLDER"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        frame: pd.DataFrame = self.decode_request(payload, default_codec=PandasCodec)
        output = NumpyCodec.encode_output("pd", self.model.predict_proba(frame)[:, 1])
        return InferenceResponse(model_name=self.name, outputs=[output])
