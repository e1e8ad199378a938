"""The rule of what is flagged stands in Python and in SQL; this holds the two to each other."""

import pytest

from app.domain.flagging import disagrees
from app.services.datasets import set_threshold
from app.services.handing_out import next_items
from app.services.overview import get_stats
from app.services.sign_offs import sign_off
from tests.parts import Workshop

REDS = (0, 26, 102, 127, 128, 153, 255)  # 26 / 255 lies just above the floor, the others on both sides of 0.5
FILES = {f"{label}/{red:03}.png": red for label in ("football", "background") for red in REDS}


@pytest.mark.parametrize("threshold", [0.0, 0.05, 102 / 255, 127 / 255, 0.5, 128 / 255, 153 / 255, 0.999, 1.0])
def test_every_query_flags_what_the_domain_flags(workshop: Workshop, threshold: float) -> None:
    """Also where a score is just the threshold: the list, the counts, the queue and the sign-off agree."""
    workshop.ready(FILES)
    set_threshold(workshop.database, 1, threshold)
    items = workshop.items(1)
    wanted = {path for path, item in items.items() if disagrees(item.record.given, item.record.score or 0.0, threshold)}
    assert set(workshop.items(1, flag="disagreement")) == wanted
    assert {path for path, item in items.items() if item.flags} == wanted
    assert (get_stats(workshop.database, 1).flagged, get_stats(workshop.database, 1).open_flags) == (len(wanted),) * 2
    queue = next_items(workshop.database, workshop.settings.review, workshop.clock, 1, "flagged", 10, "tab")
    assert len(queue) == min(10, len(wanted))
    assert {item.record.path for item in queue} <= wanted
    assert sign_off(workshop.database, workshop.clock, 1, "Ada").images == len(FILES) - len(wanted)
