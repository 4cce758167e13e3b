"""Signing in and out, and the language of the pages."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from api.web.pages import local
from api.web.translations import LANGUAGES, best_language
from assistant import agents
from assistant.runtime import Runtime
from assistant.tables import Agent
from tests.api_stages import opened
from tests.web_stages import EMAIL, PASSWORD, an_agent_with_password, browser, sign_in, token_in


@pytest.fixture
def runtime(database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    with opened(database_url, tmp_path) as runtime:
        with runtime.sessions.begin() as session:
            an_agent_with_password(session)
        yield runtime


@pytest.fixture
def client(runtime: Runtime) -> Iterator[TestClient]:
    """A browser in which nobody is signed in."""
    with browser(runtime) as client:
        yield client


def test_it_works(client: TestClient) -> None:
    answer = sign_in(client, next="/inbox?status=closed")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/inbox?status=closed"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    page = client.get("/inbox")
    assert page.status_code == 200
    assert "Aino" in page.text
    assert client.get("/sign-in").headers["location"] == "/inbox"


def test_nobody_learns_which_addresses_there_are(client: TestClient, runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        agents.disable(an_agent_with_password(session, email="gone@example.com"))
    answers = [
        sign_in(client, email=email, password=password)
        for email, password in (
            (EMAIL, "wrong password"),
            ("nobody@example.com", PASSWORD),
            ("gone@example.com", PASSWORD),
        )
    ]
    assert {answer.status_code for answer in answers} == {401}
    pages = {
        answer.text.replace(token_in(answer), "").replace(email, "")
        for answer, email in zip(answers, (EMAIL, "nobody@example.com", "gone@example.com"), strict=True)
    }
    assert len(pages) == 1
    assert "The e-mail address or the password is wrong." in pages.pop()


def test_too_many_attempts_are_stopped_even_with_the_right_password(client: TestClient) -> None:
    statuses = [sign_in(client, password="wrong password").status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    answer = sign_in(client)
    assert answer.status_code == 429
    assert "Too many attempts." in answer.text


def test_who_proves_who_they_are_is_counted_anew(client: TestClient) -> None:
    for password in ["wrong password"] * 9 + [PASSWORD]:
        client.cookies.clear()
        answer = sign_in(client, password=password)
    assert answer.status_code == 303
    client.cookies.clear()
    assert sign_in(client, password="wrong password").status_code == 401


def test_a_form_from_another_site_is_refused(client: TestClient) -> None:
    client.get("/sign-in")
    answer = client.post("/sign-in", data={"email": EMAIL, "password": PASSWORD, "csrf_token": "theirs"})
    assert answer.status_code == 403
    assert client.get("/inbox").status_code == 303


def test_signing_out_needs_the_token_and_ends_the_session(client: TestClient) -> None:
    sign_in(client)
    client.post("/sign-out", data={"csrf_token": "theirs"})
    page = client.get("/inbox")
    assert page.status_code == 200
    client.post("/sign-out", data={"csrf_token": token_in(page)})
    assert client.get("/inbox").status_code == 303


def test_a_session_ends_by_itself(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(client)
    assert client.get("/inbox").status_code == 200
    tomorrow = time.time() + 24 * 3600
    monkeypatch.setattr("api.browser_session.time.time", lambda: tomorrow)
    assert client.get("/inbox").headers["location"].startswith("/sign-in")


def test_a_new_password_ends_every_session(client: TestClient, runtime: Runtime) -> None:
    sign_in(client)
    with runtime.sessions.begin() as session:
        agents.set_password(session.scalars(select(Agent)).one(), "another password")
    assert client.get("/inbox").headers["location"].startswith("/sign-in")


def test_the_language_is_kept_for_the_agent(client: TestClient, runtime: Runtime) -> None:
    token = token_in(client.get("/sign-in"))
    chosen = client.post("/language", data={"csrf_token": token, "language": "fi", "back": "/sign-in"})
    assert chosen.headers["location"] == "/sign-in"
    assert "Kirjaudu sisään" in client.get("/sign-in").text
    sign_in(client)
    assert '<html lang="fi">' in client.get("/inbox").text
    with browser(runtime) as elsewhere:
        sign_in(elsewhere)
        page = elsewhere.get("/inbox")
        assert "Kaikille on vastattu." in page.text
        fields = {"csrf_token": token_in(page), "back": "/inbox"}
        elsewhere.post("/language", data=fields | {"language": "xx"})
        assert '<html lang="fi">' in elsewhere.get("/inbox").text
        elsewhere.post("/language", data=fields | {"language": "en"})
        assert '<html lang="en">' in elsewhere.get("/inbox").text


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("", "fi"), ("en-US,en;q=0.9", "en"), ("sv;q=1, en;q=0.2, fi;q=0.8", "fi"), ("de", "fi"), ("en;q=0", "fi")],
)
def test_the_browsers_language_is_the_first_guess(accepted: str, language: str) -> None:
    assert best_language(accepted) == language


@given(st.text())
def test_any_accept_language_header_gives_a_language(accepted: str) -> None:
    assert best_language(accepted) in LANGUAGES


@pytest.mark.parametrize("address", ["https://evil.example", "//evil.example", "/\\evil.example", "", None, "/a\nb"])
def test_nobody_is_led_elsewhere(address: str | None) -> None:
    assert local(address) == "/inbox"
    assert local("/inbox/7?sent=1") == "/inbox/7?sent=1"
