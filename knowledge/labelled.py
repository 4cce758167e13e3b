"""Labelled questions: what customers ask and which entries answer it, by which a change is judged.

Session first; nothing here commits. Knows no search: measuring is in `evaluation` and `changes`.
"""

import json
from collections.abc import Iterable, Sequence
from typing import TextIO

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from knowledge.database import clean_text
from knowledge.evaluation import Query
from knowledge.tables import LabelledQuestion
from models import Language

MAX_TEXT = 2_000
MAX_RELEVANT = 100


def add(
    session: Session, text: str, relevant: Iterable[str], *, language: Language | None = None, author: str
) -> LabelledQuestion:
    """Add a question, or give one that is there its new labels. No `relevant`: the right behaviour is to abstain.

    Raises ValueError where the text is empty or longer than 2,000 characters, or more than 100 entries are named.
    """
    text = clean_text(text).strip()
    names = list(dict.fromkeys(clean_text(name).strip() for name in relevant))
    if not text:
        raise ValueError("The question is empty: write what a customer would ask.")
    if len(text) > MAX_TEXT:
        raise ValueError(f"The question is longer than {MAX_TEXT:,} characters: shorten it.")
    if len(names) > MAX_RELEVANT or not all(names):
        raise ValueError(f"A question has up to {MAX_RELEVANT} entries that answer it, each named by its id.")
    row = {"relevant": names, "language": language, "author": clean_text(author)}
    statement = insert(LabelledQuestion).values(text=text, **row)
    statement = statement.on_conflict_do_update(index_elements=["text"], set_=row)
    return session.scalars(statement.returning(LabelledQuestion), execution_options={"populate_existing": True}).one()


def add_many(session: Session, queries: Sequence[Query], *, author: str) -> int:
    """Add all questions, for example those of `evaluation.read_queries`; return how many. Raises ValueError."""
    for query in queries:
        add(session, query.text, sorted(query.relevant), language=query.language, author=author)
    return len(queries)


def questions(session: Session) -> list[LabelledQuestion]:
    """Return all labelled questions in the order in which they came."""
    return list(session.scalars(select(LabelledQuestion).order_by(LabelledQuestion.id)))


def get(session: Session, number: int) -> LabelledQuestion | None:
    """Return one by its id."""
    return session.get(LabelledQuestion, number)


def remove(session: Session, question: LabelledQuestion) -> None:
    """Forget a labelled question."""
    session.delete(question)
    session.flush()


def queries(session: Session) -> list[Query]:
    """Return all labelled questions as `evaluation` takes them."""
    return [Query(q.text, frozenset(q.relevant), _language(q.language)) for q in questions(session)]


def export(session: Session, stream: TextIO) -> int:
    """Write every question as a line of JSON in the form that `evaluation.read_queries` reads; return how many."""
    found = questions(session)
    for question in found:
        row = {"text": question.text, "relevant": question.relevant, "language": question.language}
        stream.write(json.dumps({name: value for name, value in row.items() if value is not None}, ensure_ascii=False))
        stream.write("\n")
    return len(found)


def _language(name: str | None) -> Language | None:
    return "fi" if name == "fi" else "en" if name == "en" else None
