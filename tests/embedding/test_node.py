"""The Node example: the same answers as Python's, and the same refusals."""

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from parity_runtime import Predictor
from tests.embedding import weights
from tests.embedding.conftest import (
    DAMAGES,
    DATA,
    NO_CLASS,
    STRANGE,
    TASKS,
    change_expected,
    printed,
    random_rows,
    record_strange,
    replace_model,
    write_table,
)
from tests.embedding.rare import CASES, ROWS, check_probabilities
from tests.embedding.weights import weights_package
from tests.runtime.protobuf import field

pytestmark = pytest.mark.slow

VERSION = "1.30.0"  # of onnxruntime-node, in its package.json


@pytest.fixture(scope="module")
def folder(javascript_examples: Path) -> Path:
    return javascript_examples / "node"


@pytest.mark.parametrize("name", TASKS)
def test_labels_tags_tokens_and_vectors_are_verified_and_not_printed(
    node, task_packages: dict[str, Path], name: str
) -> None:
    done = node(task_packages[name], "--verify")
    assert (done.returncode, done.stderr) == (0, b""), done.stdout
    done = node(task_packages[name], table=b"x1,x2,x3,x4\n1,2,3,4\n")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"whose predictions this program cannot write as columns; call run() of the predictor" in done.stderr


@pytest.mark.parametrize("name", ["xor", "iris", "rent", "series", "parcels", "shop"])
def test_the_test_vectors_pass(node, packages: dict[str, Path], name: str) -> None:
    done = node(packages[name], "--verify")
    assert (done.returncode, done.stderr) == (0, b""), done.stdout
    assert Predictor(packages[name]).package_id in done.stdout.decode()
    assert ("certified" in done.stdout.decode()) == (name != "series")


@pytest.mark.parametrize("name", ["xor", "iris", "rent"])
def test_a_table_is_predicted_as_by_parity_predict(
    node, parity, packages: dict[str, Path], tmp_path: Path, name: str
) -> None:
    package = packages[name]
    table = write_table(tmp_path / "t.csv", package, random_rows(package, 5_000))
    ours = parity("predict", package, table, "--certified").out
    done = node(package, "--certified", table=table.read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    if onnxruntime.__version__ == VERSION:
        assert done.stdout.decode() == ours
    left, right = (list(csv.DictReader(io.StringIO(text))) for text in (ours, done.stdout.decode()))
    assert list(left[0]) == list(right[0]) and len(left) == len(right) == 5_000
    tolerance = Predictor(package).contract.tolerance
    for column in left[0]:
        ours_column, theirs = ([row[column] for row in rows] for rows in (left, right))
        if column in ("certified", "label") or column.startswith("error_bound_"):
            continue
        if column.startswith("probability_") or column in Predictor(package).contract.targets:
            limit = tolerance["probabilities" if column.startswith("probability_") else "value"]
            exact = np.array(ours_column, float)
            allowed = 2 * np.maximum(limit.atol + limit.rtol * np.abs(exact), limit.floor)
            assert (np.abs(np.array(theirs, float) - exact) <= allowed).all()
        else:
            assert ours_column == theirs
    for row, other in zip(left, right, strict=True) if name != "rent" else ():
        assert row["label"] == other["label"] or "true" not in (row["certified"], other["certified"])


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_package_is_refused(node, packages: dict[str, Path], tmp_path: Path, damage: str) -> None:
    package = Path(shutil.copytree(packages["xor"], tmp_path / "package"))
    edit, words = DAMAGES[damage]
    edit(package)
    for options in ([], ["--verify"]):
        done = node(package, *options, table=b"x1,x2\n0,1\n")
        assert done.returncode in (1, 3) and done.stdout == b""
        assert len(done.stderr.splitlines()) == 1 and words in done.stderr.decode(), done.stderr


def test_weights_in_a_file_of_their_own_give_the_same_bytes(node, packages: dict[str, Path], tmp_path: Path) -> None:
    package = weights_package(tmp_path)
    table = b"x1,x2\n0,1\n1,1\n0.25,0.75\n"
    assert node(package, "--verify").returncode == 0
    done = node(package, "--certified", table=table)
    assert (done.returncode, done.stdout) == (0, node(packages["xor"], "--certified", table=table).stdout)


def test_weights_that_are_not_the_packaged_ones_are_refused(folder: Path, tmp_path: Path) -> None:
    """All in one process: each opens a damaged copy, and prints why not."""
    words = {}
    for place, (edit, word) in enumerate(weights.DAMAGES.values()):
        copy = weights_package(tmp_path / str(place))
        edit(copy)
        words[str(copy)] = word
    for place, change in enumerate(weights.GRAPHS.values()):
        words[str(weights_package(tmp_path / f"graph-{place}", change))] = "model.onnx"
    code = f"""import {{ ParityError, loadPackage }} from "./parity.mjs";
    for (const copy of {json.dumps(list(words))})
      await loadPackage(copy).catch((error) => console.log(error instanceof ParityError && error.message));"""
    command = ["node", "--input-type=module", "--eval", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    for line, word in zip(done.stdout.splitlines(), words.values(), strict=True):
        assert word in line


def test_another_output_than_the_expected_one_fails(node, packages: dict[str, Path], tmp_path: Path) -> None:
    package = Path(shutil.copytree(packages["xor"], tmp_path / "package"))
    change_expected(package)
    done = node(package, "--verify")
    assert done.returncode == 3 and b"FAIL" in done.stdout


def test_the_package_can_be_pinned(node, packages: dict[str, Path]) -> None:
    package_id = Predictor(packages["xor"]).package_id
    assert node(packages["xor"], "--digest", package_id, table=b"x1,x2\n0,1\n").returncode == 0
    done = node(packages["xor"], "--digest", "0" * 64, table=b"x1,x2\n0,1\n")
    assert done.returncode == 3 and package_id.encode() in done.stderr


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (b"", "empty"), (b"x1\n1\n", "x2"), (b"x1,x2,x2\n1,1,1\n", "twice"), (b"x1,x2\n1,abc\n", "row 1"),
        (b"x1,x2\n1,2\n1\n", "line 3"), (b"x1,x2\n1,\n", "row 1"), (b"x1,x2\n1,Infinity\n", "row 1"),
        (b"x1,x2\n1,1e39\n", "row 1"), (b'x1,x2\n1,"2\n', "quote"), (b"x1,x2,label\n1,2,3\n", "label"),
        (b"x1,x2\n1,\xff\n", "UTF-8"),
    ],
)  # fmt: skip
def test_a_bad_table_is_one_line(node, packages: dict[str, Path], table: bytes, words: str) -> None:
    done = node(packages["xor"], table=table)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert words.lower() in done.stderr.decode().lower(), done.stderr


