"""Puts work in the queue, inside the caller's transaction: the job is there if and only if the caller's rows are.

It knows the names of the jobs, not what they do (`assistant.jobs`). Jobs on the same conversation, delivery or index
run one after the other.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from procrastinate import App, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from sqlalchemy.orm import Session

DRAFT = "draft_conversation"
DELIVER = "deliver"
SUGGEST = "suggest"
INDEX = "index_knowledge"

WRITING = "writing"
"""The queue of what needs the language model."""
SENDING = "sending"
"""The queue of everything else, so that a slow receiver never keeps a draft waiting."""

# Its own connections are never opened: every job goes in over the caller's.
_app = App(connector=SyncPsycopgConnector())


def defer_draft(session: Session, conversation_id: int, *, at: datetime | None = None) -> None:
    """Have the conversation's queued draft written, at once or not before `at`. One such job waits at a time.

    The caller holds the lock on the conversation's row, as the job does when it reads: else a job that waits already
    could start, miss the caller's uncommitted rows and leave them without a job.
    """
    _defer_once(session, DRAFT, WRITING, f"{DRAFT}:{conversation_id}", at, {"conversation_id": conversation_id})


def defer_delivery(session: Session, delivery_id: int, *, at: datetime | None = None) -> None:
    """Have the delivery tried, at once or not before `at`. One such job waits at a time."""
    _defer_once(session, DELIVER, SENDING, f"{DELIVER}:{delivery_id}", at, {"delivery_id": delivery_id})


def defer_suggestion(session: Session, request_id: UUID) -> None:
    """Have a suggestion answered, before the drafts that wait: somebody holds the line."""
    _app.configure_task(SUGGEST, queue=WRITING, priority=10, connection=_connection(session)).defer(
        request_id=str(request_id)
    )


def defer_index_knowledge(session: Session) -> None:
    """Have the search index brought up to date with what the transaction changes.

    Every change gets its job, because one that waits already could start before the caller commits.
    """
    _app.configure_task(INDEX, queue=SENDING, lock=INDEX, connection=_connection(session)).defer()


def _defer_once(
    session: Session, task: str, queue: str, lock: str, at: datetime | None, arguments: dict[str, int]
) -> None:
    try:
        # A collision would else end the caller's whole transaction. The savepoint is set when the session first hands
        # out its connection inside the block: one fetched before would defer outside it.
        with session.begin_nested():
            _app.configure_task(
                task, queue=queue, lock=lock, queueing_lock=lock, schedule_at=at, connection=_connection(session)
            ).defer(**arguments)
    except AlreadyEnqueued:
        return  # one waits already, and reads the rows when it starts


def _connection(session: Session) -> Any:
    return session.connection().connection.driver_connection
