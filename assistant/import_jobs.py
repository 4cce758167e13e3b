"""Uploaded files on their way into the knowledge: kept, previewed by the worker, applied or given up.

Session first; only `run`, the worker's part, commits. What a file holds and what it changes is `knowledge.importing`.
An upload lives in the data directory, which web process and workers share.
"""

import logging
import re
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from assistant import queue
from assistant.errors import ConfirmationRequired, Conflict, Invalid, NotFound
from assistant.replay import ensure_recall as ensure_recall_of
from assistant.runtime import Runtime
from assistant.settings import Settings
from knowledge import changes, importing, labelled
from knowledge.changes import Change
from knowledge.database import clean_text, utcnow
from knowledge.entries import Kind
from knowledge.importers.detection import FORMATS, Format
from knowledge.importers.reading import read
from knowledge.importing import ImportReport
from knowledge.tables import ImportRun

log = logging.getLogger(__name__)

SHOWN = 1_000
"""How many rejected or vanished rows a run keeps; the numbers count all."""
KEPT_DAYS = 7
"""How long a preview waits for a decision."""
OPEN = ("waiting", "previewing", "previewed", "applying")
WORKING = ("waiting", "previewing", "applying")
"""States that a worker has to do something about."""


class GivenUp(Exception):  # noqa: N818 (what happened)
    """Somebody cancelled the import while it ran."""


@dataclass(frozen=True)
class Upload:
    """A file that was uploaded: its name as its owner knows it, and where it is kept."""

    name: str
    file: str


def folder(settings: Settings) -> Path:
    """Return where uploads are kept."""
    return settings.data_dir / "imports"


def keep(settings: Settings, stream: BinaryIO, name: str) -> Upload:
    """Keep what an upload holds until its import is over; `name` is its file's name, whose folders are dropped."""
    name = re.sub(r"[^\w .()+-]", "_", clean_text(name).replace("\\", "/").rpartition("/")[2]).strip(" .")[-100:]
    name = name or "upload"
    file = f"{secrets.token_hex(8)}-{name}"
    folder(settings).mkdir(parents=True, exist_ok=True)
    with (folder(settings) / file).open("xb") as kept:
        shutil.copyfileobj(stream, kept)
    return Upload(name, file)


def start(
    session: Session,
    upload: Upload,
    *,
    author: str,
    source: str | None = None,
    kind: Kind | None = None,
    file_format: str | None = None,
) -> ImportRun:
    """Have the upload previewed by a worker. Raises Invalid where the format is none that is known."""
    if file_format is not None and file_format not in FORMATS:
        raise Invalid("format", f"The format must be one of {', '.join(FORMATS)}.")
    run = ImportRun(
        source=clean_text(source or "").strip()[:500] or upload.name,
        file=upload.file,
        kind=kind,
        format=file_format,
        author=clean_text(author),
        changes={},
    )
    session.add(run)
    session.flush()
    queue.defer_import(session, run.id)
    return run


def get(session: Session, import_id: int) -> ImportRun:
    """Return the import. Raises NotFound."""
    run = session.get(ImportRun, import_id)
    if run is None:
        raise NotFound(f"There is no import {import_id}.")
    return run


def page(session: Session, *, before: int | None = None, limit: int = 50) -> list[ImportRun]:
    """Return imports, newest first, from before the id `before` on."""
    statement = select(ImportRun).order_by(ImportRun.id.desc()).limit(limit)
    return list(session.scalars(statement if before is None else statement.where(ImportRun.id < before)))


def request_apply(session: Session, run: ImportRun, *, retire_missing: bool = False, confirmed: bool = False) -> None:
    """Have a previewed import applied by a worker, in one transaction.

    Raises Conflict where it is not previewed (any more), ConfirmationRequired where labelled questions would lose
    their answers and nobody `confirmed` that.
    """
    session.refresh(run, with_for_update=True)
    if run.state != "previewed":
        raise Conflict(f"The import is {run.state}: only a previewed one can be applied.")
    recall = run.changes.get("recall_retiring" if retire_missing else "recall")
    if recall and recall["needs_confirmation"] and not confirmed:
        raise ConfirmationRequired(before=recall["before"], after=recall["after"], floor=recall["floor"])
    run.state, run.retire_missing, run.rows_done = "applying", retire_missing, 0
    run.rows_total = run.changes.get("rows")
    queue.defer_import(session, run.id)


def cancel(session: Session, run: ImportRun) -> None:
    """Give the import up; one that is being applied leaves nothing behind. Raises Conflict where it is over."""
    session.refresh(run, with_for_update=True)
    if run.state not in OPEN:
        raise Conflict(f"The import is {run.state} already.")
    run.state, run.finished_at = "cancelled", utcnow()
    queue.defer_import(session, run.id)  # which removes the upload


def ensure_recall(
    runtime: Runtime, session: Session, report: ImportReport, trial: Sequence[Change], *, retire_missing: bool
) -> None:
    """Let an import pass, of which `report` and `trial` are the preview, as `replay.ensure_recall` lets a change."""
    gone = _retirements(report) if retire_missing else []
    ensure_recall_of(runtime, session, [*trial, *gone], confirmed=False)


def document(report: ImportReport) -> dict[str, Any]:
    """Return a report as JSON: its numbers, and the first thousand rows of each sort."""
    whole = asdict(report) | {"rows": report.rows, "can_retire": report.can_retire}
    for name in ("rejected", "vanished"):
        whole[f"{name}_count"] = len(whole[name])
        whole[name] = whole[name][:SHOWN]
    return whole


