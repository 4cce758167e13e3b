"""The recipe of the bilingual encoder that ships in models/builtin/encoder.

    python -m models.training.encoder --data DIR --out runs/encoder --minutes 100

does every step, and run again continues where it was broken off: read the texts (encoder_texts.py) → learn a vocabulary
(encoder_tokenizer.py) → ask the teacher (encoder_teacher.py) → train the bag (encoder_static.py), a tenth of the
minutes → train the layers (encoder_transformer.py), the rest → choose the shares of the two on held-out text, write the
folder (encoder_export.py) and measure it (encoder_measure.py). Two cores are enough.
"""

import argparse
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from models import Vectors
from models.bilingual import BilingualEmbedder, unit
from models.embedder import load_embedder
from models.training import encoder_measure as measure
from models.training import encoder_static, encoder_transformer
from models.training.encoder_export import export
from models.training.encoder_static import Course, StaticEncoder
from models.training.encoder_teacher import Teacher
from models.training.encoder_texts import Split, Texts, load
from models.training.encoder_tokenizer import learn

PIECES, EPOCHS, SEED = 26_000, 12, 0
_TRIED = tuple(round(0.1 * n, 1) for n in range(11))


def main() -> None:
    """Read the command line and make the encoder."""
    parser = argparse.ArgumentParser(description="Train the bilingual encoder.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the public data")
    parser.add_argument("--out", type=Path, default=Path("runs/encoder"), help="folder for caches and the result")
    parser.add_argument("--minutes", type=float, default=100, help="time for training")
    parser.add_argument("--threads", type=int, default=2, help="one is as fast as two where the cores are shared")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    chosen.out.mkdir(parents=True, exist_ok=True)
    texts = load(chosen.data)
    tokenizer = _vocabulary(texts["train"], chosen.out / "tokenizer.json")
    teacher = Teacher(chosen.out)
    static = _static(texts, tokenizer, teacher, chosen.out / "static.pt", chosen.minutes * 0.1)
    layers = _layers(texts, tokenizer, teacher, static, chosen.out / "layers.pt", chosen.minutes * 0.9)
    shares = choose(texts["held_out"], static, layers, tokenizer)
    export(static, layers, chosen.out / "tokenizer.json", shares, chosen.out / "encoder")
    report(chosen.data, texts["held_out"], chosen.out / "encoder")


def _vocabulary(texts: Texts, path: Path) -> Tokenizer:
    return Tokenizer.from_file(str(path)) if path.exists() else learn(texts, PIECES, path)


def _static(
    texts: dict[Split, Texts], tokenizer: Tokenizer, teacher: Teacher, path: Path, minutes: float
) -> StaticEncoder:
    if path.exists():
        state = torch.load(path, weights_only=True)
        model = StaticEncoder(np.ones(tokenizer.get_vocab_size(), dtype=np.int64))
        model.load_state_dict(state)
        return model
    tasks = measure.held_out_tasks(texts["held_out"])

    def check(model: StaticEncoder) -> dict[str, Any]:
        return _recalls(tasks, encoder_static.encode_with(model, tokenizer))

    model = encoder_static.train(Course(texts["train"], tokenizer, teacher), minutes, EPOCHS, check, SEED)
    encoder_static.save(model, path)
    return model


def _layers(
    texts: dict[Split, Texts], tokenizer: Tokenizer, teacher: Teacher, static: StaticEncoder, path: Path, minutes: float
) -> Any:
    tasks = measure.held_out_tasks(texts["held_out"], small=True)

    def check(model: Any) -> dict[str, Any]:
        return _recalls(tasks, encoder_transformer.encode_with_transformer(model, tokenizer))

    lessons = encoder_transformer.Lessons(texts["train"], tokenizer, teacher, SEED)
    model = encoder_transformer.warm_start(static, tokenizer, lessons.counts("fi"), lessons.counts("en"))
    return encoder_transformer.train(model, lessons, minutes, path, check)


def choose(texts: Texts, static: StaticEncoder, layers: Any, tokenizer: Tokenizer) -> dict[str, float]:
    """Return the shares of the two halves with the best mean recall@1 and @5 over the held-out tasks."""
    bag = encoder_static.encode_with(static, tokenizer)
    read = {"en": load_embedder("minilm").embed, "fi": encoder_transformer.encode_with_transformer(layers, tokenizer)}
    tasks = measure.held_out_tasks(texts)
    halves: dict[tuple[str, ...], tuple[Vectors, Vectors, str]] = {}
    for task in tasks:
        for side, language in zip((task.questions, task.wordings), task.languages, strict=True):
            if tuple(side) not in halves:
                halves[tuple(side)] = bag(side), read[language](side), language
    found: dict[tuple[float, float], float] = {}
    for contextual, english in product(_TRIED, _TRIED):
        shares = {"fi": contextual, "en": english}

        def encode(side: Sequence[str], shares: dict[str, float] = shares) -> Vectors:
            first, second, language = halves[tuple(side)]
            return unit((1 - shares[language]) * first + shares[language] * second)

        recalls = {task.name: measure.recall(task, encode) for task in tasks}
        found[contextual, english] = float(np.mean(list(recalls.values())))
        print(f"shares {shares} {found[contextual, english]:.4f} {recalls}", flush=True)
    contextual, english = max(found, key=found.__getitem__)
    return {"contextual": contextual, "english": english}


def report(data: Path, held_out: Texts, folder: Path) -> None:
    """Print, as one JSON document, what the written folder reaches, and plain MiniLM beside it."""
    minilm = load_embedder("minilm")
    encoders = {"bilingual": BilingualEmbedder(minilm, folder).embed, "minilm": minilm.embed}
    tasks = [*measure.held_out_tasks(held_out), *measure.public_tasks(data)]
    pairs = measure.public_pairs(data)
    measured = {
        name: _recalls(tasks, encode)
        | {f"{key} mined": round(measure.mined(rows, encode), 3) for key, rows in pairs.items()}
        for name, encode in encoders.items()
    }
    print(json.dumps(measured, indent=1))


def _recalls(tasks: Sequence[measure.Task], encode: measure.Encode) -> dict[str, Any]:
    return {task.name: [round(value, 3) for value in measure.recall(task, encode)] for task in tasks}


if __name__ == "__main__":
    main()
