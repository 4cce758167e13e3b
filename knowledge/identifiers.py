"""Where a text holds an identifier that has a form: addresses, numbers and codes that belong to somebody.

Each notation reads what those before it have left, so that an account number is no telephone number. What is no
identifier but looks like one (prices, dates, times) is read as well, and let be. Knows no names: that is `names`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address
from typing import NamedTuple

import phonenumbers
from stdnum import iban, luhn
from stdnum.fi import hetu

from knowledge.keywords import stems

BLOT = "\x00"
"""Stands, any number of times, where something was found already; no notation reads across it."""

_I = re.IGNORECASE
_WORTH_A_LOOK = re.compile(r"\d|@|[(\[]at[)\]]|\.(?:com|me)/|://|www\.", _I)


class Found(NamedTuple):
    """An identifier at [start, end) of the text; `type` "" is what looks like one and is none."""

    start: int
    end: int
    type: str


def find_identifiers(text: str) -> list[Found]:
    """Return the identifiers of a text in order, none of them overlapping."""
    found: list[Found] = []
    if not _WORTH_A_LOOK.search(text):
        return found
    for type_, pattern, accepts in _NOTATIONS:
        fresh = []
        for match in pattern.finditer(text):
            start, end = match.span("it") if "it" in pattern.groupindex else match.span()
            if start < end and accepts(match):
                fresh.append(Found(start, end, type_))
        found += fresh
        text = blotted(text, fresh)
    return sorted(one for one in found if one.type)


def blotted(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    """Return the text with spans, which are in order, blotted out at the same length."""
    parts, at = [], 0
    for start, end, _ in spans:
        parts += [text[at:start], BLOT * (end - start)]
        at = end
    return "".join([*parts, text[at:]])


def key(type_: str, written: str) -> str:
    """Return an identifier as one and the same, however it is written: 040 555 0161 and +358405550161.

    Of an address it is the street and its number, in any case: Usvakuja 4, Usvakujalla 4.
    """
    plain = re.sub(r"[^\w@.]", "", written.casefold())
    if type_ == "phone":
        plain = _international(written) or plain
    elif type_ == "email":
        plain = written.casefold()
    elif type_ == "address":
        street = re.match(r"\D*\d+", written)
        plain = " ".join(stems(street.group() if street else written, "fi"))
    elif type_ == "url":
        plain = re.sub(r"^https?://(?:www\.)?", "", written.casefold()).rstrip("/")
    elif type_ not in ("ip", "handle"):
        return f"number:{re.sub(r'[^0-9a-zåäö]', '', plain)}"
    return f"{type_}:{plain}"


def _international(written: str) -> str | None:
    try:
        number = phonenumbers.parse(written, "FI")
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _always(match: re.Match[str]) -> bool:
    return True


def _is_private_url(match: re.Match[str]) -> bool:
    """Return whether a link carries a query, a sign-in, or a long code in its path."""
    url = match.group()
    host_and_path, query, _ = url.partition("?")
    path = re.sub(r"^\w+://", "", host_and_path)
    return (
        bool(query)
        or "@" in path.partition("/")[0]
        or bool(re.search(r"/(?=[\w-]*\d{4})[\w-]{12,}|/[\w/-]*\d{5}", path))
    )


def _is_account(match: re.Match[str]) -> bool:
    written = match["it"]
    return iban.is_valid(written) or bool(re.match(r"fi", written, _I))


def _is_card(match: re.Match[str]) -> bool:
    digits = re.sub(r"\D", "", match["it"])
    # Four times four is a card even where a digit is mistyped.
    return 13 <= len(digits) <= 19 and (
        luhn.is_valid(digits) or bool(re.fullmatch(r"\d{4}(?:[ -]\d{4}){3}", match["it"]))
    )


def _is_spaced_hetu(match: re.Match[str]) -> bool:
    return hetu.is_valid(re.sub(r"\s", "", match["it"]).upper())


def _is_ip(match: re.Match[str]) -> bool:
    try:
        ip_address(match["it"])
    except ValueError:
        return False
    return True


def _is_number_of_something(match: re.Match[str]) -> bool:
    """Return whether a labelled number names something: "tilaus 88213", and not "tilaus 2026" or "order 250 g"."""
    value = match["it"]
    digits = sum(sign.isdigit() for sign in value)
    if match["strong"] or "#" in match.group()[: match.start("it") - match.start()]:
        return digits >= 3 or (digits > 0 and len(value) >= 5)
    return digits >= 4 and not re.fullmatch(r"(?:19|20)\d\d", value)


def _is_phone(match: re.Match[str]) -> bool:
    written = match["it"]
    digits = len(re.sub(r"\D", "", written))
    if written.startswith(("+", "00")):
        return 8 <= digits <= 15
    if written.startswith(("0", "(0")):
        return 6 <= digits <= 12
    return bool(match["label"]) and 6 <= digits <= 13


def _is_street(match: re.Match[str]) -> bool:
    # "tie", "katu" and the like are streets however they are written; "ranta" and "mäki" only with a capital.
    return match["clear"] is not None or match["it"][0].isupper()


_NUMBER_WORD = r"(?:(?:n(?:ume)?ro|numer|tunn|koodi)[^\W\d_]{0,12}|n:o|no\.?|num\.?|numbers?|code|reference|ref\.?|id)"
_FILLER = r"(?:[\s:.,]{0,3}(?:on|oli|is|was|for|=|–|-)(?=\s))?[\s:]{0,3}"
_VALUE = (
    r"(?<![^\W_])(?:[a-z]{1,4}-?(?=\d))?\d(?:[\d/]|[ -](?=\d{2,})|[a-z-](?=[\w-]*\d))*[a-z]{0,2}(?![\w%€]|[.,]\d)"
    r"(?!\s?(?:€|e\b|eur\w*|g\b|kg\b|ml\b|kpl\b|pcs\b|%|pistett\w*|points?\b|grams?\b|euroa))"
)
_CODE_VALUE = r"|(?<![^\W_])(?=[a-z]{0,20}\d)(?=\d{0,20}[a-z])[a-z0-9]{5,20}\b"


def _labelled(label: str) -> re.Pattern[str]:
    """Return the pattern of what a label says is somebody's: "tilausnumeroni on 20431", "order #10822"."""
    return re.compile(
        rf"\b(?:{label})\w{{0,8}}?(?P<strong>{_NUMBER_WORD}|[\s-]{{1,2}}{_NUMBER_WORD})?{_FILLER}[#(]?\s?(?P<it>{_VALUE}"
        rf"|(?(strong)(?:{_VALUE}{_CODE_VALUE})|(?!)))",
        _I,
    )


