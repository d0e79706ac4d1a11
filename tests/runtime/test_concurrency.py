"""One predictor in threads, processes, forks, pickles and executors: the same bits."""

import asyncio
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from parity_runtime import InputError, Predictor, ProviderError
from tests.python_path import python_path
from tests.unmeasured import unmeasured

pytestmark = pytest.mark.slow

BATCHES = [np.random.default_rng(size).uniform(-0.5, 1.5, (size, 2)).astype(np.float32) for size in (1, 1, 2, 64, 5000)]


@pytest.fixture
def predictor(xor_package: Path) -> Predictor:
    return Predictor(xor_package)


@pytest.fixture(scope="module")
def expected(xor_package: Path) -> list[bytes]:
    return answers(Predictor(xor_package))


def answers(predictor: Predictor) -> list[bytes]:
    return [predictor.predict_proba(batch).tobytes() for batch in BATCHES]


def test_threads_share_one_predictor(predictor: Predictor, expected: list[bytes]) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: answers(predictor), range(200)))
    assert all(one == expected for one in found)


def test_it_pickles_with_its_model(predictor: Predictor, expected: list[bytes]) -> None:
    copy = pickle.loads(pickle.dumps(predictor))
    assert (copy.package_id, copy.provider, copy.contract) == (predictor.package_id, "cpu", predictor.contract)
    assert answers(copy) == expected


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")  # what is tested; Python 3.12 and later warn
def test_worker_processes_give_the_same_bits(predictor: Predictor, expected: list[bytes], method: str) -> None:
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        # The bound method takes the predictor along, once a question.
        found = list(pool.map(predictor.predict_proba, BATCHES * 4))
    assert [answer.tobytes() for answer in found] == expected * 4


def test_asyncio_executors_give_the_same_bits(predictor: Predictor, expected: list[bytes]) -> None:
    async def ask() -> list[list[bytes]]:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(None, answers, predictor) for _ in range(20)))

    assert asyncio.run(ask()) == [expected] * 20


FORK = """
import os, sys, threading
import numpy as np
from parity_runtime import Predictor
predictor = Predictor(sys.argv[1], threads=2)
rows = np.random.default_rng(0).uniform(size=(300_000, 2)).astype(np.float32)
expected = predictor.predict_proba(rows).tobytes()
predictor.predict_proba(rows[:1]); predictor.predict_proba(rows[:1])
stop = threading.Event()
def ask():
    while not stop.is_set(): predictor.predict_proba(rows)
busy = [threading.Thread(target=ask) for _ in range(int(sys.argv[2]))]
for thread in busy: thread.start()
codes = []
for _ in range(5):
    child = os.fork()
    if child == 0:
        same = predictor.predict_proba(rows).tobytes() == expected
        first = predictor.predict_proba(rows[:1])
        predictor.close()
        sys.exit(0 if same else 9)   # the interpreter's whole shutdown, with the inherited session in it
    codes.append(os.waitpid(child, 0)[1])
stop.set()
for thread in busy: thread.join()
print(codes, predictor.predict_proba(rows).tobytes() == expected)
"""


@pytest.mark.parametrize("busy_threads", [0, 2])
def test_a_forked_child_makes_a_session_of_its_own_and_ends_cleanly(xor_package: Path, busy_threads: int) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK, str(xor_package), str(busy_threads)],
        capture_output=True, text=True, timeout=30, check=False, env=unmeasured(),
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("[0, 0, 0, 0, 0] True\n", "")


def test_a_closed_predictor_says_so_and_a_with_block_closes(xor_package: Path) -> None:
    with Predictor(xor_package) as predictor:
        assert predictor.predict([[0, 1]]).tolist() == [1]
    for rows in ([[0, 1]], np.zeros((1, 2), np.float32)):
        with pytest.raises(InputError, match="is closed"):
            predictor.predict(rows)
    predictor.close()


def test_it_may_be_closed_while_others_ask(xor_package: Path) -> None:
    predictor = Predictor(xor_package)
    problems: list[BaseException] = []

    def ask() -> None:
        try:
            while True:
                predictor.predict_proba(BATCHES[-1])
        except InputError:
            pass
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    predictor.close()
    for thread in threads:
        thread.join(10)
    assert not problems
    assert not any(thread.is_alive() for thread in threads)


def test_ctrl_c_in_a_long_answer_stops_it(xor_package: Path) -> None:
    code = (
        "import numpy as np, signal, sys\nfrom parity_runtime import Predictor\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background job ignores it
        "p = Predictor(sys.argv[1]); x = np.zeros((5_000_000, 2), np.float32)\n"
        "print('ready', flush=True)\nwhile True: p.predict(x)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(xor_package)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=unmeasured(),
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) in (1, -signal.SIGINT)


def test_both_wheels_at_once_are_explained(xor_package: Path, tmp_path: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("onnxruntime-gpu is what is installed here")
    for name in ("onnxruntime", "onnxruntime_gpu"):
        info = tmp_path / f"{name}-1.32.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.32.0\n")
    code = (
        f"from parity_runtime import Predictor, ProviderError\n"
        f"for provider in ('cuda', 'auto'):\n"
        f"    try: Predictor({str(xor_package)!r}, provider=provider)\n"
        f"    except ProviderError as error: print(error)\n"
        f"print(Predictor({str(xor_package)!r}).provider)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": python_path(str(tmp_path))},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    cuda, auto, cpu = done.stdout.splitlines()
    assert cuda == auto
    assert "onnxruntime 1.32.0 and onnxruntime-gpu 1.32.0 are both installed and overwrite" in cuda
    assert cpu == "cpu"


def test_without_cuda_auto_says_that_it_runs_on_the_cpu(parity, xor_package: Path) -> None:
    try:
        Predictor(xor_package, provider="cuda")
    except ProviderError:
        assert "provider auto: runs on cpu" in parity("predict", xor_package, "--row", "0,1", "--provider", "auto").err
    else:
        pytest.skip("CUDA works here")
