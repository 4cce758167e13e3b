"""Drafts over HTTP: only a person approves, exactly what they saw, and once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import select

from assistant import conversations
from assistant.tables import Delivery, Draft, Message
from tests.api_stages import World
from tests.stages import a_message


def fingerprint(world: World, draft: Draft) -> str:
    found: str = world.program.get(f"/api/v1/drafts/{draft.id}").json()["fingerprint"]
    return found


def sent(world: World) -> list[str]:
    with world.runtime.sessions() as session:
        return list(session.scalars(select(Message.text).where(Message.direction == "outgoing")))


def approve(world: World, draft: Draft, key: str | None = None, **changes: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    body = {"fingerprint": fingerprint(world, draft)} | changes
    return world.person.post(f"/api/v1/drafts/{draft.id}/approve", json=body, headers=headers)


def test_it_works(world: World) -> None:
    draft = world.a_draft("We open at nine.")
    answer = approve(world, draft, text="We open at nine, Anna.", reason="friendlier")
    assert answer.status_code == 200
    assert answer.json()["text"] == "We open at nine, Anna."
    assert sent(world) == ["We open at nine, Anna."]
    shown = world.program.get(f"/api/v1/drafts/{draft.id}").json()
    assert (shown["status"], shown["decided_by"], shown["fingerprint"]) == ("approved", "Maija", None)


def test_shows_the_document(world: World) -> None:
    shown = world.program.get(f"/api/v1/drafts/{world.a_draft().id}").json()
    wanted = "status origin language text sentences unsupported_facts citations confidence model timings_ms"
    assert set(wanted.split()) | {"id", "conversation_id", "fingerprint"} <= shown.keys()


def test_same_key_same_answer(world: World) -> None:
    draft = world.a_draft()
    seen = {"fingerprint": fingerprint(world, draft)}
    first, second = (
        world.person.post(f"/api/v1/drafts/{draft.id}/approve", json=seen, headers={"Idempotency-Key": "k1"})
        for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert len(sent(world)) == 1
    other = world.person.post(
        f"/api/v1/drafts/{draft.id}/approve", json=seen | {"text": "Else"}, headers={"Idempotency-Key": "k1"}
    )
    assert other.status_code == 422
    assert other.json()["errors"][0]["field"] == "Idempotency-Key"


def test_same_key_at_once_sends_once(world: World) -> None:
    draft = world.a_draft()
    seen = {"fingerprint": fingerprint(world, draft)}

    def ask(_: int) -> Any:
        headers = {"Idempotency-Key": "k1"}
        return world.person.post(f"/api/v1/drafts/{draft.id}/approve", json=seen, headers=headers)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    with world.runtime.sessions() as session:
        assert len(session.scalars(select(Delivery)).all()) == 1


def test_a_refusal_is_not_kept(world: World) -> None:
    draft = world.a_draft()
    assert approve(world, draft, key="k1", fingerprint="stale").status_code == 409
    assert approve(world, draft, key="k1").status_code == 200


def test_twice_is_refused_and_says_who(world: World) -> None:
    draft = world.a_draft()
    seen = fingerprint(world, draft)
    assert approve(world, draft).status_code == 200
    again = approve(world, draft, fingerprint=seen)
    assert again.status_code == 409
    assert again.json()["who"] == "Maija"
    assert len(sent(world)) == 1


def test_stale_after_a_newer_message(world: World) -> None:
    draft = world.a_draft()
    seen = fingerprint(world, draft)
    with world.runtime.sessions.begin() as session:
        conversations.receive(session, world.channel, a_message("And on Sunday?"))
    assert approve(world, draft, fingerprint=seen).status_code == 409
    assert sent(world) == []


def test_rejects_with_a_reason(world: World) -> None:
    draft = world.a_draft()
    url = f"/api/v1/drafts/{draft.id}/reject"
    assert world.person.post(url, json={}).status_code == 422
    assert world.person.post(url, json={"reason": " "}).status_code == 422
    answer = world.person.post(url, json={"reason": "wrong branch"}, headers={"Idempotency-Key": "k1"})
    assert answer.json() == {"draft_id": draft.id, "conversation_id": draft.conversation_id, "status": "rejected"}
    assert world.person.post(url, json={"reason": "wrong branch"}, headers={"Idempotency-Key": "k1"}).status_code == 200
    assert world.person.post(url, json={"reason": "again"}).status_code == 409


def test_asks_for_another_draft(world: World) -> None:
    draft = world.a_draft()
    url = f"/api/v1/conversations/{draft.conversation_id}/drafts"
    answer = world.program.post(url, json={"instruction": "Shorter, please"})
    assert answer.status_code == 202
    other = world.program.get(f"/api/v1/drafts/{answer.json()['id']}").json()
    assert other["status"] == "queued"
    assert world.program.get(f"/api/v1/drafts/{draft.id}").json()["status"] == "superseded"
    assert world.program.post(url).status_code == 202
    assert world.program.post(url, json={"instruction": "x" * 2001}).status_code == 422


def test_only_a_person_decides(world: World) -> None:
    draft = world.a_draft()
    body = {"fingerprint": fingerprint(world, draft)}
    url = f"/api/v1/drafts/{draft.id}/approve"
    assert world.program.post(url, json=body).status_code == 403
    assert world.anonymous.post(url, json=body).status_code == 401
    usual = world.client_with("drafts:write", bound=True)
    assert usual.post(url, json=body).status_code == 403
    assert world.program.post(f"/api/v1/drafts/{draft.id}/reject", json={"reason": "no"}).status_code == 403
    assert sent(world) == []


SCOPES: list[tuple[str, str, dict[str, Any] | None, str]] = [
    (
        "POST",
        "/api/v1/messages",
        {"channel": "s", "external_id": "1", "customer": {"id": "c"}, "text": "t"},
        "messages:write",
    ),
    ("GET", "/api/v1/conversations", None, "conversations:read"),
    ("GET", "/api/v1/conversations/1", None, "conversations:read"),
    ("POST", "/api/v1/conversations/1/drafts", {}, "drafts:write"),
    ("GET", "/api/v1/drafts/1", None, "conversations:read"),
    ("POST", "/api/v1/drafts/1/reject", {"reason": "r"}, "drafts:write"),
    ("POST", "/api/v1/drafts/1/approve", {"fingerprint": "f"}, "drafts:approve"),
    ("POST", "/api/v1/suggest", {"text": "t"}, "suggest"),
    ("GET", "/api/v1/knowledge/entries", None, "knowledge:read"),
    ("GET", "/api/v1/knowledge/entries/1", None, "knowledge:read"),
    ("POST", "/api/v1/knowledge/entries", {"external_id": "e", "question": "q", "answer": "a"}, "knowledge:write"),
    ("PATCH", "/api/v1/knowledge/entries/1", {}, "knowledge:write"),
    ("DELETE", "/api/v1/knowledge/entries/1", None, "knowledge:write"),
    ("POST", "/api/v1/knowledge/entries/import", {}, "knowledge:write"),
    ("POST", "/api/v1/knowledge/entries/search", {"question": "q"}, "knowledge:read"),
]


def test_scopes(world: World) -> None:
    other = {
        scope: world.client_with("knowledge:read" if scope != "knowledge:read" else "suggest") for *_, scope in SCOPES
    }
    for method, url, body, scope in SCOPES:
        assert (url, world.anonymous.request(method, url, json=body).status_code) == (url, 401)
        refused = other[scope].request(method, url, json=body)
        assert (url, refused.status_code) == (url, 403)
        assert scope in refused.json()["detail"]


def test_wrong_token(world: World) -> None:
    for token in ("", "aspa_wrong", "x" * 10_000):
        answer = world.client(token).get("/api/v1/conversations")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
