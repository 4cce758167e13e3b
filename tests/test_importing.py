"""Files into the knowledge: what goes in, what is turned away and why, and that nothing goes in twice."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from knowledge.entries import EntryContent, content_of, find
from knowledge.exporting import write as export
from knowledge.importers import Rejected, UnreadableFile, jsonl
from knowledge.importing import ImportReport, import_files
from knowledge.tables import Entry, Revision

FAQ = {"id": "hours", "question": "When are you open?", "answer": "From 9 to 17.", "tags": ["shop"], "extra": 1}
REPLY = {
    "id": "r1",
    "customer": "Missä pakettini on?",
    "reply": "Se on matkalla.",
    "sent_at": "2026-02-01T10:00:00+02:00",
}


def lines(*rows: Any) -> bytes:
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


def write(path: Path, *rows: Any) -> Path:
    path.write_bytes(lines(*rows))
    return path


def load(session: Session, *paths: Path) -> ImportReport:
    return import_files(session, paths, author="test")


def reasons(*rows: Any) -> list[str]:
    return [f"{r.line}: {r.reason}" for r in jsonl.read(io.BytesIO(lines(*rows))) if isinstance(r, Rejected)]


def test_it_works(session: Session, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", FAQ, REPLY)
    assert load(session, file) == ImportReport(added=2)
    hours = find(session, "faq", "hours")
    reply = find(session, "past_reply", "r1")
    assert hours is not None
    assert (hours.question, hours.answer, hours.tags) == (
        FAQ["question"],
        FAQ["answer"],
        ["shop"],
    )
    assert reply is not None
    assert (reply.question, reply.answer) == (REPLY["customer"], REPLY["reply"])
    assert reply.sent_at is not None
    assert reply.sent_at.hour == 8


def test_the_same_file_again_changes_nothing(session: Session, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", FAQ, REPLY)
    load(session, file)
    assert load(session, file) == ImportReport(unchanged=2)
    assert session.scalar(select(func.count()).select_from(Revision)) == 2


def test_a_changed_row_becomes_a_revision(session: Session, tmp_path: Path) -> None:
    load(session, write(tmp_path / "a.jsonl", FAQ))
    assert load(session, write(tmp_path / "b.jsonl", FAQ | {"answer": "From 8 to 16."})) == ImportReport(changed=1)
    numbers = session.execute(select(Revision.number, Revision.answer, Revision.author).order_by(Revision.number)).all()
    assert [tuple(row) for row in numbers] == [(1, "From 9 to 17.", "test"), (2, "From 8 to 16.", "test")]


def test_gzip_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    file = tmp_path / "no-telling-name"
    file.write_bytes(gzip.compress(lines(FAQ)))
    assert [type(row) for row in jsonl.read(file)] == [EntryContent]


def test_bad_lines_are_reported_and_good_ones_go_in(session: Session, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", FAQ, b"{not json", b"[1]", b'{"id": "\xe4"}', b"", REPLY)
    report = load(session, file)
    assert report.added == 2
    assert [(r.line, r.file) for r in report.rejected] == [(2, "a.jsonl"), (3, "a.jsonl"), (4, "a.jsonl")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"{", "not JSON (Expecting property name enclosed in double quotes, character 2)"),
        (b'"text"', "not a JSON object"),
        (b'{"id": "\xff"}', "not UTF-8 (byte 9 of the line)"),
        (b"[" * 200_000, "not JSON that can be read (a number too long or too many brackets)"),
        (b'{"id": ' + b"9" * 5000 + b"}", "not JSON that can be read (a number too long or too many brackets)"),
        (b"x" * (jsonl.MAX_LINE + 5), "longer than 1,048,576 bytes"),
        ({"id": "a"}, 'neither a FAQ entry ("question" and "answer") nor a past reply ("customer" and "reply")'),
        ({"question": "a"}, '"id" and "answer" missing'),
        ({"id": "a", "question": None, "answer": "b"}, '"question" missing'),
        (FAQ | {"answer": 5}, '"answer" must be text'),
        (FAQ | {"answer": " \u0000 "}, '"answer" is empty'),
        (FAQ | {"answer": "x" * 50_001}, '"answer" is longer than 50,000 characters'),
        (FAQ | {"tags": "shop"}, '"tags" must be a list'),
        (FAQ | {"tags": ["shop", 1]}, '"tags" (item 2) must be text'),
        (FAQ | {"language": "sv"}, "\"language\" must be 'en' or 'fi'"),
        (
            FAQ | {"valid_from": "soon"},
            '"valid_from" must be a date or time such as 2026-12-24 or 2026-12-24T16:00:00+02:00',
        ),
        (FAQ | {"valid_from": "2026-02-01", "valid_until": "2026-01-01"}, "valid_until must be later than valid_from"),
        (REPLY | {"customer": []}, '"customer" must be text'),
    ],
)
def test_the_reason_says_what_is_wrong(row: Any, reason: str) -> None:
    assert reasons(row, FAQ) == [f"1: {reason}"]


def test_an_id_twice_in_one_file_is_rejected(session: Session, tmp_path: Path) -> None:
    report = load(session, write(tmp_path / "a.jsonl", FAQ, REPLY | {"id": "hours"}, FAQ | {"answer": "Never."}))
    assert (report.added, report.rejected) == (2, [Rejected(3, '"id" stood already on line 1', "a.jsonl")])


def test_nul_and_lone_surrogates_are_cleaned(session: Session, tmp_path: Path) -> None:
    load(session, write(tmp_path / "a.jsonl", FAQ | {"answer": "From\u0000 9 \ud83d to 17 🙂"}))
    entry = find(session, "faq", "hours")
    assert entry is not None
    assert entry.answer == "From 9 � to 17 🙂"


def test_a_bare_day_counts_to_its_end() -> None:
    row = next(iter(jsonl.read(io.BytesIO(lines(FAQ | {"valid_until": "2026-12-24"})))))
    assert isinstance(row, EntryContent)
    assert row.valid_until is not None
    assert row.valid_until.isoformat() == "2026-12-25T00:00:00+00:00"


def test_files_that_cannot_be_read_do_not_stop_the_others(session: Session, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(lines(FAQ))[:-12])
    utf16 = tmp_path / "utf16.jsonl"
    utf16.write_text(json.dumps(FAQ), encoding="utf-16")
    good = write(tmp_path / "good.jsonl", REPLY)
    report = load(session, tmp_path / "missing.jsonl", cut, utf16, good)
    assert report.added == 1
    assert [r.file for r in report.rejected] == ["missing.jsonl", "cut.gz", "utf16.jsonl"]
    assert "UTF-8" in report.rejected[2].reason


def test_reading_leaves_the_callers_stream_open() -> None:
    stream = io.BytesIO(lines(FAQ))
    list(jsonl.read(stream))
    assert not stream.closed


def test_a_large_file_goes_in_by_batches(session: Session, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", *(FAQ | {"id": str(n)} for n in range(1201)))
    seen: list[int] = []
    report = import_files(session, [file], author="test", progress=seen.append)
    assert (report.added, seen) == (1201, [500, 1000, 1201])
    assert not any(isinstance(thing, Revision) for thing in session)


def test_what_is_exported_is_imported_unchanged(session: Session, tmp_path: Path) -> None:
    load(session, write(tmp_path / "a.jsonl", FAQ | {"valid_until": "2026-12-24", "alternatives": ["Auki?"]}, REPLY))
    out = io.StringIO()
    assert export(session, out, "jsonl") == 2
    again = tmp_path / "b.jsonl"
    again.write_text(out.getvalue(), encoding="utf-8")
    assert load(session, again) == ImportReport(unchanged=2)
    assert export(session, io.StringIO(), "jsonl", "past_reply") == 1


def test_a_broken_stream_is_one_clear_error() -> None:
    with pytest.raises(UnreadableFile, match="cut short"):
        list(jsonl.read(io.BytesIO(gzip.compress(lines(FAQ) * 100)[:-20])))


@given(st.binary(max_size=200))
def test_any_bytes_are_answered_line_by_line(data: bytes) -> None:
    try:
        for row in jsonl.read(io.BytesIO(data)):
            assert isinstance(row, (EntryContent, Rejected))
    except UnreadableFile as error:
        assert str(error).endswith(".")  # noqa: PT017 (both ways out are right, the message has to be one sentence)


@given(
    st.fixed_dictionaries({"id": st.text(), "question": st.text(), "answer": st.text(), "tags": st.lists(st.text())})
)
def test_any_text_that_is_taken_in_can_be_stored(row: dict[str, Any]) -> None:
    for content in jsonl.read(io.BytesIO(lines(row))):
        if isinstance(content, EntryContent):
            stored = Entry(**{name: getattr(content, name) for name in EntryContent.model_fields})
            assert "\0" not in stored.question + stored.answer
            assert content_of(stored) == content
            content.answer.encode()
