"""The vectors of all wordings, and the nearest of them to a question: exact inner product (FAISS).

Knows numbers alone: whose vector it is, the caller keeps by id. `VectorIndex` says what every kind of index can do;
`large_vectors` and `postgres_vectors` are the others.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from models import Vectors

Ids = NDArray[np.int64]
_CHUNK = 1 << 20  # bytes


class VectorIndex(Protocol):
    """Unit vectors under ids that the caller gives. Several threads may search it, as long as nobody changes it."""

    def __len__(self) -> int:
        """How many vectors there are."""

    @property
    def dimension(self) -> int:
        """The length of a vector."""

    def add(self, ids: Sequence[int], vectors: Vectors) -> None:
        """Add vectors under new ids, each higher than all that were ever there."""

    def remove(self, ids: Sequence[int]) -> None:
        """Remove what stands under these ids; an id that is not there is passed over."""

    def search(self, vector: Vectors, k: int) -> list[tuple[int, float]]:
        """Return up to k (id, cosine), nearest first."""

    def get(self, ids: Sequence[int]) -> Vectors:
        """Return the vectors under these ids, one row each. Raises KeyError for an id that is not there."""

    def save(self, path: Path) -> None:
        """Write to a file, and to others beside it that begin with its name. Raises OSError."""


class ExactVectors:
    """A `VectorIndex` that compares the question with every vector: right, and quick up to some 50,000."""

    def __init__(self, dimension: int, index: Any = None) -> None:
        self._index: Any = index if index is not None else faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return int(self._index.d)

    def ids(self) -> Ids:
        """Return all ids, lowest first."""
        return np.sort(faiss.vector_to_array(self._index.id_map))

    def add(self, ids: Sequence[int], vectors: Vectors) -> None:
        """Add vectors under new ids."""
        if len(ids):
            self._index.add_with_ids(np.ascontiguousarray(vectors, np.float32), np.asarray(ids, np.int64))

    def remove(self, ids: Sequence[int]) -> None:
        """Remove what stands under these ids; an id that is not there is passed over."""
        if len(ids):
            self._index.remove_ids(np.asarray(ids, np.int64))

    def search(self, vector: Vectors, k: int) -> list[tuple[int, float]]:
        """Return up to k (id, cosine), nearest first."""
        k = min(k, len(self))
        if k <= 0:
            return []
        scores, ids = self._index.search(np.ascontiguousarray(vector, np.float32).reshape(1, -1), k)
        return list(zip(ids[0].tolist(), scores[0].tolist(), strict=True))

    def get(self, ids: Sequence[int]) -> Vectors:
        """Return the vectors under these ids, one row each. Raises KeyError for an id that is not there."""
        if not len(ids):
            return np.empty((0, self.dimension), np.float32)
        try:
            found: Vectors = self._index.reconstruct_batch(np.asarray(ids, np.int64))
        except RuntimeError as error:
            raise KeyError(f"There is no vector under one of {len(ids)} ids.") from error
        return found

    def save(self, path: Path) -> None:
        """Write to a file. Raises OSError where that cannot be done."""
        write(self._index, path)

    @classmethod
    def load(cls, path: Path) -> "ExactVectors":
        """Read what `save` wrote. Raises OSError for a file that is missing or broken."""
        index = read(path)
        return cls(index.d, index)


def write(index: Any, path: Path) -> None:
    """Write a FAISS index to a file. Raises OSError.

    Through a file of Python's: FAISS's own writer says nothing where the disk fills up at the last, buffered, bytes.
    """
    try:
        with path.open("wb") as file:
            faiss.write_index(index, faiss.PyCallbackIOWriter(file.write, _CHUNK))
    except OSError as error:
        raise OSError(error.errno, f"The vectors cannot be written ({error.strerror})", str(path)) from error


def read(path: Path, flags: int = 0) -> Any:
    """Read a FAISS index from a file. Raises OSError for a file that is missing or broken."""
    try:
        return faiss.read_index(str(path), flags)
    except RuntimeError as error:
        raise OSError(f"The vectors cannot be read from {path}: {error}") from error
