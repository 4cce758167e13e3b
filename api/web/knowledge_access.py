"""What every page of the knowledge shares: who may change it, where its parts are, how a page of it is drawn.

Every agent may read the knowledge; maintainers, leads and admins change it, in a browser session.
"""

from typing import Annotated, Any

from fastapi import Depends, Path, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from api.dependencies import Caller, caller
from api.web.pages import ONLY_MAINTAINERS, page
from assistant.errors import NotFound
from assistant.tables import Agent
from knowledge import entries
from knowledge.database import utcnow
from knowledge.tables import Entry

KNOWLEDGE = "/knowledge"
MAY_CHANGE = ("maintainer", "lead", "admin")
LARGEST_ID = 2**31 - 1

EntryId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


def _maintainer(caller: Annotated[Caller, Depends(caller)]) -> Agent:
    """Raise 403 for an agent who may only read, and for a token: programs have the JSON routes and their scopes."""
    if caller.agent is None or caller.token is not None or caller.agent.role not in MAY_CHANGE:
        raise HTTPException(403, ONLY_MAINTAINERS)
    return caller.agent


Maintainer = Annotated[Agent, Depends(_maintainer)]
"""The signed-in agent, who may change the knowledge."""


def knowledge_page(
    request: Request, template: str, *, agent: Agent, section: str, status: int = 200, **values: Any
) -> Response:
    """Return a page of the knowledge; `section` is the part of it that the navigation marks as open."""
    return page(
        request,
        f"knowledge/{template}",
        agent=agent,
        status=status,
        section=section,
        may_change=agent.role in MAY_CHANGE,
        now=utcnow(),
        **values,
    )


def entry_of(session: Session, entry_id: int) -> Entry:
    """Return the entry, retired or not; raises NotFound."""
    entry = entries.get(session, entry_id)
    if entry is None:
        raise NotFound(f"There is no entry {entry_id}.")
    return entry


def address(entry: Entry) -> str:
    """Return where an entry is shown."""
    return f"{KNOWLEDGE}/entries/{entry.id}"
