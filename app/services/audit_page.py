"""The page of the certificate: the bound, its course, and what a goal takes."""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from app.config import ReviewSettings
from app.domain.auditing import SCANNED_SINCE, Bound, Certificate
from app.services.audits import forecast, keep_bound
from app.services.certifying import certify_dataset, is_stale
from app.services.clock import Clock
from app.services.datasets import DatasetView, view_dataset
from app.storage.audit_records import Point, list_points
from app.storage.audits import Audit, find_audit
from app.storage.database import Database
from app.storage.datasets import Dataset, list_datasets
from app.storage.repeats import count_repeats

WIDTH, HEIGHT = 1000.0, 240.0  #: of the chart, in its own units
FORECAST_EVERY = 10  #: a new forecast after this share of the draws, one in so many


@dataclass(frozen=True, slots=True)
class Chart:
    """The bound over the draws, as a path of steps, with the goal's height."""

    path: str
    goal_y: float
    last_x: float
    last_y: float
    draws: int
    top: float  #: the rate at the upper edge
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class AuditView:
    """An audit as the page shows it."""

    number: int
    frozen_at: datetime
    draws: int
    goal: float
    reached: bool
    needed: int | None  #: more draws that the goal takes if none is wrong, as last worked out
    is_forecast: bool  #: whether that has been worked out


@dataclass(frozen=True, slots=True)
class AuditPage:
    """The page of the certificate."""

    dataset: DatasetView | None
    certificate: Certificate | None
    bounds: tuple[tuple[str, Bound], ...]  #: overall, then by label
    audit: AuditView | None
    chart: Chart | None
    weaves: float  #: the share of draws in the queue
    repeats: int = 0  #: blind repeats that were answered
    repeats_alike: int = 0  #: with what had been said before


def view_audit_page(database: Database, settings: ReviewSettings, clock: Clock, dataset: Dataset | None) -> AuditPage:
    """The certificate of a dataset with its course."""
    if dataset is None:
        return AuditPage(None, None, (), None, None, settings.audit_share)
    with database.read() as session:
        certificate = certify_dataset(session, dataset)
        audit = find_audit(session, dataset.id)
        points = list_points(session, audit.id) if audit is not None else []
        repeats = count_repeats(session, dataset.id)
        return AuditPage(
            dataset=view_dataset(session, dataset),
            certificate=certificate,
            bounds=(("all images", certificate.overall), *certificate.per_label.items()),
            audit=None if audit is None else _view(audit, certificate, settings.audit_goal),
            chart=_draw(points, certificate, settings.audit_goal, clock()),
            weaves=settings.audit_share,
            repeats=sum(each.images for each in repeats),
            repeats_alike=sum(each.images for each in repeats if each.first_verdict is each.second_verdict),
        )


def _view(audit: Audit, certificate: Certificate, goal: float) -> AuditView:
    kept = audit.kept or {}
    is_forecast = kept.get("needed_for") == goal
    return AuditView(
        number=audit.number,
        frozen_at=audit.frozen_at,
        draws=certificate.overall.audited,
        goal=goal,
        reached=certificate.overall.rate_upper <= goal,
        needed=kept.get("needed") if is_forecast else None,
        is_forecast=is_forecast,
    )


def _draw(points: list[Point], certificate: Certificate, goal: float, now: datetime) -> Chart | None:
    """Steps from point to point; the present state is the last, whatever was kept, unless a scan is under way."""
    overall = certificate.overall
    kept = [point for point in points if point.draws < overall.audited]
    if overall.audited and SCANNED_SINCE not in certificate.invalid_reasons:
        kept.append(Point(overall.audited, overall.images, overall.errors_upper, overall.rate_upper, now))
    if len(kept) < 2:
        return None
    top = max(min(1.0, max(point.rate_upper for point in kept)), 2 * goal)
    draws = kept[-1].draws

    def x(point: Point) -> float:
        return WIDTH * point.draws / draws

    def y(rate: float) -> float:
        return HEIGHT * (1 - min(rate, top) / top)

    steps = [f"M{x(kept[0]):.1f} {y(kept[0].rate_upper):.1f}"]
    steps += [f"H{x(later):.1f}V{y(later.rate_upper):.1f}" for _, later in pairwise(kept)]
    return Chart("".join(steps), y(goal), x(kept[-1]), y(kept[-1].rate_upper), draws, top, tuple(kept))


def refresh_forecasts(database: Database, settings: ReviewSettings, clock: Clock) -> bool:
    """Work out what the goal takes, for one dataset of which that has changed; whether there was one.

    It takes a second at a million images, so a worker does it and pages show what is kept.
    """
    with database.read() as session:
        due = [
            (dataset, audit)
            for dataset in list_datasets(session, archived=False)
            if (audit := find_audit(session, dataset.id)) is not None
            and _is_due(audit, settings.audit_goal)
            and not is_stale(session, dataset, audit)
        ]
        if not due:
            return False
        dataset, audit = due[0]
        needed = forecast(session, dataset, audit, settings.audit_goal)
    with database.write() as session:
        found = find_audit(session, dataset.id)
        if found is not None and found.id == audit.id:
            told = {"needed": needed, "needed_at": audit.version, "needed_for": settings.audit_goal}
            keep_bound(session, dataset, found, clock(), told)
    return True


def _is_due(audit: Audit, goal: float) -> bool:
    """Whether a tenth more was called since the last forecast, or the goal moved."""
    kept = audit.kept or {}
    if kept.get("needed_for") != goal:
        return True
    at = int(kept.get("needed_at") or 0)
    return audit.version - at > max(0, at // FORECAST_EVERY)
