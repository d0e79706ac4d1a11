"""Packages for the examples, and the damages that each of them must refuse."""

import contextlib
import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import Predictor
from parity_runtime.cli import main
from tests.embedding.cells import TABLES, CellTable, make_cell_table
from tests.embedding.rare import CASES, make_package
from tests.runtime.protobuf import field
from tests.runtime.strange_labels import shift_labels
from tests.shared import made_once

TASKS = ("multilabel", "tagging", "language model", "unit embedding")

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
DATA = ROOT / "tests" / "data"

Edit = Callable[[Path], None]


def run_line(folder: Path, *commands: str) -> None:
    """Run commands of parity in this process, in a folder."""
    with contextlib.chdir(folder):
        for command in commands:
            with pytest.raises(SystemExit) as ended:
                main.main(command.split())
            assert not ended.value.code, command


@pytest.fixture(scope="session")
def iris_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes over four features, with a certified graph."""
    return made_once(tmp_path_factory, "iris", make_iris) / "iris"


def make_iris(folder: Path) -> None:
    from sklearn.datasets import load_iris

    data = load_iris()
    names = [name.removesuffix(" (cm)").replace(" ", "_") for name in data.feature_names]
    with (folder / "iris.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*names, "species"])
        writer.writerows([*row, data.target_names[kind]] for row, kind in zip(data.data, data.target, strict=True))
    train = "train iris.csv --target species --out run --epochs 100"
    run_line(folder, train, "export run iris --certified --no-plots")


@pytest.fixture(scope="session")
def shop_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes over columns of every kind, with a certified graph; `SHOP` is its table's header."""
    return made_once(tmp_path_factory, "shop", make_shop) / "shop"


def make_shop(folder: Path) -> None:
    random = np.random.default_rng(3)
    colors = {"red": 1, "green": -1, "crème brûlée": 0.5, "日本": -2, "missing": 2, "": 0}
    with (folder / "shop.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*SHOP, "sold"])
        for row in range(1200):
            weight, price = random.uniform(0, 10), random.uniform(1, 50)
            color, new, shelf = random.choice([*colors]), random.random() < 0.5, random.choice([1, 2, 10, -3])
            when = np.datetime64("1968-01-01T00:30:00") + 3600 * random.integers(460_000)
            score = (
                weight * 0.3 - price * 0.05 + colors[color] + new + (shelf == 2) + (when < np.datetime64("1970-01-01"))
            )
            cells = [round(weight, 2) if row % 30 else "", color, when if row % 20 else "NA", str(new), round(price, 2)]
            writer.writerow([*cells, shelf, "yes" if score > 0.5 else "no"])
    train = "train shop.csv --target sold --out run --epochs 40 --categorical shelf"
    run_line(folder, train, "export run shop --certified --no-plots")


@pytest.fixture(scope="session")
def species_package() -> Path:
    """Three classes over four features, whose ranges the contract does not know."""
    return DATA / "species"


@pytest.fixture(scope="session")
def task_packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models whose answers are labels, tags, tokens and vectors."""

    def make(folder: Path) -> None:
        from parity_export import ExportOptions, export_package
        from tests.export.task_modules import CASES as MODULES
        from tests.export.task_modules import source_of

        for name in TASKS:
            export_package(source_of(*MODULES[name]), folder / name, ExportOptions(plots=False, effort="quick"))

    folder = made_once(tmp_path_factory, "tasks", make)
    return {name: folder / name for name in TASKS}


@pytest.fixture
def strange_package(tmp_path: Path) -> Path:
    """XOR, whose graphs answer labels that are no class for rows that its vectors do not hold."""
    return shift_labels(Path(shutil.copytree(DATA / "xor_certified", tmp_path / "strange")))


@pytest.fixture(scope="session")
def rare_packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Linear models of one number, whose probabilities are as rare as float32 holds."""
    folder = made_once(tmp_path_factory, "rare", lambda made: [make_package(made, name) for name in CASES])
    return {name: folder / name for name in CASES}


@pytest.fixture(scope="session")
def cell_tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CellTable]:
    """Tables of cells of every kind, and models that answer what they were given."""
    folder = tmp_path_factory.mktemp("cells")
    return {name: make_cell_table(folder, name) for name in TABLES}


