"""The environment of processes that coverage must not measure.

Its tracer holds a lock of its own that cannot be taken twice: a signal handler that raises while the lock is held, or
a fork from several threads, leaves the lock taken for ever, and the process waits for itself (18 of 334 predictions
that SIGTERM ended).
"""

import os


def unmeasured() -> dict[str, str]:
    """Return this process's environment without what coverage has put there."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
