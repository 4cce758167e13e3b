"""How an entry is cut, in Finnish and English."""

from hypothesis import given
from hypothesis import strategies as st

from knowledge.passages import PASSAGE, chunks, passages, sentences


def test_it_works() -> None:
    (passage,) = passages("Auki?", "Arkisin klo 9–17. Tervetuloa!", ["Aukiolo?", "Auki?"])
    assert (passage.title, passage.text) == ("Auki?", "Arkisin klo 9–17. Tervetuloa!")
    assert passage.wordings == (
        "Auki?\nArkisin klo 9–17. Tervetuloa!",
        "Aukiolo?\nArkisin klo 9–17. Tervetuloa!",
    )


def test_an_entry_without_an_answer_has_no_passage_and_one_without_a_question_has_its_text() -> None:
    assert passages("Auki?", " ") == []
    assert passages("", "Arkisin.")[0].wordings == ("Arkisin.",)


def test_sentences_end_where_people_end_them() -> None:
    text = 'Hei! Suljemme 24.12. klo 12. "Oho." Sanoi hän, esim. Matti.\n- yksi\n- kaksi 1. joulukuuta? Kyllä'
    assert sentences(text) == [
        "Hei!",
        'Suljemme 24.12. klo 12. "Oho."',
        "Sanoi hän, esim. Matti.",
        "- yksi",
        "- kaksi 1. joulukuuta?",
        "Kyllä",
    ]


def test_a_long_answer_is_cut_between_sentences_with_one_repeated() -> None:
    long = " ".join(f"Lause numero {n} kertoo jotakin tärkeää asiasta." for n in range(40))
    parts = chunks(long)
    assert len(parts) > 2
    assert all(len(part) <= PASSAGE for part in parts)
    assert all(part.endswith(".") for part in parts)
    assert [sentences(part)[0] for part in parts[1:]] == [sentences(part)[-1] for part in parts[:-1]]


def test_what_has_no_sentences_is_cut_between_words() -> None:
    parts = chunks("sana " * 400)
    assert all(0 < len(part) <= PASSAGE for part in parts)
    assert " ".join(parts).split() == ["sana"] * 400


@given(st.text(alphabet='aÄ1.!? \n"-', max_size=2000))
def test_nothing_is_lost_and_nothing_is_too_long(text: str) -> None:
    parts = chunks(text)
    assert all(len(part) <= PASSAGE for part in parts)
    assert set("".join(text.split())) == set("".join("".join(parts).split()))
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())