_LABELS = {
    "tracking_number": r"seuran(?:ta|na)\w{0,12}?|lähety\w{1,4}?|tracking|shipment|consignment|waybill|parcel"
    r"|paket\w{0,12}?",
    "booking_number": r"varau[sk]\w{0,12}?|\w{2,15}varau[sk]\w{0,12}?|booking|reservation|pnr",
    "customer_number": r"(?:kanta-?)?asiak\w{1,12}?|as\.?(?=\s?n)|jäsen\w{0,12}?|customer|client|member(?:ship)?"
    r"|loyalty|bonuskor\w{1,12}?",
    "invoice_number": r"laskun?|laskuni|laskussa|invoice|bill",
    "order_number": r"tilau[sk]\w{0,12}?|ostos\w{0,12}?|orders?|purchase",
    "reference_number": (
        r"viit(?:e|tee)\w{0,12}?|tapau[sk]\w{0,12}?|reklamaatio\w{0,12}?|sopimu[sk]\w{0,12}?|vakuutus\w{0,12}?|tiket\w{1,12}?"
        r"|kuit(?:ti|in)\w{0,12}?|sarja|käyttäjä|palautu[sk]\w{0,12}?|takuu|reference|ref|ticket|case|contract|policy|serial"
        r"|receipt|return|claim|account|passi\w{0,8}?|passport|ajokor\w{1,8}?"
    ),
}

