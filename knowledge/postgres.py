"""The embedded PostgreSQL server: start, share, stop.

One server per data directory, started by the first process that needs it and stopped by the last one that leaves.
Knows nothing of tables; `database.py` connects to what this module's `Server.url` names.

    <data directory>/postgres/
        data/           PostgreSQL's own files and its socket, open to the server's user alone (mode 0700)
        start.lock      held while a process starts or stops the server
        users.lock      held, shared, by every process that uses the server; who gets it exclusively was the last
        server.lock     inherited and so held by the server's own processes: free means that none of them is left
        server.log      what the server says before its own log (data/log/) is open

All three are flock(2) locks. The kernel drops them however a process ends, so nothing is ever concluded from a
process id in a file: after kill -9 that number may belong to somebody else.

PostgreSQL sees its directory only as /proc/self/cwd. So spaces, `%`, long names and closed parent directories (a
data directory under /root, whose server runs as another user) cannot trouble it, and the socket's name is short.
"""

import atexit
import contextlib
import fcntl
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from sqlalchemy import URL

from knowledge.database import DatabaseUnavailable
from knowledge.postgres_programs import (
    ENVIRONMENT,
    MAJOR_VERSION,
    Account,
    choose_account,
    find_programs,
)

__all__ = ["DatabaseUnavailable", "Server", "attach"]

log = logging.getLogger(__name__)

_ROLE = "aspa"
_DATABASE = "postgres"
_PORT = 5432
_SOCKET = f".s.PGSQL.{_PORT}"
_HERE = "/proc/self/cwd"
_LONGEST_SOCKET_PATH = 107  # bytes; sun_path of Linux less the closing NUL

_START_SECONDS = 120.0  # recovery after a crash replays at most max_wal_size
_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.02

