"""The training loop: batches of similar length, bf16 arithmetic, checkpoints that a later run continues from.

It knows examples only as tokens. The order of the examples, the loss and the learning rate depend on the seed and on
what a checkpoint holds alone, so that a resumed run gives what an uninterrupted one would have given.
"""

import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from models.training.mixture import Mixture

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

_IGNORED = -100
_PROMPT_SHARE = 0.03  # share of prompt tokens that are learnt from as well as all of the reply's
_DECISION = 4.0  # weight of a token that decides: how the reply begins, which sentence is next, which mark follows it
_SHORT_FIRST, _SHORT = 5000, 180  # the first so many examples are no longer than this: copying is learnt soonest there
_SHIFTED = 0.35  # share of batches that begin at a later position, so that all 512 are trained


@dataclass(frozen=True)
class Batch:
    """Rows of tokens; what is to be learnt of them (the rest is _IGNORED), how heavily; the first row's position."""

    tokens: "torch.Tensor"
    labels: "torch.Tensor"
    weights: "torch.Tensor"
    first: int


@dataclass(frozen=True)
class Schedule:
    """How long and how fast. One of `minutes` (of training, across resumptions) and `steps` ends the run."""

    minutes: float | None = None
    steps: int | None = None
    rate: float = 6e-4
    warm_up: int = 100
    batch_tokens: int = 2304
    block: int = 256
    checkpoint_minutes: float = 10.0

    def progress(self, step: int, seconds: float) -> float:
        """Return how much of the run is behind us, 0 to 1."""
        if self.steps is not None:
            return min(1.0, step / self.steps)
        return min(1.0, seconds / 60 / (self.minutes or 1.0))

    def rate_at(self, step: int, seconds: float) -> float:
        """Return the learning rate: linear warm-up, then a cosine down to a fiftieth."""
        cosine = 0.5 * (1 + math.cos(math.pi * self.progress(step, seconds)))
        return self.rate * min(1.0, (step + 1) / self.warm_up) * (0.98 * cosine + 0.02)


@dataclass
class Position:
    """Where a run stands: the next block of examples, the next batch in it, steps and seconds behind it."""

    block: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    tokens: int = 0


def tokens_of(tokenizer: Any, mixture: Mixture, number: int, limit: int) -> tuple[list[int], int]:
    """Return the tokens of an example and where its reply begins; one that is too long is replaced by another."""
    if number < _SHORT_FIRST:
        limit = min(limit, _SHORT)
    for again in range(1000):
        example = mixture.example(number, again=again)
        prompt = tokenizer.apply_chat_template(example.messages, add_generation_prompt=True, tokenize=False)
        begin = tokenizer.encode(prompt, add_special_tokens=False)
        reply = tokenizer.encode(" " + example.reply, add_special_tokens=False)
        if len(begin) + len(reply) < limit:
            return [*begin, *reply, int(tokenizer.eos_token_id)], len(begin)
    raise ValueError(f"Example {number} cannot be made shorter than {limit} tokens: shorten the phrases.")


def batches(
    tokenizer: "PreTrainedTokenizerFast", mixture: Mixture, schedule: Schedule, block: int, limit: int
) -> list[Batch]:
    """Return the batches of a block, in a random order that the seed fixes."""
    import torch

    rng = Random(f"{mixture.seed}:block:{block}")
    numbers = range(block * schedule.block, (block + 1) * schedule.block)
    rows = sorted((tokens_of(tokenizer, mixture, n, limit) for n in numbers), key=lambda row: len(row[0]))
    groups: list[list[tuple[list[int], int]]] = [[]]
    for row in rows:
        if len(row[0]) * (len(groups[-1]) + 1) > schedule.batch_tokens:
            groups.append([])
        groups[-1].append(row)
    rng.shuffle(groups)
    made = []
    deciding = torch.tensor(sorted(_before_decisions(tokenizer)))
    for group in groups:
        width = len(group[-1][0])
        tokens = torch.full((len(group), width), int(tokenizer.pad_token_id))
        labels = torch.full((len(group), width), _IGNORED)
        weights = torch.ones(len(group), width)
        for i, (ids, reply) in enumerate(group):
            tokens[i, : len(ids)] = torch.tensor(ids)
            kept = [t if j >= reply or (j and rng.random() < _PROMPT_SHARE) else _IGNORED for j, t in enumerate(ids)]
            labels[i, : len(ids)] = torch.tensor(kept)
            weights[i, reply : reply + 3] = _DECISION
            weights[i, reply + 1 :][torch.isin(tokens[i, reply:-1], deciding)] = _DECISION
        first = rng.randrange(limit - width + 1) if rng.random() < _SHIFTED else 0
        made.append(Batch(tokens, labels, weights, first))
    return made


