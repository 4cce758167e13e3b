"""Is every sentence of a draft supported by a passage, and every fact in it by a passage that it cites?

Deterministic: words in common, the same polarity, the same direction (at least, before, without), the same facts. It
knows no language model and no search: it checks whatever text it is given, also one that a human typed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from assistant.courtesy import is_courtesy, is_everyday
from assistant.sentences import MarkedSentence, read_marks, sentences, shorten
from assistant.words import content_words, is_known, same_word, words
from knowledge.facts import Fact, facts, unsupported
from models.chat import Evidence

SUPPORTED = 0.8
"""The share of a sentence's content words that its passage must have. Lower lets swapped words through, higher refuses
the light adaptation of a copied sentence; see the figures in the tests."""

_REFUTED = 0.05

_CLAUSES = re.compile(
    r"[,;:]\s|\s[–—-]\s|\b(?:but|and|so|because|which|while|unless|if|when|until|mutta|ja|sekä|joten|koska|sillä|vaan|"
    r"kun|jos|että|ellei|kunnes)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<=[\w,;:] )[A-ZÅÄÖ][\w'’-]+")
_TOKEN = re.compile(r"\w+|[.,;:!?–—](?=\s|$)")
_TURNING = ("un", "in", "non", "dis", "epä")
_NO_COST = re.compile(r"\bno (?:extra )?(?:cost|charge|fee)s?\b", re.IGNORECASE)  # that is a price, no denial
_NOT = frozenset(
    """
not cannot never no neither nor none nobody nothing ei en et emme ette eivät eikä enkä etkä emmekä ettei jottei
ellei etteivät älä älkää
""".split()  # noqa: SIM905
)
# Words that turn a statement round while nearly all of its words stay: label → how it is written.
_DIRECTIONS = tuple(
    (label, re.compile(rf"\b(?:{written})\b", re.IGNORECASE))
    for label, written in (
        ("at least", r"at least|no less than|minimum|vähintään|ainakin"),
        ("at most", r"at most|up to|no more than|maximum|enintään|korkeintaan|jopa"),
        ("before", r"before|prior to|ennen|edeltäv\w+"),
        ("after", r"after|jälkeen|following"),
        ("over", r"over|more than|above|yli"),
        ("under", r"under|less than|below|alle"),
        ("without", r"without|ilman"),
        ("free", r"free|no cost|no charge|ilmai\w+|maksut\w+|veloituksetta"),
        ("only", r"only|vain|ainoastaan|pelkästään"),
        ("always", r"always|aina"),
        ("open", r"open|avoinna|auki|avaa\w*"),
        ("closed", r"closed|suljettu\w*|kiinni"),
        ("allowed", r"allowed|permitted|sallit\w+|luvalli\w+"),
        ("forbidden", r"forbidden|prohibited|kiellet\w+|luvaton\w*"),
    )
)


@dataclass(frozen=True)
class CheckedSentence:
    """A sentence of a draft without its marks. `citations` number the passages that support it, from 1.

    A sentence that asserts nothing is supported with no citations. `score` is near 1 where its words are a passage's.
    """

    text: str
    supported: bool
    citations: tuple[int, ...]
    score: float
    unsupported_facts: tuple[str, ...] = ()


@dataclass(frozen=True)
class GroundingReport:
    """All sentences in order, the facts that no cited passage has, as written, and the weakest sentence's score."""

    sentences: tuple[CheckedSentence, ...]
    unsupported_facts: tuple[str, ...]
    score: float

    @property
    def supported(self) -> bool:
        """Whether every sentence is."""
        return all(sentence.supported for sentence in self.sentences)


def check(draft_text: str, evidence: Sequence[Evidence], *, customer: str = "") -> GroundingReport:
    """Check a draft, with or without marks `[n]`, against the passages that they number.

    Without a mark, or where the marked passage does not say it, a sentence is tied to the passage that does.
    `customer` is what the customer wrote: a fact of theirs (their order number) may be repeated in a sentence that
    cites a passage or asks, for it is an echo and no claim; and a courtesy may name what they named.
    """
    sources = [_source(passage) for passage in evidence]
    own = facts(customer)
    named = frozenset(content_words(" ".join([shorten(customer, 4000), *(f"{e.title} {e.text}" for e in evidence)])))
    checked = tuple(_check(sentence, sources, own, named) for sentence in read_marks(draft_text))
    missing = dict.fromkeys(fact for sentence in checked for fact in sentence.unsupported_facts)
    return GroundingReport(checked, tuple(missing), min((sentence.score for sentence in checked), default=1.0))


