"""From the signs that a passage answers a question to one number, and to probabilities.

Knows numbers alone: no text, no index, no model. The weights stand in scoring.json, by family of embedder;
`benchmarks/tune_search.py` fits them and says on which public data. No weight is tied to a cosine as such: cosines come
in as their distance from what is usual with that embedder, so that one that nobody has seen is weighed sanely too.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Relation = Literal["en", "fi", "across"]
"""The language that question and passage share, or that they do not share one."""
RELATIONS: tuple[Relation, ...] = ("en", "fi", "across")

_WEIGHTS = Path(__file__).with_name("scoring.json")
_FAMILIES = {"all-MiniLM": "minilm"}
_UNKNOWN = "bilingual"
_WORDS_ALONE = "words"


class Signs(NamedTuple):
    """What speaks for a passage.

    `dense`: how far its cosine with the question stands above the question's cosines with the whole index, in standard
    deviations. `words`, `pieces`, `codes`: BM25 as a share of the most that is possible; `words_of_best` and
    `pieces_of_best`: as a share of the best that is there.
    """

    dense: float
    words: float
    pieces: float
    codes: float
    words_of_best: float
    pieces_of_best: float


class Circumstances(NamedTuple):
    """What tells whether a question has an answer at all.

    `level`: how far the best passage's cosine stands above those that texts of everyday life have with each other, in
    standard deviations; `pieces`: its BM25 of pieces of words; how far its fit stands above that of the crowd (the
    candidates after the first few, which may be the same answer again); the logarithm of the question's words, since
    of a long story less can be found in any passage.
    """

    level: float
    pieces: float
    above_crowd: float
    length: float


@dataclass(frozen=True)
class Weights:
    """What every sign weighs with embedders of one family. `across` is added to the fit of the other language."""

    fit: Mapping[Relation, Signs]
    across: float
    answer: Mapping[Relation, Circumstances]
    offset: Mapping[Relation, float]


NATIVE = 1.0
"""Taken from the fit of a passage in another language: of two that fit alike an agent wants the customer's."""
FAQ = 4.0
"""Taken from the fit of a past reply: the FAQ comes before what was once written to one customer."""
AROUND = 3.0
"""Added to the fit of the passage that has most of the words of the conversation, less to others: "is there parking?"
asks of the hotel that was talked about."""
CROWD = slice(5, 21)
"""The candidates that a best one is compared with, by their places."""
MOST_ABOVE = 12.0
"""Fits further above others say no more."""

ANSWERABLE = 0.3
"""The confidence from which on there is something to reply from: of the questions of the fit, six in seven of those
that have an answer pass, and half of those that have none. A draft that claims too much is seen by the agent, and its
sentences are checked against their sources; one that holds back helps nobody."""


def weights_for(embedder: str | None) -> Weights:
    """Return the weights for the embedder of that name; None where words alone are searched."""
    if embedder is None:
        return _families()[_WORDS_ALONE]
    known = next((family for start, family in _FAMILIES.items() if embedder.startswith(start)), _UNKNOWN)
    return _families()[known]


def fits(signs: Numbers, relations: Sequence[Relation], weights: Weights) -> Numbers:
    """Return how well each passage fits: one row of signs each. Only differences within one question mean something.

    A difference is the logarithm of the odds that the one answers rather than the other.
    """
    if not len(signs):
        return np.empty(0)
    table = np.array([[*weights.fit[relation], weights.across * (relation == "across")] for relation in RELATIONS])
    chosen = table[[RELATIONS.index(relation) for relation in relations]]
    found: Numbers = (signs * chosen[:, :-1]).sum(axis=1) + chosen[:, -1]
    return found


def circumstances(text: str, level: float, pieces: float, fits_in_order: Sequence[float]) -> Circumstances:
    """Return what tells whether a question has an answer: the best passage's signs, and all fits, best first.

    Where an index is too small for a crowd, the best one stands above a passage that nothing speaks for: a handful of
    entries must not answer whatever is asked.
    """
    crowd = fits_in_order[CROWD] or [0.0]
    above_crowd = fits_in_order[0] - sum(crowd) / len(crowd)
    return Circumstances(level, pieces, min(above_crowd, MOST_ABOVE), math.log1p(len(text.split())))


def confidence(seen: Circumstances, relation: Relation, weights: Weights) -> float:
    """Return the probability that the best passage answers, where half of all questions have an answer."""
    x = sum(map(float.__mul__, map(float, seen), map(float, weights.answer[relation]))) + weights.offset[relation]
    return 1 / (1 + math.exp(-max(-40.0, min(x, 40.0))))


def probability(fit: float, best: float, sure: float) -> float:
    """Return the probability that a passage of this fit answers, where the best one does with probability `sure`."""
    return sure * math.exp(min(fit - best, 0.0))


def read_weights(family: Mapping[str, Any]) -> Weights:
    """Read one family of scoring.json; a sign that it does not name weighs nothing."""
    signs, seen = dict.fromkeys(Signs._fields, 0.0), dict.fromkeys(Circumstances._fields, 0.0)
    return Weights(
        fit={relation: Signs(**signs | family["fit"][relation]) for relation in RELATIONS},
        across=family["across"],
        answer={relation: Circumstances(**seen | family["answer"][relation]) for relation in RELATIONS},
        offset={relation: family["offset"][relation] for relation in RELATIONS},
    )


@cache
def _families() -> dict[str, Weights]:
    document: dict[str, Any] = json.loads(_WEIGHTS.read_text(encoding="utf-8"))
    return {name: read_weights(family) for name, family in document["families"].items()}
