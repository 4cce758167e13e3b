"""Finds entries that repeat or contradict each other: after each update of the index, for what has changed since.

Only candidates are compared (near by meaning or by words); whether two say the same is in `sameness`. What was
compared is kept beside the index, so that a run that was cut short goes on and one that has nothing to do ends at once.
Found pairs are read in `upkeep`.
"""

import json
import tomllib
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session, sessionmaker

from knowledge.database import utcnow
from knowledge.sameness import Said, Verdict, compare
from knowledge.search import KnowledgeBase
from knowledge.snapshots import IndexedEntry, Snapshot
from knowledge.tables import Entry, Finding
from knowledge.upkeep import findings, text_hash
from models import Embedder, Language, Vectors

NEAREST = 60
"""Wordings, and passages by words, that are looked at around each wording of an entry."""
WORDINGS = 4
"""Wordings of an entry around which is looked, at most."""
_BATCH = 100
_COMPARED = "compared.json"
_TRANSLATIONS = Path(__file__).parent / "wordlists" / "translations.toml"
_VERSION = 1
"""Of what counts as the same: a higher number has everything compared again."""


@dataclass(frozen=True)
class Compared:
    """What a run did: entries that had changed, pairs that were compared, and findings that stand for these entries."""

    entries: int
    pairs: int
    found: int


def find_findings(sessions: sessionmaker[Session], knowledge_base: KnowledgeBase) -> Compared:
    """Compare every entry that has changed since the last run with those near it, and keep what was found.

    A pair that was put aside stays so until one of its texts changes. Opens its own transactions, one for a hundred
    entries. Raises sqlalchemy.exc.OperationalError where the database is away; the next run then goes on.
    """
    knowledge_base.refresh()
    index, embedder = knowledge_base.index, knowledge_base.embedder
    with sessions() as session:
        first = session.scalar(select(func.min(Entry.created_at)))  # tells one database from another
    kept = _Kept(knowledge_base.directory / _COMPARED, f"{_VERSION} {embedder.name if embedder else ''} {first}")
    changed = [entry for entry in index.entries.values() if kept.hashes.get(str(entry.entry_id)) != entry.content_hash]
    comparison = _Comparison(index, embedder)
    found = 0
    for start in range(0, len(changed), _BATCH):
        batch = changed[start : start + _BATCH]
        with sessions.begin() as session:
            found += sum(comparison.look(session, entry) for entry in batch)
        kept.add(batch)
    return Compared(len(changed), len(comparison.known), found)


def contradicting_replies(session: Session) -> dict[int, str]:
    """Return the past replies (by id) that contradict an FAQ entry which is newer than they are, and why.

    A pair that somebody put aside does not count.
    """
    reasons: dict[int, str] = {}
    for pair in findings(session, kind="contradiction"):
        sides = ("entry", "other") if pair.entry.kind == "past_reply" else ("other", "entry")
        reply, faq = (getattr(pair, side) for side in sides)
        if reply.kind != "past_reply" or (reply.sent_at or reply.created_at) >= faq.updated_at:
            continue
        told = "; ".join(f"“{each[sides[0]]}” is “{each[sides[1]]}” there" for each in pair.finding.differences)
        reasons[reply.id] = f"It contradicts the newer FAQ entry {faq.external_id}: {told}."
    return reasons


class _Kept:
    """The hashes of what was compared, in a file: without it everything is compared again, and nothing is lost."""

    def __init__(self, path: Path, key: str) -> None:
        self._path, self._key = path, key
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            self.hashes: dict[str, str] = document["entries"] if document["key"] == key else {}
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            self.hashes = {}

    def add(self, entries: Sequence[IndexedEntry]) -> None:
        self.hashes |= {str(entry.entry_id): entry.content_hash for entry in entries}
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps({"key": self._key, "entries": self.hashes}), encoding="utf-8")
        draft.replace(self._path)


