"""How good is the model: drafts for held-out prompts, checked sentence by sentence against the passages.

`python -m models.training.evaluate FOLDER --data DIR` prints a table, and JSON with --json. The prompts ask in phrases,
branches of business and public texts that were never trained on, always the same ones for the same seed.
"""

import argparse
import json
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from models import LANGUAGES, Generation, Language, LanguageModel
from models.training.examples import Example
from models.training.mixture import Mixture
from models.training.phrases import load

_CITED = re.compile(r"(.*?)\s*\[(\d+)\]", re.DOTALL)
_WORD = re.compile(r"\w+")
MEASURES = ("good", "copied", "cited", "complete", "language", "finished")


@dataclass(frozen=True)
class Verdict:
    """One draft, judged. `good` is copied, cited, language and finished together."""

    kind: str
    language: Language
    copied: bool  # there is a cited sentence, and each stands word for word in the passage that its mark names
    cited: bool  # the passages cited are those that answer
    complete: bool  # the facts are exactly those of the reference reply
    right_language: bool
    finished: bool
    seconds: float
    tokens: int

    @property
    def good(self) -> bool:
        """Whether an agent could send it as it stands."""
        return self.copied and self.cited and self.right_language and self.finished


def judge(example: Example, generation: Generation, seconds: float) -> Verdict:
    """Compare a draft with the passages and the reference of its example."""
    passages = _passages(example)
    found: list[tuple[str, int]] = []
    copied = True
    for text, mark in _CITED.findall(generation.text):
        number = int(mark)
        passage = passages.get(number, "")
        sentence = _longest_end(text.strip(), passage)
        is_first = not found
        whole = sentence == text.strip() or (
            is_first and bool(sentence) and text.strip()[: -len(sentence)].endswith(" ")
        )
        copied &= bool(sentence) and whole
        found.append((sentence, number))
    expected = {number for _, number in example.facts}
    return Verdict(
        kind=example.kind,
        language=example.language,
        copied=copied and bool(found),
        cited={number for _, number in found} == expected,
        complete=found == example.facts,
        right_language=_language(generation.text) == example.language,
        finished=generation.finished,
        seconds=seconds,
        tokens=generation.new_tokens,
    )


def _passages(example: Example) -> dict[int, str]:
    lines = example.messages[1]["content"].split("\n")
    marked = [(line, after) for line, after in pairwise(lines) if re.match(r"\[\d+\] ", line)]
    return {int(line[1 : line.index("]")]): text for line, text in marked}


def _longest_end(text: str, passage: str) -> str:
    """Return the longest end of the text that begins a sentence of the passage and stands in it word for word."""
    starts = [0, *(m.end() for m in re.finditer(r"[.!?\"”)]\s+", text))]
    return next((text[i:] for i in starts if text[i:] and f" {text[i:]} " in f" {passage} "), "")


def _language(text: str) -> Language | None:
    """Tell the language of the frame: the words of the text that only one language's phrases have."""
    words = set(_WORD.findall(text.casefold()))
    counts = {language: len(words & _telling_words(language)) for language in LANGUAGES}
    if counts["en"] == counts["fi"]:
        return None
    return "en" if counts["en"] > counts["fi"] else "fi"


@cache
def _telling_words(language: Language) -> set[str]:
    def vocabulary(of: Language) -> set[str]:
        texts = (text for frames in load(of).frames.values() for text in frames)
        return {word for text in texts for word in _WORD.findall(text.casefold())}

    other: Language = "fi" if language == "en" else "en"
    return vocabulary(language) - vocabulary(other)


def held_out(mixture: Mixture, count: int, longest: int = 380) -> list[Example]:
    """Return that many held-out examples, as many in one language as in the other, none of them a drill."""
    wanted = dict.fromkeys(LANGUAGES, count // 2)
    made: list[Example] = []
    for number in range(count * 20):
        example = mixture.example(number, "held_out")
        words = len(example.messages[1]["content"].split())
        if wanted[example.language] > 0 and example.kind != "drill" and words < longest // 2:
            wanted[example.language] -= 1
            made.append(example)
    return made


def evaluate(model: LanguageModel, examples: Sequence[Example]) -> tuple[list[Verdict], list[Generation]]:
    """Draft a reply to each example and judge it."""
    verdicts, drafts = [], []
    for example in examples:
        began = time.perf_counter()
        room = model.context_tokens - model.count_tokens(example.messages)
        draft = model.generate(example.messages, max_new_tokens=max(1, min(200, room)))
        drafts.append(draft)
        verdicts.append(judge(example, draft, time.perf_counter() - began))
    return verdicts, drafts


def summary(verdicts: Sequence[Verdict]) -> dict[str, dict[str, float]]:
    """Return the shares by language and kind, and the median and 95th percentile of the seconds for a draft."""
    groups: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        for key in ("all", verdict.language, f"{verdict.language} {verdict.kind}"):
            groups.setdefault(key, []).append(verdict)
    return {key: _shares(group) for key, group in sorted(groups.items())}


def _shares(group: Sequence[Verdict]) -> dict[str, float]:
    rows = [asdict(verdict) | {"good": verdict.good, "language": verdict.right_language} for verdict in group]
    seconds = sorted(verdict.seconds for verdict in group)
    shares = {name: round(sum(row[name] for row in rows) / len(rows), 3) for name in MEASURES}
    p95 = seconds[min(len(seconds) - 1, int(len(seconds) * 0.95))]
    return {"drafts": len(rows), **shares, "p50_s": round(seconds[len(seconds) // 2], 2), "p95_s": round(p95, 2)}


def table(figures: dict[str, dict[str, float]]) -> str:
    """Return the figures as a Markdown table."""
    columns = ("drafts", *MEASURES, "p50_s", "p95_s")
    lines = ["| prompts | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [
        f"| {key} | " + " | ".join(f"{row[column]:g}" for column in columns) + " |" for key, row in figures.items()
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure the model of a folder."""
    from models.language_model import TransformersLanguageModel, builtin_folder

    parser = argparse.ArgumentParser(prog="python -m models.training.evaluate", description=__doc__)
    parser.add_argument("folder", nargs="?", default=str(builtin_folder()))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--show", type=int, default=0, help="print that many drafts of each language as well")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model = TransformersLanguageModel(options.folder, threads=options.threads)
    examples = held_out(Mixture.open(options.data), options.count)
    verdicts, drafts = evaluate(model, examples)
    figures = summary(verdicts)
    print(json.dumps({"model": model.name, "figures": figures}, indent=1) if options.json else table(figures))
    for language in LANGUAGES:
        chosen = [i for i, example in enumerate(examples) if example.language == language][: options.show]
        for i in chosen:
            note = "" if verdicts[i].good else "  (not good)"
            print(f"\n{examples[i].messages[1]['content']}\n→ {drafts[i].text}{note}")


if __name__ == "__main__":
    main()
