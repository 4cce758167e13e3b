"""Public text as material to copy: real sentences of many kinds, in the frame of service talk.

Reads gzipped JSON Lines from the folder that --data names (sources and licences: the model card). A question is put to
the passage it belongs to; the sentences that share most words with it are the answer. A twentieth of the texts is kept
for measuring.
"""

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

from models import LANGUAGES, Language
from models.training.examples import Example, Passage, Writer, first_three, ranked
from models.training.phrases import Split

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-ZÅÄÖ0-9\"(])")
_FOOTNOTE = re.compile(r"\[\d+\]")
_WORD = re.compile(r"\w{3,}")
_COMMON = 4  # a stem in this many sentences of a passage, or more, tells nothing


@dataclass
class Material:
    """The texts of one language and split: passages (sentences, questions about them) and loose sentences."""

    passages: list[tuple[list[str], list[str]]] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def words(self) -> list[str]:
        """Return words of the loose sentences, for drills."""
        return [word for text in self.sentences[:20000] for word in text.strip(".").split() if word.isalpha()]


Materials = dict[tuple[Language, Split], Material]


def load(data: Path) -> Materials:
    """Read the public texts; a folder that lacks one of the files raises FileNotFoundError."""
    material: Materials = {
        ("en", "train"): Material(), ("en", "held_out"): Material(),
        ("fi", "train"): Material(), ("fi", "held_out"): Material(),
    }  # fmt: skip
    train = data / "train"
    _load_questions(train / "qa", material)
    _load_replies(train / "replies", material)
    _load_sentences(train, material)
    for row in _rows(train / "messages/multidogo_customer.jsonl.gz"):
        if len(row["text"]) > 20:
            material["en", _split(row["text"])].messages.append(row["text"])
    for row in _rows(train / "paraphrase/turku_fi.jsonl.gz"):
        if row["raw_label"].startswith(("3", "4")) and max(len(row["text1"]), len(row["text2"])) < 120:
            material["fi", _split(row["text1"])].pairs.append((row["text1"], row["text2"]))
    return material


def _load_questions(folder: Path, material: Materials) -> None:
    for name in ("squad2_fi", "nq_fi"):
        questions: dict[int, list[str]] = {}
        for row in _rows(folder / f"{name}_questions.jsonl.gz"):
            questions.setdefault(row["cid"], []).append(row["question"])
        for row in _rows(folder / f"{name}_contexts.jsonl.gz"):
            _add_passage(material["fi", _split(row["doc"])], row["context"], questions.get(row["cid"], []))


def _load_replies(folder: Path, material: Materials) -> None:
    endings: tuple[tuple[Language, str], ...] = (("fi", ""), ("en", "_en"))
    for row in _rows(folder / "dolly_fi.jsonl.gz"):
        split = _split(row["id"])
        for language, ending in endings:
            into = material[language, split]
            _add_passage(into, row.get(f"context{ending}") or "", [row.get(f"question{ending}") or ""])
            into.sentences += _sentences(row.get(f"reply{ending}") or "")[:3]
    for row in _rows(folder / "dstc9_faq_to_reply.jsonl.gz"):
        into = material["en", _split(row["question"])]
        into.pairs.append((row["question"], row["answer"]))
        into.sentences += _sentences(row["reply"])


def _load_sentences(train: Path, material: Materials) -> None:
    for row in _rows(train / "parallel/business_en_fi.jsonl.gz"):
        split = _split(row["en"])
        for language in LANGUAGES:
            if "{" not in row[language]:
                material[language, split].sentences += _sentences(row[language])
    for name in ("sgd", "star"):
        for row in _rows(train / f"dialogues/{name}.jsonl.gz"):
            texts = [turn["text"] for turn in row["turns"] if turn["role"] == "agent"]
            material["en", _split(row["id"])].sentences += [s for text in texts for s in _sentences(text)]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _split(key: object) -> Split:
    return "held_out" if blake2b(str(key).encode(), digest_size=1).digest()[0] % 20 == 0 else "train"


def _sentences(text: str) -> list[str]:
    """Return the whole sentences that are neither fragments nor too long to copy."""
    flat = " ".join(_FOOTNOTE.sub("", text).replace("``", '"').replace("''", '"').split())
    return [s for s in _SENTENCE_END.split(flat) if 15 <= len(s) <= 170 and s[-1] in ".!?" and s[0].isupper()]


def _add_passage(into: Material, text: str, questions: Sequence[str]) -> None:
    sentences = _sentences(text)
    if sentences:
        into.passages.append((sentences, [q for q in questions if 10 < len(q) < 140]))


