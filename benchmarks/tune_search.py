"""Fit the weights of `knowledge.scoring` for one embedder on public data, and write them into knowledge/scoring.json.

    python -m benchmarks.tune_search --data ../shared/data [--embedder builtin] [--family bilingual] [--dry]

Vectors are kept in runs/retrieval/, so that a run that was broken off goes on, and a second one takes two minutes. The
questions: Finnish reading comprehension (SQuAD2-fi, NQ-fi, CC-BY-SA-4.0), dolly in both languages and across them
(CC-BY-SA-3.0), business texts and their translations (CC-BY-4.0, MIT, BSD), Finnish paraphrases (CC-BY-SA-4.0), and
half of the kinds in the training parts of banking77 and clinc150 (CC-BY-4.0, CC-BY-3.0). Of what the encoder was
trained on, the held-out part alone. Entries are kept away from some questions, so that these have no answer. The sets
of `aspa knowledge evaluate --public` and this project's own sample questions are judges: nothing is fitted on them.
"""

import argparse
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from knowledge import scoring
from knowledge.candidates import circumstances
from knowledge.comparing import Indexed, KeptEmbedder, indexed
from knowledge.evaluation import Query, auroc
from knowledge.public_sets import Corpus, Item, past_questions, rows
from knowledge.scoring import RELATIONS, Circumstances, Relation, Signs, Weights
from models import LANGUAGES, Language, Role, Vectors
from models.embedder import load_embedder
from models.training.encoder_texts import HELD_OUT_SOURCES, flat, split_of, window
from models.training.encoder_texts import sentences as plain_sentences

RUNS = Path("runs/retrieval")
DEFAULT = "bilingual"
"""The family of the shipped embedder; with it, the weights of words alone are fitted too."""
WEIGHTS = Path(scoring.__file__).with_name("scoring.json")
SIZE = 250
LEFT_OUT = 0.25
"""Of the questions, those whose entry is kept away."""
PENALTY = 0.01
"""On squared weights: public data is not a company's, so that none may grow far on its account."""
STORIES = 0.4
"""Of the questions, those that stand among other sentences."""
DRAWN = 0.03
"""How strongly the slopes of one relation are drawn towards those of all."""


def corpora(data: Path) -> Iterator[Corpus]:
    """Read everything that weights are fitted on."""
    pick = random.Random(7)
    yield from _reading(data, pick)
    yield from _dolly(data, pick)
    yield from _translations(data, pick)
    yield from _paraphrases(data, pick)
    yield from _intents(data)


def told(found: Sequence[Corpus], data: Path) -> Iterator[Corpus]:
    """Return the corpora with some of their questions among other sentences."""
    pick, chat = random.Random(8), _chat(data)
    for corpus in found:
        yield replace(corpus, queries=[_told(query, chat, pick) for query in corpus.queries])


def _chat(data: Path) -> dict[Language, list[str]]:
    """Return what people say beside their question: customers in English dialogues, Finnish subtitles."""
    dialogues = rows(data / "train/dialogues/star.jsonl.gz")[:1500]
    english = [turn["text"] for row in dialogues for turn in row["turns"] if turn["role"] == "customer"]
    finnish = [row["text"] for row in rows(data / "train/emotion/xed_fi.jsonl.gz")]
    fits = {"en": english, "fi": finnish}
    return {language: [t for t in fits[language] if 30 < len(t) < 110 and "?" not in t] for language in LANGUAGES}


def _told(query: Query, chat: dict[Language, list[str]], pick: random.Random) -> Query:
    """Put a question among other sentences, as four in ten customers do: less of such a message is in its answer."""
    if pick.random() > STORIES or query.language is None:
        return query
    around = pick.sample(chat[query.language], pick.choice((1, 1, 2, 3)))
    around.insert(pick.choice((0, len(around), len(around))), query.text)
    return replace(query, text=" ".join(around))


def _corpus(name: str, asked: Sequence[tuple[str, Item]], language: Language, pick: random.Random) -> Corpus:
    """Make a corpus of (question, its entry) pairs, a quarter of the entries kept away."""
    chosen = pick.sample(list(asked), min(SIZE, len(asked)))
    absent = int(LEFT_OUT * len(chosen))
    corpus = Corpus(name, [item for _, item in chosen[absent:]])
    for place, (question, item) in enumerate(chosen):
        corpus.queries.append(Query(question, frozenset({item.name} if place >= absent else ()), language))
    return corpus


