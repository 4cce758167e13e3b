"""Finnish, English, or undecided."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.language import WordLanguageIdentifier

identify = WordLanguageIdentifier().identify


def test_it_works() -> None:
    assert identify("Missä pakettini viipyy?") == "fi"
    assert identify("Where is my parcel?") == "en"


@pytest.mark.parametrize(
    "text",
    [
        "Moi",
        "kiitos",
        "missä mun paketti",
        "en oo saanu viel mitää",
        "Hi, missä mun paketti viipyy?",
        "Toimitusaika?",
        "PALJONKO MAKSAA",
        "ootteko auki lauantaina",
        "tilaus UP-1234 hukassa",
        "eiks teil oo ketään töissä 😡",
        "palautus",
        "Osaako joku sanoa miksi https://example.com/order/status ei aukea",
    ],
)
def test_finnish_as_people_write_it(text: str) -> None:
    assert identify(text) == "fi"


@pytest.mark.parametrize(
    "text",
    ["hi", "thanks", "wheres my stuff", "order 1234 lost", "u open sat?", "refund", "broken grinder", "cant log in",
     "opening hours", "Hei, where is my order?", "I'M FURIOUS", "can i get it in Tampere"],
)  # fmt: skip
def test_english_as_people_write_it(text: str) -> None:
    assert identify(text) == "en"


@pytest.mark.parametrize(
    "text",
    ["", " ", "🙂🙂", "12345", "???", "ok", "Matti Virtanen", "Oulu", "A1B2C3", "https://example.com/en",
     "me@example.com", "\ud800", "أين طلبي", "Где моя посылка?"],
)  # fmt: skip
def test_what_does_not_tell_is_undecided(text: str) -> None:
    assert identify(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Hej, var är mitt paket?",
        "Kan jag lämna tillbaka kaffet om jag har öppnat påsen?",
        "När levererar ni till Göteborg",
        "Tere, kus mu pakk on?",
        "Kui palju maksab saatmine Eestisse",
        "Wo ist mein Paket?",
        "Wie viel kostet der Versand nach Deutschland",
        "Hvor er min pakke?",
        "Où est mon colis ?",
        "¿Dónde está mi paquete?",
    ],
)
def test_other_languages_are_not_taken_for_ours(text: str) -> None:
    assert identify(text) is None


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    assert identify(text) in ("en", "fi", None)
