"""What the knowledge is missing: what customers asked and nothing answers, to be made into an answer with one click.

Nothing is changed here: the click fills in the form of `api.web.knowledge_editing`, which a human puts right.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.dependencies import CurrentAgent, RuntimeDep, SessionDep
from api.web.knowledge_access import KNOWLEDGE, knowledge_page
from assistant import learning
from knowledge.gaps import entry_from_gap

router = APIRouter(prefix=KNOWLEDGE, include_in_schema=False)

_SHOWN = 50


@router.get("/gaps")
def show_gaps(
    request: Request,
    session: SessionDep,
    runtime: RuntimeDep,
    agent: CurrentAgent,
    days: Annotated[int | None, Query(ge=1, le=3650)] = None,
) -> Response:
    """Show the gaps of the last `days`, the most asked first, each with the entry that it could become."""
    session.commit()  # grouping takes seconds, and `learning` opens transactions of its own
    found = learning.knowledge_gaps(runtime, days=days, limit=_SHOWN)
    return knowledge_page(
        request,
        "gaps.html",
        agent=agent,
        section="gaps",
        gaps=[(gap, entry_from_gap(gap)) for gap in found],
        days=days or runtime.settings.gap_days,
        full=len(found) == _SHOWN,
    )
