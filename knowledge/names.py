"""Where a text names a person: by lists of names in all their forms, by capitals, and by what stands around.

A capital inside a sentence is a name unless the word is a place, a brand or a common one, or the knowledge base itself
writes it so. Knows no identifiers of other kinds; which texts are looked through is for `redaction`.
"""

import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

from knowledge.inflection import bare, forms, without_clitic
from knowledge.keywords import stems
from knowledge.unlisted import Surroundings, chance

_LISTS = Path(__file__).parent / "wordlists"
_CASE = r"n|t|a|ä|en|in|iin|ta|tä|lle|lla|llä|lta|ltä|ssa|ssä|sta|stä|ksi|na|nä"
_WORD = re.compile(rf"[^\W\d_]+(?:[-‑'’][^\W\d_]+)*(?::(?:{_CASE})\b)?")
_CAPITALISED = re.compile(r"\b[A-ZÅÄÖÆØÉÜŠŽÁÓÍÇŁ][\w'’-]*")
_ENDS = ".!?…:;\n•*"
_NEAR = 12  # characters that are looked at around a word
_JOIN = re.compile(r"[ \u00a0]|\.[ \u00a0]?")
_OUTER = re.compile(r"ll[eaä]$|lt[aä]$")
_STREET = re.compile(r"(?:kat(?:u|ua)|kad(?:un|ulla|ulle|ulta)|tie|tien|tiell[eä]|tieltä|kuja\w{0,3})$")
# What ends so is a surname also where a sentence begins with it: Himanen, Granlund.
_SURNAME = re.compile(
    r"..(?:[aouyäö]nen|(?:qvist|ström|lund|berg|holm|gren|blom|sson)(?:i?n|ille|ill[aä]|ilt[aä]|ista)?)$"
)
LIKELY = 0.03
"""The chance from which a word that opens a sentence is taken for a name."""
UNLIKELY = 0.005
"""The chance under which a capitalised word inside a sentence is taken for none."""
_COMPANY = frozenset(("oy", "ab", "ltd", "inc", "gmbh", "oyj", "ry", "llc", "plc", "studio"))

_I = re.IGNORECASE
_GREETING = re.compile(
    r"\b(?:hei+|moi+|moikka|moro|terve|heippa|huomenta|päivää|iltaa|arvoisa|rakas|hyvä|kiitos"
    r"|hi+|hello|hey+|dear|good (?:morning|afternoon|evening)|thanks|thank you(?: so much| very much)?|cheers)[ ,]+",
    _I,
)
_SIGN_OFF = re.compile(
    r"\b(?:terv(?:eisin|eiset|ehdyksin)?|terkuin|terkut|t(?=[.:])|yt|kiittäen|regards|wishes|sincerely|yours|br"
    r"|(?:best|cheers|thanks|thx|kiitos)(?=\s*[,\n]))\b[\s,.:!–—-]*"
    r"|(?<=[\s.!?,\x00])[–—/-]{1,2}\s?(?=[^\W\d_])",
    _I,
)
_INTRODUCED = re.compile(
    r"\b(?:nimi on|nimeni on|nimi(?=:)|nimellä|nimelle|nimeltä|nimeltään|nimiin|name is|name's|names?(?=:)|named"
    r"|under the name(?: of)?|change the name to|(?:i am|i'm|im|it's|its|this is|olen)(?=\s[^\W\d_]))\b:?\s*",
    _I,
)
_CERTAIN_INTRODUCTION = re.compile(r"nim|name", _I)
_RELATION = re.compile(
    r"\b(?:herra|rouva|neiti|hra|rva|tohtori|tri|mrs?|ms|miss|dr|prof|professor|aunt|uncle|grandm\w+|grandp\w+|perhe"
    r"|vaimo\w*|mies|mieheni|poikani|tyttäreni|äitini|isäni|sisko\w*|velje\w*|naapurini|kollegani|ystäväni|asiakas"
    r"|my (?:\w+ )?(?:wife|husband|son|daughter|mother|father|sister|brother|neighbour|neighbor|friend|colleague"
    r"|partner))\.?\s+",
    _I,
)


@dataclass(frozen=True)
class _Lexicon:
    """The word lists in all their forms, small letters."""

    first: frozenset[str]
    any_first: frozenset[str]
    last: frozenset[str]
    any_last: frozenset[str]
    places: frozenset[str]
    brands: frozenset[str]
    others: frozenset[str]


