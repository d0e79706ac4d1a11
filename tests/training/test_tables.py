import json
from pathlib import Path

import numpy as np
import pytest
import torch

from parity_runtime import InputError
from parity_training import (
    NetworkChoice,
    Run,
    TableDataset,
    TableSettings,
    TrainSettings,
    table_data,
    train_model,
)
from parity_training.data.split import stratified_split
from tests.training.tables import classes_table, prices_table, write_table

QUICK = TrainSettings(epochs=3, batch_size=16)


@pytest.mark.parametrize(
    ("cells", "task", "classes"),
    [
        (["no", "yes"] * 4, "binary", ("no", "yes")),
        ([2, 1, 0, 2] * 3, "multiclass", (0, 1, 2)),
        (["1.0", "0.0"] * 4, "binary", (0, 1)),
        ([0.5, 1, 2, 3], "regression", ()),
        (list(range(21)), "regression", ()),
        (list(range(20)) * 2, "multiclass", tuple(range(20))),
        (list(range(20)), "regression", ()),
        (["a", "b", "c"] * 2, "multiclass", ("a", "b", "c")),
        (["007", "008"] * 3, "binary", ("007", "008")),
    ],
)
def test_the_target_decides_the_task(
    tmp_path: Path, cells: list[object], task: str, classes: tuple[object, ...]
) -> None:
    path = write_table(tmp_path / "t.csv", {"x": range(len(cells)), "y": cells})
    dataset = TableDataset(path, TableSettings("y"))
    assert (dataset.task, dataset.classes) == (task, classes)
    assert dataset.label.dtype == (torch.float32 if task == "regression" else torch.int64)


