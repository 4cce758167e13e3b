"""The words of the pages in each language.

English is written in the templates themselves; every other language has one `locale/LANGUAGE.po`, which is read as it
is when a process starts, so that nothing is compiled and nothing can be out of date. Run as a program it tells which
strings lack a translation and which translations nobody uses (exit 1); with `update` it brings the files in line with
the templates first. It knows nothing of requests.
"""

import sys
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

LANGUAGES = ("fi", "en")
SOURCE_LANGUAGE = "en"
_HERE = Path(__file__).parent
_LOCALE = _HERE / "locale"
_HEADER = r"""msgid ""
msgstr ""
"Language: {language}\n"
"Content-Type: text/plain; charset=utf-8\n"
"Content-Transfer-Encoding: 8bit\n"
"Plural-Forms: {plurals}\n"

"""


@cache
def translations(language: str) -> NullTranslations:
    """Return the translations of one of LANGUAGES; those of English give back what they get."""
    if language == SOURCE_LANGUAGE:
        return NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, _written(_po(language)))
    compiled.seek(0)
    return GNUTranslations(compiled)


def best_language(accepted: str) -> str:
    """Return the one of LANGUAGES that an Accept-Language header (RFC 9110) prefers; the first where it likes none."""
    wanted: list[tuple[float, str]] = []
    for part in accepted.split(","):
        tag, _, parameter = part.strip().partition(";")
        language = tag.strip().lower().split("-")[0]
        try:
            quality = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        if language in LANGUAGES and quality > 0:
            wanted.append((quality, language))
    return max(wanted, key=lambda pair: pair[0])[1] if wanted else LANGUAGES[0]


def problems(templates: Path = _HERE / "templates", locale: Path = _LOCALE) -> list[str]:
    """Return one sentence for each string that is missing, unused, unsure or wrongly formed in a `.po` file."""
    used = _used(templates)
    found = []
    for path in sorted(locale.glob("*.po")):
        catalog = _written(path)
        needed, written = [[message for message in one if message.id] for one in (used, catalog)]
        found += [f"{path.name}: {one.id!r} is not translated." for one in needed if not _translated(catalog, one)]
        found += [f"{path.name}: {one.id!r} is not used any more." for one in written if one.id not in used]
        found += [f"{path.name}: {one.id!r} is marked as unsure (fuzzy)." for one in written if one.fuzzy]
        for message, errors in catalog.check():
            found += [f"{path.name}: {message.id!r}: {error}." for error in errors]
    return found


def update(templates: Path = _HERE / "templates", locale: Path = _LOCALE) -> None:
    """Bring every `.po` file in line with the templates: new strings are added empty, unused ones are left out."""
    used = _used(templates)
    for path in sorted(locale.glob("*.po")):
        catalog = _written(path)
        catalog.update(used, no_fuzzy_matching=True, update_creation_date=False)
        _write(path, catalog)


def _po(language: str) -> Path:
    return _LOCALE / f"{language}.po"


def _written(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.stem)


def _write(path: Path, catalog: Catalog) -> None:
    """Write the catalog without times and places, which would make every change look like many."""
    with path.open("wb") as file:
        file.write(_HEADER.format(language=path.stem, plurals=catalog.plural_forms).encode())
        write_po(file, catalog, width=110, omit_header=True, ignore_obsolete=True, sort_output=True, no_location=True)


def _used(templates: Path) -> Catalog:
    """Return every string that the templates mark for translation."""
    catalog = Catalog()
    methods = [("**.html", "jinja2.ext:babel_extract")]
    options = {"**.html": {"trimmed": "true", "silent": "false", "newstyle_gettext": "true"}}
    for _file, _line, message, _comments, context in extract_from_dir(templates, methods, options):
        catalog.add(message, context=context)
    return catalog


def _translated(catalog: Catalog, message: Message) -> bool:
    """Tell whether the catalog has every form of the message in its language."""
    written = catalog.get(message.id, message.context)
    if written is None or not written.string:
        return False
    return all(written.string) if isinstance(written.string, list | tuple) else True


def main() -> int:
    """Check (or first `update`) the translations; returns the exit status."""
    if sys.argv[1:] == ["update"]:
        update()
    elif sys.argv[1:]:
        print("Use: python -m api.web.translations [update]", file=sys.stderr)  # noqa: T201
        return 2
    found = problems()
    for sentence in found:
        print(sentence, file=sys.stderr)  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