@dataclass
class _Word:
    """A word where it stands; `key` is its form in small letters without a hung-on ending, `opens` a sentence."""

    text: str
    start: int
    end: int
    opens: bool
    key: str = field(init=False)

    def __post_init__(self) -> None:
        self.key = bare(self.text)

    @property
    def capital(self) -> bool:
        return self.text[0].isupper()

    @property
    def shouted(self) -> bool:
        return len(self.text) > 1 and self.text.isupper()

    @property
    def bare_end(self) -> int:
        """Where the name ends: "Charlotte" in "Charlotte's"."""
        apostrophe = re.search(r"['’]s$", self.text)
        return self.end - (2 if apostrophe else 0)


def find_names(text: str, given: Iterable[str] = (), known: Set[str] = frozenset()) -> list[tuple[int, int]]:
    """Return where names of persons stand, first and last names together, in order.

    `given` are names that are looked for in any form and spelling, whatever `known` says; `known` are the stems, as
    `capitalised` returns them, of the words that the knowledge base writes with a capital.
    """
    words = _words(text)
    found = _Names(text, words, known)
    found.given(given)
    found.listed()
    found.addressed()
    found.signed()
    found.introduced()
    found.neighbours()
    return found.spans()


def candidates(text: str) -> Iterator[tuple[int, int, bool, Surroundings]]:
    """Yield where a text has a capitalised word that no list says to be none's name, whether it opens a sentence, and
    what stands around it: what `unlisted` is fitted on."""
    words = _words(text)
    names = _Names(text, words, frozenset())
    for place, word in enumerate(words):
        if word.capital and not word.shouted and len(word.text) > 1 and not names.is_other(word):
            yield word.start, word.end, word.opens, names.surroundings(place)


def capitalised(text: str) -> frozenset[str]:
    """Return the stems of the words that a text writes with a capital inside a sentence: how a brand is written."""
    return frozenset(
        stem
        for match in _CAPITALISED.finditer(text)
        if not _opens(text, match.start())
        for stem in _stems(match.group())
    )


