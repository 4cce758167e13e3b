"""What kind of message this is: its mood, how urgent it is, whether it needs a reply.

Word lists of Finnish and English, with the reason for every verdict; both languages are always looked at, since people
mix them. It decides nothing about the answer.
"""

import re
from dataclasses import dataclass

from assistant.persona import Mood
from assistant.words import content_words, word_list
from models import Language, LanguageIdentifier

LONGEST = 10_000
"""Characters that are looked at; a message of a hundred thousand says how it is meant at its beginning."""


@dataclass(frozen=True)
class Triage:
    """`urgency` is 0 (none) to 3 (now); `reasons` name what was seen, each once, in the order of the message."""

    language: Language | None
    urgency: int
    needs_reply: bool
    mood: Mood
    reasons: tuple[str, ...]


def triage(text: str, identifier: LanguageIdentifier | None = None) -> Triage:
    """Read one message. Its language is None without an identifier, and where the text does not tell."""
    seen = _seen(text[:LONGEST])
    mood = _mood(text[:LONGEST], seen)
    return Triage(
        language=identifier.identify(text) if identifier else None,
        urgency=_urgency(seen, mood),
        needs_reply=mood != "thanks",
        mood=mood,
        reasons=tuple(f"{sign}: {word}" for sign, word in seen.items()),
    )


def urgency(text: str, language: Language | None = None) -> int:
    """Return how soon a human should look, 0 to 3, whichever language the message is in."""
    return triage(text).urgency


def is_blank(text: str) -> bool:
    """Return whether nothing is said in words: empty, digits, signs or emoji alone."""
    return not any(sign.isalpha() for sign in text)


def is_pleased(text: str) -> bool:
    """Return whether a text has emoji that say thanks."""
    return bool(_GLAD_EMOJI.search(text)) and not _ANGRY_EMOJI.search(text)


def is_greeting(text: str) -> bool:
    """Return whether a message is a greeting and nothing more, so that the reply can only ask how to help."""
    return not is_blank(text) and not _rest(text)


_GLAD_EMOJI = re.compile("[👍👏🙏😊😀😃😄😁🥰😍🤩❤💛💚💙💜🧡🤎🖤💖💕😘🤗🙂☺🎉✨🌟⭐💯]")
_ANGRY_EMOJI = re.compile("[😡😠🤬😤👎🖕💢]")

_LISTS = word_list("triage")
_PLEASANTRIES = re.compile(rf"\b(?:{'|'.join(_LISTS.pop('pleasantries').split())})\b", re.IGNORECASE)
# A question is known by how its words begin: onko, onkohan, onks.
_SEARCHES = {
    sign: re.compile(
        "".join((r"(?<!\w)(?:", "|".join(written), ")" if sign == "question" else r")(?!\w)")), re.IGNORECASE
    )
    for sign, written in _LISTS.items()
}


def _seen(text: str) -> dict[str, str]:
    """Return each sign that is there with the words that show it."""
    seen = {sign: match.group().strip() for sign, search in _SEARCHES.items() if (match := search.search(text))}
    if _ANGRY_EMOJI.search(text) or re.search(r"!{3,}|\?!|!\?|\?{3,}", text) or _is_shouted(text):
        glad = ("praise" in seen or _GLAD_EMOJI.search(text)) and "trouble" not in seen
        if not glad:
            seen.setdefault("anger" if _ANGRY_EMOJI.search(text) else "loud", "signs")
    return seen


def _is_shouted(text: str) -> bool:
    words: list[str] = re.findall(r"[^\W\d_]{3,}", text)
    loud = sum(word.isupper() for word in words)
    return loud >= 3 or (loud >= 2 and loud * 2 >= len(words))


def _mood(text: str, seen: dict[str, str]) -> Mood:
    """Return the mood that the reply has to take up: the strongest first."""
    upset = "trouble" in seen or "again" in seen or "leaving" in seen
    if "anger" in seen or (upset and ("loud" in seen or "leaving" in seen)):
        return "angry"
    if upset or "safety" in seen:
        return "complaint"
    if is_blank(text):
        return "thanks" if is_pleased(text) else "confusion"
    if _asks_nothing(text, seen):
        return "praise" if "praise" in seen else "thanks" if "thanks" in seen else "question"
    if "confusion" in seen:
        return "confusion"
    return "praise" if "praise" in seen and "?" in text else "question"


def asks_nothing(text: str) -> bool:
    """Return whether a message thanks or praises and wants nothing."""
    return _asks_nothing(text[:LONGEST], _seen(text[:LONGEST]))


def _asks_nothing(text: str, seen: dict[str, str]) -> bool:
    """Return whether a message thanks or praises and wants nothing.

    "Tilauksen peruutus, kiitos" wants something: there the thanks come last, after words of their own.
    """
    if "question" in seen or "hurry" in seen or not ("thanks" in seen or "praise" in seen or is_pleased(text)):
        return False
    if re.search(r"[0-9]", text) or len(text.split()) > 40:
        return False
    return bool(
        "praise" in seen
        or is_pleased(text)
        or len(_rest(_SEARCHES["thanks"].sub(" ", text))) <= 1
        or bool(
            re.match(
                r"\W*(?:(?:ok|okei|joo|jees|hei|moi|hi|great|super|perfect|no|selvä|hyvä)\W+)?(?:many |iso |suuri )?"
                r"(?:thank|thx|kiit|cheers)",
                text,
                re.IGNORECASE,
            )
            and "but" not in text.casefold().split()
            and "mutta" not in text.casefold().split()
        )
    )


def _rest(text: str) -> list[str]:
    """Return the content words beside greetings."""
    return content_words(_PLEASANTRIES.sub(" ", text))


def _urgency(seen: dict[str, str], mood: Mood) -> int:
    if "safety" in seen or "law" in seen or "press" in seen:
        return 3
    if mood == "angry":
        return 3 if "again" in seen or "hurry" in seen else 2
    if mood == "complaint":
        return 2 if "again" in seen or "hurry" in seen else 1
    return 1 if "hurry" in seen and mood in ("question", "confusion") else 0
