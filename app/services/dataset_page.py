"""The page of one dataset: what is asked, where it lies, what it takes, and putting it away."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.config import Settings
from app.domain.exporting import REVIEW_COLUMNS
from app.errors import FieldError, InvalidInputError
from app.files.manifests import csv_line
from app.files.renditions import RenditionsUsed, delete_set_aside, estimate_used, set_aside_renditions
from app.services.datasets import DatasetView, get_dataset, view_dataset
from app.services.removing import Removal, find_work, view_removal
from app.services.renditions import GIGABYTE, renditions_folder
from app.services.reviews import format_time
from app.storage.database import Database
from app.storage.datasets import Dataset, update_dataset
from app.storage.reviews import iter_effective

LONGEST = {"question": 500, "positive_means": 300, "negative_means": 300}


@dataclass(frozen=True, slots=True)
class DatasetPage:
    """One dataset, with what was typed into its forms and what was wrong with it."""

    dataset: DatasetView
    removal: Removal
    under_way: str | None
    renditions: RenditionsUsed
    renditions_limit: int  #: bytes
    typed: dict[str, str]
    errors: dict[str, str]
    message: str


def view_dataset_page(
    database: Database,
    settings: Settings,
    reference: str | int,
    typed: dict[str, str] | None = None,
    error: InvalidInputError | None = None,
    message: str = "",
) -> DatasetPage:
    """The page of one dataset.

    Raises:
        NotFoundError: no such dataset.
    """
    with database.read() as session:
        dataset = get_dataset(session, reference)
        told = () if error is None else error.errors
        return DatasetPage(
            dataset=view_dataset(session, dataset),
            removal=view_removal(session, dataset),
            under_way=find_work(session, dataset.id),
            renditions=estimate_used(renditions_folder(settings)),
            renditions_limit=int(settings.renditions.max_gb * GIGABYTE),
            typed=typed or {},
            errors={field.loc: field.msg for field in told},
            message=message,
        )


def edit_dataset(
    database: Database,
    reference: str | int,
    question: str | None = None,
    positive_means: str | None = None,
    negative_means: str | None = None,
) -> Dataset:
    """Change what reviewers are asked, and what counts as positive and negative; None leaves a line as it is.

    Raises:
        NotFoundError: no such dataset.
        InvalidInputError: a line is too long, or the question is empty.
    """
    given = {"question": question, "positive_means": positive_means, "negative_means": negative_means}
    lines = {name: " ".join(text.split()) for name, text in given.items() if text is not None}
    wrong = [
        FieldError(name, f"has at most {LONGEST[name]} characters")
        for name, text in lines.items()
        if len(text) > LONGEST[name]
    ]
    if lines.get("question") == "":
        wrong.append(FieldError("question", "is empty: reviewers must be asked something"))
    if wrong:
        raise InvalidInputError("; ".join(f"{field.loc}: {field.msg}" for field in wrong), wrong)
    with database.write() as session:
        dataset = get_dataset(session, reference)
        if lines:
            update_dataset(session, dataset.id, **lines)
        return get_dataset(session, dataset.id)


def clear_renditions(settings: Settings) -> None:
    """Let go of every kept rendition, of all datasets: they are made again when somebody looks."""
    set_aside_renditions(renditions_folder(settings))


def free_cleared(settings: Settings) -> None:
    """Give the disk back what :func:`clear_renditions` let go of. Takes a while where there were many."""
    delete_set_aside(renditions_folder(settings))


def stream_verdicts(database: Database, dataset_id: int) -> Iterator[str]:
    """The verdicts that count, line by line as CSV: ``path,verdict,reviewer,reviewed_at``; what export-reviews writes.

    Raises:
        NotFoundError: no such dataset.
    """
    yield csv_line(REVIEW_COLUMNS)
    with database.read() as session:
        for path, review in iter_effective(session, get_dataset(session, dataset_id).id):
            yield csv_line((path, review.verdict, review.reviewer, format_time(review.reviewed_at)))
