"""What becomes of the tasks that a failed job has left to Ray, on a real cluster."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from parity_runtime import InputError
from parity_runtime.engines.ray_engine import RayEngine
from parity_runtime.tables.table_parts import TablePart
from tests.soak import sampled

ray = pytest.importorskip("ray", reason="the extra [ray] is not installed")

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_cluster"), pytest.mark.filterwarnings("ignore")]

MANY = 400  # parts, of which an engine is handed some ahead
FAILING_JOBS = """
import ray, sys
from parity_runtime import InputError
from parity_runtime.engines.ray_engine import RayEngine
from parity_runtime.tables.table_parts import TablePart

def refuse_the_fourth(part):
    if part.number == 3:
        raise InputError("refused")

ray.init(address=sys.argv[1], log_to_driver=False)
failed = 0
with RayEngine(None) as engine:
    for _ in range(int(sys.argv[2])):
        try:
            list(engine.map(refuse_the_fourth, [TablePart(number, "", "", 0) for number in range(12)]))
        except InputError:
            failed += 1
sys.stderr.write(f"{failed} jobs failed")
"""


@pytest.mark.parametrize("jobs", sampled([50, 1500], {"50"}))
def test_jobs_fail_while_their_tasks_end_and_the_driver_lives(jobs: int) -> None:
    """A task that is cancelled in the moment in which it ends aborts the driver: in one of some 200 jobs."""
    command = [sys.executable, "-c", FAILING_JOBS, ray.get_runtime_context().gcs_address, str(jobs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr.endswith(f"{jobs} jobs failed"), done.stderr[-2000:]


def test_what_waits_for_a_worker_when_a_job_fails_does_not_begin(tmp_path: Path) -> None:
    def begin(part: TablePart) -> None:
        (tmp_path / str(part.number)).touch()
        time.sleep(0.2)
        if part.number == 0:
            raise InputError("refused")

    with RayEngine(None) as engine:
        with pytest.raises(InputError, match="refused"):
            list(engine.map(begin, [TablePart(number, "", "", 0) for number in range(MANY)]))
        begun = len(list(tmp_path.iterdir()))
        assert list(engine.map(lambda part: part.number, [TablePart(MANY, "", "", 0)])) == [MANY]  # behind the others
        assert len(list(tmp_path.iterdir())) <= begun + 3 < MANY  # the cluster has three CPUs
