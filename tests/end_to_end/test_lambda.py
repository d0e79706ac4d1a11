"""docs/how-to/aws-lambda.md: its handler on a read-only disk, without HOME, /dev/shm and the list of processors."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.host_page import HostPage

pytestmark = pytest.mark.slow

MOUNTS = """
mount --bind "$1" /srv
mount --bind /tmp /tmp
mount -o remount,bind,ro /srv
mount -o remount,bind,ro /
mount -t tmpfs -o ro none /dev/shm
mount -t tmpfs -o ro none /sys/devices/system/cpu
cd /srv
shift
exec "$@"
"""
"""Of a namespace of its own: a function's disk, of which /tmp alone can be written; the function's folder is /srv."""

DRIVER = """
import json, os, sys
from pathlib import Path

import parity_runtime  # Lambda's own Python finds it beside the handler, where pip has put it

def refuse(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        if not str(arguments[0]).startswith(("/tmp/", "/dev/null")):
            os.write(2, f"{event} {arguments}\\n".encode())
            os._exit(77)

sys.dont_write_bytecode = True
refused = []
for folder in sys.argv[1:]:
    try:
        Path(folder, "written").touch()
    except OSError:
        refused.append(folder)
sys.addaudithook(refuse)
sys.path.insert(0, os.getcwd())
from handler import handler

answers = [handler({"body": body}, None) for body in ("[[0, 1], [1, 1]]", '[[0, "much"]]', "[[")]
print(json.dumps({"refused": refused, "home": os.environ.get("HOME"), "answers": answers}))
"""
ANSWERS = [
    {"statusCode": 200, "body": '{"labels": [1, 0]}'},
    {"statusCode": 400, "body": """{"error": "row 1: x2 is 'much', which is text; it takes numbers"}"""},
    {"statusCode": 400, "body": '{"error": "Expecting value: line 1 column 3 (char 2)"}'},
]


@pytest.fixture
def function(tmp_path: Path) -> HostPage:
    """The function's folder, which nobody may write to."""
    folder = tmp_path / "function"
    folder.mkdir()
    page = HostPage("aws-lambda.md", folder, package="xor")
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return page


def run(function: HostPage, prefix: list[str], cwd: Path, *folders: str) -> "subprocess.CompletedProcess[str]":
    """Run the handler, after it was tried whether those folders can be written to."""
    environment = {name: value for name, value in function.environment().items() if name != "HOME"}
    command = [*prefix, sys.executable, "-c", DRIVER, *folders]
    return subprocess.run(command, check=False, cwd=cwd, env=environment, capture_output=True, text=True)


def check(done: "subprocess.CompletedProcess[str]", *refused: str) -> None:
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"refused": list(refused), "home": None, "answers": ANSWERS}
    assert done.stderr == ""


def test_the_handler_answers_from_a_folder_that_it_may_not_write_to(function: HostPage) -> None:
    without = "-dac_override,-dac_read_search,-fowner"  # what lets root write where nobody may
    prefix = [] if os.geteuid() else ["setpriv", f"--bounding-set={without}"]
    if prefix and subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode:
        pytest.skip("setpriv may not drop the rights of root here")
    here = str(function.folder)
    check(run(function, prefix, function.folder, here, f"{here}/xor"), here, f"{here}/xor")


def test_the_handler_answers_on_a_read_only_disk_without_dev_shm_and_the_list_of_processors(function: HostPage) -> None:
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    script = ["sh", "-euc", MOUNTS, "sh", str(function.folder)]
    if (tried := subprocess.run([*own, *script, "true"], check=False, capture_output=True, text=True)).returncode:
        pytest.skip(f"no mounts of one's own here: {tried.stderr.strip()}")
    folders = ("/srv", "/var", "/dev/shm", str(Path.home()))  # noqa: S108 -- that it is not there is what is tried
    check(run(function, [*own, *script], function.folder, *folders), *folders)
