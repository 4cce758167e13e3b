"""Alive, ready, and counted."""

from sqlalchemy import text

from api.app import warm_up
from tests.api_stages import World


def test_it_works(world: World) -> None:
    assert world.anonymous.get("/healthz").json() == {"status": "ok"}
    warm_up(world.runtime).join()
    with world.runtime.sessions.begin() as session:
        session.execute(text("INSERT INTO procrastinate_workers DEFAULT VALUES"))
    answer = world.anonymous.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["missing"] == []


def test_says_what_is_missing(world: World) -> None:
    answer = world.anonymous.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready",
        "checks": {"database": True, "index": False, "worker": False},
        "missing": ["index", "worker"],
    }


def test_a_silent_worker_is_missing(world: World) -> None:
    with world.runtime.sessions.begin() as session:
        session.execute(text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 minute')"))
    assert "worker" in world.anonymous.get("/readyz").json()["missing"]


def test_counts_requests_by_route(world: World) -> None:
    world.program.get("/api/v1/drafts/1")
    world.program.get("/api/v1/drafts/2")
    world.anonymous.get("/no/such/page")
    numbers = world.anonymous.get("/metrics").text
    assert 'aspa_http_requests_total{method="GET",route="/api/v1/drafts/{draft_id}",status="404"} 2.0' in numbers
    assert "/no/such/page" not in numbers