_STREET_FI = (
    r"(?P<it>(?:(?:vanha|iso|pikku|uusi|läntinen|itäinen|pohjoinen|eteläinen)n?\s|[^\W\d_]{2,20}-)?"
    r"(?:(?P<clear>[^\W\d_]{2,20}(?:[- ](?=k))?(?:kat(?:u|ua|uun)|kad(?:un|ulla|ulle|ulta|ussa|usta)|tie|tien"
    r"|tiellä|tielle|tieltä|kuja\w{0,4}|pol(?:ku|un|ulla|ulle)|kaar(?:i|en|ella|elle)|väylä\w{0,3}|raitti|raitilla|raitin"
    r"|bulevardi\w{0,3}|puistikko|esplanadi\w{0,3}|gatan|vägen|weg|stra(?:ss|ß)e|gränd|stigen))"
    r"|[^\W\d_]{2,20}(?:puist?o\w{0,4}|rin(?:ne|teellä|teen)|ranta|rannalla|mäki|mäellä|tori|torilla|torin|kulma|penger|linja"
    r"|portti|aukio\w{0,3}|silta|laita|reitti|tanhua|taival|kallio|allee|platz))"
    r"\s\d{1,4}(?:\s?[-–]\s?\d{1,3})?(?:\s?[a-zåäö](?![\w.]))?"
    r"(?:\s?(?:as\.?|lh)?\s?\d{1,3}(?![\w.,:]\d|\d|\s?(?:€|kpl|min|h\b)))?"
    r"(?:\s[a-zåäö](?!\w))?(?P<post>,?\s+\d{5}\s+[A-ZÅÄÖ][\w-]+|,\s[A-ZÅÄÖ][\w-]+(?=[.,!?\s]|$))?)"
)
_STREET_EN = (
    r"(?P<it>(?:(?:flat|apt\.?|apartment|unit)\s\w{1,4},?\s)?\b\d{1,5}[a-z]?\s(?:[a-z'’.]{1,20}\s){1,3}?(?:street|st|road|rd|avenue|ave"
    r"|lane|ln|drive|close|square|court|terrace|crescent|boulevard|blvd|gardens|grove)\b\.?"
    r"(?:,?\s(?:flat|apt\.?|apartment)\s\w{1,4})?(?:,\s[A-Z][\w-]+)?(?:,?\s[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}|,\s[A-Z]{2}\s\d{5})?)"
)
_DATE = (
    r"\d{1,2}[./]\s?\d{1,2}[./]\s?(?:\d{4}|\d{2})|\d{4}-\d{2}-\d{2}|\d{1,2}(?:st|nd|rd|th)?\s(?:of\s)?(?:jan|feb|mar|apr|may"
    r"|jun|jul|aug|sep|oct|nov|dec)[a-z]*,?\s\d{4}|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\s\d{1,2},?\s\d{4}"
    r"|\d{1,2}\.\s?\w+kuuta\s\d{4}"
)

