"""What a running service answers: every question goes through a socket."""

import gzip
import json
import re
import resource
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from parity_runtime import InputError, Package, Predictor
from parity_runtime.serving.serve_packages import ServeOptions, serve_packages
from tests.end_to_end.guide import blocks
from tests.python_path import python_path
from tests.serving.conftest import DATA, PARITY, Running, body, serving, tensor
from tests.unmeasured import unmeasured

httpx = pytest.importorskip("httpx")

INFER = "/v2/models/xor/infer"
VERSION = Package.open(DATA / "xor_certified").id
JSON = {"content-type": "application/json"}
pytestmark = pytest.mark.slow


def packed(content: bytes) -> bytes:
    """Without a time: tests are named by it, and each process must give the same names."""
    return gzip.compress(content, mtime=0)


def test_health_and_metadata(service: Running) -> None:
    client = service.client
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/xor/ready").json() == {"name": "xor", "ready": True}
    metadata = client.get("/v2/models/xor").json()
    assert metadata["inputs"] == [{"name": "features", "datatype": "FP32", "shape": [-1, 2]}]
    assert [output["name"] for output in metadata["outputs"]][-1] == "class"
    assert client.get(f"/v2/models/xor/versions/{VERSION}").json() == metadata


@pytest.mark.parametrize("path", ["/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/xor/ready", "/metrics"])
def test_head_is_answered_as_get_without_a_body(service: Running, path: str) -> None:
    answer = service.client.head(path)
    assert (answer.status_code, answer.content) == (200, b"") and int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize("path", [INFER, f"/v2/models/xor/versions/{VERSION}/infer"])
def test_an_inference(service: Running, path: str) -> None:
    answer = service.client.post(path, content=body(), headers=JSON)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["outputs"][0]["data"] == [1, 0]


@pytest.mark.parametrize(("coding", "content"), [
    ("gzip", packed(body())), ("gzip", packed(body()[:50]) + packed(body()[50:])), ("GZIP", packed(body())),
    ("deflate", zlib.compress(body())),
    ("deflate", zlib.compress(body())[2:-4]), ("identity", body()),
])  # fmt: skip
def test_compressed_requests(service: Running, coding: str, content: bytes) -> None:
    answer = service.client.post(INFER, content=content, headers={"content-encoding": coding})
    assert answer.json()["outputs"][0]["data"] == [1, 0]


@pytest.mark.parametrize(
    ("coding", "found"),
    [("gzip", "gzip"), ("deflate", "deflate"), ("br, gzip;q=0.5", "gzip"), ("gzip;q=0", None), ("br", None)],
)
def test_large_answers_are_compressed_for_clients_that_ask(service: Running, coding: str, found: str | None) -> None:
    sent = body(tensor(shape=[1000, 2], data=[0.5] * 2000))
    answer = service.client.post(INFER, content=sent, headers={"accept-encoding": coding})
    assert answer.headers.get("content-encoding") == found
    assert len(answer.json()["outputs"][0]["data"]) == 1000


@pytest.mark.parametrize(("status", "path", "headers", "content"), [
    (413, INFER, {}, packed(b" " * 2**24)),
    (413, INFER, {}, packed(body(tensor(shape=[5001, 2], data=[0] * 10002)))),
    (400, INFER, {}, b"x"),
    (400, INFER, {}, packed(body())[:-1]),
    (400, INFER, {}, packed(body()) + b"x"),
    (400, INFER, {}, packed(b"") * 1001),
    (400, INFER, {"content-encoding": "deflate"}, b"x"),
    (415, INFER, {"content-encoding": "br"}, b"x"),
    (415, INFER, {"content-encoding": "gzip, gzip"}, b"x"),
    (415, INFER, {"content-type": "text/xml"}, packed(body())),
    (404, "/v2/models/other/infer", {}, b"x"),
    (404, "/v2/models/xor/versions/1/infer", {}, b"x"),
])  # fmt: skip
def test_refusals_in_the_protocols_form(
    service: Running, status: int, path: str, headers: dict[str, str], content: bytes
) -> None:
    answer = service.client.post(path, content=content, headers={"content-encoding": "gzip"} | headers)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])


