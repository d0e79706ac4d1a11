import json
from pathlib import Path

import numpy as np
import pytest

from parity_export import ExportOptions, export_package, source_from_run
from parity_runtime import FormatError, Package, compare_with_training
from parity_runtime.drift.profile import read_profile
from parity_training import Run, TableDataset, TableSettings, XORSettings, table_data, train_xor, xor_data
from parity_training.data.training_profile import training_profile

pytestmark = pytest.mark.slow


def write_mixed(path: Path, rows: int = 600) -> Path:
    """Write a table of every kind of column, with missing cells and a category of one row."""
    random = np.random.default_rng(2)
    cities, ages = random.choice(["Wien", "Graz", "Linz", "NA"], rows), random.integers(18, 90, rows)
    cities[rows // 2] = "Bern"
    with path.open("w") as file:
        file.write("city,age,height,when,new,code,price,sold\n")
        for row, (city, age) in enumerate(zip(cities, ages, strict=True)):
            height = "" if row % 10 == 0 else f"{random.normal(170, 10):.2f}"
            when = np.datetime64("2020-01-01") + int(random.integers(0, 900))
            price = age * 10 + (city == "Wien") * 100
            new = "true" if row % 4 else "false"
            file.write(f"{city},{age},{height},{when},{new},{row % 3},{price},{'yes' if price > 550 else 'no'}\n")
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mixed(tmp_path_factory.mktemp("profile") / "t.csv")


def test_the_profile_counts_the_training_rows_alone(table: Path) -> None:
    settings = TableSettings("sold", categorical=("code",), drop_columns=("price",))
    data = table_data(TableDataset(table, settings), settings, "t")
    profile = training_profile(data)
    assert profile is not None and profile.rows == len(data.part("train")) == 480
    assert {counts.cells for counts in profile.columns.values()} == {480}
    rows = data.part("train").numpy()
    cells = [line.split(",") for line in table.read_text().splitlines()[1:]]
    cities = [cells[row][0] for row in rows]
    city = profile.columns["city"]
    assert city.feature.categories == ("Graz", "Linz", "Wien")
    assert city.bins.tolist() == [cities.count(name) for name in ("Graz", "Linz", "Wien")]
    assert (city.missing, city.unknown) == (cities.count("NA"), cities.count("Bern"))
    heights = profile.columns["height"]
    assert heights.missing == sum(not cells[row][2] for row in rows) and len(heights.edges) == 9
    assert heights.bins.max() - heights.bins.min() <= 2
    assert profile.columns["new"].bins.tolist() == [
        sum(cells[row][4] == word for row in rows) for word in ("false", "true")
    ]
    seconds = {int(np.datetime64(cells[row][3], "s").astype(np.int64)) for row in rows}
    assert set(profile.columns["when"].edges) <= seconds
    assert profile.target is not None and profile.target.classes is not None
    assert profile.target.classes.tolist() == [sum(cells[row][7] == word for row in rows) for word in ("no", "yes")]


@pytest.mark.parametrize("target", ["sold", "price"])
def test_a_run_and_its_package_carry_the_profile(parity, table: Path, tmp_path: Path, target: str) -> None:
    other = "price" if target == "sold" else "sold"
    trained = parity(
        "train", table, "--target", target, "--drop-columns", other, "--epochs", 1, "--out", tmp_path / "run"
    )
    assert trained.code == 0, trained
    exported = parity("export", tmp_path / "run", tmp_path / "package", "--no-plots", "--effort", "quick")
    assert exported.code == 0, exported
    data = (tmp_path / "run" / "profile.json").read_bytes()
    assert (tmp_path / "package" / "profile.json").read_bytes() == data
    assert parity("verify", tmp_path / "package").code == 0
    report = compare_with_training(tmp_path / "package", table)
    assert report.training_rows == 480 and not any(column.shift for column in report.columns)
    assert all(not column.outside or column.outside < 0.02 for column in report.columns)
    evaluated = parity("evaluate", tmp_path / "package", tmp_path / "run" / "test.csv")
    assert "beside 480 rows of training" in evaluated.out
    assert ("of true values outside" in evaluated.out) == (target == "price")


def test_the_profile_of_a_regression_has_the_target_s_own_unit(table: Path) -> None:
    settings = TableSettings("price", drop_columns=("sold",))
    profile = training_profile(table_data(TableDataset(table, settings), settings, "t"))
    assert profile is not None and profile.target is not None and profile.target.values is not None
    values = profile.target.values
    assert values.bins.sum() == 480 and values.feature.range == (180.0, 990.0)


def test_the_profile_of_xor_takes_a_kilobyte() -> None:
    profile = training_profile(xor_data(XORSettings()))
    assert profile is not None and profile.rows == 5000
    assert [counts.bins.tolist() for counts in profile.columns.values()] == [[500] * 10] * 2
    assert len(profile.dump()) < 1500


def test_a_run_without_a_profile_gives_a_package_without_one(tmp_path: Path) -> None:
    run = train_xor(tmp_path / "run", XORSettings(size=200, epochs=1))
    (run.path / "profile.json").unlink()
    assert Run.open(run.path).profile() is None
    exported = export_package(source_from_run(run), tmp_path / "package", ExportOptions(plots=False, effort="quick"))
    assert "profile.json" not in Package.open(exported.path).entries
    assert read_profile(exported.path) is None


def test_a_malformed_profile_of_a_run_is_one_sentence(tmp_path: Path) -> None:
    run = train_xor(tmp_path / "run", XORSettings(size=200, epochs=1))
    value = json.loads((run.path / "profile.json").read_text())
    value["columns"].pop()
    (run.path / "profile.json").write_text(json.dumps(value))
    with pytest.raises(FormatError, match=r"profile\.json: its columns are not those of the contract"):
        source_from_run(run)


def test_a_run_that_is_replaced_may_hold_a_profile(tmp_path: Path) -> None:
    train_xor(tmp_path / "run", XORSettings(size=200, epochs=1))
    again = train_xor(tmp_path / "run", XORSettings(size=200, epochs=1), replace=True)
    assert (again.path / "profile.json").is_file()
