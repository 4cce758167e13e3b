"""From the signs that a passage fits a question to one number. The weights are fitted by `benchmarks/tune_search.py`.

Knows numbers alone.
"""

import math
from dataclasses import dataclass

from models import Language


@dataclass(frozen=True)
class Signs:
    """What speaks for a passage: cosines, and BM25 as a share of the most that is possible."""

    cosine_title: float
    cosine_text: float
    title: float
    text: float
    title_pieces: float
    text_pieces: float
    exact: float
    same_language: float

    @property
    def dense(self) -> float:
        """What vectors alone say."""
        return max(self.cosine_title, self.cosine_text)

    @property
    def lexical(self) -> float:
        """What whole words alone say."""
        return self.title + self.text


NAMES = tuple(Signs.__dataclass_fields__)

WEIGHTS: dict[Language, tuple[float, ...]] = {
    "en": (3.0, 3.0, 1.5, 1.5, 1.0, 1.0, 0.5, 0.5),
    "fi": (1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 1.0, 0.5),
}


def fit(signs: Signs, language: Language | None) -> float:
    """Return how well the passage fits; only the order and the differences mean something."""
    weights = WEIGHTS[language or "fi"]
    return sum(weight * getattr(signs, name) for weight, name in zip(weights, NAMES, strict=True))


ANSWERABLE = 0.5
"""The probability from which on a match is worth replying from."""


def probability(fit: float) -> float:
    """Return the calibrated probability that a passage of this fit answers the question."""
    return _sigmoid(fit - 4)


def _sigmoid(x: float) -> float:
    """The logistic function, safe at both ends."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
