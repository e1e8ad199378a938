"""What the schema itself refuses, whoever writes."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.storage.tables import UtcDateTime
from tests.parts import Workshop


@pytest.fixture
def image(workshop: Workshop) -> int:
    """An image with one verdict."""
    view = workshop.ready({"football/a.png": 250, "background/b.png": 250})
    image_id = workshop.image_id(view.id, "background/b.png")
    workshop.call(image_id, "positive")
    return image_id


COPY_REVIEW = """
    INSERT INTO reviews (image_id, dataset_id, ordinal, verdict, reviewer, reviewed_at, source)
    SELECT image_id, dataset_id, ordinal, 'positive', 'eve', reviewed_at, 'x' FROM reviews
"""
COPY_IMAGE = """
    INSERT INTO images (dataset_id, path, given, size_bytes, mtime_ns, registered_at)
    SELECT dataset_id, path, given, 0, 0, registered_at FROM images
"""
TWO_OPEN_SCANS = """
    INSERT INTO scans (dataset_id, status, total, scored, reused, unreadable, cancel_requested, queued_at)
    SELECT dataset_id, 'queued', 0, 0, 0, 0, 0, queued_at FROM scans
    UNION ALL SELECT dataset_id, 'running', 0, 0, 0, 0, 0, queued_at FROM scans
"""


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE datasets SET threshold = 1.5", "CHECK constraint failed: ck_datasets_threshold"),
        ("UPDATE images SET given = 'football'", "CHECK constraint failed: ck_images_given"),
        ("UPDATE scores SET score = 2", "CHECK constraint failed: ck_scores_score"),
        ("UPDATE scans SET status = 'stalled'", "CHECK constraint failed: ck_scans_status"),
        ("UPDATE reviews SET verdict = 'maybe'", "CHECK constraint failed: ck_reviews_verdict"),
        ("UPDATE reviews SET verdict = NULL", "CHECK constraint failed: ck_reviews_verdict_or_undo"),
        ("UPDATE standings SET verdict = 'maybe'", "CHECK constraint failed: ck_standings_verdict"),
        (COPY_REVIEW, "UNIQUE constraint failed: reviews.image_id, reviews.ordinal"),
        (COPY_IMAGE, "UNIQUE constraint failed: images.dataset_id, images.path"),
        (TWO_OPEN_SCANS, "UNIQUE constraint failed: scans.dataset_id"),
        ("DELETE FROM datasets", "FOREIGN KEY constraint failed"),
    ],
)
def test_the_schema_refuses_what_must_not_be(workshop: Workshop, image: int, statement: str, reason: str) -> None:
    """Enums, ranges, identities, references and the one open scan a dataset are constraints, not habits."""
    assert image
    with pytest.raises(IntegrityError, match=reason), workshop.database.write() as session:
        session.execute(text(statement))


def test_times_go_in_and_come_out_in_utc(workshop: Workshop, image: int) -> None:
    """A time of another zone is the same moment after it was stored."""
    moment = datetime(2026, 3, 1, 13, 30, tzinfo=timezone(timedelta(hours=5)))
    kind = UtcDateTime()
    dialect = workshop.database.engine.dialect
    stored = kind.process_bind_param(moment, dialect)
    assert stored == datetime(2026, 3, 1, 8, 30)  # noqa: DTZ001
    assert kind.process_result_value(stored, dialect) == moment
    assert workshop.item(image).record.reviewed_at == datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_a_time_without_a_zone_is_refused(workshop: Workshop) -> None:
    """Nobody could say which moment it means."""
    with pytest.raises(ValueError, match="a time without a zone"):
        UtcDateTime().process_bind_param(datetime(2026, 3, 1), workshop.database.engine.dialect)  # noqa: DTZ001
