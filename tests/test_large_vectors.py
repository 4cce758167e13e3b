"""A graph that is never changed, a little beside it, and marks on what went: together like one exact index."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge import large_vectors
from knowledge.large_vectors import LargeVectors, load, outgrown, regrafted, regrown
from knowledge.vectors import ExactVectors
from models import Vectors

COUNT, DIMENSION = 2_000, 16


def some(count: int, seed: int = 0) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def exact() -> ExactVectors:
    vectors = ExactVectors(DIMENSION)
    vectors.add(range(1, COUNT + 1), some(COUNT))
    return vectors


@pytest.fixture(scope="module")
def graph(exact: ExactVectors, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph") / "v"
    regrafted(regrown(exact), exact).save(path)
    return path


def large(path: Path) -> LargeVectors:
    vectors = load(path)
    assert isinstance(vectors, LargeVectors)
    return vectors


def recall(vectors: LargeVectors, exact: ExactVectors) -> float:
    questions = some(50, seed=9)
    hits = [{i for i, _ in vectors.search(q, 10)} & {i for i, _ in exact.search(q, 10)} for q in questions]
    return sum(map(len, hits)) / (10 * len(questions))


def test_it_works(graph: Path, exact: ExactVectors) -> None:
    vectors = large(graph)
    assert (len(vectors), vectors.dimension, vectors.gone) == (COUNT, DIMENSION, 0)
    assert recall(vectors, exact) >= 0.97
    (nearest, cosine), *others = vectors.search(some(COUNT)[6], 10)
    assert nearest == 7
    assert cosine == pytest.approx(1, abs=0.01)
    assert [score for _, score in others] == sorted((score for _, score in others), reverse=True)
    assert np.allclose(vectors.get([7, 1]), some(COUNT)[[6, 0]], atol=0.02)


def test_what_is_removed_is_not_found_and_what_is_added_is(graph: Path) -> None:
    vectors, new = large(graph), some(3, seed=4)
    vectors.add([5001, 5002, 5003], new)
    vectors.remove([7, 5002, 99_999])
    assert len(vectors) == COUNT + 1
    assert 7 not in dict(vectors.search(some(COUNT)[6], 50))
    ((nearest, cosine),) = vectors.search(new[0], 1)
    assert nearest == 5001
    assert cosine == pytest.approx(1)
    assert np.allclose(vectors.get([5003, 1, 5001]), [new[2], some(COUNT)[0], new[0]], atol=0.02)
    for missing in (7, 5002, 99_999):
        with pytest.raises(KeyError):
            vectors.get([1, missing])


def test_saving_again_shares_the_graph_and_keeps_the_rest(graph: Path, tmp_path: Path) -> None:
    vectors, new = large(graph), some(1, seed=4)
    vectors.add([5001], new)
    vectors.remove([7])
    vectors.save(tmp_path / "v")
    again = large(tmp_path / "v")
    assert (tmp_path / "v.graph").stat().st_ino == graph.with_name("v.graph").stat().st_ino
    assert (len(again), again.gone, len(again.beside)) == (COUNT, 1, 1)
    assert (again.search(new[0], 3), again.gone) == (vectors.search(new[0], 3), 1)
    assert (len(large(graph)), large(graph).gone) == (COUNT, 0)


def test_the_file_is_copied_where_it_cannot_be_linked(
    graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    large(graph).save(tmp_path / "v")
    assert len(large(tmp_path / "v")) == COUNT


def test_a_graph_is_due_when_there_are_many_and_again_when_much_has_changed(
    graph: Path, exact: ExactVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not outgrown(exact)
    monkeypatch.setattr(large_vectors, "EXACT", COUNT - 1)
    monkeypatch.setattr(large_vectors, "BESIDE", 10)
    assert outgrown(exact)
    vectors = large(graph)
    assert not outgrown(vectors)
    vectors.add(range(5000, 5011), some(11, seed=3))
    assert outgrown(vectors)
    vectors.remove(range(5000, 5011))
    assert not outgrown(vectors)
    vectors.remove(range(1, COUNT // 2))
    assert outgrown(vectors)


def test_the_next_graph_holds_what_was_beside_the_last_and_not_what_came_since(
    graph: Path, exact: ExactVectors
) -> None:
    vectors = large(graph)
    vectors.add([5001, 5002], some(2, seed=4))
    vectors.remove([7])
    grown = regrown(vectors)
    assert len(grown) == COUNT + 2
    vectors.add([5003], some(1, seed=5))
    vectors.remove([8, 5001])
    after = regrafted(grown, vectors)
    assert (len(after), after.gone, len(after.beside)) == (COUNT - 2 + 2, 3, 1)
    assert after.ids().tolist() == vectors.ids().tolist()
    assert recall(after, exact) >= 0.95


def test_a_graph_is_made_anew_without_what_is_gone_and_its_numbers_stay_as_they_are(graph: Path) -> None:
    vectors = large(graph)
    vectors.remove(range(1, COUNT // 2))
    grown = regrown(vectors)
    assert grown.ids.tolist() == list(range(COUNT // 2, COUNT + 1))
    after = regrafted(grown, vectors)
    kept = [COUNT // 2, COUNT]
    assert np.array_equal(after.get(kept), vectors.get(kept))


def test_an_empty_question_for_nothing_finds_nothing(graph: Path) -> None:
    vectors = large(graph)
    assert vectors.search(some(1)[0], 0) == []
    assert vectors.get([]).shape == (0, DIMENSION)
    vectors.remove(range(1, COUNT + 1))
    assert (len(vectors), vectors.search(some(1)[0], 5)) == (0, [])


@pytest.mark.parametrize("name", ["v", "v.graph", "v.graph_ids", "v.gone"])
def test_a_broken_file_is_an_error(graph: Path, tmp_path: Path, name: str) -> None:
    large(graph).save(tmp_path / "v")
    (tmp_path / name).unlink()
    (tmp_path / name).write_bytes(b"nonsense")
    with pytest.raises(OSError, match="cannot be read"):
        load(tmp_path / "v")


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, COUNT + 60)), max_size=60))
def test_it_holds_what_an_exact_index_would(graph: Path, steps: list[tuple[bool, int]]) -> None:
    vectors, expected, next_id = large(graph), set(range(1, COUNT + 1)), COUNT + 1
    for adds, number in steps:
        if adds:
            vectors.add([next_id], some(1, seed=number))
            expected.add(next_id)
            next_id += 1
        else:
            vectors.remove([number])
            expected.discard(number)
    assert vectors.ids().tolist() == sorted(expected)
    assert len(vectors) == len(expected)
    assert {number for number, _ in vectors.search(some(1)[0], 20)} <= expected
