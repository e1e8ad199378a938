"""``/api/datasets``: registering, counts, threshold, sign-off, certificate."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request

from app.services.agreement import get_team
from app.services.certificates import certify
from app.services.dataset_page import edit_dataset
from app.services.datasets import (
    NewDataset,
    list_dataset_views,
    refuse_outside,
    register_dataset,
    set_threshold,
    view_dataset,
)
from app.services.overview import get_stats
from app.services.relinking import relink_dataset
from app.services.removing import archive_dataset, remove_dataset
from app.services.sign_offs import sign_off, withdraw_sign_off
from app.web.api.agreement_models import TeamOut
from app.web.api.cursors import Cursor, Limit, number_cursor
from app.web.api.models import (
    CertificateOut,
    DatasetChangeIn,
    DatasetIn,
    DatasetOut,
    DatasetsOut,
    RelinkIn,
    RelinkOut,
    SignOffIn,
    SignOffOut,
    StatsOut,
    ThresholdIn,
)
from app.web.context import GivenParts, name_of_signer
from app.web.problems import responses

router = APIRouter(prefix="/api/datasets", tags=["datasets"])


@router.get("", responses=responses(422))
def list_datasets(parts: GivenParts, cursor: Cursor = None, limit: Limit = 100, archived: bool = False) -> DatasetsOut:
    """Datasets by id: those in use, or the archived ones."""
    views = list_dataset_views(parts.database, number_cursor(cursor), limit + 1, archived)
    following = str(views[limit - 1].id) if len(views) > limit else None
    return DatasetsOut(items=[DatasetOut.of(view) for view in views[:limit]], next=following)


@router.post("", status_code=201, responses=responses(422))
def add_dataset(parts: GivenParts, body: DatasetIn) -> DatasetOut:
    """Register a root with its two labels. Decoding goes on in the first scan."""
    root = Path(body.root)
    refuse_outside(root, parts.settings.datasets, "root")
    new = NewDataset(root, body.name, body.positive, body.negative, body.question)
    return DatasetOut.of(register_dataset(parts.database, parts.settings, new, parts.clock()))


@router.patch("/{dataset}", responses=responses(404, 422))
def change_dataset(parts: GivenParts, dataset: str, body: DatasetChangeIn) -> DatasetOut:
    """Change the question and what counts; archive the dataset, or bring it back."""
    found = edit_dataset(parts.database, dataset, body.question, body.positive_means, body.negative_means)
    if body.archived is not None:
        found = archive_dataset(parts.database, parts.clock, found.id, archived=body.archived)
    with parts.database.read() as session:
        return DatasetOut.of(view_dataset(session, found))


@router.delete("/{dataset}", status_code=204, responses=responses(404, 409, 422))
def drop_dataset(parts: GivenParts, dataset: str, confirm: Annotated[str, Query(max_length=200)]) -> None:
    """Forget the dataset, never its files; ``confirm`` is its name. A worker deletes its rows."""
    remove_dataset(parts.database, parts.clock, dataset, confirm)


@router.post("/{dataset}/relink", responses=responses(404, 409, 422))
def move_root(parts: GivenParts, dataset: str, body: RelinkIn) -> RelinkOut:
    """Say where the dataset's folder lies now; a sample of its files is looked for there."""
    refuse_outside(Path(body.root), parts.settings.datasets, "root")
    done = relink_dataset(parts.database, dataset, Path(body.root), accept_missing=body.accept_missing)
    return RelinkOut.of(done)


@router.get("/{dataset}/stats", responses=responses(404, 422))
def show_stats(parts: GivenParts, dataset: str) -> StatsOut:
    """The counts of a dataset."""
    return StatsOut.of(get_stats(parts.database, dataset))


@router.get("/{dataset}/agreement", responses=responses(404, 422))
def show_agreement(parts: GivenParts, dataset: str) -> TeamOut:
    """How far people who saw the same images independently agree, and what waits for a second or third person."""
    return TeamOut.of(get_team(parts.database, dataset))


@router.post("/{dataset}/threshold", responses=responses(404, 422))
def move_threshold(parts: GivenParts, dataset: str, body: ThresholdIn) -> StatsOut:
    """Move the threshold: flags change, reviews do not."""
    found = set_threshold(parts.database, dataset, body.threshold)
    return StatsOut.of(get_stats(parts.database, found.id))


@router.post("/{dataset}/sign-off", status_code=201, responses=responses(404, 409, 422))
def add_sign_off(request: Request, parts: GivenParts, dataset: str, body: SignOffIn) -> SignOffOut:
    """Accept exactly the unreviewed images that carry no flag at this moment; with accounts as who is signed in."""
    by = name_of_signer(request, body.by)
    return SignOffOut.of(sign_off(parts.database, parts.clock, dataset, by))


@router.delete("/{dataset}/sign-off", status_code=204, responses=responses(404, 422))
def drop_sign_off(parts: GivenParts, dataset: str) -> None:
    """Withdraw what stands."""
    withdraw_sign_off(parts.database, parts.clock, dataset)


@router.get("/{dataset}/certificate", responses=responses(404, 422))
def show_certificate(
    parts: GivenParts, dataset: str, risk: Annotated[float, Query(gt=0, lt=1)] = 0.05
) -> CertificateOut:
    """The certificate as it stands."""
    return CertificateOut.of(certify(parts.database, parts.clock, dataset, risk))
