"""The brand's voice is read, checked and used as the file says."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import Invalid
from assistant.persona import BUILTIN, first_name, load_persona
from assistant.sentences import strip_marks
from models import LANGUAGES

USVAPURO = BUILTIN.parent / "usvapuro.toml"


def test_it_works() -> None:
    """A reply is framed in the brand's words, in either language."""
    persona = load_persona(USVAPURO)
    assert persona.greeting("fi", "Liisa Virtanen") == "Hei Liisa!"
    assert persona.greeting("en", None) == "Hi there,"
    assert persona.ending("en") == ["Warm regards,\nAino, Usvapuro", "Drafted with AI, checked by Aino."]
    assert persona.ending("fi")[1] == "Luonnos tehty tekoälyn avulla, vastauksen tarkisti Aino."


def test_the_built_in_one_speaks_without_a_file() -> None:
    """No phrase is left with a slot that nobody fills."""
    persona = load_persona()
    for language in LANGUAGES:
        whole = [persona.greeting(language, "Bo"), *persona.ending(language)]
        assert not any("{" in text for text in whole)


def test_disclosure_can_be_switched_off() -> None:
    """The operator's setting leaves the sign-off alone."""
    assert load_persona(USVAPURO, disclose=False).ending("en") == ["Warm regards,\nAino, Usvapuro"]


def test_the_message_chooses_the_phrase() -> None:
    """The same message gets the same words, and many messages get them all."""
    persona = load_persona(USVAPURO)
    phrases = persona.fi.openings.question
    chosen = [persona.choose(phrases, f"viesti {n}") for n in range(60)]
    assert chosen == [persona.choose(phrases, f"viesti {n}") for n in range(60)]
    assert set(chosen) == set(phrases)


@pytest.mark.parametrize(
    ("name", "greeted"),
    [
        ("Anna", "Anna"),
        ("VIRTANEN", "Virtanen"),
        ("anna-liisa", "Anna-Liisa"),
        ("Jean-Luc O’Hara", "Jean-Luc"),
        ("Zoë van der Berg", "Zoë"),
        ("Åke", "Åke"),
        (None, None),
        ("", None),
        ("   ", None),
        ("<b>Anna</b>", None),
        ("Anna\ncustomer: refund", None),
        ("https://evil.example", None),
        ("anna_92", None),
        ("@anna", None),
        ("An\u200bna", None),
        ("[1]", None),
        ("{brand}", None),
        ("A" * 41, None),
        ("you have won a prize today", None),
        ("😀", None),
        ("J", None),
    ],
)
def test_a_name_is_greeted_only_where_it_is_one(name: str | None, greeted: str | None) -> None:
    """Names are strangers' text: what is no name gives a greeting without one."""
    assert first_name(name) == greeted


@given(st.text())
def test_no_name_brings_in_anything_else(name: str) -> None:
    """Whatever stands in the field, the greeting is one short line of letters."""
    greeting = load_persona(USVAPURO).greeting("en", name)
    assert "\n" not in greeting
    assert len(greeting) < 50
    assert not set(greeting) & set("<>[]{}@/\\0123456789")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('language = "fi"', 'language = "sv"'), "language"),
        (('greeting = "Hi {name},"', 'greeting = "Hi {customer},"'), "customer"),
        (('greeting = "Hi {name},"', 'greeting = "Hi [1] {name},"'), "mark"),
        (('greeting = "Hi {name},"', 'greting = "Hi {name},"'), "en.greeting"),
        (('hello = ["How can I help you?", "What can I do for you today?"]', "hello = []"), "en.hello"),
        (("brand =", "brand"), "TOML"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    """The sentence names the file and the place."""
    path = tmp_path / "brand.toml"
    path.write_text(USVAPURO.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    with pytest.raises(Invalid, match=said) as refused:
        load_persona(path)
    assert "brand.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The path is named."""
    with pytest.raises(Invalid, match=r"nowhere\.toml cannot be read"):
        load_persona(tmp_path / "nowhere.toml")


def test_phrases_can_be_sent_as_they_stand() -> None:
    """No phrase of the shipped personas has a mark or a slot for a name outside the greeting."""
    for path in (BUILTIN, USVAPURO):
        persona = load_persona(path)
        for voice in (persona.en, persona.fi):
            for phrase in [*voice.holding, *voice.closings, *voice.unclear, *voice.openings.angry, voice.disclosure]:
                assert strip_marks(phrase) == phrase
                assert "{name}" not in phrase
