"""How a page is answered: the reader's language, the token against cross-site requests, errors as pages.

It knows requests and templates, and nothing of conversations.
"""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api import browser_session
from api.dependencies import SAFE_METHODS
from api.web.rendering import render
from api.web.security import HEADERS
from api.web.translations import LANGUAGES, best_language
from assistant.tables import Agent

SIGN_IN = "/sign-in"
INBOX = "/inbox"

ONLY_MAINTAINERS = "Only maintainers, leads and admins may change the knowledge, signed in with a browser."

CsrfMatches = Annotated[bool, Depends(browser_session.csrf_matches)]
"""Whether a form came from a page of this session: for those who are not signed in yet (others get 403 anyway)."""


def page(
    request: Request, template: str, *, agent: Agent | None, status: int = 200, here: str | None = None, **values: Any
) -> HTMLResponse:
    """Return `template` as an answer. `here` is the address that shows the same again, by default the request's own."""
    if here is None:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    html = render(
        template,
        language_of(request, agent),
        agent=agent,
        csrf_token=browser_session.csrf_token(request),
        here=here,
        **values,
    )
    return HTMLResponse(html, status_code=status)


def redirect(address: str) -> RedirectResponse:
    """Send the browser to another page with a GET, also after a POST."""
    return RedirectResponse(address, status_code=303)


def language_of(request: Request, agent: Agent | None) -> str:
    """Return the agent's language, else the session's, else the one that the browser prefers."""
    kept = request.session.get("language") if "session" in request.scope else None
    chosen = (agent.language if agent is not None else None) or kept
    return chosen if chosen in LANGUAGES else best_language(request.headers.get("Accept-Language", ""))


def local(address: str | None) -> str:
    """Return `address` if it is a path of ours, else the inbox: a stranger's link must not lead elsewhere."""
    if address and address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable():
        return address
    return INBOX


def error_page(request: Request, status: int, detail: str) -> Response | None:
    """Draw an error for a person with a browser; None where a program asks, which gets a problem document.

    Who is not signed in is sent to do so, and comes back to where they were.
    """
    path = request.url.path
    if path.startswith(("/api/", "/webhooks/")) or "text/html" not in request.headers.get("Accept", ""):
        return None
    if status == 401:
        # The address of a form's action shows nothing by itself; the page that held the form does.
        back = path if request.method in SAFE_METHODS else path.rpartition("/")[0]
        return redirect(f"{SIGN_IN}?{urlencode({'next': local(back)})}")
    language = language_of(request, None)
    values = {"status": status, "forbidden": detail == ONLY_MAINTAINERS}
    html = render("error.html", language, agent=None, csrf_token=None, here=path, **values)
    # An unexpected error is answered outside of every middleware: the headers have to be its own.
    return HTMLResponse(html, status_code=status, headers=HEADERS)
