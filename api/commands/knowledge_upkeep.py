"""`aspa knowledge history`, `restore`, `edit`, `due`, `findings` …: keeping the knowledge right, judging changes."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from api.commands import output
from api.commands.knowledge import KindOption, Reference, Yes, author, document, find, index, short
from api.commands.knowledge import app as knowledge
from api.commands.opening import opened
from api.commands.output import AsJson

if TYPE_CHECKING:
    from knowledge.changes import ChangePreview
    from knowledge.entries import EntryContent
    from knowledge.tables import Entry

_LISTS = ("tags", "alternatives", "supersedes")
_SHOWN = 50


@knowledge.command()
def history(reference: Reference, kind: KindOption = None, as_json: AsJson = False) -> None:
    """Show all that an entry said, who changed it, and what."""
    from api.knowledge_documents import revision_documents

    with opened() as runtime, runtime.sessions() as session:
        found = revision_documents(session, find(session, reference, kind))
    if as_json:
        output.document([revision.model_dump(mode="json") for revision in found])
        return
    for revision in found:
        state = ", retired" if revision.retired else ""
        output.say(f"Revision {revision.number}, {revision.created_at:%Y-%m-%d %H:%M} UTC, {revision.author}{state}")
        for change in revision.changes:
            told = _words(change.words) if change.words else f"{change.before!r} → {change.after!r}"
            output.say(f"  {change.field}: {told}")


@knowledge.command()
def restore(
    reference: Reference,
    number: Annotated[int | None, typer.Option("--revision", min=1, help="What it is to say again.")] = None,
    kind: KindOption = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Bring a retired entry back, or let an entry say again what it said at a revision."""
    from assistant import replay
    from assistant.errors import NotFound
    from knowledge import revisions
    from knowledge.changes import Change

    with opened() as runtime:
        with runtime.sessions.begin() as session:
            entry = find(session, reference, kind)
            wanted = number or entry.revision
            try:
                content = revisions.content_of_revision(session, entry, wanted)
            except revisions.NoSuchRevision as error:
                raise NotFound(str(error)) from None
            replay.ensure_recall(runtime, session, [Change(content, entry.id)], confirmed=yes)
            changed = revisions.restore_revision(session, entry, wanted, author=author())
        index(runtime)
        found = document(entry)
    if as_json:
        output.document(found)
    else:
        output.say(f"{entry.external_id} says what it said at revision {wanted}." if changed else "Nothing to restore.")


