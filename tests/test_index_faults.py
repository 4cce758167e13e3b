"""The index goes on serving when the disk fills up, a file is damaged, or the embedder is another."""

import logging
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api.commands import doctor
from assistant import search_index
from assistant.errors import Unavailable
from knowledge import entries, index_health, large_vectors, serving, snapshots
from knowledge.compacting import compact
from knowledge.database import utcnow
from knowledge.entries import EntryContent
from knowledge.index_health import fault
from knowledge.indexing import update_index
from knowledge.large_vectors import Graph, LargeVectors, OnDisk
from knowledge.search import KnowledgeBase
from models import Embedder, ModelError
from models.fakes import FakeEmbedder
from tests.stages import opened

COUNT = 60
OLD, NEW = FakeEmbedder(64), FakeEmbedder(1024)


def put(engine: Engine, *numbers: int, answer: str = "It is there.") -> None:
    contents = [
        EntryContent(kind="faq", external_id=f"n{n}", question=f"Where is cup{n}?", answer=answer, language="en")
        for n in numbers
    ]
    with Session(engine) as session, session.begin():
        entries.put_many(session, contents, author="test")


@contextmanager
def full_disk(bytes_: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes: the writes fail as they do where no space is left."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def first(base: KnowledgeBase, number: int) -> tuple[str, int | None]:
    match = base.search(f"where is cup{number}").matches[0]
    return match.external_id, match.dense_rank


@pytest.fixture
def index(engine: Engine, tmp_path: Path) -> Path:
    put(engine, *range(COUNT))
    update_index(engine, tmp_path, OLD, source="old")
    return tmp_path


def test_a_full_disk_leaves_the_old_index_serving_and_says_so(
    engine: Engine, index: Path, caplog: pytest.LogCaptureFixture
) -> None:
    base = KnowledgeBase(engine, index, OLD)
    before = base.snapshot
    with full_disk(100_000), caplog.at_level(logging.ERROR), pytest.raises(OSError, match="large"):
        update_index(engine, index, NEW, rebuild=True)
    assert (snapshots.current_name(index), snapshots.complete(index)) == (before, [before])
    assert [path.name for path in index.iterdir() if path.is_dir()] == [before]
    (said,) = [record.getMessage() for record in caplog.records if record.name == "knowledge.index_health"]
    noted = fault(index)
    assert noted is not None
    assert noted.why == said
    assert "free some space on the disk" in said
    assert base.refresh() is False
    assert first(base, 7)[0] == "n7"
    update_index(engine, index, OLD)
    assert fault(index) is None


def test_a_damaged_snapshot_gives_way_to_the_one_before_until_it_is_made_anew(engine: Engine, index: Path) -> None:
    before = snapshots.current_name(index)
    put(engine, 7, answer="It is broken.")
    damaged = update_index(engine, index, OLD).snapshot
    (index / damaged / "vectors.faiss").write_bytes(b"nonsense")
    base = KnowledgeBase(engine, index, OLD)
    assert (base.snapshot, base.damaged) == (before, True)
    assert first(base, 8)[0] == "n8"
    report = update_index(engine, index, OLD)
    assert (report.embedded, report.reused) == (1, COUNT - 1)
    assert base.refresh()
    assert (base.snapshot, base.damaged) == (report.snapshot, False)
    assert base.search("where is cup7").matches[0].answer == "It is broken."


def test_a_damaged_snapshot_of_the_same_entries_is_made_anew_too(engine: Engine, index: Path) -> None:
    put(engine, 7, answer="It is broken.")
    damaged = update_index(engine, index, OLD).snapshot
    put(engine, 7)
    (index / damaged / "entries.json").write_bytes(b"[")
    assert update_index(engine, index, OLD).snapshot != damaged
    base = KnowledgeBase(engine, index, OLD)
    assert (base.damaged, first(base, 7)[0]) == (False, "n7")


def test_the_old_index_is_asked_with_the_old_embedder_until_the_new_one_is_there(
    engine: Engine, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: dict[str, Embedder] = {"old": OLD}
    monkeypatch.setattr(serving, "load_embedder", known.__getitem__)
    base = KnowledgeBase(engine, index, NEW)
    assert base.embedder is OLD
    assert first(base, 7) == ("n7", 1)
    assert update_index(engine, index, NEW, source="new").embedded == COUNT
    assert base.refresh()
    assert base.embedder is NEW
    assert first(base, 7) == ("n7", 1)


def test_words_are_searched_where_the_old_embedder_is_gone(
    engine: Engine, index: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(_: str) -> Embedder:
        raise ModelError("There is no folder old.")

    for load in (gone, lambda _: FakeEmbedder(32)):
        monkeypatch.setattr(serving, "load_embedder", load)
        caplog.clear()
        base = KnowledgeBase(engine, index, NEW)
        assert base.embedder is None
        assert first(base, 7) == ("n7", None)
        assert "words alone" in caplog.text


def test_a_graph_is_made_while_the_index_is_changed(
    engine: Engine, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert compact(engine, index) is None
    monkeypatch.setattr(large_vectors, "EXACT", COUNT - 1)
    grow = large_vectors.regrown

    def grow_meanwhile(vectors: OnDisk) -> Graph:
        graph = grow(vectors)
        put(engine, 7, answer="It is broken.")
        put(engine, COUNT)
        update_index(engine, index, OLD)
        return graph

    with monkeypatch.context() as patch:
        patch.setattr("knowledge.compacting.regrown", grow_meanwhile)
        name = compact(engine, index)
    assert name == snapshots.current_name(index)
    base = KnowledgeBase(engine, index, OLD)
    vectors = base.index.vectors
    assert isinstance(vectors, LargeVectors)
    assert (len(vectors), len(vectors.graph), vectors.gone, len(vectors.beside)) == (COUNT + 1, COUNT, 1, 2)
    assert [first(base, n) for n in (8, COUNT)] == [("n8", 1), (f"n{COUNT}", 1)]
    assert base.search("where is cup7").matches[0].answer == "It is broken."
    assert compact(engine, index) is None
    put(engine, 9, answer="It is lost.")
    report = update_index(engine, index, OLD)
    graphs = [(index / str(folder) / "vectors.faiss.graph").stat().st_ino for folder in (name, report.snapshot)]
    assert graphs[0] == graphs[1]
    base.refresh()
    assert base.search("where is cup9").matches[0].answer == "It is lost."


def test_a_graph_of_an_index_that_was_rebuilt_meanwhile_is_thrown_away(
    engine: Engine, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_vectors, "EXACT", COUNT - 1)
    grow = large_vectors.regrown

    def rebuild_meanwhile(vectors: OnDisk) -> Graph:
        graph = grow(vectors)
        update_index(engine, index, OLD, rebuild=True)
        return graph

    monkeypatch.setattr("knowledge.compacting.regrown", rebuild_meanwhile)
    assert compact(engine, index) is None
    assert first(KnowledgeBase(engine, index, OLD), 7) == ("n7", 1)


def test_vectors_in_the_database(engine: Engine, tmp_path: Path) -> None:
    put(engine, *range(COUNT))
    update_index(engine, tmp_path, OLD, store="pgvector")
    old = KnowledgeBase(engine, tmp_path, OLD)
    assert first(old, 7) == ("n7", 1)
    put(engine, 7, answer="It is broken.")
    put(engine, COUNT)
    assert update_index(engine, tmp_path, OLD, store="pgvector").embedded == 2
    assert first(old, 8) == ("n8", 1)
    new = KnowledgeBase(engine, tmp_path, OLD)
    assert new.search("where is cup7").matches[0].answer == "It is broken."
    assert first(new, COUNT) == (f"n{COUNT}", 1)
    assert update_index(engine, tmp_path, OLD).embedded == COUNT + 1
    assert not isinstance(KnowledgeBase(engine, tmp_path, OLD).index.vectors, type(new.index.vectors))


def test_the_worker_mends_tries_again_and_makes_graphs(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(database_url, tmp_path) as runtime:
        put(runtime.engine, *range(COUNT))
        search_index.look(runtime, first=True)
        made = snapshots.current_name(runtime.index_dir)
        assert made is not None
        search_index.look(runtime)
        assert snapshots.current_name(runtime.index_dir) == made
        (runtime.index_dir / made / "entries.json").write_bytes(b"[")
        restarted = KnowledgeBase(runtime.engine, runtime.index_dir, runtime.embedder())
        assert (restarted.snapshot, restarted.damaged) == ("", True)
        search_index.look(replace(runtime, knowledge_base=lambda: restarted))  # type: ignore[arg-type]
        assert (restarted.damaged, first(restarted, 7)[0]) == (False, "n7")
        put(runtime.engine, COUNT)
        with pytest.raises(OSError, match="large"), full_disk(10_000):
            search_index.update(runtime)
        search_index.look(runtime)
        assert fault(runtime.index_dir) is not None
        later = utcnow() + timedelta(seconds=2 * search_index.RETRY_SECONDS)
        monkeypatch.setattr(search_index, "utcnow", lambda: later)
        monkeypatch.setattr(large_vectors, "EXACT", COUNT - 1)
        search_index.look(runtime)
        assert fault(runtime.index_dir) is None
        assert isinstance(runtime.knowledge_base().index.vectors, LargeVectors)


def test_the_doctor_says_what_went_wrong(database_url: str, tmp_path: Path) -> None:
    with opened(database_url, tmp_path) as runtime:
        put(runtime.engine, 1)
        with pytest.raises(ValueError, match="large"), full_disk(1_000):  # what tantivy says
            search_index.update(runtime)
        assert [path for path in runtime.index_dir.iterdir() if path.is_dir()] == []
        with pytest.raises(Unavailable, match="free some space"):
            doctor._index(runtime)
        search_index.update(runtime)
        runtime.knowledge_base().refresh()
        assert doctor._index(runtime).startswith("1 entries")


def test_what_another_library_says_of_a_full_disk_is_understood(tmp_path: Path) -> None:
    assert "free some space" in index_health.sentence(ValueError("IO error: No space left on device"), tmp_path)
    assert "see the log" in index_health.sentence(ValueError("nonsense"), tmp_path)
