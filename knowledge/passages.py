"""An entry → the passages that are searched, and the wordings of each that are embedded.

Knows text alone: no database, no index, no model.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

PASSAGE = 600
"""Characters. About what the shipped embedder reads of a Finnish text before it cuts (256 of its pieces)."""
OVERLAP = 200
"""Characters. A sentence up to this length is repeated at the start of the next passage, for what "it" there means."""

_BORDER = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+(?=[\"'“”‘(\[]?[A-ZÅÄÖŠŽ0-9•*{–-])|\s*\n\s*")
_SLOT = re.compile(r" ?\{[a-z_]{2,30}\}")
_NO_BORDER = re.compile(
    r"(?:\b\d{1,2}|\b(?:esim|ks|klo|mm|ym|yms|puh|nro|no|os|e\.g|i\.e|vs|mr|mrs|ms|dr|st|approx))\.$", re.IGNORECASE
)


class Passage(NamedTuple):
    """A part of an entry's answer under the entry's question.

    `titles` are the question and its other wordings; `text` is what a reply may quote.
    """

    titles: tuple[str, ...]
    text: str

    @property
    def title(self) -> str:
        """The question that the passage answers; empty where nothing of it may be shown."""
        return self.titles[0] if self.titles else ""

    @property
    def wordings(self) -> tuple[str, ...]:
        """What is embedded: the text under each of its titles.

        Measured: better than titles and texts apart, with half the vectors.
        """
        text = searched(self.text)
        return tuple(dict.fromkeys(f"{searched(title)}\n{text}" for title in self.titles)) or (text,)


def searched(text: str) -> str:
    """Return the text without the slots of redaction: that an order number stood there says nothing of the matter."""
    return _SLOT.sub("", text)


def passages(question: str, answer: str, alternatives: Sequence[str] = ()) -> list[Passage]:
    """Cut an entry into passages of about 600 characters, at sentence borders, with one sentence of overlap."""
    titles = tuple(dict.fromkeys(text for text in (question.strip(), *map(str.strip, alternatives)) if text))
    return [Passage(titles, text) for text in chunks(answer)]


def chunks(text: str) -> list[str]:
    """Return the text whole where it is short enough, else its sentences joined into overlapping chunks."""
    text = text.strip()
    if len(text) <= PASSAGE:
        return [text] if text else []
    found: list[str] = []
    current: list[str] = []
    for sentence in (part for s in sentences(text) for part in _cut(s)):
        if current and len(" ".join(current)) + 1 + len(sentence) > PASSAGE:
            found.append(" ".join(current))
            repeated = current[-1]
            fits = len(repeated) <= OVERLAP and len(repeated) + 1 + len(sentence) <= PASSAGE
            current = [repeated] if fits else []
        current.append(sentence)
    return [*found, " ".join(current)]


def sentences(text: str) -> list[str]:
    """Split at ends of sentences and lines, in Finnish or English: not after "24.", "esim." or "e.g."."""
    found: list[str] = []
    start = 0
    for border in _BORDER.finditer(text):
        part = text[start : border.start()]
        if "\n" not in border.group() and _NO_BORDER.search(part[-12:]):
            continue
        closing = border.group().rstrip()  # a quotation mark after the full stop belongs to the sentence
        found.append((part + closing).strip())
        start = border.end()
    found.append(text[start:].strip())
    return [sentence for sentence in found if sentence]


def _cut(sentence: str) -> list[str]:
    """Cut a "sentence" that is longer than a passage (a table, a list without stops) between words."""
    parts = []
    while len(sentence) > PASSAGE:
        space = sentence.rfind(" ", PASSAGE // 2, PASSAGE)
        end = space if space > 0 else PASSAGE
        parts.append(sentence[:end].strip())
        sentence = sentence[end:].strip()
    return [*parts, sentence] if sentence else parts
