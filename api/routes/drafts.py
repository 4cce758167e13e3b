"""Drafts over HTTP: read, approve, reject. Only a person decides: an agent's session, or a token bound to one."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException

from api.dependencies import Caller, SessionDep, caller_with
from api.documents import draft_document
from api.idempotency import IdempotencyKey, once
from api.schemas import Approval, Approved, DraftOut, Id, Rejected, Rejection
from assistant import conversations, decisions
from assistant.tables import Agent

router = APIRouter(prefix="/api/v1/drafts", tags=["drafts"])


@router.get("/{draft_id}")
def show_draft(
    session: SessionDep, caller: Annotated[Caller, Depends(caller_with("conversations:read"))], draft_id: Id
) -> DraftOut:
    """Return a draft with its sources; `fingerprint` is what approving asks for, null once it is decided."""
    return draft_document(conversations.get_draft(session, draft_id))


@router.post("/{draft_id}/approve", response_model=Approved)
def approve_draft(
    session: SessionDep,
    caller: Annotated[Caller, Depends(caller_with("drafts:approve"))],
    request: Request,
    draft_id: Id,
    approval: Approval,
    key: IdempotencyKey = None,
) -> Any:
    """Send exactly this text to the customer; 409 where the draft was decided, or the customer has written since."""
    agent = _person(caller)

    def approve() -> Approved:
        draft = conversations.get_draft(session, draft_id)
        message = decisions.approve(
            session, draft, agent=agent, fingerprint=approval.fingerprint, text=approval.text, reason=approval.reason
        )
        return Approved(
            draft_id=draft.id, message_id=message.id, conversation_id=message.conversation_id, text=message.text
        )

    return once(session, caller, key, request, approval, approve)


@router.post("/{draft_id}/reject", response_model=Rejected)
def reject_draft(
    session: SessionDep,
    caller: Annotated[Caller, Depends(caller_with("drafts:write"))],
    request: Request,
    draft_id: Id,
    rejection: Rejection,
    key: IdempotencyKey = None,
) -> Any:
    """Decide that nothing of this draft goes out, and say why; 409 where it was decided already."""
    agent = _person(caller)

    def reject() -> Rejected:
        draft = conversations.get_draft(session, draft_id)
        decisions.reject(session, draft, agent=agent, reason=rejection.reason, fingerprint=rejection.fingerprint)
        return Rejected(draft_id=draft.id, conversation_id=draft.conversation_id)

    return once(session, caller, key, request, rejection, reject)


def _person(caller: Caller) -> Agent:
    if caller.agent is None:
        raise HTTPException(403, "Only a person decides: sign in, or use a token that is bound to an agent.")
    return caller.agent