def _reading(data: Path, pick: random.Random) -> Iterator[Corpus]:
    """Reading comprehension as FAQ: a context, under another of its questions or under none."""
    for name in ("squad2_fi", "nq_fi"):
        asked = defaultdict(list)
        for row in rows(data / f"train/qa/{name}_questions.jsonl.gz"):
            asked[row["cid"]].append(row["question"])
        titled, bare = [], []
        contexts = rows(data / f"train/qa/{name}_contexts.jsonl.gz")
        for row in contexts:
            if split_of(f"{name}{row['doc']}") != "held_out" or not asked[row["cid"]]:
                continue
            question, *others = pick.sample(asked[row["cid"]], len(asked[row["cid"]]))
            text = window(plain_sentences(row["context"]), question)[:700] or row["context"][:700]
            bare.append((question, Item(str(row["cid"]), "", row["context"][:700], "fi")))
            if others:
                titled.append((question, Item(str(row["cid"]), others[0], text, "fi")))
        yield _corpus(f"{name} bare", bare, "fi", pick)
        yield _corpus(f"{name} titled", titled, "fi", pick)


def _dolly(data: Path, pick: random.Random) -> Iterator[Corpus]:
    every = rows(data / "train/replies/dolly_fi.jsonl.gz")
    held = [r for r in every if split_of(r["id"]) == "held_out" and r.get("context_en") and r.get("question_en")]
    asked = {"en": [row["question_en"] for row in held], "fi": [row["question"] for row in held]}
    told = {"en": [row["context_en"][:700] for row in held], "fi": [row["context"][:700] for row in held]}
    for ours in LANGUAGES:
        yield _across("dolly", ours, [ours] * len(held), asked, told, pick)
        yield _across("dolly", ours, [_other(ours)] * len(held), asked, told, pick)
        mixed = [pick.choice(LANGUAGES) for _ in held]
        yield _across("dolly mixed", ours, mixed, asked, told, pick)


def _translations(data: Path, pick: random.Random) -> Iterator[Corpus]:
    every = rows(data / "train/parallel/business_en_fi.jsonl.gz")
    held = [
        row
        for row in every
        if (row["source"] in HELD_OUT_SOURCES or split_of(flat(row["en"])) == "held_out") and len(row["en"]) > 40
    ]
    held = pick.sample(held, SIZE)
    texts: dict[str, list[str]] = {language: [flat(row[language]) for row in held] for language in LANGUAGES}
    for ours in LANGUAGES:
        yield _across("business", ours, [_other(ours)] * SIZE, texts, texts, pick)


def _across(
    name: str,
    ours: Language,
    theirs: Sequence[Language],
    asked: dict[str, list[str]],
    told: dict[str, list[str]],
    pick: random.Random,
) -> Corpus:
    """Ask in our language for texts of which each stands in the index in its own of `theirs`.

    Where both stand in one index, a good one in the other language has to win over a poor one in the own.
    """
    pairs = [(asked[ours][n], Item(str(n), "", told[language][n], language)) for n, language in enumerate(theirs)]
    kinds = {item.language for _, item in pairs}
    return _corpus(f"{name} {ours}-{'/'.join(sorted(kinds))}", pairs, ours, pick)


def _other(language: Language) -> Language:
    return "fi" if language == "en" else "en"


def _paraphrases(data: Path, pick: random.Random) -> Iterator[Corpus]:
    every = rows(data / "train/paraphrase/turku_fi.jsonl.gz")
    asked = [
        (row["text1"], Item(str(n), "", row["text2"], "fi"))
        for n, row in enumerate(every)
        if row["label"] and split_of(row["text1"]) == "held_out"
    ]
    yield _corpus("turku", asked, "fi", pick)


def _intents(data: Path) -> Iterator[Corpus]:
    """Customers' messages: as past questions, one entry each, and as the wordings of one entry for each kind."""
    for name in ("clinc150", "banking77"):
        labelled = [(r["text"], r["label"]) for r in rows(data / f"eval/intents/{name}_train.jsonl.gz")]
        labels = sorted({label for _, label in labelled} - {"oos"})
        fitted = {"oos", *labels[::2]}
        outside = {"oos"} if name == "clinc150" else set(labels[::6])
        mine = [(text, label) for text, label in labelled if label in fitted]
        for each in (2, 6):
            singles = past_questions(name, mine, outside, each)
            singles.name = f"{name} {each} past questions"
            yield singles
            yield _grouped(singles, each)


def _grouped(singles: Corpus, each: int) -> Corpus:
    """Put the questions of a kind under one entry."""
    kinds: dict[str, list[Item]] = defaultdict(list)
    for item in singles.items:
        kinds[item.name.rpartition("-")[0]].append(item)
    items = [
        Item(label, some[0].answer, label.replace("_", " "), "en", tuple(item.answer for item in some[1:]))
        for label, some in kinds.items()
    ]
    queries = [
        Query(q.text, frozenset({next(iter(q.relevant)).rpartition("-")[0]} if q.relevant else ()), "en")
        for q in singles.queries
    ]
    return Corpus(f"{singles.name.split()[0]} kinds of {each}", items, queries)


