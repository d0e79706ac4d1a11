"""Profiles for packages that are checked in without one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from parity_runtime import Feature, Package
from parity_runtime.drift.column_counts import ColumnCounts
from parity_runtime.drift.profile import Profile
from parity_runtime.drift.target_profile import TargetProfile
from parity_runtime.package.manifest import PROFILE, write_manifest

ROWS = 100


def values(name: str, mean: float | None, quantiles: dict[float, float]) -> TargetProfile:
    """Return the profile of a target that was 0 to 1000 in a hundred rows."""
    counts = ColumnCounts(Feature(name, "target", 0, low=0.0, high=1000.0), (500.0,), np.array([50, 50]))
    return TargetProfile(name, None, counts, mean, quantiles)


RENTS = (values("cold", 12.5, {0.5: 11.0}), values("warm", 20.25, {0.5: 19.0}))
"""Of the package rent."""


def with_profile(package: Path, targets: Sequence[TargetProfile]) -> Path:
    """Add a profile to a package, a copy, whose features were missing in all rows of the training."""
    columns = {}
    for feature in Package.open(package).contract.features:
        columns[feature.name] = ColumnCounts.empty(feature)
        columns[feature.name].missing = ROWS
    profile = Profile(columns, targets[0]) if len(targets) == 1 else Profile(columns, None, tuple(targets))
    (package / PROFILE).write_bytes(profile.dump())
    (package / "manifest.json").unlink()
    write_manifest(package)
    return package
