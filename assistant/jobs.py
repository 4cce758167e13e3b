"""The durable jobs and the worker that does them.

It knows how jobs run, not what they do. The rows of drafts and deliveries are the truth: a job is the alarm that wakes
somebody to look at them. So a worker that dies loses nothing: its jobs are given to another one after ten seconds, and
a row that waits without a job gets a new one.
"""

import asyncio
import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, cast
from uuid import UUID

import psycopg
from procrastinate import App, JobContext, PsycopgConnector, RetryStrategy
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from assistant import deliveries, demotion, import_jobs, learning, queue, search_index, suggestions, writing
from assistant.queue import defer_index_knowledge
from assistant.runtime import Runtime
from knowledge import duplicates
from knowledge.database import DatabaseUnavailable, conninfo

__all__ = ["defer_index_knowledge", "run_worker", "worker_alive"]

log = logging.getLogger(__name__)

TIDY = "tidy"
HEARTBEAT_SECONDS = 2.0
STALLED_SECONDS = 10.0
RESCUE_SECONDS = 5.0
POLL_SECONDS = 0.5  # a job that was put off starts at most this late
WATCH_SECONDS = 2.0
KEEP_JOBS_HOURS = 24
PARALLEL_DELIVERIES = 8

_POOL: Mapping[str, Any] = {"min_size": 1, "max_size": 6, "timeout": 5.0, "reconnect_timeout": 5.0}


def _draft_conversation(context: JobContext, conversation_id: int) -> None:
    writing.write_draft(_runtime(context), conversation_id, crashes=context.job.attempts)


def _deliver(context: JobContext, delivery_id: int) -> None:
    deliveries.deliver(_runtime(context), delivery_id)


def _suggest(context: JobContext, request_id: str) -> None:
    suggestions.answer(_runtime(context), UUID(request_id))


def _index_knowledge(context: JobContext) -> None:
    search_index.update(_runtime(context))


def _find_findings(context: JobContext) -> None:
    runtime = _runtime(context)
    duplicates.find_findings(runtime.sessions, runtime.knowledge_base())
    with runtime.sessions.begin() as session:
        demotion.update_demotions(session, duplicates.contradicting_replies(session))


def _learn_from_reply(context: JobContext, message_id: int) -> None:
    learning.learn_from_reply(_runtime(context), message_id)


def _import_upload(context: JobContext, import_id: int) -> None:
    import_jobs.run(_runtime(context), import_id)


async def _tidy(context: JobContext, timestamp: int) -> None:
    """Delete yesterday's finished jobs and forgotten questions; `timestamp` is procrastinate's, for when it is done."""
    await context.app.job_manager.delete_old_jobs(
        nb_hours=KEEP_JOBS_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
    )
    await asyncio.to_thread(_forget_questions, _runtime(context))
    await asyncio.to_thread(import_jobs.forget_expired, _runtime(context))


