"""Imports over HTTP: in one request, and as an import that a worker previews, applies or gives up."""

import io
import json
import zipfile
from typing import Any

import pytest
from sqlalchemy import text

from assistant import import_jobs, jobs, queue
from knowledge import entries, importing, labelled
from knowledge.importing import ImportReport
from knowledge.indexing import update_index
from tests.api_stages import World

URL = "/api/v1/knowledge"
CSV = b"id,question,answer\n1,When do you open?,At nine.\n2,,x\n"


def upload(world: World, data: bytes = CSV, **parameters: str) -> dict[str, Any]:
    answer = world.program.post(f"{URL}/imports", content=data, params={"name": "faq.csv"} | parameters)
    assert answer.status_code == 202, answer.text
    run: dict[str, Any] = answer.json()
    return run


def work(world: World, run: dict[str, Any]) -> dict[str, Any]:
    """Do the import's job as a worker would, and return how it stands."""
    import_jobs.run(world.runtime, run["id"])
    found: dict[str, Any] = world.program.get(f"{URL}/imports/{run['id']}").json()
    return found


def texts(world: World) -> dict[str, str]:
    found = world.program.get(f"{URL}/entries").json()["entries"]
    return {entry["external_id"]: entry["answer"] for entry in found}


def test_it_works(world: World) -> None:
    run = upload(world)
    assert (run["state"], run["source"], run["author"]) == ("waiting", "faq.csv", "program")
    seen = work(world, run)
    assert (seen["state"], seen["rows_done"], seen["rows_total"]) == ("previewed", 2, 2)
    assert (seen["changes"]["added"], seen["changes"]["rejected"][0]["line"]) == (1, 3)
    assert texts(world) == {}
    asked = world.program.post(f"{URL}/imports/{run['id']}/apply")
    assert (asked.status_code, asked.json()["state"]) == (202, "applying")
    done = work(world, run)
    assert (done["state"], done["changes"]["added"], done["finished_at"] is None) == ("applied", 1, False)
    assert texts(world) == {"1": "At nine."}
    assert list(import_jobs.folder(world.runtime.settings).iterdir()) == []
    assert [one["id"] for one in world.program.get(f"{URL}/imports").json()["imports"]] == [run["id"]]
    work(world, run)  # a job that is done twice does nothing
    again = world.program.post(f"{URL}/imports/{run['id']}/apply")
    assert again.status_code == 409
    with world.runtime.sessions() as session:
        names = session.scalars(text("SELECT DISTINCT task_name FROM procrastinate_jobs")).all()
    assert {queue.IMPORT, queue.INDEX} <= set(names)
    assert queue.IMPORT in jobs.TASKS


def test_what_vanished_is_retired_when_asked(world: World) -> None:
    for data, retire in ((CSV, False), (b"id,question,answer\n9,Q,A\n", True)):
        run = upload(world, data)
        work(world, run)
        world.program.post(f"{URL}/imports/{run['id']}/apply", json={"retire_missing": retire})
        done = work(world, run)
    assert (done["changes"]["retired"], done["changes"]["vanished_count"]) == (1, 1)
    assert texts(world) == {"9": "A"}


