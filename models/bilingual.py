"""Texts in Finnish or English → unit vectors in one space, MiniLM's: a text lies beside its translation.

A vector is a weighted sum of two: a bag of pieces and letter groups (the static half), and what MiniLM says of a text
that is surely English, or a MiniLM taught Finnish of any other (the contextual half). The weights lie in
builtin/encoder, their recipe in training/encoder.py. Knows no database and keeps no vector.
"""

import json
import re
import threading
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from models import Embedder, ModelError, Role, Vectors
from models.language import WordLanguageIdentifier

if TYPE_CHECKING:
    from torch import Tensor

FOLDER = Path(__file__).with_name("builtin") / "encoder"
WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"
BATCH = 64
LONGEST = 256
"""Pieces that the contextual half reads of a text; the static half reads all."""
CLS, SEP = 2, 3
_WORD = re.compile(r"\w+")
_SHORTEST, _LONGEST = 3, 5


def clean(text: str) -> str:
    """Return the text as the tokenizer is taught: NFC, lower case; a lone surrogate counts as a question mark."""
    return _composed(text).lower()


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text.encode(errors="replace").decode())


def words(text: str) -> list[str]:
    """Return the words and numbers of a cleaned text."""
    return _WORD.findall(text)


@lru_cache(maxsize=1 << 16)
def letter_groups(word: str, buckets: int) -> tuple[int, ...]:
    """Return the buckets of a word's groups of three to five letters, its borders marked, and of the word itself.

    Compounds and inflected forms share groups (Bojanowski et al. 2017, arXiv 1607.04606).
    """
    marked = f"<{word[:40]}>"
    groups = {marked}
    for length in range(_SHORTEST, _LONGEST + 1):
        groups.update(marked[start : start + length] for start in range(len(marked) - length + 1))
    return tuple(sorted(crc32(group.encode()) % buckets for group in groups))


class StaticHalf:
    """The bag: each piece and each letter group has a vector; a text is their sum, cut to length 1."""

    def __init__(self, weights: dict[str, Any]) -> None:
        """Take the tables from the weights file: whole numbers with a scale per row."""
        self._pieces = _rows(weights, "static.pieces") @ _rows(weights, "static.turn")
        self._groups, self._mix = _rows(weights, "static.groups"), _rows(weights, "static.mix")

    def embed(self, texts: Sequence[str], pieces: Sequence[Sequence[int]]) -> Vectors:
        """Return a unit vector per cleaned text, given its pieces; a text without any has the unknown piece's."""
        found = np.empty((len(texts), self._pieces.shape[1]), dtype=np.float32)
        for number, (text, own) in enumerate(zip(texts, pieces, strict=True)):
            groups = [group for word in words(text) for group in letter_groups(word, len(self._groups))]
            bag = self._pieces[list(own) or [1]].sum(axis=0)
            found[number] = bag + self._groups[groups or [1]].sum(axis=0) @ self._mix
        return unit(found)


class ContextualHalf:
    """MiniLM's layers under pieces of our own. May be used by one thread at a time."""

    def __init__(self, weights: dict[str, Any], shape: dict[str, Any]) -> None:
        """Build the layers of that shape (the keyword arguments of BertConfig) and fill them."""
        from transformers import BertConfig, BertModel

        state: dict[str, Tensor] = {}
        for name in (key.removeprefix("layers.") for key in weights if key.startswith("layers.")):
            if not name.endswith(".scale"):
                state[name] = _dense(weights, f"layers.{name}")
        self._model = BertModel(BertConfig(**shape), add_pooling_layer=False).eval()  # type: ignore[no-untyped-call]
        self._model.load_state_dict(state)

    def embed(self, pieces: Sequence[Sequence[int]]) -> Vectors:
        """Return the unit mean of the last layer for each row of pieces; short rows are read beside short ones."""
        import torch

        order = sorted(range(len(pieces)), key=lambda n: len(pieces[n]))
        found = np.empty((len(pieces), self._model.config.hidden_size), dtype=np.float32)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            rows = [[CLS, *pieces[n][: LONGEST - 2], SEP] for n in batch]
            width = max(map(len, rows))
            ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
            mask = ids != 0
            with torch.inference_mode():
                hidden = self._model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
                found[batch] = (hidden * mask.unsqueeze(2)).sum(1).numpy()
        return unit(found)


