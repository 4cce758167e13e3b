"""Drafts for somebody else's helpdesk: the web process asks, a worker (which has the models) answers.

Nothing stays but the audit record: the row that carries the question and the answer is deleted at once.
"""

import logging
import time
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from assistant import audit, queue
from assistant.errors import AspaError, Unavailable
from assistant.reply import DraftRequest
from assistant.runtime import Runtime
from assistant.tables import Agent, ApiToken, Suggestion
from assistant.writing import reply_to
from knowledge.database import conninfo, notify, utcnow
from models import ModelError
from models.chat import Turn

log = logging.getLogger(__name__)

_LOOK_EVERY = 2.0  # seconds; a notification that was missed costs no more


def ask(
    runtime: Runtime, request: DraftRequest, *, agent: Agent | None = None, token: ApiToken | None = None
) -> dict[str, Any]:
    """Return the document of a draft that a worker writes.

    Raises Unavailable where no worker answers in time (`suggest_timeout_seconds`) or the model cannot be used.
    Opens its own transactions: the question must be committed before anybody can answer it.
    """
    seconds = runtime.settings.suggest_timeout_seconds
    with psycopg.connect(conninfo(runtime.database_url), autocommit=True) as ear:
        suggestion = _put(runtime, request, seconds)
        try:
            ear.execute(sql.SQL("LISTEN {}").format(sql.Identifier(_channel(suggestion))))
            return _wait(runtime, ear, suggestion, seconds)
        finally:
            with runtime.sessions.begin() as session:
                session.execute(delete(Suggestion).where(Suggestion.id == suggestion))
                audit.record(
                    session, "suggest", subject="suggestion", subject_id=str(suggestion), agent=agent, token=token
                )


def answer(runtime: Runtime, request_id: UUID) -> None:
    """Write the draft that is asked for, unless nobody waits for it any more."""
    with runtime.sessions() as session:
        row = session.get(Suggestion, request_id)
    if row is None or row.expires_at < utcnow():
        return
    document, failure = None, None
    try:
        document = reply_to(runtime, _request(row.request)).document()
    except (ModelError, AspaError) as error:
        failure = str(error)
    except Exception:  # the worker's edge: somebody waits for an answer
        log.exception("suggestion %s failed", request_id)
        failure = "Something went wrong in the program; its log says what."
    with runtime.sessions.begin() as session:
        asked = session.get(Suggestion, request_id, with_for_update=True)
        if asked is not None:
            asked.answer, asked.failure = document, failure
            notify(session, _channel(request_id))


def forget_expired(session: Session) -> None:
    """Delete the questions of those who went away without their answer."""
    session.execute(delete(Suggestion).where(Suggestion.expires_at < utcnow()))


def _put(runtime: Runtime, request: DraftRequest, seconds: float) -> UUID:
    with runtime.sessions.begin() as session:
        suggestion = Suggestion(request=asdict(request), expires_at=utcnow() + timedelta(seconds=seconds))
        session.add(suggestion)
        session.flush()
        queue.defer_suggestion(session, suggestion.id)
        return suggestion.id


def _wait(runtime: Runtime, ear: psycopg.Connection[Any], suggestion: UUID, seconds: float) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while True:
        with runtime.sessions() as session:
            found = session.execute(
                select(Suggestion.answer, Suggestion.failure).where(Suggestion.id == suggestion)
            ).one_or_none()
        if found is not None and found.answer is not None:
            document: dict[str, Any] = found.answer
            return document
        if found is None or found.failure is not None:
            raise Unavailable((found and found.failure) or "The question expired: ask again.")
        left = deadline - time.monotonic()
        if left <= 0:
            raise Unavailable(f"No worker answered within {seconds:g} s: is one running? Start one with `aspa work`.")
        for _ in ear.notifies(timeout=min(left, _LOOK_EVERY), stop_after=1):
            pass


def _channel(suggestion: UUID) -> str:
    return f"aspa_suggestion_{suggestion.hex}"


def _request(stored: dict[str, Any]) -> DraftRequest:
    return DraftRequest(**{**stored, "history": tuple(Turn(**turn) for turn in stored["history"])})
