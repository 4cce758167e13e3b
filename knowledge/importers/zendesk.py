"""Zendesk's JSON exports: help-centre articles → FAQ entries, tickets with their comments → past replies."""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Literal

from knowledge.importers import LeftOut, Rejected, Row, UnreadableFile, contents
from knowledge.importers.dialogues import Turn, replies
from knowledge.importers.markup import text_of
from knowledge.importers.records import Record, identity, language, load, moment, numbered, text, texts, under

_SYSTEM = "-1"  # the author of what Zendesk itself writes
_AUTOMATIC = ("rule", "system", "automation", "trigger")


def read(file: BinaryIO) -> Iterator[Row]:
    """Yield the articles of a help centre as FAQ entries, or the agents' replies of tickets as past replies.

    Articles: `{"articles": [...]}` as the Help Center API gives them; drafts are left out. Tickets:
    `{"tickets": [{..., "comments": [...]}], "users"?}`, a list, or one ticket per line. Raises UnreadableFile.
    """
    document = load(file)
    records = under(document, "articles", "tickets", "results")
    first = next((record for record in records if isinstance(record, dict)), {})
    if "comments" in first or "ticket" in first:
        yield from contents(_tickets(records, _roles(document)), "past_reply", unit="ticket")
    elif "body" in first or "title" in first:
        yield from contents(_articles(records), "faq", unit="article")
    elif records and records != [document]:
        raise UnreadableFile("The tickets hold no comments: export them with their comments.")
    elif records:
        raise UnreadableFile("The file is no Zendesk export: it holds neither articles nor tickets.")


def _articles(records: list[Any]) -> Iterator[tuple[int, Record | Rejected | LeftOut]]:
    for number, article in numbered(records, "article"):
        if isinstance(article, Rejected):
            yield number, article
        elif article.get("draft") is True:
            yield number, LeftOut("draft")
        else:
            yield number, _article(article, number)


def _article(article: Record, number: int) -> Record | Rejected:
    said = language(article.get("locale"))
    known = identity(article)
    if known is None:
        return Rejected(number, '"id" missing', unit="article")
    try:
        answer = text_of(text(article, "body"), text(article, "html_url") or None)
    except UnreadableFile as error:
        return Rejected(number, str(error), unit="article")
    return {
        "id": f"zendesk-article-{known}" + (f"-{said}" if said else ""),
        "question": text(article, "title", "name"),
        "answer": answer,
        "language": said,
        "url": text(article, "html_url") or None,
        "tags": texts(article.get("label_names")),
    }


def _tickets(records: list[Any], roles: Mapping[str, str]) -> Iterator[tuple[int, Record | Rejected | LeftOut]]:
    for number, record in numbered(records, "ticket"):
        if isinstance(record, Rejected):
            yield number, record
            continue
        inner = record.get("ticket")
        ticket = record | inner if isinstance(inner, dict) else record
        known = identity(ticket)
        if known is None:
            yield number, Rejected(number, '"id" missing', unit="ticket")
            continue
        via = ticket.get("via")
        for row in replies(f"zendesk-{known}", _turns(ticket, roles), text(via, "channel")[:500] or None):
            yield number, row


def _turns(ticket: Record, roles: Mapping[str, str]) -> list[Turn]:
    comments = [comment for comment in under(ticket, "comments") if isinstance(comment, dict) and comment is not ticket]
    requester = ticket.get("requester")
    customer = identity(ticket, "requester_id") or identity(requester)
    if customer is None and comments:
        customer = identity(comments[0], "author_id")
    turns = []
    for position, comment in enumerate(comments, 1):
        turns.append(
            Turn(
                id=identity(comment) or str(position),
                who=_who(comment, customer, roles),
                text=_said(comment),
                public=comment.get("public") is not False,
                sent_at=moment(comment.get("created_at")),
            )
        )
    return turns


def _who(comment: Record, customer: str | None, roles: Mapping[str, str]) -> Literal["customer", "agent", "neither"]:
    author = comment.get("author")
    number = identity(comment, "author_id") or identity(author)
    if number == _SYSTEM or text(comment.get("via"), "channel") in _AUTOMATIC:
        return "neither"
    role = text(author, "role") or roles.get(number or "", "")
    if number == customer or role == "end-user":
        return "customer"
    return "agent"


def _said(comment: Record) -> str:
    plain = text(comment, "plain_body")
    if plain:
        return plain
    html = text(comment, "html_body")
    return text_of(html) if html else text(comment, "body")


def _roles(document: Any) -> dict[str, str]:
    """Return the role of every user that the export names."""
    users = under(document, "users") if isinstance(document, dict) and "users" in document else []
    return {number: text(user, "role") for user in users if (number := identity(user))}
