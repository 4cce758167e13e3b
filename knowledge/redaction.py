"""Personal data out of a text, with a typed slot in its place: "Hei {name}, tilauksesi {order_number} lähti."

Works before anything is embedded or indexed. What the knowledge base itself states, the company's own telephone number
or a product's name, is nobody's and stays. Knows text alone: no database, no conversation.
"""

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import NamedTuple

from knowledge.identifiers import BLOT, blotted, find_identifiers, key, labels
from knowledge.names import capitalised, find_names
from knowledge.passages import sentences

VERSION = "2"
"""Changes with the rules: what older ones left in an index is looked through again."""
TYPES = ("name", *labels())
SLOT = re.compile(r"\{(" + "|".join(TYPES) + r")\}")
"""What stands in a redacted text for personal data."""

_ROUNDS = 8
_GREETING = re.compile(
    r"^(?:hei+|hei hei|moi+|moikka|moro|terve|heippa|hyvää \w+|päivää|iltaa|huomenta|arvoisa|rakas|tervehdys"
    r"|hi+|hello|hey|dear|good (?:morning|afternoon|evening))\b[^,.!?\n]{0,40}(?:[,.!?]+|$)\s*",
    re.IGNORECASE,
)
_SIGN_OFF = re.compile(
    r"^(?:(?:ystävällisi[nä]\w*|parhain|lämpimin|aurinkoisin|kahvisin|yst)\b.*(?:terv|terkui|kahvi)|terve(?:isin|isiä|hdyksin)"
    r"|terkuin|terkut|terv\b|yt\b|t[.:]|(?:best|kind|warm|many|with)\b.*\b(?:regards|wishes)|regards|cheers|sincerely|yours"
    r"|br\b|xo+\b)",
    re.IGNORECASE,
)
_SIGNED = re.compile(
    r"\s*(?:(?<=[.!?…)])|^)\s*(?:[–—/-]{1,2}|[Tt][.:])?\s*\{name\}(?:\s*[,/|]\s*[\w ]{1,30})?[.!]?\s*$"
)
_LAST_WORDS = 60  # characters: what follows a sign-off is a name and a title, unless it is longer


class Span(NamedTuple):
    """What was taken out of a text: characters [start, end) of the text as it was, and the type of the slot."""

    start: int
    end: int
    type: str


@dataclass(frozen=True)
class Redacted:
    """A text with slots in the place of personal data; everything else is as it was written."""

    text: str
    spans: tuple[Span, ...]


def redact(text: str, *, names: Iterable[str] = (), known: Set[str] = frozenset()) -> Redacted:
    """Replace the personal data of a text by slots such as `{name}`; never raises, and changes no redacted text.

    `names` are names of people in the conversation, found in every form; `known` is what the knowledge base states, as
    `stated` returns it. The types are in `TYPES`.
    """
    given = tuple(names)
    spans: list[Span] = []
    left = SLOT.sub(lambda slot: BLOT * len(slot.group()), text)
    # What is taken out changes what stands beside it, so it is looked again until nothing more is found.
    for _ in range(_ROUNDS):
        fresh = _find(left, given, known)
        if not fresh:
            break
        spans += fresh
        left = blotted(left, fresh)
    spans.sort()
    parts, at = [], 0
    for span in spans:
        parts += [text[at : span.start], f"{{{span.type}}}"]
        at = span.end
    return Redacted("".join([*parts, text[at:]]), tuple(spans))


def redact_exchange(
    question: str, answer: str, *, names: Iterable[str] = (), known: Set[str] = frozenset()
) -> tuple[Redacted, Redacted]:
    """Redact a customer's message and its reply: the names that are found in one are looked for in the other."""
    given = {*names}
    for text in (question, answer):
        given |= {
            text[start:end] for start, end, type_ in redact(text, names=given, known=known).spans if type_ == "name"
        }
    ordered = sorted(given)
    return redact(question, names=ordered, known=known), redact(answer, names=ordered, known=known)


def stated(text: str) -> frozenset[str]:
    """Return what a text of the knowledge base makes known: stems of capitalised words, and its own identifiers."""
    return capitalised(text) | {key(one.type, text[one.start : one.end]) for one in find_identifiers(text)}


def suspected(text: str) -> frozenset[str]:
    """Return what of a text would be kept if the knowledge base stated it, in the form of `stated`."""
    found: set[str] = set()
    for start, end, type_ in redact(text).spans:
        written = text[start:end]
        found |= capitalised(f"So {written.title()}") if type_ in ("name", "handle") else {key(type_, written)}
    return frozenset(found)


def unframed(text: str) -> str:
    """Return a redacted letter without its greeting and its signature, which every reply gets anew; "" if no more."""
    kept: list[str] = []
    left = sentences(text)
    for number, sentence in enumerate(left):
        if _SIGN_OFF.match(sentence):
            if len(" ".join(left[number + 1 :])) <= _LAST_WORDS:
                break
            continue
        if body := _GREETING.sub("", sentence):
            kept.append(body)
    return _SIGNED.sub("", " ".join(kept)).strip()


def _find(text: str, names: tuple[str, ...], known: Set[str]) -> list[Span]:
    """Return what is found in one look, identifiers before names, in order."""
    found = [
        Span(*one)
        for one in find_identifiers(text)
        if key(one.type, text[one.start : one.end]) not in known
        and not _is_own_handle(one.type, text[one.start : one.end], known)
    ]
    left = blotted(text, found)
    return sorted([*found, *(Span(start, end, "name") for start, end in find_names(left, names, known))])


def _is_own_handle(type_: str, written: str, known: Set[str]) -> bool:
    return type_ == "handle" and capitalised(f"So {written.lstrip('@').title()}") <= known
