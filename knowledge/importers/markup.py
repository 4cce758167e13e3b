"""HTML → plain text, and the parts of a page under their headings.

Only text comes out: no tag, script or style. A link stays as "text (address)". Knows no file and no entry.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

from selectolax.lexbor import LexborHTMLParser, LexborNode

from knowledge.importers import UnreadableFile

LINE = "data-line"
"""The attribute of a heading that says on which line of its file it stands."""
MAX_PAGE = 4 << 20
"""Characters of one page."""
MAX_DEPTH = 500
"""Tags within tags. The parser's time grows with it: 20,000 took seven seconds, a million would take hours."""


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
_FLAT = _set(  # these never stand deep within each other: the parser closes one when the next begins
    "p li td th tr dt dd option optgroup thead tbody tfoot colgroup caption rp rt "
    "area base br col embed hr img input link meta param source track wbr"
)
_DROPPED = _set(
    "script style noscript template nav aside svg math iframe object canvas audio video select textarea button dialog "
    "del s strike head"  # what is struck through does not hold any more
)
_FRAME = _set("header footer")
_PARAGRAPHS = _set("p ul ol table blockquote pre h1 h2 h3 h4 h5 h6 dl details figure")
_LINES = _set("div section article main header footer li tr dt dd summary address figcaption form fieldset hr caption")
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_SCHEMES = ("http:", "https:", "mailto:", "tel:")
_QUESTIONS = _set("summary dt")
_UNFOLDING = _set("details dl")


@dataclass
class Part:
    """A heading and the text below it, up to the next heading. The first part of a page has none.

    `above` are the headings that it stands under, outermost first; `anchor` is its id in the page, `line` where a
    Markdown file has it; `unfolds` says that the markup makes it a question (details, a definition list).
    """

    heading: str = ""
    above: tuple[str, ...] = ()
    anchor: str | None = None
    line: int | None = None
    unfolds: bool = False
    text: str = ""


def parse(html: str) -> LexborHTMLParser:
    """Return the page's tree. Raises UnreadableFile where it is larger or nested deeper than any page."""
    if len(html) > MAX_PAGE:
        raise UnreadableFile(f"The page is longer than {MAX_PAGE:,} characters: split it.")
    if _depth(html) > MAX_DEPTH:
        raise UnreadableFile(f"The page has more than {MAX_DEPTH} tags within each other: it is damaged.")
    return LexborHTMLParser(html)


def _depth(html: str) -> int:
    """Return about how deep the tags stand, at most: those that nothing closes count as open."""
    opened: Counter[str] = Counter()
    depth = deepest = 0
    for closing, tag in _TAG.findall(html):
        name = tag.lower()
        if name in _FLAT or (closing and not opened[name]):
            continue
        step = -1 if closing else 1
        opened[name] += step
        depth += step
        deepest = max(deepest, depth)
    return deepest


def text_of(html: str, base: str | None = None) -> str:
    """Return the text of a fragment of HTML, its headings as lines. `base` is what its relative links start from."""
    return "\n\n".join(piece for part in parts(parse(html), base) for piece in (part.heading, part.text) if piece)


def parts(page: LexborHTMLParser, base: str | None = None) -> list[Part]:
    """Return what the page's main content holds, in its order; navigation, header and footer are left out."""
    root = page.css_first("main, [role=main]") or _only(page.css("article")) or page.body
    if root is None:
        return []
    reader = _Reader(base)
    for entering, node in _walk(root, _DROPPED if root.tag != "body" else _DROPPED | _FRAME):
        (reader.enter if entering else reader.leave)(node)
    return [part for part in reader.finished() if part.text or part.unfolds]


def _only(nodes: Sequence[LexborNode]) -> LexborNode | None:
    return nodes[0] if len(nodes) == 1 else None


def _walk(root: LexborNode, dropped: frozenset[str]) -> Iterator[tuple[bool, LexborNode]]:
    """Yield every element and text below the root as it is entered (True) and left (False)."""
    stack = [root]
    node = root.first_child
    while stack:
        if node is None:
            left = stack.pop()
            if stack:
                yield False, left
                node = left.next
            continue
        if (node.tag or "") in dropped and not _heads(node.parent):
            node = node.next
            continue
        yield True, node
        child = node.first_child
        if child is None:
            yield False, node
            node = node.next
        else:
            stack.append(node)
            node = child


def _heads(node: LexborNode | None) -> bool:
    """Tell whether the node is a heading: many unfolding lists have a button in it that holds the question."""
    return node is not None and (node.tag in _HEADINGS or node.tag in _QUESTIONS)


