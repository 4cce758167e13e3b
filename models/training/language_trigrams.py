"""Count the letter trigrams by which `models.language` tells Finnish from English: public texts → one small file.

    python -m models.training.language_trigrams DATA models/language_trigrams.json

DATA is the folder of public data; which of it is read, with its licence, stands in SOURCES. No sentence is kept: the
file holds the logarithms of trigram frequencies alone.
"""

import gzip
import json
import math
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from models.language import trigrams, words

SOURCES = {
    "fi": [
        ("train/emotion/xed_fi.jsonl.gz", ("text",)),  # CC-BY-4.0
        ("train/parallel/business_en_fi.jsonl.gz", ("fi",)),  # CC-BY-4.0, MIT, BSD
        ("train/paraphrase/turku_fi.jsonl.gz", ("text1", "text2")),  # CC-BY-SA-4.0
        ("train/replies/dolly_fi.jsonl.gz", ("question", "reply")),  # CC-BY-SA-3.0
    ],
    "en": [
        ("train/messages/multidogo_customer.jsonl.gz", ("text",)),  # CDLA-Permissive
        ("train/parallel/business_en_fi.jsonl.gz", ("en",)),
        ("eval/intents/banking77_train.jsonl.gz", ("text",)),  # CC-BY-4.0
        ("train/replies/dolly_fi.jsonl.gz", ("question_en", "reply_en")),
    ],
}
KEPT = 3500
"""Trigrams, the most frequent in either language; the others count as the floor."""


def main(data: Path, target: Path) -> None:
    """Write {"floor": {language: log}, "trigrams": {trigram: [fi, en]}}, each logarithm in hundredths."""
    counts = {language: Counter(t for text in _texts(data, language) for t in _of(text)) for language in SOURCES}
    totals = {language: sum(found.values()) for language, found in counts.items()}
    share: Counter[str] = Counter()
    for language, found in counts.items():
        for trigram, count in found.items():
            share[trigram] += count / totals[language]  # type: ignore[assignment]
    kept = sorted(trigram for trigram, _ in share.most_common(KEPT))

    def log(language: str, count: float) -> int:
        return round(100 * math.log((count + 0.5) / totals[language]))

    document = {
        "floor": {language: log(language, 0) for language in SOURCES},
        "trigrams": {t: [log("fi", counts["fi"][t]), log("en", counts["en"][t])] for t in kept},
    }
    target.write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{target}: {target.stat().st_size:,} bytes, {totals} trigrams counted")


def _texts(data: Path, language: str) -> Iterator[str]:
    for name, fields in SOURCES[language]:
        with gzip.open(data / name, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                yield from (row[field] for field in fields if row.get(field))


def _of(text: str) -> Iterator[str]:
    for word in words(text[:400]):
        yield from trigrams(word)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
