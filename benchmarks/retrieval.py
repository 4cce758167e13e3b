"""Is search better than either of its halves alone? On the sample questions, in both languages.

    python -m benchmarks.retrieval

MiniLM alone: the cosine of the question with each entry's question and answer. BM25 alone: over the same text,
stemmed in the question's language. All three rank the same index of FAQ and redacted past replies.
"""

import tempfile
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.orm import Session

from assistant.database_schema import migrate
from knowledge import postgres
from knowledge.database import create_engine
from knowledge.evaluation import Search, evaluate, read_queries
from knowledge.importing import import_files
from knowledge.indexing import update_index
from knowledge.scoring import Signs
from knowledge.search import KnowledgeBase, Match, SearchResult
from knowledge.tables import Entry
from models.embedder import load_embedder
from models.language import WordLanguageIdentifier

SAMPLE = Path(__file__).parents[1] / "knowledge" / "sample"
IMPORTED = ("faq_en.jsonl", "faq_fi.jsonl", "past_replies.jsonl")


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder, postgres.attach(Path(folder)) as server:
        engine = create_engine(server.url)
        migrate(engine)
        with Session(engine) as session, session.begin():
            import_files(session, [SAMPLE / name for name in IMPORTED], author="benchmark")
            names = dict(session.execute(select(Entry.id, Entry.external_id)).tuples().all())
        embedder = load_embedder()
        update_index(engine, Path(folder) / "index", embedder)
        base = KnowledgeBase(engine, Path(folder) / "index", embedder)
        searches: dict[str, Search] = {
            "search": lambda text: base.search(text, k=10),
            "MiniLM alone": _alone(base, names, attrgetter("cosine")),
            "BM25 alone": _alone(base, names, attrgetter("words")),
        }
        Console().print(_table(searches))
        engine.dispose()


def _alone(base: KnowledgeBase, names: dict[int, str], sign: Callable[[Signs], float]) -> Search:
    """Return a search that ranks by one sign and knows nothing else."""
    identifier = WordLanguageIdentifier()

    def search(text: str) -> SearchResult:
        language = identifier.identify(text)
        found = sorted(base.candidates(text, language), key=lambda candidate: -sign(candidate.signs))[:10]
        matches = tuple(
            Match(c.entry.entry_id, names[c.entry.entry_id], c.entry.kind, None, "", "", "", None, 1, 0, None, None)
            for c in found
            if sign(c.signs) > 0
        )
        best = sign(found[0].signs) if found else 0.0
        return SearchResult(text, language, True, matches, base.snapshot, confidence=best)

    return search


def _table(searches: dict[str, Search]) -> Table:
    table = Table("language", "ranked by", "recall@1", "recall@5", "mrr@10", "ndcg@10", "auroc")
    for language in ("en", "fi"):
        queries = read_queries(SAMPLE / f"questions_{language}.jsonl")
        for name, search in searches.items():
            measured = evaluate(search, queries)
            figures = [measured[key] for key in ("recall@1", "recall@5", "mrr@10", "ndcg@10")]
            table.add_row(language, name, *(f"{value:.3f}" for value in (*figures, measured["abstention"]["auroc"])))
    return table


if __name__ == "__main__":
    main()
