"""The JSON Schemas agree with what Parity writes, with what it refuses, and with what the documentation says."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from torch import nn

from parity_export import (
    Adoption,
    ExportOptions,
    OutputSpec,
    ProbeOptions,
    adopt_package,
    export_package,
    source_from_module,
    source_from_run,
)
from parity_runtime import ModelContract, Package, ParityError, ParityRefusedError
from parity_runtime.cli.main import parity
from parity_runtime.drift.profile import Profile
from parity_runtime.files.json_file import FORMAT
from parity_runtime.scoring.part_record import PartRecord
from parity_runtime.verification.test_vectors import VectorSet
from parity_training import NetworkChoice, Run, TableDataset, TableSettings, TrainSettings, table_data, train_model
from parity_training.fitting.cross_validation import FOLDS, read_folds
from parity_training.fitting.loop import EpochResult
from parity_training.fitting.mlflow_log import Destination
from parity_training.fitting.training_log import read_epochs
from parity_training.recipe import Recipe
from tests.end_to_end.schemas import (
    SCHEMAS,
    changes,
    files_in,
    objects,
    places,
    refused,
    refuses,
    replaced,
    schema_of,
    validator,
)
from tests.export.onnx_files import parsed, saved
from tests.export.task_modules import CASES, source_of
from tests.shared import made_once
from tests.training.tables import write_table

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / "tests" / "data"
PACKAGE_FORMAT, RUN_FORMAT, OTHER_FILES = (
    (ROOT / "docs" / "reference" / f"{name}.md").read_text() for name in ("package-format", "run-format", "other-files")
)
HEADINGS = {"predictions": "_parity", "part": "_parity/000001"}
WITHOUT_FORMAT = ("metrics", "mlflow", "folds", "certificate")
QUICK = ExportOptions(plots=False, effort="quick")
CERTIFIED = ExportOptions(plots=False, effort="quick", certified=True)
EVERY_KIND = TableSettings("sold", ("city", "age", "day", "open", "code"), categorical=("code",), missing_values=("-",))
DECIDED = TrainSettings(epochs=2, calibrate=True, threshold_for="f1", folds=2)


def sales(path: Path, rows: int = 240) -> Path:
    """Write a table of every kind of column, with missing cells; twelve cities, two prices."""
    random, row = np.random.default_rng(0), range(rows)
    price = random.normal(50, 10, rows).round(2)
    city = [None if one % 20 == 0 else f"city {one % 12}" for one in row]
    day = np.datetime64("2020-01-01") + random.integers(0, 900, rows)
    open_, code = [("true", "false")[one % 2] for one in row], [one % 3 for one in row]
    sold, home = np.where(price + random.normal(0, 5, rows) > 50, "yes", "no"), [f"home {one % 12}" for one in row]
    columns = {"city": city, "age": random.integers(18, 90, rows), "day": day, "open": open_, "code": code}
    return write_table(path, columns | {"price": price, "sold": sold, "cost": (price / 2).round(2), "home": home})


def trained(table: Path, settings: TableSettings, training: TrainSettings, name: str) -> Run:
    data = table_data(TableDataset(table, settings), settings, "sales")
    unfinished = table.with_name(f"{name}.unfinished") / FOLDS

    def keep_folds(_: EpochResult) -> None:
        if unfinished.is_file():  # it is removed when the last fold has finished
            shutil.copy(unfinished, table.with_name(FOLDS))

    out = table.with_name(name)
    return train_model(data, NetworkChoice("MLP", {"hidden": [4]}), training, out, on_epoch=keep_folds)


def make(folder: Path) -> None:
    """Train and export what has a part of the format that nothing else has."""
    table = sales(folder / "sales.csv")
    sold = trained(table, EVERY_KIND, DECIDED, "sold")
    export_package(source_from_run(sold), folder / "sold-package", QUICK)
    two = TableSettings(("price", "cost"), features=("age", "open"))
    prices = trained(table, two, TrainSettings(epochs=1, loss="quantile=0.9", restarts=2), "prices")
    export_package(source_from_run(prices), folder / "prices-package", CERTIFIED)
    trained(table, TableSettings("home", features=("age", "city")), TrainSettings(epochs=1), "homes")
    said = ProbeOptions(dimensions=["time in 1..16"])
    steps = source_from_module(
        nn.Linear(4, 256), ["x: float32[batch, time, 4] in 0..1"], OutputSpec("tensors"), "m", probes=said
    )
    export_package(steps, folder / "steps", ExportOptions(plots=False, effort="quick", external_weights=True))
    Destination("sqlite:////mlflow.db", "0", weights=True).write(sold.path)
    sold_package, prices_package = str(folder / "sold-package"), str(folder / "prices-package")
    run("deploy", "triton", sold_package, "--out", folder / "deployed")
    run("certify", prices_package, table, "--out", folder / "certified")
    run("certify", prices_package, table, "--precision", "bfloat16", "--out", folder / "certified-bfloat16")
    tables = folder / "tables"
    tables.mkdir()
    for number in (1, 2):
        sales(tables / f"{number}.csv", rows=40)
    run("predict", sold_package, tables, "--out", folder / "predicted", "--summary", "--errors", "null")
    run("predict", prices_package, tables, "--out", folder / "predicted-prices", "--summary")
    run("predict", prices_package, tables, "--out", folder / "predicted-uncounted", "--certified")


def run(*arguments: object) -> None:
    result = CliRunner().invoke(parity, [str(one) for one in arguments])
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "schemas", make)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_one_and_says_the_version_of_the_format(name: str) -> None:
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    number = FORMAT.removeprefix("parity/")
    assert schema["$id"] == f"urn:parity:{number}:{name}"
    described = json.dumps(schema)
    assert (f'"const": "{FORMAT}"' in described) == (name not in WITHOUT_FORMAT)
    assert set(re.findall(r"urn:parity:(\w+):", described)) == {number}


def test_every_file_that_the_code_names_has_a_schema() -> None:
    sources = (ROOT / package for package in ("runtime", "training", "export"))
    code = "".join(path.read_text() for source in sources for path in source.rglob("*.py"))
    named = {schema_of(name) for name in re.findall(r'"(\w+\.jsonl?)"', code)}
    of_others = {"config", "direct_url", "elementary_functions", "package", "vendor"}  # read, and not written
    assert named - of_others == {*SCHEMAS} - {"part"}  # which is named by its number


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_key_of_a_file_stands_in_the_documentation(name: str) -> None:
    title = HEADINGS.get(name, name)
    section = re.search(rf"^## {title}\.json\n.*?(?=^## |\Z)", PACKAGE_FORMAT + OTHER_FILES, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"```json.*?```|`[^`]+`", section[0] if section else RUN_FORMAT, re.DOTALL)
    documented = set(re.findall(r"\w+", " ".join(spans)))
    described = SCHEMAS[name]["$defs"]["contract"] if name == "contract" else SCHEMAS[name]
    assert described["properties"].keys() - documented <= {"format"}  # which every file has


@pytest.mark.slow
def test_every_file_that_is_written_is_valid_and_each_of_its_keys_described(
    made: Path, xor_run: Run, xor_package: Path
) -> None:
    paths = files_in(made, xor_run.path, xor_package)
    assert {schema_of(path) for path in paths} == {*SCHEMAS}
    assert "tensors" in objects(made / "steps" / "manifest.json")[0]
    assert refused(paths, closed=True) == {}


@pytest.mark.parametrize("package", sorted(path.parent.name for path in DATA.glob("*/manifest.json")))
def test_a_package_that_is_kept_is_valid(package: str) -> None:
    paths = files_in(DATA / package)
    assert len(paths) >= 3 and refused(paths) == {}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_contract_of_a_task_is_valid_before_it_is_exported(case: str) -> None:
    contract = source_of(*CASES[case]).contract.to_json()
    unmeasured = {"$ref": f"{SCHEMAS['contract']['$id']}#/$defs/contract"}
    assert list(validator("contract", closed=True).evolve(schema=unmeasured).iter_errors(contract)) == []


@pytest.mark.slow
def test_an_adopted_package_and_a_refusal_are_valid(tmp_path: Path) -> None:
    graph = "mine (float[N, 3] x) => (float[N, 3] y) { y = com.microsoft.Gelu (x) }"
    gelu = saved(parsed(graph, extra=', "com.microsoft": 1'), tmp_path / "gelu.onnx")
    adopt_package(gelu, tmp_path / "p", Adoption(allow_operators=["com.microsoft::Gelu"]), QUICK)
    decides = """mine (float[N, 3] x) => (int64[N] label, float[N, 3] p) <float[3] k = {1.0, 1.0, 2.0}> {
        p = Softmax <axis = 1> (x)
        other = Mul (p, k)
        label = ArgMax <axis = 1, keepdims = 0> (other) }"""
    adoption = Adoption(output_spec=OutputSpec("multiclass", "p=probabilities", ("a", "b", "c")))
    with pytest.raises(ParityRefusedError):
        adopt_package(saved(parsed(decides), tmp_path / "m.onnx"), tmp_path / "refused", adoption, QUICK)
    paths = files_in(tmp_path)
    assert "refused.refused.json" in {path.name for path in paths} and refused(paths, closed=True) == {}


def read_line(value: Any, folder: Path) -> None:
    (folder / "metrics.jsonl").write_text(json.dumps(value))
    read_epochs(folder)


def read_profile(value: Any, folder: Path) -> None:
    Profile.from_json(value, ModelContract.from_json(objects(folder / "contract.json")[0]), "profile.json")


def read_mlflow(value: Any, folder: Path) -> None:
    (folder / "mlflow.json").write_text(json.dumps(value))
    Destination.read(folder)


def read_finished_folds(value: Any, folder: Path) -> None:
    (folder / FOLDS).write_text(json.dumps(value))
    read_folds(folder / FOLDS, 256)


def read_part(value: Any, folder: Path) -> None:
    (folder / "000001.json").write_text(json.dumps(value))
    PartRecord.read(folder / "000001.json")


READERS: dict[str, Callable[[Any, Path], object]] = {
    "contract.json": lambda value, _: ModelContract.from_json(value),
    "manifest.json": lambda value, folder: Package(folder, json.dumps(value).encode()),
    "conformance.json": lambda value, _: VectorSet.from_json(value, "conformance.json"),
    "profile.json": read_profile,
    "recipe.json": lambda value, _: Recipe.from_json(value, "recipe.json"),
    "metrics.jsonl": read_line,
    "mlflow.json": read_mlflow,
    "folds.json": read_finished_folds,
    "_parity/000001.json": read_part,
}
"""What reads a file in the code; the others are read by people alone, or as they stand."""

KEPT = {path.name: objects(path)[0] for path in (DATA / "xor").glob("*.json")}
"""A small package: what a test changes where it needs nothing special."""

FOLDER_OF = dict.fromkeys(("recipe.json", "metrics.jsonl", "mlflow.json"), "sold")
FOLDER_OF |= {"folds.json": "", "_parity/000001.json": "predicted"}
"""Where the test looks for a file, but for those of a package."""

CONTRADICTIONS = [
    (("hard", "outputs", "logits"), "left out"),  # and its tolerance is there
    (("network", "preprocessing"), "None"),  # and the contract has columns of text
    (("network", "preprocessing", "tables"), "left out"),
    (("contract", "features", 2, "kind"), "left out"),  # a date, which would be a number
]
"""What the code refuses because two places disagree."""


@pytest.mark.slow
@pytest.mark.parametrize("file", READERS)
def test_what_the_code_refuses_for_its_form_the_schema_refuses(made: Path, tmp_path: Path, file: str) -> None:
    """Each value left out, and replaced with one of another type."""
    whole = objects(made / FOLDER_OF.get(file, "sold-package") / file)[0]
    shutil.copy(made / "sold-package" / "contract.json", tmp_path)  # a profile is read beside it
    assert not code_refuses(file, whole, tmp_path)
    missed = [
        (path, what)
        for path in places(whole)
        for what, other in changes(whole, path)
        if code_refuses(file, other, tmp_path) and validator(schema_of(file)).is_valid(other)
    ]
    assert [one for one in missed if one not in CONTRADICTIONS] == []


@pytest.mark.parametrize(
    ("file", "path", "value"),
    [
        ("contract.json", "format", "parity/3"),
        ("contract.json", "name", " "),
        ("contract.json", "name", "a\nb"),
        ("contract.json", "task", "guess"),
        ("contract.json", "classes", ["no"]),
        ("contract.json", "classes", ["yes", "yes"]),
        ("contract.json", "classes", ["no", 1]),
        ("contract.json", "threshold", 1.5),
        ("contract.json", "thresholds", [0.5]),
        ("contract.json", "objective", "median"),
        ("contract.json", "inputs", []),
        ("contract.json", "inputs/0/dtype", "complex64"),
        ("contract.json", "inputs/0/shape/0", "3"),
        ("contract.json", "inputs/0/shape/0", 0),
        ("contract.json", "inputs/0/domain", "x" * 201),
        ("contract.json", "features/0/kind", "colour"),
        ("contract.json", "features/0/missing", "keep"),
        ("contract.json", "features/0/categories", ["a"]),
        ("contract.json", "features/0/format", "%Y"),
        ("contract.json", "targets", ["label", "label"]),
        ("contract.json", "tolerance/logits/rtol", -1),
        ("contract.json", "graphs/default", 3),
        ("contract.json", "operators", ["Gelu"]),
        ("manifest.json", "format", "parity/1000000"),
        ("manifest.json", "files/model.onnx/size", 2**53 + 1),
        ("manifest.json", "files/model.onnx/size", -1),
        ("manifest.json", "files/model.onnx/sha256", "A" * 64),
        ("manifest.json", "files/model.onnx/sha256", "0" * 63),
        ("manifest.json", "tensors", {}),
        ("manifest.json", "files/weights.bin", {"sha256": "0" * 64, "size": 0}),
        ("conformance.json", "ordinary/rtol", "5"),
        ("conformance.json", "ordinary/inputs/features/dtype", "complex64"),
        ("conformance.json", "ordinary/inputs/features/shape/0", -1),
        ("conformance.json", "ordinary/inputs/features/data/0", "1"),
        ("conformance.json", "ordinary/outputs/label/data/0", "01"),
    ],
)
def test_what_the_code_and_the_schema_refuse(tmp_path: Path, file: str, path: str, value: object) -> None:
    assert not code_refuses(file, KEPT[file], tmp_path) and not refuses(schema_of(file), KEPT[file])
    *outer, last = (int(key) if key.isdecimal() else key for key in path.split("/"))
    other = replaced(KEPT[file], [*outer], lambda inner: inner.__setitem__(last, value))
    assert code_refuses(file, other, tmp_path) and refuses(schema_of(file), other)


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "a/../../b", "", ".", "a\\b", "//", "a//b", "a/", "./a", "a\n"]
)
def test_a_path_that_leads_out_of_a_package_is_refused(tmp_path: Path, name: str) -> None:
    entry = {"sha256": "0" * 64, "size": 0}
    value = {"format": FORMAT, "files": {name: entry}}
    assert code_refuses("manifest.json", value, tmp_path) and refuses("manifest", value)
    assert refuses("manifest", {"format": FORMAT, "files": {"..a/b./.c d": entry}}) == []


@pytest.mark.parametrize("tensor", [{"offset": 1, "length": 4}, {"offset": 0, "length": 0}, {"offset": 0}])
def test_a_tensor_that_begins_or_ends_nowhere_is_refused(tmp_path: Path, tensor: dict[str, int]) -> None:
    digest = {"sha256": "0" * 64}
    value: dict[str, Any] = {"format": FORMAT, "files": {"weights.bin": {"size": 4} | digest}}
    value["tensors"] = {"w": {"offset": 0, "length": 4} | digest}
    assert not code_refuses("manifest.json", value, tmp_path) and refuses("manifest", value) == []
    value["tensors"] = {"w": tensor | digest}
    assert code_refuses("manifest.json", value, tmp_path) and refuses("manifest", value)


def test_a_reader_ignores_what_it_does_not_know_and_so_does_a_schema(tmp_path: Path) -> None:
    for file, value in KEPT.items():
        assert refuses(schema_of(file), value | {"color": "red"}) == []
        assert file not in READERS or not code_refuses(file, value | {"color": "red"}, tmp_path)
    assert refuses("contract", KEPT["contract.json"] | {"color": "red"}, closed=True)


def code_refuses(file: str, value: Any, folder: Path) -> bool:
    try:
        READERS[file](value, folder)
    except ParityError:
        return True
    return False
