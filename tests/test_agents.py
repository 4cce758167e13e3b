"""Agents and their passwords."""

import pytest
from sqlalchemy.orm import Session

from assistant import agents
from assistant.errors import Conflict, Invalid, NotFound, SignatureError

PASSWORD = "correct horse battery"


def test_it_works(session: Session) -> None:
    added = agents.add(session, email=" Maija@Example.com", name="Maija  Mäki", role="lead", password=PASSWORD)
    assert (added.email, added.name, added.role) == ("Maija@Example.com", "Maija Mäki", "lead")
    assert added.password_hash is not None
    assert added.password_hash.startswith("$argon2id$")
    assert agents.sign_in(session, email="maija@example.COM", password=PASSWORD) is added
    assert agents.find(session, "MAIJA@example.com") is added
    assert agents.get(session, added.id) is added


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("maija@example.com", "wrong horse battery"),
        ("nobody@example.com", PASSWORD),
        ("", ""),
        ("maija@example.com", ""),
    ],
)
def test_a_wrong_password_or_address_is_refused_alike(session: Session, email: str, password: str) -> None:
    agents.add(session, email="maija@example.com", name="Maija", password=PASSWORD)
    with pytest.raises(SignatureError, match="The e-mail address or the password is wrong"):
        agents.sign_in(session, email=email, password=password)


def test_an_agent_without_a_password_cannot_sign_in(session: Session) -> None:
    agents.add(session, email="maija@example.com", name="Maija")
    for password in ("", "the time that a wrong password takes"):
        with pytest.raises(SignatureError):
            agents.sign_in(session, email="maija@example.com", password=password)


def test_a_disabled_agent_is_gone(session: Session) -> None:
    added = agents.add(session, email="maija@example.com", name="Maija", password=PASSWORD)
    agents.disable(added)
    session.flush()
    with pytest.raises(SignatureError):
        agents.sign_in(session, email="maija@example.com", password=PASSWORD)
    with pytest.raises(NotFound):
        agents.get(session, added.id)
    with pytest.raises(NotFound):
        agents.find(session, "maija@example.com")


def test_a_new_password_replaces_the_old_one(session: Session) -> None:
    added = agents.add(session, email="maija@example.com", name="Maija", password=PASSWORD)
    agents.set_password(added, "another horse battery")
    session.flush()
    with pytest.raises(SignatureError):
        agents.sign_in(session, email="maija@example.com", password=PASSWORD)
    assert agents.sign_in(session, email="maija@example.com", password="another horse battery") is added


def test_an_address_is_taken_in_any_case_of_letters(session: Session) -> None:
    agents.add(session, email="maija@example.com", name="Maija")
    with pytest.raises(Conflict, match=r"MAIJA@example\.com already"):
        agents.add(session, email="MAIJA@example.com", name="Another")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "maija"}, "email"),
        ({"email": "a b@example.com"}, "email"),
        ({"name": " \0"}, "name"),
        ({"role": "boss"}, "role"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 2000}, "password"),
    ],
)
def test_what_cannot_be_used_is_refused(session: Session, change: dict[str, str], field: str) -> None:
    details = {"email": "maija@example.com", "name": "Maija", **change}
    with pytest.raises(Invalid) as caught:
        agents.add(session, **details)
    assert caught.value.field == field
