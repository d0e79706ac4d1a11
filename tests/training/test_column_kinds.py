"""Columns as people have them: what kind each is, which are left out, and what is said about it."""

import itertools
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

from parity_runtime import InputError
from parity_runtime.arguments import options_are_named
from parity_runtime.evaluation.running_stats import RunningStats
from parity_training import TableDataset, TableSettings, TrainingData, table_data
from parity_training.data.column_kinds import HEAD_ROWS
from parity_training.data.encode_columns import INDICES, encode_columns
from parity_training.data.vocabulary import CategoryCounts
from parity_training.reports.column_report import column_report, column_warnings
from tests.training.tables import write_table

ROWS = 60
SIZES = [50 + row * 7 % 90 for row in range(ROWS)]
PRICES = [1400 * size + 10_000 + row * 37 % 5000 for row, size in enumerate(SIZES)]
DAYS = [np.datetime64("1966-02-03") + 41 * row for row in range(ROWS)]


def cells(*some: object) -> list[object]:
    """These cells over and over, a row each."""
    return [some[row % len(some)] for row in range(ROWS)]


def written(form: str) -> list[str]:
    """Sixty days in a format of strftime, among them one that no other order of day and month reads."""
    return [day.item().strftime(form) for day in DAYS]


def read(path: Path, target: str = "price", **settings: object) -> tuple[TableDataset, TrainingData]:
    """A table, and what is trained on."""
    chosen = TableSettings(target, **settings)  # type: ignore[arg-type]
    dataset = TableDataset(path, chosen)
    return dataset, table_data(dataset, chosen, "t")


def table(folder: Path, column: list[object], **others: object) -> Path:
    """A table of a column ``x``, sizes and prices."""
    quoted = ["" if cell is None else f'"{cell}"' for cell in column]
    return write_table(folder / "t.csv", {"x": quoted, "size": SIZES, **others, "price": PRICES})  # type: ignore[dict-item]


KINDS: dict[str, tuple[list[object], str, str | None]] = {
    "numbers": (cells(1, 2.5, "-3e2", "", "NA", "-"), "numeric", None),
    "zeros and ones": (cells(0, 1, 1), "numeric", None),
    "truth": (cells("True", "false", "TRUE", "", "NA"), "boolean", None),
    "truth and figures": (cells("true", "0", "false"), "boolean", None),
    "yes and no": (cells("yes", "no"), "categorical", None),
    "text": (cells("York", "Leeds", "", "Hull"), "categorical", None),
    "a dash among text": (cells("York", "-", "Hull"), "categorical", None),
    "codes": (cells("007", "008", "012", 120), "categorical", None),
    "a zero before a number": (cells(1.5, "007", 3), "numeric", None),
    "months of May": ([f"May {1 + row % 28} 2020" for row in range(ROWS)], "datetime", "%b %d %Y"),
    "text beside numbers": (cells("a", "b", 3), "categorical", None),
    "iso dates": ([str(day) for day in DAYS], "datetime", None),
    "iso times": ([f"{day} 23:05:07.25" for day in DAYS], "datetime", None),
    "zoned times": ([f"{day}T23:05:07+02:00" for day in DAYS], "datetime", None),
    **{form: (written(form), "datetime", form) for form in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d %H:%M",
                                                            "%b %d %Y", "%d %b %Y", "%B %d, %Y")},
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_a_column_s_kind_is_told_from_its_cells(tmp_path: Path, name: str) -> None:
    column, kind, form = KINDS[name]
    dataset, training_data = read(table(tmp_path, column))
    assert (dataset.kinds["x"].kind, dataset.kinds["x"].form) == (kind, form)
    feature = training_data.contract.features[0]
    assert (feature.name, feature.kind, feature.format) == ("x", kind, form)
    if kind == "datetime":
        assert name == "months of May" or dataset.data[:, -1].tolist() == [day.item().year for day in DAYS]


