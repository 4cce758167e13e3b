"""What the knowledge is missing, and how its entries do in agents' hands."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from api.dependencies import Caller, RuntimeDep, SessionDep, caller_with
from api.knowledge_schemas import DemotedOut, GapsOut, UsageList
from api.schemas import Limit
from assistant import demotion, learning, usage
from knowledge import gaps
from knowledge.database import utcnow

router = APIRouter(prefix="/api/v1/knowledge", tags=["knowledge"])
Reader = Annotated[Caller, Depends(caller_with("knowledge:read"))]
EntryNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]
Days = Annotated[int, Query(ge=1, le=3650, description="How far back")]


@router.get("/gaps", response_model=GapsOut)
def list_gaps(runtime: RuntimeDep, caller: Reader, days: Days | None = None, limit: Limit = 100) -> Any:
    """List what customers asked and nothing answers, the most asked first, with what agents replied in the end.

    A question counts where its draft abstained, was rejected or was rewritten. Personal data is taken out. `proposal`
    is an entry to begin with: read it, put it right, and post it to `/entries`.
    """
    found = learning.knowledge_gaps(runtime, days=days, limit=limit)
    return {"gaps": [{**vars(gap), "proposal": gaps.entry_from_gap(gap)} for gap in found]}


@router.get("/usage", response_model=UsageList)
def list_usage(
    session: SessionDep,
    caller: Reader,
    entry_id: Annotated[list[EntryNumber] | None, Query(max_length=1000, description="Of these entries alone")] = None,
    often_rejected: bool = False,
    days: Days | None = None,
) -> Any:
    """List how often entries were among a draft's sources and what agents did with it, the most rejected first.

    `often_rejected`: only what agents rejected three times or more, and at least half of the time.
    """
    since = None if days is None else utcnow() - timedelta(days=days)
    found = usage.by_entry(session, entry_id, since=since, only_rejected=often_rejected)
    return {
        "usage": [
            {
                "entry_id": entry.id,
                "external_id": entry.external_id,
                "kind": entry.kind,
                "question": entry.question,
                **vars(figures),
                "often_rejected": figures.often_rejected,
            }
            for entry, figures in found
        ]
    }


@router.get("/demoted", response_model=DemotedOut)
def list_demoted(session: SessionDep, caller: Reader) -> Any:
    """List the past replies that are no longer drafted from, since a newer FAQ entry says otherwise."""
    return {"entries": demotion.demoted(session)}
