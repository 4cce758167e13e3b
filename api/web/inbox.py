"""The pages that agents read: the list of conversations, one conversation, and what happens while they look.

Nothing is changed here: see `api.web.decisions`.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload
from starlette.exceptions import HTTPException

from api import browser_session
from api.dependencies import CurrentAgent, RuntimeDep, SessionDep
from api.web.evidence import lay_out
from api.web.live import Live
from api.web.pages import INBOX, page, redirect
from assistant import conversations
from assistant.conversations import current_draft
from assistant.decisions import fingerprint
from assistant.inbox import Page, Row, inbox
from assistant.tables import Agent, Conversation, Draft, Message

router = APIRouter(include_in_schema=False)

LARGEST_ID = 2**63 - 1
ConversationId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
OptionalId = Annotated[int | None, Query(ge=1, le=LARGEST_ID)]

DECIDABLE = ("ready", "abstained", "failed")
"""The drafts that can be sent as they are or rewritten."""
_BESIDE = 40  # conversations in the column beside an open one


@dataclass(frozen=True)
class Filters:
    """What the list shows."""

    status: str = "open"
    q: str | None = None


@dataclass(frozen=True)
class Refusal:
    """Why an agent's click did nothing: `kind` chooses the words, `text` is what they had written, if anything."""

    kind: str
    who: str | None = None
    text: str | None = None


def _signed_in(request: Request, runtime: RuntimeDep) -> None:
    """Raise 401 where nobody is signed in. The transaction ends here, not with the stream."""
    with runtime.sessions() as session:
        if browser_session.signed_in(request, session) is None:
            raise HTTPException(401, "Sign in to follow the inbox.")


@router.get("/")
def start() -> Response:
    """Go to the inbox."""
    return redirect(INBOX)


@router.get(INBOX)
def show_inbox(
    request: Request,
    session: SessionDep,
    agent: CurrentAgent,
    status: str = "open",
    q: Annotated[str | None, Query(max_length=200)] = None,
    after: Annotated[str | None, Query(max_length=500)] = None,
    sent: OptionalId = None,
) -> Response:
    """Show the conversations, most urgent first."""
    found = inbox(session, status=status, q=q, after=after)
    return page(
        request,
        "inbox.html",
        agent=agent,
        filters=Filters(status, q),
        current=None,
        queue=found,
        more=_more(found, status, q),
        sent=_sent(session, sent),
    )


@router.get(INBOX + "/next")
def next_conversation(session: SessionDep, _agent: CurrentAgent, after: OptionalId = None) -> Response:
    """Go to the conversation to take after `after`, or back to the list where nobody else waits."""
    return onward(session, after)


@router.get(INBOX + "/events", response_class=EventSourceResponse)
async def events(request: Request, signed_in: Annotated[None, Depends(_signed_in)]) -> AsyncIterator[dict[str, Any]]:
    """Tell a page when it should read itself anew. The stream holds no transaction."""
    live: Live = request.app.state.live
    async for event in live.events():
        yield event


@router.get(INBOX + "/{conversation_id}")
def show_conversation(
    request: Request, session: SessionDep, agent: CurrentAgent, conversation_id: ConversationId, sent: OptionalId = None
) -> Response:
    """Show one conversation with its draft."""
    return conversation_page(request, session, agent, conversation_id, sent=sent)


def conversation_page(
    request: Request,
    session: Session,
    agent: Agent,
    conversation_id: int,
    *,
    sent: int | None = None,
    status: int = 200,
    refusal: Refusal | None = None,
    edited: str | None = None,
) -> Response:
    """Return the page of one conversation; `edited` is the agent's text where it is not the draft's.

    Raises NotFound.
    """
    found = inbox(session, limit=_BESIDE)  # reads conversations anew and without their messages: it has to come first
    conversation = conversations.get(session, conversation_id)
    draft = current_draft(session, conversation) or Draft()
    return page(
        request,
        "conversation.html",
        agent=agent,
        status=status,
        here=None if request.method == "GET" else address(conversation),
        conversation=conversation,
        messages=conversation.messages,
        draft=draft,
        fingerprint=fingerprint(draft) if draft.status in DECIDABLE else None,
        sentences=lay_out(draft.text, draft.sentences, draft.unsupported_facts) if draft.text else [],
        edited=edited,
        refusal=refusal,
        filters=Filters(),
        current=conversation.id,
        queue=found,
        more=_more(found, "open", None),
        sent=_sent(session, sent),
    )


def onward(session: Session, conversation_id: int | None, *, sent: int | None = None) -> Response:
    """Go to the conversation after this one in the order of urgency; `sent` is a message to tell the fate of.

    Those whose draft is still being written come last: there would be nothing to do but wait.
    """
    waiting = [row for row in inbox(session).rows if row.conversation.waiting_since is not None]
    ids = [row.conversation.id for row in waiting]
    here = ids.index(conversation_id) if conversation_id in ids else len(ids)  # then it begins at the top
    others = waiting[here + 1 :] + waiting[:here]
    chosen = next((row for row in others if _can_be_decided(row)), others[0] if others else None)
    target = INBOX if chosen is None else address(chosen.conversation)
    return redirect(target + (f"?sent={sent}" if sent is not None else ""))


def address(conversation: Conversation) -> str:
    """Return where a conversation is shown."""
    return f"{INBOX}/{conversation.id}"


def _can_be_decided(row: Row) -> bool:
    return row.draft is not None and row.draft.status in DECIDABLE


def _more(found: Page, status: str, q: str | None) -> str | None:
    """Return the address of the next page of the list, or None at the end."""
    if found.next is None:
        return None
    return f"{INBOX}?{urlencode({'status': status, 'q': q or '', 'after': found.next})}"


def _sent(session: Session, message_id: int | None) -> Message | None:
    """Return the reply that was just approved, with what has become of it."""
    if message_id is None:
        return None
    options = (joinedload(Message.delivery), joinedload(Message.conversation).joinedload(Conversation.customer))
    return session.scalar(
        select(Message).where(Message.id == message_id, Message.direction == "outgoing").options(*options)
    )
