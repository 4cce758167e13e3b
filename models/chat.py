"""The one form in which evidence and a customer's message are put to a language model.

The shipped model is trained on exactly this form, so it lives beside the models; what is put in it (rules, persona,
which passages) is the caller's. A chat template may read less than is here: the shipped model's template keeps only
the first line of the system message, which holds all that it was trained to heed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from models import ChatMessage, Language


@dataclass(frozen=True)
class Evidence:
    """One passage that the reply may use: the question it answers (or its title) and its text."""

    title: str
    text: str


@dataclass(frozen=True)
class Turn:
    """An earlier message of the conversation."""

    role: Literal["customer", "agent"]
    text: str


def grounded_chat(
    *,
    language: Language,
    brand: str,
    rules: str,
    evidence: Sequence[Evidence],
    history: Sequence[Turn],
    message: str,
) -> list[ChatMessage]:
    """Return the chat that asks for a reply to `message` from numbered evidence.

    `language` is the language to reply in, `evidence` is numbered from 1 in the order given, `history` is oldest first
    and does not repeat `message`. The reply that is asked for is the body alone: sentences, each fact followed by the
    mark `[n]` of the passage it was taken from; greeting and signature are added by the caller.
    """
    system = f"{language} · {brand}\n{rules}".rstrip()
    parts = [f"[{n}] {one_line(e.title)}\n{one_line(e.text)}" for n, e in enumerate(evidence, start=1)]
    parts += [f"{turn.role}: {one_line(turn.text)}" for turn in history]
    parts.append(f"customer: {one_line(message)}")
    return [{"role": "system", "content": system}, {"role": "user", "content": "\n".join(parts)}]


def one_line(text: str) -> str:
    """Fold white space, so that no text can begin a line and pass itself off as a passage or another speaker."""
    return " ".join(text.split())
