"""`python -m models.training`: tokenizer → examples → train → export → evaluate. Run again, it continues."""

import argparse
import os
from pathlib import Path
from typing import Any

from models.training import tokenizer as vocabulary
from models.training.evaluate import evaluate, held_out, summary, table
from models.training.export import export, load_checkpoint
from models.training.mixture import Mixture
from models.training.train import Schedule, train
from models.training.warm_start import warm_start


def main() -> None:
    """Train, export and measure the shipped model, or only export and measure what a checkpoint holds."""
    import torch
    from transformers import PreTrainedTokenizerFast

    from models.language_model import TransformersLanguageModel

    options = _options()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    mixture = Mixture.open(options.data, options.seed)
    if not (out / "tokenizer" / "tokenizer.json").exists():
        vocabulary.train(vocabulary.corpus(mixture)).save_pretrained(out / "tokenizer")
        print("The vocabulary is learnt.", flush=True)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(out / "tokenizer", local_files_only=True)
    if not options.export_only:
        model: Any = warm_start(tokenizer, options.seed)
        model.to("cuda" if torch.cuda.is_available() else "cpu")
        schedule = Schedule(minutes=options.minutes, steps=options.steps, rate=options.rate)
        done = train(model, tokenizer, mixture, schedule, out)
        print(f"Trained {done.step} steps, {done.tokens / 1e6:.1f} million tokens, {done.seconds / 60:.0f} minutes.")
    folder = options.export or out / "model"
    export(load_checkpoint(out / "checkpoint.pt", tokenizer), tokenizer, folder, options.name)
    print(f"Exported to {folder}.", flush=True)
    if options.evaluate:
        verdicts, _ = evaluate(TransformersLanguageModel(str(folder)), held_out(mixture, options.evaluate))
        print(table(summary(verdicts)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m models.training", description=__doc__)
    data = os.environ.get("ASPA_TRAINING_DATA")
    parser.add_argument("--data", type=Path, default=data, help="folder of the public data; also ASPA_TRAINING_DATA")
    parser.add_argument("--out", type=Path, default=Path("runs/builtin"), help="checkpoints, log and vocabulary")
    parser.add_argument("--minutes", type=float, default=100, help="of training, across interruptions")
    parser.add_argument("--steps", type=int, help="instead of minutes")
    parser.add_argument("--rate", type=float, default=6e-4, help="the highest learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--export", type=Path, help="where the finished model goes (default: OUT/model)")
    parser.add_argument("--export-only", action="store_true", help="of the last checkpoint, without training")
    parser.add_argument("--name", default="builtin-1", help="the model's name and version, recorded in drafts")
    parser.add_argument("--evaluate", type=int, default=400, help="how many held-out prompts; 0 for none")
    return parser.parse_args()


if __name__ == "__main__":
    main()
