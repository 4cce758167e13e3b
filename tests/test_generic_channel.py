"""The generic channel: Standard Webhooks both ways."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from assistant import channels
from assistant.channels import generic, signing
from assistant.channels.exchange import OutgoingMessage
from assistant.errors import ChannelError, Conflict, Invalid, NotFound, SignatureError
from assistant.tables import Channel
from tests.receiver import Receiver

BODY = {"external_id": "m1", "customer": {"id": "c1", "name": "Anna"}, "text": "Moi! ☕", "thread_id": "t1"}
SECRET = signing.new_secret()
OTHER_SECRET = signing.new_secret()


def channel(url: str = "http://127.0.0.1:9/", secrets: tuple[str, ...] = (SECRET,)) -> Channel:
    return Channel(id=1, kind="generic", name="shop", config=generic.configure({"url": url, "secrets": list(secrets)}))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def outgoing(text: str = "Avaamme yhdeksältä.") -> OutgoingMessage:
    return OutgoingMessage(
        idempotency_key="key-1",
        conversation_id=7,
        customer_id="c1",
        thread_id="t1",
        in_reply_to="m1",
        text=text,
        approved_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )


def test_it_works(receiver: Receiver) -> None:
    body = json.dumps(BODY).encode()
    generic.verify(signing.signed_headers(SECRET, "id", body), body, channel())
    (message,) = generic.parse(body).messages
    assert (message.external_id, message.customer_id, message.customer_name) == ("m1", "c1", "Anna")
    assert (message.text, message.thread_id, message.visibility) == ("Moi! ☕", "t1", "private")
    generic.send(channel(receiver.url), outgoing())
    (request,) = receiver.requests
    assert json.loads(request.body) == {
        "type": "reply",
        "timestamp": "2026-01-02T03:04:05Z",
        "data": {"conversation_id": 7, "thread_id": "t1", "in_reply_to": "m1", "text": "Avaamme yhdeksältä."},
    }
    assert request.headers["webhook-id"] == "key-1"


def test_what_is_sent_is_what_the_reference_library_verifies(receiver: Receiver) -> None:
    generic.send(channel(receiver.url), outgoing("ääkköset ☕"))
    (request,) = receiver.requests
    verified = standardwebhooks.Webhook(SECRET).verify(request.body, request.headers)
    assert verified["data"]["text"] == "ääkköset ☕"


def test_what_the_reference_library_signs_is_verified() -> None:
    body = json.dumps(BODY, ensure_ascii=False)
    now = datetime.now(UTC)
    signature = standardwebhooks.Webhook(SECRET).sign("id", now, body)
    headers = {"webhook-id": "id", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
    signing.verify(headers, body.encode(), [SECRET])


def test_an_old_and_a_new_secret_are_both_good() -> None:
    body = b"{}"
    both = channel(secrets=(SECRET, OTHER_SECRET))
    for secret in (SECRET, OTHER_SECRET):
        generic.verify(signing.signed_headers(secret, "id", body), body, both)
    with pytest.raises(SignatureError):
        generic.verify(signing.signed_headers(signing.new_secret(), "id", body), body, both)


def test_one_good_signature_of_several_is_enough() -> None:
    headers = signing.signed_headers(SECRET, "id", b"{}")
    headers["webhook-signature"] = f"v2,xyz v1,AAAA nonsense {headers['webhook-signature']}"
    signing.verify(headers, b"{}", [SECRET])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"webhook-id": "other"}, "does not fit"),
        ({"webhook-signature": "v1,AAAA"}, "does not fit"),
        ({"webhook-signature": "v1,ä\ud800"}, "does not fit"),
        ({"webhook-signature": ""}, "does not fit"),
        ({"webhook-timestamp": str(int(time.time()) - 301)}, "five minutes"),
        ({"webhook-timestamp": str(int(time.time()) + 7200)}, "five minutes"),
        ({"webhook-timestamp": "yesterday"}, "whole seconds"),
        ({"webhook-timestamp": "-1"}, "whole seconds"),
        ({"webhook-timestamp": "9" * 400}, "whole seconds"),
    ],
)
def test_a_wrong_signature_is_refused(change: dict[str, str], why: str) -> None:
    headers = {**signing.signed_headers(SECRET, "id", b"{}"), **change}
    with pytest.raises(SignatureError, match=why):
        signing.verify(headers, b"{}", [SECRET])


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_named(missing: str) -> None:
    headers = signing.signed_headers(SECRET, "id", b"{}")
    del headers[missing]
    with pytest.raises(SignatureError, match=missing):
        signing.verify(headers, b"{}", [SECRET])


def test_a_replayed_signature_is_refused_after_five_minutes() -> None:
    headers = signing.signed_headers(SECRET, "id", b"{}", now=1000)
    signing.verify(headers, b"{}", [SECRET], now=1300)
    with pytest.raises(SignatureError):
        signing.verify(headers, b"{}", [SECRET], now=1301)


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=3))
def test_no_other_body_fits_a_signature(body: bytes, more: bytes) -> None:
    headers = signing.signed_headers(SECRET, "id", body)
    signing.verify(headers, body, [SECRET])
    with pytest.raises(SignatureError):
        signing.verify(headers, body + more, [SECRET])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"\xff\xfe", "body"),
        (b"[" * 100_000, "body"),
        (b"[]", "body"),
        (b"{}", "external_id"),
        (json.dumps({**BODY, "text": 7}).encode(), "text"),
        (json.dumps({**BODY, "external_id": 7}).encode(), "external_id"),
        (json.dumps({**BODY, "customer": "c1"}).encode(), "customer"),
        (json.dumps({**BODY, "customer": {}}).encode(), "customer.id"),
        (json.dumps({**BODY, "visibility": "secret"}).encode(), "visibility"),
        (json.dumps({**BODY, "sent_at": "2026-01-01T00:00:00"}).encode(), "sent_at"),
        (json.dumps({**BODY, "sent_at": "soon"}).encode(), "sent_at"),
    ],
)
def test_what_cannot_be_read_is_refused(body: bytes, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        generic.parse(body)
    assert caught.value.field == field
    assert "\n" not in str(caught.value)


def test_strange_but_readable_bodies() -> None:
    body = {**BODY, "text": "a\0b\ud83d", "sent_at": "2026-01-02T03:04:05+02:00", "unknown": [1], "thread_id": None}
    (message,) = generic.parse(json.dumps(body).encode()).messages
    assert message.text == "ab\ufffd"
    assert message.thread_id is None
    assert message.sent_at == datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda s: st.lists(s) | st.dictionaries(st.text(), s),
    )
)
def test_any_json_is_read_or_refused(document: Any) -> None:
    with pytest.raises(Invalid):
        generic.parse(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("status", "permanent"),
    [
        (400, True),
        (401, True),
        (404, True),
        (410, True),
        (302, True),
        (408, False),
        (409, False),
        (425, False),
        (429, False),
        (500, False),
        (503, False),
    ],
)
def test_which_answers_are_worth_another_try(receiver: Receiver, status: int, permanent: bool) -> None:
    receiver.answers = [status]
    with pytest.raises(ChannelError, match=f"answered {status}") as caught:
        generic.send(channel(receiver.url), outgoing())
    assert caught.value.permanent is permanent


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.answers, receiver.headers = [307], {"location": receiver.url}
    with pytest.raises(ChannelError):
        generic.send(channel(receiver.url), outgoing())
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("-7", None), ("soon", None), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0)]
)
def test_the_pause_that_a_receiver_asks_for(receiver: Receiver, header: str, seconds: float | None) -> None:
    receiver.answers, receiver.headers = [429], {"retry-after": header}
    with pytest.raises(ChannelError) as caught:
        generic.send(channel(receiver.url), outgoing())
    assert caught.value.retry_after == seconds


def test_nobody_there() -> None:
    with pytest.raises(ChannelError, match="could not be reached") as caught:
        generic.send(channel("http://127.0.0.1:9/"), outgoing())
    assert not caught.value.permanent


def test_no_proxy_of_the_environment_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    generic._client.cache_clear()
    generic.send(channel(receiver.url), outgoing())
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({}, "url"),
        ({"url": "ftp://example.com/"}, "url"),
        ({"url": "https://"}, "url"),
        ({"url": "https://user:password@example.com/"}, "url"),
        ({"url": "https://[broken"}, "url"),
        ({"url": "https://example.com/", "secrets": ["password"]}, "secret"),
        ({"url": "https://example.com/", "secrets": ["whsec_AAAA"]}, "secret"),
        ({"url": "https://example.com/", "secrets": ["whsec_%%%"]}, "secret"),
    ],
)
def test_a_config_that_cannot_work_is_refused(config: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        generic.configure(config)
    assert caught.value.field == field


def test_channels_are_added_and_found(session: Session) -> None:
    added = channels.add(session, kind="generic", name="shop", config={"url": "https://example.com/"})
    assert added.config["secrets"][0].startswith("whsec_")
    assert channels.find(session, "shop") is added
    assert channels.find(session, str(added.id), kind="generic") is added
    assert "whsec" not in repr(added)
    for reference in ("nowhere", str(added.id + 1), "9" * 30, "\0", "²"):
        with pytest.raises(NotFound):
            channels.find(session, reference)
    with pytest.raises(NotFound):
        channels.find(session, "shop", kind="telegram")
    with pytest.raises(Conflict):
        channels.add(session, kind="generic", name="shop", config={"url": "https://example.com/"})


@pytest.mark.parametrize(("kind", "name"), [("pigeon", "shop"), ("generic", ""), ("generic", "12"), ("generic", "a b")])
def test_a_channel_that_cannot_be_named_is_refused(session: Session, kind: str, name: str) -> None:
    with pytest.raises(Invalid):
        channels.add(session, kind=kind, name=name, config={"url": "https://example.com/"})
