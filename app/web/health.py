"""Probes and metrics for machines that watch over the server."""

from typing import Any

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from pydantic import BaseModel
from starlette.responses import PlainTextResponse, Response

from app.services.overview import Metrics, collect_metrics
from app.services.workers import is_worker_alive
from app.storage.migrating import find_pending
from app.web.context import GivenParts
from app.web.problems import problem_response, responses

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """The process is up."""

    status: str = "ok"


class Ready(BaseModel):
    """The database answers and has the present schema; a missing worker is said, and is not unready."""

    status: str
    worker: bool


@router.get("/healthz")
def healthz() -> Health:
    """Whether the process is up."""
    return Health()


@router.get("/readyz", response_model=Ready, responses=responses(503))
def readyz(parts: GivenParts) -> Any:
    """Whether the database is reachable and migrated."""
    reason = parts.database.reachable() or find_pending(parts.database)
    if reason is not None:
        return problem_response(503, reason)
    worker = is_worker_alive(parts.database, parts.settings.worker, parts.clock)
    return Ready(status="ok" if worker else "ok, but no worker is running", worker=worker)


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(parts: GivenParts) -> Response:
    """Counts in Prometheus' text format."""
    registry = CollectorRegistry()
    _fill(registry, collect_metrics(parts.database))
    alive = Gauge("touchline_worker_alive", "1 while a worker takes what is queued", registry=registry)
    alive.set(is_worker_alive(parts.database, parts.settings.worker, parts.clock))
    return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")


def _fill(registry: CollectorRegistry, found: Metrics) -> None:
    Gauge("touchline_datasets", "Registered datasets", registry=registry).set(found.datasets)
    for name, text, values in (
        ("touchline_images", "Images of a dataset", found.images),
        ("touchline_open_flags", "Flags without a verdict", found.open_flags),
        ("touchline_reviewed", "Images with a verdict", found.reviewed),
    ):
        gauge = Gauge(name, text, ["dataset"], registry=registry)
        for dataset, value in values.items():
            gauge.labels(dataset).set(value)
    scans = Gauge("touchline_scans", "Scans by status", ["status"], registry=registry)
    for status, value in found.scans.items():
        scans.labels(status).set(value)
