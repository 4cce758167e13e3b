"""Dates, weekdays and times of day as Finnish and English write them, each with a value that is the same in both.

A notation is a pattern and a reader: the reader returns, for each fact that a match states, its value followed by
what else the same signs may mean. It knows nothing of the text around them.
"""

import re
from collections.abc import Callable, Iterator

from knowledge.numerals import plain, value
from models import Language

Readings = Iterator[tuple[str, ...]]
Reader = Callable[[re.Match[str], Language | None], Readings]

DASH = r"\s?[–—‑−-]\s?"
JOIN = rf"(?:{DASH}|\s(?:to|and|or|until|through|ja|tai)\s)"

_MONTHS = (
    ("tammi", "jan(?:uary)?"),
    ("helmi", "feb(?:ruary)?"),
    ("maalis", "mar(?:ch)?"),
    ("huhti", "apr(?:il)?"),
    ("touko", "may"),
    ("kesä", "june?"),
    ("heinä", "july?"),
    ("elo", "aug(?:ust)?"),
    ("syys", "sept?(?:ember)?"),
    ("loka", "oct(?:ober)?"),
    ("marras", "nov(?:ember)?"),
    ("joulu", "dec(?:ember)?"),
)
_DAYS = (
    ("maananta", "ma", "mon"),
    ("tiista", "ti", "tue"),
    ("keskiviik", "ke", "wed"),
    ("torsta", "to", "thu"),
    ("perjanta", "pe", "fri"),
    ("lauanta", "la", "sat"),
    ("sunnunta", "su", "sun"),
)
_NAMES = tuple(en for _, _, en in _DAYS)

_D = r"(?:0?[1-9]|[12][0-9]|3[01])"
_M = r"(?:0?[1-9]|1[0-2])"
_Y = r"(?P<y>[12][0-9]{3})"
_TH = r"(?:st|nd|rd|th)?"
_MONTH_FI = rf"(?P<w>(?:{'|'.join(fi for fi, _ in _MONTHS)})kuu\w*)"
_MONTH_EN = rf"(?P<w>(?:{'|'.join(en for _, en in _MONTHS)})\b\.?)"
_MONTH_ALONE = (
    r"January|February|April|June|July|August|September|October|November|December"
    r"|(?<=\b[Ii]n )(?:May|March)|(?<=\b[Oo]f )(?:May|March)|(?<=\b[Uu]ntil )(?:May|March)"
)
_CLOCK = r"(?:2[0-4]|[01]?[0-9])(?:[.:][0-5][0-9])?(?![0-9])"

_LONG_FI = rf"(?:{'|'.join(fi for fi, _, _ in _DAYS)})\w*"
_SHORT_FI = rf"(?:{'|'.join(short for _, short, _ in _DAYS)})"
_LONG_EN = r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?"
_SHORT_EN = r"(?:mon|tues?|wed|thu(?:rs?)?|fri|sat|sun)\.?"


def _date(match: re.Match[str], language: Language | None) -> Readings:
    named = match.groupdict()
    month = _month(named.get("m"), named.get("w"))
    year = named.get("y") or "-"
    head = f"20{year}" if len(year) == 2 else year
    days = [day for day in (named.get("d"), named.get("e")) if day]
    # "Hinta on 5.10." ends with a number as well as it might end with a date.
    number = re.fullmatch(r"([0-9]+\.[0-9]+)\.", match.group())
    also = (f"number:{plain(value(number[1]))}",) if number else ()
    for day in days:
        yield (f"date:{head}-{month:02}-{int(day):02}", *also)
    if not days:
        yield (f"date:{head}-{month:02}",)


def _month(digits: str | None, word: str | None) -> int:
    if digits or not word:
        return int(digits or 0)
    name = word.lower().rstrip(".")
    return next(
        n for n, (fi, en) in enumerate(_MONTHS, 1) if name.startswith(f"{fi}kuu") or re.fullmatch(en, name)
    )  # fmt: skip


def _weekday(match: re.Match[str], language: Language | None) -> Readings:
    named = match.groupdict()
    first, last = _day(match["first"]), named.get("last")
    yield (f"weekdays:{first}-{_day(last)}",) if last else (f"weekday:{first}",)


