"""`aspa knowledge import`, `export` and `sync`: the knowledge in and out of files and folders."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from api.commands import output
from api.commands.knowledge import KindOption, app, author, index
from api.commands.opening import opened
from api.commands.output import AsJson

if TYPE_CHECKING:
    from knowledge.importing import ImportReport

_SHOWN_ROWS = 20
_EXPORTS: dict[str, Literal["jsonl", "csv"]] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder of Markdown, one file per entry.")]
RetireMissing = Annotated[bool, typer.Option("--retire-missing", help="Retire entries that are not in it any more.")]
Yes = Annotated[bool, typer.Option("--yes", help="Even if labelled questions lose their answers.")]


@app.command("import")
def import_(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", exists=True, help="Files and folders.")],
    kind: KindOption = None,
    file_format: Annotated[
        Literal["jsonl", "json", "csv", "xlsx", "markdown", "html", "zendesk", "chatwoot", "intercom"] | None,
        typer.Option("--format", help="Found out where it is not given."),
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Say what would change, and change nothing.")] = False,
    source: Annotated[str | None, typer.Option("--source", help="What they come from, if not from their name.")] = None,
    retire_missing: RetireMissing = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Import FAQ entries and past replies.

    The same file again changes nothing. Returns once the entries can be found.
    """
    from assistant.import_jobs import ensure_recall
    from knowledge.changes import Change
    from knowledge.importing import import_files

    given: dict[str, Any] = {"kind": kind, "file_format": file_format, "source": source, "author": author()}
    trial: list[Change] = []
    with opened() as runtime:
        with output.progress("Importing") as shown, runtime.sessions.begin() as session:
            task = shown.add_task("Importing", total=None)
            given["progress"] = lambda done: shown.update(task, completed=done)
            if preview or not yes:
                report = import_files(session, paths, dry_run=True, trial=trial, **given)
            if not preview:
                ensure_recall(runtime, session, report, trial, retire_missing=retire_missing) if not yes else None
                report = import_files(session, paths, retire_missing=retire_missing, **given)
        done = {} if preview else {"index": asdict(index(runtime))}
    _report(report, done, preview=preview, retire_missing=retire_missing, as_json=as_json)
    if report.rejected:
        output.note(f"{len(report.rejected)} rejected: correct these and import again.")
        raise typer.Exit(1)


@app.command()
def sync(
    folder: Folder,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit status 1 if they differ.")] = False,
    retire_missing: RetireMissing = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make the FAQ say what a folder of Markdown says, one file per entry.

    `aspa knowledge export DIR --format markdown` writes such a folder.
    """
    from assistant.import_jobs import ensure_recall
    from knowledge.changes import Change
    from knowledge.syncing import drifted
    from knowledge.syncing import sync as sync_folder

    trial: list[Change] = []
    with opened() as runtime:
        with runtime.sessions.begin() as session:
            report = sync_folder(session, folder, author=author(), check=True, trial=trial)
            differs = drifted(report)
            if not check:
                if not yes:
                    ensure_recall(runtime, session, report, trial, retire_missing=retire_missing)
                report = sync_folder(session, folder, author=author(), retire_missing=retire_missing)
        done = {} if check else {"index": asdict(index(runtime))}
    _report(report, done, preview=check, retire_missing=retire_missing, as_json=as_json)
    if check and differs:
        output.note("The folder and the knowledge differ: sync the folder, or export the knowledge into it.")
    if report.rejected or (check and differs):
        raise typer.Exit(1)


@app.command()
def export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to; - for standard output; a folder for Markdown.")
    ],
    kind: KindOption = None,
    file_format: Annotated[
        Literal["jsonl", "csv", "markdown"] | None, typer.Option("--format", help="By the file's name if not given.")
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove the files of retired entries from the folder.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write every live entry to a file that `import` reads, or the FAQ to a folder that `sync` reads."""
    from knowledge.exporting import write_file, write_folder

    chosen = file_format or ("markdown" if file.is_dir() else _format_of(file))
    if chosen == "markdown":
        if kind == "past_reply":
            raise typer.BadParameter("A folder of Markdown holds FAQ entries: export past replies as jsonl or csv.")
        with opened() as runtime, runtime.sessions() as session:
            written = write_folder(session, file, prune=prune)
        if as_json:
            output.document(asdict(written))
            return
        output.say(
            f"{len(written.written)} files written, {written.unchanged} unchanged, {len(written.removed)} removed."
        )
        for name in written.stale:
            output.note(f"{name} is of a retired entry: --prune removes it.")
        return
    if prune:
        raise typer.BadParameter("--prune is for a folder of Markdown.")
    with opened() as runtime, runtime.sessions() as session:
        count = write_file(session, file, chosen, kind)
    if str(file) == "-":
        return
    if as_json:
        output.document({"file": str(file), "entries": count})
    else:
        output.say(f"{count} entries are in {file}.")


def _format_of(file: Path) -> Literal["jsonl", "csv"]:
    name = file.name.removesuffix(".gz")
    return _EXPORTS.get(Path(name).suffix.lower(), "jsonl")


def _report(
    report: "ImportReport", done: dict[str, Any], *, preview: bool, retire_missing: bool, as_json: bool
) -> None:
    if as_json:
        output.document(asdict(report) | done)
        return
    output.say(f"{report.added} added, {report.changed} changed, {report.unchanged} unchanged.")
    if preview:
        output.say("This is a preview: nothing was changed.")
        for change in report.changes[:_SHOWN_ROWS]:
            what = ", ".join(field.field for field in change.fields) or ("comes back" if change.restores else "new")
            output.say(f"  {change.external_id}: {what}")
    for reason, count in report.left_out.items():
        output.note(f"Left out: {count} × {reason}.")
    for row in report.rejected[:_SHOWN_ROWS]:
        output.note(f"{row.file}, {row.unit} {row.line}: {row.reason}")
    if len(report.rejected) > _SHOWN_ROWS:
        output.note(f"… and {len(report.rejected) - _SHOWN_ROWS} more: --json lists all.")
    _report_vanished(report, retire_missing=retire_missing)


def _report_vanished(report: "ImportReport", *, retire_missing: bool) -> None:
    if report.retired:
        output.say(f"{report.retired} retired: they are not there any more.")
    elif report.vanished:
        for gone in report.vanished[:_SHOWN_ROWS]:
            output.note(f"Not there any more: {gone.external_id}")
        if retire_missing:
            output.note("Nothing was retired: a rejected row may be one of them. Correct it first.")
        else:
            output.note(f"{len(report.vanished)} entries are not there any more: --retire-missing retires them.")
