"""From an ONNX file of anybody's to a package."""

from pathlib import Path

from parity_export.export import Exported, export_package
from parity_export.export_options import ExportOptions
from parity_export.package_writer import check_target
from parity_export.sources.onnx_file.source_from_onnx import Adoption, source_from_onnx


def adopt_package(
    path: str | Path, target: str | Path, adoption: Adoption | None = None, options: ExportOptions | None = None
) -> Exported:
    """Make a package from an ONNX file, if onnxruntime computes what the file's graph gives in float64.

    >>> import onnx
    >>> from parity_export import ExportOptions, adopt_package
    >>> from parity_runtime import Predictor
    >>> graph = "mine (float[batch, 2] x) => (float[batch, 2] y) { y = Relu(x) }"
    >>> onnx.save(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 18]> {graph}'), "relu.onnx")
    >>> adopted = adopt_package("relu.onnx", "packages/relu", options=ExportOptions(replace=True, plots=False))
    >>> Predictor(adopted.path).run({"x": [[-1.0, 2.0]]})["y"].tolist()
    [[0.0, 2.0]]

    Args:
        path: the ONNX file.
        target: the package folder to write.
        adoption: what the file's inputs and outputs mean; None takes it from the file.
        options: how to compare, such as tolerance and effort, and whether to replace a package. None takes the
            defaults.

    Returns:
        The package, as `export_package` returns it.

    Raises:
        ParityRefusedError: in some configuration onnxruntime computes something else than the graph means. The report
            is in ``<target>.refused.json``.
        InputError: Parity cannot adopt this file, or the target exists.
    """
    check_target(Path(target), options or ExportOptions())
    return export_package(source_from_onnx(path, adoption), target, options)
