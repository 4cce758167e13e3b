"""Choosing a language model by name."""

from pathlib import Path

import pytest

from models import ModelError
from models.catalog import CATALOG, DEFAULT, describe, load_language_model
from models.fakes import FakeEmbedder, FakeLanguageModel
from models.language_model import builtin_folder


def test_it_works() -> None:
    builtin = describe(DEFAULT)
    assert builtin is not None
    assert builtin.name == "builtin"
    assert builtin.download_gb < 0.04
    assert describe("Qwen/Qwen3-4B") is CATALOG["qwen3-4b"]
    assert describe("QWEN3-4B") is CATALOG["qwen3-4b"]
    assert describe("unheard/of") is None


def test_every_model_says_what_it_is_and_needs() -> None:
    for name, model in CATALOG.items():
        assert name == model.name == name.lower()
        assert model.licence
        assert model.languages
        assert model.context_tokens >= 512
        assert 0 < model.download_gb < model.gpu_memory_gb < model.cpu_memory_gb or name == DEFAULT
        assert model.card.endswith((model.source, "MODEL_CARD.md"))


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no model folder"):
        load_language_model(str(tmp_path / "nothing"))


@pytest.mark.skipif(not (builtin_folder() / "model.safetensors").exists(), reason="no weights in models/builtin yet")
def test_the_default_is_what_ships() -> None:
    assert load_language_model("default").name == load_language_model("builtin").name
    assert sum(path.stat().st_size for path in builtin_folder().iterdir()) <= 32 * 1024 * 1024


def test_the_stand_ins_are_the_same_in_every_process() -> None:
    embedder = FakeEmbedder(8)
    vectors = embedder.embed(["a parcel", "Parcel a", "", "refund"])
    assert vectors.shape == (4, 8)
    assert (vectors[0] == vectors[1]).all()
    assert abs((vectors**2).sum(axis=1) - 1).max() < 1e-6
    assert [int(row.argmax()) for row in FakeEmbedder(64).embed(["parcel", "refund"])] == [28, 50]
    model = FakeLanguageModel(context_tokens=10)
    with pytest.raises(ModelError, match="do not fit the model's 10"):
        model.generate([{"role": "user", "content": "one two three"}], max_new_tokens=8)
    cut = FakeLanguageModel().generate([{"role": "user", "content": "[1] T\nA fact.\ncustomer: hi"}], max_new_tokens=3)
    assert (cut.finished, cut.new_tokens) == (False, 3)
