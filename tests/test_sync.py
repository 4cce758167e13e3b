"""Knowledge as code: a folder of Markdown and the FAQ in step, in both directions."""

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlalchemy.orm import Session

from knowledge import entries
from knowledge.entries import EntryContent
from knowledge.exporting import file_name, render, write_folder, write_stream
from knowledge.importers import UnreadableFile, markdown
from knowledge.importing import ImportReport
from knowledge.syncing import drifted, sync
from knowledge.tables import Entry, Revision
from tests.test_importing_previews import CONTENTS

HOURS = EntryContent(
    kind="faq",
    external_id="hours",
    question="When: are you open?",
    answer="# Daily\n\nAt 9.",
    language="en",
    tags=["shop", "a, b"],
    alternatives=["Opening hours?"],
    audience="internal",
    supersedes=["old"],
)


def put(session: Session, *contents: EntryContent) -> None:
    entries.put_many(session, contents, author="test")


def done(session: Session, folder: Path, **options: Any) -> ImportReport:
    return sync(session, folder, author="test", **options)


def test_it_works(session: Session, tmp_path: Path) -> None:
    put(session, HOURS)
    report = write_folder(session, tmp_path)
    assert report.written == ["hours.md"]
    text = (tmp_path / "hours.md").read_text(encoding="utf-8")
    assert text.startswith('---\nid: hours\nquestion: "When: are you open?"\nlanguage: en\ntags:\n  - shop\n  - a, b\n')
    assert text.endswith("---\n\n# Daily\n\nAt 9.\n")
    assert not drifted(done(session, tmp_path, check=True))
    (tmp_path / "hours.md").write_text(text.replace("At 9.", "At 8."), encoding="utf-8")
    (tmp_path / "shipping").mkdir()
    (tmp_path / "shipping" / "sweden.md").write_text("---\nquestion: Sweden?\n---\nYes.\n")
    (tmp_path / "README.md").write_text("# Our knowledge\n\nEdit here.\n")
    checked = done(session, tmp_path, check=True)
    assert (checked.added, checked.changed, [f.field for f in checked.changes[0].fields]) == (1, 1, ["answer"])
    assert drifted(checked)
    assert entries.find(session, "faq", "shipping/sweden") is None
    report2 = done(session, tmp_path)
    assert (report2.added, report2.changed, sum(report2.left_out.values())) == (1, 1, 1)
    assert not drifted(done(session, tmp_path, check=True))
    again = write_folder(session, tmp_path)
    assert (again.unchanged, again.written) == (1, ["shipping/sweden.md"])  # it gets its id, where it is


def test_only_files_that_change_are_touched(session: Session, tmp_path: Path) -> None:
    put(session, HOURS)
    write_folder(session, tmp_path)
    before = (tmp_path / "hours.md").stat().st_mtime_ns
    assert write_folder(session, tmp_path).unchanged == 1
    assert (tmp_path / "hours.md").stat().st_mtime_ns == before
    assert [path.name for path in tmp_path.iterdir()] == ["hours.md"]


def test_what_has_no_file_is_retired_only_when_asked(session: Session, tmp_path: Path) -> None:
    put(session, HOURS, HOURS.model_copy(update={"external_id": "price"}))
    write_folder(session, tmp_path)
    (tmp_path / "price.md").unlink()
    assert [gone.external_id for gone in done(session, tmp_path).vanished] == ["price"]
    assert done(session, tmp_path, retire_missing=True).retired == 1
    entry = entries.find(session, "faq", "price")
    assert entry is not None
    assert entry.retired_at is not None
    assert not drifted(done(session, tmp_path, check=True))


def test_files_of_retired_entries_go_only_when_asked(session: Session, tmp_path: Path) -> None:
    put(session, HOURS)
    write_folder(session, tmp_path)
    (tmp_path / "mine.md").write_text("---\nquestion: New?\n---\nYes.\n")
    entry = entries.find(session, "faq", "hours")
    assert entry is not None
    entries.retire(session, entry, author="test")
    assert write_folder(session, tmp_path).stale == ["hours.md"]
    assert write_folder(session, tmp_path, prune=True).removed == ["hours.md"]
    assert [path.name for path in tmp_path.iterdir()] == ["mine.md"]


def test_a_file_brings_a_retired_entry_back(session: Session, tmp_path: Path) -> None:
    put(session, HOURS)
    write_folder(session, tmp_path)
    entry = entries.find(session, "faq", "hours")
    assert entry is not None
    entries.retire(session, entry, author="test")
    assert done(session, tmp_path).changed == 1
    assert entry.retired_at is None


def test_bad_files_are_named_and_nothing_is_retired_meanwhile(session: Session, tmp_path: Path) -> None:
    put(session, HOURS)
    (tmp_path / "a.md").write_text("---\nid: x\nquestion: Q?\n---\nA.\n")
    (tmp_path / "b.md").write_text("---\nid: x\nquestion: Q?\n---\nB.\n")
    (tmp_path / "c.md").write_text("---\nquestion: [\n---\nB.\n")
    (tmp_path / "d.md").write_text("---\nquestion: Q?\nlanguage: sv\n---\nB.\n")
    report = done(session, tmp_path, retire_missing=True)
    assert (report.added, report.retired) == (1, 0)
    assert {row.file for row in report.rejected} == {"b.md", "c.md", "d.md"}
    with pytest.raises(UnreadableFile, match="no folder"):
        done(session, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("external_id", "plain"),
    [
        ("hours", True),
        ("a/b.c", True),
        ("../x", False),
        ("Hours", False),
        ("con", False),
        ("x.md", False),
        ("/etc", False),
    ],
)
def test_names_of_files_are_safe_everywhere(external_id: str, plain: bool) -> None:
    name = file_name(external_id)
    assert (name == f"{external_id}.md") is plain
    assert ".." not in name
    assert not name.startswith("/")
    assert name == name.lower()


def test_a_link_out_of_the_folder_is_not_followed(session: Session, tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "sub").symlink_to(outside)
    put(session, HOURS.model_copy(update={"external_id": "sub/x"}))
    write_folder(session, inside)
    assert list(outside.iterdir()) == []


def test_an_archive_holds_the_same_files(session: Session, tmp_path: Path) -> None:
    put(session, HOURS)
    write_folder(session, tmp_path)
    packed, again = BytesIO(), BytesIO()
    write_stream(session, packed, "markdown")
    write_stream(session, again, "markdown")
    assert packed.getvalue() == again.getvalue()
    with zipfile.ZipFile(packed) as archive:
        assert archive.read("hours.md") == (tmp_path / "hours.md").read_bytes()


@given(CONTENTS)
@settings(deadline=None)
def test_a_file_reads_as_the_entry_that_was_written(content: EntryContent | None) -> None:
    if content is not None:
        faq = content.model_copy(update={"kind": "faq"})
        assert list(markdown.read(render(faq).encode(), "any.md")) == [faq]


@given(contents=st.lists(CONTENTS, max_size=4))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_knowledge_survives_the_folder(
    session: Session, tmp_path_factory: pytest.TempPathFactory, contents: list[EntryContent | None]
) -> None:
    folder = tmp_path_factory.mktemp("folder")
    session.execute(delete(Revision))
    session.execute(delete(Entry))
    session.expire_all()
    whole = {c.external_id: c.model_copy(update={"kind": "faq"}) for c in contents if c is not None}
    put(session, *whole.values())
    assert len(write_folder(session, folder).written) == len(whole)
    checked = done(session, folder, check=True)
    assert (checked.rejected, checked.changes, checked.unchanged) == ([], [], len(whole))
    assert write_folder(session, folder).unchanged == len(whole)
