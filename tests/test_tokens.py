"""Bearer tokens."""

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from assistant import agents, tokens
from assistant.errors import Invalid, NotFound, SignatureError
from tests.stages import an_agent


def test_it_works(session: Session) -> None:
    token, secret = tokens.create(session, name="helpdesk")
    assert set(token.scopes) == set(tokens.SCOPES) - {"drafts:approve"}
    found = tokens.verify(session, secret)
    assert (found.id, found.agent) == (token.id, None)
    session.refresh(token)
    assert token.last_used_at is not None


def test_the_secret_is_not_stored(session: Session) -> None:
    _, secret = tokens.create(session, name="helpdesk")
    rows = session.execute(text("SELECT api_token::text FROM api_token")).scalars().all()
    assert len(secret) > 40
    assert all(secret not in row and secret[5:20] not in row for row in rows)


@pytest.mark.parametrize("wrong", ["", "aspa_", "aspa_" + "x" * 43, "\ud800", "ä" * 10_000])
def test_a_wrong_secret_is_refused(session: Session, wrong: str) -> None:
    tokens.create(session, name="helpdesk")
    with pytest.raises(SignatureError):
        tokens.verify(session, wrong)


def test_a_revoked_token_is_refused(session: Session) -> None:
    token, secret = tokens.create(session, name="helpdesk")
    tokens.revoke(session, token.id)
    session.flush()
    with pytest.raises(SignatureError, match="wrong or revoked"):
        tokens.verify(session, secret)
    with pytest.raises(NotFound):
        tokens.revoke(session, token.id + 1)


def test_only_a_token_of_an_agent_approves(session: Session) -> None:
    with pytest.raises(Invalid, match="Only an agent approves"):
        tokens.create(session, name="robot", scopes=["drafts:approve"])
    agent = an_agent(session)
    _, secret = tokens.create(session, name="Maija's script", scopes=["drafts:approve"], agent=agent)
    session.expire_all()
    found = tokens.verify(session, secret)
    assert found.agent is not None
    assert found.agent.id == agent.id


def test_a_disabled_agents_token_is_refused(session: Session) -> None:
    agent = an_agent(session)
    _, secret = tokens.create(session, name="Maija's script", agent=agent)
    agents.disable(agent)
    session.flush()
    with pytest.raises(SignatureError):
        tokens.verify(session, secret)


@pytest.mark.parametrize(("scopes", "field"), [(["everything"], "scopes"), ([], "scopes")])
def test_an_unknown_scope_is_refused(session: Session, scopes: list[str], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        tokens.create(session, name="helpdesk", scopes=scopes)
    assert caught.value.field == field
