"""`aspa demo`: the whole way of a message, on sample data that is thrown away.

Everything it shows is the real thing: it posts signed webhooks to its own server, a real worker drafts, a real
receiver gets the approved reply. It knows no shortcut past the HTTP API.
"""

import contextlib
import json
import secrets
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import httpx2

from api import serving
from api.commands import output
from api.commands.draft import show
from api.commands.opening import configure_log
from api.receiver import Receiver
from assistant import agents, channels, tokens
from assistant.channels import signing
from assistant.errors import Unavailable
from assistant.runtime import Runtime, open_runtime
from assistant.settings import Settings
from knowledge.importing import import_files
from knowledge.indexing import update_index

PORT = 8000
_DRAFT_SECONDS = 180.0
_DELIVERY_SECONDS = 60.0
_POLL_SECONDS = 0.2
_SAMPLE = ("faq_en.jsonl", "faq_fi.jsonl", "past_replies.jsonl")
_EMAIL = "aino@usvapuro.example"


@dataclass(frozen=True)
class Stage:
    """What the demo plays with: the channel's id and secret, and who signs in."""

    channel_id: int
    secret: str
    password: str
    token: str


def run(*, port: int | None, once: bool) -> None:
    """Play the demo at `port` (8000 by default; with `once` any free one) until Ctrl+C, or once and return.

    Raises Unavailable where a draft or a delivery does not come.
    """
    if port is None:
        port = 0 if once else PORT
    with (
        serving.stopped_by_signal(),
        serving.listening("127.0.0.1", port) as listener,
        tempfile.TemporaryDirectory(prefix="aspa-demo-", ignore_cleanup_errors=True) as folder,
        as_file(files("assistant") / "personas" / "usvapuro.toml") as persona,
    ):
        url = serving.url_of(listener)
        settings = Settings(data_dir=Path(folder), persona=persona, public_url=url)
        configure_log("console", 40)
        output.say("Starting a database of its own …")
        with open_runtime(settings) as runtime, _played(runtime, url) as (stage, receiver):
            log_file = settings.data_dir / "worker.log"
            # The worker loads its models while this process imports and indexes.
            with serving.watched(runtime, worker=True, worker_log=log_file):
                _import_sample(runtime)
                with _web(runtime, listener), _client(url, stage) as client:
                    drafted = _draft_samples(client, stage, log_file)
                    if once:
                        _approve_one(client, drafted, receiver)
                        return
                    _wait(url, stage)


@contextlib.contextmanager
def _played(runtime: Runtime, url: str) -> Iterator[tuple[Stage, Receiver]]:
    """Make the agent, their token, and the channel whose replies come back to a receiver of ours."""
    secret, password = signing.new_secret(), secrets.token_urlsafe(9)
    with Receiver(secret) as receiver:
        with runtime.sessions.begin() as session:
            agent = agents.add(session, email=_EMAIL, name="Aino", role="agent", password=password)
            config = {"url": receiver.url, "secrets": [secret]}
            channel = channels.add(session, kind="generic", name="demo", config=config)
            _, token = tokens.create(session, name="demo", scopes=tokens.SCOPES, agent=agent)
        yield Stage(channel.id, secret, password, token), receiver


def _import_sample(runtime: Runtime) -> None:
    """Import the sample knowledge and make its index."""
    with output.progress("Importing the sample knowledge") as shown:
        task = shown.add_task("Importing the sample knowledge", total=None)
        with as_file(files("knowledge") / "sample") as sample, runtime.sessions.begin() as session:
            paths = [sample / name for name in _SAMPLE]
            report = import_files(
                session, paths, author="aspa demo", progress=lambda done: shown.update(task, completed=done)
            )
        shown.update(task, description="Indexing", completed=0)
        update_index(
            runtime.engine,
            runtime.index_dir,
            runtime.embedder(),
            progress=lambda done, total: shown.update(task, completed=done, total=total),
        )
    output.say(f"{report.added} FAQ entries and past replies are imported and can be found.")


@contextlib.contextmanager
def _web(runtime: Runtime, listener: Any) -> Iterator[None]:
    """Run the web server in a thread: the main one plays the customers."""
    server = serving.web_server(runtime)
    serving.warm_up(runtime)
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


def _draft_samples(client: httpx2.Client, stage: Stage, log_file: Path) -> list[dict[str, Any]]:
    """Post the sample messages, print each draft as it comes, and return the drafts."""
    asked = {_post(client, stage, message): message for message in _messages()}
    output.say(f"{len(asked)} customers have written. The drafts, as they come:")
    drafted: list[dict[str, Any]] = []
    deadline = time.monotonic() + _DRAFT_SECONDS
    with output.progress("Drafting") as shown:
        task = shown.add_task("Drafting", total=len(asked))
        while asked:
            if time.monotonic() > deadline:
                raise Unavailable(f"The drafts do not come; the worker's last words: {_last_line(log_file)}")
            for conversation_id in list(asked):
                draft = _get(client, f"/api/v1/conversations/{conversation_id}")["draft"]
                if draft is None or draft["status"] == "queued":
                    continue
                message = asked.pop(conversation_id)
                drafted.append(draft)
                shown.stop()
                _print(message, draft)
                shown.start()
                shown.update(task, completed=len(drafted))
            time.sleep(_POLL_SECONDS)
    return drafted


def _post(client: httpx2.Client, stage: Stage, message: dict[str, Any]) -> int:
    """Post one message as the channel does, signed; return its conversation."""
    body = json.dumps(message, ensure_ascii=False).encode()
    headers = signing.signed_headers(stage.secret, f"msg_{message['external_id']}", body)
    headers["Content-Type"] = "application/json"
    answer = client.post(f"/webhooks/generic/{stage.channel_id}", content=body, headers=headers)
    answer.raise_for_status()
    return int(answer.json()["messages"][0]["conversation_id"])


def _approve_one(client: httpx2.Client, drafted: list[dict[str, Any]], receiver: Receiver) -> None:
    """Approve the first draft that answers, and wait until the receiver has it with a good signature."""
    draft = next((one for one in drafted if one["status"] == "ready"), drafted[0])
    answer = client.post(
        f"/api/v1/drafts/{draft['id']}/approve",
        json={"fingerprint": draft["fingerprint"]},
        headers={"Idempotency-Key": secrets.token_hex(16)},
    )
    answer.raise_for_status()
    reply = receiver.wait(_DELIVERY_SECONDS)
    if reply is None:
        raise Unavailable("The approved reply was not delivered within a minute: run the demo again with --debug.")
    if reply["data"]["text"] != draft["text"]:
        raise Unavailable("What was delivered is not what was approved: please report this.")
    output.say(f"\nApproved, delivered to {receiver.url} and its signature verified:\n\n{reply['data']['text']}")


def _wait(url: str, stage: Stage) -> None:
    output.say(f"\nThe inbox: {url}\n  e-mail    {_EMAIL}\n  password  {stage.password}\nCtrl+C ends the demo.")
    threading.Event().wait()


def _get(client: httpx2.Client, path: str) -> Any:
    answer = client.get(path)
    answer.raise_for_status()
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


def _last_line(log_file: Path) -> str:
    lines = log_file.read_text(errors="replace").strip().splitlines() if log_file.exists() else []
    return lines[-1] if lines else "none"
