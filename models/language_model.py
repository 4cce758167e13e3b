"""Chat → text with any causal language model that transformers can load: the one that ships, a folder, a hub name.

Decoding is greedy, with the KV cache. What a customer writes can hold no control token: `<e>` typed by a customer is
text. A folder is read without asking the network for anything, and no code that comes with a model is run.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Any

from models import ChatMessage, Generation, ModelError

BUILTIN = Path(__file__).parent / "builtin"
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
_PROBE = "probe"


def builtin_folder() -> Path:
    """Return the folder of the model that ships with the program."""
    return BUILTIN


class TransformersLanguageModel:
    """A causal language model with its chat template, in memory. Safe to call from several threads, one at a time."""

    def __init__(self, name_or_folder: str, *, threads: int | None = None) -> None:
        """Load a folder, or a hub name such as "Qwen/Qwen3-0.6B" (fetched unless it is in the cache).

        `threads` limits torch's threads in the whole process. Weights are kept in bfloat16 on a CUDA device and in
        float32 on the processor. Raises ModelError where the folder or the name is missing, broken or locked, or where
        the model has no chat template.
        """
        import torch
        from transformers.utils import logging

        if threads is not None:
            torch.set_num_threads(threads)
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._lock = Lock()
        self._tokenizer, self._model = _load(name_or_folder, self._device)
        if not self._tokenizer.chat_template:
            raise ModelError(
                f"The model “{name_or_folder}” has no chat template: choose one that is tuned for instructions or chat."
            )
        self._folds_system = not self._takes_system()
        self._stops = self._stop_tokens()
        self.name = _name(name_or_folder, self._model.config)
        self.context_tokens = _context(self._model.config)

    def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        """Return the length in tokens of the prompt that `generate` would make of these messages."""
        with self._lock:
            return len(self._prompt(messages))

    def generate(self, messages: Sequence[ChatMessage], *, max_new_tokens: int = 200) -> Generation:
        """Write the next assistant turn.

        Raises ModelError where prompt and `max_new_tokens` together are longer than `context_tokens`.
        """
        import torch

        with self._lock, torch.inference_mode():
            prompt = self._prompt(messages)
            if len(prompt) + max_new_tokens > self.context_tokens:
                raise ModelError(
                    f"The prompt of {len(prompt)} tokens and {max_new_tokens} new ones do not fit the model's "
                    f"{self.context_tokens}: give it fewer or shorter passages."
                )
            ids = torch.tensor([prompt], device=self._device)
            output = self._model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=max_new_tokens,
                do_sample=False,
                use_cache=True,
                eos_token_id=self._stops,
                pad_token_id=self._stops[0],
            )
        new: list[int] = output[0, len(prompt) :].tolist()
        finished = bool(new) and new[-1] in self._stops
        text = self._tokenizer.decode(new, skip_special_tokens=True).strip()
        return Generation(text=text, prompt_tokens=len(prompt), new_tokens=len(new), finished=finished)

    def _prompt(self, messages: Sequence[ChatMessage]) -> list[int]:
        chat = _fold_system(messages) if self._folds_system else list(messages)
        ids: list[int] = self._tokenizer.apply_chat_template(
            chat,
            add_generation_prompt=True,
            sanitize_control_tokens=True,
            return_dict=False,
            enable_thinking=False,  # Qwen3 would think aloud; templates that do not know the word ignore it
        )
        return ids

    def _takes_system(self) -> bool:
        """Tell whether the template renders a system message; some refuse it (Gemma 2), others leave it out."""
        from jinja2 import TemplateError

        chat = [{"role": "system", "content": _PROBE}, {"role": "user", "content": "?"}]
        try:
            return _PROBE in self._tokenizer.apply_chat_template(chat, tokenize=False)
        except TemplateError:
            return False

    def _stop_tokens(self) -> list[int]:
        """Return the tokens that end a turn: what the model's files name, and what the template writes after a reply.

        The two differ where a base model's end of text stands in the files and the chat ends with another token.
        """
        named = self._model.generation_config.eos_token_id
        stops = list(named) if isinstance(named, list) else [named] if named is not None else []
        if self._tokenizer.eos_token_id is not None:
            stops.append(self._tokenizer.eos_token_id)
        chat = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _PROBE}]
        _, _, after = self._tokenizer.apply_chat_template(chat, tokenize=False).rpartition(_PROBE)
        first = self._tokenizer.encode(after.lstrip(), add_special_tokens=False)[:1]
        stops += [token for token in first if token in self._tokenizer.all_special_ids]
        if not stops:
            raise ModelError("The model names no token that ends a reply: its tokenizer files are incomplete.")
        return list(dict.fromkeys(stops))


def _load(name_or_folder: str, device: str) -> tuple[Any, Any]:
    """Return tokenizer and model, ready to generate; every failure becomes one sentence."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    loader: Any = AutoModelForCausalLM  # whose annotations do not know output_loading_info

    local = Path(name_or_folder).expanduser().is_dir()
    source = str(Path(name_or_folder).expanduser()) if local else name_or_folder
    if not local and not _HUB_NAME.fullmatch(name_or_folder):
        raise ModelError(
            f"There is no model folder “{name_or_folder}”: give a folder, a hub name such as “Qwen/Qwen3-0.6B”, "
            "or a name from `aspa models list`."
        )
    options: dict[str, Any] = {"local_files_only": local, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **options)
        model, report = loader.from_pretrained(
            source,
            dtype=torch.bfloat16 if device == "cuda" else torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            **options,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError, SafetensorError) as e:
        raise ModelError(_why(name_or_folder, local, e)) from e
    if report["missing_keys"]:
        raise ModelError(
            f"The model folder “{name_or_folder}” is incomplete: {len(report['missing_keys'])} weights are missing, "
            f"such as {min(report['missing_keys'])}; fetch it again."
        )
    eos = model.generation_config.eos_token_id
    model.generation_config = GenerationConfig(eos_token_id=eos)  # type: ignore[no-untyped-call]  # drops its sampling
    return tokenizer, model.to(device).eval()


