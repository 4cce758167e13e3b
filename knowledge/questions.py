"""A customer's message → the questions in it, and whether it wants a passage at all.

Word lists of Finnish and English. Knows text alone: what is found for a question is for `search` to see.
"""

import re

from knowledge.passages import sentences

MOST = 4
"""Questions of one message that are searched apart; people who ask more are read as a whole."""
_LONGEST_PART = 500

_ASKING_EN = (
    r"(?:what|when|where|which|why|who|whose|how)\b|"
    r"(?:can|could|do|does|did|is|are|was|were|will|would|may|should|has|have|am)\s+(?:i|you|we|he|she|it|they|there|"
    r"the|a|an|my|your|our|this|that|these|those|any|anyone|anybody|somebody|someone)\b"
)
_ASKING_FI = (
    r"(?:mitä|miten|mikä|mistä|missä|mihin|minkä|minne|millä|millon|milloin|millai\w+|minkälai\w+|miksi|kuinka|paljon?ko|"
    r"montako|kauan?ko|kuka|kenelle|keneltä|kumpi|kumman)\w{0,3}\b|"
    r"(?!jok[oö]\b|kok[oö]\b|ukko\b|verkko\b|viikko\b)\w{1,16}k[oö](?:han|hän|s|kaan|kään)?\b"
)
_ASKING = re.compile(rf"(?:{_ASKING_EN}|{_ASKING_FI})", re.IGNORECASE)
_LEAD = re.compile(
    r"^(?:\W|\b(?:and|also|so|but|or|oh|ok|okay|hi|hello|hey|please|btw|by the way|another (?:thing|question)|one more thing|"
    r"secondly|then|ja|entä|entäs|sekä|mutta|tai|vai|ai niin|niin|sitten|lisäksi|myös|samalla|vielä|hei|moi|moikka|"
    r"terve|toiseksi|toinen (?:asia|kysymys)|kysyisin)\b)+",
    re.IGNORECASE,
)
_JOINT = re.compile(
    r"(?:,\s*|\s+)(?=(?:and\s+(?:also\s+)?|also\s*,?\s+|(?:ja\s+)?(?:entä|entäs|lisäksi|myös)\s+|ja\s+|sekä\s+)"
    rf"(?:{_ASKING_EN}|{_ASKING_FI}))",
    re.IGNORECASE,
)
_ELLIPSIS = re.compile(r"^(?:and|ja|entä|entäs|what about|how about|vai|or)\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{2,}|\d+")

