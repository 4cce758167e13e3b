"""The forms of a name in Finnish: Virtanen → Virtasen, Virtaselle; Pekka → Pekan; Mäki → Mäen; Thomas → Thomasin.

Makes rather too many forms than too few: a form that nobody uses does no harm where names are looked for. Knows
letters alone, not which words are names.
"""

import re
from collections.abc import Iterator

_ENDINGS = ("n", "t", "lle", "ll{a}", "lt{a}", "ss{a}", "st{a}", "n{a}", "ksi", "tta")
_CLITICS = re.compile(r"(?:kin|k[aä]{2}n|h[aä]n|p[aä]|k[oö])$")
# What a consonant before the last vowel becomes where the syllable closes. Longest first.
_WEAK = (
    *(("kk", "k"), ("pp", "p"), ("tt", "t"), ("nk", "ng"), ("nt", "nn"), ("mp", "mm"), ("lt", "ll"), ("rt", "rr")),
    *(("ht", "hd"), ("hk", "h"), ("lk", "l"), ("rk", "r"), ("rp", "rv"), ("lp", "lv")),
    *(("k", ""), ("p", "v"), ("t", "d")),
)
_VOWELS = "aeiouyäöå"


def forms(name: str) -> frozenset[str]:
    """Return the forms of a name in small letters, the basic one among them; of a double name the last part changes."""
    *before, last = re.split(r"(?<=[-‑])", name.casefold().replace("’", "'"))
    first = "".join(before)
    return frozenset(first + form for form in (last, *_inflected(last)))


def bare(word: str) -> str:
    """Return a word in small letters without what English and Finnish hang on with an apostrophe or a colon."""
    return re.sub(r"(?:['’](?:s|n|lle|ll[aä]|lt[aä]|ss[aä]|st[aä]|in|iin)?|:\w+)$", "", word.casefold()).replace(
        "’", "'"
    )


def without_clitic(word: str) -> str:
    """Return a form without "-kin", "-kaan", "-ko" and the like, or unchanged."""
    return _CLITICS.sub("", word) if len(word) > 5 else word


def _inflected(name: str) -> Iterator[str]:
    a = "a" if re.search(r"[aou]", name) else "ä"
    for stem, endings in _stems(name, a):
        for ending in endings:
            yield stem + ending.format(a=a)


def _stems(name: str, a: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    if len(name) < 2:
        return
    if name.endswith("nen"):
        root = name[:-3]
        yield f"{root}se", (*_ENDINGS, "en", "ni")
        yield f"{root}s", (f"t{a}", "ten", "ia", "iä", "ille", f"ill{a}", f"ilt{a}", "iin", f"iss{a}", f"ist{a}", "")
        return
    if name[-1] not in _VOWELS:
        yield f"{name}i", (*_ENDINGS, "a", "ä", "in", "en")
        yield name, ("s",)
        if name.endswith("s"):  # Johannes, Tuomas, Markus; Kallas: Kallaksen, Rinteen has no such ending
            yield f"{name[:-1]}kse", (*_ENDINGS, "en")
            yield name, (f"t{a}",)
        return
    end = name[-1]
    for stem in {name, _weak(name)}:
        for ending in {end, "e"} if end == "i" else {end}:
            yield stem[:-1] + ending, _ENDINGS
    yield name, (a, "t" + a, f"h{end}n", f"{end}n", "seen")
    if end == "i":
        yield name[:-1], ("een", "ien", "ea", "eä", "ia", "iä", f"t{a}", "eja", "ejä")
    if end == "e":  # Laine: Laineen; Salme: Salmen
        yield f"{name}e", (*_ENDINGS, "seen")
    plural = name[:-1] + {"a": "oi", "ä": "i", "i": "ei", "e": "ei"}.get(end, f"{end}i")
    yield plural, ("lle", f"ll{a}", f"lt{a}", f"ss{a}", f"st{a}", "den", f"t{a}", "hin", f"{'j'}a")


def _weak(name: str) -> str:
    """Return the name with the consonant before its last vowel as in a closed syllable, or unchanged."""
    body, end = name[:-1], name[-1]
    if re.search(r"(?:s[kpt]|[^aeiouyäöå]tr)$", body):
        return name
    for strong, weak in _WEAK:
        if body.endswith(strong) and len(body) > len(strong):
            return body[: len(body) - len(strong)] + weak + end
    return name