@pytest.fixture(scope="session")
def packages(iris_package: Path, shop_package: Path) -> dict[str, Path]:
    """What the examples are tried on: XOR and iris with certified graphs, a regression of two targets, an LSTM, and
    tables with text, codes, truth values and dates.
    """
    return {
        "xor": DATA / "xor_certified",
        "iris": iris_package,
        "rent": DATA / "rent_certified",
        "series": DATA / "series",
        "parcels": DATA / "parcels",
        "shop": shop_package,
    }


SHOP = ("weight", "color", "when", "new", "price", "shelf")
SHOP_ROWS = """weight,color,when,new,price,shelf
1,red,2020-01-01,true,2,1
,"crème brûlée",1969-12-31T23:59:59.5+02:00,FALSE,30,-3.0
9.5,日本,0001-01-01T00:00:00Z,0,2.5,10
4,NA,,1,44,?
4, red,9999-12-31 23:59,1.0,44,07
4,"a ""b"", c",NA,true,1,1e3
"""
"""Rows of the table: known, unknown and missing cells, codes that arrive as floats, dates before 1970."""
SHOP_BAD = {
    "1,red,2020-02-30,true,2,1": "when",
    "1,red,noon,true,2,1": "when",
    "1,red,2020\u0085\u2028\u202e,true,2,1": "when",
    "1,red,2020-01-01,yes,2,1": "new",
    "1,red,2020-01-01,,2,1": "new",
    "1,red,2020-01-01,true,,1": "price",
    "x,red,2020-01-01,true,2,1": "weight",
    "1e39,red,2020-01-01,true,2,1": "weight",
}
"""Rows that no reader takes, and the column that each must name."""


STRANGE = [("7000010,0", 8), ("-3000010,0", -2)]
"""Rows for which `strange_package` answers no class, and the label that it answers."""

NO_CLASS = "xor predicts the label {}, but its contract has 2 classes, 0 to 1: none of its predictions can be trusted"


def random_rows(package: Path, count: int) -> np.ndarray:
    """Return rows over what the features ranged over in training, and beyond; float32 ``[count, features]``."""
    features = Predictor(package).contract.columns
    random = np.random.default_rng(5)
    return np.stack([
        random.uniform((low := feature.low or 0.0) - 1, (feature.high or 1.0) + 1 + 0 * low, count)
        for feature in features
    ], axis=1).astype(np.float32)  # fmt: skip


def write_table(path: Path, package: Path, rows: np.ndarray) -> Path:
    """Write rows as CSV with an id, and a cell that has to be quoted."""
    names = [feature.name for feature in Predictor(package).contract.columns]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", *names, "note"])
        writer.writerows([index, *map(str, row), 'a "b", c'] for index, row in enumerate(rows))
    return path


def repacked(package: Path, name: str, change: Callable[[dict], None]) -> None:  # type: ignore[type-arg]
    """Change a JSON file of a package and write its new digest into the manifest, as a forger would."""
    value = json.loads((package / name).read_text())
    change(value)
    data = json.dumps(value).encode()
    (package / name).write_bytes(data)
    manifest = json.loads((package / "manifest.json").read_text())
    manifest["files"][name] = {"sha256": sha256(data).hexdigest(), "size": len(data)}
    (package / "manifest.json").write_text(json.dumps(manifest))


def change_contract(package: Path, change: Callable[[dict], None]) -> None:  # type: ignore[type-arg]
    """Change the contract, the one inside the model as well."""
    repacked(package, "contract.json", change)
    entry = field(1, b"parity.contract") + field(2, (package / "contract.json").read_bytes())
    for path in package.glob("*.onnx"):
        replace_model(package, path.read_bytes() + field(14, entry), path.name)  # readers take the last of a key


