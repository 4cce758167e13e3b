"""The search index of this installation: brought up to date, mended when it is damaged, its graphs made.

Knows when; how is for `knowledge.indexing` and `knowledge.compacting` to know.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from assistant import queue
from assistant.runtime import Runtime
from knowledge.compacting import compact
from knowledge.database import utcnow
from knowledge.index_health import fault
from knowledge.indexing import IndexReport, Progress, update_index
from knowledge.large_vectors import outgrown
from knowledge.snapshots import current_name

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
RETRY_SECONDS = 60.0
_LEAVE_SECONDS = 2.0


def update(runtime: Runtime, *, rebuild: bool = False, progress: Progress | None = None) -> IndexReport:
    """Bring the index up to what the entries say, in the way that is set: see `knowledge.indexing.update_index`.

    What changed is then compared with the rest, in a job; what a crash keeps from it is, at the next change.
    """
    before = current_name(runtime.index_dir)
    report = update_index(
        runtime.engine,
        runtime.index_dir,
        runtime.embedder(),
        rebuild=rebuild,
        progress=progress,
        source=runtime.settings.embedding_model,
        store=runtime.settings.vector_index,
    )
    if report.passages and report.snapshot != before:
        with runtime.sessions.begin() as session:
            queue.defer_findings(session)
    return report


@contextmanager
def kept(runtime: Runtime) -> Iterator[None]:
    """Look after the index in a thread of its own for as long as the context lasts: what `look` does, every 5 seconds.

    At first the index is brought up to date in any case: it may be damaged, of another embedder, or left behind.
    """
    stop = threading.Event()
    keeper = threading.Thread(target=_keep, args=(runtime, stop), name="search index", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join(_LEAVE_SECONDS)  # a graph in the making is given up: nothing is lost with it


def look(runtime: Runtime, *, first: bool = False) -> None:
    """Make the index anew where it is damaged, try again where an update failed a minute ago, and make the graph of
    many vectors where one is due. Raises what these raise."""
    failed = fault(runtime.index_dir)
    waited = failed is not None and failed.at < utcnow() - timedelta(seconds=RETRY_SECONDS)
    if first or waited or (failed is None and runtime.knowledge_base().damaged):
        update(runtime)
        runtime.knowledge_base().refresh()
    if outgrown(runtime.knowledge_base().index.vectors) and (failed is None or waited):
        compact(runtime.engine, runtime.index_dir)
        runtime.knowledge_base().refresh()


def _keep(runtime: Runtime, stop: threading.Event) -> None:
    first = True
    while not stop.is_set():
        try:
            look(runtime, first=first)
        except Exception as error:  # the edge of a thread that must live; the index update has noted and logged it
            log.warning("The search index was looked after in vain, which is tried again: %s", error)
        first = False
        stop.wait(LOOK_SECONDS)