class _Names:
    """The words of one text, and which of them have been found to be names."""

    def __init__(self, text: str, words: list[_Word], known: Set[str]) -> None:
        self._text, self._words, self._known = text, words, known
        self._starts = [word.start for word in words]
        self._lexicon = _lexicon()
        self._found: set[int] = set()

    def given(self, names: Iterable[str]) -> None:
        """Find the names that are known from elsewhere."""
        wanted = _given_forms(tuple(names))
        self._found |= {place for place, word in enumerate(self._words) if self._in(word, wanted)}

    def listed(self) -> None:
        """Find the names of the lists, and what is written with a capital inside a sentence and is nothing else."""
        for place, word in enumerate(self._words):
            if self._is_known(word):
                continue
            first = self._is_first(word)
            if (
                (first and (word.capital or not self.is_other(word)))
                or (word.capital and self._in(word, self._lexicon.last))
                or (word.capital and not word.shouted and self._is_unheard_of(place) and self._is_name_like(place))
            ):
                self._found.add(place)

    def addressed(self) -> None:
        """Find who is greeted, thanked, or named by a title or as kin: "Hei Matti!", "rouva Koski", "my son leo"."""
        for pattern in (_GREETING, _RELATION):
            for match in pattern.finditer(self._text):
                self._take(match.end(), 3, small=pattern is _RELATION)

    def signed(self) -> None:
        """Find who signs: after a sign-off, or alone on the last line or after the last sentence."""
        for match in _SIGN_OFF.finditer(self._text):
            weak = not match.group()[0].isalpha()
            self._take(match.end(), 4, small=not weak, certain=not weak and self._ends(match.end()))
        alone = re.search(r"[.!?…\n]([^\d.!?…,:;\n]{2,60})$", self._text.rstrip())
        if alone and len(alone[1].split()) <= 3:
            self._take(alone.start(1), 3, small=True)

    def introduced(self) -> None:
        """Find who is introduced: "my name is …", "nimellä …"; in small letters too where it is certain."""
        for match in _INTRODUCED.finditer(self._text):
            certain = bool(_CERTAIN_INTRODUCTION.match(match.group()))
            self._take(match.end(), 3, small=certain, certain=certain)

    def neighbours(self) -> None:
        """Find the rest of names of which a part was found: surnames after first names, and single letters."""
        for place in sorted(self._found):
            self._extend(place, 1)
            self._extend(place, -1)

    def spans(self) -> list[tuple[int, int]]:
        """Return the names, neighbours joined."""
        spans: list[tuple[int, int]] = []
        for place in sorted(self._found):
            word = self._words[place]
            if spans and place - 1 in self._found and _JOIN.fullmatch(self._text[spans[-1][1] : word.start]):
                spans[-1] = (spans[-1][0], word.bare_end)
            else:
                spans.append((word.start, word.bare_end))
        return spans

    def _take(self, start: int, most: int, *, small: bool, certain: bool = False) -> None:
        """Take up to so many words from a place on, as long as each may be part of a name.

        In small letters only where `small`, and then words of the lists only, unless it is `certain` that a name comes.
        """
        at = start
        for place in range(self._first_from(start), len(self._words)):
            word = self._words[place]
            gap = self._text[at : word.start]
            if (
                place - self._first_from(start) >= most
                or (at != start and not _JOIN.fullmatch(gap))
                or (at == start and gap.strip(' "“('))
            ):
                return
            if not self._may_be_taken(word, small, certain):
                return
            self._found.add(place)
            at = word.end

    def _may_be_taken(self, word: _Word, small: bool, certain: bool) -> bool:
        named = self._is_first(word, any_=True) or self._is_last(word, any_=True)
        if self._is_known(word) and not self._is_first(word, any_=True):
            return False
        if word.capital:
            return not self.is_other(word) or (named and not word.opens)
        if certain:
            return named or not self.is_other(word)
        closed = re.match(r"\s*(?:[.,!?\n]|$)", self._text[word.end :])
        return not self.is_other(word) and ((small and named) or (named and closed is not None))

    def _extend(self, place: int, step: int) -> None:
        while 0 <= place + step < len(self._words):
            one, other = self._words[place], self._words[place + step]
            left, right = (one, other) if step > 0 else (other, one)
            if not _JOIN.fullmatch(self._text[left.end : right.start]) or place + step in self._found:
                return
            gap = self._text[left.end : right.start]
            if not self._belongs(one, other, step, gap):
                return
            place += step
            self._found.add(place)

    def _belongs(self, one: _Word, other: _Word, step: int, gap: str) -> bool:
        """Return whether `other`, before or after the name `one`, is part of the same name."""
        if len(other.text) == 1:
            sign_off = other.opens and other.key == "t"  # "T. Matti"
            return other.capital and not sign_off and (other.key != "i" or "." in gap)
        if "." in gap and len((one if step > 0 else other).text) > 1:
            return False
        if not other.capital:
            return step > 0 and not one.capital and self._is_first(one, any_=True) and self._is_last(other, any_=True)
        if self._is_last(other, any_=True) if step > 0 else self._is_first(other, any_=True):
            return True
        if other.opens and not self._is_last(one, any_=True):  # "Avaa Asetukset": a sentence begins, not a name
            return False
        return not self.is_other(other) and not self._is_known(other) and not (other.shouted and not one.shouted)

    def _is_unheard_of(self, place: int) -> bool:
        """Return whether a capitalised word is neither a common one nor part of a product's or a company's name."""
        word = self._words[place]
        around = (
            self._text[max(word.start - 12, 0) : word.start].split(" ")[-2:]
            + self._text[word.end : word.end + 12].split(" ")[1:2]
        )
        if any(any(sign.isdigit() for sign in piece) for piece in around) and not self._is_last(word, any_=True):
            return False
        before = self._words[place - 1] if place else None
        if before and before.capital and before.key in self._lexicon.brands and before.end == word.start - 1:
            return self._is_last(word, any_=True)
        after = self._words[place + 1].key if place + 1 < len(self._words) else ""
        if _STREET.search(word.key) and not self._is_last(word, any_=True):
            return False
        return len(word.text) > 1 and not self.is_other(word) and after not in _COMPANY

    def _is_name_like(self, place: int) -> bool:
        """Return whether a word that is on no list is a name: for its end, or as its letters and neighbours go."""
        word = self._words[place]
        if _SURNAME.search(word.key):
            return True
        return chance(self.surroundings(place), opens=word.opens) >= (LIKELY if word.opens else UNLIKELY)

    def surroundings(self, place: int) -> Surroundings:
        """Return a word with what stands beside it."""
        word = self._words[place]
        before = self._words[place - 1] if place and not word.opens else None
        after = self._words[place + 1] if place + 1 < len(self._words) else None
        if after and after.opens:
            after = None
        gap = self._text[word.end : after.start if after else word.end + 2]
        hints = [f"before {hint}" for hint in self._hints(before)] + [f"after {hint}" for hint in self._hints(after)]
        hints += ["may be first"] * (self._is_first(word, any_=True) and not self._is_first(word))
        hints += ["may be last"] * (self._is_last(word, any_=True) and not self._is_last(word))
        return Surroundings(
            word.key,
            word.text,
            before.text if before else "",
            self._text[before.end : word.start] if before else "",
            gap,
            after.text if after else "",
            tuple(hints),
        )

    def _hints(self, word: _Word | None) -> Iterator[str]:
        if word and word.capital:
            yield from ["first"] * self._is_first(word)
            yield from ["last"] * self._is_last(word)
            yield from ["other"] * self.is_other(word)

    def _ends(self, start: int) -> bool:
        """Return whether at most four words follow."""
        return len(self._words) - self._first_from(start) <= 4

    def _first_from(self, start: int) -> int:
        return bisect_left(self._starts, start)

    def _is_first(self, word: _Word, *, any_: bool = False) -> bool:
        return self._in(word, self._lexicon.any_first if any_ else self._lexicon.first)

    def _is_last(self, word: _Word, *, any_: bool = False) -> bool:
        return self._in(word, self._lexicon.any_last if any_ else self._lexicon.last)

    def is_other(self, word: _Word) -> bool:
        """Return whether a word is a common one, a brand, or a place in a form in which places are spoken of."""
        if word.key in self._lexicon.others or without_clitic(word.key) in self._lexicon.others:
            return True
        return word.key in self._lexicon.places and not (word.key in self._lexicon.any_last and _OUTER.search(word.key))

    def _is_known(self, word: _Word) -> bool:
        # The stemmer takes "Yöjuna" and "Yöjunaa" for two words.
        each = (_stems(word.text), _stems(word.text[:-1]) if word.key[-1] in "aän" else ())
        return any(own and all(stem in self._known for stem in own) for own in each)

    @staticmethod
    def _in(word: _Word, among: Set[str]) -> bool:
        if word.key in among or without_clitic(word.key) in among:
            return True
        first, dash, last = word.key.rpartition("-")
        return bool(dash) and first in among and last in among


