"""Search end to end over 10,000 passages against the bare cost of encoding the question; and what one edit costs.

The passages' vectors are stand-ins (how long a search takes does not depend on what the vectors mean), the question
is encoded by the shipped embedder.
"""

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from assistant.database_schema import migrate
from benchmarks import Measurement
from knowledge import entries, postgres
from knowledge.database import create_engine
from knowledge.entries import EntryContent
from knowledge.importers import jsonl
from knowledge.indexing import update_index
from knowledge.search import KnowledgeBase
from models import Embedder, Role, Vectors
from models.embedder import load_embedder
from models.fakes import FakeEmbedder

PASSAGES = 10_000
QUESTIONS = 60
SAMPLE = Path(__file__).parents[1] / "knowledge" / "sample"


class _Prepared:
    """The real embedder for questions; for passages, vectors that cost nothing."""

    def __init__(self, real: Embedder) -> None:
        self.name, self.dimension = real.name, real.dimension
        self._real, self._stand_in = real, FakeEmbedder(real.dimension)

    def embed(self, texts: Sequence[str], *, role: Role = "passage") -> Vectors:
        """Return vectors of questions, which cost, or of passages."""
        return (self._real if role == "question" else self._stand_in).embed(texts, role=role)


def run() -> list[Measurement]:
    """Measure in a database and an index of its own; takes about a minute."""
    with tempfile.TemporaryDirectory() as folder, postgres.attach(Path(folder)) as server:
        engine = create_engine(server.url)
        try:
            migrate(engine)
            return _measure(engine, Path(folder) / "index")
        finally:
            engine.dispose()


def _measure(engine: Engine, directory: Path) -> list[Measurement]:
    real = load_embedder()
    embedder = _Prepared(real)
    with Session(engine) as session, session.begin():
        for start in range(0, PASSAGES, 500):
            entries.put_many(session, [_entry(number) for number in range(start, start + 500)], author="bench")
    built = update_index(engine, directory, embedder)
    base = KnowledgeBase(engine, directory, embedder)
    edit, retire = _edit(engine, directory, embedder, base)
    questions = [f"{n}: {content.question.lower()}" for n, content in zip(range(QUESTIONS), _sample(), strict=False)]
    for question in questions[:5]:
        base.search(question)
    alone, whole = [], []
    for question in questions:  # in turns, so that both see the same machine
        alone.append(_seconds(lambda text=question: real.embed([text], role="question")))  # type: ignore[misc]
        whole.append(_seconds(lambda text=question: base.search(text)))  # type: ignore[misc]
    encoding, searching = median(alone) * 1000, median(whole) * 1000
    added = median(w - a for w, a in zip(whole, alone, strict=True)) * 1000
    return [
        Measurement(f"search of {built.passages:,} passages, p50", searching, "ms", encoding, "encoding the question"),
        Measurement("added to encoding, p50", added, "ms", target="≤ 10 ms"),
        Measurement("an edit is found after", edit, "s", target="≤ 1 s"),
        Measurement("a retired entry is gone after", retire, "s", target="≤ 1 s"),
    ]


def _edit(engine: Engine, directory: Path, embedder: Embedder, base: KnowledgeBase) -> tuple[float, float]:
    """Return the seconds from a commit to its being seen in search: of an edit, then of a retirement."""
    with Session(engine) as session, session.begin():
        entries.put(session, _entry(77).model_copy(update={"answer": "Zebras only."}), author="bench")

    def follow() -> None:
        report = update_index(engine, directory, embedder)
        base.refresh()
        if report.embedded != 1 or not any(
            "Zebras" in m.answer for m in base.search("zebras only", language="en").matches
        ):
            raise RuntimeError(f"The edit was not found ({report}).")

    edited = _seconds(follow)
    with Session(engine) as session, session.begin():
        entry = entries.find(session, "faq", "bench-77")
        if entry is not None:
            entries.retire(session, entry, author="bench")
    gone = _seconds(lambda: base.search("zebras only", language="en"))
    if any("Zebras" in m.answer for m in base.search("zebras only", language="en").matches):
        raise RuntimeError("The retired entry is still found.")
    return edited, gone


def _sample() -> list[EntryContent]:
    names = ("faq_en", "faq_fi")
    rows = (row for name in names for row in jsonl.read(SAMPLE / f"{name}.jsonl"))
    return [row for row in rows if isinstance(row, EntryContent)]


def _entry(number: int, sample: Sequence[EntryContent] = tuple(_sample())) -> EntryContent:
    """An entry as long as the sample's, its words drawn from all of them."""
    pick = random.Random(number)
    content = sample[number % len(sample)]
    words = " ".join(other.answer for other in pick.sample(sample, 3)).split()
    pick.shuffle(words)
    update = {"external_id": f"bench-{number}", "answer": " ".join(words[:60]), "alternatives": []}
    return content.model_copy(update=update | {"question": f"{content.question} {number}"})


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
