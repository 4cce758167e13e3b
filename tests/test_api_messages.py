"""`POST /api/v1/messages`: what a program posts is there, once; and what is refused, with which sentence."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from assistant.tables import Conversation, Message
from tests.api_stages import World

URL = "/api/v1/messages"


def body(**changes: object) -> dict[str, object]:
    message = {"channel": "shop", "external_id": "m1", "customer": {"id": "c1", "name": "Anna"}, "text": "Hello?"}
    return message | changes


def stored(world: World) -> list[str]:
    with world.runtime.sessions() as session:
        return list(session.scalars(select(Message.text).order_by(Message.id)))


def test_it_works(world: World) -> None:
    answer = world.program.post(URL, json=body(thread_id="t1", sent_at="2026-01-31T09:00:00+02:00"))
    assert answer.status_code == 202
    received = answer.json()
    assert received["duplicate"] is False
    assert stored(world) == ["Hello?"]
    again = world.program.post(URL, json=body(thread_id="t1"))
    assert again.status_code == 202
    assert again.json() == received | {"duplicate": True}
    assert stored(world) == ["Hello?"]


def test_channel_by_number(world: World) -> None:
    assert world.program.post(URL, json=body(channel=str(world.channel.id))).status_code == 202


def test_same_message_at_once_is_stored_once(world: World) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: world.program.post(URL, json=body()), range(16)))
    assert {answer.status_code for answer in answers} == {202}
    assert [answer.json()["duplicate"] for answer in answers].count(False) == 1
    assert stored(world) == ["Hello?"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a\0b", "ab"),
        ("half \ud83d emoji", "half \ufffd emoji"),
        ("مرحبا، متى تفتحون؟", "مرحبا، متى تفتحون؟"),
        ("😡😡😡", "😡😡😡"),
        ("x" * 100_000, "x" * 100_000),
    ],
    ids=["nul", "lone surrogate", "right to left", "emoji", "100 KB"],
)
def test_odd_text_is_kept(world: World, sent: str, kept: str) -> None:
    assert world.program.post(URL, json=body(text=sent)).status_code == 202
    assert stored(world) == [kept]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": " \n\t "}, "text"),
        ({"text": 5}, "text"),
        ({"text": "x" * 200_001}, "text"),
        ({"external_id": ""}, "external_id"),
        ({"external_id": "a\0b"}, "external_id"),
        ({"external_id": None}, "external_id"),
        ({"customer": "Anna"}, "customer"),
        ({"customer": {"name": "Anna"}}, "customer.id"),
        ({"visibility": "secret"}, "visibility"),
        ({"sent_at": "yesterday"}, "sent_at"),
        ({"sent_at": "2026-01-31T09:00:00"}, "sent_at"),
        ({"sent_at": "9999-12-31T23:59:59-14:00"}, "sent_at"),
    ],
    ids=str,
)
def test_refuses_wrong_field(world: World, change: dict[str, object], field: str) -> None:
    answer = world.program.post(URL, json=body(**change))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["errors"][0]["field"] == field
    assert problem["status"] == 422
    assert problem["detail"]
    assert stored(world) == []


def test_refuses_lone_surrogate_in_an_id(world: World) -> None:
    answer = world.program.post(URL, content=b'{"channel":"shop","external_id":"\\ud800","customer":{"id":"c"},"text":"t"}')
    assert answer.status_code == 422
    assert stored(world) == []


def test_refuses_unknown_channel(world: World) -> None:
    answer = world.program.post(URL, json=body(channel="nowhere"))
    assert answer.status_code == 404
    assert "aspa channel list" in answer.json()["detail"]


@pytest.mark.parametrize(
    "content",
    [b"{", b"", b"[]", b"null", b'"text"', b"\xff\xfe{}", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}", b"NaN"],
    ids=["half", "empty", "list", "null", "text", "not UTF-8", "deep", "long number", "NaN"],
)
def test_refuses_what_is_no_message(world: World, content: bytes) -> None:
    answer = world.program.post(URL, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_lists_conversations_in_pages(world: World) -> None:
    for number in range(5):
        world.program.post(URL, json=body(external_id=f"m{number}", customer={"id": f"c{number}"}))
    seen: list[int] = []
    after: str | None = None
    for _ in range(3):
        parameters = {"limit": "2"} | ({"after": after} if after else {})
        page = world.program.get("/api/v1/conversations", params=parameters).json()
        seen += [line["id"] for line in page["conversations"]]
        after = page["next"]
    assert after is None
    assert len(set(seen)) == 5
    with world.runtime.sessions() as session:
        assert session.scalar(select(func.count()).select_from(Conversation)) == 5


def test_finds_conversations_by_words(world: World) -> None:
    world.program.post(URL, json=body(external_id="m1", customer={"id": "c1"}, text="Missä TILAUKSENI on?"))
    world.program.post(URL, json=body(external_id="m2", customer={"id": "c2"}, text="Thanks!"))
    page = world.program.get("/api/v1/conversations", params={"q": "tilaukseni"}).json()
    assert [line["preview"] for line in page["conversations"]] == ["Missä TILAUKSENI on?"]
    assert world.program.get("/api/v1/conversations", params={"q": "a\0%"}).status_code == 200


@pytest.mark.parametrize(
    "query", ["after=nonsense", "status=lost", "language=sv", "limit=0", "limit=x"], ids=lambda query: query
)
def test_refuses_wrong_query(world: World, query: str) -> None:
    answer = world.program.get(f"/api/v1/conversations?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


def test_shows_a_conversation(world: World) -> None:
    draft = world.a_draft("We open at nine.", text="When do you open?")
    shown = world.program.get(f"/api/v1/conversations/{draft.conversation_id}").json()
    assert [message["text"] for message in shown["messages"]] == ["When do you open?"]
    assert shown["draft"]["text"] == "We open at nine."
    assert shown["draft"]["fingerprint"]
    assert world.program.get("/api/v1/conversations/999").status_code == 404
    assert world.program.get(f"/api/v1/conversations/{2**63}").status_code == 422
