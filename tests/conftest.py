"""The fixtures that the tests share: one embedded server for the whole run, a fresh database for each test."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from assistant.database_schema import migrate
from knowledge import postgres
from knowledge.database import conninfo, create_engine, session_factory

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from assistant.runtime import Runtime
    from tests.api_stages import World

_TEMPLATE = "template_aspa"
_numbers = itertools.count(1)


def _execute(server: postgres.Server, statement: str, name: str) -> None:
    with psycopg.connect(conninfo(server.url), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


def _url(server: postgres.Server, name: str) -> str:
    return make_url(server.url).set(database=name).render_as_string(hide_password=False)


def _make_tables(url: str) -> None:
    """By the migrations, as in real life."""
    engine = create_engine(url)
    migrate(engine)
    engine.dispose()


@pytest.fixture(scope="session")
def postgres_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of the server that all tests share."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def postgres_server(postgres_data_dir: Path) -> Iterator[postgres.Server]:
    """The server that all tests share. It may forget on a power cut, the real one may not."""
    with postgres.attach(postgres_data_dir) as server:
        with psycopg.connect(conninfo(server.url), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_commit = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server


@pytest.fixture(scope="session")
def template_database(postgres_server: postgres.Server) -> str:
    """The name of a database that has all tables and no rows."""
    _execute(postgres_server, "CREATE DATABASE {}", _TEMPLATE)
    _make_tables(_url(postgres_server, _TEMPLATE))
    return _TEMPLATE


@contextmanager
def _a_database(server: postgres.Server, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(conninfo(server.url), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    yield _url(server, name)
    _execute(server, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def database_url(postgres_server: postgres.Server, template_database: str) -> Iterator[str]:
    """A database of the test's own, with all tables and no rows."""
    with _a_database(postgres_server, template_database) as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(postgres_server: postgres.Server, template_database: str) -> Iterator[str]:
    """A database that the tests of one module share; what each leaves there is theirs to clear away."""
    with _a_database(postgres_server, template_database) as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine for the test's database."""
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session in the test's database. What the test does not commit is rolled back."""
    with session_factory(engine)() as session:
        yield session


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator["World"]:
    """The HTTP application over a fresh database, with clients that have tokens."""
    from tests.api_stages import World, opened  # late: the tests of the lower layers do not need the upper ones

    with opened(database_url, tmp_path) as runtime:
        yield World(runtime)


@pytest.fixture(scope="module")
def maintained(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Runtime"]:
    """A runtime over the module's database, with stand-ins for the models: for the pages of the knowledge."""
    from tests.api_stages import opened  # late: see above

    with opened(module_database_url, tmp_path_factory.mktemp("data")) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def signed_in(maintained: "Runtime") -> Iterator["TestClient"]:
    """A browser in which the maintainer Aino is signed in."""
    from tests.knowledge_stages import a_maintainer  # late: see above
    from tests.web_stages import browser, sign_in

    with maintained.sessions.begin() as session:
        a_maintainer(session)
    with browser(maintained) as client:
        sign_in(client)
        yield client


@pytest.fixture
def maintainer(signed_in: "TestClient", maintained: "Runtime") -> "TestClient":
    """Aino's browser, before anything is known."""
    from tests.knowledge_stages import cleared  # late: see above

    cleared(maintained)
    return signed_in
