"""Templates → HTML, in the reader's language, with dates and numbers as that language writes them.

Every value is escaped unless a template says otherwise, and none does. It knows nothing of the database.
"""

from datetime import UTC, datetime, time, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.numbers import format_decimal, format_percent
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.web.translations import LANGUAGES, translations

TIMEZONE = ZoneInfo("Europe/Helsinki")
STATIC = Path(__file__).parent / "static"
_TEMPLATES = Path(__file__).parent / "templates"
_FIRST_WORDS = 160


def render(template: str, language: str, **values: Any) -> str:
    """Return the page `template` in `language` (one of LANGUAGES)."""
    return environment(language).get_template(template).render(language=language, **values)


@cache
def environment(language: str) -> Environment:
    """Return the templates of one language; a name that a template lacks is an error, not an empty place."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.policies["ext.i18n.trimmed"] = True
    cast("Any", made).install_gettext_translations(translations(language), newstyle=True)
    locale = Locale.parse("en_GB" if language == "en" else language)
    made.filters.update(
        moment=lambda when: moment(when, locale),
        full_moment=lambda when: format_datetime(when, "full", tzinfo=TIMEZONE, locale=locale),
        waited=lambda since: waited(since, locale),
        day=lambda day: format_date(day, "medium", locale=locale),
        first_day=lambda moment: edge_of_validity(moment, locale),
        last_day=lambda moment: edge_of_validity(moment, locale, last=True),
        percent=lambda share: format_percent(share, locale=locale),
        number=lambda value: format_decimal(value, locale=locale),
        first_words=first_words,
        is_web_address=is_web_address,
        language_name=lambda code: locale.languages.get(code, code),
    )
    made.globals.update(asset=asset, languages=LANGUAGES, own_language_name=_own_name)
    return made


def moment(when: datetime, locale: Locale) -> str:
    """Return when something happened as briefly as is clear: today only the time, this year no year."""
    local, now = when.astimezone(TIMEZONE), datetime.now(TIMEZONE)
    clock = format_time(local, "short", tzinfo=TIMEZONE, locale=locale)
    if local.date() == now.date():
        return clock
    skeleton = "d.M." if locale.language == "fi" else "d MMM"
    if local.year != now.year:
        skeleton = "d.M.y" if locale.language == "fi" else "d MMM y"
    return f"{format_date(local.date(), skeleton, locale=locale)} {clock}"


def waited(since: datetime, locale: Locale) -> str:
    """Return how long it is since then, in one unit ("5 min", "2 hr"); a clock that runs ahead counts as no time."""
    since_then = max(datetime.now(UTC) - since, timedelta())
    return format_timedelta(since_then, granularity="minute", threshold=1.5, format="short", locale=locale)


def edge_of_validity(moment: datetime, locale: Locale, *, last: bool = False) -> str:
    """Return when a window of validity begins or (`last`) ends: a whole day as the day, an end as the last that counts.

    Windows are kept in UTC, and an end as the first moment that does not count.
    """
    utc = moment.astimezone(UTC)
    if utc.time() != time():
        return format_datetime(moment, "medium", tzinfo=TIMEZONE, locale=locale)
    return format_date((utc - timedelta(days=1) if last else utc).date(), "medium", locale=locale)


def first_words(text: str) -> str:
    """Return the beginning of `text` on one line."""
    line = " ".join(text[: _FIRST_WORDS * 4].split())
    return line if len(line) <= _FIRST_WORDS else line[:_FIRST_WORDS].rstrip() + "…"


def is_web_address(url: str | None) -> bool:
    """Tell whether `url` may be offered as a link: a source's address could also be `javascript:`."""
    return bool(url) and urlsplit(url or "").scheme in ("http", "https")


@cache
def asset(name: str) -> str:
    """Return the address of a file in static/, which changes with its content so that browsers may keep it for good."""
    digest = sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def _own_name(language: str) -> str:
    """Return what a language calls itself, as a language switch should say it."""
    return cast("str", Locale.parse(language).get_display_name(language)).capitalize()
