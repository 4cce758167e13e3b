"""Is it alive, is it ready, and its numbers. No authentication: nothing here is about a customer."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api.dependencies import RuntimeDep
from api.metrics import Metrics
from assistant import jobs
from assistant.runtime import Runtime
from knowledge.database import DatabaseUnavailable

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Tell that the process answers; it looks at nothing else."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: {"description": "`missing` names what is not there"}})
def readyz(runtime: RuntimeDep) -> JSONResponse:
    """Tell whether messages can be received, searched for and drafted: database, index and a live worker are there."""
    checks = {
        "database": _database(runtime),
        "index": runtime.knowledge_base.made is not None,
        "worker": _worker(runtime),
    }
    missing = [name for name, there in checks.items() if not there]
    document = {"status": "not ready" if missing else "ready", "checks": checks, "missing": missing}
    return JSONResponse(document, status_code=503 if missing else 200)


def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


@router.get("/metrics", response_class=Response)
def metrics(metrics: Annotated[Metrics, Depends(_metrics)]) -> Response:
    """Return the numbers in Prometheus' text format."""
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _database(runtime: Runtime) -> bool:
    try:
        with runtime.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, DatabaseUnavailable):
        return False
    return True


def _worker(runtime: Runtime) -> bool:
    try:
        with runtime.sessions() as session:
            return jobs.worker_alive(session)
    except (SQLAlchemyError, DatabaseUnavailable):
        return False
