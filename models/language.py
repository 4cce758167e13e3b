"""Which of our languages is this text in: Finnish, English, or it does not tell.

Letter trigrams decide (counted by `training.language_trigrams`, shipped as language_trigrams.json), helped by the
small words that every message has. Text in a language that is not ours is left undecided as far as that is cheap to
see. Knows nothing of grammar and loads no model.
"""

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from models import Language

_WEIGHTS = Path(__file__).with_name("language_trigrams.json")
_NOT_PROSE = re.compile(r"https?://\S+|www\.\S+|(?<!\S)[^\s@]++@\S+|\b\w*\d\w*\b|[#@]\w+")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OWN: dict[Language, frozenset[str]] = {
    "fi": _set(
        "ja on ei oo en että se ne oli mutta mut kun niin nii mikä mitä mite miten milloin millon missä mistä minne "
        "voi voinko voiko onko onks oisko jos tai vai kuinka paljon paljonko kauanko moi moikka moro hei heippa terve "
        "kiitos kiitti joo juu kyllä anteeksi mä mää sä mun sun mulla minun minulla minä sinä te me hän tää toi tuo "
        "tämä nyt vielä jo vaan vain kanssa ihan sitten sit ole olen oon saa saako pitää"
    ),
    "en": _set(
        "the a an is are was were to of and in i you my your it its it's i'm how what when where why who do does did "
        "can could for on not with have has this that if hello hi hey please thanks thank yes no we they u ur dont "
        "don't isn't any would will be but so get got me from at or just there"
    ),
}
_FOREIGN = _set(
    # Swedish, Norwegian, Danish
    "och att det är inte jag som för på med ett har kan ni vad när hur min mitt mina tack hej beställning av till "
    "var og ikke jeg er hvor hvordan når min mitt bestilling tak takk hva hvad kommer skicka levererar vill vi mig "
    # Estonian
    "kas mis kui ma mina minu teie oma ning või palun tere aitäh kuidas millal kus miks tellimus olen pole saan "
    # German, Dutch
    "der die das und ist nicht ich wie mein meine wo wann bestellung bitte danke hallo sie ein eine zu von mit für "
    "het een ik niet hoe wanneer mijn bestelling waar wat van naar jullie "
    # French, Spanish, Italian
    "le la les des est que je pas une vous quand où ma mon bonjour merci commande el los las por qué mi cuándo dónde "
    "gracias hola pedido che il di non quando dove mio ordine grazie ciao per sono"
) - (_OWN["fi"] | _OWN["en"])
_EITHER = _set("ok okei okay info email sms app")
_FOREIGN_LETTER = re.compile(r"[õüßøæñçğşłżąęèàùîôûœ]")

_LEAST_ODDS = 3.0  # nats between the two languages; "ananas" or "Oulu" stays below
_LEAST_LIKELY = -8.5  # nats per trigram: text of neither language is less likely than this
_SMALL_WORD = 1.5  # nats that one small word adds: trigrams see "on" and "the" as three letters like any other


class WordLanguageIdentifier:
    """A `LanguageIdentifier` for Finnish and English."""

    def identify(self, text: str) -> Language | None:
        """Return the language that most of the text is in; None for digits, emoji, a bare name, other languages."""
        found = [word for word in words(text) if word not in _EITHER]
        if not found or _is_name(_NOT_PROSE.sub(" ", text)):
            return None
        own = {language: sum(word in known for word in found) for language, known in _OWN.items()}
        fi, en, count = _likelihood(found)
        odds = fi - en + _SMALL_WORD * (own["fi"] - own["en"])
        language: Language = "fi" if odds > 0 else "en"
        foreign = sum(word in _FOREIGN or bool(_FOREIGN_LETTER.search(word)) for word in found)
        if abs(odds) < _LEAST_ODDS or foreign > own[language]:
            return None
        likely = max(fi, en) / count
        return language if likely > _LEAST_LIKELY or own[language] > len(found) / 8 else None

    def lean(self, text: str) -> Language | None:
        """Return which of the two languages a text is nearer to, however little it tells; None without words."""
        found = [word for word in words(text) if word not in _EITHER]
        if not found:
            return None
        fi, en, _ = _likelihood(found)
        small = sum((word in _OWN["fi"]) - (word in _OWN["en"]) for word in found)
        return "fi" if fi - en + _SMALL_WORD * small > 0 else "en"


def words(text: str) -> list[str]:
    """Return a text's words in lower case, without addresses, codes and numbers."""
    return [word.lower().replace("’", "'") for word in _WORD.findall(_NOT_PROSE.sub(" ", text))]


def trigrams(word: str) -> Iterable[str]:
    """Return the letter trigrams of a word, its borders marked: "on" → _on on_."""
    marked = f"_{word}_"
    return (marked[start : start + 3] for start in range(len(marked) - 2))


def _is_name(text: str) -> bool:
    """Is this one to three capitalised words and nothing else, none of them one of the small words?"""
    found = _WORD.findall(text)
    small = _OWN["fi"] | _OWN["en"]
    return (
        len(found) <= 3
        and "?" not in text
        and all(word[0].isupper() and not word.isupper() and word.lower() not in small for word in found)
    )


def _likelihood(found: list[str]) -> tuple[float, float, int]:
    """Return the log-likelihood of the words in Finnish and in English, and the number of trigrams."""
    table, floor = _table()
    logs = [table.get(trigram, floor) for word in found for trigram in trigrams(word)]
    return sum(fi for fi, _ in logs) / 100, sum(en for _, en in logs) / 100, len(logs)


@cache
def _table() -> tuple[dict[str, tuple[int, int]], tuple[int, int]]:
    document = json.loads(_WEIGHTS.read_text(encoding="utf-8"))
    table = {trigram: (fi, en) for trigram, (fi, en) in document["trigrams"].items()}
    return table, (document["floor"]["fi"], document["floor"]["en"])
