"""What maintainers do to one entry: write, edit, retire, bring back. First they see what it changes, then they publish.

Nothing that was typed is lost: a refusal shows the form as it was, and where somebody else was first, both texts. What
is allowed is decided in `knowledge`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from api.dependencies import RuntimeDep, SessionDep
from api.web.knowledge_access import KNOWLEDGE, EntryId, Maintainer, address, entry_of, knowledge_page
from api.web.knowledge_forms import EntryForm, Problem, as_typed, new_id, read
from api.web.pages import redirect
from assistant import queue, replay
from assistant.errors import ConfirmationRequired
from assistant.runtime import Runtime
from assistant.tables import Agent
from knowledge import entries, revisions
from knowledge.changes import Change, ChangePreview
from knowledge.entries import EntryContent
from knowledge.revisions import FieldChange
from knowledge.tables import Entry, Revision

router = APIRouter(prefix=KNOWLEDGE, include_in_schema=False)

Step = Literal["form", "preview", "publish"]
Deed = Literal["retire", "restore"]


class Sent(EntryForm):
    """The form as it was sent: what was typed, the button that was pressed, and what the page had shown before.

    `revision` is what the entry was at when it was read, `previewed` the hash of the content whose effects were shown.
    """

    step: Step = "preview"
    revision: int = 0
    previewed: str = ""
    confirmed: str = ""

    @property
    def typed(self) -> EntryForm:
        """What stands in the fields of the entry."""
        return EntryForm(**{name: getattr(self, name) for name in EntryForm.model_fields})


@dataclass(frozen=True)
class Difference:
    """A field that says one thing in the published entry and another in the form."""

    name: str
    theirs: str
    yours: str


@dataclass(frozen=True)
class Meanwhile:
    """Somebody published another text while the form was open."""

    who: str
    when: datetime
    fields: list[Difference]


@dataclass(frozen=True)
class Draft:
    """The form of an entry as a page shows it; `entry` is None for a new one."""

    form: EntryForm
    entry: Entry | None = None
    problems: tuple[Problem, ...] = ()
    conflict: Meanwhile | None = None
    fresh: bool = False
    """Nothing was typed into it yet: what a browser kept from an earlier visit may be put back."""


@router.get("/new")
def write_new(request: Request, agent: Maintainer, question: Annotated[str, Query(max_length=2_000)] = "") -> Response:
    """Show an empty form, or one that begins with a customer's question."""
    return _form(request, agent, Draft(EntryForm(question=question), fresh=not question))


@router.post("/new")
def add(
    request: Request, session: SessionDep, runtime: RuntimeDep, agent: Maintainer, sent: Annotated[Sent, Form()]
) -> Response:
    """Show what the new entry would change, or publish it; with the step `form`, offer a proposal for editing."""
    form = sent.typed
    if sent.step == "form":
        return _form(request, agent, Draft(form))
    named = form.model_copy(update={"external_id": form.external_id.strip() or new_id(form.question)})
    content = read(named)
    if isinstance(content, EntryContent) and entries.find(session, content.kind, content.external_id) is not None:
        content = (Problem("external_id", "taken"),)
    problems = content if isinstance(content, tuple) else _unknown(session, content)
    if problems or isinstance(content, tuple):
        return _form(request, agent, Draft(form, problems=problems), status=422)
    planned = Change(content)
    if _to_be_shown(runtime, session, sent, planned):
        return _form(request, agent, Draft(named), preview=content, effect=replay.preview(runtime, session, [planned]))
    entries.put(session, content, author=agent.name)
    queue.defer_index_knowledge(session)
    entry = entries.find(session, content.kind, content.external_id)
    return redirect(f"{KNOWLEDGE if entry is None else address(entry)}?done=added")


@router.get("/entries/{entry_id}/edit")
def edit(
    request: Request, session: SessionDep, agent: Maintainer, entry_id: EntryId, revision: int | None = None
) -> Response:
    """Show the form of an entry, filled in with what it says, or with what it said at an earlier `revision`."""
    entry = entry_of(session, entry_id)
    earlier = None if revision is None else _said(session, entry, revision)
    content = entries.content_of(entry) if earlier is None else earlier
    return _form(request, agent, Draft(as_typed(content), entry, fresh=earlier is None))


@router.post("/entries/{entry_id}/edit")
def change(
    request: Request,
    session: SessionDep,
    runtime: RuntimeDep,
    agent: Maintainer,
    entry_id: EntryId,
    sent: Annotated[Sent, Form()],
) -> Response:
    """Show what the edited entry would change, or publish it."""
    entry = entry_of(session, entry_id)
    session.refresh(entry, with_for_update=True)
    if sent.revision != entry.revision:
        return _form(request, agent, _merged(session, entry, sent), status=409)
    before = entries.content_of(entry)
    content = read(sent.typed.model_copy(update={"kind": entry.kind, "external_id": entry.external_id}), before)
    problems = content if isinstance(content, tuple) else _unknown(session, content, before)
    if problems or isinstance(content, tuple):
        return _form(request, agent, Draft(sent.typed, entry, problems), status=422)
    planned = Change(content, entry.id)
    if _to_be_shown(runtime, session, sent, planned):
        effect = replay.preview(runtime, session, [planned])
        return _form(request, agent, Draft(sent.typed, entry), preview=content, effect=effect)
    changed = entries.revise(session, entry, content, author=agent.name, expected_revision=sent.revision)
    queue.defer_index_knowledge(session)
    return redirect(f"{address(entry)}?done={'published' if changed else 'nothing'}")