def _why(name: str, local: bool, error: Exception) -> str:
    text = str(error)
    if local:
        first = text.strip().split("\n")[0][:200] or type(error).__name__
        return f"The model folder “{name}” cannot be loaded, fetch it again or choose another: {first}"
    if "gated" in text or "401" in text or "403" in text:
        return (
            f"The model “{name}” is locked or does not exist: accept its licence on the hub, sign in with "
            "`hf auth login`, and check the name."
        )
    if "is not a valid model identifier" in text or "404" in text:
        return f"The hub has no model “{name}”: check the name."
    first = text.strip().split("\n")[0][:200] or type(error).__name__
    return f"The model “{name}” cannot be fetched or loaded, check the name and the connection: {first}"


def _fold_system(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Put the system text before the first user turn, for templates that know no system role."""
    system = "\n\n".join(m["content"] for m in messages if m["role"] == "system")
    rest = [m for m in messages if m["role"] != "system"]
    for i, message in enumerate(rest):
        if system and message["role"] == "user":
            rest[i] = {"role": "user", "content": f"{system}\n\n{message['content']}"}
            break
    return rest


def _name(name_or_folder: str, config: Any) -> str:
    """Name the version too: as the folder says itself, the hub's commit, or a digest of the folder's files."""
    own = getattr(config, "nettiaspa_name", None)
    if own:
        return str(own)
    folder = Path(name_or_folder).expanduser()
    if not folder.is_dir():
        commit = getattr(config, "_commit_hash", None)
        return f"{name_or_folder}@{commit[:8]}" if commit else name_or_folder
    digest = blake2b((folder / "config.json").read_bytes(), digest_size=4)
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(f"{path.name}:{path.stat().st_size}:".encode())
        with path.open(
            "rb"
        ) as weights:  # the table of tensors and the first of them: enough to tell two trainings apart
            digest.update(weights.read(1 << 20))
    return f"{folder.resolve().name}-{digest.hexdigest()}"


def _context(config: Any) -> int:
    """Return the positions that the model was made for; models that also see pictures keep the number deeper."""
    inner = config.get_text_config() if hasattr(config, "get_text_config") else config
    positions = getattr(inner, "max_position_embeddings", None) or getattr(inner, "n_positions", None)
    return int(positions or 2048)