def test_unknown_paths_and_methods(service: Running) -> None:
    for method, path, status, allow, told in [
        ("GET", "/v2/models/other", 404, None, "there is no model 'other'"),
        ("GET", "/v2/models/other/ready", 404, None, "there is no model 'other'"),
        ("GET", "/v2/models/xor/versions/1", 404, None, "version '1'"),
        ("GET", "/", 404, None, "there is no path '/'; /openapi.json lists the paths"),
        ("GET", "/docs", 404, None, "there is no path '/docs'; /openapi.json lists the paths"),
        ("GET", INFER, 405, "POST", f"'{INFER}' takes POST, not 'GET'"),
        ("POST", "/v2", 405, "GET, HEAD", "'/v2' takes GET, HEAD, not 'POST'"),
    ]:
        answer = service.client.request(method, path)
        assert (answer.status_code, answer.headers.get("allow")) == (status, allow)
        assert list(answer.json()) == ["error"] and told in answer.json()["error"]


@pytest.mark.parametrize(("given", "told"), [("a-1.b:c", "a-1.b:c"), ("x" * 129, None), ("a b", None), ("", None)])
def test_a_request_keeps_its_id(service: Running, given: str, told: str | None) -> None:
    for path in ("/v2", "/nowhere"):
        found = service.client.get(path, headers={"x-request-id": given}).headers["x-request-id"]
        assert found == told if told else re.fullmatch("[0-9a-f]{32}", found)


def test_a_traceparent_is_repeated_where_it_is_one(service: Running) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert service.client.get("/v2", headers={"traceparent": trace}).headers["traceparent"] == trace
    assert "traceparent" not in service.client.get("/v2", headers={"traceparent": f"{trace}-x"}).headers


