"""The pages of the knowledge, as a browser without scripts sees them: reading, writing, editing, retiring."""

from datetime import UTC, date, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from assistant import tokens
from assistant.runtime import Runtime
from knowledge import entries, labelled, revisions
from knowledge.entries import EntryContent
from knowledge.tables import Entry
from tests.knowledge_stages import a_maintainer, an_entry, form_in, indexed, press
from tests.web_stages import an_agent_with_password, browser, sign_in, token_in


@pytest.fixture
def runtime(maintained: Runtime) -> Runtime:
    return maintained


@pytest.fixture
def client(maintainer: TestClient) -> TestClient:
    return maintainer


def now(runtime: Runtime, entry: Entry) -> Entry:
    """Return the entry as it is stored now."""
    with runtime.sessions() as session:
        found = entries.get(session, entry.id)
        assert found is not None
        return found


def test_it_works(client: TestClient, runtime: Runtime) -> None:
    empty = client.get("/knowledge")
    assert "There is no knowledge yet." in empty.text
    form = client.get("/knowledge/new")
    typed = {"question": "When do you open?", "answer": "At nine.", "alternatives": "Opening hours?\r\nAre you open?"}
    shown = press(client, "/knowledge/new", form, "preview", **typed)
    assert "What this changes" in shown.text
    answer = press(client, "/knowledge/new", shown, "publish")
    assert answer.status_code == 303
    page = client.get(answer.headers["location"])
    assert "Added." in page.text
    with runtime.sessions() as session:
        (entry,) = entries.page(session)
        assert (entry.question, entry.answer, entry.alternatives) == (
            "When do you open?",
            "At nine.",
            ["Opening hours?", "Are you open?"],
        )
        assert entry.external_id.startswith("when-do-you-open-")
        assert revisions.history(session, entry)[0].author == "Aino"
    assert "When do you open?" in client.get("/knowledge").text


@pytest.mark.parametrize("path", ["", "/new", "/entries/1", "/entries/1/edit", "/entries/1/history"])
def test_who_is_not_signed_in_is_sent_to_do_so(runtime: Runtime, path: str) -> None:
    with browser(runtime) as client:
        assert client.get(f"/knowledge{path}").headers["location"].startswith("/sign-in?next=%2Fknowledge")


def test_agents_read_and_maintainers_change(runtime: Runtime) -> None:
    entry = an_entry(runtime)
    with runtime.sessions.begin() as session:
        an_agent_with_password(session, email="agent@example.com")
    with browser(runtime) as client:
        sign_in(client, email="agent@example.com")
        page = client.get(f"/knowledge/entries/{entry.id}")
        assert page.status_code == 200
        assert "/edit" not in page.text
        assert "/knowledge/new" not in client.get("/knowledge").text
        for path in ("/knowledge/new", f"/knowledge/entries/{entry.id}/edit", f"/knowledge/entries/{entry.id}/retire"):
            refused = client.get(path)
            assert refused.status_code == 403
            assert "Only for maintainers" in refused.text
        refused = client.post(f"/knowledge/entries/{entry.id}/retire", data={"csrf_token": token_in(page)})
        assert refused.status_code == 403
    assert now(runtime, entry).retired_at is None


def test_every_form_needs_the_token(client: TestClient, runtime: Runtime) -> None:
    entry = an_entry(runtime)
    here = f"/knowledge/entries/{entry.id}"
    page = client.get(f"{here}/edit")
    for path in ("/knowledge/new", f"{here}/edit", f"{here}/retire", f"{here}/restore"):
        answer = client.post(path, data=form_in(page) | {"csrf_token": "wrong", "answer": "Never."})
        assert answer.status_code == 403, path
        assert "Nothing was changed" in answer.text
    assert now(runtime, entry).revision == 1


def test_a_token_of_the_api_changes_nothing_here(runtime: Runtime) -> None:
    """It would need no CSRF token, and its scopes would not be asked for."""
    with runtime.sessions.begin() as session:
        _, token = tokens.create(
            session,
            name="person",
            scopes=("knowledge:read",),
            agent=a_maintainer(session, email="by-token@example.com"),
        )
    entry = an_entry(runtime)
    with browser(runtime) as client:
        headers = {"Authorization": f"Bearer {token}"}
        assert client.post(f"/knowledge/entries/{entry.id}/retire", headers=headers).status_code == 403


