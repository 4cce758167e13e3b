"""What of a past reply is used again: nothing that says whose it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.redaction import names_in, redact

KNOWN = names_in("Maksutapoja ovat Visa ja MobilePay. Lähetämme myös Ruotsiin. The brand is Usvapuro.")


def test_it_works() -> None:
    reply = (
        "Hei Matti! Palautusaika on 30 päivää. Tilauksesi UP-20431 on matkalla. Lähetin Matille kuitin. "
        "Voit maksaa myös Visalla.\n\nYstävällisin terveisin\nAino Korhonen\nUsvapuro"
    )
    assert redact(reply, KNOWN) == "Palautusaika on 30 päivää. Voit maksaa myös Visalla."


@pytest.mark.parametrize(
    "sentence",
    [
        "Kirjoita osoitteeseen matti.v@example.com niin hoidan asian.",
        "Soitan numeroon 040 555 0161 huomenna.",
        "Hyvitys menee tilille FI21 1234 5600 0007 85 tänään.",
        "Tunnus on 131052-308T eikä muuta tarvita.",
        "Tilaus UPR88201734 on hukassa.",
        "Tilausnumero on 4411 ja se on matkalla.",
        "Auto oli ABC-123 ja seisoi pihalla.",
        "Paketti meni osoitteeseen Rantatie 5 eilen.",
        "We sent it to 12 Baker Street yesterday.",
        "Jätimme sen osoitteeseen Hämeenkadulla 3 eilen.",
        "My name is anna and I am angry.",
        "Kuten Virtaselle kerroimme, hyvitys tulee.",
        "Kerroimme Laineelle, että hyvitys tulee.",
        "Puhuimme Pekan kanssa asiasta.",
        "Tiinan paketti lähtee huomenna.",
        "Matilta puuttui yksi pussi.",
        "We told Charlotte's mother about it.",
        "Seuraa meitä, niin kuin @maijameikalainen jo tekee.",
        "Varaus #123 on tehty.",
    ],
)
def test_a_sentence_with_personal_data_is_dropped(sentence: str) -> None:
    assert redact(f"Pahoittelut sotkusta. {sentence} Hyvitys tulee 3 päivässä.", KNOWN) == (
        "Pahoittelut sotkusta. Hyvitys tulee 3 päivässä."
    )


@pytest.mark.parametrize(
    "sentence",
    [
        "Toimitus maksaa 4,90 € ja kestää 2–4 arkipäivää.",
        "Tilaukset ehtivät jouluksi, kun tilaat viimeistään 17.12. klo 12.",
        "Osamaksu käy, kun summa on vähintään 150 €.",
        "You can pay with Visa or MobilePay, and we ship on Mondays.",
        "Toimitus Ruotsiin onnistuu.",
        "Paketti odottaa 7 päivää.",
    ],
)
def test_facts_stay(sentence: str) -> None:
    assert redact(sentence, KNOWN | names_in("open on Mondays")) == sentence


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Hei! Kiitos viestistä. – Helmi", "Kiitos viestistä."),
        ("Hello Priya, the bag was lost. Regards Tom", "the bag was lost."),
        ("Moi, missä mun paketti on? T. Päivi", "missä mun paketti on?"),
        ("@usvapuro missä mun paketti on??", "missä mun paketti on??"),
        ("Kind regards, Markus Feldmann", ""),
        ("Missä paketti on?\n\nmaija", "Missä paketti on?"),
        ("", ""),
    ],
)
def test_greetings_and_signatures_go(text: str, left: str) -> None:
    assert redact(text, KNOWN) == left


def test_a_word_that_the_faq_capitalises_is_no_name_in_any_case() -> None:
    assert redact("Maksoit sen Visalla.", frozenset()) == ""
    assert redact("Maksoit sen Visalla.", KNOWN) == "Maksoit sen Visalla."


@given(st.text(max_size=300))
def test_nothing_is_made_up(text: str) -> None:
    words = set(text.split())
    assert set(redact(text, KNOWN).split()) <= words | {part for word in words for part in (word.lstrip("@"),)}