def is_copied(sentence: str, evidence: Sequence[Evidence]) -> bool:
    """Return whether a sentence is a passage's own, word for word: all of it, or up to where a clause ends.

    A word or two put before it ("Yes, …") do not matter. A small model that copies has slipped where this is false.
    """
    said = _TOKEN.findall(sentence.casefold())
    sources = [_TOKEN.findall(one.casefold()) for passage in evidence for one in sentences(passage.text)]
    while said and not said[-1][0].isalnum():
        said.pop()
    for skipped in range(min(3, len(said))):
        piece = said[skipped:]
        for source in sources:
            end = len(piece)
            if source[:end] == piece and (end == len(source) or not source[end][0].isalnum()):
                return True
    return False


_Clause = tuple[list[str], bool]
"""The content words of a clause, and whether it is negated."""


class _Source:
    """A passage, read once: its facts, the words of its title, its sentences."""

    def __init__(self, passage: Evidence) -> None:
        self.title = frozenset(content_words(passage.title))
        self.statements = [_Statement(sentence) for sentence in sentences(passage.text)]
        self.facts = [fact for statement in self.statements for fact in statement.facts]


@lru_cache(maxsize=256)
def _source(passage: Evidence) -> _Source:
    """Read a passage once: an agent's edits are checked against the same ones at every key."""
    return _Source(passage)


class _Statement:
    """A sentence as the words of its clauses, each with its polarity. Facts are apart: they are compared by value."""

    def __init__(self, text: str) -> None:
        self.facts = facts(text)
        plain = _blotted(text, self.facts)
        self.clauses = [
            (content_words(clause), _is_negated(clause)) for clause in _CLAUSES.split(plain) if content_words(clause)
        ]
        self.words = [word for among, _ in self.clauses for word in among]
        self.known = frozenset(self.words)
        self.directions = _directions(text)
        self.turned = [(content_words(part), _directions(part)) for part in (plain, *_CLAUSES.split(plain))]
        self.names = {word.casefold() for word in _NAME.findall(plain)}

    def polarities(self, word: str) -> set[bool]:
        """Return whether the clauses in which the word stands are negated."""
        return {negated for among, negated in self.clauses if any(same_word(word, other) for other in among)}


def _check(
    sentence: MarkedSentence, sources: Sequence[_Source], own: Sequence[Fact], named: frozenset[str]
) -> CheckedSentence:
    said = facts(sentence.text)
    cited = tuple(n for n in sentence.marks if 1 <= n <= len(sources))
    if not cited and is_courtesy(sentence.text, named):
        return CheckedSentence(sentence.text, True, (), 1.0)
    numbers, score = _best(sentence.text, said, cited, sources, own)
    if any(
        not is_known(word, named) and not is_everyday(word) for word in content_words(_blotted(sentence.text, said))
    ):
        score = min(score, 0.5)  # a word that nobody used: a small model's slip, or a new claim
    if score >= SUPPORTED:
        return CheckedSentence(sentence.text, True, numbers, score)
    echoes = sentence.text.rstrip(' )"”').endswith("?") and not unsupported(said, own)
    if is_courtesy(_blotted(sentence.text, said) if echoes else sentence.text, named):
        return CheckedSentence(sentence.text, True, (), 1.0)
    offered = [fact for n in cited or range(1, len(sources) + 1) for fact in sources[n - 1].facts]
    missing = unsupported(said, [*offered, *own] if cited or echoes else offered)
    return CheckedSentence(sentence.text, False, (), score, tuple(dict.fromkeys(fact.text for fact in missing)))


def _best(
    text: str, said: Sequence[Fact], cited: tuple[int, ...], sources: Sequence[_Source], own: Sequence[Fact]
) -> tuple[tuple[int, ...], float]:
    """Return the passages that support a sentence best, those that it cites first, and how well they do."""
    statement = _Statement(text)
    # A model that copies right may still write the wrong number, so every passage is tried.
    tried = dict.fromkeys(
        [*((n,) for n in cited), *([cited] if cited else []), *((n + 1,) for n in range(len(sources)))]
    )
    best: tuple[tuple[int, ...], float] = (), 0.0
    for numbers in tried:
        passages = [sources[n - 1] for n in numbers]
        offered = [*own, *(fact for passage in passages for fact in passage.facts)]
        score = _REFUTED if unsupported(said, offered) else _support(statement, passages, own)
        if score > best[1]:
            best = numbers, score
    return best


