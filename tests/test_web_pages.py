"""The pages of the inbox, as a browser without scripts sees them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.web.security import POLICY
from assistant import conversations, decisions
from assistant.decisions import fingerprint
from assistant.runtime import Runtime
from assistant.tables import Agent, Conversation, Delivery, Draft, Message
from tests.api_stages import opened
from tests.stages import a_channel, a_conversation, a_message, an_agent
from tests.web_stages import (
    REPLY,
    an_agent_with_password,
    approval,
    browser,
    cited,
    sign_in,
    token_in,
)


@pytest.fixture
def runtime(database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    with opened(database_url, tmp_path) as runtime:
        yield runtime


@pytest.fixture
def client(runtime: Runtime) -> Iterator[TestClient]:
    """A browser in which Aino is signed in."""
    with runtime.sessions.begin() as session:
        an_agent_with_password(session)
    with browser(runtime) as client:
        assert sign_in(client).headers["location"] == "/inbox"
        yield client


@pytest.fixture
def waiting(runtime: Runtime) -> tuple[Conversation, Draft]:
    """A conversation whose draft waits for a decision."""
    with runtime.sessions.begin() as session:
        conversation = a_conversation(session, a_channel(session), "Kauanko toimitus kestää?")
        return conversation, cited(session, conversation, unsupported_facts=())


def sent_texts(runtime: Runtime) -> list[str]:
    with runtime.sessions() as session:
        return list(session.scalars(select(Message.text).where(Message.direction == "outgoing").order_by(Message.id)))


def another_message(session: Session, conversation: Conversation, text: str) -> None:
    """The same customer writes more in the same conversation."""
    channel = conversations.get(session, conversation.id).channel
    conversations.receive(session, channel, a_message(text))


def test_it_works(client: TestClient, runtime: Runtime, waiting: tuple[Conversation, Draft]) -> None:
    conversation, draft = waiting
    listed = client.get("/inbox")
    assert listed.status_code == 200
    assert "Anna Virtanen" in listed.text
    assert "Draft ready" in listed.text
    page = client.get(f"/inbox/{conversation.id}")
    assert "Toimitus kestää 2–4 arkipäivää tilauksesta." in page.text
    answer = client.post(f"/inbox/{conversation.id}/approve", data=approval(draft, fingerprint(draft), token_in(page)))
    assert answer.status_code == 303
    assert sent_texts(runtime) == [REPLY]
    assert "waiting to be sent" in client.get(answer.headers["location"]).text


def test_who_is_not_signed_in_is_sent_to_do_so_and_comes_back(runtime: Runtime) -> None:
    with browser(runtime) as client:
        for path in ("/inbox", "/inbox/1"):
            assert client.get(path).headers["location"] == f"/sign-in?next={path.replace('/', '%2F')}"
        answer = client.post("/inbox/1/approve", data={"draft_id": "1", "fingerprint": "x"})
        assert answer.headers["location"] == "/sign-in?next=%2Finbox%2F1"
        assert client.get("/inbox/events", headers={"Accept": "text/event-stream"}).status_code == 401


def test_every_unsafe_form_needs_the_token(
    client: TestClient, runtime: Runtime, waiting: tuple[Conversation, Draft]
) -> None:
    conversation, draft = waiting
    for action in ("approve", "reject", "drafts", "close", "reopen"):
        fields = approval(draft, fingerprint(draft), "not the token", reason="other")
        answer = client.post(f"/inbox/{conversation.id}/{action}", data=fields)
        assert answer.status_code == 403, action
        assert "Nothing was changed" in answer.text
    assert sent_texts(runtime) == []


def test_the_browser_is_told_to_refuse_what_is_not_ours(client: TestClient) -> None:
    for path in ("/inbox", "/sign-in", "/inbox/999", "/healthz", "/static/style.css"):
        headers = client.get(path).headers
        assert headers["content-security-policy"] == POLICY, path
        assert headers["x-content-type-options"] == "nosniff"
    assert client.get("/inbox").headers["cache-control"] == "no-store"
    assert "unsafe" not in POLICY


def test_no_page_has_inline_script_or_style_or_asks_elsewhere(
    client: TestClient, waiting: tuple[Conversation, Draft]
) -> None:
    page = client.get(f"/inbox/{waiting[0].id}").text
    assert " style=" not in page
    assert "<style" not in page
    assert page.count("<script") == page.count('<script type="module" src="/static/')
    assert all(part.startswith("/static/") for part in page.split(' src="')[1:])


def test_the_most_urgent_comes_first_and_next_follows_the_order(client: TestClient, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        channel = a_channel(session)
        calm, urgent, writing = (
            a_conversation(session, channel, f"Message {n}", customer_id=f"c{n}") for n in range(3)
        )
        urgent.urgency = 3
        cited(session, calm)
        cited(session, urgent)
    rows = client.get("/inbox").text.split('id="conversation-')[1:]
    assert [int(row.partition('"')[0]) for row in rows] == [urgent.id, calm.id, writing.id]
    assert "Very urgent" in rows[0]
    assert "Being written" in rows[2]
    # The one whose draft is still being written is skipped: there is nothing to decide yet.
    assert client.get(f"/inbox/next?after={urgent.id}").headers["location"] == f"/inbox/{calm.id}"
    assert client.get(f"/inbox/next?after={calm.id}").headers["location"] == f"/inbox/{urgent.id}"


def test_edited_text_is_what_is_sent(client: TestClient, runtime: Runtime, waiting: tuple[Conversation, Draft]) -> None:
    conversation, draft = waiting
    token = token_in(client.get("/inbox"))
    fields = approval(draft, fingerprint(draft), token, text="Hei!\r\n\r\nKolme päivää.")
    assert client.post(f"/inbox/{conversation.id}/approve", data=fields).status_code == 303
    assert sent_texts(runtime) == ["Hei!\n\nKolme päivää."]


def test_an_unsupported_fact_is_marked_and_goes_out_only_when_acknowledged(
    client: TestClient, runtime: Runtime
) -> None:
    with runtime.sessions.begin() as session:
        conversation = a_conversation(session, a_channel(session))
        draft = cited(session, conversation)
    path = f"/inbox/{conversation.id}"
    page = client.get(path)
    assert '<mark title="No source has this">9,90 €</mark>' in page.text
    assert '<span class="doubt">no source</span>' in page.text
    fields = approval(draft, fingerprint(draft), token_in(page))
    refused = client.post(f"{path}/approve", data=fields)
    assert refused.status_code == 422
    assert "Nothing was sent yet." in refused.text
    assert sent_texts(runtime) == []
    assert client.post(f"{path}/approve", data=fields | {"acknowledged": "yes"}).status_code == 303
    assert sent_texts(runtime) == [REPLY]


def test_an_unsupported_fact_that_was_edited_away_needs_no_acknowledgement(
    client: TestClient, runtime: Runtime
) -> None:
    with runtime.sessions.begin() as session:
        conversation = a_conversation(session, a_channel(session))
        draft = cited(session, conversation)
    fields = approval(draft, fingerprint(draft), token_in(client.get("/inbox")), text="Hinta on 19,90 €.")
    assert client.post(f"/inbox/{conversation.id}/approve", data=fields).status_code == 303


def test_a_newer_message_refuses_the_draft_and_keeps_the_agents_text(
    client: TestClient, runtime: Runtime, waiting: tuple[Conversation, Draft]
) -> None:
    conversation, draft = waiting
    token = token_in(client.get("/inbox"))
    with runtime.sessions.begin() as session:
        another_message(session, conversation, "Ja paljonko se maksaa?")
    fields = approval(draft, fingerprint(draft), token, text="Oma <b>tekstini</b>")
    refused = client.post(f"/inbox/{conversation.id}/approve", data=fields)
    assert refused.status_code == 409
    assert "The conversation moved on while you were reading." in refused.text
    assert "Ja paljonko se maksaa?" in refused.text
    assert "Oma &lt;b&gt;tekstini&lt;/b&gt;</textarea>" in refused.text
    assert sent_texts(runtime) == []


def test_the_second_agent_is_told_who_was_first(
    client: TestClient, runtime: Runtime, waiting: tuple[Conversation, Draft]
) -> None:
    conversation, draft = waiting
    seen = fingerprint(draft)
    token = token_in(client.get("/inbox"))
    with runtime.sessions.begin() as session:
        pekka = an_agent(session, "Pekka")
        decisions.approve(session, conversations.get_draft(session, draft.id), agent=pekka, fingerprint=seen)
    refused = client.post(f"/inbox/{conversation.id}/approve", data=approval(draft, seen, token, text="Minun"))
    assert refused.status_code == 409
    assert "<bdi>Pekka</bdi> was first" in refused.text
    assert "Minun</textarea>" in refused.text
    assert sent_texts(runtime) == [REPLY]


def test_approving_twice_sends_once(client: TestClient, runtime: Runtime, waiting: tuple[Conversation, Draft]) -> None:
    conversation, draft = waiting
    fields = approval(draft, fingerprint(draft), token_in(client.get("/inbox")))
    assert client.post(f"/inbox/{conversation.id}/approve", data=fields).status_code == 303
    again = client.post(f"/inbox/{conversation.id}/approve", data=fields)
    assert again.status_code == 409
    assert "You have decided on this draft already." in again.text
    assert sent_texts(runtime) == [REPLY]


def test_rejecting_needs_a_reason_and_shows_it(
    client: TestClient, runtime: Runtime, waiting: tuple[Conversation, Draft]
) -> None:
    conversation, draft = waiting
    fields = approval(draft, fingerprint(draft), token_in(client.get("/inbox")))
    path = f"/inbox/{conversation.id}"
    refused = client.post(f"{path}/reject", data=fields)
    assert refused.status_code == 422
    assert "Choose why you reject the draft." in refused.text
    fields |= {"reason": "wrong facts", "details": "The price is old."}
    assert client.post(f"{path}/reject", data=fields).headers["location"] == path
    assert "The facts are wrong: The price is old." in client.get(path).text
    with runtime.sessions() as session:
        assert session.get_one(Draft, draft.id).reason == "wrong facts: The price is old."


def test_another_draft_can_be_asked_for(
    client: TestClient, runtime: Runtime, waiting: tuple[Conversation, Draft]
) -> None:
    conversation, _ = waiting
    token = token_in(client.get("/inbox"))
    answer = client.post(f"/inbox/{conversation.id}/drafts", data={"csrf_token": token, "instruction": "shorter"})
    assert answer.headers["location"] == f"/inbox/{conversation.id}"
    assert "The draft is being written." in client.get(f"/inbox/{conversation.id}").text
    with runtime.sessions() as session:
        draft = conversations.current_draft(session, conversation)
        assert draft is not None
        assert draft.instruction == "shorter"


def test_close_and_reopen(client: TestClient, waiting: tuple[Conversation, Draft]) -> None:
    conversation, _ = waiting
    fields = {"csrf_token": token_in(client.get("/inbox"))}
    assert client.post(f"/inbox/{conversation.id}/close", data=fields).headers["location"] == "/inbox"
    assert "Anna Virtanen" not in client.get("/inbox").text
    assert "Anna Virtanen" in client.get("/inbox?status=closed").text
    assert client.post(f"/inbox/{conversation.id}/reopen", data=fields).status_code == 303
    assert "Anna Virtanen" in client.get("/inbox").text


def test_a_failed_draft_lets_the_agent_write(client: TestClient, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        conversation = a_conversation(session, a_channel(session))
        draft = conversations.current_draft(session, conversation)
        assert draft is not None
        draft.status, draft.failure = "failed", "The language model is not there."
    page = client.get(f"/inbox/{conversation.id}")
    assert "The language model is not there." in page.text
    fields = approval(draft, fingerprint(draft), token_in(page))
    empty = client.post(f"/inbox/{conversation.id}/approve", data=fields)
    assert empty.status_code == 422
    assert "There is no text to send." in empty.text
    assert client.post(f"/inbox/{conversation.id}/approve", data=fields | {"text": "Own words"}).status_code == 303
    assert sent_texts(runtime) == ["Own words"]


def test_what_became_of_a_reply_is_shown(
    client: TestClient, runtime: Runtime, waiting: tuple[Conversation, Draft]
) -> None:
    conversation, draft = waiting
    with runtime.sessions.begin() as session:
        agent = session.scalars(select(Agent)).one()
        message = decisions.approve(
            session, conversations.get_draft(session, draft.id), agent=agent, fingerprint=fingerprint(draft)
        )
        delivery = session.scalars(select(Delivery)).one()
        delivery.state, delivery.failure = "failed", "The receiver answered 410 Gone."
    page = client.get(f"/inbox/{conversation.id}?sent={message.id}").text
    assert "Not delivered" in page
    assert "The receiver answered 410 Gone." in page
    assert "not delivered</strong>" in page


HOSTILE = (
    '<script>alert(1)</script><img src=x onerror="alert(2)">',
    "{{ 7 * 7 }}{% raw %}",
    "‮gnirts desrever",
    "Z̸̨̛a̷l̵g̶o̸" * 200,
    "x" * 10_000,
    "👨‍👩‍👧‍👦☕️",
    "&lt;b&gt; \"quoted\" 'text' </textarea>",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_strangers_write_is_inert(client: TestClient, runtime: Runtime, text: str) -> None:
    with runtime.sessions.begin() as session:
        conversation = a_conversation(session, a_channel(session), text, name=text[:100])
        sentences = [{"text": text, "supported": False, "citations": [1]}]
        cited(session, conversation, text=text, sentences=sentences, title=text, url="javascript:alert(3)")
    for path in ("/inbox", f"/inbox/{conversation.id}"):
        page = client.get(path)
        assert page.status_code == 200
        assert "<script>" not in page.text
        assert "<img src=x" not in page.text
        assert 'href="javascript:' not in page.text
        assert "49{%" not in page.text
        assert page.text.count("</textarea>") <= 1


def test_bad_addresses_get_a_page_and_no_traceback(client: TestClient, waiting: tuple[Conversation, Draft]) -> None:
    missing = client.get("/inbox/999999")
    assert missing.status_code == 404
    assert "There is nothing here" in missing.text
    for path in (f"/inbox/{2**70}", "/inbox/abc", "/inbox?status=asleep", "/inbox?after=!!", "/inbox?sent=x"):
        answer = client.get(path)
        assert answer.status_code == 422, path
        assert "Traceback" not in answer.text
    assert client.get(f"/inbox/{waiting[0].id}/approve").headers["location"] == f"/inbox/{waiting[0].id}"
    assert client.get("/nothing").status_code == 404


def test_a_draft_of_another_conversation_is_refused(
    client: TestClient, runtime: Runtime, waiting: tuple[Conversation, Draft]
) -> None:
    _, draft = waiting
    with runtime.sessions.begin() as session:
        other = a_conversation(session, a_channel(session, name="other"), customer_id="other")
    fields = approval(draft, fingerprint(draft), token_in(client.get("/inbox")))
    assert client.post(f"/inbox/{other.id}/approve", data=fields).status_code == 404
    assert sent_texts(runtime) == []


def test_search_and_more_pages(client: TestClient, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        channel = a_channel(session)
        for number in range(60):
            a_conversation(session, channel, f"Question number {number}.", customer_id=f"c{number}")
    first = client.get("/inbox")
    assert first.text.count('class="row ') == 50
    more = first.text.partition('class="more"><a href="')[2].partition('"')[0].replace("&amp;", "&")
    assert client.get(more).text.count('class="row ') == 10
    assert client.get("/inbox?q=number+7.").text.count('class="row ') == 1
    assert "Nothing was found with “kissa”." in client.get("/inbox?q=kissa").text