@pytest.mark.parametrize(
    ("column", "why", "setting"),
    [
        ([f"person {row % 31}" for row in range(ROWS)], "identifier", "categorical"),
        (range(ROWS), "row number", "numeric"),
        (range(1, ROWS + 1), "row number", "numeric"),
        ([7] * ROWS, "constant", "numeric"),
        (["same"] * ROWS, "constant", "categorical"),
        (["true"] * ROWS, "constant", "numeric"),
        (["2020-01-01"] * ROWS, "constant", "datetime"),
        ([None] * ROWS, "empty", None),
        (cells("NA", None, "-"), "empty", None),
    ],
)
def test_what_tells_nothing_is_left_out_and_kept_by_the_setting_that_is_named(
    tmp_path: Path, column: list[object], why: str, setting: str | None
) -> None:
    path = table(tmp_path, list(column))
    dataset, training_data = read(path)
    assert dataset.features == ("size",)
    assert dataset.data.shape == (ROWS, 1) and dataset.data.is_contiguous()
    assert dataset.data[:, 0].tolist() == SIZES
    (left_out,) = dataset.columns.left_out
    assert (left_out.name, left_out.why) == ("x", why)
    assert f"  {left_out.said}" in column_report(dataset.columns, training_data)
    if setting:
        assert left_out.said.endswith(f"{setting}=('x',) keeps it")
        kept, _ = read(path, **{setting: ("x",)})
        assert kept.features == ("x", "size") and not kept.columns.left_out
        named, _ = read(path, features=("x",))
        assert named.features == ("x",)


@pytest.mark.parametrize(
    "column",
    [
        [f"person {row % 30}" for row in range(ROWS)],  # half of them
        [7] * (ROWS - 1) + [None],
        [*range(ROWS - 1), 0],
        ["same"] * (ROWS - 1) + [None],
    ],
)
def test_what_tells_something_is_kept(tmp_path: Path, column: list[object]) -> None:
    assert read(table(tmp_path, column))[0].features == ("x", "size")


def test_rows_without_a_target_do_not_make_a_row_number_of_another_column(tmp_path: Path) -> None:
    prices: list[object] = [None, *PRICES[1:]]
    path = write_table(tmp_path / "t.csv", {"x": range(ROWS), "y": [0, *range(ROWS - 1)], "price": prices})
    dataset, _ = read(path)
    assert [one.name for one in dataset.columns.left_out] == ["x"]
    assert dataset.rows.places is not None
    assert dataset.rows.places.tolist() == list(range(2, ROWS + 1))


def test_dates_that_can_be_read_in_two_ways_are_left_out_with_both_settings(tmp_path: Path) -> None:
    path = table(tmp_path, [f"0{1 + row % 9}/0{1 + row % 7}/2001" for row in range(ROWS)])
    dataset, _ = read(path)
    (left_out,) = dataset.columns.left_out
    assert left_out.why == "ambiguous"
    assert "datetime=('x=%d/%m/%Y',) or datetime=('x=%m/%d/%Y',)" in left_out.said
    by_day, _ = read(path, datetime=("x=%d/%m/%Y",))
    by_month, _ = read(path, datetime=("x=%m/%d/%Y",))
    assert by_day.rows.all.seconds[1, 0] == np.datetime64("2001-02-02", "s").astype(int)
    assert by_day.rows.all.seconds[8, 0] == np.datetime64("2001-02-09", "s").astype(int)
    assert by_month.rows.all.seconds[8, 0] == np.datetime64("2001-09-02", "s").astype(int)
    with pytest.raises(InputError, match="more than one way"):
        read(path, features=("x",))


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ("1.5.2021", "row 41: x is '1.5.2021', not a date of the years 1 to 9999 in ISO 8601"),
        ("2021-02-30", "row 41: x is '2021-02-30', not a date"),
        ("2021-01-01T10:00Z", "row 41: x is '2021-01-01T10:00Z', with a time zone, and '1966-02-03' has none"),
    ],
)
def test_a_date_unlike_the_others_is_refused_with_its_row(tmp_path: Path, odd: str, words: str) -> None:
    path = table(tmp_path, [odd if row == 40 else str(day) for row, day in enumerate(DAYS)])
    with pytest.raises(InputError) as found:
        read(path)
    assert words in str(found.value) and "\n" not in str(found.value)
    assert "categorical=('x',), or leave it out with drop_columns=('x',)" in str(found.value)
    assert read(path, categorical=("x",))[0].kinds["x"].kind == "categorical"


def test_dates_before_1970_and_missing_ones_are_what_the_reference_says(tmp_path: Path) -> None:
    column: list[object] = [None if row % 9 == 4 else f"{day}T{row % 24:02}:30" for row, day in enumerate(DAYS)]
    path = table(tmp_path, column)
    dataset, training_data = read(path)
    found = encode_columns(
        training_data.contract,
        {"features": training_data.data[:, :1].numpy(), "timestamps": dataset.rows.all.seconds},
    )
    assert np.array_equal(found["features"], training_data.data.numpy(), equal_nan=True)
    assert training_data.indices is not None
    assert np.array_equal(found[INDICES], training_data.indices.numpy())
    assert training_data.indices[1].tolist() == [3, 16, 3, 2] and training_data.indices[4].tolist() == [0, 0, 0, 0]


