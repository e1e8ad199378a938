"""``/datasets/{id}``: what is asked, where it lies, what it takes, and putting it away."""

from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse

from app.domain.relocation import safe_for_file_name
from app.errors import ConflictError, InvalidInputError, UsageError
from app.services.dataset_page import (
    clear_renditions,
    edit_dataset,
    free_cleared,
    stream_verdicts,
    view_dataset_page,
)
from app.services.datasets import get_dataset, refuse_outside
from app.services.relinking import relink_dataset
from app.services.removing import archive_dataset, remove_dataset
from app.web.context import GivenParts, Parts
from app.web.forms import Form, GivenForm, form_body, see_other
from app.web.rendering import render

router = APIRouter(include_in_schema=False)
DONE = {
    "saved": "Saved.",
    "archived": "Archived: it is in no menu and no list until you bring it back.",
    "back": "It is back in menus and lists.",
    "relinked": "Relinked: the sampled files are where they should be. The next scan looks at all of them.",
    "cleared": "Cleared. Pictures are made again when somebody looks at them.",
}


def _show(
    request: Request, parts: Parts, dataset_id: int, form: Form | None = None, error: UsageError | None = None
) -> Response:
    typed = {} if form is None else {name: values[0] for name, values in form.values.items()}
    if error is not None and not isinstance(error, InvalidInputError):
        error = InvalidInputError.on("root", str(error))
    done = DONE.get(request.query_params.get("done", ""), "")
    page = view_dataset_page(parts.database, parts.settings, dataset_id, typed, error, done)
    with parts.database.read() as session:
        dataset = get_dataset(session, dataset_id)
    status = 200 if error is None else 422
    return render(request, "datasets/detail.html", "content", "datasets", page, dataset=dataset, status=status)


@router.get("/datasets/{dataset_id}")
def dataset(request: Request, parts: GivenParts, dataset_id: int) -> Response:
    """One dataset."""
    return _show(request, parts, dataset_id)


@router.post("/datasets/{dataset_id}/edit", openapi_extra=form_body("question"))
def edit(request: Request, parts: GivenParts, dataset_id: int, form: GivenForm) -> Response:
    """Change the question and what counts."""
    lines = [form.text(name, "") for name in ("question", "positive_means", "negative_means")]
    try:
        edit_dataset(parts.database, dataset_id, *lines)
    except InvalidInputError as error:
        return _show(request, parts, dataset_id, form, error)
    return see_other(f"/datasets/{dataset_id}?done=saved")


@router.post("/datasets/{dataset_id}/archive")
def archive(parts: GivenParts, dataset_id: int, form: GivenForm) -> Response:
    """Archive it, or bring it back."""
    away = form.text("undo", "") != "1"
    archive_dataset(parts.database, parts.clock, dataset_id, archived=away)
    return see_other(f"/datasets/{dataset_id}?done={'archived' if away else 'back'}")


@router.post("/datasets/{dataset_id}/relink", openapi_extra=form_body("root"))
def relink(request: Request, parts: GivenParts, dataset_id: int, form: GivenForm) -> Response:
    """Say where the folder lies now."""
    try:
        root = form.text("root", "").strip()
        if not root:
            raise InvalidInputError.on("root", "name the folder that holds the label folders now")
        refuse_outside(Path(root), parts.settings.datasets, "root")
        accept = form.text("accept_missing", "") == "1"
        relink_dataset(parts.database, dataset_id, Path(root), accept_missing=accept)
    except UsageError as error:
        return _show(request, parts, dataset_id, form, error)
    except ConflictError as error:
        return _show(request, parts, dataset_id, form, InvalidInputError.on("root", str(error)))
    return see_other(f"/datasets/{dataset_id}?done=relinked")


@router.post("/datasets/{dataset_id}/remove", openapi_extra=form_body("confirm"))
def remove(request: Request, parts: GivenParts, dataset_id: int, form: GivenForm) -> Response:
    """Forget what Touchline knows of it; the files stay."""
    try:
        remove_dataset(parts.database, parts.clock, dataset_id, form.text("confirm", ""))
    except InvalidInputError as error:
        return _show(request, parts, dataset_id, form, error)
    except ConflictError as error:
        return _show(request, parts, dataset_id, form, InvalidInputError.on("confirm", str(error)))
    return see_other("/datasets?done=removed")


@router.post("/datasets/{dataset_id}/renditions/clear")
def clear(parts: GivenParts, dataset_id: int) -> Response:
    """Clear the kept renditions of every dataset; the disk is freed after the answer."""
    clear_renditions(parts.settings)
    response = see_other(f"/datasets/{dataset_id}?done=cleared")
    response.background = BackgroundTask(free_cleared, parts.settings)
    return response


@router.get("/datasets/{dataset_id}/verdicts.csv")
def verdicts(parts: GivenParts, dataset_id: int) -> Response:
    """The verdicts that count, as ``touchline export-reviews`` writes them."""
    with parts.database.read() as session:
        name = safe_for_file_name(get_dataset(session, dataset_id).name)
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}-verdicts.csv"
    return StreamingResponse(
        stream_verdicts(parts.database, dataset_id),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": disposition, "Cache-Control": "no-store"},
    )
