"""Scenes that several tests play on: a channel, a customer's message, an agent, a draft that waits for a decision."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy.orm import Session

from assistant import agents, channels, conversations
from assistant.channels.exchange import IncomingMessage
from assistant.runtime import Once, Runtime, open_runtime
from assistant.settings import Settings
from assistant.tables import Agent, Channel, Conversation, Draft
from knowledge.search import KnowledgeBase
from models import LanguageModel
from models.fakes import FakeEmbedder, FakeLanguageModel

_numbers = itertools.count(1)
URL = "http://127.0.0.1:9/nowhere"  # the discard port: nobody listens there


@contextmanager
def opened(
    database_url: str, data_dir: Path, language_model: LanguageModel | None = None, **settings: Any
) -> Iterator[Runtime]:
    """Open a runtime over the test's database with stand-ins for the models."""
    with open_runtime(Settings(database_url=SecretStr(database_url), data_dir=data_dir, **settings)) as runtime:
        embedder = FakeEmbedder()
        knowledge_base = Once(lambda: KnowledgeBase(runtime.engine, runtime.index_dir, embedder))
        try:
            yield replace(
                runtime,
                embedder=Once(lambda: embedder),
                knowledge_base=knowledge_base,
                language_model=Once(lambda: language_model or FakeLanguageModel()),
            )
        finally:
            if knowledge_base.made is not None:
                knowledge_base.made.close()


def a_channel(session: Session, *, url: str = URL, name: str = "shop") -> Channel:
    """Add a generic channel that posts to `url`."""
    return channels.add(session, kind="generic", name=name, config={"url": url})


def an_agent(session: Session, name: str = "Maija", role: str = "agent") -> Agent:
    """Add an agent without a password."""
    return agents.add(session, email=f"{name.lower()}{next(_numbers)}@example.com", name=name, role=role)


def a_message(
    text: str = "When do you open?",
    *,
    external_id: str | None = None,
    customer_id: str = "customer-1",
    thread_id: str | None = None,
    name: str | None = "Anna Virtanen",
) -> IncomingMessage:
    """Make a customer's message with an external id of its own."""
    return IncomingMessage(
        external_id=external_id or f"message-{next(_numbers)}",
        customer_id=customer_id,
        customer_name=name,
        thread_id=thread_id,
        text=text,
        sent_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    )


def a_conversation(session: Session, channel: Channel, text: str = "When do you open?", **details: str) -> Conversation:
    """Receive a message and return its conversation."""
    received = conversations.receive(session, channel, a_message(text, **details))
    return conversations.get(session, received.conversation_id)


def written(session: Session, conversation: Conversation, text: str = "We open at nine.") -> Draft:
    """Write the conversation's queued draft by hand, as a worker would, and return it."""
    draft = conversations.current_draft(session, conversation)
    if draft is None or draft.status != "queued":
        raise AssertionError("There is no draft to write.")
    draft.status, draft.origin, draft.language, draft.text = "ready", "model", "en", text
    draft.version += 1
    session.flush()
    return draft
