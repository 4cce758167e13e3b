"""Chatwoot's JSON: help-centre articles → FAQ entries, conversations with their messages → past replies."""

from collections.abc import Iterator
from typing import Any, BinaryIO, Literal

from markdown_it import MarkdownIt

from knowledge.importers import LeftOut, Rejected, Row, UnreadableFile, contents
from knowledge.importers.dialogues import Turn, replies
from knowledge.importers.markup import text_of
from knowledge.importers.records import Record, identity, language, load, moment, numbered, text, texts, under

_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_PUBLISHED = ("published", 1)
_WHO: dict[Any, Literal["customer", "agent"]] = {0: "customer", "incoming": "customer", 1: "agent", "outgoing": "agent"}


def read(file: BinaryIO) -> Iterator[Row]:
    """Yield the published articles as FAQ entries, or the agents' replies of conversations as past replies.

    Both as the API gives them, `{"payload": [...]}` or `{"data": {"payload": [...]}}`, or as a list; a conversation
    has all of its `messages`. Raises UnreadableFile.
    """
    document = load(file)
    records = under(document, "payload", "data.payload", "conversations", "articles")
    first = next((record for record in records if isinstance(record, dict)), {})
    if "messages" in first:
        yield from contents(_conversations(records), "past_reply", unit="conversation")
    elif "message_type" in first:
        yield from contents(_conversations(_grouped(records)), "past_reply", unit="conversation")
    elif "title" in first:
        yield from contents(_articles(records), "faq", unit="article")
    elif records:
        raise UnreadableFile("The file is no Chatwoot export: it holds neither articles nor conversations.")


def _articles(records: list[Any]) -> Iterator[tuple[int, Record | Rejected | LeftOut]]:
    for number, article in numbered(records, "article"):
        if isinstance(article, Rejected):
            yield number, article
        elif article.get("status", "published") not in _PUBLISHED:
            yield number, LeftOut("draft")
        else:
            yield number, _article(article, number)


def _article(article: Record, number: int) -> Record | Rejected:
    category = article.get("category")
    known = identity(article)
    if known is None:
        return Rejected(number, '"id" missing', unit="article")
    try:
        answer = text_of(_MARKDOWN.render(text(article, "content", "description")))
    except UnreadableFile as error:
        return Rejected(number, str(error), unit="article")
    return {
        "id": f"chatwoot-article-{known}",
        "question": text(article, "title"),
        "answer": answer,
        "language": language(text(article, "locale") or text(category, "locale")),
        "url": next((url for url in [text(article, "url", "link")] if url.startswith("http")), None),
        "tags": texts([category]),
    }


def _grouped(messages: list[Any]) -> list[Record]:
    """Return messages that were exported on their own as conversations."""
    found: dict[str, Record] = {}
    for message in messages:
        conversation = identity(message, "conversation_id") or "0"
        found.setdefault(conversation, {"id": conversation, "messages": []})["messages"].append(message)
    return list(found.values())


def _conversations(records: list[Any]) -> Iterator[tuple[int, Record | Rejected | LeftOut]]:
    for number, conversation in numbered(records, "conversation"):
        if isinstance(conversation, Rejected):
            yield number, conversation
            continue
        known = identity(conversation)
        if known is None:
            yield number, Rejected(number, '"id" missing', unit="conversation")
            continue
        channel = text(conversation.get("meta"), "channel") or text(conversation, "channel")
        for row in replies(f"chatwoot-{known}", _turns(conversation), channel.removeprefix("Channel::")[:500] or None):
            yield number, row


def _turns(conversation: Record) -> list[Turn]:
    messages = [message for message in under(conversation, "messages") if isinstance(message, dict)]
    turns = [
        Turn(
            id=identity(message) or str(position),
            who=_who(message),
            text=text(message, "content", "processed_message_content"),
            public=message.get("private") is not True,
            sent_at=moment(message.get("created_at")),
        )
        for position, message in enumerate(messages, 1)
    ]
    if all(turn.sent_at for turn in turns):
        turns.sort(key=lambda turn: turn.sent_at or 0)
    return turns


def _who(message: Record) -> Literal["customer", "agent", "neither"]:
    kind = message.get("message_type")
    who = _WHO.get(kind) if isinstance(kind, int | str) else None
    sender = message.get("sender")
    by = (text(sender, "type") or text(message, "sender_type")).lower()
    attributes = message.get("content_attributes")
    by_rule = isinstance(attributes, dict) and bool(attributes.get("automation_rule_id"))
    if who == "agent" and (by != "user" or by_rule):  # a bot, a campaign or an automation
        return "neither"
    return who or "neither"
