"""A question → the passages that answer it, best first, and whether they do.

Meaning (vectors) and words (BM25) each bring candidates; `scoring` weighs them. A message with several questions gets
passages for each. What is shown comes from SQL, so that a retired, superseded or changed entry is never returned stale.
Knows no conversation and no reply.
"""

import copy
import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import cast

from sqlalchemy import ColumnElement, Connection, Engine, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from knowledge import snapshots
from knowledge.candidates import Candidate, Finder, confidence, ranks
from knowledge.database import clean_text, listen, utcnow
from knowledge.entries import Audience, Kind
from knowledge.indexing import CHANNEL
from knowledge.questions import needs_passage, questions
from knowledge.scoring import ANSWERABLE, probability
from knowledge.serving import embedder_of
from knowledge.snapshots import EMPTY, Snapshot
from knowledge.tables import Entry
from models import Embedder, Language
from models.language import WordLanguageIdentifier

log = logging.getLogger(__name__)

LONGEST = 2_000
"""Characters of a question that are looked at."""
HYDRATED = 40
"""Entries read from SQL at once: more than are asked for, since some may be retired."""
GUIDANCE = 3
"""Internal entries that are shown to the agent at most."""
GUIDING = 0.2
"""The score from which on an internal entry is worth an agent's look."""
FADING = 0.1
"""What a past reply's fit loses with each year, up to five: prices and terms change."""


