"""A snapshot of the index as it would be after a change: in memory, over the one that is there, never written.

Only the changed entries are cut and embedded. Knows no question; what comes of a change is in `changes`.
"""

import os
import shutil
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from knowledge import snapshots
from knowledge.indexing import Derived, cut
from knowledge.keywords import Document, KeywordIndex
from knowledge.snapshots import IndexedEntry, IndexedPassage, Snapshot
from knowledge.tables import Entry
from knowledge.vectors import VectorIndex
from models import Embedder, Vectors

_KEYWORDS = "keywords"


class OverlaidVectors:
    """A `VectorIndex` over another one, which stays as it is: a few vectors more, a few that are passed over."""

    def __init__(self, base: VectorIndex, dimension: int) -> None:
        self._base = base
        self._dimension = dimension
        self._gone: set[int] = set()
        self._added: dict[int, Vectors] = {}

    def __len__(self) -> int:
        return len(self._base) - len(self._gone) + len(self._added)

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self._dimension

    def add(self, ids: Sequence[int], vectors: Vectors) -> None:
        """Add vectors under new ids."""
        self._added.update(zip(ids, vectors, strict=True))

    def remove(self, ids: Sequence[int]) -> None:
        """Pass over what stands under these ids in the index below."""
        self._gone.update(ids)

    def search(self, vector: Vectors, k: int) -> list[tuple[int, float]]:
        """Return up to k (id, cosine), nearest first."""
        below = self._base.search(vector, k + len(self._gone)) if len(self._base) else []
        found = [(id_, score) for id_, score in below if id_ not in self._gone]
        found += [(id_, float(added @ vector)) for id_, added in self._added.items()]
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))[:k]

    def get(self, ids: Sequence[int]) -> Vectors:
        """Return the vectors under these ids, one row each. Raises KeyError for an id that is not there."""
        found = np.empty((len(ids), self._dimension), np.float32)
        below = [place for place, id_ in enumerate(ids) if id_ not in self._added]
        if below:
            found[below] = self._base.get([ids[place] for place in below])
        for place, id_ in enumerate(ids):
            if id_ in self._added:
                found[place] = self._added[id_]
        return found

    def save(self, path: Path) -> None:
        """Refuse: a trial is not kept. Raises OSError."""
        raise OSError(f"A trial index is never written, not to {path} either.")


def overlaid(
    directory: Path, index: Snapshot, embedder: Embedder | None, changed: Sequence[Entry], gone: Collection[int]
) -> Snapshot:
    """Return the snapshot as it would be with the `changed` entries as they are now, and without those `gone`.

    `directory` is where the snapshots are. For a moment hard links to the index of words stand beside it. Raises
    OSError where `index` is not on the disk any more (it is too old by two: take up the newest first).
    """
    known = frozenset().union(*(entry.names for entry in index.entries.values() if entry.kind == "faq"))
    replaced = {*gone, *(entry.id for entry in changed)}
    kept = [entry for number, entry in index.entries.items() if number not in replaced]
    left = [entry for number, entry in index.entries.items() if number in replaced]
    vectors, made, next_id = _embedded(index, embedder, [cut(entry, known) for entry in changed], kept)
    added = [
        Document(part.id, part.passage.titles, part.passage.text, entry.language)
        for entry in made
        for part in entry.passages
    ]
    keywords = _keywords(directory, index, added, [part.id for entry in left for part in entry.passages])
    name = index.embedder or (embedder.name if embedder else "")
    return snapshots.assemble(f"{index.name}+", name, [*kept, *made], vectors, keywords, next_id)


def _embedded(
    index: Snapshot, embedder: Embedder | None, derived: Sequence[Derived], kept: Sequence[IndexedEntry]
) -> tuple[OverlaidVectors, list[IndexedEntry], int]:
    """Return vectors over the index's, the changed entries with ids, and the next id; no new vectors for an index that
    this embedder has not made: words alone are searched there."""
    fits = embedder is not None and index.embedder in ("", embedder.name)
    wordings = [wording for entry in derived for part in entry.passages for wording in part.wordings] if fits else []
    vectors = OverlaidVectors(index.vectors, embedder.dimension if embedder else index.vectors.dimension)
    next_id = index.next_id + len(wordings)
    ids = iter(range(index.next_id, next_id))
    made = []
    for entry in derived:
        parts = []
        for passage in entry.passages:
            parts.append(IndexedPassage(next_id, passage, tuple(next(ids) for _ in passage.wordings) if fits else ()))
            next_id += 1
        made.append(IndexedEntry(*entry[:-1], tuple(parts)))
    if embedder is not None and wordings:
        vectors.add(list(range(index.next_id, index.next_id + len(wordings))), embedder.embed(wordings))
    used = {vector for entry in kept for part in entry.passages for vector in part.vectors}
    vectors.remove([vector for vector in index.passages_of if vector not in used])
    return vectors, made, next_id


def _keywords(directory: Path, index: Snapshot, add: Sequence[Document], remove: Sequence[int]) -> KeywordIndex:
    """Return an index of the words after the change, whose files are gone already: what is open stays readable."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="trial-", dir=directory.parent))
    try:
        if index.keywords is None:
            keywords = KeywordIndex.create(folder / _KEYWORDS)
        else:
            source = directory / index.name / _KEYWORDS
            shutil.copytree(source, folder / _KEYWORDS, copy_function=_link, ignore=shutil.ignore_patterns("*.lock"))
            keywords = KeywordIndex.open(folder / _KEYWORDS)
        keywords.update(add=add, remove=remove)
    finally:
        shutil.rmtree(folder)
    return keywords


def _link(source: str, target: str) -> None:
    """tantivy never writes into a file that is there."""
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)
