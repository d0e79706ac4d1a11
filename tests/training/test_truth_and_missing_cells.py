"""Truth values and missing cells: what a target and a feature make of them, in any spelling and in any row."""

import json
from pathlib import Path

import pytest

from parity_runtime import InputError
from parity_training import TableDataset, TableSettings, TrainingData, table_data
from parity_training.fitting.preprocessing import preprocessing_of
from parity_training.reports.column_report import column_warnings
from tests.training.tables import write_table

ROWS = 60
SIZES = [50 + row * 7 % 90 for row in range(ROWS)]


def read(path: Path, target: str = "y", **settings: object) -> tuple[TableDataset, TrainingData]:
    chosen = TableSettings(target, **settings)  # type: ignore[arg-type]
    dataset = TableDataset(path, chosen)
    return dataset, table_data(dataset, chosen, "t")


def warned(path: Path, **settings: object) -> str:
    dataset, training_data = read(path, **settings)
    return "\n".join(column_warnings(dataset.columns, training_data))


TRUTH = [(row * 5 % 7) < 3 for row in range(ROWS)]


@pytest.mark.parametrize("spelled", [("True", "False"), ("TRUE", "FALSE"), ("true", "false"), ("true", "False")])
def test_a_target_of_truth_values_has_the_classes_false_and_true(tmp_path: Path, spelled: tuple[str, str]) -> None:
    path = write_table(tmp_path / "t.csv", {"size": SIZES, "y": [spelled[not truth] for truth in TRUTH]})
    dataset, training_data = read(path)
    assert dataset.classes == ("false", "true") and dataset.label.tolist() == [int(truth) for truth in TRUTH]
    assert training_data.contract.positive == "true"
    assert read(path, positive=spelled[1])[0].classes == ("true", "false")
    assert "y:" not in warned(path)


def test_a_mixture_of_spellings_is_two_classes(tmp_path: Path) -> None:
    cells = [(("True", "TRUE", "true") if truth else ("False", "false", "FALSE"))[row % 3]
             for row, truth in enumerate(TRUTH)]  # fmt: skip
    dataset, _ = read(write_table(tmp_path / "t.csv", {"size": SIZES, "y": cells}))
    assert dataset.classes == ("false", "true") and dataset.label.tolist() == [int(truth) for truth in TRUTH]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_truth_values_of_other_formats_are_the_same_classes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    if suffix == "jsonl":
        rows = [json.dumps({"size": size, "y": truth}) for size, truth in zip(SIZES, TRUTH, strict=True)]
        path.write_text("\n".join(rows))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.table({"size": SIZES, "y": TRUTH}), path)
    dataset, _ = read(path)
    assert dataset.classes == ("false", "true") and dataset.label.tolist() == [int(truth) for truth in TRUTH]


def test_classes_that_look_alike_are_warned_of(tmp_path: Path) -> None:
    cells = [("yes", "Yes", "no")[row % 3] for row in range(ROWS)]
    assert "y: 'Yes' and 'yes' differ in case" in warned(write_table(tmp_path / "t.csv", {"size": SIZES, "y": cells}))


