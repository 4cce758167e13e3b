"""Engine, sessions, notifications and text, against a real server."""

import json
import os
import signal
import threading
import unicodedata
from collections.abc import Iterator
from datetime import UTC

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import CheckConstraint, Engine, ForeignKey, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Mapped, Session, mapped_column

from knowledge import postgres
from knowledge.database import (
    Base,
    Notification,
    clean_text,
    conninfo,
    create_engine,
    listen,
    notify,
    session_factory,
    utcnow,
)

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # surrogates and NUL included


def test_it_works(session: Session) -> None:
    assert session.execute(text("SELECT 'äiti'")).scalar() == "äiti"
    assert session.execute(text("SHOW timezone")).scalar() == "UTC"
    assert utcnow().tzinfo is UTC


def test_each_test_has_its_own_database(session: Session, database_url: str) -> None:
    session.execute(text("CREATE TABLE mine ()"))
    session.commit()
    other = psycopg.connect(conninfo(database_url))
    other.execute("SELECT FROM mine")
    other.close()


def test_and_it_is_gone_in_the_next(session: Session) -> None:
    assert session.execute(text("SELECT to_regclass('mine')")).scalar() is None


def test_constraints_have_predictable_names() -> None:
    class Parent(Base):
        __tablename__ = "test_parent"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(unique=True)

    class Child(Base):
        __tablename__ = "test_child"
        __table_args__ = (CheckConstraint("size > 0", name="size_positive"),)
        id: Mapped[int] = mapped_column(primary_key=True)
        parent_id: Mapped[int] = mapped_column(ForeignKey(Parent.id), index=True)
        size: Mapped[int]

    tables = [Base.metadata.tables["test_parent"], Base.metadata.tables["test_child"]]
    names = {str(constraint.name) for table in tables for constraint in table.constraints}
    names |= {str(index.name) for table in tables for index in table.indexes}
    for table in tables:
        Base.metadata.remove(table)
    assert names == {
        "pk_test_parent",
        "uq_test_parent_name",
        "pk_test_child",
        "fk_test_child_parent_id",
        "ix_test_child_parent_id",
        "ck_test_child_size_positive",
    }


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_urls_as_hosts_hand_them_out(scheme: str) -> None:
    url = f"{scheme}://me:p%40ss@db.example:6543/aspa?sslmode=require"
    engine = create_engine(url)
    assert engine.dialect.driver == "psycopg"
    assert engine.url.password == "p@ss"
    assert psycopg.conninfo.conninfo_to_dict(conninfo(url)) == {
        "user": "me",
        "password": "p@ss",
        "host": "db.example",
        "port": "6543",
        "dbname": "aspa",
        "sslmode": "require",
        "connect_timeout": "5",
    }


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(ValueError, match="sqlite is not supported: give a PostgreSQL URL"):
        create_engine("sqlite://")


def test_the_options_of_a_url_are_kept(database_url: str) -> None:
    engine = create_engine(database_url + "&options=-c%20work_mem%3D5MB")
    with engine.connect() as connection:
        assert connection.execute(text("SHOW work_mem")).scalar() == "5MB"
        assert connection.execute(text("SHOW timezone")).scalar() == "UTC"
    engine.dispose()


def test_an_endless_statement_is_cancelled(database_url: str) -> None:
    engine = create_engine(database_url, statement_seconds=0.05)
    with engine.connect() as connection, pytest.raises(OperationalError, match="statement timeout"):
        connection.execute(text("SELECT pg_sleep(60)"))
    engine.dispose()


def test_an_unreachable_server_is_an_error_at_once() -> None:
    engine = create_engine("postgresql://127.0.0.1:1/nothing")
    with pytest.raises(OperationalError, match="refused"):
        engine.connect()


def test_the_engine_outlives_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    with postgres.attach(tmp_path_factory.mktemp("restarted")) as server:
        engine = create_engine(server.url)
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        server.ensure_running()
        with engine.connect() as connection:  # the pool still held the dead connection
            assert connection.execute(text("SELECT 1")).scalar() == 1
        engine.dispose()