def _forget_questions(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        suggestions.forget_expired(session)


TASKS: Mapping[str, Callable[..., None]] = MappingProxyType(
    {
        queue.DRAFT: _draft_conversation,
        queue.DELIVER: _deliver,
        queue.SUGGEST: _suggest,
        queue.INDEX: _index_knowledge,
        queue.FINDINGS: _find_findings,
        queue.LEARN: _learn_from_reply,
        queue.IMPORT: _import_upload,
    }
)


# Drafts and deliveries have rows that tell what is left to do (`wake_forgotten`); what has none is tried again.
_RETRIES = {queue.LEARN: RetryStrategy(max_attempts=6, exponential_wait=4, retry_exceptions=[DBAPIError])}


def _runtime(context: JobContext) -> Runtime:
    return cast("Runtime", context.additional_context["runtime"])


def worker_alive(session: Session) -> bool:
    """Tell whether some worker has given a sign of life in the last ten seconds (they give one every two)."""
    return bool(
        session.scalar(
            text(
                "SELECT EXISTS (SELECT FROM procrastinate_workers"
                " WHERE last_heartbeat > now() - make_interval(secs => :seconds))"
            ),
            {"seconds": STALLED_SECONDS},
        )
    )


def run_worker(runtime: Runtime, *, concurrency: int = 1, stop: threading.Event | None = None) -> None:
    """Do jobs until `stop` is set (without one: until SIGTERM or SIGINT), and finish those in hand.

    `concurrency` is how many drafts are written at a time. The models are loaded before the first job is taken. A lost
    database is waited for.
    """
    runtime.knowledge_base().watch(runtime.database_url)
    runtime.language_model()
    with _stopping(stop) as stopping, search_index.kept(runtime):
        asyncio.run(_work_until(runtime, concurrency, stopping))


@contextmanager
def _stopping(stop: threading.Event | None) -> Iterator[threading.Event]:
    if stop is not None:
        yield stop
        return
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _work_until(runtime: Runtime, concurrency: int, stop: threading.Event) -> None:
    # Python's default would be six threads on two cores: hanging receivers could take them all.
    threads = ThreadPoolExecutor(concurrency + PARALLEL_DELIVERIES + 2, thread_name_prefix="job")
    asyncio.get_running_loop().set_default_executor(threads)
    watch = asyncio.create_task(_watch_server(runtime))
    while not stop.is_set():
        try:
            await _work(runtime, concurrency, stop)
        except (ConnectorException, psycopg.Error, DBAPIError, DatabaseUnavailable) as error:
            log.warning("The worker lost the database and tries again: %s", error.__cause__ or error)
        if not stop.is_set():
            await asyncio.sleep(1.0)
    watch.cancel()


async def _watch_server(runtime: Runtime) -> None:
    """Start the embedded server again whenever it has died."""
    while runtime.server is not None:
        try:
            await asyncio.to_thread(runtime.server.ensure_running)
        except DatabaseUnavailable as error:
            log.error("The database does not start: %s", error)  # noqa: TRY400 — the sentence says it all
        await asyncio.sleep(WATCH_SECONDS)


async def _work(runtime: Runtime, concurrency: int, stop: threading.Event) -> None:
    """Do jobs until `stop` is set, or the database is lost (procrastinate's workers then end)."""
    app = _app(runtime)
    async with app.open_async():
        parts = [
            asyncio.create_task(_worker(app, runtime, queue.WRITING, concurrency)),
            asyncio.create_task(_worker(app, runtime, queue.SENDING, PARALLEL_DELIVERIES)),
            asyncio.create_task(_rescue_regularly(app, runtime)),
            asyncio.create_task(_stopped(stop)),
        ]
        await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        for part in parts:
            part.cancel()  # a procrastinate worker that is cancelled finishes the jobs in hand first
        ended = await asyncio.gather(*parts, return_exceptions=True)
    for result in ended:
        if isinstance(result, Exception):
            raise result


def _app(runtime: Runtime) -> App:
    app = App(connector=PsycopgConnector(conninfo=conninfo(runtime.database_url), **_POOL))
    for name, function in TASKS.items():
        app.task(name=name, pass_context=True, retry=_RETRIES.get(name, False))(function)
    # There must be something periodic: without, procrastinate 3.10 stops watching over a worker's listener and
    # heartbeat at once, and a worker that lost the database for a moment would live on without them.
    app.periodic(cron="17 * * * *")(app.task(name=TIDY, queue=queue.SENDING, pass_context=True)(_tidy))
    return app


async def _worker(app: App, runtime: Runtime, name: str, concurrency: int) -> None:
    await app.run_worker_async(
        name=name,
        queues=[name],
        concurrency=concurrency,
        additional_context={"runtime": runtime},
        install_signal_handlers=False,
        fetch_job_polling_interval=POLL_SECONDS,
        update_heartbeat_interval=HEARTBEAT_SECONDS,
        stalled_worker_timeout=STALLED_SECONDS,
    )


async def _stopped(stop: threading.Event) -> None:
    while not stop.is_set():
        await asyncio.sleep(0.2)


async def _rescue_regularly(app: App, runtime: Runtime) -> None:
    while True:
        await rescue(app)
        await asyncio.to_thread(wake_forgotten, runtime)
        await asyncio.sleep(RESCUE_SECONDS)


async def rescue(app: App) -> None:
    """Give the jobs of workers that died to another one."""
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
        log.warning("The worker died that was doing %s: it is done again.", job.call_string)
        await _give_away(app, job)


async def _give_away(app: App, job: Job) -> None:
    if job.id is None:
        return
    try:
        await app.job_manager.retry_job(job)
    except UniqueViolation:  # a newer job for the same row waits already: that one does all there is to do
        await app.job_manager.finish_job_by_id_async(job_id=job.id, status=Status.ABORTED, delete_job=False)
    except ConnectorException as error:
        log.info("Another worker was first to give %s away: %s", job.call_string, error.__cause__)


_FORGOTTEN_DRAFTS = text(
    "SELECT conversation_id FROM draft WHERE status = 'queued' AND NOT EXISTS ("
    " SELECT FROM procrastinate_jobs"
    " WHERE queueing_lock = :task || ':' || conversation_id AND status IN ('todo', 'doing'))"
)
_FORGOTTEN_DELIVERIES = text(
    "SELECT delivery.id FROM delivery WHERE state IN ('queued', 'sending') AND NOT EXISTS ("
    " SELECT FROM procrastinate_jobs"
    " WHERE queueing_lock = :task || ':' || delivery.id AND status IN ('todo', 'doing'))"
)
_FORGOTTEN_IMPORTS = text(
    "SELECT id FROM import_run WHERE state IN ('waiting', 'previewing', 'applying') AND NOT EXISTS ("
    " SELECT FROM procrastinate_jobs"
    " WHERE queueing_lock = :task || ':' || import_run.id AND status IN ('todo', 'doing'))"
)


def wake_forgotten(runtime: Runtime) -> None:
    """Queue a job for every draft, delivery and import without one: its job failed with the database, say."""
    with runtime.sessions.begin() as session:
        for conversation_id in session.scalars(_FORGOTTEN_DRAFTS, {"task": queue.DRAFT}).all():
            log.warning("The draft of conversation %d had no job: it gets one.", conversation_id)
            queue.defer_draft(session, conversation_id)
        for delivery_id in session.scalars(_FORGOTTEN_DELIVERIES, {"task": queue.DELIVER}).all():
            log.warning("Delivery %d had no job: it gets one.", delivery_id)
            queue.defer_delivery(session, delivery_id)
        for import_id in session.scalars(_FORGOTTEN_IMPORTS, {"task": queue.IMPORT}).all():
            log.warning("Import %d had no job: it gets one.", import_id)
            queue.defer_import(session, import_id)
