"""A table of text, dates and missing cells on its whole way: network, run, held-out rows, resuming."""

import csv
import json
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from parity_runtime import FormatError, InputError
from parity_training import (
    MLP,
    NetworkChoice,
    Run,
    StoppedError,
    TableDataset,
    TableNetwork,
    TableSettings,
    TrainingData,
    TrainSettings,
    resume,
    table_data,
    train_model,
)
from parity_training.networks.index_tables import cyclic, embedding_dimension
from parity_training.networks.table_network import HIDDEN_SHARE, HiddenCategories
from parity_training.reports.run_plots import plot_run
from parity_training.reports.test_predictions import predict_test_rows
from tests.training.tables import classes_table, write_table

QUICK = TrainSettings(epochs=3, batch_size=16)


def mixed_table(path: Path, rows: int = 200, *, numbers: bool = True) -> Path:
    """A table of every kind; the price depends on all of it."""
    random = np.random.default_rng(0)
    city, day = random.integers(0, 3, rows), random.integers(-9000, 9000, rows)
    size, garden = random.integers(20, 90, rows), random.integers(0, 2, rows)
    street = random.integers(0, 45, rows)
    price = 1000 * size + 5000 * city + 7000 * garden + 30 * day + 500 * street
    names = ["York", "Leeds", "Hull, North"]
    columns: dict[str, object] = {
        "id": [f"h{row}" for row in range(rows)],
        "city": ["" if row % 11 == 3 else f'"{names[city[row]]}"' for row in range(rows)],
        "size": [None if row % 13 == 5 else size[row] for row in range(rows)],
        "street": [f"s{number}" for number in street],
        "garden": ["True" if there else "False" for there in garden],
        "built": [str(np.datetime64(int(number), "D")) for number in day],
        "one": ["same"] * rows,
        "price": [None if row == 7 else price[row] for row in range(rows)],
    }
    if not numbers:
        columns = {name: columns[name] for name in ("city", "street", "price")}
    return write_table(path, columns)


def data_of(path: Path, **settings: object) -> TrainingData:
    chosen = TableSettings("price", **settings)  # type: ignore[arg-type]
    return table_data(TableDataset(path, chosen), chosen, "t")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_of_every_kind_keeps_tables_and_statistics_in_its_state_dict(tmp_path: Path) -> None:
    training_data = data_of(mixed_table(tmp_path / "t.csv"))
    assert [str(spec) for spec in training_data.contract.inputs] == [
        "features: float32[batch, 2]", "categories: string[batch, 2]", "timestamps: int64[batch, 1]"]  # fmt: skip
    assert training_data.data.shape == (199, 3)
    run = train_model(training_data, NetworkChoice(), QUICK, tmp_path / "run")
    streets = len(training_data.contract.features[2].categories)
    assert run.recipe.preprocessing is not None
    assert run.recipe.preprocessing["tables"] == [
        {"kind": "one-hot", "size": 5, "missing": True},
        {"kind": "embedding", "size": 2 + streets, "missing": False, "dimension": embedding_dimension(streets)},
        *({"kind": "cyclic", "size": size} for size in (13, 32, 8)),
        {"kind": "unused", "size": 25},
    ]
    assert run.recipe.preprocessing["indicators"] == [0]
    assert {name.partition(".layers")[0] for name in run.state_dict()} == {
        "imputation.fill", "standardization.mean", "standardization.scale", "tables.0.rows", "tables.1.weight",
        "tables.2.rows", "tables.3.rows", "tables.4.rows", "body", "target.mean", "target.scale"}  # fmt: skip
    again = Run.open(tmp_path / "run").module()
    with torch.no_grad():
        assert again(training_data.data[:5], training_data.indices[:5]).shape == (5, 1)  # type: ignore[index]
    assert {path.stem for path in plot_run(run)} == {
        "loss", "predictions", "residuals", "importance", "partial_dependence"}  # fmt: skip


