"""Fit the weights of `knowledge.scoring` on public data and print them.

    python -m benchmarks.tune_search DATA

DATA is the folder of public data. Finnish: SQuAD2-fi, NQ-fi (CC-BY-SA-4.0), dolly-fi (CC-BY-SA-3.0). English: the
training parts of banking77 and clinc150 (CC-BY-4.0, CC-BY-3.0), dolly. Entries are kept away from some questions, so
that these have no answer. Nothing of this project's own sample questions is used: they are the judge.

Finnish leaves the vectors out: the embedder knows no Finnish, and on Finnish questions that were kept back for
measuring, it does not help (recall@5 .71 without, .71 with).
"""

import gzip
import json
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from knowledge.candidates import Candidate, candidates
from knowledge.evaluation import auroc
from knowledge.keywords import Document, KeywordIndex
from knowledge.passages import Passage
from knowledge.scoring import Scale, circumstances
from knowledge.snapshots import IndexedEntry, IndexedPassage, Snapshot, assemble
from knowledge.vectors import VectorIndex
from models import Embedder, Language
from models.embedder import load_embedder

SIZE = 260
FITTED: dict[Language, tuple[str, ...]] = {"en": ("cosine", "words", "pieces"), "fi": ("words", "pieces")}


@dataclass
class Corpus:
    """Entries, and questions with the place of the entry that answers, or None where none does."""

    name: str
    language: Language
    entries: list[Passage] = field(default_factory=list)
    questions: list[tuple[str, int | None]] = field(default_factory=list)


@dataclass(frozen=True)
class Asked:
    """What search found for one question, and whether each candidate is right."""

    text: str
    found: list[Candidate]
    right: list[bool]
    answerable: bool


