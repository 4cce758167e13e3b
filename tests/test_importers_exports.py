"""Exports of helpdesks, and finding out which format a file has: articles, tickets, conversations, and nonsense."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.entries import EntryContent
from knowledge.importers import LeftOut, Rejected, Row, UnreadableFile, chatwoot, intercom, zendesk
from knowledge.importers.detection import detect
from knowledge.importers.reading import read, read_file

COMMENTS = [
    {"id": 1, "author_id": 7, "body": "Missä pakettini on?", "public": True, "created_at": "2026-01-02T03:04:05Z"},
    {"id": 2, "author_id": 7, "body": "Tilaus 123.", "public": True},
    {"id": 3, "author_id": 9, "body": "Kysy varastolta", "public": False},
    {"id": 4, "author_id": -1, "body": "Automaattinen", "public": True},
    {"id": 5, "author_id": 9, "html_body": "<p>Se on <b>matkalla</b>.</p>", "public": True},
    {"id": 6, "author_id": 9, "body": " ", "public": True},
    {"id": 7, "author_id": 7, "body": "Kiitos!", "public": True},
    {"id": 8, "author_id": 9, "plain_body": "Ole hyvä!", "public": True},
]
TICKETS = {"tickets": [{"id": 55, "requester_id": 7, "via": {"channel": "email"}, "comments": COMMENTS}]}
ARTICLES = {
    "articles": [
        {
            "id": 1,
            "title": "Palautus",
            "body": "<p>30 päivää.</p>",
            "locale": "fi",
            "html_url": "https://z/1",
            "label_names": ["a"],
        },
        {"id": 2, "title": "Luonnos", "body": "x", "draft": True},
        {"id": 3, "title": "Retur", "body": "x", "locale": "sv"},
        {"id": 4, "title": "Tyhjä", "body": "", "locale": "fi"},
        7,
    ]
}
CONVERSATIONS = {
    "data": {
        "payload": [
            {
                "id": 3,
                "meta": {"channel": "Channel::WebWidget"},
                "messages": [
                    {"id": 1, "content": "Hei?", "message_type": 0, "created_at": 1767323045},
                    {
                        "id": 2,
                        "content": "Botti",
                        "message_type": 1,
                        "sender": {"type": "agent_bot"},
                        "created_at": 1767323046,
                    },
                    {
                        "id": 3,
                        "content": "Moi!",
                        "message_type": 1,
                        "sender": {"type": "user"},
                        "created_at": 1767323047,
                    },
                    {
                        "id": 4,
                        "content": "n",
                        "message_type": 1,
                        "private": True,
                        "sender": {"type": "user"},
                        "created_at": 1767323048,
                    },
                    {"id": 5, "content": "avattu", "message_type": 2, "created_at": 1767323049},
                ],
            }
        ]
    }
}
CHATWOOT_ARTICLES = {
    "payload": [
        {
            "id": 1,
            "title": "Hinta",
            "content": "**5** €",
            "status": "published",
            "category": {"name": "Raha", "locale": "fi"},
        },
        {"id": 2, "title": "x", "content": "y", "status": "draft"},
    ]
}
INTERCOM = {
    "type": "list",
    "data": [
        {
            "type": "article",
            "id": "9",
            "title": "Open?",
            "body": "<p>At 9.</p>",
            "state": "published",
            "default_locale": "en",
            "url": "https://i/9",
            "translated_content": {"fi": {"title": "Auki?", "body": "Klo 9.", "state": "published"}},
        },
        {"type": "article", "id": "10", "title": "x", "body": "y", "state": "draft"},
    ],
}


def stream(document: Any) -> io.BytesIO:
    return io.BytesIO(json.dumps(document).encode())


def left_out(rows: list[Row]) -> list[str]:
    return sorted(row.reason for row in rows if isinstance(row, LeftOut))


def entries(rows: list[Row]) -> list[EntryContent]:
    return [row for row in rows if isinstance(row, EntryContent)]


def test_it_works() -> None:
    rows = list(zendesk.read(stream(TICKETS)))
    assert [(row.external_id, row.question, row.answer, row.channel) for row in entries(rows)] == [
        ("zendesk-55-5", "Missä pakettini on?\n\nTilaus 123.", "Se on matkalla.", "email"),
        ("zendesk-55-8", "Kiitos!", "Ole hyvä!", "email"),
    ]
    assert left_out(rows) == ["automatic message", "empty message", "private note"]


def test_tickets_on_lines_of_their_own() -> None:
    lines = "\n".join(json.dumps(ticket) for ticket in TICKETS["tickets"] * 2).encode()
    for data in (lines, gzip.compress(lines)):
        rows = list(zendesk.read(io.BytesIO(data)))
        assert len(entries(rows)) == 2
        assert len([row for row in rows if isinstance(row, Rejected)]) == 2  # the same ids again


def test_a_second_reply_answers_the_same_message() -> None:
    comments = [
        COMMENTS[0],
        {"id": 2, "author_id": 9, "body": "Katson."},
        {"id": 3, "author_id": 9, "body": "Matkalla."},
    ]
    rows = entries(list(zendesk.read(stream([{"id": 1, "requester_id": 7, "comments": comments}]))))
    assert [(row.question, row.answer) for row in rows] == [
        ("Missä pakettini on?", "Katson."),
        ("Missä pakettini on?", "Matkalla."),
    ]


def test_articles() -> None:
    rows = list(zendesk.read(stream(ARTICLES)))
    (article,) = entries(rows)
    assert (article.external_id, article.question, article.answer) == ("zendesk-article-1-fi", "Palautus", "30 päivää.")
    assert (article.url, article.tags, article.language) == ("https://z/1", ["a"], "fi")
    assert left_out(rows) == ["draft"]
    said = {row.line: row.reason for row in rows if isinstance(row, Rejected)}
    assert said.keys() == {3, 4, 5}
    assert "language" in said[3]
    assert "empty" in said[4]


def test_chatwoot() -> None:
    rows = list(chatwoot.read(stream(CONVERSATIONS)))
    (reply,) = entries(rows)
    assert (reply.external_id, reply.question, reply.answer, reply.channel) == (
        "chatwoot-3-3",
        "Hei?",
        "Moi!",
        "WebWidget",
    )
    assert reply.sent_at is not None
    assert left_out(rows) == ["automatic message", "automatic message", "private note"]
    rows = list(chatwoot.read(stream(CHATWOOT_ARTICLES)))
    (article,) = entries(rows)
    assert (article.question, article.answer, article.language, article.tags) == ("Hinta", "5 €", "fi", ["Raha"])


def test_intercom() -> None:
    rows = list(intercom.read(stream(INTERCOM)))
    assert [(row.external_id, row.question, row.answer, row.language) for row in entries(rows)] == [
        ("intercom-9", "Open?", "At 9.", "en"),
        ("intercom-9-fi", "Auki?", "Klo 9.", "fi"),
    ]
    assert left_out(rows) == ["draft"]


@pytest.mark.parametrize(
    ("data", "name", "wanted"),
    [
        (json.dumps(TICKETS), "a.json", "zendesk"),
        (json.dumps(TICKETS, indent=1), "a.json", "zendesk"),
        (json.dumps(ARTICLES), "a.txt", "zendesk"),
        (json.dumps(CONVERSATIONS, indent=1), "a.json", "chatwoot"),
        (json.dumps(CHATWOOT_ARTICLES), "a.json", "chatwoot"),
        (json.dumps(INTERCOM), "a.json", "intercom"),
        ('{"id": "1", "question": "Q", "answer": "A", "title": "T", "body": "B"}\n', "x", "jsonl"),
        ('[{"id": "1", "question": "Q", "answer": "A"}]', "x", "json"),
        ("{broken\n", "x.jsonl", "jsonl"),
        ("Kysymys;Vastaus\na;b\n", "x", "csv"),
        ("<!-- x --><p>a", "x", "html"),
        ("---\na: b\n---\nx", "x", "markdown"),
        ("intro\n\n# Heading\n\ntext", "x", "markdown"),
    ],
)
def test_the_content_tells_the_format(data: str, name: str, wanted: str) -> None:
    assert detect(io.BytesIO(data.encode()), name) == wanted
    assert detect(io.BytesIO(gzip.compress(data.encode())), f"{name}.gz") == wanted


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"", "a.csv", "empty"),
        (b" \n", "a.jsonl", "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0", "a.csv", "binary"),
        (b"just some words", "a.txt", "--format"),
        (b'{"some": "thing",\n"else": 1}', "a.json", "--format"),
        (gzip.compress(b"x" * 99)[:-9], "a.csv.gz", "cut short"),
    ],
)
def test_what_nobody_can_read(data: bytes, name: str, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        detect(io.BytesIO(data), name)


def test_a_folder_of_many_formats(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.md").write_text("# Auki?\n\nKlo 9.\n")
    (tmp_path / "b.csv").write_text("id,question,answer\n1,Q,A\n")
    (tmp_path / "c.jsonl").write_text('{"id": "1", "question": "Q", "answer": "B"}\n')
    (tmp_path / "broken.xlsx").write_bytes(b"PK\x03\x04")
    (tmp_path / "style.css").write_text("p{}")
    (tmp_path / ".hidden.md").write_text("# x\n\ny")
    rows = list(read(tmp_path, name="site"))
    assert sorted(row.external_id for row in entries(rows)) == ["1", "site/sub/a.md#auki"]
    said = {row.file: row.reason for row in rows if isinstance(row, Rejected)}
    assert said.keys() == {"site/broken.xlsx", "site/c.jsonl"}
    assert "site/b.csv" in said["site/c.jsonl"]
    (nothing,) = read(tmp_path / "sub" / "nowhere.md")
    assert isinstance(nothing, Rejected)


NAMES = (
    "id articles tickets comments title body payload data messages content message_type sender type author_id "
    "created_at ticket via channel translated_content fi locale draft users role html_url tags label_names"
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(NAMES.split()),
            inner,
            max_size=6,
        )
    ),
    max_leaves=30,
)


@given(JSON)
@settings(deadline=None)
def test_any_json_is_answered(document: Any) -> None:
    for read_any in (zendesk.read, chatwoot.read, intercom.read):
        try:
            assert all(isinstance(row, Row) for row in read_any(stream(document)))
        except UnreadableFile as error:
            assert str(error).endswith(".")  # noqa: PT017


@given(st.binary(max_size=200), st.sampled_from(["a.csv", "a.json", "a.md", "a.html", "a.xlsx", "a"]))
@settings(deadline=None)
def test_any_bytes_are_answered(data: bytes, name: str) -> None:
    try:
        assert all(isinstance(row, Row) for row in read_file(io.BytesIO(data), name))
    except UnreadableFile as error:
        assert str(error).strip()  # noqa: PT017
