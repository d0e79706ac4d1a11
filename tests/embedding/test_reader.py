"""The reader that the examples in JavaScript share, as an application of one's own takes it."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from parity_runtime import __version__
from tests.embedding.conftest import DATA, EXAMPLES


@pytest.fixture(scope="module")
def application(javascript_examples: Path) -> Path:
    """A program that has `npm pack`'s archive of the reader, and onnxruntime-node from the folder above."""
    folder = javascript_examples / "application"
    folder.mkdir()
    (folder / "package.json").write_text('{"name": "application", "private": true, "type": "module"}')
    for command in (
        ["npm", "pack", "../reader"],
        ["npm", "install", "--offline", "--no-workspaces", f"./parity-reader-{__version__}.tgz"],
    ):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    installed = folder / "node_modules" / "parity-reader"
    assert installed.is_dir() and not installed.is_symlink()
    return folder


def run(folder: Path, code: str) -> str:
    (folder / "program.mjs").write_text(code)
    done = subprocess.run(["node", "program.mjs"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readmes_program_runs_in_an_application(application: Path) -> None:
    readme = (EXAMPLES / "reader" / "README.md").read_text()
    code = readme.partition("```js\n")[2].partition("```")[0]
    package = "../../tests/data/xor_certified"
    assert package in code
    assert run(application, code.replace(package, str(DATA / "xor_certified"))).splitlines() == [
        "true",
        "[ 1, 0 ]",
        "[ 1, 0 ]",
    ]


def test_the_types_declare_what_is_exported(application: Path) -> None:
    exported = run(application, 'console.log(JSON.stringify(Object.keys(await import("parity-reader"))));')
    types = (application / "node_modules" / "parity-reader" / "index.d.mts").read_text()
    declared = re.findall(r"^export (?:class|const|function) (\w+)", types, re.MULTILINE)
    assert sorted(json.loads(exported)) == sorted(declared)


def test_a_strict_compiler_takes_what_its_types_promise(application: Path, javascript_examples: Path) -> None:
    shutil.copy(EXAMPLES.parent / "tests" / "embedding" / "reader_types.mts", application)
    compiler = javascript_examples / "node_modules" / "typescript" / "bin" / "tsc"
    options = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom"]
    done = subprocess.run(
        ["node", compiler, *options, "reader_types.mts"], cwd=application, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


ROWS = """
import ort from "onnxruntime-node";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { openPackage, openPredictor } from "parity-reader";
const read = async (name) => new Uint8Array(await readFile(`PACKAGE/${name}`));
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const predictor = await openPredictor(await openPackage({ where: "xor", read, sha256 }), ort);
const shared = new Float32Array(new SharedArrayBuffer(16));
shared.set([0, 1, 1, 1]);
console.log(await predictor.predict(shared));
const say = (error) => console.log(error.constructor.name, error.message);
await predictor.predict(new Float64Array(1e6)).catch(say);
await predictor.close();
await predictor.predict([]).catch(say);
"""


def test_memory_that_threads_share_is_read_and_other_flat_arrays_are_refused(application: Path) -> None:
    shared, other, closed = run(application, ROWS.replace("PACKAGE", str(DATA / "xor"))).splitlines()
    assert shared == "[ 1, 0 ]"
    wanted = "a Float32Array of flat rows, or an array of cells for each row"
    assert other == f"InputError rows are a Float64Array; give {wanted}"
    assert closed == "InputError the session was closed; open the package again"


def test_it_has_paritys_version_and_no_dependency() -> None:
    package = json.loads((EXAMPLES / "reader" / "package.json").read_text())
    locked = json.loads((EXAMPLES / "package-lock.json").read_text())["packages"]
    assert package["version"] == locked["reader"]["version"] == __version__
    assert "dependencies" not in package


@pytest.mark.parametrize("name", ["node", "browser"])
def test_no_example_takes_it_from_a_registry(name: str) -> None:
    """Parity publishes nothing under that name: a bare version would install what a stranger registered."""
    dependencies = json.loads((EXAMPLES / name / "package.json").read_text())["dependencies"]
    assert dependencies["parity-reader"] == "file:../reader"
