"""The first half of the encoder: a weighted bag of pieces and letter groups, taught to lie where MiniLM's vectors lie.

Distillation on pairs (Reimers & Gurevych 2020, arXiv 2004.09813): Finnish and English side → the teacher's vector of
the English side. Questions are drawn to their passages, paraphrases to each other; after the first pass each question
also sees the passages that it took for its own.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, embedding_bag, normalize

from models.bilingual import clean, letter_groups, words
from models.training.encoder_teacher import Teacher
from models.training.encoder_texts import Texts

BUCKETS, RANK, WIDTH = 1 << 16, 64, 384
_SCALE = 20.0  # how much nearer the right vector has to be than the others of its batch
_BATCH = 1024


@dataclass
class Bags:
    """Numbers of many texts, one after the other, and where each text starts."""

    values: NDArray[np.int32]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> "Bags":
        """Put rows after each other; an empty row holds the number 1, the unknown piece."""
        full = [row or [1] for row in rows]
        starts = np.cumsum([0, *map(len, full)])
        return cls(np.fromiter((n for row in full for n in row), dtype=np.int32, count=int(starts[-1])), starts)

    def take(self, rows: NDArray[np.int64], drop: float = 0.0) -> tuple[Tensor, Tensor]:
        """Return (values, offsets) of some texts as torch wants them, some values left out at random."""
        lengths = self.starts[rows + 1] - self.starts[rows]
        offsets = np.cumsum(lengths) - lengths
        index = np.repeat(self.starts[rows] - offsets, lengths) + np.arange(lengths.sum())
        values = self.values[index]
        if drop:
            kept = np.random.random(len(values)) >= drop
            kept[offsets] = True
            counts = np.add.reduceat(kept, offsets)
            values, offsets = values[kept], np.cumsum(counts) - counts
        return torch.from_numpy(values).long(), torch.from_numpy(offsets)


class StaticEncoder(nn.Module):
    """pieces [V, 384] + letter groups [2^16, 64] × [64, 384], summed: a common piece learns a short vector."""

    def __init__(self, pieces: NDArray[np.int64]) -> None:
        """Begin from random directions; the more often a piece stands in the texts, the shorter (Arora et al. 2017)."""
        super().__init__()
        share = torch.tensor(pieces / pieces.sum())
        length = (3e-4 / (3e-4 + share)).float().unsqueeze(1)
        self.pieces = nn.Parameter(torch.randn(len(pieces), WIDTH) * 0.05 * length)
        self.groups = nn.Parameter(torch.randn(BUCKETS, RANK) * 0.02)
        self.mix = nn.Parameter(torch.randn(RANK, WIDTH) * 0.05)

    def forward(self, pieces: tuple[Tensor, Tensor], groups: tuple[Tensor, Tensor]) -> Tensor:
        whole = embedding_bag(pieces[0], self.pieces, pieces[1], mode="sum")
        parts = embedding_bag(groups[0], self.groups, groups[1], mode="sum") @ self.mix
        return normalize(whole + parts, dim=1)


class Corpus:
    """All texts of a training as bags."""

    def __init__(self, texts: Sequence[str], tokenizer: Tokenizer) -> None:
        cleaned = [clean(text) for text in texts]
        self.pieces = Bags.of([e.ids for e in tokenizer.encode_batch_fast(cleaned, add_special_tokens=False)])
        rows = []
        for text in cleaned:
            row: list[int] = []
            for word in words(text):
                row += letter_groups(word, BUCKETS)
            rows.append(row)
        self.groups = Bags.of(rows)

    def vectors(self, model: StaticEncoder, rows: NDArray[np.int64], drop: float = 0.0) -> Tensor:
        """Return the unit vectors of some texts."""
        found: Tensor = model(self.pieces.take(rows, drop), self.groups.take(rows, drop))
        return found


class Course:
    """The training texts of the static encoder, as bags beside their teacher's vectors."""

    def __init__(self, texts: Texts, tokenizer: Tokenizer, teacher: Teacher) -> None:
        pairs = texts.pairs + texts.glossary * 2
        self.target = torch.from_numpy(teacher.embed([en for en, _ in pairs]))
        self.en = Corpus([en for en, _ in pairs], tokenizer)
        self.fi = Corpus([fi for _, fi in pairs], tokenizer)
        self.asked = Corpus([q for q, _ in texts.questions], tokenizer)
        self.passages = list(dict.fromkeys(p for _, p in texts.questions))
        place = {p: n for n, p in enumerate(self.passages)}
        self.answer = np.array([place[p] for _, p in texts.questions])
        self.told = Corpus(self.passages, tokenizer)
        same = texts.paraphrases
        self.same = Corpus([a for a, _ in same], tokenizer), Corpus([b for _, b in same], tokenizer), len(same)
        both = texts.both
        self.both = [Corpus([row[n] for row in both], tokenizer) for n in (0, 1)]
        self.both_target = [torch.from_numpy(teacher.embed([row[n] for row in both])) for n in (2, 3)]
        counts = [np.bincount(c.pieces.values, minlength=tokenizer.get_vocab_size()) for c in (self.en, self.fi)]
        self.counts: NDArray[np.int64] = counts[0] + counts[1] + 1
        self.hard: NDArray[np.int64] | None = None


