"""A checkpoint → a folder that AutoModelForCausalLM and AutoTokenizer load: bfloat16 weights, tokenizer, template."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

LIMIT = 32 * 1024 * 1024  # bytes that the folder may weigh in the repository
_LOCAL = (
    "_name_or_path",
    "name_or_path",
    "is_local",
    "local_files_only",
)  # of the machine that trained, not of the model


def export(model: Any, tokenizer: "PreTrainedTokenizerFast", folder: Path, name: str) -> None:
    """Write the model under a name that includes its version, such as "builtin-1"; drafts record that name.

    Raises ValueError where the folder weighs more than the repository may hold.
    """
    import torch
    from transformers import GenerationConfig

    folder.mkdir(parents=True, exist_ok=True)
    model.config.nettiaspa_name = name
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    weights = {key: value.detach().clone() for key, value in model.state_dict().items()}
    model.to(torch.bfloat16).save_pretrained(folder)
    model.to(torch.float32).load_state_dict(weights)
    tokenizer.save_pretrained(folder)
    _drop_machine_paths(folder / "config.json")
    _drop_machine_paths(folder / "tokenizer_config.json")
    (folder / "model.safetensors").chmod(0o644)  # written for its owner alone, yet another user may run the program
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    if size > LIMIT:
        raise ValueError(f"The exported model weighs {size} bytes, more than {LIMIT}: learn a smaller vocabulary.")


def _drop_machine_paths(path: Path) -> None:
    values = {k: v for k, v in json.loads(path.read_text()).items() if k not in _LOCAL}
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load_checkpoint(path: Path, tokenizer: "PreTrainedTokenizerFast") -> Any:
    """Return the model of a checkpoint that train.py wrote."""
    import torch

    from models.training.warm_start import warm_start

    model: Any = warm_start(tokenizer)
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["model"])
    return model.eval()
