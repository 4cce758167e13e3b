"""The machine-learning models: text in; vectors, languages and text out.

They know nothing of databases, HTTP, settings or customers. This module holds the interfaces alone and imports no
torch, so that a program can name a model without paying for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypedDict

import numpy as np
from numpy.typing import NDArray

Language = Literal["en", "fi"]
LANGUAGES: tuple[Language, ...] = ("en", "fi")

Vectors = NDArray[np.float32]

Role = Literal["question", "passage"]
"""What a text is embedded as. Some models want to know: a question lies near the passages that answer it."""


class ModelError(Exception):
    """A model cannot be loaded or run. The message is one sentence that says what to do."""


class ChatMessage(TypedDict):
    """One turn of a chat, in the form that tokenizers' chat templates read."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Generation:
    """What a language model wrote.

    `finished` is false where the text was cut at `max_new_tokens` rather than ended by the model.
    """

    text: str
    prompt_tokens: int
    new_tokens: int
    finished: bool


class Embedder(Protocol):
    """Texts → unit vectors in one space, so that an inner product is a cosine."""

    @property
    def name(self) -> str:
        """Identifies the model and its version: vectors of different names cannot be compared."""

    @property
    def dimension(self) -> int:
        """The length of a vector."""

    def embed(self, texts: Sequence[str], *, role: Role = "passage") -> Vectors:
        """Return float32 of shape (len(texts), dimension), each row of length 1, in the order of the texts."""


class LanguageModel(Protocol):
    """Chat → text, deterministically (greedy decoding)."""

    @property
    def name(self) -> str:
        """Identifies the model and its version in the record of a draft."""

    @property
    def context_tokens(self) -> int:
        """How many tokens of prompt and reply together the model can hold."""

    def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        """Return the length in tokens of the prompt that `generate` would make of these messages."""

    def generate(self, messages: Sequence[ChatMessage], *, max_new_tokens: int = 200) -> Generation:
        """Write the next assistant turn.

        Raises ModelError where prompt and `max_new_tokens` do not fit the context.
        """


class LanguageIdentifier(Protocol):
    """Which of our languages a text is written in."""

    def identify(self, text: str) -> Language | None:
        """Return the language, or None where the text does not tell (digits, emoji, a bare name)."""
