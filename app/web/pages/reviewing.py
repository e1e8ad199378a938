"""``/datasets/{id}/reviewing``: how a dataset is reviewed by several people."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.domain.consensus import Consensus
from app.errors import InvalidInputError
from app.services.datasets import get_dataset
from app.services.sweeping import apply_to_past, continue_sweep, set_reviewing, view_reviewing
from app.web.context import GivenParts, Parts
from app.web.forms import Form, GivenForm, form_body, see_other
from app.web.rendering import render

router = APIRouter(include_in_schema=False)
SAVED = {"saved": "Saved", "applied": "Applied to the verdicts given so far"}


def _show(
    request: Request, parts: Parts, dataset_id: int, message: str = "", error: InvalidInputError | None = None
) -> Response:
    errors = () if error is None else tuple((field.loc, field.msg) for field in error.errors)
    page = view_reviewing(parts.database, dataset_id, message, errors)
    with parts.database.read() as session:
        dataset = get_dataset(session, dataset_id)
    status = 200 if error is None else 422
    return render(request, "datasets/review.html", "content", "datasets", page, dataset=dataset, status=status)


@router.get("/datasets/{dataset_id}/reviewing")
def reviewing(request: Request, parts: GivenParts, dataset_id: int, done: str = "") -> Response:
    """The settings, and how far a change has got."""
    return _show(request, parts, dataset_id, SAVED.get(done, ""))


@router.post("/datasets/{dataset_id}/reviewing", openapi_extra=form_body("second_share", "consensus"))
def save(request: Request, parts: GivenParts, dataset_id: int, form: GivenForm) -> Response:
    """Save share, reasons and rule."""
    try:
        share, rule = _share(form), _rule(form)
        set_reviewing(parts.database, dataset_id, share, form.several("second_reasons"), rule)
    except InvalidInputError as error:
        return _show(request, parts, dataset_id, error=error)
    return see_other(f"/datasets/{dataset_id}/reviewing?done=saved")


def _share(form: Form) -> float:
    text = form.text("second_share").strip().removesuffix("%").strip().replace(",", ".")
    try:
        return float(text) / 100
    except ValueError as error:
        raise InvalidInputError.on("second_share", f"{text[:40]!r} is no number") from error


def _rule(form: Form) -> Consensus:
    try:
        return Consensus(form.text("consensus"))
    except ValueError as error:
        raise InvalidInputError.on("consensus", f"must be one of {', '.join(Consensus)}") from error


@router.post("/datasets/{dataset_id}/reviewing/apply")
def apply(parts: GivenParts, dataset_id: int) -> Response:
    """Ask for second looks at what was called so far just as at what will be."""
    apply_to_past(parts.database, dataset_id)
    return see_other(f"/datasets/{dataset_id}/reviewing?done=applied")


@router.post("/datasets/{dataset_id}/reviewing/continue")
def go_on(parts: GivenParts, dataset_id: int) -> Response:
    """Go on with a change where no worker does."""
    with parts.database.read() as session:
        get_dataset(session, dataset_id)
    continue_sweep(parts.database, dataset_id)
    return see_other(f"/datasets/{dataset_id}/reviewing")
