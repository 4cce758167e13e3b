"""From the signs that a passage answers a question to one number, and to two probabilities.

Knows numbers alone: no text, no index, no model. The weights stand in scoring.json, by family of embedder;
`benchmarks/tune_search.py` fits them and says on which public data. No weight is tied to a cosine as such: cosines come
in as their distance from those of everything else, so that an embedder nobody has seen is weighed sanely too.
"""

import json
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
_FAMILIES = {"all-MiniLM": "minilm", "": "words"}
_UNKNOWN = "bilingual"
_CROWD = slice(4, 20)  # the first few may be the same answer again: in another language, as a past reply


class Signs(NamedTuple):
    """What speaks for a passage.

    `dense`: how far its cosine with the question stands above those of the whole index, in standard deviations, and
    `above`: above those of sentences of everyday life; `hub`: how near it is to every text. `words`, `pieces`, `codes`:
    BM25 as a share of the most that is possible; `words_of_best`, `pieces_of_best`: of the best that is there.
    """

    dense: float
    above: float
    hub: float
    words: float
    pieces: float
    codes: float
    words_of_best: float
    pieces_of_best: float


class Circumstances(NamedTuple):
    """What tells whether a question has an answer at all.

    The signs of the best passage; how far its fit stands above that of the candidates after the first few; whether
    vectors and words agree on the best entry; the logarithm of the question's words; whether only the other language has it.
    """

    dense: float
    above: float
    words: float
    pieces: float
    above_crowd: float
    agreement: float
    length: float
    across: float


@dataclass(frozen=True)
class Weights:
    """What every sign weighs with embedders of one family."""

    fit: Mapping[Relation, Signs]
    match: tuple[float, float]
    """Slope and offset of the probability that a passage of this fit is right."""
    answer: Circumstances
    answer_offset: float


ACROSS = -0.5
"""Added to the fit of a passage in another language: of two that fit alike an agent wants the customer's."""
AROUND = 3.0
"""Added to the fit of the passage that has most of the words of the conversation, less to others: "is there parking?" asks of
the hotel that was talked about."""
PAST_REPLY = -1.0
"""Added to the fit of a past reply: the FAQ comes before what was once written to somebody else."""

ANSWERABLE = 0.5
"""The confidence from which on there is something to reply from."""


def weights_for(embedder: str | None) -> Weights:
    """Return the weights for the embedder of that name; None where words alone are searched."""
    name = embedder or ""
    known = next((family for start, family in _FAMILIES.items() if start and name.startswith(start)), _UNKNOWN)
    return _families()["words" if not name else known]


def fits(signs: Numbers, relations: Sequence[Relation], weights: Weights) -> Numbers:
    """Return how well each passage fits: one row of signs each. Only differences within one question mean something."""
    if not len(signs):
        return np.empty(0)
    table = np.array([weights.fit[relation] for relation in RELATIONS])
    chosen = table[[RELATIONS.index(relation) for relation in relations]]
    found: Numbers = (signs * chosen).sum(axis=1)
    return found


def probability(fit: float, weights: Weights) -> float:
    """Return the calibrated probability that a passage of this fit answers the question."""
    slope, offset = weights.match
    return _sigmoid(slope * fit + offset)


def above_crowd(fits_in_order: Sequence[float]) -> float:
    """Return how far the first of some fits, best first, stands above the crowd."""
    if not fits_in_order:
        return 0.0
    crowd = fits_in_order[1:][_CROWD] or [0.0]
    return fits_in_order[0] - sum(crowd) / len(crowd)


def confidence(seen: Circumstances, weights: Weights) -> float:
    """Return the probability that there is an answer, where half of all questions have one."""
    return _sigmoid(float(np.dot(seen, weights.answer)) + weights.answer_offset)


def _sigmoid(x: float) -> float:
    """The logistic function, safe at both ends."""
    return float(1 / (1 + np.exp(-np.clip(x, -40, 40))))


@cache
def _families() -> dict[str, Weights]:
    document: dict[str, Any] = json.loads(_WEIGHTS.read_text(encoding="utf-8"))
    return {name: read_weights(family) for name, family in document["families"].items()}


def read_weights(family: Mapping[str, Any]) -> Weights:
    """Read one family of scoring.json; a sign that it does not name weighs nothing."""
    nothing = dict.fromkeys(Signs._fields, 0.0)
    return Weights(
        fit={relation: Signs(**nothing | family["fit"][relation]) for relation in RELATIONS},
        match=(family["match"]["slope"], family["match"]["offset"]),
        answer=Circumstances(**dict.fromkeys(Circumstances._fields, 0.0) | family["answer"]["signs"]),
        answer_offset=family["answer"]["offset"],
    )
