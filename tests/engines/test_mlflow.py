"""Packages as MLflow models, in the environment of ``make mlflow``: logged, loaded, served and run by Spark."""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mlflow", reason="mlflow wants another pyarrow than the tests' environment: make mlflow")

import mlflow
import pandas as pd
from mlflow.pyfunc.scoring_server import predictions_to_json

import parity_runtime.mlflow
from parity_runtime import DigestError, InputError, Predictor, UncheckedModelWarning
from parity_runtime.mlflow import log_model, signature
from tests.documented import faults_of, faults_of_names
from tests.end_to_end.guide import blocks
from tests.runtime.external_weights import externalize

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
PARCELS = {"weight": [1.0, None], "city": ["Bern", None], "carrier": [7, None], "fragile": [True, None],
           "sent": ["2024-01-02", None]}  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own advice


def test_what_the_public_names_take_give_and_raise_is_documented() -> None:
    assert list(faults_of_names(parity_runtime.mlflow)) == []
    found = [
        fault for name in parity_runtime.mlflow.__all__ for fault in faults_of(getattr(parity_runtime.mlflow, name))
    ]
    # MLflow reads the hints of these methods as a schema, so that they have none, not even that of no answer.
    of_hints = (" no type", " the type that it returns", ".load_context does not say what it returns")
    assert [fault for fault in found if not (fault.startswith("ParityModel.") and fault.endswith(of_hints))] == []


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that holds MLflow's database and its artifacts."""
    folder, before = tmp_path_factory.mktemp("mlflow"), Path.cwd()
    os.chdir(folder)
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    yield folder
    os.chdir(before)


def logged(package: str | Path, **options: Any) -> str:
    with mlflow.start_run():
        return log_model(DATA / package, name=Path(package).name, **options).model_uri


@pytest.mark.usefixtures("tracked")
def test_the_guide_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(DATA / "xor", tmp_path / "packages" / "xor")
    monkeypatch.chdir(tmp_path)
    tracking, rows = mlflow.get_tracking_uri(), pd.DataFrame({"x1": [0.0, 1.0], "x2": [1.0, 1.0]})
    (code,) = [
        code for language, code, _ in blocks((ROOT / "docs/how-to/mlflow.md").read_text()) if language == "python"
    ]
    names: dict[str, Any] = {"rows": rows}
    shown = code.replace("mlflow.pyfunc.load_model", "answers = mlflow.pyfunc.load_model")
    try:
        exec(compile(shown, "mlflow.md", "exec"), names)  # noqa: S102 -- a guide of our own
    finally:
        mlflow.set_tracking_uri(tracking)
    assert names["answers"]["label"].tolist() == [1, 0]


@pytest.mark.usefixtures("tracked")
def test_a_logged_package_answers_as_its_predictor() -> None:
    rows = np.random.default_rng(0).uniform(-1, 2, (50, 2)).astype(np.float32)
    frame = pd.DataFrame(rows, columns=["x1", "x2"], index=range(7, 57)).astype(float)
    found = mlflow.pyfunc.load_model(logged("xor")).predict(frame)
    predictor = Predictor(DATA / "xor")
    assert list(found.columns) == ["label", "probability_0", "probability_1"]
    assert found.index.equals(frame.index)
    assert (found["label"].to_numpy() == predictor.predict(rows)).all()
    assert (found[["probability_0", "probability_1"]].to_numpy() == predictor.predict_proba(rows)).all()


@pytest.mark.usefixtures("tracked")
def test_cells_of_every_kind_may_be_missing_where_the_model_takes_that() -> None:
    frame = pd.DataFrame(PARCELS).assign(sent=pd.to_datetime(PARCELS["sent"]))
    found = mlflow.pyfunc.load_model(logged("parcels")).predict(frame)
    assert found["label"].tolist() == Predictor(DATA / "parcels").predict(frame).tolist()
    with pytest.raises(mlflow.MlflowException, match="missing inputs"):
        mlflow.pyfunc.load_model(logged("parcels")).predict(frame.drop(columns="city"))


@pytest.mark.usefixtures("tracked")
def test_a_row_that_cannot_be_predicted_ends_the_call_or_has_no_answers() -> None:
    frame = pd.DataFrame({"x1": [0.1, None, 0.9], "x2": [0.9, 0.5, 1.1]}, index=[7, 8, 9])
    uri = logged("xor", errors="null")
    found = mlflow.pyfunc.load_model(uri).predict(frame)
    assert found["label"].dtype == "Int64" and found["label"].tolist() == [1, pd.NA, 0]
    assert found["probability_1"].isna().tolist() == [False, True, False]
    predictions_to_json(found, answer := io.StringIO())  # as `mlflow models serve` does
    assert json.loads(answer.getvalue())["predictions"][1] == dict.fromkeys(found.columns)
    assert mlflow.pyfunc.load_model(uri).predict(frame.drop(index=8))["label"].dtype == "Int64"
    strict = mlflow.pyfunc.load_model(uri, model_config={"errors": "raise"})
    with pytest.raises(InputError, match="the input, row 2: x1 is missing"):
        strict.predict(frame)
    with pytest.raises(InputError, match="errors is 'skip', not one of 'raise', 'null'"):
        logged("xor", errors="skip")


