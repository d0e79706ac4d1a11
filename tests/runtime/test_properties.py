"""Whatever is handed in: a result or one of our errors; never a traceback of somebody else's, an abort or a hang.

``make soak`` runs the same with many more examples.
"""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from parity_runtime import Package, ParityError, Predictor, verify
from parity_runtime.package.loader import load_model
from parity_runtime.package.manifest import write_manifest
from parity_runtime.package.model_scan import scan_model

pytestmark = pytest.mark.slow

BIT_FLIPS = 400

any_dtype = st.one_of(
    st_numpy.scalar_dtypes(),
    st_numpy.unicode_string_dtypes(max_len=4),
    st_numpy.byte_string_dtypes(max_len=4),
    st.just(np.dtype(object)),
    st_numpy.array_dtypes(max_size=3),
)


@st.composite
def odd_arrays(draw: st.DrawFn) -> Any:
    """Arrays of any dtype, rank and layout."""
    shape = draw(st.one_of(
        st_numpy.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
        st.tuples(st.integers(0, 70), st.integers(1, 4)),
    ))  # fmt: skip
    dtype = draw(any_dtype)
    elements = st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=2)) if dtype.hasobject else None
    array = draw(st_numpy.arrays(dtype, shape, elements=elements))
    match draw(st.sampled_from(["plain", "fortran", "strided", "reversed", "read-only", "transposed", "list"])):
        case "fortran":
            return np.asfortranarray(array)
        case "strided" if array.ndim:
            return np.repeat(array, 2, axis=0)[::2]
        case "reversed" if array.ndim:
            return array[::-1]
        case "read-only":
            array.flags.writeable = False
        case "transposed":
            return array.T
        case "list":
            return array.tolist()
    return array


@pytest.fixture(scope="module")
def predictors(xor_package: Path) -> list[Predictor]:
    return [Predictor(xor_package.parent / name) for name in ("xor", "species", "rent", "series")]


@given(array=odd_arrays(), which=st.integers(0, 3))
def test_any_array_gives_a_result_or_one_of_our_errors(predictors: list[Predictor], array: Any, which: int) -> None:
    predictor = predictors[which]
    spec = predictor.contract.inputs[0]
    for _ in range(2):
        try:
            outputs = predictor.run({spec.name: array})
        except ParityError as error:
            assert "\n" not in str(error)
            continue
        assert all(len(output) == len(array) for output in outputs.values())
        if predictor.contract.features:
            answers = predictor.predict(array)
            assert len(answers) == len(array)
            assert all(np.isfinite(output).all() for output in outputs.values())


@given(
    features=st_numpy.arrays(np.float32, st.tuples(st.integers(1, 70), st.just(4)), elements=st.floats(-9, 9, width=32))
)
def test_rows_alone_and_together_give_the_same_bits(predictors: list[Predictor], features: np.ndarray) -> None:
    together = predictors[1].predict_proba(features)
    alone = np.concatenate([predictors[1].predict_proba(row[np.newaxis]) for row in features])
    np.testing.assert_array_equal(together, alone)


columns = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d", "e", ""]),
    st.one_of(
        st.lists(st.floats(width=32), max_size=3), st.lists(st.text(max_size=2), max_size=3), st.none(), st.integers()
    ),
)


@given(columns=columns)
def test_any_columns_give_a_result_or_one_of_our_errors(predictors: list[Predictor], columns: dict[str, Any]) -> None:
    try:
        answers = predictors[1].predict(columns)
    except ParityError as error:
        assert "\n" not in str(error)
    else:
        assert len(answers) == len(columns["a"])


def files_of(package: Path) -> list[str]:
    return ["manifest.json", *Package.open(package).entries]


def test_400_random_bit_flips_are_400_refusals(xor_package: Path, package_copy) -> None:  # type: ignore[no-untyped-def]
    copy, chance = package_copy(xor_package), random.Random(0)
    package_id, refused = Package.open(copy).id, 0
    for _ in range(BIT_FLIPS):
        path = copy / chance.choice(files_of(xor_package))
        original = path.read_bytes()
        changed = bytearray(original)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        try:
            verify(copy, digest=package_id)
        except ParityError:
            refused += 1
        path.write_bytes(original)
    assert refused == BIT_FLIPS
    assert verify(copy, digest=package_id).package_id == package_id


