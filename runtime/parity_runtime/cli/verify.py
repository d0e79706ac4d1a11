"""``parity verify``."""

from pathlib import Path

import click

from parity_runtime.cli.echo import echo_line
from parity_runtime.cli.options import digest_option, operators_option, package_argument, provider_option, say_provider
from parity_runtime.inference.session import Provider
from parity_runtime.verification.verify import verify as verify_package


@click.command()
@package_argument
@provider_option
@digest_option
@operators_option
def verify(package: Path, provider: Provider, digest: str | None, allow_operators: tuple[str, ...]) -> None:
    """Check every file against the manifest and replay its test vectors on this machine.

    Exits with 3 if a file differs, is missing or is not listed, or a result lies outside its tolerance.
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
