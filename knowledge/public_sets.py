"""The public sets that search is measured on, read as entries and questions.

Which sets there are, where they come from and under which licence stands in the README beside them; none is part of
this project. Large ones are sampled, always the same way, so that all of them can be measured in minutes.
"""

import gzip
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from knowledge.entries import Kind
from knowledge.evaluation import Query
from knowledge.importers import UnreadableFile
from models import Language

ENTRIES = 250
"""Entries of a set at most."""
QUESTIONS = 150
"""Questions of a set that have an answer, and those that have none, at most."""


@dataclass(frozen=True)
class Item:
    """An entry as a set has it. Without a question, only the answer is searched."""

    name: str
    question: str
    answer: str
    language: Language
    alternatives: tuple[str, ...] = ()
    kind: Kind = "faq"


@dataclass
class Corpus:
    """Entries, and questions with the names of those that answer; `across`: question and entry differ in language."""

    name: str
    items: list[Item] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)


def read_public(folder: Path) -> Iterator[Corpus]:
    """Read every set in a folder of public sets, one after another; those that are not there are passed over.

    Raises UnreadableFile where there is none at all.
    """
    found = False
    for path, read in _SETS.items():
        if (folder / path).exists():
            found = True
            yield from read(folder / path)
    if not found:
        raise UnreadableFile(
            f"{folder} holds no public set: name the folder that has faq/, intents/ and parallel/ in it."
        )


def rows(path: Path) -> list[dict[str, Any]]:
    """Read gzipped JSON Lines."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _finnish_help(folder: Path) -> Iterator[Corpus]:
    """English titles → Finnish entries; a Finnish question → its answer, and the English answer where there is one."""
    pick = random.Random(folder.name)
    every = rows(folder / "faq.jsonl.gz")
    kept = pick.sample(every, min(ENTRIES, len(every)))
    names = {row["id"] for row in kept}
    asked = [row for row in rows(folder / "queries_en.jsonl.gz") if names.issuperset(row["relevant"])]
    queries = [Query(row["text"], frozenset(row["relevant"]), "en") for row in _some(asked, pick)]
    yield Corpus(f"{folder.name} en→fi", [Item(r["id"], r["question"], r["answer"], "fi") for r in kept], queries)
    yield _hidden(f"{folder.name} fi→fi, question hidden", kept, "fi", pick)
    english = [row for row in every if row.get("answer_en")]
    if english:
        items = [Item(row["id"], row["question_en"], row["answer_en"], "en") for row in english]
        own = [Query(row["question"], frozenset({row["id"]}), "fi") for row in _some(english, pick)]
        yield Corpus(f"{folder.name} fi→en", items, own)


def _help_centre(folder: Path) -> Iterator[Corpus]:
    yield _hidden(f"{folder.name} en→en, question hidden", rows(folder / "faq.jsonl.gz"), "en", random.Random(1))


def _hidden(name: str, found: Sequence[dict[str, Any]], language: Language, pick: random.Random) -> Corpus:
    """Ask every entry's question where the entries are their answers alone."""
    queries = [Query(row["question"], frozenset({row["id"]}), language) for row in _some(found, pick)]
    return Corpus(name, [Item(row["id"], "", row["answer"], language) for row in found], queries)


def _with_history(folder: Path) -> Iterator[Corpus]:
    """Questions that many hotels and restaurants answer: which is meant, the conversation says."""
    pick = random.Random(2)
    asked = _some(rows(folder / "queries.jsonl.gz"), pick)
    named = {name for row in asked for name in row["relevant"]}
    every = rows(folder / "faq.jsonl.gz")
    entities = {row["entity"] for row in every if row["id"] in named}
    items = [Item(row["id"], row["question"], row["answer"], "en") for row in every if row["entity"] in entities]
    queries = [
        Query(row["text"], frozenset(row["relevant"]), "en", tuple(turn["text"] for turn in row["history"]))
        for row in asked
    ]
    yield Corpus(f"{folder.name}, with history", items, queries)


def _intents(folder: Path) -> Iterator[Corpus]:
    """Customers' messages: some of each kind are what was once asked, others ask again; some kinds are left out."""
    clinc = [(row["text"], row["label"]) for row in rows(folder / "clinc150_val.jsonl.gz")]
    yield past_questions("clinc150", clinc, {"oos"})
    inside = {row["label"] for row in rows(folder / "banking77_oos_train.jsonl.gz")}
    banking = [(row["text"], row["label"]) for row in rows(folder / "banking77_train.jsonl.gz")]
    yield past_questions("banking77", banking, {label for _, label in banking} - inside)
    rasa = [(row["text"], f"{row['set']}/{row['label']}") for row in rows(folder / "rasa.jsonl.gz")]
    yield past_questions("rasa", rasa)
    several = [(row["text"], "+".join(sorted(row["labels"]))) for row in rows(folder / "nlupp.jsonl.gz")]
    yield past_questions("nlupp", [row for row in several if row[1]])


def past_questions(
    name: str, labelled: Sequence[tuple[str, str]], outside: frozenset[str] | set[str] = frozenset(), each: int = 8
) -> Corpus:
    """Make entries of `each` messages of a kind, questions of others; those of the kinds `outside` have no answer."""
    pick = random.Random(name)
    kinds: dict[str, list[str]] = defaultdict(list)
    for text, label in labelled:
        kinds[label].append(text)
    corpus = Corpus(f"{name} en→en, past questions")
    known: list[Query] = []
    unknown: list[Query] = []
    for label in sorted(kinds):
        texts = list(dict.fromkeys(kinds[label]))
        pick.shuffle(texts)
        if label in outside:
            unknown += [Query(text, frozenset(), "en") for text in texts]
        elif len(texts) > each:
            names = [f"{label}-{n}" for n in range(each)]
            corpus.items += [Item(n, "", text, "en") for n, text in zip(names, texts, strict=False)]
            known += [Query(text, frozenset(names), "en") for text in texts[each : each + 4]]
    corpus.queries = _some(known, pick, 2 * QUESTIONS) + _some(unknown, pick, 2 * QUESTIONS)
    return corpus


def _bitext(path: Path) -> Iterator[Corpus]:
    """Which sentence among all is the translation."""
    found = random.Random(3).sample(rows(path), 2 * ENTRIES)
    directions: tuple[tuple[Language, Language], ...] = (("fi", "en"), ("en", "fi"))
    for ours, theirs in directions:
        items = [Item(str(n), "", row[theirs], theirs) for n, row in enumerate(found)]
        queries = [Query(row[ours], frozenset({str(n)}), ours) for n, row in enumerate(found)]
        yield Corpus(f"bitext {ours}→{theirs}", items, queries[: 2 * QUESTIONS])


def _some(found: Sequence[Any], pick: random.Random, count: int = QUESTIONS) -> list[Any]:
    return pick.sample(list(found), min(count, len(found)))


_SETS: dict[str, Callable[[Path], Iterator[Corpus]]] = {
    "faq/msdocs_fi": _finnish_help,
    "faq/msalchemy_fi": _finnish_help,
    "faq/login_gov_help": _help_centre,
    "faq/dstc11_hotel_restaurant": _with_history,
    "intents": _intents,
    "parallel/benchmarks_en_fi.jsonl.gz": _bitext,
}
