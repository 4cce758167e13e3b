"""Engine, sessions, and the base of all tables: the lowest layer that stores anything.

Works with any PostgreSQL, embedded or not. Knows nothing of what the tables hold or of where the server comes from.
"""

import logging
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

import psycopg
import sqlalchemy
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import DateTime, Engine, MetaData, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

log = logging.getLogger(__name__)

_LARGEST_PAYLOAD = 7999  # bytes; PostgreSQL's limit for NOTIFY
_NOTIFY = text("SELECT pg_notify(:channel, :payload)")  # made once: every message that comes in sends one
_CONNECT_SECONDS = 5
_LONGEST_PAUSE = 5.0  # seconds between attempts to listen again
_STOP_SECONDS = 0.5  # how soon a listener sees that it is to stop


class DatabaseUnavailable(Exception):  # noqa: N818 (a state, as callers say it)
    """The database cannot be started or reached. The message is one sentence that says what to do."""


class Base(DeclarativeBase):
    """The base of every table. Constraints get predictable names, so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
    }


def utcnow() -> datetime:
    """The time now, with its zone. PostgreSQL's `now()` would be the start of the transaction."""
    return datetime.now(UTC)


def create_engine(url: str, *, statement_seconds: float = 30.0) -> Engine:
    """An engine that outlives restarts of the server.

    Args:
        url: `postgresql+psycopg://`, or the shorter `postgresql://` and `postgres://` that hosts hand out.
        statement_seconds: a statement that takes longer is cancelled; 0 for no limit (migrations).
    """
    address = _with_driver(url)
    options = (
        f"-c statement_timeout={round(statement_seconds * 1000)} -c timezone=UTC {address.query.get('options', '')}"
    )
    return sqlalchemy.create_engine(
        address,
        pool_pre_ping=True,
        pool_size=10,
        max_overflow=10,
        pool_timeout=10,
        connect_args={
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": "aspa",
            "options": options,
        },
    )


def session_factory(engine: Engine) -> sessionmaker[Session]:
    """Makes sessions: one per request or job step, which is one transaction.

    Objects stay readable after the commit: what was saved is what the answer shows.
    """
    return sessionmaker(engine, expire_on_commit=False)


def conninfo(url: str) -> str:
    """The same database as libpq, psycopg and Procrastinate name it."""
    address = _with_driver(url)
    _, arguments = address.get_dialect()().create_connect_args(address)
    return make_conninfo(**{"connect_timeout": _CONNECT_SECONDS, **arguments})


def _with_driver(url: str) -> sqlalchemy.URL:
    address = make_url(url)
    if address.get_backend_name() not in ("postgresql", "postgres"):
        raise ValueError(
            f"{address.get_backend_name()} is not supported: give a PostgreSQL URL such as postgresql://host/name."
        )
    return address.set(drivername="postgresql+psycopg")


@dataclass(frozen=True)
class Notification:
    """What somebody said on a channel."""

    channel: str
    payload: str


def notify(session: Session, channel: str, payload: str = "") -> None:
    """Tell every listener, when and if the session's transaction commits. Equal ones in one transaction arrive once.

    Raises:
        ValueError: the payload is over 7,999 bytes: send an identifier and let the listener read.
    """
    if len(payload.encode()) > _LARGEST_PAYLOAD:
        raise ValueError(f"A notification holds at most {_LARGEST_PAYLOAD} bytes: send an identifier instead.")
    session.execute(_NOTIFY, {"channel": channel, "payload": payload})


def listen(url: str, channels: Sequence[str], stop: threading.Event) -> Iterator[Notification | None]:
    """Yield what is said on `channels` until `stop` is set, over one connection of its own.

    Yields None after each connection, the first included: before it, something may have been said and missed, so
    read everything anew. A lost connection is made again, for as long as it takes.
    """
    pause = 0.1
    while not stop.is_set():
        try:
            with psycopg.connect(conninfo(url), autocommit=True, application_name="aspa listener") as connection:
                for channel in channels:
                    connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                pause = 0.1
                yield None
                while not stop.is_set():
                    for said in connection.notifies(timeout=_STOP_SECONDS):
                        yield Notification(said.channel, said.payload)
                        if stop.is_set():
                            return
        except psycopg.OperationalError as error:
            log.warning("Lost the database while listening, trying again in %.1f s: %s", pause, error)
            stop.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def clean_text(text: str) -> str:
    """Text that PostgreSQL and UTF-8 can hold, in Unicode's composed form (NFC).

    NUL is removed, halves of surrogate pairs are joined or, alone, become U+FFFD. All else stays.
    """
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return unicodedata.normalize("NFC", whole.replace("\0", ""))
