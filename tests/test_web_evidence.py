"""A draft laid out for the eye."""

from hypothesis import given
from hypothesis import strategies as st

from api.web.evidence import Sentence, facts_in, lay_out


def words(laid: list[Sentence]) -> str:
    return "".join(one.gap + "".join(piece.text for piece in one.pieces) for one in laid)


def test_it_works() -> None:
    text = "Hei!\n\nSe maksaa 9,90 € ja saapuu 3 päivässä."
    laid = lay_out(
        text,
        [
            {"text": "Hei!", "supported": True, "citations": []},
            {"text": "Se maksaa 9,90 € ja saapuu 3 päivässä.", "supported": False, "citations": [2]},
        ],
        ["9,90 €"],
    )
    assert [one.gap for one in laid] == ["", "\n\n"]
    assert [one.supported for one in laid] == [True, False]
    assert laid[1].citations == (2,)
    assert [piece.text for piece in laid[1].pieces if piece.unsupported] == ["9,90 €"]
    assert words(laid) == text


def test_words_that_no_sentence_covers_are_unsupported() -> None:
    text = "Checked. Sneaked in. Checked too. And more"
    laid = lay_out(
        text, [{"text": one, "supported": True, "citations": []} for one in ("Checked.", "Checked too.")], []
    )
    assert [one.supported for one in laid] == [True, False, True, False]
    assert words(laid) == text


def test_a_fact_is_found_as_a_whole_word_only() -> None:
    assert facts_in("It takes 30 days.", ["3"]) == []
    assert facts_in("It takes 3 days, (3).", ["3", "3"]) == ["3"]
    assert facts_in("Koodi KAHVI10!", ["KAHVI10", "kahvi"]) == ["KAHVI10"]
    assert facts_in("anything", [""]) == []


def test_the_longest_fact_is_marked_whole() -> None:
    laid = lay_out("9,90 €.", [{"text": "9,90 €.", "supported": False, "citations": []}], ["9", "9,90 €"])
    assert [piece.text for piece in laid[0].pieces if piece.unsupported] == ["9,90 €"]


@given(st.text(alphabet="ab 1.\n"), st.lists(st.text(alphabet="ab 1.\n", max_size=5)), st.lists(st.text(max_size=3)))
def test_nothing_of_the_text_is_lost(text: str, sentences: list[str], facts: list[str]) -> None:
    given_sentences = [{"text": one, "supported": True, "citations": []} for one in sentences]
    assert words(lay_out(text, given_sentences, facts)).rstrip() == text.rstrip()
