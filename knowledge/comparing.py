"""Search beside its own halves, over one set of entries: MiniLM alone, BM25 alone, and both by reciprocal ranks.

All rank the same passages of the same index, made in a temporary folder. Vectors are kept in a folder of their own, so
that a second run costs none. Knows no database.
"""

import logging
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from knowledge.candidates import Candidate, Finder, confidence
from knowledge.evaluation import DEPTH, Outcome, Query, measures
from knowledge.keywords import Document, KeywordIndex
from knowledge.passages import passages
from knowledge.public_sets import Corpus
from knowledge.scoring import ANSWERABLE, Weights
from knowledge.snapshots import IndexedEntry, IndexedPassage, Snapshot, assemble
from knowledge.vectors import ExactVectors
from models import Embedder, Role, Vectors
from models.language import WordLanguageIdentifier

log = logging.getLogger(__name__)

_RRF = 60  # the constant of reciprocal-rank fusion (Cormack, Clarke and Büttcher 2009)
_IDENTIFIER = WordLanguageIdentifier()


class KeptEmbedder:
    """An embedder whose vectors are kept in a file: each text is embedded once for all runs. For one thread."""

    def __init__(self, embedder: Embedder, folder: Path) -> None:
        self.name, self.dimension = embedder.name, embedder.dimension
        self._embedder = embedder
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{blake2b(embedder.name.encode(), digest_size=8).hexdigest()}.npz"
        self._known: dict[bytes, Vectors] = {}
        self._fresh = 0
        try:
            with np.load(self._path) as kept:
                self._known = dict(zip((bytes(key) for key in kept["keys"]), kept["vectors"], strict=True))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            log.warning("%s is damaged (%s): its vectors are computed again.", self._path, error)

    def embed(self, texts: Sequence[str], *, role: Role = "passage") -> Vectors:
        """Return one unit vector per text, from the file where it is there."""
        keys = [blake2b(f"{role}\0{text}".encode(errors="replace"), digest_size=16).digest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if new:
            self._known |= zip(new, self._embedder.embed(list(new.values()), role=role), strict=True)
            self._fresh += len(new)
        return np.array([self._known[key] for key in keys], np.float32).reshape(len(texts), self.dimension)

    def keep(self) -> None:
        """Write what is new."""
        if self._fresh:
            keys = np.array([list(key) for key in self._known], np.uint8)
            unfinished = self._path.with_suffix(f".{os.getpid()}.npz")
            np.savez(unfinished, keys=keys, vectors=np.array(list(self._known.values()), np.float32))
            unfinished.replace(self._path)
            self._fresh = 0


@dataclass(frozen=True)
class Indexed:
    """A set, indexed with one embedder."""

    corpus: Corpus
    finder: Finder

    def candidates(self, query: Query) -> list[Candidate]:
        """Return what search finds for a query, best first."""
        return self.finder.find([query.text], _IDENTIFIER.identify(query.text), history=query.history)[0]

    def name(self, entry_id: int) -> str:
        """Return the name of an entry in its set."""
        return self.corpus.items[entry_id].name


Ranking = list[tuple[int, float]]
"""Entries and their scores, best first."""
Ranker = Callable[[Query], tuple[Ranking, float]]
"""A query → a ranking, and how sure it is that there is an answer."""


@contextmanager
def indexed(corpus: Corpus, embedder: Embedder, weights: Weights | None = None) -> Iterator[Indexed]:
    """Index a set in a folder that is gone afterwards; `weights` stand for those of the embedder's family."""
    with tempfile.TemporaryDirectory() as folder:
        yield Indexed(corpus, Finder(_snapshot(corpus, embedder, Path(folder)), embedder, weights))


def compared(corpus: Corpus, embedder: KeptEmbedder, minilm: KeptEmbedder) -> dict[str, dict[str, Any]]:
    """Return the measures of search and of each of its rivals on a set; vectors that were computed are kept."""
    with indexed(corpus, embedder) as ours, indexed(corpus, minilm) as theirs:
        rankers: dict[str, Ranker] = {
            "search": partial(_search, ours),
            "MiniLM alone": partial(_by_vectors, theirs),
            "BM25 alone": partial(_by_words, theirs),
            "plain RRF": partial(_by_ranks, theirs),
        }
        found = {
            name: measures([_outcome(ours, query, *rank(query)) for query in corpus.queries])
            for name, rank in rankers.items()
        }
    embedder.keep()
    minilm.keep()
    return found


def _outcome(index: Indexed, query: Query, ranking: Ranking, score: float) -> Outcome:
    names = [index.name(number) for number, _ in ranking[:DEPTH]]
    return Outcome(query, tuple(name in query.relevant for name in names), score, score >= ANSWERABLE)


def _search(index: Indexed, query: Query) -> tuple[Ranking, float]:
    found = index.candidates(query)
    ranking = [(candidate.entry.entry_id, candidate.place) for candidate in found]
    return ranking, confidence(query.text, found, index.finder.weighed)


def _by_vectors(index: Indexed, query: Query) -> tuple[Ranking, float]:
    """Rank by the cosine of the query with each entry's best wording."""
    snapshot, embedder = index.finder.snapshot, index.finder.embedder
    if embedder is None:
        return [], 0.0
    vector = embedder.embed([query.text], role="question")[0]
    near = [
        (snapshot.entry_of[part].entry_id, cosine)
        for number, cosine in snapshot.vectors.search(vector, len(snapshot.vectors))
        for part in snapshot.passages_of[number]
    ]
    return _first_of_each(near)


def _by_words(index: Indexed, query: Query) -> tuple[Ranking, float]:
    """Rank by BM25 over stemmed words, in either language."""
    snapshot = index.finder.snapshot
    found = snapshot.keywords.search(query.text, len(snapshot.passage)) if snapshot.keywords else {}
    scored = [(snapshot.entry_of[part].entry_id, scores.words) for part, scores in found.items() if scores.words]
    return _first_of_each(sorted(scored, key=lambda pair: -pair[1]))


def _by_ranks(index: Indexed, query: Query) -> tuple[Ranking, float]:
    """Rank by the sum of the reciprocal ranks of both."""
    fused: dict[int, float] = {}
    for ranking, _ in (_by_vectors(index, query), _by_words(index, query)):
        for place, (number, _) in enumerate(ranking, start=1):
            fused[number] = fused.get(number, 0.0) + 1 / (_RRF + place)
    return _first_of_each(sorted(fused.items(), key=lambda pair: -pair[1]))


def _first_of_each(ranking: Iterable[tuple[int, float]]) -> tuple[Ranking, float]:
    best: dict[int, float] = {}
    for number, score in ranking:
        best.setdefault(number, score)
    return list(best.items()), max(best.values(), default=0.0)


def _snapshot(corpus: Corpus, embedder: Embedder, folder: Path) -> Snapshot:
    keywords = KeywordIndex.create(folder / "keywords")
    entries: list[IndexedEntry] = []
    documents: list[Document] = []
    wordings: list[str] = []
    for number, item in enumerate(corpus.items):
        parts = []
        for passage in passages(item.question, item.answer, item.alternatives):
            ids = tuple(range(len(wordings), len(wordings) + len(passage.wordings)))
            wordings += passage.wordings
            parts.append(IndexedPassage(len(documents), passage, ids))
            documents.append(Document(len(documents), passage.titles, passage.text, item.language))
        entries.append(IndexedEntry(number, item.kind, item.language, "", frozenset(), tuple(parts)))
    keywords.update(add=documents)
    vectors = ExactVectors(embedder.dimension)
    vectors.add(range(len(wordings)), embedder.embed(wordings))
    return assemble(corpus.name, embedder.name, entries, vectors, keywords, 0)
