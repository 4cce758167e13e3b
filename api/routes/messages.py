"""Messages come in: for programs that have a token."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from api.dependencies import Caller, SessionDep, caller_with
from api.schemas import MessageIn, Received
from assistant import channels, conversations
from assistant.channels.exchange import IncomingMessage

router = APIRouter(prefix="/api/v1", tags=["messages"])


@router.post("/messages", status_code=202, response_model=Received)
def receive_message(
    session: SessionDep, caller: Annotated[Caller, Depends(caller_with("messages:write"))], message: MessageIn
) -> Any:
    """Take in a customer's message; a draft will be written. The same `external_id` again changes nothing."""
    channel = channels.find(session, message.channel)
    incoming = IncomingMessage(
        external_id=message.external_id,
        customer_id=message.customer.id,
        customer_name=message.customer.name,
        thread_id=message.thread_id or None,
        text=message.text,
        sent_at=message.sent_at,
        visibility=message.visibility,
    )
    return conversations.receive(session, channel, incoming)
