"""What may be used again of a past reply: the sentences that hold nobody's personal data.

Works before anything is embedded or indexed, and by leaving out: a sentence with an identifier, a greeting, a
signature, or a capitalised word that might be a name goes as a whole. It drops too much rather than too little, and
replaces nothing. Knows text alone.
"""

import re
from collections.abc import Set

from knowledge.keywords import stems
from knowledge.passages import sentences

_IDENTIFIERS = (
    r"\S+@\S+|(?<!\w)@\w+",  # e-mail, handle
    r"(?:\d[\s.-]?){4,}\d",  # five digits: phone, IBAN, postal code, order number, card number
    r"\b\d{6}[-+A-FYXWVU]\d{3}[0-9A-Z]\b",  # personal identity code
    r"#\s?\w*\d",
    r"\b(?=[\w-]*[a-zåäö])(?=[\w-]*\d[\w-]*\d[\w-]*\d)[\w-]{5,}\b",  # a code: UP-20431, fi21x
    r"\b[a-zåäö]{2,3}-\d{1,3}\b",  # number plate
    (
        r"\b(?:tilau|asiaka|lasku|viite|order|customer|invoice|reference|account|booking)\w*\W{0,3}(?:on|oli|is|was)?\W{0,3}"
        r"(?:n:o|nro|no|num\w*)?\W{0,3}\d{3,}"
    ),
    (
        r"\b\w+(?:tie|tien|tielle|tiellä|katu|kadun|kadulle|kadulla|kuja\w*|polku|polulla|polun|kaari|kaaren|kaarella"
        r"|väylä\w*|raitti|raitilla|rinne|rinteellä|puistikko|bulevardi\w*|penger|tori|torin)\s\d"
    ),
    r"\b\d+[a-z]?\s(?:\w+\s){1,3}(?:street|st|road|rd|avenue|ave|lane|drive|close|square)\b",
    r"\b(?:nimeni|nimi on|nimellä|nimeltä|my name|name is|name's|under the name|syntynyt|born on|hetu\w*)\b",
)
_IDENTIFIER = re.compile("|".join(_IDENTIFIERS), re.IGNORECASE)

_GREETING = re.compile(
    r"^(?:hei+|hei hei|moi+|moikka|moro|terve|heippa|hyvää \w+|päivää|iltaa|huomenta|arvoisa|rakas|tervehdys"
    r"|hi+|hello|hey|dear|good (?:morning|afternoon|evening))\b[^,.!?\n]{0,40}(?:[,.!?]+|$)\s*",
    re.IGNORECASE,
)
_HANDLE = re.compile(r"^(?:@\w+[\s,:]*)+")
_SIGN_OFF = re.compile(
    r"^(?:(?:ystävällisi[nä]\w*|parhain|lämpimin|aurinkoisin|kahvisin|yst)\b.*(?:terv|terkui|kahvi)|terve(?:isin|isiä|hdyksin)"
    r"|terkuin|terkut|terv\b|yt\b|t[.:]|(?:best|kind|warm|many|with)\b.*\b(?:regards|wishes)|regards|cheers|sincerely|yours"
    r"|br\b|xo+\b)",
    re.IGNORECASE,
)
_LAST_WORDS = 60  # characters: what follows a sign-off is a name and a title, unless it is longer
_CAPITALISED = re.compile(r"\b[A-ZÅÄÖÆØÉÜŠŽ][\w'’-]*")


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NOT_NAMES = _set(
    "i i'm i'll i've i'd monday tuesday wednesday thursday friday saturday sunday january february march april "
    "may june july august september october november december "
)
_FIRST_NAMES = _set(
    "aino aleksi anna anne anneli anni anssi antero antti ari arto eero eeva eija elina ella emilia emma eveliina "
    "hanna hannu heidi heikki helena henna henri iida ilkka ilona irina jaakko jaana jani janne jari jarmo jenna "
    "jenni joni jonna jouni juha juhani juho jukka jussi kaisa kalle kari katja katri kimmo kirsi krista laura "
    "lauri leena liisa maarit maija maria marika mari marja marjatta markku marko matti mervi mia mika mikael "
    "mikko milla minna mira mirja niina noora olli oskari outi paula pauli päivi pekka pertti petri petteri piia "
    "pia pirjo raija riikka riina risto ritva roope saana saara sami samuli sanna santeri sara sari satu seija "
    "seppo simo sini sirpa sofia susanna suvi tanja tapio tarja teemu tero tiina timo tommi tomi toni topi tuija "
    "tuomas tuula ulla veera veikko venla vesa ville virpi adam alex alice amanda andrew benjamin charlotte chris "
    "daniel david emily george hannah jack james jane jessica john joseph karen kate kevin linda lisa lucy mark "
    "mary megan michael nancy oliver olivia paul peter rachel rebecca richard robert sarah simon sophie steve "
    "susan thomas tom william "
)


def redact(text: str, known: Set[str]) -> str:
    """Return the sentences of a customer's message or an agent's reply that may be used again; "" where none may.

    `known`: the words, in the form of `names_in`, that the FAQ writes with a capital and that are therefore no names.
    """
    kept = []
    left = sentences(text)
    for number, sentence in enumerate(left):
        if _SIGN_OFF.match(sentence):
            left_over = " ".join(left[number + 1 :])
            if len(left_over) <= _LAST_WORDS:
                break
            continue
        body = _GREETING.sub("", _HANDLE.sub("", sentence))
        if body and not _IDENTIFIER.search(body) and not _suspects(body, number == len(left) - 1) - known:
            kept.append(body)
    return " ".join(kept)


def names_in(text: str) -> frozenset[str]:
    """Return the stems of the capitalised words inside the sentences of a text: how a brand and a name are written."""
    return frozenset(
        stem
        for sentence in sentences(text)
        for match in list(_CAPITALISED.finditer(sentence))
        if sentence[: match.start()].strip(" \"'“”‘’([-–•*")
        for stem in _stem(match.group())
    )


def _suspects(sentence: str, last: bool) -> frozenset[str]:
    """Return the stems of what may be a name: a capital inside the sentence, a known first name anywhere in it, and a
    last "sentence" of one to three words without an end, which is how people sign."""
    words = _CAPITALISED.findall(sentence)
    first_names = frozenset(stem for word in words for stem in _stem(word) if stem in _FIRST_NAME_STEMS)
    unsigned = last and not re.search(r"[.!?…]\W*$", sentence) and len(sentence.split()) <= 3
    signature = frozenset(stem for word in sentence.split() for stem in _stem(word)) if unsigned else frozenset()
    return names_in(sentence) | first_names | signature


def _stem(word: str) -> list[str]:
    bare = re.sub(r"['’](?:s|n|lle|lla|ltä|ssa)?$|:\w+$", "", word)
    return [] if bare.lower().replace("’", "'") in _NOT_NAMES else stems(bare, "fi")


_FIRST_NAME_STEMS = frozenset(stem for name in _FIRST_NAMES for stem in stems(name, "fi"))
