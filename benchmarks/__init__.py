"""Measurements, one module per subject; run by `make bench`."""

from dataclasses import dataclass

SUBJECTS = ("retrieval", "search", "embedding", "vectors", "receipt", "drafting", "redaction")


@dataclass(frozen=True)
class Measurement:
    """One number with its unit, and, where there is one, what it is compared with in the same run."""

    name: str
    value: float
    unit: str
    baseline: float | None = None
    baseline_name: str = ""
    target: str = ""

    @property
    def ratio(self) -> float | None:
        """Value over baseline, or None without a baseline."""
        return None if not self.baseline else self.value / self.baseline