def test_the_held_out_table_keeps_all_columns_as_they_stand_and_the_row_numbers(tmp_path: Path) -> None:
    path = mixed_table(tmp_path / "t.csv")
    training_data = data_of(path, drop_columns=("garden",))
    run = train_model(training_data, NetworkChoice(), QUICK, tmp_path / "run")
    whole, held_out = rows_of(path), rows_of(run.path / "test.csv")
    assert len(held_out) == len(training_data.split.test)
    assert list(held_out[0]) == ["row", *whole[0]]
    for row in held_out:
        assert whole[int(row.pop("row")) - 1] == row
    evaluation = json.loads((run.path / "evaluation.json").read_text())
    found = predict_test_rows(run)
    assert np.sqrt(np.mean((found.outputs[:, 0].numpy() - found.true) ** 2)) == pytest.approx(evaluation["rmse"])


@pytest.mark.parametrize(
    ("options", "cell"),
    [({"decimal": ",", "delimiter": ";"}, "0,5"), ({"currency": ("$",), "thousands": ","}, "$1,700")],
)
def test_held_out_numbers_are_plain_ones_whatever_their_spelling(
    tmp_path: Path, options: dict[str, object], cell: str
) -> None:
    between = options.get("delimiter", ",")
    spelled = [cell.replace("5", str(row % 10)).replace("7", str(row % 10)) for row in range(60)]
    lines = [f'"{text}"{between}"{text}"{between}"{row % 5},0"{between}{row % 3}' for row, text in enumerate(spelled)]
    (tmp_path / "t.csv").write_text("\n".join([f"x{between}note{between}code{between}price", *lines]) + "\n")
    training_data = data_of(
        tmp_path / "t.csv", drop_columns=("note",), task="classification", categorical=("code",), **options
    )
    run = train_model(training_data, NetworkChoice(), QUICK, tmp_path / "run")
    held_out, test = rows_of(run.path / "test.csv"), training_data.split.test
    found = training_data.data[test, 0].double().round(decimals=6).tolist()
    assert [float(row["x"]) for row in held_out] == found
    assert {row["note"] for row in held_out} <= {*spelled}
    rows = predict_test_rows(run)
    assert torch.equal(rows.inputs[1], training_data.indices[test].long())  # type: ignore[index]
    assert rows.true.tolist() == training_data.target[test].tolist()


def test_the_column_of_row_numbers_takes_a_name_that_is_free(tmp_path: Path) -> None:
    columns = {"row": [row % 7 for row in range(60)], "row_number": [row % 9 for row in range(60)],
               "price": [row * 1.5 for row in range(60)]}  # fmt: skip
    run = train_model(data_of(write_table(tmp_path / "t.csv", columns)), NetworkChoice(), QUICK, tmp_path / "run")
    assert list(rows_of(run.path / "test.csv")[0]) == ["input_row", "row", "row_number", "price"]


