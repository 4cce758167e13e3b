"""The ways in and out. One module per kind, each with the same functions:

- `configure(config) -> dict`: the config to store, completed (secrets) and checked; raises Invalid
- `verify(headers, body, channel)`: returns None where the channel itself sent these bytes; raises SignatureError
- `parse(body) -> Parsed`: what the bytes say; raises Invalid where they cannot be read
- `send(channel, outgoing)`: returns None where the channel took the reply; raises ChannelError

This module knows which kinds there are and finds a channel; it does not know what happens with a message.
"""

from types import MappingProxyType
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from assistant.channels import generic
from assistant.errors import Conflict, Invalid, NotFound
from assistant.tables import Channel
from knowledge.database import clean_text

__all__ = ["KINDS", "add", "find", "generic"]

KINDS = MappingProxyType({"generic": generic})


def add(session: Session, *, kind: str, name: str, config: dict[str, Any]) -> Channel:
    """Add a channel; its module completes and checks the config.

    Raises Invalid for a field that cannot be used, Conflict where the name is taken.
    """
    if kind not in KINDS:
        raise Invalid("kind", f"{kind!r} is no kind of channel: choose one of {', '.join(KINDS)}.")
    name = clean_text(name).strip()
    if not name or len(name) > 100 or name.isdecimal() or any(character.isspace() for character in name):
        raise Invalid("name", "Name the channel in one word of at most 100 characters that is not a number.")
    added = session.execute(
        insert(Channel)
        .values(kind=kind, name=name, config=KINDS[kind].configure(config))
        .on_conflict_do_nothing()
        .returning(Channel)
    ).scalar_one_or_none()
    if added is None:
        raise Conflict(f"There is a channel called {name} already.")
    return added


def find(session: Session, reference: str, *, kind: str | None = None) -> Channel:
    """Return the channel with this id or name, of this kind if one is given; raises NotFound."""
    if reference.isdecimal() and reference.isascii() and len(reference) < 19:
        channel = session.get(Channel, int(reference))  # names are never numbers
    else:
        channel = session.scalar(select(Channel).where(Channel.name == clean_text(reference)))
    if channel is None or channel.disabled_at is not None or kind not in (None, channel.kind):
        raise NotFound(f"There is no channel {reference[:100]!r}: `aspa channel list` names them.")
    return channel
