"""Tables with text: a row through the Predictor, a million rows through ``parity predict``, and training.

Prints one JSON object. The table has four columns of text (5, 20, 100 and 500 categories) and four of numbers; training
takes two of text and six of numbers. Ratios are of jobs or whole processes that take turns: the median, with the
quartiles beside it. ``--only row,file,training`` measures a part.
"""

import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import measured, print_parts, ratio, run, summary

from parity_export import ExportOptions, export_package, source_from_run
from parity_runtime import Predictor
from parity_runtime.inference.session import create_session
from parity_training import MLP, NetworkChoice, TableDataset, TableSettings, table_data, train_model
from parity_training.settings import TrainSettings

FOLDER = tempfile.TemporaryDirectory()
CARDINALITIES = (5, 20, 100, 500)
MILLION, TRAINING_ROWS = 1_000_000, 600_000
CALLS, ROUNDS, PAIRS = 2000, 21, 5
BATCH = 128

PREDICT = "import sys; from parity_runtime.cli.main import main; main(['predict', *sys.argv[1:]])"
SKL2ONNX = """
import sys
import numpy as np, onnxruntime, pandas
model, source, out = sys.argv[1:]
options = onnxruntime.SessionOptions(); options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options)
table = pandas.read_csv(source, keep_default_na=False)
inputs = {name: table[[name]].to_numpy(object if name[0] == "t" else np.float32) for name in table.columns[1:]}
pieces = [session.run(None, {name: column[start:start + 65536] for name, column in inputs.items()})
          for start in range(0, len(table), 65536)]
label, probabilities = (np.concatenate(column) for column in zip(*pieces))
added = {"label": label, "probability_no": probabilities[:, 0], "probability_yes": probabilities[:, 1]}
table.assign(**added).to_csv(out, index=False)
"""


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--train"]:
        _train(sys.argv[2])
        return
    print_parts(__doc__, {"row": row, "file": file, "training": training})


def row() -> dict[str, Any]:
    """Return what one row costs through the Predictor, over a bare session that gets the same ready arrays."""
    predictor = Predictor(package())
    session = create_session((package() / "model.onnx").read_bytes())
    inputs = {
        "features": np.zeros((1, 4), np.float32),
        "categories": np.array([[f"t{column}-1" for column in range(4)]], object),
    }
    pair = (lambda: _calls(lambda: predictor.run(inputs)), lambda: _calls(lambda: session.run(None, inputs)))
    return {"one row with text: Predictor over a bare session": ratio(pair, ROUNDS) | {"target": "at most 1.15"}}


def file() -> dict[str, Any]:
    """Return the time of a pandas and skl2onnx script over ours from CSV to CSV, and how our memory grows."""
    source, out = table(MILLION), path("ours.csv")
    script = [sys.executable, "-c", SKL2ONNX, skl2onnx_model(), source, path("theirs.csv")]
    command = [sys.executable, "-c", PREDICT, str(package()), source, "--out", out]
    run(script), run(command)  # type: ignore[func-returns-value]
    pairs = [(measured(script), measured(command)) for _ in range(PAIRS)]
    twice = measured([sys.executable, "-c", PREDICT, str(package()), table(2 * MILLION), "--out", out])
    mine = [ours["mb"] for _, ours in pairs]
    return {
        "1M rows with text, CSV: pandas + skl2onnx over parity": summary([one["s"] / two["s"] for one, two in pairs])
        | {"target": "at least 2", "mb theirs": round(pairs[0][0]["mb"]), "mb ours": round(mine[0])},
        "peak memory, 2M rows with text over 1M": {
            "ratio": round(twice["mb"] / max(mine), 3), "target": "at most 1.2",
        },
    }  # fmt: skip


