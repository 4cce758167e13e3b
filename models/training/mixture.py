"""Which examples come in which order: the whole training set as a function of a number."""

from dataclasses import dataclass
from pathlib import Path
from random import Random

from models import Language
from models.training import drills, public, service
from models.training.examples import Example
from models.training.phrases import Split

_DRILLS, _DRILLS_AT_FIRST, _FADING = 0.10, 0.35, 12000  # share of drills; the extra share fades over the first examples
_SERVICE, _SERVICE_LATE, _LATE = 0.58, 0.7, 16000  # share of service talk in what is not a drill, at last somewhat more


@dataclass(frozen=True)
class Mixture:
    """Examples by number. Without public data, service talk and drills alone are made (enough for tests)."""

    seed: int
    material: public.Materials
    words: dict[Language, list[str]]

    @classmethod
    def open(cls, data: Path | None, seed: int = 0) -> "Mixture":
        """Read the public data, if a folder is given."""
        material = public.load(data) if data else {}
        words: dict[Language, list[str]] = {"en": [], "fi": []}
        for language in words:
            if data:
                words[language] = material[language, "train"].words()
        return cls(seed, material, words)

    def example(self, number: int, split: Split = "train", again: int = 0) -> Example:
        """Return the example of a number; `again` asks for another where the first one was too long."""
        rng = Random(f"{self.seed}:{split}:{number}:{again}")
        language: Language = rng.choice(("en", "fi"))
        share = _DRILLS + _DRILLS_AT_FIRST * max(0.0, 1 - number / _FADING) if split == "train" else _DRILLS
        if rng.random() < share:
            return drills.example(rng, language, split, self.words[language])
        if rng.random() < (_SERVICE if number < _LATE else _SERVICE_LATE) or not self.material:
            return service.example(rng, language, split)
        return public.example(rng, language, split, self.material[language, split])
