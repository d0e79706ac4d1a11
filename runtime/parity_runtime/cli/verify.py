"""``parity verify``."""

from pathlib import Path

import click

from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.options import digest_option, operators_option, package_argument, provider_option, say_provider
from parity_runtime.cli.sectioned_help import SectionedCommand
from parity_runtime.inference.session import Provider
from parity_runtime.verification.verify import verify as verify_package

_EXAMPLES = """
    # Verify a package on the machine that will use it
    parity verify packages/xor
    # Verify it on CUDA as well
    parity verify packages/xor --provider cuda
"""


@click.command(cls=SectionedCommand, examples=_EXAMPLES)
@package_argument
@provider_option
@digest_option
@operators_option
def verify(package: Path, provider: Provider, digest: str | None, allow_operators: tuple[str, ...]) -> None:
    """Check that PACKAGE is complete and unchanged, and that its model computes the recorded results here.

    The command compares the SHA-256 of every file with the manifest. Then it runs the test vectors: recorded inputs
    with the outputs that they must give. It exits with 3 if a file differs, is missing or is not listed, or if a result
    is outside its tolerance.
    """
    result = verify_package(package, provider=provider, digest=digest, allow_operators=allow_operators)
    say_provider(provider, result.provider)
    echo_line(f"{package}: {result.files} files are as they were packaged")
    for deviation in result.deviations:
        echo_line(
            f"  {deviation.vectors:<20}{deviation.output:<14}{deviation.compared:>6} values agree, "
            f"largest deviation {deviation.largest:.3g}"
        )
    echo_line(f"package {result.package_id}")
