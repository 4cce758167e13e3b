"""Signing in and out, and the language of the pages.

A wrong password, an unknown address and a disabled agent get the same answer in the same time; attempts are counted.
The counting is per process and starts anew with it.
"""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from limits import RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from api import browser_session
from api.dependencies import RuntimeDep, SessionDep
from api.web.pages import SIGN_IN, CsrfMatches, local, page, redirect
from api.web.translations import LANGUAGES
from assistant import agents
from assistant.errors import SignatureError

router = APIRouter(include_in_schema=False)

_PER_PERSON = RateLimitItemPerMinute(10, 5)  # from one address for one account, in five minutes
_PER_ADDRESS = RateLimitItemPerMinute(60, 5)  # a whole office may share one
_PER_ACCOUNT = RateLimitItemPerHour(100)  # many addresses against one account


class Attempts:
    """Counts attempts to sign in, and says when there were too many."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def allowed(self, address: str, email: str) -> bool:
        """Count one attempt from `address` for `email`; False where it is one too many."""
        account = _account(email)
        return all(
            (
                self._limiter.hit(_PER_PERSON, "person", address, account),
                self._limiter.hit(_PER_ADDRESS, "address", address),
                self._limiter.hit(_PER_ACCOUNT, "account", account),
            )
        )

    def forget(self, address: str, email: str) -> None:
        """Count anew for who proved who they are."""
        self._limiter.clear(_PER_PERSON, "person", address, _account(email))


def _account(email: str) -> str:
    return email.strip().lower()[:254]


@router.get(SIGN_IN)
def form(request: Request, session: SessionDep, next: str = "") -> Response:  # noqa: A002 (the query's name)
    """Show the form; who is signed in already goes on."""
    if browser_session.signed_in(request, session) is not None:
        return redirect(local(next))
    return _form(request, next_page=next)


@router.post(SIGN_IN)
def sign_in(
    request: Request,
    session: SessionDep,
    runtime: RuntimeDep,
    csrf_matches: CsrfMatches,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "",  # noqa: A002 (the field's name)
) -> Response:
    """Start a session for the agent whose password this is, and go where they wanted to."""
    if not csrf_matches:
        return _form(request, status=403, failure="old", email=email, next_page=next)
    address = request.client.host if request.client else ""
    attempts: Attempts = request.app.state.attempts
    if not attempts.allowed(address, email):
        return _form(request, status=429, failure="often", email=email, next_page=next)
    try:
        agent = agents.sign_in(session, email=email, password=password)
    except SignatureError:
        return _form(request, status=401, failure="wrong", email=email, next_page=next)
    attempts.forget(address, email)
    language = request.session.get("language")
    browser_session.sign_in(request, agent, hours=runtime.settings.session_hours)
    if language in LANGUAGES:
        agent.language = language
    return redirect(local(next))


@router.post("/sign-out")
def sign_out(request: Request, csrf_matches: CsrfMatches) -> Response:
    """End the session; without the token nothing happens, so that no other site can end it."""
    if csrf_matches:
        browser_session.sign_out(request)
    return redirect(SIGN_IN)


@router.post("/language")
def choose_language(
    request: Request,
    session: SessionDep,
    csrf_matches: CsrfMatches,
    language: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "",
) -> Response:
    """Show the pages in another language from now on, to this browser and to the agent wherever they sign in."""
    if csrf_matches and language in LANGUAGES:
        request.session["language"] = language
        agent = browser_session.signed_in(request, session)
        if agent is not None:
            agent.language = language
    return redirect(local(back))


def _form(
    request: Request, *, next_page: str, status: int = 200, failure: str | None = None, email: str = ""
) -> Response:
    values = {"failure": failure, "email": email[:254], "next": local(next_page)}
    return page(request, "sign_in.html", agent=None, status=status, here=SIGN_IN, **values)
