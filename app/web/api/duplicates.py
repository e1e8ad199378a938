"""``/api/images/{id}/duplicates`` and carrying a verdict to exact copies."""

from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from app.services.alike import Duplicates, list_duplicates
from app.services.carrying import CarryRequest, carry_verdict, undo_carried
from app.web.api.cursors import Limit
from app.web.api.models import ImageOut, In, Out, image_fields
from app.web.context import GivenParts, GivenReviewer
from app.web.problems import responses

router = APIRouter(prefix="/api/images", tags=["images"])


class NearOut(ImageOut):
    """An image that looks like another."""

    distance: int  #: bits in which the perceptual hashes differ, 0 to 10


class DuplicatesOut(Out):
    """What is the same as an image, and what looks like it."""

    exact: list[ImageOut]
    near: list[NearOut]

    @classmethod
    def of(cls, found: Duplicates) -> "DuplicatesOut":
        """From the service's view."""
        return cls(
            exact=[ImageOut.of(item) for item in found.exact],
            near=[NearOut(**image_fields(item), distance=distance) for item, distance in found.near],
        )


class CarryIn(In):
    """A verdict to carry to the exact copies that nobody has called."""

    batch_id: UUID
    review_id: int | None = Field(None, ge=1, le=1 << 53)  #: the verdict that was seen; another one by now: 409


class CarryOut(Out):
    """How many copies got the verdict."""

    carried: int
    batch_id: str


class BatchIn(In):
    """A batch to take back."""

    batch_id: UUID


class TakenBackOut(Out):
    """Of how many images the verdict was taken back."""

    undone: int


@router.get("/{image_id}/duplicates", responses=responses(404, 422))
def get_duplicates(parts: GivenParts, image_id: int, limit: Limit = 50) -> DuplicatesOut:
    """Exact copies and near duplicates, at most ``limit`` of either."""
    return DuplicatesOut.of(list_duplicates(parts.database, image_id, limit))


@router.post(
    "/{image_id}/carry",
    status_code=201,
    responses={200: {"model": CarryOut, "description": "The same batch came before"}, **responses(404, 409, 422)},
)
def carry(parts: GivenParts, reviewer: GivenReviewer, image_id: int, body: CarryIn, response: Response) -> CarryOut:
    """Give the image's verdict to its exact copies that have none, all or none of them, as one batch."""
    asked = CarryRequest(str(body.batch_id), reviewer, body.review_id)
    carried, repeated = carry_verdict(parts.database, parts.clock, image_id, asked)
    if repeated:
        response.status_code = 200
    return CarryOut(carried=carried, batch_id=asked.batch_id)


@router.post("/{image_id}/carry/undo", responses=responses(404, 422))
def undo_carry(parts: GivenParts, reviewer: GivenReviewer, image_id: int, body: BatchIn) -> TakenBackOut:
    """Take the verdict back from every copy that got it in a batch and still has it."""
    undone = undo_carried(parts.database, parts.clock, image_id, str(body.batch_id), reviewer)
    return TakenBackOut(undone=undone)