@cache
def _before_decisions(tokenizer: Any) -> frozenset[int]:
    """Return the tokens after which a sentence or a mark begins: those that end with a full stop, a bracket, ..."""
    return frozenset(i for i in range(len(tokenizer)) if tokenizer.decode([i]).endswith((".", "!", "?", "[", "]")))


def loss_of(model: Any, batch: Batch) -> tuple["torch.Tensor", float]:
    """Return the weighted mean loss over the labelled tokens and the share of them that the model gets right."""
    import torch

    device = next(model.parameters()).device
    tokens, labels, weights = batch.tokens.to(device), batch.labels.to(device), batch.weights.to(device)
    positions = torch.arange(batch.first, batch.first + tokens.shape[1] - 1, device=device).unsqueeze(0)
    with torch.autocast(device.type, torch.bfloat16):
        hidden = model.bert(input_ids=tokens[:, :-1], position_ids=positions, use_cache=False).last_hidden_state
        target = labels[:, 1:].reshape(-1)
        chosen = (target != _IGNORED).nonzero().squeeze(1)
        logits = model.cls(hidden.reshape(-1, hidden.shape[-1])[chosen]).float()
    target, weight = target[chosen], weights[:, 1:].reshape(-1)[chosen]
    losses = torch.nn.functional.cross_entropy(logits, target, reduction="none")
    return (losses * weight).sum() / weight.sum(), (logits.argmax(-1) == target).float().mean().item()


def train(
    model: Any,
    tokenizer: "PreTrainedTokenizerFast",
    mixture: Mixture,
    schedule: Schedule,
    folder: Path,
    *,
    stop_after: int | None = None,
) -> Position:
    """Train until the schedule ends, continuing from `folder`/checkpoint.pt where there is one.

    Writes checkpoints and log.jsonl (step, tokens, seconds, loss, accuracy on the learnt tokens) to `folder`.
    `stop_after` breaks off at that step with a checkpoint, as an interruption would. Returns where it stopped.
    """
    import torch

    optimizer = torch.optim.AdamW(
        model.parameters(), lr=schedule.rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    position = _resume(model, optimizer, folder)
    limit = model.config.max_position_embeddings
    model.train()
    began = saved = logged = time.monotonic()
    losses: list[float] = []
    hits: list[float] = []
    for batch in _stream(tokenizer, mixture, schedule, position, limit):
        if schedule.progress(position.step, position.seconds) >= 1 or position.step == stop_after:
            break
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate_at(position.step, position.seconds)
        loss, right = loss_of(model, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        position.step += 1
        position.batch += 1
        position.tokens += batch.tokens.numel()
        position.seconds += time.monotonic() - began
        began = time.monotonic()
        losses.append(loss.item())
        hits.append(right)
        if time.monotonic() - logged > 20:
            _log(folder, position, schedule, losses, hits)
            losses, hits, logged = [], [], time.monotonic()
        if time.monotonic() - saved > schedule.checkpoint_minutes * 60:
            _save(model, optimizer, position, folder)
            saved = time.monotonic()
    _save(model, optimizer, position, folder)
    return position


def _stream(
    tokenizer: "PreTrainedTokenizerFast", mixture: Mixture, schedule: Schedule, position: Position, limit: int
) -> Iterator[Batch]:
    while True:
        yield from batches(tokenizer, mixture, schedule, position.block, limit)[position.batch :]
        position.block, position.batch = position.block + 1, 0


def _resume(model: Any, optimizer: Any, folder: Path) -> Position:
    import torch

    path = folder / "checkpoint.pt"
    if not path.exists():
        return Position()
    state = torch.load(path, map_location=next(model.parameters()).device, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return Position(**state["position"])


def _save(model: Any, optimizer: Any, position: Position, folder: Path) -> None:
    """Write the checkpoint beside the old one and put it in its place, so that a kill leaves one of the two whole."""
    import torch

    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "position": asdict(position)}
    torch.save(state, folder / "checkpoint.new")
    (folder / "checkpoint.new").replace(folder / "checkpoint.pt")


def _log(folder: Path, position: Position, schedule: Schedule, losses: list[float], hits: list[float]) -> None:
    row = {
        **asdict(position),
        "progress": round(schedule.progress(position.step, position.seconds), 4),
        "loss": round(sum(losses) / len(losses), 4),
        "accuracy": round(sum(hits) / len(hits), 4),
    }
    with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(row) + os.linesep)
