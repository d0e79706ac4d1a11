"""The one place that makes onnxruntime sessions, and decides what they may do."""

import os
from typing import Any, Literal, get_args

from parity_runtime.errors import FormatError, InputError, MissingExtraError, ProviderError

Provider = Literal["cpu", "cuda", "auto"]
PROVIDERS: tuple[Provider, ...] = get_args(Provider)

Optimization = Literal["disabled", "basic", "extended", "all"]
OPTIMIZATIONS: tuple[Optimization, ...] = get_args(Optimization)

_EXECUTION_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def import_onnxruntime() -> Any:
    """Import onnxruntime with its telemetry off.

    Raises:
        MissingExtraError: it is not installed.
    """
    # onnxruntime 1.29 and later start a thread and write below HOME when imported, unless this is set before.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime  # noqa: PLC0415 -- the contract and the package work without it
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            'onnxruntime is not installed; from a checkout of Parity: pip install ".[cpu]" (or ".[gpu]")'
        ) from error
    return onnxruntime


def create_session(
    model: bytes, provider: Provider = "cpu", threads: int = 1, optimization: Optimization = "all"
) -> Any:
    """Return an ``onnxruntime.InferenceSession`` over ``model``.

    Args:
        model: a serialized ONNX ModelProto without external data.
        provider: ``cpu``; ``cuda``: CUDA or an error; ``auto``: CUDA where it works, else the CPU.
        threads: threads within an operator; 1 is fastest for small models.
        optimization: how far onnxruntime may rewrite the graph.

    Raises:
        InputError: an unknown provider, or fewer than one thread.
        ProviderError: CUDA was asked for and the session does not run on it.
        FormatError: onnxruntime cannot load the bytes.
    """
    if provider not in PROVIDERS:
        raise InputError(f"unknown provider {provider!r}; known are {', '.join(PROVIDERS)}")
    if threads < 1:
        raise InputError(f"threads is {threads}; it must be at least 1")
    onnxruntime = import_onnxruntime()
    wanted = _wanted_providers(onnxruntime, provider)
    try:
        session = onnxruntime.InferenceSession(
            model,
            sess_options=_options(onnxruntime, threads, optimization),
            providers=wanted,
            # Without this a failing provider prints a banner and silently becomes the CPU.
            enable_fallback=False,
        )
    except Exception as error:  # onnxruntime's exceptions derive from Exception directly
        raise FormatError(
            f"onnxruntime {onnxruntime.__version__} cannot load the model: {_first_line(error)}"
        ) from error
    if provider == "cuda" and _EXECUTION_PROVIDERS["cuda"] not in session.get_providers():
        raise ProviderError("CUDA was asked for, but the session runs on the CPU; check the driver and onnxruntime-gpu")
    return session


def session_provider(session: Any) -> str:
    """Return ``cuda`` or ``cpu``: what the session really runs on."""
    return "cuda" if _EXECUTION_PROVIDERS["cuda"] in session.get_providers() else "cpu"


def _wanted_providers(onnxruntime: Any, provider: Provider) -> list[Any]:
    cpu, cuda = _EXECUTION_PROVIDERS["cpu"], _EXECUTION_PROVIDERS["cuda"]
    built_in = cuda in onnxruntime.get_available_providers()
    if provider == "cuda" and not built_in:
        raise ProviderError(
            "this onnxruntime has no CUDA provider; uninstall it and install Parity's [gpu] extra, or use provider cpu"
        )
    if provider == "cpu" or not built_in:
        return [cpu]
    return [(cuda, {"use_tf32": "0"}), cpu]  # TF32 keeps 10 bits of the mantissa; torch leaves it off too.


def _options(onnxruntime: Any, threads: int, optimization: Optimization) -> Any:
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
    options.log_severity_level = 4  # What goes wrong is raised; onnxruntime would print it on stderr as well.
    return options


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
