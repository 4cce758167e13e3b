"""The web application, put together: routes, errors, limits, sessions.

It decides nothing: a route calls the layer below and returns what it says. Making an application opens no connection
and loads no model; whoever runs it may give the search a head start with `warm_up`.
"""

import threading
from importlib.metadata import version

import structlog
from fastapi import FastAPI
from starlette.middleware.sessions import SessionMiddleware

from api import problems
from api.body_limit import BodyLimit
from api.browser_session import COOKIE
from api.metrics import Measure, Metrics
from api.routes import conversations, drafts, entries, gaps, health, imports, messages, suggest, upkeep, webhooks
from api.web import pages, site
from assistant.runtime import Runtime
from assistant.settings import secret_key

log = structlog.get_logger(__name__)

IMPORT_LIMIT = 32 * 1024 * 1024
IMPORT_PATHS = (
    *(f"/api/v1/knowledge/{name}" for name in ("entries/import", "import", "imports")),
    *("/knowledge/import", "/knowledge/questions/import"),
)


def create_app(runtime: Runtime) -> FastAPI:
    """Return the application over an open runtime, which stays the caller's to close."""
    app = FastAPI(
        title="Nettiaspa",
        version=version("nettiaspa"),
        summary="Drafts replies to customers' messages from a company's own knowledge, for a human to approve",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # the interactive page would be loaded from a CDN
        redoc_url=None,
    )
    settings = runtime.settings
    app.state.runtime = runtime
    app.state.metrics = Metrics()
    app.add_middleware(
        SessionMiddleware,
        secret_key=secret_key(settings),
        session_cookie=COOKIE,
        max_age=int(settings.session_hours * 3600),
        https_only=settings.public_url.startswith("https://"),
    )
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes, larger=dict.fromkeys(IMPORT_PATHS, IMPORT_LIMIT))
    app.add_middleware(Measure, metrics=app.state.metrics)
    problems.install(app, error_page=pages.error_page)
    for module in (health, webhooks, messages, conversations, drafts, suggest, entries, gaps, upkeep, imports):
        app.include_router(module.router)
    site.install(app)
    return app


def warm_up(runtime: Runtime) -> threading.Thread:
    """Load embedder and index in the background, so that the first search does not wait; `/readyz` tells when."""

    def load() -> None:
        runtime.knowledge_base().watch(runtime.database_url)
        log.info("search_ready")

    thread = threading.Thread(target=load, name="warm-up", daemon=True)
    thread.start()
    return thread
