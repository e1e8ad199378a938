"""``/datasets``: register a folder, and look at the files that are unreadable or ignored."""

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.errors import InvalidInputError
from app.services.datasets import (
    DatasetsPage,
    NewDataset,
    get_dataset,
    list_dataset_views,
    refuse_outside,
    register_dataset,
    view_files,
)
from app.storage.datasets import MAX_ID
from app.web.context import GivenParts, Parts
from app.web.forms import GivenForm, form_body, see_other
from app.web.rendering import current_dataset, render

router = APIRouter(include_in_schema=False)
FIELDS = {"root": "", "name": "", "positive": "football", "negative": "background", "question": ""}


def _show(request: Request, parts: Parts, form: dict[str, str], error: InvalidInputError | None = None) -> Response:
    errors = () if error is None else tuple((field.loc, field.msg) for field in error.errors) or (("root", str(error)),)
    archived = list_dataset_views(parts.database, archived=True)
    page = DatasetsPage(list_dataset_views(parts.database), archived, form, errors)
    dataset = current_dataset(request, parts.database)
    status = 200 if error is None else 422
    return render(request, "datasets/page.html", "content", "datasets", page, dataset=dataset, status=status)


@router.get("/datasets")
def datasets(request: Request, parts: GivenParts) -> Response:
    """Registered datasets, and the form for another."""
    return _show(request, parts, FIELDS)


@router.post("/datasets", openapi_extra=form_body("root"))
def register(request: Request, parts: GivenParts, form: GivenForm) -> Response:
    """Register a folder."""
    typed = {name: form.text(name, "").strip() for name in FIELDS}
    root = Path(typed["root"])
    try:
        if not typed["root"]:
            raise InvalidInputError.on("root", "name the folder that holds the two label folders")
        refuse_outside(root, parts.settings.datasets, "root")
        new = NewDataset(
            root, typed["name"], typed["positive"] or "football", typed["negative"] or "background", typed["question"]
        )
        view = register_dataset(parts.database, parts.settings, new, parts.clock())
    except InvalidInputError as error:
        return _show(request, parts, typed, error)
    return see_other(f"/?dataset={view.id}")


@router.get("/datasets/{dataset_id}/files")
def files(request: Request, parts: GivenParts, dataset_id: int, after: int = 0) -> Response:
    """Files that cannot be read and files that were passed over, each with its reason."""
    page = view_files(parts.database, dataset_id, min(max(after, 0), MAX_ID))
    with parts.database.read() as session:
        dataset = get_dataset(session, dataset_id)
    return render(request, "datasets/files.html", "content", "datasets", page, dataset=dataset)