def _words(text: str) -> list[_Word]:
    return [
        _Word(match.group(), match.start(), match.end(), _opens(text, match.start())) for match in _WORD.finditer(text)
    ]


def _opens(text: str, start: int) -> bool:
    """Return whether a sentence or a line begins at a place."""
    before = text[max(start - _NEAR, 0) : start].rstrip(" \"'“”‘’»«([–—-\t\u00a0")
    return before[-1:] in _ENDS if before else start < _NEAR


def _stems(word: str) -> tuple[str, ...]:
    return tuple(stems(bare(word), "fi"))


@lru_cache(maxsize=1024)
def _given_forms(names: tuple[str, ...]) -> frozenset[str]:
    others = _lexicon().others
    parts = [part for name in names for part in _WORD.findall(name) if len(part) > 1]
    # A customer may call themselves "Happy Customer": common words in small letters stay.
    return frozenset().union(*(forms(part) for part in parts if part.casefold() not in others))


@cache
def _lexicon() -> _Lexicon:
    names = _list("names")
    others = _list("not_names")
    first_or_word, last_or_word = _all_forms(names["first_or_word"]), _all_forms(names["last_or_word"])
    first, last = _all_forms(names["first"]), _all_forms(names["last"])
    brands = _all_forms(others["brands"])
    common = _all_forms(others["words"]) | brands | frozenset(others["as_they_are"].split())
    return _Lexicon(
        first=first - first_or_word - common,
        any_first=first | first_or_word,
        last=last - common,
        any_last=last | last_or_word,
        places=_all_forms(others["places"]),
        brands=brands,
        others=common,
    )


def _list(name: str) -> dict[str, str]:
    return tomllib.loads((_LISTS / f"{name}.toml").read_text(encoding="utf-8"))


def _all_forms(words: str) -> frozenset[str]:
    return frozenset(form for word in words.split() for form in (forms(word) if len(word) > 2 else {word}))