def test_the_task_and_the_positive_class_can_be_said(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", {"x": range(30), "y": list(range(30))})
    assert TableDataset(path, TableSettings("y", task="classification")).task == "multiclass"
    path = write_table(tmp_path / "u.csv", {"x": range(4), "y": ["no", "yes"] * 2})
    dataset = TableDataset(path, TableSettings("y", positive="no"))
    assert dataset.classes == ("yes", "no")
    assert dataset.label.tolist() == [1, 0, 1, 0]
    path = write_table(tmp_path / "v.csv", {"x": range(4), "y": [0, 1, 0, 1]})
    assert TableDataset(path, TableSettings("y", task="regression")).task == "regression"


@pytest.mark.parametrize(
    ("columns", "settings", "words"),
    [
        ({"x": [], "y": []}, {}, "no rows"),
        ({"x": [1, 2], "y": [None, ""]}, {}, "no rows to train on .2 have no y"),
        ({"x": [1, 2], "y": ["a", "a"]}, {}, "every y is 'a'"),
        (
            {"x": [1, 2, 3, "Paris"], "y": ["a", "b"] * 2},
            {},
            "row 4: x is 'Paris', no number among 3.*categorical=.'x',., or leave it out with drop_columns=.'x',.",
        ),
        ({"x": [1, "Paris"], "y": ["a", "b"]}, {"numeric": ("x",)}, "row 2: x is 'Paris'.*drop_columns=.'x',."),
        ({"x": [1, "inf"], "y": ["a", "b"]}, {}, "row 2: x is infinite"),
        ({"x": [1, 1e300], "y": ["a", "b"]}, {}, "'x' reaches 1e.300"),
        ({"x": [None, None], "y": ["a", "b"]}, {}, "no column to predict from: x is empty"),
        ({"x": [None, None], "y": ["a", "b"]}, {"features": ("x",)}, "the column 'x' holds no number"),
        (
            {"time": [1.7e9 + i for i in range(9)], "y": list("ababababa")},
            {},
            "'time' reaches 1.7e.09, where float32 steps",
        ),
        ({"x": [1, 2], "y": ["a", "b"]}, {"features": ("x", "y")}, "is the target and cannot be a feature"),
        ({"x": [1, 2], "y": ["a", "b"]}, {"features": ("z",)}, "no column 'z'"),
        ({"x": [1, 2], "y": ["a", "b"]}, {"drop_columns": ("x",)}, "no column to predict from"),
        ({"x": range(4), "y": ["a", "b"] * 2}, {"positive": "c"}, "c is not a class"),
        ({"x": range(6), "y": ["a", "b", "c"] * 2}, {"positive": "c"}, "is for two classes"),
        ({"x": [1, 2], "y": ["a", "b"]}, {"task": "regression"}, "not a number.*a regression predicts numbers"),
        ({"x": [1, 2], "y": [0.5, "inf"]}, {"task": "regression"}, "infinite"),
        ({"x": range(9), "y": [1.7e9 + i + 0.5 for i in range(9)]}, {}, "float32 cannot tell the values of y apart"),
        ({"x": range(9), "y": [i * 1e-50 for i in range(9)]}, {"task": "regression"}, "float32 cannot tell"),
        ({"x": [1, 2], "y": ["a", "b"]}, {"drop_columns": ("y",)}, "the target and cannot be dropped"),
        ({"x": range(6), "y": ["a", "b", "c"] * 2}, {"threshold": 0.7}, "threshold is for two classes"),
        ({"x": [1, 2], "y": ["a", "b"]}, {"seed": -1}, "seed is -1"),
        ({"x": range(4), "y": ["a", "b"] * 2}, {"validation": 0.6, "test": 0.5}, "less than 1 together"),
        (
            {"label": range(4), "probability_a": range(4), "y": ["a", "b"] * 2},
            {"features": ("label", "probability_a")},
            "probability_a is the name of a column that predictions add.*drop_columns=.'label', 'probability_a'.",
        ),
        ({"x": range(4), "y": ["a", "b"] * 2}, {"threshold": 1.5}, "strictly between 0 and 1"),
    ],
)
def test_a_table_that_cannot_be_learned_from_is_one_sentence(
    tmp_path: Path, columns: dict[str, object], settings: dict[str, object], words: str
) -> None:
    path = write_table(tmp_path / "t.csv", columns)
    from parity_runtime import ParityError

    with pytest.raises(ParityError, match=words) as found:
        chosen = TableSettings("y", **settings)  # type: ignore[arg-type]
        table_data(TableDataset(path, chosen), chosen, "t")
    assert "\n" not in str(found.value)


def test_a_doubled_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,x,y\n1,2,a\n")
    with pytest.raises(InputError, match="'x' twice"):
        TableDataset(tmp_path / "t.csv", TableSettings("y"))


def test_rows_without_a_target_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", {"x": range(6), "y": ["a", None, "b", " ", "a", "b"]})
    dataset = TableDataset(path, TableSettings("y"))
    assert (dataset.without_target, dataset.data[:, 0].tolist()) == (2, [0, 2, 4, 5])


def test_missing_cells_are_nan_and_the_contract_says_which_columns_are_filled(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", {"x": [1, None, 3, 4], "z": [1, 2, 3, 4], "y": ["a", "b"] * 2})
    settings = TableSettings("y", validation=0, test=0)
    training_data = table_data(TableDataset(path, settings), settings, "t")
    assert torch.isnan(training_data.data).tolist() == [[False, False], [True, False], [False, False], [False, False]]
    assert [feature.missing for feature in training_data.contract.features] == ["impute", "refuse"]
    assert [(feature.low, feature.high) for feature in training_data.contract.features] == [(1, 4), (1, 4)]


def test_preprocessing_is_fitted_on_the_training_rows_alone(tmp_path: Path) -> None:
    path = classes_table(tmp_path / "t.csv")
    settings = TableSettings("kind", validation=0.2, test=0.2)
    training_data = table_data(TableDataset(path, settings), settings, "t")
    state_dict = train_model(training_data, NetworkChoice(), QUICK, tmp_path / "run").state_dict()
    rows = training_data.data[training_data.part("train")].double().numpy()
    np.testing.assert_allclose(state_dict["standardization.mean"], np.nanmean(rows, axis=0), rtol=1e-6)
    np.testing.assert_allclose(state_dict["standardization.scale"], np.nanstd(rows, axis=0), rtol=1e-6)
    np.testing.assert_allclose(state_dict["imputation.fill"], np.nanmean(rows, axis=0), rtol=1e-6)


def test_a_constant_column_and_a_column_that_is_missing_in_training_do_no_harm(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", {"x": list(range(60)), "one": [1e9] * 60, "y": ["a"] * 30 + ["b"] * 30})
    settings = TableSettings("y", features=("x", "one"))
    run = train_model(table_data(TableDataset(path, settings), settings, "t"), NetworkChoice(), QUICK, tmp_path / "r")
    assert run.state_dict()["standardization.scale"][1] == 1
    assert all(bool(torch.isfinite(tensor).all()) for tensor in run.state_dict().values())


def test_every_class_has_its_share_in_every_part() -> None:
    group = np.repeat([0, 1, 2], [100, 30, 10])
    split = stratified_split(group, 0.2, 0.1, seed=3)
    parts = (split.train, split.validation, split.test)
    assert sorted(np.concatenate(parts)) == list(range(140))
    assert [np.bincount(group[part]).tolist() for part in parts] == [[70, 21, 7], [20, 6, 2], [10, 3, 1]]
    assert (stratified_split(group, 0.2, 0.1, seed=3).test == split.test).all()
    assert (stratified_split(group, 0.2, 0.1, seed=4).test != split.test).any()


@pytest.mark.parametrize("seed", range(20))
def test_a_class_of_one_row_is_trained_on(seed: int) -> None:
    assert 20 in stratified_split(np.array([0] * 20 + [1]), 0.3, 0.3, seed=seed).train


def test_many_small_classes_give_each_part_its_share_of_all_rows() -> None:
    split = stratified_split(np.repeat(np.arange(1000), 3), 0.1, 0.1, seed=0)
    assert [len(part) for part in (split.train, split.validation, split.test)] == pytest.approx([2400, 300, 300], abs=2)
    assert len(np.unique(split.train // 3)) == 1000


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_parquet_and_arrow_give_what_csv_gives(tmp_path: Path, kind: str) -> None:
    import pyarrow
    from pyarrow import csv, ipc, parquet

    path = classes_table(tmp_path / "t.csv")
    table = csv.read_csv(path)
    other = tmp_path / f"t.{kind}"
    if kind == "parquet":
        parquet.write_table(table, other)
    else:
        with pyarrow.OSFile(str(other), "wb") as sink, ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    first, second = (TableDataset(name, TableSettings("kind")) for name in (path, other))
    assert torch.equal(torch.nan_to_num(first.data), torch.nan_to_num(second.data))
    assert (first.classes, first.label.tolist()) == (second.classes, second.label.tolist())
    third = TableDataset(other, TableSettings("large", features=("kind",)))
    assert third.kinds["kind"].kind == "categorical"


@pytest.mark.slow
def test_ten_thousand_columns_are_learned_from(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    header = ",".join(f"c{index}" for index in range(10_000)) + ",y"
    lines = [",".join(map(str, random.normal(size=10_000).round(3))) + f",{row % 2}" for row in range(40)]
    (tmp_path / "wide.csv").write_text("\n".join([header, *lines]) + "\n")
    settings = TableSettings("y")
    training_data = table_data(TableDataset(tmp_path / "wide.csv", settings), settings, "wide")
    run = train_model(training_data, NetworkChoice("MLP", {"hidden": [4]}), QUICK, tmp_path / "run")
    assert run.state_dict()["body.layers.0.weight"].shape == (4, 10_000)
    importance = json.loads((run.path / "evaluation.json").read_text())["importance"]
    assert importance["screened_by"] and importance["left_out"] == 9_900  # 50,000 calls of the network take a minute


def test_a_column_whose_name_holds_a_comma_can_be_named(parity, tmp_path: Path) -> None:
    rows = "".join(f"{row},{row % 3},{row % 2}\n" for row in range(40))
    (tmp_path / "t.csv").write_text(f'"a,b",c,y\n{rows}')
    options = ("--target", "y", "--features", '"a,b",c', "--epochs", 1)
    assert parity("train", tmp_path / "t.csv", *options, "--out", tmp_path / "run").code == 0
    recipe = json.loads((tmp_path / "run" / "recipe.json").read_text())
    assert [feature["name"] for feature in recipe["contract"]["features"]] == ["a,b", "c"]


@pytest.mark.slow
def test_a_classifier_over_a_table_goes_the_whole_line(parity, tmp_path: Path) -> None:
    path = classes_table(tmp_path / "t.csv", classes=("cat", "dog", "owl"))
    trained = parity("train", path, "--target", "kind", "--out", tmp_path / "run", "--epochs", 40)
    assert "multiclass (cat, dog, owl): 2 features" in trained.err
    assert "missing cells are filled" in trained.err
    assert parity("plot", tmp_path / "run").code == 0
    assert parity("export", tmp_path / "run", tmp_path / "package", "--no-plots", "--effort", "quick").code == 0
    evaluated = json.loads(parity("evaluate", tmp_path / "package", tmp_path / "run" / "test.csv", "--json").out)
    assert evaluated.pop("without_target") == 0
    assert evaluated.pop("drift")["training_rows"]
    trained_metrics = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert trained_metrics.pop("part") == "test"
    assert trained_metrics.pop("ended")["epochs"] in (40, 60)
    assert evaluated.pop("confusion") == trained_metrics.pop("confusion")
    assert evaluated.pop("baseline") == trained_metrics.pop("baseline")
    assert evaluated == pytest.approx({name: trained_metrics[name] for name in evaluated}, abs=1e-5)
    assert evaluated["accuracy"] > 0.9
    row = parity("predict", tmp_path / "package", "--row", "1600,").out.splitlines()[1].split(",")
    assert row[:3] == ["1600", "", "owl"]


@pytest.mark.slow
def test_a_regression_over_a_table_goes_the_whole_line(parity, tmp_path: Path) -> None:
    path = prices_table(tmp_path / "t.csv")
    trained = parity("train", path, "--target", "price", "--out", tmp_path / "run", "--epochs", 60, "--patience", 60)
    assert "regression: 2 features" in trained.err
    assert "R2" in trained.out
    assert parity("plot", tmp_path / "run").code == 0
    assert (tmp_path / "run" / "predictions.png").stat().st_size > 5000
    assert parity("export", tmp_path / "run", tmp_path / "package", "--no-plots", "--effort", "quick").code == 0
    evaluated = json.loads(parity("evaluate", tmp_path / "package", tmp_path / "run" / "test.csv", "--json").out)
    assert evaluated.pop("without_target") == 0
    assert evaluated.pop("drift")["training_rows"]
    trained_metrics = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert trained_metrics.pop("part") == "test"
    assert trained_metrics.pop("ended")["epochs"] in (40, 60)
    constants = evaluated.pop("baseline"), trained_metrics.pop("baseline")
    assert {constant.pop("name") for constant in constants} == {"mean"}
    assert constants[0] == pytest.approx(constants[1], rel=1e-5)
    assert evaluated == pytest.approx({name: trained_metrics[name] for name in evaluated}, rel=1e-5)
    assert evaluated["r2"] > 0.9
    header = parity("predict", tmp_path / "package", "--row", "100,20").out.splitlines()[0]
    assert header == "area,age,price"


@pytest.mark.slow
def test_a_network_of_one_s_own_is_trained_exported_and_named_again(
    parity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_nets.py").write_text(
        "from torch import nn\n"
        "def Wide(num_inputs, num_outputs, width=8):\n"
        "    return nn.Sequential(nn.Linear(num_inputs, width), nn.GELU(), nn.Linear(width, num_outputs))\n"
        "def Wrong(num_inputs): return nn.Linear(num_inputs, 7)\n"
    )
    monkeypatch.chdir(tmp_path)
    path = classes_table(tmp_path / "t.csv")
    common = ("train", path, "--target", "kind", "--epochs", 2, "--out", tmp_path / "run")
    refused = parity(*common, "--network", "my_nets:Wrong")
    assert refused.code == 1 and "returns [2, 7] for 2 rows" in refused.err
    assert parity(*common, "--network", "my_nets:Wide", "--arg", "width=5").code == 0
    assert Run.open(tmp_path / "run").state_dict()["body.0.weight"].shape == (5, 3)  # an indicator as well
    refused = parity("export", tmp_path / "run", tmp_path / "package")
    assert refused.is_refused(1, "unknown network 'my_nets:Wide'", "--network my_nets:Wide")
    exported = parity(
        "export", tmp_path / "run", tmp_path / "package", "--network", "my_nets:Wide", "--no-plots", "--effort", "quick"
    )
    assert exported.code == 0, exported
    assert parity("plot", tmp_path / "run", "--network", "my_nets:Wide").code == 0
