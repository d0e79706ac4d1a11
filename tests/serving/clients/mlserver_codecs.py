"""MLServer's codecs at their defaults, in an environment of their own: python mlserver_codecs.py URL."""

import sys

import httpx
import numpy as np
import pandas as pd
from mlserver.codecs import NumpyCodec, NumpyRequestCodec, PandasCodec
from mlserver.types import InferenceRequest, InferenceResponse, MetadataModelResponse

URL = sys.argv[1]
ROWS = np.array([[0.1, 0.9], [0.5, 0.5]])
TEXT = pd.DataFrame({"city": ["Oslo", ""], "sent": ["1970-01-02", "2020-02-29T10:00:00"]}, dtype=object)
NUMBERS = pd.DataFrame({"weight": [1.5, None], "fragile": [True, False], "carrier": [3, 4]})
PARCELS = pd.concat([TEXT, NUMBERS], axis=1)


def post(model: str, request: InferenceRequest) -> InferenceResponse:
    sent = {"content": request.model_dump_json(), "headers": {"content-type": "application/json"}}
    return InferenceResponse.model_validate_json(httpx.post(f"{URL}/v2/models/{model}/infer", **sent).text)


for request in (
    NumpyRequestCodec.encode_request(ROWS),  # FP64, input-1
    PandasCodec.encode_request(pd.DataFrame({"x2": ROWS[:, 1], "x1": ROWS[:, 0]})),  # a tensor a column
    InferenceRequest(inputs=[NumpyCodec.encode_input("features", ROWS.astype(np.float32))]),
):
    answer = post("xor", request)
    found = {output.name: output for output in answer.outputs}
    assert NumpyCodec.decode_output(found["label"]).tolist() == [1, 0]
    answer.outputs = [found["label"], found["class"]]
    assert PandasCodec.decode_response(answer)["class"].tolist() == ["1", "0"]
answer = post("parcels", PandasCodec.encode_request(PARCELS))  # text, dates, numbers, truth values, missing cells
assert len(NumpyCodec.decode_output(answer.outputs[0])) == 2
described = httpx.get(f"{URL}/v2/models/parcels").text
assert MetadataModelResponse.model_validate_json(described).name == "parcels"
