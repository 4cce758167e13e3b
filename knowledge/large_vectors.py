"""Vectors by the hundred thousand: an immutable graph, the few that came after it, and a mark on those that went.

The graph (FAISS's HNSW over vectors in eight bits per number) finds the nearest in well under a millisecond, but
cannot forget, and is not changed once it is written: snapshots share its file. What is added goes to a small exact
index beside it; what is removed is passed over. When either has grown, `regrown` makes the next graph, which takes
minutes and disturbs nobody. Knows numbers and files alone; when that is done is for `compacting` to say.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from knowledge.vectors import ExactVectors, Ids, VectorIndex, read, write
from models import Vectors

EXACT = 50_000
"""Up to so many vectors, comparing with all of them is quick enough."""
BESIDE = 10_000
"""So many may stand beside a graph: comparing with all of them adds about a millisecond."""
GONE = 0.2
"""The share of a graph that may be marked as removed before it is made anew; until then it is added to."""

_LINKS = 16
_BREADTH = 100  # candidates while a vector is linked: more makes a better graph, slower
_EFFORTS = (64, 96, 128, 192, 256, 384)
_ENOUGH = 0.985  # of the ten nearest: what is found beyond that, eight bits cannot tell apart anyway
_ASKED = 100
_JITTER = 0.5  # the length of what is added to a vector to make a question of it: cosine about .9
_BATCH = 10_000
_TRAINING = 100_000


class Graph:
    """An HNSW graph over vectors that keep eight bits of each number. May be searched by several threads."""

    def __init__(self, index: Any, ids: Ids, path: Path | None = None) -> None:
        self.ids = ids
        self.path = path
        self._index = index

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return int(self._index.d)

    @property
    def effort(self) -> int:
        """How many candidates a search keeps (HNSW's efSearch)."""
        return int(self._index.hnsw.efSearch)

    def places(self, ids: Sequence[int] | Ids) -> tuple[Ids, NDArray[np.bool_]]:
        """Return where each id stands, and whether it does."""
        asked = np.asarray(ids, np.int64)
        places = np.searchsorted(self.ids, asked).astype(np.int64)
        places[places == len(self.ids)] = 0
        return places, self.ids[places] == asked if len(self.ids) else np.zeros(len(asked), np.bool_)

    def search(self, vector: Vectors, k: int, passed_over: Any = None) -> list[tuple[int, float]]:
        """Return up to k (id, cosine to about .005), nearest first; not those that the FAISS selector passes over."""
        parameters = faiss.SearchParametersHNSW(efSearch=max(self.effort, k), sel=passed_over)
        scores, places = self._index.search(vector.reshape(1, -1), k, params=parameters)
        kept = places[0] >= 0
        cosines = np.clip(scores[0][kept], -1, 1)
        return list(zip(self.ids[places[0][kept]].tolist(), cosines.tolist(), strict=True))

    def at(self, places: Ids) -> Vectors:
        """Return the vectors that stand there, as eight bits per number keep them."""
        found: Vectors = self._index.reconstruct_batch(places)
        return found

    def save(self, path: Path) -> None:
        """Write it, or link to where it stands already. Raises OSError."""
        if self.path is None:
            write(self._index, path)
            with _ids_of(path).open("wb") as file:
                np.save(file, self.ids)
            self.path = path
        else:
            link(self.path, path)
            link(_ids_of(self.path), _ids_of(path))

    @classmethod
    def load(cls, path: Path) -> "Graph":
        """Map a written one into memory, which all processes then share. Raises OSError."""
        try:
            ids = np.load(_ids_of(path), mmap_mode="r")
        except ValueError as error:
            raise OSError(f"The vectors' ids cannot be read from {_ids_of(path)}: {error}") from error
        return cls(read(path, faiss.IO_FLAG_MMAP_IFC), ids, path)


class LargeVectors:
    """A `VectorIndex` for hundreds of thousands to millions: a graph, what came after it, and what went.

    Of ten nearest it finds more than 97 in a hundred; a cosine is right to about .005.
    """

    def __init__(self, graph: Graph, beside: ExactVectors, gone: NDArray[np.bool_]) -> None:
        self.graph = graph
        self.beside = beside
        self._gone = gone
        self._mark()

    def __len__(self) -> int:
        return len(self.graph) - self.gone + len(self.beside)

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self.graph.dimension

    @property
    def gone(self) -> int:
        """How many of the graph are removed."""
        return int(self._gone.sum())

    def ids(self) -> Ids:
        """Return all ids, lowest first."""
        return np.sort(np.concatenate([self.graph.ids[~self._gone], self.beside.ids()]))

    def add(self, ids: Sequence[int], vectors: Vectors) -> None:
        """Add vectors under new ids, each higher than all that were ever there."""
        self.beside.add(ids, vectors)

    def remove(self, ids: Sequence[int]) -> None:
        """Remove what stands under these ids; an id that is not there is passed over."""
        places, there = self.graph.places(ids)
        self._gone[places[there]] = True
        self._mark()
        self.beside.remove(np.asarray(ids, np.int64)[~there].tolist())

    def search(self, vector: Vectors, k: int) -> list[tuple[int, float]]:
        """Return up to k (id, cosine), nearest first."""
        if k <= 0:
            return []
        vector = np.ascontiguousarray(vector, np.float32)
        found = self.graph.search(vector, k, self._passed_over) + self.beside.search(vector, k)
        return sorted(found, key=lambda pair: -pair[1])[:k]

    def get(self, ids: Sequence[int]) -> Vectors:
        """Return the vectors under these ids, one row each. Raises KeyError for an id that is not there."""
        places, there = self.graph.places(ids)
        if self._gone[places[there]].any():
            raise KeyError(f"There is no vector under one of {len(ids)} ids.")
        found = np.empty((len(ids), self.dimension), np.float32)
        found[there] = self.graph.at(places[there])
        found[~there] = self.beside.get(np.asarray(ids, np.int64)[~there].tolist())
        return found

    def save(self, path: Path) -> None:
        """Write what changed since the graph; of the graph itself only a link, where it is written already."""
        self.beside.save(path)
        self.graph.save(_graph_of(path))
        with _gone_of(path).open("wb") as file:
            np.save(file, np.flatnonzero(self._gone))

    @classmethod
    def load(cls, path: Path) -> "LargeVectors":
        """Read what `save` wrote. Raises OSError for a file that is missing or broken."""
        graph = Graph.load(_graph_of(path))
        gone = np.zeros(len(graph), np.bool_)
        try:
            gone[np.load(_gone_of(path))] = True
        except (ValueError, IndexError) as error:
            raise OSError(f"The removed vectors cannot be read from {_gone_of(path)}: {error}") from error
        return cls(graph, ExactVectors.load(path), gone)

    def _mark(self) -> None:
        """Have FAISS pass over what is gone. The bits have to live as long as the selector does."""
        self._bits = np.packbits(self._gone, bitorder="little")
        self._passed_over = faiss.IDSelectorNot(faiss.IDSelectorBitmap(self._bits)) if self._gone.any() else None


OnDisk = ExactVectors | LargeVectors


def load(path: Path) -> OnDisk:
    """Read what an exact or a large index has saved. Raises OSError for a file that is missing or broken."""
    return LargeVectors.load(path) if _graph_of(path).exists() else ExactVectors.load(path)


def outgrown(vectors: VectorIndex) -> bool:
    """Tell whether it is time for a graph, or for the next one."""
    if isinstance(vectors, LargeVectors):
        return len(vectors.beside) > BESIDE or vectors.gone > max(BESIDE, GONE * len(vectors.graph))
    return isinstance(vectors, ExactVectors) and len(vectors) > EXACT


def regrown(vectors: OnDisk, *, threads: int | None = None) -> Graph:
    """Return a graph of all these vectors, not yet written: seconds for some thousands of new ones, minutes for
    a million. Half of the cores work on it unless it is said how many.

    A graph that is there is copied and added to, unless too much of it is gone. Numbers that were cut to eight bits
    are kept by the same scale, else they would lose a little each time.
    """
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads or max(1, (os.cpu_count() or 1) // 2))  # of this thread alone
    try:
        if isinstance(vectors, LargeVectors):
            keep = vectors.graph.path is not None and vectors.gone <= GONE * len(vectors.graph)
            return _extended(vectors) if keep else _made(vectors, vectors.graph)
        return _made(vectors, None)
    finally:
        faiss.omp_set_num_threads(before)


def regrafted(graph: Graph, current: OnDisk) -> LargeVectors:
    """Return the vectors of `current` over a graph that was made of an earlier state of them."""
    ids = current.ids()
    later = np.setdiff1d(ids, graph.ids, assume_unique=True)
    beside = ExactVectors(graph.dimension)
    beside.add(later.tolist(), current.get(later.tolist()))
    return LargeVectors(graph, beside, ~np.isin(graph.ids, ids, assume_unique=True))


def link(source: Path | str, target: Path | str) -> None:
    """Give a file that is never changed a second name; copy it where the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _made(vectors: OnDisk, like: Graph | None) -> Graph:
    ids = vectors.ids()
    index = faiss.IndexHNSWSQ(vectors.dimension, faiss.ScalarQuantizer.QT_8bit, _LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = _BREADTH
    if like is None:
        some = np.random.default_rng(0).choice(ids, min(len(ids), _TRAINING), replace=False)
        index.train(vectors.get(np.sort(some).tolist()))
    else:
        scale = faiss.downcast_index(like._index.storage).sq.trained
        storage = faiss.downcast_index(index.storage)
        faiss.copy_array_to_vector(faiss.vector_to_array(scale), storage.sq.trained)
        storage.is_trained = index.is_trained = True
    for start in range(0, len(ids), _BATCH):
        index.add(vectors.get(ids[start : start + _BATCH].tolist()))
    index.hnsw.efSearch = _effort(index)
    return Graph(index, ids)


def _extended(vectors: LargeVectors) -> Graph:
    if vectors.graph.path is None:
        raise ValueError("A graph is written before it is added to.")
    index = read(vectors.graph.path)  # a copy in memory: what is mapped cannot grow
    new = vectors.beside.ids()
    index.add(vectors.beside.get(new.tolist()))
    return Graph(index, np.concatenate([vectors.graph.ids, new]))


def _effort(index: Any) -> int:
    """Return the least effort at which a search finds enough, by asking for what lies near vectors of its own."""
    random = np.random.default_rng(0)
    places = np.sort(random.choice(index.ntotal, min(_ASKED, index.ntotal), replace=False)).astype(np.int64)
    questions = index.reconstruct_batch(places)
    questions += _JITTER / np.sqrt(index.d) * random.standard_normal(questions.shape, dtype=np.float32)
    _, nearest = index.storage.search(questions, 10)
    for effort in _EFFORTS:
        _, found = index.search(questions, 10, params=faiss.SearchParametersHNSW(efSearch=effort))
        hits = sum(len(np.intersect1d(a, b)) for a, b in zip(nearest, found, strict=True))
        if hits >= _ENOUGH * nearest.size:
            return effort
    return _EFFORTS[-1]


def _graph_of(path: Path) -> Path:
    return path.with_name(path.name + ".graph")


def _ids_of(path: Path) -> Path:
    return path.with_name(path.name + "_ids")


def _gone_of(path: Path) -> Path:
    return path.with_name(path.name + ".gone")