def example(rng: Random, language: Language, split: Split, material: Material) -> Example:
    """Return one example from the texts of its language and split."""
    writer = Writer(rng, language, split)
    dice = rng.random()
    if dice < 0.2 and material.pairs:
        return _from_pair(writer, material)
    if dice < (0.75 if language == "fi" else 0.5):
        return _from_question(writer, material)
    return _from_sentences(writer, material)


def _distractors(writer: Writer, material: Material) -> list[Passage]:
    rng, made = writer.rng, []
    for _ in range(rng.choices((0, 1, 2, 3), (25, 36, 32, 7))[0]):
        if rng.random() < 0.5:
            sentences, questions = rng.choice(material.passages)
            start = rng.randrange(len(sentences))
            made.append(
                Passage(rng.choice(questions or [_name(rng, sentences[start])]), sentences[start : start + 2], [])
            )
        else:
            sentences = rng.sample(material.sentences, k=rng.randint(1, 3))
            made.append(Passage(_name(rng, sentences[0]), sentences, []))
    return made


def _place(writer: Writer, material: Material, passage: Passage, core: str, kind: str) -> Example:
    passages = ranked(writer.rng, [*_distractors(writer, material), passage])
    return writer.finish(kind, passages, core)


def _from_pair(writer: Writer, material: Material) -> Example:
    """A question with its answer (English), or a paraphrase as title and message with loose sentences (Finnish)."""
    rng = writer.rng
    title, other = rng.choice(material.pairs)
    if writer.language == "en":
        sentences = [other, *rng.sample(material.sentences, k=rng.choice((0, 0, 1, 2)))]
        return _place(writer, material, Passage(title, sentences, first_three(sentences)), title, "public pair")
    sentences = rng.sample(material.sentences, k=rng.randint(1, 4))
    return _place(writer, material, Passage(title, sentences, first_three(sentences)), other, "public pair")


def _from_question(writer: Writer, material: Material) -> Example:
    """A passage of one to five running sentences that holds the answer, and a question about it."""
    rng = writer.rng
    sentences, questions = rng.choice(material.passages)
    if not questions:
        return _from_sentences(writer, material)
    question = rng.choice(questions)
    best, shared = _answer(sentences, question)
    before, after = rng.choice(((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2), (0, 3)))
    start = max(0, best - before)
    window = sentences[start : best + after + 1]
    detail = len(window) > 3 and shared >= 2
    taken = list(range(best - start, min(best - start + 2, len(window)))) if detail else first_three(window)
    title = rng.choice((question, rng.choice(questions), _name(rng, sentences[best])))
    return _place(writer, material, Passage(title, window, taken), question, "public question")


def _from_sentences(writer: Writer, material: Material) -> Example:
    """Loose sentences under a title; the message names some words of one of them, or of the title."""
    rng = writer.rng
    sentences = rng.sample(material.sentences, k=rng.choices((1, 2, 3, 4), (30, 35, 25, 10))[0])
    first = rng.choice(sentences)
    name = _name(rng, first)
    core = rng.choice(
        (f"{name}?", f"{name}", writer.frame("about_ask", about=name) if writer.language == "en" else f"{name}??")
    )
    if material.messages and rng.random() < 0.3:
        core = f"{rng.choice(material.messages)} {core}"
    detail = len(sentences) > 3
    taken = list(range(sentences.index(first), min(sentences.index(first) + 2, len(sentences))))
    title = name if rng.random() < 0.5 else _name(rng, first)
    return _place(
        writer, material, Passage(title, sentences, taken if detail else first_three(sentences)), core, "public text"
    )


def _name(rng: Random, sentence: str) -> str:
    """Return two to five running words of a sentence, as a heading."""
    words = sentence.strip(".!?").split()
    length = rng.randint(2, 5)
    start = rng.randrange(max(1, len(words) - length + 1))
    return " ".join(words[start : start + length])


def _answer(sentences: Sequence[str], question: str) -> tuple[int, int]:
    """Return the sentence that shares most stems (five letters) with the question, and how many it shares."""
    asked = {word[:5].casefold() for word in _WORD.findall(question)}
    stems = [{word[:5].casefold() for word in _WORD.findall(s)} & asked for s in sentences]
    telling = [{s for s in found if sum(s in other for other in stems) < _COMMON} for found in stems]
    best = max(range(len(sentences)), key=lambda i: len(telling[i]))
    return best, len(telling[best])
