"""The slots of past replies: filled from the present conversation, or dropped with their sentence.

What an agent once wrote to somebody holds slots such as `{order_number}` where that person's data was. Here they get
what this customer wrote of themselves. Knows no other customer, and lets no slot through.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from assistant.persona import first_name
from assistant.reply import DraftRequest
from assistant.sentences import readable, sentences, shorten
from knowledge.redaction import redact
from knowledge.search import Match

FILLED = frozenset(
    ("order_number", "booking_number", "customer_number", "invoice_number", "reference_number", "tracking_number")
) | {"email", "phone"}
"""What a reply may repeat to the person who wrote it, beside their first name. Accounts, cards, identity codes and home
addresses are never repeated."""

_LONGEST = 4_000  # characters of a message that are looked through

_SLOT = re.compile(r"\{([a-z_]+)\}")
_BRACED = re.compile(r"\{\s*\w*\s*\}")
# A name is put in only where somebody is addressed by it: elsewhere it was said of somebody else, and in Finnish it
# would need another form ("Soitan {name}" was "Soitan Matille").
_ADDRESSED = re.compile(
    r"(?:(?<=^)|(?<=, )|(?<=\bhei )|(?<=\bmoi )|(?<=\bkiitos )|(?<=\bhi )|(?<=\bhello )|(?<=\bdear )|(?<=\bthanks )"
    r"|(?<=\bthank you ))\{name\}(?=\s*(?:[,!?.…]|$))",
    re.IGNORECASE,
)


def details(request: DraftRequest) -> dict[str, str]:
    """Return by type what the customer wrote of themselves in this conversation, and their first name.

    In public nothing is repeated. Of two order numbers neither is taken: which one was meant is for a human to say.
    """
    if request.visibility == "public":
        return {}
    seen: dict[str, set[str]] = {}
    turns = [turn.text for turn in request.history if turn.role == "customer"]
    for told in (*turns, request.text):
        text = shorten(readable(told), _LONGEST)
        for start, end, type_ in redact(text).spans:
            seen.setdefault(type_, set()).add(" ".join(text[start:end].split()))
    known = {type_: values.pop() for type_, values in seen.items() if type_ in FILLED and len(values) == 1}
    name = first_name(request.customer_name)
    return known | ({"name": name} if name else {})


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return the text with its slots filled, without sentences that have one which cannot be; "" if none is left."""
    if "{" not in text:
        return text
    kept = []
    for sentence in sentences(text):
        filled = _ADDRESSED.sub(lambda _: values.get("name", "{}"), sentence)
        filled = _SLOT.sub(lambda slot: values.get(slot[1], "{}") if slot[1] in FILLED else "{}", filled)
        if not _BRACED.search(filled):
            kept.append(filled)
    return " ".join(kept)


def fitted(matches: Iterable[Match], values: Mapping[str, str]) -> list[Match]:
    """Return the matches as they may be quoted to this customer; a past reply of which nothing is left goes."""
    return [fit for match in matches if (fit := _fitted(match, values)).answer]


def _fitted(match: Match, values: Mapping[str, str]) -> Match:
    if match.kind == "faq":
        return match
    answer = fill(match.answer, values)
    passage = fill(match.passage, values)
    return replace(match, question=fill(match.question, values), answer=answer, passage=passage or answer)