class _Reader:
    """Collects the parts of a page from its elements in their order."""

    def __init__(self, base: str | None) -> None:
        self._base = base
        self._parts: list[tuple[Part, _Writer]] = [(Part(), _Writer(base))]
        self._current = self._parts[0]
        self._outer: list[tuple[Part, _Writer]] = []
        self._above: list[tuple[int, str]] = []
        self._heading: tuple[LexborNode, _Writer] | None = None

    def enter(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if self._heading is not None:
            self._heading[1].enter(node)
        elif tag in _QUESTIONS or (tag in _HEADINGS and not self._current[0].unfolds):
            self._heading = (node, _Writer(None))
        else:
            if tag in _UNFOLDING:
                self._outer.append(self._current)
            self._current[1].enter(node)

    def leave(self, node: LexborNode) -> None:
        if self._heading is not None:
            begun, writer = self._heading
            if begun.mem_id == node.mem_id:
                self._heading = None
                self._start(node, writer.text().rstrip(" ¶#"))
            else:
                writer.leave(node)
        else:
            self._current[1].leave(node)
            if node.tag in _UNFOLDING and self._outer:
                self._current = self._outer.pop()

    def finished(self) -> Iterator[Part]:
        for part, writer in self._parts:
            part.text = writer.text()
            yield part

    def _start(self, node: LexborNode, heading: str) -> None:
        if not heading:
            return
        level = _HEADINGS.get(node.tag or "")
        if level is not None:
            self._above = [(higher, text) for higher, text in self._above if higher < level]
        line = node.attributes.get(LINE) or ""
        part = Part(
            heading=" ".join(heading.split()),
            above=tuple(text for _, text in self._above),
            anchor=node.attributes.get("id"),
            line=int(line) if line.isdecimal() and line.isascii() and len(line) < 9 else None,
            unfolds=level is None,
        )
        if level is not None:
            self._above.append((level, part.heading))
        self._current = (part, _Writer(self._base))
        self._parts.append(self._current)


class _Writer:
    """Writes text as it would be read: paragraphs, list items and rows on lines of their own, links with addresses."""

    def __init__(self, base: str | None) -> None:
        self._base = base
        self._pieces: list[str] = []
        self._gap = ""  # what stands before the next word, if one comes
        self._lists: list[int | None] = []  # the number of the last item, None for bullets
        self._cells = 0
        self._pre = 0
        self._link: tuple[int, str] | None = None

    def enter(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag == "-text":
            self._write(node.text_content or "")
            return
        self._break(tag)
        if tag in ("ul", "ol"):
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self._item()
        elif tag == "tr":
            self._cells = 0
        elif tag in ("td", "th"):
            self._cells += 1
            if self._cells > 1:
                self._gap = " | "
        elif tag == "pre":
            self._pre += 1
        elif tag == "br":
            self._gap = "\n\n" if self._gap.endswith("\n") else "\n"
        elif tag == "a":
            self._link = (len(self._pieces), node.attributes.get("href") or "")

    def leave(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        elif tag == "pre":
            self._pre -= 1
        elif tag == "a" and self._link is not None:
            self._address(*self._link)
            self._link = None
        elif tag == "table":
            self._cells = 0
        self._break(tag)

    def text(self) -> str:
        return "".join(self._pieces).strip()

    def _write(self, text: str) -> None:
        text = text.replace("\xad", "").replace("\u200b", "").replace("\ufeff", "")
        words = text if self._pre else " ".join(text.split())
        if not words.strip():
            self._gap = self._gap or (" " if text else "")
            return
        before = self._gap or (" " if text[0].isspace() and not self._pre else "")
        self._pieces += [before if self._pieces or before.strip() else "", words]
        self._gap = " " if text[-1].isspace() and not self._pre else ""

    def _break(self, tag: str) -> None:
        if tag not in _PARAGRAPHS and tag not in _LINES:
            return
        if self._cells and tag not in ("tr", "table"):  # a cell stays on its line
            self._gap = self._gap or " "
        elif not self._gap.strip():  # the mark of a list item waits for its text, whatever comes between
            nested = tag in ("ul", "ol") and len(self._lists) > 0
            wanted = "\n\n" if tag in _PARAGRAPHS and not nested else "\n"
            self._gap = max(self._gap.replace(" ", ""), wanted, key=len)

    def _item(self) -> None:
        mark = "- "
        if self._lists and (last := self._lists[-1]) is not None:
            self._lists[-1] = last + 1
            mark = f"{last + 1}. "
        self._gap = (self._gap if "\n" in self._gap else "\n") + "  " * (len(self._lists) - 1) + mark

    def _address(self, start: int, href: str) -> None:
        label = "".join(self._pieces[start:]).strip()
        address = _resolved(href, self._base)
        shown = address.removeprefix("mailto:").removeprefix("tel:")
        if label and shown and shown not in label:
            self._pieces.append(f" ({shown})")


def _resolved(href: str, base: str | None) -> str:
    """Return the absolute address, "" for one that leads nowhere from a message or is no address (javascript:)."""
    try:
        address = urljoin(base or "", "".join(href.split()))
    except ValueError:  # an address with half a bracket
        return ""
    known = address.lower().startswith(_SCHEMES) and not href.strip().startswith("#")
    return address if known and len(address) <= 2_000 else ""