def record_strange(package: Path, row: str, label: int) -> None:
    """Record a row of `STRANGE` and its label in the vectors."""

    def change(conformance: dict) -> None:  # type: ignore[type-arg]
        conformance["ordinary"]["inputs"]["features"]["data"][:2] = [float(cell) for cell in row.split(",")]
        conformance["ordinary"]["outputs"]["label"]["data"][0] = label

    repacked(package, "conformance.json", change)


def _flip_a_bit(package: Path) -> None:
    data = bytearray((package / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (package / "model.onnx").write_bytes(data)


def _swap_classes(package: Path) -> None:
    repacked(package, "contract.json", lambda contract: contract.update(
        classes=contract["classes"][::-1], positive=contract["classes"][0]))  # fmt: skip


def replace_model(package: Path, model: bytes, name: str = "model.onnx") -> None:
    """Put another model into a package, and its digest into the manifest, as a forger would."""
    (package / name).write_bytes(model)
    manifest = json.loads((package / "manifest.json").read_text())
    manifest["files"][name] = {"sha256": sha256(model).hexdigest(), "size": len(model)}
    (package / "manifest.json").write_text(json.dumps(manifest))


def _other_format(package: Path) -> None:
    """A ModelProto that onnxruntime would take for a model in its own format: a text of six letters in front."""
    replace_model(package, b"\x32\x06abORTM" + (package / "model.onnx").read_bytes())


def _escape(package: Path) -> None:
    manifest = json.loads((package / "manifest.json").read_text())
    manifest["files"]["../outside"] = {"sha256": "0" * 64, "size": 0}
    (package / "manifest.json").write_text(json.dumps(manifest))


DAMAGES: dict[str, tuple[Edit, str]] = {
    "a flipped bit": (_flip_a_bit, "model.onnx is not the file that was packaged"),
    "a missing file": (lambda package: (package / "model.onnx").unlink(), "model.onnx"),
    "a missing manifest": (lambda package: (package / "manifest.json").unlink(), "manifest.json"),
    "a cut manifest": (lambda package: (package / "manifest.json").write_text('{"format": "par'), "manifest.json"),
    "another contract": (_swap_classes, "contract"),
    "a newer format": (
        lambda package: repacked(package, "contract.json", lambda contract: contract.update(format="parity/3")),
        "parity/3",
    ),
    "an older format": (
        lambda package: repacked(package, "contract.json", lambda contract: contract.update(format="parity/1")),
        "which an earlier Parity wrote",
    ),
    "a path outside": (_escape, "../outside"),
    "onnxruntime's own format": (_other_format, "own format"),
}
"""What every example must refuse, and a word that its message must hold."""


def change_expected(package: Path) -> None:
    """Change one recorded answer, and the manifest with it."""

    def change(conformance: dict) -> None:  # type: ignore[type-arg]
        conformance["ordinary"]["outputs"]["probabilities"]["data"][0] = 0.25

    repacked(package, "conformance.json", change)


@pytest.fixture(scope="session")
def node(javascript_examples: Path) -> Callable[..., "subprocess.CompletedProcess[bytes]"]:
    """Node's predict.mjs; the table on its stdin."""

    def run(*arguments: object, table: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        command = ["node", "predict.mjs", *map(str, arguments)]
        return subprocess.run(command, cwd=javascript_examples / "node", input=table, capture_output=True, check=False)

    return run


def printed(folder: Path, package: Path, call: str) -> str:
    """Return what a program prints that calls a method of a predictor."""
    code = f"""import {{ loadPackage }} from "./parity.mjs";
    const predictor = await loadPackage({json.dumps(str(package))});
    try {{ console.log(await predictor.{call}); }}
    catch (error) {{ console.log(error.name, error.message); }}"""
    command = ["node", "--input-type=module", "--eval", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
