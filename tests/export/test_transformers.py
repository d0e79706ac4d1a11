"""Classes of transformers, tiny: as a user names them."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from parity_runtime import Predictor

pytestmark = pytest.mark.slow
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # read at the import, which a command of the tests shares
transformers = pytest.importorskip("transformers")  # of the extra [bench]

IDS = ["--input", "input_ids: int64[batch, 4]"]
SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8, "vocab_size": 9}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = transformers.BertConfig(**SMALL)
    transformers.BertForSequenceClassification(config).bfloat16().save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


def test_a_folder_is_loaded_by_its_class_and_its_logits_are_taken_by_name(parity, folder: Path, tmp_path: Path) -> None:
    source = "transformers:BertForSequenceClassification.from_pretrained"
    options = ["--task", "multiclass", "--output", "logits", "--no-plots"]
    told = parity("export", source, tmp_path / "p", "--weights", folder, *IDS, *options)
    assert told.code == 0, told
    assert "its weights are float32 here, exactly" in told.err.splitlines()[0]
    ids = np.arange(8).reshape(2, 4)
    module = transformers.BertForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    expected = module.eval()(torch.from_numpy(ids)).logits.detach().numpy()
    np.testing.assert_allclose(Predictor(tmp_path / "p").run({"input_ids": ids})["logits"], expected, atol=1e-5)


def test_a_head_that_the_folder_lacks_is_refused_in_one_line(parity, folder: Path, tmp_path: Path) -> None:
    for source, words in (
        ("BertForMaskedLM.from_pretrained", "has no weights for cls.predictions."),
        ("GPT2LMHeadModel.from_pretrained", ""),
    ):
        told = parity("export", f"transformers:{source}", tmp_path / "p", "--weights", folder, *IDS)
        assert told.is_refused(1, words), told
    (folder / "config.json").unlink()
    told = parity("export", "transformers:AutoModel.from_pretrained", tmp_path / "p", "--weights", folder, *IDS)
    assert told.is_refused(1, "failed"), told


def test_code_in_a_folder_is_not_run(parity, folder: Path, tmp_path: Path) -> None:
    config = folder / "config.json"
    mark = tmp_path / "ran"
    config.write_text(config.read_text().replace("{", '{"auto_map": {"AutoModel": "mine.Mine"},', 1)
                      .replace('"bert"', '"mine"'))  # fmt: skip
    (folder / "mine.py").write_text(f"open({str(mark)!r}, 'w')\n")
    told = parity("export", "transformers:AutoModel.from_pretrained", tmp_path / "p", "--weights", folder, *IDS)
    assert told.is_refused(1, "failed"), told
    assert not mark.exists()
