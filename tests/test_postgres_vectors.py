"""Vectors in the database: found like exact ones, and each snapshot sees what was there when it was made."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, text

from knowledge import postgres_vectors
from knowledge.postgres_vectors import SCHEMA, PostgresVectors, table_of, tidy
from knowledge.vectors import ExactVectors
from models import Vectors

DIMENSION = 16


def some(count: int, seed: int = 0) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.fixture
def vectors(engine: Engine) -> PostgresVectors:
    made = PostgresVectors.create(engine, "first", DIMENSION)
    made.add(range(1, 301), some(300))
    return made


def ids(vectors: PostgresVectors) -> set[int]:
    return {number for number, _ in vectors.search(some(1)[0], 10_000)}


def test_it_works(vectors: PostgresVectors, tmp_path: Path, engine: Engine) -> None:
    vectors.save(tmp_path / "v")
    again = PostgresVectors.load(tmp_path / "v", engine)
    exact = ExactVectors(DIMENSION)
    exact.add(range(1, 301), some(300))
    assert (len(again), again.dimension) == (300, DIMENSION)
    questions = some(20, seed=9)
    hits = [{n for n, _ in again.search(q, 10)} & {n for n, _ in exact.search(q, 10)} for q in questions]
    assert sum(map(len, hits)) >= 190
    (nearest, cosine), *_ = again.search(some(300)[6], 3)
    assert nearest == 7
    assert cosine == pytest.approx(1, abs=0.002)
    assert np.allclose(again.get([300, 7]), some(300)[[299, 6]], atol=0.001)


def test_an_older_snapshot_sees_neither_what_came_nor_what_went_after_it(
    vectors: PostgresVectors, tmp_path: Path, engine: Engine
) -> None:
    vectors.save(tmp_path / "old")
    old = PostgresVectors.load(tmp_path / "old", engine)
    next_ = PostgresVectors.load(tmp_path / "old", engine)
    next_.add([301], some(1, seed=5))
    next_.remove([7, 999])
    assert ids(old) == set(range(1, 301))
    next_.save(tmp_path / "new")
    new = PostgresVectors.load(tmp_path / "new", engine)
    assert (len(old), len(new)) == (300, 300)
    assert ids(old) == set(range(1, 301))
    assert ids(new) == set(range(1, 302)) - {7}
    assert old.get([7]).shape == (1, DIMENSION)
    for index, missing in ((old, 301), (new, 7)):
        with pytest.raises(KeyError):
            index.get([1, missing])


def test_only_removing_is_a_version_too(vectors: PostgresVectors, tmp_path: Path, engine: Engine) -> None:
    vectors.save(tmp_path / "old")
    middle = PostgresVectors.load(tmp_path / "old", engine)
    middle.remove([1])
    middle.save(tmp_path / "middle")
    new = PostgresVectors.load(tmp_path / "middle", engine)
    new.add([301], some(1, seed=5))
    new.save(tmp_path / "new")
    assert ids(PostgresVectors.load(tmp_path / "old", engine)) == set(range(1, 301))
    assert ids(PostgresVectors.load(tmp_path / "middle", engine)) == set(range(2, 301))
    assert ids(PostgresVectors.load(tmp_path / "new", engine)) == set(range(2, 302))


def test_an_update_that_did_not_finish_leaves_nothing(vectors: PostgresVectors, tmp_path: Path, engine: Engine) -> None:
    vectors.save(tmp_path / "old")
    killed = PostgresVectors.load(tmp_path / "old", engine)
    killed.add([301, 302], some(2, seed=5))
    killed.remove([7])
    again = PostgresVectors.load(tmp_path / "old", engine)
    again.add([301], some(1, seed=6))
    again.save(tmp_path / "new")
    assert ids(PostgresVectors.load(tmp_path / "new", engine)) == set(range(1, 302))


def test_an_empty_one_finds_nothing(engine: Engine, tmp_path: Path) -> None:
    made = PostgresVectors.create(engine, "empty", DIMENSION)
    made.add([], some(0))
    made.remove([])
    made.save(tmp_path / "v")
    again = PostgresVectors.load(tmp_path / "v", engine)
    assert (len(again), again.search(some(1)[0], 5), again.get([]).shape) == (0, [], (0, DIMENSION))


def test_tables_that_no_snapshot_needs_are_dropped_and_long_gone_rows_deleted(
    vectors: PostgresVectors, tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    PostgresVectors.create(engine, "forgotten", DIMENSION).save(tmp_path / "forgotten")
    PostgresVectors.create(engine, "another's", DIMENSION)
    vectors.save(tmp_path / "v")
    vectors.remove([1, 2])
    vectors.save(tmp_path / "v")
    tidy(engine, "f", {"first"})
    with engine.connect() as connection:
        rows = f"SELECT count(*) FROM {SCHEMA}.first"
        assert connection.scalar(text("SELECT to_regclass('aspa_vectors.forgotten')")) is None
        assert connection.scalar(text("SELECT to_regclass('aspa_vectors.\"another''s\"')")) is not None
        assert connection.scalar(text(rows)) == 300
    monkeypatch.setattr(postgres_vectors, "_KEEP", "0 seconds")
    tidy(engine, "f", {"first"})
    with engine.connect() as connection:
        assert connection.scalar(text(rows)) == 298
    with pytest.raises(OSError, match="no table"):
        PostgresVectors.load(tmp_path / "forgotten", engine)


def test_it_is_known_where_the_vectors_are(vectors: PostgresVectors, tmp_path: Path) -> None:
    assert table_of(tmp_path / "v") is None
    vectors.save(tmp_path / "v")
    assert table_of(tmp_path / "v") == "first"


def test_a_database_that_cannot_keep_vectors_is_an_error_that_says_what_to_do(engine: Engine) -> None:
    PostgresVectors.create(engine, "first", DIMENSION)
    with pytest.raises(OSError, match="install pgvector"):
        PostgresVectors.create(engine, "first", DIMENSION)
