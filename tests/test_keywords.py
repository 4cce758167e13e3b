"""What words find: stems, pieces of words, codes; and what a question may hold without harm."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowledge.keywords import Document, KeywordIndex, distinct_words, pieces
from models import Language

TEXTS: dict[int, tuple[Language | None, str, str]] = {
    1: ("fi", "Kauanko kahvipavut säilyvät?", "Avaamaton pussi säilyy puoli vuotta."),
    2: ("fi", "Toimitusaika", "Paketti on perillä 2–4 päivässä."),
    3: ("en", "How long do beans keep?", "An unopened bag keeps for half a year."),
    4: (None, "Mylly XK-200", "Hinta 199 €."),
}


@pytest.fixture
def index(tmp_path: Path) -> KeywordIndex:
    made = KeywordIndex.create(tmp_path / "words")
    made.update(add=(Document(n, [title], text, language) for n, (language, title, text) in TEXTS.items()))
    return made


def test_it_works(index: KeywordIndex) -> None:
    found = index.search("säilyykö papu", 10)
    assert max(found, key=lambda number: found[number].pieces) == 1
    assert index.search("beans", 10)[3].words > 0


def test_inflected_and_compound_words_are_found_by_their_pieces(index: KeywordIndex) -> None:
    found = index.search("millon mun paketin toimitus tulee", 10)
    assert found[2].pieces > 0
    assert found[2].words > 0  # paketin → paketti


def test_each_language_is_searched_whatever_the_question_is_in(index: KeywordIndex) -> None:
    assert set(index.search("unopened bag", 10)) == {3}
    assert set(index.search("avaamaton pussi", 10)) == {1}


def test_codes_are_found_in_entries_of_any_language(index: KeywordIndex) -> None:
    assert [n for n, scores in index.search("onko xk-200?", 10).items() if scores.codes] == [4]


def test_the_more_is_said_the_higher_the_score(index: KeywordIndex) -> None:
    less = index.search("beans flying elephants", 10)[3]
    more = index.search("how long do beans keep", 10)[3]
    assert 0 < less.words < more.words <= 1


def test_changes_are_seen_here_and_after_opening_again(index: KeywordIndex, tmp_path: Path) -> None:
    index.update(remove=[1], add=[Document(9, ["Papujen varastointi"], "Viileässä.", "fi")])
    for each in (index, KeywordIndex.open(tmp_path / "words")):
        assert len(each) == 4
        assert set(each.search("papu säilyvät", 10)) == {9}


def test_a_missing_index_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "missing"):
        with pytest.raises(OSError, match="cannot be opened"):
            KeywordIndex.open(tmp_path / name)


def test_words_and_pieces() -> None:
    assert distinct_words("Missä MUN tilaus? missä! -x a:b") == ["missä", "mun", "tilaus", "x", "a", "b"]
    assert len(distinct_words(" ".join(map(str, range(1000))))) == 64
    assert pieces("Kahvi on äiti") == ["_kah", "kahv", "ahvi", "_äit", "äiti"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.text(max_size=200) | st.text(alphabet="ab\"'+-:()[]{}^~*?\\/<> ANDORT", max_size=60))
def test_any_question_is_answered(index: KeywordIndex, question: str) -> None:
    for scores in index.search(question, 5).values():
        assert 0 <= scores.words <= 1.001
        assert 0 <= scores.pieces <= 1.001
