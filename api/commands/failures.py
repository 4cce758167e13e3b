"""An error → the one sentence that the person at the terminal reads."""

import errno

from pydantic import ValidationError
from sqlalchemy.exc import InterfaceError, OperationalError

from assistant.errors import AspaError
from knowledge.database import DatabaseUnavailable
from knowledge.importers import UnreadableFile
from models import ModelError


def sentence(error: Exception) -> str | None:
    """Return what to do about an expected error, None for one that nobody expected."""
    match error:
        case AspaError() | DatabaseUnavailable() | ModelError() | UnreadableFile():
            return str(error)
        case ValidationError() if error.title == "Settings":
            first = error.errors()[0]
            name = "_".join(["ASPA", *(str(part) for part in first["loc"])]).upper()
            return f"{name} cannot be used ({first['msg']}): change it or unset it."
        case OperationalError() | InterfaceError():
            return "The database cannot be reached: see that it runs, and that ASPA_DATABASE_URL is right."
        case OSError(errno=errno.ENOSPC):
            return "The disk is full: free some space and try again."
        case OSError(filename=str(name), strerror=str(why)):
            return f"{name} cannot be used ({why}): check the name and its rights."
    return None
