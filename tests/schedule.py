"""How the files of tests are given to processes."""

from xdist.scheduler import LoadFileScheduling

from tests.longest_first import TOGETHER


class Files(LoadFileScheduling):  # type: ignore[misc]
    """Gives a process a file at a time, in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        together = next(filter(nodeid.startswith, TOGETHER), None)
        return together or str(super()._split_scope(nodeid))
