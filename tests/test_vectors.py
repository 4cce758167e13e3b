"""Exact nearest vectors, changed in place and kept in a file."""

from pathlib import Path

import numpy as np
import pytest

from knowledge.vectors import ExactVectors
from models import Vectors


def some(count: int, seed: int = 0) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def test_it_works() -> None:
    vectors, index = some(50), ExactVectors(8)
    index.add(range(100, 150), vectors)
    expected = sorted(range(100, 150), key=lambda number: -float(vectors[number - 100] @ vectors[7]))[:5]
    found = index.search(vectors[7], 5)
    assert [number for number, _ in found] == expected
    assert found[0][1] == pytest.approx(1)


def test_what_is_removed_is_not_found_and_the_rest_stays() -> None:
    vectors, index = some(20), ExactVectors(8)
    index.add(range(20), vectors)
    index.remove([3, 4, 999])
    assert {number for number, _ in index.search(vectors[3], 99)} == set(range(20)) - {3, 4}
    index.add([3], vectors[5:6])
    assert np.allclose(index.get([3, 19]), vectors[[5, 19]])
    with pytest.raises(KeyError):
        index.get([4])


def test_it_is_the_same_after_saving(tmp_path: Path) -> None:
    index = ExactVectors(8)
    index.add([5, 1], some(2))
    index.save(tmp_path / "v")
    again = ExactVectors.load(tmp_path / "v")
    assert (len(again), again.dimension) == (2, 8)
    assert np.array_equal(again.get([1, 5]), index.get([1, 5]))


def test_an_empty_index_finds_nothing() -> None:
    index = ExactVectors(8)
    index.add([], some(0))
    index.remove([])
    assert index.search(some(1)[0], 5) == []
    assert index.get([]).shape == (0, 8)


def test_a_broken_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "v").write_bytes(b"nonsense")
    for name in ("v", "missing"):
        with pytest.raises(OSError, match="cannot be read"):
            ExactVectors.load(tmp_path / name)
    with pytest.raises(OSError, match="cannot be written"):
        ExactVectors(8).save(tmp_path / "no" / "v")
