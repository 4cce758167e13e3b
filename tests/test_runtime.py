"""What every process opens."""

import threading
import time
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.engine import make_url

from assistant.errors import Unavailable
from assistant.runtime import Once, open_runtime
from assistant.settings import Settings
from knowledge.database import DatabaseUnavailable


def test_it_works(tmp_path: Path) -> None:
    with open_runtime(Settings(data_dir=tmp_path / "data")) as runtime:
        with runtime.sessions() as session:
            assert session.scalar(text("SELECT count(*) FROM conversation")) == 0
        assert runtime.knowledge_base.made is None
        assert runtime.persona().brand
        assert runtime.server is not None
        server = runtime.server
        assert server.pid is not None
    assert server.pid is None


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_database_of_ones_own(database_url: str, tmp_path: Path, scheme: str) -> None:
    address = make_url(database_url).set(drivername=scheme, password="hidden")
    url = address.render_as_string(hide_password=False)
    with open_runtime(Settings(data_dir=tmp_path / "data", database_url=SecretStr(url))) as runtime:
        assert runtime.server is None
        with runtime.sessions() as session:
            assert session.scalar(text("SELECT count(*) FROM conversation")) == 0
        assert "hidden" not in repr(runtime)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/name", "postgresql://host:port/name", ""])
def test_a_database_url_that_cannot_be_used_is_refused(tmp_path: Path, url: str) -> None:
    with (
        pytest.raises(Unavailable, match="ASPA_DATABASE_URL"),
        open_runtime(Settings(data_dir=tmp_path, database_url=SecretStr(url))),
    ):
        pass


def test_nobody_at_the_database_url(tmp_path: Path) -> None:
    url = SecretStr("postgresql://127.0.0.1:9/name")
    with (
        pytest.raises(DatabaseUnavailable, match="ASPA_DATABASE_URL"),
        open_runtime(Settings(data_dir=tmp_path, database_url=url)),
    ):
        pass


def test_a_heavy_part_is_made_once_however_many_ask() -> None:
    made: list[int] = []

    def make() -> object:
        time.sleep(0.05)
        made.append(1)
        return object()

    part = Once(make)
    assert part.made is None
    got: list[object] = []
    threads = [threading.Thread(target=lambda: got.append(part())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(set(map(id, got)))) == (1, 1)
    assert part.made is got[0]


def test_a_part_that_could_not_be_made_is_tried_again() -> None:
    answers = iter([None, "made"])

    def make() -> str:
        answer = next(answers)
        if answer is None:
            raise Unavailable("Not yet.")
        return answer

    part = Once(make)
    with pytest.raises(Unavailable):
        part()
    assert part() == "made"
