"""What agents do on the pages: approve, reject, ask for another draft, close, reopen.

Each is a form; a success goes on to another page, a refusal shows the conversation as it is now, says why nothing
happened, and keeps what the agent had written. What is allowed is decided in `assistant`.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from api.dependencies import CurrentAgent, SessionDep
from api.web.evidence import facts_in
from api.web.inbox import LARGEST_ID, ConversationId, Refusal, address, conversation_page, onward
from api.web.pages import INBOX, redirect
from assistant import conversations, decisions
from assistant.errors import Conflict, Invalid, NotFound
from assistant.tables import UNDECIDED, Agent, Draft

router = APIRouter(prefix=INBOX + "/{conversation_id}", include_in_schema=False)

DraftId = Annotated[int, Form(ge=1, le=LARGEST_ID)]
RejectReason = Literal["wrong facts", "beside the question", "wrong tone", "other"]


@router.post("/approve")
def approve(
    request: Request,
    session: SessionDep,
    agent: CurrentAgent,
    conversation_id: ConversationId,
    draft_id: DraftId,
    fingerprint: Annotated[str, Form()],
    text: Annotated[str, Form()] = "",
    acknowledged: Annotated[str, Form()] = "",
) -> Response:
    """Send exactly `text`, if the conversation and its draft are still what the agent saw, and go to the next.

    Facts that no source has go out only when the agent has ticked that they checked them.
    """
    draft = _draft(session, conversation_id, draft_id)
    text = text.replace("\r\n", "\n")  # how forms write line ends
    written = text if text.strip() != (draft.text or "").strip() else None
    undecided = draft.status in UNDECIDED
    if undecided and not acknowledged and facts_in(text, draft.unsupported_facts):
        return _refused(request, session, agent, conversation_id, 422, Refusal("unacknowledged"), written)
    try:
        message = decisions.approve(session, draft, agent=agent, fingerprint=fingerprint, text=text)
    except Conflict as error:
        refusal = _conflict(error, draft, agent, written)
        return _refused(request, session, agent, conversation_id, 409, refusal, written)
    except Invalid:
        return _refused(request, session, agent, conversation_id, 422, Refusal("empty"), None)
    return onward(session, conversation_id, sent=message.id)


@router.post("/reject")
def reject(
    request: Request,
    session: SessionDep,
    agent: CurrentAgent,
    conversation_id: ConversationId,
    draft_id: DraftId,
    fingerprint: Annotated[str, Form()],
    reason: Annotated[RejectReason | None, Form()] = None,
    details: Annotated[str, Form()] = "",
) -> Response:
    """Decide that the draft is no good, and say why; the conversation stays in sight."""
    draft = _draft(session, conversation_id, draft_id)
    if reason is None:
        return _refused(request, session, agent, conversation_id, 422, Refusal("reason"), None)
    why = f"{reason}: {details.strip()}" if details.strip() else reason
    try:
        decisions.reject(session, draft, agent=agent, reason=why, fingerprint=fingerprint)
    except Conflict as error:
        refusal = _conflict(error, draft, agent, None)
        return _refused(request, session, agent, conversation_id, 409, refusal, None)
    return redirect(f"{INBOX}/{conversation_id}")


@router.post("/drafts")
def request_draft(
    session: SessionDep,
    agent: CurrentAgent,
    conversation_id: ConversationId,
    instruction: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Have another draft written, in place of the one that is there."""
    conversation = conversations.get(session, conversation_id)
    conversations.request_draft(session, conversation, agent=agent, instruction=instruction)
    return redirect(address(conversation))


@router.post("/close")
def close(session: SessionDep, agent: CurrentAgent, conversation_id: ConversationId) -> Response:
    """Take the conversation out of the list, and go to the next."""
    conversations.close(session, conversations.get(session, conversation_id), agent=agent)
    session.flush()
    return onward(session, conversation_id)


@router.post("/reopen")
def reopen(session: SessionDep, agent: CurrentAgent, conversation_id: ConversationId) -> Response:
    """Put the conversation back into the list."""
    conversation = conversations.get(session, conversation_id)
    conversations.reopen(session, conversation, agent=agent)
    return redirect(address(conversation))


@router.get("/{action}")
def back_to_conversation(conversation_id: ConversationId, action: str) -> Response:
    """Show the conversation to who reloads a form's address: nothing is done by a GET."""
    return redirect(f"{INBOX}/{conversation_id}")


def _draft(session: Session, conversation_id: int, draft_id: int) -> Draft:
    draft = conversations.get_draft(session, draft_id)
    if draft.conversation_id != conversation_id:
        raise NotFound(f"Conversation {conversation_id} has no draft {draft_id}.")
    return draft


def _conflict(error: Conflict, draft: Draft, agent: Agent, written: str | None) -> Refusal:
    if error.who is None:
        return Refusal("moved", text=written)
    return Refusal("yours" if draft.decided_by == agent.id else "decided", error.who, written)


def _refused(
    request: Request,
    session: Session,
    agent: Agent,
    conversation_id: int,
    status: int,
    refusal: Refusal,
    edited: str | None,
) -> Response:
    return conversation_page(request, session, agent, conversation_id, status=status, refusal=refusal, edited=edited)
