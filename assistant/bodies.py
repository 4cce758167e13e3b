"""What a message says, without what is put around it: greeting, sign-off, signature, the line that names AI.

Knows how letters begin and end in Finnish and English, and the persona's own words for it. Nothing of who wrote it.
"""

import re
from collections import Counter
from functools import lru_cache

from assistant.courtesy import is_courtesy
from assistant.persona import Persona
from assistant.sentences import readable, sentences
from models import Language

LANGUAGES: tuple[Language, ...] = ("en", "fi")
REWRITTEN = 0.5
"""The share of words that the bodies of draft and reply have in common below which an agent wrote another reply."""
SIGNATURE = 80
"""Characters. What follows a sign-off is a name and a title unless it is longer."""

_HELLO = (
    r"hei+(?:ppa)?|hei hei|moi+(?:kka)?|moro|terve|tervehdys|päivää|hyvää (?:päivää|huomenta|iltaa)|huomenta|iltaa|"
    r"arvoisa|hyvä|rakas|hi+|hello|hey|dear|good (?:morning|afternoon|evening)"
)
_NAME = r"(?:[A-ZÅÄÖÉÜ][\w'’.-]*|\{\w+\}|there|all|team|taas|vaan|kaikki|asiakas|customer|sir|madam)"
# Only names may follow the greeting: "hi when do you open" and "Hyvä palvelu, mutta …" are no greetings.
_GREETING = re.compile(
    rf"\A\s*(?:(?i:{_HELLO})\b(?:\s+{_NAME}){{0,3}}|(?i:hei|moi|terve|hi|hello|hey|dear)\s+\w+(?=\s*[,!\n]))"
    r"\s*(?:[,!.:–-]+\s*|\n\s*|\Z)"
)
_SIGN_OFF = re.compile(
    r"(?:^|(?<=[.!?…]))[ \t]*(?:(?:ystävälli\w+|parhain|lämpimin|aurinkoisin|mukavin|kevätter\w*)\b[^.\n]{0,30}terv\w*|"
    r"terve(?:isin|isiä|hdyksin)|terv\b|terkuin|terkut|yst\.? ?terv|yt\b|"
    r"(?:best|kind|warm|many|kindest|warmest)\b[^.\n]{0,20}\b(?:regards|wishes)|regards|cheers|sincerely|yours\s\w+|br(?=,))"
    r"[ \t]*[.,!]*[ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
# "Thanks,\nAnna" and "t. Liisa" at the very end.
_SIGNED = re.compile(
    r"(?:^|(?<=[.!?…]))[ \t]*"
    r"(?:(?i:thanks|thank you|kiitos|kiittäen|kiitoksin)[,!.]*[ \t]*\n|(?i:t[.:]|--?|–)[ \t]*)\s*"
    r"(?:[A-ZÅÄÖÉÜ{][\w'’}.-]*\s*){1,3}\Z",
    re.MULTILINE,
)
_PROMISE = re.compile(
    r"\b(?:palaa(?:n|mme)\b.*\basia|(?:selvit|tarkist|kysy)\w+\b.*\bpalaa(?:n|mme)|(?:get|come|write|be) back to you|"
    r"(?:i|we)(?:.ll| will) (?:look into|check|find out|ask))\b",
    re.IGNORECASE,
)


def body(text: str, persona: Persona) -> str:
    """Return what a customer's message or a reply says, its lines kept; "" where it is all greeting and signature."""
    text = readable(text).strip()
    for ending in _endings(persona):
        text = ending.sub("", text)
    text = _unsigned(text.strip())
    for greeting in (*_greetings(persona), _GREETING):
        text = greeting.sub("", text, count=1)
    return text.strip()


def substance(text: str, persona: Persona) -> list[str]:
    """Return the sentences of a body that say something: neither courtesies nor phrases of the persona.

    Empty for thanks, for a promise to check and come back, for a greeting.
    """
    phrases = _phrases(persona)
    said = sentences(body(text, persona))
    return [one for one in said if not (_plain(one) in phrases or is_courtesy(one) or _PROMISE.search(one))]


def trimmed(text: str, persona: Persona) -> str:
    """Return a body without the persona's phrases at its beginning and end."""
    phrases = _phrases(persona)
    said = sentences(body(text, persona))
    while said and _plain(said[0]) in phrases:
        said.pop(0)
    while said and _plain(said[-1]) in phrases:
        said.pop()
    return " ".join(said)


def is_rewritten(drafted: str, sent: str) -> bool:
    """Return whether an agent wrote another reply instead of the draft: see `REWRITTEN`.

    A draft is greeting, body and ending, a blank line between them: greeting and ending stay and do not count.
    """
    parts = [part.strip() for part in drafted.split("\n\n")]
    frame = {parts[0], *parts[2:]} if len(parts) > 1 else set()
    rest = " ".join(part for part in sent.split("\n\n") if part.strip() not in frame)
    return similarity(parts[min(1, len(parts) - 1)], rest) < REWRITTEN


def similarity(one: str, other: str) -> float:
    """Return the share of words that two texts have in common, 0 to 1 (Dice), whatever their order and case.

    Two texts without words are alike.
    """
    first, second = Counter(_words(one)), Counter(_words(other))
    if not first or not second:
        return float(not first and not second)
    return 2 * (first & second).total() / (first.total() + second.total())


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _plain(sentence: str) -> str:
    return " ".join(_words(sentence))


def _unsigned(text: str) -> str:
    """Cut the last sign-off and the signature under it; a "sign-off" with much text after it is none."""
    found = list(_SIGN_OFF.finditer(text))
    if found and len(text) - found[-1].end() <= SIGNATURE:
        text = text[: found[-1].start()]
    return _SIGNED.sub("", text)


@lru_cache(maxsize=8)
def _endings(persona: Persona) -> list[re.Pattern[str]]:
    told = persona.model_copy(update={"disclose": True})
    return [_exactly(part) for language in LANGUAGES for part in told.ending(language)]


@lru_cache(maxsize=8)
def _greetings(persona: Persona) -> list[re.Pattern[str]]:
    """The persona's greetings, to anybody: what stands in the name's place ends with the line."""
    found = []
    for language in LANGUAGES:
        for name in ("Nobody", None):
            pattern = _exactly(persona.greeting(language, name)).pattern
            found.append(re.compile(r"\A" + pattern.replace("Nobody", r"[^\n,]{1,40}"), re.IGNORECASE))
    return found


@lru_cache(maxsize=8)
def _phrases(persona: Persona) -> frozenset[str]:
    """Every sentence that the persona says of itself, in either language."""
    found: set[str] = set()
    for language in LANGUAGES:
        for value in persona.voice(language).model_dump().values():
            for phrases in value.values() if isinstance(value, dict) else [value]:
                for phrase in [phrases] if isinstance(phrases, str) else phrases:
                    filled = persona.choose((phrase,), "")
                    found.update(_plain(sentence) for sentence in sentences(filled))
    return frozenset(found - {""})


def _exactly(text: str) -> re.Pattern[str]:
    return re.compile(r"\s+".join(map(re.escape, text.split())), re.IGNORECASE)
