"""Keeping the knowledge right over HTTP: what is due, what contradicts what, and the labelled questions."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query

from api.dependencies import Caller, RuntimeDep, SessionDep, caller_with
from api.knowledge_documents import finding_document
from api.knowledge_schemas import EntryList, FindingOut, FindingsOut, LabelledIn, LabelledList, LabelledOut
from api.schemas import OptionalName
from assistant import queue
from assistant.errors import NotFound
from knowledge import labelled, upkeep

router = APIRouter(prefix="/api/v1/knowledge", tags=["knowledge"])
Reader = Annotated[Caller, Depends(caller_with("knowledge:read"))]
Writer = Annotated[Caller, Depends(caller_with("knowledge:write"))]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Days = Annotated[int, Query(ge=0, le=3650)]


@router.get("/due", response_model=EntryList)
def list_due(
    runtime: RuntimeDep,
    session: SessionDep,
    caller: Reader,
    by: Annotated[date | None, Query(description="The day on which they are due, today where not given")] = None,
    owner: OptionalName | None = None,
) -> Any:
    """List the entries whose review date has come or that nobody has looked at for long, longest overdue first."""
    after_days = runtime.settings.review_after_days
    return {"entries": upkeep.due(session, by=by, owner=owner, after_days=after_days)}


@router.get("/ending", response_model=EntryList)
def list_ending(session: SessionDep, caller: Reader, within_days: Days = upkeep.ENDS_WITHIN_DAYS) -> Any:
    """List the entries that end within so many days, the first to end first (entries?valid=false: ended)."""
    return {"entries": upkeep.ending(session, within_days=within_days)}


@router.get("/findings", response_model=FindingsOut)
def list_findings(
    session: SessionDep,
    caller: Reader,
    kind: Literal["duplicate", "contradiction"] | None = None,
    dismissed: bool = False,
) -> Any:
    """List the pairs of entries of which one repeats or contradicts the other, as they are found after each change."""
    found = upkeep.findings(session, kind=kind, dismissed=dismissed)
    return {"findings": [finding_document(pair) for pair in found]}


@router.post("/findings/{number}/dismiss", response_model=FindingOut)
def dismiss_finding(session: SessionDep, caller: Writer, number: Number) -> Any:
    """Put a pair aside as no matter; it comes back when one of the two texts changes."""
    pair = upkeep.get_finding(session, number)
    if pair is None:
        raise NotFound(f"There is no finding {number}: GET findings lists which there are.")
    upkeep.dismiss(session, pair.finding, author=caller.name)
    queue.defer_findings(session)  # frees a past reply that was demoted for it
    return finding_document(pair)


@router.get("/questions", response_model=LabelledList)
def list_questions(session: SessionDep, caller: Reader) -> Any:
    """List the labelled questions, by which a change is judged."""
    return {"questions": labelled.questions(session)}


@router.post("/questions", status_code=201, response_model=LabelledOut)
def add_question(session: SessionDep, caller: Writer, new: LabelledIn) -> Any:
    """Add a labelled question; one that is there gets its new labels."""
    return labelled.add(session, new.text, new.relevant, language=new.language, author=caller.name)


@router.delete("/questions/{number}", status_code=204)
def remove_question(session: SessionDep, caller: Writer, number: Number) -> None:
    """Forget a labelled question."""
    question = labelled.get(session, number)
    if question is None:
        raise NotFound(f"There is no labelled question {number}: GET questions lists which there are.")
    labelled.remove(session, question)
