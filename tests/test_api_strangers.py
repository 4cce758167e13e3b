"""Whatever strangers post, nobody gets a 5xx, and every refusal is a problem document."""

import json
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.channels import signing
from tests.api_stages import World

TEXT = st.text(st.characters(exclude_categories=[]), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
MESSAGE = st.fixed_dictionaries(
    {"external_id": TEXT | JSON, "customer": st.fixed_dictionaries({"id": TEXT | JSON}) | JSON, "text": TEXT | JSON},
    optional={"channel": st.just("shop") | JSON, "thread_id": TEXT, "sent_at": JSON, "visibility": JSON, "id": JSON},
)
ENTRY = st.fixed_dictionaries(
    {"external_id": TEXT | JSON, "question": TEXT | JSON, "answer": TEXT | JSON},
    optional={"tags": JSON, "valid_from": JSON, "valid_until": JSON, "url": JSON, "kind": JSON},
)
BODY = (MESSAGE | ENTRY | JSON).map(lambda body: json.dumps(body).encode()) | st.binary(max_size=60)
FEW = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def check(answer: Any, *good: int) -> None:
    assert answer.status_code in (*good, 400, 404, 409, 422), answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


@FEW
@given(body=BODY)
def test_it_works(world: World, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    check(world.program.post("/api/v1/messages", content=body, headers=headers), 202)
    check(world.program.post("/api/v1/knowledge/entries", content=body, headers=headers), 201)
    check(world.program.post("/api/v1/knowledge/entries/search", content=body, headers=headers), 200)
    check(world.program.post("/api/v1/knowledge/entries/import", content=body), 200)
    signed = signing.signed_headers(str(world.channel.config["secrets"][0]), "m", body)
    check(world.anonymous.post(f"/webhooks/generic/{world.channel.id}", content=body, headers=signed), 200)


@FEW
@given(q=TEXT, after=TEXT, path=TEXT)
def test_addresses(world: World, q: str, after: str, path: str) -> None:
    sendable = {name: value.encode(errors="replace").decode() for name, value in {"q": q, "after": after}.items()}
    check(world.program.get("/api/v1/conversations", params=sendable), 200)
    check(world.program.get("/api/v1/knowledge/entries", params={"q": sendable["q"]}), 200)
    for url in ("/api/v1/drafts/", "/webhooks/generic/"):
        check(world.program.get(url + quote(path.replace(".", ""), safe="", errors="replace")), 200, 307)