def main(data: Path, embedder: Embedder) -> None:
    """Print weights, the scales of the two probabilities, and how well each corpus is answered."""
    pick = random.Random(7)
    asked: dict[Language, dict[str, list[Asked]]] = {"en": {}, "fi": {}}
    for corpus in (*_reading(data, pick), *_dolly(data, pick), *_intents(data, pick)):
        asked[corpus.language][corpus.name] = _ask(corpus, embedder)
    for language, names in FITTED.items():
        sets = asked[language]
        weights = _weights(list(sets.values()), names)
        print(language, dict(zip(names, weights.round(1).tolist(), strict=True)))
        ranked = {name: [_rank(a, names, weights) for a in questions] for name, questions in sets.items()}
        print("  match", _match_scale(list(ranked.values())))
        print("  answerable", _answer_scale(list(ranked.values())))
        for name, questions in ranked.items():
            _print_quality(name, questions)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _reading(data: Path, pick: random.Random) -> Iterator[Corpus]:
    """Reading comprehension as FAQ: a context under one of its questions, asked by another one."""
    for name, count, per_document in (("squad2_fi", 3, SIZE // 6), ("nq_fi", 2, 2)):
        asked = defaultdict(list)
        for row in _rows(data / f"train/qa/{name}_questions.jsonl.gz"):
            asked[row["cid"]].append(row["question"])
        documents = defaultdict(list)
        for row in _rows(data / f"train/qa/{name}_contexts.jsonl.gz"):
            if len(asked[row["cid"]]) >= 2:
                documents[row["doc"]].append(row)
        left = list(documents.values())
        pick.shuffle(left)
        for number in range(count):
            pool: list[dict[str, Any]] = []
            while len(pool) < SIZE * 1.3:
                pool += left.pop()[:per_document]
            pick.shuffle(pool)
            corpus = Corpus(f"{name}-{number}", "fi")
            for place, row in enumerate(pool):
                title, question, *_ = pick.sample(asked[row["cid"]], len(asked[row["cid"]]))
                if place < SIZE:
                    corpus.entries.append(Passage((title,) if pick.random() < 0.7 else (), row["context"][:600]))
                if place < SIZE // 2 or SIZE <= place < SIZE * 1.2:
                    corpus.questions.append((question, place if place < SIZE else None))
            yield corpus


def _dolly(data: Path, pick: random.Random) -> Iterator[Corpus]:
    rows = [r for r in _rows(data / "train/replies/dolly_fi.jsonl.gz") if r.get("context_en") and r.get("question_en")]
    rows = pick.sample(rows, 300)
    suffixes: tuple[tuple[Language, str], ...] = (("en", "_en"), ("fi", ""))
    for language, suffix in suffixes:
        entries = [Passage((), row["context" + suffix][:600]) for row in rows[:240]]
        questions = [
            (row["question" + suffix], n if n < 240 else None) for n, row in enumerate(rows) if not 200 <= n < 240
        ]
        yield Corpus(f"dolly-{language}", language, entries, questions)


def _intents(data: Path, pick: random.Random) -> Iterator[Corpus]:
    """Customer messages: two of each kind are entries, under the name of the kind; some others are the questions."""
    inside = {row["label"] for row in _rows(data / "eval/intents/banking77_oos_train.jsonl.gz")}
    for name, share in (("banking77", 6), ("clinc150", 3)):
        texts = defaultdict(list)
        for row in _rows(data / f"eval/intents/{name}_train.jsonl.gz"):
            texts[row["label"]].append(row["text"])
        corpus = Corpus(name, "en")
        for label in sorted(texts):
            some = pick.sample(texts[label], min(len(texts[label]), 150))
            if label == "oos":
                corpus.questions += [(text, None) for text in some]
            elif name == "banking77" and label not in inside:
                corpus.questions += [(text, None) for text in some[:4]]
            else:
                corpus.questions += [(text, len(corpus.entries)) for text in some[2 : 2 + share]]
                corpus.entries.append(Passage(tuple(some[:2]), label.replace("_", " ")))
        yield corpus


def _ask(corpus: Corpus, embedder: Embedder) -> list[Asked]:
    with tempfile.TemporaryDirectory() as folder:
        snapshot = _snapshot(corpus, embedder, Path(folder))
        outcomes = []
        for text, answer in corpus.questions:
            found = candidates(snapshot, embedder, text, corpus.language)
            right = [candidate.entry.entry_id == answer for candidate in found]
            outcomes.append(Asked(text, found, right, answer is not None))
        print(f"{corpus.name}: {len(corpus.entries)} entries, {len(outcomes)} questions", file=sys.stderr)
        return outcomes


def _snapshot(corpus: Corpus, embedder: Embedder, folder: Path) -> Snapshot:
    keywords = KeywordIndex.create(folder / "keywords")
    keywords.update(add=(Document(n, p.titles, p.text, corpus.language) for n, p in enumerate(corpus.entries)))
    vectors = VectorIndex(embedder.dimension)
    entries = []
    wordings: list[str] = []
    for number, passage in enumerate(corpus.entries):
        ids = tuple(range(len(wordings), len(wordings) + len(passage.wordings)))
        wordings += passage.wordings
        parts = (IndexedPassage(number, passage, ids),)
        entries.append(IndexedEntry(number, "faq", corpus.language, "", frozenset(), parts))
    vectors.add(range(len(wordings)), embedder.embed(wordings))
    return assemble(corpus.name, embedder.name, entries, vectors, keywords, 0)


def _signs(asked: Asked, names: Sequence[str]) -> np.ndarray[Any, Any]:
    return np.array([[getattr(candidate.signs, name) for name in names] for candidate in asked.found]).reshape(
        -1, len(names)
    )


def _weights(sets: Sequence[Sequence[Asked]], names: Sequence[str]) -> np.ndarray[Any, Any]:
    """Maximise the likelihood of the right entry among the candidates of its question; each corpus counts the same."""
    groups = [(_signs(a, names), a.right.index(True), 1 / len(part)) for part in sets for a in part if any(a.right)]

    def loss(weights: np.ndarray[Any, Any]) -> tuple[float, np.ndarray[Any, Any]]:
        total, gradient = 0.01 * float(weights @ weights), 0.02 * weights
        for signs, right, share in groups:
            scores = signs @ weights
            shares = np.exp(scores - scores.max())
            shares /= shares.sum()
            total -= share * float(np.log(shares[right] + 1e-12))
            gradient = gradient + share * (shares @ signs - signs[right])
        return total, gradient

    found = minimize(loss, np.ones(len(names)), jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(names))
    return np.asarray(found.x)


def _rank(asked: Asked, names: Sequence[str], weights: np.ndarray[Any, Any]) -> tuple[Asked, list[float]]:
    """Order the candidates by the new weights."""
    fits = (_signs(asked, names) @ weights).tolist()
    order = sorted(range(len(fits)), key=lambda n: -fits[n])
    found, right = [asked.found[n] for n in order], [asked.right[n] for n in order]
    return Asked(asked.text, found, right, asked.answerable), [fits[n] for n in order]


Ranked = Sequence[Sequence[tuple[Asked, list[float]]]]


def _match_scale(sets: Ranked) -> tuple[float, ...]:
    """Return slope and offset of the probability that one of the first five matches is right."""
    rows = [
        ([fit], right) for part in sets for a, fits in part for fit, right in list(zip(fits, a.right, strict=True))[:5]
    ]
    model = LogisticRegression(C=100).fit([x for x, _ in rows], [y for _, y in rows])
    return (round(float(model.coef_[0][0]), 3), round(float(model.intercept_[0]), 3))


def _answer_scale(sets: Ranked) -> Scale:
    """Return the weights of the probability that there is an answer, where half of the questions have one."""
    rows, labels, shares = [], [], []
    for part in sets:
        known = sum(a.answerable for a, _ in part)
        for a, fits in part:
            rows.append(astuple(circumstances(a.text, fits)))
            labels.append(a.answerable)
            shares.append(len(sets[0]) / (known if a.answerable else len(part) - known))
    model = LogisticRegression(C=100, max_iter=1000).fit(rows, labels, sample_weight=shares)
    best, above_crowd, length = (round(float(value), 3) for value in model.coef_[0])
    return Scale(best, above_crowd, length, round(float(model.intercept_[0]), 3))


def _print_quality(name: str, questions: Sequence[tuple[Asked, list[float]]]) -> None:
    known = [a.right for a, _ in questions if a.answerable]
    share = [sum(any(right[:k]) for right in known) / len(known) for k in (1, 5)]
    best = [(a.answerable, fits[0] if fits else 0.0) for a, fits in questions]
    separated = auroc(
        [fit for answerable, fit in best if answerable], [fit for answerable, fit in best if not answerable]
    )
    print(f"  {name:12} recall@1 {share[0]:.3f} recall@5 {share[1]:.3f} auroc of the fit {separated:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), load_embedder())
