import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity_runtime import DigestError, Feature, FormatError, InputError, Package, compare_with_training
from parity_runtime.drift.column_counts import ColumnCounts, decile_edges
from parity_runtime.drift.drift_report import drift_report
from parity_runtime.drift.profile import Profile, empty_columns, read_profile
from parity_runtime.drift.stability import index_by_chance, population_stability_index
from parity_runtime.drift.table_counts import TableCounts
from parity_runtime.drift.target_profile import TargetProfile, known_of_targets
from parity_runtime.feature import MISSING_TIMESTAMP
from parity_runtime.package.manifest import PROFILE, write_manifest
from tests.profiles import RENTS
from tests.runtime.conftest import DATA
from tests.runtime.test_properties import change_somewhere

AGE = Feature("age", "features", 0, low=18.0, high=90.0)


def test_deciles_are_cells_whatever_the_order_of_the_rows() -> None:
    cells = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    edges = decile_edges(cells)
    assert len(edges) == 9 and set(edges) <= set(cells.tolist())
    assert edges == decile_edges(np.sort(cells)[::-1])
    counts = ColumnCounts.empty(AGE, edges)
    counts.update(cells)
    assert counts.bins.tolist() == [100] * 10


@pytest.mark.parametrize(
    ("cells", "edges"),
    [([], ()), ([3.0] * 50, ()), ([0.0, 1.0] * 50, (0.0,)), ([0.0] * 99 + [5.0], (0.0,)), ([1.0], ())],
)
def test_equal_deciles_are_one_edge_and_no_bin_is_empty_from_the_start(cells: list[float], edges: Any) -> None:
    assert decile_edges(np.array(cells, np.float32)) == edges


@pytest.mark.parametrize(
    ("feature", "edges", "cells"),
    [
        (AGE, (30.0, 60.0), np.array([18, 30, 31, 99, np.nan, -5, np.inf], np.float32)),
        (Feature("city", "c", 0, "categorical", categories=("a", "b")), (), np.array(["a", "", "x", "b", "a"], object)),
        (Feature("new", "features", 0, "boolean", low=0.0, high=0.0), (), np.array([0, 1, np.nan, 1], np.float32)),
        (Feature("when", "t", 0, "datetime", low=0.0, high=9.0), (5,), np.array([0, 5, 6, 10, MISSING_TIMESTAMP])),
    ],
)
def test_counts_of_pieces_merge_in_any_order(feature: Feature, edges: Any, cells: np.ndarray) -> None:
    whole, *parts = [ColumnCounts.empty(feature, edges) for _ in range(len(cells) + 1)]
    whole.update(cells)
    for place, part in enumerate(parts):
        part.update(cells[place : place + 1])
    merged = ColumnCounts.empty(feature, edges)
    for part in np.random.default_rng(1).permutation(len(parts)):
        merged.merge(parts[part])
    assert vars_of(merged) == vars_of(whole)
    assert whole.cells == len(cells)


def vars_of(counts: ColumnCounts) -> tuple[Any, ...]:
    return counts.bins.tolist(), counts.missing, counts.unknown, counts.outside


def test_cells_are_counted_where_they_belong() -> None:
    counts = ColumnCounts.empty(AGE, (30.0, 60.0))
    counts.update(np.array([18, 30, 31, 99, np.nan, -5, np.inf], np.float32))
    assert vars_of(counts) == ([3, 1, 2], 1, 0, 3)
    with pytest.raises(ValueError, match="different bins"):
        counts.merge(ColumnCounts.empty(AGE, (30.0,)))


def test_what_training_saw_is_not_outside_where_float32_rounds_it() -> None:
    feature = Feature("x", "features", 0, low=float(np.float32(0.1)), high=0.3)
    counts = ColumnCounts.empty(feature)
    counts.update(np.array([0.1, 0.3]).astype(np.float32))
    assert counts.outside == 0


