"""``/login``, ``/logout`` and ``/setup``: how a person gets in, and out again."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.domain.accounts import SESSION_LIFE
from app.errors import ConflictError, InvalidInputError, SignInError, TooManyAttemptsError
from app.services.accounts import By, use_setup_link
from app.services.setting_up import is_setup_token
from app.services.sign_in import SignedIn, Standing, open_session, sign_in, sign_out
from app.web.context import SESSION_COOKIE, GivenParts, GivenVisitor, address_of, get_gate
from app.web.forms import GivenForm, form_body, safe_next, see_other
from app.web.problems import status_of
from app.web.rendering import render

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class LoginPage:
    """The form to sign in with, and what was wrong with the last attempt."""

    name: str
    next: str
    error: str


@dataclass(frozen=True, slots=True)
class SetupPage:
    """The form of the first admin; ``good`` while the link is."""

    token: str
    good: bool
    name: str
    errors: dict[str, str]


def let_in(request: Request, signed_in: SignedIn, target: str) -> Response:
    """Go on to a page with the cookie of a new session."""
    response = see_other(target)
    response.set_cookie(
        SESSION_COOKIE,
        signed_in.token,
        max_age=int(SESSION_LIFE.total_seconds()),  # the server ends it earlier where nobody uses it
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


def _show(request: Request, page: LoginPage, status: int = 200) -> Response:
    return render(request, "login/page.html", "content", "login", page, dataset=None, status=status)


@router.get("/login")
def login(request: Request) -> Response:
    """The form; those who are in, or need not be, go on."""
    target = safe_next(request.query_params.get("next", "/"))
    gate = get_gate(request)
    if gate.identity is not None or not gate.needed:
        return see_other(target)
    return _show(request, LoginPage("", target, ""))


@router.post("/login", openapi_extra=form_body("name", "password"))
def log_in(request: Request, parts: GivenParts, visitor: GivenVisitor, form: GivenForm) -> Response:
    """Sign in; name and password are refused alike, and after as long, whether there is such an account or not."""
    name, target = form.text("name", ""), safe_next(form.text("next", "/"))
    if not get_gate(request).needed:
        return see_other(target)
    old = request.cookies.get(SESSION_COOKIE)
    try:
        signed_in = sign_in(parts.database, parts.clock, parts.door, name, form.text("password", ""), visitor, old)
    except (SignInError, TooManyAttemptsError) as error:
        response = _show(request, LoginPage(name[:80], target, str(error)), status_of(error))
        if isinstance(error, TooManyAttemptsError):
            response.headers["Retry-After"] = str(error.retry_after_s)
        return response
    return let_in(request, signed_in, target)


@router.post("/logout")
def log_out(request: Request, parts: GivenParts) -> Response:
    """End this browser's session."""
    sign_out(parts.database, parts.clock, request.cookies.get(SESSION_COOKIE), address_of(request))
    response = see_other("/login" if get_gate(request).needed else "/")
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="lax")
    return response


def _show_setup(request: Request, page: SetupPage, status: int = 200) -> Response:
    return render(request, "setup/page.html", "content", "setup", page, dataset=None, status=status)


@router.get("/setup")
def setup(request: Request, parts: GivenParts) -> Response:
    """The form of the first admin, for whoever has the one-time link."""
    if get_gate(request).standing is not Standing.SETTING_UP:
        return see_other("/")
    token = request.query_params.get("token", "")
    good = is_setup_token(parts.database, parts.clock, token)
    return _show_setup(request, SetupPage(token if good else "", good, "", {}), 200 if good else 403)


@router.post("/setup", openapi_extra=form_body("token", "name", "password"))
def set_up(request: Request, parts: GivenParts, visitor: GivenVisitor, form: GivenForm) -> Response:
    """Make the first admin and sign this browser in."""
    if get_gate(request).standing is not Standing.SETTING_UP:
        return see_other("/")
    token, name = form.text("token", ""), form.text("name", "")
    if not is_setup_token(parts.database, parts.clock, token):  # before a password is hashed for whoever asks
        return _show_setup(request, SetupPage("", good=False, name="", errors={}), 403)
    try:
        by = By(None, visitor.address)
        refuse_mistyped(form.text("password", ""), form.text("again", ""))
        user = use_setup_link(parts.database, parts.clock, by, token, name, form.text("password", ""))
    except InvalidInputError as error:
        errors = {field.loc: field.msg for field in error.errors}
        return _show_setup(request, SetupPage(token, good=True, name=name[:80], errors=errors), 422)
    except ConflictError:
        return _show_setup(request, SetupPage("", good=False, name="", errors={}), 403)
    old = request.cookies.get(SESSION_COOKIE)
    return let_in(request, open_session(parts.database, parts.clock, user.id, visitor, old), "/")


def refuse_mistyped(password: str, again: str) -> None:
    """Refuse a new password that was not typed twice alike.

    Raises:
        InvalidInputError: the two differ.
    """
    if password != again:
        raise InvalidInputError.on("again", "is not the same password")