def test_a_file_that_changes_while_it_is_trained_on_is_refused(tmp_path: Path) -> None:
    path = mixed_table(tmp_path / "t.csv")
    training_data = data_of(path)
    path.write_text(path.read_text() + "\n")
    with pytest.raises(InputError, match="changed while it was trained on"):
        train_model(training_data, NetworkChoice(), QUICK, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_stdin_cannot_be_trained_on(parity) -> None:
    assert parity("train", "-", "--target", "y", "--out", "run").is_refused(1, "give a file, not stdin")


def test_text_alone_is_enough(tmp_path: Path) -> None:
    training_data = data_of(mixed_table(tmp_path / "t.csv", numbers=False))
    assert [spec.name for spec in training_data.contract.inputs] == ["categories"]
    assert training_data.data.shape == (199, 0)
    run = train_model(training_data, NetworkChoice(), QUICK, tmp_path / "run")
    module = run.module()
    with torch.no_grad():
        assert torch.equal(
            module(indices=training_data.indices[:4]),  # type: ignore[index]
            module(training_data.data[:4], training_data.indices[:4]),  # type: ignore[index]
        )
    assert len(predict_test_rows(run).true) == len(training_data.split.test)


def test_a_table_of_numbers_alone_trains_as_without_categories(tmp_path: Path) -> None:
    path = write_table(
        tmp_path / "t.csv", {"x": [row % 17 for row in range(80)], "price": [row * 1.5 for row in range(80)]}
    )
    training_data = data_of(path)
    run = train_model(training_data, NetworkChoice(), QUICK, tmp_path / "run")
    assert training_data.indices is None
    assert run.recipe.preprocessing == {"num_features": 1, "impute": False, "num_targets": 1}
    assert sorted(run.state_dict()) == [
        "body.layers.0.bias", "body.layers.0.weight", "body.layers.2.bias", "body.layers.2.weight",
        "standardization.mean", "standardization.scale", "target.mean", "target.scale"]  # fmt: skip


def test_a_column_has_an_indicator_where_training_has_missing_cells(tmp_path: Path) -> None:
    path = classes_table(tmp_path / "t.csv")
    settings = TableSettings("kind")
    training_data = table_data(TableDataset(path, settings), settings, "t")
    run = train_model(training_data, NetworkChoice(), QUICK, tmp_path / "run")
    assert run.state_dict()["body.layers.0.weight"].shape[1] == 3
    network = TableNetwork(torch.nn.Identity(), 2, impute=True, indicators=[1])
    found = network(torch.tensor([[1.0, float("nan")], [float("nan"), 2.0]]))
    assert found.tolist() == [[1, 0, 1], [0, 2, 0]]


def test_a_resumed_run_with_categories_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    path = mixed_table(tmp_path / "t.csv")
    settings = TrainSettings(epochs=6, batch_size=16)
    whole = train_model(data_of(path), NetworkChoice(), settings, tmp_path / "whole")

    def stop(result: object) -> None:
        if getattr(result, "epoch", 0) == 3:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(StoppedError):
        train_model(data_of(path), NetworkChoice(), settings, tmp_path / "run", on_epoch=stop)
    resumed = resume(tmp_path / "run", data_of(path))
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    assert (whole.path / "test.csv").read_bytes() == (resumed.path / "test.csv").read_bytes()


def test_what_was_said_of_columns_is_said_again_when_a_run_is_resumed(tmp_path: Path) -> None:
    from parity_training.data.table_source import settings_from_source

    path = write_table(tmp_path / "t.csv", {
        "code": [row % 5 for row in range(60)], "day": [f"0{1 + row % 9}/0{1 + row % 5}/2001" for row in range(60)],
        "name": [f"n{row}" for row in range(60)], "zip": [f"0{row % 9}" for row in range(60)],
        "price": [row * 1.5 for row in range(60)]})  # fmt: skip
    said = {"categorical": ("code", "name"), "datetime": ("day=%d/%m/%Y",), "numeric": ("zip",), "max_categories": 3}
    training_data = data_of(path, **said)
    again = data_of(path)
    assert again.source != training_data.source
    settings = settings_from_source(json.loads(json.dumps(training_data.source)))
    assert table_data(TableDataset(path, settings), settings, "t").source == training_data.source


def test_other_rows_are_not_resumed_on(tmp_path: Path) -> None:
    path = mixed_table(tmp_path / "t.csv")
    before = data_of(path).source["sha256"]
    path.write_text(path.read_text().replace("York", "Bath"))
    assert data_of(path).source["sha256"] != before


def test_batches_of_processes_are_those_of_memory(tmp_path: Path) -> None:
    path = mixed_table(tmp_path / "t.csv", 40)
    states = [
        train_model(
            data_of(path), NetworkChoice(), TrainSettings(epochs=2, num_workers=workers), tmp_path / f"{workers}"
        ).state_dict()
        for workers in (0, 1)
    ]
    assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())


@pytest.mark.parametrize("change", ["size", "kind", "fewer", "none"])
def test_a_recipe_whose_tables_are_not_those_of_its_contract_is_refused(tmp_path: Path, change: str) -> None:
    run = train_model(data_of(mixed_table(tmp_path / "t.csv")), NetworkChoice(), QUICK, tmp_path / "run")
    path = run.path / "recipe.json"
    recipe = json.loads(path.read_text())
    tables = recipe["network"]["preprocessing"]["tables"]
    if change == "size":
        tables[0]["size"] = 10**9
    elif change == "kind":
        tables[0]["kind"] = "none-hot"
    elif change == "fewer":
        tables.pop()
    else:
        del recipe["network"]["preprocessing"]["tables"]
    path.write_text(json.dumps(recipe))
    with pytest.raises(FormatError) as found:
        Run.open(run.path).module()
    assert "\n" not in str(found.value)


