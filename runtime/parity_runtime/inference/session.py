"""The one place that makes onnxruntime sessions, and decides what they may do."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from numpy.typing import NDArray

from parity_runtime.errors import FormatError, InputError, MissingExtraError, ProviderError, first_line, out_of_memory
from parity_runtime.package.weights_file import SMALLEST

Provider = Literal["cpu", "cuda", "auto"]
PROVIDERS: tuple[Provider, ...] = get_args(Provider)

_MOST_THREADS = 1024  # onnxruntime starts them all at once

Optimization = Literal["disabled", "basic", "extended", "all"]
OPTIMIZATIONS: tuple[Optimization, ...] = get_args(Optimization)

EXECUTION_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""onnxruntime's names of the providers."""


def import_onnxruntime() -> Any:
    """Import onnxruntime with its telemetry off.

    Raises:
        MissingExtraError: it is not installed, or broken.
        MemoryError: there is not enough memory for it.
    """
    # onnxruntime 1.29 and later start a thread and write below HOME when imported, unless this is set before.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime  # noqa: PLC0415 -- the contract and the package work without it

        onnxruntime.InferenceSession  # noqa: B018 -- uninstalling one of two wheels leaves an empty package
    except (ImportError, AttributeError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "onnxruntime":
            raise MissingExtraError(
                'onnxruntime is not installed; from a checkout of Parity: pip install ".[cpu]" (or ".[gpu]")'
            ) from error
        if out_of_memory(error):
            raise MemoryError(f"onnxruntime cannot be loaded ({first_line(error)})") from error
        remedy = _both_wheels() or "pip uninstall it and install it again"
        raise MissingExtraError(f"onnxruntime is broken ({first_line(error)}); {remedy}") from error
    return onnxruntime


def create_session(  # noqa: PLR0913 -- what a session may be told, by name
    model: bytes,
    provider: Provider = "cpu",
    threads: int = 1,
    optimization: Optimization = "all",
    *,
    tf32: bool = False,
    optimized_model_path: str = "",
    weights: Mapping[str, NDArray[Any]] | None = None,
) -> Any:
    """Return an ``onnxruntime.InferenceSession`` over ``model``.

    Args:
        model: a serialized ONNX ModelProto; every initializer with external data is one of ``weights``.
        provider: ``cpu``; ``cuda``: CUDA or an error; ``auto``: CUDA where it works, else the CPU.
        threads: threads within an operator; 1 is fastest for small models.
        optimization: how far onnxruntime may rewrite the graph.
        tf32: on CUDA, let products round their factors to 10 bits of mantissa; torch does not by default.
        optimized_model_path: a file for the graph as onnxruntime has rewritten it; empty for none. With ``weights`` its
            large tensors go into another file, whose name ends in ``.weights``.
        weights: the data of initializers, by name. They are copied: their memory may be given back afterwards.

    Raises:
        InputError: an unknown provider, or fewer than one thread.
        ProviderError: CUDA was chosen and the session does not run on it.
        FormatError: onnxruntime cannot load the bytes.
        MemoryError: there is not enough memory for them.
    """
    if provider not in PROVIDERS:
        raise InputError(f"unknown provider {provider!r}; known are {', '.join(PROVIDERS)}")
    if not isinstance(threads, int) or isinstance(threads, bool) or not 1 <= threads <= _MOST_THREADS:
        raise InputError(f"threads is {threads!r}; it must be a whole number from 1 to {_MOST_THREADS}")
    onnxruntime = import_onnxruntime()
    wanted = _wanted_providers(onnxruntime, provider, tf32)
    options = _options(onnxruntime, threads, optimization, optimized_model_path)
    try:
        if weights:
            values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
            options.add_external_initializers(list(weights), values)
            if optimized_model_path:
                _write_weights_beside(options, optimized_model_path)
        session = onnxruntime.InferenceSession(
            model,
            sess_options=options,
            providers=wanted,
            # Without this a failing provider prints a banner and silently becomes the CPU.
            enable_fallback=False,
        )
    except Exception as error:  # onnxruntime's exceptions derive from Exception directly
        if out_of_memory(error):
            raise MemoryError(f"onnxruntime cannot load the model ({first_line(error)})") from error
        raise FormatError(
            f"onnxruntime {onnxruntime.__version__} cannot load the model: {first_line(error)}"
        ) from error
    if provider == "cuda" and EXECUTION_PROVIDERS["cuda"] not in session.get_providers():
        raise ProviderError("CUDA was chosen, but the session runs on the CPU; check the driver and onnxruntime-gpu")
    return session


def session_provider(session: Any) -> str:
    """Return ``cuda`` or ``cpu``: what the session really runs on."""
    return "cuda" if EXECUTION_PROVIDERS["cuda"] in session.get_providers() else "cpu"


def _wanted_providers(onnxruntime: Any, provider: Provider, tf32: bool) -> list[Any]:
    cpu, cuda = EXECUTION_PROVIDERS["cpu"], EXECUTION_PROVIDERS["cuda"]
    if provider == "cpu":
        return [cpu]
    if cuda in onnxruntime.get_available_providers():
        return [(cuda, {"use_tf32": str(int(tf32))}), cpu]
    both = _both_wheels()
    if provider == "cuda" or both:  # who installed the GPU wheel and asks for auto means CUDA
        remedy = both or "uninstall it and install Parity's [gpu] extra, or use provider cpu"
        raise ProviderError(f"this onnxruntime has no CUDA provider; {remedy}")
    return [cpu]


def _both_wheels() -> str:
    """Return a sentence where the wheels onnxruntime and onnxruntime-gpu are both installed, else an empty text."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 -- costs 20 ms

    try:
        found = [f"{name} {version(name)}" for name in ("onnxruntime", "onnxruntime-gpu")]
    except PackageNotFoundError:
        return ""
    return (
        f"{' and '.join(found)} are both installed and overwrite each other's files; "
        "pip uninstall both, then install the one that you need"
    )


def _options(onnxruntime: Any, threads: int, optimization: Optimization, optimized_model_path: str) -> Any:
    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = {
        "disabled": levels.ORT_DISABLE_ALL,
        "basic": levels.ORT_ENABLE_BASIC,
        "extended": levels.ORT_ENABLE_EXTENDED,
        "all": levels.ORT_ENABLE_ALL,
    }[optimization]
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A spinning pool burns a whole core between calls.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if optimized_model_path:
        options.optimized_model_filepath = optimized_model_path
    options.log_severity_level = 4  # What goes wrong is raised; onnxruntime would print it on stderr as well.
    return options


def _write_weights_beside(options: Any, path: str) -> None:
    """Have the large tensors of an optimized graph written beside it: one file of protobuf ends at 2 GiB."""
    option = "session.optimized_model_external_initializers"
    options.add_session_config_entry(f"{option}_file_name", f"{Path(path).name}.weights")
    options.add_session_config_entry(f"{option}_min_size_in_bytes", str(SMALLEST))
