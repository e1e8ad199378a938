"""Probes and metrics for machines that watch over the server."""

from collections.abc import Iterator
from typing import Any

import structlog
from fastapi import APIRouter
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from pydantic import BaseModel
from starlette.responses import PlainTextResponse, Response

from app.services.metrics import Metrics, collect_metrics
from app.services.scans import ScanView
from app.services.workers import is_worker_alive
from app.storage.migrating import find_pending
from app.web.context import GivenParts
from app.web.problems import problem_response, responses

log = structlog.get_logger()
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
    unreachable = parts.database.reachable()
    if unreachable is not None:
        log.error("the database does not answer", reason=unreachable)  # not for strangers: it may name host and account
        return problem_response(503, "the database does not answer; the server's log says why")
    pending = find_pending(parts.database)
    if pending is not None:
        return problem_response(503, pending)
    worker = is_worker_alive(parts.database, parts.settings.worker, parts.clock)
    return Ready(status="ok" if worker else "ok, but no worker is running", worker=worker)


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(parts: GivenParts) -> Response:
    """Counts, and how the scans go, in Prometheus' text format."""
    known = (parts.database, parts.settings.worker, parts.clock)
    registry = CollectorRegistry()
    registry.register(Figures(collect_metrics(*known), is_worker_alive(*known)))
    return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")


class Figures(Collector):
    """What was just counted, as Prometheus wants it: a family of samples for each name."""

    def __init__(self, found: Metrics, worker_alive: bool) -> None:
        self._found = found
        self._worker_alive = worker_alive

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        found = self._found
        yield GaugeMetricFamily("touchline_worker_alive", "1 while a worker takes what is queued", self._worker_alive)
        yield GaugeMetricFamily("touchline_datasets", "Registered datasets", found.datasets)
        yield GaugeMetricFamily("touchline_scan_queue_length", "Scans that wait for a worker", found.waiting)
        yield GaugeMetricFamily("touchline_scans_paused", "Scans that a person holds", found.paused)
        yield _gauges("touchline_images", "Images of a dataset", "dataset", found.images)
        yield _gauges("touchline_unreadable", "Images that cannot be decoded", "dataset", found.unreadable)
        yield _gauges("touchline_open_flags", "Flags without a verdict", "dataset", found.open_flags)
        yield _gauges("touchline_reviewed", "Images with a verdict", "dataset", found.reviewed)
        yield _gauges("touchline_scans", "Scans by status", "status", found.scans)
        yield from _of_scans(found.running)


def _gauges(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


SCAN_FIGURES = {
    "images_per_second": "Images a second of late",
    "seconds_left": "Seconds until its end, at the speed of late",
    "images": "Images that the scan goes over",
    "images_finished": "Images dealt with so far",
    "images_scored": "Images that the detector has looked at",
    "images_reused": "Images whose score of an earlier scan still holds",
    "images_unreadable": "Images that it could not decode",
    "rss_bytes": "Memory of its worker",
    "device_bytes": "Memory of its device",
    "engines_refused": "Engines that were refused as unfaithful to the reference",
    "engines_failed": "Engines that do not run on its machine",
}


def _of_scans(running: tuple[ScanView, ...]) -> Iterator[Metric]:
    """The figures of the scan page, of each scan that runs; what a scan does not tell is left out."""
    for name, text in SCAN_FIGURES.items():
        family = GaugeMetricFamily(f"touchline_scan_{name}", text, labels=["dataset", "scan"])
        for scan in running:
            value = _figures(scan)[name]
            if value is not None:
                family.add_metric([scan.dataset_name, str(scan.id)], value)
        yield family
    yield _stages(running)


def _figures(scan: ScanView) -> dict[str, float | None]:
    told = scan.telemetry
    return {
        "images_per_second": scan.images_per_s,
        "seconds_left": scan.eta_s,
        "images": scan.total,
        "images_finished": scan.finished,
        "images_scored": scan.scored,
        "images_reused": scan.reused,
        "images_unreadable": scan.unreadable,
        "rss_bytes": told.rss_bytes if told else None,
        "device_bytes": told.device_bytes if told else None,
        "engines_refused": len(told.refused) if told else None,
        "engines_failed": len(told.failed) if told else None,
    }


def _stages(running: tuple[ScanView, ...]) -> Metric:
    text = "Seconds of work by stage: decode, model, write"
    family = CounterMetricFamily("touchline_scan_stage_seconds", text, labels=["dataset", "scan", "stage"])
    for scan in running:
        for stage, seconds in (scan.telemetry.shares.seconds if scan.telemetry else {}).items():
            family.add_metric([scan.dataset_name, str(scan.id), stage], seconds)
    return family