def test_the_index_is_the_formula() -> None:
    before, after = np.array([500, 300, 200]), np.array([40, 30, 30])
    p, q = before / 1000, after / 100
    assert population_stability_index(before, after) == pytest.approx(((q - p) * np.log(q / p)).sum())
    assert population_stability_index(before, before) == 0
    assert population_stability_index(before, np.zeros(3, int)) is None
    emptied = population_stability_index(np.array([50, 50]), np.array([100, 0]))
    assert emptied == pytest.approx(0.5 * np.log(2) + 0.495 * np.log(0.5 / 0.005))  # no bin is infinitely far


@pytest.mark.parametrize(("bins", "rows"), [(2, 100), (10, 10), (10, 50), (10, 1000), (22, 100)])
def test_tables_without_drift_stay_below_what_chance_explains(bins: int, rows: int) -> None:
    random = np.random.default_rng(0)
    trained, drawn = (random.multinomial(size, np.full(bins, 1 / bins), 2000) for size in (2000, rows))
    above = [population_stability_index(*pair) > index_by_chance(*pair) for pair in zip(trained, drawn, strict=True)]
    assert np.mean(above) < 0.01
    assert index_by_chance(trained[0], drawn[0]) < 8 * bins / rows  # so that drift can be seen


def profile_of(package: Package) -> Profile:
    """Return the profile of a training on a hundred rows, nine of ten of them alike."""
    columns = {}
    for feature in package.contract.features:
        counts = ColumnCounts.empty(feature, (2.0, 5.0) if feature.name == "size" else ())
        cells: dict[str, Any] = {
            "color": np.array(["red"] * 60 + ["green"] * 30 + [""] * 9 + ["odd"], object),
            "size": np.array([1.0] * 50 + [4.0] * 40 + [np.nan] * 10, np.float32),
            "when": np.arange(100) * 86400, "new": np.arange(100.0) % 2,
            "code": np.array(["1", "2"] * 50, object),
        }  # fmt: skip
        counts.update(cells[feature.name])
        columns[feature.name] = counts
    return Profile(columns, TargetProfile("sold", np.array([80, 20])))


def add_profile(package: Path, data: bytes) -> Path:
    (package / PROFILE).write_bytes(data)
    (package / "manifest.json").unlink()
    write_manifest(package)
    return package


@pytest.fixture
def profiled(tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(DATA / "mixed", tmp_path / "profiled"))
    return add_profile(folder, profile_of(Package.open(folder)).dump())


def test_a_profile_comes_back_from_its_file(profiled: Path) -> None:
    profile = read_profile(profiled)
    assert profile is not None and profile.rows == 100
    assert profile.to_json() == profile_of(Package.open(profiled)).to_json()
    assert read_profile(DATA / "mixed") is None
    assert read_profile(DATA / "mixed" / "model.onnx") is None


def test_a_profile_that_was_changed_is_refused(profiled: Path) -> None:
    path = profiled / PROFILE
    path.write_bytes(path.read_bytes().replace(b"80", b"81"))
    with pytest.raises(DigestError, match=PROFILE):
        read_profile(profiled)


