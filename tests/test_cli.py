"""The `aspa` command: what it prints for people and for programs, and how it fails."""

import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from api.cli import app
from assistant import agents, tokens
from assistant.settings import get_settings
from assistant.tables import Agent, Channel
from models.fakes import FakeEmbedder, FakeLanguageModel

ROWS = [
    {"id": "hours", "question": "When do you open?", "answer": "We open at nine. We close at five.", "language": "en"},
    {"id": "price", "question": "Paljonko paketti maksaa?", "answer": "Paketti maksaa 9,90 €.", "language": "fi"},
    {"id": "reply-1", "customer": "Do you open on Sunday?", "reply": "We are closed on Sundays.", "language": "en"},
]


@pytest.fixture(autouse=True)
def environment(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point the command at the test's database, and at stand-ins for the models."""
    monkeypatch.setenv("ASPA_DATABASE_URL", database_url)
    monkeypatch.setenv("ASPA_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("assistant.runtime.load_embedder", lambda name: FakeEmbedder())
    monkeypatch.setattr("assistant.runtime.load_language_model", lambda name: FakeLanguageModel())
    get_settings.cache_clear()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    get_settings.cache_clear()


def run(*arguments: str | Path, status: int = 0, given: str | None = None) -> str:
    """Run `aspa` and return what it printed on standard output; on failure, what it said on standard error."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=given)
    assert (result.exit_code, result.stderr if result.exit_code != status else "") == (status, "")
    assert "Traceback" not in result.output
    return result.stdout if status == 0 else result.stderr


def run_json(*arguments: str | Path, given: str | None = None) -> Any:
    return json.loads(run(*arguments, "--json", given=given))


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")
    return path


def test_it_works(rows: Path) -> None:
    report = run_json("knowledge", "import", rows)
    assert (report["added"], report["changed"], report["unchanged"], report["rejected"]) == (3, 0, 0, [])
    found = run_json("knowledge", "search", "When do you open?", "-k", "1")
    assert found.keys() == {"question", "language", "answerable", "matches"}
    assert [match["external_id"] for match in found["matches"]] == ["hours"]
    assert found["matches"][0].keys() == {
        *("entry_id", "external_id", "kind", "question", "answer", "score", "dense_rank", "lexical_rank")
    }
    assert "hours" in run("knowledge", "search", "When do you open?")
    draft = run_json("draft", "When do you open?", "--customer", "Anna", "--public", "--channel", "chat")
    wanted = "status origin language text sentences unsupported_facts citations confidence model timings_ms"
    assert draft.keys() == set(wanted.split())
    assert "[1]" in run("draft", "When do you open?")


def test_import_again_changes_nothing_and_names_bad_lines(rows: Path) -> None:
    run("knowledge", "import", rows)
    assert run("knowledge", "import", rows) == "0 added, 0 changed, 3 unchanged.\n"
    with rows.open("ab") as file:
        file.write(b'\n{"id": "x"}\n\xff\n{"id": "new", "question": "Q?", "answer": "A."}')
    said = run("knowledge", "import", rows, status=1)
    assert "rows.jsonl, line 4: " in said
    assert "rows.jsonl, line 5: " in said
    assert "2 rejected" in said
    assert len(run_json("knowledge", "list")) == 4


def test_import_refuses_wrong_use(rows: Path) -> None:
    assert "does not exist" in run("knowledge", "import", "nowhere.jsonl", status=2)
    assert "past_reply" in run("knowledge", "import", rows, "--kind", "song", status=2)
    assert "jsonl" in run("knowledge", "import", rows, "--format", "docx", status=2)


def test_list_show_retire_export(rows: Path, tmp_path: Path) -> None:
    assert "aspa knowledge import" in run("knowledge", "list")
    run("knowledge", "import", rows)
    assert [entry["external_id"] for entry in run_json("knowledge", "list", "--kind", "faq")] == ["hours", "price"]
    assert "Paljonko" in run("knowledge", "list", "--language", "fi")
    shown = run_json("knowledge", "show", "hours")
    assert shown["answer"] == ROWS[0]["answer"]
    assert run_json("knowledge", "show", f"#{shown['id']}") == shown
    assert "We open at nine." in run("knowledge", "show", "hours")
    assert run_json("knowledge", "retire", "hours")["retired_at"]
    assert "hours" not in run("knowledge", "search", "When do you open?")
    assert [entry["external_id"] for entry in run_json("knowledge", "list", "--retired")] == ["hours"]
    copy = tmp_path / "copy.jsonl"
    assert run_json("knowledge", "export", copy)["entries"] == 2
    assert [json.loads(line) for line in copy.read_text(encoding="utf-8").splitlines()] == ROWS[1:]
    assert run("knowledge", "export", "-").count("\n") == 2
    assert "aspa knowledge list" in run("knowledge", "show", "nothing", status=1)
    assert "aspa knowledge list" in run("knowledge", "retire", "#99999999999", status=1)


def test_rebuild_and_evaluate(rows: Path, tmp_path: Path) -> None:
    run("knowledge", "import", rows)
    assert run_json("knowledge", "rebuild")["passages"] >= 2
    queries = tmp_path / "queries.jsonl"
    queries.write_text(
        '{"text": "When do you open?", "relevant": ["hours"], "language": "en"}\n{"text": "Zebras?", "relevant": []}\n'
    )
    figures = run_json("knowledge", "evaluate", queries)
    assert {"queries", "recall@1", "recall@5", "mrr@10", "ndcg@10", "abstention", "by_language"} <= figures.keys()
    assert figures["recall@1"] == 1.0
    assert "mrr@10" in run("knowledge", "evaluate", queries)
    queries.write_text("{")
    assert "Line 1" in run("knowledge", "evaluate", queries, status=1)


def test_redact(rows: Path, tmp_path: Path) -> None:
    """Slots in the place of personal data; what the FAQ states stays; a bad line is named."""
    run("knowledge", "import", rows)
    texts = tmp_path / "texts.jsonl"
    texts.write_text('{"text": "Hei Matti!"}\n{"text": "Xalvialle ei käy.", "names": ["Xalvia"]}\n', encoding="utf-8")
    assert run("redact", texts).splitlines() == ["Hei {name}!", "{name} ei käy."]
    shown = run_json("redact", texts)
    assert shown[0] == {"text": "Hei {name}!", "spans": [{"start": 4, "end": 9, "type": "name"}]}
    texts.write_text('{"text": "Hei Matti!"}\n{"message": "Hei"}\n', encoding="utf-8")
    assert "Line 2 of texts.jsonl" in run("redact", texts, status=1)
    texts.write_text("{", encoding="utf-8")
    assert "Line 1 of texts.jsonl" in run("redact", texts, status=1)


def test_agent_token_channel(session: Session) -> None:
    added = run_json(
        *("agent", "add", "aino@example.com", "--name", "Aino", "--role", "lead", "--password-stdin"),
        given="correct horse battery\n",
    )
    assert (added["email"], added["role"]) == ("aino@example.com", "lead")
    assert agents.sign_in(session, email="AINO@example.com", password="correct horse battery").name == "Aino"
    made = run_json("token", "create", "--name", "shop")
    assert "drafts:approve" not in made["scopes"]
    assert tokens.verify(session, made["token"]).name == "shop"
    bound = run("token", "create", "--name", "phone", "--scope", "drafts:approve", "--agent", "aino@example.com")
    found = tokens.verify(session, bound.strip())
    assert found.agent is not None
    assert (found.scopes, found.agent.name) == (["drafts:approve"], "Aino")
    channel = run_json("channel", "add", "generic", "--name", "shop", "--url", "https://shop.example/replies")
    assert channel["webhook"].endswith(f"/webhooks/generic/{channel['id']}")
    assert channel["secret"].startswith("whsec_")
    stored = session.scalars(select(Channel)).one()
    assert stored.config["secrets"] == [channel["secret"]]
    assert [one["name"] for one in run_json("channel", "list")] == ["shop"]
    assert "whsec_" not in run("channel", "list")


def test_administration_refuses(session: Session) -> None:
    for password in ("short\n", ""):
        said = run("agent", "add", "a@example.com", "--name", "A", "--password-stdin", status=1, given=password)
        assert "password" in said
    assert "e-mail" in run(
        "agent", "add", "nobody", "--name", "A", "--password-stdin", status=1, given="long enough 1\n"
    )
    run("agent", "add", "a@example.com", "--name", "A", "--password-stdin", given="long enough 1\n")
    again = run("agent", "add", "A@example.com", "--name", "B", "--password-stdin", status=1, given="long enough 1\n")
    assert "already" in again
    assert "scope" in run("token", "create", "--name", "x", "--scope", "everything", status=1)
    assert "agent" in run("token", "create", "--name", "x", "--scope", "drafts:approve", status=1)
    assert "aspa agent add" in run("token", "create", "--name", "x", "--agent", "b@example.com", status=1)
    assert "generic" in run("channel", "add", "pigeon", "--name", "x", status=1)
    assert "address" in run("channel", "add", "generic", "--name", "x", "--url", "nonsense", status=1)
    assert "whsec_" in run(
        *("channel", "add", "generic", "--name", "x", "--url", "http://h/", "--secret", "easy"), status=1
    )
    assert len(session.scalars(select(Agent)).all()) == 1


def test_models() -> None:
    assert "builtin" in [model["name"] for model in run_json("models", "list")]
    assert run_json("models", "show", "builtin")["licence"] == "Apache-2.0"
    assert "builtin" in run("models", "list")
    assert "Apache-2.0" in run("models", "show", "builtin")
    assert "aspa models list" in run("models", "show", "nothing", status=1)


def test_doctor(rows: Path) -> None:
    run("knowledge", "import", rows)
    findings = {finding["part"]: finding for finding in run_json("doctor")}
    assert {"settings", "database", "disk", "index", "language model", "channels", "worker"} <= findings.keys()
    assert all(finding["ok"] and finding["advice"] for finding in findings.values())
    assert "3 entries" in run("doctor")


def test_doctor_names_what_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("ASPA_DATABASE_URL", "postgresql://127.0.0.1:1/nothing")
    get_settings.cache_clear()
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == 1
    findings = {finding["part"]: finding for finding in json.loads(result.stdout)}
    assert not findings["database"]["ok"]
    assert "database" in findings["database"]["advice"]
    assert findings["settings"]["ok"]


def test_errors_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "empty" in run("draft", " \n", status=1)
    monkeypatch.setenv("ASPA_DEBOUNCE_SECONDS", "soon")
    get_settings.cache_clear()
    assert "ASPA_DEBOUNCE_SECONDS" in run("channel", "list", status=1)
    monkeypatch.setenv("ASPA_DEBOUNCE_SECONDS", "3")
    for url in ("mysql://host/name", "nonsense", "postgresql://127.0.0.1:1/nothing"):
        monkeypatch.setenv("ASPA_DATABASE_URL", url)
        get_settings.cache_clear()
        said = run("channel", "list", status=1)
        assert said.startswith("Error: ")
        assert said.count("\n") == 1


def test_unexpected_errors_are_one_sentence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("assistant.runtime.load_embedder", fail)
    assert "--debug" in run("knowledge", "search", "x", status=1)
    result = CliRunner().invoke(app, ["--debug", "knowledge", "search", "x"])
    assert isinstance(result.exception, ZeroDivisionError)


def test_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = run("serve", "--port", str(taken.getsockname()[1]), status=1)
        assert "choose another with --port" in said
        assert "choose another with --port" in run("demo", "--port", str(taken.getsockname()[1]), status=1)


def test_wrong_use_is_status_2() -> None:
    assert run("knowledge", "search", status=2)
    assert run("fly", status=2)
    assert run("serve", "--port", "99999", status=2)


def test_a_terminal_obeys_nothing_that_was_imported(rows: Path, tmp_path: Path) -> None:
    evil = {"id": "evil\x1b]0;x\x07", "question": "Q \x1b[2J?", "answer": "A\x9b31m."}
    (tmp_path / "evil.jsonl").write_text(json.dumps(evil))
    run("knowledge", "import", tmp_path / "evil.jsonl")
    for command in (("list",), ("show", "#1"), ("search", "Q ?")):
        printed = run("knowledge", *command)
        assert "\x1b" not in printed
        assert "\x9b" not in printed
