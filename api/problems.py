"""Every error that leaves over HTTP, as a problem document (RFC 9457).

Knows which error means which status, and says in one sentence what to do. It never shows a traceback, nor echoes what
the caller sent: a lone surrogate in it could not be encoded, a secret must not be repeated.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy import exc as database_errors
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from assistant.errors import AspaError, Conflict, Forbidden, Invalid, NotFound, SignatureError, Unavailable
from knowledge.database import DatabaseUnavailable

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
_STATUS: dict[type[AspaError], int] = {
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    Forbidden: 403,
    Unavailable: 503,
    SignatureError: 401,
}
_HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "5"}}
# What SQLAlchemy raises where the server is gone, restarting or full: the request was rolled back and may be repeated.
_DATABASE_DOWN = (
    DatabaseUnavailable,
    database_errors.OperationalError,
    database_errors.InterfaceError,
    database_errors.TimeoutError,
)

ErrorPage = Callable[[Request, int, str], Response | None]
"""Draws an error for a browser, or returns None where a problem document suits better."""


def problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None, **extensions: Any) -> JSONResponse:
    """Return a problem document; `extensions` become members of its own, such as `errors` or `who`."""
    document = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(document | extensions, status_code=status, headers=headers, media_type=MEDIA_TYPE)


def install(app: FastAPI, *, error_page: ErrorPage | None = None) -> None:
    """Let `app` answer every error as a problem, or as `error_page` where that draws one (for the pages of agents)."""

    def answer(
        request: Request, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **extensions: Any
    ) -> Response:
        page = error_page(request, status, detail) if error_page else None
        if page is not None:
            page.headers.update(headers or {})
            return page
        return problem(status, detail, headers=headers, **extensions)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        return answer(request, error.status_code, _sentence(error), headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid_request(request: Request, error: RequestValidationError) -> Response:
        found = error.errors()
        if any(one["type"] == "json_invalid" for one in found):
            return answer(request, 400, "The body is not valid JSON: send one JSON document in UTF-8.")
        errors = [_field_error(one) for one in found]
        detail = "; ".join(f"{one['field']}: {one['message']}" for one in errors[:5])
        return answer(request, 422, detail, errors=errors[:50])

    @app.exception_handler(AspaError)
    async def own_error(request: Request, error: AspaError) -> Response:
        status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
        return answer(request, status, str(error), headers=_HEADERS.get(status), **_members(error))

    async def database_down(request: Request, error: Exception) -> Response:
        log.warning("database_unavailable", path=request.url.path, error=type(error).__name__)
        detail = "The database cannot be reached just now: nothing was changed, please try again in a few seconds."
        return answer(request, 503, detail, headers=_HEADERS[503])

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        # starlette raises the error again after the answer, and so the server's log has the traceback.
        return answer(request, 500, "Something went wrong on the server: its log says what.")

    for kind in _DATABASE_DOWN:
        app.add_exception_handler(kind, database_down)


def _sentence(error: HTTPException) -> str:
    """Return what to tell: the framework's own details are bare phrases such as "Not Found"."""
    if error.detail != HTTPStatus(error.status_code).phrase:
        return str(error.detail)
    return {
        404: "There is nothing at this address.",
        405: "This address does not take this method.",
    }.get(error.status_code, f"{error.detail}.")


def _field_error(error: Mapping[str, Any]) -> dict[str, str]:
    """Return one validation error as the field's dotted name and why it was refused."""
    place, *path = error["loc"]
    field = ".".join(str(part) for part in path) or str(place)
    return {"field": field, "message": str(error["msg"]).removeprefix("Value error, ")}


def _members(error: AspaError) -> dict[str, Any]:
    """Return the members that a program can act on: whom a conflict is with, which field is wrong."""
    if isinstance(error, Conflict):
        return {"who": error.who, **error.details}
    if isinstance(error, Invalid):
        return {"errors": [{"field": error.field, "message": str(error)}]}
    return {}
