"""What CUDA gives: the same answers, how fast they come beside torch and bare onnxruntime, training, memory.

    python benchmarks/on_cuda.py [--cpu] [--only contract,parity,certified,speed,training,memory]

prints one JSON object; where there is no CUDA device, or torch or onnxruntime-gpu cannot use it, it says so and prints
nothing. ``--cpu`` tries the script out, with the CPU in the device's place. Times of answers are of calls that have
ended, the device waited for. A part that fails says why, in the place of its figures.
"""

import copy
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import ROOT, print_parts, summary, timed
from torch import Tensor, nn

from parity_runtime import ParityError, Predictor, verify
from parity_runtime.inference.session import import_onnxruntime

DATA = ROOT / "tests" / "data"
PACKAGES = ("mixed", "parcels", "rent", "rent_certified", "series", "species", "xor", "xor_certified")
BATCHES = (1, 16, 256, 4096, 65_536)
WIDTHS = (64, 256, 512, 1024)
POINTS, TILE = 1_000_000, 50_000
ROUNDS = 9

Part = Callable[[str], dict[str, Any]]


@dataclass(frozen=True)
class Network:
    """A module with random weights, the spec of its only input, and an input of it."""

    module: nn.Module
    spec: str
    x: Tensor


def main() -> None:
    """Measure and print."""
    device = "cpu" if "--cpu" in sys.argv else "cuda"
    sys.argv = [word for word in sys.argv if word != "--cpu"]
    reason = missing() if device == "cuda" else ""
    if reason:
        print(f"nothing is measured on CUDA: {reason}", file=sys.stderr)
        return
    parts: dict[str, Part] = {
        "contract": contract, "parity": parity, "certified": certified, "speed": speed, "training": training,
        "memory": memory,
    }  # fmt: skip
    print_parts(__doc__, {name: partial(_tried, part, device) for name, part in parts.items()})


def missing() -> str:
    """Return what keeps this machine from answering on CUDA; an empty text where all is there."""
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} finds no CUDA device"
    onnxruntime = import_onnxruntime()
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return f"onnxruntime {onnxruntime.__version__} has no CUDA provider: onnxruntime-gpu has"
    try:
        Predictor(DATA / "xor", provider="cuda").close()
    except ParityError as error:
        return str(error)
    return ""


def _tried(part: Part, device: str) -> dict[str, Any]:
    try:
        return part(device)
    except Exception as error:
        name = type(error).__name__
        print(f"{part.__name__}: {name}: {error}", file=sys.stderr)
        return {f"{part.__name__} failed": f"{name}: {str(error).partition(chr(10))[0]}"}


def contract(device: str) -> dict[str, Any]:
    """Return of how many packages the test vectors hold on the device, and what the device is."""
    held = 0
    for name in PACKAGES:
        found = verify(DATA / name, provider=device)
        held += found.provider == device and not any(deviation.failed for deviation in found.deviations)
    name = torch.cuda.get_device_name() if device == "cuda" else "the CPU"
    chosen = Predictor(DATA / "xor", provider="auto").provider
    return {
        f"packages of {len(PACKAGES)} whose test vectors hold": {"ratio": held, "target": f"at least {len(PACKAGES)}"},
        "device": f"{name}, CUDA {torch.version.cuda} of torch",
        "provider that auto chooses": chosen,
    }


def parity(device: str) -> dict[str, Any]:
    """Return how far torch and onnxruntime are from torch in float64, on the CPU and on the device, by network."""
    found: dict[str, dict[str, float]] = {}
    for name, network in networks().items():
        with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
            package = exported(network, name, Path(folder))
            exact = copy.deepcopy(network.module).double()(network.x.double())
            exact = (exact[0] if isinstance(exact, tuple) else exact).numpy()
            for backend, answer in answers(network, package, device).items():
                title = f"largest difference to torch in float64 by network, {backend}"
                found.setdefault(title, {})[name] = float(np.abs(answer - exact).max())
    return found


def answers(network: Network, package: Path, device: str) -> dict[str, Any]:
    """Return a network's first output by backend."""
    (spec,) = Predictor(package).contract.inputs
    inputs = {spec.name: network.x.numpy()}
    found = {"torch on the CPU": _torch_answer(network, "cpu", tf32=False)}
    found |= {"onnxruntime on the CPU": _first(Predictor(package).run(inputs))}
    for tf32 in (False, True):
        precision = "with TF32" if tf32 else "without TF32"
        predictor = Predictor(package, provider=device, tf32=tf32)
        found[f"torch on {device} {precision}"] = _torch_answer(network, device, tf32=tf32)
        found[f"onnxruntime on {device} {precision}"] = _first(predictor.run(inputs))
    return found