def test_the_list_is_filtered_and_counted(client: TestClient, runtime: Runtime) -> None:
    an_entry(runtime, "a", "Kauanko toimitus kestää?", "Pari päivää.", language="fi", tags=["delivery"])
    an_entry(runtime, "b", "Is there a shop?", "Yes.", language="en", audience="internal", review_on=date(2020, 1, 1))
    an_entry(runtime, "c", "Where is my parcel?", "Let me look.", kind="past_reply")
    an_entry(runtime, "d", "Summer sale?", "Until June.", valid_until=datetime(2020, 6, 1, tzinfo=UTC))
    seen = {
        "": "4 entries",
        "q=PARCEL": "1 entry",
        "language=fi": "1 entry",
        "tag=delivery": "1 entry",
        "audience=internal": "1 entry",
        "kind=past_reply": "1 entry",
        "state=not_valid": "1 entry",
        "state=retired": "0 entries",
        "state=due": "1 entry",
        "state=due&q=SHOP&audience=internal": "1 entry",
        "state=due&language=fi": "0 entries",
        "q=&kind=&language=&audience=&tag=&state=live": "4 entries",
    }
    for query, count in seen.items():
        assert count in client.get(f"/knowledge?{query}").text, query
    assert "No entry fits." in client.get("/knowledge?q=unicorn").text
    assert client.get("/knowledge?state=nonsense").status_code == 422


def test_a_long_list_has_pages(client: TestClient, runtime: Runtime) -> None:
    for n in range(52):
        an_entry(runtime, f"entry-{n:02}", f"Question number {n:02}?")
    first = client.get("/knowledge?q=number")
    assert "52 entries" in first.text
    assert first.text.count('class="entry-row"') == 50
    more = first.text.partition('class="more"><a href="')[2].partition('"')[0].replace("&amp;", "&")
    second = client.get(more)
    assert second.text.count('class="entry-row"') == 2
    assert 'class="more"' not in second.text


def test_asking_as_a_customer_shows_what_the_assistant_finds(client: TestClient, runtime: Runtime) -> None:
    entry = an_entry(runtime)
    indexed(runtime)
    found = client.get("/knowledge", params={"q": "How long does delivery take?", "ask": "yes"}).text
    assert f'href="/knowledge/entries/{entry.id}"' in found
    assert "The assistant would" in found
    assert "by words: no. 1" in found
    unknown = client.get("/knowledge", params={"q": "Zebra unicorn?", "ask": "yes"}).text
    assert "The assistant would not answer this." in unknown
    assert "/knowledge/new?question=Zebra%20unicorn%3F" in unknown
    assert "Zebra unicorn?" in form_in(client.get("/knowledge/new?question=Zebra%20unicorn%3F"))["question"]


def test_an_edit_is_shown_first_and_then_published(client: TestClient, runtime: Runtime) -> None:
    entry = an_entry(runtime, tags=["a, b"], alternatives=["One\ntwo", "Three"])
    here = f"/knowledge/entries/{entry.id}/edit"
    shown = press(client, here, client.get(here), "preview", answer="Delivery takes 3–5 working days.")
    assert "<del>2</del><ins>3</ins>–<del>4 </del><ins>5 </ins>" in shown.text
    assert now(runtime, entry).revision == 1
    answer = press(client, here, shown, "publish")
    assert answer.headers["location"] == f"/knowledge/entries/{entry.id}?done=published"
    stored = now(runtime, entry)
    assert stored.answer == "Delivery takes 3–5 working days."
    # What nobody touched is as it was, to the letter, though the form cannot show it exactly.
    assert (stored.tags, stored.alternatives) == (["a, b"], ["One\ntwo", "Three"])


def test_what_was_not_shown_is_not_published(client: TestClient, runtime: Runtime) -> None:
    entry = an_entry(runtime)
    here = f"/knowledge/entries/{entry.id}/edit"
    shown = press(client, here, client.get(here), "preview", answer="One.")
    again = press(client, here, shown, "publish", answer="Two.")
    assert again.status_code == 200
    assert "What this changes" in again.text
    assert now(runtime, entry).revision == 1
    assert press(client, here, again, "publish").status_code == 303
    assert now(runtime, entry).answer == "Two."


