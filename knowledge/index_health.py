"""What went wrong with the last update of the index, kept beside it, so that it is told and tried again.

Knows files alone. The note is gone with the first update that works.
"""

import errno
import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from knowledge.database import utcnow

log = logging.getLogger(__name__)

_NOTE = "fault.json"
_FULL = [os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)]


@dataclass(frozen=True)
class Fault:
    """When the index could not be brought up to date, and why: one sentence that says what to do."""

    at: datetime
    why: str


@contextmanager
def noting(directory: Path) -> Iterator[None]:
    """Note what goes wrong within, log it as one sentence, and raise it on; forget the note where nothing does."""
    try:
        yield
    except Exception as error:
        why = sentence(error, directory)
        log.error("%s", why)  # noqa: TRY400 (the sentence says it all)
        with suppress(OSError):  # on a disk that is full to the last byte the log has it alone
            (directory / _NOTE).write_text(json.dumps({"at": utcnow().isoformat(), "why": why}), encoding="utf-8")
        raise
    (directory / _NOTE).unlink(missing_ok=True)


def fault(directory: Path) -> Fault | None:
    """Return what went wrong with the last update, None where it worked or nobody can tell any more."""
    try:
        note = json.loads((directory / _NOTE).read_text(encoding="utf-8"))
        return Fault(datetime.fromisoformat(note["at"]), note["why"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def sentence(error: Exception, directory: Path) -> str:
    """Return what an error means for the index and what to do about it."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    advice = "see the log"
    if isinstance(error, OSError) or any(full in why for full in _FULL):  # tantivy's errors are not the system's
        free = shutil.disk_usage(directory).free / 1024**2 if directory.exists() else 0
        advice = f"free some space on the disk of {directory} ({free:,.0f} MiB are free), or see to its rights"
    first = why.strip().partition("\n")[0].rstrip(".")
    return (
        f"The search index could not be brought up to date ({first}): {advice}; what was there goes on serving, and it"
        " is tried again every minute."
    )
