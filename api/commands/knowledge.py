"""`aspa knowledge`: what the company may say, in and out, and how well it is found."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from api.commands import output
from api.commands.opening import opened
from api.commands.output import AsJson

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from assistant.runtime import Runtime
    from knowledge.entries import Kind
    from knowledge.indexing import IndexReport
    from knowledge.tables import Entry

app = typer.Typer(name="knowledge", no_args_is_help=True, help="FAQ entries and past replies.")

KindOption = Annotated[Literal["faq", "past_reply"] | None, typer.Option("--kind", help="Of one kind.")]
LanguageOption = Annotated[Literal["en", "fi"] | None, typer.Option("--language", help="In one language.")]
Reference = Annotated[str, typer.Argument(metavar="ID", help="The entry's own id, or its number as #12.")]
Yes = Annotated[bool, typer.Option("--yes", help="Also where labelled questions lose their entry.")]


@app.command("list")
def list_(
    kind: KindOption = None,
    language: LanguageOption = None,
    q: Annotated[str | None, typer.Option("--search", "-q", help="Occurs in the text.")] = None,
    retired: Annotated[bool, typer.Option("--retired", help="The retired ones instead.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List entries."""
    from knowledge import entries

    found: list[Entry] = []
    with opened() as runtime, runtime.sessions() as session:
        while len(found) < limit:
            after = found[-1].id if found else None
            wanted = min(limit - len(found), entries.MAX_PAGE)
            page = entries.page(session, after=after, limit=wanted, q=q, kind=kind, language=language, retired=retired)
            found += page
            if len(page) < wanted:
                break
    if as_json:
        output.document([document(entry) for entry in found])
        return
    rows = [(entry.external_id, entry.kind, entry.language, short(entry.question)) for entry in found]
    output.table(
        ("id", "kind", "language", "question"), rows, empty="No entries: import some with aspa knowledge import."
    )


@app.command()
def show(reference: Reference, kind: KindOption = None, as_json: AsJson = False) -> None:
    """Show one entry."""
    with opened() as runtime, runtime.sessions() as session:
        found = document(find(session, reference, kind))
    if as_json:
        output.document(found)
        return
    output.pairs({name: value for name, value in found.items() if name not in ("question", "answer") and value})
    output.say(f"\n{found['question']}\n\n{found['answer']}")


@app.command()
def retire(reference: Reference, kind: KindOption = None, yes: Yes = False, as_json: AsJson = False) -> None:
    """Take an entry out of search; its text and history stay."""
    from assistant import replay
    from knowledge import entries
    from knowledge.changes import Change

    with opened() as runtime:
        with runtime.sessions.begin() as session:
            entry = find(session, reference, kind)
            if entry.retired_at is None:
                replay.ensure_recall(runtime, session, [Change(None, entry.id)], confirmed=yes)
            entries.retire(session, entry, author=author())
            found = document(entry)
        index(runtime)
    if as_json:
        output.document(found)
    else:
        output.say(f"{entry.external_id} is retired: it is not found any more.")


@app.command()
def rebuild(as_json: AsJson = False) -> None:
    """Make the search index anew.

    The old one serves until the new one is whole.
    """
    with opened() as runtime:
        report = index(runtime, rebuild=True)
    if as_json:
        output.document(asdict(report))
    else:
        output.say(f"{report.passages} passages are indexed, {report.embedded} of them embedded anew.")


@app.command()
def search(
    question: Annotated[str, typer.Argument(metavar="QUESTION")],
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="How many matches.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Search the knowledge as the assistant does."""
    with opened() as runtime:
        result = runtime.knowledge_base().search(question, k=k)
    if as_json:
        names = ("entry_id", "external_id", "kind", "question", "answer", "score", "dense_rank", "lexical_rank")
        matches = [{name: getattr(match, name) for name in names} for match in result.matches]
        head = {"question": result.question, "language": result.language, "answerable": result.answerable}
        output.document(head | {"matches": matches})
        return
    rows = [(f"{m.score:.2f}", m.external_id, short(m.question), short(m.answer)) for m in result.matches]
    output.table(("score", "id", "question", "answer"), rows, empty="Nothing was found.")
    if not result.answerable:
        output.say("Nothing in the knowledge answers this: the assistant would not claim anything.")


def author() -> str:
    """Return who is at the terminal, for the record: the system user's name, or number where they have no name."""
    import getpass
    import os

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a line in the passwd file
        return f"user {os.getuid()}"


def index(runtime: "Runtime", *, rebuild: bool = False) -> "IndexReport":
    """Bring the search index up to date and tell running processes."""
    from assistant import search_index

    with output.progress("Indexing") as shown:
        task = shown.add_task("Indexing", total=None)
        return search_index.update(
            runtime,
            rebuild=rebuild,
            progress=lambda done, total: shown.update(task, completed=done, total=total),
        )


def find(session: "Session", reference: str, kind: "Kind | None" = None) -> "Entry":
    """Return the entry of that id, or of that number as #12; raises NotFound."""
    from assistant.errors import NotFound
    from knowledge import entries

    number = reference.removeprefix("#")
    entry = entries.find(session, kind, reference)
    if entry is None and number.isascii() and number.isdecimal() and len(number) < 10:
        entry = entries.get(session, int(number))
    if entry is None:
        raise NotFound(f"There is no entry {reference!r}: aspa knowledge list shows which there are.")
    return entry


def document(entry: "Entry") -> dict[str, Any]:
    """Return the entry as JSON."""
    from api.schemas import EntryOut

    return EntryOut.model_validate(entry).model_dump(mode="json")


def short(text: str) -> str:
    """Return the beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:99]}…"
