"""Fit the weights of `knowledge.unlisted`: which capitalised words on no list name a person.

    python -m benchmarks.tune_names --data ../shared/data

Positive and negative examples are the capitalised words in the train split of the Turku NER corpus (Luoma et al. 2020,
CC-BY-SA-4.0). More negatives, since customers' letters are not news: words of Finnish and English interface and
business texts (MIT, BSD, CC-BY-4.0) and of the Turku Paraphrase Corpus (CC-BY-SA-4.0) that are written with a small
letter there, as if each opened a sentence. Nothing of these texts is in the weights but sums over hashed signs. The
limits `LIKELY` and `UNLIKELY` of `knowledge.names` were chosen on the corpus's dev split and the dev halves of
tests/data; its test split and the test halves are judges.
"""

import argparse
import gzip
import json
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from benchmarks.redaction import joined
from knowledge.names import candidates
from knowledge.unlisted import SIZE, WEIGHTS, Surroundings, buckets

Example = tuple[Surroundings, bool]

PLAIN = 25_000
"""Negatives from each kind of plain texts."""
STRENGTH = 1.0
"""Inverse of the penalty on squared weights."""
_ENOUGH = 60  # characters: a word and the next
_SMALL = re.compile(r"(?<= )[a-zåäö]{3}")


def main() -> None:
    """Fit both sets of weights and write them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--plain", type=int, default=PLAIN)
    parser.add_argument("--strength", type=float, default=STRENGTH)
    given = parser.parse_args()
    opens, inside = corpus_examples(given.data / "eval/ner/turku_fi.jsonl.gz", "train")
    # Few names open a sentence: those inside stand in for them, without what is before.
    opens += [(place._replace(before="", gap_before="", hints=_after(place)), named) for place, named in inside]
    for texts in plain_texts(given.data):
        opens += plain_examples(texts, given.plain)
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, examples in (("opens", opens), ("inside", inside)):
        print(name, len(examples), sum(named for _, named in examples), flush=True)
        weights, scale = fitted(examples, given.strength)
        arrays |= {name: weights, f"{name}_scale": np.array(scale)}
    np.savez_compressed(WEIGHTS, **arrays)  # type: ignore[arg-type]


def corpus_examples(corpus: Path, split: str) -> tuple[list[Example], list[Example]]:
    """Return the capitalised words that open a sentence, and those inside, with whether they name a person."""
    opening, inside = list[Example](), list[Example]()
    with gzip.open(corpus, "rt", encoding="utf-8") as stream:
        for row in map(json.loads, stream):
            if row["split"] != split:
                continue
            text, spans = joined(row["tokens"], row["tags"])
            for start, end, opens, place in candidates(text):
                named = any(span.start < end and start < span.end for span in spans)
                (opening if opens else inside).append((place, named))
    return opening, inside


def plain_examples(texts: Sequence[str], most: int) -> list[Example]:
    """Return words that are written with a small letter somewhere, as they open sentences, or as if they did."""
    pick = random.Random(7)
    small = {word for text in texts for word in text.split() if word.isalpha() and word.islower()}
    found: dict[tuple[str, str], Example] = {}
    for text in pick.sample(texts, len(texts)):
        if len(found) >= most:
            break
        starts = [0, *(match.start() for match in _SMALL.finditer(text))]
        for start in {0, pick.choice(starts), pick.choice(starts)}:
            rest = text[start : start + _ENOUGH]
            _, _, opens, place = next(candidates(rest[:1].upper() + rest[1:]), (0, 0, False, None))
            # "Toivo" is a name though "toivo" stands elsewhere.
            if opens and place and place.key in small and place.after and "may be first" not in place.hints:
                found[place.key, place.after] = place, False
    return list(found.values())


def plain_texts(data: Path) -> Iterator[list[str]]:
    """Yield the texts of each kind that hold few names."""
    business = data / "train/parallel/business_en_fi.jsonl.gz"
    for path, fields in (
        (business, ("fi",)),
        (business, ("en",)),
        (data / "train/paraphrase/turku_fi.jsonl.gz", ("text1", "text2")),
    ):
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            yield [row[name] for row in map(json.loads, stream) for name in fields]


def fitted(examples: Sequence[Example], strength: float) -> tuple[NDArray[np.int8], float]:
    """Return weights in eight bits, and what one of them is worth."""
    rows = [buckets(place) for place, _ in examples]
    ends = np.cumsum([0, *map(len, rows)])
    matrix = csr_matrix((np.ones(ends[-1]), np.concatenate(rows), ends), shape=(len(rows), SIZE))
    model = LogisticRegression(C=strength, fit_intercept=False, max_iter=200)
    model.fit(matrix, np.array([named for _, named in examples]))
    weights = model.coef_[0]
    scale = float(np.abs(weights).max()) / 127
    return np.round(weights / scale).astype(np.int8), scale


def _after(place: Surroundings) -> tuple[str, ...]:
    return tuple(hint for hint in place.hints if not hint.startswith("before"))


if __name__ == "__main__":
    main()
