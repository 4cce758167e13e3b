"""Is search better than its halves alone, and than their plain fusion? On the sample questions and on public sets.

MiniLM alone: the cosine of the question with an entry's best passage. BM25 alone: over the same passages, stemmed in
the passage's language. Plain fusion: reciprocal ranks of both. All rank the same passages. The public sets are measured
where their folder is (`ASPA_PUBLIC_SETS`, by default ../shared/data/eval); vectors are kept in runs/retrieval.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from assistant.database_schema import migrate
from benchmarks import Measurement
from knowledge import postgres
from knowledge.comparing import KeptEmbedder, compared
from knowledge.database import create_engine
from knowledge.evaluation import evaluate, read_queries
from knowledge.importing import import_files
from knowledge.indexing import update_index
from knowledge.public_sets import Corpus, Item, read_public
from knowledge.search import KnowledgeBase
from knowledge.tables import Entry
from models.embedder import load_embedder

SAMPLE = Path(__file__).parents[1] / "knowledge" / "sample"
IMPORTED = ("faq_en.jsonl", "faq_fi.jsonl", "past_replies.jsonl")
PUBLIC = Path(os.environ.get("ASPA_PUBLIC_SETS", "../shared/data/eval"))
RUNS = Path("runs/retrieval")

Figures = dict[str, dict[str, Any]]
"""Ranker → its measures."""


def run() -> list[Measurement]:
    """Measure search beside its rivals: the better of the two halves is what each figure is compared with."""
    embedder, minilm = (KeptEmbedder(load_embedder(name), RUNS) for name in ("builtin", "minilm"))
    found = {f"sample, {language}": figures for language, figures in _sample(embedder, minilm)}
    if PUBLIC.is_dir():
        found |= {corpus.name: compared(corpus, embedder, minilm) for corpus in read_public(PUBLIC)}
    return [measurement for name, figures in found.items() for measurement in _measurements(name, figures)]


def _sample(embedder: KeptEmbedder, minilm: KeptEmbedder) -> Iterator[tuple[str, Figures]]:
    """Ask the sample questions over one index of the FAQ in both languages and redacted past replies."""
    with tempfile.TemporaryDirectory() as folder, postgres.attach(Path(folder)) as server:
        engine = create_engine(server.url)
        migrate(engine)
        with Session(engine) as session, session.begin():
            import_files(session, [SAMPLE / name for name in IMPORTED], author="benchmark")
        update_index(engine, Path(folder) / "index", embedder)
        base = KnowledgeBase(engine, Path(folder) / "index", embedder)
        with Session(engine) as session:
            names = dict(session.execute(select(Entry.id, Entry.external_id)).tuples().all())
        for language in ("en", "fi"):
            queries = read_queries(SAMPLE / f"questions_{language}.jsonl")
            corpus = Corpus(language, _items(base, names), queries)
            yield language, compared(corpus, embedder, minilm) | {"search": evaluate(base, queries)}
        engine.dispose()


def _items(base: KnowledgeBase, names: dict[int, str]) -> list[Item]:
    """Return what is indexed, as a set has it."""
    return [
        Item(
            names[entry.entry_id],
            entry.passages[0].passage.title,
            " ".join(part.passage.text for part in entry.passages),
            entry.language or "en",
            entry.passages[0].passage.titles[1:],
            entry.kind,
        )
        for entry in base.index.entries.values()
        if entry.passages
    ]


def _measurements(name: str, figures: Figures) -> Iterator[Measurement]:
    for key in ("recall@1", "recall@5", "mrr@10", "auroc"):
        values = {ranker: _figure(measured, key) for ranker, measured in figures.items()}
        ours = values.pop("search")
        if ours is None:
            continue
        fusion = values.pop("plain RRF")
        best, value = max(((ranker, v) for ranker, v in values.items() if v is not None), key=lambda pair: pair[1])
        yield Measurement(f"{name}: {key} (plain fusion {fusion:.3f})", ours, "", value, best, target="≥ 1")


def _figure(measured: dict[str, Any], key: str) -> float | None:
    value: float | None = measured["abstention"]["auroc"] if key == "auroc" else measured[key]
    return value
