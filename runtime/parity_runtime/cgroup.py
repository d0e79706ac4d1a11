"""What the control groups of Linux allow a process, in both versions, as containers set them."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

MOUNT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
_UNLIMITED = 2**62  # bytes: version 1 says the largest number of whole pages where there is no limit


def cgroup_cores(mount: Path = MOUNT, own: Path = OWN) -> float | None:
    """Return the quota of processor time, in cores; None without one.

    Args:
        mount: of the file system of cgroups.
        own: what lists the groups of the process.
    """
    quotas = []
    for folder in _folders(mount, own, "cpu"):
        words = (_text(folder / "cpu.max") or "").split()
        if not words:  # of version 1
            words = [_text(folder / "cpu.cfs_quota_us") or "", _text(folder / "cpu.cfs_period_us") or ""]
        if len(words) == 2 and all(word.isdecimal() and int(word) for word in words):
            quotas.append(int(words[0]) / int(words[1]))
    return min(quotas, default=None)


def cgroup_memory(mount: Path = MOUNT, own: Path = OWN) -> int | None:
    """Return the limit of memory, in bytes; None without one. The arguments are those of `cgroup_cores`."""
    names = ("memory.max", "memory.limit_in_bytes")  # of version 2 and 1
    texts = [_text(folder / name) or "" for folder in _folders(mount, own, "memory") for name in names]
    return min((int(text) for text in texts if text.isdecimal() and int(text) < _UNLIMITED), default=None)


def _folders(mount: Path, own: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of the process's group and of those above it, which limit it as well."""
    for line in (_text(own) or "").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        root = mount / controller if controllers else mount
        path = PurePosixPath(group.lstrip("/"))
        yield from (root / each for each in (path, *path.parents))


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None
