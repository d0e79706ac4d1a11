"""The pages that the site makes from docstrings: what stands in the code is what a reader sees."""

import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = """
.. autoclass:: parity_runtime.Predictor
   :inherited-members: ABC

.. autoclass:: parity_runtime.ModelContract

.. autoclass:: parity_runtime.inference.fitted_estimator.FittedEstimator
"""


@pytest.mark.slow
def test_a_page_has_inherited_members_the_text_of_properties_and_short_types(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    source, built = tmp_path / "source", tmp_path / "built"
    (source / "reference").mkdir(parents=True)
    (source / "index.rst").write_text(f"Site\n====\n{PAGE}")
    options = ["--quiet", "--builder", "text", "--conf-dir", str(DOCS), "--define", "exclude_patterns=reference"]
    subprocess.run([sys.executable, "-m", "sphinx", *options, source, built], check=True)
    page = (built / "index.txt").read_text()
    assert "decision_function(" in page and "close()" in page  # of bases that are private
    assert "**classes_**" in page  # one of scikit-learn's names, which end so
    assert 'What the session runs on: "cpu" or "cuda".' in page and "Type:" not in page
    assert "rows: ArrayLike | Mapping[str, ArrayLike]" in page and "_SupportsArray" not in page
    assert "graphs: Mapping[str, str] = ...," in page and "<factory>" not in page
    contract = (source / "reference" / "schemas" / "contract.rst").read_text()
    assert "``row_independent``" in contract and "``graphs``\n     - object" in contract  # it refers to what it narrows
