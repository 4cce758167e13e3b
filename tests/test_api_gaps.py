"""What is missing, over HTTP and on the command line: found, turned into an entry, and gone."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli import app
from assistant import conversations, writing
from assistant.demotion import update_demotions
from assistant.runtime import Runtime
from assistant.tables import Draft
from knowledge.entries import EntryContent, put
from knowledge.indexing import update_index
from knowledge.tables import Entry
from tests.api_stages import World, opened
from tests.stages import a_message

URL = "/api/v1/knowledge"
ISLANDS = "Do you ship parcels to Åland islands?"
OTHERWISE = "Parcels to the Åland islands, do you ship?"
REPLY = "Hi,\n\nParcels to the Åland islands travel by boat and take four days.\n\nKind regards,\nMaija"


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    with opened(database_url, tmp_path, debounce_seconds=0.0) as runtime:
        yield World(runtime)


def ask(world: World, text: str, customer: str) -> dict[str, Any]:
    """Post a customer's message, have its draft written, and return that."""
    with world.runtime.sessions.begin() as session:
        received = conversations.receive(
            session, world.channel, a_message(text, customer_id=customer, name="Anna Virtanen")
        )
    writing.write_draft(world.runtime, received.conversation_id)
    draft: dict[str, Any] = world.program.get(f"/api/v1/conversations/{received.conversation_id}").json()["draft"]
    return draft


def index(world: World) -> None:
    update_index(world.runtime.engine, world.runtime.index_dir, world.runtime.embedder())
    world.runtime.knowledge_base().refresh()


def gaps(world: World, **parameters: int) -> list[dict[str, Any]]:
    answer = world.program.get(f"{URL}/gaps", params=parameters)
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["gaps"]
    return found


def test_a_gap_is_found_filled_and_gone(world: World) -> None:
    for number in range(6):
        text = f"{(ISLANDS, OTHERWISE)[number % 2]} My number is 040 123 456{number}."
        draft = ask(world, text, f"customer-{number}")
        assert draft["status"] == "abstained"
        if number < 3:
            decision = {"text": REPLY, "fingerprint": draft["fingerprint"]}
            assert world.person.post(f"/api/v1/drafts/{draft['id']}/approve", json=decision).status_code == 200
    (gap,) = gaps(world)
    assert (gap["count"], gap["languages"], gap["reasons"]) == (6, {"en": 6}, {"abstained": 6})
    assert len(gap["questions"]) == 2
    assert "040" not in json.dumps(gap)
    reply = "Parcels to the Åland islands travel by boat and take four days."
    assert gap["replies"] == [{"text": reply, "language": "en", "count": 3}]
    proposal = gap["proposal"]
    assert (proposal["kind"], proposal["answer"], len(proposal["alternatives"])) == ("faq", reply, 1)
    assert world.program.post(f"{URL}/entries", json=proposal).status_code == 201
    index(world)
    assert gaps(world) == []
    answered = ask(world, ISLANDS, "customer-7")
    assert (answered["status"], answered["citations"][0]["external_id"]) == ("ready", proposal["external_id"])
    assert "four days" in answered["text"]


def test_no_questions_no_gaps(world: World) -> None:
    assert gaps(world) == []


def test_as_many_gaps_as_asked_for(world: World) -> None:
    for number, text in enumerate(("Ship parcels abroad?", "Sauna evenings?", "Vegan breakfast buffet?")):
        ask(world, text, f"customer-{number}")
    assert len(gaps(world, limit=1)) == 1
    assert sum(gap["count"] for gap in gaps(world)) == 3
    for wrong in ({"limit": 0}, {"days": 0}, {"days": "soon"}):
        assert world.program.get(f"{URL}/gaps", params=wrong).status_code == 422


def test_reading_needs_its_scope(world: World) -> None:
    for path in ("gaps", "usage", "demoted"):
        assert world.anonymous.get(f"{URL}/{path}").status_code == 401
        assert world.client_with("messages:write").get(f"{URL}/{path}").status_code == 403
        assert world.client_with("knowledge:read").get(f"{URL}/{path}").status_code == 200


def test_usage(world: World) -> None:
    entry_id = add(world, "hours", "When is the café open?", "The café is open from nine to five.")
    index(world)
    draft = ask(world, "When is the café open?", "customer-1")
    assert draft["status"] == "ready"
    world.person.post(f"/api/v1/drafts/{draft['id']}/approve", json={"fingerprint": draft["fingerprint"]})
    (figures,) = world.program.get(f"{URL}/usage", params={"entry_id": entry_id}).json()["usage"]
    with world.runtime.sessions() as session:
        decided_at = session.get_one(Draft, draft["id"]).decided_at
    assert decided_at is not None
    assert figures.pop("last_used_at") == decided_at.isoformat().replace("+00:00", "Z")
    assert figures == {
        "entry_id": entry_id,
        "external_id": "hours",
        "kind": "faq",
        "question": "When is the café open?",
        "shown": 1,
        "used": 1,
        "edited": 0,
        "rejected": 0,
        "often_rejected": False,
    }
    assert world.program.get(f"{URL}/usage", params={"often_rejected": True}).json() == {"usage": []}
    assert world.program.get(f"{URL}/usage", params={"entry_id": 2**80}).status_code == 422


def add(world: World, external_id: str, question: str, answer: str) -> int:
    content = EntryContent(kind="faq", external_id=external_id, question=question, answer=answer, language="en")
    with world.runtime.sessions.begin() as session:
        put(session, content, author="test")
        return session.query(Entry.id).filter_by(external_id=external_id).scalar() or 0


def test_demoted_replies_are_listed(world: World) -> None:
    with world.runtime.sessions.begin() as session:
        for name in ("old", "fine"):
            content = EntryContent(kind="past_reply", external_id=name, question="When?", answer="From eight.")
            put(session, content, author="test")
        ids = {entry.external_id: entry.id for entry in session.query(Entry)}
        changed = update_demotions(session, {ids["old"]: "The FAQ entry hours says nine."})
        assert [entry.external_id for entry in changed] == ["old"]
        assert update_demotions(session, {ids["old"]: "The FAQ entry hours says nine."}) == []
    (entry,) = world.program.get(f"{URL}/demoted").json()["entries"]
    assert (entry["external_id"], entry["demoted_reason"]) == ("old", "The FAQ entry hours says nine.")
    with world.runtime.sessions.begin() as session:
        assert [entry.external_id for entry in update_demotions(session, {})] == ["old"]
    assert world.program.get(f"{URL}/demoted").json() == {"entries": []}


def test_at_the_terminal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def opened() -> Iterator[Runtime]:
        yield world.runtime

    monkeypatch.setattr("api.commands.knowledge_gaps.opened", opened)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["knowledge", *arguments], catch_exceptions=False)
        assert result.exit_code == 0
        return result.stdout

    assert "No gaps" in run("gaps")
    assert json.loads(run("gaps", "--json")) == {"gaps": []}
    assert "None" in run("usage") + run("demoted")
    ask(world, ISLANDS, "customer-1")
    assert json.loads(run("gaps", "--json")) == {"gaps": gaps(world)}
    assert "Åland" in run("gaps", "--days", "1", "--limit", "1")
    assert json.loads(run("usage", "--json")) == {"usage": []}
    assert json.loads(run("demoted", "--json")) == {"entries": []}
