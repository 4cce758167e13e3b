"""`aspa serve` as processes: what it starts it watches, and takes with it when it ends, however it ends."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.test_language_model import make_folder

SECONDS = 120.0


def until(done: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def children(pid: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    return []


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {
        "ASPA_DATA_DIR": str(tmp_path / "data"),
        "ASPA_LANGUAGE_MODEL": str(make_folder(tmp_path / "lm")),
    }


@contextlib.contextmanager
def serving(environment: dict[str, str], *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `aspa serve`; yield the process and its address."""
    command = [sys.executable, "-m", "api.cli", "serve", "--port", "0", *options]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "http://127.0.0.1:" in line
            yield process, next(word for word in line.split() if word.startswith("http"))
        finally:
            process.kill()


def ready(url: str) -> bool:
    with contextlib.suppress(httpx2.TransportError):
        return httpx2.get(f"{url}/readyz", trust_env=False, timeout=10).status_code == 200
    return False


def test_it_works_and_ends_with_all_it_started(environment: dict[str, str], tmp_path: Path) -> None:
    with serving(environment) as (process, url):
        until(lambda: ready(url), "It is not ready.")
        (worker,) = children(process.pid)
        os.kill(worker, signal.SIGKILL)
        until(lambda: any(child != worker for child in children(process.pid)), "No new worker was started.")
        (postmaster,) = (tmp_path / "data/postgres/data").glob("postmaster.pid")
        server = int(postmaster.read_text().split("\n")[0])
        os.kill(server, signal.SIGKILL)
        until(
            lambda: postmaster.exists() and int(postmaster.read_text().split("\n")[0] or server) != server, "No server."
        )
        until(lambda: ready(url), "It did not recover.")
        others = children(process.pid)
        process.terminate()
        assert process.wait(SECONDS) == 0
        until(lambda: not any(map(runs, others)), "The worker stayed.")
        until(lambda: not postmaster.exists(), "The database server stayed.")


def test_a_killed_one_takes_its_worker_along(environment: dict[str, str]) -> None:
    with serving(environment) as (process, _):
        until(lambda: children(process.pid), "No worker was started.")
        (worker,) = children(process.pid)
        process.kill()
        process.wait(SECONDS)
        until(lambda: not runs(worker), "The worker stayed.")


def test_ctrl_c_ends_it_quietly(environment: dict[str, str]) -> None:
    with serving(environment, "--no-worker") as (process, url):
        assert httpx2.get(f"{url}/healthz", trust_env=False).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("work",), ("knowledge", "list")], ids=" ".join)
def test_a_data_directory_that_cannot_be_used_is_one_sentence(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "file").touch()
    environment = os.environ | {"ASPA_DATA_DIR": str(tmp_path / "file" / "data")}
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", *command], env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 1
    assert "ASPA_DATA_DIR" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_model_that_is_not_there_is_one_sentence(database_url: str, tmp_path: Path) -> None:
    environment = os.environ | {
        "ASPA_DATA_DIR": str(tmp_path),
        "ASPA_DATABASE_URL": database_url,
        "ASPA_LANGUAGE_MODEL": str(tmp_path / "nowhere"),
    }
    command = [sys.executable, "-m", "api.cli", "work"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 1
    assert f"{tmp_path}/nowhere" in done.stderr
    assert "Traceback" not in done.stderr
