"""The pages of imports: upload, preview, apply or give up; the worker's part is done by hand."""

import pytest
from fastapi.testclient import TestClient

from api.app import IMPORT_LIMIT
from assistant import import_jobs
from assistant.runtime import Runtime
from knowledge import entries
from knowledge.tables import ImportRun
from tests.knowledge_stages import an_entry
from tests.web_stages import token_in

FILE = (
    b'{"id": "delivery", "question": "How long does delivery take?", "answer": "A week."}\n'
    b'{"id": "gifts", "question": "Do you sell gift cards?", "answer": "<script>alert(1)</script>"}\n'
    b'{"id": "bad", "question": ""}\n'
)


@pytest.fixture
def runtime(maintained: Runtime) -> Runtime:
    return maintained


@pytest.fixture
def client(maintainer: TestClient) -> TestClient:
    return maintainer


def uploaded(client: TestClient, content: bytes = FILE, name: str = "faq.jsonl", **fields: str) -> str:
    """Upload a file and return the address of its import."""
    token = {"csrf_token": token_in(client.get("/knowledge/import"))}
    answer = client.post("/knowledge/import", data=token | fields, files={"file": (name, content)})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def worked(runtime: Runtime, address: str) -> None:
    """Do what the worker does."""
    import_jobs.run(runtime, int(address.rpartition("/")[2]))


def press(client: TestClient, address: str, deed: str, **fields: str) -> str:
    """Press a button of an import's page and return where it leads."""
    token = {"csrf_token": token_in(client.get(address))}
    answer = client.post(f"{address}/{deed}", data=token | fields)
    assert answer.status_code == 303
    return answer.headers["location"]


def test_it_works(client: TestClient, runtime: Runtime) -> None:
    an_entry(runtime)
    here = uploaded(client)
    waiting = client.get(here).text
    assert "Waiting for a worker" in waiting
    assert 'data-poll="1000"' in waiting
    worked(runtime, here)
    shown = client.get(here).text
    assert "nothing is changed yet" in shown
    assert "data-poll" not in shown
    assert "<dt>to be added</dt><dd>1</dd>" in shown
    assert "<dt>to be changed</dt><dd>1</dd>" in shown
    assert "1 row was rejected" in shown
    assert "line 3" in shown
    assert "<ins>A week</ins>" in shown
    with runtime.sessions() as session:
        assert entries.count(session) == 1
    assert press(client, here, "apply") == here
    worked(runtime, here)
    assert "Done." in client.get(here).text
    with runtime.sessions() as session:
        assert entries.count(session) == 2
    assert "Applied" in client.get("/knowledge/import").text
    assert "<script>alert" not in client.get("/knowledge").text


def test_what_vanished_is_retired_only_when_ticked(client: TestClient, runtime: Runtime) -> None:
    one = b'{"id": "a", "question": "A?", "answer": "A."}\n'
    two = b'{"id": "b", "question": "B?", "answer": "B."}\n'
    first = uploaded(client, one + two, source="shop")
    worked(runtime, first)
    press(client, first, "apply")
    worked(runtime, first)
    for ticked, left in (({}, 2), ({"retire_missing": "yes"}, 1)):
        here = uploaded(client, one, source="shop")
        worked(runtime, here)
        assert "Retire also the 1 entry that is not in the file any more" in client.get(here).text
        press(client, here, "apply", **ticked)
        worked(runtime, here)
        with runtime.sessions() as session:
            assert entries.count(session) == left


def test_giving_up_leaves_nothing_behind(client: TestClient, runtime: Runtime) -> None:
    here = uploaded(client)
    worked(runtime, here)
    assert press(client, here, "cancel") == here
    assert "Given up: nothing was changed." in client.get(here).text
    assert press(client, here, "apply").endswith("refused=moved")
    assert press(client, here, "cancel").endswith("refused=moved")
    with runtime.sessions() as session:
        assert entries.count(session) == 0


def test_a_file_that_cannot_be_read_says_why(client: TestClient, runtime: Runtime) -> None:
    here = uploaded(client, b"\x00\x01\x02\xff" * 100, "table.csv")
    worked(runtime, here)
    page = client.get(here).text
    assert "1 row was rejected" in page or "could not be taken in" in page
    with runtime.sessions() as session:
        assert entries.count(session) == 0


@pytest.mark.parametrize(
    ("fields", "file"), [({"format": "nonsense"}, ("a.jsonl", b"{}")), ({}, ("", b""))], ids=["format", "no file"]
)
def test_what_is_no_upload_is_refused(client: TestClient, fields: dict[str, str], file: tuple[str, bytes]) -> None:
    token = {"csrf_token": token_in(client.get("/knowledge/import"))}
    answer = client.post("/knowledge/import", data=token | fields, files={"file": file})
    assert answer.status_code == 422


def test_a_large_file_goes_through_and_a_larger_one_does_not(client: TestClient, runtime: Runtime) -> None:
    row = b'{"id": "%d", "question": "Q?", "answer": "' + b"x" * 40_000 + b'"}\n'
    assert uploaded(client, b"".join(row % n for n in range(20)))
    token = {"csrf_token": token_in(client.get("/knowledge/import"))}
    answer = client.post("/knowledge/import", data=token, files={"file": ("a.jsonl", b"x" * IMPORT_LIMIT)})
    assert answer.status_code == 413


def test_every_form_needs_the_token(client: TestClient, runtime: Runtime) -> None:
    here = uploaded(client)
    worked(runtime, here)
    for path in (f"{here}/apply", f"{here}/cancel"):
        assert client.post(path, data={"csrf_token": "wrong"}).status_code == 403
    wrong = client.post("/knowledge/import", data={"csrf_token": "wrong"}, files={"file": ("a.jsonl", FILE)})
    assert wrong.status_code == 403
    with runtime.sessions() as session:
        assert [run.state for run in session.query(ImportRun)] == ["previewed"]


def test_there_is_no_such_import(client: TestClient) -> None:
    assert client.get("/knowledge/import/999").status_code == 404
