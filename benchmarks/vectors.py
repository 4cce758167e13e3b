"""The index of many vectors against exact search, and beside usearch and plain FAISS: how right, how fast, how big.

    BENCH_VECTORS=1000000 python -m benchmarks vectors      the full size; else 200,000, or 1,000,000 from 8 cores on

The vectors lie as texts' do, by a seeded recipe: 384 numbers; one topic per 50 vectors, the topics' sizes falling as
rank^-0.8; each topic's centre drawn from a spectrum that falls as rank^-0.35 (so that topics are related); within a
topic 16 directions of its own out of 512 (few degrees of freedom) and a little noise. Questions are drawn alike, with
more noise. The nearest to a question then has a cosine of about .8, the tenth .73, any two .00 ± .10.
"""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import faiss
import numpy as np
from usearch.index import Index as Usearch

from benchmarks import Measurement
from knowledge.large_vectors import load, regrafted, regrown
from knowledge.vectors import ExactVectors, Ids
from models import Vectors

DIMENSION, QUESTIONS, K = 384, 500, 10
FULL, SMALLER = 1_000_000, 200_000
_ROWS = 50_000

Search = Callable[[Vectors], Sequence[int]]


class _Measured(NamedTuple):
    """Recall@10 against exact search, the median search in milliseconds, bytes, and seconds to build."""

    recall: float
    p50: float
    size: float
    built: float


