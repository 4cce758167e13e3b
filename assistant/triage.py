"""What kind of message this is: its mood, how urgent it is, whether it needs a reply.

Word lists of Finnish and English, with the reason for every verdict; both languages are always looked at, since people
mix them. It decides nothing about the answer.
"""

import re
from dataclasses import dataclass

from assistant.persona import Mood
from assistant.words import content_words
from models import Language, LanguageIdentifier

LONGEST = 10_000
"""Characters that are looked at; a message of a hundred thousand says how it is meant at its beginning."""


@dataclass(frozen=True)
class Triage:
    """`urgency` is 0 (none) to 3 (now); `reasons` name what was seen, each once, in the order of the message."""

    language: Language | None
    urgency: int
    needs_reply: bool
    mood: Mood
    reasons: tuple[str, ...]


def triage(text: str, identifier: LanguageIdentifier | None = None) -> Triage:
    """Read one message. Its language is None without an identifier, and where the text does not tell."""
    seen = _seen(text[:LONGEST])
    mood = _mood(text[:LONGEST], seen)
    return Triage(
        language=identifier.identify(text) if identifier else None,
        urgency=_urgency(seen, mood),
        needs_reply=mood != "thanks",
        mood=mood,
        reasons=tuple(f"{sign}: {word}" for sign, word in seen.items()),
    )


def urgency(text: str, language: Language | None = None) -> int:
    """Return how soon a human should look, 0 to 3, whichever language the message is in."""
    return triage(text).urgency


def is_blank(text: str) -> bool:
    """Return whether nothing is said in words: empty, digits, signs or emoji alone."""
    return not any(sign.isalpha() for sign in text)


def is_pleased(text: str) -> bool:
    """Return whether a text has emoji that say thanks."""
    return bool(_GLAD_EMOJI.search(text)) and not _ANGRY_EMOJI.search(text)


def is_greeting(text: str) -> bool:
    """Return whether a message is a greeting and nothing more, so that the reply can only ask how to help."""
    return not is_blank(text) and not _rest(text)


_GLAD_EMOJI = re.compile("[👍👏🙏😊😀😃😄😁🥰😍🤩❤💛💚💙💜🧡🤎🖤💖💕😘🤗🙂☺🎉✨🌟⭐💯]")
_ANGRY_EMOJI = re.compile("[😡😠🤬😤👎🖕💢]")

