"""``/admin``: accounts, everybody's tokens and sessions, and the activity log."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.domain.accounts import parse_role
from app.errors import ConflictError, InvalidInputError, TouchlineError
from app.services.account_pages import view_access, view_activity, view_users
from app.services.accounts import (
    By,
    add_first_admin,
    add_user,
    change_role,
    disable_user,
    enable_user,
    reset_password,
)
from app.services.sign_in import end_session, open_session, revoke_api_token
from app.web.context import SESSION_COOKIE, GivenBy, GivenParts, GivenVisitor, Parts, get_by, get_gate
from app.web.forms import GivenForm, form_body, see_other
from app.web.pages.login import let_in, refuse_mistyped
from app.web.problems import status_of
from app.web.rendering import current_dataset, render

router = APIRouter(include_in_schema=False)
SAID = {
    "added": "The account is made. Tell its owner the password, to be changed on the page Your account.",
    "role": "The role is changed.",
    "password": "The password is set, and every session and API token of the account has ended.",
    "disabled": "The account is disabled, and its sessions and API tokens have ended.",
    "enabled": "The account is enabled, with the password that it had.",
    "revoked": "The token is revoked.",
    "ended": "The session has ended.",
}


def _said(request: Request) -> str:
    return SAID.get(request.query_params.get("said", ""), "")


def _show(
    request: Request, parts: Parts, error: TouchlineError | None = None, form: dict[str, str] | None = None
) -> Response:
    errors: dict[str, str] = {}
    if isinstance(error, InvalidInputError):
        errors = {field.loc: field.msg for field in error.errors}
    elif error is not None:
        errors = {"page": str(error)}
    first = not get_gate(request).needed
    page = view_users(parts.database, first=first, message=_said(request), errors=errors, form=form)
    status = 200 if error is None else status_of(error)
    dataset = current_dataset(request, parts.database)
    return render(request, "admin/page.html", "content", "admin", page, dataset=dataset, status=status)


@router.get("/admin")
def admin(request: Request, parts: GivenParts) -> Response:
    """Every account; where there is none, the form of the first."""
    return _show(request, parts)


@router.post("/admin/users", openapi_extra=form_body("name", "password", "again"))
def add(request: Request, parts: GivenParts, visitor: GivenVisitor, form: GivenForm) -> Response:
    """Make an account. The first is an admin's, and signs this browser in: from then on everybody must."""
    typed = {"name": form.text("name", "")[:200], "role": form.text("role", "reviewer")}
    password = form.text("password", "")
    try:
        refuse_mistyped(password, form.text("again", ""))
        if get_gate(request).needed:
            add_user(parts.database, parts.clock, get_by(request), typed["name"], password, parse_role(typed["role"]))
            return see_other("/admin?said=added")
        made = add_first_admin(parts.database, parts.clock, By(None, visitor.address), typed["name"], password)
    except (InvalidInputError, ConflictError) as error:
        return _show(request, parts, error, typed)
    old = request.cookies.get(SESSION_COOKIE)
    return let_in(request, open_session(parts.database, parts.clock, made.id, visitor, old), "/admin")


@router.post("/admin/users/{user_id}/role", openapi_extra=form_body("role"))
def set_role(request: Request, parts: GivenParts, by: GivenBy, user_id: int, form: GivenForm) -> Response:
    """Give an account another role."""
    try:
        change_role(parts.database, parts.clock, by, user_id, parse_role(form.text("role")))
    except ConflictError as error:
        return _show(request, parts, error)
    return see_other("/admin?said=role")


@router.post("/admin/users/{user_id}/password", openapi_extra=form_body("password"))
def set_password(request: Request, parts: GivenParts, by: GivenBy, user_id: int, form: GivenForm) -> Response:
    """Give an account another password."""
    try:
        reset_password(parts.database, parts.clock, by, user_id, form.text("password", ""))
    except InvalidInputError as error:
        return _show(request, parts, InvalidInputError.on(f"reset-{user_id}", error.errors[0].msg))
    return see_other("/admin?said=password")


@router.post("/admin/users/{user_id}/disable")
def disable(request: Request, parts: GivenParts, by: GivenBy, user_id: int) -> Response:
    """Disable an account."""
    try:
        disable_user(parts.database, parts.clock, by, user_id)
    except ConflictError as error:
        return _show(request, parts, error)
    return see_other("/admin?said=disabled")


@router.post("/admin/users/{user_id}/enable")
def enable(parts: GivenParts, by: GivenBy, user_id: int) -> Response:
    """Enable an account again."""
    enable_user(parts.database, parts.clock, by, user_id)
    return see_other("/admin?said=enabled")


@router.get("/admin/access")
def access(request: Request, parts: GivenParts) -> Response:
    """The tokens and sessions of everybody."""
    identity = get_gate(request).identity
    if identity is None:
        return see_other("/admin")
    page = view_access(parts.database, parts.clock, identity.session_id, _said(request))
    dataset = current_dataset(request, parts.database)
    return render(request, "admin/access.html", "content", "admin", page, dataset=dataset)


@router.post("/admin/tokens/{token_id}/revoke")
def revoke(parts: GivenParts, by: GivenBy, token_id: int) -> Response:
    """Revoke anybody's token."""
    revoke_api_token(parts.database, parts.clock, by, token_id)
    return see_other("/admin/access?said=revoked")


@router.post("/admin/sessions/{session_id}/end")
def end(parts: GivenParts, by: GivenBy, session_id: int) -> Response:
    """End anybody's session."""
    end_session(parts.database, parts.clock, by, session_id)
    return see_other("/admin/access?said=ended")


@router.get("/admin/activity")
def activity(request: Request, parts: GivenParts, before: int | None = None) -> Response:
    """Who did what, newest first."""
    if get_gate(request).identity is None:
        return see_other("/admin")
    page = view_activity(parts.database, before)
    dataset = current_dataset(request, parts.database)
    return render(request, "admin/activity.html", "content", "admin", page, dataset=dataset)