class BilingualEmbedder:
    """An `Embedder` of Finnish and English texts. May be used by several threads."""

    def __init__(self, english: Embedder, folder: Path = FOLDER) -> None:
        """Load the weights in `folder`; `english` is the MiniLM whose space this is.

        Raises ModelError where a file is missing or broken.
        """
        weights, self._settings = _read(folder)
        try:
            self._static = StaticHalf(weights)
            self._contextual = ContextualHalf(weights, self._settings["shape"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:  # whole, but of another version
            raise _broken(folder / WEIGHTS, error) from error
        self._tokenizer = _tokenizer(folder)
        self._english = english
        self._identifier = WordLanguageIdentifier()
        self._lock = threading.Lock()
        self.name = f"bilingual@{_fingerprint(folder, english.name)}"
        self.dimension = english.dimension

    def embed(self, texts: Sequence[str], *, role: Role = "passage") -> Vectors:
        """Return one unit vector per text; equal texts are computed once. Questions and passages are read alike."""
        composed = [_composed(text) for text in texts]
        places = {text: number for number, text in enumerate(dict.fromkeys(composed))}
        found = self._embed(list(places))
        return found[[places[text] for text in composed]]

    def _embed(self, texts: list[str]) -> Vectors:
        cleaned = [clean(text) for text in texts]
        pieces = [e.ids for e in self._tokenizer.encode_batch_fast(cleaned, add_special_tokens=False)]
        static = self._static.embed(cleaned, pieces)
        # what does not tell its language ("Australian dollar") is read in the one that it is nearer to
        found_in = [self._identifier.identify(text) or self._identifier.lean(text) for text in texts]
        english = [n for n, language in enumerate(found_in) if language == "en"]
        other = sorted(set(range(len(texts))) - set(english))
        found = static.copy()
        if english:
            share = self._settings["english"]
            found[english] = (1 - share) * static[english] + share * self._english.embed([texts[n] for n in english])
        if other:
            share = self._settings["contextual"]
            with self._lock:
                contextual = self._contextual.embed([pieces[n] for n in other])
            found[other] = (1 - share) * static[other] + share * contextual
        return unit(found)


def unit(vectors: Vectors) -> Vectors:
    """Return the rows cut to length 1; a row of noughts points along the first axis."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = np.where(lengths > 0, vectors, np.eye(1, vectors.shape[1], dtype=np.float32))
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tensors by name and the settings that are written in the file's head."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(folder / WEIGHTS), framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["settings"])  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _broken(folder / WEIGHTS, error) from error


def _tokenizer(folder: Path) -> Any:
    from tokenizers import Tokenizer

    path = folder / TOKENIZER
    try:
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # the library raises bare Exception, of whatever is wrong
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> ModelError:
    return ModelError(
        f"The bilingual embedder cannot read {path.parent.name}/{path.name}: install the package again, or set the "
        f"embedding model to minilm (English only). ({type(error).__name__})"
    )


def _dense(weights: dict[str, Any], name: str) -> "Tensor":
    """Return a tensor as float32: whole numbers are multiplied by the scale of their row."""
    tensor: Tensor = weights[name].float()
    scale = weights.get(f"{name}.scale")
    return tensor if scale is None else tensor * scale.float().unsqueeze(1)


def _rows(weights: dict[str, Any], name: str) -> NDArray[np.float32]:
    return np.asarray(_dense(weights, name).numpy())


def _fingerprint(folder: Path, english: str) -> str:
    digest = blake2b(english.encode(), digest_size=6)
    for name in (WEIGHTS, TOKENIZER):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()