@knowledge.command()
def edit(
    reference: Reference,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A JSON document of fields; - for standard input.")
    ] = None,
    fields: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Repeat it for more fields or items.")
    ] = None,
    kind: KindOption = None,
    preview: Annotated[bool, typer.Option("--preview", help="Only show which answers would change.")] = False,
    revision: Annotated[int | None, typer.Option("--revision", help="Refuse where it is at another one.")] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Change fields of an entry.

    An empty value clears a field; a list such as tags takes one --set for each item, or a JSON list.
    """
    from assistant import replay
    from assistant.errors import Conflict
    from knowledge import entries
    from knowledge.changes import Change
    from knowledge.entries import StaleRevision

    change = _given(file) | _set(fields or [])
    if not change:
        raise typer.BadParameter("nothing to change: give --set FIELD=VALUE or a JSON document.")
    with opened() as runtime:
        with runtime.sessions.begin() as session:
            entry = find(session, reference, kind)
            content = _content(entry, change)
            asked = [Change(content, entry.id)]
            if preview:
                with output.progress("Asking"):
                    shown = replay.preview(runtime, session, asked)
                _show_preview(shown, as_json=as_json)
                return
            replay.ensure_recall(runtime, session, asked, confirmed=yes)
            try:
                changed = entries.revise(session, entry, content, author=author(), expected_revision=revision)
            except StaleRevision as error:
                raise Conflict(str(error)) from None
        if changed:
            index(runtime)
        found = document(entry)
    if as_json:
        output.document(found)
    else:
        output.say(f"{entry.external_id} is at revision {entry.revision}." if changed else "It says that already.")


@knowledge.command()
def reviewed(
    reference: Reference,
    next_on: Annotated[
        str | None, typer.Option("--next", metavar="DAY", help="The next review, as 2027-01-31.")
    ] = None,
    kind: KindOption = None,
    as_json: AsJson = False,
) -> None:
    """Put on record that you read an entry and it is right."""
    from datetime import date

    from assistant.errors import Conflict
    from knowledge import upkeep

    try:
        day = date.fromisoformat(next_on) if next_on else None
    except ValueError:
        raise typer.BadParameter("--next must be a day such as 2027-01-31.") from None
    with opened() as runtime:
        with runtime.sessions.begin() as session:
            entry = find(session, reference, kind)
            day = day or upkeep.next_review(runtime.settings.review_after_days)
            try:
                upkeep.reviewed(session, entry, author=author(), next_on=day)
            except upkeep.RetiredEntry as error:
                raise Conflict(str(error)) from None
        index(runtime)
        found = document(entry)
    if as_json:
        output.document(found)
    else:
        output.say(f"{entry.external_id} is reviewed; next: {day or 'never'}.")


@knowledge.command()
def due(
    owner: Annotated[str | None, typer.Option("--owner", help="Of one owner.")] = None,
    ending: Annotated[bool, typer.Option("--ending", help="Those that end within 30 days instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """List entries whose review date has come, or that nobody has looked at for long."""
    from knowledge import upkeep

    with opened() as runtime, runtime.sessions() as session:
        after_days = runtime.settings.review_after_days
        found = upkeep.ending(session) if ending else upkeep.due(session, owner=owner, after_days=after_days)
    if as_json:
        output.document([document(entry) for entry in found])
        return
    rows = [(e.external_id, e.owner, e.valid_until if ending else e.review_on, short(e.question)) for e in found]
    columns = ("id", "owner", "until" if ending else "review", "question")
    output.table(columns, rows, empty="Nothing ends soon." if ending else "Nothing is due for review.")


@knowledge.command()
def findings(
    kind: Annotated[Literal["duplicate", "contradiction"] | None, typer.Option("--kind", help="Of one kind.")] = None,
    dismissed: Annotated[bool, typer.Option("--dismissed", help="Those that were put aside instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """List pairs of entries of which one repeats or contradicts the other."""
    from api.knowledge_documents import finding_document
    from knowledge import upkeep

    with opened() as runtime, runtime.sessions() as session:
        found = upkeep.findings(session, kind=kind, dismissed=dismissed)
    if as_json:
        output.document([finding_document(pair).model_dump(mode="json") for pair in found])
        return
    rows = [
        (
            pair.finding.id,
            pair.finding.kind,
            f"{pair.entry.external_id}\n{pair.other.external_id}",
            "\n".join(f"{each['entry']} / {each['other']}" for each in pair.finding.differences),
        )
        for pair in found
    ]
    output.table(
        ("number", "kind", "entries", "differ in"), rows, empty="No two entries repeat or contradict each other."
    )


@knowledge.command()
def dismiss(number: Annotated[int, typer.Argument(metavar="NUMBER", min=1)], as_json: AsJson = False) -> None:
    """Put a finding aside; it comes back when one of the two texts changes."""
    from api.knowledge_documents import finding_document
    from assistant import queue
    from assistant.errors import NotFound
    from knowledge import upkeep

    with opened() as runtime, runtime.sessions.begin() as session:
        pair = upkeep.get_finding(session, number)
        if pair is None:
            raise NotFound(f"There is no finding {number}: aspa knowledge findings shows which there are.")
        upkeep.dismiss(session, pair.finding, author=author())
        queue.defer_findings(session)  # frees a past reply that was demoted for it
        found = finding_document(pair).model_dump(mode="json")
    if as_json:
        output.document(found)
    else:
        output.say(f"{pair.entry.external_id} and {pair.other.external_id} are put aside.")


def _given(file: Path | None) -> dict[str, Any]:
    """Read the fields to change from a JSON document."""
    if file is None:
        return {}
    import sys

    try:
        found = json.loads(sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8"))
    except ValueError:
        raise typer.BadParameter(f"{file} is no JSON document.") from None
    if not isinstance(found, dict):
        raise typer.BadParameter(f'{file} must hold one JSON object, such as {{"answer": "…"}}.')
    return found


def _set(fields: list[str]) -> dict[str, Any]:
    """Read FIELD=VALUE: of a list one item each time, or all of them as JSON; an empty value clears the field."""
    change: dict[str, Any] = {}
    for field in fields:
        name, sign, value = field.partition("=")
        if not sign:
            raise typer.BadParameter(f"--set takes FIELD=VALUE, not {field!r}.")
        if name not in _LISTS:
            change[name] = value or None
            continue
        try:
            items = json.loads(value) if value.startswith("[") else [value] if value else []
        except ValueError:
            raise typer.BadParameter(f"--set {name} is no JSON list.") from None
        change[name] = [*change.get(name, []), *items]
    return change


def _content(entry: "Entry", change: dict[str, Any]) -> "EntryContent":
    """Return what the entry would say; raises BadParameter that names the field."""
    from pydantic import ValidationError

    from knowledge import entries
    from knowledge.entries import EntryContent

    fixed = ("kind", "external_id")
    unknown = [name for name in change if name not in EntryContent.model_fields or name in fixed]
    if unknown:
        known = ", ".join(name for name in EntryContent.model_fields if name not in fixed)
        raise typer.BadParameter(f"{unknown[0]!r} is no field that can be changed; these are: {known}.")
    try:
        return EntryContent.model_validate(entries.content_of(entry).model_dump() | change)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "it"
        raise typer.BadParameter(f"{field}: {first['msg'].removeprefix('Value error, ')}") from None


def _show_preview(preview: "ChangePreview", *, as_json: bool) -> None:
    from api.knowledge_schemas import PreviewOut

    if as_json:
        output.document(PreviewOut.model_validate(preview).model_dump(mode="json"))
        return
    rows = [
        (
            change.change,
            short(change.question),
            ", ".join(source.external_id for source in change.before.sources) if change.before.answerable else "–",
            ", ".join(source.external_id for source in change.after.sources) if change.after.answerable else "–",
        )
        for change in preview.answers[:_SHOWN]
    ]
    output.table(("", "question", "before", "after"), rows, empty="No answer would change.")
    output.say(f"\n{preview.asked} questions were asked; {len(preview.answers)} would be answered otherwise.")
    if preview.recall_before is not None and preview.recall_after is not None:
        output.say(f"Recall@5 on the labelled questions: {preview.recall_before:.3f} → {preview.recall_after:.3f}.")
    if preview.needs_confirmation:
        output.say(f"That is below {preview.floor:.2f}: the change needs --yes.")


def _words(pieces: list[Any]) -> str:
    marks = {"same": "{}", "del": "[-{}-]", "ins": "{{+{}+}}"}
    return "".join(marks[piece.op].format(piece.text) for piece in pieces)
