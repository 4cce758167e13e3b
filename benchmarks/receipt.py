"""How many signed webhooks a second the application takes in, against a bare endpoint that inserts one row.

Each is served by a process of its own, over the same database, and asked in turn by the same clients; so their ratio
holds on a busy machine.
"""

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Annotated

import httpx2
import uvicorn
from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from api.app import create_app
from api.listening import listening, url_of
from api.signals import stopped_by_signal
from assistant import channels
from assistant.channels import signing
from assistant.runtime import Runtime, open_runtime
from assistant.settings import Settings
from benchmarks import Measurement

CLIENTS = 8
ROUNDS = 5
REQUESTS = 200  # of each kind per round
TARGET = "at least 0.5 of it"
_JSON = {"Content-Type": "application/json"}

Post = Callable[[httpx2.Client], httpx2.Response]


def run() -> list[Measurement]:
    """Measure both in alternating rounds; return the medians, in requests per second."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aspa-bench-")))
        runtime = stack.enter_context(open_runtime(Settings(data_dir=folder)))
        secret, channel_id = _channel(runtime)
        ours, bare = (stack.enter_context(_served(which, folder)) for which in ("ours", "bare"))
        posts = (_webhook(ours, channel_id, secret), _row(bare))
        pool = stack.enter_context(ThreadPoolExecutor(CLIENTS))
        clients = [stack.enter_context(httpx2.Client(trust_env=False, timeout=60)) for _ in range(CLIENTS)]
        rates = [[_rate(pool, clients, post) for post in posts] for _ in range(ROUNDS + 1)]
    webhook, plain = (statistics.median(column) for column in zip(*rates[1:], strict=True))  # the first one warms up
    return [Measurement("webhook receipt", webhook, "requests/s", plain, "bare endpoint, one row", TARGET)]


def _channel(runtime: Runtime) -> tuple[str, int]:
    secret = signing.new_secret()
    config = {"url": "http://127.0.0.1:9/", "secrets": [secret]}
    with runtime.sessions.begin() as session:
        return secret, channels.add(session, kind="generic", name="bench", config=config).id


@contextlib.contextmanager
def _served(which: str, folder: Path) -> Iterator[str]:
    """Serve one of the two in a process of its own; yield its address."""
    command = [sys.executable, "-m", "benchmarks.receipt", which, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.terminate()


def _serve(which: str, folder: Path) -> None:
    with (
        stopped_by_signal(),
        open_runtime(Settings(data_dir=folder)) as runtime,
        listening("127.0.0.1", 0) as listener,
    ):
        app = create_app(runtime) if which == "ours" else _bare(runtime.engine)
        print(url_of(listener), flush=True)
        uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[listener])


class Row(DeclarativeBase):
    """The base of the one table of the bare application."""


class Posted(Row):
    """What was posted."""

    __tablename__ = "bench_posted"
    id: Mapped[int] = mapped_column(primary_key=True)
    external_id: Mapped[str]
    customer_id: Mapped[str]
    text: Mapped[str]


class Customer(BaseModel):
    """Who posted it."""

    id: str
    name: str


class Body(BaseModel):
    """What is posted."""

    external_id: str
    customer: Customer
    text: str


def _bare(engine: Engine) -> FastAPI:
    """Return an application as FastAPI's tutorial writes one: a body, a session, a row, a commit."""
    Row.metadata.create_all(engine)
    app = FastAPI()

    def session() -> Iterator[Session]:
        with Session(engine, expire_on_commit=False) as opened:
            yield opened

    @app.post("/rows")
    def insert(body: Body, session: Annotated[Session, Depends(session)]) -> dict[str, int]:
        row = Posted(external_id=body.external_id, customer_id=body.customer.id, text=body.text)
        session.add(row)
        session.commit()
        return {"id": row.id}

    return app


def _body(number: int) -> bytes:
    """Return what a shop would post; every customer writes five messages."""
    message = {
        "external_id": f"m{number}",
        "customer": {"id": f"c{number // 5}", "name": "Anna Virtanen"},
        "text": "Hei, tilasin viime viikolla kaksi pussia kahvia. Milloin ne tulevat perille?",
    }
    return json.dumps(message).encode()


def _webhook(url: str, channel_id: int, secret: str) -> Post:
    numbers = count()

    def post(client: httpx2.Client) -> httpx2.Response:
        body = _body(next(numbers))
        headers = signing.signed_headers(secret, "msg", body) | _JSON
        return client.post(f"{url}/webhooks/generic/{channel_id}", content=body, headers=headers)

    return post


def _row(url: str) -> Post:
    numbers = count()
    return lambda client: client.post(f"{url}/rows", content=_body(next(numbers)), headers=_JSON)


def _rate(pool: ThreadPoolExecutor, clients: list[httpx2.Client], post: Post) -> float:
    """Return requests per second over one round, all clients asking at once."""

    def ask(client: httpx2.Client) -> None:
        for _ in range(REQUESTS // CLIENTS):
            post(client).raise_for_status()

    began = time.perf_counter()
    list(pool.map(ask, clients))
    return REQUESTS / (time.perf_counter() - began)


if __name__ == "__main__":
    _serve(sys.argv[1], Path(sys.argv[2]))
