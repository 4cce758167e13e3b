"""What a change to the knowledge would do, before it is made: which questions would be answered otherwise.

The change is made in a savepoint and over the index in memory, customers' and labelled questions are asked with and
without it, and it is taken back. Knows texts; whose questions they are, and whether to go on, is for the caller.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, cast

import numpy as np
from sqlalchemy.orm import Session

from knowledge import entries
from knowledge.entries import EntryContent
from knowledge.evaluation import Query
from knowledge.overlays import overlaid
from knowledge.search import KnowledgeBase, Match, SearchResult
from knowledge.tables import Entry
from models import Embedder, Language, Role, Vectors

RECALL_FLOOR = 0.8
"""Below this share of labelled questions that find their entry, a change that lowers it has to be confirmed."""
DEPTH = 5
"""Matches among which a labelled question's entry is looked for: recall@5."""
SOURCES = 3
"""Matches that count as what an answer would rest on, as far as they are"""
NEARLY = 0.5
"""times as probable as the best one: what stands behind them at the end changes with every breath."""
REMEMBERED = 20_000
"""Vectors of questions that are kept: about 30 MB."""

_AUTHOR = "trial"


@dataclass(frozen=True)
class Change:
    """An entry's new content: of a new entry (`entry_id` None) or of one that is there; `content` None retires it."""

    content: EntryContent | None
    entry_id: int | None = None


@dataclass(frozen=True)
class Source:
    """An entry that an answer would rest on."""

    entry_id: int
    external_id: str
    title: str
    score: float


@dataclass(frozen=True)
class Answer:
    """What a question finds: whether that answers it, how sure that is, and up to three best ones."""

    answerable: bool
    confidence: float
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class AnswerChange:
    """A question that would be answered otherwise.

    `gained`: nothing answers it now, something would. `lost`: the other way round. `changed`: it would still be
    answered, from another best source, from what the best source says then, or with a changed entry more or less.
    """

    question: str
    language: Language | None
    change: Literal["gained", "lost", "changed"]
    labelled: bool
    before: Answer
    after: Answer


@dataclass(frozen=True)
class Recall:
    """The share of labelled questions with an answer that find it among the first five; None where there are none."""

    before: float | None
    after: float | None
    floor: float

    @property
    def needs_confirmation(self) -> bool:
        """Whether the change lowers it, and to below the floor."""
        return self.before is not None and self.after is not None and self.after < min(self.before, self.floor)


@dataclass(frozen=True)
class ChangePreview:
    """What a change would do to the answers; `asked` questions were tried, those not in `answers` stay as they are.

    `entry_id` of a new entry's source means nothing: the entry does not exist yet.
    """

    answers: list[AnswerChange]
    asked: int
    recall_before: float | None
    recall_after: float | None
    floor: float
    needs_confirmation: bool
    counts: dict[str, int] = field(default_factory=dict)


def preview_change(
    knowledge_base: KnowledgeBase,
    session: Session,
    content: EntryContent | None,
    entry_id: int | None,
    questions: Sequence[str] = (),
    labelled: Sequence[Query] = (),
    *,
    floor: float = RECALL_FLOOR,
) -> ChangePreview:
    """Return what it would do to give the entry this content (None: to retire it); without an id, to add it.

    Nothing is written. `questions` are customers' questions, newest first; equal ones are asked once. Lost answers
    come first, then gained and changed ones, each in the order of the questions.
    """
    return preview_changes(knowledge_base, session, [Change(content, entry_id)], questions, labelled, floor=floor)


def preview_changes(
    knowledge_base: KnowledgeBase,
    session: Session,
    changes: Sequence[Change],
    questions: Sequence[str] = (),
    labelled: Sequence[Query] = (),
    *,
    floor: float = RECALL_FLOOR,
) -> ChangePreview:
    """`preview_change` for several changes at once."""
    known = {query.text for query in labelled}
    asked = [*(query.text for query in labelled), *(text for text in dict.fromkeys(questions) if text not in known)]
    before, after, touched = _asked(knowledge_base, session, changes, asked)
    found = []
    for number, text in enumerate(asked):
        was, will = before[number], after[number]
        kind = _kind(was, will, touched)
        if kind is not None:
            found.append(AnswerChange(text, will.language, kind, number < len(labelled), _answer(was), _answer(will)))
    order = ("lost", "gained", "changed")
    recall = Recall(_recall(labelled, before), _recall(labelled, after), floor)
    return ChangePreview(
        answers=sorted(found, key=lambda change: order.index(change.change)),
        asked=len(asked),
        recall_before=recall.before,
        recall_after=recall.after,
        floor=floor,
        needs_confirmation=recall.needs_confirmation,
        counts={kind: sum(change.change == kind for change in found) for kind in order},
    )