def size_column(change: dict[str, Any]) -> Any:
    return lambda value: value["columns"][1].update(change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda value: value.update(format="parity/9"), "install a newer one"),
        (lambda value: value.pop("columns"), "its columns are not those"),
        (lambda value: value["columns"].reverse(), "its columns are not those"),
        (lambda value: value.update(columns=[3]), "its columns are not those"),
        (lambda value: value.update(rows=101), "color has 100 cells"),
        (lambda value: value.update(rows=[]), "color has 100 cells"),
        (size_column({"bins": [1, 2]}), "bins is"),
        (size_column({"bins": [-1, 61, 30]}), "bins is"),
        (size_column({"bins": [True, 61, 30]}), "bins is"),
        (size_column({"bins": [2**70, 61, 30]}), "bins is"),
        (size_column({"missing": None}), "missing is"),
        (size_column({"edges": [5.0, 2.0]}), "does not ascend"),
        (size_column({"edges": [2.0, 1e300]}), "does not ascend or goes beyond"),
        (size_column({"edges": ["a", 2.0]}), "an edge is 'a'"),
        (size_column({"edges": [0.0] * 2000}), "1000 numbers at most"),
        (lambda value: value["columns"][0].update(categories=[1]), "categories is"),
        (lambda value: value["columns"][0].pop("unknown"), "unknown is"),
        (lambda value: value["target"].update(classes=[1, 2, 3]), "classes is"),
        (lambda value: value["target"].update(name="bought"), "target"),
        (lambda value: value.update(target=[]), "target is"),
    ],
)
def test_a_malformed_profile_is_one_sentence(profiled: Path, change: Any, words: str) -> None:
    value = json.loads((profiled / PROFILE).read_text())
    change(value)
    add_profile(profiled, json.dumps(value).encode())
    with pytest.raises(FormatError, match=words) as error:
        read_profile(profiled)
    assert PROFILE in str(error.value)


def rents() -> Any:
    return Profile(empty_columns(Package.open(DATA / "rent").contract, None), None, RENTS).to_json()


def test_a_profile_of_several_targets_comes_back_from_json() -> None:
    contract = Package.open(DATA / "rent").contract
    profile = Profile.from_json(rents(), contract, PROFILE)
    assert profile.target is None and profile.to_json() == rents()
    assert known_of_targets(profile.trained_on, contract) == {"cold": 12.5, "warm": 20.25}
    assert known_of_targets(profile.trained_on, replace(contract, objective="huber")) == {"cold": 11.0, "warm": 19.0}
    assert known_of_targets(profile.trained_on, replace(contract, objective="quantile 0.9")) is None
    assert known_of_targets((), contract) is None and known_of_targets(profile.trained_on[:1], contract) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mean": "much"}, "mean is 'much'"),
        ({"mean": 1001}, "mean is 1001.0, not between 0.0 and 1000.0"),
        ({"quantiles": [0.5]}, "quantiles is"),
        ({"quantiles": {"0.5": -1}}, "'0.5' is -1.0, not between"),
        ({"quantiles": {"1.0": 5}}, "'1.0' is not a level"),
        ({"quantiles": {"half": 5}}, "'half' is not a level"),
        ({"name": "warm"}, "are not those of the contract"),
    ],
)
def test_a_malformed_target_is_one_sentence(change: dict[str, Any], words: str) -> None:
    value = rents()
    value["targets"][0].update(change)
    with pytest.raises(FormatError, match=words):
        Profile.from_json(value, Package.open(DATA / "rent").contract, PROFILE)


ROWS = {
    "color": ["red", "red", "blue", None], "size": [1.0, 11.0, None, None],
    "when": ["2020-01-01", "1970-01-02", None, "1970-01-03"], "new": [True, False, True, None], "code": [1, 2, 3, 1],
}  # fmt: skip


def test_rows_in_memory_and_in_a_file_are_compared_alike(profiled: Path, tmp_path: Path) -> None:
    lines = ["color,size,when,new,code", "red,1,2020-01-01,true,1", "red,11,1970-01-02,false,2.0", "blue,NA,,true,3",
             ",,1970-01-03,,1"]  # fmt: skip
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    report = compare_with_training(profiled, ROWS)
    assert report.to_json() == compare_with_training(profiled, tmp_path / "rows.csv").to_json()
    color, size, when, new, code = report.columns
    assert (report.rows, report.training_rows) == (4, 100)
    assert (color.missing, color.missing_in_training, color.unknown, color.unknown_in_training) == (
        0.25,
        0.09,
        0.25,
        0.01,
    )
    assert (size.missing, size.outside, size.unknown, color.outside) == (0.5, 0.25, None, None)
    assert (when.missing, when.outside) == (0.25, 0.0)
    assert (new.missing, new.outside, code.unknown) == (0.25, 0.0, 0.25)
    assert not [column for column in report.columns if column.shift]  # four rows tell nothing