@dataclass(frozen=True)
class Match:
    """An entry that may answer, with its best passage. `score` is the probability that it does; ranks count from 1.

    Of a past reply, `question` and `answer` are what redaction left. `demoted`: a past reply that contradicts the FAQ,
    to be looked at and not to be used. `best_for`: the places in `SearchResult.questions` that it answers best.
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
    audience: Audience = "public"
    tags: tuple[str, ...] = ()
    demoted: bool = False
    best_for: tuple[int, ...] = ()


@dataclass(frozen=True)
class SearchResult:
    """`answerable`: is the question answered well enough to reply from the matches; `confidence` is the probability.

    `guidance` are internal entries, for the agent's eyes alone: they are never among the matches and never make a
    question answerable. `questions` are the parts that the message was split into, or the one that it is.
    `needs_passage` is false for thanks, praise and greetings.
    """

    question: str
    language: Language | None
    answerable: bool
    matches: tuple[Match, ...]
    snapshot: str
    confidence: float = 0.0
    guidance: tuple[Match, ...] = ()
    questions: tuple[str, ...] = ()
    needs_passage: bool = True


@dataclass(frozen=True)
class _Found:
    """What one question (a message or a part of it) brought: matches and guidance, best first."""

    matches: list[Match]
    guidance: list[Match]
    confidence: float


class KnowledgeBase:
    """The newest snapshot of the index, in memory. May be searched by several threads."""

    def __init__(self, engine: Engine, directory: Path, embedder: Embedder) -> None:
        self._engine: Engine | Connection = engine
        self._directory = directory
        self._embedder = embedder
        self._identifier = WordLanguageIdentifier()
        self._finder = Finder(EMPTY, None)
        self._damaged = False
        self._refreshing = threading.Lock()
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None
        self.refresh()

    @property
    def snapshot(self) -> str:
        """The name of the snapshot that is searched; empty where there is none yet."""
        return self._finder.snapshot.name

    @property
    def index(self) -> Snapshot:
        """What is searched: `snapshots.EMPTY` where there is none yet."""
        return self._finder.snapshot

    @property
    def directory(self) -> Path:
        """Where the snapshots are."""
        return self._directory

    @property
    def embedder(self) -> Embedder | None:
        """What the index was made with, and questions are embedded with; None where there is no such one here."""
        return self._finder.embedder

    def overlaid(self, index: Snapshot, connection: Connection, embedder: Embedder | None = None) -> "KnowledgeBase":
        """Return a base over `index` that sees what the connection's transaction sees, in all else like this one.

        For asking what a change would do before it is made; it takes up no newer snapshot and need not be closed.
        `embedder` may be a stand-in for the same one that remembers vectors.
        """
        other = copy.copy(self)
        other._finder, other._engine = Finder(index, embedder or self._finder.embedder), connection
        return other

    @property
    def damaged(self) -> bool:
        """Whether the newest snapshot could not be read: somebody has to make the next one."""
        return self._damaged

    def refresh(self) -> bool:
        """Take up the newest snapshot; return whether it is another one.

        A damaged one leaves the old one in use, or brings back the newest that is not. One that was made with another
        embedder is asked with that one.
        """
        with self._refreshing:
            name = snapshots.current_name(self._directory)
            if name is None or name == self.snapshot:
                return False
            database = self._engine if isinstance(self._engine, Engine) else None
            found: Snapshot | None
            try:
                found = snapshots.load(self._directory, name, database)
                self._damaged = False
            except snapshots.BrokenSnapshot as error:
                log.warning("%s A worker makes it anew; until then an older one serves.", error)
                self._damaged = True
                found = None if self.snapshot else snapshots.newest_good(self._directory, database)
            if found is None:
                return False
            self._finder = Finder(found, embedder_of(found, self._embedder))
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

    def search(
        self,
        question: str,
        *,
        k: int = 5,
        language: Language | None = None,
        channel: str | None = None,
        history: Sequence[str] = (),
    ) -> SearchResult:
        """Return the k entries that fit best, one match each; the best for each question of the message come first.

        A language not given is recognised. A FAQ entry that is for one channel is found only with that `channel`.
        `history` is what was said before in the conversation, by both sides, oldest first.
        Raises sqlalchemy.exc.OperationalError where the database is away.
        """
        text = clean_text(question).strip()[:LONGEST]
        language = language or self._identifier.identify(text)
        parts = questions(text)
        texts = [text, *parts] if len(parts) > 1 else [text]
        finder = self._finder
        with Session(self._engine) as session:
            found = [
                self._shown(session, each, candidates, finder, k, channel)
                for each, candidates in zip(texts, finder.find(texts, language, history=history), strict=True)
            ]
        whole, *apart = (each.confidence for each in found)
        # not the surest part: "and what is this?" alone resembles many a question
        sure = max(whole, sum(apart) / len(apart)) if apart else whole
        wanted = needs_passage(text)
        return SearchResult(
            question,
            language,
            wanted and sure >= ANSWERABLE,
            tuple(_interleaved(found)[:k]),
            finder.snapshot.name,
            confidence=sure,
            guidance=tuple(_best_of_each(match for each in found for match in each.guidance)[:GUIDANCE]),
            questions=parts,
            needs_passage=wanted,
        )

    def candidates(self, text: str, language: Language | None) -> list[Candidate]:
        """Return every entry that speaks to the text, best first, shown or not."""
        return self._finder.find([text], language)[0]

    def _listen(self, url: str) -> None:
        for _ in listen(url, [CHANNEL], self._stop):
            self.refresh()

    def _shown(
        self, session: Session, text: str, found: list[Candidate], finder: Finder, k: int, channel: str | None
    ) -> _Found:
        """Return what SQL still shows as the index knows it, and how sure it is that the first k answer."""
        shown: list[tuple[Entry, Candidate]] = []
        for start in range(0, len(found), HYDRATED):
            batch = found[start : start + HYDRATED]
            live = _live(session, [candidate.entry.entry_id for candidate in batch], channel)
            for candidate in batch:
                entry = live.get(candidate.entry.entry_id)
                if entry is not None and entry.content_hash == candidate.entry.content_hash:
                    shown.append((entry, replace(candidate, fit=candidate.fit - _faded(entry))))
            if sum(_is_usable(entry) for entry, _ in shown) >= k:
                break
        shown.sort(key=lambda pair: (not _is_usable(pair[0]), -round(pair[1].place, 6)))
        usable = [candidate for entry, candidate in shown if _is_usable(entry)]
        everything = sorted((candidate for _, candidate in shown), key=lambda candidate: -candidate.place)
        sure, surest = (confidence(text, each, finder.weighed) for each in (usable, everything))
        places = ranks(found, "dense"), ranks(found, "lexical")
        matches: list[Match] = []
        guidance: list[Match] = []
        for entry, candidate in shown:
            internal = entry.audience == "internal"
            best, most = (everything[0], surest) if internal or not usable else (usable[0], sure)
            match = _match(entry, candidate, probability(candidate.place, best.place, most), *places)
            (guidance if internal else matches).append(match)
        return _Found(matches, [match for match in guidance if match.score >= GUIDING], sure)


def _is_usable(entry: Entry) -> bool:
    return entry.audience != "internal" and entry.demoted_reason is None


def _live(session: Session, ids: Sequence[int], channel: str | None) -> dict[int, Entry]:
    """Return the entries that may be shown now: live, valid, not superseded, and not for another channel."""
    now = utcnow()
    here = or_(
        Entry.kind == "past_reply", Entry.channel.is_(None), func.lower(Entry.channel) == (channel or "").lower()
    )
    found = session.scalars(select(Entry).where(Entry.id.in_(ids), here, _valid(Entry, now))).all()
    newer = aliased(Entry)
    named = [entry.external_id for entry in found]
    superseding = select(newer.kind, func.unnest(newer.supersedes)).where(
        newer.supersedes.overlap(named), _valid(newer, now)
    )
    gone = {(kind, name) for kind, name in session.execute(superseding)} if named else set()
    return {entry.id: entry for entry in found if (entry.kind, entry.external_id) not in gone}


def _valid(entry: type[Entry], now: datetime) -> ColumnElement[bool]:
    return and_(
        entry.retired_at.is_(None),
        or_(entry.valid_from.is_(None), entry.valid_from <= now),
        or_(entry.valid_until.is_(None), entry.valid_until > now),
    )


def _faded(entry: Entry) -> float:
    """Return what a past reply's fit loses by its age; one that says no date is as old as its row."""
    if entry.kind != "past_reply":
        return 0.0
    years = (utcnow() - (entry.sent_at or entry.created_at)).days / 365
    return FADING * min(max(years, 0.0), 5.0)


def _interleaved(found: Sequence[_Found]) -> list[Match]:
    """Return the matches of a message and of its parts as one ranking: the best for each part first.

    A part that nothing answers has no best one.
    """
    whole, *parts = found
    if not parts:
        return [replace(m, best_for=(0,)) for m in whole.matches[:1]] + whole.matches[1:]
    bests: dict[int, list[int]] = {}
    for place, part in enumerate(parts):
        if part.matches and part.confidence >= ANSWERABLE and not part.matches[0].demoted:
            bests.setdefault(part.matches[0].entry_id, []).append(place)
    ranking = _best_of_each(match for each in found for match in each.matches)
    marked = [replace(match, best_for=tuple(bests.get(match.entry_id, ()))) for match in ranking]
    return sorted(marked, key=lambda match: (not match.best_for, match.best_for))


def _best_of_each(matches: Iterable[Match]) -> list[Match]:
    """Return one match for each entry, that with the highest score, best first."""
    best: dict[int, Match] = {}
    for match in matches:
        if match.entry_id not in best or match.score > best[match.entry_id].score:
            best[match.entry_id] = match
    return sorted(best.values(), key=lambda match: (match.demoted, -match.score))


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
        audience=cast("Audience", entry.audience),
        tags=tuple(entry.tags),
        demoted=entry.demoted_reason is not None,
    )
