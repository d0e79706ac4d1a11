"""The cells of tests/data/cells.json as the Python runtime reads them; the other examples' tests replay them too."""

import csv
import io

import numpy as np
import pytest

from parity_runtime import Predictor, verify
from tests.embedding.cells import REFUSED, TABLES, CellTable

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", TABLES)
def test_every_cell_reaches_the_graph_as_it_should(parity, cell_tables: dict[str, CellTable], tmp_path, name) -> None:
    table = cell_tables[name]
    path = tmp_path / "t.csv"
    path.write_text(table.csv())
    assert same_answers(parity("predict", table.package, path).out, table)
    typed = table.cells | {"size": table.sizes}
    assert np.array_equal(Predictor(table.package).predict(typed), table.answers)
    assert verify(table.package).deviations[0].failed == 0


def test_a_cell_of_another_kind_is_refused_with_its_row_and_column(
    parity, cell_tables: dict[str, CellTable], tmp_path
) -> None:
    for table, column, cell in REFUSED:
        path = tmp_path / "t.csv"
        path.write_text(cell_tables[table].csv(**{column: cell}))
        done = parity("predict", cell_tables[table].package, path)
        assert done.code == 1 and f"row 1: {column} is " in done.err, (table, column, cell, done.err)


def same_answers(text: str, table: CellTable) -> bool:
    """Whether a table of predictions is the one that is expected, its given cells as they stood."""
    rows = list(csv.DictReader(io.StringIO(text)))
    found = np.array([list(row.values())[-table.answers.shape[1] :] for row in rows], np.float32)
    given = {name: [row[name] for row in rows] for name in table.cells}
    return given == table.cells and np.array_equal(found, table.answers)