def run() -> list[Measurement]:
    """Measure with `BENCH_VECTORS` vectors: minutes for 200,000 on idle cores; allow half an hour for a million."""
    count = int(os.environ.get("BENCH_VECTORS", FULL if (os.cpu_count() or 1) >= 8 else SMALLER))
    vectors, questions = cloud(count), cloud(QUESTIONS, noise=0.5, seed=1, topics=count // 50)
    nearest: Ids = faiss.knn(questions, vectors, K, metric=faiss.METRIC_INNER_PRODUCT)[1]
    raw = vectors.nbytes
    with tempfile.TemporaryDirectory() as folder:
        ours, rest = _ours(vectors, questions, nearest, Path(folder))
    print(f"ours: {ours}")
    others = {}
    for name, measure in {"usearch": _usearch, "HNSWFlat": _graph, "IVFFlat": _lists}.items():
        others[name] = measure(vectors, questions, nearest)
        print(f"{name}: {others[name]}")
    label = f"{count:,} vectors"
    found = [
        Measurement(f"{label}, recall@10 against exact", ours.recall, "", target="≥ 0.97"),
        Measurement(f"{label}, search on one thread, p50", ours.p50, "ms", target="< 3 ms"),
        Measurement(f"{label}, size of the index", ours.size / raw, "of raw", target="≤ 0.45"),
        Measurement(f"{label}, built", ours.built, "s"),
        *rest,
    ]
    for name, other in others.items():
        found += [
            Measurement(f"recall@10 beside {name}", ours.recall, "", other.recall, name),
            Measurement(f"search beside {name}, p50", ours.p50, "ms", other.p50, name),
            Measurement(f"size beside {name}", ours.size / raw, "of raw", other.size / raw, name),
            Measurement(f"building beside {name}", ours.built, "s", other.built, name),
        ]
    return found


def cloud(count: int, *, noise: float = 0.3, seed: int = 0, topics: int | None = None) -> Vectors:
    """Return unit vectors that lie as texts' do; the topics are the same for every seed."""
    recipe, random = np.random.default_rng(0), np.random.default_rng(seed + 1)
    topics = max(50, count // 50 if topics is None else topics)
    spectrum = np.arange(1, DIMENSION + 1, dtype=np.float32) ** -0.35
    centres = _unit(recipe.standard_normal((topics, DIMENSION), dtype=np.float32) * spectrum)
    directions = _unit(recipe.standard_normal((512, DIMENSION), dtype=np.float32) * spectrum)
    own = recipe.integers(512, size=(topics, 16))
    share = np.arange(1, topics + 1) ** -0.8
    made = np.empty((count, DIMENSION), np.float32)
    for start in range(0, count, _ROWS):
        rows = made[start : start + _ROWS]
        topic = random.choice(topics, len(rows), p=share / share.sum())
        rows[:] = centres[topic]
        for place in range(own.shape[1]):
            rows += 0.17 * random.standard_normal((len(rows), 1), dtype=np.float32) * directions[own[topic, place]]
        rows += noise / np.sqrt(DIMENSION) * random.standard_normal(rows.shape, dtype=np.float32)
        rows[:] = _unit(rows)
    return made


def _ours(vectors: Vectors, questions: Vectors, nearest: Ids, folder: Path) -> tuple[_Measured, list[Measurement]]:
    path, count = folder / "vectors", len(vectors)
    exact = ExactVectors(DIMENSION)
    exact.add(range(count), vectors)
    start = time.perf_counter()
    graph = regrown(exact, threads=os.cpu_count() or 1)
    built = time.perf_counter() - start
    regrafted(graph, exact).save(path)
    del graph, exact
    size = sum(file.stat().st_size for file in folder.iterdir())
    index = load(path)
    recall, p50 = _ask(lambda question: [number for number, _ in index.search(question, K)], questions, nearest)
    changed = _change(folder, vectors, questions[0])
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        resident = pool.apply(_resident, (path, questions, count))
    return _Measured(recall, p50, size, built), [
        Measurement("memory that a process takes for it (RSS)", resident / vectors.nbytes, "of raw", target="≤ 0.45"),
        Measurement("one added and one removed are seen after", changed, "s", target="< 1 s"),
    ]


def _change(folder: Path, vectors: Vectors, question: Vectors) -> float:
    """Return the seconds from a change to searching what was written and read again: what `update_index` does."""
    found = load(folder / "vectors").search(question, 1)[0][0]
    start = time.perf_counter()
    index = load(folder / "vectors")
    index.add([len(vectors)], question.reshape(1, -1))
    index.remove([found])
    index.save(folder / "next")
    numbers = [number for number, _ in load(folder / "next").search(question, K)]
    seconds = time.perf_counter() - start
    if numbers[0] != len(vectors) or found in numbers:
        raise RuntimeError("The change is not seen.")
    return seconds


def _resident(path: Path, questions: Vectors, count: int) -> float:
    """Return by how many bytes this process grows when it opens the index, reads all of it and searches."""
    before = _rss()
    index = load(path)
    for start in range(0, count, 10_000):
        index.get(range(start, min(count, start + 10_000)))
    for question in questions:
        index.search(question, 200)
    return _rss() - before


def _rss() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(float(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def _usearch(vectors: Vectors, questions: Vectors, nearest: Ids) -> _Measured:
    index = Usearch(ndim=DIMENSION, metric="ip", dtype="f16", connectivity=16, expansion_add=100, expansion_search=64)
    built = _seconds(lambda: index.add(np.arange(len(vectors)), vectors))
    recall, p50 = _ask(lambda question: index.search(question, K).keys.tolist(), questions, nearest)
    return _Measured(recall, p50, float(index.memory_usage), built)


def _graph(vectors: Vectors, questions: Vectors, nearest: Ids) -> _Measured:
    index = faiss.IndexHNSWFlat(DIMENSION, 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = 100, 64
    built = _seconds(lambda: index.add(vectors))
    recall, p50 = _ask(lambda question: index.search(question[None], K)[1][0].tolist(), questions, nearest)
    return _Measured(recall, p50, float(len(faiss.serialize_index(index))), built)


def _lists(vectors: Vectors, questions: Vectors, nearest: Ids) -> _Measured:
    lists = int(2 ** round(np.log2(4 * len(vectors) ** 0.5)))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(DIMENSION), DIMENSION, lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter, index.cp.max_points_per_centroid, index.nprobe = 8, 64, 32

    def build() -> None:
        index.train(vectors)
        index.add(vectors)

    built = _seconds(build)
    recall, p50 = _ask(lambda question: index.search(question[None], K)[1][0].tolist(), questions, nearest)
    return _Measured(recall, p50, float(len(faiss.serialize_index(index))), built)


def _ask(search: Search, questions: Vectors, nearest: Ids) -> tuple[float, float]:
    """Return recall@10 and the median milliseconds of a search, one at a time on one thread."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    hits, times = 0, []
    for question, wanted in zip(questions, nearest.tolist(), strict=True):
        start = time.perf_counter()
        found = search(question)
        times.append(time.perf_counter() - start)
        hits += len(set(found) & set(wanted))
    faiss.omp_set_num_threads(threads)
    return hits / nearest.size, 1000 * median(times)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
