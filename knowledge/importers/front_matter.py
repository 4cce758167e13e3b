"""The lines between `---` at the top of a Markdown file: read as text alone, written the same way every time.

YAML, without what YAML guesses: `no` is not false and 12:30 is not 750. Knows no field.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import yaml

from knowledge.importers import UnreadableFile

_BLOCK = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_PLAIN = re.compile(r"\w(?:[\w .,;()/'!?€%&+@=–-]|(?<=\S)#|:(?=\S))*")


class _Loader(yaml.SafeLoader):
    """Reads every scalar as text, but an empty one as None, and refuses a key that stands twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise yaml.constructor.ConstructorError(None, None, f"{twice!r} stands twice", node.start_mark)
        return cast("dict[Any, Any]", super().construct_mapping(node, deep=deep))


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def split(text: str) -> tuple[dict[str, Any], str]:
    """Return the fields at the top of a Markdown text, and its body; a text without them is all body.

    Raises UnreadableFile with the line where the fields cannot be read.
    """
    text = text.removeprefix("\ufeff")
    block = _BLOCK.match(text)
    if block is None:
        return {}, text
    try:
        fields = yaml.load(block[1], Loader=_Loader)  # noqa: S506 (a SafeLoader that knows less)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 1
        raise UnreadableFile(f"The lines between --- are no YAML ({error.problem}, line {line}).") from None
    except (yaml.YAMLError, RecursionError, ValueError, TypeError):
        raise UnreadableFile("The lines between --- are no YAML: write `name: value` on each.") from None
    if fields is None:
        fields = {}
    if not isinstance(fields, dict) or not all(isinstance(key, str) for key in fields):
        raise UnreadableFile("The lines between --- are no fields: write `name: value` on each.")
    return fields, text[block.end() :]


def joined(fields: Mapping[str, str | Sequence[str]], body: str) -> str:
    """Return the Markdown text with these fields (texts and lists of texts) in this order; `split` undoes it.

    Each value is on one line, quoted as JSON is where it has to be: equal fields are equal bytes, whoever writes them.
    """
    lines = ["---"]
    for name, value in fields.items():
        if isinstance(value, str):
            lines.append(f"{name}: {_scalar(value)}")
        else:
            lines += [f"{name}:" if value else f"{name}: []", *(f"  - {_scalar(item)}" for item in value)]
    return "\n".join([*lines, "---", "", body, ""])


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() != "null":
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(sign if sign.isprintable() else f"\\U{ord(sign):08x}" for sign in quoted)
