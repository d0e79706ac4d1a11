"""The Node example on tables with text, codes, truth values and dates: what Python reads and answers."""

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import Predictor
from tests.embedding.cells import REFUSED, TABLES, CellTable
from tests.embedding.conftest import DATA, SHOP_BAD, SHOP_ROWS, change_contract, printed
from tests.embedding.parcels import CELL_ROWS, PARCELS, check_inputs, check_outputs
from tests.embedding.test_cells import same_answers

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(javascript_examples: Path) -> Path:
    return javascript_examples / "node"


@pytest.mark.parametrize("name", TABLES)
def test_every_cell_reaches_the_graph_as_it_should(node, cell_tables: dict[str, CellTable], name: str) -> None:
    table = cell_tables[name]
    done = node(table.package, table=table.csv().encode())
    assert (done.returncode, done.stderr) == (0, b"")
    assert same_answers(done.stdout.decode(), table)
    assert node(table.package, "--verify").returncode == 0


def test_the_rows_of_parcels_are_read_and_answered_as_recorded(folder: Path) -> None:
    code = f"""import {{ text }} from "node:stream/consumers";
    import {{ loadPackage }} from "./parity.mjs";
    import {{ rowsInputs }} from "parity-reader";
    const rows = JSON.parse(await text(process.stdin));
    const predictor = await loadPackage({json.dumps(str(PARCELS))});
    const names = Object.keys(rows[0]);
    const columns = Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name])]));
    const flat = (tensors) =>
      Object.fromEntries(Object.entries(tensors).map(([name, {{ data }}]) => [name, [...data]]));
    const inputs = rowsInputs(predictor.contract, columns);
    const same = rowsInputs(predictor.contract, rows.map((row) => names.map((name) => row[name])));
    const found = [inputs, same, await predictor.run(inputs)].map(flat);
    console.log(JSON.stringify(found, (_, value) => (typeof value === "bigint" ? String(value) : value)));"""
    command = ["node", "--input-type=module", "--eval", code]
    done = subprocess.run(command, cwd=folder, input=json.dumps(CELL_ROWS), capture_output=True, text=True, check=True)
    from_columns, from_rows, outputs = json.loads(done.stdout)
    check_inputs(from_columns)
    check_inputs(from_rows)
    check_outputs(outputs)