@dataclass(frozen=True)
class Asked:
    """What was found for one question, in the order in which it was found, and what of it is right."""

    group: str
    answerable: bool
    signs: NDArray[np.float64]
    relations: list[Relation]
    right: NDArray[np.bool_]
    seen: Circumstances | None
    relation: Relation
    """Of the candidate that fits best."""


def ask(corpus: Corpus, embedder: KeptEmbedder, weights: Weights | None = None) -> list[Asked]:
    """Return what search finds for every question of a corpus; `weights` stand for those in use."""
    with indexed(corpus, embedder, weights) as index:
        asked = [_asked(corpus, query, index) for query in corpus.queries]
    embedder.keep()
    return asked


def _asked(corpus: Corpus, query: Query, index: Indexed) -> Asked:
    found = index.candidates(query)
    seen = circumstances(query.text, found) if found else None
    return Asked(
        corpus.name.split()[0],
        bool(query.relevant),
        np.array([candidate.signs for candidate in found]).reshape(-1, len(Signs._fields)),
        [candidate.relation for candidate in found],
        np.array([index.name(candidate.entry.entry_id) in query.relevant for candidate in found], bool),
        seen,
        max(found, key=lambda candidate: candidate.fit).relation if found else "en",
    )


class Wordless:
    """An embedder that tells nothing: all texts are alike."""

    name, dimension = "nothing", 2

    def embed(self, texts: Sequence[str], *, role: Role = "passage") -> Vectors:
        """Return the same vector for each text."""
        return np.tile(np.array([[1.0, 0.0]], np.float32), (len(texts), 1))


Table = NDArray[np.float64]


def fit_ranking(asked: Sequence[Asked], signs: Sequence[str]) -> dict[str, Any]:
    """Maximise the likelihood of the right entries among the candidates of their question.

    Every group of corpora counts the same. No sign may speak against a passage.
    """
    known = [a for a in asked if a.right.any()]
    shares = Counter(a.group for a in known)
    rows = [(_design(a, signs), a.right, 1 / shares[a.group]) for a in known]

    def loss(weights: Table) -> tuple[float, Table]:
        total, gradient = PENALTY * float(weights[:-1] @ weights[:-1]), 2 * PENALTY * np.r_[weights[:-1], 0.0]
        for design, right, share in rows:
            scores = design @ weights
            odds = np.exp(scores - scores.max())
            among_right = odds[right] / odds[right].sum()
            total -= share * float(np.log(odds[right].sum() / odds.sum() + 1e-12))
            gradient = gradient + share * (odds / odds.sum() @ design - among_right @ design[right])
        return total, gradient

    count = len(RELATIONS) * len(signs)
    # words alone know the other language by its names at best: nothing may be added for it
    bounds = [(0.0, None)] * count + [(-3.0, 3.0) if "dense" in signs else (0.0, 0.0)]
    found = minimize(loss, np.r_[np.ones(count), 0.0], jac=True, method="L-BFGS-B", bounds=bounds).x
    table = found[:-1].reshape(len(RELATIONS), len(signs)).round(2).tolist()
    return {
        "fit": {relation: dict(zip(signs, row, strict=True)) for relation, row in zip(RELATIONS, table, strict=True)},
        "across": round(float(found[-1]), 2),
    }


def _design(asked: Asked, signs: Sequence[str]) -> Table:
    """Return one row for each candidate: its signs in the columns of its relation, and whether that is `across`."""
    columns = [Signs._fields.index(sign) for sign in signs]
    design = np.zeros((len(asked.right), len(RELATIONS) * len(columns) + 1))
    for place, relation in enumerate(RELATIONS):
        mine = np.array([each == relation for each in asked.relations])
        block = np.arange(place * len(columns), (place + 1) * len(columns))
        design[np.ix_(mine, block)] = asked.signs[mine][:, columns]
    design[:, -1] = [relation == "across" for relation in asked.relations]
    return design


