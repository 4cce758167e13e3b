"""The pages of what is missing, what needs a look, and the test questions."""

from datetime import UTC, date, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from assistant import conversations, decisions
from assistant.decisions import fingerprint
from assistant.runtime import Runtime
from knowledge import entries, labelled, upkeep
from knowledge.tables import Entry, Finding
from tests.knowledge_stages import an_entry, form_in, indexed
from tests.stages import a_channel, a_conversation, an_agent
from tests.web_stages import cited, token_in


@pytest.fixture
def runtime(maintained: Runtime) -> Runtime:
    return maintained


@pytest.fixture
def client(maintainer: TestClient) -> TestClient:
    return maintainer


def a_contradiction(runtime: Runtime) -> tuple[Entry, Entry, int]:
    """Two entries that deny each other, and the finding that says so."""
    one = an_entry(runtime, "a", "How long can I return it?", "You have 14 days.")
    other = an_entry(runtime, "b", "What is the return period?", "Within 30 days.")
    with runtime.sessions.begin() as session:
        finding = Finding(
            kind="contradiction",
            entry_id=one.id,
            other_id=other.id,
            entry_hash=upkeep.text_hash(one),
            other_hash=upkeep.text_hash(other),
            similarity=0.9,
            differences=[{"entry": "14 days", "other": "30 days"}],
        )
        session.add(finding)
        session.flush()
        return one, other, finding.id


def test_it_works(client: TestClient, runtime: Runtime) -> None:
    one, other, number = a_contradiction(runtime)
    page = client.get("/knowledge/upkeep").text
    assert "You have <mark>14 days</mark>." in page
    assert "Within <mark>30 days</mark>." in page
    for entry in (one, other):
        assert f"/knowledge/entries/{entry.id}/edit" in page
        assert f"/knowledge/entries/{entry.id}/retire" in page
    assert f"#finding-{number}" in client.get(f"/knowledge/entries/{one.id}").text
    answer = client.post(f"/knowledge/findings/{number}/dismiss", data={"csrf_token": token_in(client.get("/inbox"))})
    assert answer.headers["location"] == "/knowledge/upkeep?done=dismissed"
    after = client.get(answer.headers["location"]).text
    assert "Left as they are." in after
    assert "14 days" not in after


def test_every_form_needs_the_token(client: TestClient, runtime: Runtime) -> None:
    one, _, number = a_contradiction(runtime)
    for path in (f"findings/{number}/dismiss", f"entries/{one.id}/reviewed", "questions", "questions/remove"):
        answer = client.post(f"/knowledge/{path}", data={"csrf_token": "wrong", "text": "Q?", "number": "1"})
        assert answer.status_code == 403, path
    upload = client.post("/knowledge/questions/import", data={"csrf_token": "wrong"}, files={"file": ("a.jsonl", b"")})
    assert upload.status_code == 403
    with runtime.sessions() as session:
        assert len(upkeep.findings(session)) == 1
        assert labelled.questions(session) == []


def test_what_is_due_is_reviewed_with_one_click(client: TestClient, runtime: Runtime) -> None:
    entry = an_entry(runtime, review_on=date(2020, 1, 1), owner="Maija")
    page = client.get("/knowledge/upkeep?owner=Maija")
    assert "It is right" in page.text
    assert "Nothing is due." in client.get("/knowledge/upkeep?owner=Pekka").text
    fields = {"csrf_token": token_in(page), "back": "/knowledge/upkeep?done=reviewed#due"}
    answer = client.post(f"/knowledge/entries/{entry.id}/reviewed", data=fields)
    assert answer.headers["location"] == "/knowledge/upkeep?done=reviewed#due"
    assert "Nothing is due." in client.get("/knowledge/upkeep").text
    history = client.get(f"/knowledge/entries/{entry.id}/history").text
    assert history.count('id="revision-') == 2
    elsewhere = client.post(f"/knowledge/entries/{entry.id}/reviewed", data=fields | {"back": "//evil.example"})
    assert elsewhere.headers["location"] == "/inbox"


def test_what_ends_soon_is_listed(client: TestClient, runtime: Runtime) -> None:
    an_entry(runtime, "sale", "How long is the sale?", valid_until=datetime.now(UTC) + timedelta(days=5))
    page = client.get("/knowledge/upkeep").text
    assert "How long is the sale?" in page.partition('id="ending"')[2]


