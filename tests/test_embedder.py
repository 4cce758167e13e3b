"""The embedder that ships, and what is said about one that is not there."""

import threading
from pathlib import Path

import numpy as np
import pytest

from models import ModelError
from models.embedder import load_embedder


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


def test_a_missing_or_broken_model_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no folder"):
        load_embedder(str(tmp_path / "none"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="Copy the folder again"):
        load_embedder(str(tmp_path / "empty"))
    with pytest.raises(ModelError, match="Fetch it first"):
        load_embedder("nobody/has-this-model")