def test_without_a_profile_the_contract_still_tells_what_is_unknown_and_outside() -> None:
    report = compare_with_training(DATA / "mixed", ROWS)
    assert report.training_rows is None
    assert (report.column("color").unknown, report.column("size").outside, report.column("size").psi) == (
        0.25,
        0.25,
        None,
    )


def test_each_cell_that_can_be_read_counts(profiled: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("color,size,when,new,code\nblue,abc,2020-01-01,maybe,1\n,99,yesterday,true,7\n")
    report = compare_with_training(profiled, tmp_path / "bad.csv")
    assert (report.column("color").unknown, report.column("color").missing) == (0.5, 0.5)
    assert (report.column("size").outside, report.column("code").unknown) == (1.0, 0.5)
    with pytest.raises(InputError, match="row 1: size is 'abc'"):
        compare_with_training(profiled, {"color": ["a"], "size": ["abc"], "when": [None], "new": [1], "code": [1]})


def test_an_empty_table_has_no_shares(profiled: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("color,size,when,new,code\n")
    assert {column.missing for column in compare_with_training(profiled, tmp_path / "empty.csv").columns} == {None}


@pytest.mark.parametrize(
    ("package", "rows", "words"),
    [("absent", ROWS, "not a package"), ("mixed", "absent.csv", "absent.csv"), ("mixed", {"color": ["a"]}, "size"),
     ("series", np.zeros((1, 2, 3)), "not rows of a table")],
)  # fmt: skip
def test_what_cannot_be_compared_is_one_sentence(package: str, rows: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        compare_with_training(DATA / package, rows)


def test_tables_are_counted_apart_and_merged(profiled: Path) -> None:
    contract, profile = Package.open(profiled).contract, read_profile(profiled)
    random = np.random.default_rng(3)
    inputs = {
        "features": random.normal(4, 3, (300, 2)).astype(np.float32),
        "categories": random.choice(np.array(["red", "", "1", "7"], object), (300, 2)),
        "timestamps": random.integers(-(10**9), 10**9, (300, 1)),
    }
    outputs = {"label": random.integers(0, 2, 300)}
    whole, parts = TableCounts(contract, profile), [TableCounts(contract, profile) for _ in range(3)]
    for counts, rows in [(whole, slice(None)), *((part, slice(place, None, 3)) for place, part in enumerate(parts))]:
        counts.update({name: array[rows] for name, array in inputs.items()})
        counts.update_predictions({"label": outputs["label"][rows]})
        counts.update_true(1 - outputs["label"][rows])
    merged = pickle.loads(pickle.dumps(parts[2]))
    merged.merge(parts[0])
    merged.merge(parts[1])
    assert drift_report(merged).to_json() == drift_report(whole).to_json()
    assert [shares.training for shares in drift_report(whole).classes] == [0.8, 0.2]
    with pytest.raises(ValueError, match="other columns"):
        merged.merge(TableCounts(Package.open(DATA / "xor").contract, None))


@given(data=st.data())
def test_a_profile_that_was_changed_anywhere_is_read_or_refused(data: st.DataObject) -> None:
    package = Package.open(DATA / "mixed")
    value = json.loads(profile_of(package).dump())
    change_somewhere(value, data)
    try:
        profile = Profile.from_json(value, package.contract, PROFILE)
    except FormatError as error:
        assert PROFILE in str(error)
        return
    counts = TableCounts(package.contract, profile)
    counts.update({"features": np.ones((2, 2), np.float32), "categories": np.full((2, 2), "red", object),
                   "timestamps": np.zeros((2, 1), np.int64)})  # fmt: skip
    json.dumps(drift_report(counts).to_json(), allow_nan=False)
