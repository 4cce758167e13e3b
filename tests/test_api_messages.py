"""`POST /api/v1/messages`: what a program posts is there, once; and what is refused, with which sentence."""

import json
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import func, select

from assistant.tables import Conversation, Message
from tests.api_stages import World

URL = "/api/v1/messages"
JSON = {"Content-Type": "application/json"}


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


def test_odd_text_is_kept(world: World) -> None:
    texts = {
        "a\0b": "ab",
        "half \ud83d emoji": "half \ufffd emoji",
        "مرحبا، متى تفتحون؟": "مرحبا، متى تفتحون؟",
        "😡😡😡": "😡😡😡",
        "x" * 100_000: "x" * 100_000,
    }
    for number, text in enumerate(texts):
        content = json.dumps(body(text=text, external_id=str(number)))
        assert world.program.post(URL, content=content, headers=JSON).status_code == 202
    assert stored(world) == list(texts.values())


WRONG: list[tuple[dict[str, object], str]] = [
    ({"text": ""}, "text"),
    ({"text": " \n\t "}, "text"),
    ({"text": 5}, "text"),
    ({"text": "x" * 200_001}, "text"),
    ({"external_id": ""}, "external_id"),
    ({"external_id": "a\0b"}, "external_id"),
    ({"external_id": "\ud800"}, "external_id"),
    ({"external_id": "x" * 501}, "external_id"),
    ({"external_id": None}, "external_id"),
    ({"customer": "Anna"}, "customer"),
    ({"customer": {"name": "Anna"}}, "customer.id"),
    ({"visibility": "secret"}, "visibility"),
    ({"sent_at": "yesterday"}, "sent_at"),
    ({"sent_at": "2026-01-31T09:00:00"}, "sent_at"),
    ({"sent_at": "9999-12-31T23:59:59-14:00"}, "sent_at"),
]


def test_refuses_wrong_fields(world: World) -> None:
    for change, field in WRONG:
        answer = world.program.post(URL, content=json.dumps(body(**change)), headers=JSON)
        problem = answer.json()
        assert (change, answer.status_code) == (change, 422)
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["errors"][0]["field"] == field
        assert problem["errors"][0]["message"]
        assert problem["detail"]
    assert stored(world) == []


def test_refuses_unknown_channel(world: World) -> None:
    answer = world.program.post(URL, json=body(channel="nowhere"))
    assert answer.status_code == 404
    assert "aspa channel list" in answer.json()["detail"]


def test_refuses_what_is_no_message(world: World) -> None:
    half, deep, long_number = b"{", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"
    for content in (half, b"", b"[]", b"null", b'"text"', b"\xff\xfe{}", deep, long_number, b"NaN"):
        answer = world.program.post(URL, content=content, headers=JSON)
        assert (content[:20], answer.status_code in (400, 422)) == (content[:20], True)
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


def test_refuses_wrong_queries(world: World) -> None:
    for query in ("after=nonsense", "status=lost", "language=sv", "limit=0", "limit=x"):
        answer = world.program.get(f"/api/v1/conversations?{query}")
        assert (query, answer.status_code) == (query, 422)
        assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


def test_shows_a_conversation(world: World) -> None:
    draft = world.a_draft("We open at nine.", text="When do you open?")
    shown = world.program.get(f"/api/v1/conversations/{draft.conversation_id}").json()
    assert [message["text"] for message in shown["messages"]] == ["When do you open?"]
    assert shown["draft"]["text"] == "We open at nine."
    assert shown["draft"]["fingerprint"]
    assert world.program.get("/api/v1/conversations/999").status_code == 404
    assert world.program.get(f"/api/v1/conversations/{2**63}").status_code == 422
