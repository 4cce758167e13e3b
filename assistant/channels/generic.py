"""The generic channel: any program that can post JSON and receive it, signed both ways by Standard Webhooks.

In: the body of `POST /api/v1/messages` without `channel`. Out: `{"type": "reply", "timestamp", "data"}`, posted to the
channel's URL with the delivery's idempotency key as `webhook-id`.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Annotated, Any, Literal

import httpx2
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, HttpUrl, ValidationError

from assistant.channels import signing
from assistant.channels.exchange import IncomingMessage, OutgoingMessage, Parsed
from assistant.errors import ChannelError, Invalid
from assistant.tables import Channel
from knowledge.database import clean_text

TIMEOUT_SECONDS = 15.0
_WORTH_ANOTHER_TRY = frozenset({408, 409, 425, 429})
_Text = Annotated[str, AfterValidator(clean_text)]


class CustomerBody(BaseModel):
    """Who writes."""

    model_config = ConfigDict(strict=True)
    id: _Text = Field(min_length=1, max_length=500)
    name: _Text | None = None


class MessageBody(BaseModel):
    """A customer's message as a program posts it. Unknown fields are ignored."""

    model_config = ConfigDict(strict=True)
    external_id: _Text = Field(min_length=1, max_length=500)
    customer: CustomerBody
    thread_id: _Text | None = Field(None, max_length=500)
    text: _Text
    sent_at: Annotated[AwareDatetime, Field(strict=False)] | None = None
    visibility: Literal["private", "public"] = "private"

    def message(self) -> IncomingMessage:
        """Return it in the form that all channels share."""
        return IncomingMessage(
            external_id=self.external_id,
            customer_id=self.customer.id,
            customer_name=self.customer.name,
            thread_id=self.thread_id or None,
            text=self.text,
            sent_at=self.sent_at,
            visibility=self.visibility,
        )


def configure(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config to store: `url`, and `secrets` of which the first signs and every one verifies.

    Without a secret one is made. Raises Invalid.
    """
    url = str(config.get("url") or "")
    try:
        parsed = HttpUrl(url)
    except ValidationError:
        parsed = None
    if parsed is None or parsed.username or parsed.password:
        raise Invalid(
            "url", "Give the address that replies are posted to: https://host/path, without a password in it."
        )
    given = config.get("secrets") or [signing.new_secret()]
    for secret in given:
        signing.key_of(str(secret))
    return {"url": url, "secrets": [str(secret) for secret in given]}


def verify(headers: Mapping[str, str], body: bytes, channel: Channel) -> None:
    """Return where one of the channel's secrets signed these bytes; raises SignatureError."""
    signing.verify(headers, body, channel.config["secrets"])


def parse(body: bytes) -> Parsed:
    """Return the one message in the body; raises Invalid with the first field that is wrong."""
    try:
        return Parsed(messages=(MessageBody.model_validate(json.loads(body)).message(),))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        raise Invalid(field, f"{field}: {first['msg']}.") from None
    except (ValueError, RecursionError):
        raise Invalid("body", "The body is not JSON in UTF-8.") from None


def send(channel: Channel, outgoing: OutgoingMessage) -> None:
    """Post the reply, signed; returns where the receiver answers 2xx within 15 seconds, raises ChannelError else."""
    body = json.dumps(_payload(outgoing), ensure_ascii=False).encode()
    headers = signing.signed_headers(channel.config["secrets"][0], outgoing.idempotency_key, body)
    try:
        with _client().stream(
            "POST", channel.config["url"], content=body, headers={**headers, "content-type": "application/json"}
        ) as response:
            status, wanted_pause = response.status_code, response.headers.get("retry-after")
    except httpx2.TimeoutException:
        raise ChannelError(f"The receiver did not answer within {TIMEOUT_SECONDS:.0f} s.", permanent=False) from None
    except httpx2.UnsupportedProtocol:
        raise ChannelError("The channel's URL cannot be posted to: correct it.", permanent=True) from None
    except httpx2.HTTPError as error:
        raise ChannelError(f"The receiver could not be reached ({type(error).__name__}).", permanent=False) from error
    if 200 <= status < 300:
        return
    permanent = status < 500 and status not in _WORTH_ANOTHER_TRY
    raise ChannelError(f"The receiver answered {status}.", permanent=permanent, retry_after=_seconds(wanted_pause))


@cache
def _client() -> httpx2.Client:
    """Return the one client: it follows no redirect and reads no proxy from the environment."""
    return httpx2.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False)


def _payload(outgoing: OutgoingMessage) -> dict[str, Any]:
    return {
        "type": "reply",
        "timestamp": outgoing.approved_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "conversation_id": outgoing.conversation_id,
            "thread_id": outgoing.thread_id,
            "in_reply_to": outgoing.in_reply_to,
            "text": outgoing.text,
        },
    }


def _seconds(retry_after: str | None) -> float | None:
    """Read a Retry-After header, seconds or a date; None where it is absent or nonsense."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdecimal():
        return float(retry_after[:9])
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