def test_codes_are_one_category_however_they_are_written(tmp_path: Path) -> None:
    path = table(tmp_path, cells(3, "3.0", 12, "", 7))
    assert read(path)[0].kinds["x"].kind == "numeric"
    _, training_data = read(path, categorical=("x",))
    feature = training_data.contract.features[0]
    assert (feature.kind, feature.categories) == ("code", ("3", "7", "12"))
    assert training_data.indices is not None
    assert training_data.indices[:5, 0].tolist() == [2, 2, 4, 0, 3]
    assert read(table(tmp_path, cells("03", 4)), numeric=("x",))[0].data[0, 0] == 3
    assert read(table(tmp_path, cells(1.5, 4)), categorical=("x",))[0].kinds["x"].kind == "categorical"


def test_only_categories_of_the_training_rows_have_an_index(tmp_path: Path) -> None:
    path = table(tmp_path, ["rare" if row == 5 else "often" if row % 2 else "York" for row in range(ROWS)])
    _, training_data = read(path, test=0.4)
    assert training_data.contract.features[0].categories == ("York", "often")
    train = dict.fromkeys(training_data.split.train.tolist(), "x")
    once = next(row for row in range(ROWS) if row not in train)
    path = table(tmp_path, ["unseen" if row == once else "often" if row % 2 else "York" for row in range(ROWS)])
    dataset, again = read(path, test=0.4)
    assert again.indices is not None and again.indices[once, 0] == 1
    (told,) = column_warnings(dataset.columns, again)
    assert "x: 2 of 3 categories have an index; the others, in 1 rows, count as unknown" in told


def test_a_category_of_very_many_values_keeps_the_frequent_ones(tmp_path: Path) -> None:
    rows = 30_000
    names = [f"c{min(row % 3000, row % 2000)}" for row in range(rows)]
    path = write_table(tmp_path / "t.csv", {"x": names, "y": [row % 7 * 1.5 for row in range(rows)]})
    dataset, training_data = read(path, "y")
    feature = training_data.contract.features[0]
    assert len(feature.categories) == 1000
    assert training_data.indices is not None and training_data.indices.dtype == torch.int16
    unknown = int((training_data.indices == 1).sum())
    told = next(column_warnings(dataset.columns, training_data))
    assert f"x: 1000 of 2000 categories have an index; the others, in {unknown} rows, count as unknown" in told
    assert "embedding 50 of 1000" in " ".join(column_report(dataset.columns, training_data))
    counts = np.unique(np.array(names)[training_data.split.train], return_counts=True)
    few = read(path, "y", max_categories=2)[1].contract.features[0].categories
    assert {counts[1][counts[0] == name].item() for name in few} == {counts[1].max()}


def test_lookalikes_and_invisible_characters_are_named_and_not_merged(tmp_path: Path) -> None:
    path = table(tmp_path, cells("York", "york", "Yo\u200brk", "Leeds", "Leeds\u00a0"))
    dataset, training_data = read(path)
    assert len(training_data.contract.features[0].categories) == 5
    (told,) = column_warnings(dataset.columns, training_data)
    assert "differ in case, white space, invisible characters or the form of a number or letter alone" in told
    assert r"'Yo\u200brk'" in told and r"'Leeds\xa0'" in told
    (told,) = column_warnings_of(table(tmp_path, cells("York", " Hull")))
    assert told == "x: invisible characters, or white space around: ' Hull'; they count as they are"


def column_warnings_of(path: Path, target: str = "price") -> list[str]:
    dataset, training_data = read(path, target)
    return list(column_warnings(dataset.columns, training_data))


def test_a_feature_that_tells_the_target_is_named(tmp_path: Path) -> None:
    (told,) = column_warnings_of(table(tmp_path, list(PRICES)))
    assert told.startswith("x equals price in every row") and "drop_columns=('x',) leaves it out" in told
    kinds = cells("cat", "dog", "owl")
    sounds = cells("miaow", "woof", "hoot")
    path = write_table(tmp_path / "u.csv", {"size": SIZES, "sound": sounds, "code": cells(7, 9, 5), "kind": kinds})
    assert [told.partition(" corresponds")[0] for told in column_warnings_of(path, "kind")] == ["code", "sound"]
    path = write_table(tmp_path / "v.csv", {"size": SIZES, "sound": [*sounds[:-1], "miaow"], "kind": kinds})
    assert column_warnings_of(path, "kind") == []