def _day(word: str) -> str:
    word = word.lower()
    return next(en for fi, short, en in _DAYS if word.startswith((fi, en)) or word == short)


def _half_day(match: re.Match[str], language: Language | None) -> Readings:
    """Read 9 am–4 pm, 9–4 pm and 2:30 p.m."""
    hour, minute = _hour(match["b"])
    late = match["half"].lower().startswith("p")
    end = (hour % 12 + 12 * late, minute)
    if match["a"]:
        hour, minute = _hour(match["a"])
        given = match["first_half"]
        begin = (hour % 12 + 12 * (given.lower().startswith("p") if given else late), minute)
        # "9–4 pm" begins in the morning, "2–4 pm" in the afternoon.
        begin = (begin[0] % 12, minute) if not given and begin > end else begin
        yield (_time(*begin),)
    yield (_time(*end),)


def _clock(match: re.Match[str], language: Language | None) -> Readings:
    for written in (match["a"], match["b"]):
        if written:
            yield (_time(*_hour(written)),)


def clock_or_number(match: re.Match[str], language: Language | None) -> Readings:
    """Read a bare 9–16, which may be hours or two numbers; for a pattern with the groups a and b."""
    for written in (match["a"], match["b"]):
        number = written.replace(":", ".")
        yield (_time(*_hour(written)), f"number:{plain(value(number))}")


def _named_time(match: re.Match[str], language: Language | None) -> Readings:
    yield (_time(0 if match["midnight"] else 12, 0),)


def _fixed(reading: str) -> Reader:
    def read(match: re.Match[str], language: Language | None) -> Readings:
        yield (reading,)

    return read


def _hour(written: str) -> tuple[int, int]:
    hour, _, minute = written.replace(".", ":").partition(":")
    return int(hour), int(minute or 0)


def _time(hour: int, minute: int) -> str:
    return f"time:{hour % 24:02}:{minute:02}"


def may_be(written: str) -> tuple[str, ...]:
    """Return what digits with one full stop may mean besides a number: 9.30 a time, 24.12 a date."""
    parts = re.fullmatch(r"([0-9]{1,2})\.([0-9]{1,2})", written)
    if not parts:
        return ()
    first, second = int(parts[1]), int(parts[2])
    meant = [_time(first, second)] if len(parts[2]) == 2 and first <= 24 and second < 60 else []
    meant += [f"date:--{second:02}-{first:02}"] if 1 <= first <= 31 and 1 <= second <= 12 else []
    return tuple(meant)


def implied(value_: str) -> set[str]:
    """Return what a source's value supports besides itself: a whole date its day and month, Mon–Fri a Tuesday."""
    sort, _, rest = value_.partition(":")
    if sort == "weekdays":
        first, last = (_NAMES.index(day) for day in rest.split("-"))
        return {f"weekday:{_NAMES[n % 7]}" for n in range(first, last + 1 + 7 * (last < first))}
    if sort != "date":
        return set()
    head, tail = (rest[0], rest[1:]) if rest.startswith("-") else (rest[:4], rest[4:])
    return {f"date:-{tail}", f"date:-{tail[:3]}", f"date:{head}{tail[:3]}"}


