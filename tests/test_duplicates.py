"""Entries that repeat or contradict each other: found, put aside, forgotten; and hardly a pair that is neither."""

import json
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from knowledge import entries, upkeep
from knowledge.database import session_factory, utcnow
from knowledge.duplicates import Compared, contradicting_replies, find_findings
from knowledge.entries import EntryContent
from knowledge.indexing import update_index
from knowledge.sameness import Said, compare
from knowledge.search import KnowledgeBase
from knowledge.tables import Entry
from models import Role, Vectors
from models.fakes import FakeEmbedder

PAIRS = Path(__file__).parent / "data" / "pairs.jsonl"
SAMPLE = Path(__file__).parent.parent / "knowledge" / "sample"
RETURNS = EntryContent(
    kind="faq", external_id="returns", question="How long is the return period?", language="en",
    answer="You can return an unused item within 14 days of delivery.",
)  # fmt: skip
OTHER = RETURNS.model_copy(
    update={
        "external_id": "returns-2",
        "question": "What is the return period?",
        "answer": "Unused items may be returned within 30 days of delivery.",
    }
)


class Knowledge:
    """Entries in a database, their index, and the search for pairs over them."""

    def __init__(self, engine: Engine, folder: Path, embedder: FakeEmbedder | None = None) -> None:
        self.engine = engine
        self.folder = folder / "index"
        self.embedder = embedder or FakeEmbedder()
        self.base: KnowledgeBase | None = None

    def put(self, *contents: EntryContent) -> None:
        with Session(self.engine) as session, session.begin():
            entries.put_many(session, contents, author="anna")

    def find(self) -> Compared:
        update_index(self.engine, self.folder, self.embedder)
        self.base = self.base or KnowledgeBase(self.engine, self.folder, self.embedder)
        return find_findings(session_factory(self.engine), self.base)

    def found(self, **wanted: Any) -> list[tuple[str, str, str]]:
        with Session(self.engine) as session:
            return [
                (pair.finding.kind, pair.entry.external_id, pair.other.external_id)
                for pair in upkeep.findings(session, **wanted)
            ]


@pytest.fixture
def knowledge(engine: Engine, tmp_path: Path) -> Iterator[Knowledge]:
    opened = Knowledge(engine, tmp_path)
    yield opened
    if opened.base is not None:
        opened.base.close()


def test_it_works(knowledge: Knowledge) -> None:
    again = OTHER.model_copy(update={"external_id": "again", "question": "How long is your return period?"})
    knowledge.put(RETURNS, OTHER, again)
    assert knowledge.find() == Compared(entries=3, pairs=3, found=6)
    assert sorted(knowledge.found()) == [
        ("contradiction", "returns", "again"),
        ("contradiction", "returns", "returns-2"),
        ("duplicate", "returns-2", "again"),
    ]
    with Session(knowledge.engine) as session:
        finding = upkeep.findings(session, kind="contradiction")[-1].finding
        assert finding.differences == [{"entry": "14 days", "other": "30 days"}]
        assert 0 < finding.similarity <= 1


def test_only_what_changed_is_compared(knowledge: Knowledge) -> None:
    knowledge.put(RETURNS, OTHER)
    knowledge.find()
    assert knowledge.find() == Compared(0, 0, 0)
    knowledge.put(OTHER.model_copy(update={"answer": "Unused items may be returned within 14 days of delivery."}))
    assert knowledge.find() == Compared(1, 1, 1)
    assert knowledge.found() == [("duplicate", "returns", "returns-2")]
    knowledge.put(OTHER.model_copy(update={"question": "Where is your shop?", "answer": "In Turku."}))
    knowledge.find()
    assert knowledge.found() == []


def test_a_lost_or_broken_memory_costs_only_time(knowledge: Knowledge) -> None:
    knowledge.put(RETURNS, OTHER)
    knowledge.find()
    for broken in ("", "{", "[]", '{"key": 1}'):
        (knowledge.folder / "compared.json").write_text(broken)
        assert knowledge.find().entries == 2
    assert knowledge.found() == [("contradiction", "returns", "returns-2")]


def test_what_was_put_aside_stays_aside_until_a_text_changes(knowledge: Knowledge) -> None:
    knowledge.put(RETURNS, OTHER)
    knowledge.find()
    with Session(knowledge.engine) as session, session.begin():
        upkeep.dismiss(session, upkeep.findings(session)[0].finding, author="bea")
    knowledge.put(OTHER.model_copy(update={"owner": "bea"}))
    assert knowledge.find().entries == 1
    assert (knowledge.found(), len(knowledge.found(dismissed=True))) == ([], 1)
    knowledge.put(OTHER.model_copy(update={"answer": "Unused items may be returned within 60 days of delivery."}))
    knowledge.find()
    assert (len(knowledge.found()), knowledge.found(dismissed=True)) == (1, [])


