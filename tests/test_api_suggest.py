"""`POST /api/v1/suggest`: a worker answers, nothing stays; without a worker it says so."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import func, select

from assistant import jobs
from assistant.tables import AuditRecord, Conversation, Message, Suggestion
from knowledge import entries
from knowledge.entries import EntryContent
from knowledge.indexing import update_index
from tests.api_stages import World, opened

URL = "/api/v1/suggest"
DOCUMENT = (
    *("status", "origin", "language", "text", "sentences", "unsupported_facts", "citations"),
    *("confidence", "model", "timings_ms"),
)


@contextmanager
def worker(world: World) -> Iterator[None]:
    """Work in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=jobs.run_worker, args=(world.runtime,), kwargs={"stop": stop})
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def know(world: World) -> None:
    with world.runtime.sessions.begin() as session:
        content = EntryContent(
            kind="faq", external_id="hours", question="When do you open?", answer="We open at nine.", language="en"
        )
        entries.put(session, content, author="test")
    update_index(world.runtime.engine, world.runtime.index_dir, world.runtime.embedder())


def test_it_works(world: World) -> None:
    know(world)
    with worker(world):
        answer = world.program.post(
            URL,
            json={
                "text": "When do you open?",
                "history": [{"role": "customer", "text": "Hello"}, {"role": "agent", "text": "Hi!"}],
                "customer": {"name": "Anna"},
                "visibility": "public",
            },
        )
    assert answer.status_code == 200
    assert tuple(answer.json()) == DOCUMENT
    assert answer.json()["text"]
    with world.runtime.sessions() as session:
        for table in (Suggestion, Message, Conversation):
            assert session.scalar(select(func.count()).select_from(table)) == 0
        audited = session.scalars(select(AuditRecord)).one()
    assert audited.action == "suggest"
    assert "When do you open" not in str(audited.details)


def test_no_worker(database_url: str, tmp_path: Path) -> None:
    with opened(database_url, tmp_path, suggest_timeout_seconds=0.3) as runtime:
        answer = World(runtime).program.post(URL, json={"text": "When do you open?"})
    assert answer.status_code == 503
    assert "aspa work" in answer.json()["detail"]
    assert answer.headers["retry-after"]


def test_refuses_wrong_fields(world: World) -> None:
    wrong = [
        ({"text": ""}, "text"),
        ({}, "text"),
        ({"text": "t", "history": [{"role": "robot", "text": "x"}]}, "history.0.role"),
        ({"text": "t", "language": "sv"}, "language"),
        ({"text": "t", "customer": "Anna"}, "customer"),
    ]
    for body, field in wrong:
        answer = world.program.post(URL, json=body)
        assert (body, answer.status_code) == (body, 422)
        assert answer.json()["errors"][0]["field"] == field