def test_a_cell_of_another_kind_is_refused_with_its_row_and_column(
    folder: Path, cell_tables: dict[str, CellTable]
) -> None:
    columns = {name: table["columns"] for name, table in TABLES.items()}
    code = """import { text } from "node:stream/consumers";
    import { cellInputs, findFeatures } from "./cell_values.mjs";
    import { loadPackage } from "./parity.mjs";
    for (const [folder, name, cells] of JSON.parse(await text(process.stdin))) {
      const { contract } = await loadPackage(folder);
      const features = findFeatures(contract, Object.keys(cells), "t");
      try { cellInputs([{ cells: Object.values(cells) }], features, () => "t, row 1"); console.log("taken"); }
      catch (error) { console.log(error.name, error.message); }
    }"""
    given = [
        [
            str(cell_tables[table].package),
            name,
            {column["name"]: column["cells"][0][0] for column in columns[table]} | {name: cell},
        ]
        for table, name, cell in REFUSED
    ]
    command = ["node", "--input-type=module", "--eval", code]
    done = subprocess.run(command, cwd=folder, input=json.dumps(given), capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == len(REFUSED)
    for line, (_, name, cell) in zip(lines, REFUSED, strict=True):
        assert line.startswith(f"InputError t, row 1: {name} is {json.dumps(cell, ensure_ascii=False)}, "), line


@pytest.mark.parametrize("options", [[], ["--certified"]])
def test_rows_of_every_kind_are_predicted_as_by_parity_predict(
    node, parity, shop_package: Path, tmp_path: Path, options: list[str]
) -> None:
    table = tmp_path / "t.csv"
    table.write_text(SHOP_ROWS)
    ours = parity("predict", shop_package, table, *options).out
    done = node(shop_package, *options, table=SHOP_ROWS.encode())
    assert (done.returncode, done.stderr) == (0, b"")
    left, right = (list(csv.DictReader(io.StringIO(text))) for text in (ours, done.stdout.decode()))
    for row, other in zip(left, right, strict=True):
        assert np.isclose(float(row.pop("probability_yes")), float(other.pop("probability_yes")), atol=1e-6)
        assert row.pop("probability_no") and other.pop("probability_no") and row == other


@pytest.mark.parametrize("row", SHOP_BAD)
def test_a_row_with_a_bad_cell_is_one_line(node, shop_package: Path, row: str) -> None:
    header, first, *_ = SHOP_ROWS.splitlines()
    done = node(shop_package, table=f"{header}\n{first}\n{row}\n".encode())
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert done.stderr.decode().startswith(f"predict: stdin, row 2: {SHOP_BAD[row]} is ")


def test_a_text_that_onnxruntime_would_cut_is_refused(node, folder: Path, shop_package: Path) -> None:
    """Its JavaScript hands over what stands before a zero: red, which is known, for a text that is not."""
    row = "1,red\0x,2020-01-01,true,2,1"
    done = node(shop_package, table=f"{SHOP_ROWS.splitlines()[0]}\n{row}\n".encode())
    assert done.returncode == 1 and b"row 1: color is " in done.stderr and b"zero character" in done.stderr
    said = printed(folder, shop_package, 'predict([[1, "red\\ud800", "2020-01-01", true, 2, 1]])')
    assert said.startswith("InputError row 0: color is ") and "surrogate" in said


def test_a_format_of_dates_that_is_not_known_names_its_column(node, tmp_path: Path) -> None:
    package = Path(shutil.copytree(DATA / "parcels", tmp_path / "package"))
    change_contract(package, lambda contract: contract["features"][4].update(format="%d %B %Y"))
    done = node(package, table=b"weight,city,carrier,fragile,sent\n1,Oslo,1,1,1 May 2020\n")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert b'the column sent holds dates in the format "%d %B %Y", whose %B' in done.stderr
    assert node(package, "--verify").returncode == 0  # which needs no cells


ROW = '[1, "red", "2020-01-01", true, 2, 1]'


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ('[[1, "red", 1577836800, true, 2, 1]]', "row 0: when is 1577836800, not a date of the years 1 to 9999; give"),
        ('[[1, "red", 0n, true, 2, 1]]', "row 0: when is 0, not a date"),
        ('[[1, "red", new Date(NaN), true, 2, 1]]', "row 0: when is Invalid Date, not a date"),
        (f'[{ROW}, [1, "red", "2020-13-01", true, 2, 1]]', 'row 1: when is "2020-13-01", not a date of the years'),
        ('[[1, {}, null, true, 2, 1]]', "row 0: color is [object Object]"),
        ('[[1, undefined, null, true, 2, 1]]', "row 0: color is undefined"),
        ('[[1, "red", null, 2, 2, 1]]', "row 0: new is 2, neither true nor false"),
        ('[[1, "red", null, null, 2, 1]]', "row 0: new is NaN, a missing cell"),
        ('[["1", "red", null, true, 2, 1]]', 'row 0: weight is "1", which float32 cannot hold'),
        ('[[1, "red", null, true, 2]]', "row 0 has 5 cells; it takes weight, color, when, new, price, shelf"),
        ('{ weight: [1], color: ["red"] }', "the column when is missing"),
        ('{ weight: [1], color: "r", when: [null], new: [1], price: [1], shelf: [1] }', "the column color is one text"),
    ],
)  # fmt: skip
def test_bad_rows_are_one_sentence(folder: Path, shop_package: Path, rows: str, words: str) -> None:
    said = printed(folder, shop_package, f"predict({rows})")
    assert said.startswith(f"InputError {words}"), said


def test_typed_rows_are_pythons(folder: Path, shop_package: Path) -> None:
    """Dates, whole floats, booleans and nulls of a program mean what Python's do."""
    rows = (
        '[[1, "red", new Date("2020-01-01T00:00:00.999Z"), true, 2, 2.0], [null, true, new Date(-1), 0, 2, "2.0"],'
        ' [NaN, null, null, "TRUE", 2, null], [3, 1e21, "1969-12-31", 1n, 2, -3n], [3, 1e-7, "NA", false, 2, 0.5]]'
    )
    told = printed(
        folder, shop_package, f"predictProba({rows}).then((rows) => JSON.stringify(rows.map((row) => [...row])))"
    )
    typed = [
        [1.0, "red", np.datetime64("2020-01-01T00:00:00.999"), True, 2, 2.0],
        [None, True, np.datetime64("1969-12-31T23:59:59.999"), 0, 2, "2.0"],
        [float("nan"), None, None, "TRUE", 2, None], [3, 1e21, "1969-12-31", 1, 2, -3], [3, 1e-7, "NA", False, 2, 0.5],
    ]  # fmt: skip
    predictor = Predictor(shop_package)
    assert np.allclose(json.loads(told), predictor.predict_proba(typed), rtol=0, atol=1e-6)
    outside = printed(folder, shop_package, f"outOfRange({rows}).flat().map(Number).join()").split(",")
    assert np.array_equal(np.array(outside, int).reshape(5, 6), predictor.out_of_range(typed))