def test_in_training_some_categories_are_hidden_and_in_use_none() -> None:
    hidden = HiddenCategories([True, False])
    indices = torch.full((20_000, 4), 5)
    found = hidden.train()(indices)
    assert torch.equal(found[:, 2:], indices[:, 2:])
    for column, missing in ((0, 0.0), (1, HIDDEN_SHARE)):
        share = torch.bincount(found[:, column], minlength=6) / len(found)
        assert share[1] == pytest.approx(HIDDEN_SHARE, rel=0.3)
        assert share[0] == pytest.approx(missing, rel=0.3)
    assert hidden.eval()(indices) is indices
    assert list(hidden.state_dict()) == []


def test_parts_of_the_calendar_stand_on_a_circle() -> None:
    months = cyclic(13)(torch.arange(13))
    assert months[0].tolist() == [0, 0]
    distance = (months[1:] - months[1:].roll(1, 0)).norm(dim=1)
    torch.testing.assert_close(distance, distance[0].expand(12))
    torch.testing.assert_close(months[1:].norm(dim=1), torch.ones(12))


def test_the_network_takes_what_it_needs_by_name() -> None:
    tables = [{"kind": "one-hot", "size": 4, "missing": True}, {"kind": "unused", "size": 25}]
    network = TableNetwork(MLP(2 + 4, 3), 2, tables=tables).eval()
    assert network(features=torch.zeros(5, 2), indices=torch.zeros(5, 2, dtype=torch.int16)).shape == (5, 3)
    with pytest.raises(ValueError, match="a table is written as"):
        TableNetwork(MLP(2, 1), 2, tables=[{"kind": "one-hot"}])


def test_a_year_that_training_has_not_seen_says_nothing(tmp_path: Path) -> None:
    days = [str(np.datetime64("2013-01-01") + row * 3) for row in range(90)]
    path = write_table(tmp_path / "t.csv", {"day": days, "price": [row * 1.5 for row in range(90)]})
    training_data = data_of(path)
    module = train_model(training_data, NetworkChoice(), QUICK, tmp_path / "run").module()
    later = training_data.data + 30
    with torch.no_grad():
        found = [module(years, training_data.indices) for years in (training_data.data, later)]
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-4)


def test_a_json_line_without_a_key_is_refused_as_the_package_refuses_it(tmp_path: Path) -> None:
    lines = [{"city": "York" if row % 2 else "Hull", "price": row * 1.5} for row in range(60)]
    del lines[40]["city"]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(InputError, match="row 41: there is no 'city'"):
        data_of(tmp_path / "t.jsonl")


def test_a_category_that_no_graph_can_hold_counts_as_unknown(tmp_path: Path) -> None:
    names = ["\ud800", "Hull\0", "York"]
    lines = [json.dumps({"city": names[row % 3], "price": row * 1.5}) for row in range(60)]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    training_data = data_of(tmp_path / "t.jsonl")
    run = train_model(training_data, NetworkChoice(), QUICK, tmp_path / "run")
    assert Run.open(run.path).recipe.contract.features[0].categories == ("York", "\ufffd")
    assert training_data.indices is not None
    assert training_data.indices[:3, 0].tolist() == [3, 1, 2]
    found = predict_test_rows(run).inputs[1]
    assert torch.equal(found, training_data.indices[training_data.split.test].long())


@pytest.mark.parametrize(("yes", "no", "is_told"), [("ja", "nein", True), ("yes", "no", False)])
def test_a_positive_class_that_means_no_is_told_with_the_option(
    parity, tmp_path: Path, yes: str, no: str, is_told: bool
) -> None:
    rows = "".join(f"{index % 7},{yes if index % 3 else no}\n" for index in range(60))
    (tmp_path / "t.csv").write_text(f"x,left\n{rows}")
    answer = parity("train", tmp_path / "t.csv", "--target", "left", "--epochs", "1", "--out", tmp_path / "run")
    assert answer.code == 0 and (f"--positive {yes} predicts that of {yes}" in answer.err) == is_told, answer
