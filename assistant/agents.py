"""Agents and their passwords.

It knows who may sign in, not how a browser stays signed in.
"""

import re

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from assistant.errors import Conflict, Invalid, NotFound, SignatureError
from assistant.tables import AGENT_ROLES, Agent
from knowledge.database import clean_text, utcnow

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1024  # argon2 reads all of it: a megabyte would be a cheap way to keep us busy

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
_hasher = PasswordHash((Argon2Hasher(),))
_NOBODY = _hasher.hash("the time that a wrong password takes")


def add(session: Session, *, email: str, name: str, role: str = "agent", password: str | None = None) -> Agent:
    """Add an agent; without a password they cannot sign in with one.

    Raises Invalid for a field that cannot be used, Conflict where the e-mail address is taken (in any case of letters).
    """
    email, name = clean_text(email).strip(), " ".join(clean_text(name).split())
    if not _EMAIL.fullmatch(email):
        raise Invalid("email", f"{email!r} is no e-mail address: write it as name@example.com.")
    if not name or len(name) > 200:
        raise Invalid("name", "Give the agent's name, at most 200 characters.")
    if role not in AGENT_ROLES:
        raise Invalid("role", f"{role!r} is no role: choose one of {', '.join(AGENT_ROLES)}.")
    password_hash = None if password is None else _hash(password)
    added = session.execute(
        insert(Agent)
        .values(email=email, name=name, role=role, password_hash=password_hash)
        .on_conflict_do_nothing()
        .returning(Agent)
    ).scalar_one_or_none()
    if added is None:
        raise Conflict(f"There is an agent with the address {email} already.")
    return added


def set_password(agent: Agent, password: str) -> None:
    """Give the agent a new password; raises Invalid where it is too short or too long."""
    agent.password_hash = _hash(password)


def sign_in(session: Session, *, email: str, password: str) -> Agent:
    """Return the agent whose password this is; raises SignatureError, the same for every reason.

    A wrong address takes as long as a wrong password, so that nobody learns which addresses there are.
    """
    agent = session.scalar(select(Agent).where(func.lower(Agent.email) == func.lower(clean_text(email).strip())))
    known = agent.password_hash if agent is not None and agent.disabled_at is None else None
    usable = len(password) <= LONGEST_PASSWORD
    right, newer = _hasher.verify_and_update(clean_text(password) if usable else "", known or _NOBODY)
    if agent is None or known is None or not right:
        raise SignatureError("The e-mail address or the password is wrong.")
    if newer is not None:
        agent.password_hash = newer
    return agent


def get(session: Session, agent_id: int) -> Agent:
    """Return the agent; raises NotFound where there is none or they are disabled."""
    agent = session.get(Agent, agent_id)
    if agent is None or agent.disabled_at is not None:
        raise NotFound(f"There is no agent {agent_id}.")
    return agent


def find(session: Session, email: str) -> Agent:
    """Return the agent with this e-mail address in any case of letters; raises NotFound."""
    email = clean_text(email).strip()
    agent = session.scalar(
        select(Agent).where(func.lower(Agent.email) == func.lower(email), Agent.disabled_at.is_(None))
    )
    if agent is None:
        raise NotFound(f"There is no agent with the address {email}: add one with `aspa agent add`.")
    return agent


def disable(agent: Agent) -> None:
    """Keep the agent from signing in, also with a browser session or a token that they have."""
    agent.disabled_at = agent.disabled_at or utcnow()


def _hash(password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Invalid("password", f"Choose a password of {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.")
    return _hasher.hash(clean_text(password))