def _torch_answer(network: Network, device: str, *, tf32: bool) -> Any:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    answer = copy.deepcopy(network.module).to(device)(network.x.to(device))
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return (answer[0] if isinstance(answer, tuple) else answer).cpu().numpy()


def certified(device: str) -> dict[str, Any]:
    """Return how many labels that are certified on the CPU and on the device differ."""
    points = np.random.default_rng(0).uniform(-0.5, 1.5, (POINTS, 2)).astype(np.float32)
    found = {}
    for tf32 in (False, True):
        package = DATA / "xor_certified"
        pair = Predictor(package, certified=True), Predictor(package, certified=True, provider=device, tf32=tf32)
        certain = differ = plain = 0
        for start in range(0, POINTS, TILE):
            here, there = (one.run({"features": points[start : start + TILE]}) for one in pair)
            both, other = here["certified"] & there["certified"], here["label"] != there["label"]
            certain, differ, plain = certain + int(both.sum()), differ + int((both & other).sum()), plain + other.sum()
        name = f"certified labels that differ between the CPU and {device}{', with TF32' * tf32}, of {POINTS:,} points"
        target = "none: the proof does not speak for TF32" if tf32 else "at most 0"
        found[name] = {"ratio": differ, "certified on both": certain, "uncertified that differ": int(plain) - differ,
                       "target": target}  # fmt: skip
    return found


