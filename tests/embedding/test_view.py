"""`parity view`: a package on a page, served to this machine's browser alone."""

import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.embedding.conftest import DATA, EXAMPLES

pytestmark = pytest.mark.slow

PARITY = [sys.executable, "-c", "from parity_runtime.cli.main import main; main()", "view"]
PINNED = json.loads((EXAMPLES / "browser" / "package.json").read_text())["dependencies"]
COPIED = json.loads((EXAMPLES / "browser" / "vendor.json").read_text())


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as npm leaves it, with the names and versions of the libraries: what is served, not what it does."""
    folder = tmp_path_factory.mktemp("libraries")
    for name, paths in COPIED.items():
        for path in paths:
            file = folder / "node_modules" / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"// {name}")
        (folder / "node_modules" / name / "package.json").write_text(json.dumps({"version": PINNED[name]}))
    return folder


@contextmanager
def viewing(package: Path, libraries: Path, *options: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A running `parity view`, and the address that it says."""
    command = [*PARITY, str(package), "--libraries", str(libraries), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None and process.stderr is not None
            said = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+/", said)
            assert found, said + process.stderr.read()
            yield process, found[0]
        finally:
            process.kill()


@pytest.fixture(scope="module")
def address(libraries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    package = Path(shutil.copytree(DATA / "xor_certified", tmp_path_factory.mktemp("viewed") / "package"))
    (package / "notes.txt").write_text("not of the package")
    with viewing(package, libraries) as (_, url):
        yield "127.0.0.1", int(url.split(":")[2].strip("/"))


def ask(address: tuple[str, int], path: str, method: str = "GET", hosts: list[str] | None = None) -> tuple[int, bytes]:
    """Send a request as it stands, which no client changes; return its status and its body."""
    hosts = [f"127.0.0.1:{address[1]}"] if hosts is None else hosts
    head = [f"{method} {path} HTTP/1.1", *(f"Host: {host}" for host in hosts), "Connection: close", "", ""]
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall("\r\n".join(head).encode())
        answer = b"".join(iter(lambda: connection.recv(2**16), b""))
    start, _, body = answer.partition(b"\r\n\r\n")
    return int(start.split()[1]), body


def test_the_page_its_libraries_and_the_package_are_served(address: tuple[str, int]) -> None:
    served = {
        "/": EXAMPLES / "browser" / "index.html",
        "/main.mjs?again": EXAMPLES / "browser" / "main.mjs",
        "/vendor/parity-reader/index.mjs": EXAMPLES / "reader" / "index.mjs",
        "/package/manifest.json": DATA / "xor_certified" / "manifest.json",
        "/package/model.onnx": DATA / "xor_certified" / "model.onnx",
    }
    for path, file in served.items():
        assert ask(address, path) == (200, file.read_bytes())
        assert ask(address, path, "HEAD") == (200, b"")
    assert ask(address, "/vendor/noble/sha2.js") == (200, b"// @noble/hashes")


@pytest.mark.parametrize(
    "path",
    [
        "/package/notes.txt", "/package/", "/package/../package/model.onnx", "/../../../../../../etc/passwd",
        "/package/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/package/..%2fnotes.txt", "//[", "/%ff", "/package.json",
    ],
)  # fmt: skip
def test_nothing_else_on_the_disk_is_served(address: tuple[str, int], path: str) -> None:
    assert ask(address, path)[0] == 404


@pytest.mark.parametrize("hosts", [["attacker.example"], ["127.0.0.1"], [], ["localhost:1"], ["attacker.example", ""]])
def test_a_request_that_does_not_name_this_machine_gets_nothing(address: tuple[str, int], hosts: list[str]) -> None:
    status, body = ask(address, "/package/manifest.json", hosts=hosts)
    assert status == 421 and b"sha256" not in body
    assert ask(address, "/", hosts=[f"localhost:{address[1]}"])[0] == 200


@pytest.mark.parametrize("name", ["evil.html", "evil.js", "evil.mjs", "evil.css", "evil.wasm", "evil.svg"])
def test_no_file_of_a_package_is_shown_or_run_by_a_browser(libraries: Path, tmp_path: Path, name: str) -> None:
    """A script of a stranger's would run as one of this machine's, beside the cookies of whatever else it serves."""
    package = Path(shutil.copytree(DATA / "xor", tmp_path / "package"))
    (package / name).write_text("<script>alert(document.cookie)</script>")
    manifest = json.loads((package / "manifest.json").read_text())
    data = (package / name).read_bytes()
    manifest["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    (package / "manifest.json").write_text(json.dumps(manifest))
    with viewing(package, libraries) as (_, url):
        for path, kind in ((name, "application/octet-stream"), ("contract.json", "application/json")):
            with urlopen(f"{url}package/{path}", timeout=20) as answer:  # noqa: S310 -- of the server above
                assert answer.headers["Content-Type"] == kind and answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_there_is_nothing_to_change(address: tuple[str, int], method: str) -> None:
    assert ask(address, "/", method)[0] == 501


def test_ctrl_c_ends_it_without_a_word(libraries: Path) -> None:
    with viewing(DATA / "xor_certified", libraries) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 0


def test_the_port_of_one_that_was_killed_can_be_taken_at_once(libraries: Path) -> None:
    with viewing(DATA / "xor_certified", libraries) as (process, url):
        port = int(url.split(":")[2].strip("/"))
        assert ask(("127.0.0.1", port), "/")[0] == 200  # the server closes first, and its port keeps the connection
        process.kill()
        process.wait(timeout=30)
    with viewing(DATA / "xor_certified", libraries, "--port", str(port)):
        assert ask(("127.0.0.1", port), "/")[0] == 200


def test_a_browser_that_is_waited_for_is_served(
    libraries: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = tmp_path / "browser"
    fetch = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=30); open(sys.argv[2], 'w')"
    browser.write_text(f"#!/bin/sh\nexec {shlex.join([sys.executable, '-c', fetch])} $1 {tmp_path / 'seen'}\n")
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    with viewing(DATA / "xor_certified", libraries, "--open"):
        for _ in range(300):
            if (tmp_path / "seen").exists():
                break
            time.sleep(0.1)
    assert (tmp_path / "seen").exists()


def refused(*options: object, home: Path, code: int = 1) -> str:
    """The one line of a `parity view` that serves nothing."""
    environment = os.environ | {"HOME": str(home)}
    done = subprocess.run(
        [*PARITY, *map(str, options)], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (code, "")
    (line,) = done.stderr.splitlines()
    return line


def test_without_its_libraries_it_names_the_command_that_installs_them(tmp_path: Path, libraries: Path) -> None:
    absent = refused(DATA / "xor", "--libraries", tmp_path, home=tmp_path)
    wanted = " ".join(f"{name}@{PINNED[name]}" for name in COPIED)
    assert absent.endswith(f"npm install --ignore-scripts --prefix {tmp_path} {wanted}"), absent
    other = Path(shutil.copytree(libraries, tmp_path / "other"))
    (other / "node_modules" / "onnxruntime-web" / "package.json").write_text('{"version": "1.0.0"}')
    assert "has the version 1.0.0" in refused(DATA / "xor", "--libraries", other, home=tmp_path)


def test_what_cannot_be_shown_is_one_line(tmp_path: Path, libraries: Path, address: tuple[str, int]) -> None:
    given = ("--libraries", libraries)
    assert "is not a package" in refused(tmp_path, *given, home=tmp_path)
    assert "is the package" in refused(DATA / "xor", *given, "--digest", "0" * 64, home=tmp_path, code=3)
    taken = refused(DATA / "xor", *given, "--port", address[1], home=tmp_path)
    assert f"127.0.0.1:{address[1]} cannot be listened on" in taken