def raw(service: Running, request: bytes) -> bytes:
    """Send bytes as they are, all of them before the answer is read; return the answer."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        connection.sendall(request)
        answer = b""
        while not re.search(rb"\r\n\r\n.*\}$", answer, re.DOTALL) and (piece := connection.recv(65536)):
            answer += piece
    return answer


def head(*lines: str) -> bytes:
    return "\r\n".join([f"POST {INFER} HTTP/1.1", "Host: a", *lines, "", ""]).encode()


def test_a_refusal_of_20_mb_reaches_its_client(service: Running) -> None:
    large = b" " * (20 * 2**20)
    for lines in (["Content-Length: 20971520"], ["Content-Length: 20971520", "Content-Type: text/xml"]):
        answer = raw(service, head(*lines) + large)
        assert answer.startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 415 ")) and answer.endswith(b"}")
    pieces = b"".join(b"%x\r\n%b\r\n" % (2**20, b" " * 2**20) for _ in range(20)) + b"0\r\n\r\n"
    assert raw(service, head("Transfer-Encoding: chunked") + pieces).startswith(b"HTTP/1.1 413 ")


def test_who_waits_to_be_asked_for_a_body_is_refused_at_once(service: Running) -> None:
    answer = raw(service, head("Content-Length: 20971520", "Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 413 ") and b"connection: close" in answer


@pytest.mark.parametrize("request_", [b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"GET\r\n\r\n"])
def test_what_is_no_http_is_refused_in_the_protocols_form(service: Running, request_: bytes) -> None:
    answer = raw(service, request_)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request")
    assert list(json.loads(answer.partition(b"\r\n\r\n")[2])) == ["error"]


def test_clients_that_go_away_leave_no_traceback() -> None:
    """`serving` looks at every line that the service tells."""
    slow = head(f"Content-Length: {len(packed(body()))}", "Content-Encoding: gzip") + packed(body())
    with serving(DATA / "xor") as running:
        for request in (slow, slow + b"no http\r\n\r\n", b"no http\r\n\r\n", slow * 3 + slow[:-5], head() + b"{"):
            for number in range(40):
                with socket.create_connection(("127.0.0.1", running.port)) as connection:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
                    connection.sendall(request)
                    time.sleep(5e-5 * number)
        assert running.client.post(INFER, content=body()).status_code == 200


def test_curl_at_its_defaults(service: Running) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    for options in ([], ["--compressed"], ["-H", "Content-Type: application/json"]):
        command = ["curl", "-sS", *options, f"{service.url}{INFER}", "-d", body().decode()]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)["outputs"][0]["data"] == [1, 0]


def test_the_guide_s_curl_commands(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    guide = (DATA.parent.parent / "docs" / "how-to" / "serve.md").read_text()
    asked = [code for language, code, _ in blocks(guide) if language == "sh" and code.startswith("curl ")]
    assert len(asked) == 2
    with serving(DATA / "xor", DATA / "mixed") as running:
        for code, labels in zip(asked, (["1", "0"], ["yes", "yes"]), strict=True):
            command = code.replace("localhost:8000", f"127.0.0.1:{running.port}")
            done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, cwd=tmp_path)
            found = {output["name"]: output["data"] for output in json.loads(done.stdout)["outputs"]}
            assert found["class"] == labels


def test_metrics_count_answers_by_model_and_status(service: Running) -> None:
    def count(labels: str) -> float:
        text = service.client.get("/metrics").text
        found = re.search(rf"^parity_requests_total\{{{labels}\}} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    known, unknown = 'model="xor",status="400"', 'model="",status="404"'
    before = count(known), count(unknown)
    service.client.post(INFER, content=b"{")
    service.client.get("/v2/models/nobody")
    assert (count(known) - before[0], count(unknown) - before[1]) == (1, 1)
    text = service.client.get("/metrics").text
    assert f'parity_model_info{{model="xor",version="{VERSION}"}} 1.0' in text
    assert "nobody" not in text and 'parity_request_seconds_count{model="xor"}' in text


def test_two_packages_and_a_log_of_their_answers() -> None:
    with serving(DATA / "xor", DATA / "parcels") as running:
        for name in ("xor", "parcels"):
            assert running.client.get(f"/v2/models/{name}/ready").json() == {"name": name, "ready": True}
        running.client.post("/v2/models/no%1b%5Bm/infer", headers={"x-request-id": "7"}, content=b"x")
    lines = [json.loads(line) for line in running.told.splitlines()]
    assert [line["status"] for line in lines] == [200, 200, 404] and lines[0]["model"] == "xor"
    last = lines[-1]
    assert last["request_id"] == "7" and last["method"] == "POST" and last["bytes_in"] == 1
    assert last["path"] == "/v2/models/no%1b%5Bm/infer" and "no model" in last["error"]
    assert last["milliseconds"] > 0 and last["time"].endswith("+00:00") and last["client"] == "127.0.0.1"
    assert running.told.isprintable() or set(running.told) - {"\n"} <= set(map(chr, range(32, 127)))


def copied(package: str, folder: Path) -> Path:
    return Path(shutil.copytree(DATA / package, folder / package))


def test_a_package_that_is_replaced_while_it_is_served_stays_the_one_that_was_verified(tmp_path: Path) -> None:
    package = copied("xor", tmp_path)
    with serving(package, "--no-access-log") as running:
        before = running.client.post(INFER, content=body()).json()
        shutil.rmtree(package)
        shutil.copytree(DATA / "rent", package)
        assert running.client.post(INFER, content=body()).json() == before
        assert running.client.get("/v2/models/xor").json()["versions"] == [before["model_version"]]


def test_a_tampered_package_is_one_line(tmp_path: Path) -> None:
    package = copied("xor", tmp_path)
    model = bytearray((package / "model.onnx").read_bytes())
    model[100] ^= 1
    (package / "model.onnx").write_bytes(model)
    command = [str(PARITY), "serve", str(package), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=unmeasured())
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (3, "", 1)
    assert "not the file that was packaged" in done.stderr


@pytest.mark.parametrize(("packages", "options", "words"), [
    (("xor", "xor_certified"), {}, "are both called xor"),
    (("xor", "rent"), {"digest": "0" * 64}, "digest names one package"),
    (("xor",), {"host": "192.0.2.1"}, "choose another host"),
])  # fmt: skip
def test_what_cannot_be_served_is_an_error(packages: tuple[str, ...], options: dict[str, Any], words: str) -> None:
    folders = [DATA / package for package in packages]
    with pytest.raises(InputError, match=words):
        serve_packages(folders, ServeOptions(port=0, **options), pytest.fail, None)


def test_stops_after_the_last_answer() -> None:
    with serving(DATA / "xor", "--drain", "1", "--no-access-log") as running:
        with socket.create_connection(("127.0.0.1", running.port), timeout=20) as slow:
            slow.sendall(head(f"Content-Length: {len(body())}") + body()[:10])
            time.sleep(0.2)
            running.process.terminate()
            time.sleep(0.3)
            draining = httpx.get(f"{running.url}/v2/health/ready")
            assert (draining.status_code, draining.json()) == (503, {"ready": False})
            assert draining.headers["connection"] == "close"
            assert httpx.get(f"{running.url}/v2/health/live").status_code == 200
            threading.Timer(1.5, slow.sendall, (body()[10:],)).start()  # after the socket is closed to others
            answer = b""
            while piece := slow.recv(65536):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"}")
        assert running.process.wait(20) == 0


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="Linux alone changes another process's limits")
def test_connections_that_the_system_does_not_give_are_said_once() -> None:
    with serving(DATA / "xor", "--no-access-log") as running:
        fds = len(list(Path(f"/proc/{running.process.pid}/fd").iterdir()))
        resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (fds + 3, fds + 3))
        clients = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(10)]
        time.sleep(1.5)
        for client in clients:
            client.close()
        assert running.client.post(INFER, content=body()).status_code == 200
    (told,) = running.told.splitlines()
    assert "Too many open files; raise ulimit -n" in json.loads(told)["error"]


def test_it_runs_without_stdout_and_without_stderr() -> None:
    for closed in ("stdout", "stderr"):
        code = f"import sys; sys.{closed} = None; from parity_runtime.cli.main import parity; parity()"
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        command = [sys.executable, "-c", code, "serve", str(DATA / "xor"), "--port", str(port), "--drain", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=unmeasured()) as process:
            until = time.monotonic() + 60
            while time.monotonic() < until and process.poll() is None:
                try:
                    assert httpx.get(f"http://127.0.0.1:{port}/v2/health/live").status_code == 200
                    break
                except httpx.ConnectError:
                    time.sleep(0.1)
            process.terminate()
            told = process.communicate(timeout=20)[1]
        assert process.returncode == 0 and b"Traceback" not in told, told


def test_predictions_of_many_threads_are_each_their_own(service: Running) -> None:
    """Small bodies are answered in the event loop, large ones in threads."""
    predictor = Predictor(DATA / "xor_certified", certified=True)
    wrong: list[Any] = []

    def ask(number: int) -> None:
        rows = 1 + 400 * (number % 3)
        data = [[number / 10, row / rows] for row in range(rows)]
        sent = body(tensor(shape=[rows, 2], data=data), outputs=[{"name": "label"}])
        found = httpx.post(f"{service.url}{INFER}", content=sent, timeout=30).json()["outputs"][0]["data"]
        if found != predictor.run({"features": data})["label"].tolist():
            wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


NO_CONNECTION = """
import os, sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        os.write(2, f"{event} {arguments}\\n".encode())
        os._exit(77)

sys.addaudithook(refuse)
"""


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="asks /proc which process is which")
def test_it_listens_at_the_loopback_interface_alone_and_connects_to_nobody(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_CONNECTION)
    environment = unmeasured() | {"PYTHONPATH": python_path(str(tmp_path))}
    with serving(DATA / "xor", environment=environment) as running:
        assert running.client.post(INFER, content=body()).status_code == 200
        own = {link.readlink().name for link in Path(f"/proc/{running.process.pid}/fd").iterdir() if link.is_symlink()}
        lines = [
            line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()
        ]
        found = {words[1] for words in lines if f"socket:[{words[9]}]" in own}
    assert found == {f"0100007F:{running.port:04X}"}
