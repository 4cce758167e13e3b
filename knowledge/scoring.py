"""From the signs that a passage answers a question to one number, and to a probability.

Knows numbers alone. All weights stand here; `benchmarks/tune_search.py` fits them and says on which public data.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from models import Language


@dataclass(frozen=True)
class Signs:
    """What speaks for a passage: the cosine of meaning; BM25 of stems, pieces of words and codes, each as a share of
    the most that is possible; whether it is in the question's language; whether it is FAQ and not a past reply."""

    cosine: float
    words: float
    pieces: float
    codes: float
    same_language: float
    faq: float


@dataclass(frozen=True)
class Circumstances:
    """What tells whether a question has an answer at all: the best fit, how far it stands above the candidates after
    the first few (which may be the same answer in another language, or past replies), and the question's length."""

    best: float
    above_crowd: float
    length: float


@dataclass(frozen=True)
class Scale(Circumstances):
    """What each circumstance weighs."""

    offset: float


CROWD = slice(4, 20)
"""Of the candidates after the best."""

WEIGHTS: dict[Language, Signs] = {
    "en": Signs(cosine=9.4, words=3.0, pieces=3.8, codes=2.7, same_language=0.5, faq=1.0),
    "fi": Signs(cosine=0.0, words=9.5, pieces=14.3, codes=3.0, same_language=0.5, faq=1.0),
}

MATCH_SCALE: dict[Language, tuple[float, float]] = {"en": (1.0, -8.0), "fi": (1.0, -8.0)}
"""Slope and offset of the probability that a match is right."""

ANSWER_SCALE: dict[Language, Scale] = {
    "en": Scale(best=0.5, above_crowd=0.5, length=0.3, offset=-6.0),
    "fi": Scale(best=0.5, above_crowd=0.5, length=0.3, offset=-6.0),
}
"""What speaks for there being an answer."""

ANSWERABLE = 0.5
"""The confidence from which on there is something to reply from."""


def fit(signs: Signs, language: Language | None) -> float:
    """Return how well the passage fits; only the order and the differences within one question mean something."""
    weights = WEIGHTS[language or "en"]
    return (
        weights.cosine * signs.cosine
        + weights.words * signs.words
        + weights.pieces * signs.pieces
        + weights.codes * signs.codes
        + weights.same_language * signs.same_language
        + weights.faq * signs.faq
    )


def probability(fit: float, language: Language | None) -> float:
    """Return the calibrated probability that a match of this fit answers the question."""
    slope, offset = MATCH_SCALE[language or "en"]
    return _sigmoid(slope * fit + offset)


def circumstances(text: str, fits: Sequence[float]) -> Circumstances:
    """Return what tells whether there is an answer: `fits` are those of the candidates, best first."""
    best, *others = fits or (0.0,)
    crowd = others[CROWD] or [0.0]
    return Circumstances(best, best - sum(crowd) / len(crowd), math.log1p(len(text.split())))


def confidence(text: str, fits: Sequence[float], language: Language | None) -> float:
    """Return the probability that the best of the candidates answers, where half of all questions have an answer."""
    if not fits:
        return 0.0
    scale, seen = ANSWER_SCALE[language or "en"], circumstances(text, fits)
    return _sigmoid(
        scale.best * seen.best + scale.above_crowd * seen.above_crowd + scale.length * seen.length + scale.offset
    )


def _sigmoid(x: float) -> float:
    """The logistic function, safe at both ends."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
