"""The commands over a run of a table with text, codes, truth values and moments: export, certify, check, diff."""

import csv
import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from parity_export import ExportOptions, source_from_run
from parity_export.graph.attach_encoder import attach_encoder
from parity_export.graph.trace import trace
from parity_training import Run
from tests.data.make_parcels import write_parcels
from tests.warm_process import WarmProcess


class Parcels(NamedTuple):
    """A table, a run of it, and the run's certified package."""

    table: Path
    run: Path
    package: Path


@pytest.fixture(scope="module")
def parcels(tmp_path_factory: pytest.TempPathFactory, warm: WarmProcess) -> Parcels:
    """Make them all by the commands."""
    folder = tmp_path_factory.mktemp("parcels")
    made = Parcels(folder / "parcels.csv", folder / "run", folder / "package")
    write_parcels(made.table)
    train = ["train", made.table, "--target", "late", "--categorical", "carrier", "--epochs", "5", "--out", made.run]
    for command in (train, ["export", made.run, made.package, "--certified", "--no-plots"]):
        done = warm.run(command)
        assert done.returncode == 0, done.err
    assert re.search(
        r"^encoder: text and dates of \d{3},\d{3} rows give the reference's indices and years, on every backend$",
        done.out, re.MULTILINE,
    )  # fmt: skip
    return made


def test_a_run_becomes_a_package_that_takes_the_table_s_cells(parcels: Parcels, warm: WarmProcess) -> None:
    """Its held-out rows are the sample; the report says what the encoder was asked by itself."""
    report = json.loads((parcels.package / "parity.json").read_text())
    assert report["probes"]["sample"] == 40
    assert report["probes"]["text"] > 50
    assert report["probes"]["calendar"] > 400
    assert report["encoder"]["rows"] > 100_000
    assert report["error_bounds"]["torch_gaps"] == []
    done = warm.run(["predict", parcels.package, parcels.table])
    assert done.returncode == 0, done.err
    assert len(done.out.splitlines()) == 401
    done = warm.run(["verify", parcels.package])
    assert done.returncode == 0, done.err


def test_the_card_says_what_each_column_is(parcels: Parcels) -> None:
    """Kinds, categories and the range of dates as dates; and what a graph's caller writes for a cell."""
    card = (parcels.package / "README.md").read_text(encoding="utf-8")
    assert "feature     city (categorical; 4 values in training: Oslo, Paris, Zürich, 東京)" in card
    assert "feature     carrier (code; 3 values in training: 1, 2, 30)" in card
    assert "feature     sent (datetime; missing: impute; 1955-" in card
    assert "with a reference in Python: text and dates of 1" in card
    assert "of a model that takes dates, dates far from those of training" in card
    assert '    "categories": np.full([1, 2], "", object),\n' in card
    assert "`3`, never `3.0`" in card
    assert "-9223372036854775808" in card
    code = card.partition("```python\n")[2].partition("```")[0]
    compile(code, "card", "exec")


def test_certify_draws_rows_of_every_kind(parcels: Parcels, warm: WarmProcess, tmp_path: Path) -> None:
    """Texts known, unknown and missing, moments of training; the picture of two numbers is left out, and said so."""
    out = tmp_path / "certificate"
    done = warm.run(["certify", parcels.package, "--out", out])
    assert done.returncode == 0, done.err
    assert "100000 labels are certified" in done.out
    assert "no band.png: a plane has two numbers for axes, and city is not a number" in done.out
    figures = json.loads((out / "certificate.json").read_text())
    assert figures["share"] > 0.999
    with (out / "uncertified.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header[1:6] == ["weight", "fragile", "city", "carrier", "sent"]
    assert all(row[header.index("sent")] == "" or "-" in row[header.index("sent")] for row in rows)


def test_certify_reads_a_table_of_every_kind(parcels: Parcels, warm: WarmProcess) -> None:
    """The same rows that predict reads."""
    done = warm.run(["certify", parcels.package, parcels.table])
    assert done.returncode == 0, done.err
    assert "400 of 400 labels are certified" in done.out


def test_a_cell_that_is_no_date_is_one_line(parcels: Parcels, warm: WarmProcess, tmp_path: Path) -> None:
    """It names row and column, as predict does."""
    table = tmp_path / "odd.csv"
    table.write_text("weight,city,carrier,fragile,sent\n1,Oslo,1,true,yesterday\n", encoding="utf-8")
    done = warm.run(["certify", parcels.package, table])
    assert done.returncode == 1
    (line,) = done.err.splitlines()
    assert "row 1" in line
    assert "sent" in line
    assert "yesterday" in line


def test_check_judges_a_graph_that_takes_cells_or_indices(parcels: Parcels, warm: WarmProcess, tmp_path: Path) -> None:
    """One that somebody exported with an encoder, and torch's own of the network behind it."""
    source = source_from_run(Run.open(parcels.run))
    cells, indices = tmp_path / "cells.onnx", tmp_path / "indices.onnx"
    indices.write_bytes(trace(source, ExportOptions()).data)
    cells.write_bytes(attach_encoder(trace(source, ExportOptions())).data)
    for model in (cells, indices):
        done = warm.run(["check", parcels.run, model])
        assert done.returncode == 0, done.err
        assert "agree with torch" in done.out


def test_check_refuses_another_encoder(parcels: Parcels, warm: WarmProcess, tmp_path: Path) -> None:
    """Of another exporter's graph the answers count: two cities exchanged are other answers."""
    source = source_from_run(Run.open(parcels.run))
    graph = attach_encoder(trace(source, ExportOptions()))
    proto = graph.onnx.proto
    node = next(one for one in proto.graph.node if one.op_type == "LabelEncoder")
    values = next(one for one in node.attribute if one.name == "values_int64s")
    values.ints[1], values.ints[2] = values.ints[2], values.ints[1]
    model = tmp_path / "exchanged.onnx"
    model.write_bytes(proto.SerializeToString())
    done = warm.run(["check", parcels.run, model])
    assert done.returncode == 3
    assert "computes something else than the module" in done.err


def test_check_of_a_module_cannot_know_a_graph_s_texts(parcels: Parcels, warm: WarmProcess, tmp_path: Path) -> None:
    """Only a run says which texts there are; the way out is its folder."""
    graph = attach_encoder(trace(source_from_run(Run.open(parcels.run)), ExportOptions()))
    model = tmp_path / "cells.onnx"
    model.write_bytes(graph.data)
    weights = tmp_path / "linear.pt"
    torch.save(torch.nn.Linear(2, 1).state_dict(), weights)
    sizes = ["--arg", "in_features=2", "--arg", "out_features=1"]
    done = warm.run(["check", "torch.nn:Linear", model, "--weights", weights, *sizes])
    assert done.returncode == 1
    (line,) = done.err.splitlines()
    assert "takes categories: string[batch, 2]" in line
    assert "give that run's folder instead of the module" in line


@pytest.mark.parametrize("between", ["torch,disabled", "disabled,extended"])
def test_diff_follows_a_table_s_graph(parcels: Parcels, warm: WarmProcess, between: str) -> None:
    """Its values behind the encoder by torch's names; text that is only moved is passed over."""
    done = warm.run(["diff", parcels.run, parcels.package, "--between", between])
    assert done.returncode == 0, done.err
    assert "no divergence: " in done.out
