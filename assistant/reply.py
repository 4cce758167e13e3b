"""What drafting is asked and what it answers: a reply as it would be sent, sentence by sentence, with its sources.

It knows the shape of a draft and how a body is framed; how the body comes about is in `drafting`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from assistant.persona import Persona
from assistant.sentences import sentences
from models import Language
from models.chat import Turn

Status = Literal["ready", "abstained"]
Origin = Literal["model", "extract", "template"]


@dataclass(frozen=True)
class DraftRequest:
    """What a customer wrote and what is known of the conversation.

    `text` holds all their unanswered messages, newest last, with a blank line between two; `history` is what was said
    before, oldest first. `language` overrides the language found; `instruction` is an agent's wish for another draft.
    """

    text: str
    history: tuple[Turn, ...] = ()
    customer_name: str | None = None
    language: Language | None = None
    visibility: Literal["private", "public"] = "private"
    channel: str | None = None
    instruction: str | None = None


@dataclass(frozen=True)
class DraftSentence:
    """A sentence as it stands in the text. One that asserts nothing is supported with no citations."""

    text: str
    supported: bool = True
    citations: tuple[int, ...] = ()


@dataclass(frozen=True)
class DraftCitation:
    """A source as it was when the draft was written; `n` is what sentences cite it by."""

    n: int
    entry_id: int
    external_id: str
    title: str
    excerpt: str
    url: str | None
    revision: int
    language: Language | None = None


@dataclass(frozen=True)
class Guidance:
    """An internal entry, for the agent's eyes alone: nothing of it is in the draft."""

    entry_id: int
    title: str
    excerpt: str


@dataclass(frozen=True)
class DraftReply:
    """A draft. `text` is exactly what would be sent; its sentences, in order, cover all of it that is not blank.

    `abstained`: the evidence is weak, and the text is an honest holding reply. `origin`: the model's own text, the best
    passage's own sentences in the persona's frame, or the persona's phrases alone. `confidence` is 0 to 1, None where
    the draft abstains. `model` is None where no model wrote or tried.
    """

    status: Status
    origin: Origin
    language: Language
    text: str
    sentences: tuple[DraftSentence, ...]
    unsupported_facts: tuple[str, ...]
    citations: tuple[DraftCitation, ...]
    confidence: float | None
    model: str | None
    snapshot: str
    prompt_version: str
    timings_ms: dict[str, float] = field(default_factory=dict)
    guidance: tuple[Guidance, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the JSON document of `aspa draft --json`.

        `guidance` is there only where there is some, a citation's `language` only where it is not the reply's.
        """
        return {
            "status": self.status,
            "origin": self.origin,
            "language": self.language,
            "text": self.text,
            "sentences": [
                {"text": s.text, "supported": s.supported, "citations": list(s.citations)} for s in self.sentences
            ],
            "unsupported_facts": list(self.unsupported_facts),
            "citations": [
                {
                    "n": c.n,
                    "entry_id": c.entry_id,
                    "external_id": c.external_id,
                    "title": c.title,
                    "excerpt": c.excerpt,
                    "url": c.url,
                    **({"language": c.language} if c.language not in (None, self.language) else {}),
                }
                for c in self.citations
            ],
            **({"guidance": [asdict(entry) for entry in self.guidance]} if self.guidance else {}),
            "confidence": self.confidence,
            "model": self.model,
            "timings_ms": dict(self.timings_ms),
        }


def framed(
    body: Sequence[DraftSentence], *, persona: Persona, language: Language, name: str | None
) -> tuple[str, tuple[DraftSentence, ...]]:
    """Put the persona's greeting, sign-off and disclosure around a body; return the text and all of its sentences."""
    greeting = persona.greeting(language, name)
    ending = persona.ending(language)
    text = "\n\n".join([greeting, " ".join(sentence.text for sentence in body), *ending])
    around = [DraftSentence(sentence) for paragraph in ending for sentence in sentences(paragraph)]
    return text, (DraftSentence(greeting), *body, *around)
