"""What happens in the inbox, told to every open page.

One thread of the process listens to the database and wakes all streams; a page that is told something reads itself
anew. It knows nothing of what happened: that stays in the database.
"""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

from knowledge.database import listen

CHANNEL = "aspa_inbox"
STREAM_SECONDS = 600.0
"""How long one stream lasts: the browser then comes again, and has to be signed in still."""
_EVERYTHING = {"what": "everything"}
_WAITING = 32


class Live:
    """The open streams of one process. Make it in a running event loop; `close` ends the streams and the thread."""

    def __init__(self, database_url: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._queues: set[asyncio.Queue[dict[str, Any] | None]] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._hear, args=(database_url,), name="inbox-events", daemon=True)
        self._thread.start()

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what happens from now on, beginning with {"what": "everything"}, for STREAM_SECONDS at most."""
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(_WAITING)
        ends = time.monotonic() + STREAM_SECONDS
        self._queues.add(queue)
        try:
            # Between drawing the page and this moment something may have happened already.
            yield _EVERYTHING
            while not self._stop.is_set():
                event = await asyncio.wait_for(queue.get(), timeout=max(ends - time.monotonic(), 0.01))
                if event is None:
                    return
                yield event
        except TimeoutError:
            return
        finally:
            self._queues.discard(queue)

    def close(self) -> None:
        """End every stream and stop listening; may be called from any thread, and twice."""
        if not self._stop.is_set():
            self._stop.set()
            self._tell(None)

    def join(self) -> None:
        """Wait until the connection to the database is closed, after `close`."""
        self._thread.join()

    def _hear(self, database_url: str) -> None:
        for said in listen(database_url, [CHANNEL], self._stop):
            self._tell(_EVERYTHING if said is None else _event(said.payload))

    def _tell(self, event: dict[str, Any] | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._put, event)
        except RuntimeError:  # the loop is closed: the process ends, and nobody is left to tell
            self._stop.set()

    def _put(self, event: dict[str, Any] | None) -> None:
        for queue in list(self._queues):
            if queue.full():
                # A reader this slow has older events before it and reads the page after them: one is as good as many.
                queue.get_nowait()
            queue.put_nowait(event)


def _event(payload: str) -> dict[str, Any]:
    try:
        event = json.loads(payload)
    except ValueError:
        return _EVERYTHING
    return event if isinstance(event, dict) else _EVERYTHING
