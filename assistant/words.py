"""Words as evidence: which words of a text carry its content, and whether two are forms of one word.

Finnish and English alike, by the Snowball stemmers of tantivy and by common beginnings. Knows no meaning.
"""

import re
from functools import cache, lru_cache

import tantivy

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")

_FUNCTION = """
a an the this that these those here there it its he she they them their i me my mine we us our you your yours
who whom whose which what when where why how if then than as at by for from in into of off on onto out over to
up with within about and or nor but so because while is are was were be been being am do does did done doing
have has had having will would shall should can could may might must let lets get gets got please just also too
very really quite simply only still already yet again soon now today yes no ok okay well sure course happily
gladly luckily unfortunately however any some each every all both either other another such own same more most
much many few i'm i'll i've we're we'll we've you're you'll you've it's that's there's here's don't doesn't
didn't isn't aren't wasn't won't can't couldn't wouldn't not cannot never ja tai eli sekä mutta vaan joten sillä
koska kun jos että jotta vaikka kuin niin näin siis siten silti myös vielä enää jo juuri ihan aivan hyvin tosi
oikein kyllä toki onneksi valitettavasti ilman minä mä minun mun minua minulle sinä sä sinun sun sinua sinulle
sinulla sulle hän heidän meidän meitä meille meiltä meillä te teidän teitä teille teiltä teillä se sen sitä
siitä siihen sille siinä siltä ne niitä niiden niistä niihin niille niillä niissä tämä tämän tätä tästä tähän
tässä tälle tällä nämä näitä näiden tuo tuon tuota nuo joka jonka jota josta johon jossa jolla jolle jolta jotka
joita joiden joista joihin joissa joilla mikä minkä mitä mistä mihin missä mitkä kuka ken ovat oli olivat ole
olen olet olemme olette olisi olla ollut olleet ei en et emme ette eivät eikä älä tulee voi voit voin voimme
voitte voivat voisi voisit saa saat saan saamme saatte saavat pitää pitäisi täytyy kannattaa noin
""".split()  # noqa: SIM905
FUNCTION_WORDS = frozenset(word for word in _FUNCTION)


def words(text: str) -> list[str]:
    """Return the words of a text in order, small letters, without digits."""
    return [word.replace("’", "'") for word in _WORD.findall(text.casefold())]


def content_words(text: str) -> list[str]:
    """Return the words that carry content, in order."""
    return [word for word in words(text) if word not in FUNCTION_WORDS and len(word) > 1]


@lru_cache(maxsize=50_000)
def stems(word: str) -> tuple[str, str]:
    """Return a word's Finnish and English stem, in small letters."""
    finnish, english = _stemmers()
    return _stem(finnish, word), _stem(english, word)


@lru_cache(maxsize=100_000)
def same_word(one: str, other: str) -> bool:
    """Return whether two words in small letters are forms of one: pussi, pusseja; palautus, palautuksen; order, ordered.

    Words of three quarters in common with endings of at most four letters count, since stemmers miss much of Finnish;
    "maksuton" and "maksullinen" do not.
    """
    if one == other:
        return True
    if any(a == b and len(a) > 2 for a, b in zip(stems(one), stems(other), strict=True)):
        return True
    common = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        common += 1
    shorter, longer = sorted((len(one), len(other)))
    return common >= 4 and common >= 0.75 * shorter and longer - common <= 4


def is_known(word: str, among: frozenset[str]) -> bool:
    """Return whether a form of the word is among others; Finnish compounds are known by their last part as well."""
    return word in among or any(
        same_word(word, other)
        or (len(other) > 4 and len(word) > len(other) + 3 and word.endswith(other))
        or (len(word) > 4 and len(other) > len(word) + 3 and other.endswith(word))
        for other in among
    )


@cache
def _stemmers() -> tuple[tantivy.TextAnalyzer, tantivy.TextAnalyzer]:
    finnish, english = (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw()).filter(tantivy.Filter.stemmer(language)).build()
        for language in ("finnish", "english")
    )
    return finnish, english


def _stem(analyzer: tantivy.TextAnalyzer, word: str) -> str:
    return "".join(analyzer.analyze(word)) or word
