"""A question → the passages that answer it, best first, and whether they do.

Meaning (vectors) and words (BM25) each bring candidates; `scoring` weighs them by the question's language. What is
shown comes from SQL, so that a retired or changed entry is never returned stale. Knows no conversation and no reply.
"""

import copy
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, or_, select
from sqlalchemy.orm import Session

from knowledge import snapshots
from knowledge.candidates import Candidate, candidates, ranks
from knowledge.database import clean_text, listen, utcnow
from knowledge.entries import Kind
from knowledge.indexing import CHANNEL
from knowledge.scoring import ANSWERABLE, confidence, probability
from knowledge.snapshots import EMPTY, Snapshot
from knowledge.tables import Entry
from models import Embedder, Language
from models.language import WordLanguageIdentifier

log = logging.getLogger(__name__)

LONGEST = 2_000
"""Characters of a question that are looked at."""
HYDRATED = 30
"""Entries read from SQL at once: more than are asked for, since some may be retired."""


@dataclass(frozen=True)
class Match:
    """An entry that may answer, with its best passage. `score` is the probability that it does; ranks count from 1.

    Of a past reply, `question` and `answer` are what redaction left.
    """

    entry_id: int
    external_id: str
    kind: Kind
    language: Language | None
    question: str
    answer: str
    passage: str
    url: str | None
    revision: int
    score: float
    dense_rank: int | None
    lexical_rank: int | None


@dataclass(frozen=True)
class SearchResult:
    """`answerable`: is the question answered well enough to reply from the matches; `confidence` is the probability."""

    question: str
    language: Language | None
    answerable: bool
    matches: tuple[Match, ...]
    snapshot: str
    confidence: float = 0.0


class KnowledgeBase:
    """The newest snapshot of the index, in memory. May be searched by several threads."""

    def __init__(self, engine: Engine, directory: Path, embedder: Embedder) -> None:
        self._engine: Engine | Connection = engine
        self._directory = directory
        self._embedder = embedder
        self._identifier = WordLanguageIdentifier()
        self._snapshot = EMPTY
        self._refreshing = threading.Lock()
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None
        self.refresh()

    @property
    def snapshot(self) -> str:
        """The name of the snapshot that is searched; empty where there is none yet."""
        return self._snapshot.name

    @property
    def index(self) -> Snapshot:
        """What is searched: `snapshots.EMPTY` where there is none yet."""
        return self._snapshot

    def overlaid(self, index: Snapshot, connection: Connection) -> "KnowledgeBase":
        """Return a base over `index` that sees what the connection's transaction sees, in all else like this one.

        For asking what a change would do before it is made; it takes up no newer snapshot and need not be closed.
        """
        other = copy.copy(self)
        other._snapshot, other._engine = index, connection
        return other

    def refresh(self) -> bool:
        """Take up the newest snapshot; return whether it is another one. A damaged one leaves the old one in use."""
        with self._refreshing:
            name = snapshots.current_name(self._directory)
            if name is None or name == self._snapshot.name:
                return False
            try:
                self._snapshot = snapshots.load(self._directory, name)
            except snapshots.BrokenSnapshot as error:
                log.warning("%s Run `aspa knowledge rebuild`; until then the index in memory serves.", error)
                return False
            if self._snapshot.embedder != self._embedder.name:
                log.warning("The index was made with another embedder: words alone are searched until it is rebuilt.")
            return True

    def watch(self, url: str) -> None:
        """Refresh, in a thread, whenever an index update is announced on the database at `url`, until `close`."""
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._listen, args=(url,), name="knowledge", daemon=True)
            self._watcher.start()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        if self._watcher is not None:
            self._watcher.join()

    def search(self, question: str, *, k: int = 5, language: Language | None = None) -> SearchResult:
        """Return the k entries that fit best, one match each. A language not given is recognised.

        Raises sqlalchemy.exc.OperationalError where the database is away.
        """
        text = clean_text(question).strip()[:LONGEST]
        language = language or self._identifier.identify(text)
        snapshot = self._snapshot
        found = candidates(snapshot, self._embedder, text, language)
        matches = self._hydrated(found, k, language)
        sure = confidence(text, [candidate.fit for candidate in found], language) if matches else 0.0
        return SearchResult(question, language, sure >= ANSWERABLE, tuple(matches), snapshot.name, confidence=sure)

    def candidates(self, text: str, language: Language | None) -> list[Candidate]:
        """Return every entry that speaks to the text, best first: what `scoring` is fitted on."""
        return candidates(self._snapshot, self._embedder, text, language)

    def _listen(self, url: str) -> None:
        for _ in listen(url, [CHANNEL], self._stop):
            self.refresh()

    def _hydrated(self, found: list[Candidate], k: int, language: Language | None) -> list[Match]:
        """Return the first k that SQL still shows as the index knows them, and that are valid now."""
        places = ranks(found, "dense"), ranks(found, "lexical")
        matches: list[Match] = []
        with Session(self._engine) as session:
            for start in range(0, len(found), HYDRATED):
                batch = found[start : start + HYDRATED]
                live = _live(session, [candidate.entry.entry_id for candidate in batch])
                for candidate in batch:
                    entry = live.get(candidate.entry.entry_id)
                    if entry is not None and entry.content_hash == candidate.entry.content_hash:
                        matches.append(_match(entry, candidate, probability(candidate.fit, language), *places))
                if len(matches) >= k:
                    break
        return matches[:k]


def _live(session: Session, ids: Sequence[int]) -> dict[int, Entry]:
    now = utcnow()
    statement = select(Entry).where(
        Entry.id.in_(ids),
        Entry.retired_at.is_(None),
        or_(Entry.valid_from.is_(None), Entry.valid_from <= now),
        or_(Entry.valid_until.is_(None), Entry.valid_until > now),
    )
    return {entry.id: entry for entry in session.scalars(statement)}


def _match(
    entry: Entry, candidate: Candidate, score: float, dense: Mapping[int, int], lexical: Mapping[int, int]
) -> Match:
    past = entry.kind == "past_reply"
    return Match(
        entry_id=entry.id,
        external_id=entry.external_id,
        kind=candidate.entry.kind,
        language=candidate.entry.language,
        question=candidate.passage.passage.title if past else entry.question,
        answer=" ".join(part.passage.text for part in candidate.entry.passages) if past else entry.answer,
        passage=candidate.passage.passage.text,
        url=entry.url,
        revision=entry.revision,
        score=score,
        dense_rank=dense.get(entry.id),
        lexical_rank=lexical.get(entry.id),
    )
