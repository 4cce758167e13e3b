"""A question → every passage of a snapshot that may answer it, with what speaks for each.

The nearest vectors and the best of each word field bring candidates; each is then looked at with all signs.
Knows no database: whether an entry may still be shown is for `search` to see.
"""

from dataclasses import dataclass
from typing import Literal

from knowledge.keywords import WordScores
from knowledge.scoring import Signs, fit
from knowledge.snapshots import IndexedEntry, IndexedPassage, Snapshot
from models import Embedder, Language, Vectors

NEAREST = 100
"""Candidates from the vectors, and from each of the word fields."""

_NO_WORDS = WordScores()


@dataclass(frozen=True)
class Candidate:
    """An entry with the passage of it that fits best."""

    entry: IndexedEntry
    passage: IndexedPassage
    signs: Signs
    fit: float


def candidates(snapshot: Snapshot, embedder: Embedder, text: str, language: Language | None) -> list[Candidate]:
    """Return one candidate per entry, best first; of two that fit alike the FAQ entry before the past reply.

    Where the snapshot was made with another embedder, words alone are looked at.
    """
    if not text or snapshot.keywords is None:
        return []
    words = snapshot.keywords.search(text, language, NEAREST)
    numbers, cosines = list(words), {}
    if snapshot.embedder == embedder.name:
        vector = embedder.embed([text])[0]
        near = snapshot.vectors.search(vector, NEAREST)
        numbers = list(words.keys() | {passage for id_, _ in near for passage in snapshot.passages_of[id_]})
        cosines = _cosines(snapshot, vector, numbers)
    best: dict[int, Candidate] = {}
    for number in numbers:
        entry = snapshot.entry_of[number]
        signs = _signs(cosines.get(number, 0.0), words.get(number, _NO_WORDS), entry, language)
        candidate = Candidate(entry, snapshot.passage[number], signs, fit(signs, language))
        known = best.get(entry.entry_id)
        if known is None or candidate.fit > known.fit:
            best[entry.entry_id] = candidate
    return sorted(best.values(), key=lambda c: (-round(c.fit, 6), c.entry.kind != "faq", c.entry.entry_id))


def ranks(found: list[Candidate], by: Literal["dense", "lexical"]) -> dict[int, int]:
    """Return the place that each entry would have by vectors alone, or by words alone; none where it scores nothing."""
    scored = [(c.signs.cosine if by == "dense" else c.signs.words + c.signs.pieces, c.entry.entry_id) for c in found]
    order = sorted((-score, number) for score, number in scored if score > 0)
    return {number: place for place, (_, number) in enumerate(order, start=1)}


def _cosines(snapshot: Snapshot, vector: Vectors, numbers: list[int]) -> dict[int, float]:
    """Return for each passage the cosine of the nearest of its wordings."""
    wanted = sorted({id_ for number in numbers for id_ in snapshot.passage[number].vectors})
    cosine = dict(zip(wanted, (snapshot.vectors.get(wanted) @ vector).tolist(), strict=True))
    return {number: max(cosine[id_] for id_ in snapshot.passage[number].vectors) for number in numbers}


def _signs(cosine: float, words: WordScores, entry: IndexedEntry, language: Language | None) -> Signs:
    return Signs(
        cosine=cosine,
        words=words.words,
        pieces=words.pieces,
        codes=words.codes,
        other_language=float(None not in (language, entry.language) and language != entry.language),
        past_reply=float(entry.kind == "past_reply"),
    )