def test_empty_cells_and_words_for_missing_ones_are_one_category(tmp_path: Path) -> None:
    _, training_data = read(table(tmp_path, cells("York", "", "NA", " ", "null", "Hull")))
    assert training_data.contract.features[0].categories == ("Hull", "York")
    assert training_data.indices is not None and training_data.indices[:6, 0].tolist() == [3, 0, 0, 0, 0, 2]


def test_all_that_is_wrong_is_one_message_with_one_command_that_works(parity, tmp_path: Path) -> None:
    columns = {
        "size": SIZES,
        "fee": [f"${size}.50" for size in SIZES],
        "room area": [*SIZES[:-1], "n.d."],
        "b": [*SIZES[:-2], *"uv"],
        "price": PRICES,
    }
    path = write_table(tmp_path / "t.csv", columns)
    command = ("train", path, "--target", "price", "--out", tmp_path / "run", "--epochs", 1, "--drop-columns", "size")
    refused = parity(*command)
    assert refused.is_refused(1, "3 columns cannot be read: row 1: fee is '$50.50', an amount of money", "'n.d.'")
    typed = shlex.split(refused.err.strip().partition("; this reads the table: ")[2])
    assert typed[:2] == ["parity", "train"]
    trained = parity(*typed[1:])
    assert trained.code == 0 and "regression: 3 features" in trained.err, trained


def test_all_that_is_wrong_is_one_message_with_settings_that_work(tmp_path: Path) -> None:
    columns = {"fee": [f"${size}.50" for size in SIZES], "b": [*SIZES[:-2], *"uv"], "part": ["5%"] * len(SIZES)}
    path = write_table(tmp_path / "t.csv", {"size": SIZES, **columns, "price": PRICES})
    with pytest.raises(InputError, match=r"3 columns cannot be read: row 1: fee is '\$50.50'") as refused:
        read(path, drop_columns=("size",))
    written = str(refused.value).partition("; this reads the table: ")[2]
    assert written.startswith("currency=('$',), ") and "percent=True" in written
    settings = eval(f"dict({written})")  # noqa: S307 -- the message, as it would be pasted
    assert read(path, **{"drop_columns": ("size",), **settings})[0].features[0] == "fee"


def test_columns_that_contradict_one_another_are_not_read_by_one_command(parity, tmp_path: Path) -> None:
    whole = ["1,234,567", "2,000,001", "950"]
    columns = {"a": cells(*(f'"{cell}"' for cell in whole)), "b": cells('"0,5"', '"12,25"'), "size": SIZES}
    path = write_table(tmp_path / "t.csv", {**columns, "price": PRICES})
    command = ("train", path, "--target", "price", "--out", tmp_path / "run", "--epochs", 1, "--drop-columns", "size")
    refused = parity(*command)
    assert refused.err.strip().endswith("--thousands , --drop-columns size,b")
    trained = parity(*shlex.split(refused.err.strip().partition("; this reads the table: ")[2])[1:])
    assert trained.code == 0 and "regression: 1 feature," in trained.err


def test_a_column_that_changes_its_kind_far_down_is_one_line_with_the_row(parity, tmp_path: Path) -> None:
    rows, odd = HEAD_ROWS + 5000, HEAD_ROWS + 3000
    lines = [f"{row % 97},{row % 13}.5" for row in range(rows)]
    lines[odd:] = [f"c{row % 97},{row % 13}.5" for row in range(odd, rows)]
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "\n".join(lines) + "\n")
    command = ("train", path, "--target", "y", "--out", tmp_path / "run", "--epochs", 1)
    refused = parity(*command)
    assert refused.is_refused(1, f"row {odd + 1}: x is 'c", f"no number among {odd}", "take the column as text with")
    told = refused.err[refused.err.index("--categorical") :].partition(", or")[0]
    assert parity(*command, *shlex.split(told)).code == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"numeric": ("sise",)}, "no column 'sise'; it has x, size, price; did you mean 'size'"),
        ({"categorical": ("x",), "numeric": ("x",)}, "'x' is named by numeric and by categorical"),
        ({"categorical": ("x",), "drop_columns": ("x",)}, "'x' is dropped and cannot be a feature"),
        ({"categorical": ("x",), "id_columns": ("x",)}, "'x' is dropped and cannot be a feature"),
        ({"categorical": ("x",), "features": ("size",)}, "categorical names 'x', which is not among the features"),
        ({"categorical": ("price",)}, "'price' is the target"),
        ({"datetime": ("x=%Q",)}, "'%Q' is not a date format"),
        ({"datetime": ("x=%Y",)}, "lacks the year, the month or the day"),
        ({"datetime": ("x",)}, "row 1: x is 'York', not a date"),
        ({"numeric": ("x",)}, "row 1: x is 'York', not a number"),
        ({"max_categories": 0}, "max_categories is 0"),
    ],
)
def test_what_is_said_of_columns_must_fit_them(tmp_path: Path, settings: dict[str, object], words: str) -> None:
    with pytest.raises(InputError) as found:
        read(table(tmp_path, cells("York", "Hull")), **settings)
    assert words in str(found.value) and "\n" not in str(found.value)


