"""The vectors of all wordings, and the nearest of them to a question: exact inner product (FAISS).

Knows numbers alone: whose vector it is, the caller keeps by id.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from models import Vectors


class VectorIndex:
    """Unit vectors under ids that the caller gives. Searching may run in several threads, changing in one."""

    def __init__(self, dimension: int, index: Any = None) -> None:
        self._index: Any = index if index is not None else faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return int(self._index.d)

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
        try:
            faiss.write_index(self._index, str(path))
        except RuntimeError as error:
            raise OSError(f"The vectors cannot be written to {path}: {error}") from error

    @classmethod
    def load(cls, path: Path) -> "VectorIndex":
        """Read what `save` wrote. Raises OSError for a file that is missing or broken."""
        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise OSError(f"The vectors cannot be read from {path}: {error}") from error
        return cls(index.d, index)
