"""Drills in copying: sentences that mean nothing, so that only copying from the right passage helps."""

from collections.abc import Sequence
from random import Random

from models import Language
from models.training import slots
from models.training.examples import Example, Passage, Writer, first_three
from models.training.phrases import Split

_ENDINGS = ("", "n", "ssa", "lla", "sta", "an", "ing", "ed", "s", "er", "ksi", "tta", "", "")


def example(rng: Random, language: Language, split: Split, words: Sequence[str]) -> Example:
    """Return one drill from a pool of words (may be empty): the message names what a passage's title names."""
    writer = Writer(rng, language, split)
    passages = []
    chosen = 0
    for number in range(rng.choices((1, 2, 3), (25, 40, 35))[0]):
        name = " ".join(_word(rng, words) for _ in range(rng.randint(1, 3)))
        sentences = [_sentence(rng, words) for _ in range(rng.randint(1, 4))]
        passages.append((name, sentences))
        chosen = number if rng.random() < 1 / (number + 1) else chosen
    made = [Passage(n.capitalize(), s, first_three(s) if i == chosen else []) for i, (n, s) in enumerate(passages)]
    name = passages[chosen][0]
    core = rng.choice((f"{name}?", f"{_word(rng, words)} {name}", f"{name} {_word(rng, words)}?", name))
    return writer.finish("drill", made, core)


def _word(rng: Random, words: Sequence[str]) -> str:
    if words and rng.random() < 0.6:
        return rng.choice(words)
    return slots.pseudo_word(rng) + rng.choice(_ENDINGS)


def _sentence(rng: Random, words: Sequence[str]) -> str:
    parts = [_word(rng, words) for _ in range(rng.randint(3, 11))]
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        value = rng.choice((slots.code(rng), slots.url(rng), str(rng.randint(1, 9999)), f"{rng.randint(1, 99)},90 €"))
        parts.insert(rng.randint(1, len(parts)), value)
    text = " ".join(parts)
    return text[:1].upper() + text[1:] + rng.choice((".", ".", ".", "!"))
