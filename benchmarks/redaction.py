"""How much personal data redaction finds, and how much of what it takes is personal data.

On the sentences of tests/data, written before the rules and with the personal data marked; of each file every second
line is for looking at (dev), the others for the figure (test). And, where the public data is there, on the names in the
test split of the Turku NER corpus: Finnish news and fiction, where nobody's company states its products.
"""

import gzip
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import Measurement
from knowledge.entries import EntryContent
from knowledge.importers import jsonl
from knowledge.redaction import Span, redact, stated

MARK = re.compile(r"\[(\w+)\|([^\]]+)\]")
"""[type|text]: how the sentences mark what is personal."""

_ROOT = Path(__file__).parents[1]
_SENTENCES = _ROOT / "tests" / "data"
_CORPUS = _ROOT.parent / "shared" / "data" / "eval" / "ner" / "turku_fi.jsonl.gz"
_SAMPLE = _ROOT / "knowledge" / "sample"

Row = tuple[str, tuple[Span, ...]]
"""A text and the personal data in it."""


@dataclass
class Figures:
    """Counts of one kind of data: marked, of these found whole and with their type, taken, of these rightly."""

    marked: int = 0
    found: int = 0
    typed: int = 0
    taken: int = 0
    right: int = 0
    missed: list[str] = field(default_factory=list)

    @property
    def recall(self) -> float:
        """The share of what is personal that is gone, every letter and digit of it."""
        return self.found / self.marked if self.marked else 1.0

    @property
    def precision(self) -> float:
        """The share of what was taken that holds something personal."""
        return self.right / self.taken if self.taken else 1.0


def run() -> list[Measurement]:
    """Measure; takes some seconds."""
    measured = []
    for language, half in (("fi", "dev"), ("fi", "test"), ("en", "dev"), ("en", "test")):
        for kind, figures in measure(rows(language, half)).items():
            name = f"{kind}s, {language} {half} ({figures.marked})"
            target = "≥ 0.95" if kind == "name" else "≥ 0.98"
            measured += [
                Measurement(f"recall of {name}", figures.recall, "", target=target),
                Measurement(f"precision of {name}", figures.precision, "", target="≥ 0.95"),
                Measurement(f"right type of {name}", figures.typed / max(figures.marked, 1), ""),
            ]
    if _CORPUS.exists():
        figures = measure(_news(_CORPUS), frozenset())["name"]
        name = f"names, Turku NER test ({figures.marked})"
        measured += [
            Measurement(f"recall of {name}", figures.recall, ""),
            Measurement(f"precision of {name}", figures.precision, ""),
        ]
    return measured


def rows(language: str, half: str) -> list[Row]:
    """Return the marked sentences of a language: half "dev" or "test"."""
    lines = (_SENTENCES / f"redaction_{language}.jsonl").read_text(encoding="utf-8").splitlines()
    return [_read(json.loads(line)["marked"]) for line in lines[half == "test" :: 2]]


def measure(sentences: Iterable[Row], known: frozenset[str] | None = None) -> dict[str, Figures]:
    """Redact the sentences and count, names apart from identifiers; `known` is by default what the sample states."""
    facts = _sample() if known is None else known
    counted = {"identifier": Figures(), "name": Figures()}
    for text, marked in sentences:
        taken = redact(text, known=facts).spans
        gone = {at for span in taken for at in range(span.start, span.end)}
        for span in marked:
            figures = counted[_kind(span)]
            whole = all(at in gone for at in range(span.start, span.end) if text[at].isalnum())
            figures.marked += 1
            figures.found += whole
            figures.typed += whole and any(_overlap(span, other) and other.type == span.type for other in taken)
            if not whole:
                figures.missed.append(text[span.start : span.end])
        for span in taken:
            figures = counted[_kind(span)]
            figures.taken += 1
            figures.right += any(_overlap(span, other) for other in marked)
    return counted


def _kind(span: Span) -> str:
    return "name" if span.type == "name" else "identifier"


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _read(line: str) -> Row:
    text, spans, at = "", [], 0
    for match in MARK.finditer(line):
        text += line[at : match.start()]
        spans.append(Span(len(text), len(text) + len(match[2]), match[1]))
        text += match[2]
        at = match.end()
    return text + line[at:], tuple(spans)


def _sample() -> frozenset[str]:
    """Return what the sample's FAQ states: the sentences are of that company."""
    entries = (row for name in ("faq_fi", "faq_en") for row in jsonl.read(_SAMPLE / f"{name}.jsonl"))
    texts = ("\n".join((e.question, e.answer, *e.alternatives)) for e in entries if isinstance(e, EntryContent))
    return frozenset().union(*map(stated, texts))


def _news(corpus: Path) -> Iterator[Row]:
    """Yield the sentences of the corpus's test split with the names of persons in them."""
    with gzip.open(corpus, "rt", encoding="utf-8") as stream:
        for row in map(json.loads, stream):
            if row["split"] == "test":
                yield joined(row["tokens"], row["tags"])


def joined(tokens: list[str], tags: list[str]) -> Row:
    """Return a sentence of the corpus as one text, with the names of persons in it."""
    text, spans = "", list[Span]()
    for token, tag in zip(tokens, tags, strict=True):
        text += " " if text and token not in ".,!?:;)" else ""
        if tag == "B-PER":
            spans.append(Span(len(text), len(text) + len(token), "name"))
        elif tag == "I-PER" and spans:
            spans[-1] = spans[-1]._replace(end=len(text) + len(token))
        text += token
    return text, tuple(spans)