def test_columns_whose_names_hold_commas_and_signs_can_be_said(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = "".join(f"0{1 + row % 9}/01/2001,{row % 3},{row}.5\n" for row in range(ROWS))
    path.write_text(f'"a=b, c",code,y\n{rows}')
    dataset, _ = read(path, "y", datetime=("a=b, c=%d/%m/%Y",))
    assert dataset.kinds["a=b, c"].form == "%d/%m/%Y"
    with options_are_named():
        left_out = read(path, "y")[0].columns.left_out[0].said
    assert "--datetime '\"a=b, c=%d/%m/%Y\"'" in left_out


def test_ids_are_no_features(tmp_path: Path) -> None:
    assert read(table(tmp_path, cells("York", "Hull")), id_columns=("x",))[0].features == ("size",)


def test_parquet_and_json_say_the_kind_themselves(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from decimal import Decimal

    from pyarrow import parquet

    days = [day.item() for day in DAYS]
    columns = {
        "truth": pyarrow.array(cells(True, False, None)),
        "day": pyarrow.array(days),
        "moment": pyarrow.array(days).cast(pyarrow.timestamp("ns", "UTC")),
        "money": pyarrow.array([Decimal(size) / 4 for size in SIZES]),
        "count": pyarrow.array(cells(1, None, 3), pyarrow.int64()),
        "city": pyarrow.array(cells("York", "Hull", None)).dictionary_encode(),
        "list": pyarrow.array(cells([1], [2])),
        "price": PRICES,
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    dataset, training_data = read(tmp_path / "t.parquet")
    kinds = {name: found.kind for name, found in dataset.kinds.items()}
    assert kinds == {"truth": "boolean", "day": "datetime", "moment": "datetime", "money": "numeric",
                     "count": "numeric", "city": "categorical"}  # fmt: skip
    assert [one.why for one in dataset.columns.left_out] == ["unreadable"]
    lines = [json.dumps({"truth": truth, "day": str(day), "city": city, "price": price})
             for truth, day, city, price in zip(cells(True, False, None), days, cells("York", "Hull", None), PRICES,
                                                strict=True)]  # fmt: skip
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    other, of_lines = read(tmp_path / "t.jsonl")
    assert {name: found.kind for name, found in other.kinds.items()} == {
        "truth": "boolean", "day": "datetime", "city": "categorical"}  # fmt: skip
    code, _ = read(tmp_path / "t.parquet", categorical=("count",))
    assert code.kinds["count"].kind == "code"
    assert training_data.indices is not None and of_lines.indices is not None
    assert torch.equal(training_data.indices[:, :5], of_lines.indices)
    assert torch.equal(torch.nan_to_num(other.data[:, 0]), torch.nan_to_num(dataset.data[:, 0]))


def test_counts_of_parts_merge_to_the_same_categories_in_any_order() -> None:
    random = np.random.default_rng(0)
    texts = [f"c{number}" for number in random.zipf(1.5, 3000) % 500] + [""] * 7
    parts = [texts[start::4] for start in range(4)]
    whole = CategoryCounts()
    whole.update(texts)
    for order in itertools.permutations(range(4)):
        merged = CategoryCounts()
        for place in order:
            part = CategoryCounts()
            part.update(parts[place])
            merged.merge(part)
        assert merged.chosen(50) == whole.chosen(50)
        assert (merged.missing, merged.distinct) == (7, whole.distinct)


def test_statistics_of_parts_merge_in_any_order() -> None:
    rows = np.random.default_rng(0).normal(50, 9, (300, 3))
    rows[::7, 1] = np.nan
    for order in itertools.permutations(range(3)):
        merged = RunningStats(3)
        for place in order:
            part = RunningStats(3)
            part.update(rows[place::3])
            merged.merge(part)
        np.testing.assert_array_equal(merged.count, (~np.isnan(rows)).sum(axis=0))
        np.testing.assert_allclose(merged.mean, np.nanmean(rows, axis=0), rtol=1e-13)
        np.testing.assert_allclose(merged.deviation, np.nanstd(rows, axis=0), rtol=1e-13)
