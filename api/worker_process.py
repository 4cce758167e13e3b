"""A worker as a child process: started, started again, stopped.

It imports nothing heavy, so that a child can be loading its models while its parent still imports its own parts.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog
from pydantic import SecretStr

from assistant.settings import Settings

log = structlog.get_logger(__name__)

_STOP_SECONDS = 20.0


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
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            log.warning("worker_killed", after_seconds=_STOP_SECONDS)
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
