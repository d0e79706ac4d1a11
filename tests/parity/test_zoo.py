"""Every module of the zoo goes end to end: exported, gated, written, verified, and answered like torch on new rows."""

from pathlib import Path

import numpy as np
import pytest
import torch

from parity_export import ExportOptions, OutputSpec, export_package, source_from_module
from parity_runtime import ModelContract, ParityRefusedError, Predictor, TensorSpec, verify
from tests.parity.fresh_rows import TWO_FLOAT32_RESULTS, fresh_inputs
from tests.parity.zoo import END_TO_END, Specimen
from tests.soak import sampled

pytestmark = pytest.mark.slow


FEW = {
    "an-input-without-a-batch", "batchnorm-dropout", "boolean-input-dictionary-out", "embedding", "fixed-batch",
    "lstm-two-layers-both-ways-of-six-steps", "mlp-binary", "rows-that-influence-one-another",
    "standardized-and-imputed",
}  # fmt: skip


def assert_shapes_are_as_declared(
    contract: ModelContract, inputs: dict[str, np.ndarray], outputs: dict[str, np.ndarray]
) -> None:
    sizes = {
        name: size for spec in contract.inputs for name, size in zip(spec.shape, inputs[spec.name].shape, strict=True)
    }
    for spec in contract.outputs:
        for declared, size in zip(spec.shape, outputs[spec.name].shape, strict=True):
            assert size == (declared if isinstance(declared, int) else sizes.get(declared, size)), spec


@pytest.mark.parametrize("specimen", sampled(END_TO_END, FEW, lambda one: one.name))
def test_it_goes_end_to_end(specimen: Specimen, tmp_path: Path) -> None:
    torch.manual_seed(1)
    module = specimen.build().eval()
    source = source_from_module(module, specimen.specs, specimen.output_spec, specimen.name)
    exported = export_package(source, tmp_path / "p", ExportOptions(plots=False, effort="quick"))
    assert verify(tmp_path / "p").deviations
    assert not exported.gate_result.report.not_run or specimen.name in KNOWN_GAPS, exported.gate_result.report.not_run
    predictor = Predictor(tmp_path / "p")
    for batch, length in ((5, 9), (1, 3)):
        inputs = fresh_inputs(predictor.contract, batch, length if specimen.name != "cnn-dynamic-size" else 24)
        with torch.no_grad():
            returned = module(*[torch.from_numpy(inputs[spec.name]) for spec in specimen.specs])
        wanted = [tensor.numpy() for tensor in torch.utils._pytree.tree_leaves(returned)]
        outputs = predictor.run(inputs)
        assert_shapes_are_as_declared(predictor.contract, inputs, outputs)
        found = [outputs["logits"]] if predictor.contract.is_classifier else list(outputs.values())
        for one, other in zip(found, wanted, strict=True):
            assert one.shape == other.shape
            np.testing.assert_allclose(one, other, rtol=0, atol=TWO_FLOAT32_RESULTS * max(1.0, np.abs(other).max()))


KNOWN_GAPS = {
    "cnn-dynamic-size": "the smallest widths are refused by torch's own pooling",
}


def test_a_module_that_torch_itself_exports_wrongly_is_refused(tmp_path: Path) -> None:
    """torch exports LogSigmoid as Log(Sigmoid(x)), which is -inf where the module answers -200."""
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.LogSigmoid())
    with torch.no_grad():
        module[0].weight.copy_(torch.eye(2) * 200)
    source = source_from_module(module, (TensorSpec("x", "float32", ("batch", 2)),), OutputSpec(), "m")
    with pytest.raises(ParityRefusedError, match="differ, by up to inf"):
        export_package(source, tmp_path / "p")
