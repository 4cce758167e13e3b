"""The processes of `aspa serve`: the web process itself, a worker beside it, and whoever watches both.

It knows how processes start, are watched and stop; not what they do.
"""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog
import uvicorn
from pydantic import SecretStr

from api.app import create_app, warm_up
from assistant.errors import Unavailable
from assistant.runtime import Runtime
from assistant.settings import Settings
from knowledge.database import DatabaseUnavailable

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 2.0
_LONGEST_PAUSE = 30.0
_WORKER_STOP_SECONDS = 20.0
_REQUEST_STOP_SECONDS = 3


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Listen on `port` of `host` (0 takes a free one); raises Unavailable where that cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise Unavailable(f"{host} is no address of this machine ({error.strerror}): choose another --host.") from error
    with listener:
        # A server that was just stopped leaves its port in TIME_WAIT: a restart must not wait a minute for it.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(2048)
        except OSError as error:
            raise Unavailable(
                f"Port {port} of {host} cannot be used ({error.strerror}): stop the program that has it, "
                "or choose another with --port."
            ) from error
        yield listener


def url_of(listener: socket.socket) -> str:
    """Return the address that a browser on this machine opens."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{host}:{port}"


def web_server(runtime: Runtime) -> uvicorn.Server:
    """Return the web server over an open runtime, not yet running."""
    return uvicorn.Server(
        uvicorn.Config(
            create_app(runtime),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_REQUEST_STOP_SECONDS,
        )
    )


def serve(runtime: Runtime, listener: socket.socket, *, worker: bool) -> None:
    """Serve until a signal comes; then finish what is under way, stop the worker and return."""
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(WorkerProcess(runtime.settings)) if worker else None
        server = web_server(runtime)
        warm_up(runtime)
        stack.enter_context(watched(runtime, process))
        server.run(sockets=[listener])


@contextlib.contextmanager
def watched(runtime: Runtime, process: "WorkerProcess | None") -> Iterator[None]:
    """Keep the embedded database server and the worker process, where there are such, running."""
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(runtime, process, stop), name="watcher", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


def _watch(runtime: Runtime, process: "WorkerProcess | None", stop: threading.Event) -> None:
    pause = _LOOK_SECONDS
    while not stop.wait(pause):
        if process is not None:
            process.ensure_running()
        try:
            if runtime.server is not None:
                runtime.server.ensure_running()
            pause = _LOOK_SECONDS
        except DatabaseUnavailable as error:
            pause = min(2 * pause, _LONGEST_PAUSE)
            log.error("database_down", reason=str(error), next_try_in=pause)  # noqa: TRY400 (its sentence says all)


class WorkerProcess:
    """A child that runs `aspa work` within a context, started again when it dies and somebody looks.

    It has a session of its own, so that Ctrl+C reaches only us and it is stopped in order; and it holds a pipe of
    ours as its standard input, so that it also leaves when we are killed and cannot stop it.
    """

    def __init__(self, settings: Settings, log_file: Path | None = None) -> None:
        self._environment = os.environ | settings_environment(settings)
        self._log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None
        self._not_before = 0
        self.starts = 0

    def __enter__(self) -> Self:
        """Start the child."""
        self.ensure_running()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the child finish its job and leave; kill it where that takes too long."""
        self._stop()

    def ensure_running(self) -> None:
        """Start the child if it is not running; after the first start, a little later each time it dies."""
        if self._process is not None:
            if self._process.poll() is None:
                return
            log.warning("worker_died", status=self._process.returncode)
            self._process = None
            self._not_before = min(self.starts, 10)
        if self._not_before > 0:
            self._not_before -= 1  # counted in looks, one every two seconds
            return
        self.starts += 1
        with contextlib.ExitStack() as stack:
            errors = stack.enter_context(self._log_file.open("ab")) if self._log_file else None
            self._process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", "work", "--while-stdin-open"],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )

    def last_words(self) -> str:
        """Return the last line of its log file, where it has one: why it died, say."""
        there = self._log_file is not None and self._log_file.exists()
        lines = self._log_file.read_text(errors="replace").split("\n") if self._log_file and there else []
        return next((line for line in reversed(lines) if line.strip()), "nothing")

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_WORKER_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            log.warning("worker_killed", after_seconds=_WORKER_STOP_SECONDS)
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


def settings_environment(settings: Settings) -> Mapping[str, str]:
    """Return the environment variables that give a child the settings that were set here."""
    values = {name: getattr(settings, name) for name in settings.model_fields_set}
    return {
        f"ASPA_{name.upper()}": str(value.get_secret_value() if isinstance(value, SecretStr) else value)
        for name, value in values.items()
        if value is not None
    }