class _Comparison:
    """One run over one snapshot. `known` is what came of each pair, so that two that changed are compared once."""

    def __init__(self, index: Snapshot, embedder: Embedder | None) -> None:
        self.known: dict[tuple[int, int], tuple[Verdict, float] | None] = {}
        self._index, self._embedder = index, embedder

    def look(self, session: Session, entry: IndexedEntry) -> int:
        """Compare an entry with those near it and keep what is found; return how many findings stand."""
        near = [number for number in _near(self._index, entry) if number != entry.entry_id]
        rows = {row.id: row for row in session.scalars(select(Entry).where(Entry.id.in_([entry.entry_id, *near])))}
        if entry.entry_id not in rows or not self._is_current(rows[entry.entry_id]):
            return 0
        found = {}
        for number in near:
            first, second = sorted((entry.entry_id, number))
            if number in rows and (first, second) not in self.known:
                self.known[first, second] = self._compared(rows[first], rows[second])
            if verdict := self.known.get((first, second)):
                found[first, second] = verdict
        _store(session, rows, entry.entry_id, found)
        return len(found)

    def _compared(self, one: Entry, other: Entry) -> tuple[Verdict, float] | None:
        """Return what the two are to each other, and the cosine of their questions."""
        if not (self._is_current(one) and self._is_current(other) and _side_by_side(one, other)):
            return None
        verdict = compare(self._said(one), self._said(other), alike=True)
        cosine = self._alike(one, other) if verdict is not None else None
        return None if verdict is None or cosine is None else (verdict, cosine)

    def _is_current(self, row: Entry) -> bool:
        indexed = self._index.entries.get(row.id)
        return indexed is not None and row.retired_at is None and row.content_hash == indexed.content_hash

    def _said(self, row: Entry) -> Said:
        """Return what is compared; of a past reply what redaction left."""
        entry = self._index.entries[row.id]
        if row.kind == "faq":
            return Said((row.question, *row.alternatives), row.answer, entry.language)
        answer = "\n".join(part.passage.text for part in entry.passages)
        return Said(entry.passages[0].passage.titles if entry.passages else (), answer, entry.language, past_reply=True)

    def _alike(self, one: Entry, other: Entry) -> float | None:
        """Return the cosine of the two questions, or None where they are in different languages and not the same.

        Across languages there are no words to go by: two entries are then held for the same where their questions lie
        as near as translations do, and nothing in the other's language lies nearer to either.
        """
        embedder = self._embedder
        if embedder is None:
            return 0.0
        entries = self._index.entries[one.id], self._index.entries[other.id]
        vectors = embedder.embed([one.question, other.question], role="question")
        cosine = float(vectors[0] @ vectors[1])
        if entries[0].language == entries[1].language:
            return cosine
        least = _translation_level(cast("Hashable", embedder))
        if least is None or cosine < least:
            return None
        rivals = (
            _nearest(self._index, embedder, vectors[side], entries[side], entries[1 - side].language) for side in (0, 1)
        )
        return cosine if all(rival <= cosine + 1e-6 for rival in rivals) else None


def _near(index: Snapshot, entry: IndexedEntry) -> Iterator[int]:
    """Return the ids of the entries near one by meaning or by words, each once."""
    passages: dict[int, None] = {}
    wordings = [vector for part in entry.passages for vector in part.vectors][:WORDINGS]
    for vector in index.vectors.get(wordings):
        for id_, _ in index.vectors.search(vector, NEAREST):
            passages |= dict.fromkeys(index.passages_of.get(id_, ()))
    if index.keywords is not None and entry.passages:
        passages |= dict.fromkeys(index.keywords.search(entry.passages[0].passage.title, NEAREST))
    yield from dict.fromkeys(index.entry_of[passage].entry_id for passage in passages)


def _side_by_side(one: Entry, other: Entry) -> bool:
    """Tell whether the two can answer the same customer at the same time, neither in the other's place."""
    if one.kind == other.kind and (one.external_id in other.supersedes or other.external_id in one.supersedes):
        return False
    if one.kind == other.kind == "faq" and None not in (one.channel, other.channel) and one.channel != other.channel:
        return False
    for first, second in ((one, other), (other, one)):
        if first.valid_until is not None and second.valid_from is not None and first.valid_until <= second.valid_from:
            return False
    now = utcnow()
    return all(entry.valid_until is None or entry.valid_until > now for entry in (one, other))


def _nearest(
    index: Snapshot, embedder: Embedder, vector: Vectors, entry: IndexedEntry, language: Language | None
) -> float:
    """Return how near the nearest FAQ question of a language lies to an entry's."""
    near = (index.entries[number] for number in _near(index, entry) if number != entry.entry_id)
    titles = [each.passages[0].passage.title for each in near if each.kind == "faq" and each.language == language]
    return float((embedder.embed(titles, role="question") @ vector).max()) if titles else 0.0


@lru_cache(maxsize=4)
def _translation_level(embedder: Hashable) -> float | None:
    """Return the cosine from which on two questions in different languages count as the same.

    It lies between what translations of each other have and what other questions have; an encoder that cannot tell
    these apart (of one language) has none.
    """
    pairs = tomllib.loads(_TRANSLATIONS.read_text(encoding="utf-8"))["pairs"]
    embed = cast("Embedder", embedder).embed
    english, finnish = (embed([pair[side] for pair in pairs], role="question") for side in (0, 1))
    cosines = english @ finnish.T
    same, others = np.diagonal(cosines), cosines[~np.eye(len(pairs), dtype=bool)]
    low, high = float(np.quantile(same, 0.25)), float(np.quantile(others, 0.99))
    return (low + high) / 2 if low > high else None


def _store(
    session: Session,
    rows: Mapping[int, Entry],
    number: int,
    found: Mapping[tuple[int, int], tuple[Verdict, float]],
) -> None:
    """Keep what was found of an entry, and forget what is not found any more."""
    mine = or_(Finding.entry_id == number, Finding.other_id == number)
    known = {(f.entry_id, f.other_id): f for f in session.scalars(select(Finding).where(mine))}
    for pair, (verdict, similarity) in found.items():
        finding = known.pop(pair, None) or Finding(entry_id=pair[0], other_id=pair[1])
        hashes = text_hash(rows[pair[0]]), text_hash(rows[pair[1]])
        if (finding.entry_hash, finding.other_hash) != hashes:
            finding.dismissed_at = finding.dismissed_by = None
            finding.found_at = utcnow()
        finding.entry_hash, finding.other_hash = hashes
        finding.kind, finding.similarity = verdict.kind, similarity
        finding.differences = [dict(each) for each in verdict.differences]
        session.add(finding)
    gone = [finding.id for finding in known.values()]
    if gone:
        session.execute(delete(Finding).where(Finding.id.in_(gone)))
    session.flush()
