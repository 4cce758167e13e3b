"""Facts are found, and say the same in every notation of Finnish and English."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.facts import facts, unsupported


def values(text: str) -> list[str]:
    """Return what the facts of a text say."""
    return sorted(fact.value for fact in facts(text))


def test_it_works() -> None:
    """A sentence with several facts gives each, as it is written and where it stands."""
    text = "Palauta 30 päivän kuluessa, postitus maksaa 9,90 €, apua saat numerosta +358 3 555 0142."
    found = facts(text, "fi")
    assert [fact.value for fact in found] == ["day:30", "money:9.9:EUR", "phone:035550142"]
    assert [fact.text for fact in found] == ["30 päivän", "9,90 €", "+358 3 555 0142"]
    assert all(fact.text in text[fact.start : fact.end] for fact in found)


@pytest.mark.parametrize(
    "same",
    [
        ["9,90 €", "€9.90", "9.90 euros", "9,90 euroa", "9.90 EUR", "€ 9.90", "990 senttiä"],
        ["yli 49 €", "49 eurosta", "49 euron", "over €49.00", "49e"],
        ["€5 to €10", "5–10 €", "5 ja 10 euroa", "between 5 and 10 euros"],
        [
            "24.12.",
            "Dec 24",
            "24 December",
            "24. joulukuuta",
            "joulukuun 24. päivä",
            "24th of December",
            "December 24th",
        ],
        ["24.12.2026", "24 December 2026", "2026-12-24", "Dec 24, 2026", "24/12/2026", "24. joulukuuta 2026"],
        ["1.–15.6.", "1–15 June", "June 1–15", "1.–15. kesäkuuta"],
        ["joulukuussa", "in December"],
        ["14:00", "klo 14", "2 pm", "2 p.m.", "kello 14.00"],
        ["klo 9–16", "9 am–4 pm", "9am to 4pm", "9–4 pm", "klo 9.00–16.00", "kello 9 ja 16"],
        ["noon", "keskipäivällä", "klo 12"],
        ["ma–pe", "Mon–Fri", "arkisin", "weekdays", "maanantaista perjantaihin", "Monday to Friday", "ma-pe"],
        ["lauantaisin klo 10–15", "la 10–15", "Saturdays 10 am–3 pm"],
        ["1 200", "1,200", "1200", "1\u00a0200"],
        ["10 %", "10 percent", "10 prosenttia", "10 prosentin", "10%", "10-prosenttinen", "kymmenen prosenttia"],
        ["30 päivän kuluessa", "30 days", "30-day", "kolmenkymmenen päivän", "thirty days", "30 vrk"],
        ["kahden viikon", "two weeks", "2 viikkoa", "14 päivää", "kaksi viikkoa"],
        ["2–4 arkipäivää", "2–4 business days", "2 to 4 working days", "2 tai 4 arkipäivän"],
        ["24 kuukautta", "two years", "kahden vuoden", "2 vuotta", "24 kk"],
        ["puoli tuntia", "half an hour", "30 min", "30 minuuttia"],
        ["0,5 l", "5 dl", "500 ml", "0.5 litres"],
        ["1 kg", "1000 g", "one kilo", "1 kilo"],
        ["90–96 °C", "90–96 astetta", "90-96 degrees"],
        ["kaksi", "two", "2", "kahta"],
        ["kaksitoista", "twelve", "12"],
        ["+358 3 555 0142", "03 555 0142", "03-5550142", "00358 3 5550142", "+358 (0)3 555 0142", "(03) 555 0142"],
        ["https://usvapuro.example/help", "usvapuro.example/help", "www.usvapuro.example/help/."],
        ["asiakaspalvelu@usvapuro.example", "Asiakaspalvelu@Usvapuro.example."],
        ["UP-204518", "up-204518", "UP-204518:n"],
        ["KAHVI10", "KAHVI10-koodilla", "kahvi10"],
    ],
    ids=lambda same: same[0],
)
def test_notations_of_one_fact_are_equal(same: list[str]) -> None:
    """Inflected, spelled out, in the other language: the value is the same."""
    assert {form: values(form) for form in same} == dict.fromkeys(same, values(same[0]))
    assert values(same[0])


@pytest.mark.parametrize(
    ("written", "other"),
    [
        ("9,90 €", "9,80 €"),
        ("9,90 €", "$9.90"),
        ("30 days", "30 weeks"),
        ("3–5 arkipäivää", "3–5 päivää"),
        ("24.12.", "24.11."),
        ("24 December", "24 November"),
        ("klo 9–16", "klo 9–17"),
        ("2 pm", "2 am"),
        ("ma–pe", "ma–la"),
        ("Mondays", "Tuesdays"),
        ("10 %", "10"),
        ("1 200", "12 000"),
        ("+358 3 555 0142", "+358 3 555 0143"),
        ("+358 3 555 0142", "+46 3 555 0142"),
        ("https://usvapuro.example/help", "https://usvapuro.example/helo"),
        ("https://usvapuro.example", "https://usvapuro.example.evil.example"),
        ("asiakaspalvelu@usvapuro.example", "asiakaspalvelu@usvapuro.exomple"),
        ("UP-204518", "UP-204581"),
        ("KAHVI10", "KAHVI15"),
        ("500 g", "500 kg"),
        ("90 °C", "90 °F"),
        ("FI21 1234 5600 0007 85", "FI21 1234 5600 0007 86"),
        ("kaksi", "kolme"),
        ("kahden viikon", "kahdeksan viikon"),
        ("24.12.2026", "24.12.2027"),
    ],
)
def test_another_fact_is_unsupported(written: str, other: str) -> None:
    """A digit, a unit, a month or a letter changed is another fact."""
    assert unsupported(facts(written), facts(written)) == []
    assert unsupported(facts(other), facts(written))


@pytest.mark.parametrize(
    ("said", "source"),
    [
        ("24.12.", "24.12.2026"),
        ("in December", "24 December"),
        ("tiistaisin", "ma–pe"),
        ("9–16", "klo 9–16"),
        ("klo 9.30", "9.30"),
        ("24.12", "24.12."),
    ],
)
def test_a_source_supports_what_it_implies(said: str, source: str) -> None:
    """What the source says more precisely may be said less precisely."""
    assert unsupported(facts(said), facts(source)) == []


@pytest.mark.parametrize(("said", "source"), [("24.12.2026", "24.12."), ("ma–pe", "tiistaisin"), ("30 days", "30")])
def test_a_source_does_not_support_more_than_it_says(said: str, source: str) -> None:
    """What the source leaves open is not filled in."""
    assert unsupported(facts(said), facts(source))


@pytest.mark.parametrize(
    "text",
    ["", "Hei Anna!", "One of us may march on.", "yksi meistä vastaa", "DHL:n OK.", "a.k.a. ja esim. näin", "😀"],
)
def test_words_are_no_facts(text: str) -> None:
    """Pronouns, modal verbs and abbreviations look like numerals, months and addresses."""
    assert facts(text) == []


def test_a_comma_is_read_by_the_language() -> None:
    """1,200 is a thousand and more in English, a bit over one in Finnish."""
    assert facts("1,200 g", "en")[0].value == "gram:1200"
    assert facts("1,200 g", "fi")[0].value == "gram:1.2"


@given(st.text() | st.text(alphabet="0123456789 .,:-–€%/@+()klopäivtwJuneAB"))
def test_any_text_can_be_read(text: str) -> None:
    """No text of strangers breaks the reading, and every text supports its own facts."""
    found = facts(text)
    assert unsupported(found, found) == []
    for fact in found:
        assert 0 <= fact.start < fact.end <= len(text)
        assert fact.text in text[fact.start : fact.end]