# Written into postgresql.conf of new data, where an operator may change them.
_SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",  # a ring of seven files
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    # Customers' words do not belong in a log: no failed statement, no "Key (email)=(...) already exists".
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
# Given on the command line at every start: safety is not a matter of taste.
_FIXED = {
    "listen_addresses": "",
    "unix_socket_directories": _HERE,
    "unix_socket_permissions": "0700",
    "port": str(_PORT),
    "fsync": "on",
}


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
        self._directory: int | None = None
        self._account = _prepare(self._home)
        self._users: int | None = None
        with self._alone():
            # Nobody holds it exclusively but who is alone, so this never waits.
            self._users = self._lock_file("users.lock")
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
        return URL.create(
            "postgresql+psycopg", _ROLE, database=_DATABASE, query={"host": self._host(), "port": str(_PORT)}
        ).render_as_string()

    @property
    def pid(self) -> int | None:
        """The process id of the running server, None where it is down."""
        return self._running_pid()

    def ensure_running(self) -> None:
        """Start the server again if it has died; wait until it accepts connections.

        Raises:
            DatabaseUnavailable: it does not start.
        """
        if self._users is None:
            raise DatabaseUnavailable("The database was released by this process: attach again.")
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
        file = self._lock_file("users.lock")
        try:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
        if re.fullmatch(r"[A-Za-z0-9/._-]+", path) and len(f"{path}/{_SOCKET}") <= _LONGEST_SOCKET_PATH:
            return path
        if self._directory is None:
            self._directory = os.open(self._data, os.O_PATH | os.O_DIRECTORY)
        return f"/proc/{os.getpid()}/fd/{self._directory}"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold start.lock."""
        file = self._lock_file("start.lock")
        try:
            deadline = time.monotonic() + _START_SECONDS + _STOP_SECONDS
            while not _try_lock(file):
                if time.monotonic() > deadline:
                    raise DatabaseUnavailable(
                        f"Another process has been starting or stopping the database in {self._home} for minutes: "
                        f"look at {self._home / 'server.log'}, end that process and try again."
                    )
                time.sleep(_POLL_SECONDS)
            yield
        finally:
            os.close(file)

    def _lock_file(self, name: str) -> int:
        try:
            file = os.open(self._home / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _not_writable(self._home, error) from error
        home = self._home.stat()
        if os.fstat(file).st_uid != home.st_uid and os.geteuid() == 0:
            os.fchown(file, home.st_uid, home.st_gid)  # root helping the directory's owner must not lock them out
        return file

    def _alive(self) -> bool:
        """Whether any process of the server is left."""
        file = self._lock_file("server.lock")
        try:
            return not _try_lock(file)
        finally:
            os.close(file)

    def _run(self) -> None:
        """Return once the server accepts connections. Needs start.lock."""
        deadline = time.monotonic() + _START_SECONDS
        started = False
        while (refusal := self._refusal()) is not None:
            if not self._alive():
                if started:
                    raise DatabaseUnavailable(self._why_it_ended())
                self._start()
                started = True
            elif time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"The PostgreSQL server of {self._home} runs but does not answer ({refusal}): "
                    f"look at {self._data / 'log'}, stop process {self._running_pid()} and try again."
                )
            time.sleep(_POLL_SECONDS)

    def _refusal(self) -> str | None:
        """Why a connection fails, None where it works."""
        if not (self._data / _SOCKET).exists():
            return "no socket"
        try:
            psycopg.connect(
                host=self._host(), port=_PORT, user=_ROLE, dbname=_DATABASE, connect_timeout=10, options=""
            ).close()
        except psycopg.OperationalError as error:
            if "too many clients" in str(error):
                return None
            return str(error).splitlines()[-1].strip()
        return None

    def _start(self) -> None:
        """Spawn the server, detached from us. Needs start.lock and that no process of the server is left."""
        programs = find_programs(self._account)
        if not self._data.exists():
            _initialise(programs, self._home, self._account)
        self._check_data()
        self._clear_leftovers()
        lock = self._lock_file("server.lock")
        os.set_inheritable(lock, True)
        arguments = [argument for name, value in _FIXED.items() for argument in ("-c", f"{name}={value}")]
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with (self._home / "server.log").open("wb") as output:
                # Through a shell that ends at once, so that the server is nobody's child and leaves no zombie with us.
                subprocess.run(
                    ["/bin/sh", "-c", '"$@" &', "sh", programs / "postgres", "-D", _HERE, *arguments],
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
            raise _not_writable(self._home, error) from error
        finally:
            os.close(lock)

    def _check_data(self) -> None:
        try:
            version = (self._data / "PG_VERSION").read_text().strip()
        except OSError as error:
            raise DatabaseUnavailable(
                f"{self._data} is not a PostgreSQL data directory ({error.strerror}): "
                "move it away to start with new data, or restore it from a backup."
            ) from error
        if version != MAJOR_VERSION:
            raise DatabaseUnavailable(
                f"{self._data} was made by PostgreSQL {version} and this program carries {MAJOR_VERSION}: use the "
                f"version of the program that made it, or dump the data there with pg_dump and load it here."
            )
        owner = self._data.stat().st_uid
        if owner != self._account.uid:
            raise DatabaseUnavailable(
                f"{self._data} belongs to user id {owner} but PostgreSQL would run as {self._account.name}: "
                f"give it back with `chown -R {self._account.name} {self._data}`."
            )

    def _clear_leftovers(self) -> None:
        """Remove the lock files of a server that was killed: their process id may be somebody else's by now.

        That none of our server's processes is left is certain; a server started by hand in this directory is not ours.
        """
        if (pid := self._running_pid()) is not None:
            raise DatabaseUnavailable(
                f"A PostgreSQL server that this program did not start (process {pid}) uses {self._data}: stop it first."
            )
        for name in ("postmaster.pid", f"{_SOCKET}.lock", _SOCKET):
            (self._data / name).unlink(missing_ok=True)

    def _running_pid(self) -> int | None:
        """The process that postmaster.pid names, if it works in our data directory as only a server does."""
        try:
            pid = int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
            return pid if Path(f"/proc/{pid}/cwd").samefile(self._data) else None
        except (OSError, ValueError):
            return None

    def _stop(self) -> None:
        """Stop the server if it runs. Needs start.lock and users.lock, exclusively."""
        # SIGINT: disconnect and write everything; SIGQUIT: at once, recovered at the next start.
        for signal_number in (signal.SIGINT, signal.SIGQUIT):
            deadline = time.monotonic() + _STOP_SECONDS
            pid = self._running_pid()
            if pid is not None and self._alive():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal_number)
            while self._alive():
                if time.monotonic() > deadline:
                    log.warning("The PostgreSQL server of %s has not stopped on %s.", self._home, signal_number.name)
                    break
                time.sleep(_POLL_SECONDS)
            else:
                return

    def _why_it_ended(self) -> str:
        logs = sorted((self._data / "log").glob("*.log"), key=lambda file: file.stat().st_mtime)[-1:]
        lines = [
            line
            for file in [*logs, self._home / "server.log"]
            for line in file.read_text(errors="replace").splitlines()[-50:]
        ]
        return _explain("start", self._home, lines)


def _prepare(home: Path) -> Account:
    """Make the folder of the server; return the account that its processes run as."""
    if sys.platform != "linux":
        raise DatabaseUnavailable(
            "The embedded PostgreSQL runs on Linux only: set ASPA_DATABASE_URL to a PostgreSQL server."
        )
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        owner = home.parent.stat()
        if not home.is_dir():
            home.mkdir(mode=0o700, exist_ok=True)
            if os.geteuid() == 0 and owner.st_uid != 0:
                os.chown(home, owner.st_uid, owner.st_gid)
        data = home / "data"
        return choose_account(data.stat().st_uid if data.exists() else owner.st_uid)
    except OSError as error:
        raise _not_writable(home, error) from error


def _initialise(programs: Path, home: Path, account: Account) -> None:
    """Make new data: all of it or none, however this ends."""
    scratch = home / "data.new"
    try:
        if scratch.exists():
            shutil.rmtree(scratch)
        scratch.mkdir(mode=0o700)
        os.chown(scratch, account.uid, account.gid)
        made = subprocess.run(
            [
                programs / "initdb",
                *("-D", _HERE, "-U", _ROLE, "--auth-local=peer", "--auth-host=reject", "--encoding=UTF8"),
                # The same letters everywhere, whatever the machine's locale: lower('ÄITI') is 'äiti'.
                *("--locale=C", "--locale-provider=builtin", "--builtin-locale=PG_UNICODE_FAST"),
                *(argument for name, value in _SETTINGS.items() for argument in ("-c", f"{name}={value}")),
            ],
            cwd=scratch,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **account.run_as,
        )
        if made.returncode != 0:
            raise DatabaseUnavailable(_explain("make new data", home, made.stdout.decode(errors="replace").split("\n")))
        _write_access_rules(scratch, account, home.stat().st_uid)
        scratch.rename(home / "data")
    except OSError as error:
        raise _not_writable(home, error) from error


def _write_access_rules(data: Path, account: Account, owner: int) -> None:
    """Let in root and the owner of the directory, and nobody else, should they ever reach the socket."""
    me = choose_account(owner).name if owner != 0 else "root"
    rules = {
        "pg_hba.conf": f"local all {_ROLE} peer map=aspa\n",
        "pg_ident.conf": "".join(f'aspa "{name}" {_ROLE}\n' for name in sorted({"root", me})),
    }
    for name, text in rules.items():
        # The directory is the account's: never write through a link that it may have put there.
        file = os.open(data / name, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
        with open(file, "w") as stream:  # noqa: PTH123 (a descriptor)
            stream.write(text)
            stream.flush()
            os.fsync(file)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _explain(deed: str, home: Path, lines: list[str]) -> str:
    """One sentence from what PostgreSQL printed."""
    if any("No space left on device" in line for line in lines):
        return f"PostgreSQL could not {deed} because the disk of {home} is full: free some space and try again."
    worst = [line for line in lines if re.search(r"\b(FATAL|PANIC|error):", line)] or [line for line in lines if line]
    reason = re.sub(r"^.*?(FATAL|PANIC|error):\s*", "", worst[-1]) if worst else "it said nothing"
    return f"PostgreSQL could not {deed} in {home} ({reason}): read {home / 'server.log'} and data/log/ beside it."


def _not_writable(home: Path, error: OSError) -> DatabaseUnavailable:
    if error.errno == 28:  # ENOSPC
        return DatabaseUnavailable(f"The disk of {home} is full: free some space and try again.")
    return DatabaseUnavailable(
        f"The data directory {home.parent} cannot be used ({error.strerror}: {error.filename}): "
        "make it writable for this user, or choose another with ASPA_DATA_DIR."
    )
