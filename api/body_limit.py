"""Refuses a request body that is too long, while it streams in.

The framework's own limit answers in plain text where a Content-Length is declared; every error here is a problem
document, and so this one is too.
"""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem


class BodyLimit:
    """ASGI middleware: 413 above `limit` bytes, or above the limit that `larger` gives for the exact path.

    A declared length is refused before a byte is read; a chunked body when the counted bytes pass the limit.
    """

    def __init__(self, app: ASGIApp, *, limit: int, larger: Mapping[str, int]) -> None:
        self.app = app
        self.limit = limit
        self.larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.larger.get(scope["path"], self.limit)
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and int(declared) > limit:
            await problem(413, _too_long(limit), headers={"Connection": "close"})(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise HTTPException(413, _too_long(limit), headers={"Connection": "close"})
            return message

        await self.app(scope, counted, send)


def _too_long(limit: int) -> str:
    return f"The body is longer than {limit // 1024} KiB: send less at a time."
