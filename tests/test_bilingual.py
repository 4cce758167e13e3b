"""The encoder that ships: Finnish and English in one space, and what is said where its files are broken."""

import threading
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from models import Embedder, ModelError
from models.bilingual import FOLDER, TOKENIZER, WEIGHTS, BilingualEmbedder
from models.embedder import load_embedder

PAIRS = [
    ("Koska myymälänne sulkeutuu perjantaisin?", "When does your shop close on Fridays?"),
    ("Unohdin tunnussanani enkä pääse sisään.", "I forgot my password and cannot get in."),
    ("Kenkä hajosi viikossa, vaadin hyvitystä.", "The shoe fell apart in a week, I demand a refund."),
    ("Laskussa on summa kahteen kertaan.", "The invoice has the amount twice."),
    ("Pääseekö kahvilaan rattaiden kanssa?", "Can I get into the café with a pushchair?"),
    ("Sataako huomenna Tampereella?", "Will it rain in Tampere tomorrow?"),
    ("Kuinka poistan sovelluksen puhelimesta?", "How do I remove the app from my phone?"),
    ("Sähkönsiirron hinta nousee tammikuussa.", "The price of electricity distribution rises in January."),
    ("Varasimme pöydän neljälle hengelle.", "We booked a table for four."),
    ("Lentokone laskeutui myöhässä.", "The aeroplane landed late."),
]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder("builtin")


def test_it_works(embedder: Embedder) -> None:
    vectors = embedder.embed([text for pair in PAIRS for text in pair])
    assert vectors.shape == (20, embedder.dimension) == (20, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert embedder.embed([]).shape == (0, 384)


def test_a_finnish_text_lies_beside_its_translation(embedder: Embedder) -> None:
    finnish, english = (embedder.embed([pair[side] for pair in PAIRS]) for side in (0, 1))
    assert ((finnish @ english.T).argmax(axis=1) == np.arange(len(PAIRS))).all()
    assert ((english @ finnish.T).argmax(axis=1) == np.arange(len(PAIRS))).all()


def test_a_text_has_the_same_vector_alone_and_among_others(embedder: Embedder) -> None:
    texts = [text for pair in PAIRS for text in pair] + ["Kyllä", "x" * 3000, PAIRS[0][0]]
    together = embedder.embed(texts)
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    assert np.abs(together - alone).max() <= 1e-5
    assert np.array_equal(together[0], together[-1])
    assert np.array_equal(together, embedder.embed(texts))


def test_inflected_forms_and_compounds_lie_near_their_word(embedder: Embedder) -> None:
    word, form, compound, other = embedder.embed(["palautus", "palautuksesta", "palautuslomake", "aurinko"])
    assert word @ form > word @ other + 0.2
    assert word @ compound > word @ other + 0.2


@settings(max_examples=25, deadline=None)
@given(st.text(alphabet=st.characters(codec=None), max_size=80))
def test_no_text_upsets_it(text: str) -> None:
    vector = load_embedder("builtin").embed([text])
    assert vector.shape == (1, 384)
    assert np.isfinite(vector).all()
    assert abs(float(np.linalg.norm(vector)) - 1) < 1e-5


@pytest.mark.parametrize("text", ["", " \n\t", "👍🏽", "\ud800", "ä", "a" * 100_000, "\x00", "12345"])
def test_odd_texts_have_a_vector(embedder: Embedder, text: str) -> None:
    assert abs(float(np.linalg.norm(embedder.embed([text])[0])) - 1) < 1e-5


def test_both_ways_of_writing_a_letter_are_one(embedder: Embedder) -> None:
    whole, parts = embedder.embed(["Äiti käy", "A\u0308iti ka\u0308y"])
    assert np.array_equal(whole, parts)


def test_threads_may_share_it(embedder: Embedder) -> None:
    texts = [text for pair in PAIRS for text in pair]
    expected, found = embedder.embed(texts), list[bool]()
    threads = [
        threading.Thread(target=lambda: found.append(np.allclose(embedder.embed(texts), expected, atol=1e-6)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 4


@pytest.mark.parametrize("name", [WEIGHTS, TOKENIZER])
def test_missing_or_broken_weights_are_one_clear_error(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "encoder"
    copytree(FOLDER, folder)
    whole = (folder / name).read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"\x00" * 64):
        (folder / name).write_bytes(broken)
        with pytest.raises(ModelError, match="install the package again"):
            BilingualEmbedder(load_embedder("minilm"), folder)
    (folder / name).unlink()
    with pytest.raises(ModelError, match="install the package again"):
        BilingualEmbedder(load_embedder("minilm"), folder)


def test_weights_of_another_version_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    copytree(FOLDER, folder)
    save_file({"static.mix": torch.zeros(2, 2)}, str(folder / WEIGHTS), metadata={"settings": "{}"})
    with pytest.raises(ModelError, match="install the package again"):
        BilingualEmbedder(load_embedder("minilm"), folder)


def test_a_language_is_read_by_its_own_half(embedder: Embedder) -> None:
    """English keeps much of MiniLM's own vector; Finnish, which MiniLM cannot read, has none of it."""
    minilm = load_embedder("minilm")
    english, finnish = "Where is the parcel that I ordered last week?", "Missä viipyy viime viikolla tilaamani paketti?"
    assert embedder.embed([english])[0] @ minilm.embed([english])[0] > 0.8
    assert embedder.embed([finnish])[0] @ minilm.embed([english])[0] > 0.5
    assert embedder.embed([finnish])[0] @ minilm.embed([finnish])[0] < 0.4


def test_the_folder_that_ships_is_small_and_tells_what_it_is() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 32 << 20
    assert "CC-BY" in (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")
