"""The knowledge over HTTP: read, write and search what the company may say."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import ValidationError

from api.dependencies import Caller, RuntimeDep, SessionDep, caller_with
from api.knowledge_documents import revision_documents
from api.knowledge_schemas import EntryDetail, EntryQuery, PreviewIn, PreviewOut, RestoreIn, ReviewedIn, RevisionsOut
from api.schemas import (
    EntryChange,
    EntryId,
    EntryIn,
    EntryOut,
    EntryPage,
    SearchIn,
    SearchOut,
)
from assistant import queue, replay
from assistant.errors import Conflict, Invalid, NotFound
from assistant.usage import usage
from knowledge import entries, revisions, upkeep
from knowledge.changes import Change
from knowledge.entries import EntryContent, StaleRevision
from knowledge.revisions import NoSuchRevision
from knowledge.tables import Entry

router = APIRouter(prefix="/api/v1/knowledge", tags=["knowledge"])
Reader = Annotated[Caller, Depends(caller_with("knowledge:read"))]
Writer = Annotated[Caller, Depends(caller_with("knowledge:write"))]


@router.get("/entries", response_model=EntryPage)
def list_entries(
    session: SessionDep,
    caller: Reader,
    wanted: Annotated[EntryQuery, Query()],
) -> Any:
    """List entries in the order in which they came; `after` is the `next` of the page before."""
    limit = wanted.limit
    found = entries.page(session, after=wanted.after, limit=limit + 1, **wanted.conditions)
    return {"entries": found[:limit], "next": found[limit - 1].id if len(found) > limit else None}


@router.post("/entries", status_code=201, response_model=EntryOut)
def add_entry(runtime: RuntimeDep, session: SessionDep, caller: Writer, new: EntryIn, response: Response) -> Any:
    """Add an entry; 409 where its id is taken (PATCH changes an entry), or where `confirm` is needed."""
    content = new.content
    if entries.find(session, content.kind, content.external_id) is None:
        replay.ensure_recall(runtime, session, [Change(content)], confirmed=new.confirm)
    if entries.put(session, content, author=caller.name) != "added":
        raise Conflict(f"There is a {new.kind} entry with the id {new.external_id!r} already: change it with PATCH.")
    queue.defer_index_knowledge(session)
    entry = entries.find(session, content.kind, content.external_id)
    if entry is not None:
        response.headers["Location"] = f"{router.prefix}/entries/{entry.id}"
    return entry


@router.post("/entries/preview", response_model=PreviewOut)
def preview(runtime: RuntimeDep, session: SessionDep, caller: Reader, asked: PreviewIn) -> Any:
    """Tell what a change would do, before it is made: customers' newest questions and the labelled ones are asked with
    and without it, and those whose answer changes are listed. Nothing is written."""
    return replay.preview(runtime, session, [_proposed(session, asked)])


@router.get("/entries/{entry_id}", response_model=EntryDetail)
def show_entry(session: SessionDep, caller: Reader, entry_id: EntryId) -> Any:
    """Return an entry, also a retired one, and how it does in agents' hands."""
    entry = entry_of(session, entry_id)
    wire = EntryOut.model_validate(entry).model_dump()
    return wire | {"usage": usage(session, [entry.id])[entry.id]}


@router.patch("/entries/{entry_id}", response_model=EntryOut)
def change_entry(
    runtime: RuntimeDep, session: SessionDep, caller: Writer, entry_id: EntryId, change: EntryChange
) -> Any:
    """Change the fields that are given; the revision before is kept. `retired: false` brings an entry back.

    409 where somebody else was first (`current` is what they made of it), or where `confirm` is needed.
    """
    entry = entry_of(session, entry_id)
    content = _changed(entry, change)
    with conflicts(entry):
        entries.expect(session, entry, change.revision)
        trial = None if change.retired else content
        if trial is not None or entry.retired_at is None:
            replay.ensure_recall(runtime, session, [Change(trial, entry.id)], confirmed=change.confirm)
        entries.revise(session, entry, content, author=caller.name, expected_revision=change.revision)
    if change.retired is not None:
        (entries.retire if change.retired else entries.restore)(session, entry, author=caller.name)
    queue.defer_index_knowledge(session)
    return entry


