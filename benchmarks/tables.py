"""How good a table's model is beside scikit-learn's pipelines on the same rows, and how many tables train at once.

Prints one JSON object. Thirty real tables (real_tables.py); ``first try`` gives ``parity train FILE --target NAME``
and nothing else. ``quality`` holds a tenth of the rows out, ten times, and gives both the same nine tenths (at most
5,000 rows): the metric is AUC for two classes, accuracy for more, R2 for numbers, each of the held-out rows. Parity
trains one network, and again with ``--restarts 8``.
``--only first_try,quality`` measures a part.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from common import clean_environment, print_parts
from real_tables import Table, tables, write
from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from parity_training import (
    NetworkChoice,
    TableDataset,
    TableSettings,
    TrainingData,
    TrainSettings,
    table_data,
    train_model,
)
from parity_training.data.table import table_defaults

RESTARTS = 8
REPEATS = int(os.environ.get("PARITY_BENCH_REPEATS", "10"))
MOST_ROWS = 5000
TRAIN = "import sys; from parity_runtime.cli.main import main; main(['train', *sys.argv[1:]])"
_NAMES = {"r2": "R2", "roc_auc": "AUC", "accuracy": "accuracy"}
ALLOWED = 0.01
"""A table counts as worse below the pipeline's metric by more than this and two standard errors of the difference."""


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    print_parts(__doc__, {"first_try": first_try, "quality": quality})


def first_try() -> dict[str, Any]:
    """Return how many tables train with default options, and what the others are told."""
    told = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for table in write(folder):
            command = [sys.executable, "-c", TRAIN, f"{folder / table.name}.csv"]
            command += ["--target", table.target, "--out", str(folder / table.name), "--epochs", "1"]
            done = subprocess.run(command, capture_output=True, check=False, text=True, env=clean_environment())
            if done.returncode or not (folder / table.name / "state_dict.pt").is_file():
                told[table.name] = done.stderr.strip().rpartition("\n")[2]
    count = {"ratio": len(tables()) - len(told), "target": "at least 27"}
    return {"tables of thirty that train at the first try": count} | {f"refused: {name}": told[name] for name in told}


