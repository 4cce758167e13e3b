"""The trained halves → the folder that ships: whole numbers of eight bits with a scale per row, in safetensors."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from models.bilingual import LONGEST, TOKENIZER, WEIGHTS
from models.training.encoder_static import StaticEncoder

LIMIT = 32 << 20
"""Bytes that the folder may hold."""
RANK = 256
"""Numbers kept of the 384 of each piece's vector in the bag; recall falls by less than a point (192: by two)."""
_SHAPE = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "type_vocab_size",
    "layer_norm_eps", "hidden_act", "pad_token_id",
)  # fmt: skip
_POSITIONS = "embeddings.position_embeddings.weight"


def export(static: StaticEncoder, layers: Any, tokenizer: Path, shares: dict[str, float], into: Path) -> None:
    """Write weights and tokenizer into the folder.

    `layers`: the transformer. `shares`: how much of a vector is MiniLM's for English text ("english") and the
    transformer's for other text ("contextual"). Raises ValueError where the folder becomes larger than may ship.
    """
    into.mkdir(parents=True, exist_ok=True)
    pieces = static.pieces.detach()
    main = torch.linalg.eigh(pieces.T @ pieces).eigenvectors[:, -RANK:]
    tensors: dict[str, Tensor] = {"static.mix": static.mix.detach().half(), "static.turn": main.T.contiguous().half()}
    _put(tensors, "static.pieces", pieces @ main)
    _put(tensors, "static.groups", static.groups.detach())
    for name, tensor in layers.state_dict().items():
        if tensor.dim() == 2:
            _put(tensors, f"layers.{name}", tensor[:LONGEST] if name == _POSITIONS else tensor)
        elif not name.endswith("_ids"):
            tensors[f"layers.{name}"] = tensor.half()
    shape = {name: getattr(layers.config, name) for name in _SHAPE} | {"max_position_embeddings": LONGEST}
    save_file(tensors, str(into / WEIGHTS), metadata={"settings": json.dumps(shares | {"shape": shape})})
    shutil.copyfile(tokenizer, into / TOKENIZER)
    for name in (WEIGHTS, TOKENIZER):
        (into / name).chmod(0o644)
    size = sum((into / name).stat().st_size for name in (WEIGHTS, TOKENIZER))
    if size > LIMIT:
        raise ValueError(f"The folder holds {size / 2**20:.1f} MiB, more than {LIMIT >> 20}: take fewer pieces.")


def _put(tensors: dict[str, Tensor], name: str, table: Tensor) -> None:
    """Add a table as whole numbers from -127 to 127 and the scale of each row."""
    scale = (table.abs().amax(1).float() / 127).clamp(min=1e-7).half()  # the smallest number that halves can tell
    tensors[name] = (table.float() / scale.float().unsqueeze(1)).round().clamp(-127, 127).to(torch.int8)
    tensors[f"{name}.scale"] = scale
