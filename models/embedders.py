"""Name → embedding model: what is known to work, how big it is, and how it wants to be spoken to.

The facts are from the models' own cards on the hub. Any other sentence-transformers folder or hub name loads as well,
with the prompts of its own configuration. Loads nothing itself: that is `embedder`.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Description:
    """What to know before choosing a model. `parameters` is in millions; `source` is its name on the hub.

    `question` and `passage` are put before every text of that role: models trained with such prefixes find worse
    without them.
    """

    name: str
    source: str
    parameters: float
    dimension: int
    licence: str
    languages: str
    question: str = ""
    passage: str = ""

    @property
    def prompts(self) -> dict[str, str] | None:
        """Return the prefixes as sentence-transformers calls them, None where the model's own configuration decides."""
        return {"query": self.question, "document": self.passage} if self.question or self.passage else None


_E5 = {"question": "query: ", "passage": "passage: "}
_LISTED = (
    Description("multilingual-e5-small", "intfloat/multilingual-e5-small", 118, 384, "MIT", "94 languages", **_E5),
    Description("multilingual-e5-base", "intfloat/multilingual-e5-base", 278, 768, "MIT", "94 languages", **_E5),
    Description("multilingual-e5-large", "intfloat/multilingual-e5-large", 560, 1024, "MIT", "94 languages", **_E5),
    Description(
        "paraphrase-multilingual-minilm",
        "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        118,
        384,
        "Apache-2.0",
        "over 50 languages",
    ),
    Description("bge-m3", "BAAI/bge-m3", 568, 1024, "MIT", "over 100 languages"),
)
EMBEDDERS: dict[str, Description] = {description.name: description for description in _LISTED}


def describe(name: str) -> Description | None:
    """Return what is known of a model by its name, its name on the hub or a folder's; None where it is not listed."""
    last = Path(name).name.lower()
    return next((d for d in _LISTED if last in (d.name, Path(d.source).name.lower())), None)
