"""Files into the knowledge over HTTP, and out again: in one request, or as an import that a worker previews first."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, BinaryIO, cast

from fastapi import APIRouter, Body, Depends, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from api.dependencies import Caller, RuntimeDep, SessionDep, caller_with
from api.knowledge_schemas import ApplyIn, ImportOut, ImportRunOut, ImportRuns
from api.schemas import Limit, OptionalName
from assistant import import_jobs, queue
from knowledge import importing
from knowledge.changes import Change
from knowledge.entries import Kind
from knowledge.exporting import ExportFormat, write_stream
from knowledge.importers.detection import Format
from knowledge.importers.reading import read_file

router = APIRouter(prefix="/api/v1/knowledge", tags=["knowledge"])
Reader = Annotated[Caller, Depends(caller_with("knowledge:read"))]
Writer = Annotated[Caller, Depends(caller_with("knowledge:write"))]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Name = Annotated[OptionalName, Query(description="The file's name, of which ids are made where the file has none")]
Source = Annotated[
    OptionalName, Query(description="Where the entries come from: the next import of it can tell which vanished")
]
_BODY = {"requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string"}}}, "required": True}}
_IN_MEMORY = 1024 * 1024
_CHUNK = 1 << 16
_MEDIA: dict[ExportFormat, tuple[str, str]] = {
    "jsonl": ("application/jsonl", "knowledge.jsonl"),
    "csv": ("text/csv; charset=utf-8", "knowledge.csv"),
    "markdown": ("application/zip", "knowledge.zip"),
}


async def _upload(request: Request, session: SessionDep, caller: Writer) -> AsyncIterator[BinaryIO]:
    """Put the body into a file, after it is known who sends it and with no transaction open: it may take minutes."""
    await run_in_threadpool(session.commit)
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        async for chunk in request.stream():
            file.write(chunk)
        file.seek(0)
        yield cast("BinaryIO", file)


Uploaded = Annotated[BinaryIO, Depends(_upload, scope="function")]


@router.post("/import", response_model=ImportOut, include_in_schema=False)
@router.post("/entries/import", response_model=ImportOut, openapi_extra=_BODY)
def import_now(
    runtime: RuntimeDep,
    session: SessionDep,
    caller: Writer,
    upload: Uploaded,
    kind: Kind | None = None,
    file_format: Annotated[Format | None, Query(alias="format")] = None,
    name: Name = "upload",
    source: Source | None = None,
    retire_missing: bool = False,
    dry_run: bool = False,
    confirm: bool = False,
) -> Any:
    """Import a file of any known format, at most 32 MiB: good rows go in, bad ones are reported with why.

    The same rows again change nothing. What was imported is searchable when the index job has run, in seconds.
    `dry_run` tells what would change and changes nothing. `retire_missing` takes out what vanished from `source`.
    409 where labelled questions would lose their answers, unless `confirm`.
    """
    given: dict[str, Any] = {"source": source, "kind": kind}
    trial: list[Change] = []
    report = None
    if dry_run or not confirm:
        rows = read_file(upload, name or "upload", kind=kind, file_format=file_format)
        report = importing.preview(session, rows, trial=trial, **given)
    if report is None or not dry_run:
        if report is not None:
            import_jobs.ensure_recall(runtime, session, report, trial, retire_missing=retire_missing)
        upload.seek(0)
        rows = read_file(upload, name or "upload", kind=kind, file_format=file_format)
        report = importing.apply(session, rows, author=caller.name, retire_missing=retire_missing, **given)
        queue.defer_index_knowledge(session)
    return import_jobs.document(report)


@router.post("/imports", status_code=202, response_model=ImportRunOut, openapi_extra=_BODY)
def upload_file(
    runtime: RuntimeDep,
    session: SessionDep,
    caller: Writer,
    upload: Uploaded,
    name: Name,
    kind: Kind | None = None,
    file_format: Annotated[Format | None, Query(alias="format")] = None,
    source: Source | None = None,
) -> Any:
    """Upload a file of at most 32 MiB, which a worker previews: fetch the import until its state is `previewed`."""
    kept = import_jobs.keep(runtime.settings, upload, name)
    return import_jobs.start(session, kept, author=caller.name, source=source, kind=kind, file_format=file_format)


@router.get("/imports", response_model=ImportRuns)
def list_imports(
    session: SessionDep,
    caller: Reader,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    limit: Limit = 50,
) -> Any:
    """List imports, newest first; `before` is the `next` of the page before."""
    found = import_jobs.page(session, before=before, limit=limit + 1)
    return {"imports": found[:limit], "next": found[limit - 1].id if len(found) > limit else None}


@router.get("/imports/{number}", response_model=ImportRunOut)
def show_import(session: SessionDep, caller: Reader, number: Number) -> Any:
    """Return an import: how far it is, and what its preview found or its application did."""
    return import_jobs.get(session, number)


@router.post("/imports/{number}/apply", status_code=202, response_model=ImportRunOut)
def apply_import(
    session: SessionDep, caller: Writer, number: Number, wanted: Annotated[ApplyIn | None, Body()] = None
) -> Any:
    """Have a previewed import applied, all of it or nothing.

    409 where it is not previewed, or where labelled questions would lose their answers, unless `confirm`.
    """
    run, wanted = import_jobs.get(session, number), wanted or ApplyIn()
    import_jobs.request_apply(session, run, retire_missing=wanted.retire_missing, confirmed=wanted.confirm)
    return run


@router.post("/imports/{number}/cancel", response_model=ImportRunOut)
def cancel_import(session: SessionDep, caller: Writer, number: Number) -> Any:
    """Give an import up that is not applied yet; nothing of it stays."""
    run = import_jobs.get(session, number)
    import_jobs.cancel(session, run)
    return run


@router.get("/export", response_class=StreamingResponse)
def export(
    session: SessionDep,
    caller: Reader,
    file_format: Annotated[ExportFormat, Query(alias="format")] = "jsonl",
    kind: Kind | None = None,
) -> StreamingResponse:
    """Return every live entry as a file that can be imported; `markdown` is an archive of the FAQ, a file per entry."""
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 (closed when it has been sent)
    write_stream(session, cast("BinaryIO", file), file_format, kind)
    media, name = _MEDIA[file_format]
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(_chunks(cast("BinaryIO", file)), media_type=media, headers=headers)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while chunk := file.read(_CHUNK):
            yield chunk
