"""Tables whose cells mean something else than they seem to: missing ones, money, commas, an index."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import InputError
from parity_runtime.tables.cell_values import MISSING_TOKENS
from parity_training import TableDataset, TableSettings
from tests.training.tables import write_table

SIZES = [50 + row * 7 % 90 for row in range(60)]
PRICES = [1400 * size + 10_000 + row * 37 % 5000 for row, size in enumerate(SIZES)]
SOLD = ["yes" if size > 90 else "no" for size in SIZES]


def with_cell(cells: list[object], row: int, cell: object) -> list[object]:
    return [*cells[:row], cell, *cells[row + 1 :]]


def options_of(message: str, first: str, until: str = "") -> list[str]:
    """The options that a message names, as a shell takes them."""
    return shlex.split(
        message[message.index(first) :].partition(until)[0] if until else message[message.index(first) :]
    )


@pytest.mark.parametrize("token", ["", *MISSING_TOKENS, "-", "?", "."])
def test_one_missing_cell_leaves_a_numeric_target_a_regression(tmp_path: Path, token: str) -> None:
    path = write_table(tmp_path / "t.csv", {"size": SIZES, "price": with_cell(PRICES, 57, token)})
    dataset = TableDataset(path, TableSettings("price"))
    assert (dataset.task, dataset.without_target, len(dataset)) == ("regression", 1, 59)
    assert dataset.label.tolist() == with_cell(PRICES, 57, None)[:57] + PRICES[58:]
    assert dict(dataset.words) == ({token: 1} if token else {})


@pytest.mark.parametrize("token", ["", *MISSING_TOKENS, "-", "?", "."])
def test_a_missing_cell_of_a_feature_is_nan_in_every_reader(tmp_path: Path, token: str) -> None:
    path = write_table(tmp_path / "t.csv", {"size": with_cell(SIZES, 5, token), "price": PRICES})
    quoted = tmp_path / "q.csv"
    quoted.write_text(path.read_text().replace("50,", '"50",', 1))
    lines = [{"size": token if row == 5 else SIZES[row], "price": PRICES[row]} for row in range(60)]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, lines)))
    for name in (path, quoted, tmp_path / "t.jsonl"):
        data = TableDataset(name, TableSettings("price")).data.numpy()
        assert np.flatnonzero(np.isnan(data[:, 0])).tolist() == [5]


@pytest.mark.slow
def test_a_row_without_a_target_is_counted_and_evaluated_without(parity, tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", {"size": SIZES, "price": with_cell(PRICES, 57, "NA")})
    trained = parity("train", path, "--target", "price", "--out", tmp_path / "run", "--epochs", 2)
    assert trained.code == 0 and "regression: 1 feature" in trained.err
    assert "1 row has no price and is left out (NA: 1)" in trained.err
    assert parity("export", tmp_path / "run", tmp_path / "package", "--no-plots", "--effort", "quick").code == 0
    evaluated = parity("evaluate", tmp_path / "package", path, "--json")
    assert (json.loads(evaluated.out)["rows"], json.loads(evaluated.out)["without_target"]) == (59, 1)
    assert "1 row has no price and is left out" in parity("evaluate", tmp_path / "package", path).err
    whole = parity("evaluate", tmp_path / "package", tmp_path / "run" / "test.csv")
    assert whole.code == 0 and "left out" not in whole.err


def test_numbers_beside_text_are_never_classes(parity, tmp_path: Path) -> None:
    cells = with_cell(with_cell(PRICES, 3, "sold"), 9, "n.d.")
    path = write_table(tmp_path / "t.csv", {"size": SIZES, "price": with_cell(cells, 11, "NA")})
    refused = parity("train", path, "--target", "price", "--out", tmp_path / "run")
    assert refused.is_refused(1, "57 numbers and 2 cells that are none: 'sold' (row 4), 'n.d.' (row 10)")
    told = options_of(refused.err, "--missing-values", " if they are missing")
    trained = parity("train", path, "--target", "price", "--out", tmp_path / "run", "--epochs", 1, *told)
    assert trained.code == 0 and "regression" in trained.err and "3 rows have no price" in trained.err
    with pytest.raises(InputError) as found:
        TableDataset(path, TableSettings("price", task="regression"))
    assert found.value.column == "price"


def test_a_text_target_says_what_a_word_for_a_missing_cell_is(parity, tmp_path: Path) -> None:
    sizes = with_cell(SIZES, 2, "n/a")
    answers = with_cell(with_cell(with_cell(SOLD, 10, "NA"), 11, "NA"), 12, "NA")
    path = write_table(tmp_path / "t.csv", {"size": sizes, "sold": answers})
    common = ("train", path, "--target", "sold", "--epochs", 1, "--out")
    refused = parity(*common, tmp_path / "run")
    assert refused.is_refused(1, "sold holds text, and NA in 3 rows; say whether that is a missing cell or a class")
    missing = parity(*common, tmp_path / "a", *options_of(refused.err, "--missing-values", " makes it missing"))
    assert missing.code == 0 and "binary (no, yes)" in missing.err
    assert "3 rows have no sold and are left out (NA: 3)" in missing.err
    a_class = options_of(refused.err.partition(" makes it missing, ")[2], "--missing-values", " a class")
    kept = parity(*common, tmp_path / "b", *a_class)
    assert kept.code == 0 and "multiclass (NA, no, yes)" in kept.err and "left out" not in kept.err
    rare = write_table(tmp_path / "r.csv", {"size": SIZES, "sold": with_cell(SOLD, 10, "NA")})
    found = TableDataset(rare, TableSettings("sold"))
    assert (found.classes, found.without_target, dict(found.words)) == (("no", "yes"), 1, {"NA": 1})
    dash = write_table(tmp_path / "v.csv", {"size": SIZES, "sold": with_cell(SOLD, 10, "-")})
    assert TableDataset(dash, TableSettings("sold")).classes == ("-", "no", "yes")
    empty = write_table(tmp_path / "u.csv", {"size": SIZES, "sold": with_cell(SOLD, 10, None)})
    assert TableDataset(empty, TableSettings("sold")).without_target == 1


@pytest.mark.slow
def test_a_package_reads_missing_cells_as_it_was_trained_to(parity, tmp_path: Path) -> None:
    kinds = ["None" if size > 90 else "some" for size in SIZES]
    sizes = with_cell(with_cell(SIZES, 2, "-999"), 7, "absent")
    path = write_table(tmp_path / "t.csv", {"size": sizes, "kind": with_cell(kinds, 10, "absent")})
    told = ("--missing-values", "absent,-999")
    trained = parity("train", path, "--target", "kind", "--out", tmp_path / "run", "--epochs", 1, *told)
    assert trained.code == 0 and "binary (None, some)" in trained.err
    assert parity("export", tmp_path / "run", tmp_path / "package", "--no-plots", "--effort", "quick").code == 0
    contract = json.loads((tmp_path / "package" / "contract.json").read_text())
    assert contract["missing_values"] == ["absent", "-999"]
    evaluated = json.loads(parity("evaluate", tmp_path / "package", path, "--json").out)
    assert (evaluated["rows"], evaluated["without_target"]) == (59, 1)
    (tmp_path / "p.csv").write_text("size\n-999\nabsent\n\n-999.0\n.\n")
    (tmp_path / "p.jsonl").write_text('{"size": -999}\n{"size": "absent"}\n{"size": null}\n{"size": -999.0}\n')
    for name, rows in (("p.csv", 4), ("p.jsonl", 4)):
        done = parity("predict", tmp_path / "package", tmp_path / name, "--columns", "probability_some", "--out",
                      tmp_path / "o.csv" )  # fmt: skip
        assert done.code == 0
        assert len(set((tmp_path / "o.csv").read_text().splitlines()[1:])) == 1, "all of them are one missing cell"
        assert len((tmp_path / "o.csv").read_text().splitlines()) == rows + 1
    (tmp_path / "q.csv").write_text("size\nNA\n")
    assert parity("predict", tmp_path / "package", tmp_path / "q.csv").is_refused(
        1, "row 1: size is 'NA', not a number"
    )
    assert parity("predict", tmp_path / "package", tmp_path / "q.csv", "--missing-values", "NA").code == 0
    assert parity("train", path, "--out", tmp_path / "run", "--resume").is_refused(1, "has finished")


def test_money_is_never_classes_and_is_read_by_the_options_of_the_message(parity, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = "".join(f'{size},"${price:,}"\r\n' for size, price in zip(SIZES, PRICES, strict=True))
    path.write_bytes(b"\xef\xbb\xbf" + f"size,price\r\n{rows}".encode())
    refused = parity("train", path, "--target", "price", "--out", tmp_path / "run")
    assert refused.is_refused(1, f"row 1: price is '${PRICES[0]:,}', an amount of money")
    told = options_of(refused.err, "--currency", " if ")
    assert told == ["--currency", "$", "--thousands", ","]
    trained = parity("train", path, "--target", "price", "--out", tmp_path / "run", "--epochs", 1, *told)
    assert trained.code == 0 and "regression" in trained.err
    settings = TableSettings("price", currency=("$",), thousands=",")
    assert TableDataset(path, settings).label.tolist() == PRICES


@pytest.mark.parametrize(
    ("size", "price"), [("\u00a0{}", "{}"), ("{}\u202f", "{}"), ("{}", "\u00a0{}"), ("{}", "{}\u3000"), ("- {}", "{}")]
)
def test_a_number_in_odd_spaces_is_called_so_and_read_by_the_option_of_the_message(
    parity, tmp_path: Path, size: str, price: str
) -> None:
    cells = {"size": [size.format(cell) for cell in SIZES], "price": [price.format(cell) for cell in PRICES]}
    path = write_table(tmp_path / "t.csv", cells)
    common = ("train", path, "--target", "price", "--out", tmp_path / "run", "--epochs", 1)
    refused = parity(*common)
    place = "behind its sign" if "-" in size else "that is not an ASCII space"
    assert refused.is_refused(1, f"a number with a space {place}; read it with --thousands ' '")
    assert "regression: 1 feature" in parity(*common, *options_of(refused.err, "--thousands")).err


@pytest.mark.parametrize("cell", ["7", "+7", "$7", "7.5"])
def test_numbers_as_text_in_json_are_called_so_and_can_be_classes(parity, tmp_path: Path, cell: str) -> None:
    lines = [{"size": size, "kind": cell if size > 90 else 1} for size in SIZES]
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    common = ("train", path, "--target", "kind", "--out", tmp_path / "run", "--epochs", 1)
    refused = parity(*common)
    assert refused.is_refused(1, f"kind is '{cell}', a") and ", as text; write it as a number, or say" in refused.err
    assert "binary" in parity(*common, *options_of(refused.err, "--task", " if ")).err


def test_codes_beside_text_are_no_numbers_in_another_spelling(tmp_path: Path) -> None:
    kinds = ["007", "008", "none"] * 20
    path = write_table(tmp_path / "t.csv", {"size": SIZES, "kind": kinds})
    assert TableDataset(path, TableSettings("kind")).classes == ("007", "008", "none")


def test_a_comma_that_may_be_either_is_refused_with_both_options(parity, tmp_path: Path) -> None:
    path = write_table(
        tmp_path / "t.csv", {"area": [f'"{size // 10},{size}0"' for size in range(60, 99)], "y": range(39)}
    )
    refused = parity("train", path, "--target", "y", "--out", tmp_path / "run")
    assert refused.is_refused(
        1, "row 1: area is '6,600'", "--thousands , if 6,600 is 6600, or with --decimal , if it is 6.600"
    )
    assert TableDataset(path, TableSettings("y", thousands=",")).data[0, 0] == 6600
    assert TableDataset(path, TableSettings("y", decimal=",")).data[0, 0] == np.float32(6.6)


def test_money_in_a_feature_is_called_money_not_text(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", {"fee": [*range(20), *["$5.50"] * 19], "y": range(39)})
    with pytest.raises(InputError, match=r"row 21: fee is '\$5.50', an amount of money; read it with currency=.'\$',."):
        TableDataset(path, TableSettings("y"))
    path = write_table(tmp_path / "t.csv", {"fee": ["45%", "7.5%"] * 10, "y": range(20)})
    with pytest.raises(InputError, match="fee is '45%', a percentage; read it with percent=True .45% is then 0.45"):
        TableDataset(path, TableSettings("y"))
    assert TableDataset(path, TableSettings("y", percent=True)).data[:2, 0].tolist() == [
        np.float32(0.45),
        np.float32(0.075),
    ]


def test_a_few_cells_of_a_feature_that_are_no_numbers_are_shown(parity, tmp_path: Path) -> None:
    cells = with_cell(with_cell(with_cell(SIZES, 4, "abc"), 5, "NA"), 50, "what, ever")
    path = tmp_path / "t.csv"
    write_table(path, {"size": [f'"{cell}"' for cell in cells], "price": PRICES})
    refused = parity("train", path, "--target", "price", "--out", tmp_path / "run")
    assert refused.is_refused(1, "row 5: size is 'abc', no number among 57, and 1 more cells are none ('what, ever')")
    told = options_of(refused.err, "--missing-values", " if it is a missing cell")
    assert parity("train", path, "--target", "price", "--out", tmp_path / "run", "--epochs", 1, *told).code == 0


@pytest.mark.parametrize(
    ("kinds", "rows", "is_refused"), [(2, 3, True), (2, 4, False), (20, 40, False), (21, 200, True), (21, 210, False)]
)
def test_classes_need_rows(tmp_path: Path, kinds: int, rows: int, is_refused: bool) -> None:
    cells = [f"kind {row % kinds}" for row in range(rows)]
    path = write_table(tmp_path / "t.csv", {"x": range(rows), "y": cells})
    assert len(TableDataset(path, TableSettings("y", task="classification")).classes) == kinds
    if is_refused:
        with pytest.raises(InputError, match=f"text of {kinds} kinds in {rows} rows.*task='classification'"):
            TableDataset(path, TableSettings("y"))
    else:
        assert len(TableDataset(path, TableSettings("y")).classes) == kinds


@pytest.mark.slow
def test_semicolons_and_decimal_commas_are_found_in_every_command(parity, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = "".join(
        f"{size};{size / 100:.2f};{price}\r\n".replace(".", ",") for size, price in zip(SIZES, PRICES, strict=True)
    )
    path.write_bytes(b"size;share;price\r\n" + rows.encode())
    said = f"{path} is read with semicolons between its cells and decimal commas"
    trained = parity("train", path, "--target", "price", "--out", tmp_path / "run", "--epochs", 1)
    assert trained.code == 0 and said in trained.err and "2 features" in trained.err
    assert TableDataset(path, TableSettings("price")).data[0].tolist() == [50, 0.5]
    assert (
        parity("export", tmp_path / "run", tmp_path / "package", "--no-plots", "--effort", "quick", "--certified").code
        == 0
    )
    for command in ("predict", "evaluate", "certify"):
        options = ("--columns", "size,share") if command == "predict" else ()
        done = parity(command, tmp_path / "package", path, *options)
        assert done.code == 0 and said in done.err, done
    assert parity("evaluate", tmp_path / "package", tmp_path / "run" / "test.csv").code == 0


@pytest.mark.parametrize("cell", ["{}.{:03d} €", "{}.{:03d}", "{}.{:03d},5 €", "{} {:03d},5 €", "{}.{:03d}.000"])
def test_the_options_of_a_message_carry_the_decimal_comma_that_was_found(parity, tmp_path: Path, cell: str) -> None:
    rows = "".join(f"{row},{row % 9};{cell.format(1 + row % 3, row * 7)}\n" for row in range(40))
    (tmp_path / "t.csv").write_text(f"a;price\n{rows}")
    common = ("train", tmp_path / "t.csv", "--target", "price", "--out", tmp_path / "run", "--epochs", 1)
    refused = parity(*common)
    assert refused.code == 1 and "row 1: price is" in refused.err
    told = options_of(refused.err, "--currency" if "€" in cell else "--thousands", " if ")
    assert told[-2:] == ["--decimal", ","]
    trained = parity(*common, *told)
    assert trained.code == 0 and "regression: 1 feature" in trained.err
    settings = TableSettings("price", currency=("€",), thousands=told[told.index("--thousands") + 1], decimal=",")
    assert int(TableDataset(tmp_path / "t.csv", settings).label[1]) == (2_007_000 if cell.endswith("000") else 2007)


@pytest.mark.slow
def test_an_index_is_left_out_named_and_passes_through(parity, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = write_table(tmp_path / "t.csv", {"": range(60), "size": SIZES, "price": PRICES})
    trained = parity("train", path, "--target", "price", "--out", tmp_path / "run", "--epochs", 1)
    assert "1 feature" in trained.err and "the unnamed first column is an index and is left out" in trained.err
    assert parity("export", tmp_path / "run", tmp_path / "package", "--no-plots", "--effort", "quick").code == 0
    answered = parity("predict", tmp_path / "package", path, "--columns", ",size").out.splitlines()
    assert answered[:2] == [",size", "0,50"]
    named = pyarrow.table({"size": SIZES, "price": PRICES, "__index_level_0__": list(range(60))})
    parquet.write_table(named, tmp_path / "t.parquet")
    other = parity("train", tmp_path / "t.parquet", "--target", "price", "--out", tmp_path / "other", "--epochs", 1)
    assert "1 feature" in other.err and "__index_level_0__ is an index and is left out" in other.err
    passed = parity("predict", tmp_path / "package", tmp_path / "t.parquet", "--columns", "__index_level_0__,size")
    assert passed.out.splitlines()[:2] == ["size,__index_level_0__", "50,0"]
    kept = TableDataset(tmp_path / "t.parquet", TableSettings("price", features=("__index_level_0__", "size")))
    assert (kept.features, kept.index) == (("__index_level_0__", "size"), ())


@pytest.mark.parametrize(
    ("names", "index"),
    [
        (["Unnamed: 0", "Unnamed: 0.1"], ("Unnamed: 0", "Unnamed: 0.1")),
        (["Unnamed: 0.1", "Unnamed: 0"], ("Unnamed: 0.1", "Unnamed: 0")),
        (["Unnamed: 0.1.1", "Unnamed: 0.1", "Unnamed: 0"], ("Unnamed: 0.1.1", "Unnamed: 0.1", "Unnamed: 0")),
        (["", "Unnamed: 0"], ("", "Unnamed: 0")),
        (["Unnamed: 0", "Unnamed: 1"], ("Unnamed: 0", "Unnamed: 1")),
        (["id", "Unnamed: 1"], ()),
        (["Unnamed: 0", "id", "Unnamed: 2"], ("Unnamed: 0",)),
    ],
)
def test_an_index_that_was_saved_more_than_once_is_left_out_as_a_whole(
    tmp_path: Path, names: list[str], index: tuple[str, ...]
) -> None:
    columns = dict.fromkeys(names, SIZES)
    path = write_table(tmp_path / "t.csv", {**columns, "size": SIZES, "price": PRICES})
    dataset = TableDataset(path, TableSettings("price"))
    assert dataset.index == index
    assert dataset.features == (*(name for name in names if name not in index), "size")


def test_columns_that_look_like_an_index_alone_can_be_taken(parity, tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", {"Unnamed: 0": SIZES, "Unnamed: 1": SIZES, "price": PRICES})
    common = ("train", path, "--target", "price", "--out", tmp_path / "run", "--epochs", 1)
    refused = parity(*common)
    assert refused.is_refused(
        1, "leaves no column to predict from, as the rest counts as an index (Unnamed: 0, Unnamed: 1)"
    )
    assert "2 features" in parity(*common, *options_of(refused.err, "--features")).err


def test_a_column_without_a_name_holds_nothing_or_is_refused(tmp_path: Path) -> None:
    rows = "".join(f"{size},{price},,\n" for size, price in zip(SIZES, PRICES, strict=True))
    (tmp_path / "t.csv").write_text(f"size,price,,\n{rows}")
    assert TableDataset(tmp_path / "t.csv", TableSettings("price")).features == ("size",)
    (tmp_path / "t.csv").write_text(f"size,price,,\n{rows}1,2,,3\n")
    with pytest.raises(InputError, match="row 61: column 4 has no name"):
        TableDataset(tmp_path / "t.csv", TableSettings("price"))


def test_parquet_and_arrays_say_missing_in_their_own_way(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    prices = with_cell(with_cell([float(price) for price in PRICES], 3, None), 4, float("nan"))
    parquet.write_table(pyarrow.table({"size": SIZES, "price": prices}), tmp_path / "t.parquet")
    array = np.array(list(zip(SIZES, map(float, PRICES), strict=True)), [("size", "f4"), ("price", "f8")])
    array["price"][[3, 4]] = np.nan
    np.save(tmp_path / "t.npy", array)
    for name in ("t.parquet", "t.npy"):
        dataset = TableDataset(tmp_path / name, TableSettings("price"))
        assert (dataset.task, dataset.without_target, len(dataset)) == ("regression", 2, 58)
    texts = pyarrow.table({"size": SIZES, "price": [f"${price:,}" for price in PRICES]})
    parquet.write_table(texts, tmp_path / "text.parquet")
    with pytest.raises(InputError, match="an amount of money"):
        TableDataset(tmp_path / "text.parquet", TableSettings("price"))
    with pytest.raises(InputError, match=re.escape("price holds string, not numbers: '$80,000' is an amount of money")):
        TableDataset(tmp_path / "text.parquet", TableSettings("size", features=("price",)))


def test_a_run_is_resumed_with_the_cells_that_it_was_trained_on(tmp_path: Path) -> None:
    from parity_training import NetworkChoice, Run, TrainSettings, table_data, train_model
    from parity_training.data.table_source import settings_from_source

    path = write_table(tmp_path / "t.csv", {"size": with_cell(SIZES, 3, "absent"), "price": PRICES})
    settings = TableSettings("price", missing_values=("absent",), thousands=",")
    training_data = table_data(TableDataset(path, settings), settings, "t")
    train_model(training_data, NetworkChoice(), TrainSettings(epochs=1), tmp_path / "run")
    run_cached = settings_from_source(Run.open(tmp_path / "run").recipe.data)
    assert (run_cached.missing_values, run_cached.thousands, run_cached.features) == (("absent",), ",", ("size",))
    assert table_data(TableDataset(path, run_cached), run_cached, "t").source == Run.open(tmp_path / "run").recipe.data


def test_the_name_of_a_file_says_that_tabs_separate_its_cells(parity, tmp_path: Path) -> None:
    cities = ["" if row % 5 == 3 else ("York", "Hull")[row % 2] for row in range(60)]
    lines = [f"{size}\t{city}\t{sold}" for size, city, sold in zip(SIZES, cities, SOLD, strict=True)]
    (tmp_path / "t.tsv").write_text("size\tcity\tsold\n" + "\n".join(lines) + "\n")
    trained = parity("train", tmp_path / "t.tsv", "--target", "sold", "--out", tmp_path / "run", "--epochs", 1)
    assert trained.code == 0 and "binary (no, yes), positive is yes: 2 features" in trained.err
    assert "  city  categorical  one-hot of 2  12 missing" in trained.err.splitlines()


def test_codes_that_begin_with_zeros_are_categories_and_can_be_numbers(parity, tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", {"zip": [f"0{1000 + row % 9}" for row in range(60)], "price": PRICES})
    common = ("train", path, "--target", "price", "--out", tmp_path / "run", "--epochs", 1)
    assert "  zip  categorical  one-hot of 9" in parity(*common).err.splitlines()
    assert "  zip  numeric  standardized" in parity(*common, "--force", "--numeric", "zip").err.splitlines()


def test_a_rare_class_is_compared_with_always_answering_the_other(parity, tmp_path: Path) -> None:
    late = ["yes" if row % 10 == 4 else "no" for row in range(200)]
    path = write_table(tmp_path / "t.csv", {"size": [row % 7 for row in range(200)], "late": late})
    common = ("train", path, "--target", "late", "--epochs", 1, "--out")
    trained = parity(*common, tmp_path / "run")
    assert "90.00% of 20 held-out rows are right, no better than always saying no: 90.00%; recall of yes: 0.00%" in (
        trained.out
    )
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert (found["balanced_accuracy"], found["baseline"]["accuracy"], found["baseline"]["predicts"]) == (
        0.5,
        0.9,
        "no",
    )
    path = write_table(tmp_path / "t.csv", {"size": [row % 7 for row in range(200)], "late": ["no", "yes"] * 100})
    assert "right; always saying no: 50.00%\n" in parity(*common, tmp_path / "even").out