@router.delete("/entries/{entry_id}", status_code=204)
def retire_entry(
    runtime: RuntimeDep, session: SessionDep, caller: Writer, entry_id: EntryId, confirm: bool = False
) -> None:
    """Take an entry out of search at once; its text and history stay, and PATCH brings it back."""
    entry = entry_of(session, entry_id)
    if entry.retired_at is None:
        replay.ensure_recall(runtime, session, [Change(None, entry.id)], confirmed=confirm)
    entries.retire(session, entry, author=caller.name)
    queue.defer_index_knowledge(session)


@router.get("/entries/{entry_id}/revisions", response_model=RevisionsOut)
def list_revisions(session: SessionDep, caller: Reader, entry_id: EntryId) -> Any:
    """List all that an entry said, newest first, each with what it changed and who did."""
    return {"revisions": revision_documents(session, entry_of(session, entry_id))}


@router.post("/entries/{entry_id}/restore", response_model=EntryOut)
def restore_entry(runtime: RuntimeDep, session: SessionDep, caller: Writer, entry_id: EntryId, asked: RestoreIn) -> Any:
    """Let an entry say again what it said at a revision; without one, bring a retired entry back."""
    entry = entry_of(session, entry_id)
    number = asked.revision or entry.revision
    try:
        with conflicts(entry):
            entries.expect(session, entry, asked.expected_revision)
            content = revisions.content_of_revision(session, entry, number)
            replay.ensure_recall(runtime, session, [Change(content, entry.id)], confirmed=asked.confirm)
            revisions.restore_revision(
                session, entry, number, author=caller.name, expected_revision=asked.expected_revision
            )
    except NoSuchRevision as error:
        raise NotFound(str(error)) from None
    queue.defer_index_knowledge(session)
    return entry


@router.post("/entries/{entry_id}/reviewed", response_model=EntryOut)
def review_entry(runtime: RuntimeDep, session: SessionDep, caller: Writer, entry_id: EntryId, asked: ReviewedIn) -> Any:
    """Put on record that somebody read the entry and it is right, and when it is to be reviewed next."""
    entry = entry_of(session, entry_id)
    next_on = asked.next_on or upkeep.next_review(runtime.settings.review_after_days)
    try:
        with conflicts(entry):
            upkeep.reviewed(
                session, entry, author=caller.name, next_on=next_on, expected_revision=asked.expected_revision
            )
    except upkeep.RetiredEntry as error:
        raise Conflict(str(error)) from None
    queue.defer_index_knowledge(session)
    return entry


@router.post("/entries/search", response_model=SearchOut)
@router.post("/search", response_model=SearchOut, include_in_schema=False)
def search(runtime: RuntimeDep, caller: Reader, asked: SearchIn) -> Any:
    """Search the knowledge as the assistant does, and say whether anything in it answers the question."""
    return runtime.knowledge_base().search(asked.question, k=asked.k, language=asked.language)


def entry_of(session: SessionDep, entry_id: int) -> Entry:
    """Return the entry, retired or not; raises NotFound."""
    entry = entries.get(session, entry_id)
    if entry is None:
        raise NotFound(f"There is no entry {entry_id}.")
    return entry


@contextmanager
def conflicts(entry: Entry) -> Iterator[None]:
    """Turn a change that somebody else was first with into a Conflict that shows what they made of the entry."""
    try:
        yield
    except StaleRevision as error:
        current = EntryOut.model_validate(entry).model_dump(mode="json")
        raise Conflict(str(error), details={"current": current}) from None


def _changed(entry: Entry, change: EntryChange) -> EntryContent:
    """Return what the entry says after the change; raises Invalid."""
    fields = change.model_dump(exclude_unset=True, exclude={"retired", "revision", "confirm"})
    try:
        return EntryContent.model_validate(entries.content_of(entry).model_dump() | fields)
    except ValidationError as error:
        raise _invalid(error) from None


def _proposed(session: SessionDep, asked: PreviewIn) -> Change:
    try:
        if asked.entry_id is None:
            return Change(EntryIn.model_validate(asked.change).content)
        entry = entry_of(session, asked.entry_id)
        change = EntryChange.model_validate(asked.change)
    except ValidationError as error:
        raise _invalid(error) from None
    return Change(None if change.retired else _changed(entry, change), entry.id)


def _invalid(error: ValidationError) -> Invalid:
    first = error.errors()[0]
    return Invalid(".".join(str(part) for part in first["loc"]), first["msg"].removeprefix("Value error, "))
