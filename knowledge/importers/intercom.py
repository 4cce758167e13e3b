"""Intercom's articles as its API gives them → FAQ entries, one per language. Stores nothing."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from knowledge.importers import LeftOut, Rejected, Row, UnreadableFile, contents
from knowledge.importers.markup import text_of
from knowledge.importers.records import LANGUAGES, Record, identity, language, load, numbered, text, texts, under


def read(file: BinaryIO) -> Iterator[Row]:
    """Yield the published articles of `{"type": "list", "data": [...]}` or of a list, with their translations.

    Raises UnreadableFile.
    """
    records = under(load(file), "data", "articles")
    first = next((record for record in records if isinstance(record, dict)), {})
    if records and not ("title" in first or "body" in first):
        raise UnreadableFile("The file is no Intercom export: it holds no articles.")
    yield from contents(_articles(records), "faq", unit="article")


def _articles(records: list[Any]) -> Iterator[tuple[int, Record | Rejected | LeftOut]]:
    for number, article in numbered(records, "article"):
        if isinstance(article, Rejected):
            yield number, article
            continue
        known = identity(article)
        if known is None:
            yield number, Rejected(number, '"id" missing', unit="article")
            continue
        said = language(article.get("default_locale"))
        yield number, _version(article, f"intercom-{known}", said, article, number)
        translations = article.get("translated_content")
        for locale in LANGUAGES:
            version = translations.get(locale) if isinstance(translations, dict) else None
            if isinstance(version, dict) and locale != said:
                yield number, _version(version, f"intercom-{known}-{locale}", locale, article, number)


def _version(version: Record, name: str, said: str | None, article: Record, number: int) -> Record | Rejected | LeftOut:
    if text(version, "state") not in ("", "published"):
        return LeftOut("draft")
    url = text(version, "url") or None
    try:
        answer = text_of(text(version, "body"), url)
    except UnreadableFile as error:
        return Rejected(number, str(error), unit="article")
    tags = article.get("tags")
    return {
        "id": name,
        "question": text(version, "title"),
        "answer": answer,
        "language": said,
        "url": url,
        "tags": texts(under(tags, "tags") if isinstance(tags, dict) else tags),
    }
