"""`aspa redact`: what of texts is personal data, as the index of past replies would see them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands import output
from api.commands.opening import opened
from api.commands.output import AsJson


def redact(
    file: Annotated[Path, typer.Argument(metavar="FILE.jsonl", exists=True, dir_okay=False)], as_json: AsJson = False
) -> None:
    """Put slots such as {name} in the place of personal data.

    A row is {"text", "names"?}: names of people in the conversation, which are then found in every form. What the FAQ
    states, such as the company's own telephone number, stays.
    """
    from knowledge.indexing import facts
    from knowledge.redaction import redact as hide

    rows = list(_rows(file))
    with opened() as runtime, runtime.sessions() as session:
        known = facts(session)
    redacted = [hide(text, names=names, known=known) for text, names in rows]
    if as_json:
        output.document([{"text": one.text, "spans": [span._asdict() for span in one.spans]} for one in redacted])
        return
    for one in redacted:
        output.say(one.text)


def _rows(file: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield text and names of every row; raises Invalid with the number of a line that has none."""
    from assistant.errors import Invalid
    from knowledge.database import clean_text
    from knowledge.importers import Rejected
    from knowledge.importers.jsonl import rows

    for line, row in rows(file):
        if isinstance(row, Rejected):
            raise Invalid("file", f"Line {line} of {file.name}: {row.reason}")
        text, names = row.get("text"), row.get("names", [])
        if not isinstance(text, str) or not _are_texts(names):
            raise Invalid("file", f'Line {line} of {file.name} is no {{"text": "…"}}, with "names": ["…"] if you like.')
        yield clean_text(text), names


def _are_texts(names: Any) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) for name in names)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(redact)