_SIGNS: dict[str, str] = {
    "safety": r"allerg(?:ic|inen) (?:reaction|reaktio)\w*|poison\w*|myrkyt\w*|hospital|sairaala\w*|ambulan\w*|injur\w*|"
    r"loukkaan\w*|burn(?:ed|t) (?:my|her|his)|palovamma\w*|caught fire|syttyi|tulipalo\w*|electric shock|sähköisku\w*|"
    r"glass in (?:my|the)|lasinsir\w*|mould\w*|mold\w*|homee\w*",
    "law": r"lawyer\w*|solicitor\w*|legal action|sue you|court|police|fraud\w*|scam\w*|asianajaja\w*|juristi\w*|"
    r"oikeuteen|käräj\w*|poliisi\w*|rikosilmoitu\w*|huija\w*|petos\w*|petku\w*|kuluttaja(?:riita|viranom|suoja)\w*|"
    r"consumer (?:authority|protection|disputes)|chargeback",
    "press": r"journalist\w*|reporter\w*|toimittaja\w*|lehdistö\w*|iltalehti|ilta-sanomat|helsingin sanomat|going viral",
    "leaving": r"never (?:again|buying|order\w*)|last time i|lost a customer|unsubscribe|en ikinä|en enää (?:koskaan|ikinä)|"
    r"viimeinen kerta|vaihdan (?:toiseen|kilpail)\w*|ei ikinä enää|menetitte asiakkaan",
    "hurry": r"urgent\w*|asap|right away|immediately|today|tonight|tomorrow|straight away|as soon as possible|hurry|"
    r"kiire\w*|heti|tänään|huomenna|huomiseksi|viimeistään|välittömästi|nopeasti|mahd\w* pian|pikaisesti|hätä",
    "again": r"(?:second|third|fourth|fifth|2nd|3rd) time|again and again|already (?:wrote|written|asked|called|e-?mailed)|"
    r"still no (?:answer|reply)|nobody (?:answers|replies|replied|answered)|no one (?:answers|replies|replied)|"
    r"(?:toisen|kolmannen|neljännen|toista|kolmatta|monetta|monennen) kerran|jo kolmas|jo toinen|taas kerran|"
    r"ei (?:kukaan |mitään )?vastausta|kukaan ei vastaa|ei kukaan vastaa|eikä kukaan|monta kertaa|laitoin jo",
    "anger": r"unacceptable|ridiculous|outrageous|disgusting|furious|fed up|terrible|horrible|worst|joke|shame on|"
    r"pathetic|awful|useless|angry|wtf|what the hell|damn|stupid|idiots?|robbery|rip.?off|not amused|"
    r"törke\w*|naurettava\w*|järkyttävä\w*|hävytön\w*|raivo\w*|vihai\w*|surkea\w*|kamala\w*|hirve\w*|paska\w*|perkele\w*|"
    r"vittu\w*|helvet\w*|saatana\w*|jumalauta|hermo\w*|pöyristyttävä\w*|ala-arvoi\w*|häpe\w*|idiootti\w*|pelle\w*|"
    r"ei voi olla totta|mitä ihmettä|älytön\w*|kohtuuton\w*|vitut\w*|v\*\*\w*|suututta\w*",
    "trouble": r"broken|damaged|missing|wrong|late|lost|complain\w*|disappoint\w*|problem\w*|issue\w*|crushed|burst|"
    r"leak\w*|ripped|torn|smashed|never arrived|(?:not|n't|never) (?:\w+ ){0,2}(?:arrive\w*|come|received?|work\w*|get|got)|"
    r"(?:twice|double)|sour|stale|overcharged|defect\w*|faulty|fail\w*|"
    r"rikki|rikkou\w*|rikkinä\w*|hajo\w*|puuttu\w*|väärä\w*|väärää|myöhäs\w*|kadon\w*|hävi\w*|valit\w*|reklam\w*|petty\w*|"
    r"pettyn\w*|ongelma\w*|revennyt|repeytyn\w*|vuota\w*|vialli\w*|virhe\w*|kahteen kertaan|tuplana|"
    r"ei (?:oo|ole|o|olla) (?:\w+ ){0,3}(?:tullu\w*|saapunu\w*|saatu\w*|näkyny\w*|kuulunu\w*)|ei (?:toimi|tullut|tullu|saapunut|tule)",
    "confusion": r"confus\w*|lost here|don'?t (?:understand|get it|know how)|not sure|no idea|unclear|puzzl\w*|makes no sense|"
    r"how on earth|clueless|en (?:ymmärrä|tajuu|tajua|oikein ymmärrä|tiedä|tiiä)|ihan pihalla|pihalla|sekaisin|hämmen\w*|"
    r"epäselv\w*|ei tajuu|ei mitään hajua|hukassa|mitä tarkoittaa|en oo varma|en ole varma",
    "praise": r"lov(?:e|ed|ely)|amazing|excellent|fantastic|awesome|wonderful|great|best|delicious|perfect|brilliant|superb|"
    r"delightful|tasty|well done|good job|kudos|impress\w*|"
    r"ihan(?:a|aa|at|ia|an)|mahtava\w*|loistava\w*|upea\w*|para(?:s|sta|ta)|parhaa\w*|parempaa \w+ (?:en|ei)|herkulli\w*|"
    r"erinomai\w*|täydelli\w*|huippu\w*|maukas\w*|hyvää (?:kahvia|palvelua)|hyvä palvelu|kiitettävä\w*|vei sydämen|"
    r"rakast\w*|tykkä\w*|jees|mieletön\w*|tosi hyv\w+|todella hyv\w+|iloinen|tyytyväi\w*",
    "thanks": r"thank\w*|thanx|thx|ty|cheers|appreciate\w*|grateful|kiito\w*|kiitti|kiitän|kiitoksia|kiitos|tack|tnx|kiits",
    "question": r"\?|how (?:do|can|much|many|long|far|about)|(?:what|when|where|which|why|who)\b|(?:can|could|do|does|is|are|will|"
    r"would|may|should) (?:i|you|we|it|there|the|my|this|that|your)\b|i(?:'d| would) like to|i want|i need|please|"
    r"mi(?:tä|ten|kä|stä|ssä|hin|nkä|llä|llon|lloin|ksi)\w{0,3}\b|kuinka|paljon?ko|milloin|millon|kauan(?:ko)?|montako|"
    r"(?:on|voi|saa|saan|voin|voitte|voiko|onnistuu|käy|pitää|kannattaa|pysty|löyty|oot|ootte|myy|lähet|toimit|tule|ole)\w{0,6}k[oö]s?\b|"
    r"halua\w*|haluu\w*|haluis\w*|tarvits\w*|pystyy\w*|osaat(?:te)?ko|kerro\w*|voisi(?:tteko|tko|nko)\w*|saisi\w*|pyyd\w*",
}
_SEARCHES = {
    sign: re.compile(rf"(?<!\w)(?:{written})(?!\w)" if sign != "question" else rf"(?<!\w)(?:{written})|\?", re.I)
    for sign, written in _SIGNS.items()
}
_PLEASANTRIES = re.compile(
    r"\b(?:hi|hello|hey|heya|hiya|yo|dear|good|morning|afternoon|evening|day|guys|team|all|everyone|there|anyone|anybody|"
    r"hei|heippa|heissan|moi|moikka|moro|terve|tervehdys|tere|huomenta|huomenia|päivää|iltaa|hyvää|haloo|moikkamoi|"
    r"morjens|morjesta|onko|ketään|paikalla|joku|usvapuro|hej|hejsan)\b",
    re.IGNORECASE,
)


