"""Conversations over HTTP: the inbox, one conversation, another draft for it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends

from api.dependencies import Caller, SessionDep, caller_with
from api.documents import conversation_document, conversation_line
from api.schemas import ConversationDetail, ConversationPage, DraftRequested, Id, Limit, NewDraft, Search
from assistant import conversations
from assistant.inbox import inbox
from models import Language

router = APIRouter(prefix="/api/v1/conversations", tags=["conversations"])
Reader = Annotated[Caller, Depends(caller_with("conversations:read"))]


@router.get("")
def list_conversations(
    session: SessionDep,
    caller: Reader,
    status: Literal["open", "snoozed", "closed"] | None = None,
    language: Language | None = None,
    q: Search | None = None,
    after: str | None = None,
    limit: Limit = 50,
) -> ConversationPage:
    """List conversations, the most urgent first; `after` is the `next` of the page before."""
    page = inbox(session, status=status, language=language, q=q, after=after, limit=limit)
    return ConversationPage(conversations=[conversation_line(row) for row in page.rows], next=page.next)


@router.get("/{conversation_id}")
def show_conversation(session: SessionDep, caller: Reader, conversation_id: Id) -> ConversationDetail:
    """Return everything said, oldest first, and the draft."""
    conversation = conversations.get(session, conversation_id)
    return conversation_document(conversation, conversations.current_draft(session, conversation))


@router.post("/{conversation_id}/drafts", status_code=202)
def request_draft(
    session: SessionDep,
    caller: Annotated[Caller, Depends(caller_with("drafts:write"))],
    conversation_id: Id,
    wanted: NewDraft | None = None,
) -> DraftRequested:
    """Ask for another draft in place of an undecided one, with an instruction or without."""
    conversation = conversations.get(session, conversation_id)
    instruction = wanted.instruction if wanted else None
    draft = conversations.request_draft(session, conversation, agent=caller.agent, instruction=instruction)
    return DraftRequested(id=draft.id, conversation_id=conversation.id, status=draft.status)
