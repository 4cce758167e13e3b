"""The words of all passages: BM25 over stems, over pieces of words, and over codes as written (tantivy).

Each language has its own fields, so that a word's weight is its rarity in that language. Pieces (four letters) find
what Finnish does to a word that a stemmer does not undo: compounds, consonant gradation, spoken forms, typing errors.
Knows text alone; whose passage it is, the caller keeps by id. tantivy allows one writer: the caller sees to that.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tantivy

from models import LANGUAGES, Language

MAX_WORDS = 64
"""Of a question: what comes after that adds time, hardly meaning."""

_STEMMERS: dict[Language, str] = {"en": "english", "fi": "finnish"}
_WORD = re.compile(r"\w+")
_PIECE = 4
_HEAP = 50_000_000
_SATURATED = 2.2  # BM25's k1 + 1: the most that one word's rarity is multiplied by


@dataclass(frozen=True)
class Document:
    """The words of one passage. Without a language it is found in every one."""

    id: int
    titles: Sequence[str]
    text: str
    language: Language | None


@dataclass(frozen=True)
class WordScores:
    """How well a passage fits a question's words: each BM25 divided by the most that a passage could reach, so that 1
    is "says all of it often" and questions of different lengths compare."""

    words: float = 0.0
    pieces: float = 0.0
    codes: float = 0.0


def _analyzers() -> dict[str, tantivy.TextAnalyzer]:
    lower = tantivy.Filter.lowercase()
    simple = tantivy.Tokenizer.simple
    found = {
        f"stems_{language}": tantivy.TextAnalyzerBuilder(simple())
        .filter(tantivy.Filter.remove_long(60))
        .filter(lower)
        .filter(tantivy.Filter.stemmer(name))
        .build()
        for language, name in _STEMMERS.items()
    }
    found["words"] = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).filter(lower).build()
    return found


_ANALYZERS = _analyzers()


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("id", indexed=True, fast=True)
    builder.add_text_field("codes", tokenizer_name="words", index_option="freq")
    for language in LANGUAGES:
        builder.add_text_field(f"words_{language}", tokenizer_name=f"stems_{language}", index_option="freq")
        builder.add_text_field(f"pieces_{language}", tokenizer_name="words", index_option="freq")
    return builder.build()


class KeywordIndex:
    """A tantivy index in a folder. Searching may run in several threads."""

    def __init__(self, index: tantivy.Index) -> None:
        for name, analyzer in _ANALYZERS.items():
            index.register_tokenizer(name, analyzer)
        self._index = index
        self._searcher = index.searcher()

    @classmethod
    def create(cls, folder: Path) -> "KeywordIndex":
        """Make an empty index in a new folder."""
        folder.mkdir(parents=True)
        return cls(tantivy.Index(_schema(), path=str(folder), reuse=False))

    @classmethod
    def open(cls, folder: Path) -> "KeywordIndex":
        """Open the index in a folder. Raises OSError where it is missing or broken."""
        try:
            return cls(tantivy.Index.open(str(folder)))
        except ValueError as error:
            raise OSError(f"The word index in {folder} cannot be opened: {error}") from error

    def __len__(self) -> int:
        return int(self._searcher.num_docs)

    def update(self, *, add: Iterable[Document] = (), remove: Iterable[int] = ()) -> None:
        """Take passages out by id and put others in; all of it or, where it raises, nothing."""
        writer = self._index.writer(heap_size=_HEAP, num_threads=1)
        for number in remove:
            # not delete_documents_by_term: that makes a signed term, which an unsigned field never holds
            writer.delete_documents_by_query(tantivy.Query.term_query(self._index.schema, "id", number))
        for document in add:
            writer.add_document(_document(document))
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()
        self._searcher = self._index.searcher()

    def search(self, question: str, limit: int) -> dict[int, WordScores]:
        """Return the passages that share words or pieces of words with the question, up to `limit` for each field.

        The fields of all languages are searched, whatever the question is in: names and borrowed words are the same.
        A passage without a language keeps its best score.
        """
        found: dict[int, dict[str, float]] = {}
        words = distinct_words(question)
        parts = list(dict.fromkeys(pieces(" ".join(words))))
        for language in LANGUAGES:
            self._collect(found, "words", f"words_{language}", stems(" ".join(words), language), words, limit)
            self._collect(found, "pieces", f"pieces_{language}", parts, parts, limit)
        numbers = codes(words)
        self._collect(found, "codes", "codes", numbers, numbers, limit)
        return {number: WordScores(**scores) for number, scores in found.items()}

    def rarity(self, terms: Iterable[str], field: str) -> float:
        """Return the sum of the terms' inverse document frequencies in a field, as BM25 counts them."""
        count = len(self)
        total = 0.0
        for term in terms:
            having = self._searcher.doc_freq(field, term)
            total += math.log(1 + (count - having + 0.5) / (having + 0.5))
        return total

    def _collect(
        self,
        found: dict[int, dict[str, float]],
        name: str,
        field: str,
        terms: Sequence[str],
        words: Sequence[str],
        limit: int,
    ) -> None:
        """Search one field for the words, which its analyzer turns into `terms`, and add the scores to `found`."""
        if not terms:
            return
        query, _ = self._index.parse_query_lenient(" ".join(words), [field])
        hits = self._searcher.search(query, limit, count=False).hits
        if not hits:
            return
        most = _SATURATED * self.rarity(set(terms), field)
        ids = self._searcher.fast_field_values("id", [address for _, address in hits])
        for number, (score, _) in zip(ids, hits, strict=True):
            scores = found.setdefault(int(number or 0), {})
            scores[name] = max(scores.get(name, 0.0), score / most)


def distinct_words(text: str) -> list[str]:
    """Return the different words of a text, in lower case, at most 64 of them.

    Signs are dropped: `-x` and `a:b` are commands in tantivy's query language, and customers do not mean them.
    """
    return list(dict.fromkeys(word for word in _WORD.findall(text.lower()) if len(word) <= 60))[:MAX_WORDS]


def pieces(text: str) -> list[str]:
    """Return the four-letter pieces of each word of three letters or more, its beginning marked.

    "kahvi" → _kah kahv ahvi.
    """
    marked = (f"_{word}" for word in _WORD.findall(text.lower()))
    return [word[start : start + _PIECE] for word in marked for start in range(len(word) - _PIECE + 1)]


def codes(words: Iterable[str]) -> list[str]:
    """Return the words with a digit: numbers, models, codes. They are not stemmed and mean the same in any language."""
    return [word for word in words if any(map(str.isdigit, word))]


def stems(text: str, language: Language) -> list[str]:
    """Return the stems of a text's words in order."""
    return _ANALYZERS[f"stems_{language}"].analyze(text)


def _document(document: Document) -> tantivy.Document:
    text = "\n".join((*document.titles, document.text))
    made = tantivy.Document()
    made.add_unsigned("id", document.id)
    made.add_text("codes", " ".join(codes(_WORD.findall(text.lower()))))
    for language in LANGUAGES if document.language is None else (document.language,):
        made.add_text(f"words_{language}", text)
        made.add_text(f"pieces_{language}", " ".join(pieces(text)))
    return made
