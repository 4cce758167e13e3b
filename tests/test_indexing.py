"""The index follows the entries: only what changed is made anew, and whatever fails leaves the old one serving."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from knowledge import entries, snapshots
from knowledge.database import listen
from knowledge.entries import EntryContent
from knowledge.indexing import CHANNEL, IndexReport, update_index
from models import Role, Vectors
from models.fakes import FakeEmbedder


class CountingEmbedder(FakeEmbedder):
    """Remembers what it was asked to embed, and can be told to fail."""

    def __init__(self, dimension: int = 64) -> None:
        super().__init__(dimension)
        self.asked: list[str] = []
        self.broken = False

    def embed(self, texts: Sequence[str], *, role: Role = "passage") -> Vectors:
        if self.broken:
            raise MemoryError
        self.asked += texts
        return super().embed(texts, role=role)


def faq(name: str, answer: str = "Yes.") -> EntryContent:
    return EntryContent(kind="faq", external_id=name, question=f"Is {name} there?", answer=answer, language="en")


def reply(name: str, text: str) -> EntryContent:
    return EntryContent(kind="past_reply", external_id=name, question="missä se on", answer=text, language="fi")


def put(engine: Engine, *contents: EntryContent) -> None:
    with Session(engine) as session, session.begin():
        entries.put_many(session, contents, author="test")


def retire(engine: Engine, name: str) -> None:
    with Session(engine) as session, session.begin():
        entry = entries.find(session, None, name)
        assert entry is not None
        entries.retire(session, entry, author="test")


def texts(directory: Path) -> list[str]:
    name = snapshots.current_name(directory)
    assert name is not None
    return [part.passage.text for part in snapshots.load(directory, name).passage.values()]


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


def counts(report: IndexReport) -> tuple[int, int, int, int]:
    return report.passages, report.embedded, report.reused, report.removed


def test_it_works(engine: Engine, tmp_path: Path, embedder: CountingEmbedder) -> None:
    put(engine, faq("coffee"), faq("tea"))
    seen: list[tuple[int, int]] = []
    report = update_index(engine, tmp_path, embedder, progress=lambda done, total: seen.append((done, total)))
    assert counts(report) == (2, 2, 0, 0)
    assert seen == [(2, 2)]
    assert snapshots.current_name(tmp_path) == report.snapshot
    again = update_index(engine, tmp_path, embedder)
    assert (again.snapshot, counts(again)) == (report.snapshot, (2, 0, 2, 0))


def test_an_edit_embeds_the_edited_entry_alone(engine: Engine, tmp_path: Path, embedder: CountingEmbedder) -> None:
    put(engine, *(faq(f"n{n}") for n in range(20)))
    update_index(engine, tmp_path, embedder)
    embedder.asked.clear()
    put(engine, faq("n7", "No."), faq("n3").model_copy(update={"tags": ["only a tag"]}))
    report = update_index(engine, tmp_path, embedder)
    assert embedder.asked == ["Is n7 there?\nNo."]
    assert counts(report) == (20, 1, 19, 2)
    retire(engine, "n8")
    assert counts(update_index(engine, tmp_path, embedder)) == (19, 0, 19, 1)


def test_equal_wordings_share_a_vector_until_the_last_is_gone(
    engine: Engine, tmp_path: Path, embedder: CountingEmbedder
) -> None:
    twin = faq("coffee").model_copy(update={"external_id": "twin"})
    put(engine, faq("coffee"), twin)
    assert counts(update_index(engine, tmp_path, embedder)) == (2, 1, 0, 0)
    retire(engine, "twin")
    assert counts(update_index(engine, tmp_path, embedder)) == (1, 0, 1, 1)
    retire(engine, "coffee")
    assert counts(update_index(engine, tmp_path, embedder)) == (0, 0, 0, 1)


def test_fresh_empty_knowledge_has_an_empty_index(engine: Engine, tmp_path: Path, embedder: CountingEmbedder) -> None:
    assert counts(update_index(engine, tmp_path / "new" / "index", embedder)) == (0, 0, 0, 0)


def test_rebuilding_and_another_embedder_take_nothing_over(
    engine: Engine, tmp_path: Path, embedder: CountingEmbedder
) -> None:
    put(engine, faq("coffee"))
    update_index(engine, tmp_path, embedder)
    assert update_index(engine, tmp_path, embedder, rebuild=True).embedded == 1
    assert update_index(engine, tmp_path, FakeEmbedder(32)).embedded == 1


@pytest.mark.parametrize("damage", ["manifest.json", "vectors.faiss", "entries.json", "keywords/meta.json"])
@pytest.mark.parametrize("cut", [True, False])
def test_a_damaged_snapshot_is_made_anew(
    engine: Engine, tmp_path: Path, embedder: CountingEmbedder, damage: str, cut: bool
) -> None:
    put(engine, faq("coffee"))
    file = tmp_path / update_index(engine, tmp_path, embedder).snapshot / damage
    if cut:
        file.write_bytes(file.read_bytes()[:-3])
    else:
        file.unlink()
    report = update_index(engine, tmp_path, embedder)
    assert report.embedded == 1
    assert texts(tmp_path) == ["Yes."]


def test_a_failed_update_leaves_the_old_snapshot(engine: Engine, tmp_path: Path, embedder: CountingEmbedder) -> None:
    put(engine, faq("coffee"))
    before = update_index(engine, tmp_path, embedder).snapshot
    put(engine, faq("coffee", "No."))
    embedder.broken = True
    with pytest.raises(MemoryError):
        update_index(engine, tmp_path, embedder)
    assert snapshots.current_name(tmp_path) == before
    assert texts(tmp_path) == ["Yes."]
    embedder.broken = False
    update_index(engine, tmp_path, embedder)
    assert texts(tmp_path) == ["No."]


def test_a_full_disk_leaves_the_old_snapshot(
    engine: Engine, tmp_path: Path, embedder: CountingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(engine, faq("coffee"))
    before = update_index(engine, tmp_path, embedder).snapshot
    put(engine, faq("coffee", "No."))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("knowledge.vectors.ExactVectors.save", full)
        with pytest.raises(OSError, match="No space"):
            update_index(engine, tmp_path, embedder)
    assert snapshots.current_name(tmp_path) == before
    assert texts(tmp_path) == ["Yes."]


def test_a_database_that_is_away_leaves_the_old_snapshot(
    engine: Engine, tmp_path: Path, embedder: CountingEmbedder
) -> None:
    put(engine, faq("coffee"))
    before = update_index(engine, tmp_path, embedder).snapshot
    away = create_engine("postgresql+psycopg://localhost:1/none")
    with pytest.raises(OperationalError):
        update_index(away, tmp_path, embedder)
    assert snapshots.current_name(tmp_path) == before


def test_what_a_killed_update_left_is_removed_and_two_snapshots_are_kept(
    engine: Engine, tmp_path: Path, embedder: CountingEmbedder
) -> None:
    (tmp_path / "20200101-000000-dead" / "keywords").mkdir(parents=True)
    names = []
    for number in range(4):
        put(engine, faq("coffee", str(number)))
        names.append(update_index(engine, tmp_path, embedder).snapshot)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names[-2:], "current"])
    assert [part.passage.text for part in snapshots.load(tmp_path, names[-2]).passage.values()] == ["2"]


def test_two_updates_at_once_do_the_work_once(engine: Engine, tmp_path: Path, embedder: CountingEmbedder) -> None:
    put(engine, *(faq(f"n{n}") for n in range(50)))
    reports: list[IndexReport] = []
    threads = [
        threading.Thread(target=lambda: reports.append(update_index(engine, tmp_path, embedder))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(report.embedded for report in reports) == [0, 0, 50]
    assert len({report.snapshot for report in reports}) == 1


def test_every_process_is_told(engine: Engine, tmp_path: Path, embedder: CountingEmbedder, database_url: str) -> None:
    put(engine, faq("coffee"))
    stop = threading.Event()
    said = listen(database_url, [CHANNEL], stop)
    assert next(said) is None
    report = update_index(engine, tmp_path, embedder)
    heard = next(said)
    assert heard is not None
    assert (heard.channel, heard.payload) == (CHANNEL, report.snapshot)
    stop.set()
    said.close()  # type: ignore[attr-defined]


def test_of_past_replies_only_what_is_nobodys_is_indexed(
    engine: Engine, tmp_path: Path, embedder: CountingEmbedder
) -> None:
    put(
        engine,
        reply("r1", "Hei Matti! Hyvitys tulee pian. Soitan Matille. Maksoit sen Visalla. T. Aino"),
        reply("r2", "Moi!"),
    )
    report = update_index(engine, tmp_path, embedder)
    assert report.passages == 1
    assert texts(tmp_path) == ["Hyvitys tulee pian. Soitan {name}. Maksoit sen Visalla."]
    assert not any("Mat" in wording or "Aino" in wording or "{" in wording for wording in embedder.asked)


def test_other_rules_of_redaction_cut_past_replies_anew(
    engine: Engine, tmp_path: Path, embedder: CountingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(engine, reply("r1", "Hyvitys tulee pian."), faq("coffee"))
    first = update_index(engine, tmp_path, embedder)
    monkeypatch.setattr("knowledge.indexing._RULES", "rules of tomorrow")
    second = update_index(engine, tmp_path, embedder)
    assert (second.snapshot != first.snapshot, second.embedded, second.removed) == (True, 0, 1)


def test_a_word_that_the_faq_comes_to_know_is_no_name_any_more(
    engine: Engine, tmp_path: Path, embedder: CountingEmbedder
) -> None:
    put(engine, reply("r1", "Hyvitys tulee pian. Se on Usvapuron."), reply("r2", "Aina hyvä."))
    update_index(engine, tmp_path, embedder)
    assert sorted(texts(tmp_path)) == ["Aina hyvä.", "Hyvitys tulee pian. Se on {name}."]
    put(engine, faq("place", "Ask at Usvapuro."))
    embedder.asked.clear()
    update_index(engine, tmp_path, embedder)
    assert sorted(texts(tmp_path)) == ["Aina hyvä.", "Ask at Usvapuro.", "Hyvitys tulee pian. Se on Usvapuron."]
    assert len(embedder.asked) == 2
    retire(engine, "place")
    update_index(engine, tmp_path, embedder)
    assert sorted(texts(tmp_path)) == ["Aina hyvä.", "Hyvitys tulee pian. Se on {name}."]
