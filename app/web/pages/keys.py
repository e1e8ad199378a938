"""``/settings/keys``: which key does what, for the person who asks."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.domain.keys import ACTIONS
from app.services.preferences import KeysPage, check_keys, view_keys
from app.web.chosen_keys import chosen_of, remember_keys
from app.web.context import HOTKEYS_COOKIE, GivenParts, find_reviewer
from app.web.forms import GivenForm, see_other
from app.web.rendering import current_dataset, render

router = APIRouter(include_in_schema=False)
SAID = {"saved": "The keys are saved.", "reset": "Every key is as it was at first."}


def _hotkeys(request: Request) -> bool:
    return request.cookies.get(HOTKEYS_COOKIE, "on") != "off"


def _show(request: Request, parts: GivenParts, page: KeysPage, status: int = 200) -> Response:
    dataset = current_dataset(request, parts.database)
    return render(request, "settings/keys.html", "content", "settings", page, dataset=dataset, status=status)


@router.get("/settings/keys")
def keys(request: Request, parts: GivenParts, said: str = "") -> Response:
    """Every action with its key."""
    message = SAID.get(said, "")
    page = view_keys(chosen_of(request), find_reviewer(request), hotkeys=_hotkeys(request), message=message)
    return _show(request, parts, page)


@router.post("/settings/keys")
def save(request: Request, parts: GivenParts, form: GivenForm) -> Response:
    """Keep the keys, or say of each that cannot be one why."""
    if form.text("do", "save") == "reset":
        response = see_other("/settings/keys?said=reset")
        remember_keys(request, response, None)
        return response
    chosen, fields = check_keys({action.name: form.text(f"key_{action.name}", "") for action in ACTIONS})
    page = KeysPage(fields, find_reviewer(request), _hotkeys(request))
    if page.wrong:
        return _show(request, parts, page, status=422)
    response = see_other("/settings/keys?said=saved")
    remember_keys(request, response, chosen)
    return response
