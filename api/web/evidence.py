"""A draft laid out for the eye: which words belong to which sentence, and what in them nobody can vouch for.

It takes what the grounding check found and knows nothing of how that was found, of requests or of HTML.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Piece:
    """A run of characters; `unsupported` where it is one of the facts that were looked for (no source has them)."""

    text: str
    unsupported: bool


@dataclass(frozen=True)
class Sentence:
    """One sentence of a draft: `gap` is the white space before it, `citations` are the numbers of its sources."""

    gap: str
    pieces: tuple[Piece, ...]
    supported: bool
    citations: tuple[int, ...]


def lay_out(text: str, sentences: Sequence[Mapping[str, Any]], unsupported_facts: Sequence[str]) -> list[Sentence]:
    """Return `text` as sentences that, gaps included, are exactly the text.

    `sentences` are the draft's, each with `text`, `supported` and `citations`, in order. Words that no sentence covers
    are shown as an unsupported sentence of their own: an agent must never read past what nobody checked.
    """
    laid, position = [], 0
    for sentence in sentences:
        start = text.find(sentence["text"], position)
        if start < 0 or not sentence["text"]:
            continue
        gap, uncovered = _split_gap(text[position:start])
        if uncovered:
            laid.append(Sentence(gap, pieces(uncovered.rstrip(), unsupported_facts), False, ()))
            gap = uncovered[len(uncovered.rstrip()) :]
        words = pieces(sentence["text"], unsupported_facts)
        laid.append(Sentence(gap, words, bool(sentence["supported"]), tuple(sentence["citations"])))
        position = start + len(sentence["text"])
    gap, uncovered = _split_gap(text[position:])
    if uncovered:
        laid.append(Sentence(gap, pieces(uncovered, unsupported_facts), False, ()))
    return laid


def pieces(sentence: str, facts: Sequence[str]) -> tuple[Piece, ...]:
    """Split a text at those of `facts` that stand in it as whole words, the longest first."""
    wanted = sorted({fact for fact in facts if fact}, key=len, reverse=True)
    if not wanted:
        return (Piece(sentence, False),)
    parts = re.split("(" + "|".join(_whole(fact) for fact in wanted) + ")", sentence)
    return tuple(Piece(part, index % 2 == 1) for index, part in enumerate(parts) if part)


def facts_in(text: str, facts: Sequence[str]) -> list[str]:
    """Return those of `facts` that stand in `text` as whole words ("3" does not stand in "30"), each once."""
    return [fact for fact in dict.fromkeys(facts) if fact and re.search(_whole(fact), text)]


def _whole(fact: str) -> str:
    return rf"(?<!\w){re.escape(fact)}(?!\w)"


def _split_gap(between: str) -> tuple[str, str]:
    """Split what stands between two sentences into its leading white space and the rest."""
    rest = between.lstrip()
    return between[: len(between) - len(rest)], rest