def test_a_column_of_truth_values_that_is_said_to_be_categorical_stays_boolean_and_says_so(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", {"size": SIZES, "x": TRUTH, "y": [size * 1.5 for size in SIZES]})
    assert read(path, categorical=("x",))[0].kinds["x"].kind == "boolean"
    assert "x holds true and false alone and stays boolean" in warned(path, categorical=("x",))
    assert "stays boolean" not in warned(path)


@pytest.mark.parametrize("odd", ["", "NA"])
def test_a_cell_that_is_missing_in_a_row_without_target_can_be_predicted(tmp_path: Path, odd: str) -> None:
    truth: list[object] = [*TRUTH]
    sizes, target = [*map(str, SIZES)], [str(size * 1.5) for size in SIZES]
    sizes[7], truth[8], target[7], target[8] = odd, odd, "", ""
    dataset, training_data = read(write_table(tmp_path / "t.csv", {"size": sizes, "x": truth, "y": target}))
    assert len(dataset) == ROWS - 2
    assert [feature.missing for feature in training_data.contract.features] == ["impute", "impute"]
    told = preprocessing_of(training_data)
    assert told["impute"] and "indicators" not in told
    sizes[9] = "1 km"  # cannot be read, and is refused as what it is where its row has a target
    with pytest.raises(InputError, match="row 10: size"):
        read(write_table(tmp_path / "t.csv", {"size": sizes, "x": truth, "y": target}))


def test_a_row_whose_target_is_a_word_among_numbers_counts_as_well(tmp_path: Path) -> None:
    sizes, target = [*map(str, SIZES)], [str(size * 1.5) for size in SIZES]
    sizes[7], target[7] = "", "-"  # missing among numbers alone
    dataset, training_data = read(write_table(tmp_path / "t.csv", {"size": sizes, "y": target}))
    assert len(dataset) == ROWS - 1 and training_data.contract.features[0].missing == "impute"


def test_a_dictionary_of_integers_is_a_code(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pandas")
    from pyarrow import feather

    codes = pyarrow.array([(3, 7, None)[row % 3] for row in range(ROWS)]).dictionary_encode()
    shares = pyarrow.array([row % 4 / 4 for row in range(ROWS)]).dictionary_encode()
    table = {"x": codes, "share": shares, "y": [size * 1.5 for size in SIZES]}
    feather.write_feather(pyarrow.table(table), tmp_path / "t.feather")
    pyarrow.table(table).to_pandas().to_parquet(tmp_path / "t.parquet")
    for path in (tmp_path / "t.feather", tmp_path / "t.parquet"):
        dataset, training_data = read(path)
        assert {name: found.kind for name, found in dataset.kinds.items()} == {"x": "code", "share": "numeric"}
        assert training_data.contract.features[0].categories == ("3", "7")
        assert read(path, numeric=("x",))[0].kinds["x"].kind == "numeric"


def test_codes_and_letters_in_several_forms_are_warned_of_so_that_they_can_be_told_apart(tmp_path: Path) -> None:
    sizes = {"y": [size * 1.5 for size in SIZES]}
    codes = [("1", "01", "1.0", "A7")[row % 4] for row in range(ROWS)]
    assert "x: '01' and '1' and '1.0' differ" in warned(write_table(tmp_path / "t.csv", {"x": codes} | sizes))
    names = [("caf\u00e9", "cafe\u0301", "bar")[row % 3] for row in range(ROWS)]
    told = warned(write_table(tmp_path / "t.csv", {"x": names} | sizes))
    assert r"'cafe\u0301' and 'café' differ" in told
    turned = [("bar\u202e", "pub", "Pub")[row % 3] for row in range(ROWS)]
    told = warned(write_table(tmp_path / "t.csv", {"x": turned} | sizes))
    assert "'Pub' and 'pub' differ" in told and r"invisible characters, or white space around: 'bar\u202e'" in told


def test_a_category_that_no_graph_can_hold_is_said_to_be_one(tmp_path: Path) -> None:
    names = [("a\0b", "pub", "bar")[row % 3] for row in range(ROWS)]
    told = warned(write_table(tmp_path / "t.csv", {"x": names, "y": [size * 1.5 for size in SIZES]}))
    assert "a NUL character, which no graph can hold, is in 1 of them" in told and "once or never" not in told


def test_dates_in_iso_and_another_format_are_left_out_with_a_line(tmp_path: Path) -> None:
    days = [f"2020-01-{1 + row % 9:02}" if row % 3 == 0 else f"{13 + row % 9}/02/2020" for row in range(ROWS)]
    path = write_table(tmp_path / "t.csv", {"x": days, "size": SIZES, "y": [size * 1.5 for size in SIZES]})
    (left_out,) = read(path)[0].columns.left_out
    assert "x holds dates, some in ISO 8601 and others as %d/%m/%Y" in left_out.said
    assert read(path, categorical=("x",))[0].kinds["x"].kind == "categorical"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            '"a\nb",y\n' + "".join(f"{size},{size}.5\n" for size in SIZES),
            r"t.csv: the column 'a\nb' has a name that does",
        ),
        ("5.1,3.5,setosa\n4.9,3.0,virginica\n", "no column 'y'; it has 5.1, 3.5, setosa (is its header missing? name"),
        ("39,State,Bachelors,7.5\n", "is its header missing?"),
    ],
)
def test_names_that_are_none_are_said_with_the_file_and_a_way_out(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(InputError) as found:
        read(tmp_path / "t.csv")
    assert words in str(found.value)


def test_names_that_hold_numbers_are_no_missing_header(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("city,name,2019\na,b,1\n")
    with pytest.raises(InputError) as found:
        read(tmp_path / "t.csv")
    assert "header" not in str(found.value)
