import importlib.util
from pathlib import Path

import pytest

import parity_export
import parity_runtime
import parity_runtime.sklearn
import parity_training
import parity_training.sklearn


@pytest.mark.parametrize(
    "package", [parity_runtime, parity_runtime.sklearn, parity_training, parity_training.sklearn, parity_export]
)
def test_the_public_names_are_sorted_documented_and_there(package: object) -> None:
    names = package.__all__  # type: ignore[attr-defined]
    assert names == sorted(names)
    for name in names:
        value = getattr(package, name)
        assert isinstance(value, (str, dict)) or value.__doc__, name


def test_no_public_package_lacks_its_type_marker() -> None:
    for package in ("parity_runtime", "parity_training", "parity_export"):
        spec = importlib.util.find_spec(package)
        assert spec is not None and spec.origin is not None
        assert (Path(spec.origin).parent / "py.typed").is_file()
