"""Every error is a problem document with one sentence; a body too long is refused as it streams; a dead database is
a 503 that passes."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient

from api import serving
from api.app import create_app
from api.listening import listening
from assistant.errors import Unavailable
from assistant.runtime import open_runtime
from assistant.settings import Settings
from tests.api_stages import World


def check(answer: httpx2.Response, status: int) -> str:
    """Check that the answer is a problem document, and return its sentence."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert "Traceback" not in answer.text
    return str(problem["detail"])


def test_it_works(world: World) -> None:
    assert check(world.anonymous.get("/api/v1/nothing"), 404)
    assert check(world.anonymous.delete("/api/v1/messages"), 405)
    assert check(world.anonymous.get("/api/v1/conversations"), 401)
    assert check(world.program.get("/api/v1/drafts/x"), 422) == (
        "draft_id: Input should be a valid integer, unable to parse string as an integer"
    )


def test_unexpected_error_shows_nothing_of_it(world: World) -> None:
    def fail() -> None:
        raise RuntimeError("the password is hunter2")

    world.app.add_api_route("/fail", fail)
    answer = world.anonymous.get("/fail")
    check(answer, 500)
    assert "hunter2" not in answer.text


def test_api_description_is_there_and_needs_no_cdn(world: World) -> None:
    described = world.anonymous.get("/api/v1/openapi.json").json()
    paths = described["paths"].keys()
    assert {"/api/v1/messages", "/api/v1/suggest", "/api/v1/drafts/{draft_id}/approve"} <= paths
    assert world.anonymous.get("/docs").status_code == 404


@contextlib.contextmanager
def served(world: World) -> Iterator[tuple[str, int]]:
    """Serve the application by the real web server."""
    with listening("127.0.0.1", 0) as listener:
        server = serving.web_server(world.runtime)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join()


def test_refuses_long_bodies(world: World) -> None:
    limit = world.runtime.settings.max_body_bytes
    answer = world.program.post("/api/v1/messages", content=b"x" * (limit + 1))
    assert "256 KiB" in check(answer, 413)
    assert check(world.anonymous.post("/webhooks/generic/1", content=b"x" * (limit + 1)), 413)
    assert check(world.program.post("/api/v1/messages", content=b"x" * limit), 422)


def test_refuses_a_long_body_without_a_length_while_it_streams(world: World) -> None:
    token = world.program.headers["Authorization"]
    head = f"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nTransfer-Encoding: chunked\r\n\r\n"
    sent = 0
    with served(world) as address, socket.create_connection(address) as client:
        client.sendall(head.encode())
        client.settimeout(0.05)
        answer = b""
        while not answer and sent < 5_000_000:  # a server that read on would be sent five megabytes
            client.sendall(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
            sent += 0x2000
            with contextlib.suppress(TimeoutError):
                answer = client.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in answer
    assert sent < 2_000_000


def test_declared_length_is_refused_before_the_body_comes(world: World) -> None:
    head = "POST /webhooks/generic/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
    with served(world) as address, socket.create_connection(address, timeout=10) as client:
        client.sendall(head.encode())
        assert client.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_port_in_use(world: World) -> None:
    with (
        listening("127.0.0.1", 0) as first,
        pytest.raises(Unavailable, match="choose another with --port"),
        listening("127.0.0.1", first.getsockname()[1]),
    ):
        pass
    with pytest.raises(Unavailable, match="--host"), listening("no.such.host.invalid", 0):
        pass


def test_dead_database_is_503_until_it_is_back(tmp_path: Path) -> None:
    with open_runtime(Settings(data_dir=tmp_path)) as runtime:
        client = TestClient(create_app(runtime), headers={"Authorization": "Bearer x"}, raise_server_exceptions=False)
        assert client.get("/api/v1/conversations").status_code == 401
        server = runtime.server
        assert server is not None
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while server.pid is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        answer = client.get("/api/v1/conversations")
        assert "try again" in check(answer, 503)
        assert answer.headers["retry-after"] == "5"
        assert client.get("/readyz").json()["missing"][0] == "database"
        assert client.get("/healthz").status_code == 200
        server.ensure_running()
        assert client.get("/api/v1/conversations").status_code == 401