# In this order: each reads what those before it have left.
_NOTATIONS: tuple[tuple[str, re.Pattern[str], Callable[[re.Match[str]], bool]], ...] = (
    (
        "handle",
        re.compile(
            r"(?:https?://)?(?:www\.)?(?:facebook|instagram|tiktok|linkedin|twitter|x|t)\.(?:com|me)/[\w./@-]*\w", _I
        ),
        _always,
    ),
    ("url", re.compile(r"\b(?:https?://|www\.)[^\s<>\"”\x00]*[^\s<>\"”\x00.,;:!?)'’]", _I), _is_private_url),
    ("", re.compile(r"\b(?:https?://|www\.)[^\s<>\"”\x00]*[^\s<>\"”\x00.,;:!?)'’]", _I), _always),
    (
        "email",
        re.compile(
            r"(?<![\w.+%'’-])[\w.+%'’-]{1,64}(?:@|\s@\s|\s?[(\[]at[)\]]\s?)(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}\b", _I
        ),
        _always,
    ),
    ("handle", re.compile(r"(?<![\w@])@[\w.]{1,40}\w"), _always),
    ("personal_id", re.compile(r"(?<!\w)\d{6}[-+A-FU-Y–]\d{3}[0-9A-Z](?!\w)", _I), _always),
    ("personal_id", re.compile(r"(?<!\w)(?P<it>\d{6}\s?[-+A-FU-Y]\s?\d{3}\s?[0-9A-Z])(?!\w)", _I), _is_spaced_hetu),
    (
        "personal_id",
        re.compile(
            r"\b(?:hetu|henkilötunnu\w*|sotu|identity code|ssn)\W{0,3}(?:on|is)?\W{0,3}"
            r"(?P<it>\d{6}\s?\W?\w?\d{3}\w?)\b",
            _I,
        ),
        _always,
    ),
    ("reference_number", re.compile(r"\bRF\d{2}(?:\s?\d{1,4}){1,6}\b", _I), _always),
    (
        "iban",
        re.compile(r"(?<!\w)(?P<it>[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?)(?!\w)", _I),
        _is_account,
    ),
    (
        "birth_date",
        re.compile(
            rf"(?:synty\w*|synttär\w*|synt\.|\bs\.|\bborn\b(?: on)?|date of birth|\bdob|birthday(?: is)?)"
            rf"[\s:]{{0,2}}(?:on\s|oli\s|is\s)?(?P<it>{_DATE})",
            _I,
        ),
        _always,
    ),
    (
        "",
        re.compile(
            r"(?<![\w.])(?:\d{1,3}(?:[ \u00a0]\d{3})+|\d+)(?:[.,]\d{1,2})?[ \u00a0]?(?:€|eur\b|euro\w*)"
            r"|[€$£]\s?\d[\d,.]*\d?",
            _I,
        ),
        _always,
    ),
    (
        "",
        re.compile(
            rf"(?<![\w.-])(?:{_DATE}|\d{{1,2}}[.:]\d{{2}}(?:\s?[-–]\s?\d{{1,2}}[.:]\d{{2}})?|\d{{1,2}}\.\d{{1,2}}\.)"
            r"(?![\w-])",
            _I,
        ),
        _always,
    ),
    ("", re.compile(r"\b(?:isbn|ean|issn)[\s:]{0,2}[\dx -]{8,20}", _I), _always),
    *((type_, _labelled(label), _is_number_of_something) for type_, label in _LABELS.items()),
    ("card", re.compile(r"(?<![\w-])(?P<it>\d(?:[ -]?\d){12,18})(?![\w-])"), _is_card),
    ("business_id", re.compile(r"(?<![\w-])(?P<it>\d{7}-\d)(?![\w-])"), _always),
    ("ip", re.compile(r"(?<![\w.])(?P<it>\d{1,3}(?:\.\d{1,3}){3})(?![\w.]*\d)"), _is_ip),
    ("ip", re.compile(r"(?<![\w:])(?P<it>[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){3,7})(?![\w:])", _I), _is_ip),
    ("address", re.compile(rf"(?<!\w){_STREET_FI}", _I), _is_street),
    ("address", re.compile(rf"(?<![\w.,]){_STREET_EN}", _I), _always),
    ("address", re.compile(r"\b(?:PL|P\.?\s?O\.?\s?Box)\s\d{1,6}(?:,?\s\d{5}\s[A-ZÅÄÖ][\w-]+)?", _I), _always),
    ("address", re.compile(r"\b[A-ZÅÄÖ][^\W\d_]{2,}\s\d{1,3}\s?[A-Z]\s\d{1,3}(?:,?\s\d{5}\s[A-ZÅÄÖ]\w+)?\b"), _always),
    ("address", re.compile(r"(?<![\w-])(?:FI-)?\d{5}\s[A-ZÅÄÖ][a-zåäö]{2,}(?:-[A-ZÅÄÖ]\w+)?\b"), _always),
    ("address", re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}\b"), _always),
    (
        "phone",
        re.compile(
            r"(?P<label>\b(?:puh\w*|numero\w*|nro|phone|tel|mobile|call|text|soit\w*|gsm|number|whatsapp)\b"
            r"[\s:.]{0,3}(?:on\s|is\s|me\s(?:on|at)\s)?)?"
            r"(?<![\w.,+-])(?P<it>(?:\+|\(?0|[1-9])\d{0,13}\)?(?:[ \u00a0‑/-]?\(0?\d{0,3}\)[ -]?\d{1,8})?"
            r"(?:[ \u00a0‑–/-]\d{1,8}){0,6})(?![\w€%]|[.,]\d|-\w)",
            _I,
        ),
        _is_phone,
    ),
    ("plate", re.compile(r"(?<![\w-])(?P<it>[A-ZÅÄÖ]{3}-\d{2,3})(?![\w-])"), _always),
    (
        "plate",
        re.compile(
            r"\b(?:rek(?:kar|ister)\w*|rek\.?\s?n\w+|auto\w*|plate|registration|car|licen[cs]e)\b\W{0,3}"
            r"(?:\w+\W{1,2}){0,2}?(?P<it>[a-zåäö]{2,3}[- ]?\d{1,3})(?![\w-])",
            _I,
        ),
        _always,
    ),
    (
        "tracking_number",
        re.compile(r"(?<![\w-])(?:JJFI\d{10,}|[A-Z]{2}\d{9}[A-Z]{2}|1Z[A-Z0-9]{16}|UPR\d{6,})(?!\w)", _I),
        _always,
    ),
    (
        "order_number",
        re.compile(r"(?<![\w-])(?:#\s?\d{4,}|[A-Z]{1,5}-?\d{5,}[A-Z]?|[A-Z]{1,4}-\d{2,4}-\d{3,})(?![\w-])", _I),
        _always,
    ),
    ("reference_number", re.compile(r"(?<![\w.,+-])\d(?:[ -]?\d){6,30}(?![\w€%]|[.,-]\d|\s?(?:€|eur))"), _always),
)


def labels() -> Iterator[str]:
    """Return the types that a text may hold, each once."""
    yield from dict.fromkeys(type_ for type_, _, _ in _NOTATIONS if type_)
