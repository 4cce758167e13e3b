"""Brings a database to the schema that this version needs.

It knows how to run the revisions in `assistant/migrations`, not what is in them. There is no way down: to go back to
an older version, restore a backup.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

from assistant.errors import Unavailable

_LOCK = 0x61737061  # "aspa": any number that no other advisory lock of this program uses


def config(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration for our revisions."""
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    configuration.attributes["connection"] = connection
    return configuration


def migrate(engine: Engine) -> None:
    """Apply the revisions that are missing, all or none; of several processes one does it and the others wait.

    Raises Unavailable where the database is newer than this program.
    """
    with engine.connect() as connection:
        if current(connection) == head():
            return
        connection.rollback()
        with connection.begin():
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            try:
                command.upgrade(config(connection), "head")
            except CommandError as error:
                raise Unavailable(
                    f"The database is at revision {current(connection)}, which this version of aspa does not know: "
                    "install the version that made it, or a newer one."
                ) from error


def current(connection: Connection) -> str | None:
    """Return the revision that the database is at, None where it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """Return the revision that this program needs."""
    (newest,) = ScriptDirectory.from_config(config()).get_heads()
    return newest
