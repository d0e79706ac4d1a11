"""A package that is to be served elsewhere: opened, verified, and looked at as a server will look at it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from parity_runtime.arguments import argument
from parity_runtime.contract import ModelContract
from parity_runtime.errors import InputError
from parity_runtime.inference.session import create_session
from parity_runtime.package.entries import WEIGHTS
from parity_runtime.package.loader import LoadedModel, load_model
from parity_runtime.package.manifest import CONFORMANCE, MANIFEST, Package
from parity_runtime.printable import shown
from parity_runtime.verification.test_vectors import OrdinaryVectors, VectorSet
from parity_runtime.verification.verify import verify

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PackageOptions:
    """What is taken of packages.

    Attributes:
        digest: the package id that is expected; of one package alone.
        certified: take the certified graphs.
        allow_operators: as in `Predictor`.
    """

    digest: str | None = None
    certified: bool = False
    allow_operators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeployedModel:
    """A verified package.

    Attributes:
        package: whose files are copied; each is checked once more while it is.
        contract: of the graph that is served.
        graph: that graph's file in the package.
        output_shapes: of each output as onnxruntime declares it, -1 where a size is dynamic or not inferred: what a
            server's own description of the model is compared with.
        vectors: the ordinary test vectors.
    """

    package: Package
    contract: ModelContract
    graph: str
    output_shapes: tuple[Shape, ...]
    vectors: OrdinaryVectors = field(repr=False)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.contract.name

    @property
    def model_bytes(self) -> int:
        """The size of the graph and of the weights beside it, in bytes."""
        return sum(self.package.entries[name].size for name in self.model_files)

    @property
    def model_files(self) -> list[str]:
        """The files of the package that onnxruntime opens."""
        return [self.graph, *([WEIGHTS] if WEIGHTS in self.package.entries else [])]

    def copy(self, name: str, target: Path) -> None:
        """Copy a file of the package.

        Raises:
            DigestError: it is no longer the file that was packaged.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            file.writelines(self.package.blocks(name))

    def copy_package(self, target: Path) -> None:
        """Copy the whole package into a folder.

        Raises:
            DigestError: a file is no longer the one that was packaged.
        """
        for name in self.package.entries:
            self.copy(name, target / name)
        (target / MANIFEST).write_bytes(self.package.manifest)


def open_models(paths: Sequence[str | Path], options: PackageOptions) -> list[DeployedModel]:
    """Open packages; every file is checked, and the test vectors are replayed, as `verify` does.

    Args:
        paths: their folders.
        options: what is taken of them.

    Raises:
        ParityError: a package is not the one that was exported, or cannot be read.
        InputError: two models have one name, or a name has no path of its own.
    """
    if options.digest is not None and len(paths) != 1:
        raise InputError(
            f"{argument('digest')} names one package, and {len(paths)} are deployed; deploy that one alone"
        )
    models = [_open(Path(path), options) for path in paths]
    _check_names(models)
    return models


def _open(path: Path, options: PackageOptions) -> DeployedModel:
    verified = verify(path, digest=options.digest, allow_operators=options.allow_operators)
    package = Package.open(path, verified.package_id)
    loaded = load_model(path, verified.package_id, certified=options.certified, allow_operators=options.allow_operators)
    return DeployedModel(
        package,
        loaded.contract,
        loaded.contract.graphs["certified" if options.certified else "default"],
        _declared_shapes(loaded),
        VectorSet.from_json(package.read_json(CONFORMANCE), str(path / CONFORMANCE)).ordinary,
    )


def _declared_shapes(model: LoadedModel) -> tuple[Shape, ...]:
    if model.weights is None:
        outputs = create_session(model.data).get_outputs()
    else:
        with model.weights.while_checked() as weights:
            outputs = create_session(model.data, weights=weights).get_outputs()
    return tuple(tuple(size if isinstance(size, int) else -1 for size in output.shape) for output in outputs)


def _check_names(models: Sequence[DeployedModel]) -> None:
    found: dict[str, Path] = {}
    for model in models:
        name, path = model.name, model.package.path
        if "/" in name or name in (".", ".."):
            raise InputError(
                f"{path}: the model is called {shown(name)}, which cannot be a folder; export it with another name"
            )
        if name in found:
            raise InputError(f"{found[name]} and {path} are both called {name}; deploy each into a folder of its own")
        found[name] = path
