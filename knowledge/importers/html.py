"""Web pages → FAQ entries: what a page declares as its FAQ, else what it unfolds, defines or puts under headings."""

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urljoin

from selectolax.lexbor import LexborHTMLParser

from knowledge.importers import Row, contents
from knowledge.importers.markup import Part, parse, parts, text_of
from knowledge.importers.sources import decoded, slug
from models import Language
from models.language import WordLanguageIdentifier

_LANGUAGES = WordLanguageIdentifier()
_MAX_QUESTION = 500


def read(data: bytes, name: str) -> Iterator[Row]:
    """Yield an entry, or the reason why not, per question of the page; `line` counts them, from 1.

    A page that declares its questions (schema.org FAQPage in JSON-LD) is taken at its word. Of any other page, every
    `details`, definition and heading with text below it is a question; text above all headings goes under its title.
    Ids are `name` and the heading as in "palvelu/index.html#toimitus". Raises UnreadableFile.
    """
    page = parse(decoded(data))
    address = _address(page)
    language = _language(page)
    found = _declared(page, address) or parts(page, address)
    yield from contents(enumerate(rows(found, name, _title(page, name), address, language), 1), "faq", unit="question")


def rows(
    found: Iterable[Part], name: str, title: str, address: str | None, language: Language | None
) -> Iterator[dict[str, Any]]:
    """Yield the parts of a page as rows. `address` is where the page is, `language` what it says of itself."""
    used: dict[str, int] = {}
    for part in found:
        question = (part.heading or title)[:_MAX_QUESTION]
        short = slug(part.heading) if part.heading else ""
        used[short] = used.get(short, 0) + 1
        fragment = short if used[short] == 1 else f"{short}-{used[short]}"
        row: dict[str, Any] = {
            "id": f"{name}#{fragment}" if fragment else name,
            "question": question,
            "answer": part.text,
            "language": _certain(language, f"{question}\n{part.text}"),
        }
        if address:
            row["url"] = f"{address}#{part.anchor}" if part.anchor else address
        if part.above and not question.endswith("?"):  # "Hinta" says little without what it is the price of
            row["alternatives"] = [f"{part.above[-1]}: {question}"]
        yield row


def _certain(language: Language | None, text: str) -> Language | None:
    """Return the page's language unless the text speaks against it: many Finnish pages still say lang="en"."""
    seen = _LANGUAGES.identify(text[:2_000])
    return language if seen in (None, language) else seen


def _language(page: LexborHTMLParser) -> Language | None:
    root = page.root
    said = ((root.attributes.get("lang") if root is not None else None) or "").lower()
    return "fi" if said.startswith("fi") else "en" if said.startswith("en") else None


def _address(page: LexborHTMLParser) -> str | None:
    """Return the page's public address, where it says one: a saved page is no longer where it was."""
    for selector, attribute in (("link[rel=canonical]", "href"), ('meta[property="og:url"]', "content")):
        node = page.css_first(selector)
        value = (node.attributes.get(attribute) or "").strip() if node is not None else ""
        if value.startswith(("https://", "http://")) and len(value) < 1_500:
            return value.partition("#")[0]
    return None


def _title(page: LexborHTMLParser, name: str) -> str:
    node = page.css_first("title")
    title = " ".join(node.text().split()) if node is not None else ""
    for mark in (" | ", " – ", " — ", " - ", " · "):  # "Toimitus | Kauppa": the shop's name is on every page
        title = title.partition(mark)[0]
    return title or title_of(name)


def title_of(name: str) -> str:
    """Return the name of a file as a title: "docs/palautus-ja-vaihto.md" becomes "palautus ja vaihto"."""
    stem = name.rpartition("/")[2].rpartition(".")[0] or name
    return " ".join(stem.replace("_", " ").replace("-", " ").split()) or name


def _declared(page: LexborHTMLParser, base: str | None) -> list[Part]:
    """Return the questions that the page declares as its FAQ."""
    found: list[Part] = []
    for node in page.css('script[type="application/ld+json"]'):
        try:
            document = json.loads(node.text())
        except (ValueError, RecursionError):
            continue  # the visible page says the same
        for question in _questions(document):
            answer = question.get("acceptedAnswer") or question.get("suggestedAnswer")
            answer = answer[0] if isinstance(answer, list) and answer else answer
            text = answer.get("text") if isinstance(answer, dict) else answer
            heading = question.get("name") or question.get("text")
            if isinstance(heading, str) and isinstance(text, str):
                address = question.get("url")
                anchor = urljoin(base or "", address).partition("#")[2] if isinstance(address, str) else None
                found.append(
                    Part(" ".join(text_of(heading).split()), anchor=anchor, unfolds=True, text=text_of(text, base))
                )
    return found


def _questions(document: Any) -> Iterator[dict[str, Any]]:
    """Yield every Question of every FAQPage in the document, wherever it stands."""
    waiting = [(document, False)]
    while waiting:
        value, within = waiting.pop()
        if isinstance(value, list):
            waiting += [(item, within) for item in reversed(value)]
        elif isinstance(value, dict):
            kinds = value.get("@type")
            kinds = kinds if isinstance(kinds, list) else [kinds]
            if within and "Question" in kinds:
                yield value
            else:
                waiting += [(item, within or "FAQPage" in kinds) for item in reversed(value.values())]
