"""Deterministic stand-ins for the models, so that everything around them is tested without weights.

They know the interfaces and the prompt's form, no machine learning.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from models import ChatMessage, Generation, ModelError, Role, Vectors

_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r".+?[.!?…](?=\s|$)|.+$", re.DOTALL)
_OPENING = {"en": "Thank you for your message.", "fi": "Kiitos viestistäsi."}
_CLOSING = {"en": "Just write to us if anything is unclear.", "fi": "Laita viestiä, jos jokin jäi epäselväksi."}


class FakeEmbedder:
    """Hashed bag of words: texts that share words are near, whatever their order. A text without words gets axis 0."""

    def __init__(self, dimension: int = 64) -> None:
        self.dimension = dimension
        self.name = f"fake-{dimension}"

    def embed(self, texts: Sequence[str], *, role: Role = "passage") -> Vectors:
        """Return one unit vector per text, the same for the same text in every process and every role."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in _WORD.findall(text.casefold()):
                row[
                    int.from_bytes(blake2b(word.encode(errors="replace"), digest_size=4).digest()) % self.dimension
                ] += 1
            if not row.any():
                row[0] = 1
            row /= np.linalg.norm(row)
        return vectors


class FakeLanguageModel:
    """Copies the first sentences of passage 1, each with its mark, between a fixed opening and closing.

    It replies in Finnish where the system message begins with "fi", else in English. A token is a word.
    """

    def __init__(self, *, sentences: int = 2, context_tokens: int = 512) -> None:
        self.name = "fake-1"
        self.context_tokens = context_tokens
        self._sentences = sentences

    def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        """Return the number of words in all messages."""
        return sum(len(message["content"].split()) for message in messages)

    def generate(self, messages: Sequence[ChatMessage], *, max_new_tokens: int = 200) -> Generation:
        """Write the reply, cut after `max_new_tokens` words; raises ModelError where it does not fit the context."""
        prompt_tokens = self.count_tokens(messages)
        if prompt_tokens + max_new_tokens > self.context_tokens:
            raise ModelError(
                f"The prompt of {prompt_tokens} tokens and {max_new_tokens} new ones do not fit the model's "
                f"{self.context_tokens}: give it fewer or shorter passages."
            )
        system = next((m["content"] for m in messages if m["role"] == "system"), "")
        language = "fi" if system.startswith("fi") else "en"
        facts = _first_passage(messages)[: self._sentences]
        words = " ".join([_OPENING[language], *(f"{fact} [1]" for fact in facts), _CLOSING[language]]).split()
        return Generation(
            text=" ".join(words[:max_new_tokens]),
            prompt_tokens=prompt_tokens,
            new_tokens=min(len(words), max_new_tokens),
            finished=len(words) <= max_new_tokens,
        )


def _first_passage(messages: Sequence[ChatMessage]) -> list[str]:
    """Return the sentences of the passage numbered 1 in the last user message, none where there is no passage."""
    user = next((m["content"] for m in reversed(messages) if m["role"] == "user"), "")
    lines = user.split("\n")
    if len(lines) < 2 or not lines[0].startswith("[1] "):
        return []
    return [match.group().strip() for match in _SENTENCE.finditer(lines[1])]
