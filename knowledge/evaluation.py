"""How good search is, on questions with known answers: recall@k, MRR@10, nDCG@10, and whether it abstains rightly.

Knows what search returns, not how.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from knowledge.importers import Rejected, UnreadableFile, jsonl
from knowledge.scoring import ANSWERABLE
from knowledge.search import SearchResult
from models import LANGUAGES, Language

DEPTH = 10
"""Matches that are looked at per question."""


class Search(Protocol):
    """The part of a KnowledgeBase that is measured."""

    def search(self, question: str, *, k: int = 5, history: Sequence[str] = ()) -> SearchResult:
        """Return the best k matches."""


@dataclass(frozen=True)
class Query:
    """A question and the external ids that answer it; none means that the right behaviour is to abstain."""

    text: str
    relevant: frozenset[str]
    language: Language | None = None
    history: tuple[str, ...] = ()
    """What was said before in the conversation, by both sides, oldest first."""


@dataclass(frozen=True)
class Outcome:
    """What one question brought: the places of relevant ids in the ranking, and the answerability score."""

    query: Query
    hits: tuple[bool, ...]
    score: float
    answerable: bool


def read_queries(path: Path) -> list[Query]:
    """Read a file of `{"text", "relevant", "language"?, "history"?}` rows, gzipped or not.

    `history` is a list of texts, or of turns with a `text`. Raises UnreadableFile, naming the line of the first row
    that is not such a row.
    """
    queries = []
    for number, row in jsonl.rows(path):
        wrong = row.reason if isinstance(row, Rejected) else _wrong(row)
        if isinstance(row, Rejected) or wrong:
            raise UnreadableFile(f"Line {number} of {path.name}: {wrong}.")
        history = tuple(turn if isinstance(turn, str) else turn["text"] for turn in row.get("history") or ())
        queries.append(Query(row["text"], frozenset(row["relevant"]), row.get("language"), history))
    return queries


def evaluate(knowledge_base: Search, queries: Sequence[Query]) -> dict[str, Any]:
    """Ask every question and return the measures of `aspa knowledge evaluate --json`.

    The language is not given away: a query's own only says under which heading it counts. A measure for which there
    are no questions is None. Abstention: precision and recall of holding back at the threshold that is in use.
    """
    outcomes = [_outcome(knowledge_base, query) for query in queries]
    parts = {language: [o for o in outcomes if o.query.language == language] for language in LANGUAGES}
    return measures(outcomes) | {"by_language": {name: measures(part) for name, part in parts.items() if part}}


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """Return the probability that a positive scores higher than a negative, ties counting half; None without either."""
    if not positive or not negative:
        return None
    wins = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    return wins / (len(positive) * len(negative))


def _wrong(row: dict[str, Any]) -> str | None:
    relevant, language = row.get("relevant"), row.get("language")
    if not isinstance(row.get("text"), str):
        return '"text" must be text'
    if not isinstance(relevant, list) or not all(isinstance(item, str) for item in relevant):
        return '"relevant" must be a list of ids'
    history = row.get("history") or []
    turns = history if isinstance(history, list) else [None]
    if not all(isinstance(turn.get("text") if isinstance(turn, dict) else turn, str) for turn in turns):
        return '"history" must be a list of texts or of turns with a "text"'
    return None if language is None or language in LANGUAGES else '"language" must be "en" or "fi"'


def _outcome(knowledge_base: Search, query: Query) -> Outcome:
    result = knowledge_base.search(query.text, k=DEPTH, history=query.history)
    hits = tuple(match.external_id in query.relevant for match in result.matches[:DEPTH])
    return Outcome(query, hits, result.confidence, result.answerable)


def measures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the measures of some outcomes, without those by language."""
    known = [outcome for outcome in outcomes if outcome.query.relevant]
    unknown = [outcome for outcome in outcomes if not outcome.query.relevant]
    held = [outcome for outcome in outcomes if not outcome.answerable]
    rightly = sum(not outcome.query.relevant for outcome in held)
    return {
        "queries": len(outcomes),
        "recall@1": _mean([float(any(o.hits[:1])) for o in known]),
        "recall@5": _mean([float(any(o.hits[:5])) for o in known]),
        "mrr@10": _mean([1 / (o.hits.index(True) + 1) if any(o.hits) else 0.0 for o in known]),
        "ndcg@10": _mean([_ndcg(o) for o in known]),
        "abstention": {
            "auroc": auroc([o.score for o in known], [o.score for o in unknown]),
            "threshold": ANSWERABLE,
            "precision": rightly / len(held) if held else None,
            "recall": rightly / len(unknown) if unknown else None,
        },
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _ndcg(outcome: Outcome) -> float:
    gain = sum(hit / math.log2(place + 2) for place, hit in enumerate(outcome.hits))
    best = sum(1 / math.log2(place + 2) for place in range(min(len(outcome.query.relevant), DEPTH)))
    return gain / best
