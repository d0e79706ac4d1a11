"""Log packages as MLflow models with a signature; MLflow then loads them, serves them, and runs them on Spark.

>>> import mlflow
>>> from parity_runtime.mlflow import log_model
>>> with mlflow.start_run():
...     model = log_model("packages/xor", name="xor")
"""

from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import parity_runtime
from parity_runtime.arguments import check_choice
from parity_runtime.contract import ModelContract
from parity_runtime.engines.batch_scorer import BatchScorer
from parity_runtime.engines.worker_predictor import WorkerPredictor
from parity_runtime.errors import InputError, MissingExtraError
from parity_runtime.feature import Feature
from parity_runtime.inference.predictor import Predictor
from parity_runtime.scoring.prediction_columns import check_gives_columns, prediction_names

try:
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType
except ModuleNotFoundError as error:
    raise MissingExtraError(
        "parity_runtime.mlflow needs MLflow 3, which is not installed; it needs pyarrow below 26, so install it in an "
        "environment without Parity's constraints: pip install 'mlflow>=3.17.2'"
    ) from error

__all__ = ["ParityModel", "log_model", "signature"]

_PACKAGE = "package"  # what the package is called among the model's artifacts
_LOADED = str(Path(__file__).with_name("mlflow_model.py"))  # MLflow runs this file, and pickles nothing
_NEEDS = ("numpy", "click", "onnxruntime", "pyarrow", "pandas")

_TYPES = {
    "numeric": DataType.double,
    "boolean": DataType.boolean,
    "code": DataType.long,
    "categorical": DataType.string,
    "datetime": DataType.datetime,
}


class ParityModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """The model that MLflow runs: a predictor of the package that was logged. It accepts no other package."""

    def load_context(self, context):  # type: ignore[no-untyped-def] # MLflow reads hints as a schema
        """Open the package.

        Args:
            context: MLflow's context. Its artifacts hold the package, and its ``model_config`` the options.

        Raises:
            DigestError: the package is not the one that was logged.
        """
        asked = context.model_config
        options = {"certified": asked["certified"], "operators": tuple(asked["operators"])}
        worker = WorkerPredictor(context.artifacts[_PACKAGE], asked["package_id"], **options)
        names = prediction_names(worker.open().contract, certified=worker.certified)
        self._scorer = BatchScorer(worker, tuple(names), _checked_errors(asked["errors"]))

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def] # noqa: ARG002
        """Return the columns that ``parity predict`` adds, as a ``pandas.DataFrame`` with the index of the rows.

        With ``errors="null"``, the columns of numbers and truth values have pandas' types for missing values
        (``Int64``, ``Float32``, ``boolean``), else numpy's types.

        Args:
            context: MLflow's context; it is ignored.
            model_input: a ``pandas.DataFrame`` with the model's columns.
            params: is ignored.

        Raises:
            InputError: a row cannot be predicted, and the model was logged with ``errors="raise"``; the message names
                the row.
        """
        import pyarrow  # noqa: PLC0415 -- of mlflow

        batch = pyarrow.RecordBatch.from_pandas(model_input, preserve_index=False)
        (answers,) = self._scorer.answers([batch], "the input")
        frame = answers.to_pandas(integer_object_nulls=True).set_index(model_input.index)
        return frame if self._scorer.errors == "raise" else frame.astype(_nullable(answers.schema))


def _checked_errors(errors: Any) -> Literal["raise", "null"]:
    check_choice("errors", errors, ("raise", "null"))
    return errors  # type: ignore[no-any-return] # checked above


def _nullable(answers: Any) -> dict[str, str]:
    """Return pandas' types that take a missing cell, of the columns of a ``pyarrow.Schema`` whose own do not."""
    types = {"int64": "Int64", "bool": "boolean", "float": "Float32"}
    return {field.name: types[str(field.type)] for field in answers if str(field.type) in types}


def signature(contract: ModelContract, *, certified: bool = False) -> ModelSignature:
    """Return MLflow's signature of a table model: the columns of its input and of its predictions, with their types.

    Numbers have MLflow's type double. MLflow converts whole numbers to double only if they are int32: give others as
    floats. Truth values and codes that may be missing have the type any, because MLflow's own types for them take no
    missing cell.

    Args:
        contract: the model's contract.
        certified: whether the predictions include what is proven of each row.

    Raises:
        InputError: the model does not take a table, or its predictions are not columns.
    """
    check_gives_columns(contract)
    inputs = [ColSpec(_column_type(feature), feature.name) for feature in contract.row_features]
    if not inputs:
        raise InputError(
            f"{contract.name} does not take the columns of a table; log it with mlflow.pyfunc and Predictor.run"
        )
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(_answers(contract, certified)))


def _column_type(feature: Feature) -> Any:
    takes_nothing = feature.missing != "refuse" and feature.kind in ("boolean", "code")
    return AnyType() if takes_nothing else _TYPES[feature.kind]


def _answers(contract: ModelContract, certified: bool) -> list[ColSpec]:
    labels = {str: DataType.string, int: DataType.long, bool: DataType.boolean}
    types = {"label": labels[type(contract.classes[0])]} if contract.is_classifier else {}
    flags = ("label_", "certified")
    return [
        ColSpec(types.get(name) or (DataType.boolean if name.startswith(flags) else DataType.float), name)
        for name in prediction_names(contract, certified=certified)
    ]


def log_model(
    package: str | Path,
    name: str = "model",
    *,
    certified: bool = False,
    errors: Literal["raise", "null"] = "raise",
    allow_operators: Collection[str] = (),
    **options: Any,
) -> Any:
    """Log a package as a model of MLflow's active run, and return MLflow's ``ModelInfo``.

    The logged model contains the package and Parity's runtime. Whoever serves it needs only MLflow and the libraries
    that the model lists. Load it with ``mlflow.pyfunc.load_model``, serve it with ``mlflow models serve``, or run it on
    a cluster with ``mlflow.pyfunc.spark_udf``.

    Args:
        package: the package folder.
        name: the name of the model in MLflow.
        certified: also write what is proven of each row.
        errors: what to do if a row cannot be predicted: ``raise`` raises an error for the whole call, ``null`` leaves
            the row's predictions missing (``null`` in JSON). Whoever loads the model may choose again:
            ``load_model(uri, model_config={"errors": "null"})``. MLflow's ``spark_udf`` does not support missing whole
            numbers and truth values: on Spark, `parity_runtime.spark` does.
        allow_operators: as in `Predictor`.
        options: more arguments of ``mlflow.pyfunc.log_model``, such as ``registered_model_name`` and ``input_example``.

    Raises:
        InputError: there is no package, its model does not take a table, or ``errors`` is neither ``raise`` nor
            ``null``.
    """
    _checked_errors(errors)
    with Predictor(package, certified=certified, allow_operators=allow_operators) as predictor:
        contract, found = predictor.contract, predictor.package_id
    if found is None:
        raise InputError(f"{package} is a bare model without a package id; give a package folder")
    asked: dict[str, Any] = {
        "signature": signature(contract, certified=certified),
        "code_paths": [str(Path(parity_runtime.__file__).parent)],
        "model_config": {
            "package_id": found,
            "certified": certified,
            "errors": errors,
            "operators": list(contract.operators),
        },
        "pip_requirements": [f"{library}=={version(library)}" for library in _NEEDS],
    }
    artifacts = {_PACKAGE: str(Path(package).absolute())}
    return mlflow.pyfunc.log_model(name=name, python_model=_LOADED, artifacts=artifacts, **{**asked, **options})
