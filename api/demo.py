"""`aspa demo`: sets the stage on which `play` shows the whole way of a message, and clears it away.

It imports little before the worker runs: the worker loads its models while this process imports its own parts and
makes the database.
"""

import contextlib
import logging
import tempfile
from importlib.resources import as_file, files
from pathlib import Path

from api.commands.opening import configure_log
from api.listening import listening, url_of
from api.signals import stopped_by_signal
from api.worker_process import WorkerProcess
from assistant.settings import Settings

PORT = 8000


def run(*, port: int | None, once: bool) -> None:
    """Play the demo at `port` (8000 by default; with `once` any free one) until Ctrl+C, or once and return.

    Raises Unavailable where a draft or a delivery does not come.
    """
    if port is None:
        port = 0 if once else PORT
    with contextlib.ExitStack() as stack:
        stack.enter_context(stopped_by_signal())
        listener = stack.enter_context(listening("127.0.0.1", port))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="aspa-demo-", ignore_cleanup_errors=True))
        persona = stack.enter_context(as_file(files("assistant") / "personas" / "usvapuro.toml"))
        # These customers write one message each: nobody need wait for a second one.
        settings = Settings(data_dir=Path(folder), persona=persona, public_url=url_of(listener), debounce_seconds=0.5)
        configure_log("console", logging.ERROR)
        worker = stack.enter_context(WorkerProcess(settings, settings.data_dir / "worker.log"))
        from api.play import play  # late: the worker is at work already

        play(settings, listener, worker, once=once)