def speed(device: str) -> dict[str, Any]:
    """Return microseconds a call by rows, of a predictor, bare onnxruntime and torch, for one network."""
    network = networks()["MLP 64-256-256-8"]
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        package = exported(network, "mlp", Path(folder))
        series: dict[str, dict[str, float]] = {}
        ratios: dict[str, Any] = {}
        for rows in BATCHES:
            jobs = _jobs(network, package, device, rows)
            seconds = _interleaved(jobs, calls=max(1, min(200, 2**18 // rows)))
            for name, found in seconds.items():
                series.setdefault(f"µs a call by rows on {device}, {name}", {})[str(rows)] = round(
                    1e6 * statistics.median(found), 1
                )
            for other in ("bare onnxruntime", "torch eager"):
                pairs = zip(seconds["run_on_device"], seconds[other], strict=True)
                ratios[f"run_on_device over {other} on {device}, batch {rows:,}"] = summary(
                    [ours / theirs for ours, theirs in pairs]
                ) | {"target": "reported"}
    return ratios | series


def _jobs(network: Network, package: Path, device: str, rows: int) -> dict[str, Callable[[], object]]:
    """Return by name what answers a batch: from an array and back, or where the tensor lies."""
    predictor = Predictor(package, provider=device)
    (spec,), output = predictor.contract.inputs, predictor.contract.outputs[0].name
    x = torch.randn(rows, network.x.shape[1], device=device)
    array, module = x.cpu().numpy(), copy.deepcopy(network.module).to(device)
    wait = torch.cuda.synchronize if device == "cuda" else _nothing
    jobs: dict[str, Callable[[], object]] = {
        "run": lambda: predictor.run({spec.name: array}),
        "run_on_device": lambda: predictor.run_on_device({spec.name: x}),
        "bare onnxruntime": _bound(package, device, (spec.name, x), output, graph=False),
        "torch eager": lambda: (module(x), wait()),
    }
    compiled = torch.compile(module, dynamic=False)
    jobs |= _working("torch.compile", lambda: lambda: (compiled(x), wait()))
    if device == "cuda":
        with_graph = partial(_bound, package, device, (spec.name, x), output, graph=True)
        jobs |= _working("bare onnxruntime with a CUDA graph", with_graph)
    return jobs


def _working(name: str, make: Callable[[], Callable[[], object]]) -> dict[str, Callable[[], object]]:
    """Return a job by its name, or none where it does not work here: a compiler may be missing."""
    try:
        job = make()
        job()
    except Exception as error:
        print(f"{name} is left out: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
        return {}
    return {name: job}


def _bound(package: Path, device: str, given: tuple[str, Tensor], output: str, *, graph: bool) -> Callable[[], object]:
    """Return a job that runs a bare session on memory that is bound once."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    cuda = ("CUDAExecutionProvider", {"use_tf32": "0", "enable_cuda_graph": str(int(graph))})
    providers = [cuda] if device == "cuda" else ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession((package / "model.onnx").read_bytes(), options, providers=providers)
    name, x = given
    sizes = Predictor(package).run({name: x.cpu().numpy()})[output].shape
    result, binding = torch.empty(sizes, device=device), session.io_binding()
    for bind, tensor, which in ((binding.bind_input, x, name), (binding.bind_output, result, output)):
        bind(which, device, 0, np.float32, tuple(tensor.shape), tensor.data_ptr())
    if device == "cuda":
        torch.cuda.synchronize()

    def run(kept: tuple[Tensor, Tensor] = (x, result)) -> object:  # what is bound must live
        return session.run_with_iobinding(binding), kept

    return run


def _interleaved(jobs: dict[str, Callable[[], object]], calls: int) -> dict[str, list[float]]:
    """Return the seconds a call of each job, `ROUNDS` times, the jobs in turn."""

    def repeated(job: Callable[[], object]) -> None:
        for _ in range(calls):
            job()

    for job in jobs.values():
        for _ in range(3):
            job()
    rounds = [{name: timed(partial(repeated, job)) / calls for name, job in jobs.items()} for _ in range(ROUNDS)]
    return {name: [found[name] for found in rounds] for name in jobs}


def training(device: str) -> dict[str, Any]:
    """Return the seconds of an epoch over 32,768 rows by hidden width, on the CPU and on the device."""
    from parity_training import NetworkChoice, TrainSettings, XORSettings, train_model, xor_data

    data = xor_data(XORSettings(size=2**15))
    found: dict[str, dict[str, float]] = {}
    for place in dict.fromkeys(("cpu", device)):
        for width in WIDTHS:
            ended: list[float] = []
            settings = TrainSettings(epochs=6, batch_size=4096, device=place)
            choice = NetworkChoice("MLP", {"hidden": [width, width]})
            with tempfile.TemporaryDirectory() as folder:
                train_model(
                    data, choice, settings, Path(folder) / "run", on_epoch=lambda _, t=ended: t.append(time.time())
                )
            seconds = [second - first for first, second in itertools.pairwise(ended)]
            title = f"seconds of an epoch by hidden width, {place}"
            found.setdefault(title, {})[f"{width}-{width}"] = round(statistics.median(seconds), 4)
    return found


def memory(device: str) -> dict[str, Any]:
    """Return what a predictor of 100 MB of weights takes on the device, over them."""
    if device == "cpu":
        return {}
    module = nn.Sequential(nn.Linear(5000, 5000), nn.ReLU(), nn.Linear(5000, 2))
    size = sum(4 * parameter.numel() for parameter in module.parameters())
    with tempfile.TemporaryDirectory() as folder:
        package = exported(
            Network(module.eval(), "x: float32[batch, 5000]", torch.zeros(1, 5000)), "large", Path(folder)
        )
        Predictor(DATA / "xor", provider="cuda").run(
            {"features": np.zeros((1, 2), np.float32)}
        )  # libraries and handles
        torch.cuda.synchronize()
        before = torch.cuda.mem_get_info()[0]
        predictor = Predictor(package, provider="cuda")
        predictor.run_on_device({"x": torch.zeros(1, 5000, device="cuda")})
        taken = before - torch.cuda.mem_get_info()[0]
    ratio = {"ratio": round(taken / size, 3), "target": "reported", "mb in all": round(taken / 1e6)}
    return {"memory of the device that a predictor takes over its weights, 100 MB": ratio}


def networks() -> dict[str, Network]:
    """Return the networks, with random weights and inputs that a seed gives."""
    torch.manual_seed(0)
    relu = nn.ReLU()
    layers = (nn.Linear(64, 256), relu, nn.Linear(256, 256), relu, nn.Linear(256, 8))
    pool = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 8))
    convolutions = (nn.Conv2d(3, 32, 3), nn.BatchNorm2d(32), relu, nn.Conv2d(32, 64, 3), relu, *pool)
    encoder = nn.TransformerEncoderLayer(64, 4, 256, batch_first=True)
    return {
        "MLP 64-256-256-8": _network(nn.Sequential(*layers), "x: float32[batch, 64]", (4096, 64)),
        "convolutions": _network(nn.Sequential(*convolutions), "x: float32[batch, 3, 32, 32]", (64, 3, 32, 32)),
        "encoder layer": _network(encoder, "src: float32[batch, time, 64]", (64, 16, 64)),
        "GRU": _network(nn.GRU(16, 64, batch_first=True), "x: float32[batch, 20, 16]", (256, 20, 16)),
    }


def _network(module: nn.Module, spec: str, shape: tuple[int, ...]) -> Network:
    return Network(module.eval(), spec, torch.randn(shape))


def exported(network: Network, name: str, folder: Path) -> Path:
    """Return a package of a network; where CUDA is, the gate has asked it too."""
    from parity_export import ExportOptions, OutputSpec, export_package, source_from_module

    with torch.inference_mode(mode=False):
        source = source_from_module(network.module, [network.spec], OutputSpec(), name.replace(" ", "-"))
        return export_package(source, folder / "package", ExportOptions(plots=False, effort="quick")).path


def _first(outputs: dict[str, Any]) -> Any:
    return next(iter(outputs.values()))


def _nothing() -> None:
    """Wait for nothing: the CPU has ended."""


if __name__ == "__main__":
    main()