def training() -> dict[str, Any]:
    """Return skorch's time for an epoch on encoded arrays over ours, and the memory of reading and training."""
    settings = TableSettings("sold", numeric=tuple(f"n{column}" for column in range(6)))
    data = table_data(TableDataset(table(TRAINING_ROWS, texts=2, numbers=6, sold=True), settings), settings, "mixed")
    options = TrainSettings(epochs=1, batch_size=BATCH)

    def ours() -> None:
        train_model(data, NetworkChoice(), options, path("run"), replace=True)

    pair = (_skorch(data), ours)
    command = [sys.executable, __file__, "--train"]
    few, many = (table(rows, texts=2, numbers=6, sold=True) for rows in (TRAINING_ROWS // 100, TRAINING_ROWS))
    least, peak = (measured([*command, source])["mb"] for source in (few, many))
    size = TRAINING_ROWS * (8 + 1) * 4 / 1e6  # float32, the target among them
    return {
        "training 600,000 x 8 with text: skorch on encoded arrays over parity": ratio(pair, 3)
        | {"target": "at least 1"},
        "memory that 600,000 rows with text add to 6,000, in training, over their size": {
            "ratio": round((peak - least) / size, 2), "target": "at most 2.5", "mb in all": round(peak),
        },
    }  # fmt: skip


def _calls(call: Any) -> None:
    for _ in range(CALLS):
        call()


def _skorch(data: Any) -> Any:
    from skorch import NeuralNetBinaryClassifier

    part = data.part("train")
    columns = [data.data[part].nan_to_num(), *(
        torch.nn.functional.one_hot(data.indices[part, place].long()).float() for place in range(data.indices.shape[1])
    )]  # fmt: skip
    encoded, target = torch.cat(columns, 1), data.target[part].float()
    net = NeuralNetBinaryClassifier(
        MLP, module__num_inputs=encoded.shape[1], module__num_outputs=1, optimizer=torch.optim.Adam, batch_size=BATCH,
        max_epochs=1, iterator_train__shuffle=True, train_split=None, verbose=0,
    )  # fmt: skip
    return lambda: net.fit(encoded, target)


def _train(source: str) -> None:
    """Read a table and train on it for an epoch."""
    settings = TableSettings("sold")
    data = table_data(TableDataset(source, settings), settings, "mixed")
    train_model(data, NetworkChoice(), TrainSettings(epochs=1, batch_size=BATCH), path("run"))


@cache
def package() -> Path:
    """Return a package of the table, trained for an epoch."""
    settings = TableSettings("sold")
    data = table_data(TableDataset(table(20_000, sold=True), settings), settings, "mixed")
    run = train_model(data, NetworkChoice(), TrainSettings(epochs=1, batch_size=BATCH), path("small"))
    return export_package(source_from_run(run), path("package"), ExportOptions(plots=False)).path


@cache
def skl2onnx_model() -> str:
    """Return the file of scikit-learn's pipeline as skl2onnx writes it."""
    import pandas
    from skl2onnx import to_onnx
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame = pandas.read_csv(table(20_000, sold=True))
    rows = frame.drop(columns=["id", "sold"])
    numbers = make_column_selector(dtype_include="number")
    rows[numbers(rows)] = rows[numbers(rows)].astype(np.float32)
    columns = make_column_transformer(
        (StandardScaler(), numbers),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
    )
    model = make_pipeline(columns, MLPClassifier(max_iter=1, random_state=0)).fit(rows, frame["sold"])
    file = path("skl2onnx.onnx")
    Path(file).write_bytes(to_onnx(model, rows[:1], options={"zipmap": False}).SerializeToString())
    return file


@cache
def table(rows: int, texts: int = 4, numbers: int = 4, *, sold: bool = False) -> str:
    """Return a CSV of text and numbers; with a target where it is trained on."""
    random = np.random.default_rng(0)
    chosen = [random.integers(0, CARDINALITIES[column], rows) for column in range(texts)]
    values = [random.normal(size=rows).round(3) for _ in range(numbers)]
    target = values[0] + chosen[0] % 3 - 1 + random.normal(size=rows) > 0
    names = [*(f"t{column}" for column in range(texts)), *(f"n{column}" for column in range(numbers))]
    file = path(f"table-{rows}-{texts}.csv")
    with Path(file).open("w") as lines:
        lines.write(",".join(["id", *names, *["sold"] * sold]) + "\n")
        texts_of = [[f"t{column}-{index}" for index in chosen[column].tolist()] for column in range(texts)]
        cells = zip(map(str, range(rows)), *texts_of, *(map(str, column.tolist()) for column in values), strict=True)
        sold_of = ["yes" if one else "no" for one in target.tolist()]
        for row, answer in zip(cells, sold_of, strict=True):
            lines.write(",".join([*row, *[answer] * sold]) + "\n")
    return file


def path(name: str) -> str:
    """Return where a file of this run lies."""
    return str(Path(FOLDER.name) / name)


if __name__ == "__main__":
    main()
