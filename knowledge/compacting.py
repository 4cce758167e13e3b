"""The graph of many vectors is made, or made anew, beside everything that goes on: minutes of work, a moment of swap.

Knows how a newer graph comes under the newest snapshot, not how the one or the other is made.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine, func, select

from knowledge import index_health, snapshots
from knowledge.indexing import alone, announce
from knowledge.large_vectors import Graph, LargeVectors, OnDisk, outgrown, regrafted, regrown
from knowledge.snapshots import Snapshot
from knowledge.vectors import ExactVectors

log = logging.getLogger(__name__)

_LOCK = 0x61737061_00000003


def compact(engine: Engine, directory: Path) -> str | None:
    """Make a graph of the newest snapshot's vectors where they have outgrown theirs, and the next snapshot with it.

    Takes seconds to minutes, during which everybody may search and change the index; only the swap waits for an
    update under way. Returns the next snapshot's name; None where nothing was to be done, where another process does
    it, or where the index was rebuilt meanwhile. Raises OSError, noted for `index_health.fault`; what was there goes on
    serving.
    """
    before = snapshots.newest_good(directory, engine)
    if before is None or not outgrown(before.vectors):
        return None
    with index_health.noting(directory), _only_one(engine) as mine:
        if not mine:
            return None
        started = time.monotonic()
        graph = regrown(_on_disk(before))
        with alone(engine):
            name = _swap(engine, directory, before, graph)
    log.info("A graph of %d vectors was made in %.0f s.", len(graph), time.monotonic() - started)
    return name


def _swap(engine: Engine, directory: Path, before: Snapshot, graph: Graph) -> str | None:
    """Make the next snapshot out of the newest, which may have changed since, and the graph."""
    newest = snapshots.newest_good(directory, engine)
    if newest is None or newest.lineage != before.lineage:
        return None
    name, keywords = snapshots.start(directory, newest)
    made = replace(newest, name=name, vectors=regrafted(graph, _on_disk(newest)), keywords=keywords)
    try:
        snapshots.finish(directory, made)
    except OSError:
        snapshots.discard(directory, name)
        raise
    announce(engine, made)
    snapshots.tidy(directory, engine)
    return name


def _on_disk(snapshot: Snapshot) -> OnDisk:
    if not isinstance(snapshot.vectors, ExactVectors | LargeVectors):
        raise TypeError(f"The vectors of {snapshot.name} are not in files.")
    return snapshot.vectors


@contextmanager
def _only_one(engine: Engine) -> Iterator[bool]:
    """Tell whether this process may go ahead: half of the cores are enough for one graph at a time."""
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        yield bool(connection.scalar(select(func.pg_try_advisory_lock(_LOCK))))
    finally:
        connection.detach()  # closing it gives the lock back
        connection.close()
