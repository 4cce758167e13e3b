"""A message's mood, urgency and need of a reply, in both languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.persona import Mood
from assistant.triage import is_greeting, triage, urgency
from models.language import WordLanguageIdentifier


def test_it_works() -> None:
    """The verdict comes with its reasons."""
    seen = triage(
        "Kolmas kerta! Kirjoitin jo toisen kerran, paketti on rikki ja kukaan ei vastaa!!!", WordLanguageIdentifier()
    )
    assert (seen.language, seen.mood, seen.urgency, seen.needs_reply) == ("fi", "angry", 3, True)
    assert "trouble: rikki" in seen.reasons


@pytest.mark.parametrize(
    ("text", "mood"),
    [
        ("Do you have decaf?", "question"),
        ("aukioloajat?", "question"),
        ("Voinko palauttaa avatun pussin?", "question"),
        ("moi onks teil lauantaina auki", "question"),
        ("Please cancel my order, thank you", "question"),
        ("Tilauksen peruutus, kiitos", "question"),
        ("Kaksi pussia, kiitos.", "question"),
        ("My bag came ripped open", "complaint"),
        ("Hei, tilaus ei ole vieläkään tullut", "complaint"),
        ("ei oo tullu mitään", "complaint"),
        ("I got the wrong coffee, could you help?", "complaint"),
        ("This is unacceptable. Where is my parcel?", "angry"),
        ("Nyt meni hermo. Missä se kolmas pussi on?", "angry"),
        ("WHERE IS MY ORDER, it has not arrived!!!", "angry"),
        ("Rikki taas 😡", "angry"),
        ("Sorry, I'm a bit lost here. How do I pause it?", "confusion"),
        ("En ymmärrä, mitä tässä pitää tehdä", "confusion"),
        ("Mä oon ihan pihalla näiden kanssa", "confusion"),
        ("Best coffee ever!", "praise"),
        ("Aivan ihanaa kahvia, rakastan!", "praise"),
        ("Honestly the best coffee, thank you! How long does it keep?", "praise"),
        ("Thanks a lot!", "thanks"),
        ("Ok, kiitos avusta!", "thanks"),
        ("kiitti", "thanks"),
        ("👍", "thanks"),
        ("❤️🙏", "thanks"),
        ("🤷", "confusion"),
        ("", "confusion"),
        ("1234", "confusion"),
        ("Thanks, but the parcel is still missing", "complaint"),
    ],
)
def test_mood(text: str, mood: Mood) -> None:
    """The strongest mood is the one that the reply takes up; thanks that want something are questions."""
    assert triage(text).mood == mood


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Do you sell tea?", 0),
        ("Kiitos!", 0),
        ("I need it today, is that possible?", 1),
        ("Paketti on myöhässä", 1),
        ("Second time in a row that the box is crushed", 2),
        ("Törkeää palvelua, pussi oli rikki", 2),
        ("This is ridiculous, nobody answers, I wrote already and the parcel is lost", 3),
        ("I found glass in my coffee", 3),
        ("Sain kahvista allergisen reaktion", 3),
        ("Next you hear from my lawyer", 3),
        ("Teen tästä rikosilmoituksen", 3),
        ("Olen toimittaja ja kirjoitan teistä jutun", 3),
    ],
)
def test_urgency(text: str, expected: int) -> None:
    """Danger, law and press come first, then anger that has waited, then trouble, then haste."""
    assert urgency(text) == expected


@pytest.mark.parametrize("text", ["Hei", "Moi!", "hello?", "Good morning", "hi there", "Huomenta 😊"])
def test_a_bare_greeting(text: str) -> None:
    """There is nothing to search for."""
    assert is_greeting(text)


@pytest.mark.parametrize("text", ["Hei, onko teillä teetä?", "tea", "", "😊", "hello decaf"])
def test_no_bare_greeting(text: str) -> None:
    """Any word of content makes it a message."""
    assert not is_greeting(text)


def test_only_thanks_need_no_reply() -> None:
    """Praise deserves an answer."""
    assert not triage("Kiitos!").needs_reply
    assert triage("Paras kahvi ikinä!").needs_reply


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    """Whatever strangers write."""
    assert 0 <= triage(text).urgency <= 3


def test_a_hundred_thousand_characters() -> None:
    """A long message is read at its beginning."""
    assert triage("Where is my parcel? " * 5000).mood == "question"
