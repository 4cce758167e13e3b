"""The folder of the embedded server: made, checked, tidied, and what its logs say.

Knows files only; which processes share the server, and when it starts and stops, is `postgres.py`'s.
"""

import errno
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from knowledge.database import DatabaseUnavailable
from knowledge.postgres_programs import ENVIRONMENT, MAJOR_VERSION, Account, choose_account

ROLE = "aspa"
PORT = 5432
SOCKET = f".s.PGSQL.{PORT}"
HERE = "/proc/self/cwd"  # all that PostgreSQL ever hears of its directory

_LEAST_FREE = 2**24  # bytes; one segment of the write-ahead log, without which no server starts

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
    "unix_socket_directories": HERE,
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    "fsync": "on",
}


def arguments(settings: Mapping[str, str] = _FIXED) -> list[str]:
    """The arguments that `initdb` and `postgres` share: where they are, and settings."""
    return ["-D", HERE, *(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))]


def prepare(home: Path) -> Account:
    """Make the folder itself; return the account that the server's processes run as.

    Raises:
        DatabaseUnavailable: the folder cannot be made or read, or there is no account to run as.
    """
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
        raise unusable(home, error) from error


def open_file(home: Path, name: str) -> int:
    """Open a file of the folder for reading and writing, made where it is missing; return its descriptor.

    What root makes in somebody's folder is given to them, or they could not open it later. Links are not followed:
    root must not be led out of that folder.
    """
    try:
        try:
            file = os.open(home / name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return os.open(home / name, os.O_RDWR | os.O_NOFOLLOW)
        if os.geteuid() == 0:
            owner = home.stat()
            os.fchown(file, owner.st_uid, owner.st_gid)
    except OSError as error:
        raise unusable(home, error) from error
    return file


def initialise(home: Path, account: Account, programs: Path, lock: int) -> None:
    """Make new data: all of it or none, however this ends.

    Args:
        lock: the descriptor of a held lock, which `initdb` inherits: should we be killed, the next process waits for
            it to end before it clears up.

    Raises:
        DatabaseUnavailable: with the reason.
    """
    try:
        for leftover in home.glob("data.new-*"):
            shutil.rmtree(leftover)
        scratch = Path(tempfile.mkdtemp(prefix="data.new-", dir=home))
        os.chown(scratch, account.uid, account.gid)
        made = subprocess.run(
            [
                *(str(programs / "initdb"), *arguments(_SETTINGS), "-U", ROLE),
                *("--auth-local=peer", "--auth-host=reject", "--encoding=UTF8"),
                # The same letters everywhere, whatever the machine's locale: lower('ÄITI') is 'äiti'.
                *("--locale=C", "--locale-provider=builtin", "--builtin-locale=PG_UNICODE_FAST"),
            ],
            cwd=scratch,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(lock,),
            start_new_session=True,
            **account.run_as,
        )
        if made.returncode != 0:
            raise DatabaseUnavailable(_explain("make new data", home, made.stdout.decode(errors="replace").split("\n")))
        scratch.rename(home / "data")
        _sync_folder(home)  # after a power cut, a forgotten rename would leave data that the next start throws away
    except OSError as error:
        raise unusable(home, error) from error


def check(data: Path, account: Account) -> None:
    """Raise DatabaseUnavailable where `data` is not what this program's PostgreSQL can run as `account`."""
    try:
        version = (data / "PG_VERSION").read_text().strip()
        owner = data.stat().st_uid
    except OSError as error:
        raise DatabaseUnavailable(
            f"{data} is not a PostgreSQL data directory ({error.strerror}): "
            "move it away to start with new data, or restore it from a backup."
        ) from error
    if version != MAJOR_VERSION:
        raise DatabaseUnavailable(
            f"{data} was made by PostgreSQL {version} and this program carries {MAJOR_VERSION}: use the "
            "version of the program that made it, or dump the data there with pg_dump and load it here."
        )
    if owner != account.uid:
        raise DatabaseUnavailable(
            f"{data} belongs to user id {owner} but PostgreSQL would run as {account.name}: "
            f"give it to that user with chown -R, or run this program as the owner."
        )


def write_access_rules(home: Path, account: Account) -> None:
    """Let in root and the folder's owner, and nobody else, should they ever reach the socket."""
    owner = home.stat().st_uid
    names = {"root", "root" if owner == 0 else choose_account(owner).name}
    rules = {
        "pg_hba.conf": f"local all {ROLE} peer map=aspa\n",
        "pg_ident.conf": "".join(f'aspa "{name}" {ROLE}\n' for name in sorted(names)),
    }
    for name, text in rules.items():
        # A new file each time: the directory is the account's, and root must not write through what it may put there.
        (home / "data" / name).unlink(missing_ok=True)
        file = os.open(home / "data" / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w") as stream:
            os.fchown(file, account.uid, account.gid)
            stream.write(text)


def running_pid(data: Path) -> int | None:
    """The process that postmaster.pid names, if it works in this very directory as only a server does.

    The number alone proves nothing: after kill -9 it may have become somebody else's.
    """
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        return pid if Path(f"/proc/{pid}/cwd").samefile(data) else None
    except (OSError, ValueError):
        return None


def clear_leftovers(data: Path) -> None:
    """Remove the lock files of a killed server, which block a start where their process id is in use again.

    Only for when none of our server's processes is left.

    Raises:
        DatabaseUnavailable: somebody runs a server here by hand.
    """
    if (pid := running_pid(data)) is not None:
        raise DatabaseUnavailable(
            f"A PostgreSQL server that this program did not start (process {pid}) uses {data}: stop it first."
        )
    for name in ("postmaster.pid", f"{SOCKET}.lock", SOCKET):
        (data / name).unlink(missing_ok=True)


def why_it_ended(home: Path) -> str:
    """One sentence on why a server that was just started is gone."""
    logs = sorted((home / "data" / "log").glob("*.log"), key=lambda file: file.stat().st_mtime)[-1:]
    files = [*logs, home / "server.log"]
    lines = [line for file in files for line in file.read_text(errors="replace").splitlines()[-50:]]
    return _explain("start", home, lines)


def unusable(home: Path, error: OSError) -> DatabaseUnavailable:
    """What to tell about a folder in which `error` happened."""
    if error.errno == errno.ENOSPC:
        return DatabaseUnavailable(f"The disk of {home} is full: free some space and try again.")
    return DatabaseUnavailable(
        f"The data directory {home.parent} cannot be used ({error.strerror}: {error.filename}): "
        "make it writable for this user, or choose another with ASPA_DATA_DIR."
    )


def _explain(deed: str, home: Path, lines: list[str]) -> str:
    full = shutil.disk_usage(home).free < _LEAST_FREE  # with none at all, the reason cannot even be logged
    if full or any("No space left on device" in line for line in lines):
        return f"PostgreSQL could not {deed} because the disk of {home} is full: free some space and try again."
    worst = [line for line in lines if re.search(r"\b(FATAL|PANIC|error):", line)] or [line for line in lines if line]
    reason = re.sub(r"^.*?(FATAL|PANIC|error):\s*", "", worst[-1]) if worst else "it said nothing"
    return f"PostgreSQL could not {deed} in {home} ({reason}): read {home / 'server.log'} and data/log/ beside it."


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
