"""Sentences made false, and sentences said in another notation: what the grounding check has to tell apart."""

import re
from collections.abc import Callable
from random import Random

Change = Callable[[Random, str], str | None]

_UNITS = (
    ("days", "weeks"), ("weeks", "days"), ("months", "years"), ("hours", "days"), ("minutes", "hours"),
    ("working days", "days"), ("€", "$"), (" g", " kg"), (" kg", " g"), ("°C", "°F"), ("litre", "decilitre"),
    ("päivän", "viikon"), ("päivää", "viikkoa"), ("viikkoa", "päivää"), ("viikon", "päivän"), ("kuukautta", "vuotta"),
    ("kuukauden", "vuoden"), ("tunnin", "päivän"), ("minuuttia", "tuntia"), ("arkipäivää", "päivää"), ("€", "$"),
    ("grammaa", "kiloa"), ("litra", "desilitra"), ("arkipäivän", "päivän"), ("vuoden", "kuukauden"),
)  # fmt: skip
_MONTHS = (
    ("December", "November"), ("January", "June"), ("24.12.", "24.11."), ("August", "July"), ("May", "June"),
    ("joulukuuta", "marraskuuta"), ("elokuu", "heinäkuu"), ("kesäkuu", "toukokuu"), ("Monday", "Tuesday"),
    ("Saturday", "Sunday"), ("Friday", "Thursday"), ("maanantai", "tiistai"), ("lauantai", "sunnuntai"),
    ("perjanta", "torsta"), ("arkisin", "viikonloppuisin"), ("weekdays", "weekends"),
)  # fmt: skip
_DENIALS = {
    "en": (
        (r"\bcannot\b", "can"), (r"\bdo not (?=[a-z])", ""), (r"\bis not\b", "is"), (r"\bare not\b", "are"),
        (r"\bdoes not\b", "does"), (r"\bcan\b", "cannot"), (r"\bis\b", "is not"), (r"\bare\b", "are not"),
        (r"\bmay\b", "may not"), (r"\bcosts\b", "does not cost"), (r"\btakes\b", "does not take"),
        (r"\bwe send\b", "we do not send"), (r"\bWe send\b", "We do not send"),
    ),
    "fi": (
        (r"\bei ole\b", "on"), (r"\bei voi\b", "voi"), (r"\bei tarvitse\b", "tarvitsee"), (r"\beivät ole\b", "ovat"),
        (r"\bet voi\b", "voit"), (r"\bon\b", "ei ole"), (r"\bovat\b", "eivät ole"), (r"\bvoit\b", "et voi"),
        (r"\bVoit\b", "Et voi"), (r"\bvoi\b", "ei voi"), (r"\bmaksaa\b", "ei maksa"), (r"\bkestää\b", "ei kestä"),
        (r"\bsaat\b", "et saa"), (r"\bLähetämme\b", "Emme lähetä"), (r"\blähetämme\b", "emme lähetä"),
    ),
}  # fmt: skip
_DENIED = re.compile(r"\b(?:not|cannot|no|nobody|nothing|none|never|ei|eivät|et|emme|eikä|eivätkä)\b", re.IGNORECASE)


def _digit(rng: Random, sentence: str) -> str | None:
    """Change one digit of a number that is no part of an address or a code."""
    places = [m.start() for m in re.finditer(r"(?<![\w./@-])[0-9]|(?<=[0-9])[0-9]", sentence)]
    return _changed_digit(rng, sentence, places)


def _phone(rng: Random, sentence: str) -> str | None:
    """Change one digit of a telephone number."""
    number = re.search(r"\+[0-9][0-9 ]{7,}", sentence)
    return number and _changed_digit(
        rng, sentence, [i for i in range(number.start() + 4, number.end()) if sentence[i].isdigit()]
    )


def _url(rng: Random, sentence: str) -> str | None:
    """Change one letter of an address."""
    address = re.search(r"https?://[\w./-]*\w|[\w.]+@[\w.]+\w", sentence)
    if not address:
        return None
    place = rng.choice([i for i in range(address.start() + 8, address.end()) if sentence[i].isalpha()])
    letter = rng.choice([c for c in "aeioukst" if c != sentence[place].lower()])
    return sentence[:place] + letter + sentence[place + 1 :]


def _unit(rng: Random, sentence: str) -> str | None:
    return _swapped(
        rng, sentence, [(a, b) for a, b in _UNITS if re.search(rf"[0-9]\s?{re.escape(a.strip())}(?!\w)", sentence)]
    )


def _date(rng: Random, sentence: str) -> str | None:
    return _swapped(rng, sentence, [(a, b) for a, b in _MONTHS if a in sentence])


def _negation(rng: Random, sentence: str) -> str | None:
    """Deny what is asserted, or assert what is denied; never deny twice."""
    denials = _DENIALS["en" if re.search(r"\b(?:the|a|of|you|we|our|and|is|are|to)\b", sentence) else "fi"]
    denied = _DENIED.search(sentence) is not None
    fitting = [pair for pair in denials if re.search(pair[0], sentence) and denied == bool(_DENIED.search(pair[0]))]
    if not fitting:
        return None
    old, new = rng.choice(fitting)
    return re.sub(old, new, sentence, count=1)


def _changed_digit(rng: Random, sentence: str, places: list[int]) -> str | None:
    if not places:
        return None
    place = rng.choice(places)
    digit = rng.choice([d for d in "123456789" if d != sentence[place]])
    return sentence[:place] + digit + sentence[place + 1 :]


def _swapped(rng: Random, sentence: str, fitting: list[tuple[str, str]]) -> str | None:
    if not fitting:
        return None
    old, new = rng.choice(fitting)
    return sentence.replace(old, new)


CORRUPTIONS: dict[str, Change] = {
    "digit": _digit, "unit": _unit, "date": _date, "url": _url, "phone": _phone, "negation": _negation
}  # fmt: skip


_NOTATIONS = (
    (r"€([0-9]+(?:\.[0-9]+)?)(?![–0-9])", r"\1 euros"), (r"([0-9]+(?:,[0-9]+)?) €", r"\1 euroa"),
    (r"([0-9]+(?:,[0-9]+)?) €", r"\1 EUR"),
    (r"([0-9])–([0-9])", r"\1-\2"), (r"working days", "business days"), (r"\b([0-9]+) pm", r"\1 p.m."),
    (r"klo ([0-9]+)–([0-9]+)", r"klo \1.00–\2.00"), (r"\b4 pm", "16:00"), (r"\b7 days", "one week"),
    (r"\b14 days", "two weeks"), (r"\b14 päivän", "kahden viikon"), (r"(?<![0-9.,–])(?<![0-9] )2 (?=[a-z])", "two "),
    (r"\+358 3 ", "03 "), (r"([0-9]) %", r"\1 prosenttia"), (r"([0-9])%", r"\1 percent"), (r"https://", ""),
    (r"12 kuukautta", "1 vuosi"), (r"24\.12\.", "24. joulukuuta"), (r"24 December", "Dec 24"),
)  # fmt: skip


def restated(sentence: str) -> list[str]:
    """Return faithful forms of a sentence: as it is, begun with an assent, in other notations of the same facts."""
    forms = [sentence, f"Yes, {sentence[:1].lower()}{sentence[1:]}", f"Kyllä, {sentence[:1].lower()}{sentence[1:]}"]
    return forms + [form for old, new in _NOTATIONS if (form := re.sub(old, new, sentence)) != sentence]
