"""Which of our languages is this text in (first version: function words alone)."""

import re

from models import Language

_FI = set("ja on ei että se en oli mutta kun niin mikä mitä miten milloin missä voinko voiko onko minun mun mä sä tilaus kanssa jos tai vai kuinka paljon paljonko kauanko mistä minä te teillä teiltä hei moi kiitos".split())
_EN = set("the a an is are to of and in i you my it how what when where do does can for on not with have was this that if hello hi please thanks".split())


class WordLanguageIdentifier:
    """Finnish or English."""

    def identify(self, text: str) -> Language | None:
        words = re.findall(r"[^\W\d_]+", text.lower())
        fi = sum(w in _FI for w in words) + 0.5 * sum("ä" in w or "ö" in w for w in words)
        en = sum(w in _EN for w in words)
        if fi == en:
            return None
        return "fi" if fi > en else "en"