def test_a_predictor_prints_what_the_readme_says(folder: Path) -> None:
    blocks = (folder / "README.md").read_text().split("```js\n")[1:]
    printed_lines = []
    for name, block in zip(("xor_certified", "parcels"), blocks, strict=True):
        code = block.partition("```")[0].replace(f"../../tests/data/{name}", str(DATA / name))
        (folder / "readme.mjs").write_text(code)
        done = subprocess.run(["node", "readme.mjs"], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        printed_lines.append(done.stdout.splitlines())
    lines, parcels = printed_lines
    assert (lines[0], lines[-1]) == ("[ 1, 0 ]", "true") and "[ [ false, true ] ]" in lines
    assert parcels == ["[ 'no', 'no' ]", "BigInt64Array(1) [ 0n ]"]


@pytest.mark.parametrize("name", ["xor", "iris", "rent"])
def test_a_predictors_methods_return_what_pythons_do(folder: Path, packages: dict[str, Path], name: str) -> None:
    rows = random_rows(packages[name], 500)
    ranges = "predictor.outOfRange(rows)" if name != "rent" else "null"  # whose contract knows none
    code = f"""import {{ text }} from "node:stream/consumers";
    import {{ loadPackage }} from "./parity.mjs";
    const rows = JSON.parse(await text(process.stdin));
    const predictor = await loadPackage({json.dumps(str(packages[name]))}, {{ certified: true }});
    const bounds = (await predictor.errorBound(rows)).map((row) => [...row]);
    console.log(JSON.stringify([predictor.hasErrorBounds, bounds, {ranges}]));"""
    command = ["node", "--input-type=module", "--eval", code]
    done = subprocess.run(
        command, cwd=folder, input=json.dumps(rows.tolist()), capture_output=True, text=True, check=True
    )
    certified, bounds, outside = json.loads(done.stdout)
    with Predictor(packages[name], certified=True) as predictor:
        assert certified and np.allclose(bounds, predictor.error_bound(rows), rtol=1e-5, atol=0)
        if outside is not None:
            assert 0 < np.mean(outside) < 1 and np.array_equal(outside, predictor.out_of_range(rows))


@pytest.mark.parametrize("name", ["iris", "rent"])
def test_flat_rows_have_the_same_answers_flat(folder: Path, packages: dict[str, Path], name: str) -> None:
    methods = ["predict", "errorBound"]
    methods += ["predictProba", "certified", "outOfRange"] if name == "iris" else []
    code = f"""import {{ loadPackage }} from "./parity.mjs";
    import {{ rowsInputs }} from "parity-reader";
    const predictor = await loadPackage({json.dumps(str(packages[name]))}, {{ certified: true }});
    const rows = {json.dumps(random_rows(packages[name], 50).tolist())};
    const flat = Float32Array.from(rows.flat());
    const [input] = Object.values(rowsInputs(predictor.contract, flat));
    const asText = (answers) => [...answers].map((one) => (ArrayBuffer.isView(one) ? [...one].join() : one)).join();
    const same = [];
    for (const method of {json.dumps(methods)})
      same.push(asText(await predictor[method](rows)) === asText(await predictor[method](flat)));
    const none = await predictor.errorBound(new Float32Array(0));
    console.log(JSON.stringify({{ same, whole: input.data === flat, none: none.length }}));"""
    command = ["node", "--input-type=module", "--eval", code]
    told = json.loads(subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout)
    assert told == {"same": [True] * len(methods), "whole": True, "none": 0}


@pytest.mark.parametrize(
    ("name", "count", "words"),
    [
        ("iris", 6, "6 numbers are not a whole number of rows; give 4 for each row"),
        ("parcels", 5, "which a Float32Array cannot hold; give an array of cells for each row"),
        ("series", 9, "series predicts neither one class nor numbers for a row; use run()"),
    ],
)  # fmt: skip
def test_flat_rows_that_are_none_are_refused(
    folder, packages: dict[str, Path], name: str, count: int, words: str
) -> None:
    said = printed(folder, packages[name], f"predict(new Float32Array({count}))")
    assert said.startswith("InputError") and words in said, said


def test_flat_rows_are_refused_by_the_cell(folder: Path, packages: dict[str, Path]) -> None:
    said = printed(folder, packages["xor"], "predict(Float32Array.of(0, 1, 1, NaN, 2, 2))")
    assert "row 1: x2 is NaN, a missing cell" in said, said
    said = printed(folder, packages["xor"], "predict(Float32Array.of(0, 1, -Infinity, 0))")
    assert "row 1: x1 is -Infinity" in said, said


def test_a_closed_predictor_ends_what_it_began_and_begins_no_more(folder: Path, packages: dict[str, Path]) -> None:
    code = f"""import {{ loadPackage }} from "./parity.mjs";
    const predictor = await loadPackage({json.dumps(str(packages["xor"]))});
    const begun = Array.from({{ length: 5 }}, () => predictor.predict([[0, 1], [1, 1]]));
    await Promise.all([predictor.close(), predictor.close()]);
    console.log(JSON.stringify(await Promise.all(begun)));
    await predictor.predict([[0, 1]]).catch((error) => console.log(error.name, error.message));"""
    command = ["node", "--input-type=module", "--eval", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        str([[1, 0]] * 5).replace(" ", ""), "InputError the session was closed; open the package again",
    ]  # fmt: skip


def test_a_predictor_without_them_says_so(folder: Path, species_package: Path) -> None:
    for call, words in [
        ("errorBound([[0, 0, 0, 0]])", "was not opened with {certified: true}"),
        ("outOfRange([[0, 0, 0, 0]])", "does not record the range of the training rows"),
    ]:
        said = printed(folder, species_package, call)
        assert said.startswith("InputError ") and words in said


@pytest.mark.parametrize(("row", "label"), STRANGE)
def test_a_label_that_is_no_class_is_refused(node, folder, strange_package: Path, row: str, label: int) -> None:
    for options in ([], ["--certified"]):
        done = node(strange_package, *options, table=f"x1,x2\n{row}\n".encode())
        assert done.returncode == 3 and len(done.stdout.splitlines()) == 1  # the header
        assert done.stderr.decode().startswith(f"predict: {NO_CLASS.format(label)}")
        assert len(done.stderr.splitlines()) == 1
    said = printed(folder, strange_package, f"predict([[{row}]])")
    assert said.startswith(f"ConformanceError {NO_CLASS.format(label)}")
    assert node(strange_package, "--verify").returncode == 0  # its vectors hold no such row
    record_strange(strange_package, row, label)
    done = node(strange_package, "--verify")
    assert done.returncode == 3 and NO_CLASS.format(label) in done.stderr.decode()


@pytest.mark.parametrize("certified", ["false", "true"])
@pytest.mark.parametrize("name", CASES)
def test_rare_probabilities_are_exact_and_never_fall(
    folder: Path, rare_packages: dict[str, Path], name: str, certified: str
) -> None:
    code = f"""import {{ loadPackage }} from "./parity.mjs";
    const predictor = await loadPackage({json.dumps(str(rare_packages[name]))}, {{ certified: {certified} }});
    const data = {json.dumps(ROWS[:, 0].tolist())};
    const outputs = await predictor.run({{ z: {{ dims: [data.length, 1], data }} }});
    const found = ["logits", "probabilities"].map((name) => [...outputs[name].data]);
    console.log(JSON.stringify(found));"""
    command = ["node", "--input-type=module", "-"]
    done = subprocess.run(command, cwd=folder, input=code, capture_output=True, text=True, check=True)
    logits, probabilities = (np.array(part, np.float32).reshape(len(ROWS), -1) for part in json.loads(done.stdout))
    check_probabilities(name, logits, probabilities)


def test_no_class_stands_beside_nan(folder: Path, species_package: Path) -> None:
    said = printed(folder, species_package, "predict([[0, 0, 0, 0], [3e38, -3e38, 3e38, -3e38]])")
    assert said == "InputError row 1: the model computes no finite output for these numbers\n"


def test_what_the_model_cannot_compute_is_no_prediction(node, packages: dict[str, Path]) -> None:
    names = ",".join(feature.name for feature in Predictor(packages["iris"]).contract.columns)
    done = node(packages["iris"], table=f"{names}\n5,3,1,0.2\n3e38,-3e38,3e38,-3e38\n".encode())
    assert done.returncode == 1 and b"row 2: the model computes no finite output" in done.stderr


def test_an_empty_folder_that_is_not_listed_is_refused(node, packages: dict[str, Path], tmp_path: Path) -> None:
    package = Path(shutil.copytree(packages["xor"], tmp_path / "package"))
    (package / "empty").mkdir()
    done = node(package, "--verify")
    assert done.returncode == 3 and b"empty" in done.stderr


NASTY = b"\x1b[2J\n\xe2\x80\xae" + b"x" * 5000  # the name of an operator


def _operator(domain: str, body: bytes = b"") -> bytes:
    """Return a node of an operator Gelu, and a function of that name."""
    name, where = field(4, b"Gelu"), domain.encode()
    return field(7, field(1, name + field(7, where))) + field(25, field(1, b"Gelu") + body + field(10, where))


@pytest.mark.parametrize(
    ("added", "words"),
    [
        (_operator("com.microsoft"), "defines the function com.microsoft.Gelu"),
        (_operator("ai.onnx"), "defines the function ai.onnx.Gelu"),
        (
            field(7, field(1, field(4, b"Gelu") + field(7, b"com.microsoft")))
            + field(25, field(1, b"microsoft.Gelu") + field(10, b"com")),
            "uses the operator com.microsoft.Gelu",
        ),
        (_operator("own", field(7, field(4, b"Evil") + field(7, b"own"))), "uses the operator own.Evil"),
        (
            field(7, field(1, field(4, b"\x1b[2J\n\xe2\x80\xae" + b"x" * 5000) + field(7, b"own"))),
            "\\u{001b}[2J\\u{000a}\\u{202e}",
        ),
        (field(7, b"\x0a\x00" * 2**21), "more than 1048576 parts"),
    ],
    ids=[
        "custom",
        "standard",
        "a name with a dot",
        "within a function",
        "a name that does not print",
        "countless nodes",
    ],
)
def test_models_that_would_run_something_else_are_refused(node, tmp_path: Path, added: bytes, words: str) -> None:
    package = Path(shutil.copytree(DATA / "xor", tmp_path / "package"))
    replace_model(package, (package / "model.onnx").read_bytes() + added)
    done = node(package, "--verify")
    (line,) = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (1, b"") and words in line and len(line) < 1600 and line.isprintable(), (
        line
    )
