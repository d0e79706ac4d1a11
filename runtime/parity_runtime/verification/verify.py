"""Check that a package is the one that was exported, and that it computes the recorded results on this machine."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from parity_runtime.errors import ConformanceError, DigestError, FormatError
from parity_runtime.inference.predictor import Predictor
from parity_runtime.inference.session import Provider
from parity_runtime.package.manifest import CONFORMANCE, Package
from parity_runtime.verification.test_vectors import Deviation, VectorSet, replay


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found in a package that passed its checks.

    >>> from parity_runtime import verify
    >>> found = verify("tests/data/rent")
    >>> [(deviation.output, deviation.vectors, deviation.failed) for deviation in found.deviations]
    [('value', 'ordinary', 0)]

    Attributes:
        package_id: SHA-256 of the manifest, in hexadecimal.
        files: how many files were checked.
        provider: what the session ran on, ``cpu`` or ``cuda``.
        deviations: for each output, how far the results of the test vectors were from the recorded ones.
    """

    package_id: str
    files: int
    provider: str
    deviations: tuple[Deviation, ...]

    def __repr__(self) -> str:
        values = sum(deviation.compared for deviation in self.deviations)
        return f"Verification(id {self.package_id[:12]}, {self.files} files, {values} values compared, {self.provider})"


def verify(
    path: str | Path,
    *,
    provider: Provider = "cpu",
    digest: str | None = None,
    allow_operators: Collection[str] = (),
) -> Verification:
    """Check every file of a package against its manifest, and run its test vectors on this machine.

    >>> from parity_runtime import Package, verify
    >>> verify("tests/data/xor").package_id == Package.open("tests/data/xor").id
    True

    Args:
        path: the package folder.
        provider: what the sessions run on: ``cpu``, ``cuda`` or ``auto``, as in `Predictor`.
        digest: the expected package id; None accepts any.
        allow_operators: as in `Predictor`.

    Returns:
        What was checked, and how far each output was from what the package records.

    Raises:
        DigestError: a file is missing, changed, or not listed in the manifest.
        ConformanceError: a result is outside its recorded tolerance.
        ParityError: the package cannot be opened.
    """
    package = Package.open(path, digest)
    try:
        return _verify(package, provider, allow_operators)
    except DigestError:
        if not package.was_replaced():
            raise
    return verify(path, provider=provider, digest=digest, allow_operators=allow_operators)


def _verify(package: Package, provider: Provider, allowed: Collection[str]) -> Verification:
    for name in package.entries:
        for _ in package.blocks(name):
            pass
    unlisted = package.unlisted()
    if unlisted:
        raise DigestError(f"{package.path} holds {unlisted[0]}, which its manifest does not list; remove it")
    conformance = VectorSet.from_json(package.read_json(CONFORMANCE), str(package.path / CONFORMANCE))
    options: dict[str, Any] = {"provider": provider, "digest": package.id, "allow_operators": allowed}
    predictor = Predictor(package.path, **options)
    names = {spec.name for spec in package.contract.outputs}
    if set(conformance.ordinary.outputs) != names:
        raise FormatError(f"{package.path / CONFORMANCE} does not hold test vectors of {', '.join(sorted(names))}")
    deviations = replay(conformance, predictor)
    if "certified" in package.contract.graphs:
        predictor.close()  # two sessions would hold the weights twice
        proven = Predictor(package.path, **options, certified=True)
        deviations += [replace(found, vectors=f"{found.vectors}, certified") for found in replay(conformance, proven)]
    failed = [deviation for deviation in deviations if deviation.failed]
    if failed or not sum(deviation.compared for deviation in deviations):
        worst = failed[0] if failed else None
        found = (
            f"{worst.failed} of {worst.compared} values of {worst.output} ({worst.vectors} test vectors) lie outside "
            f"their tolerance, by up to {worst.largest:.3g}"
            if worst
            else "it has no test vectors to compare"
        )
        raise ConformanceError(f"{package.path} computes something else here than its test vectors record: {found}")
    return Verification(package.id, len(package.entries), predictor.provider, tuple(deviations))