@pytest.mark.usefixtures("tracked")
def test_weights_in_a_file_of_their_own_go_with_it(tmp_path: Path) -> None:
    package = externalize(Path(shutil.copytree(DATA / "xor", tmp_path / "weights")))
    frame = pd.DataFrame({"x1": [0.1, 1.0], "x2": [0.9, 1.0]})
    assert mlflow.pyfunc.load_model(logged(package)).predict(frame)["label"].tolist() == [1, 0]


@pytest.mark.usefixtures("tracked")
def test_what_is_proven_is_given_where_it_is_asked_for() -> None:
    frame = pd.DataFrame({"x1": [0.1], "x2": [0.9]})
    assert mlflow.pyfunc.load_model(logged("xor_certified", certified=True)).predict(frame)["certified"].tolist() == [
        True
    ]


def test_the_signature_says_the_columns_and_their_types() -> None:
    found = signature(Predictor(DATA / "parcels").contract).to_dict()
    types = {column["name"]: column["type"] for column in json.loads(found["inputs"])}
    assert types == {"weight": "double", "city": "string", "carrier": "any", "fragile": "any", "sent": "datetime"}
    outputs = {column["name"]: column["type"] for column in json.loads(found["outputs"])}
    assert outputs == {"label": "string", "probability_no": "float", "probability_yes": "float"}


@pytest.mark.usefixtures("tracked")
def test_a_model_whose_package_was_changed_does_not_load() -> None:
    folder = Path(mlflow.artifacts.download_artifacts(logged("xor"), dst_path="copy"))
    shutil.rmtree(folder / "artifacts" / "xor")
    shutil.copytree(DATA / "species", folder / "artifacts" / "xor")
    with pytest.raises(DigestError):
        mlflow.pyfunc.load_model(str(folder))


def test_a_bare_model_and_one_without_columns_are_refused() -> None:
    with pytest.warns(UncheckedModelWarning), pytest.raises(InputError, match="give a package folder"):
        log_model(DATA / "xor" / "model.onnx")
    with pytest.raises(InputError, match="the columns of a table|tensors without a meaning"):
        log_model(DATA / "series")


def test_a_served_model_answers_over_http_without_this_checkout(tracked: Path) -> None:
    uri, port = logged("parcels"), _free_port()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(Path(sys.executable).with_name("mlflow")), "models", "serve", "--model-uri", uri, "--env-manager",
               "local", "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip
    environment |= {"MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(), "PATH": _path()}
    server = subprocess.Popen(command, env=environment, cwd=tracked, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              start_new_session=True)  # fmt: skip
    try:
        rows = [list(row) for row in zip(*PARCELS.values(), strict=True)]
        answers = _post(port, {"dataframe_split": {"columns": list(PARCELS), "data": rows}})
    finally:
        os.killpg(server.pid, 15)
        server.communicate(timeout=20)
    assert [answer["label"] for answer in answers["predictions"]] == ["no", "no"]


def _path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _post(port: int, body: dict[str, Any]) -> Any:
    """Return what the server answers, once it is there."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})  # fmt: skip
    for _ in range(120):
        try:
            with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 -- the server above
                return json.load(response)
        except (ConnectionError, urllib.error.URLError):
            time.sleep(0.5)
    raise TimeoutError("the server did not answer within a minute")


@pytest.mark.usefixtures("tracked")
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java")
def test_spark_runs_it_as_a_function() -> None:
    spark_sql = pytest.importorskip("pyspark.sql")
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    builder = spark_sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.driver.host", "127.0.0.1").getOrCreate()
    try:
        rows = np.random.default_rng(1).uniform(-1, 2, (20, 2))
        frame = spark.createDataFrame(rows.tolist(), ["x1", "x2"])
        answer = mlflow.pyfunc.spark_udf(spark, logged("xor"), env_manager="local")
        found = [row.label for row in frame.select(answer("x1", "x2").alias("a")).select("a.*").collect()]
    finally:
        spark.stop()
    assert found == Predictor(DATA / "xor").predict(rows).tolist()
