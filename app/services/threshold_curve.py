"""The threshold curve of a dataset, from its kept tallies."""

from app.domain.threshold_curve import ThresholdCurve, trace_curve
from app.storage.database import Session
from app.storage.datasets import Dataset
from app.storage.tallies import read_split


def view_curve(session: Session, dataset: Dataset) -> ThresholdCurve | None:
    """Work left against errors left, and the precision of flags; None before anything is scored."""
    tallies, below = read_split(session, dataset)
    if all(tally.bin < 0 for tally in tallies):
        return None
    return trace_curve(tallies, dataset.threshold, below)
