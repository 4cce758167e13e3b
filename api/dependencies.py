"""What routes ask for: the transaction, and who is asking.

One request is one transaction, committed before the answer goes out: a failed commit must not have been answered with
200. Who asks is an agent (browser session, or a token bound to one) or a program with a token of its own.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from api import browser_session
from assistant import tokens
from assistant.runtime import Runtime
from assistant.tables import Agent, ApiToken

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_bearer = HTTPBearer(auto_error=False, description="A token made with `aspa token create`.")


@dataclass(frozen=True)
class Caller:
    """Who asks: `agent` for a browser session or a token bound to one, `token` for any token.

    `name` is kept as the author of a change.
    """

    name: str
    agent: Agent | None
    token: ApiToken | None


async def runtime(request: Request) -> Runtime:
    """Return the open runtime that the application was made with."""
    return cast("Runtime", request.app.state.runtime)


RuntimeDep = Annotated[Runtime, Depends(runtime)]


async def session(runtime: RuntimeDep) -> AsyncIterator[Session]:
    """Open the request's transaction; it is committed when the route returns and rolled back when it raises.

    A route may commit earlier, for example before it waits for something slow: no transaction is open meanwhile.
    Only what talks to the database goes to a thread: a change of threads is dear where webhooks pour in.
    """
    session = runtime.sessions()
    try:
        yield session
    except BaseException:
        await run_in_threadpool(session.close)
        raise
    if session.in_transaction():
        await run_in_threadpool(_commit, session)


def _commit(session: Session) -> None:
    with session:
        session.commit()


# With the default scope a `yield` dependency ends after the response: a failed commit would still answer 200.
SessionDep = Annotated[Session, Depends(session, scope="function")]


async def raw_body(request: Request) -> bytes:
    """Read the body as it was sent, for signatures."""
    return await request.body()


RawBody = Annotated[bytes, Depends(raw_body)]


async def _csrf_matches(request: Request) -> bool:
    return request.method in SAFE_METHODS or await browser_session.csrf_matches(request)


def caller(
    request: Request,
    session: SessionDep,
    csrf_matches: Annotated[bool, Depends(_csrf_matches)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> Caller:
    """Return who asks; raises 401 where nobody is known, 403 where a browser's request lacks its CSRF token.

    A token in the header counts before a cookie: a program that sends both means the token.
    """
    if credentials is not None:
        token = tokens.verify(session, credentials.credentials)
        return Caller(token.agent.name if token.agent else token.name, token.agent, token)
    agent = browser_session.signed_in(request, session)
    if agent is None:
        detail = "Sign in, or send a token: Authorization: Bearer …"
        raise HTTPException(401, detail, headers={"WWW-Authenticate": "Bearer"})
    if not csrf_matches:
        raise HTTPException(403, "The form is too old or came from another site: reload the page and try again.")
    return Caller(agent.name, agent, None)


def caller_with(scope: str) -> Callable[..., Caller]:
    """Return a dependency: the caller, whose token (if it is a token) has `scope`; raises 403 else."""

    def allowed(caller: Annotated[Caller, Depends(caller)]) -> Caller:
        if caller.token is not None and scope not in caller.token.scopes:
            raise HTTPException(403, f"This token lacks the scope {scope!r}: make one with --scope {scope}.")
        return caller

    return allowed


def current_agent(caller: Annotated[Caller, Depends(caller)]) -> Agent:
    """Return the human who asks: signed in by browser, or by a token bound to them."""
    if caller.agent is None:
        raise HTTPException(403, "This needs a person: sign in, or use a token that is bound to an agent.")
    return caller.agent


CurrentAgent = Annotated[Agent, Depends(current_agent)]
"""An agent, whatever the token's scopes: for pages. Unsafe methods of a browser need the session's CSRF token."""
