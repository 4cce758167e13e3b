"""Is search better than either of its halves alone? On the sample questions, in both languages.

MiniLM alone: the cosine of the question with each entry's question and answer. BM25 alone: over the same text,
stemmed in the question's language. All three rank the same index of FAQ and redacted past replies.
"""

import tempfile
from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from assistant.database_schema import migrate
from benchmarks import Measurement
from knowledge import postgres
from knowledge.candidates import Candidate
from knowledge.database import create_engine
from knowledge.evaluation import Search, evaluate, read_queries
from knowledge.importing import import_files
from knowledge.indexing import update_index
from knowledge.search import KnowledgeBase, Match, SearchResult
from knowledge.tables import Entry
from models.embedder import load_embedder
from models.language import WordLanguageIdentifier

SAMPLE = Path(__file__).parents[1] / "knowledge" / "sample"
IMPORTED = ("faq_en.jsonl", "faq_fi.jsonl", "past_replies.jsonl")


def run() -> list[Measurement]:
    """Measure search and its two halves over one index, in a database of its own."""
    with tempfile.TemporaryDirectory() as folder, postgres.attach(Path(folder)) as server:
        engine = create_engine(server.url)
        migrate(engine)
        with Session(engine) as session, session.begin():
            import_files(session, [SAMPLE / name for name in IMPORTED], author="benchmark")
            names = dict(session.execute(select(Entry.id, Entry.external_id)).tuples().all())
        embedder = load_embedder()
        update_index(engine, Path(folder) / "index", embedder)
        base = KnowledgeBase(engine, Path(folder) / "index", embedder)
        alone = {
            "MiniLM alone": _alone(base, names, attrgetter("cosine")),
            "BM25 alone": _alone(base, names, attrgetter("signs.words")),
        }
        try:
            return list(_compared(lambda text: base.search(text, k=10), alone))
        finally:
            engine.dispose()


def _alone(base: KnowledgeBase, names: dict[int, str], sign: Callable[[Candidate], float]) -> Search:
    """Return a search that ranks by one sign and knows nothing else."""
    identifier = WordLanguageIdentifier()

    def search(text: str) -> SearchResult:
        language = identifier.identify(text)
        found = sorted(base.candidates(text, language), key=lambda candidate: -sign(candidate))[:10]
        matches = tuple(
            Match(c.entry.entry_id, names[c.entry.entry_id], c.entry.kind, None, "", "", "", None, 1, 0, None, None)
            for c in found
            if sign(c) > 0
        )
        best = sign(found[0]) if found else 0.0
        return SearchResult(text, language, True, matches, base.snapshot, confidence=best)

    return search


def _compared(search: Search, alone: dict[str, Search]) -> Iterator[Measurement]:
    for language in ("en", "fi"):
        queries = read_queries(SAMPLE / f"questions_{language}.jsonl")
        ours = _figures(evaluate(search, queries))
        for name, other in alone.items():
            theirs = _figures(evaluate(other, queries))
            for figure, value in ours.items():
                yield Measurement(f"{figure}, {language}", value, "", theirs[figure], name, target="> 1")


def _figures(measured: dict[str, Any]) -> dict[str, float]:
    figures = {key: measured[key] for key in ("recall@1", "recall@5", "mrr@10", "ndcg@10")}
    return figures | {"abstention auroc": measured["abstention"]["auroc"]}
