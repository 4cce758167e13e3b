"""`aspa demo`, `aspa serve` and `aspa work`: the commands that stay."""

import logging
import threading
from typing import Annotated

import typer

from api.commands.opening import opened
from api.commands.output import note, say


def demo(
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Default: 8000.")] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Approve one draft, see it delivered to a local receiver, and exit.")
    ] = False,
) -> None:
    """See it work on sample messages, then open the inbox.

    It imports sample knowledge into a database that is thrown away, posts customers' messages through the real
    webhook and prints each draft with its sources.
    """
    from api import demo

    demo.run(port=port, once=once)


def serve(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="The port to listen on; 0 takes a free one.")
    ] = 8000,
    worker: Annotated[bool, typer.Option("--worker/--no-worker", help="Run a worker beside the web process.")] = True,
) -> None:
    """Serve the inbox and the HTTP API, with a worker beside them."""
    from api import serving
    from api.listening import listening, url_of
    from api.signals import stopped_by_signal

    with stopped_by_signal(), listening(host, port) as listener, opened(level=logging.INFO) as runtime:
        say(f"The inbox is at {url_of(listener)} (Ctrl+C stops)")
        serving.serve(runtime, listener, worker=worker)


def work(
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=64, help="Drafts at a time.")] = 1,
    while_stdin_open: Annotated[bool, typer.Option("--while-stdin-open", hidden=True)] = False,
) -> None:
    """Run a worker, which drafts and delivers.

    It may run on this machine or on any other that reaches the database.
    """
    from api.signals import stop_event
    from assistant import jobs

    _import_models_ahead()
    with stop_event(end_of_stdin=while_stdin_open) as stop, opened(level=logging.INFO) as runtime:
        note("The worker starts (Ctrl+C stops it)")
        jobs.run_worker(runtime, concurrency=concurrency, stop=stop)


def _import_models_ahead() -> None:
    """Import the heavy libraries in a thread while the process waits for its database: it is ready seconds earlier."""

    def load() -> None:
        import sentence_transformers  # noqa: F401

    threading.Thread(target=load, name="imports", daemon=True).start()


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    for command in (demo, serve, work):
        app.command()(command)
