"""Puts work in the queue, inside the caller's transaction: the job is there if and only if the caller's rows are.

It knows the names of the jobs, not what they do (`assistant.jobs`). Jobs on the same conversation, delivery or index
run one after the other.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Text, bindparam
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

DRAFT = "draft_conversation"
DELIVER = "deliver"
SUGGEST = "suggest"
INDEX = "index_knowledge"
LEARN = "learn_from_reply"
IMPORT = "import_upload"
FINDINGS = "find_findings"

WRITING = "writing"
"""The queue of what needs the language model."""
SENDING = "sending"
"""The queue of everything else, so that a slow receiver never keeps a draft waiting."""

# What procrastinate's own function does, but where a job with the same queueing lock waits already this does nothing,
# while the function fails and takes the caller's transaction with it unless that sets a savepoint first.
_DEFER = sql("""
    INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
    VALUES (:queue, :task, :priority, :lock, :queueing_lock, :arguments, :at)
    ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
""").bindparams(
    bindparam("lock", type_=Text),
    bindparam("queueing_lock", type_=Text),
    bindparam("arguments", type_=JSONB),
    bindparam("at", type_=DateTime(timezone=True)),
)


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
    _defer(session, SUGGEST, WRITING, priority=10, arguments={"request_id": str(request_id)})


def defer_index_knowledge(session: Session) -> None:
    """Have the search index brought up to date with what the transaction changes.

    Every change gets its job, because one that waits already could start before the caller commits.
    """
    _defer(session, INDEX, SENDING, lock=INDEX)


def defer_findings(session: Session) -> None:
    """Have what has changed in the index compared with the rest of it. One such job waits at a time."""
    _defer_once(session, FINDINGS, SENDING, FINDINGS, None, {})


def defer_learning(session: Session, message_id: int) -> None:
    """Have a past reply made of an approved one, each after the other, so that equal ones are seen to be."""
    _defer(session, LEARN, SENDING, lock=LEARN, arguments={"message_id": message_id})


def defer_import(session: Session, import_id: int) -> None:
    """Have an uploaded file previewed or applied, whichever its row says. One import runs at a time."""
    _defer(
        session, IMPORT, SENDING, lock=IMPORT, queueing_lock=f"{IMPORT}:{import_id}", arguments={"import_id": import_id}
    )


def _defer_once(
    session: Session, task: str, queue: str, lock: str, at: datetime | None, arguments: dict[str, Any]
) -> None:
    _defer(session, task, queue, lock=lock, queueing_lock=lock, at=at, arguments=arguments)


def _defer(
    session: Session,
    task: str,
    queue: str,
    *,
    lock: str | None = None,
    queueing_lock: str | None = None,
    at: datetime | None = None,
    priority: int = 0,
    arguments: dict[str, Any] | None = None,
) -> None:
    values = {"queue": queue, "task": task, "lock": lock, "queueing_lock": queueing_lock, "at": at}
    session.execute(_DEFER, {**values, "priority": priority, "arguments": arguments or {}})
