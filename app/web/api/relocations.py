"""``/api/relocations``: plan, apply, look, undo."""

from pathlib import Path

from fastapi import APIRouter, Response

from app.domain.relocation import Mode
from app.errors import InvalidInputError
from app.services.datasets import refuse_outside
from app.services.relocating import request_apply, request_undo
from app.services.relocations import list_move_page, plan_relocation, show_relocation
from app.web.api.cursors import Cursor, Limit, number_cursor
from app.web.api.models import MoveOut, MovesOut, RelocationIn, RelocationOut
from app.web.context import GivenParts
from app.web.problems import responses

router = APIRouter(prefix="/api/relocations", tags=["relocations"])


def parse_mode(text: str) -> Mode:
    """A mode by name.

    Raises:
        InvalidInputError: unknown.
    """
    try:
        return Mode(text)
    except ValueError as error:
        raise InvalidInputError.on("mode", f"must be one of {', '.join(Mode)}") from error


@router.post(
    "",
    status_code=202,
    responses={200: {"model": RelocationOut, "description": "Planned only"}, **responses(404, 409, 422)},
)
def add_relocation(parts: GivenParts, body: RelocationIn, response: Response) -> RelocationOut:
    """Plan a relocation and, unless ``dry_run``, have a worker apply it."""
    refuse_outside(Path(body.to), parts.settings.datasets, "to")
    view = plan_relocation(parts.database, parts.clock, body.dataset, Path(body.to), parse_mode(body.mode))
    if body.dry_run:
        response.status_code = 200
    else:
        view = request_apply(parts.database, view.id)
    return RelocationOut.of(view)


@router.get("/{relocation_id}", responses=responses(404, 422))
def get_relocation(parts: GivenParts, relocation_id: int) -> RelocationOut:
    """One relocation."""
    return RelocationOut.of(show_relocation(parts.database, relocation_id))


@router.get("/{relocation_id}/moves", responses=responses(404, 422))
def list_moves(parts: GivenParts, relocation_id: int, cursor: Cursor = None, limit: Limit = 100) -> MovesOut:
    """Its moves, a page at a time."""
    page = list_move_page(parts.database, relocation_id, number_cursor(cursor), limit)
    following = None if page.next is None else str(page.next)
    return MovesOut(items=[MoveOut.of(move) for move in page.items], next=following)


@router.post("/{relocation_id}/apply", status_code=202, responses=responses(404, 409, 422))
def apply(parts: GivenParts, relocation_id: int) -> RelocationOut:
    """Have a worker apply exactly the plan that was shown."""
    return RelocationOut.of(request_apply(parts.database, relocation_id))


@router.post("/{relocation_id}/undo", status_code=202, responses=responses(404, 409, 422))
def undo(parts: GivenParts, relocation_id: int) -> RelocationOut:
    """Have a worker take it back."""
    return RelocationOut.of(request_undo(parts.database, relocation_id))
