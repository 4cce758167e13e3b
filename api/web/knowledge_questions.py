"""The test questions: what customers ask and which entries answer it, by which every change is judged.

Who writes them names entries by their ids, or says "this answers it" where a question was tried.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.dependencies import CurrentAgent, SessionDep
from api.web.knowledge_access import KNOWLEDGE, LARGEST_ID, Maintainer, knowledge_page
from api.web.pages import redirect
from assistant.errors import NotFound
from assistant.tables import Agent
from knowledge import evaluation, labelled
from knowledge.importers import UnreadableFile
from knowledge.tables import Entry

router = APIRouter(prefix=f"{KNOWLEDGE}/questions", include_in_schema=False)


@router.get("")
def show_questions(request: Request, session: SessionDep, agent: CurrentAgent, done: str = "", n: int = 0) -> Response:
    """Show the test questions, each with the entries that answer it."""
    return _page(request, session, agent, done=done, n=n)


@router.post("")
def add(
    request: Request,
    session: SessionDep,
    agent: Maintainer,
    text: Annotated[str, Form()] = "",
    relevant: Annotated[str, Form()] = "",
    language: Annotated[Literal["", "en", "fi"], Form()] = "",
) -> Response:
    """Add a question, or give one that is there its new answers; `relevant` holds ids, separated by commas."""
    names = [name.strip() for name in relevant.replace("\n", ",").split(",") if name.strip()]
    missing = [name for name in names if name not in _titles(session, names)]
    typed = {"text": text, "relevant": relevant, "language": language}
    if missing:
        return _page(request, session, agent, typed=typed, missing=missing)
    try:
        labelled.add(session, text, names, language=language or None, author=agent.name)
    except ValueError:
        return _page(request, session, agent, typed=typed, wrong=True)
    return redirect(f"{KNOWLEDGE}/questions?done=added")


@router.post("/remove")
def remove(session: SessionDep, agent: Maintainer, number: Annotated[int, Form(ge=1, le=LARGEST_ID)]) -> Response:
    """Forget a question."""
    question = labelled.get(session, number)
    if question is None:
        raise NotFound(f"There is no test question {number}.")
    labelled.remove(session, question)
    return redirect(f"{KNOWLEDGE}/questions?done=removed")


@router.post("/import")
def import_file(
    request: Request, session: SessionDep, agent: Maintainer, file: Annotated[UploadFile, File()]
) -> Response:
    """Add the questions of a file, JSON Lines of `{"text", "relevant", "language"?}`, gzipped or not: all or none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("questions.jsonl.gz" if (file.filename or "").endswith(".gz") else "questions.jsonl")
        with path.open("wb") as copy:
            shutil.copyfileobj(file.file, copy)
        try:
            count = labelled.add_many(session, evaluation.read_queries(path), author=agent.name)
        except (UnreadableFile, ValueError) as error:
            session.rollback()
            return _page(request, session, agent, refused=str(error))
    return redirect(f"{KNOWLEDGE}/questions?done=imported&n={count}")


def _page(
    request: Request,
    session: Session,
    agent: Agent,
    *,
    done: str = "",
    n: int = 0,
    typed: dict[str, str] | None = None,
    missing: list[str] | None = None,
    wrong: bool = False,
    refused: str = "",
) -> Response:
    questions = labelled.questions(session)
    return knowledge_page(
        request,
        "questions.html",
        agent=agent,
        section="questions",
        status=422 if missing or wrong or refused else 200,
        here=None if request.method == "GET" else f"{KNOWLEDGE}/questions",
        questions=questions,
        titles=_titles(session, [name for question in questions for name in question.relevant]),
        done=done,
        n=n,
        typed=typed or {"text": "", "relevant": "", "language": ""},
        missing=missing or [],
        wrong=wrong,
        refused=refused,
    )


def _titles(session: Session, names: list[str]) -> dict[str, Entry]:
    """Return the entries of these ids; of two kinds with one id, the FAQ entry."""
    statement = select(Entry).where(Entry.external_id.in_(set(names))).order_by(Entry.kind.desc())
    return {entry.external_id: entry for entry in session.scalars(statement)}
