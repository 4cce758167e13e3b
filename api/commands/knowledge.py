"""`aspa knowledge`: what the company may say, in and out, and how well it is found."""

from dataclasses import asdict
from pathlib import Path
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
_AUTHOR = "aspa"
_SHOWN_ROWS = 20


@app.command("import")
def import_(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", exists=True, dir_okay=False)],
    kind: KindOption = None,
    file_format: Annotated[Literal["jsonl"], typer.Option("--format", help="Also gzipped.")] = "jsonl",
    as_json: AsJson = False,
) -> None:
    """Import FAQ entries and past replies.

    The same file again changes nothing. Returns once the entries can be found.
    """
    from knowledge.importing import import_files

    with opened() as runtime:
        with output.progress("Importing") as shown, runtime.sessions.begin() as session:
            task = shown.add_task("Importing", total=None)
            report = import_files(
                session, paths, kind=kind, author=_AUTHOR, progress=lambda done: shown.update(task, completed=done)
            )
        index = _index(runtime)
    if as_json:
        output.document(asdict(report) | {"index": asdict(index)})
    else:
        output.say(f"{report.added} added, {report.changed} changed, {report.unchanged} unchanged.")
        for row in report.rejected[:_SHOWN_ROWS]:
            output.note(f"{row.file}, line {row.line}: {row.reason}")
        if len(report.rejected) > _SHOWN_ROWS:
            output.note(f"… and {len(report.rejected) - _SHOWN_ROWS} more lines: --json lists all.")
    if report.rejected:
        output.note(f"{len(report.rejected)} rejected: correct these lines and import the file again.")
        raise typer.Exit(1)


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
        output.document([_document(entry) for entry in found])
        return
    rows = [(entry.external_id, entry.kind, entry.language, _short(entry.question)) for entry in found]
    output.table(
        ("id", "kind", "language", "question"), rows, empty="No entries: import some with aspa knowledge import."
    )


@app.command()
def show(reference: Reference, kind: KindOption = None, as_json: AsJson = False) -> None:
    """Show one entry."""
    with opened() as runtime, runtime.sessions() as session:
        found = _document(_find(session, reference, kind))
    if as_json:
        output.document(found)
        return
    output.pairs({name: value for name, value in found.items() if name not in ("question", "answer") and value})
    output.say(f"\n{found['question']}\n\n{found['answer']}")


@app.command()
def retire(reference: Reference, kind: KindOption = None, as_json: AsJson = False) -> None:
    """Take an entry out of search; its text and history stay."""
    from knowledge import entries

    with opened() as runtime:
        with runtime.sessions.begin() as session:
            entry = _find(session, reference, kind)
            entries.retire(session, entry, author=_AUTHOR)
            found = _document(entry)
        _index(runtime)
    if as_json:
        output.document(found)
    else:
        output.say(f"{entry.external_id} is retired: it is not found any more.")


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="Where to; - for standard output.")],
    kind: KindOption = None,
    as_json: AsJson = False,
) -> None:
    """Write every live entry to a file that `import` reads."""
    import sys

    from knowledge.importing import export as write

    with opened() as runtime, runtime.sessions() as session:
        if str(file) == "-":
            write(session, sys.stdout, kind)
            return
        with file.open("w", encoding="utf-8") as stream:
            count = write(session, stream, kind)
    if as_json:
        output.document({"file": str(file), "entries": count})
    else:
        output.say(f"{count} entries are in {file}.")


@app.command()
def rebuild(as_json: AsJson = False) -> None:
    """Make the search index anew.

    The old one serves until the new one is whole.
    """
    with opened() as runtime:
        report = _index(runtime, rebuild=True)
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
    rows = [(f"{m.score:.2f}", m.external_id, _short(m.question), _short(m.answer)) for m in result.matches]
    output.table(("score", "id", "question", "answer"), rows, empty="Nothing was found.")
    if not result.answerable:
        output.say("Nothing in the knowledge answers this: the assistant would not claim anything.")


@app.command()
def evaluate(
    file: Annotated[Path, typer.Argument(metavar="QUERIES.jsonl", exists=True, dir_okay=False)], as_json: AsJson = False
) -> None:
    """Measure how well labelled questions find their entries."""
    from knowledge.evaluation import read_queries
    from knowledge.evaluation import evaluate as measure

    queries = list(read_queries(file))
    with opened() as runtime, output.progress("Searching"):
        figures = measure(runtime.knowledge_base(), queries)
    if as_json:
        output.document(figures)
        return
    groups: dict[str, Any] = {"all": figures} | figures["by_language"]
    names = ("queries", "recall@1", "recall@5", "mrr@10", "ndcg@10")
    rows = [(group, *(_figure(found.get(name)) for name in names)) for group, found in groups.items()]
    output.table(("", *names), rows, empty="No queries.")
    output.pairs({f"abstention {name}": _figure(value) for name, value in figures["abstention"].items()})


def _index(runtime: "Runtime", *, rebuild: bool = False) -> "IndexReport":
    """Bring the search index up to date and tell running processes."""
    from knowledge.indexing import update_index

    with output.progress("Indexing") as shown:
        task = shown.add_task("Indexing", total=None)
        return update_index(
            runtime.engine,
            runtime.index_dir,
            runtime.embedder(),
            rebuild=rebuild,
            progress=lambda done, total: shown.update(task, completed=done, total=total),
        )


def _find(session: "Session", reference: str, kind: "Kind | None") -> "Entry":
    from assistant.errors import NotFound
    from knowledge import entries

    number = reference.removeprefix("#")
    entry = entries.find(session, kind, reference)
    if entry is None and number.isascii() and number.isdecimal() and len(number) < 10:
        entry = entries.get(session, int(number))
    if entry is None:
        raise NotFound(f"There is no entry {reference!r}: aspa knowledge list shows which there are.")
    return entry


def _document(entry: "Entry") -> dict[str, Any]:
    from api.schemas import EntryOut

    return EntryOut.model_validate(entry).model_dump(mode="json")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:99]}…"


def _figure(value: Any) -> str:
    return "–" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
