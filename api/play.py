"""What the demo shows: customers write, the assistant drafts, an agent approves, a shop gets the reply.

Everything is the real thing: it posts signed webhooks to its own server, a real worker drafts, a real receiver gets
the approved reply. It knows no shortcut past the HTTP API.
"""

import contextlib
import json
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import httpx2
from platformdirs import user_cache_path
from sqlalchemy import text

from api import serving
from api.app import warm_up
from api.commands import output
from api.commands.draft import show
from api.receiver import Receiver
from api.worker_process import WorkerProcess
from assistant import agents, channels, queue, tokens
from assistant.channels import signing
from assistant.errors import Unavailable
from assistant.runtime import Runtime, open_runtime
from assistant.settings import Settings
from knowledge import labelled
from knowledge.evaluation import read_queries
from knowledge.importing import import_files
from knowledge.snapshots import current_name

_INDEX_SECONDS = 300.0
_DRAFT_SECONDS = 300.0
_DELIVERY_SECONDS = 60.0
_POLL_SECONDS = 0.3
_MOST_STARTS = 2
_SAMPLE = ("faq_en.jsonl", "faq_fi.jsonl", "past_replies.jsonl")
_QUESTIONS = ("questions_en.jsonl", "questions_fi.jsonl")
_EMAIL = "aino@usvapuro.example"


@dataclass(frozen=True)
class Stage:
    """What the demo plays with: the channel's id and secret, and who signs in."""

    channel_id: int
    secret: str
    password: str
    token: str


def play(settings: Settings, listener: socket.socket, worker: WorkerProcess, *, once: bool) -> None:
    """Show everything; then approve one draft, see it delivered and return (`once`), or serve until interrupted.

    Raises Unavailable where a draft or a delivery does not come.
    """
    secret = signing.new_secret()
    with contextlib.ExitStack() as stack:
        receiver = stack.enter_context(Receiver(secret))
        with _step("Making a database"):
            runtime = stack.enter_context(open_runtime(settings))
        stack.enter_context(serving.watched(runtime, worker))
        _import_sample(runtime, worker)
        stage = _set(runtime, receiver, secret)
        stack.enter_context(_web(runtime, listener))
        client = stack.enter_context(_client(settings.public_url, stage))
        drafted = _draft_samples(client, stage, worker)
        if once:
            _approve_one(client, drafted, receiver)
        else:
            warm_up(runtime)
            _wait(settings.public_url, stage)


@contextlib.contextmanager
def _step(what: str) -> Iterator[None]:
    """Show that something is under way which may take seconds."""
    with output.progress(what) as shown:
        shown.add_task(what, total=None)
        yield


def _import_sample(runtime: Runtime, worker: WorkerProcess) -> None:
    """Import the sample knowledge and have the worker index it, from what it indexed the last time if it did."""
    known = user_cache_path("nettiaspa") / "demo-index"
    with as_file(files("knowledge") / "sample") as sample:
        with contextlib.suppress(OSError):  # without it, or with half of it, everything is embedded again
            shutil.copytree(known, runtime.index_dir)
        with runtime.sessions.begin() as session:
            report = import_files(session, [sample / name for name in _SAMPLE], author="aspa demo")
            for name in _QUESTIONS:
                labelled.add_many(session, read_queries(sample / name), author="aspa demo")
            queue.defer_index_knowledge(session)
    with _step("Loading the models and indexing the sample knowledge"):
        _until(lambda: _indexed(runtime), worker, _INDEX_SECONDS, "index the sample knowledge")
    output.say(f"{report.added} FAQ entries and past replies are imported.")
    if current_name(known) != current_name(runtime.index_dir):
        with contextlib.suppress(OSError):  # the next demo is slower then, and that is all
            _keep(runtime.index_dir, known)


def _keep(index: Path, known: Path) -> None:
    """Put a copy of the index in the place of the old one, whole or not at all."""
    known.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=known.parent) as scratch:
        shutil.copytree(index, Path(scratch) / "new")
        if known.exists():
            known.rename(Path(scratch) / "old")
        (Path(scratch) / "new").rename(known)


def _indexed(runtime: Runtime) -> bool:
    """Tell whether the index job is done; raises Unavailable where it failed."""
    with runtime.sessions() as session:
        status = session.scalar(
            text("SELECT status::text FROM procrastinate_jobs WHERE task_name = :name ORDER BY id DESC LIMIT 1"),
            {"name": queue.INDEX},
        )
    if status not in ("todo", "doing", "succeeded"):
        raise Unavailable("The sample knowledge could not be indexed: run `aspa doctor` to see what is missing.")
    return bool(status == "succeeded")


