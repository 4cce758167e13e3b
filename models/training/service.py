"""Examples of service talk: written topics with random values, in a random branch of business."""

from random import Random

from models import Language
from models.training.examples import Example, Passage, Writer, first_three, ranked
from models.training.phrases import Split, part_of

_SENTENCES = ((1, 2, 3, 4, 5), (15, 32, 31, 14, 8))


def example(rng: Random, language: Language, split: Split) -> Example:
    """Return one example; of two matters asked about, both are answered in two sentences each."""
    writer = Writer(rng, language, split)
    topics = rng.sample(list(writer.phrases.topics), k=rng.choices((1, 2, 3, 4), (22, 34, 34, 10))[0])
    asked = topics[: 2 if len(topics) > 1 and rng.random() < 0.15 else 1]
    passages = [_passage(writer, name, asked) for name in topics]
    passages = ranked(rng, passages)
    core = _ask(writer, asked[0])
    if len(asked) == 2:
        core = f"{core} {writer.frame('join')} {_ask(writer, asked[1])}"
    return writer.finish("service", passages, core)


def _passage(writer: Writer, name: str, asked: list[str]) -> Passage:
    fields, rng = writer.phrases.topics[name], writer.rng
    count = min(rng.choices(*_SENTENCES)[0], len(fields["facts"]))
    facts = [fields["facts"][i] for i in sorted(rng.sample(range(len(fields["facts"])), k=count))]
    if writer.split == "train":  # a held-out sentence may be evidence only where the model is measured
        known = set(part_of(fields["facts"], "train"))
        facts = [fact for fact in facts if fact in known] or [fields["facts"][0]]
    if rng.random() < 0.25:
        rng.shuffle(facts)
    sentences = [writer.say(fact) for fact in facts]
    taken = first_three(sentences) if name in asked else []
    return Passage(writer.say(rng.choice(fields["titles"])), sentences, taken[: 2 if len(asked) == 2 else 3])


def _ask(writer: Writer, name: str) -> str:
    fields, rng = writer.phrases.topics[name], writer.rng
    angry = writer.mood in ("complaint", "again")
    if angry and rng.random() < 0.6:
        return writer.say(rng.choice(fields["gripes"]))
    if not angry and rng.random() < 0.12:
        return writer.say(rng.choice(part_of(fields["titles"], writer.split)))
    if rng.random() < 0.15:
        return writer.frame("about_ask", about=writer.say(rng.choice(fields["about"])))
    return writer.say(rng.choice(part_of(fields["asks"], writer.split)))