def fit_answer(asked: Sequence[Asked], *, dense: bool = True) -> dict[str, Any]:
    """Fit P(there is an answer) for each relation of the best candidate, every group counting the same.

    Half of all questions have an answer. Each relation's slopes are drawn towards those of all, since each has been
    seen in few kinds of text; none is negative.
    """
    found = [a for a in asked if a.seen is not None]
    sizes = Counter((a.group, a.answerable) for a in found)
    seen = np.array([a.seen for a in found])
    across = np.array([a.relation == "across" for a in found])
    seen[across, Circumstances._fields.index("pieces")] = 0  # names alone are the same: a FAQ has few
    if not dense:
        seen[:, Circumstances._fields.index("level")] = 0
    answerable = np.array([a.answerable for a in found])
    shares = np.array([1 / sizes[a.group, a.answerable] for a in found])
    scale = seen.std(axis=0) + 1e-9
    common, _ = _logistic(seen / scale, answerable, shares, np.zeros(len(scale)))
    weights, offsets = {}, {}
    for relation in RELATIONS:
        mine = np.array([a.relation == relation for a in found])
        slopes, offset = _logistic(seen[mine] / scale, answerable[mine], shares[mine], common)
        weights[relation] = dict(zip(Circumstances._fields, (slopes / scale).round(3).tolist(), strict=True))
        offsets[relation] = round(offset, 3)
    weights["across"]["pieces"] = 0.0
    if not dense:  # words alone never found the other language in any corpus where that was right
        offsets["across"] = min(offsets.values())
    return {"answer": weights, "offset": offsets}


def _logistic(seen: Table, answerable: NDArray[np.bool_], shares: Table, prior: Table) -> tuple[Table, float]:
    """Return slopes, drawn towards the prior, and offset of a logistic regression with weighted rows."""
    signed = np.c_[seen, np.ones(len(seen))] * np.where(answerable, 1.0, -1.0)[:, None]
    shares = shares / shares.sum()

    def loss(weights: Table) -> tuple[float, Table]:
        margins = signed @ weights
        pull = shares / (1 + np.exp(np.clip(margins, -40, 40)))
        apart = np.r_[weights[:-1] - prior, 0.0]
        total = float(shares @ np.logaddexp(0, -margins) + DRAWN * apart @ apart)
        return total, 2 * DRAWN * apart - pull @ signed

    bounds = [(0.0, None)] * len(prior) + [(None, None)]
    found = minimize(loss, np.r_[prior, 0.0], jac=True, method="L-BFGS-B", bounds=bounds).x
    return found[:-1], float(found[-1])


def fit(found: Sequence[Corpus], data: Path, embedder: KeptEmbedder, *, dense: bool = True) -> dict[str, Any]:
    """Return the weights of one family, as scoring.json has them, and print how well each corpus is answered.

    The ranking is fitted on bare questions, since each sentence of a message is searched by itself; whether there is
    an answer on what search finds with that ranking, also for questions among other sentences.
    """
    signs = [sign for sign in Signs._fields if dense or sign != "dense"]
    ranking = fit_ranking([a for corpus in found for a in ask(corpus, embedder)], signs)
    nothing = {"answer": {relation: {} for relation in RELATIONS}, "offset": dict.fromkeys(RELATIONS, 0.0)}
    ranked = scoring.read_weights(ranking | nothing)
    asked = {corpus.name: ask(corpus, embedder, ranked) for corpus in told(found, data)}
    family = ranking | fit_answer([a for some in asked.values() for a in some], dense=dense)
    for name, some in asked.items():
        print(quality(name, some, scoring.read_weights(family)), flush=True)
    return family


def quality(name: str, asked: Sequence[Asked], weights: Weights) -> str:
    """Return a line: how well a corpus is ranked, and how well what has an answer is told from what has none."""
    known = [a for a in asked if a.answerable]
    sure = [(a.answerable, scoring.confidence(a.seen, a.relation, weights)) for a in asked if a.seen is not None]
    separated = auroc([s for known, s in sure if known], [s for known, s in sure if not known])
    passed = [
        f"{np.mean([float(s >= scoring.ANSWERABLE) for known, s in sure if known is answerable] or [0.0]):.2f}"
        for answerable in (True, False)
    ]
    recalls = [f"{np.mean([a.right[:k].any() for a in known]):.3f}" for k in (1, 5)]
    return (
        f"{name:30} recall@1 {recalls[0]} recall@5 {recalls[1]} auroc {separated or 0:.3f} "
        f"taken for answerable: {passed[0]} of those that are, {passed[1]} of those that are not"
    )


def main() -> None:
    """Fit, print how well each corpus is answered, and write the weights."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tune_search")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--embedder", default="builtin")
    parser.add_argument("--family", default=DEFAULT, help="of scoring.json")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    options = parser.parse_args()
    embedder = KeptEmbedder(load_embedder(options.embedder), RUNS)
    found = list(corpora(options.data))
    fitted = {options.family: fit(found, options.data, embedder)}
    if options.family == DEFAULT:
        fitted["words"] = fit(found, options.data, KeptEmbedder(Wordless(), RUNS), dense=False)
    print(json.dumps(fitted, indent=1))
    if not options.dry:
        document = json.loads(WEIGHTS.read_text(encoding="utf-8"))
        document["families"] |= fitted
        WEIGHTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
