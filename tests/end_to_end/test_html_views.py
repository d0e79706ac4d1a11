"""What objects show in a notebook: whole, well-formed HTML, in which no text of others is obeyed."""

import dataclasses
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from parity_runtime import Feature, Package, Predictor
from parity_runtime.package.contract_view import contract_view
from parity_training import Run
from parity_training.reports.run_plots import plot_run

DATA = Path(__file__).parent.parent / "data"
EVIL = "<script>alert('x')</script><img src=x onerror=\"alert(1)\">&amp;"
ALONE = {"img"}


class Shown(HTMLParser):
    """What a reader sees of HTML, and the tags that it is made of."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open == [], "a tag is left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ALONE:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1] != "style":
            self.words.append(data)

    def sources(self) -> list[str]:
        return [source for tag, attributes in self.tags if tag == "img" and (source := attributes["src"])]


def shown(value: Run | Predictor | Package) -> Shown:
    found = value._repr_html_()
    assert found is not None
    return Shown(found)


def test_a_predictor_shows_what_it_takes_and_what_it_runs_on() -> None:
    predictor = Predictor(DATA / "xor_certified", certified=True)
    words = shown(predictor).words
    assert words[0] == "Predictor xor"
    for word in (
        "binary",
        "0, 1",
        "1 (from probability 0.5 on)",
        "x1",
        "-0.3247 to 1.342",
        "cpu",
        predictor.package_id,
    ):
        assert word in words
    assert "with each prediction, from the certified graph" in words
    predictor.close()
    assert "cpu, closed" in shown(predictor).words
    assert "none: the default graph" in shown(Predictor(DATA / "rent")).words


def test_columns_show_their_kind_and_what_training_saw() -> None:
    words = shown(Predictor(DATA / "mixed")).words
    assert words[words.index("color") :][:4] == ["color", "categorical", "red, green, crème brûlée", "impute"]
    assert words[words.index("when") :][:3] == ["when", "datetime", "1969-12-31 to 2020-09-13"]


def test_a_model_over_tensors_shows_them() -> None:
    assert {"x: float32[batch, time, 3]", "output_1: float32[batch, 2]"} <= {*shown(Predictor(DATA / "series")).words}


def test_a_package_shows_its_contract_and_falls_back_where_it_is_damaged(tmp_path: Path) -> None:
    package = Package.open(DATA / "xor_certified")
    assert {"Package xor", "in a certified graph", "x2", package.id} <= {*shown(package).words}
    copy = Path(shutil.copytree(DATA / "xor", tmp_path / "copy"))
    (copy / "contract.json").write_text("{}")
    assert Package.open(copy)._repr_html_() is None


def test_texts_of_a_contract_are_shown_and_never_obeyed() -> None:
    contract = Package.open(DATA / "mixed").contract
    features = [dataclasses.replace(feature, name=f"{EVIL}{index}") for index, feature in enumerate(contract.features)]
    text = next(index for index, feature in enumerate(features) if feature.kind == "categorical")
    features[text] = dataclasses.replace(features[text], categories=(EVIL, "b"))
    evil = dataclasses.replace(contract, features=tuple(features), classes=("a", EVIL), positive=EVIL)
    found = Shown(contract_view(f"{EVIL}\u202e", evil, [(EVIL, EVIL)]))
    assert {tag for tag, _ in found.tags} <= {"div", "style", "p", "table", "thead", "tbody", "tr", "th", "td"}
    assert not any("onerror" in attributes for _, attributes in found.tags)
    assert sum("<script>alert('x')</script>" in word for word in found.words) >= 6
    assert "\u202e" not in "".join(found.words)


def test_of_many_columns_and_categories_the_first_are_shown() -> None:
    contract = Package.open(DATA / "rent").contract
    columns = tuple(Feature(f"c{index}", "features", index) for index in range(100))
    inputs = (dataclasses.replace(contract.inputs[0], shape=("batch", 100)),)
    found = Shown(contract_view("wide", dataclasses.replace(contract, inputs=inputs, features=columns), ()))
    assert "c29" in found.words and "c30" not in found.words and "and 70 features more" in found.words
    series = Package.open(DATA / "series").contract
    inputs = tuple(dataclasses.replace(series.inputs[0], name=f"cache_{index}") for index in range(100))
    found = Shown(contract_view("cached", dataclasses.replace(series, inputs=inputs), ()))
    assert sum("cache_" in word for word in found.words) == 30 and "and 72 tensors more" in found.words


def test_a_run_shows_how_it_was_trained_how_good_it_is_and_its_pictures(xor_run: Run, tmp_path: Path) -> None:
    run = Run.open(shutil.copytree(xor_run.path, tmp_path / "run"))
    found = shown(run)
    assert found.words[0] == f"Run {run.path}: XORClassifier" and found.sources() == []
    settings = found.words[found.words.index("settings") + 1]
    assert "optimizer SGD" in settings and "learning_rate 0.03" in settings and "patience" not in settings
    row = found.words[found.words.index("accuracy") :][:3]
    assert row == ["accuracy", "1", "0.49"], row

    drawn = plot_run(run)
    (run.path / "roc.png").write_bytes(b"\x89PNG\r\n\x1a\n, but the rest is broken")
    (run.path / "confusion.png").write_text("<script>")
    pictures = shown(run).sources()
    assert len(pictures) == len(drawn) - 2
    assert all(source.startswith(("data:image/webp;base64,", "data:image/png;base64,")) for source in pictures)
    assert sum(map(len, pictures)) < 120_000


def test_a_picture_that_would_fill_the_memory_is_left_out(xor_run: Run, tmp_path: Path) -> None:
    run = Run.open(shutil.copytree(xor_run.path, tmp_path / "run", ignore=shutil.ignore_patterns("*.png")))
    Image.new("1", (30_000, 30_000)).save(run.path / "loss.png")
    Image.new("1", (600, 10)).save(run.path / "roc.png")
    assert len(shown(run).sources()) == 1


def test_texts_of_a_run_are_shown_and_never_obeyed(xor_run: Run, tmp_path: Path) -> None:
    run = Run.open(shutil.copytree(xor_run.path, tmp_path / "<script>alert(1)<_script>"))
    evaluation = run.evaluation()
    run.write_json("evaluation.json", evaluation | {EVIL: 0.5})
    recipe = dataclasses.replace(run.recipe, network=EVIL, training={**run.recipe.training, "loss": EVIL})
    found = shown(dataclasses.replace(run, recipe=recipe))
    assert "script" not in {tag for tag, _ in found.tags}
    assert any("<script>alert(1)<_script>" in word for word in found.words)


def test_an_unfinished_run_says_so(xor_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "run"
    shutil.copytree(xor_run.path, path)
    (path / "evaluation.json").unlink()
    assert (
        "It has no evaluation.json: its training has not finished, or the file is gone." in shown(Run.open(path)).words
    )


@pytest.mark.parametrize("text", ["{", "[]", '{"accuracy": 1}', '{"rows": 3, "confusion": "x", "accuracy": 1}'])
def test_a_run_whose_evaluation_is_damaged_falls_back(xor_run: Run, tmp_path: Path, text: str) -> None:
    run = Run.open(shutil.copytree(xor_run.path, tmp_path / "run"))
    (run.path / "evaluation.json").write_text(text)
    assert run._repr_html_() is None
