"""The pages of the inbox and of the knowledge, put into the application: routes, static files, headers, live events."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from api.web import (
    decisions,
    inbox,
    knowledge,
    knowledge_editing,
    knowledge_gaps,
    knowledge_import,
    knowledge_questions,
    knowledge_upkeep,
    sign_in,
)
from api.web.live import Live
from api.web.rendering import STATIC
from api.web.security import SecurityHeaders

_FOR_GOOD = "public, max-age=31536000, immutable"


class StaticAssets(StaticFiles):
    """Static files, which a browser keeps for good when it asks for one version of them (`?v=`)."""

    async def get_response(self, path: str, scope: MutableMapping[str, Any]) -> Response:
        """Return the file."""
        response = await super().get_response(path, scope)
        versioned = scope["query_string"].startswith(b"v=")
        response.headers["Cache-Control"] = _FOR_GOOD if versioned else "no-cache"
        return response


@asynccontextmanager
async def _live(app: FastAPI) -> AsyncIterator[None]:
    """Listen for what happens in the inbox while the application runs."""
    app.state.live = Live(app.state.runtime.database_url)
    try:
        yield
    finally:
        app.state.live.close()
        await asyncio.to_thread(app.state.live.join)


def install(app: FastAPI) -> None:
    """Add the pages to `app`, whose state has the runtime."""
    app.state.attempts = sign_in.Attempts()
    pages = APIRouter(lifespan=_live)
    for module in (
        sign_in,
        inbox,
        decisions,
        knowledge,
        knowledge_gaps,
        knowledge_import,
        knowledge_questions,
        knowledge_upkeep,
        knowledge_editing,
    ):
        pages.include_router(module.router)
    app.include_router(pages)
    app.mount("/static", StaticAssets(directory=STATIC), name="static")
    app.add_middleware(SecurityHeaders)