def _until(done: Callable[[], bool], worker: WorkerProcess, seconds: float, deed: str) -> None:
    """Wait until the worker has done a deed; raises Unavailable after `seconds`, or where it dies again and again."""
    deadline = time.monotonic() + seconds
    while not done():
        if worker.starts > _MOST_STARTS:
            raise Unavailable(f"The worker cannot {deed}. It says: {worker.last_words()}")
        if time.monotonic() > deadline:
            raise Unavailable(f"The worker did not {deed} within {seconds:.0f} s. It says: {worker.last_words()}")
        time.sleep(_POLL_SECONDS)


def _set(runtime: Runtime, receiver: Receiver, secret: str) -> Stage:
    """Make the agent, their token, and the channel whose replies go to the receiver."""
    password = secrets.token_urlsafe(9)
    with runtime.sessions.begin() as session:
        agent = agents.add(session, email=_EMAIL, name="Aino", role="lead", password=password)
        config = {"url": receiver.url, "secrets": [secret]}
        channel = channels.add(session, kind="generic", name="demo", config=config)
        _, token = tokens.create(session, name="demo", scopes=tokens.SCOPES, agent=agent)
        return Stage(channel.id, secret, password, token)


@contextlib.contextmanager
def _web(runtime: Runtime, listener: socket.socket) -> Iterator[None]:
    """Run the web server in a thread: the main one plays the customers."""
    server = serving.web_server(runtime)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="web")
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


@contextlib.contextmanager
def _client(url: str, stage: Stage) -> Iterator[httpx2.Client]:
    headers = {"Authorization": f"Bearer {stage.token}"}
    # No proxy of the environment: what is on this machine stays on it.
    with httpx2.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
        yield client


def _draft_samples(client: httpx2.Client, stage: Stage, worker: WorkerProcess) -> list[dict[str, Any]]:
    """Post the sample messages, print each draft as it comes, and return the drafts."""
    asked = {_post(client, stage, message): message for message in _messages()}
    output.say(f"{len(asked)} customers have written. The drafts, as they come:")
    drafted: list[dict[str, Any]] = []

    def look() -> bool:
        for line in _checked(client.get("/api/v1/conversations"))["conversations"]:
            if line["id"] in asked and line["draft_status"] != "queued":
                drafted.append(_checked(client.get(f"/api/v1/conversations/{line['id']}"))["draft"])
                _print(asked.pop(line["id"]), drafted[-1])
        return not asked

    with output.progress("Drafting") as shown:
        task = shown.add_task("Drafting", total=len(asked))

        def look_and_count() -> bool:
            done = look()
            shown.update(task, completed=len(drafted))
            return done

        _until(look_and_count, worker, _DRAFT_SECONDS, "write the drafts")
    return drafted


def _post(client: httpx2.Client, stage: Stage, message: dict[str, Any]) -> int:
    """Post one message as the channel does, signed; return its conversation."""
    body = json.dumps(message, ensure_ascii=False).encode()
    headers = signing.signed_headers(stage.secret, f"msg_{message['external_id']}", body)
    headers["Content-Type"] = "application/json"
    answer = _checked(client.post(f"/webhooks/generic/{stage.channel_id}", content=body, headers=headers))
    return int(answer["messages"][0]["conversation_id"])


def _approve_one(client: httpx2.Client, drafted: list[dict[str, Any]], receiver: Receiver) -> None:
    """Approve the first draft that answers, and wait until the receiver has it with a good signature."""
    draft = next((one for one in drafted if one["status"] == "ready"), None)
    if draft is None:
        raise Unavailable("No draft is ready to be approved: run `aspa doctor` to see what is missing.")
    _checked(
        client.post(
            f"/api/v1/drafts/{draft['id']}/approve",
            json={"fingerprint": draft["fingerprint"]},
            headers={"Idempotency-Key": secrets.token_hex(16)},
        )
    )
    reply = receiver.wait(_DELIVERY_SECONDS)
    if reply is None:
        raise Unavailable("The approved reply was not delivered within a minute: run the demo again with --debug.")
    if reply["data"]["text"] != draft["text"]:
        raise Unavailable("What was delivered is not what was approved: please report this.")
    output.say(f"\nApproved, delivered to {receiver.url} and its signature verified:\n\n{reply['data']['text']}")


def _wait(url: str, stage: Stage) -> None:
    output.say(f"\nThe inbox: {url}\n  e-mail    {_EMAIL}\n  password  {stage.password}\nCtrl+C ends the demo.")
    threading.Event().wait()  # Ctrl+C and SIGTERM interrupt it


def _checked(answer: httpx2.Response) -> Any:
    """Return what the server answered; raises Unavailable with its own sentence where it refused."""
    if answer.is_error:
        raise Unavailable(f"The server answered {answer.status_code}: {answer.json()['detail']}")
    return answer.json()


def _messages() -> list[dict[str, Any]]:
    lines = (files("knowledge") / "sample" / "messages.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def _print(message: dict[str, Any], draft: dict[str, Any]) -> None:
    output.say(f"\n{message['customer'].get('name') or 'A customer'}: {message['text']}\n")
    if draft["status"] == "failed":
        output.say(f"  ! {draft['failure']}")
    else:
        show(draft)
