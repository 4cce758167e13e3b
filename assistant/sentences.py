"""Text → sentences, and the marks `[n]` that tie a sentence to its passages.

Knows Finnish and English punctuation: "24. joulukuuta", "klo 9.30" and "esim. näin" do not end a sentence. Knows
nothing of whether a sentence is true.
"""

import re
from dataclasses import dataclass

_MARK = r"\[\s*[0-9]+(?:\s*[,;–-]\s*[0-9]+)*\s*\]"
_MARKS = re.compile(_MARK)
# A mark may stand before the full stop or after it; in both places it belongs to the sentence that it ends.
_END = re.compile(rf"(?:[.!?…]+[\"'”’»)]*(?:\s?{_MARK})*|(?:{_MARK})+(?=\s+[^\W\d_a-zåäö]))(?=\s|$)|\n+")
_SPACE_BEFORE_STOP = re.compile(r"\s([.,!?…;:])(?=\s|$)")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:esim|mm|ym|klo|puh|ks|nro|n|ts|vrt|huom|e\.g|i\.e|mr|mrs|ms|dr|approx|tel|incl|vs)$",
    re.IGNORECASE,
)
# What no reader sees: controls, zero-width and direction signs, private and unassigned code points, lone surrogates.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ue000-\uf8ff\U000e0000-\U000e007f]"
)


@dataclass(frozen=True)
class MarkedSentence:
    """A sentence without its marks, and the numbers that the marks named, in order, each once."""

    text: str
    marks: tuple[int, ...] = ()


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, white space folded, none of them empty.

    Lines always end a sentence. Joined by blanks they are the whole text again.
    """
    found: list[str] = []
    start = 0
    for end in _END.finditer(text):
        if _ends_sentence(text, start, end):
            found.append(" ".join(text[start : end.end()].split()))
            start = end.end()
    found.append(" ".join(text[start:].split()))
    return [sentence for sentence in found if sentence]


def read_marks(text: str) -> list[MarkedSentence]:
    """Return the sentences of a language model's text, each with the passages that it names.

    A sentence that is nothing but marks gives them to the one before.
    """
    read: list[MarkedSentence] = []
    for sentence in sentences(text):
        marks = tuple(dict.fromkeys(n for mark in _MARKS.findall(sentence) for n in _numbers(mark)))
        bare = strip_marks(sentence)
        if bare.strip(" .,;:"):
            read.append(MarkedSentence(bare, marks))
        elif read:
            read[-1] = MarkedSentence(read[-1].text, tuple(dict.fromkeys(read[-1].marks + marks)))
    return read


def strip_marks(text: str) -> str:
    """Return the text without anything that reads as a mark, also where taking one out makes another: `[[1]2]`."""
    for _ in range(2):
        text = _MARKS.sub("", text)
    if _MARKS.search(text):  # nested by the thousand, one pass for each would take minutes
        text = text.replace("[", "")
    return _SPACE_BEFORE_STOP.sub(r"\1", re.sub(r"[ \t]+", " ", text)).strip()


def readable(text: str, *, marks: bool = False) -> str:
    """Return a stranger's text without what no reader sees: controls, zero-width, direction signs; marks go as well.

    `marks=True` lets them stay, for a language model's own text.
    """
    seen = _UNSEEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return seen if marks else strip_marks(seen)


def shorten(text: str, length: int) -> str:
    """Return at most `length` characters, the middle left out: people ask at the beginning or at the end."""
    if len(text) <= length:
        return text
    half = max((length - 3) // 2, 0)
    return f"{text[:half].rstrip()} … {text[len(text) - half :].lstrip()}"[:length]


def _ends_sentence(text: str, start: int, end: re.Match[str]) -> bool:
    sign = end.group()
    if sign[0] != ".":
        return True
    before = text[max(start, end.start() - 12) : end.start()]  # a window: strangers send a hundred thousand full stops
    after = text[end.end() : end.end() + 20].lstrip()[:1]
    if not after:
        return True
    if sign == "." and (_ABBREVIATION.search(before) or before.strip().isdigit()):
        return False
    # "24.12. asti", "24. joulukuuta", "24.12. 9–16": a full stop after a digit may be an ordinal's.
    if before[-1:].isdigit() and sign == ".":
        return after.isupper() or after in "[(\"”'–-"
    return not after.islower()


def _numbers(mark: str) -> list[int]:
    # Longer numbers name no passage (and Python refuses to read those of thousands of digits).
    return [int(n) for n in re.findall(r"[0-9]+", mark) if len(n) <= 3]
