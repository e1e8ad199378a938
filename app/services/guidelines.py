"""Guidelines of a dataset: what counts as the object, written by people for people, in Markdown."""

from dataclasses import dataclass

from app.errors import InvalidInputError
from app.services.datasets import get_dataset
from app.storage import datasets as stored
from app.storage.database import Database
from app.storage.datasets import Dataset

MAX_GUIDELINES = 20_000  #: characters


@dataclass(frozen=True, slots=True)
class GuidelinesPage:
    """The page of a dataset's guidelines: the text in the field, and the text that is kept."""

    dataset: Dataset
    text: str
    kept: str
    preview: bool
    problem: str = ""
    message: str = ""
    limit: int = MAX_GUIDELINES


def view_guidelines(database: Database, dataset_id: int, message: str = "") -> GuidelinesPage:
    """The guidelines as they are kept.

    Raises:
        NotFoundError: no such dataset.
    """
    with database.read() as session:
        dataset = get_dataset(session, dataset_id)
        text = stored.find_guidelines(session, dataset.id)
    return GuidelinesPage(dataset, text, text, preview=False, message=message)


def clean_guidelines(text: str) -> str:
    """A text as it is kept.

    Raises:
        InvalidInputError: it is too long.
    """
    cleaned = text.replace("\r\n", "\n").strip()
    if len(cleaned) > MAX_GUIDELINES:
        msg = f"have {len(cleaned):,} characters; at most {MAX_GUIDELINES:,} are kept"
        raise InvalidInputError.on("guidelines", msg)
    return cleaned


def keep_guidelines(database: Database, dataset_id: int, text: str) -> None:
    """Keep a text as the guidelines of a dataset.

    Raises:
        NotFoundError: no such dataset.
        InvalidInputError: the text is too long.
    """
    cleaned = clean_guidelines(text)
    with database.write() as session:
        dataset = get_dataset(session, dataset_id)
        stored.set_guidelines(session, dataset.id, cleaned)