def train(course: Course, minutes: float, epochs: int, check: Any = None, seed: int = 0) -> StaticEncoder:
    """Return the encoder after `epochs` passes, or fewer where the minutes end first (the pace falls with either)."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    model = StaticEncoder(course.counts)
    optimizer = torch.optim.Adam(model.parameters(), lr=0, betas=(0.9, 0.99))
    began = time.monotonic()
    for epoch in range(epochs):
        losses: list[list[float]] = []
        steps = list(_steps(course))
        np.random.shuffle(steps)
        for number, (kind, rows) in enumerate(steps):
            done = max((epoch + number / len(steps)) / epochs, (time.monotonic() - began) / 60 / minutes)
            for group in optimizer.param_groups:
                group["lr"] = 6e-3 * max(0.02, 1 - done)
            loss = _LOSSES[kind](course, model, rows)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append([kind, loss.item()])
        means = [np.mean([v for k, v in losses if k == kind]).round(3) for kind in range(len(_LOSSES))]
        print(
            f"static epoch {epoch} {means} {time.monotonic() - began:.0f} s", check(model) if check else "", flush=True
        )
        if time.monotonic() - began > minutes * 60:
            break
        if epoch in (1, 4, 7):
            course.hard = mine(course, model)
    return model


def _steps(course: Course) -> Any:
    sizes = (len(course.target), len(course.answer), course.same[2], len(course.both_target[0]))
    for kind, size in enumerate(sizes):
        order = np.random.permutation(size)
        if kind == 1:
            order = order[: size // 2]
        yield from ((kind, rows) for rows in np.array_split(order, max(1, size // _BATCH)))


def _near(found: Tensor, wanted: Tensor) -> Tensor:
    """In-batch softmax: each vector has to be nearest to its own among those of the batch."""
    return cross_entropy(found @ wanted.T * _SCALE, torch.arange(len(found)))


def _pairs(course: Course, model: StaticEncoder, rows: NDArray[np.int64]) -> Tensor:
    target = course.target[rows]
    en, fi = course.en.vectors(model, rows, 0.1), course.fi.vectors(model, rows, 0.1)
    far = (1 - (en * target).sum(1)).mean() + (1 - (fi * target).sum(1)).mean()
    return 0.5 * (_near(en, target) + _near(fi, target) + _near(fi, en)) + 2 * far


def _reading(course: Course, model: StaticEncoder, rows: NDArray[np.int64]) -> Tensor:
    asked = course.asked.vectors(model, rows, 0.1)
    answers = course.answer[rows]
    if course.hard is not None:
        answers = np.concatenate([answers, course.hard[rows]])
    told = course.told.vectors(model, answers, 0.1)
    scores = asked @ told.T * _SCALE
    own = torch.from_numpy(course.answer[rows])
    twin = (torch.from_numpy(answers)[None, :] == own[:, None]) & ~torch.eye(len(rows), len(answers), dtype=torch.bool)
    return 0.5 * cross_entropy(scores.masked_fill(twin, -1e4), torch.arange(len(rows)))


def _paraphrases(course: Course, model: StaticEncoder, rows: NDArray[np.int64]) -> Tensor:
    return 0.5 * _near(course.same[0].vectors(model, rows, 0.1), course.same[1].vectors(model, rows, 0.1))


def _both(course: Course, model: StaticEncoder, rows: NDArray[np.int64]) -> Tensor:
    """Question → passage across the languages, by way of the teacher's vectors."""
    asked, told = (corpus.vectors(model, rows, 0.1) for corpus in course.both)
    asked_en, told_en = (target[rows] for target in course.both_target)
    return 0.3 * (_near(asked, told_en) + _near(asked_en, told)) + (1 - (told * told_en).sum(1)).mean()


_LOSSES = (_pairs, _reading, _paraphrases, _both)


@torch.no_grad()
def mine(course: Course, model: StaticEncoder) -> NDArray[np.int64]:
    """Return for each question the passage that is nearest to it and not its own, among 12,000 at random."""
    some = np.random.choice(len(course.passages), min(12000, len(course.passages)), replace=False)
    told = course.told.vectors(model, some)
    found = np.empty(len(course.answer), dtype=np.int64)
    for rows in np.array_split(np.arange(len(found)), max(1, len(found) // 2048)):
        near = some[(course.asked.vectors(model, rows) @ told.T).topk(2, dim=1).indices.numpy()]
        found[rows] = np.where(near[:, 0] == course.answer[rows], near[:, 1], near[:, 0])
    return found


def encode_with(model: StaticEncoder, tokenizer: Tokenizer) -> Any:
    """Return a function from texts to vectors, for measuring."""

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        with torch.no_grad():
            found: NDArray[np.float32] = Corpus(texts, tokenizer).vectors(model, np.arange(len(texts))).numpy()
        return found

    return encode


def save(model: StaticEncoder, path: Path) -> None:
    """Write a checkpoint."""
    torch.save(model.state_dict(), path)
