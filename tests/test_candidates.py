"""What the index brings for a question, and what speaks for each of it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from knowledge.candidates import Finder, confidence, ranks, relation
from knowledge.comparing import KeptEmbedder, indexed
from knowledge.public_sets import Corpus, Item
from knowledge.scoring import ANSWERABLE
from knowledge.snapshots import EMPTY
from models import Embedder, Role, Vectors
from models.fakes import FakeEmbedder

ITEMS = [
    Item("hours", "When are you open?", "From 9 to 17 on working days.", "en", ("opening times of the shop",)),
    Item("returns", "Can I return coffee?", "Unopened bags within 30 days.", "en"),
    Item("palautus", "Voinko palauttaa kahvin?", "Avaamattoman pussin 30 päivän kuluessa.", "fi"),
    Item("parking-anchor", "Is there parking?", "The Anchor has no parking.", "en"),
    Item("parking-bell", "Is there parking?", "The Bell has parking for guests.", "en"),
    Item("mylly", "Mylly XK-200", "Hinta 199 €.", "fi"),
]
CORPUS = Corpus("test", ITEMS)


class Rotated:
    """Another embedder of the same texts: all vectors are turned, stretched towards one direction, and renamed."""

    def __init__(self, dimension: int = 48) -> None:
        self.name, self.dimension = "rotated", dimension
        self._inner = FakeEmbedder(256)
        self._turn = np.random.default_rng(5).standard_normal((256, dimension)).astype(np.float32)

    def embed(self, texts: list[str], *, role: Role = "passage") -> Vectors:
        """Return unit vectors whose cosines are all high, as those of many models are."""
        vectors = self._inner.embed(texts) @ self._turn
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) * 0.4
        vectors[:, 0] += 1.0
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.fixture
def finder() -> Iterator[Finder]:
    with indexed(CORPUS, FakeEmbedder()) as index:
        yield index.finder


def names(finder: Finder, text: str, history: tuple[str, ...] = ()) -> list[str]:
    return [ITEMS[candidate.entry.entry_id].name for candidate in finder.find([text], "en", history=history)[0]]


def test_it_works(finder: Finder) -> None:
    best, *others = finder.find(["When are you open"], "en")[0]
    assert ITEMS[best.entry.entry_id].name == "hours"
    assert best.relation == "en"
    assert best.signs.dense > 2
    assert best.signs.words_of_best == 1
    assert all(best.place >= other.place for other in others)
    assert ranks([best, *others], "dense")[best.entry.entry_id] == 1


def test_each_text_has_its_own(finder: Finder) -> None:
    first, nothing, second = finder.find(["return coffee", "", "parking"], "en")
    assert ITEMS[first[0].entry.entry_id].name == "returns"
    assert nothing == []
    assert ITEMS[second[0].entry.entry_id].name.startswith("parking")


def test_an_empty_index_finds_nothing() -> None:
    assert Finder(EMPTY, FakeEmbedder()).find(["a", "b"], None) == [[], []]


@pytest.mark.parametrize("embedder", [None, FakeEmbedder(32)])
def test_without_the_indexs_embedder_words_alone_are_looked_at(finder: Finder, embedder: Embedder | None) -> None:
    """Vectors of another embedder cannot be compared, so none is asked for."""
    found = Finder(finder.snapshot, embedder).find(["return coffee"], "en")[0]
    assert ITEMS[found[0].entry.entry_id].name == "returns"
    assert all(candidate.cosine == candidate.signs.dense == 0 for candidate in found)


def test_what_was_said_before_tells_twins_apart(finder: Finder) -> None:
    for name in ("anchor", "bell"):
        history = ("Hello", f"I would like to stay at The {name.title()}.", "Gladly.")
        assert names(finder, "is there parking", history)[0] == f"parking-{name}"


def test_a_question_is_found_among_other_sentences(finder: Finder) -> None:
    """Of a long story, the whole resembles nothing."""
    story = "My sister visited us from Oulu last week. Can I return coffee? The weather has been lovely all summer."
    assert names(finder, story)[0] == "returns"
    alone, among = (finder.find([text], "en")[0][0] for text in ("Can I return coffee?", story))
    assert among.level == pytest.approx(alone.level)


def test_codes_are_found_in_any_language(finder: Finder) -> None:
    assert names(finder, "price of XK-200")[0] == "mylly"


@pytest.mark.parametrize(
    ("question", "passage", "related"),
    [("fi", "fi", "fi"), ("fi", "en", "across"), (None, "fi", "fi"), ("fi", None, "fi"), (None, None, "en")],
)
def test_relation(question: str | None, passage: str | None, related: str) -> None:
    assert relation(question, passage) == related  # type: ignore[arg-type]


@pytest.mark.parametrize("embedder", [FakeEmbedder(64), FakeEmbedder(256), Rotated()])
def test_another_embedder_needs_no_other_threshold(embedder: Embedder) -> None:
    """Cosines that are all near 1, or spread widely: what has an answer is told from what has none."""
    with indexed(CORPUS, embedder) as index:
        sure = [
            confidence(text, index.finder.find([text], "en")[0], index.finder.weighed)
            for text in ("When are you open?", "Can I return coffee?", "Do zebras dream of sushi tonight?")
        ]
    assert sure[0] > ANSWERABLE
    assert sure[1] > ANSWERABLE
    assert sure[2] < ANSWERABLE


def test_the_kept_vectors_are_the_embedders(tmp_path: Path) -> None:
    kept = KeptEmbedder(FakeEmbedder(), tmp_path)
    vectors = kept.embed(["a", "b", "a"])
    kept.keep()
    again = KeptEmbedder(FakeEmbedder(), tmp_path)
    assert np.array_equal(again.embed(["a", "b", "a"]), vectors)
    assert np.array_equal(vectors, FakeEmbedder().embed(["a", "b", "a"]))
