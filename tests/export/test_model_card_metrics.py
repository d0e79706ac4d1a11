"""The held-out metrics of a model card: of each target, in the words of its task, and without the table's markup."""

from pathlib import Path

import numpy as np

from parity_export import ExportOptions, export_package, source_from_run
from parity_export.model_card import as_text
from parity_training import NetworkChoice, TableDataset, TableSettings, TrainSettings, table_data, train_model
from tests.training.tables import classes_table, write_table


def card_of(folder: Path, target: str | tuple[str, ...]) -> str:
    """Return the card of a package that is trained on ``t.csv``."""
    chosen = TableSettings(target)
    problem = table_data(TableDataset(folder / "t.csv", chosen), chosen, "t")
    run = train_model(problem, NetworkChoice(), TrainSettings(epochs=2), folder / "run")
    options = ExportOptions(plots=False, effort="quick")
    return (export_package(source_from_run(run), folder / "p", options).path / "README.md").read_text()


def test_several_targets_have_a_table_each_and_no_curves(tmp_path: Path) -> None:
    x = np.linspace(-1, 1, 200).round(3)
    write_table(tmp_path / "t.csv", {"x": x, "<b>wide</b>": 100 * x, "slim": -x})
    card = card_of(tmp_path, ("<b>wide</b>", "slim"))
    assert "\nOf \\<b>wide\\</b>:\n" in card and "\nOf slim:\n" in card and card.count("| rmse |") == 3
    assert "residuals and importance" in card and "curves" not in card


def test_a_class_is_no_tag_of_the_card(tmp_path: Path) -> None:
    classes_table(tmp_path / "t.csv", classes=("<img src=x>", "a|b"))
    card = card_of(tmp_path, "kind")
    told = card[card.index("## How good") :].replace("\\<", "").replace("\\|", "")
    assert "<img" not in told and "a|b" not in told and "curves, calibration and importance" in told


def test_what_markdown_takes_for_text_stands_as_it_is() -> None:
    assert as_text("always saying <=50K: 84 %") == "always saying <=50K: 84 %"
