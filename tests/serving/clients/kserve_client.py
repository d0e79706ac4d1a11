"""kserve's REST client at its defaults, in an environment of its own: python kserve_client.py URL."""

import asyncio
import sys

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

ROWS = np.array([[0.1, 0.9], [0.5, 0.5]], np.float32)


def tensor(name: str, datatype: str, array: "np.ndarray", **options: bool) -> InferInput:
    made = InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, **options)
    return made


async def main(url: str) -> None:
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await client.is_server_live(url) and await client.is_server_ready(url)
    assert await client.is_model_ready(url, "xor")
    for sent in (
        tensor("features", "FP32", ROWS),  # in binary, its default
        tensor("features", "FP32", ROWS, binary_data=False),
        InferInput("features", [2, 2], "FP32", data=ROWS.ravel().astype(float).tolist()),
        InferInput("input-0", [2, 2], "FP64", data=ROWS.ravel().astype(float).tolist()),
    ):
        answer = await client.infer(url, InferRequest("xor", [sent], request_id="7"), model_name="xor")
        found = {output.name: output.as_numpy().tolist() for output in answer.outputs}
        assert answer.id == "7" and found["label"] == [1, 0] and found["class"] == ["1", "0"], found
    table = [tensor("features", "FP32", np.array([[1.5, 1]], np.float32)),
             tensor("categories", "BYTES", np.array([["Oslo", "3"]], object)),
             tensor("timestamps", "INT64", np.array([[-1]]))]  # fmt: skip
    answer = await client.infer(url, InferRequest("parcels", table), model_name="parcels")
    assert answer.outputs[-1].as_numpy().tolist() == ["no"]
    try:
        await client.infer(url, InferRequest("xor", [tensor("nothing", "FP32", ROWS)]), model_name="xor")
    except Exception as error:  # httpx's
        assert "there is no input 'nothing'" in str(error), error
    else:
        raise AssertionError
    await client.close()


asyncio.run(main(sys.argv[1]))
