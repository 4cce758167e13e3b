"""`/webhooks/{kind}/{channel_id}`: the signature is the key, nothing signed is lost, nothing unsigned gets in."""

import json
import time
from typing import Any

import httpx2
from sqlalchemy import select

from assistant.channels import signing
from assistant.tables import Message, StoredPayload
from tests.api_stages import World

MESSAGE = {"external_id": "m1", "customer": {"id": "c1", "name": "Anna"}, "text": "Mihin aikaan suljette?"}


def post(world: World, body: bytes | dict[str, Any], *, secret: str | None = None, age: float = 0) -> httpx2.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    secret = secret or str(world.channel.config["secrets"][0])
    headers = signing.signed_headers(secret, "msg_1", content, now=time.time() - age)
    return world.anonymous.post(f"/webhooks/generic/{world.channel.id}", content=content, headers=headers)


def stored(world: World) -> tuple[list[str], list[bytes]]:
    with world.runtime.sessions() as session:
        return list(session.scalars(select(Message.text))), list(session.scalars(select(StoredPayload.body)))


def test_it_works(world: World) -> None:
    first = post(world, MESSAGE)
    assert first.status_code == 200
    assert first.json()["messages"][0]["duplicate"] is False
    again = post(world, MESSAGE)
    assert again.status_code == 200
    assert again.json()["messages"][0] == first.json()["messages"][0] | {"duplicate": True}
    assert stored(world) == (["Mihin aikaan suljette?"], [])


def test_handshake(world: World) -> None:
    url = f"/webhooks/generic/{world.channel.id}"
    assert world.anonymous.get(url).json() == {"status": "listening", "kind": "generic"}
    assert world.anonymous.get("/webhooks/generic/999").status_code == 404
    assert world.anonymous.get(f"/webhooks/telegraph/{world.channel.id}").status_code == 404
    assert world.anonymous.put(url).status_code == 405


def test_refuses_wrong_signatures(world: World) -> None:
    assert post(world, MESSAGE, secret=signing.new_secret()).status_code == 401
    assert post(world, MESSAGE, age=301).status_code == 401
    assert post(world, MESSAGE, age=-301).status_code == 401
    url = f"/webhooks/generic/{world.channel.id}"
    unsigned = world.anonymous.post(url, json=MESSAGE)
    assert unsigned.status_code == 401
    assert "webhook-id" in unsigned.json()["detail"]
    signed = signing.signed_headers(str(world.channel.config["secrets"][0]), "msg_1", b"{}")
    assert world.anonymous.post(url, json=MESSAGE, headers=signed).status_code == 401
    assert stored(world) == ([], [])


def test_keeps_what_it_cannot_read(world: World) -> None:
    for body in (
        b"{",
        b"\xff\x00",
        b"[1]",
        b"[" * 50_000,
        b'{"type": "typing"}',
        json.dumps(MESSAGE | {"text": ""}).encode(),
    ):
        answer = post(world, body)
        assert answer.status_code == 200
        assert answer.json()["messages"] == []
        assert answer.json()["ignored"][0]["why"]
        assert stored(world)[1][-1] == body
    assert stored(world)[0] == []


def test_unknown_channel(world: World) -> None:
    for path in ("generic/999", "generic/nowhere", "telegraph/1", f"generic/{2**70}"):
        assert world.anonymous.post(f"/webhooks/{path}", json=MESSAGE).status_code == 404
