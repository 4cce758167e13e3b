"""The embedded PostgreSQL server: start, share, stop.

One server per data directory, started by the first process that needs it and stopped by the last one that leaves.
Knows nothing of tables; `database.py` connects to what this module's `Server.url` names.

    <data directory>/postgres/
        data/           PostgreSQL's own files and its socket, open to the server's user alone (mode 0700)
        start.lock      held while a process starts or stops the server
        users.lock      held, shared, by every process that uses the server; who gets it exclusively was the last
        server.lock     inherited and so held by PostgreSQL's own processes: free means that none of them is left
        server.log      what the server says before its own log (data/log/) is open

All three are flock(2) locks. The kernel drops them however a process ends, so nothing is ever concluded from a
process id in a file.

PostgreSQL sees its directory only as /proc/self/cwd. So spaces, `%`, long names and closed parent directories (a
data directory under /root, whose server runs as another user) cannot trouble it, and the socket's name is short.
"""

import atexit
import contextlib
import fcntl
import logging
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from sqlalchemy import URL

from knowledge import postgres_data
from knowledge.database import DatabaseUnavailable
from knowledge.postgres_data import PORT, ROLE, SOCKET
from knowledge.postgres_programs import ENVIRONMENT, find_programs

__all__ = ["DatabaseUnavailable", "Server", "attach"]

log = logging.getLogger(__name__)

_DATABASE = "postgres"
_LONGEST_SOCKET_PATH = 107  # bytes; sun_path of Linux less the closing NUL

_START_SECONDS = 120.0  # recovery after a crash replays at most max_wal_size
_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.02


def attach(data_dir: Path) -> "Server":
    """Use the server of `data_dir`, making its data and starting it where needed.

    The server runs until the last attached process has called `release` or ended. Signals to this process, Ctrl+C
    included, do not reach it. A process that is killed leaves it running to the next one that attaches and leaves.

    Args:
        data_dir: made if missing. Any path will do: spaces, `%`, hundreds of characters.

    Raises:
        DatabaseUnavailable: with one sentence that says what to do.
    """
    return Server(data_dir)


