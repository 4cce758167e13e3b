"""How likely a capitalised word that is on no list names a person, by its letters and what stands beside it.

The weights are those of a logistic regression over hashed signs, one set for words that open a sentence and one for
words inside. Fitted by `benchmarks/tune_names.py` on the Turku NER corpus (CC-BY-SA-4.0) and on the other public texts
that it names. Knows neither the lists nor the knowledge base.
"""

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

WEIGHTS = Path(__file__).with_name("unlisted.npz")
SIZE = 1 << 16
"""Buckets of each set: signs that fall together share a weight."""
_LONGEST = 24  # letters of a word that are looked at


class Surroundings(NamedTuple):
    """A word in small letters and what stands beside it; "" where nothing does."""

    key: str
    text: str
    before: str
    gap_before: str
    gap_after: str
    after: str
    hints: tuple[str, ...] = ()
    """What the lists say of the word and its neighbours."""


def signs(place: Surroundings) -> Iterator[str]:
    """Yield what speaks for or against a name: beginnings and ends of the word, its shape, its neighbours."""
    key = place.key[:_LONGEST]
    yield "always"
    yield f"word {key}"
    edged = f"^{key}$"
    for size in (2, 3, 4, 5, 6):
        yield f"begins {key[:size]}"
        yield f"ends {key[-size:]}"
    for size in (3, 4):
        for at in range(len(edged) - size + 1):
            yield f"part {edged[at : at + size]}"
    yield f"length {min(len(key), 12)}"
    yield f"dash {'-' in key} camel {not place.text[1:].islower()} colon {':' in place.text or '’' in place.text}"
    for side, word, gap in (("before", place.before, place.gap_before), ("after", place.after, place.gap_after)):
        low = word.casefold()[:_LONGEST]
        yield f"{side} gap {gap.strip()[:2]}"
        yield f"{side} {low}"
        yield f"{side} ends {low[-3:]}"
        yield f"{side} ends {low[-2:]}"
        yield f"{side} capital {word[:1].isupper()}"
    for hint in place.hints:
        yield f"hint {hint}"


def buckets(place: Surroundings) -> list[int]:
    """Return the buckets of a word's signs, each once."""
    return sorted({crc32(sign.encode()) % SIZE for sign in signs(place)})


def chance(place: Surroundings, *, opens: bool) -> float:
    """Return the probability that a word is part of a person's name, as the public corpus has it."""
    weights, scale = _weights()["opens" if opens else "inside"]
    return 1 / (1 + math.exp(-float(weights[buckets(place)].sum(dtype=np.int64)) * scale))


@cache
def _weights() -> dict[str, tuple[NDArray[np.int8], float]]:
    with np.load(WEIGHTS, allow_pickle=False) as file:
        return {name: (file[name], float(file[f"{name}_scale"])) for name in ("opens", "inside")}