def run(runtime: Runtime, import_id: int) -> None:
    """Preview or apply the import, in a worker; of one that is over, remove the upload."""
    with runtime.sessions() as session:
        found = session.get(ImportRun, import_id)
    if found is None:
        return
    path = folder(runtime.settings) / found.file
    if found.state not in WORKING:
        _tidy_file(runtime, import_id, path)
        return
    try:
        if not path.is_file():
            raise NotFound("The uploaded file is not on the worker's machine: let them share the data directory.")  # noqa: TRY301
        (_apply if found.state == "applying" else _preview)(runtime, found, path)
    except GivenUp:
        log.info("Import %d was cancelled.", import_id)
    except DBAPIError:
        raise  # the job is done again when the database is back
    except Exception as error:  # the worker's edge: whoever waits must be told
        log.exception("Import %d failed", import_id)
        _finish(runtime, import_id, failure=_sentence(error))
    _tidy_file(runtime, import_id, path)


def forget_expired(runtime: Runtime) -> None:
    """Give up previews that nobody decided on for a week, and remove uploads without an import."""
    with runtime.sessions.begin() as session:
        old = ImportRun.created_at < utcnow() - timedelta(days=KEPT_DAYS)
        expired = update(ImportRun).where(ImportRun.state == "previewed", old)
        session.execute(expired.values(state="cancelled", finished_at=utcnow()))
        needed = set(session.scalars(select(ImportRun.file).where(ImportRun.state.in_(OPEN))))
    for path in folder(runtime.settings).glob("*"):
        age = utcnow().timestamp() - path.stat().st_mtime
        if path.name not in needed and age > timedelta(days=1).total_seconds():
            path.unlink(missing_ok=True)


def _preview(runtime: Runtime, found: ImportRun, path: Path) -> None:
    _report_progress(runtime, found.id, "previewing", 0)
    with runtime.sessions() as session:
        judged = any(query.relevant for query in labelled.queries(session))
        trial: list[Change] | None = [] if judged else None
        report = importing.preview(
            session,
            _rows(found, path),
            source=found.source,
            kind=cast("Kind | None", found.kind),
            progress=lambda done: _report_progress(runtime, found.id, "previewing", done),
            trial=trial,
        )
        seen = document(report) | (_recall(runtime, session, report, trial) if trial is not None else {})
    with runtime.sessions.begin() as session:
        run = session.get_one(ImportRun, found.id, with_for_update=True)
        if run.state == "previewing":
            run.state, run.changes, run.rows_done, run.rows_total = "previewed", seen, report.rows, report.rows


def _apply(runtime: Runtime, found: ImportRun, path: Path) -> None:
    with runtime.sessions.begin() as session:
        report = importing.apply(
            session,
            _rows(found, path),
            source=found.source,
            author=found.author,
            kind=cast("Kind | None", found.kind),
            retire_missing=found.retire_missing,
            progress=lambda done: _report_progress(runtime, found.id, "applying", done),
        )
        run = session.get_one(ImportRun, found.id, with_for_update=True, populate_existing=True)
        if run.state != "applying":  # cancelled since the last batch: nothing of it stays
            raise GivenUp
        told = {name: value for name, value in document(report).items() if name != "changes"}
        run.state, run.finished_at, run.changes = "applied", utcnow(), run.changes | told
        run.rows_done = run.rows_total = report.rows
        queue.defer_index_knowledge(session)


def _rows(found: ImportRun, path: Path) -> Any:
    name = found.file.partition("-")[2]
    return read(path, kind=cast("Kind | None", found.kind), file_format=cast("Format | None", found.format), name=name)


def _recall(runtime: Runtime, session: Session, report: ImportReport, trial: Sequence[Change]) -> dict[str, Any]:
    """Return what the import would do to the labelled questions, without and with retiring what vanished."""
    questions, floor = labelled.queries(session), runtime.settings.recall_floor
    told: dict[str, Any] = {}
    for name, asked in (("recall", trial), ("recall_retiring", [*trial, *_retirements(report)])):
        recall = changes.recall_after(runtime.knowledge_base(), session, asked, questions, floor=floor)
        told[name] = asdict(recall) | {"needs_confirmation": recall.needs_confirmation}
    return told


def _retirements(report: ImportReport) -> list[Change]:
    return [Change(None, gone.id) for gone in report.vanished] if report.can_retire else []


def _report_progress(runtime: Runtime, import_id: int, state: str, done: int) -> None:
    """Say how far the work is, in a transaction of its own. Raises GivenUp where somebody cancelled it meanwhile."""
    with runtime.sessions.begin() as session:
        mine = update(ImportRun).where(ImportRun.id == import_id, ImportRun.state.in_(WORKING))
        moved = session.execute(mine.values(state=state, rows_done=done).returning(ImportRun.id)).first()
    if moved is None:
        raise GivenUp


def _finish(runtime: Runtime, import_id: int, *, failure: str) -> None:
    with runtime.sessions.begin() as session:
        mine = update(ImportRun).where(ImportRun.id == import_id, ImportRun.state.in_(OPEN))
        session.execute(mine.values(state="failed", failure=failure, finished_at=utcnow()))


def _tidy_file(runtime: Runtime, import_id: int, path: Path) -> None:
    with runtime.sessions() as session:
        left = session.get(ImportRun, import_id)
    if left is None or left.state not in OPEN:
        path.unlink(missing_ok=True)


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, NotFound) else f"The import failed ({type(error).__name__}): see the log."
