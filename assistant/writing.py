"""Turns a conversation's queued draft into a written one: the step between the database and the drafting.

It waits until the customer has finished typing, reads what was said, has the reply drafted with no transaction open,
and saves it only if the conversation did not move on. The draft's row is the truth and the job only an alarm: run
twice, or killed anywhere and run again, it leaves one draft.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session, joinedload

from assistant import queue
from assistant.conversations import announce, lock
from assistant.drafting import draft_reply
from assistant.errors import AspaError
from assistant.reply import DraftReply, DraftRequest
from assistant.runtime import Runtime
from assistant.settings import Settings
from assistant.tables import Channel, Citation, Conversation, Customer, Draft, Message
from assistant.triage import triage
from knowledge.database import utcnow
from models import LanguageIdentifier, ModelError
from models.chat import Turn

log = logging.getLogger(__name__)

HISTORY_MESSAGES = 20
MOST_CRASHES = 3


@dataclass(frozen=True)
class Assignment:
    """What is to be drafted, and the state of the conversation that it is for."""

    draft_id: int
    message_id: int
    request: DraftRequest


def write_draft(runtime: Runtime, conversation_id: int, *, crashes: int = 0) -> None:
    """Write the conversation's queued draft, or put that off while the customer types; nothing queued, nothing done.

    `crashes` is how often a worker died doing this: at the third the draft is marked as failed instead, so that one
    message cannot take every worker down. A lost database raises; the draft stays queued.
    """
    with runtime.sessions.begin() as session:
        assignment = _read(session, conversation_id, runtime)
    if assignment is None:
        return
    if crashes >= MOST_CRASHES:
        _save_failure(runtime, assignment, "The program stopped each time it tried to write this draft.")
        return
    try:
        reply = reply_to(runtime, assignment.request)
    except (OperationalError, InterfaceError):
        raise
    except (ModelError, AspaError) as error:
        log.warning("draft %d failed: %s", assignment.draft_id, error)
        _save_failure(runtime, assignment, str(error))
    except Exception:  # the worker's edge: whatever went wrong, the agent must see that no draft is coming
        log.exception("draft %d failed", assignment.draft_id)
        _save_failure(runtime, assignment, "Something went wrong in the program; its log says what.")
    else:
        _save(runtime, assignment, reply)


def reply_to(runtime: Runtime, request: DraftRequest) -> DraftReply:
    """Draft a reply with this process's models and knowledge; raises ModelError or AspaError where they cannot load."""
    return draft_reply(
        request,
        knowledge_base=runtime.knowledge_base(),
        language_model=runtime.language_model(),
        identifier=runtime.identifier(),
        persona=runtime.persona(),
    )


def _read(session: Session, conversation_id: int, runtime: Runtime) -> Assignment | None:
    """Return what to draft now; None where nothing is queued, or where it was put off."""
    conversation = session.get(Conversation, conversation_id)
    if conversation is None:
        return None
    lock(session, conversation)  # waits for a message that is being stored: its job may be this one
    draft = session.scalar(select(Draft).where(Draft.conversation_id == conversation_id, Draft.status == "queued"))
    if draft is None:
        return None
    said = _said(session, conversation_id)
    unanswered = _unanswered(said)
    _triage(conversation, unanswered, runtime.identifier())
    due = _due(unanswered, runtime.settings)
    if draft.requested_by is None and due > utcnow():
        queue.defer_draft(session, conversation_id, at=due)
        return None
    return Assignment(draft.id, draft.message_id, _request(session, conversation, draft, said, unanswered))


def _said(session: Session, conversation_id: int) -> list[Message]:
    """Return the conversation's newest messages, oldest first, without notes."""
    newest = session.scalars(
        select(Message)
        .where(Message.conversation_id == conversation_id, Message.direction != "note")
        .order_by(Message.id.desc())
        .limit(HISTORY_MESSAGES)
    ).all()
    return list(reversed(newest))


def _unanswered(said: list[Message]) -> list[Message]:
    """Return the customer's messages since the last reply; where all are answered, the newest one."""
    incoming = [message for message in said if message.direction == "incoming"]
    replied = max((message.id for message in said if message.direction == "outgoing"), default=0)
    return [message for message in incoming if message.id > replied] or incoming[-1:]


def _due(unanswered: list[Message], settings: Settings) -> datetime:
    """Return when the customer has been quiet long enough, or has typed long enough."""
    quiet = unanswered[-1].created_at + timedelta(seconds=settings.debounce_seconds)
    enough = unanswered[0].created_at + timedelta(seconds=settings.debounce_limit_seconds)
    return min(quiet, enough)


def _triage(conversation: Conversation, unanswered: list[Message], identifier: LanguageIdentifier) -> None:
    found = [triage(message.text, identifier) for message in unanswered]
    conversation.language = found[-1].language or conversation.language
    conversation.mood = found[-1].mood
    conversation.urgency = max(each.urgency for each in found)


def _request(
    session: Session, conversation: Conversation, draft: Draft, said: list[Message], unanswered: list[Message]
) -> DraftRequest:
    row = session.execute(
        select(Customer.name, Channel.name)
        .join_from(Customer, Channel, Customer.channel_id == Channel.id)
        .where(Customer.id == conversation.customer_id)
    ).one()
    before = [message for message in said if message.id < unanswered[0].id]
    return DraftRequest(
        text="\n\n".join(message.text for message in unanswered),
        history=tuple(
            Turn("customer" if message.direction == "incoming" else "agent", message.text) for message in before
        ),
        customer_name=row[0],
        visibility="public" if conversation.visibility == "public" else "private",
        channel=row[1],
        instruction=draft.instruction,
    )


def _save(runtime: Runtime, assignment: Assignment, reply: DraftReply) -> None:
    with runtime.sessions.begin() as session:
        draft = _still_queued(session, assignment)
        if draft is None:
            return
        draft.status, draft.origin, draft.text = reply.status, reply.origin, reply.text
        draft.language, draft.confidence = reply.language, reply.confidence
        document = reply.document()
        draft.sentences, draft.unsupported_facts = document["sentences"], list(reply.unsupported_facts)
        draft.model, draft.snapshot, draft.prompt_version = reply.model, reply.snapshot, reply.prompt_version
        draft.timings_ms = dict(reply.timings_ms)
        draft.guidance = document.get("guidance", [])
        _written(session, draft)
        session.add_all(
            Citation(
                draft_id=draft.id,
                n=citation.n,
                entry_id=citation.entry_id,
                external_id=citation.external_id,
                title=citation.title,
                excerpt=citation.excerpt,
                url=citation.url,
                revision=citation.revision,
                language=citation.language,
            )
            for citation in reply.citations
        )


def _save_failure(runtime: Runtime, assignment: Assignment, why: str) -> None:
    with runtime.sessions.begin() as session:
        draft = _still_queued(session, assignment)
        if draft is None:
            return
        draft.status, draft.failure = "failed", f"{why} Write the reply yourself, or ask for another draft."
        _written(session, draft)


def _written(session: Session, draft: Draft) -> None:
    draft.version += 1
    draft.drafted_at = utcnow()
    session.flush()
    announce(session, draft.conversation_id, "draft")


def _still_queued(session: Session, assignment: Assignment) -> Draft | None:
    """Return the draft, its conversation locked; None where the conversation moved on: a newer job sees to that."""
    draft = session.get_one(Draft, assignment.draft_id, options=[joinedload(Draft.conversation)])
    lock(session, draft.conversation)
    session.refresh(draft)
    if draft.status != "queued" or draft.message_id != assignment.message_id:
        return None
    return draft
