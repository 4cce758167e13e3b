"""A draft for somebody else's helpdesk; nothing of it is stored."""

import threading
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from api.dependencies import Caller, RuntimeDep, SessionDep, caller_with
from api.schemas import DraftDocument, SuggestIn
from assistant import suggestions
from assistant.errors import Unavailable
from assistant.reply import DraftRequest
from models.chat import Turn

router = APIRouter(prefix="/api/v1", tags=["suggest"])

# Whoever waits for a worker holds one of the forty threads that answer all requests: webhooks must find a free one.
_WAITING = 16
_places = threading.BoundedSemaphore(_WAITING)


@router.post("/suggest", response_model=DraftDocument)
def suggest(
    session: SessionDep,
    runtime: RuntimeDep,
    caller: Annotated[Caller, Depends(caller_with("suggest"))],
    asked: SuggestIn,
) -> Any:
    """Draft a reply to a message that lives elsewhere; 503 where no worker answers within a minute."""
    session.commit()  # no transaction is open while a model runs
    request = DraftRequest(
        text=asked.text,
        history=tuple(Turn(turn.role, turn.text) for turn in asked.history),
        customer_name=asked.customer.name if asked.customer else None,
        language=asked.language,
        visibility=asked.visibility,
        channel=asked.channel,
    )
    if not _places.acquire(blocking=False):
        raise Unavailable(f"{_WAITING} suggestions are being written already: ask again in a few seconds.")
    try:
        return suggestions.ask(runtime, request, agent=caller.agent, token=caller.token)
    finally:
        _places.release()
