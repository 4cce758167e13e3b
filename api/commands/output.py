"""What a command prints: one JSON document for programs, or tables and sentences for people.

Results go to standard output; progress, logs and errors to standard error.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

# An entry or a message may hold escape sequences, which would repaint or type into the reader's terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def document(value: Any) -> None:
    """Print one JSON document."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=_jsonable)
    typer.echo(text.encode(errors="replace").decode())


def say(text: str) -> None:
    """Print a line for a person, without what a terminal would obey."""
    typer.echo(_CONTROL.sub("", text).encode(errors="replace").decode())


def note(text: str) -> None:
    """Print a line beside the result, on standard error."""
    typer.echo(_CONTROL.sub("", text).encode(errors="replace").decode(), err=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Print rows under their columns, or `empty` where there are none."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        say(empty)
        return
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(_CONTROL.sub("", "–" if value is None else str(value))) for value in row))
    Console().print(drawn)


def pairs(values: Mapping[str, object]) -> None:
    """Print names and values, one a line."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        say(f"{name.ljust(width)}  {'–' if value is None else value}")


@contextmanager
def progress(what: str) -> Iterator["Progress"]:
    """Show on standard error how far a long step is; only a line to say so where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    if not sys.stderr.isatty():
        note(f"{what} …")
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as shown:
        yield shown


def _jsonable(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value)