def test_a_gap_becomes_an_entry(client: TestClient, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        channel = a_channel(session)
        for number in range(3):
            conversation = a_conversation(session, channel, "Do you sell gift cards?", customer_id=f"c{number}")
            draft = cited(session, conversation, text="No idea.", sentences=[], unsupported_facts=())
            decisions.reject(
                session, draft, agent=an_agent(session), reason="wrong facts", fingerprint=fingerprint(draft)
            )
    page = client.get("/knowledge/gaps")
    assert "Do you sell gift cards?" in page.text
    assert "the draft was rejected: 3" in page.text
    assert "Nobody has replied with an answer yet." in page.text
    proposal = {"step": "form", "question": "Do you sell gift cards?", "answer": "Yes, from 20 €.", "tags": "gifts"}
    form = client.post("/knowledge/new", data=proposal | {"csrf_token": token_in(page)})
    assert form.status_code == 200
    filled = form_in(form)
    assert {name: filled[name] for name in ("question", "answer", "tags")} == {
        "question": "Do you sell gift cards?",
        "answer": "Yes, from 20 €.",
        "tags": "gifts",
    }
    with runtime.sessions() as session:
        assert entries.count(session) == 0
        assert conversations.get(session, conversation.id) is not None


def test_test_questions_are_kept_and_removed(client: TestClient, runtime: Runtime) -> None:
    an_entry(runtime)
    page = client.get("/knowledge/questions")
    assert "There are none yet." in page.text
    fields = {"csrf_token": token_in(page), "text": "Delivery time?", "relevant": "delivery"}
    assert client.post("/knowledge/questions", data=fields).status_code == 303
    kept = client.get("/knowledge/questions?done=added").text
    assert "Delivery time?" in kept
    assert "How long does delivery take?" in kept
    with runtime.sessions() as session:
        (question,) = labelled.questions(session)
        assert (question.relevant, question.author) == (["delivery"], "Aino")
    removal = {"csrf_token": token_in(page), "number": str(question.id)}
    assert client.post("/knowledge/questions/remove", data=removal).status_code == 303
    assert client.post("/knowledge/questions/remove", data=removal).status_code == 404
    assert "There are none yet." in client.get("/knowledge/questions").text


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"text": "Q?", "relevant": "nobody"}, "There is no entry with the id nobody."),
        ({"text": "  ", "relevant": ""}, "Write a question of at most 2,000 characters"),
        ({"text": "x" * 2_001, "relevant": ""}, "Write a question of at most 2,000 characters"),
    ],
)
def test_what_is_no_test_question_is_refused_and_stays_in_the_form(
    client: TestClient, typed: dict[str, str], told: str
) -> None:
    refused = client.post("/knowledge/questions", data=typed | {"csrf_token": token_in(client.get("/inbox"))})
    assert refused.status_code == 422
    assert told in refused.text
    assert f'value="{typed["text"]}"' in refused.text


def test_a_tried_question_is_kept_with_one_click(client: TestClient, runtime: Runtime) -> None:
    an_entry(runtime)
    indexed(runtime)
    page = client.get("/knowledge", params={"q": "How long does delivery take?", "ask": "yes"}).text
    assert '<input type="hidden" name="text" value="How long does delivery take?">' in page
    assert '<input type="hidden" name="relevant" value="delivery">' in page


def test_a_file_of_test_questions_goes_in_whole_or_not_at_all(client: TestClient, runtime: Runtime) -> None:
    token = {"csrf_token": token_in(client.get("/inbox"))}
    good = '{"text": "A?", "relevant": ["x"]}\n{"text": "Ö?", "relevant": []}\n'.encode()
    for content in (b'{"text": "A?", "relevant": []}\n{"text": 1}\n', b"\xff\xfe\x00binary", good + b"nonsense"):
        refused = client.post("/knowledge/questions/import", data=token, files={"file": ("q.jsonl", content)})
        assert refused.status_code == 422
        assert "Nothing was taken from the file" in refused.text
    with runtime.sessions() as session:
        assert labelled.questions(session) == []
    taken = client.post("/knowledge/questions/import", data=token, files={"file": ("q.jsonl", good)})
    assert "2 test questions were taken from the file." in client.get(taken.headers["location"]).text
    assert "not there any more" in client.get("/knowledge/questions").text


def test_what_strangers_wrote_is_inert(client: TestClient, runtime: Runtime) -> None:
    evil = "<script>alert(1)</script>"
    an_entry(runtime, evil, evil, evil, owner=evil, review_on=date(2020, 1, 1))
    with runtime.sessions.begin() as session:
        labelled.add(session, evil, [evil], author=evil)
        conversation = a_conversation(session, a_channel(session, name=evil), f"{evil} gift cards?", customer_id="evil")
        draft = cited(session, conversation, text="No idea.", sentences=[], unsupported_facts=())
        decisions.reject(session, draft, agent=an_agent(session), reason="other", fingerprint=fingerprint(draft))
    for path in ("upkeep", "questions", "gaps", f"upkeep?owner={evil}"):
        page = client.get(f"/knowledge/{path}").text
        assert evil not in page, path
        assert page.count("<script") == page.count('<script type="module" src="/static/'), path
        assert " style=" not in page, path
