"""Keeping the knowledge right: what is due, what ends, what contradicts what, and what agents keep rejecting.

Each list is read from the layers below; the clicks here say "it is right" (reviewed) and "both are right" (dismissed).
Editing and retiring are in `api.web.knowledge_editing`.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from api.dependencies import CurrentAgent, RuntimeDep, SessionDep
from api.web.evidence import Piece, pieces
from api.web.knowledge_access import KNOWLEDGE, EntryId, Maintainer, address, entry_of, knowledge_page
from api.web.pages import local, redirect
from assistant import demotion, queue, usage
from assistant.errors import NotFound
from knowledge import upkeep
from knowledge.tables import Entry
from knowledge.upkeep import Pair

router = APIRouter(prefix=KNOWLEDGE, include_in_schema=False)

UPKEEP = f"{KNOWLEDGE}/upkeep"
_SHOWN = 50


@dataclass(frozen=True)
class Side:
    """One of two entries that stand side by side; `answer` has the facts in which they differ marked."""

    entry: Entry
    answer: tuple[Piece, ...]


@router.get("/upkeep")
def show_upkeep(
    request: Request,
    session: SessionDep,
    runtime: RuntimeDep,
    agent: CurrentAgent,
    done: str = "",
    owner: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """Show everything that somebody should look at; `owner`: of what is due, only theirs."""
    pairs = upkeep.findings(session)
    settings = runtime.settings
    return knowledge_page(
        request,
        "upkeep.html",
        agent=agent,
        section="upkeep",
        done=done,
        owner=owner,
        shown=_SHOWN,
        contradictions=[(pair, _sides(pair)) for pair in pairs if pair.finding.kind == "contradiction"],
        duplicates=[(pair, _sides(pair)) for pair in pairs if pair.finding.kind == "duplicate"],
        due=upkeep.due(session, owner=owner or None, after_days=settings.review_after_days),
        ending=upkeep.ending(session),
        rejected=usage.by_entry(session, only_rejected=True),
        demoted=demotion.demoted(session),
        next_review=upkeep.next_review(settings.review_after_days),
    )


@router.post("/entries/{entry_id}/reviewed")
def reviewed(
    session: SessionDep,
    runtime: RuntimeDep,
    agent: Maintainer,
    entry_id: EntryId,
    back: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Put on record that the entry was read and is right; the next review is a year on, or what the operator set."""
    entry = entry_of(session, entry_id)
    next_on = upkeep.next_review(runtime.settings.review_after_days)
    upkeep.reviewed(session, entry, author=agent.name, next_on=next_on)
    queue.defer_index_knowledge(session)
    return redirect(local(back) if back else f"{address(entry)}?done=reviewed")


@router.post("/findings/{number}/dismiss")
def dismiss(session: SessionDep, agent: Maintainer, number: EntryId) -> Response:
    """Put a pair aside: both are right. It comes back when one of the two says something else."""
    pair = upkeep.get_finding(session, number)
    if pair is None:
        raise NotFound(f"There is no finding {number}.")
    upkeep.dismiss(session, pair.finding, author=agent.name)
    queue.defer_findings(session)  # frees a past reply that was demoted for it
    return redirect(f"{UPKEEP}?done=dismissed")


@router.get("/findings/{number}")
def back_to_upkeep(number: EntryId) -> Response:
    """Show the list to who comes back to a form's address after signing in."""
    return redirect(f"{UPKEEP}#finding-{number}")


def _sides(pair: Pair) -> tuple[Side, Side]:
    differences = pair.finding.differences
    one = [str(fact["entry"]) for fact in differences if fact.get("entry")]
    other = [str(fact["other"]) for fact in differences if fact.get("other")]
    return Side(pair.entry, pieces(pair.entry.answer, one)), Side(pair.other, pieces(pair.other.answer, other))
