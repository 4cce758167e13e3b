"""The browser session of an agent: a signed cookie that expires.

The cookie holds the agent's id, a stamp of their password's hash (a changed password ends every session), the time
when it ends, and the token against cross-site requests. It knows nothing of pages or passwords.
"""

import hmac
import secrets
import time
from hashlib import sha256

from fastapi import Request
from sqlalchemy.orm import Session

from assistant.tables import Agent

COOKIE = "aspa_session"
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"


def sign_in(request: Request, agent: Agent, *, hours: float) -> None:
    """Start a session for `agent` that ends after `hours`; whatever the session held before is dropped."""
    request.session.clear()
    request.session.update(
        agent=agent.id, stamp=_stamp(agent), ends=time.time() + hours * 3600, csrf=secrets.token_urlsafe(24)
    )


def sign_out(request: Request) -> None:
    """End the session."""
    request.session.clear()


def signed_in(request: Request, session: Session) -> Agent | None:
    """Return the active agent whose session this is, or None where there is none or it has ended."""
    kept = request.session
    if "agent" not in kept or kept.get("ends", 0) < time.time():
        return None
    agent = session.get(Agent, kept["agent"])
    if agent is None or agent.disabled_at is not None or not hmac.compare_digest(kept.get("stamp", ""), _stamp(agent)):
        return None
    return agent


def csrf_token(request: Request) -> str:
    """Return the session's token for forms and scripts, made on first use (also before sign-in)."""
    if "csrf" not in request.session:
        request.session["csrf"] = secrets.token_urlsafe(24)
    return str(request.session["csrf"])


async def csrf_matches(request: Request) -> bool:
    """Tell whether the request carries the session's token, in the header or in the form's field."""
    expected = request.session.get("csrf")
    given = request.headers.get(CSRF_HEADER)
    form_types = ("application/x-www-form-urlencoded", "multipart/form-data")
    if given is None and request.headers.get("content-type", "").startswith(form_types):
        field = (await request.form()).get(CSRF_FIELD)
        given = field if isinstance(field, str) else None
    return bool(expected and given) and hmac.compare_digest(str(expected).encode(), str(given).encode())


def _stamp(agent: Agent) -> str:
    """Return a short digest that changes with the password, so that the cookie never carries the hash itself."""
    return sha256(f"{agent.id}:{agent.password_hash}".encode()).hexdigest()[:24]
