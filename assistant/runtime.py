"""What every process of the program holds: settings, database, knowledge, models.

The command line, the web process, the worker and the tests all start from `open_runtime`. It knows how things are
opened and closed, not what is done with them.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from assistant import database_schema
from assistant.errors import Unavailable
from assistant.persona import Persona, load_persona
from assistant.settings import Settings
from knowledge.database import DatabaseUnavailable, create_engine, session_factory
from knowledge.postgres import Server, attach
from knowledge.search import KnowledgeBase
from models import Embedder, LanguageIdentifier, LanguageModel
from models.catalog import load_language_model
from models.embedder import load_embedder
from models.language import WordLanguageIdentifier

T = TypeVar("T")


class Once(Generic[T]):
    """A value that is made by the first who asks, while others wait; where the making fails the next one tries."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = Lock()
        self._made: list[T] = []

    def __call__(self) -> T:
        """Return the value; raises what its making raises."""
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]

    @property
    def made(self) -> T | None:
        """The value if it is there already."""
        return self._made[0] if self._made else None


@dataclass(frozen=True)
class Runtime:
    """The opened parts of one process. The heavy ones load when they are first asked for, once, in any thread.

    `server` is the embedded database server, None where the operator gave one of their own; `database_url` is
    SQLAlchemy's address of either.
    """

    settings: Settings
    database_url: str = field(repr=False)
    engine: Engine
    sessions: sessionmaker[Session]
    server: Server | None
    embedder: Once[Embedder]
    knowledge_base: Once[KnowledgeBase]
    language_model: Once[LanguageModel]
    persona: Once[Persona]
    identifier: Once[LanguageIdentifier]

    @property
    def index_dir(self) -> Path:
        """Where the search index's snapshots are."""
        return self.settings.data_dir / "index"


@contextmanager
def open_runtime(settings: Settings) -> Iterator[Runtime]:
    """Attach to the database, bring its schema up to date, and give both back at the end.

    Raises DatabaseUnavailable or Unavailable with a sentence that says what to do.
    """
    with ExitStack() as stack:
        server = None
        if settings.database_url is None:
            server = attach(settings.data_dir)
            stack.callback(server.release)
            url = server.url
        else:
            url = _sqlalchemy_url(settings.database_url.get_secret_value())
        engine = create_engine(url)
        stack.callback(engine.dispose)
        try:
            database_schema.migrate(engine)
        except OperationalError as error:
            place = "the embedded server" if server else "ASPA_DATABASE_URL"
            raise DatabaseUnavailable(f"The database ({place}) does not answer: {_first_line(error)}") from error
        embedder = Once(partial(load_embedder, settings.embedding_model))
        knowledge_base = Once(lambda: KnowledgeBase(engine, runtime.index_dir, embedder()))
        runtime = Runtime(
            settings=settings,
            database_url=url,
            engine=engine,
            sessions=session_factory(engine),
            server=server,
            embedder=embedder,
            knowledge_base=knowledge_base,
            language_model=Once(partial(load_language_model, settings.language_model)),
            persona=Once(partial(load_persona, settings.persona, disclose=settings.disclosure)),
            identifier=Once(WordLanguageIdentifier),
        )
        try:
            yield runtime
        finally:
            if knowledge_base.made is not None:
                knowledge_base.made.close()


def _first_line(error: OperationalError) -> str:
    return str(error.orig).strip().partition("\n")[0]


def _sqlalchemy_url(url: str) -> str:
    """Name our driver in an address of the usual forms, `postgres://` and `postgresql://`."""
    try:
        parsed = make_url(url.replace("postgres://", "postgresql://", 1))
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise Unavailable("ASPA_DATABASE_URL is no address: write postgresql://user:password@host/database.") from None
    if parsed.get_backend_name() != "postgresql":
        raise Unavailable("ASPA_DATABASE_URL must name a PostgreSQL server: postgresql://user:password@host/database.")
    return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
