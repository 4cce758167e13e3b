"""Where channels post what customers write. The signature over the raw bytes is the only key."""

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from api.dependencies import RawBody, SessionDep
from api.schemas import Ignored, Received, WebhookTaken
from assistant import channels, conversations
from assistant.channels.exchange import Parsed
from assistant.errors import Invalid
from assistant.tables import Channel, StoredPayload

router = APIRouter(prefix="/webhooks", tags=["webhooks"])


@router.get("/{kind}/{channel_id}")
def shake_hands(session: SessionDep, kind: str, channel_id: str) -> dict[str, str]:
    """Tell that the address is right; a platform that demands a handshake gets it here."""
    return {"status": "listening", "kind": channels.find(session, channel_id, kind=kind).kind}


@router.post("/{kind}/{channel_id}", response_model=WebhookTaken)
def take_in(session: SessionDep, body: RawBody, request: Request, kind: str, channel_id: str) -> Response:
    """Take in what a channel posts: 401 without a good signature, else 200.

    What cannot be read is kept and answered with 200 and `ignored`: a platform that is refused posts it for days.
    """
    channel = channels.find(session, channel_id, kind=kind)
    module = channels.KINDS[channel.kind]
    module.verify(request.headers, body, channel)
    try:
        taken = _receive(session, channel, module.parse(body))
    except Invalid as error:
        session.rollback()
        session.add(StoredPayload(channel_id=channel.id, body=body, why=str(error)))
        taken = WebhookTaken(messages=[], ignored=[Ignored(why=str(error))])
    # Committed and written out here, in the thread that is at it: platforms post thousands of these.
    session.commit()
    return Response(taken.model_dump_json(), media_type="application/json")


def _receive(session: Session, channel: Channel, parsed: Parsed) -> WebhookTaken:
    messages = [conversations.receive(session, channel, incoming) for incoming in parsed.messages]
    return WebhookTaken(
        messages=[Received.model_validate(received) for received in messages],
        ignored=[Ignored(why=one.why) for one in parsed.ignored],
    )
