"""Name → language model: what is known to work, how big it is, what it may be used for, what it needs.

The facts are from the models' own cards on the hub (the `card` of each entry). Any folder or hub name that is not
listed here loads as well. A server that speaks OpenAI's protocol is no concern of this module (see remote.py).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.language_model import TransformersLanguageModel

DEFAULT = "builtin"
_HUB = "https://huggingface.co/"


@dataclass(frozen=True)
class Description:
    """What to know before choosing a model. `parameters` is in millions; `source` is what is loaded."""

    name: str
    source: str
    parameters: float
    licence: str
    languages: str
    context_tokens: int
    note: str

    @property
    def card(self) -> str:
        """Where the facts come from and the licence can be read."""
        return "models/builtin/MODEL_CARD.md" if self.name == DEFAULT else _HUB + self.source

    @property
    def download_gb(self) -> float:
        """Size of the weights in gigabytes, two bytes a parameter."""
        return round(self.parameters * 2 / 1000, 2)

    @property
    def gpu_memory_gb(self) -> float:
        """Graphics memory wanted, in gigabytes: bfloat16 weights and a fifth more for the cache."""
        return round(self.parameters * 2 * 1.2 / 1000, 1)

    @property
    def cpu_memory_gb(self) -> float:
        """Main memory wanted where there is no graphics card, in gigabytes: float32 weights and a fifth more."""
        return round(self.parameters * 4 * 1.2 / 1000, 1)


_QWEN = "119 languages, Finnish among them"
_GEMMA = "over 140 languages"
_EURO = "all languages of the European Union and eleven more"
_GATED = "accept the licence on the hub first"

_LISTED = (
    Description(
        DEFAULT, "models/builtin", 15.6, "Apache-2.0", "English, Finnish", 512, "ships with the program, no download"
    ),
    Description("qwen3-0.6b", "Qwen/Qwen3-0.6B", 596, "Apache-2.0", _QWEN, 32768, "the smallest on the hub"),
    Description("qwen3-1.7b", "Qwen/Qwen3-1.7B", 1721, "Apache-2.0", _QWEN, 32768, "usable without a GPU"),
    Description("qwen3-4b", "Qwen/Qwen3-4B", 4022, "Apache-2.0", _QWEN, 32768, "wants a GPU"),
    Description("qwen3-8b", "Qwen/Qwen3-8B", 8191, "Apache-2.0", _QWEN, 32768, "wants a GPU"),
    Description("gemma-3-1b", "google/gemma-3-1b-it", 1000, "Gemma Terms of Use", "English", 32768, _GATED),
    Description(
        "gemma-3-4b", "google/gemma-3-4b-it", 4300, "Gemma Terms of Use", _GEMMA, 131072, f"wants a GPU; {_GATED}"
    ),
    Description(
        "eurollm-1.7b", "utter-project/EuroLLM-1.7B-Instruct", 1657, "Apache-2.0", _EURO, 4096, "usable without a GPU"
    ),
    Description(
        "eurollm-9b", "utter-project/EuroLLM-9B-Instruct", 9154, "Apache-2.0", _EURO, 4096, f"wants a GPU; {_GATED}"
    ),
    Description(
        "poro-2-8b",
        "LumiOpen/Llama-Poro-2-8B-Instruct",
        8030,
        "Llama 3.3 Community License",
        "Finnish, English",
        8192,
        "made for Finnish; wants a GPU",
    ),
)
CATALOG: dict[str, Description] = {description.name: description for description in _LISTED}


def describe(name: str) -> Description | None:
    """Return what is known of a model by its name or by its hub name, None where it is not listed."""
    return CATALOG.get(name.lower()) or next((d for d in CATALOG.values() if d.source == name), None)


def load_language_model(name: str = DEFAULT, *, threads: int | None = None) -> "TransformersLanguageModel":
    """Load a model by its name here ("builtin", "qwen3-4b", ...; "default" is the built-in), a folder or a hub name.

    `threads` limits torch's threads. Raises ModelError, in one sentence, where it cannot be loaded.
    """
    from models.language_model import TransformersLanguageModel, builtin_folder

    if name in (DEFAULT, "default"):
        return TransformersLanguageModel(str(builtin_folder()), threads=threads)
    listed = CATALOG.get(name.lower())
    return TransformersLanguageModel(listed.source if listed else name, threads=threads)
