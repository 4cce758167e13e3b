"""A preview before an import, what vanished from a source, and that what is exported comes back as it was."""

import io
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlalchemy.orm import Session

from knowledge import entries
from knowledge.entries import EntryContent
from knowledge.exporting import ExportFormat, write_stream
from knowledge.importers import Rejected
from knowledge.importers.reading import read_file
from knowledge.importing import ImportReport, apply, import_files, preview
from knowledge.tables import Entry, Revision

HEADER = "id,question,answer\n"


def write(path: Path, *rows: str) -> Path:
    path.write_text(HEADER + "\n".join(rows), encoding="utf-8")
    return path


def load(session: Session, path: Path, **options: Any) -> ImportReport:
    return import_files(session, [path], author="test", **options)


def test_it_works(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "faq.csv"
    load(session, write(file, "1,Q,A", "2,Q,B", "3,Q,C"))
    write(file, "1,Q,A", "2,Q,changed", "4,Q,new", "5,,bad")
    foreseen = load(session, file, dry_run=True)
    assert (foreseen.added, foreseen.changed, foreseen.unchanged) == (1, 1, 1)
    assert foreseen.rejected == [Rejected(5, '"question" missing', "faq.csv", "row")]
    assert {change.external_id: [f.field for f in change.fields] for change in foreseen.changes} == {
        "2": ["answer"],
        "4": [],
    }
    (field,) = foreseen.changes[0].fields
    assert (field.before, field.after) == ("B", "changed")
    assert [gone.external_id for gone in foreseen.vanished] == ["3"]
    assert entries.find(session, "faq", "4") is None
    done = load(session, file)
    assert (done.added, done.changed, done.unchanged, done.retired) == (1, 1, 1, 0)
    assert [gone.external_id for gone in done.vanished] == ["3"]


def test_what_vanished_is_retired_only_when_asked(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "faq.csv"
    load(session, write(file, "1,Q,A", "2,Q,B"))
    load(session, write(tmp_path / "other.csv", "9,Q,A"))
    assert load(session, write(file, "1,Q,A"), retire_missing=True).retired == 1
    gone, other = entries.find(session, "faq", "2"), entries.find(session, "faq", "9")
    assert gone is not None
    assert gone.retired_at is not None
    assert other is not None
    assert other.retired_at is None
    assert load(session, file).vanished == []


def test_nothing_is_retired_while_a_row_may_be_it(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "faq.csv"
    load(session, write(file, "1,Q,A", "2,Q,B", "3,Q,C"))
    named = load(session, write(file, "1,Q,A", "2,Q,"), retire_missing=True)
    assert ([gone.external_id for gone in named.vanished], named.retired) == (["3"], 1)  # 2 is there, only wrong
    nameless = load(session, write(file, "1,Q,A", ",Q,B"), retire_missing=True)
    assert (len(nameless.vanished), nameless.retired) == (1, 0)
    file.write_text("")
    assert load(session, file, retire_missing=True).retired == 0


def test_what_maintainers_set_by_hand_stays(session: Session, tmp_path: Path) -> None:
    file = write(tmp_path / "faq.csv", "1,Q,A")
    load(session, file)
    entry = entries.find(session, "faq", "1")
    assert entry is not None
    content = entries.content_of(entry)
    entries.revise(session, entry, content.model_copy(update={"audience": "internal", "owner": "Aino"}), author="a")
    assert load(session, file).unchanged == 1
    assert load(session, write(file, "1,Q,B")).changed == 1
    assert (entry.audience, entry.owner, entry.answer) == ("internal", "Aino", "B")


def test_a_new_source_takes_its_entries_over_without_changing_them(session: Session, tmp_path: Path) -> None:
    load(session, write(tmp_path / "a.csv", "1,Q,A"))
    entry = entries.find(session, "faq", "1")
    assert entry is not None
    before = entry.updated_at
    load(session, write(tmp_path / "b.csv", "1,Q,A"), source="help centre")
    session.refresh(entry)
    assert (entry.source, entry.revision, entry.updated_at) == ("help centre", 1, before)


def test_progress_can_end_an_import(session: Session, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", *(f"{n},Q,A" for n in range(700)))

    def stop(done: int) -> None:
        raise InterruptedError(done)

    with pytest.raises(InterruptedError, match="500"):
        load(session, file, progress=stop)


TEXTS = st.text(min_size=1, max_size=12) | st.sampled_from(
    ["=1+1", "'=x", "a\r\nb", "[1]", "a;b", '"', "---", "# x", "null"]
)
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC)) | st.dates().map(  # noqa: DTZ001
    lambda day: datetime(max(day.year, 2), day.month, min(day.day, 28), tzinfo=UTC)
)


def _content(fields: dict[str, Any]) -> EntryContent | None:
    try:
        return EntryContent.model_validate(fields)
    except ValueError:
        return None


CONTENTS = st.fixed_dictionaries(
    {"kind": st.sampled_from(["faq", "past_reply"]), "external_id": TEXTS, "question": TEXTS, "answer": TEXTS},
    optional={
        "language": st.sampled_from(["fi", "en"]),
        "url": TEXTS,
        "tags": st.lists(TEXTS, max_size=3),
        "alternatives": st.lists(TEXTS, max_size=3),
        "channel": TEXTS,
        "owner": TEXTS,
        "audience": st.sampled_from(["public", "internal"]),
        "review_on": st.dates(date(2, 1, 1)),
        "supersedes": st.lists(TEXTS, max_size=2),
        "valid_from": MOMENTS,
        "valid_until": MOMENTS,
        "sent_at": MOMENTS,
    },
).map(_content)


@pytest.mark.parametrize("file_format", ["jsonl", "csv"])
@given(contents=st.lists(CONTENTS, max_size=4))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_exported_comes_back_as_it_was(
    session: Session, file_format: ExportFormat, contents: list[EntryContent | None]
) -> None:
    whole = {(c.kind, c.external_id): c for c in contents if c is not None}
    session.execute(delete(Revision))
    session.execute(delete(Entry))
    entries.put_many(session, list(whole.values()), author="test")
    first, second = io.BytesIO(), io.BytesIO()
    assert write_stream(session, first, file_format) == len(whole)
    first.seek(0)
    report = preview(session, read_file(first, "export", file_format=file_format), source=None)
    assert (report.rejected, report.changes, report.unchanged) == ([], [], len(whole))
    session.execute(delete(Revision))
    session.execute(delete(Entry))
    session.expire_all()
    first.seek(0)
    apply(session, read_file(first, "export", file_format=file_format), source=None, author="test")
    write_stream(session, second, file_format)
    assert second.getvalue() == first.getvalue()