def _support(said: _Statement, passages: Sequence[_Source], own: Sequence[Fact]) -> float:
    """Return how far passages say a statement: whole, in one sentence; else clause by clause, in several."""
    title = frozenset(word for passage in passages for word in passage.title)
    statements = [statement for passage in passages for statement in passage.statements]
    if not said.words:
        return 1.0 if said.facts and any(not _missing_facts(said, [s], own) for s in statements) else 0.0
    scores = [_said_by(said.clauses, said.names, [statement], title) for statement in statements]
    whole = [_REFUTED if _refutes(s, said, own) else score for s, score in zip(statements, scores, strict=True)]
    best = max(whole, default=0.0)
    # A sentence that has all the words and says otherwise is not outvoted by clauses of others.
    if best >= SUPPORTED or max(scores, default=0.0) >= SUPPORTED or len(said.clauses) == 1:
        return best
    return max(best, _said_in_parts(said, statements, title, own))


def _said_in_parts(
    said: _Statement, statements: Sequence[_Statement], title: frozenset[str], own: Sequence[Fact]
) -> float:
    """Return the weakest clause's score, each clause against the sentence that has most of it."""
    used: list[_Statement] = []
    weakest = 1.0
    for clause in said.clauses:
        scored = [
            (_REFUTED if _denies(s, [clause]) else _said_by([clause], said.names, [s], title), -n, s)
            for n, s in enumerate(statements)
        ]
        score, _, statement = max(scored, key=lambda entry: entry[:2])
        used.append(statement)
        weakest = min(weakest, score)
    joined = {label for statement in used for label in statement.directions}
    return _REFUTED if _missing_facts(said, used, own) or said.directions - joined else weakest


def _said_by(
    clauses: Sequence[_Clause], names: set[str], sources: Sequence[_Statement], title: frozenset[str]
) -> float:
    """Return the share of the clauses' content words that sentences of a source have; at least half must be theirs.

    The rest may be the title's. A name that neither has makes it a half at most.
    """
    known = frozenset(word for source in sources for word in source.known)
    spoken = [word for among, _ in clauses for word in among]
    other = [word for word in spoken if not is_known(word, known)]
    missing = [word for word in other if not is_known(word, title)]
    share = 1 - len(missing) / len(spoken)
    if names.intersection(missing) or len(other) * 2 > len(spoken):
        return min(share, 0.5)
    return _REFUTED if any(_is_opposed(word, known) for word in missing) else share


def _refutes(source: _Statement, said: _Statement, own: Sequence[Fact]) -> bool:
    """Return whether a sentence with the same words says otherwise: another fact, direction or polarity."""
    return (
        bool(_missing_facts(said, [source], own) or said.directions - source.directions)
        or _denies(source, said.clauses)
        or _drops(source, said)
    )


def _drops(source: _Statement, said: _Statement) -> bool:
    """Return whether a sentence or clause is whole but for the word that turns it: "closed on 6.12." as "on 6.12.".

    Where other words of it are left out too, the speaker may have meant less: "returned" of "returned only unopened".
    """
    for among, labels in source.turned:
        dropped = [written for label, written in _DIRECTIONS if label in labels - said.directions]
        rest = [word for word in among if not any(written.fullmatch(word) for written in dropped)]
        if dropped and rest and all(is_known(word, said.known) for word in rest):
            return True
    return False


def _directions(text: str) -> set[str]:
    """Return the labels of the words in a text that turn a statement round."""
    return {label for label, written in _DIRECTIONS if written.search(text)}


def _missing_facts(said: _Statement, sources: Sequence[_Statement], own: Sequence[Fact]) -> bool:
    """Return whether a fact is not in the very sentences, or stands there less often: "2–2 days" of "2–4 days"."""
    there = [fact for source in sources for fact in source.facts]
    if unsupported(said.facts, [*there, *own]):
        return True
    ranges = [fact for fact in said.facts if sum(fact.value == other.value for other in said.facts) > 1]
    return any(sum(fact.value in other.offers() for other in there) < 2 for fact in ranges)


def _denies(source: _Statement, clauses: Sequence[_Clause]) -> bool:
    """Return whether most of a clause's words stand in the source with the other polarity."""
    for among, negated in clauses:
        # A word that stands in clauses of both polarities tells nothing.
        polarities = [seen for word in among if len(seen := source.polarities(word)) == 1]
        if sum(negated not in seen for seen in polarities) * 2 > len(polarities):
            return True
    return False


def _is_negated(clause: str) -> bool:
    return any(word in _NOT or word.endswith("n't") for word in words(_NO_COST.sub("", clause)))


def _is_opposed(word: str, known: frozenset[str]) -> bool:
    """Return whether the source has the word with or without a prefix that turns it round: unused, used."""
    return any(f"{prefix}{word}" in known or word.removeprefix(prefix) in known - {word} for prefix in _TURNING)


def _blotted(text: str, found: Sequence[Fact]) -> str:
    """Return the text without its facts."""
    for start, end in sorted({(fact.start, fact.end) for fact in found}, reverse=True):
        text = f"{text[:start]} {text[end:]}"
    return text
