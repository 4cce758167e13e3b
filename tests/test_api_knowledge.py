"""The knowledge over HTTP: written, imported, changed without overwriting, retired, and found."""

import gzip
import json
from typing import Any

from sqlalchemy import text

from assistant import queue
from knowledge.indexing import update_index
from tests.api_stages import World

URL = "/api/v1/knowledge/entries"
ENTRY = {"external_id": "hours", "question": "When do you open?", "answer": "We open at nine.", "language": "en"}


def add(world: World, **changes: Any) -> dict[str, Any]:
    answer = world.program.post(URL, json=ENTRY | changes)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{URL}/{answer.json()['id']}"
    entry: dict[str, Any] = answer.json()
    return entry


def index(world: World) -> None:
    update_index(world.runtime.engine, world.runtime.index_dir, world.runtime.embedder())
    world.runtime.knowledge_base().refresh()


def index_jobs(world: World) -> int:
    with world.runtime.sessions() as session:
        statement = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = :name")
        return int(session.scalar(statement, {"name": queue.INDEX}) or 0)


def test_it_works(world: World) -> None:
    entry = add(world)
    usage = {"shown": 0, "used": 0, "edited": 0, "rejected": 0, "last_used_at": None}
    assert world.program.get(f"{URL}/{entry['id']}").json() == entry | {"usage": usage}
    assert (entry["kind"], entry["revision"], entry["retired_at"]) == ("faq", 1, None)
    assert index_jobs(world) == 1
    index(world)
    for url in (f"{URL}/search", "/api/v1/knowledge/search"):
        found = world.program.post(url, json={"question": "When do you open?"}).json()
        assert [match["external_id"] for match in found["matches"]] == ["hours"]
        assert found["matches"][0].keys() == {
            *("entry_id", "external_id", "kind", "question", "answer", "score", "dense_rank", "lexical_rank")
        }


def test_id_may_be_called_id(world: World) -> None:
    answer = world.program.post(URL, json={"id": "price", "question": "How much?", "answer": "9,90 €."})
    assert answer.json()["external_id"] == "price"


def test_refuses_a_second_one(world: World) -> None:
    add(world)
    again = world.program.post(URL, json=ENTRY | {"answer": "We open at ten."})
    assert again.status_code == 409
    assert "PATCH" in again.json()["detail"]
    assert world.program.get(URL).json()["entries"][0]["answer"] == "We open at nine."


def test_refuses_wrong_fields(world: World) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"question": ""}, "question"),
        ({"answer": 5}, "answer"),
        ({"external_id": None}, "external_id"),
        ({"kind": "song"}, "kind"),
        ({"language": "sv"}, "language"),
        ({"tags": "one"}, "tags"),
        ({"valid_from": "soon"}, "valid_from"),
    ]
    for change, field in wrong:
        answer = world.program.post(URL, json=ENTRY | change)
        assert (change, answer.status_code) == (change, 422)
        assert answer.json()["errors"][0]["field"] == field
    assert world.program.get(URL).json()["entries"] == []


def test_changes_what_is_given(world: World) -> None:
    entry = add(world, url="https://shop.example/hours")
    url = f"{URL}/{entry['id']}"
    changed = world.program.patch(url, json={"answer": "We open at ten.", "revision": 1}).json()
    assert (changed["answer"], changed["url"], changed["revision"]) == ("We open at ten.", entry["url"], 2)
    stale = world.program.patch(url, json={"answer": "We open at eleven.", "revision": 1})
    assert stale.status_code == 409
    assert world.program.get(url).json()["answer"] == "We open at ten."
    assert world.program.patch(url, json={"url": None}).json()["url"] is None
    for change, field in (
        ({"answer": " "}, "answer"),
        ({"question": None}, "question"),
        ({"valid_until": "x"}, "valid_until"),
    ):
        refused = world.program.patch(url, json=change)
        assert (change, refused.status_code) == (change, 422)
        assert refused.json()["errors"][0]["field"] == field
    assert world.program.patch(f"{URL}/999", json={}).status_code == 404


def test_retires_and_restores(world: World) -> None:
    entry = add(world)
    index(world)
    url = f"{URL}/{entry['id']}"
    assert world.program.delete(url).status_code == 204
    assert world.program.get(url).json()["retired_at"]
    found = world.program.post(f"{URL}/search", json={"question": "When do you open?"}).json()
    assert (found["matches"], found["answerable"]) == ([], False)
    assert world.program.get(URL).json()["entries"] == []
    assert len(world.program.get(URL, params={"retired": "true"}).json()["entries"]) == 1
    assert world.program.patch(url, json={"retired": False}).json()["retired_at"] is None
    assert world.program.delete(f"{URL}/999").status_code == 404


def test_lists_in_pages(world: World) -> None:
    for number in range(5):
        add(world, external_id=f"e{number}")
    first = world.program.get(URL, params={"limit": 3}).json()
    second = world.program.get(URL, params={"limit": 3, "after": first["next"]}).json()
    assert [entry["external_id"] for entry in first["entries"] + second["entries"]] == [f"e{n}" for n in range(5)]
    assert second["next"] is None
    assert len(world.program.get(URL, params={"q": "NINE"}).json()["entries"]) == 5
    assert world.program.get(URL, params={"kind": "past_reply"}).json()["entries"] == []


def test_imports(world: World) -> None:
    rows = [
        {"id": "a", "question": "Do you ship abroad?", "answer": "To Sweden."},
        {"id": "r1", "customer": "Hello?", "reply": "Hello!"},
        {"id": "", "question": "Empty?", "answer": "Yes."},
    ]
    lines = "\n".join(json.dumps(row) for row in rows).encode() + b'\n{"half\n'
    report = world.program.post(f"{URL}/import", content=lines).json()
    assert (report["added"], report["changed"], report["unchanged"]) == (2, 0, 0)
    assert [row["line"] for row in report["rejected"]] == [3, 4]
    assert all(row["reason"] for row in report["rejected"])
    again = world.program.post("/api/v1/knowledge/import", content=gzip.compress(lines)).json()
    assert (again["added"], again["unchanged"]) == (0, 2)
    assert index_jobs(world) >= 1


def test_imports_more_than_other_bodies_may_hold(world: World) -> None:
    row = json.dumps({"id": "long", "question": "Q?", "answer": "A" * 40_000})
    lines = "\n".join(row.replace('"long"', f'"long{number}"') for number in range(10))
    assert len(lines) > world.runtime.settings.max_body_bytes
    assert world.program.post(f"{URL}/import", content=lines.encode()).json()["added"] == 10
    assert world.program.post(f"{URL}/import", content=b"x" * (32 * 1024 * 1024 + 1)).status_code == 413


def test_refuses_an_empty_question(world: World) -> None:
    assert world.program.post(f"{URL}/search", json={"question": " "}).status_code == 422
    assert world.program.post(f"{URL}/search", json={"question": "x", "k": 0}).status_code == 422
    odd = world.program.post(
        f"{URL}/search", content='{"question": "\\ud800 \\u0000 open?"}', headers={"Content-Type": "application/json"}
    )
    assert odd.status_code == 200
