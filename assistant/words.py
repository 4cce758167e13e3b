"""Words as evidence: which words of a text carry its content, and whether two are forms of one word.

Finnish and English alike, by the Snowball stemmers of tantivy and by common beginnings. Knows no meaning.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import tantivy

_LISTS = Path(__file__).parent / "wordlists"
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def word_list(name: str) -> dict[str, Any]:
    """Read a list that ships beside this module: plain words in one string, or regular expressions in a list."""
    return tomllib.loads((_LISTS / f"{name}.toml").read_text(encoding="utf-8"))


FUNCTION_WORDS = frozenset(word_list("function_words")["words"].split())


def words(text: str) -> list[str]:
    """Return the words of a text in order, small letters, without digits."""
    return [word.replace("’", "'") for word in _WORD.findall(text.casefold())]


def content_words(text: str) -> list[str]:
    """Return the words that carry content, in order."""
    return [word for word in words(text) if word not in FUNCTION_WORDS and len(word) > 1]


@lru_cache(maxsize=50_000)
def stems(word: str) -> tuple[str, str]:
    """Return a word's Finnish and English stem, in small letters."""
    finnish, english = _stemmers()
    return _stem(finnish, word), _stem(english, word)


def same_word(one: str, other: str) -> bool:
    """Return whether two words in small letters are forms of one: pussi, pusseja; palautus, palautuksen.

    Words of three quarters in common with endings of at most four letters count, since stemmers miss much of Finnish;
    "maksuton" and "maksullinen" do not.
    """
    return one == other or _same_stem(one, other) or _same_beginning(one, other)


def is_known(word: str, among: frozenset[str]) -> bool:
    """Return whether a form of the word is among others; compounds are known by their last part as well."""
    if word in among:
        return True
    index = _index(among)
    return (
        any(stem in known and len(stem) > 2 for stem, known in zip(stems(word), index.stems, strict=True))
        or any(_same_beginning(word, other) for other in index.by_beginning.get(word[:4], ()))
        or any(word[at:] in among for at in range(4, len(word) - 4))
        or (len(word) > 4 and word in index.endings)
    )


@dataclass(frozen=True)
class _Index:
    """A set of words made ready to be asked: a vocabulary is asked for every word of every sentence."""

    stems: tuple[frozenset[str], frozenset[str]]
    by_beginning: dict[str, list[str]]
    endings: frozenset[str]


@lru_cache(maxsize=256)
def _index(among: frozenset[str]) -> _Index:
    pairs = [stems(word) for word in among]
    by_beginning: dict[str, list[str]] = {}
    for word in among:
        by_beginning.setdefault(word[:4], []).append(word)
    endings = frozenset(word[at:] for word in among for at in range(4, len(word) - 4))
    return _Index((frozenset(fi for fi, _ in pairs), frozenset(en for _, en in pairs)), by_beginning, endings)


def _same_stem(one: str, other: str) -> bool:
    return any(a == b and len(a) > 2 for a, b in zip(stems(one), stems(other), strict=True))


def _same_beginning(one: str, other: str) -> bool:
    common = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        common += 1
    shorter, longer = sorted((len(one), len(other)))
    return common >= 4 and common >= 0.75 * shorter and longer - common <= 4


@cache
def _stemmers() -> tuple[tantivy.TextAnalyzer, tantivy.TextAnalyzer]:
    finnish, english = (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw()).filter(tantivy.Filter.stemmer(language)).build()
        for language in ("finnish", "english")
    )
    return finnish, english


def _stem(analyzer: tantivy.TextAnalyzer, word: str) -> str:
    return "".join(analyzer.analyze(word)) or word
