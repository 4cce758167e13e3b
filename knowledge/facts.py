"""The checkable facts in a text, in Finnish and English notation, each with a value that is the same in both.

9,90 € = €9.90 = 9.90 euros; 24.12. = Dec 24 = 24. joulukuuta; klo 14 = 14:00 = 2 pm; 1 200 = 1,200; kaksi viikkoa =
14 days. It knows notation; what a fact is about, and whether it is true, is for `grounding`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from knowledge import dates
from knowledge.dates import JOIN, Reader, Readings
from knowledge.numerals import DIGITS, WORDS, is_pronoun, plain, value
from models import Language

Kind = Literal["email", "url", "phone", "date", "time", "money", "percent", "quantity", "code", "number"]


_SENTENCE = 500  # characters; what is longer is a message, and read once


@dataclass(frozen=True)
class Fact:
    """One fact: `text` is how it is written, at [start, end); `value` is what it says, whatever the notation.

    `also` are the other values that the same signs may mean: 9.30 is a number, and half past nine.
    """

    kind: Kind
    value: str
    text: str
    start: int
    end: int
    also: tuple[str, ...] = ()

    def says(self) -> set[str]:
        """Return the values of which a source must offer one."""
        return {self.value, *self.also}

    def offers(self) -> set[str]:
        """Return the values that this fact in a source supports: 24.12.2026 supports 24.12., Mon–Fri a Tuesday."""
        return self.says().union(*(dates.implied(said) for said in self.says()))


def facts(text: str, language: Language | None = None) -> list[Fact]:
    """Return the facts of a text in the order in which they stand there.

    A range is two facts with the same `text`. `language` decides what `1,200` is: 1.2 in Finnish, 1200 otherwise.
    """
    return list(_sentence_facts(text, language) if len(text) <= _SENTENCE else _read(text, language))


@lru_cache(maxsize=2048)
def _sentence_facts(text: str, language: Language | None) -> list[Fact]:
    """Read a sentence once: a check meets the same ones again and again."""
    return _read(text, language)


def _read(text: str, language: Language | None) -> list[Fact]:
    found: list[Fact] = []
    rest = text
    for kind, pattern, read in _NOTATIONS:
        spans: list[tuple[int, int]] = []
        for match in pattern.finditer(rest):
            readings = list(read(match, language))
            written = text[match.start() : match.end()].strip(" \u00a0.,;:–-")
            found += [Fact(kind, first, written, *match.span(), tuple(also)) for first, *also in readings]
            if readings:
                spans.append(match.span())
        rest = _without(rest, spans)
    return sorted(found, key=lambda fact: (fact.start, fact.end))


def unsupported(said: Iterable[Fact], sources: Iterable[Fact]) -> list[Fact]:
    """Return the facts that no source offers, in order."""
    offered: set[str] = set()
    for source in sources:
        offered |= source.offers()
    return [fact for fact in said if not fact.says() & offered]


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """Return the text with the spans blotted out at the same length, so that no later notation reads them again."""
    parts, at = [], 0
    for start, end in spans:
        parts += [text[at:start], "\x00" * (end - start)]
        at = end
    return "".join([*parts, text[at:]])


_BEFORE = r"(?<![\w.,+‑-])"
_GAP = r"[ \u00a0\u2009\u202f‑-]?"
_NUMBER = rf"(?:{_BEFORE}[−-]?{DIGITS}|(?<![\w-]){WORDS})"
_AMOUNTS = rf"(?P<a>{_NUMBER})(?:{JOIN}(?P<b>{DIGITS}|{WORDS}))?{_GAP}"

_CURRENCIES = (
    ("EUR", 100, r"snt|sentti\w*|sent(?:in|illä|ttiä)|(?:euro\s)?cents?"),
    ("EUR", 1, r"€|eur|euro\w*|e(?!-)"),
    ("USD", 1, r"\$|usd|doll?ar\w*"),
    ("GBP", 1, r"£|gbp|pounds?|punta\w*|punna\w*"),
    ("SEK", 1, r"sek|kruunu\w*|kr"),
)
_UNITS = (
    # the quantity, how many of it one unit is, how the unit is written
    ("workday", "1", r"(?:business|working|work)[ -]days?|weekdays|arkipäiv\w*|työpäiv\w*"),
    ("day", "1", r"days?|päiv\w*|vuorokau\w*|vrk|pv"),
    ("day", "7", r"weeks?|viik\w*|vko\w*"),
    ("month", "1", r"months?|kuukau\w*|kk"),
    ("month", "12", r"years?|yrs?|vuo(?:si|tta|de|te|ti)\w*"),
    ("minute", "60", r"hours?|hrs?|h|tun(?:ti|ni|te|ne)\w*"),
    ("minute", "1", r"min(?:ute)?s?|minuut\w*"),
    ("second", "1", r"sec(?:ond)?s?|sekun\w*|s"),
    ("gram", "1000", r"kg|kilos?|kilograms?|kilo(?:a|n|lla|lle|sta|ksi|gramma\w*)|kiloi\w*"),
    ("gram", "1", r"g|gram(?:me)?s?|gramm\w*"),
    ("gram", "0.001", r"mg|milligram(?:me)?s?|milligramm\w*"),
    ("litre", "1", r"l|lit(?:re|er)s?|litra\w*|litro\w*"),
    ("litre", "0.1", r"dl|decilit(?:re|er)s?|desi\w*"),
    ("litre", "0.001", r"ml|millilit(?:re|er)s?|millilitr\w*"),
    ("metre", "1000", r"km|kilomet(?:re|er)s?|kilomet\w*"),
    ("metre", "1", r"m|met(?:re|er)s?|metri\w*"),
    ("metre", "0.01", r"cm|centimet(?:re|er)s?|sent(?:ti)?met\w*"),
    ("metre", "0.001", r"mm|millimet\w*"),
    ("fahrenheit", "1", r"°\s?f|fahrenheit\w*"),
    ("degree", "1", r"°\s?c|°|degrees?(?:\scelsius)?|aste\w*"),
    ("watt", "1", r"w|watts?|watti\w*"),
    ("bar", "1", r"bars?|baar\w*"),
    ("piece", "1", r"kpl|kappale\w*|pcs|pieces?"),
    ("person", "1", r"people|persons?|henkilö\w*|henke\w*|hlö\w*"),
    ("point", "1", r"points?|piste\w*"),
)
_CURRENCY = "|".join(f"(?P<c{n}>{written})" for n, (_, _, written) in enumerate(_CURRENCIES))
_UNIT = "|".join(f"(?P<u{n}>{written})" for n, (_, _, written) in enumerate(_UNITS))


def _email(match: re.Match[str], language: Language | None) -> Readings:
    yield (f"email:{match.group().lower()}",)


def _url(match: re.Match[str], language: Language | None) -> Readings:
    bare = re.sub(r"^https?://", "", match.group().rstrip(".,;:!?)'\"”"), flags=re.IGNORECASE)
    host, slash, path = bare.partition("/")
    yield (f"url:{host.lower().removeprefix('www.')}{slash}{path}".rstrip("/"),)


def _phone(match: re.Match[str], language: Language | None) -> Readings:
    written = match.group()
    digits = re.sub(r"[^0-9]", "", written.replace("(0)", ""))
    if not 6 <= len(digits) <= 15:
        return
    if written.startswith("+") or digits.startswith("00"):
        digits = digits.removeprefix("00")
        digits = f"0{digits[3:]}" if digits.startswith("358") else f"+{digits}"
    yield (f"phone:{digits}",)


def _money(match: re.Match[str], language: Language | None) -> Readings:
    currency, parts, _ = next(c for n, c in enumerate(_CURRENCIES) if match[f"c{n}"])
    for written in _amounts(match):
        yield (f"money:{plain(value(written, language) / parts)}:{currency}",)


def _percent(match: re.Match[str], language: Language | None) -> Readings:
    for written in _amounts(match):
        yield (f"percent:{plain(value(written, language))}",)


def _quantity(match: re.Match[str], language: Language | None) -> Readings:
    quantity, factor, _ = next(u for n, u in enumerate(_UNITS) if match[f"u{n}"])
    for written in _amounts(match):
        yield (f"{quantity}:{plain(value(written, language) * Decimal(factor))}",)


def _number(match: re.Match[str], language: Language | None) -> Readings:
    for written in _amounts(match):
        if not is_pronoun(written):
            yield (f"number:{plain(value(written, language))}", *dates.may_be(written))


def _amounts(match: re.Match[str]) -> list[str]:
    return [written for written in (match["a"], match["b"]) if written]


def _slashed(match: re.Match[str], language: Language | None) -> Readings:
    yield (f"number:{match.group()}",)


def _account(match: re.Match[str], language: Language | None) -> Readings:
    yield (f"code:{match.group().replace(' ', '')}",)


def _code(match: re.Match[str], language: Language | None) -> Readings:
    # "KAHVI10-koodilla" and "3-vaiheinen" go on with a plain word, which is no part of the code.
    parts = re.split("[-‑]", match.group())
    while len(parts) > 1 and parts[-1].isalpha() and parts[-1].islower():
        parts.pop()
    code = "-".join(parts)
    if ordinal := re.fullmatch(r"([0-9]+)(?:st|nd|rd|th|x)?", code, re.IGNORECASE):
        yield (f"number:{plain(Decimal(ordinal[1]))}",)
    elif any(sign.isdigit() for sign in code) or (code.isalpha() and code.isupper() and len(code) >= 4):
        yield (f"code:{code.upper()}",)


def _any_case(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _dated(
    kind: Kind, notations: Iterable[tuple[re.Pattern[str], Reader]]
) -> list[tuple[Kind, re.Pattern[str], Reader]]:
    return [(kind, pattern, read) for pattern, read in notations]


# In this order, since each reads what those before have left: "+358 3 555 0142" is no number, "9–16 €" no time.
_NOTATIONS: tuple[tuple[Kind, re.Pattern[str], Reader], ...] = (
    ("code", re.compile(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"), _account),
    ("code", re.compile(r"(?<![\w-])[0-9]{6,8}[-+A][0-9A-Z]{1,8}(?![\w-])"), _account),
    ("email", _any_case(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[a-z]{2,24}\b"), _email),
    ("url", _any_case(r"\b(?:https?://|www\.)[^\s<>\"”]+"), _url),
    ("url", re.compile(r"(?<![\w.@-])(?:[a-zåäö0-9-]{2,63}\.){1,6}[a-zåäö]{2,24}(?![\w-])(?:/[^\s<>\"”]*)?"), _url),
    (
        "phone",
        re.compile(
            r"(?<![\w+.,-])(?:\+[0-9]|\(?0[0-9])[0-9]{0,13}\)?(?:[ \u00a0-](?:\(0\))?[0-9]{1,3}(?![0-9.,]))?"
            r"(?:[ \u00a0-][0-9]{2,8}){0,4}(?![\w]|[.,:][0-9])"
        ),
        _phone,
    ),
    *_dated("date", dates.DATES),
    *_dated("time", dates.TIMES),
    *_dated("date", dates.SHORT_DATES),
    *_dated("date", dates.WEEKDAYS),
    ("money", _any_case(rf"{_AMOUNTS}(?:{_CURRENCY})(?!\w)"), _money),
    ("money", _any_case(rf"(?<!\w)(?:{_CURRENCY})\s?(?P<a>{DIGITS})(?:{JOIN}[€$£]?(?P<b>{DIGITS}))?"), _money),
    ("percent", _any_case(rf"{_AMOUNTS}(?:%|percent|per\scent|prosent\w*)(?!\w)"), _percent),
    ("quantity", _any_case(rf"{_AMOUNTS}(?:{_UNIT})(?!\w)"), _quantity),
    ("number", re.compile(r"(?<![\w/])[0-9]{1,4}/[0-9]{1,4}(?![\w/])"), _slashed),
    ("time", dates.BARE_HOURS, dates.clock_or_number),
    (
        "code",
        re.compile(
            r"(?<![\w-])(?=[0-9‑-]{0,30}[^\W\d_])(?=[^\W\d_‑-]{0,30}(?:[-‑]?[^\W\d_]{1,30}){0,4}[-‑]?[0-9]|[^\W\da-zåäö_]{4})"
            r"[^\W_]+(?:[-‑][^\W_]+)*(?!\w|[.,][0-9])"
        ),
        _code,
    ),
    ("number", _any_case(rf"(?P<a>{_NUMBER})(?:{JOIN}(?P<b>{DIGITS}|{WORDS}))?"), _number),
)