def test_inputs_by_name_are_texts_and_bigints(folder: Path, shop_package: Path) -> None:
    inputs = (
        "{ features: { dims: [1, 3], data: [1, 1, 2] }, categories: { dims: [1, 2], data: ['red', ''] },"
        " timestamps: { dims: [1, 1], data: [DATE] } }"
    )
    logits = ".then(({ logits }) => logits.data[0])"
    predictor = Predictor(shop_package)
    for date, seconds in (("-(2n ** 63n)", -(2**63)), ("-1n", -1), ("new BigInt64Array([5n])[0]", 5)):
        said = printed(folder, shop_package, f"run({inputs.replace('DATE', date)}){logits}")
        asked = {"features": [[1, 1, 2]], "categories": [["red", ""]], "timestamps": [[seconds]]}
        assert np.isclose(float(said), predictor.run(asked)["logits"][0, 0], atol=1e-5)
    for date in ("2n ** 63n", "0.5", "'2020-01-01'"):
        assert "which int64 cannot hold" in printed(folder, shop_package, f"run({inputs.replace('DATE', date)})")
    said = printed(folder, shop_package, f"run({inputs.replace(chr(39) + 'red' + chr(39), '5').replace('DATE', '0n')})")
    assert said.startswith("InputError the input categories holds 5, which string cannot hold")


@pytest.mark.parametrize(("place", "cells"), [(1, "1,NA,1,1,2020-01-01"), (2, "1,Oslo,?,1,NA"), (4, "1,Oslo,1,1,")])
def test_a_missing_cell_that_the_model_does_not_take_is_refused(
    node, folder: Path, tmp_path: Path, place: int, cells: str
) -> None:
    package = Path(shutil.copytree(DATA / "parcels", tmp_path / "package"))
    table = f"weight,city,carrier,fragile,sent\n{cells}\n".encode()
    assert node(package, table=table).returncode == 0
    change_contract(package, lambda contract: contract["features"][place].update(missing="refuse"))
    name = Predictor(package).contract.features[place].name
    done = node(package, table=table)
    assert done.returncode == 1 and f"row 1: {name} is " in done.stderr.decode() and b"a missing cell" in done.stderr
    row = [1, "Oslo", 1, True, "2020-01-01"]
    row[place] = None
    said = printed(folder, package, f"predict([{json.dumps(row)}])")
    assert said.startswith(f"InputError row 0: {name} is ") and "a missing cell, which this model does not take" in said


CONTRADICTIONS = {
    "text in numbers": (0, {"kind": "categorical"}, "is categorical, which its input of dtype float32 cannot hold"),
    "dates in text": (1, {"kind": "datetime", "categories": []}, "is datetime, which its input of dtype string"),
    "numbers in text": (1, {"kind": "numeric", "categories": []}, "is numeric, which its input of dtype string"),
    "a kind of its own": (1, {"kind": "colour"}, '"features" is missing or malformed'),
    "a format of its own": (4, {"format": 5}, '"features" is missing or malformed'),
    "categories of numbers": (0, {"categories": ["a"]}, "weight is numeric, which has no categories"),
    "repeated categories": (1, {"categories": ["a", "a"]}, "the feature city repeat"),
    "an empty category": (1, {"categories": [""]}, "the feature city repeat, or one is empty"),
    "a code that is none": (2, {"categories": ["3.0"]}, 'the feature carrier has the code "3.0"'),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contract_that_contradicts_itself_is_refused(node, tmp_path: Path, name: str) -> None:
    package = Path(shutil.copytree(DATA / "parcels", tmp_path / "package"))
    place, changes, words = CONTRADICTIONS[name]
    change_contract(package, lambda contract: contract["features"][place].update(changes))
    done = node(package, "--verify")
    assert done.returncode == 1 and words in done.stderr.decode(), done.stderr
