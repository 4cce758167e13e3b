"""The measures, against figures worked out by hand."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from knowledge.evaluation import Query, auroc, evaluate, read_queries
from knowledge.importers import UnreadableFile
from knowledge.scoring import ANSWERABLE
from knowledge.search import Match, SearchResult


def match(name: str) -> Match:
    return Match(1, name, "faq", "en", "", "", "", None, 1, 0.5, None, None)


ANSWERS = {
    "first": (["a", "b"], 0.9),
    "third": (["x", "y", "a", "b"], 0.6),
    "never": (["x"], 0.2),
    "never first": (["x"], 0.2),
    "nothing": ([], 0.0),
    "weather": (["x"], 0.4),
    "love": (["x"], 0.1),
}


class Known:
    """Stands for a knowledge base."""

    def search(self, question: str, *, k: int = 5, history: Sequence[str] = ()) -> SearchResult:
        """Return what is written above; what was said before leads to other answers."""
        names, confidence = ANSWERS[" ".join((*history, question))]
        matches = tuple(match(name) for name in names[:k])
        return SearchResult(question, "en", confidence >= 0.3, matches, "s", confidence=confidence)


def test_it_works() -> None:
    known = [Query(text, frozenset({"a", "b"}), "en") for text in ("first", "third", "never", "nothing")]
    unknown = [Query(text, frozenset(), "fi") for text in ("weather", "love")]
    measured = evaluate(Known(), [*known, *unknown])
    assert measured["queries"] == 6
    assert measured["recall@1"] == 1 / 4
    assert measured["recall@5"] == 2 / 4
    assert measured["mrr@10"] == pytest.approx((1 + 1 / 3) / 4)
    late = (1 / math.log2(4) + 1 / math.log2(5)) / (1 + 1 / math.log2(3))
    assert measured["ndcg@10"] == pytest.approx((1 + late) / 4)
    assert measured["abstention"] == {"auroc": 5 / 8, "threshold": ANSWERABLE, "precision": 1 / 3, "recall": 1 / 2}
    assert measured["by_language"]["en"]["recall@5"] == 0.5
    assert measured["by_language"]["en"]["abstention"]["auroc"] is None
    assert measured["by_language"]["fi"]["recall@5"] is None


def test_ties_count_half() -> None:
    assert auroc([0.5], [0.5]) == 0.5
    assert auroc([0.5], []) is None


def test_what_was_said_before_is_told() -> None:
    assert evaluate(Known(), [Query("first", frozenset({"x"}), "en", ("never",))])["recall@1"] == 1.0


def test_no_questions() -> None:
    assert evaluate(Known(), [])["mrr@10"] is None


def test_queries_are_read(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    turns = ["Hi", {"role": "agent", "text": "Hello"}]
    file.write_text(json.dumps({"text": "first", "relevant": ["a"], "language": "fi", "history": turns}) + "\n\n")
    assert read_queries(file) == [Query("first", frozenset({"a"}), "fi", ("Hi", "Hello"))]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ('{"relevant": []}', '"text" must be text'),
        ('{"text": "a"}', '"relevant" must be a list of ids'),
        ('{"text": "a", "relevant": [1]}', '"relevant" must be a list of ids'),
        ('{"text": "a", "relevant": [], "language": "sv"}', '"language" must be'),
        ('{"text": "a", "relevant": [], "history": "Hi"}', '"history" must be'),
        ('{"text": "a", "relevant": [], "history": [{"role": "agent"}]}', '"history" must be'),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, line: str, reason: str) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text('{"text": "a", "relevant": []}\n' + line + "\n")
    with pytest.raises(UnreadableFile, match=f"Line 2 of q.jsonl: {reason}"):
        read_queries(file)


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="cannot be read"):
        read_queries(tmp_path / "none.jsonl")
