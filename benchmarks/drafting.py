"""How long a draft takes with the shipped models, how often the model's own words are used, and what we add to it.

The baseline of the tokens per second is a plain `generate()` call of the same weights on the same prompts, in turn with
ours, in the same process.
"""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from assistant.drafting import PASSAGES, draft_reply, usable
from assistant.generating import NEW_TOKENS
from assistant.prompt import build
from assistant.reply import DraftReply, DraftRequest
from assistant.runtime import Runtime, open_runtime
from assistant.settings import Settings
from benchmarks import Measurement
from knowledge.importing import import_files
from knowledge.indexing import update_index
from models.chat import Evidence
from models.language_model import builtin_folder

SAMPLE = files("knowledge") / "sample"
KNOWLEDGE = ("faq_en.jsonl", "faq_fi.jsonl", "past_replies.jsonl")
QUESTIONS = ("questions_en.jsonl", "questions_fi.jsonl")


def run() -> list[Measurement]:
    """Draft a reply to every answerable sample question, in a database of its own; takes a few minutes."""
    with (
        tempfile.TemporaryDirectory() as folder,
        as_file(files("assistant") / "personas" / "usvapuro.toml") as persona,
        as_file(SAMPLE) as sample,
        open_runtime(Settings(data_dir=Path(folder), persona=persona)) as runtime,
    ):
        with runtime.sessions.begin() as session:
            import_files(session, [sample / name for name in KNOWLEDGE], author="benchmark")
        update_index(runtime.engine, runtime.index_dir, runtime.embedder())
        texts = [row["text"] for name in QUESTIONS for row in _rows(name) if row["relevant"]]
        _draft(runtime, texts[0])  # loads the models
        return [*_drafts([_draft(runtime, text) for text in texts]), *_tokens(runtime, texts[::8])]


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLE / name).read_text(encoding="utf-8").splitlines() if line.strip()]


def _draft(runtime: Runtime, text: str) -> DraftReply:
    return draft_reply(
        DraftRequest(text),
        knowledge_base=runtime.knowledge_base(),
        language_model=runtime.language_model(),
        identifier=runtime.identifier(),
        persona=runtime.persona(),
    )


def _drafts(replies: Sequence[DraftReply]) -> list[Measurement]:
    """Report time, and the shares of answerable questions by what became of them."""
    found = []
    written = [reply.timings_ms["total"] for reply in replies if "generate" in reply.timings_ms]
    if len(written) > 1:
        found += [
            Measurement("draft p50 (a model was asked)", median(written), "ms", target="< 1500"),
            Measurement("draft p95 (a model was asked)", quantiles(written, n=20)[-1], "ms"),
        ]
    for language in ("en", "fi"):
        drafts = [reply for reply in replies if reply.language == language]
        became = Counter("abstained" if reply.status == "abstained" else reply.origin for reply in drafts)
        for outcome in ("model", "extract", "template", "abstained"):
            share = became[outcome] / max(1, len(drafts))
            target = "> 0.5" if outcome == "model" else ""
            found.append(Measurement(f"share of {outcome}, {language}, n={len(drafts)}", share, "", target=target))
    return found


def _tokens(runtime: Runtime, texts: Sequence[str]) -> list[Measurement]:
    """Compare tokens per second with a plain generate() call, prompt by prompt in turn."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ours = runtime.language_model()
    tokenizer = AutoTokenizer.from_pretrained(builtin_folder())
    loader: Any = AutoModelForCausalLM
    plain = loader.from_pretrained(builtin_folder(), dtype=torch.float32).eval()
    rates: dict[str, list[float]] = {"ours": [], "plain": []}
    for chat in (_chat(runtime, text) for text in texts):
        start = time.perf_counter()
        made = ours.generate(chat, max_new_tokens=NEW_TOKENS).new_tokens
        rates["ours"].append(made / (time.perf_counter() - start))
        prompt: Any = tokenizer.apply_chat_template(
            chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        start = time.perf_counter()
        with torch.inference_mode():
            output = plain.generate(**prompt, max_new_tokens=NEW_TOKENS, do_sample=False)
        rates["plain"].append((output.shape[1] - prompt["input_ids"].shape[1]) / (time.perf_counter() - start))
    return [
        Measurement(
            "tokens per second",
            median(rates["ours"]),
            "tokens/s",
            baseline=median(rates["plain"]),
            baseline_name="plain generate()",
        )
    ]


def _chat(runtime: Runtime, text: str) -> Any:
    result = runtime.knowledge_base().search(text)
    matches = usable(result, result.language or "en")[:PASSAGES]
    return build(
        language=result.language or "en",
        persona=runtime.persona(),
        evidence=[Evidence(match.question, match.answer) for match in matches],
        history=(),
        message=text,
        model=runtime.language_model(),
        max_new_tokens=NEW_TOKENS,
    ).messages
