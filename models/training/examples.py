"""What the model is trained on: one example is a grounded chat and the reply that a good agent would write to it.

An example is a pure function of (seed, index, split): nothing is stored, a resumed training sees what an uninterrupted
one would have seen. Three kinds: service talk from written phrases, public text in the same frame, drills in copying.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from models import ChatMessage, Language
from models.chat import Evidence, Turn, grounded_chat
from models.training import slots
from models.training.phrases import Phrases, Split, load, part_of

MOODS = ("question", "complaint", "again", "confusion", "praise", "urgent")
_MOOD_WEIGHTS = (46, 20, 8, 9, 8, 9)
_FIRST = 0.6  # share of examples in which a passage that answers comes first for sure
_MOOD_WORDS = {
    "question": None, "complaint": "upset", "again": "still", "confusion": "confused", "praise": "thanks",
    "urgent": "hurry",
}  # fmt: skip


@dataclass(frozen=True)
class Example:
    """One chat, its reply, and the facts in the reply as (sentence, number of its passage)."""

    kind: str
    language: Language
    messages: list[ChatMessage]
    reply: str
    facts: list[tuple[str, int]]


@dataclass(frozen=True)
class Passage:
    """Evidence in sentences, and which of them the reply takes (none: a distractor)."""

    title: str
    sentences: list[str]
    taken: list[int]


class Writer:
    """Writes the frame around facts: brand, wrapped message, earlier turns, opening, closing."""

    def __init__(self, rng: Random, language: Language, split: Split) -> None:
        self.rng, self.language, self.split = rng, language, split
        self.phrases: Phrases = load(language)
        self.branch = rng.choice(self.phrases.branches_of(split))
        self.product = rng.choice(self.phrases.branches[self.branch])
        self.mood = rng.choices(MOODS, _MOOD_WEIGHTS)[0]

    def say(self, template: str, **more: str) -> str:
        """Fill the slots of a template and begin it with a capital, unless it is written in lower case on purpose."""
        text = template.format(**(slots.fill(self.rng, self.language, self.product) | more))
        return text[:1].upper() + text[1:] if template[:1] == "{" and template[-1:] in ".!?" else text

    def frame(self, kind: str, **more: str) -> str:
        """Return a filled frame of a kind, of the writer's split."""
        return self.say(self.rng.choice(part_of(self.phrases.frames[kind], self.split)), **more)

    def wrap(self, core: str) -> str:
        """Put a greeting, a mood and a farewell around what is asked, then write it as hastily as people do."""
        rng = self.rng
        parts = [self.frame("hello")] if rng.random() < 0.4 else []
        parts += [self.frame("before")] if rng.random() < 0.25 else []
        words = _MOOD_WORDS[self.mood]
        if words:
            text = self.frame(words)
            parts += [text, core] if rng.random() < 0.6 else [core, text]
        else:
            parts.append(core)
        parts += [self.frame("after")] if rng.random() < 0.25 else []
        return hasty(rng, " ".join(parts), self.language)

    def opening(self) -> str:
        """Return the first sentence, which fits the mood.

        There are few of them, and none names the matter: greedy decoding would always choose the same one of many, and
        a small model names the wrong matter ("I'm sorry it suffered in the wash") in words that hold no fact to check.
        """
        return self.frame(self.mood)

    def closing(self) -> str:
        """Return the last sentence, which fits the mood."""
        sorry = self.mood in ("complaint", "again") and self.rng.random() < 0.6
        return self.frame("closing_sorry" if sorry else "closing")

    def history(self) -> list[Turn]:
        """Return earlier turns: usually none, always some where somebody writes for the second time."""
        if self.mood != "again" and self.rng.random() < 0.82:
            return []
        turns = [Turn("customer", hasty(self.rng, self.frame("customer_turn"), self.language))]
        if self.rng.random() < 0.8:
            turns.append(Turn("agent", self.frame("agent_turn")))
        return turns

    def finish(self, kind: str, passages: Sequence[Passage], core: str) -> Example:
        """Put everything together; the passages are numbered in the order given."""
        facts = [(p.sentences[i], n) for n, p in enumerate(passages, start=1) for i in p.taken]
        if self.rng.random() < 0.15:
            facts.sort(key=lambda fact: fact[1])
        brand = slots.brand(self.rng, self.phrases, self.language)
        messages = grounded_chat(
            language=self.language,
            brand=brand,
            rules="",
            evidence=[Evidence(p.title, " ".join(p.sentences)) for p in passages],
            history=self.history(),
            message=self.wrap(core),
        )
        body = [f"{sentence} [{n}]" for sentence, n in facts]
        reply = " ".join([self.opening(), *body, self.closing()])
        return Example(kind, self.language, messages, reply, facts)


def hasty(rng: Random, text: str, language: Language) -> str:
    """Return the text as written in haste: now and then in lower case, without full stops, with letters amiss."""
    if rng.random() < 0.25:
        text = text.lower()
    if rng.random() < 0.12:
        text = text.rstrip(".?!")
    if rng.random() < 0.06:
        text = text.upper()
    if language == "fi" and rng.random() < 0.05:
        text = text.translate(str.maketrans("äöÄÖ", "aoAO"))
    if rng.random() < 0.2:
        letters = list(text)
        for _ in range(rng.randint(1, 3)):
            i = rng.randrange(len(letters) - 1)
            if letters[i].isalpha() and letters[i + 1].isalpha():
                letters[i], letters[i + 1] = (
                    rng.choice(((letters[i + 1], letters[i]), (letters[i], ""), (letters[i] * 2, letters[i + 1])))
                    if letters[i]
                    else (letters[i], letters[i + 1])
                )
        text = "".join(letters)
    if rng.random() < 0.08:
        text = text.replace("?", rng.choice(("??", "???", " ?")))
    return text


def ranked(rng: Random, passages: Sequence[Passage]) -> list[Passage]:
    """Return the passages as a search gives them: in most cases one that answers comes first, but not always."""
    mixed = rng.sample(passages, k=len(passages))
    return sorted(mixed, key=lambda passage: not passage.taken) if rng.random() < _FIRST else mixed


def first_three(sentences: Sequence[str]) -> list[int]:
    """Return which sentences answer a question that asks for no detail: the first three."""
    return list(range(min(3, len(sentences))))
