"""The public texts that the bilingual encoder learns from, cleaned and split.

Pairs (an English text and its Finnish translation), questions with the passage that answers them, paraphrases, and
English alone. Reads gzipped JSON Lines from the folder that --data names (sources and licences: the model card). What
is held out is held out by document, by row of the source, and by whole sources of business text. It knows no model.
"""

import gzip
import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

Split = Literal["train", "held_out"]

HELD_OUT_SOURCES = frozenset({"City-of-Helsinki/respa", "City-of-Helsinki/parking-permits-ui", "Sylius/Sylius"})
_GLOSSARY = Path(__file__).with_name("encoder_glossary.toml")
_SERVICE = Path(__file__).with_name("encoder_service.txt")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-ZÅÄÖ0-9\"(])")
_FOOTNOTE = re.compile(r"\[\d+\]|\[[a-z]\]")
_SLOT = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{[^{}]*\}|%\([^)]*\)[sd]|%[sd]|<[^<>]+>|&nbsp;")
_WORD = re.compile(r"\w{3,}")


@dataclass
class Texts:
    """What one split holds. `questions` are (question, passages by likelihood); `both` are dolly's whole rows."""

    pairs: list[tuple[str, str]] = field(default_factory=list)
    glossary: list[tuple[str, str]] = field(default_factory=list)
    questions: list[tuple[str, str]] = field(default_factory=list)
    both: list[tuple[str, str, str, str]] = field(default_factory=list)
    paraphrases: list[tuple[str, str]] = field(default_factory=list)
    not_paraphrases: list[tuple[str, str]] = field(default_factory=list)
    english: list[str] = field(default_factory=list)


def load(data: Path) -> dict[Split, Texts]:
    """Read everything; a folder that lacks one of the files raises FileNotFoundError."""
    texts: dict[Split, Texts] = {"train": Texts(), "held_out": Texts()}
    train = data / "train"
    texts["train"].glossary = list(_glossary())
    _load_service(texts["train"])
    _load_business(train / "parallel", texts)
    _load_dolly(train / "replies/dolly_fi.jsonl.gz", texts)
    _load_questions(train / "qa", texts)
    for row in read_rows(train / "paraphrase/turku_fi.jsonl.gz"):
        part = texts[split_of(row["text1"])]
        (part.paraphrases if row["label"] else part.not_paraphrases).append((row["text1"], row["text2"]))
    texts["train"].english = list(dict.fromkeys(_english(train)))
    return texts


def split_of(key: object) -> Split:
    """Hold out a twentieth, by hash."""
    return "held_out" if blake2b(str(key).encode(), digest_size=2).digest()[0] % 20 == 0 else "train"


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, footnote marks left out."""
    return [s for s in _SENTENCE_END.split(flat(_FOOTNOTE.sub("", text))) if s]


def flat(text: str) -> str:
    """Return the text on one line, without template slots and mark-up."""
    return " ".join(_SLOT.sub(" ", text).split())


def window(passage: Sequence[str], question: str, around: int = 1) -> str:
    """Return the sentence that shares most stems (five letters) with the question, and its neighbours."""
    asked = {word[:5].casefold() for word in _WORD.findall(question)}
    shared = [len(asked & {word[:5].casefold() for word in _WORD.findall(s)}) for s in passage]
    best = max(range(len(passage)), key=shared.__getitem__)
    return " ".join(passage[max(0, best - around) : best + around + 1])


def _glossary() -> Iterator[tuple[str, str]]:
    """Read the words and sentences that were written for this project."""
    for finnish, english in tomllib.loads(_GLOSSARY.read_text(encoding="utf-8")).items():
        ours, theirs = finnish.split(" | "), english.split(" | ")
        for number in range(max(len(ours), len(theirs))):
            yield theirs[number % len(theirs)], ours[number % len(ours)]


def _load_service(texts: Texts) -> None:
    """Read customers' questions, in two wordings, and their answers: pairs, Finnish paraphrases, question → answer.

    They are few and nearest to what the encoder is for, so that they count several times.
    """
    for line in _SERVICE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            asked, hurried, answer, asked_en, hurried_en, answer_en = line.split(" | ")
            texts.glossary += [(asked_en, asked), (hurried_en, hurried), (answer_en, answer)] * 2
            texts.paraphrases += [(asked, hurried)] * 4
            texts.questions += [(asked, answer), (hurried, answer)] * 8
            texts.both += [(asked, answer, asked_en, answer_en), (hurried, answer, hurried_en, answer_en)] * 4


def _load_business(folder: Path, texts: dict[Split, Texts]) -> None:
    for row in read_rows(folder / "business_en_fi.jsonl.gz"):
        held = row["source"] in HELD_OUT_SOURCES
        en, fi = flat(row["en"]), flat(row["fi"])
        if 2 <= len(en) < 600 and 2 <= len(fi) < 600 and any(map(str.isalpha, en)):
            texts["held_out" if held else split_of(en)].pairs.append((en, fi))
    for row in read_rows(folder / "email_templates_en_fi.jsonl.gz"):
        english, finnish = ([s for s in map(flat, row[key].split("\n")) if s] for key in ("en", "fi"))
        if len(english) == len(finnish):
            texts["train"].pairs += zip(english, finnish, strict=True)


def _load_dolly(path: Path, texts: dict[Split, Texts]) -> None:
    for row in read_rows(path):
        part = texts[split_of(row["id"])]
        question, question_en = flat(row["question"]), flat(row.get("question_en") or "")
        if not question_en:
            continue
        part.pairs.append((question_en, question))
        for key in ("context", "reply"):
            fi, en = sentences(row.get(key) or ""), sentences(row.get(f"{key}_en") or "")
            if len(fi) == len(en):
                part.pairs += [(e, f) for e, f in zip(en, fi, strict=True) if _alike(e, f)]
        context, context_en = (" ".join(sentences(row.get(key) or ""))[:600] for key in ("context", "context_en"))
        if context and context_en:
            part.both.append((question, context, question_en, context_en))


def _alike(en: str, fi: str) -> bool:
    """Say whether two sentences at the same place can be translations: alike in length, and in their numbers."""
    ratio = len(fi) / len(en)
    return 0.5 < ratio < 2 and 8 < len(en) < 400 and set(re.findall(r"\d{2,}", en)) == set(re.findall(r"\d{2,}", fi))


def _load_questions(folder: Path, texts: dict[Split, Texts]) -> None:
    for name in ("squad2_fi", "nq_fi"):
        passages = {row["cid"]: row for row in read_rows(folder / f"{name}_contexts.jsonl.gz")}
        split = {cid: sentences(row["context"]) for cid, row in passages.items()}
        for row in read_rows(folder / f"{name}_questions.jsonl.gz"):
            passage = split[row["cid"]]
            if passage and len(row["question"]) > 8:
                part = texts[split_of(f"{name}{passages[row['cid']]['doc']}")]
                part.questions.append((row["question"], window(passage, row["question"])[:700]))


def _english(train: Path) -> Iterator[str]:
    """English service talk: it has no translation here, but its words are those that customers use."""
    for row in read_rows(train / "messages/multidogo_customer.jsonl.gz"):
        if len(row["text"]) > 25 and split_of(row["text"]) == "train":
            yield flat(row["text"])
    for row in read_rows(train / "replies/dstc9_faq_to_reply.jsonl.gz"):
        yield from (row["question"], row["answer"])
    for name in ("sgd", "star"):
        for row in read_rows(train / f"dialogues/{name}.jsonl.gz"):
            yield from (flat(t["text"]) for t in row["turns"][:6:2] if len(t["text"]) > 25)


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a gzipped JSON Lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