@router.get("/entries/{entry_id}/{deed}")
def ask_first(
    request: Request, session: SessionDep, runtime: RuntimeDep, agent: Maintainer, entry_id: EntryId, deed: Deed
) -> Response:
    """Show what retiring an entry, or bringing it back, would change, and ask whether to."""
    entry = entry_of(session, entry_id)
    effect = replay.preview(runtime, session, [_planned(entry, deed)])
    return knowledge_page(
        request, "confirm.html", agent=agent, section="entries", entry=entry, deed=deed, effect=effect
    )


@router.post("/entries/{entry_id}/{deed}")
def retire_or_restore(
    session: SessionDep,
    runtime: RuntimeDep,
    agent: Maintainer,
    entry_id: EntryId,
    deed: Deed,
    confirmed: Annotated[str, Form()] = "",
) -> Response:
    """Take an entry out of search (its text and history stay), or bring it back."""
    entry = entry_of(session, entry_id)
    try:
        replay.ensure_recall(runtime, session, [_planned(entry, deed)], confirmed=bool(confirmed))
    except ConfirmationRequired:
        return redirect(f"{address(entry)}/{deed}")
    (entries.retire if deed == "retire" else entries.restore)(session, entry, author=agent.name)
    queue.defer_index_knowledge(session)
    return redirect(f"{address(entry)}?done={deed}d")


def _planned(entry: Entry, deed: Deed) -> Change:
    return Change(None if deed == "retire" else entries.content_of(entry), entry.id)


def _to_be_shown(runtime: Runtime, session: Session, sent: Sent, planned: Change) -> bool:
    """Tell whether the maintainer has yet to see what the change does, or to confirm that it makes the search worse."""
    if planned.content is None or sent.step != "publish" or sent.previewed != planned.content.content_hash:
        return True
    try:
        replay.ensure_recall(runtime, session, [planned], confirmed=bool(sent.confirmed))
    except ConfirmationRequired:
        return True
    return False


def _form(
    request: Request,
    agent: Agent,
    draft: Draft,
    *,
    status: int = 200,
    preview: EntryContent | None = None,
    effect: ChangePreview | None = None,
) -> Response:
    """Draw the form; with `preview`, beside it what this content would change and the `effect` of that."""
    entry = draft.entry
    before = None if entry is None else entries.content_of(entry)
    return knowledge_page(
        request,
        "form.html",
        agent=agent,
        section="entries",
        status=status,
        action=f"{KNOWLEDGE}/new" if entry is None else f"{address(entry)}/edit",
        entry=entry,
        form=draft.form,
        problems={problem.field: problem for problem in draft.problems},
        conflict=draft.conflict,
        fresh=draft.fresh,
        preview=preview,
        effect=effect,
        changes=[] if preview is None else _shown_changes(before, preview),
        here=None if request.method == "GET" else KNOWLEDGE if entry is None else address(entry),
    )


def _shown_changes(before: EntryContent | None, after: EntryContent) -> list[FieldChange]:
    """Return what an edit changes; of a new entry nothing, for it stands in the form."""
    return [] if before is None else revisions.diff(before, after)


def _merged(session: Session, entry: Entry, sent: Sent) -> Draft:
    """Return the form with what both changed: what only the other one touched is taken from the published entry."""
    now = as_typed(entries.content_of(entry))
    read_then = _said(session, entry, sent.revision)
    then = now if read_then is None else as_typed(read_then)
    typed = sent.typed.model_copy(update={"kind": entry.kind, "external_id": entry.external_id})
    mine = {name: getattr(typed, name).replace("\r\n", "\n") for name in EntryForm.model_fields}
    merged = {name: getattr(now, name) if text == getattr(then, name) else text for name, text in mine.items()}
    fields = [Difference(name, getattr(now, name), text) for name, text in merged.items() if text != getattr(now, name)]
    newest = revisions.history(session, entry)[0]
    return Draft(EntryForm(**merged), entry, conflict=Meanwhile(newest.author, newest.created_at, fields))


def _said(session: Session, entry: Entry, number: int) -> EntryContent | None:
    """Return what the entry said at a revision, or None where there is no such."""
    found: Revision | None = next((one for one in revisions.history(session, entry) if one.number == number), None)
    return None if found is None else revisions.content_at(found)


def _unknown(session: Session, content: EntryContent, before: EntryContent | None = None) -> tuple[Problem, ...]:
    """Return a problem where the entry newly replaces one that there is not: most likely a slip of the pen."""
    known = before.supersedes if before is not None else []
    new = [name for name in content.supersedes if name not in known]
    missing = [name for name in new if entries.find(session, content.kind, name) is None]
    return (Problem("supersedes", "unknown", detail=", ".join(missing)),) if missing else ()
