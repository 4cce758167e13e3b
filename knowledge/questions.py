"""A customer's message → the questions in it, and whether it wants a passage at all.

Word lists of Finnish and English (questions.toml). Knows text alone: what is found for a question, `search` sees.
"""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

from knowledge.passages import sentences

MOST = 4
"""Questions of one message that are searched apart; a message that asks more is searched as a whole."""
LONGEST = 500
"""Characters of such a question at most."""

_LISTS = tomllib.loads(Path(__file__).with_name("questions.toml").read_text(encoding="utf-8"))


def _any(name: str) -> str:
    written: Sequence[str] = _LISTS[name]
    return rf"(?:{'|'.join(written)})\b"


_ASKING = re.compile(_any("asking"), re.IGNORECASE)
_LEAD = re.compile(rf"(?:\W|\b{_any('lead')})+", re.IGNORECASE)
_JOINT = re.compile(rf"(?:,\s*|\s+)(?={_any('joints')}\s+{_any('asking')})", re.IGNORECASE)
_LEANING = re.compile(rf"\W*{_any('leaning')}", re.IGNORECASE)
_FORMULAS = re.compile(rf"\b{_any('formulas')}", re.IGNORECASE)
_SMALL = frozenset(_LISTS["small"].split())
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def questions(message: str) -> tuple[str, ...]:
    """Return the questions of a message, each with the statements that lead up to it; the message whole if it has one.

    Split at sentences, and where "and can I …", "ja voiko …" begins another. A question of one word ("Why?") or one
    that only makes sense after the one before ("And to Sweden?") stays with that.
    """
    text = message.strip()
    parts: list[str] = []
    lead: list[str] = []
    for sentence in (piece.strip() for line in sentences(text) for piece in _JOINT.split(line)):
        if not sentence:
            continue
        lead.append(sentence)
        if not _asks(sentence):
            continue
        if parts and _leans(sentence):
            parts[-1] = " ".join([parts[-1], *lead])
        else:
            parts.append(" ".join(lead))
        lead = []
    if parts and lead:
        parts[-1] = " ".join([parts[-1], *lead])
    if not 2 <= len(parts) <= MOST or max(map(len, parts)) > LONGEST:
        return (text,) if text else ()
    return tuple(parts)


def needs_passage(message: str) -> bool:
    """Return whether a message wants to know or get something: not a greeting, thanks, praise or "that's all" alone.

    Careful: one word that belongs to none of these is enough to need one. A message without words needs none.
    """
    if "?" in message or any(map(str.isdigit, message)):
        return True
    left = _FORMULAS.sub(" ", message.casefold().replace("’", "'"))
    return any(word not in _SMALL and len(word) > 1 for word in _WORD.findall(left))


def _asks(sentence: str) -> bool:
    """Return whether a sentence is a question, with its mark or, as in chats, without."""
    return sentence.rstrip(" )\"'”’").endswith("?") or _begins_as_question(sentence)


def _begins_as_question(sentence: str) -> bool:
    lead = _LEAD.match(sentence)
    return _ASKING.match(sentence, lead.end() if lead else 0) is not None


def _leans(sentence: str) -> bool:
    """Return whether a question makes no sense without the one before."""
    words = _WORD.findall(sentence)
    return len(words) <= 2 or (
        len(words) <= 4 and _LEANING.match(sentence) is not None and not _begins_as_question(sentence)
    )
