"""Scenes for the tests of the pages: an agent with a password, a draft with a source and with a fact that has none."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from api.app import create_app
from assistant import agents, conversations
from assistant.conversations import announce
from assistant.runtime import Runtime
from assistant.tables import Agent, Citation, Conversation, Draft

EMAIL = "aino@example.com"
PASSWORD = "kahvia ja pullaa"
REPLY = "Hei Anna!\n\nToimitus kestää 2–4 arkipäivää. Se maksaa 9,90 €.\n\nTerveisin\nAino"
SENTENCES: list[dict[str, Any]] = [
    {"text": "Hei Anna!", "supported": True, "citations": []},
    {"text": "Toimitus kestää 2–4 arkipäivää.", "supported": True, "citations": [1]},
    {"text": "Se maksaa 9,90 €.", "supported": False, "citations": []},
    {"text": "Terveisin\nAino", "supported": True, "citations": []},
]


@contextmanager
def browser(runtime: Runtime) -> Iterator[TestClient]:
    """A browser that asks for pages in English and does not follow redirects by itself."""
    headers = {"Accept": "text/html", "Accept-Language": "en"}
    with TestClient(create_app(runtime), headers=headers, follow_redirects=False) as client:
        yield client


def an_agent_with_password(session: Session, *, email: str = EMAIL, name: str = "Aino") -> Agent:
    """Add an agent who can sign in."""
    return agents.add(session, email=email, name=name, password=PASSWORD)


def token_in(answer: httpx2.Response) -> str:
    """Return the token that the forms of a page carry."""
    return answer.text.partition('name="csrf_token" value="')[2].partition('"')[0]


def sign_in(client: TestClient, *, email: str = EMAIL, password: str = PASSWORD, **fields: str) -> httpx2.Response:
    """Fill in the form and send it."""
    token = token_in(client.get("/sign-in"))
    return client.post("/sign-in", data={"csrf_token": token, "email": email, "password": password, **fields})


def cited(
    session: Session,
    conversation: Conversation,
    *,
    text: str = REPLY,
    sentences: list[dict[str, Any]] | None = None,
    unsupported_facts: tuple[str, ...] = ("9,90 €",),
    title: str = "Kauanko toimitus kestää?",
    url: str = "https://shop.example/delivery",
) -> Draft:
    """Write the conversation's queued draft as a worker would, with one source, and tell the open pages."""
    draft = conversations.current_draft(session, conversation)
    if draft is None or draft.status != "queued":
        raise AssertionError("There is no draft to write.")
    draft.status, draft.origin, draft.language, draft.text, draft.confidence = "ready", "model", "fi", text, 0.82
    draft.sentences = SENTENCES if sentences is None else sentences
    draft.unsupported_facts = list(unsupported_facts)
    draft.version += 1
    draft.citations.append(
        Citation(
            n=1,
            entry_id=1,
            external_id="delivery",
            title=title,
            excerpt="Toimitus kestää 2–4 arkipäivää tilauksesta.",
            url=url,
            revision=1,
        )
    )
    session.flush()
    announce(session, conversation.id, "draft")
    return draft


def approval(draft: Draft, fingerprint: str, token: str, **fields: str) -> dict[str, str]:
    """Return the fields of the approval form as a browser sends them."""
    text = (draft.text or "").replace("\n", "\r\n")
    return {"csrf_token": token, "draft_id": str(draft.id), "fingerprint": fingerprint, "text": text, **fields}
