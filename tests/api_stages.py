"""Scenes for the tests of the HTTP API: the application over a fresh database, and programs with tokens."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.app import create_app
from assistant import agents, conversations, tokens
from assistant.runtime import Once, Runtime, open_runtime
from assistant.settings import Settings
from assistant.tables import Draft
from knowledge.search import KnowledgeBase
from models.fakes import FakeEmbedder, FakeLanguageModel
from tests.stages import a_channel, a_message, an_agent, written


@contextmanager
def opened(database_url: str, data_dir: Path, **settings: Any) -> Iterator[Runtime]:
    """Open a runtime over the test's database, with stand-ins for the models; nobody works on its queue."""
    with open_runtime(Settings(database_url=SecretStr(database_url), data_dir=data_dir, **settings)) as runtime:
        embedder = FakeEmbedder()
        knowledge_base = Once(lambda: KnowledgeBase(runtime.engine, runtime.index_dir, embedder))
        yield replace(
            runtime,
            embedder=Once(lambda: embedder),
            knowledge_base=knowledge_base,
            language_model=Once(FakeLanguageModel),
        )
        if knowledge_base.made is not None:
            knowledge_base.made.close()


class World:
    """The application, its runtime, and clients that have tokens."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.app = create_app(runtime)
        self.anonymous = TestClient(self.app, raise_server_exceptions=False)
        with runtime.sessions.begin() as session:
            self.channel = a_channel(session)
            self.agent = an_agent(session)
            _, program = tokens.create(session, name="program")
            _, person = tokens.create(session, name="person", scopes=tokens.SCOPES, agent=self.agent)
        self.program = self.client(program)
        self.person = self.client(person)

    def client(self, token: str) -> TestClient:
        """Return a client that sends this token."""
        return TestClient(self.app, headers={"Authorization": f"Bearer {token}"}, raise_server_exceptions=False)

    def client_with(self, *scopes: str, bound: bool = False) -> TestClient:
        """Return a client whose new token has just these scopes, bound to an agent or not."""
        with self.runtime.sessions.begin() as session:
            agent = agents.get(session, self.agent.id) if bound else None
            _, token = tokens.create(session, name="narrow", scopes=scopes, agent=agent)
        return self.client(token)

    def a_draft(self, reply: str = "We open at nine.", **details: str) -> Draft:
        """Receive a message and write its draft by hand; return it with everything loaded."""
        with self.runtime.sessions.begin() as session:
            received = conversations.receive(session, self.channel, a_message(**details))
            draft = written(session, conversations.get(session, received.conversation_id), reply)
            return conversations.get_draft(session, draft.id)
