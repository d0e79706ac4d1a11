"""One predictor for each worker process of a cluster, of the very package that the driver has."""

import functools
import platform
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from parity_runtime.errors import DigestError, InputError, MissingExtraError, ParityError, ProviderError
from parity_runtime.inference.predictor import Predictor
from parity_runtime.inference.session import Provider, import_onnxruntime
from parity_runtime.version import __version__


@dataclass(frozen=True)
class WorkerPredictor:
    """A package, as a driver names it to its workers; a few hundred bytes where it is pickled.

    >>> from parity_runtime.engines.worker_predictor import WorkerPredictor
    >>> worker = WorkerPredictor.of("tests/data/xor")
    >>> worker.open()
    Predictor('tests/data/xor', binary, 2 features, cpu)
    >>> worker.open() is worker.open()
    True

    Attributes:
        path: the package folder, as the workers see it.
        package_id: the one that the driver has read.
        version: Parity's, on the driver.
        certified: whether the certified graph is run.
        provider: what the workers' sessions run on.
        threads: within an operator.
        onnxruntime: its version on the driver.
        operators: outside the ONNX standard that the driver has allowed.
    """

    path: str
    package_id: str
    version: str = __version__
    certified: bool = False
    provider: Provider = "cpu"
    threads: int = 1
    onnxruntime: str = field(default_factory=lambda: str(import_onnxruntime().__version__))
    operators: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, package: str | Path, *, certified: bool = False, provider: Provider = "cpu", threads: int = 1,
        allow_operators: Collection[str] = (),
    ) -> Self:  # fmt: skip
        """Return a package that the driver reads itself first, so that what is wrong with it is said at once.

        Raises:
            InputError: there is no package, or it is a bare model without an id.
            ParityError: as `Predictor`.
        """
        with Predictor(package, certified=certified, allow_operators=allow_operators) as predictor:
            return replace(cls.like(predictor, package), provider=provider, threads=threads)

    @classmethod
    def like(cls, predictor: Predictor, package: str | Path) -> Self:
        """Return the package of a predictor that the driver has open, to be run as it runs.

        Raises:
            InputError: it is a bare model without an id.
        """
        found = predictor.package_id
        if found is None:
            raise InputError(
                f"{package} is a bare model without a package id, which workers check; give a package folder"
            )
        certified, path = predictor.has_error_bounds, str(Path(package).absolute())
        provider: Any = predictor.provider  # what auto has chosen
        named = cls(path, found, __version__, certified, provider)
        return replace(
            named, operators=predictor.contract.operators
        )  # the driver has them allowed, else it would not run

    def open(self) -> Predictor:
        """Return this process's predictor; it is loaded once.

        Raises:
            InputError: this process runs another version of Parity, or cannot read the package.
            DigestError: the package is another one than the driver's.
        """
        return _opened(self)


@functools.lru_cache(maxsize=4)
def _opened(worker: WorkerPredictor) -> Predictor:
    if worker.version != __version__:
        raise InputError(
            f"the worker {platform.node()} has Parity {__version__}, and the driver {worker.version}; install one "
            "version on both"
        )
    here = import_onnxruntime().__version__
    if worker.onnxruntime != here:  # it may give other bits
        raise InputError(
            f"the worker {platform.node()} has onnxruntime {here}, and the driver {worker.onnxruntime}; install one "
            "version on both"
        )
    options: dict[str, Any] = {"certified": worker.certified, "provider": worker.provider, "threads": worker.threads}
    options["allow_operators"] = worker.operators
    try:
        return Predictor(worker.path, digest=worker.package_id, **options)
    except (DigestError, MissingExtraError, ProviderError) as error:
        raise type(error)(f"on the worker {platform.node()}: {error}") from error
    except ParityError as error:
        raise InputError(
            f"the worker {platform.node()} cannot use the package {worker.path}: {error}; give a path that all workers "
            "see, or ship the package to them"
        ) from error
