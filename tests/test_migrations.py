"""The schema's revisions: they make exactly the tables that the program knows, and only one process runs them."""

import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text

import assistant.tables
import knowledge.tables
from assistant.database_schema import current, head, migrate
from assistant.errors import Unavailable
from knowledge.database import Base, create_engine

EVERY_TABLE = (assistant.tables, knowledge.tables)


def test_it_works(engine: Engine) -> None:
    with engine.connect() as connection:
        assert current(connection) == head()
        context = MigrationContext.configure(connection, opts={"include_name": _ours, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    return not (kind == "table" and name is not None and name.startswith("procrastinate_"))


def test_checks_are_the_same(engine: Engine) -> None:
    """Alembic does not compare check constraints, so names are compared here."""
    with engine.connect() as connection:
        made = set(connection.scalars(text("SELECT conname FROM pg_constraint WHERE conname LIKE 'ck_%'")))
    known = {
        str(constraint.name)
        for table in Base.metadata.tables.values()
        for constraint in table.constraints
        if str(constraint.name).startswith("ck_")
    }
    assert made == known


def test_several_at_once(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    errors: list[BaseException] = []

    def run() -> None:
        own = create_engine(engine.url.render_as_string(hide_password=False))
        try:
            migrate(own)
        except BaseException as error:
            errors.append(error)
        finally:
            own.dispose()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with engine.connect() as connection:
        assert current(connection) == head()


def test_a_newer_database_is_refused(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match="9999, which this version of aspa does not know"):
        migrate(engine)
