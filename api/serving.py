"""The processes of `aspa serve`: the web process itself, a worker beside it, and whoever watches both.

It knows how processes start, are watched and stop; not what they do.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator

import structlog
import uvicorn

from api.app import create_app, warm_up
from api.worker_process import WorkerProcess
from assistant.runtime import Runtime
from knowledge.database import DatabaseUnavailable

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 2.0
_LONGEST_PAUSE = 30.0
_REQUEST_STOP_SECONDS = 3


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
def watched(runtime: Runtime, process: WorkerProcess | None) -> Iterator[None]:
    """Keep the embedded database server and the worker process, where there are such, running."""
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(runtime, process, stop), name="watcher", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


def _watch(runtime: Runtime, process: WorkerProcess | None, stop: threading.Event) -> None:
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
