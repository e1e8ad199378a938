"""``/account``: one's own password, API tokens and sessions."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.domain.accounts import Identity
from app.errors import InvalidInputError
from app.services.account_pages import view_account
from app.services.sign_in import change_password, end_session, make_api_token, revoke_api_token
from app.web.context import GivenBy, GivenIdentity, GivenParts, GivenVisitor, Parts, get_gate
from app.web.forms import GivenForm, form_body, see_other
from app.web.pages.login import let_in, refuse_mistyped
from app.web.rendering import current_dataset, render

router = APIRouter(include_in_schema=False)
SAID = {
    "password": "The password is changed. Every other session and every API token of yours has ended.",
    "revoked": "The token is revoked.",
    "ended": "The session has ended.",
}


def _show(
    request: Request,
    parts: Parts,
    identity: Identity,
    *,
    made: str | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    message = SAID.get(request.query_params.get("said", ""), "")
    page = view_account(parts.database, parts.clock, identity, message=message, made=made, errors=errors)
    dataset = current_dataset(request, parts.database)
    return render(request, "account/page.html", "content", "account", page, dataset=dataset, status=status)


@router.get("/account")
def account(request: Request, parts: GivenParts) -> Response:
    """The page; without accounts the settings hold what is one's own."""
    identity = get_gate(request).identity
    return see_other("/settings") if identity is None else _show(request, parts, identity)


@router.post("/account/password", openapi_extra=form_body("current", "new", "again"))
def set_password(
    request: Request, parts: GivenParts, identity: GivenIdentity, visitor: GivenVisitor, form: GivenForm
) -> Response:
    """Change one's own password."""
    new = form.text("new", "")
    try:
        refuse_mistyped(new, form.text("again", ""))
        signed_in = change_password(
            parts.database, parts.clock, parts.door, identity, form.text("current", ""), new, visitor
        )
    except InvalidInputError as error:
        errors = {field.loc: field.msg for field in error.errors}
        return _show(request, parts, identity, errors=errors, status=422)
    return let_in(request, signed_in, "/account?said=password")


@router.post("/account/tokens", openapi_extra=form_body("token"))
def make_token(
    request: Request, parts: GivenParts, identity: GivenIdentity, visitor: GivenVisitor, form: GivenForm
) -> Response:
    """Make an API token. The answer itself shows it, once: it is stored nowhere, so no other page could."""
    try:
        made = make_api_token(parts.database, parts.clock, identity, form.text("token", ""), visitor.address)
    except InvalidInputError as error:
        errors = {field.loc: field.msg for field in error.errors}
        return _show(request, parts, identity, errors=errors, status=422)
    return _show(request, parts, identity, made=made, status=201)


@router.post("/account/tokens/{token_id}/revoke")
def revoke(parts: GivenParts, identity: GivenIdentity, by: GivenBy, token_id: int) -> Response:
    """Revoke one of one's own tokens."""
    revoke_api_token(parts.database, parts.clock, by, token_id, of_user=identity.user_id)
    return see_other("/account?said=revoked")


@router.post("/account/sessions/{session_id}/end")
def end(parts: GivenParts, identity: GivenIdentity, by: GivenBy, session_id: int) -> Response:
    """End one of one's own sessions."""
    end_session(parts.database, parts.clock, by, session_id, of_user=identity.user_id)
    return see_other("/account?said=ended")
