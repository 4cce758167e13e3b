"""Keeping the knowledge right over HTTP: history, conflicts, reviews, findings, previews and confirmation."""

from datetime import timedelta
from typing import Any

import pytest

from knowledge import entries, upkeep
from knowledge.database import utcnow
from knowledge.indexing import update_index
from knowledge.tables import Finding
from tests.api_stages import World

URL = "/api/v1/knowledge"
TODAY = utcnow().date()


def add(world: World, name: str = "hours", **fields: Any) -> dict[str, Any]:
    new = {"external_id": name, "question": f"What about {name}?", "answer": f"All about {name}.", "language": "en"}
    answer = world.program.post(f"{URL}/entries", json=new | fields)
    assert answer.status_code == 201
    entry: dict[str, Any] = answer.json()
    return entry


def index(world: World) -> None:
    update_index(world.runtime.engine, world.runtime.index_dir, world.runtime.embedder())
    world.runtime.knowledge_base().refresh()


@pytest.fixture
def judged(world: World) -> World:
    """Two entries, indexed, each with a labelled question that finds it."""
    for name in ("hours", "returns"):
        add(world, name)
        question = {"text": f"What about {name}?", "relevant": [name], "language": "en"}
        assert world.program.post(f"{URL}/questions", json=question).status_code == 201
    index(world)
    return world


def test_it_works(world: World) -> None:
    entry = add(world)
    url = f"{URL}/entries/{entry['id']}"
    changed = world.program.patch(url, json={"answer": "Nothing about hours.", "audience": "internal", "revision": 1})
    assert (changed.json()["audience"], changed.json()["revision"]) == ("internal", 2)
    newest, first = world.program.get(f"{url}/revisions").json()["revisions"]
    assert (newest["number"], newest["author"], newest["retired"], newest["data"]["audience"]) == (
        2,
        "program",
        False,
        "internal",
    )
    assert [change["field"] for change in newest["changes"]] == ["answer", "audience"]
    assert newest["changes"][0]["words"][:2] == [{"op": "del", "text": "All "}, {"op": "ins", "text": "Nothing "}]
    assert first["answer"] == "All about hours."
    back = world.person.post(f"{url}/restore", json={"revision": 1, "expected_revision": 2}).json()
    assert (back["answer"], back["revision"], back["audience"]) == ("All about hours.", 3, "public")
    assert world.program.get(f"{url}/revisions").json()["revisions"][0]["author"] == world.agent.name


def test_the_second_of_two_sees_what_the_first_wrote(world: World) -> None:
    entry = add(world)
    url = f"{URL}/entries/{entry['id']}"
    world.program.patch(url, json={"answer": "From nine.", "revision": 1})
    for refused in (
        world.program.patch(url, json={"answer": "From ten.", "revision": 1}),
        world.program.post(f"{url}/restore", json={"revision": 1, "expected_revision": 1}),
        world.program.post(f"{url}/reviewed", json={"expected_revision": 1}),
    ):
        assert refused.status_code == 409
        problem = refused.json()
        assert (problem["current"]["answer"], problem["current"]["revision"]) == ("From nine.", 2)
        assert "read it again" in problem["detail"]
    assert world.program.get(url).json()["answer"] == "From nine."


def test_restores_what_is_retired(world: World) -> None:
    url = f"{URL}/entries/{add(world)['id']}"
    world.program.delete(url)
    assert world.program.post(f"{url}/restore", json={}).json()["retired_at"] is None
    assert world.program.post(f"{url}/restore", json={"revision": 9}).status_code == 404
    assert world.program.post(f"{URL}/entries/999/restore", json={}).status_code == 404
    assert world.program.get(f"{URL}/entries/999/revisions").status_code == 404


def test_reviews(world: World) -> None:
    late = add(world, "late", review_on=str(TODAY - timedelta(days=2)), owner="Bea")
    add(world, "fresh")
    due = f"{URL}/due"
    assert [entry["external_id"] for entry in world.program.get(due).json()["entries"]] == ["late"]
    assert world.program.get(due, params={"owner": "Cid"}).json()["entries"] == []
    assert world.program.get(due, params={"by": str(TODAY - timedelta(days=3))}).json()["entries"] == []
    url = f"{URL}/entries/{late['id']}/reviewed"
    assert world.program.post(url, json={}).json()["review_on"] == str(TODAY + timedelta(days=365))
    assert world.program.get(due).json()["entries"] == []
    day = str(TODAY + timedelta(days=3))
    assert world.program.post(url, json={"next_on": day}).json()["review_on"] == day
    world.program.delete(f"{URL}/entries/{late['id']}")
    assert world.program.post(url, json={}).status_code == 409


def test_windows(world: World) -> None:
    add(world, "soon", valid_until=(utcnow() + timedelta(days=3)).isoformat())
    add(world, "over", valid_until=(utcnow() - timedelta(days=3)).isoformat())
    ending = world.program.get(f"{URL}/ending").json()["entries"]
    assert [entry["external_id"] for entry in ending] == ["soon"]
    assert world.program.get(f"{URL}/ending", params={"within_days": 1}).json()["entries"] == []
    over = world.program.get(f"{URL}/entries", params={"valid": "false"}).json()["entries"]
    assert [entry["external_id"] for entry in over] == ["over"]


