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
    the most that is possible; 1 where it is in another language than the question; 1 where it is a past reply."""

    cosine: float
    words: float
    pieces: float
    codes: float
    other_language: float
    past_reply: float


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
    "en": Signs(cosine=9.0, words=3.5, pieces=4.0, codes=1.0, other_language=-0.5, past_reply=-1.0),
    "fi": Signs(cosine=0.0, words=8.1, pieces=12.6, codes=1.0, other_language=-0.5, past_reply=-1.0),
}
"""The first three are fitted. Codes weigh little but find what nothing else does. The last two decide between matches
that are nearly as good: an agent wants the customer's language, and the FAQ rather than what was once written."""

MATCH_SCALE: dict[Language, tuple[float, float]] = {"en": (0.893, -6.804), "fi": (0.644, -4.727)}
"""Slope and offset of the probability that a match is right."""

ANSWER_SCALE: dict[Language, Scale] = {
    "en": Scale(best=0.314, above_crowd=0.572, length=0.733, offset=-5.585),
    "fi": Scale(best=-0.121, above_crowd=0.731, length=0.639, offset=-3.068),
}
"""What speaks for there being an answer."""

ANSWERABLE = 0.3
"""The confidence from which on there is something to reply from: nine in ten of the public questions that have an
answer pass (and half of those that have none; what the reply then says is checked against its sources again)."""


def fit(signs: Signs, language: Language | None) -> float:
    """Return how well the passage fits; only the order and the differences within one question mean something."""
    weights = WEIGHTS[language or "en"]
    return (
        weights.cosine * signs.cosine
        + weights.words * signs.words
        + weights.pieces * signs.pieces
        + weights.codes * signs.codes
        + weights.other_language * signs.other_language
        + weights.past_reply * signs.past_reply
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
