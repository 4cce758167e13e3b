"""A receiver of replies on this machine, for the demo: it checks each signature and remembers what came.

It stands for a shop's own system, and knows the channel's secret and nothing else.
"""

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from assistant.channels import signing
from assistant.errors import SignatureError


class Receiver:
    """A small HTTP server, open within its context. A reply that comes again with the same id counts once."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._seen: set[str] = set()
        self._replies: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="receiver", daemon=True)

    def __enter__(self) -> Self:
        """Start to listen."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where to post replies."""
        return f"http://127.0.0.1:{self._server.server_port}/replies"

    def wait(self, seconds: float) -> dict[str, Any] | None:
        """Return the next reply with a good signature, None where none comes in time."""
        try:
            return self._replies.get(timeout=seconds)
        except queue.Empty:
            return None

    def _take(self, headers: dict[str, str], body: bytes) -> int:
        try:
            signing.verify(headers, body, [self._secret])
        except SignatureError:
            return 401
        if headers["webhook-id"] not in self._seen:
            self._seen.add(headers["webhook-id"])
            self._replies.put(json.loads(body))
        return 204

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(take({name.lower(): value for name, value in self.headers.items()}, body))
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Say nothing: standard error is the demo's."""

        return Handler
