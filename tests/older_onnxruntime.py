"""Where an older onnxruntime answers otherwise than ONNX says, a gate that refuses is right."""

from importlib.metadata import version

import pytest
from packaging.version import Version

from parity_runtime import ParityRefusedError


def refused_before(
    release: str, refusal: type[Exception] | tuple[type[Exception], ...] = ParityRefusedError
) -> pytest.MarkDecorator:
    """Expect a refusal, and no other failure, beside an onnxruntime before the release with which there is none."""
    older = Version(version("onnxruntime")) < Version(release)
    return pytest.mark.xfail(older, reason=f"onnxruntime is older than {release}", raises=refusal)
