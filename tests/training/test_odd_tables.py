"""Small tables as people keep them (tests/data/tables): what `parity train` does with default options."""

from pathlib import Path

import pytest

TABLES = Path(__file__).parent.parent / "data" / "tables"
TRAINS = {
    "na_in_numeric_target.csv": ("price", ["regression: 1 feature", "1 row has no price and is left out (NA: 1)"]),
    "na_in_class_target.csv": ("sold", ["binary (no, yes)", "1 row has no sold and is left out (NA: 1)"]),
    "european.csv": (
        "price",
        ["is read with semicolons between its cells and decimal commas", "regression: 2 features"],
    ),
    "tabs.tsv": ("sold", ["city  categorical  one-hot of 3  35 missing", "binary (no, yes)"]),
    "categories.csv": ("price", ["garden  boolean", "built   datetime     year, month, day, weekday", "35 missing"]),
    "pandas_index.csv": ("price", ["the unnamed first column is an index and is left out", "regression: 1 feature"]),
    "names_with_spaces.csv": ("Sale Price", ["Home City  categorical  one-hot of 3", "regression: 2 features"]),
    "imbalanced.csv": ("late", ["are right, no better than always saying no: 100.00%; no row is yes"]),
    "leading_zeros.csv": ("price", ["zip  categorical"]),
}
REFUSED = {
    "currency_target.csv": (
        "price", "--currency '$' --thousands , if 84,400 is 84400", ["--currency=$", "--thousands=,"],
    ),
    "thousands_feature.csv": ("price", "--thousands , if 5,000 is 5000", ["--thousands", ","]),
}  # fmt: skip


@pytest.mark.parametrize("name", TRAINS)
def test_it_trains_at_the_first_try_and_says_what_it_found(parity, tmp_path: Path, name: str) -> None:  # type: ignore[no-untyped-def]
    target, words = TRAINS[name]
    done = parity("train", TABLES / name, "--target", target, "--epochs", 1, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    for word in words:
        assert (done.err + done.out).count(word) == 1, done


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_options_that_read_it(parity, tmp_path: Path, name: str) -> None:  # type: ignore[no-untyped-def]
    target, words, options = REFUSED[name]
    command = ("train", TABLES / name, "--target", target, "--epochs", 1, "--out", tmp_path / "run")
    assert parity(*command).is_refused(1, words)
    done = parity(*command, *options)
    assert done.code == 0 and "regression: 1 feature" in done.err, done.err
