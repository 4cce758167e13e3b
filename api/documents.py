"""What is stored → what goes out: conversations, messages and drafts as documents of the JSON API."""

from api.schemas import CitationOut, ConversationDetail, ConversationOut, CustomerIn, DraftOut, MessageOut
from assistant import decisions
from assistant.inbox import Row
from assistant.tables import UNDECIDED, Citation, Conversation, Draft, Message

_PREVIEW = 200


def draft_document(draft: Draft) -> DraftOut:
    """Return the draft, whose citations and decider are loaded; only an undecided one has a fingerprint."""
    return DraftOut.model_validate(
        {
            **{name: getattr(draft, name) for name in _DRAFT_COLUMNS},
            "citations": [_citation(citation, draft.language) for citation in draft.citations],
            "fingerprint": decisions.fingerprint(draft) if draft.status in UNDECIDED else None,
            "decided_by": draft.decider.name if draft.decider else None,
        }
    )


def _citation(citation: Citation, language: str | None) -> CitationOut:
    found = CitationOut.model_validate(citation)
    return found if citation.language != language else found.model_copy(update={"language": None})


def conversation_line(row: Row) -> ConversationOut:
    """Return a line of the inbox, with the beginning of the newest message."""
    preview = " ".join(row.last_message.text[:_PREVIEW].split()) if row.last_message else None
    return _line(row.conversation).model_copy(
        update={"preview": preview, "draft_status": row.draft.status if row.draft else None}
    )


def _line(conversation: Conversation) -> ConversationOut:
    return ConversationOut(
        id=conversation.id,
        channel=conversation.channel.name,
        customer=CustomerIn(id=conversation.customer.external_id, name=conversation.customer.name),
        thread_id=conversation.thread_id or None,
        visibility=conversation.visibility,
        status=conversation.state,
        language=conversation.language,
        urgency=conversation.urgency,
        waiting_since=conversation.waiting_since,
        last_message_at=conversation.last_message_at,
    )


def conversation_document(conversation: Conversation, draft: Draft | None) -> ConversationDetail:
    """Return the conversation with its messages and its newest draft that was not superseded."""
    return ConversationDetail(
        **_line(conversation).model_dump(),
        messages=[_message(message) for message in conversation.messages],
        draft=draft_document(draft) if draft is not None else None,
    )


def _message(message: Message) -> MessageOut:
    return MessageOut(
        id=message.id,
        direction=message.direction,
        text=message.text,
        agent=message.agent.name if message.agent else None,
        sent_at=message.sent_at,
        delivery=message.delivery.state if message.delivery else None,
    )


_DRAFT_COLUMNS = (
    "id",
    "conversation_id",
    "status",
    "origin",
    "language",
    "text",
    "sentences",
    "unsupported_facts",
    "guidance",
    "confidence",
    "model",
    "timings_ms",
    "failure",
    "final_text",
    "decided_at",
)