def test_a_conflict_shows_both_texts_and_loses_nothing(client: TestClient, runtime: Runtime) -> None:
    entry = an_entry(runtime)
    here = f"/knowledge/entries/{entry.id}/edit"
    mine = client.get(here)
    with runtime.sessions.begin() as session:
        other = entries.get(session, entry.id)
        assert other is not None
        content = entries.content_of(other).model_dump() | {
            "answer": "Theirs: a week.",
            "url": "https://shop.example/d",
        }
        entries.revise(session, other, EntryContent.model_validate(content), author="Pekka")
    refused = press(client, here, mine, "publish", answer="Mine: two days.", owner="Aino")
    assert refused.status_code == 409
    assert "Somebody else changed this entry" in refused.text
    assert "<bdi>Pekka</bdi>" in refused.text
    assert "Theirs: a week." in refused.text
    typed = form_in(refused)
    assert (typed["answer"], typed["owner"], typed["url"]) == ("Mine: two days.", "Aino", "https://shop.example/d")
    shown = press(client, here, refused, "preview")
    assert press(client, here, shown, "publish").status_code == 303
    stored = now(runtime, entry)
    assert (stored.answer, stored.url, stored.revision) == ("Mine: two days.", "https://shop.example/d", 3)


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("question", "  ", "This cannot be empty."),
        ("answer", "x" * 50_001, "At most 50,000 characters fit here."),
        ("alternatives", "\n".join(f"Way {n}" for n in range(51)), "At most 50 fit here."),
        ("url", "javascript:alert(1)", "Write the whole address"),
        ("review_on", "next week", "Write a date"),
        ("valid_until", "2020-13-01", "Write a date"),
        ("supersedes", "nobody", "There is no entry with the id nobody."),
        ("supersedes", "delivery", "An entry cannot replace itself."),
    ],
)
def test_what_cannot_be_stored_is_said_beside_the_field(
    client: TestClient, runtime: Runtime, field: str, typed: str, told: str
) -> None:
    entry = an_entry(runtime)
    here = f"/knowledge/entries/{entry.id}/edit"
    refused = press(client, here, client.get(here), "preview", **{field: typed, "owner": "Aino"})
    assert refused.status_code == 422
    assert told in refused.text
    assert f'id="wrong-{field}"' in refused.text
    assert form_in(refused)["owner"] == "Aino"
    assert form_in(refused)[field].strip() == typed.strip()
    assert now(runtime, entry).revision == 1


def test_the_last_day_must_not_be_before_the_first(client: TestClient) -> None:
    typed = {"question": "Q?", "answer": "A.", "valid_from": "2026-06-02", "valid_until": "2026-06-01"}
    refused = press(client, "/knowledge/new", client.get("/knowledge/new"), "preview", **typed)
    assert refused.status_code == 422
    assert "The last day must not be before the first." in refused.text


def test_days_are_shown_as_they_were_typed(client: TestClient, runtime: Runtime) -> None:
    typed = {"question": "Q?", "answer": "A.", "valid_from": "2026-06-01", "valid_until": "2026-06-30"}
    shown = press(client, "/knowledge/new", client.get("/knowledge/new"), "preview", **typed, review_on="2027-01-01")
    here = press(client, "/knowledge/new", shown, "publish").headers["location"].partition("?")[0]
    form = form_in(client.get(f"{here}/edit"))
    assert (form["valid_from"], form["valid_until"], form["review_on"]) == ("2026-06-01", "2026-06-30", "2027-01-01")
    page = client.get(here).text
    assert "30 Jun 2026" in page
    with runtime.sessions() as session:
        (entry,) = entries.page(session)
        assert entry.valid_until == datetime(2026, 7, 1, tzinfo=UTC)


def test_an_id_that_is_taken_is_not_overwritten(client: TestClient, runtime: Runtime) -> None:
    entry = an_entry(runtime)
    typed = {"question": "Q?", "answer": "A.", "external_id": "delivery"}
    refused = press(client, "/knowledge/new", client.get("/knowledge/new"), "publish", **typed)
    assert refused.status_code == 422
    assert "Another entry has this id already." in refused.text
    assert now(runtime, entry).revision == 1


def test_what_a_change_would_do_is_shown_before(client: TestClient, runtime: Runtime) -> None:
    entry = an_entry(runtime)
    indexed(runtime)
    with runtime.sessions.begin() as session:
        labelled.add(session, "How long does delivery take?", ["delivery"], author="Aino")
    here = f"/knowledge/entries/{entry.id}"
    shown = press(client, f"{here}/edit", client.get(f"{here}/edit"), "preview", answer="A week.")
    assert "1 question was asked of the knowledge" in shown.text
    assert "Test questions that find their entry: 100% now, <strong>100%</strong> after the change." in shown.text
    assert 'name="confirmed"' not in shown.text


