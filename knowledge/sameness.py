"""Whether two entries answer the same question, and whether they then say the same or deny each other.

Precise rather than complete: a pair that nobody needs to look at costs a maintainer's trust. In one language two
questions are the same where everything that one is about is in the other entry too; across languages vectors tell.
Knows texts and an embedder; which pairs are worth comparing is in `duplicates`.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Literal, TypedDict

from knowledge.facts import Fact, facts
from knowledge.keywords import stems
from knowledge.passages import sentences
from models import Language

Kind = Literal["duplicate", "contradiction"]

NEARLY = 0.6
"""Of the words of two answers so many are shared where they say nearly the same (Dice's measure)."""
SAME_MATTER = 0.6
"""The same of two sentences whose facts are about the same thing."""
IN_REPLY = 0.75
"""The same where one of them stands in a past reply, whose question is a whole message."""
LONGEST = 4_000
"""Characters of an answer that are compared."""

_WORD = re.compile(r"\w+(?:[-‑]\w+)*")
_YES = re.compile(r"\s*(?:yes|kyllä|joo)\b", re.IGNORECASE)
_NO = re.compile(r"\s*(?:no|ei|emme|et)\b(?! ole)", re.IGNORECASE)
_ASKING: Mapping[str, object] = tomllib.loads(
    (Path(__file__).parent / "wordlists" / "asking.toml").read_text(encoding="utf-8")
)
_WHOLE = frozenset(_ASKING["whole"])  # type: ignore[call-overload]
_BEGIN: tuple[str, ...] = tuple(_ASKING["begin"])  # type: ignore[arg-type]
_GROUPS: Mapping[str, tuple[str, ...]] = {
    name: tuple(words)
    for name, words in _ASKING["asked"].items()  # type: ignore[attr-defined]
}
_HOURS = {f"number:{hour}": f"time:{hour % 24:02}:00" for hour in range(25)}
_MOMENT = frozenset({"time", "weekday", "date"})
_DURATION = frozenset({"day", "workday", "month", "minute", "second", "number"})
_ANSWERS: Mapping[str, frozenset[str]] = {
    "money": frozenset({"money", "percent"}),
    "duration": _DURATION | {"piece", "person"},
    "moment": _MOMENT,
    "when": _MOMENT | _DURATION,
    "phone": frozenset({"phone"}),
}
_COMPARED = frozenset({"money", "percent", "phone", "email", "piece", "person", "gram", "litre", "metre", "degree"})
_COMPARED |= _MOMENT | _DURATION
_IN_REPLIES = frozenset({"money", "percent", "time", "day", "workday", "month", "minute"})
"""Dates, numbers and phones in a reply are mostly the customer's own."""


class Difference(TypedDict):
    """Two facts that differ, as they are written."""

    entry: str
    other: str


@dataclass(frozen=True)
class Said:
    """What an entry says: its question and the other wordings of it, and its answer."""

    questions: tuple[str, ...]
    answer: str
    language: Language | None
    past_reply: bool = False


@dataclass(frozen=True)
class Verdict:
    """What two entries are to each other, and the facts by which they contradict each other."""

    kind: Kind
    differences: tuple[Difference, ...] = ()


def compare(one: Said, other: Said, *, alike: bool) -> Verdict | None:
    """Return what is wrong with the two standing beside each other, None where nothing is.

    `alike`: whether vectors hold the questions for the same, whatever their languages. Past replies are compared with
    FAQ entries alone, sentence by sentence in one language; translations that agree are no duplicates.
    """
    if one.past_reply or other.past_reply:
        if one.past_reply == other.past_reply or one.language != other.language:
            return None
        differences = _differing_sentences(one, other)
        return Verdict("contradiction", tuple(differences)) if differences else None
    asked = _asked(one.questions), _asked(other.questions)
    if asked[0] and asked[1] and not asked[0] & asked[1]:
        return None
    one_language = one.language == other.language
    if not alike or (one_language and not _same_matter(one, other)):
        return None
    wanted = (asked[0] & asked[1]) or asked[0] or asked[1] or _COMPARED
    differences = _differing(one, other, wanted, one_language=one_language)
    if differences:
        return Verdict("contradiction", tuple(differences))
    return Verdict("duplicate") if one_language and _same_answer(one, other) else None


def topic(text: str, language: Language | None) -> list[str]:
    """Return the words that say what a text is about, each as itself and stemmed the text's way: `word stem`."""
    found = dict.fromkeys(_WORD.findall(text.lower()))
    return [f"{word} {_stem(word, language)}" for word in found if not _is_asking(word) and len(word) > 1]


def _stem(word: str, language: Language | None) -> str:
    return "".join(stems(word, language or "en"))


def _is_asking(word: str) -> bool:
    groups = (begin for begins in _GROUPS.values() for begin in begins)
    return word in _WHOLE or word.isdigit() or word.startswith(_BEGIN) or word.startswith(tuple(groups))


def _same(one: str, other: str) -> bool:
    """Tell whether two words of a topic are forms of one: the same stem, or the same beginning."""
    word, stem = one.split(" ", 1)
    second, second_stem = other.split(" ", 1)
    if word == second or (stem and stem == second_stem):
        return True
    common = next(
        (n for n, (a, b) in enumerate(zip(word, second, strict=False)) if a != b), min(len(word), len(second))
    )
    return common >= max(4, 0.7 * max(len(word), len(second)))


@lru_cache(maxsize=16_384)
def _words(text: str, language: Language | None) -> tuple[str, ...]:
    return tuple(topic(text[:LONGEST], language))


@lru_cache(maxsize=16_384)
def _beginnings(text: str, language: Language | None) -> frozenset[str]:
    """Return what two words have in common, at the least, that `_same` holds for one."""
    return frozenset(key for both in _words(text, language) for key in (both.split(" ")[0][:4], both.split(" ", 1)[1]))


def _in(word: str, words: Iterable[str]) -> bool:
    return any(_same(word, other) for other in words)


def _overlap(one: Sequence[str], other: Sequence[str]) -> float:
    """Dice's measure over words, forms of one word counting as one."""
    if not one or not other:
        return 0.0
    shared = sum(_in(word, other) for word in one) + sum(_in(word, one) for word in other)
    return shared / (len(one) + len(other))


def _same_matter(one: Said, other: Said) -> bool:
    """Tell whether some wordings are about the same: all that one names, the other entry names too."""
    keys = [
        frozenset().union(*(_beginnings(question, said.language) for question in said.questions))
        for said in (one, other)
    ]
    if not keys[0] & keys[1]:
        return False
    about = [[_words(question, said.language) for question in said.questions] for said in (one, other)]
    answers = [_words(said.answer, said.language) for said in (one, other)]
    return any(
        any(_in(word, theirs) for word in mine)
        and all(_in(word, (*theirs, *answers[1])) for word in mine)
        and all(_in(word, (*mine, *answers[0])) for word in theirs)
        for mine, theirs in product(*about)
    )


def _asked(questions: Sequence[str]) -> frozenset[str]:
    """Return the kinds of facts that answer the questions; empty where their words do not tell."""
    found: set[str] = set()
    for word in _WORD.findall(questions[0].lower()) if questions else ():
        for name, begins in _GROUPS.items():
            if word.startswith(begins):
                found |= _ANSWERS[name]
    return frozenset(found)


def _dimension(fact: Fact) -> str:
    """Return what can be compared: days with days, euros with euros."""
    head, *rest = fact.value.split(":")
    if head == "money":
        return f"money {rest[-1]}"
    return "weekday" if head == "weekdays" else head


@lru_cache(maxsize=16_384)
def _spans(text: str, language: Language | None) -> Mapping[str, tuple[tuple[Fact, ...], ...]]:
    """Return the facts of a text by what they can be compared with; a range, which is two facts, as one.

    A range of numbers that may be hours ("open from 6 to 21") counts as hours.
    """
    spans: dict[tuple[str, int, int], list[Fact]] = {}
    for fact in facts(text[:LONGEST], language):
        spans.setdefault((_dimension(fact), fact.start, fact.end), []).append(fact)
    for (dimension, start, end), span in list(spans.items()):
        if dimension == "number" and len(span) > 1 and all(fact.value in _HOURS for fact in span):
            hours = [replace(fact, kind="time", value=_HOURS[fact.value]) for fact in span]
            spans["time", start, end] = hours
            del spans[dimension, start, end]
    found: dict[str, list[tuple[Fact, ...]]] = {}
    for (dimension, _, _), span in spans.items():
        found.setdefault(dimension, []).append(tuple(span))
    return {dimension: tuple(dict.fromkeys(each)) for dimension, each in found.items()}


@lru_cache(maxsize=16_384)
def _offered(text: str, language: Language | None) -> frozenset[str]:
    spans = (span for each in _spans(text, language).values() for span in each)
    return frozenset(value for span in spans for fact in span for value in fact.offers())


def _unlike(one: Said, other: Said, dimension: str) -> list[tuple[Fact, ...]]:
    """Return the facts of one that the other does not say, whatever it says instead."""
    offered = _offered(other.answer, other.language)
    spans = _spans(one.answer, one.language).get(dimension, ())
    return [span for span in spans if any(not fact.says() & offered for fact in span)]


def _differing(one: Said, other: Said, wanted: frozenset[str], *, one_language: bool) -> list[Difference]:
    """Return the facts that answer the same question differently."""
    found: list[Difference] = []
    polarity = _polarity(one.answer), _polarity(other.answer)
    if all(polarity) and polarity[0] != polarity[1]:
        found.append({"entry": _first_word(one.answer), "other": _first_word(other.answer)})
    both = _spans(one.answer, one.language).keys() & _spans(other.answer, other.language).keys()
    for dimension in sorted(both):
        if dimension.split(" ")[0] not in wanted & _COMPARED:
            continue
        mine, theirs = _unlike(one, other, dimension), _unlike(other, one, dimension)
        counts = [len(_spans(said.answer, said.language)[dimension]) for said in (one, other)]
        if len(mine) == len(theirs) == 1 and counts[0] == counts[1] and (counts[0] == 1 or dimension != "number"):
            found.append({"entry": mine[0][0].text, "other": theirs[0][0].text})
        elif one_language and dimension != "number":
            found += _aligned(one, other, mine, theirs, SAME_MATTER)
    return found


def _differing_sentences(one: Said, other: Said) -> list[Difference]:
    """Return the facts that a reply states otherwise than an FAQ entry in sentences about the same."""
    found: list[Difference] = []
    for dimension in sorted(_spans(one.answer, one.language).keys() & _spans(other.answer, other.language).keys()):
        if dimension.split(" ")[0] in _IN_REPLIES:
            mine, theirs = _unlike(one, other, dimension), _unlike(other, one, dimension)
            found += _aligned(one, other, mine, theirs, IN_REPLY)
    return found


def _aligned(
    one: Said, other: Said, mine: list[tuple[Fact, ...]], theirs: list[tuple[Fact, ...]], least: float
) -> list[Difference]:
    """Return the pairs of facts that stand in sentences about the same, each fact once."""
    found: list[Difference] = []
    left = list(theirs)
    for span in mine:
        words = _around(one, span)
        best = max(left, key=lambda each: _overlap(words, _around(other, each)), default=None)
        if best is None or len(words) < 2:
            continue
        around = _around(other, best)
        if len(around) > 1 and _overlap(words, around) >= least and _one_matter(words, around):
            found.append({"entry": span[0].text, "other": best[0].text})
            left.remove(best)
    return found


def _one_matter(words: Sequence[str], around: Sequence[str]) -> bool:
    """Tell whether at most one of two sentences names something of its own: where both do, each is about its own."""
    return all(_in(word, around) for word in words) or all(_in(word, words) for word in around)


def _around(said: Said, span: tuple[Fact, ...]) -> tuple[str, ...]:
    """Return what the sentence of a fact is about."""
    at = 0
    text = said.answer[:LONGEST]
    for sentence in sentences(text):
        start = text.find(sentence, at)
        at = start + len(sentence)
        if start <= span[0].start < at:
            return _words(sentence, said.language)
    return ()


def _polarity(answer: str) -> Literal["yes", "no"] | None:
    return "yes" if _YES.match(answer) else "no" if _NO.match(answer) else None


def _first_word(text: str) -> str:
    found = _WORD.search(text)
    return found.group() if found else ""


def _same_answer(one: Said, other: Said) -> bool:
    """Tell whether two answers in one language say nearly the same: the same facts in much the same words."""
    mine, theirs = (Counter(_spans(said.answer, said.language).keys()) for said in (one, other))
    if mine != theirs or any(_unlike(one, other, d) or _unlike(other, one, d) for d in mine):
        return False
    return _overlap(_words(one.answer, one.language), _words(other.answer, other.language)) >= NEARLY
