"""Bearer tokens for programs: shown once, stored hashed, scoped, revocable.

It knows which scopes there are, not which route needs which.
"""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256

from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload

from assistant.errors import Invalid, NotFound, SignatureError
from assistant.tables import Agent, ApiToken
from knowledge.database import clean_text, utcnow

SCOPES = (
    "messages:write",
    "conversations:read",
    "drafts:write",
    "drafts:approve",
    "suggest",
    "knowledge:read",
    "knowledge:write",
    "webhooks",
)
USUAL_SCOPES = tuple(scope for scope in SCOPES if scope != "drafts:approve")
_PREFIX = "aspa_"
_USE_NOTED_EVERY = timedelta(minutes=1)


def create(
    session: Session, *, name: str, scopes: Sequence[str] | None = None, agent: Agent | None = None
) -> tuple[ApiToken, str]:
    """Return a new token and the secret, which cannot be had again.

    Without `scopes` it may do everything but approve. Approving needs a token bound to one agent.
    Raises Invalid for an unknown scope, or for approving without an agent.
    """
    name = " ".join(clean_text(name).split())
    if not name or len(name) > 200:
        raise Invalid("name", "Give the token a name, at most 200 characters, that says who uses it.")
    chosen = list(USUAL_SCOPES if scopes is None else dict.fromkeys(scopes))
    unknown = [scope for scope in chosen if scope not in SCOPES]
    if unknown or not chosen:
        named = f"{unknown[0]!r} is no scope" if unknown else "A token without a scope can do nothing"
        raise Invalid("scopes", f"{named}: choose from {', '.join(SCOPES)}.")
    if "drafts:approve" in chosen and agent is None:
        raise Invalid("scopes", "Only an agent approves: bind a token with drafts:approve to an agent.")
    secret = _PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(name=name, token_hash=_hash(secret), scopes=chosen, agent=agent)
    session.add(token)
    session.flush()
    return token, secret


def verify(session: Session, secret: str) -> ApiToken:
    """Return the token whose secret this is, with its agent loaded; raises SignatureError.

    Its last use is noted about once a minute, so that a busy program does not write a row per request.
    """
    token = session.scalar(
        select(ApiToken)
        .where(ApiToken.token_hash == _hash(secret), ApiToken.revoked_at.is_(None))
        .options(joinedload(ApiToken.agent))
    )
    if token is None or (token.agent is not None and token.agent.disabled_at is not None):
        raise SignatureError("This token is wrong or revoked: make one with `aspa token create`.")
    now = utcnow()
    if token.last_used_at is None or now - token.last_used_at > _USE_NOTED_EVERY:
        session.execute(update(ApiToken).where(ApiToken.id == token.id).values(last_used_at=now))
    return token


def revoke(session: Session, token_id: int) -> None:
    """Make the token useless from the commit on; revoking twice is no error. Raises NotFound."""
    token = session.get(ApiToken, token_id)
    if token is None:
        raise NotFound(f"There is no token {token_id}.")
    token.revoked_at = token.revoked_at or utcnow()


def _hash(secret: str) -> str:
    """Hash without salt or cost: the secret has 256 random bits, nothing can be guessed."""
    return sha256(secret.encode(errors="replace")).hexdigest()