def opens_or_refuses(package: Path) -> None:
    for attempt in (lambda: verify(package), lambda: Predictor(package).predict([[0, 1]])):
        try:
            attempt()
        except ParityError as error:
            assert str(error)


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_package_with_files_cut_swapped_or_removed_opens_or_is_refused(
    data: st.DataObject, xor_package: Path, tmp_path: Path
) -> None:
    copy = fresh(xor_package, tmp_path)
    name = data.draw(st.sampled_from(files_of(xor_package)))
    match data.draw(st.sampled_from(["cut", "swap", "remove", "folder", "grow", "garbage"])):
        case "cut":
            original = (copy / name).read_bytes()
            (copy / name).write_bytes(original[: data.draw(st.integers(0, len(original)))])
        case "swap":
            other = data.draw(st.sampled_from(files_of(xor_package)))
            (copy / name).write_bytes((copy / other).read_bytes())
        case "remove":
            (copy / name).unlink()
        case "folder":
            (copy / name).unlink()
            (copy / name).mkdir()
        case "grow":
            (copy / name).write_bytes((copy / name).read_bytes() + data.draw(st.binary(min_size=1, max_size=9)))
        case "garbage":
            (copy / name).write_bytes(data.draw(st.binary(max_size=99)))
    opens_or_refuses(copy)


json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-3, 9), st.integers(), st.floats(allow_nan=False), st.text(max_size=3)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)


@given(data=st.data(), name=st.sampled_from(["contract.json", "conformance.json", "manifest.json", "parity.json"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_package_whose_json_was_changed_and_signed_again_opens_or_is_refused(
    data: st.DataObject, name: str, xor_package: Path, tmp_path: Path
) -> None:
    copy = fresh(xor_package, tmp_path)
    value = json.loads((copy / name).read_text())
    change_somewhere(value, data)
    text = json.dumps(value)
    (copy / name).write_text(text)
    if name == "contract.json":  # the copy inside the model as well, so that the two agree
        from tests.runtime.protobuf import metadata

        (copy / "model.onnx").write_bytes((copy / "model.onnx").read_bytes() + metadata("parity.contract", text))
    if name != "manifest.json":
        write_manifest(copy)
    opens_or_refuses(copy)


def change_somewhere(value: Any, data: st.DataObject) -> None:
    """Walk down to a random place and put something else there."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = data.draw(st.sampled_from(keys))
        inner = value[key]
        if not isinstance(inner, (dict, list)) or not inner or data.draw(st.booleans()):
            break
        value = inner
    if isinstance(value, dict) and data.draw(st.booleans()):
        del value[key]
    else:
        value[key] = data.draw(json_values)


@given(data=st.binary(max_size=300))
def test_any_bytes_are_scanned_or_refused(data: bytes) -> None:
    try:
        scan_model(data, "bytes")
    except ParityError as error:
        assert str(error).startswith("bytes")


@given(data=st.data())
def test_any_change_of_a_model_is_scanned_or_refused(data: st.DataObject, xor_package: Path) -> None:
    model = bytearray((xor_package / "model.onnx").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        model[data.draw(st.integers(0, len(model) - 1))] = data.draw(st.integers(0, 255))
    try:
        scan_model(bytes(model), "model")
    except ParityError as error:
        assert str(error).startswith("model")


def fresh(package: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "changed"
    shutil.rmtree(copy, ignore_errors=True)
    return Path(shutil.copytree(package, copy))


def test_the_unchanged_package_passes_what_the_changed_ones_are_put_through(xor_package: Path, tmp_path: Path) -> None:
    opens_or_refuses(fresh(xor_package, tmp_path))
    assert load_model(tmp_path / "changed").package_id == Package.open(xor_package).id
