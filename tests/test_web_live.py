"""What happens in the inbox, told to open pages."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

from api.app import create_app
from api.web import live
from api.web.live import Live
from assistant.conversations import announce
from assistant.runtime import Runtime
from tests.api_stages import opened
from tests.web_stages import an_agent_with_password, token_in


@pytest.fixture
def runtime(database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    with opened(database_url, tmp_path) as runtime:
        yield runtime


def say(runtime: Runtime, conversation_id: int) -> None:
    with runtime.sessions.begin() as session:
        announce(session, conversation_id, "message")


@contextlib.asynccontextmanager
async def listening(runtime: Runtime) -> AsyncIterator[Live]:
    opened = Live(runtime.database_url)
    try:
        yield opened
    finally:
        opened.close()
        await asyncio.to_thread(opened.join)


async def next_about(stream: AsyncIterator[dict[str, Any]], conversation_id: int) -> dict[str, Any]:
    """Return the next event about a conversation; "everything" may come before it at any time."""
    async with asyncio.timeout(20):
        async for event in stream:
            if event.get("conversation_id") == conversation_id:
                return event
    raise AssertionError("The stream ended.")


async def ready(stream: AsyncIterator[dict[str, Any]], runtime: Runtime) -> None:
    """Wait until the stream hears: the connection is made in the background."""
    assert await anext(stream) == {"what": "everything"}
    say(runtime, 0)
    async with asyncio.timeout(20):
        await anext(stream)


def test_it_works(runtime: Runtime) -> None:
    async def scene() -> None:
        async with listening(runtime) as opened:
            streams = [opened.events() for _ in range(3)]
            for stream in streams:
                await ready(stream, runtime)
            await asyncio.to_thread(say, runtime, 7)
            for stream in streams:
                assert await next_about(stream, 7) == {"conversation_id": 7, "what": "message"}

    asyncio.run(scene())


def test_closing_ends_every_stream(runtime: Runtime) -> None:
    async def scene() -> None:
        async with listening(runtime) as opened:
            stream = opened.events()
            await anext(stream)
            opened.close()
            opened.close()
            async with asyncio.timeout(20):
                assert all([event == {"what": "everything"} async for event in stream])

    asyncio.run(scene())


def test_a_stream_ends_by_itself_so_that_the_browser_proves_anew_who_it_is(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STREAM_SECONDS", 0.05)

    async def scene() -> None:
        async with listening(runtime) as opened, asyncio.timeout(20):
            assert all([event == {"what": "everything"} async for event in opened.events()])

    asyncio.run(scene())


def test_a_slow_reader_gets_the_newest(runtime: Runtime) -> None:
    async def scene() -> None:
        async with listening(runtime) as opened:
            stream = opened.events()
            await ready(stream, runtime)
            for number in range(1, 101):
                await asyncio.to_thread(say, runtime, number)
            await next_about(stream, 100)

    asyncio.run(scene())


def test_over_http_the_stream_holds_no_connection_of_the_pool(runtime: Runtime) -> None:
    with runtime.sessions.begin() as session:
        an_agent_with_password(session)

    async def scene() -> None:
        server = uvicorn.Server(
            uvicorn.Config(create_app(runtime), port=0, log_config=None, timeout_graceful_shutdown=5)
        )
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as client:
            fields = {"csrf_token": token_in(await client.get("/sign-in"))}
            await client.post("/sign-in", data=fields | {"email": "aino@example.com", "password": "kahvia ja pullaa"})
            async with client.stream("GET", "/inbox/events") as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                lines = answer.aiter_lines()
                assert [await anext(lines)] == ['data: {"what":"everything"}']
                await asyncio.to_thread(say, runtime, 7)
                async for line in lines:
                    if '"conversation_id":7' in line:
                        break
                assert runtime.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        server.should_exit = True
        await serving

    asyncio.run(scene())