def _seen(text: str) -> dict[str, str]:
    """Return each sign that is there with the words that show it."""
    seen = {sign: match.group().strip() for sign, search in _SEARCHES.items() if (match := search.search(text))}
    if _ANGRY_EMOJI.search(text) or re.search(r"!{3,}|\?!|!\?|\?{3,}", text) or _is_shouted(text):
        glad = ("praise" in seen or _GLAD_EMOJI.search(text)) and "trouble" not in seen
        if not glad:
            seen.setdefault("anger" if _ANGRY_EMOJI.search(text) else "loud", "signs")
    return seen


def _is_shouted(text: str) -> bool:
    words = re.findall(r"[^\W\d_]{3,}", text)
    loud = sum(word.isupper() for word in words)
    return loud >= 3 or (loud >= 2 and loud * 2 >= len(words))


def _mood(text: str, seen: dict[str, str]) -> Mood:
    """Return the mood that the reply has to take up: the strongest first."""
    upset = "trouble" in seen or "again" in seen or "leaving" in seen
    if "anger" in seen or (upset and ("loud" in seen or "leaving" in seen)):
        return "angry"
    if upset or "safety" in seen:
        return "complaint"
    if is_blank(text):
        return "thanks" if is_pleased(text) else "confusion"
    if _asks_nothing(text, seen):
        return "praise" if "praise" in seen else "thanks" if "thanks" in seen else "question"
    if "confusion" in seen:
        return "confusion"
    return "praise" if "praise" in seen and "?" in text else "question"


def asks_nothing(text: str) -> bool:
    """Return whether a message thanks or praises and wants nothing."""
    return _asks_nothing(text[:LONGEST], _seen(text[:LONGEST]))


def _asks_nothing(text: str, seen: dict[str, str]) -> bool:
    """Return whether a message thanks or praises and wants nothing.

    "Tilauksen peruutus, kiitos" wants something: there the thanks come last, after words of their own.
    """
    if "question" in seen or "hurry" in seen or not ("thanks" in seen or "praise" in seen or is_pleased(text)):
        return False
    if re.search(r"[0-9]", text) or len(text.split()) > 40:
        return False
    return (
        "praise" in seen
        or is_pleased(text)
        or len(_rest(_SEARCHES["thanks"].sub(" ", text))) <= 1
        or bool(
            re.match(
                r"\W*(?:(?:ok|okei|joo|jees|hei|moi|hi|great|super|perfect|no|selvä|hyvä)\W+)?(?:many |iso |suuri )?"
                r"(?:thank|thx|kiit|cheers)",
                text,
                re.IGNORECASE,
            )
            and "but" not in text.casefold().split()
            and "mutta" not in text.casefold().split()
        )
    )


def _rest(text: str) -> list[str]:
    """Return the content words beside greetings."""
    return content_words(_PLEASANTRIES.sub(" ", text))


def _urgency(seen: dict[str, str], mood: Mood) -> int:
    if "safety" in seen or "law" in seen or "press" in seen:
        return 3
    if mood == "angry":
        return 3 if "again" in seen or "hurry" in seen else 2
    if mood == "complaint":
        return 2 if "again" in seen or "hurry" in seen else 1
    return 1 if "hurry" in seen and mood in ("question", "confusion") else 0
