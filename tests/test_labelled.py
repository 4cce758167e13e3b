"""Labelled questions: added, relabelled, taken from files and written to them."""

import io
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from knowledge import labelled
from knowledge.evaluation import read_queries


def test_it_works(session: Session, tmp_path: Path) -> None:
    first = labelled.add(session, " When do you open? ", ["hours", "hours", " times "], language="en", author="Bea")
    labelled.add(session, "Onko teillä hevosia?", [], author="Bea")
    assert (first.text, first.relevant, first.language) == ("When do you open?", ["hours", "times"], "en")
    assert [query.relevant for query in labelled.queries(session)] == [{"hours", "times"}, frozenset()]
    written = io.StringIO()
    assert labelled.export(session, written) == 2
    path = tmp_path / "questions.jsonl"
    path.write_text(written.getvalue(), encoding="utf-8")
    assert read_queries(path) == labelled.queries(session)
    labelled.remove(session, first)
    assert [question.text for question in labelled.questions(session)] == ["Onko teillä hevosia?"]
    assert labelled.add_many(session, read_queries(path), author="Cid") == 2
    assert len(labelled.questions(session)) == 2


def test_the_same_question_again_gets_its_new_labels(session: Session) -> None:
    first = labelled.add(session, "When?", ["a"], author="Bea")
    again = labelled.add(session, "When?", ["b"], language="en", author="Cid")
    assert (again.id, again.relevant, again.language, again.author) == (first.id, ["b"], "en", "Cid")
    assert labelled.get(session, first.id) is first
    assert labelled.get(session, 99) is None


@pytest.mark.parametrize(
    ("text", "relevant", "why"),
    [
        (" ", ["a"], "empty"),
        ("x" * 2_001, ["a"], "longer than 2,000"),
        ("When?", [""], "named by its id"),
        ("When?", [str(number) for number in range(101)], "up to 100"),
    ],
)
def test_what_is_refused(session: Session, text: str, relevant: list[str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        labelled.add(session, text, relevant, author="Bea")
    assert labelled.questions(session) == []
