"""What an agent decides about a draft: exactly this text goes out, or none.

Nothing else in the program makes an outgoing message. It knows nothing of how a reply is sent.
"""

import difflib
from hashlib import sha256

from sqlalchemy.orm import Session, joinedload

from assistant import audit, queue
from assistant.conversations import announce, lock, said
from assistant.errors import Conflict, Invalid
from assistant.tables import UNDECIDED, Agent, Conversation, Delivery, Draft, Message
from knowledge.database import clean_text, utcnow


def fingerprint(draft: Draft) -> str:
    """Return what the agent saw, in short: this draft, this version of it, up to this message of the customer."""
    return sha256(f"{draft.id}:{draft.version}:{draft.message_id}".encode()).hexdigest()[:32]


def approve(
    session: Session,
    draft: Draft,
    *,
    agent: Agent,
    fingerprint: str,
    text: str | None = None,
    reason: str | None = None,
) -> Message:
    """Send the draft's text, or `text` in its place, to the customer; `reason` says why it was changed.

    The outgoing message, its delivery and the delivery's job are one transaction with the decision.
    Raises Conflict where the draft was decided (naming who), replaced, or changed since the agent saw `fingerprint`;
    Invalid where there is no text.
    """
    conversation = _hold(session, draft)
    _check_undecided(draft, fingerprint)
    if text is None and draft.text is None:
        raise Invalid("text", "This draft has no text: write the reply yourself.")
    final = said(draft.text or "" if text is None else text)
    now = utcnow()
    draft.status, draft.decided_by, draft.decided_at = "approved", agent.id, now
    draft.final_text, draft.edit_diff, draft.reason = final, _diff(draft.text or "", final), _reason(reason)
    message = Message(
        conversation_id=conversation.id,
        channel_id=conversation.channel_id,
        direction="outgoing",
        text=final,
        agent_id=agent.id,
        draft_id=draft.id,
        sent_at=now,
        created_at=now,
    )
    session.add(message)
    session.flush()
    delivery = Delivery(message_id=message.id, created_at=now)
    session.add(delivery)
    session.flush()
    queue.defer_delivery(session, delivery.id)
    queue.defer_learning(session, message.id)
    conversation.waiting_since, conversation.last_message_at = None, now
    conversation.agent_id = agent.id
    audit.record(
        session,
        "draft.approve",
        subject="draft",
        subject_id=draft.id,
        agent=agent,
        details={"edited": draft.edit_diff is not None},
    )
    announce(session, conversation.id, "decided")
    return message


def reject(session: Session, draft: Draft, *, agent: Agent, reason: str, fingerprint: str | None = None) -> None:
    """Decide that nothing of this draft goes out; with a `fingerprint` only if it is still what the agent saw.

    Raises Conflict as `approve` does, Invalid without a reason.
    """
    conversation = _hold(session, draft)
    _check_undecided(draft, fingerprint)
    why = _reason(reason)
    if why is None:
        raise Invalid("reason", "Say in a word why the draft is no good: it is how the drafts get better.")
    draft.status, draft.decided_by, draft.decided_at, draft.reason = "rejected", agent.id, utcnow(), why
    session.flush()
    audit.record(session, "draft.reject", subject="draft", subject_id=draft.id, agent=agent)
    announce(session, conversation.id, "decided")


def _hold(session: Session, draft: Draft) -> Conversation:
    """Lock the draft's conversation, and then read the draft as it is now."""
    conversation = session.get_one(Conversation, draft.conversation_id)
    lock(session, conversation)
    session.get_one(
        Draft, draft.id, options=[joinedload(Draft.decider)], populate_existing=True, with_for_update={"of": Draft}
    )
    return conversation


def _check_undecided(draft: Draft, seen: str | None) -> None:
    if draft.decider is not None:
        verb = "approved" if draft.status == "approved" else "rejected"
        raise Conflict(f"{draft.decider.name} has {verb} this draft already.", who=draft.decider.name)
    if draft.status not in UNDECIDED:
        raise Conflict("The conversation has moved on: look at the newest message and draft, then decide.")
    if seen is not None and seen != fingerprint(draft):
        raise Conflict("The draft has changed since you saw it: read it again, then decide.")


def _diff(drafted: str, final: str) -> str | None:
    """Return what the agent changed as a unified diff of lines, None where nothing was."""
    if drafted.strip() == final:
        return None
    return "\n".join(difflib.unified_diff(drafted.split("\n"), final.split("\n"), "draft", "sent", lineterm="", n=1))


def _reason(reason: str | None) -> str | None:
    return clean_text(reason or "").strip()[:2000] or None
