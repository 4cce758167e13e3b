"""The search index follows the entries: only what changed is cut, embedded and indexed again.

SQL says what should be in the index, the newest snapshot says what is; `update_index` makes the difference into the
next snapshot and tells every process. Knows no question and no score.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Literal, NamedTuple, cast

import numpy as np
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from knowledge import index_health, snapshots
from knowledge.database import notify
from knowledge.entries import Kind
from knowledge.keywords import Document
from knowledge.passages import Passage, passages, searched
from knowledge.postgres_vectors import PostgresVectors
from knowledge.redaction import VERSION, redact_exchange, stated, suspected, unframed
from knowledge.snapshots import IndexedEntry, IndexedPassage, Snapshot
from knowledge.tables import Entry
from knowledge.vectors import ExactVectors, VectorIndex
from models import Embedder, Language, Vectors
from models.language import WordLanguageIdentifier

log = logging.getLogger(__name__)

CHANNEL = "aspa_knowledge"
_LOCK = 0x61737061_00000002
_BATCH = 500
_LANGUAGES = WordLanguageIdentifier()
_RULES = f"rules {VERSION}"

Progress = Callable[[int, int], None]
Store = Literal["faiss", "pgvector"]
"""Where the vectors are: in files beside the words, or in the database."""


@dataclass(frozen=True)
class IndexReport:
    """What an update did: passages now in the index, wordings embedded and taken over, passages removed."""

    snapshot: str
    passages: int
    embedded: int
    reused: int
    removed: int
    seconds: float


class Derived(NamedTuple):
    """An entry cut into passages, before they have ids."""

    entry_id: int
    kind: Kind
    language: Language | None
    content_hash: str
    names: frozenset[str]
    passages: tuple[Passage, ...]


def update_index(
    engine: Engine,
    directory: Path,
    embedder: Embedder,
    *,
    rebuild: bool = False,
    progress: Progress | None = None,
    source: str = "",
    store: Store = "faiss",
) -> IndexReport:
    """Bring the index in `directory` up to what SQL says and tell every process on the channel `aspa_knowledge`.

    One at a time over all processes: a second call waits, then finds nothing to do. `rebuild` takes nothing over, as
    does another embedder or another store of the vectors; of a damaged snapshot what the one before it holds is taken
    over. `progress` is called with (wordings embedded, wordings to embed). `source` is the name by which
    `load_embedder` finds this embedder again, for as long as the snapshot serves. Whatever fails (database, disk,
    model), the old snapshot goes on serving; the error is noted for `index_health.fault`, and raised.
    """
    started = time.monotonic()
    directory.mkdir(parents=True, exist_ok=True)
    with alone(engine), index_health.noting(directory):
        previous = None if rebuild else _previous(engine, directory, embedder, store)
        with Session(engine) as session:
            wanted = _wanted(session)
            derived = _derive(session, wanted, previous)
        newest = previous is not None and previous.name == snapshots.current_name(directory)
        if previous is not None and newest and not derived and wanted.keys() == previous.entries.keys():
            snapshot, embedded = previous, 0
        else:
            started_from = previous or _fresh(engine, directory, embedder, source, store)
            snapshot, embedded = _write(directory, embedder, started_from, wanted.keys(), derived, progress)
            announce(engine, snapshot)
            snapshots.tidy(directory, engine)
    return IndexReport(
        snapshot=snapshot.name,
        passages=len(snapshot.passage),
        embedded=embedded,
        reused=len(snapshot.vectors) - embedded,
        removed=len(previous.passage.keys() - snapshot.passage.keys()) if previous else 0,
        seconds=time.monotonic() - started,
    )


def announce(engine: Engine, snapshot: Snapshot) -> None:
    """Tell every process that there is a new snapshot."""
    with Session(engine) as session, session.begin():
        notify(session, CHANNEL, snapshot.name)


def facts(session: Session) -> frozenset[str]:
    """Return what the live FAQ entries state, for `redact`: it is nobody's personal data."""
    live = select(Entry).where(Entry.kind == "faq", Entry.retired_at.is_(None))
    entries = session.scalars(live.execution_options(yield_per=_BATCH))
    return frozenset().union(*(stated("\n".join((e.question, e.answer, *e.alternatives))) for e in entries))


