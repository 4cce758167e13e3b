"""Numbers as people write them, in digits and in words, Finnish and English: 1 200, 1,200, 9,90, kaksi, kahdentoista.

It knows notation alone: `DIGITS` and `WORDS` are patterns for larger ones, `value` reads what they match.
"""

import re
from decimal import Decimal

from models import Language

_BLANK = r"[ \u00a0\u2009\u202f]"
# Groups are bounded: a stranger may send a hundred thousand of them, each a beginning to try.
DIGITS = (
    rf"(?:[0-9]{{1,3}}(?:{_BLANK}[0-9]{{3}}){{1,4}}(?:,[0-9]{{1,4}})?"
    r"|[0-9]{1,3}(?:,[0-9]{3}){1,4}(?:\.[0-9]{1,4})?"
    r"|[0-9]+(?:[.,][0-9]{1,4})?)(?![0-9])"
)
"""A number in digits; the caller says what may stand before it."""

_CASES = r"(?:a|ä|n|en|ssa|ssä|sta|stä|lla|llä|lta|ltä|lle|ksi|na|nä|een|ään)?"
_UNITS = (
    (1, r"yksi|yhtä|yhde(?:n|ssä|stä|llä|ltä|lle|ksi)|yhteen", "one"),
    (2, r"kaksi|kahta|kahde(?:n|ssa|sta|lla|lta|lle|ksi)|kahteen", "two"),
    (3, rf"kolme{_CASES}", "three"),
    (4, rf"neljä{_CASES}", "four"),
    (5, r"viisi|viittä|viide[nksl]\w{0,3}|viiteen", "five"),
    (6, r"kuusi|kuutta|kuude[nksl]\w{0,3}|kuuteen", "six"),
    (7, r"seitsemä(?:n|ä|ssä|stä|llä|ltä|lle|ksi|än)", "seven"),
    (8, r"kahdeksa(?:n|a|ssa|sta|lla|lta|lle|ksi|an)", "eight"),
    (9, r"yhdeksä(?:n|ä|ssä|stä|llä|ltä|lle|ksi|än)", "nine"),
    (10, r"kymmenen|kymmentä|kymmene(?:ssä|stä|llä|ltä|lle|ksi|en)", "ten"),
)
_TEENS = ["eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_UNIT_FI = "|".join(fi for _, fi, _ in _UNITS)
_UNIT_EN = "|".join(en for _, _, en in _UNITS)

WORDS = (
    rf"(?:(?:{_UNIT_FI})(?:toista|kymmentä|kymmenen)?|puolitoista|puoli|puolen"
    rf"|(?:{'|'.join(_TENS)})(?:-(?:{_UNIT_EN}))?|{'|'.join(_TEENS)}|{_UNIT_EN}|half an?)(?!\w)"
)
"""A number in words; "yksi" and "puoli" are among them, so what stands after must be a unit."""

_ALONE = re.compile(r"(?:yksi|yhtä|yhde(?!ksä)\w+|yhteen|one|puoli\w*|puolen|half an?)$", re.IGNORECASE)


def is_pronoun(word: str) -> bool:
    """Return whether a number word means no number where no unit follows it: "one of us", "yksi meistä"."""
    return _ALONE.match(word) is not None


def value(written: str, language: Language | None = None) -> Decimal:
    """Return the number that `DIGITS` or `WORDS` matched. `1,200` is 1.2 in Finnish, else 1200."""
    word = written.lower()
    if word[-1].isalpha():
        return _word(word)
    digits = re.sub(r"\s", "", word).replace("−", "-")
    if re.fullmatch(r"-?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?", digits) and (language != "fi" or "." in digits):
        return Decimal(digits.replace(",", ""))
    return Decimal(digits.replace(",", "."))


def plain(number: Decimal) -> str:
    """Return 10 for 10.00 and 0.5 for 0.50, never with an exponent, so that equal numbers are equal strings."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.lstrip("0") if text.lstrip("0")[:1].isdigit() else text or "0"


def _word(word: str) -> Decimal:
    if word.startswith(("puolitoista", "puol", "half")):
        return Decimal("1.5") if word == "puolitoista" else Decimal("0.5")
    if word in _TEENS:
        return Decimal(11 + _TEENS.index(word))
    tens, _, unit = word.partition("-")
    if tens in _TENS:
        return Decimal(20 + 10 * _TENS.index(tens)) + (_word(unit) if unit else 0)
    for ending, add, times in (("toista", 10, 1), ("kymmentä", 0, 10), ("kymmenen", 0, 10)):
        if word.endswith(ending) and word != ending:
            return _word(word.removesuffix(ending)) * times + add
    return Decimal(next(n for n, fi, en in _UNITS if re.fullmatch(f"{fi}|{en}", word)))
