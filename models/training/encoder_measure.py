"""How well an encoder finds: recall of questions over entries, within Finnish and across, and translations mined.

Held-out parts of the training data and this project's own phrases (never trained on by the encoder) are for choosing;
the public sets of eval/ are for looking. An encoder is any function from texts to unit vectors.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from models import Language, Vectors
from models.training.encoder_texts import Texts, read_rows
from models.training.examples import Writer
from models.training.phrases import load as load_phrases

Encode = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True)
class Task:
    """Questions over entries; an entry has several wordings (title, text), and the best of them counts."""

    name: str
    questions: list[str]
    relevant: list[int]
    entries: list[list[str]]

    @property
    def languages(self) -> tuple[str, str]:
        """Return the language of the questions and that of the entries."""
        asked, told = self.name.rsplit(" ", 1)[1].split("-")
        return asked, told

    @property
    def wordings(self) -> list[str]:
        """Return all wordings of all entries."""
        return [wording for wordings in self.entries for wording in wordings]


def recall(task: Task, encode: Encode) -> tuple[float, float]:
    """Return recall@1 and recall@5."""
    owners = np.array([n for n, wordings in enumerate(task.entries) for _ in wordings])
    similar = encode(task.questions) @ encode(task.wordings).T
    best: NDArray[np.float32] = np.full((len(task.questions), len(task.entries)), -2, dtype=np.float32)
    for column, owner in enumerate(owners):
        best[:, owner] = np.maximum(best[:, owner], similar[:, column])
    right = best[np.arange(len(task.questions)), task.relevant]
    ranks = (best > right[:, None]).sum(1)
    return float((ranks < 1).mean()), float((ranks < 5).mean())


def mined(pairs: Sequence[tuple[str, str]], encode: Encode) -> float:
    """Return how often the nearest English text of a Finnish one is its translation."""
    similar = encode([fi for _, fi in pairs]) @ encode([en for en, _ in pairs]).T
    return float((similar.argmax(1) == np.arange(len(pairs))).mean())


def held_out_tasks(texts: Texts, small: bool = False) -> list[Task]:
    """Return the tasks to choose by: service phrases, questions over passages, dolly's in both languages.

    `small`: those alone that are quick to measure.
    """
    rows = texts.both
    fi, en = [[r[1]] for r in rows], [[r[3]] for r in rows]
    ask_fi, ask_en, own = [r[0] for r in rows], [r[2] for r in rows], list(range(len(rows)))
    if small:
        return [*_phrase_tasks()[:3], _reading(texts.questions, 200)]
    return [
        *_phrase_tasks(),
        _reading(texts.questions),
        Task("dolly fi-fi", ask_fi, own, fi),
        Task("dolly fi-en", ask_fi, own, en),
        Task("dolly en-fi", ask_en, own, fi),
        Task("dolly en-en", ask_en, own, en),
    ]


def _phrase_tasks() -> list[Task]:
    """Customers' questions over topics, in words that were written for another model and that this one never sees."""
    entries: dict[Language, list[list[str]]] = {}
    asks: dict[Language, tuple[list[str], list[int]]] = {}
    languages: tuple[Language, ...] = ("fi", "en")
    for language in languages:
        writer = Writer(Random(5), language, "train")
        topics = load_phrases(language).topics
        entries[language] = [
            ["\n".join((writer.say(t["titles"][0]), " ".join(map(writer.say, t["facts"]))))] for t in topics.values()
        ]
        asked = [(writer.say(ask), n) for n, t in enumerate(topics.values()) for ask in t["asks"]]
        asks[language] = [ask for ask, _ in asked], [n for _, n in asked]
    ways = (("fi", "fi"), ("fi", "en"), ("en", "fi"), ("en", "en"))
    return [Task(f"service {a}-{b}", *asks[a], entries[b]) for a, b in ways]  # type: ignore[index]


def _reading(questions: Sequence[tuple[str, str]], size: int = 600) -> Task:
    chosen = Random(3).sample(list({passage: question for question, passage in questions}.items()), size)
    return Task("reading fi-fi", [q for _, q in chosen], list(range(size)), [[p] for p, _ in chosen])


def public_tasks(data: Path) -> list[Task]:
    """Return the tasks of eval/: English questions over Finnish entries, Finnish ones over answers alone."""
    made = []
    for name in ("msdocs_fi", "msalchemy_fi"):
        faq = list(read_rows(data / f"eval/faq/{name}/faq.jsonl.gz"))
        place = {row["id"]: n for n, row in enumerate(faq)}
        asked = list(read_rows(data / f"eval/faq/{name}/queries_en.jsonl.gz"))
        entries = [[f"{row['question']}\n{row['answer'][:600]}"] for row in faq]
        made.append(
            Task(f"{name} en-fi", [q["text"] for q in asked], [place[q["relevant"][0]] for q in asked], entries)
        )
        answers = [[row["answer"][:600]] for row in faq]
        made.append(Task(f"{name} fi-fi", [row["question"] for row in faq], list(range(len(faq))), answers))
        both = [row for row in faq if row.get("question_en") and row.get("answer_en")]
        if both:
            english = [[f"{row['question_en']}\n{row['answer_en'][:600]}"] for row in both]
            made.append(Task(f"{name} fi-en", [row["question"] for row in both], list(range(len(both))), english))
    return made


def public_pairs(data: Path) -> dict[str, list[tuple[str, str]]]:
    """Return the parallel sentences of eval/."""
    bench = [(row["en"], row["fi"]) for row in read_rows(data / "eval/parallel/benchmarks_en_fi.jsonl.gz")]
    sib = [(row["text_en"], row["text_fi"]) for row in read_rows(data / "eval/language/sib200_en_fi.jsonl.gz")]
    return {"benchmarks_en_fi": bench, "sib200_en_fi": sib}
