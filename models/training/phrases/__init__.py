"""The phrases that examples are put together from, written for this project, and which of them are held out.

A tenth of every list of four phrases or more is never trained on, and neither are the last branches of business: the
evaluation asks in words and in businesses that the model has not met.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from models import Language

Split = Literal["train", "held_out"]
HELD_OUT_BRANCHES = 3
_FOLDER = Path(__file__).parent


def _rank(phrase: str) -> bytes:
    return blake2b(phrase.encode(), digest_size=8).digest()


def part_of(phrases: Sequence[str], split: Split) -> list[str]:
    """Return the phrases of a split: of four or more, a tenth (at least one) is held out, by hash."""
    if len(phrases) < 4:
        return list(phrases)
    ranked = sorted(phrases, key=_rank)
    held_out = max(1, len(phrases) // 10)
    return ranked[:held_out] if split == "held_out" else ranked[held_out:]


@dataclass(frozen=True)
class Phrases:
    """All phrases of one language: topics by name and field, frames by kind, products by branch, parts of brands."""

    language: Language
    topics: dict[str, dict[str, list[str]]]
    frames: dict[str, list[str]]
    branches: dict[str, list[str]]
    brands: dict[str, list[str]]

    def branches_of(self, split: Split) -> list[str]:
        """Return the names of the branches of a split."""
        names = list(self.branches)
        return names[-HELD_OUT_BRANCHES:] if split == "held_out" else names[:-HELD_OUT_BRANCHES]


@cache
def load(language: Language) -> Phrases:
    """Read the phrases of a language."""
    branches = _read("branches")
    return Phrases(
        language=language,
        topics=_read(f"topics_{language}"),
        frames=_read(f"frames_{language}"),
        branches={name: products[language] for name, products in branches.items()},
        brands=_read("brands"),
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