def test_fewer_found_test_questions_have_to_be_confirmed(client: TestClient, runtime: Runtime) -> None:
    entry = an_entry(runtime)
    indexed(runtime)
    with runtime.sessions.begin() as session:
        labelled.add(session, "How long does delivery take?", ["delivery"], author="Aino")
    here = f"/knowledge/entries/{entry.id}"
    asked = client.get(f"{here}/retire")
    assert "<strong>0%</strong> after the change" in asked.text
    assert 'name="confirmed"' in asked.text
    fields = {"csrf_token": token_in(asked)}
    assert client.post(f"{here}/retire", data=fields).headers["location"] == f"{here}/retire"
    assert now(runtime, entry).retired_at is None
    assert "done=retired" in client.post(f"{here}/retire", data=fields | {"confirmed": "yes"}).headers["location"]
    assert now(runtime, entry).retired_at is not None


def test_retired_and_brought_back(client: TestClient, runtime: Runtime) -> None:
    entry = an_entry(runtime)
    here = f"/knowledge/entries/{entry.id}"
    asked = client.get(f"{here}/retire")
    assert "Retire this entry?" in asked.text
    assert now(runtime, entry).retired_at is None
    fields = {"csrf_token": token_in(asked)}
    assert client.post(f"{here}/retire", data=fields).headers["location"] == f"{here}?done=retired"
    assert now(runtime, entry).retired_at is not None
    assert "1 entry" in client.get("/knowledge?state=retired").text
    assert client.post(f"{here}/restore", data=fields).headers["location"] == f"{here}?done=restored"
    assert now(runtime, entry).retired_at is None
    history = client.get(f"{here}/history").text
    assert history.count('id="revision-') == 3


def test_an_earlier_text_can_be_used_again(client: TestClient, runtime: Runtime) -> None:
    entry = an_entry(runtime)
    an_entry(runtime, answer="Never.")
    here = f"/knowledge/entries/{entry.id}"
    assert f"{here}/edit?revision=1" in client.get(f"{here}/history").text
    form = client.get(f"{here}/edit?revision=1")
    assert form_in(form)["answer"] == "Delivery takes 2–4 working days."
    shown = press(client, f"{here}/edit", form, "preview")
    press(client, f"{here}/edit", shown, "publish")
    assert now(runtime, entry).answer == "Delivery takes 2–4 working days."


def test_what_strangers_wrote_is_inert(client: TestClient, runtime: Runtime) -> None:
    evil = "<script>alert(1)</script>"
    entry = an_entry(
        runtime, evil, f"{evil} \u202e?", evil, url="javascript:alert(1)", tags=[evil], alternatives=[evil], owner=evil
    )
    here = f"/knowledge/entries/{entry.id}"
    for path in ("/knowledge", here, f"{here}/edit", f"{here}/history", f"{here}/retire"):
        page = client.get(path).text
        assert evil not in page, path
        assert page.count("<script") == page.count('<script type="module" src="/static/'), path
        assert 'href="javascript:' not in page, path
        assert " style=" not in page, path


def test_fifty_alternatives_and_long_texts_come_back_as_they_went(client: TestClient, runtime: Runtime) -> None:
    ways = [f"Way number {n}?" for n in range(50)]
    typed = {"question": "Q" * 20_000, "answer": "Ä" * 50_000, "alternatives": "\r\n".join(ways)}
    shown = press(client, "/knowledge/new", client.get("/knowledge/new"), "preview", **typed)
    assert press(client, "/knowledge/new", shown, "publish").status_code == 303
    with runtime.sessions() as session:
        (entry,) = entries.page(session)
        assert (len(entry.question), len(entry.answer), entry.alternatives) == (20_000, 50_000, ways)


def test_there_is_no_such_entry(client: TestClient) -> None:
    for path in ("/knowledge/entries/999", "/knowledge/entries/999/edit", "/knowledge/entries/999/history"):
        assert client.get(path).status_code == 404
    assert client.get("/knowledge/entries/99999999999999").status_code == 422


def test_marks_tell_what_a_maintainer_must_know(client: TestClient, runtime: Runtime) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=2)
    entry = an_entry(runtime, audience="internal", valid_from=tomorrow, review_on=date(2020, 1, 1))
    page = client.get(f"/knowledge/entries/{entry.id}").text
    for mark in ("Internal", "Not valid yet", "Due for review"):
        assert f">{mark}</span>" in page, mark