@contextmanager
def alone(engine: Engine) -> Iterator[None]:
    """Hold the lock of the index, waiting for it as long as another process makes a snapshot."""
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        connection.exec_driver_sql("SET statement_timeout = 0")  # another rebuild may take many minutes
        connection.execute(select(func.pg_advisory_lock(_LOCK)))
        yield
    finally:
        connection.detach()  # so that closing it gives the lock back, and the pool never sees the changed setting
        connection.close()


def _previous(engine: Engine, directory: Path, embedder: Embedder, store: Store) -> Snapshot | None:
    """Return the snapshot to go on from: none where there is none of this embedder and in this store.

    Where the newest is damaged, the one before it; but not in a database, where both are rows of one table and
    processes may go on with the newer one.
    """
    name = snapshots.current_name(directory)
    previous = snapshots.newest_good(directory, engine)
    if previous is None or previous.embedder != embedder.name:
        return None
    in_database = isinstance(previous.vectors, PostgresVectors)
    if in_database != (store == "pgvector") or (in_database and previous.name != name):
        return None
    return previous


def _fresh(engine: Engine, directory: Path, embedder: Embedder, source: str, store: Store) -> Snapshot:
    """Return an empty snapshot to go on from, the first of its line."""
    lineage = snapshots.new_name()
    vectors: VectorIndex = ExactVectors(embedder.dimension)
    if store == "pgvector":
        table = snapshots.tables_prefix(directory) + lineage.replace("-", "_")
        vectors = PostgresVectors.create(engine, table, embedder.dimension)
    return Snapshot("", embedder.name, {}, vectors, None, source=source, lineage=lineage)


def _wanted(session: Session) -> dict[int, tuple[str, str]]:
    """Return kind and content hash of every entry that should be found, by id."""
    live = select(Entry.id, Entry.kind, Entry.content_hash).where(Entry.retired_at.is_(None)).order_by(Entry.id)
    return {number: (kind, content_hash) for number, kind, content_hash in session.execute(live)}


def _derive(session: Session, wanted: Mapping[int, tuple[str, str]], previous: Snapshot | None) -> list[Derived]:
    """Cut the entries that the previous snapshot does not hold as they are now.

    A past reply is also cut anew where what the FAQ states changed and it has such a word or number, and where the
    rules of redaction are others: what counts as somebody's in it may be another.
    """
    before = previous.entries if previous else {}
    stale = [
        number for number, (_, hash_) in wanted.items() if number not in before or before[number].content_hash != hash_
    ]
    derived = [cut(entry, frozenset()) for entry in _read(session, stale, "faq")]
    fresh = {entry.entry_id for entry in derived}
    known_before = _names(e for e in before.values() if e.kind == "faq")
    unchanged = (e for number, e in before.items() if e.kind == "faq" and number in wanted and number not in fresh)
    known = _names(unchanged) | _names(derived)
    moved = frozenset(_trace(said) for said in known ^ known_before)
    replies = ((number, e.names) for number, e in before.items() if e.kind == "past_reply" and number in wanted)
    stale += [number for number, traces in replies if traces & moved or _RULES not in traces]
    return derived + [cut(entry, known) for entry in _read(session, sorted(set(stale)), "past_reply")]


def _names(entries: Iterable[IndexedEntry | Derived]) -> frozenset[str]:
    return frozenset().union(*(entry.names for entry in entries))


def _read(session: Session, ids: Sequence[int], kind: Kind) -> Iterator[Entry]:
    for start in range(0, len(ids), _BATCH):
        batch = select(Entry).where(Entry.id.in_(ids[start : start + _BATCH]), Entry.kind == kind).order_by(Entry.id)
        yield from session.scalars(batch)


def cut(entry: Entry, known: frozenset[str]) -> Derived:
    """Return the entry cut into passages; in those of a past reply slots stand for everybody's personal data.

    `known` is what the FAQ states, which is nobody's.
    """
    texts = "\n".join((entry.question, entry.answer, *entry.alternatives))
    if entry.kind == "faq":
        question, answer, alternatives, names = entry.question, entry.answer, entry.alternatives, stated(texts)
    else:
        redacted = redact_exchange(entry.question, entry.answer, known=known)
        question, answer = (unframed(part.text) for part in redacted)
        alternatives, names = [], frozenset(_trace(said) for said in suspected(texts)) | {_RULES}
    return Derived(
        entry_id=entry.id,
        kind=cast("Kind", entry.kind),
        language=cast("Language | None", entry.language) or _LANGUAGES.identify(texts[:2000]),
        content_hash=entry.content_hash,
        names=names,
        passages=tuple(passages(question, answer, alternatives)),
    )