class Server:
    """This process's share in the running server; a context manager that releases it."""

    def __init__(self, data_dir: Path) -> None:
        """See `attach`."""
        self._home = data_dir.absolute() / "postgres"
        self._data = self._home / "data"
        self._account = postgres_data.prepare(self._home)
        self._users: int | None = None
        self._directory: int | None = None
        with self._alone():
            # Nobody holds it exclusively but who is alone, so this never waits.
            self._users = postgres_data.open_file(self._home, "users.lock")
            fcntl.flock(self._users, fcntl.LOCK_SH | fcntl.LOCK_NB)
            try:
                self._run()
            except BaseException:
                self._leave()
                raise
        atexit.register(self.release)

    def __enter__(self) -> Self:
        """Return the server itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release it."""
        self.release()

    @property
    def url(self) -> str:
        """A SQLAlchemy URL, the same after a restart.

        Other processes of the same user may use it while this one lives, but it does not keep the server running
        for them: they attach too.
        """
        query = {"host": self._host(), "port": str(PORT)}
        return URL.create("postgresql+psycopg", ROLE, database=_DATABASE, query=query).render_as_string()

    @property
    def pid(self) -> int | None:
        """The process id of the running server, None where it is down."""
        return postgres_data.running_pid(self._data)

    def ensure_running(self) -> None:
        """Start the server again if it has died; wait until it accepts connections.

        Raises:
            DatabaseUnavailable: it does not start, or this process has released it.
        """
        if self._users is None:
            raise DatabaseUnavailable("This process has released the database: attach again.")
        with self._alone():
            self._run()

    def release(self) -> None:
        """Give up this process's share; stop the server if no other process has one. More calls do nothing."""
        if self._users is None:
            return
        atexit.unregister(self.release)
        try:
            with self._alone():
                self._leave()
        except DatabaseUnavailable as error:
            # At exit nobody can act on an exception, and the next process that leaves stops the server.
            log.warning("%s", error)
        finally:
            self._close()

    def _leave(self) -> None:
        self._close()
        file = postgres_data.open_file(self._home, "users.lock")
        try:
            if _try_lock(file):
                self._stop()
        finally:
            os.close(file)

    def _close(self) -> None:
        """Close, not LOCK_UN: a forked child that shares our description still uses the server."""
        for descriptor in (self._users, self._directory):
            if descriptor is not None:
                os.close(descriptor)
        self._users = self._directory = None

    def _host(self) -> str:
        """The socket's directory in a form that libpq and every URL parser take.

        libpq splits at commas and refuses more than 107 bytes; such paths go through a descriptor of ours.
        """
        path = str(self._data)
        if re.fullmatch(r"[A-Za-z0-9/._-]+", path) and len(f"{path}/{SOCKET}") <= _LONGEST_SOCKET_PATH:
            return path
        if self._directory is None:
            self._directory = os.open(self._data, os.O_PATH | os.O_DIRECTORY)
        return f"/proc/{os.getpid()}/fd/{self._directory}"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold start.lock."""
        file = postgres_data.open_file(self._home, "start.lock")
        try:
            deadline = time.monotonic() + _START_SECONDS + _STOP_SECONDS
            while not _try_lock(file):
                if time.monotonic() > deadline:
                    raise DatabaseUnavailable(
                        f"Another process has been starting or stopping the database in {self._home} for minutes: "
                        f"read {self._home / 'server.log'}, end that process and try again."
                    )
                time.sleep(_POLL_SECONDS)
            yield
        finally:
            os.close(file)

    def _alive(self) -> bool:
        """Whether any process of the server is left."""
        file = postgres_data.open_file(self._home, "server.lock")
        try:
            return not _try_lock(file)
        finally:
            os.close(file)

    def _run(self) -> None:
        """Return once the server accepts connections. Needs start.lock."""
        deadline = time.monotonic() + _START_SECONDS
        started = hurried = False
        while (refusal := self._refusal()) is not None:
            if not self._alive():
                if started:
                    raise DatabaseUnavailable(postgres_data.why_it_ended(self._home))
                self._start()
                deadline = time.monotonic() + _START_SECONDS
                started = True
            elif "shutting down" in refusal and not hurried:
                # SIGTERM from outside waits for every client to leave, and our own pools never do.
                self._signal(signal.SIGINT)
                hurried = True
            elif time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"The PostgreSQL server of {self._home} runs but does not answer ({refusal}): "
                    f"read {self._data / 'log'}, stop process {self.pid} and try again."
                )
            time.sleep(_POLL_SECONDS)

    def _refusal(self) -> str | None:
        """Why a connection fails, None where it works."""
        try:
            if not (self._data / SOCKET).exists():
                return "no socket"
            psycopg.connect(host=self._host(), port=PORT, user=ROLE, dbname=_DATABASE, connect_timeout=10).close()
        except psycopg.OperationalError as error:
            if "too many clients" in str(error):
                return None
            return str(error).splitlines()[-1].strip()
        except OSError as error:
            raise postgres_data.unusable(self._home, error) from error
        return None

    def _start(self) -> None:
        """Spawn the server, detached from us. Needs start.lock and that no process of the server is left."""
        programs = find_programs(self._account)
        lock = postgres_data.open_file(self._home, "server.lock")
        output = postgres_data.open_file(self._home, "server.log")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self._data.exists():
                postgres_data.initialise(self._home, self._account, programs, lock)
            postgres_data.check(self._data, self._account)
            postgres_data.clear_leftovers(self._data)
            postgres_data.write_access_rules(self._home, self._account)
            os.ftruncate(output, 0)
            # Through a shell that ends at once, so that the server is nobody's child and leaves no zombie with us.
            subprocess.run(
                ["/bin/sh", "-c", '"$@" &', "sh", programs / "postgres", *postgres_data.arguments()],
                check=True,
                cwd=self._data,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(lock,),
                start_new_session=True,
                umask=0o077,
                **self._account.run_as,
            )
        except OSError as error:
            raise postgres_data.unusable(self._home, error) from error
        finally:
            os.close(lock)
            os.close(output)

    def _stop(self) -> None:
        """Stop the server if it runs. Needs start.lock and, exclusively, users.lock."""
        # SIGINT: disconnect everybody and write everything; SIGQUIT: at once, and recover at the next start.
        for number in (signal.SIGINT, signal.SIGQUIT):
            deadline = time.monotonic() + _STOP_SECONDS
            if self._alive():
                self._signal(number)
            while self._alive():
                if time.monotonic() > deadline:
                    log.warning("The PostgreSQL server of %s has not stopped on %s.", self._home, number.name)
                    break
                time.sleep(_POLL_SECONDS)
            else:
                return

    def _signal(self, number: signal.Signals) -> None:
        if (pid := self.pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