def test_what_never_stands_side_by_side_is_no_matter(knowledge: Knowledge) -> None:
    now = utcnow()
    for change in (
        {"supersedes": ["returns"]},
        {"valid_from": now + timedelta(days=9)},
        {"valid_until": now - timedelta(days=1)},
        {"channel": "phone"},
    ):
        knowledge.put(
            RETURNS.model_copy(update={"valid_until": now + timedelta(days=9), "channel": "shop"}),
            OTHER.model_copy(update=change),
        )
        knowledge.find()
        assert (change, knowledge.found()) == (change, [])


def test_replies_that_contradict_a_newer_entry(knowledge: Knowledge) -> None:
    reply = EntryContent(
        kind="past_reply", external_id="reply", question="Hi, may I send my jumper back?", language="en",
        answer="Hello! You can return an unused item within 30 days of delivery. Best wishes",
        sent_at=datetime(2020, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    fine = reply.model_copy(update={"external_id": "fine", "answer": "You can return an unused item within 14 days."})
    newer = reply.model_copy(update={"external_id": "newer", "sent_at": utcnow() + timedelta(hours=1)})
    knowledge.put(RETURNS, reply, fine, newer)
    knowledge.find()
    with Session(knowledge.engine) as session:
        (number, reason), *others = contradicting_replies(session).items()
        told = session.get(Entry, number)
        assert told is not None
        assert (told.external_id, others) == ("reply", [])
        assert reason == "It contradicts the newer FAQ entry returns: “30 days” is “14 days” there."
    knowledge.put(RETURNS.model_copy(update={"answer": "You can return an unused item within 30 days of delivery."}))
    knowledge.find()
    with Session(knowledge.engine) as session:
        assert "reply" not in {pair.entry.external_id for pair in upkeep.findings(session)}


def test_a_retired_entry_contradicts_nobody(knowledge: Knowledge) -> None:
    knowledge.put(RETURNS, OTHER)
    knowledge.find()
    with Session(knowledge.engine) as session, session.begin():
        session.execute(update(Entry).where(Entry.external_id == "returns").values(retired_at=utcnow()))
    assert knowledge.found() == []


class TranslatingEmbedder(FakeEmbedder):
    """Knows a few words of Finnish and puts a text where its English lies, as a bilingual encoder does."""

    words: ClassVar = {"miten": "how", "mikä": "what", "on": "is", "palautusaika": "the return period"}

    def embed(self, texts: Sequence[str], *, role: Role = "passage") -> Vectors:
        vectors = super().embed([self._english(text) for text in texts], role=role)
        return np.asarray(vectors, np.float32)

    def _english(self, text: str) -> str:
        path = Path(upkeep.__file__).parent / "wordlists" / "translations.toml"
        known = {finnish: english for english, finnish in tomllib.loads(path.read_text(encoding="utf-8"))["pairs"]}
        return known.get(text) or " ".join(self.words.get(word, word) for word in text.lower().strip("?").split())


def test_across_languages(engine: Engine, tmp_path: Path) -> None:
    finnish = EntryContent(
        kind="faq", external_id="palautusaika", question="Mikä on palautusaika?", language="fi",
        answer="Käyttämättömän tuotteen voi palauttaa 30 päivän kuluessa.",
    )  # fmt: skip
    for embedder, expected in (
        (FakeEmbedder(), []),
        (TranslatingEmbedder(), [("contradiction", "returns-2", "palautusaika")]),
    ):
        folder = tmp_path / type(embedder).__name__
        folder.mkdir()
        knowledge = Knowledge(engine, folder, embedder)
        agreeing = RETURNS.model_copy(update={"external_id": "returns-2", "question": "What is the return period?"})
        knowledge.put(agreeing, finnish)
        knowledge.find()
        assert knowledge.found() == expected
    knowledge.put(agreeing.model_copy(update={"answer": "You can return an unused item within 30 days."}))
    knowledge.find()
    assert knowledge.found() == []


def test_the_pairs_that_we_know() -> None:
    """Of pairs in one language none is called what it is not, and nine in ten are found."""
    seen: Counter[tuple[str, str | None]] = Counter()
    for line in PAIRS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        one, other = (Said((row[s]["question"],), row[s]["answer"], row[s]["language"]) for s in ("one", "other"))
        verdict = compare(one, other, alike=True)
        if one.language == other.language:
            seen[row["label"], verdict.kind if verdict else None] += 1
            assert compare(one, other, alike=False) is None
        elif row["label"] == "agree":
            assert verdict is None
    wrong = [case for case in seen if case[1] is not None and case[0] != case[1]]
    assert wrong == []
    for label, least in (("contradiction", 0.9), ("duplicate", 0.9)):
        assert seen[label, label] >= least * (seen[label, label] + seen[label, None])


@pytest.mark.parametrize("language", ["en", "fi"])
def test_good_knowledge_has_nothing_to_look_at(language: Any) -> None:
    rows = [json.loads(line) for line in (SAMPLE / f"faq_{language}.jsonl").read_text(encoding="utf-8").splitlines()]
    said = [Said((row["question"], *row.get("alternatives", ())), row["answer"], language) for row in rows]
    assert [pair for pair in combinations(said, 2) if compare(*pair, alike=True)] == []
