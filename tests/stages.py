"""Scenes that several tests play on: a channel, a customer's message, an agent, a draft that waits for a decision."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from assistant import agents, channels, conversations
from assistant.channels.exchange import IncomingMessage
from assistant.runtime import Once, Runtime, open_runtime
from assistant.settings import Settings
from assistant.tables import Agent, Channel, Conversation, Draft
from knowledge.entries import EntryContent, put
from knowledge.indexing import update_index
from knowledge.search import KnowledgeBase
from models import LanguageModel
from models.fakes import FakeEmbedder, FakeLanguageModel

_numbers = itertools.count(1)
URL = "http://127.0.0.1:9/nowhere"  # the discard port: nobody listens there


@contextmanager
def opened(
    database_url: str | None, data_dir: Path, language_model: LanguageModel | None = None, **settings: Any
) -> Iterator[Runtime]:
    """Open a runtime over the test's database, or over an embedded one of its own, with stand-ins for the models."""
    url = None if database_url is None else SecretStr(database_url)
    with open_runtime(Settings(database_url=url, data_dir=data_dir, **settings)) as runtime:
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


QUESTION = "When do you open?"
ANSWER = "We open at 9 every day."


def with_knowledge(runtime: Runtime) -> None:
    """Store and index one entry, which answers `QUESTION`."""
    entry = EntryContent(kind="faq", external_id="hours", question=QUESTION, answer=ANSWER, language="en")
    with runtime.sessions.begin() as session:
        put(session, entry, author="test")
    update_index(runtime.engine, runtime.index_dir, runtime.embedder())


def wait_for(runtime: Runtime, condition: Callable[[Session], object], seconds: float = 60.0) -> None:
    """Return when the condition holds in a new transaction; fail after so many seconds. A lost database is no."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(OperationalError), runtime.sessions() as session:
            if condition(session):
                return
        if time.monotonic() > deadline:
            raise AssertionError("It did not happen in time.")
        time.sleep(0.05)


def has_draft(status: str) -> Callable[[Session], bool]:
    """Make a condition: there is a draft with this status."""
    return lambda session: session.scalars(select(Draft.id).where(Draft.status == status)).first() is not None


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
