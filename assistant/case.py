"""One request as it is understood: language, mood, and the persona's phrases that fit both.

It knows what a customer wrote and how the brand speaks; it knows nothing of evidence or models.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from assistant import prompt, triage
from assistant.persona import Mood, Persona
from assistant.reply import DraftRequest, DraftSentence
from assistant.sentences import readable, sentences, shorten
from knowledge.facts import facts
from models import Language, LanguageIdentifier

_PERSONAL = ("code", "phone", "email")
_OWN_AFFAIR = re.compile(r"order number|tilausnumero", re.IGNORECASE)


@dataclass
class Case:
    """What was read from a request; `signs` name what shows its mood. `timings` are milliseconds by step."""

    request: DraftRequest
    persona: Persona
    identifier: LanguageIdentifier
    message: str
    language: Language
    mood: Mood
    signs: tuple[str, ...]
    timings: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, request: DraftRequest, identifier: LanguageIdentifier, persona: Persona) -> "Case":
        """Find out what there is to know before anything is searched."""
        message = readable(request.text)
        language = request.language or reply_language(request, identifier, persona)
        seen = triage.triage(message)
        signs = tuple(reason.partition(":")[0] for reason in seen.reasons)
        return cls(request, persona, identifier, message, language, seen.mood, signs)

    @property
    def is_public(self) -> bool:
        """Whether everybody can read the reply."""
        return self.request.visibility == "public"

    @property
    def is_unclear(self) -> bool:
        """Whether the message says nothing in words, and no thanks either."""
        return triage.is_blank(self.message) and not triage.is_pleased(self.message)

    @property
    def customer(self) -> str:
        """All that the customer wrote."""
        turns = [readable(turn.text) for turn in self.request.history if turn.role == "customer"]
        return "\n".join([*turns, self.message])

    def say(self, phrases: Sequence[str]) -> list[DraftSentence]:
        """Return the sentences of one of the persona's phrases, the same for the same message."""
        return [DraftSentence(text) for text in sentences(self.persona.choose(tuple(phrases), self.message))]

    def opening(self) -> list[DraftSentence]:
        """Return a first sentence that fits the mood."""
        openings = self.persona.voice(self.language).openings
        return self.say(getattr(openings, "question" if self.mood == "thanks" else self.mood))

    def closing(self) -> list[DraftSentence]:
        """Return a last sentence that offers more help."""
        return self.say(self.persona.voice(self.language).closings)

    def phrases_alone(self) -> list[DraftSentence] | None:
        """Return a reply to a message that needs no evidence, None where it needs some."""
        voice = self.persona.voice(self.language)
        if self.is_unclear:
            return self.say(voice.unclear)
        if self.mood == "thanks":
            return self.say(voice.thanks)
        if triage.is_greeting(self.message):
            return self.say(voice.hello)
        if self.mood == "praise" and triage.asks_nothing(self.message):
            return self.say(voice.praise)
        return None

    def courtesy(self) -> list[DraftSentence]:
        """Return a kind word for a message that wants nothing, whatever it says."""
        voice = self.persona.voice(self.language)
        return self.say(voice.praise if self.mood == "praise" else voice.thanks)

    def holding(self) -> list[DraftSentence]:
        """Return the honest reply that the matter will be checked."""
        held = self.say(self.persona.voice(self.language).holding)
        return [*self.opening(), *held, *self.invitation(held)]

    def personal_data(self) -> set[str]:
        """Return the values of the codes, numbers and addresses that the customer gave of themselves."""
        return {fact.value for fact in facts(self.customer) if fact.kind in _PERSONAL}

    def invitation(self, body: Sequence[DraftSentence]) -> list[DraftSentence]:
        """Return, in public, the invitation to a private message where the customer's own affairs are meant."""
        text = " ".join(sentence.text for sentence in body)
        if self.is_public and (self.personal_data() or self.mood in ("complaint", "angry") or _OWN_AFFAIR.search(text)):
            return self.say([self.persona.voice(self.language).private_message])
        return []

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the step's milliseconds to the timings."""
        start = perf_counter()
        try:
            yield
        finally:
            self.timings[step] = round(self.timings.get(step, 0.0) + (perf_counter() - start) * 1000, 1)


def reply_language(request: DraftRequest, identifier: LanguageIdentifier, persona: Persona) -> Language:
    """Return the language of the latest message that tells one: this one's last part, all of it, then earlier ones."""
    latest = readable(request.text)
    turns = [readable(turn.text) for turn in reversed(request.history) if turn.role == "customer"]
    for text in [latest.rpartition("\n\n")[2], latest, *turns]:
        if found := identifier.identify(shorten(text, prompt.LONGEST)):
            return found
    return persona.language