def test_findings(world: World) -> None:
    one, other = add(world, "one"), add(world, "other")
    with world.runtime.sessions.begin() as session:
        stored = [entries.get(session, entry["id"]) for entry in (one, other)]
        hashes = [upkeep.text_hash(entry) for entry in stored if entry is not None]
        finding = Finding(
            kind="contradiction", entry_id=one["id"], other_id=other["id"], similarity=0.9,
            entry_hash=hashes[0], other_hash=hashes[1], differences=[{"entry": "9", "other": "10"}],
        )  # fmt: skip
        session.add(finding)
    (found,) = world.program.get(f"{URL}/findings").json()["findings"]
    assert (found["entry"]["external_id"], found["other"]["external_id"]) == ("one", "other")
    assert found["differences"] == [{"entry": "9", "other": "10"}]
    assert world.program.get(f"{URL}/findings", params={"kind": "duplicate"}).json()["findings"] == []
    assert world.program.get(f"{URL}/findings", params={"kind": "song"}).status_code == 422
    dismissed = world.person.post(f"{URL}/findings/{found['id']}/dismiss").json()
    assert dismissed["dismissed_by"] == world.agent.name
    assert world.program.get(f"{URL}/findings").json()["findings"] == []
    assert len(world.program.get(f"{URL}/findings", params={"dismissed": "true"}).json()["findings"]) == 1
    assert world.program.post(f"{URL}/findings/999/dismiss").status_code == 404


def test_labelled_questions(world: World) -> None:
    url = f"{URL}/questions"
    added = world.program.post(url, json={"text": " When? ", "relevant": ["hours"]}).json()
    assert (added["text"], added["relevant"], added["author"]) == ("When?", ["hours"], "program")
    assert [question["id"] for question in world.program.get(url).json()["questions"]] == [added["id"]]
    refused: list[dict[str, Any]] = [
        {"text": " "},
        {"text": "x" * 2_001},
        {"text": "When?", "relevant": [""]},
        {"relevant": []},
    ]
    for wrong in refused:
        assert (wrong, world.program.post(url, json=wrong).status_code) == (wrong, 422)
    assert world.program.delete(f"{url}/{added['id']}").status_code == 204
    assert world.program.delete(f"{url}/{added['id']}").status_code == 404
    assert world.program.get(url).json()["questions"] == []


def test_previews(judged: World) -> None:
    asked = "Where can I park my car?"
    judged.a_draft(text=asked)
    url = f"{URL}/entries/preview"
    new = {"external_id": "parking", "question": asked, "answer": "Behind the shop."}
    gained = judged.program.post(url, json={"change": new}).json()
    (answer,) = (answer for answer in gained["answers"] if answer["question"] == asked)
    assert (answer["labelled"], answer["after"]["sources"][0]["external_id"]) == (False, "parking")
    assert gained["asked"] == 3
    assert (gained["recall_before"], gained["recall_after"], gained["needs_confirmation"]) == (1.0, 1.0, False)
    number = judged.program.get(f"{URL}/entries").json()["entries"][0]["id"]
    lost = judged.program.post(url, json={"entry_id": number, "change": {"retired": True}}).json()
    assert (lost["recall_after"], lost["needs_confirmation"], lost["floor"]) == (0.5, True, 0.8)
    assert len(judged.program.get(f"{URL}/entries").json()["entries"]) == 2
    for wrong in ({"change": {"question": "?"}}, {"entry_id": number, "change": {"answer": " "}}, {}):
        assert judged.program.post(url, json=wrong).status_code == 422
    assert judged.program.post(url, json={"entry_id": 999, "change": {}}).status_code == 404


def test_what_loses_answers_has_to_be_confirmed(judged: World) -> None:
    number = judged.program.get(f"{URL}/entries").json()["entries"][0]["id"]
    url = f"{URL}/entries/{number}"
    change = {"question": "Xyzzy", "answer": "Plugh", "retired": True}
    for refused in (judged.program.delete(url), judged.program.patch(url, json=change)):
        problem = refused.json()
        assert (refused.status_code, problem["code"]) == (409, "confirmation_required")
        assert (problem["recall_before"], problem["recall_after"], problem["floor"]) == (1.0, 0.5, 0.8)
    assert judged.program.get(url).json()["revision"] == 1
    assert judged.program.patch(url, json={"tags": ["fine"]}).status_code == 200
    assert judged.program.delete(url, params={"confirm": "true"}).status_code == 204
    assert judged.program.patch(url, json={"retired": False, "confirm": True}).json()["retired_at"] is None


def test_scopes(world: World) -> None:
    number = add(world)["id"]
    reader, writer = world.client_with("knowledge:read"), world.client_with("knowledge:write")
    for path in ("due", "ending", "findings", "questions", f"entries/{number}/revisions"):
        assert (path, reader.get(f"{URL}/{path}").status_code) == (path, 200)
        assert (path, writer.get(f"{URL}/{path}").status_code) == (path, 403)
    for path in (f"entries/{number}/restore", f"entries/{number}/reviewed", "questions", "findings/1/dismiss"):
        assert (path, reader.post(f"{URL}/{path}", json={"text": "When?"}).status_code) == (path, 403)
