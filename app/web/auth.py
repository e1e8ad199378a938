"""The door: who is asking, and whether this route is for them. It stands before anything of a request is read."""

from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.domain.accounts import Activity, Identity, Right, find_rule, may
from app.services.accounts import By, log_activity
from app.services.sign_in import Gate, Standing, look
from app.web.context import SESSION_COOKIE, address_of, get_parts
from app.web.failures import wants_page
from app.web.forms import safe_next, see_other
from app.web.problems import problem_response
from app.web.rendering import is_htmx, render_error
from app.web.security import SAFE_METHODS

PROBES = frozenset({"/healthz", "/readyz"})
ASSETS = "/static/"
SETUP = "/setup"
NOT_SET_UP = (
    "This server can be reached by others and has no admin yet, so it serves nothing else: open the set-up link that "
    "it wrote to its standard error when it started, or start it again for a new link."
)
LATE_S = 1.0  #: a body that ends later than this after its head is taken only from who is still let in
SHUT_OUT = "While this was being sent the session ended, or the account lost the right: nothing was done."
SIGN_IN_FIRST = "Sign in first: on the page /login, or with the header 'Authorization: Bearer' and an API token."


class SignInMiddleware:
    """Lets a request through to the routes, or answers it: sign in first (401), not yours (403), not set up (503).

    Which route asks for what stands in :data:`app.domain.accounts.RULES`; a route without an entry wants an admin.
    """

    def __init__(self, app: ASGIApp, routers: Sequence[APIRouter]) -> None:
        self._app = app
        self._routes = [route for router in routers for route in router.routes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"] in PROBES or scope["path"].startswith(ASSETS):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        path = self._declared_path(scope)
        rule = find_rule(scope["method"], path) if path is not None else None
        right = Right.REVIEW if rule is None else rule.right  # what no route answers is a 404 for those who are in
        refusal = await run_in_threadpool(_judge, request, right, path)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        identity = request.state.gate.identity
        if rule is not None and rule.activity is not None and identity is not None:
            send = _noting(request, identity, rule.activity, send)
        if scope["method"] not in SAFE_METHODS:
            receive = _judging_again(request, right, path, receive)
        await self._app(scope, receive, send)

    def _declared_path(self, scope: Scope) -> str | None:
        for route in self._routes:
            if route.matches(scope)[0] is Match.FULL:
                return str(getattr(route, "path", ""))  # "": in no table, so an admin's
        return None


def _judge(request: Request, right: Right, path: str | None) -> Response | None:
    """See who is asking, and the answer to those who may not."""
    request.state.gate = gate = _look(request)
    return _refuse(request, gate, right, path)


def _judging_again(request: Request, right: Right, path: str | None, receive: Receive) -> Receive:
    """``receive``, which judges anew where the body ends late.

    Who was let in could else hold the end of a form back until long after their account was disabled, their role or
    password changed or their session ended, and have it done then: make an admin, or a token that lives on.
    """
    clock = get_parts(request).clock
    began = clock()

    async def receive_judging() -> Message:
        message = await receive()
        ends = message["type"] == "http.request" and not message.get("more_body", False)
        if ends and abs((clock() - began).total_seconds()) > LATE_S:
            refusal = await run_in_threadpool(_judge, request, right, path)
            if refusal is not None:
                raise HTTPException(max(refusal.status_code, 401), SHUT_OUT)
        return message

    return receive_judging


def _look(request: Request) -> Gate:
    parts = get_parts(request)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else None
    return look(parts.database, parts.clock, parts.settings.server.host, request.cookies.get(SESSION_COOKIE), bearer)


def _refuse(request: Request, gate: Gate, right: Right, path: str | None) -> Response | None:
    if gate.standing is Standing.OPEN:
        return None
    if gate.standing is Standing.SETTING_UP:
        return None if path == SETUP else _answer(request, 503, NOT_SET_UP)
    if right is Right.OPEN:
        return None
    if gate.identity is None:
        return _ask_to_sign_in(request)
    if may(gate.identity, right):
        return None
    if right in (Right.OWN, Right.MANAGE) and gate.identity.token_id is not None:
        return _answer(request, 403, "An API token does not reach accounts: sign in on the page.")
    return _answer(request, 403, "This is for admins, and your account is a reviewer's.")


def _answer(request: Request, status: int, detail: str) -> Response:
    return render_error(request, status, detail) if wants_page(request) else problem_response(status, detail)


def _ask_to_sign_in(request: Request) -> Response:
    """For a page the way to sign in and back; for a block of a page the same, said to htmx; for a program a problem."""
    if is_htmx(request):
        target = _login_url(_local(request, request.headers.get("hx-current-url", "")))
        return Response(status_code=401, headers={"HX-Redirect": target})
    if wants_page(request):
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        # A form cannot be sent again after signing in: back to the page on which it stood.
        return see_other(_login_url(here if request.method == "GET" else _local(request, _referrer(request))))
    response = problem_response(401, SIGN_IN_FIRST)
    given = "authorization" in request.headers
    response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"' if given else "Bearer"
    return response


def _referrer(request: Request) -> str:
    return request.headers.get("referer", "")


def _local(request: Request, url: str) -> str:
    """The path of a URL of this server; the overview for any other."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "/"
    if parts.netloc != request.headers.get("host"):
        return "/"
    return safe_next(parts.path + (f"?{parts.query}" if parts.query else ""))


def _login_url(target: str) -> str:
    return "/login" if target == "/" else f"/login?{urlencode({'next': target})}"


def _noting(request: Request, identity: Identity, activity: Activity, send: Send) -> Send:
    """``send``, which logs what was done before it tells that it was done."""
    parts = get_parts(request)
    by = By(identity.name, address_of(request))

    async def send_noting(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] < 400:
            headers = dict(message.get("headers", ()))
            led_to = headers.get(b"location", b"").decode("latin-1")
            about = f"{request.url.path} → {led_to}" if led_to else request.url.path
            await run_in_threadpool(log_activity, parts.database, parts.clock, by, activity, about)
        await send(message)

    return send_noting