def recall_after(
    knowledge_base: KnowledgeBase,
    session: Session,
    changes: Sequence[Change],
    labelled: Sequence[Query],
    *,
    floor: float = RECALL_FLOOR,
) -> Recall:
    """Return the recall on the labelled questions before and after the changes, for who only has to decide.

    With no labelled question that has an answer nothing is asked and nothing is loaded.
    """
    answerable = [query for query in labelled if query.relevant]
    if not answerable or not changes:
        return Recall(None, None, floor)
    before, after, _ = _asked(knowledge_base, session, changes, [query.text for query in answerable])
    return Recall(_recall(answerable, before), _recall(answerable, after), floor)


def _asked(
    knowledge_base: KnowledgeBase, session: Session, changes: Sequence[Change], asked: Sequence[str]
) -> tuple[list[SearchResult], list[SearchResult], set[str]]:
    """Return what the questions find without and with the changes, and the external ids of the changed entries."""
    knowledge_base.refresh()
    index, embedder = knowledge_base.index, knowledge_base.embedder
    remembering = None if embedder is None else _remembering(cast("Hashable", embedder))
    session.flush()
    connection = session.connection()
    with _trial(session, changes) as (changed, gone):
        touched = {entry.external_id for entry in (*changed, *gone)}
        trial = overlaid(knowledge_base.directory, index, remembering, changed, [entry.id for entry in gone])
        base = knowledge_base.overlaid(trial, connection, remembering)
        after = [base.search(text, k=DEPTH) for text in asked]
    base = knowledge_base.overlaid(index, connection, remembering)
    return [base.search(text, k=DEPTH) for text in asked], after, touched


@contextmanager
def _trial(session: Session, changes: Sequence[Change]) -> Iterator[tuple[list[Entry], list[Entry]]]:
    """Make the changes in a savepoint, give the entries that change and those that go, and take it all back."""
    # A session of its own, so that the caller's knows nothing of it; its savepoint is in the caller's transaction.
    with Session(session.connection(), join_transaction_mode="create_savepoint", expire_on_commit=False) as trial:
        changed: list[Entry] = []
        gone: list[Entry] = []
        for change in changes:
            entry = _changed(trial, change)
            (gone if entry.retired_at is not None else changed).append(entry)
        yield changed, gone
        trial.rollback()


def _changed(session: Session, change: Change) -> Entry:
    entry = None if change.entry_id is None else entries.get(session, change.entry_id)
    content = change.content
    if entry is None:
        if content is None:
            raise ValueError("A change without content retires an entry: say which.")
        entries.put(session, content, author=_AUTHOR)
        entry = cast("Entry", entries.find(session, content.kind, content.external_id))
    elif content is None:
        entries.retire(session, entry, author=_AUTHOR)
        return entry
    else:
        entries.revise(session, entry, content, author=_AUTHOR)
    entries.restore(session, entry, author=_AUTHOR)
    return entry


def _kind(was: SearchResult, will: SearchResult, touched: set[str]) -> Literal["gained", "lost", "changed"] | None:
    if was.answerable != will.answerable:
        return "gained" if will.answerable else "lost"
    if not will.answerable:
        return None
    old = [(match.external_id, match.question, match.answer) for match in _sources(was)]
    new = [(match.external_id, match.question, match.answer) for match in _sources(will)]
    mine = {match for match in old if match[0] in touched} ^ {match for match in new if match[0] in touched}
    return "changed" if old[:1] != new[:1] or mine else None


def _answer(result: SearchResult) -> Answer:
    best = (Source(match.entry_id, match.external_id, match.question, match.score) for match in _sources(result))
    return Answer(result.answerable, result.confidence, tuple(best))


def _sources(result: SearchResult) -> list[Match]:
    return [match for match in result.matches[:SOURCES] if match.score >= NEARLY * result.matches[0].score]


def _recall(labelled: Sequence[Query], results: Sequence[SearchResult]) -> float | None:
    """Recall@5 over the questions that have an answer; the results may go on after those of the labelled ones."""
    hits = [
        any(match.external_id in query.relevant for match in result.matches[:DEPTH])
        for query, result in zip(labelled, results, strict=False)
        if query.relevant
    ]
    return sum(hits) / len(hits) if hits else None


class _Remembering:
    """The embedder, which embeds a text once: the same questions are asked before, after, and at the next preview."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.name = embedder.name
        self.dimension = embedder.dimension
        self._known: OrderedDict[tuple[Role, str], Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str], *, role: Role = "passage") -> Vectors:
        """Return one unit vector per text, as the embedder does."""
        with self._lock:
            new = [text for text in dict.fromkeys(texts) if (role, text) not in self._known]
            if new:
                self._known.update(
                    zip(((role, text) for text in new), self._embedder.embed(new, role=role), strict=True)
                )
            found = [self._known[role, text] for text in texts]
            for text in texts:
                self._known.move_to_end((role, text))
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return np.stack(found) if found else np.empty((0, self.dimension), np.float32)


@lru_cache(maxsize=2)
def _remembering(embedder: Hashable) -> _Remembering:
    return _Remembering(cast("Embedder", embedder))
