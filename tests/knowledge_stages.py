"""Scenes for the tests of the knowledge's pages: maintainers, entries, and what a browser sends."""

import re
from html import unescape
from typing import Any

import httpx2
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from assistant.runtime import Runtime
from assistant.tables import Agent
from knowledge import entries
from knowledge.entries import EntryContent
from knowledge.indexing import update_index
from knowledge.tables import Entry
from tests.web_stages import an_agent_with_password, token_in


def cleared(runtime: Runtime) -> None:
    """Forget all knowledge, so that the tests of one module can share a database and a signed-in browser."""
    with runtime.sessions.begin() as session:
        session.execute(
            text(
                "TRUNCATE entry, entry_revision, finding, labelled_question, import_run, conversation, channel CASCADE"
            )
        )


def a_maintainer(session: Session, *, name: str = "Aino", role: str = "maintainer", **details: str) -> Agent:
    """Add somebody who may change the knowledge and can sign in."""
    agent = an_agent_with_password(session, name=name, **details)
    agent.role, agent.language = role, "en"
    return agent


def an_entry(
    runtime: Runtime,
    external_id: str = "delivery",
    question: str = "How long does delivery take?",
    answer: str = "Delivery takes 2–4 working days.",
    **fields: Any,
) -> Entry:
    """Store one entry and return it."""
    known: dict[str, Any] = {"kind": "faq", "external_id": external_id, "question": question, "answer": answer}
    content = EntryContent(**(known | fields))
    with runtime.sessions.begin() as session:
        entries.put(session, content, author="test")
        entry = entries.find(session, content.kind, external_id)
        if entry is None:
            raise AssertionError("The entry was not stored.")
        return entry


def indexed(runtime: Runtime) -> None:
    """Do what the worker does after a change."""
    update_index(runtime.engine, runtime.index_dir, runtime.embedder())
    if (base := runtime.knowledge_base.made) is not None:
        base.refresh()


def form_in(answer: httpx2.Response) -> dict[str, str]:
    """Return the fields of a page's entry form as a browser would send them, untouched."""
    _, _, page = answer.text.partition('id="entry-form"')
    page = page.partition("</form>")[0]
    fields = dict.fromkeys(re.findall(r'<(?:input|textarea|select)[^>]* name="([a-z_]+)"', page), "")
    for tag in re.findall(r"<input[^>]*>", page):
        name, value = re.search(r'name="([a-z_]+)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and ('type="radio"' not in tag or "checked" in tag) and 'type="checkbox"' not in tag:
            fields[name[1]] = value[1] if value else ""
    fields |= dict(re.findall(r'<textarea[^>]* name="([a-z_]+)"[^>]*>\n([^<]*)</textarea>', page))
    for name, options in re.findall(r'<select[^>]* name="([a-z_]+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        fields[name] = chosen[1] if chosen else ""
    return {name: unescape(value) for name, value in fields.items()}


def press(client: TestClient, address: str, page: httpx2.Response, step: str, **typed: str) -> httpx2.Response:
    """Type into the form of a page and press one of its buttons."""
    fields = form_in(page) | {"csrf_token": token_in(page), "step": step} | typed
    return client.post(address, files={name: (None, value.encode()) for name, value in fields.items()})