def test_cancelled_before_and_while_it_is_applied(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run = upload(world)
    cancelled = world.program.post(f"{URL}/imports/{run['id']}/cancel")
    assert cancelled.json()["state"] == "cancelled"
    assert work(world, run)["state"] == "cancelled"
    assert world.program.post(f"{URL}/imports/{run['id']}/cancel").status_code == 409

    late = upload(world)
    work(world, late)
    world.program.post(f"{URL}/imports/{late['id']}/apply")
    really = importing.apply

    def cancelling(*arguments: Any, **options: Any) -> ImportReport:
        report = really(*arguments, **options)
        assert world.program.post(f"{URL}/imports/{late['id']}/cancel").status_code == 200
        return report

    monkeypatch.setattr(importing, "apply", cancelling)
    assert work(world, late)["state"] == "cancelled"
    assert texts(world) == {}
    assert list(import_jobs.folder(world.runtime.settings).iterdir()) == []


def test_a_lost_upload_is_told(world: World) -> None:
    run = upload(world)
    for path in import_jobs.folder(world.runtime.settings).iterdir():
        path.unlink()
    failed = work(world, run)
    assert failed["state"] == "failed"
    assert "data directory" in failed["failure"]


def test_an_import_without_a_job_gets_one(world: World) -> None:
    run = upload(world)
    with world.runtime.sessions.begin() as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
    jobs.wake_forgotten(world.runtime)
    with world.runtime.sessions() as session:
        found = session.execute(text("SELECT args FROM procrastinate_jobs WHERE task_name = :n"), {"n": queue.IMPORT})
        assert [row.args for row in found] == [{"import_id": run["id"]}]


def test_one_request(world: World) -> None:
    dry = world.program.post(f"{URL}/import", content=CSV, params={"dry_run": "true"}).json()
    assert (dry["added"], dry["changes"][0]["external_id"], texts(world)) == (1, "1", {})
    done = world.program.post(f"{URL}/import", content=CSV, params={"source": "shop"}).json()
    assert (done["added"], done["rejected"][0]["unit"]) == (1, "row")
    other = b"id,question,answer\n3,Q,A\n"
    gone = world.program.post(
        f"{URL}/import", content=other, params={"source": "shop", "retire_missing": "true"}
    ).json()
    assert (gone["retired"], list(texts(world))) == (1, ["3"])
    assert world.program.post(f"{URL}/import", content=other, params={"format": "docx"}).status_code == 422
    binary = world.program.post(f"{URL}/import", content=b"\x89PNG\0\0").json()
    assert "binary" in binary["rejected"][0]["reason"]


def test_labelled_questions_that_would_lose_their_answer(world: World) -> None:
    world.program.post(f"{URL}/import", content=CSV, params={"source": "shop"})
    world.program.post(f"{URL}/import", content=b"id,question,answer\n5,Parking?,In the yard.\n")
    with world.runtime.sessions.begin() as session:
        labelled.add(session, "When do you open?", ["1"], author="test")
    update_index(world.runtime.engine, world.runtime.index_dir, world.runtime.embedder())
    new = b"id,question,answer\n7,Q,A\n"
    asked = {"source": "shop", "retire_missing": "true"}
    refused = world.program.post(f"{URL}/import", params=asked, content=new)
    assert (refused.status_code, refused.json()["code"]) == (409, "confirmation_required")
    assert "1" in texts(world)
    run = upload(world, new, source="shop")
    work(world, run)
    refused = world.program.post(f"{URL}/imports/{run['id']}/apply", json={"retire_missing": True})
    assert (refused.status_code, refused.json()["code"]) == (409, "confirmation_required")
    answer = world.program.post(f"{URL}/imports/{run['id']}/apply", json={"retire_missing": True, "confirm": True})
    assert answer.status_code == 202
    assert work(world, run)["changes"]["retired"] == 1


def test_refuses(world: World) -> None:
    assert world.anonymous.post(f"{URL}/imports", content=CSV, params={"name": "a"}).status_code == 401
    reader = world.client_with("knowledge:read")
    assert reader.post(f"{URL}/imports", content=CSV, params={"name": "a"}).status_code == 403
    assert reader.get(f"{URL}/imports").status_code == 200
    assert world.program.get(f"{URL}/imports/999").status_code == 404
    assert world.program.post(f"{URL}/imports", content=CSV).status_code == 422
    large = b"x" * (32 * 1024 * 1024 + 1)
    assert world.program.post(f"{URL}/imports", content=large, params={"name": "a"}).status_code == 413
    run = upload(world)
    assert world.program.post(f"{URL}/imports/{run['id']}/apply").status_code == 409


def test_a_name_from_a_stranger_stays_in_the_folder(world: World) -> None:
    run = upload(world, name="../../..\\evil\x00/../x y.csv")
    kept = list(import_jobs.folder(world.runtime.settings).iterdir())
    assert [path.name.partition("-")[2] for path in kept] == ["x y.csv"]
    assert work(world, run)["state"] == "previewed"


def test_exports(world: World) -> None:
    with world.runtime.sessions.begin() as session:
        faq = entries.EntryContent(kind="faq", external_id="a", question="=Q", answer="A")
        entries.put_many(session, [faq, faq.model_copy(update={"kind": "past_reply"})], author="test")
    lines = world.program.get(f"{URL}/export")
    assert [json.loads(line)["id"] for line in lines.text.splitlines()] == ["a", "a"]
    assert "knowledge.jsonl" in lines.headers["content-disposition"]
    table = world.program.get(f"{URL}/export", params={"format": "csv", "kind": "faq"})
    assert '"\'=Q"' in table.text
    packed = world.program.get(f"{URL}/export", params={"format": "markdown"})
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert archive.namelist() == ["a.md"]
    assert world.program.get(f"{URL}/export", params={"format": "docx"}).status_code == 422
