"""Markdown → FAQ entries: headings become questions; a file with a question in its front matter is one entry."""

from collections.abc import Iterator
from typing import Any

from markdown_it import MarkdownIt

from knowledge.entries import Kind
from knowledge.importers import Row, contents
from knowledge.importers.front_matter import split
from knowledge.importers.html import rows, title_of
from knowledge.importers.markup import LINE, parse, parts
from knowledge.importers.sources import decoded
from knowledge.importers.tabular import LISTS

_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def read(data: bytes, name: str, kind: Kind | None = None) -> Iterator[Row]:
    """Yield an entry, or the reason why not, per question of the file; `line` is the line of its heading.

    With `question` (or `customer`) in the front matter the file is one entry and its body is the answer, as it is
    written; its id is the one in the front matter, else `name` without its ending. Without, every heading with text
    below it is a question (a text without headings has the file's title), and the other fields hold for all of them.
    Raises UnreadableFile.
    """
    text = decoded(data)
    fields, body = split(text)
    if kind == "past_reply" or any(field in fields for field in ("question", "customer")):
        yield from contents([(1, _one(fields, body, name))], kind)
    else:
        before = text.count("\n") - body.count("\n")
        yield from contents(_headed(fields, body, name, before), "faq")


def _one(fields: dict[str, Any], body: str, name: str) -> dict[str, Any]:
    row = {"id": name.removesuffix(".md").removesuffix(".markdown")} | _given(fields)
    return row | {"reply" if "customer" in row else "answer": body}


def _headed(fields: dict[str, Any], body: str, name: str, before: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each part below a heading as a row with its line; `before` are the lines that are not in the body."""
    given = _given(fields)
    url, title, _ = (given.pop(field, None) for field in ("url", "title", "alternatives"))
    found = parts(parse(_html(body)), url if isinstance(url, str) else None)
    named = rows(found, str(given.pop("id", name)), str(title or title_of(name)), None, None)
    shared = ({"url": url} if url else {}) | given
    for part, row in zip(found, named, strict=True):
        yield before + (part.line or 1), row | shared


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that say something; a list may be written as one text, "tags: delivery, price"."""
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    split_up = {
        name: [item for part in value.split(",") if (item := part.strip())]
        for name, value in given.items()
        if name in LISTS and isinstance(value, str) and name != "alternatives"
    }
    return given | split_up


def _html(body: str) -> str:
    """Return the Markdown as HTML, its headings with the line on which they stand."""
    tokens = _MARKDOWN.parse(body)
    for token in tokens:
        if token.type == "heading_open" and token.map:
            token.attrSet(LINE, str(token.map[0] + 1))
    return str(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))
