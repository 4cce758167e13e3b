"""The words of the pages."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from babel import Locale

from api.web.rendering import first_words, moment, waited
from api.web.translations import problems, translations, update

HEAD = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"
"""


def test_it_works() -> None:
    assert problems() == []
    assert translations("fi").gettext("Approve and send") == "Hyväksy ja lähetä"
    assert translations("en").gettext("Approve and send") == "Approve and send"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Templates that use two strings, and a place for translations."""
    templates, locale = tmp_path / "templates", tmp_path / "locale"
    templates.mkdir()
    locale.mkdir()
    (templates / "page.html").write_text(
        '{{ _("Yes") }} {% trans n=n %}{{ n }} day{% pluralize %}{{ n }} days{% endtrans %}'
    )
    return templates, locale


def test_what_is_wrong_is_named(folders: tuple[Path, Path]) -> None:
    templates, locale = folders
    written = HEAD + '\nmsgid "No"\nmsgstr "Ei"\n\n#, fuzzy\nmsgid "Yes"\nmsgstr "Joo"\n\n#, python-format\n'
    written += 'msgid "%(n)s day"\nmsgid_plural "%(n)s days"\nmsgstr[0] "%(n)s päivä"\nmsgstr[1] ""\n'
    (locale / "fi.po").write_text(written, encoding="utf-8")
    found = problems(templates, locale)
    assert any("'No' is not used any more" in one for one in found)
    assert any("'Yes' is marked as unsure" in one for one in found)
    assert any("days" in one and "is not translated" in one for one in found)


def test_a_lost_placeholder_is_found(folders: tuple[Path, Path]) -> None:
    templates, locale = folders
    written = HEAD + '\nmsgid "Yes"\nmsgstr "Joo"\n\n#, python-format\n'
    written += 'msgid "%(n)s day"\nmsgid_plural "%(n)s days"\nmsgstr[0] "%(m)s päivä"\nmsgstr[1] "%(m)s päivää"\n'
    (locale / "fi.po").write_text(written, encoding="utf-8")
    assert problems(templates, locale)


def test_update_adds_the_new_and_drops_the_unused(folders: tuple[Path, Path]) -> None:
    templates, locale = folders
    (locale / "fi.po").write_text(HEAD + '\nmsgid "No"\nmsgstr "Ei"\n', encoding="utf-8")
    update(templates, locale)
    written = (locale / "fi.po").read_text(encoding="utf-8")
    assert '"Yes"' in written
    assert '"No"' not in written


def test_times_are_as_the_language_writes_them() -> None:
    finnish, english = Locale("fi"), Locale("en", "GB")
    assert moment(datetime(2020, 6, 1, 11, 5, tzinfo=UTC), finnish) == "1.6.2020 14.05"
    assert moment(datetime(2020, 6, 1, 11, 5, tzinfo=UTC), english) == "1 Jun 2020 14:05"
    now = datetime.now(UTC)
    assert waited(now - timedelta(minutes=5), finnish) == "5 min"
    assert waited(now - timedelta(hours=3), finnish) == "3 t"
    assert waited(now - timedelta(days=3), english) == "3 days"
    assert waited(now + timedelta(days=3), english) == waited(now, english)


def test_first_words_are_one_short_line() -> None:
    assert first_words(" a\n\n b\t") == "a b"
    assert len(first_words("x" * 100_000)) == 161