def _trace(said: str) -> str:
    """Return one of 256 marks for a word or number: enough to see what may have changed, not to say who it was."""
    return blake2b(said.encode(errors="replace"), digest_size=1).hexdigest()


def _write(
    directory: Path,
    embedder: Embedder,
    previous: Snapshot,
    wanted: Set[int],
    derived: Sequence[Derived],
    progress: Progress | None,
) -> tuple[Snapshot, int]:
    """Make, point at and return the next snapshot, and how many wordings had to be embedded.

    Where that fails nothing of it is left: on a full disk, others need the space.
    """
    name, keywords = snapshots.start(directory, previous)
    try:
        fresh = {entry.entry_id for entry in derived}
        kept = [entry for number, entry in previous.entries.items() if number in wanted and number not in fresh]
        numbered = _number(derived, previous)
        entries = sorted([*kept, *numbered.entries], key=lambda entry: entry.entry_id)
        used = {vector for entry in entries for part in entry.passages for vector in part.vectors}
        before = {vector for entry in previous.entries.values() for part in entry.passages for vector in part.vectors}
        previous.vectors.remove(sorted(before - used))
        previous.vectors.add(list(numbered.new.values()), _embed(embedder, list(numbered.new), progress))
        left = {part.id for entry in kept for part in entry.passages}
        keywords.update(
            add=(
                Document(
                    part.id, tuple(map(searched, part.passage.titles)), searched(part.passage.text), entry.language
                )
                for entry in numbered.entries
                for part in entry.passages
            ),
            remove=[number for number in previous.passage if number not in left],
        )
        made = snapshots.assemble(name, embedder.name, entries, previous.vectors, keywords, numbered.next_id)
        snapshot = replace(made, source=previous.source, lineage=previous.lineage)
        snapshots.finish(directory, snapshot)
    except BaseException:
        snapshots.discard(directory, name)
        raise
    return snapshot, len(numbered.new)


class _Numbered(NamedTuple):
    """Entries whose passages have ids, the wordings that have to be embedded with theirs, and the next id."""

    entries: list[IndexedEntry]
    new: dict[str, int]
    next_id: int


def _number(derived: Sequence[Derived], previous: Snapshot) -> _Numbered:
    """Give passages and new wordings ids that were never given before; a wording that is there keeps its own."""
    cache = _vector_ids(previous.entries.values())
    next_id = previous.next_id
    made: list[IndexedEntry] = []
    new: dict[str, int] = {}
    for entry in derived:
        parts = []
        for passage in entry.passages:
            for wording in passage.wordings:
                if wording not in cache:
                    cache[wording] = new[wording] = next_id
                    next_id += 1
            parts.append(IndexedPassage(next_id, passage, tuple(cache[w] for w in passage.wordings)))
            next_id += 1
        made.append(IndexedEntry(*entry[:-1], tuple(parts)))
    return _Numbered(made, new, next_id)


def _vector_ids(entries: Iterable[IndexedEntry]) -> dict[str, int]:
    """Return the id of every wording's vector: equal wordings share one."""
    return {
        wording: vector
        for entry in entries
        for part in entry.passages
        for wording, vector in zip(part.passage.wordings, part.vectors, strict=True)
    }


def _embed(embedder: Embedder, wordings: Sequence[str], progress: Progress | None) -> Vectors:
    """Embed in batches of similar length, so that progress is seen and memory is bounded."""
    vectors = np.empty((len(wordings), embedder.dimension), np.float32)
    order = sorted(range(len(wordings)), key=lambda number: len(wordings[number]))
    for start in range(0, len(order), _BATCH):
        batch = order[start : start + _BATCH]
        vectors[batch] = embedder.embed([wordings[number] for number in batch])
        if progress is not None:
            progress(start + len(batch), len(wordings))
    return vectors