_FORMULAS = re.compile(
    r"\b(?:(?:good )?(?:morning|afternoon|evening|day|night)|hi|hello|hey|hiya|dear|yo|greetings|bye|goodbye|see you|cheers|"
    r"thanks?|thank you|thx|tnx|ty|appreciate(?:d)?|grateful|great|perfect|excellent|awesome|amazing|wonderful|fantastic|"
    r"lovely|love(?:d)?|nice|good|fine|super|brilliant|cool|best|happy|glad|pleased|satisfied|well done|kudos|"
    r"ok|okay|oki|alright|all right|sure|yes|yeah|yep|no|nope|right|got it|understood|i see|sounds good|works for me|"
    r"no problem|no worries|never ?mind|you're welcome|you are welcome|have a (?:nice|good|great|lovely) \w+|take care|"
    r"that's (?:all|it|everything|fine|great|perfect)|that is all|that will be all|that'll be all|nothing else|"
    r"hei|heippa|hei hei|heihei|moi|moikka|moro|terve|huomenta|päivää|iltaa|hyvää (?:huomenta|päivää|iltaa|yötä|viikonloppua|"
    r"viikonlopun jatkoa|päivänjatkoa|illanjatkoa|kesää|joulua)|näkemiin|nähdään|kiitos|kiitoksia|kiitti|kiitän|kiits|tack|"
    r"mahtavaa?|loistavaa?|upeaa?|ihanaa?|hienoa?|mainiota?|erinomaista|erinomainen|täydellistä|täydellinen|hyvä|hyvää|"
    r"kivaa?|huippua?|paras|parasta|super|jee|jees|joo|juu|joojoo|kyllä|ei|okei|oki|selvä|selvää|selvis|sopii|asia selvä|"
    r"asia kunnossa|kaikki (?:hyvin|kunnossa)|ei (?:muuta|mitään|hätää|se mitään)|ei kiitos|tämä riittää|se oli siinä|"
    r"olen tyytyväinen|tyytyväinen|iloinen|ystävällistä|palvelua?|apua?|avusta|vastauksesta|help(?:ful|ed|ing)?|service|"
    r"ystävällisin terveisin|terveisin|terv|terveisiä|(?:kind |best |warm )?regards|toivottaa|t)\b",
    re.IGNORECASE,
)
_SMALL = frozenset(
    [
        "a",
        "all",
        "am",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "been",
        "but",
        "do",
        "for",
        "from",
        "give",
        "had",
        "has",
        "have",
        "i",
        "i'm",
        "in",
        "is",
        "it",
        "it's",
        "its",
        "me",
        "much",
        "must",
        "my",
        "of",
        "on",
        "or",
        "our",
        "really",
        "say",
        "so",
        "still",
        "that",
        "that's",
        "the",
        "there",
        "this",
        "to",
        "too",
        "truly",
        "very",
        "was",
        "we",
        "we're",
        "were",
        "will",
        "with",
        "you",
        "you're",
        "your",
        "just",
        "only",
        "now",
        "again",
        "have",
        "everything",
        "everyone",
        "team",
        "guys",
        "folks",
        "people",
        "all",
        "both",
        "lot",
        "lots",
        "many",
        "much",
        "tons",
        "million",
        "aina",
        "että",
        "hän",
        "ihan",
        "ja",
        "jo",
        "kaikki",
        "kaikesta",
        "kaikille",
        "koko",
        "kun",
        "me",
        "mulle",
        "minulle",
        "minun",
        "mun",
        "myös",
        "niin",
        "nyt",
        "näin",
        "ole",
        "olen",
        "oli",
        "olette",
        "olitte",
        "olivat",
        "on",
        "ollut",
        "ovat",
        "paljon",
        "sain",
        "saimme",
        "se",
        "sen",
        "siitä",
        "sinulle",
        "sitä",
        "sulle",
        "sä",
        "taas",
        "teidän",
        "teille",
        "te",
        "teitä",
        "todella",
        "tosi",
        "tuosta",
        "tästä",
        "tämä",
        "vain",
        "vaan",
        "vielä",
        "erittäin",
        "kovasti",
        "suuri",
        "suuret",
        "iso",
        "isot",
        "nopeasta",
        "nopea",
        "hyvästä",
        "ystävällisestä",
        "mukava",
        "mukavasta",
        "viestistä",
        "vastaus",
        "olipa",
    ]
)


def questions(message: str) -> tuple[str, ...]:
    """Return the questions of a message, each with the statements that lead up to it; the message whole if it has one.

    Split at sentences, and where "and can I …", "ja voiko …" begins another. A question of one word ("Why?") or one
    that only makes sense after the one before ("And to Sweden?") stays with that.
    """
    text = message.strip()
    parts: list[str] = []
    lead: list[str] = []
    for sentence in (piece.strip() for line in sentences(text) for piece in _JOINT.split(line)):
        if not sentence:
            continue
        lead.append(sentence)
        if not _asks(sentence):
            continue
        if parts and _leans(sentence):
            parts[-1] = f"{parts[-1]} {' '.join(lead)}"
        else:
            parts.append(" ".join(lead))
        lead = []
    if parts and lead:
        parts[-1] = f"{parts[-1]} {' '.join(lead)}"
    if not 2 <= len(parts) <= MOST or max(map(len, parts)) > _LONGEST_PART:
        return (text,) if text else ()
    return tuple(parts)


def needs_passage(message: str) -> bool:
    """Return whether a message wants to know or get something: not a greeting, thanks, praise or "that's all" alone.

    Careful: one word that belongs to none of these is enough to need one.
    """
    if "?" in message or any(map(str.isdigit, message)):
        return True
    left = _FORMULAS.sub(" ", message.casefold().replace("’", "'"))
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", left)
    return any(word not in _SMALL and len(word) > 1 for word in words)


def _asks(sentence: str) -> bool:
    """Return whether a sentence is a question, with its mark or, as in chats, without."""
    return sentence.rstrip(" )\"'”’").endswith("?") or _ASKING.match(_LEAD.sub("", sentence)) is not None


def _leans(sentence: str) -> bool:
    """Return whether a question makes no sense without the one before."""
    words = _WORD.findall(_LEAD.sub("", sentence))
    short = len(words) <= 1 or (len(words) <= 3 and _ELLIPSIS.match(sentence) is not None)
    return (short and _ASKING.match(_LEAD.sub("", sentence)) is None) or len(words) <= 1