_I = re.IGNORECASE
DATES: tuple[tuple[re.Pattern[str], Reader], ...] = (
    (re.compile(rf"(?<!\w){_Y}-(?P<m>{_M})-(?P<d>{_D})(?!\w)"), _date),
    (
        re.compile(
            rf"(?<![\w.])(?P<d>{_D})\.(?:{DASH}(?P<e>{_D})\.)?\s?(?:päivä\w*\s)?{_MONTH_FI}(?:\s{_Y})?",
            _I,
        ),
        _date,
    ),
    (re.compile(rf"\b{_MONTH_FI}\s(?P<d>{_D})\.(?:{JOIN}(?P<e>{_D})\.)?(?:\s?päivä\w*)?", _I), _date),
    (
        re.compile(rf"(?<!\w)(?P<d>{_D}){_TH}(?:{JOIN}(?P<e>{_D}){_TH})?\s(?:of\s)?{_MONTH_EN}(?:,?\s{_Y})?(?!\w)", _I),
        _date,
    ),
    (
        re.compile(
            rf"\b{_MONTH_EN}\s(?P<d>{_D}){_TH}(?:{JOIN}(?P<e>{_D}){_TH})?(?!\w|[.,:][0-9])(?:,?\s{_Y}(?!\w))?", _I
        ),
        _date,
    ),
    (re.compile(rf"\b{_MONTH_FI}(?:\s{_Y}(?!\w))?", _I), _date),
    (re.compile(rf"\b(?P<w>{_MONTH_ALONE})\b(?:\s{_Y}(?!\w))?"), _date),
)
TIMES: tuple[tuple[re.Pattern[str], Reader], ...] = (
    (
        re.compile(
            rf"(?<![\w.,:])(?:(?P<a>{_CLOCK})\s?(?P<first_half>[ap]\.?m\b\.?)?{JOIN})?(?P<b>{_CLOCK})\s?"
            r"(?P<half>[ap]\.?m\b\.?)",
            _I,
        ),
        _half_day,
    ),
    (re.compile(rf"\b(?:klo|kello)\.?\s?(?P<a>{_CLOCK})(?:{JOIN}(?:klo\s)?(?P<b>{_CLOCK}))?", _I), _clock),
    (re.compile(r"(?<![\w.,:])(?P<a>(?:2[0-4]|[01]?[0-9]):[0-5][0-9])(?![\w:])(?P<b>)", _I), _clock),
    (
        re.compile(r"\b(?:noon|midday|keskipäiv\w+|puoliltapäivin|(?P<midnight>midnight|keskiyö\w*))(?!\w)", _I),
        _named_time,
    ),
)
# After the times, since "klo 14.30." is one; a full stop after day and month is what tells a date from a number.
SHORT_DATES: tuple[tuple[re.Pattern[str], Reader], ...] = (
    (
        re.compile(
            rf"(?<![\w.,])(?P<d>{_D})\.(?:{DASH}(?P<e>{_D})\.)?(?P<m>{_M})\."
            r"(?P<y>[12][0-9]{3}(?!\w)|[0-9]{2}(?![\w.:]))?(?![0-9])"
        ),
        _date,
    ),
    (re.compile(rf"(?<![\w/])(?P<d>{_D})/(?P<m>{_M})/{_Y}(?![\w/])"), _date),
)
WEEKDAYS: tuple[tuple[re.Pattern[str], Reader], ...] = (
    (
        re.compile(rf"(?<![\w-])(?P<first>{_LONG_FI}|{_SHORT_FI}){DASH}(?P<last>{_LONG_FI}|{_SHORT_FI})(?!\w)", _I),
        _weekday,
    ),
    (re.compile(rf"\b(?P<first>{_LONG_FI}(?<=sta))\s(?P<last>{_LONG_FI}(?:(?<=hin)|(?<=oon)))(?!\w)", _I), _weekday),
    (
        re.compile(
            rf"(?<![\w-])(?P<first>{_LONG_EN}|{_SHORT_EN})(?:{DASH}|\s(?:to|through|until)\s)"
            rf"(?P<last>{_LONG_EN}|{_SHORT_EN})(?!\w)",
            _I,
        ),
        _weekday,
    ),
    (
        re.compile(r"\b(?:arkisin|arkipäivisin|arkena|(?:on\s)?weekdays|every\sweekday)(?!\w)", _I),
        _fixed("weekdays:mon-fri"),
    ),
    (re.compile(r"\b(?:viikonlop\w*|weekends?)(?!\w)", _I), _fixed("weekdays:sat-sun")),
    (re.compile(rf"\b(?P<first>{_LONG_FI}|{_LONG_EN})(?!\w)", _I), _weekday),
    (re.compile(r"\b(?P<first>Mon|Tue|Tues|Wed|Thu|Thurs|Fri|Sat|Sun)\b\.?"), _weekday),
    (re.compile(r"\b(?P<first>ma|ti|ke|pe|la|su)(?=\s(?:klo\s)?[0-9])", _I), _weekday),
)
BARE_HOURS = re.compile(rf"(?<![\w.,:+-])(?P<a>{_CLOCK}){DASH}(?P<b>{_CLOCK})(?![\w:]|[.,][0-9])")