def test_what_was_saved_is_readable_after_the_commit(engine: Engine) -> None:
    assert session_factory(engine)().expire_on_commit is False


# Notifications


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """Ends the listener, also where the test fails."""
    event = threading.Event()
    yield event
    event.set()


def test_what_is_notified_is_heard(database_url: str, session: Session, stop: threading.Event) -> None:
    heard = listen(database_url, ["drafts", "Needs Quotes\"'"], stop)
    assert next(heard) is None
    notify(session, "drafts", "ä 1")
    notify(session, "elsewhere", "not for us")
    notify(session, "Needs Quotes\"'")
    session.commit()
    assert next(heard) == Notification("drafts", "ä 1")
    assert next(heard) == Notification("Needs Quotes\"'", "")
    stop.set()
    assert list(heard) == []


def test_what_is_rolled_back_is_not_heard(database_url: str, session: Session, stop: threading.Event) -> None:
    heard = listen(database_url, ["drafts"], stop)
    assert next(heard) is None
    notify(session, "drafts", "never happened")
    session.rollback()
    notify(session, "drafts", "happened")
    session.commit()
    assert next(heard) == Notification("drafts", "happened")


def test_a_lost_connection_is_made_again_and_said(database_url: str, session: Session, stop: threading.Event) -> None:
    heard = listen(database_url, ["drafts"], stop)
    assert next(heard) is None
    killed = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'aspa listener'"
    session.execute(text(killed + " AND datname = current_database()"))
    assert next(heard) is None  # what was said in between is lost: read everything anew
    notify(session, "drafts", "again")
    session.commit()
    assert next(heard) == Notification("drafts", "again")


def test_a_listener_without_a_server_can_be_stopped(stop: threading.Event) -> None:
    threading.Timer(0.2, stop.set).start()
    assert list(listen("postgresql://127.0.0.1:1/nothing", ["drafts"], stop)) == []


def test_a_long_payload_is_refused_before_it_breaks_the_transaction(session: Session) -> None:
    notify(session, "drafts", "x" * 7999)
    with pytest.raises(ValueError, match="at most 7999 bytes"):
        notify(session, "drafts", "ä" * 4000)
    session.commit()


# Text


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("hyvää päivää", "hyvää päivää"),
        ("a\0b", "ab"),
        ("a\u0308iti", "äiti"),
        ("a\0\u0308iti", "äiti"),
        ("half \ud83d gone", "half \ufffd gone"),
        ("\udc00", "\ufffd"),
        ("\ud83d\ude00", "😀"),  # both halves, as a careless JSON encoder leaves them
        ("\ufeffmark", "\ufeffmark"),
        ("שלום 😀 \u202eright to left", "שלום 😀 \u202eright to left"),
        ("", ""),
    ],
)
def test_clean_text(dirty: str, clean: str) -> None:
    assert clean_text(dirty) == clean


@given(ANY_TEXT)
def test_clean_text_is_clean_and_changes_nothing_else(dirty: str) -> None:
    clean = clean_text(dirty)
    clean.encode()
    assert "\0" not in clean
    assert unicodedata.is_normalized("NFC", clean)
    assert clean_text(clean) == clean
    if not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in dirty):
        assert clean == unicodedata.normalize("NFC", dirty)


@given(ANY_TEXT)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the session keeps nothing between examples
def test_postgresql_takes_clean_text(session: Session, dirty: str) -> None:
    clean = clean_text(dirty)
    assert session.execute(text("SELECT CAST(:clean AS text)"), {"clean": clean}).scalar() == clean
    document = session.execute(text("SELECT CAST(:clean AS jsonb)"), {"clean": json.dumps({"text": clean})}).scalar()
    assert document == {"text": clean}


def test_postgresql_refuses_nul(session: Session) -> None:
    """Why `clean_text` is needed."""
    with pytest.raises((ValueError, DBAPIError)):
        session.execute(text("SELECT CAST(:dirty AS text)"), {"dirty": "a\0b"})
