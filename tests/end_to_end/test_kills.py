"""Commands that are killed or stopped in the midst of their writing; ``make soak`` does it at every call."""

import signal

import pytest

from tests.end_to_end.kills import JOBS, Job, Kills
from tests.warm_process import WarmProcess

pytestmark = pytest.mark.slow

PLACES = {
    "train --force": ["parity.exchanged:2"],
    "train --resume": ["parity.exchange:2"],
    "export --force": ["os.rmdir:1"],
    "certify --out": ["parity.exchange:1"],
    "predict --out": ["os.rename:1"],
    "predict folder --out": ["os.rename:3"],
    "plot": ["os.rename:2"],
}
"""Where old and new stand beside one another; the second exchange of a training is the run's own."""


def job_of(name: str) -> Job:
    return next(job for job in JOBS if job.name == name)


@pytest.fixture(scope="module")
def kills(tmp_path_factory: pytest.TempPathFactory, warm: WarmProcess) -> Kills:
    return Kills(tmp_path_factory.mktemp("kills").resolve(), warm)


@pytest.mark.parametrize(("name", "at"), [(name, at) for name, places in PLACES.items() for at in places])
def test_a_kill_leaves_the_old_or_the_new_and_the_next_command_works(kills: Kills, name: str, at: str) -> None:
    kills.placed(job_of(name), at)


@pytest.mark.parametrize(
    ("name", "at", "number"),
    [
        ("export --force", "parity.exchanged:1", signal.SIGHUP),
        ("certify --out", "open:2", signal.SIGHUP),
        ("certify --out", "os.remove:1", signal.SIGTERM),
        ("predict --out", "os.chmod:1", signal.SIGTERM),
    ],
)
def test_a_signal_clears_up_and_says_so(kills: Kills, name: str, at: str, number: signal.Signals) -> None:
    code, err = kills.signalled(job_of(name), at, number)
    assert code == 128 + number, err
    assert err.splitlines()[-1] == f"parity: stopped by {number.name}; nothing half-written is left"
    assert "Traceback" not in err


def test_hangups_that_nohup_ignores_stay_ignored(kills: Kills) -> None:
    code, err = kills.signalled(job_of("predict --out"), "os.chmod:1", signal.SIGHUP, [signal.SIGHUP])
    assert code == 0, err