def quality() -> dict[str, Any]:
    """Return the metrics, and the difference to scikit-learn's pipeline, table by table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen = os.environ.get("PARITY_BENCH_TABLES", "")
        found = {
            table.name: _table(table, folder)
            for table in write(folder)
            if not chosen or table.name in chosen.split(",")
        }
    differences = [row["difference"] for row in found.values()]
    with_restarts = [row[f"difference, {RESTARTS} restarts"] for row in found.values()]
    boosted = [row[f"{RESTARTS} restarts"] - row["HistGradientBoosting"] for row in found.values()]
    worse = [name for name, row in found.items() if row["difference"] < -ALLOWED - 2 * row["standard error"]]
    return {
        "median difference to OneHot + MLP over the tables": {
            "ratio": round(statistics.median(differences), 4), "target": "at least 0",
        },
        f"mean difference to OneHot + MLP over the tables, {RESTARTS} restarts": {
            "ratio": round(statistics.mean(with_restarts), 4), "target": "at least 0",
        },
        f"mean difference to HistGradientBoosting over the tables, {RESTARTS} restarts": {
            "ratio": round(statistics.mean(boosted), 4), "tables that boosting wins": sum(one < 0 for one in boosted),
        },
        "tables that are worse": {"ratio": len(worse), "target": "at most 0", "which": ", ".join(worse) or "none"},
        **{f"metric of the held-out rows, {table} ({row.pop('metric')})": row for table, row in found.items()},
    }  # fmt: skip


def _table(table: Table, folder: Path) -> dict[str, Any]:
    frame = pandas.read_csv(folder / f"{table.name}.csv")
    frame = frame[frame[table.target].notna()]
    frame = frame.sample(min(len(frame), MOST_ROWS), random_state=0)
    path = folder / f"{table.name}.used.csv"
    frame.to_csv(path, index=False)
    kinds, rows = zip(*(_once(table, frame, path, folder / "run", seed) for seed in range(REPEATS)), strict=True)
    print(table.name, np.mean(rows, axis=0).round(4), file=sys.stderr, flush=True)
    ours, restarted, pipeline, stopped, boosting = (np.array(column) for column in zip(*rows, strict=True))
    difference, with_restarts = ours - pipeline, restarted - pipeline
    return {
        "metric": _NAMES[kinds[0]],
        "parity": round(float(ours.mean()), 4),
        f"{RESTARTS} restarts": round(float(restarted.mean()), 4),
        "OneHot + MLP": round(float(pipeline.mean()), 4),
        "OneHot + MLP, early stopping": round(float(stopped.mean()), 4),
        "HistGradientBoosting": round(float(boosting.mean()), 4),
        "difference": round(float(difference.mean()), 4),
        f"difference, {RESTARTS} restarts": round(float(with_restarts.mean()), 4),
        "standard error": round(float(difference.std(ddof=1) / len(rows) ** 0.5), 4) if len(rows) > 1 else 0.0,
    }


def _once(table: Table, frame: pandas.DataFrame, path: Path, out: Path, seed: int) -> tuple[str, tuple[float, ...]]:
    """Return the metric, and its value of Parity's run and of scikit-learn's pipelines."""
    settings = TableSettings(table.target, seed=seed)
    data = table_data(TableDataset(path, settings), settings, table.name)
    kind = "r2" if data.contract.task == "regression" else "roc_auc" if data.contract.task == "binary" else "accuracy"
    one = table_defaults(data, seed)
    ours = [_metric(data, settings, out, kind) for settings in (one, replace(one, restarts=RESTARTS))]
    test = data.part("test").numpy()
    known = np.concatenate([data.part("train").numpy(), data.part("validation").numpy()])
    target = frame[table.target].to_numpy()
    rows = frame.drop(columns=table.target)
    rows = rows.drop(columns=[name for name in rows if name.startswith("Unnamed: ")])
    models = [_pipeline(kind), _pipeline(kind, early_stopping=True), _boosting(kind)]
    return kind, (*ours, *(_score(model, rows, target, (known, test), kind) for model in models))


def _metric(data: TrainingData, settings: TrainSettings, out: Path, kind: str) -> float:
    run = train_model(data, NetworkChoice(), settings, out, replace=True)
    return float(json.loads((run.path / "evaluation.json").read_text())[kind])


def _score(model: Any, rows: pandas.DataFrame, target: Any, parts: tuple[Any, Any], kind: str) -> float:
    known, test = parts
    model.fit(rows.iloc[known], target[known])
    if kind == "roc_auc":
        return float(roc_auc_score(target[test], model.predict_proba(rows.iloc[test])[:, 1]))
    score = r2_score if kind == "r2" else accuracy_score
    return float(score(target[test], model.predict(rows.iloc[test])))


def _pipeline(kind: str, *, early_stopping: bool = False) -> Any:
    """Return scikit-learn's own way: means for missing numbers, standardized; texts one-hot; an MLP."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = make_pipeline(SimpleImputer(strategy="constant", fill_value=""), OneHotEncoder(handle_unknown="ignore"))
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (texts, make_column_selector(dtype_exclude="number")),
    )
    options = {"random_state": 0, "max_iter": 500, "early_stopping": early_stopping}
    if kind == "r2":
        network = TransformedTargetRegressor(MLPRegressor(**options), transformer=StandardScaler())
    else:
        network = MLPClassifier(**options)
    return make_pipeline(columns, network)


def _boosting(kind: str) -> Any:
    """Return scikit-learn's gradient boosting; texts are codes to it."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=250)
    columns = make_column_transformer((codes, make_column_selector(dtype_exclude="number")), remainder="passthrough")
    boosting = HistGradientBoostingRegressor if kind == "r2" else HistGradientBoostingClassifier
    return make_pipeline(columns, boosting(random_state=0))


if __name__ == "__main__":
    main()
