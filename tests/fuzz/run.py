"""python -m tests.fuzz.run [--seconds 300] [TARGET...]: coverage-guided fuzzing of every parser, with atheris.

Needs the [fuzz] extra. Each target runs in a process of its own, from its corpus in tests/data/fuzz; what it finds
beyond is kept in a temporary folder, and so is an input that fails, whose path is printed. Exits with 1 if one did.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

CORPUS = Path(__file__).parent.parent / "data" / "fuzz"

_LONGEST = 16_384  # bytes of an input
_SECONDS, _MEGABYTES = 20, 3072  # that one input may take


def main() -> int:
    """Fuzz the targets one after the other, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*")
    options, passed_on = parser.parse_known_args()
    if options.one:
        run_target(options.targets[0], [*options.targets[1:], *passed_on])
    from tests.fuzz.targets import TARGETS

    failed = [name for name in options.targets or TARGETS if not fuzz_target(name, options.seconds)]
    return 1 if failed else 0


def fuzz_target(name: str, seconds: int) -> bool:
    """Fuzz one target in a process of its own; return whether nothing was found."""
    found = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    (found / "corpus").mkdir()
    arguments = [f"-max_total_time={seconds}", f"-max_len={_LONGEST}", f"-timeout={_SECONDS}",
                 f"-rss_limit_mb={_MEGABYTES}", "-print_final_stats=1", f"-artifact_prefix={found}/",
                 str(found / "corpus"), str(CORPUS / name)]  # fmt: skip
    command = [sys.executable, "-m", "tests.fuzz.run", "--one", name, "--", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    executions = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    covered = re.findall(r"cov: (\d+)", done.stderr)
    print(  # noqa: T201
        f"{name:<12} {int(executions[1]) if executions else 0:>10,} executions, {covered[-1] if covered else 0:>5} "
        f"edges, {'nothing found' if done.returncode == 0 else f'FOUND {found}'}",
        flush=True,
    )
    if done.returncode:
        print(done.stderr[-4000:])  # noqa: T201
    return done.returncode == 0


def run_target(name: str, arguments: list[str]) -> None:
    """Fuzz in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["parity_runtime", "parity_training", "tests.fuzz.targets"]):
        from tests.fuzz import targets
    targets.fuzz(name, b"")  # imports torch and the like before the clock of an input runs
    atheris.Setup([sys.argv[0], *arguments], lambda data: targets.fuzz(name, data))
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
