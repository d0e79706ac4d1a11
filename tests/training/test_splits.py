"""Which rows are trained on, validate and are held out: by group, in time, as files say, and in folds."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import InputError
from parity_training import TableDataset, TableSettings, stream_table, table_data
from parity_training.data.split_rule import SplitRule
from tests.training.tables import write_table

ROWS = 400


@pytest.fixture
def visits(tmp_path: Path) -> Path:
    """Several visits of each of 40 patients, over a year."""
    random = np.random.default_rng(0)
    dose = random.normal(size=ROWS).round(4)
    days = np.arange(ROWS) * 86400 * 0.9
    when = [str(np.datetime64("2024-01-01") + np.timedelta64(int(second), "s"))[:10] for second in days]
    return write_table(
        tmp_path / "visits.csv",
        {
            "dose": dose,
            "patient": [f"p{number}" for number in random.integers(0, 40, ROWS)],
            "when": when,
            "well": np.where(dose + random.normal(0, 0.3, ROWS) > 0, "yes", "no"),
        },
    )


def parts(path: Path, **options: object) -> tuple[TableDataset, dict[str, np.ndarray]]:
    settings = TableSettings("well", **options)  # type: ignore[arg-type]
    data = table_data(TableDataset(path, settings), settings, "visits")
    return data.table.file if data.table else None, {  # type: ignore[return-value]
        part: data.part(part).numpy() for part in ("train", "validation", "test")
    }


def column(path: Path, name: str) -> np.ndarray:
    with path.open(newline="") as file:
        return np.array([row[name] for row in csv.DictReader(file)])


def test_rows_of_a_group_are_in_one_part_and_parts_have_about_their_shares(visits: Path) -> None:
    _, found = parts(visits, group="patient")
    patients = column(visits, "patient")
    groups = [{*patients[rows]} for rows in found.values()]
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]
    assert sum(map(len, found.values())) == ROWS
    assert 20 <= len(found["test"]) <= 60 and 20 <= len(found["validation"]) <= 60


@pytest.mark.parametrize("memory", [None, 2**20])
def test_the_same_groups_are_held_out_whatever_the_order_of_the_rows(
    visits: Path, tmp_path: Path, memory: int | None
) -> None:
    header, *lines = visits.read_text().splitlines()
    shuffled = tmp_path / "shuffled.csv"
    shuffled.write_text("\n".join([header, *np.random.default_rng(1).permutation(lines)]) + "\n")
    settings = TableSettings("well", group="patient", drop_columns=("when",))
    held_out = []
    for path in (visits, shuffled):
        data = (
            table_data(TableDataset(path, settings), settings, "v")
            if memory is None
            else stream_table(path, settings, "v", memory=memory).data
        )
        names, *rows = data.held_out("test")
        held_out.append({row[names.index("patient")] for row in rows})
    assert held_out[0] == held_out[1]


@pytest.mark.parametrize("seed", range(8))
def test_one_group_of_most_rows_is_trained_on(seed: int) -> None:
    groups = np.repeat(np.arange(21.0), [900, *[10] * 20])
    found = SplitRule(np.zeros(1100, np.int64), groups).split(validation=0.05, test=0.05, seed=seed)
    assert 0 in groups[found.train] and len(found.validation) == len(found.test) == 50


def test_few_large_groups_make_a_part_each() -> None:
    groups = np.repeat(np.arange(3.0), [50, 30, 20])
    found = SplitRule(np.zeros(100, np.int64), groups).split(validation=0.1, test=0.1, seed=0)
    assert len(found.train) == 50 and {len(found.validation), len(found.test)} == {30, 20}


def test_a_group_is_no_feature_unless_it_is_named_as_one(visits: Path) -> None:
    settings = TableSettings("well", group="patient", drop_columns=("when",))
    assert TableDataset(visits, settings).features == ("dose",)
    settings = TableSettings("well", group="patient", categorical=("patient",), drop_columns=("when",))
    assert TableDataset(visits, settings).features == ("dose", "patient")


def test_the_last_rows_in_time_are_held_out_whatever_their_order_in_the_file(visits: Path, tmp_path: Path) -> None:
    header, *lines = visits.read_text().splitlines()
    shuffled = tmp_path / "shuffled.csv"
    shuffled.write_text("\n".join([header, *np.random.default_rng(1).permutation(lines)]) + "\n")
    _, found = parts(shuffled, time="when")
    when = column(shuffled, "when").astype("datetime64[D]")
    assert when[found["train"]].max() < when[found["validation"]].min()
    assert when[found["validation"]].max() < when[found["test"]].min()
    assert 36 <= len(found["test"]) <= 44


def test_rows_of_one_time_stay_together(tmp_path: Path) -> None:
    years = np.repeat(np.arange(2000, 2010), 20)
    random = np.random.default_rng(0)
    path = write_table(tmp_path / "y.csv", {"x": random.normal(size=200), "year": years, "well": ["a", "b"] * 100})
    _, found = parts(path, time="year", validation=0.15, test=0.15)
    assert [sorted({*years[rows]}) for rows in found.values()] == [
        [*range(2000, 2006)],
        [2006, 2007],
        [2008, 2009],
    ] or [len({*years[rows]}) for rows in found.values()] in ([7, 1, 2], [7, 2, 1], [8, 1, 1])
    assert not {*years[found["train"]]} & {*years[found["test"]]}


def test_files_give_the_rows_that_validate_and_are_held_out(parity, visits: Path, tmp_path: Path) -> None:
    header, *lines = visits.read_text().splitlines()
    names = {}
    for name, rows in (("a", lines[:300]), ("v", lines[300:340]), ("t", lines[340:])):
        names[name] = tmp_path / f"{name}.csv"
        names[name].write_text("\n".join([header, *rows]) + "\n")
    answer = parity(
        *("train", names["a"], "--validation-file", names["v"], "--test-file", names["t"], "--target", "well"),
        *("--drop-columns", "patient,when", "--epochs", 2, "--out", tmp_path / "run"),
    )
    assert answer.code == 0, answer.err
    assert "300 rows to train on, 40 to validate, 60 held out" in answer.err
    held_out = (tmp_path / "run" / "test.csv").read_text().splitlines()
    assert [line.partition(",")[2] for line in held_out[1:]] == lines[340:]
    resumed = json.loads((tmp_path / "run" / "recipe.json").read_text())["data"]
    assert resumed["test_file"] == str(names["t"]) and resumed["validation_file"] == str(names["v"])


@pytest.mark.parametrize("memory", [None, 2**20])
def test_a_folder_gives_the_rows_that_validate(visits: Path, tmp_path: Path, memory: int | None) -> None:
    header, *lines = visits.read_text().splitlines()
    (tmp_path / "held").mkdir()
    for name, rows in (("a", lines[:300]), ("held/1", lines[300:350]), ("held/2", lines[350:])):
        (tmp_path / f"{name}.csv").write_text("\n".join([header, *rows]) + "\n")
    settings = TableSettings("well", features=("dose",), validation_file=str(tmp_path / "held"), test=0)
    whole = tmp_path / "a.csv"
    data = (
        table_data(TableDataset(whole, settings), settings, "v")
        if memory is None
        else stream_table(whole, settings, "v", memory=memory).data
    )
    assert data.num_rows("train") == 300 and data.num_rows("validation") == 100


def test_a_file_is_not_both_trained_on_and_held_out(parity, visits: Path, tmp_path: Path) -> None:
    answer = parity("train", visits, "--target", "well", "--test-file", visits, "--out", tmp_path / "run")
    assert answer.code == 1 and "is named twice" in answer.err and not (tmp_path / "run").exists()
    empty = tmp_path / "empty.csv"
    empty.write_text("dose,patient,when,well\n1,p1,2024-01-01,\n")
    answer = parity("train", visits, "--target", "well", "--test-file", empty, "--out", tmp_path / "run")
    assert answer.code == 1 and f"{empty} has no row with a target; leave out --test-file" in answer.err


def test_a_group_is_in_one_part_of_files_as_well(parity, visits: Path, tmp_path: Path) -> None:
    header, *lines = visits.read_text().splitlines()
    of_few = [line.split(",")[1] in ("p1", "p2") for line in lines]
    names = {}
    for name, rows in (("rest", [not few for few in of_few]), ("few", of_few), ("half", [True] * 200 + [False] * 200)):
        kept = [line for line, row in zip(lines, rows, strict=True) if row]
        names[name] = tmp_path / f"{name}.csv"
        names[name].write_text("\n".join([header, *kept]) + "\n")
    options = ("--target", "well", "--drop-columns", "when", "--group", "patient", "--epochs", 1)
    for number, memory in enumerate([(), ("--memory", "5MB")]):
        out = tmp_path / f"run{number}"
        answer = parity("train", names["rest"], *options, *memory, "--test-file", names["half"], "--out", out)
        said = f"{names['half']}: 37 of its 39 groups by patient have rows in another part as well; take them out, or"
        assert answer.code == 1 and said in answer.err and not out.exists(), answer.err
        answer = parity("train", names["rest"], *options, *memory, "--test-file", names["few"], "--out", out)
        assert answer.code == 0, answer.err
        assert {*column(out / "test.csv", "patient")} == {"p1", "p2"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--validation-file", "v.csv", "--validation", "0.2"),
            "--validation-file replaces --validation",
        ),
        (("--test-file", "t.csv", "--test", "0.2"), "--test-file replaces --test; leave out one of them"),
        (("--threshold-for", "f1", "--threshold", "0.5"), "--threshold-for replaces --threshold; leave"),
        (("--combine", "best"), "--combine says what is kept of several networks; give --restarts 2 or more"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    parity, visits: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    answer = parity("train", visits, "--target", "well", *options, "--out", tmp_path / "run")
    assert answer.code == 1 and said in answer.err and answer.err.count("\n") == 1, answer.err


def test_a_fold_that_leaves_one_group_to_train_on_is_named(parity, tmp_path: Path) -> None:
    columns = {"x": range(60), "of": ["a", "b", "c"] * 20, "y": np.arange(60) / 7}
    path = write_table(tmp_path / "t.csv", columns)
    options = ("--target", "y", "--group", "of", "--epochs", 1, "--folds", 2, "--out", tmp_path / "run")
    answer = parity("train", path, *options)
    assert answer.code == 1 and "of the rows beside a fold of --folds 2, --group makes one group of all" in answer.err
    assert not (tmp_path / "run").exists() and not (tmp_path / "run.unfinished").exists()
    answer = parity("train", path, *options, "--validation", 0)
    assert answer.code == 0, answer.err


def test_in_time_it_is_said_which_rows_are_the_last(parity, visits: Path, tmp_path: Path) -> None:
    other = tmp_path / "t.csv"
    other.write_text("\n".join(visits.read_text().splitlines()[:51]) + "\n")
    options = ("--target", "well", "--features", "dose", "--time", "when", "--epochs", 1, "--out", tmp_path / "run")
    answer = parity("train", visits, *options)
    assert "in the order of when: the last are held out, and those before them validate\n" in answer.err
    answer = parity("train", visits, *options, "--test-file", other, "--force")
    assert "in the order of when: the last validate\n" in answer.err


def test_rows_on_a_disk_are_split_by_group_and_by_files_as_well(visits: Path, tmp_path: Path) -> None:
    found = stream_table(visits, TableSettings("well", group="patient", drop_columns=("when",)), "v", memory=2**20).data
    held_out = [row[2] for row in found.held_out("test")][1:]
    assert held_out
    whole = column(visits, "patient")
    assert len(held_out) == sum(name in {*held_out} for name in whole)
    other = tmp_path / "t.csv"
    other.write_text("\n".join(visits.read_text().splitlines()[:51]) + "\n")
    settings = TableSettings("well", drop_columns=("when", "patient"), test_file=str(other))
    assert stream_table(visits, settings, "v", memory=2**20).data.num_rows("test") == 50
    with pytest.raises(InputError, match="sorts all rows, and these are on a disk"):
        stream_table(visits, TableSettings("well", time="when"), "v", memory=2**20)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--group", "one"), "--group makes one group of all rows, too few for 3 parts"),
        (("--time", "one"), "--time has 1 different times, too few for 3 parts"),
        (("--time", "gaps"), "row 3: gaps is missing, so that the row has no place in time"),
        (("--time", "zones"), "time zone"),
        (("--time", "words"), "words holds neither numbers nor dates in ISO 8601"),
        (("--time", "day", "--group", "one"), "leave out one of them"),
        (("--weight", "negative"), "row 2: negative is '-1'; a weight is 0 or more"),
        (("--weight", "zero"), "every training row has the weight 0"),
        (("--weight", "past", "--time", "day"), "every validation row has the weight 0, so that no epoch is better"),
        (("--weight", "huge"), "row 2: huge is '1e39'; a weight is at most 3.4e+38"),
        (("--group", "uneven", "--folds", "2", "--test", "0"), "--group makes one group of all rows, too few for 2"),
        (
            ("--folds", "2", "--validation", "0.04"),
            "--folds 2: in fold 1 the part validation has no rows; give fewer folds",
        ),
        (("--folds", "2", "--threshold-for", "f1", "--time", "day", "--test", "0"), "in fold 1 --threshold-for needs"),
        (("--weight", "words"), "words"),
        (("--group", "nowhere"), "has no column 'nowhere'"),
        (("--folds", "200"), "fewer folds"),
        (("--folds", "1"), "folds is 1; it must be at least 2"),
        (("--folds", "2", "--memory", "5MB"), "--folds takes rows in memory"),
    ],
)
def test_rows_that_cannot_be_split_or_weighed_are_refused_in_one_line(
    parity, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    rows = 30
    path = write_table(
        tmp_path / "t.csv",
        {
            "x": np.random.default_rng(0).normal(size=rows),
            "one": ["a"] * rows if "--time" not in options[:1] else [2024] * rows,
            "gaps": [None if row == 2 else row * 2 for row in range(rows)],
            "zones": ["2024-01-01T00:00:00Z" if row else "2024-01-01T00:00:00" for row in range(rows)],
            "words": [f"w{row}" for row in range(rows)],
            "day": range(rows),
            "negative": [-1 if row == 1 else 1 for row in range(rows)],
            "zero": [0] * rows,
            "past": [1] * 20 + [0] * 10,
            "huge": ["1e39" if row == 1 else "1" for row in range(rows)],
            "uneven": [0] * 20 + [1] * 5 + [2] * 5,
            "well": ["yes", "no"] * (rows // 2),
        },
    )
    command = ["train", path, "--target", "well", "--features", "x", *options, "--out", tmp_path / "run", "--epochs", 1]
    answer = parity(*command)
    assert answer.code in (1, 2) and said in answer.err, answer.err
    assert "Traceback" not in answer.err and not (tmp_path / "run").exists()
    assert not (tmp_path / "run.unfinished").exists()


def test_folds_hold_every_row_out_once_and_keep_classes_and_groups() -> None:
    classes = np.repeat([0, 1, 2], [60, 30, 1])
    folds = list(SplitRule(classes).folds(5, 0.1, seed=1))
    held_out = np.concatenate([fold.test for fold in folds])
    assert sorted(held_out) == [*range(90)]  # the only row of its class is trained on by all
    for fold in folds:
        assert sorted(np.bincount(classes[fold.test])) == [6, 12]
        assert 90 in fold.train and not {*fold.train} & {*fold.test} and not {*fold.validation} & {*fold.test}
    groups = np.arange(91) % 7
    for fold in SplitRule(classes, groups=groups).folds(3, 0.2, seed=1):
        assert not {*groups[fold.test]} & {*groups[fold.train]}
        assert not {*groups[fold.test]} & {*groups[fold.validation]}


def test_folds_in_time_are_predicted_from_the_past_alone() -> None:
    times = np.random.default_rng(0).permutation(100) // 2
    folds = list(SplitRule(np.zeros(100, np.int64), times=times).folds(4, 0.1, seed=1))
    assert len(folds) == 4
    for fold in folds:
        assert times[fold.train].max() < times[fold.validation].min() <= times[fold.test].min()
        assert times[fold.validation].max() < times[fold.test].min()
    assert len({*np.concatenate([fold.test for fold in folds])}) == sum(len(fold.test) for fold in folds)


@pytest.mark.parametrize("memory", [(), ("--memory", "5MB")])
def test_a_class_that_only_a_file_has_is_refused(parity, visits: Path, tmp_path: Path, memory: tuple[str, ...]) -> None:
    other = tmp_path / "other.csv"
    other.write_text(visits.read_text().replace(",yes\n", ",maybe\n", 1))
    options = ("--target", "well", "--features", "dose", "--test-file", other, *memory, "--out", tmp_path / "run")
    answer = parity("train", visits, *options)
    assert answer.code == 1 and f"{other} holds 'maybe', and no row that is trained on is of this class" in answer.err


def test_a_class_that_only_comes_last_is_said(parity, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    kinds = ["a", "b"] * 45 + ["new"] * 10
    path = write_table(tmp_path / "t.csv", {"x": random.normal(size=100), "day": range(100), "kind": kinds})
    command = ("train", path, "--target", "kind", "--features", "x", "--time", "day", "--epochs", 1)
    answer = parity(*command, "--out", tmp_path / "run")
    assert answer.code == 0, answer.err
    assert "kind: no row that is trained on is new, which can never be predicted" in answer.err


def test_groups_that_are_the_classes_hold_nothing_out_and_are_refused() -> None:
    classes = np.repeat([0, 1, 2, 3], 30)
    with pytest.raises(InputError, match="leaves no rows for the part"):
        SplitRule(classes, groups=classes.astype(np.float64)).split(0.1, 0.1, seed=1)
