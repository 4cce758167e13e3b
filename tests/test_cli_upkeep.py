"""`aspa knowledge` for upkeep: history, edit and restore, reviews, findings, labelled questions and confirmation."""

import json
from pathlib import Path

import pytest

from tests.test_cli import environment, rows, run, run_json

__all__ = ["environment", "rows"]


@pytest.fixture(autouse=True)
def knowledge(rows: Path) -> None:
    run("knowledge", "import", rows)


def test_it_works(tmp_path: Path) -> None:
    changed = run_json(
        "knowledge", "edit", "hours", "--set", "answer=We open at ten.", "--set", "tags=a", "--set", "tags=b"
    )
    assert (changed["answer"], changed["tags"], changed["revision"]) == ("We open at ten.", ["a", "b"], 2)
    newest, first = run_json("knowledge", "history", "hours")
    assert (newest["number"], [change["field"] for change in newest["changes"]]) == (2, ["answer", "tags"])
    assert newest["author"] == first["author"] != "aspa"
    assert "[-nine. We close at five-]{+ten+}" in run("knowledge", "history", "hours")
    document = tmp_path / "change.json"
    document.write_text(json.dumps({"owner": "Bea", "tags": []}))
    changed = run_json("knowledge", "edit", "hours", document)
    assert (changed["owner"], changed["tags"]) == ("Bea", [])
    assert run_json("knowledge", "restore", "hours", "--revision", "1")["owner"] is None
    run("knowledge", "retire", "hours")
    assert run_json("knowledge", "restore", "hours")["retired_at"] is None
    assert "hours" in run("knowledge", "search", "When do you open?")


def test_edit_refuses() -> None:
    for wrong, why in (
        (("--set", "answer"), "FIELD=VALUE"),
        (("--set", "colour=red"), "is no field"),
        (("--set", "kind=past_reply"), "is no field"),
        (("--set", "answer="), "answer"),
        (("--set", "review_on=soon"), "must be a day"),
        ((), "nothing to change"),
    ):
        assert why in run("knowledge", "edit", "hours", *wrong, status=2)
    assert "read it again" in run("knowledge", "edit", "hours", "--set", "owner=Bea", "--revision", "7", status=1)
    assert "no revision 9" in run("knowledge", "restore", "hours", "--revision", "9", status=1)


def test_reviews_and_findings() -> None:
    run("knowledge", "edit", "hours", "--set", "review_on=2020-01-01", "--set", "owner=Bea")
    assert [entry["external_id"] for entry in run_json("knowledge", "due")] == ["hours"]
    assert run_json("knowledge", "due", "--owner", "Cid") == []
    assert run_json("knowledge", "reviewed", "hours", "--next", "2099-01-01")["review_on"] == "2099-01-01"
    assert "Nothing is due" in run("knowledge", "due")
    assert "Nothing ends" in run("knowledge", "due", "--ending")
    assert "must be a day" in run("knowledge", "reviewed", "hours", "--next", "soon", status=2)
    assert run_json("knowledge", "findings", "--kind", "contradiction") == []
    assert "aspa knowledge findings" in run("knowledge", "dismiss", "9", status=1)


def test_labelled_questions_guard_a_change(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"text": "When do you open?", "relevant": ["hours"], "language": "en"}\n')
    assert run_json("knowledge", "questions", "import", file) == {"questions": 1}
    added = run_json("knowledge", "questions", "add", "Paljonko paketti maksaa?", "price", "--language", "fi")
    assert [question["relevant"] for question in run_json("knowledge", "questions", "list")] == [["hours"], ["price"]]
    assert "confirm it" in run("knowledge", "retire", "hours", status=1)
    over = ("knowledge", "edit", "hours", "--set", "valid_until=2020-01-01")
    preview = run_json(*over, "--preview")
    assert (preview["recall_before"], preview["recall_after"], preview["needs_confirmation"]) == (1.0, 0.5, True)
    assert "needs --yes" in run(*over, "--preview")
    assert "confirm it" in run(*over, status=1)
    assert run_json("knowledge", "show", "hours")["revision"] == 1
    assert run_json("knowledge", "retire", "hours", "--yes")["retired_at"]
    assert run_json("knowledge", "questions", "remove", str(added["id"])) == {"removed": added["id"]}
    copy = tmp_path / "copy.jsonl"
    assert run_json("knowledge", "questions", "export", copy)["questions"] == 1
    assert json.loads(copy.read_text()) == json.loads(file.read_text())
    assert run("knowledge", "questions", "export", "-") == copy.read_text()
