"""Which sentences assert nothing: greetings, thanks, apologies, offers of help, questions back.

Conservative, since such a sentence needs no evidence: every clause must be built as one of the known forms, and may
name only what the customer or a passage has named. "I'm sorry that returns are not possible" is a claim.
"""

import re

from assistant.words import content_words, is_known, word_list
from knowledge.facts import facts

_LONGEST = 30  # words; a courtesy is short

_CLAUSES = re.compile(
    r"[,;:!–—]+\s*|\s(?=(?:and|but|ja|mutta|joten)\s)|\s(?=(?:if|when|that|jos|että|ettei|kun|jotta|kunnes)\s)"
)
_JOINER = re.compile(r"^(?:and|but|so|then|ja|mutta|joten|sekä|niin|also|too)\s+")
_SUBORDINATE = re.compile(
    r"(?:if|when|that|until|how|what|where|as soon as|because|since|while|"
    r"jos|että|ettei|kun|jotta|kunnes|miten|mitä|missä|kuinka|jota|joita|vaikka)\b"
)

_LISTS = word_list("courtesy")
_HEAD = re.compile("|".join(f"(?:{head})" for head in _LISTS["heads"]))
_INTERJECTION = re.compile("|".join(f"(?:{word})" for word in _LISTS["interjections"]))
_ASKS = re.compile("|".join(f"(?:{head})" for head in _LISTS["asks"]))
_CLAIM = re.compile(rf"\b(?:{'|'.join(_LISTS['claims'])})\b")
_MATTER = re.compile(r"^\s*(?:you\s+)?(?:about|with|for|of)\b|st[aä](?:si|nne)?$")
_VOCABULARY = frozenset(_LISTS["words"].split())
_PLAIN = frozenset(_LISTS["plain"].split())


def is_courtesy(sentence: str, named: frozenset[str] = frozenset()) -> bool:
    """Return whether a sentence asserts nothing; `named` are the content words of the customer and the passages.

    A sentence with a fact in it never does.
    """
    text = " ".join(sentence.casefold().replace("’", "'").split())
    if not any(sign.isalpha() for sign in text):
        return not facts(sentence)
    if len(text.split()) > _LONGEST or _CLAIM.search(text):
        return False
    if text.rstrip(' )"”').endswith("?") and (asks := _ASKS.match(text)):
        rest: str | None = text[asks.end() :]
    else:
        rest = _beyond_courtesies(text.rstrip(".!?… "))
    return rest is not None and _says_nothing_new(rest, named) and not facts(sentence)


def is_everyday(word: str) -> bool:
    """Return whether a word belongs to what service people say of anything."""
    return is_known(word, _VOCABULARY) or is_known(word, _PLAIN)


def _says_nothing_new(text: str, named: frozenset[str]) -> bool:
    """Return whether a text, its courteous beginnings taken off, speaks of what was named, and not of that alone.

    "I'm sorry | the café is closed" has nothing but the café: a claim. "I'm sorry | your parcel is late" is none.
    """
    rest = content_words(text)
    beside = [word for word in rest if not is_known(word, _VOCABULARY)]
    about = [word for word in beside if not is_known(word, _PLAIN)]
    if not all(is_known(word, named) for word in about):
        return False
    # "about your refund" and "palautuksesta" name a matter and say nothing of it.
    return not about or len(beside) < len(rest) or (len(rest) <= 2 and _MATTER.search(text) is not None)


def _beyond_courtesies(text: str) -> str | None:
    """Return what the clauses say beyond their courteous beginnings; None where a clause is no courtesy.

    Each clause must be a courtesy, or depend on one: before it ("If …, just ask") or after it.
    """
    courteous = pending = False
    rest: list[str] = []
    for part in _CLAUSES.split(text):
        clause = _JOINER.sub("", part.strip(" .!?…()\"”'"), count=1)
        if not any(sign.isalpha() for sign in clause) or _INTERJECTION.match(clause):
            continue
        if head := _HEAD.match(clause):
            courteous, pending = True, False
            rest.append(clause[head.end() :])
        elif _SUBORDINATE.match(clause):
            pending = pending or not courteous
            rest.append(clause)
        else:
            return None
    return " ".join(rest) if courteous and not pending else None
