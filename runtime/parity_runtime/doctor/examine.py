"""All the findings, in the order in which a person reads them."""

from collections.abc import Iterator

from parity_runtime.doctor.core import check_core
from parity_runtime.doctor.environment import check_environment
from parity_runtime.doctor.extras import check_extras
from parity_runtime.doctor.finding import Finding
from parity_runtime.doctor.machine import check_machine
from parity_runtime.doctor.openmp import check_openmp
from parity_runtime.doctor.providers import check_providers


def examine(*, deep: bool = False) -> Iterator[Finding]:
    """Yield what is found here; nothing is sent anywhere.

    Args:
        deep: import every extra that is installed, which takes some seconds.
    """
    core = list(check_core())
    yield from core
    if all(finding.level != "error" for finding in core):  # else a session only says the same once more
        yield from check_providers()
    yield from check_extras(deep=deep)
    yield from check_machine()
    if deep:
        yield from check_openmp()
    yield from check_environment()
