"""``/settings``: the reader's own choices, and every key of the configuration."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.errors import ConflictError, InvalidInputError
from app.services.reviews import clean_reviewer
from app.services.settings import view_settings
from app.web.context import (
    HOTKEYS_COOKIE,
    REVIEWER_COOKIE,
    THEME_COOKIE,
    THEMES,
    GivenParts,
    find_reviewer,
    get_gate,
    quote_cookie,
)
from app.web.forms import GivenForm, form_body, safe_next, see_other
from app.web.rendering import current_dataset, render, set_cookie

router = APIRouter(include_in_schema=False)


@router.get("/settings")
def settings(request: Request, parts: GivenParts) -> Response:
    """Name, appearance, keys, and the configuration as it is in force."""
    theme = request.cookies.get(THEME_COOKIE, THEMES[0])
    page = view_settings(
        parts.settings,
        find_reviewer(request),
        theme=theme if theme in THEMES else THEMES[0],
        hotkeys=request.cookies.get(HOTKEYS_COOKIE, "on") != "off",
    )
    dataset = current_dataset(request, parts.database)
    return render(request, "settings/page.html", "content", "settings", page, dataset=dataset)


@router.post("/settings/reviewer", openapi_extra=form_body("name"))
def set_reviewer(request: Request, form: GivenForm) -> Response:
    """Say who is reviewing in this browser; with accounts that is who is signed in."""
    if get_gate(request).needed:
        msg = "verdicts carry the name of your account"
        raise ConflictError(msg)
    response = see_other(safe_next(form.text("next", "/review"), "/review"))
    set_cookie(response, REVIEWER_COOKIE, quote_cookie(clean_reviewer(form.text("name", ""))))
    return response


@router.post("/settings/theme", openapi_extra=form_body("theme"))
def set_theme(form: GivenForm) -> Response:
    """Dark, light, or as the system has it."""
    theme = form.text("theme")
    if theme not in THEMES:
        raise InvalidInputError.on("theme", f"must be one of {', '.join(THEMES)}")
    response = see_other(safe_next(form.text("next", "/settings"), "/settings"))
    set_cookie(response, THEME_COOKIE, theme)
    return response


@router.post("/settings/hotkeys")
def set_hotkeys(form: GivenForm) -> Response:
    """Switch single-key shortcuts on or off (WCAG 2.1.4)."""
    response = see_other(safe_next(form.text("next", "/settings"), "/settings"))
    set_cookie(response, HOTKEYS_COOKIE, "on" if form.text("hotkeys", "") == "on" else "off")
    return response
