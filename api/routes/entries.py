"""The knowledge over HTTP: read, write and search what the company may say."""

import tempfile
from collections.abc import AsyncIterator
from typing import Annotated, Any, BinaryIO, cast

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from api.dependencies import Caller, RuntimeDep, SessionDep, caller_with
from api.schemas import (
    EntryChange,
    EntryId,
    EntryIn,
    EntryOut,
    EntryPage,
    ImportOut,
    Limit,
    RejectedRow,
    Search,
    SearchIn,
    SearchOut,
)
from assistant import queue
from assistant.errors import Conflict, Invalid, NotFound
from knowledge import entries
from knowledge.entries import EntryContent, Kind, StaleRevision
from knowledge.importers import jsonl
from knowledge.importing import import_rows
from knowledge.tables import Entry
from models import Language

router = APIRouter(prefix="/api/v1/knowledge", tags=["knowledge"])
Reader = Annotated[Caller, Depends(caller_with("knowledge:read"))]
Writer = Annotated[Caller, Depends(caller_with("knowledge:write"))]
_IN_MEMORY = 1024 * 1024


@router.get("/entries", response_model=EntryPage)
def list_entries(
    session: SessionDep,
    caller: Reader,
    q: Search | None = None,
    kind: Kind | None = None,
    language: Language | None = None,
    retired: bool | None = False,
    after: int | None = None,
    limit: Limit = 50,
) -> Any:
    """List entries in the order in which they came; `after` is the `next` of the page before."""
    found = entries.page(session, after=after, limit=limit + 1, q=q, kind=kind, language=language, retired=retired)
    return {"entries": found[:limit], "next": found[limit - 1].id if len(found) > limit else None}


@router.post("/entries", status_code=201, response_model=EntryOut)
def add_entry(session: SessionDep, caller: Writer, new: EntryIn, response: Response) -> Any:
    """Add an entry; 409 where its id is taken (PATCH changes an entry)."""
    if entries.put(session, new, author=caller.name) != "added":
        raise Conflict(f"There is a {new.kind} entry with the id {new.external_id!r} already: change it with PATCH.")
    queue.defer_index_knowledge(session)
    entry = entries.find(session, new.kind, new.external_id)
    if entry is not None:
        response.headers["Location"] = f"{router.prefix}/entries/{entry.id}"
    return entry


@router.get("/entries/{entry_id}", response_model=EntryOut)
def show_entry(session: SessionDep, caller: Reader, entry_id: EntryId) -> Any:
    """Return an entry, also a retired one."""
    return _entry(session, entry_id)


@router.patch("/entries/{entry_id}", response_model=EntryOut)
def change_entry(session: SessionDep, caller: Writer, entry_id: EntryId, change: EntryChange) -> Any:
    """Change the fields that are given; the revision before is kept. `retired: false` brings an entry back."""
    entry = _entry(session, entry_id)
    fields = change.model_dump(exclude_unset=True)
    retired, revision = fields.pop("retired", None), fields.pop("revision", None)
    try:
        content = EntryContent.model_validate(entries.content_of(entry).model_dump() | fields)
        entries.revise(session, entry, content, author=caller.name, expected_revision=revision)
    except ValidationError as error:
        first = error.errors()[0]
        raise Invalid(".".join(str(part) for part in first["loc"]), first["msg"]) from None
    except StaleRevision as error:
        raise Conflict(str(error)) from None
    if retired is not None:
        (entries.retire if retired else entries.restore)(session, entry, author=caller.name)
    queue.defer_index_knowledge(session)
    return entry


@router.delete("/entries/{entry_id}", status_code=204)
def retire_entry(session: SessionDep, caller: Writer, entry_id: EntryId) -> None:
    """Take an entry out of search at once; its text and history stay, and PATCH brings it back."""
    entries.retire(session, _entry(session, entry_id), author=caller.name)
    queue.defer_index_knowledge(session)


async def _upload(request: Request, session: SessionDep, caller: Writer) -> AsyncIterator[BinaryIO]:
    """Put the body into a file, after it is known who sends it and with no transaction open: it may take minutes."""
    await run_in_threadpool(session.commit)
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        async for chunk in request.stream():
            file.write(chunk)
        file.seek(0)
        yield cast("BinaryIO", file)


@router.post("/import", response_model=ImportOut, include_in_schema=False)
@router.post(
    "/entries/import",
    response_model=ImportOut,
    openapi_extra={"requestBody": {"content": {"application/jsonl": {"schema": {"type": "string"}}}, "required": True}},
)
def import_entries(
    session: SessionDep,
    caller: Writer,
    upload: Annotated[BinaryIO, Depends(_upload, scope="function")],
    kind: Kind | None = None,
) -> Any:
    """Import JSON Lines (or gzipped ones), at most 32 MiB: good lines go in, bad ones are reported with why.

    The same lines again change nothing. What was imported is searchable when the index job has run, in seconds.
    """
    report = import_rows(session, jsonl.read(upload, kind), author=caller.name, name="upload")
    queue.defer_index_knowledge(session)
    return ImportOut(
        added=report.added,
        changed=report.changed,
        unchanged=report.unchanged,
        rejected=[RejectedRow(line=row.line, reason=row.reason) for row in report.rejected[:1000]],
    )


@router.post("/entries/search", response_model=SearchOut)
@router.post("/search", response_model=SearchOut, include_in_schema=False)
def search(runtime: RuntimeDep, caller: Reader, asked: SearchIn) -> Any:
    """Search the knowledge as the assistant does, and say whether anything in it answers the question."""
    return runtime.knowledge_base().search(asked.question, k=asked.k, language=asked.language)


def _entry(session: SessionDep, entry_id: int) -> Entry:
    entry = entries.get(session, entry_id)
    if entry is None:
        raise NotFound(f"There is no entry {entry_id}.")
    return entry
