"""The gate that every request passes: host, origin, body size; and the headers that every response carries."""

import re
from collections.abc import Callable, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.config import ServerSettings
from app.web.problems import problem_response

OPEN_PATHS = frozenset({"/healthz", "/readyz"})  #: probes come with whatever host the prober likes
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_BODY = 1 << 20
MAX_OPEN_BODY = 1 << 15  #: where nobody has to be signed in: a name and a password fit, and a flood is dearer
OPEN_FORMS = frozenset({"/login", "/logout", "/setup"})
CSP = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; "
    "img-src 'self' data:"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",  # media and assets say otherwise themselves
}


class SecurityMiddleware:
    """Refuses foreign hosts (421), cross-site requests (403) and large bodies (413); sets the security headers.

    Hosts against DNS rebinding; ``Sec-Fetch-Site``, then ``Origin``, against cross-site request forgery.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        listens = f"[{settings.host}]" if ":" in settings.host else settings.host
        self._hosts = {host.lower() for host in (*settings.allowed_hosts, listens)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        answered = False

        async def send_with_headers(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                _add_headers(MutableHeaders(scope=message), HEADERS.items())
            await send(message)

        refusal = self._refuse(scope)
        if refusal is None:
            limited = _limited(receive, _most_of(scope["path"]), lambda: answered)
            await self._app(scope, limited, send_with_headers)
        else:
            await problem_response(*refusal)(scope, receive, send_with_headers)

    def _refuse(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if scope["path"] not in OPEN_PATHS and _host_name(host) not in self._hosts:
            return 421, f"this server does not answer for the host {host!r}; server.allowed_hosts lists those it does"
        if scope["method"] not in SAFE_METHODS and _is_cross_site(headers, f"{scope['scheme']}://{host}"):
            return 403, "a request from another site may not change anything here"
        if scope["path"] not in OPEN_PATHS and _is_embedded_elsewhere(headers):
            return 403, "a page of another site may lead here by a link, and not load this as a part of itself"
        length, most = headers.get("content-length", "0"), _most_of(scope["path"])
        if not (length.isascii() and length.isdigit() and len(length) <= 10 and int(length) <= most):
            return 413, _too_large(most)
        return None


def _most_of(path: str) -> int:
    return MAX_OPEN_BODY if path in OPEN_FORMS else MAX_BODY


def _too_large(most: int) -> str:
    return f"the body is larger than {most} bytes"


def _limited(receive: Receive, most: int, answered: Callable[[], bool]) -> Receive:
    """``receive``, which ends with 413 where more than the limit comes: a chunked body does not say its length."""
    seen = 0

    async def receive_limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen <= most:
            return message
        if answered():
            return {"type": "http.disconnect"}  # the answer is on its way: only the rest of the body is unwanted
        raise HTTPException(413, _too_large(most))

    return receive_limited


def _add_headers(headers: MutableHeaders, wanted: Iterable[tuple[str, str]]) -> None:
    for name, value in wanted:
        if name not in headers:
            headers[name] = value


def _host_name(host: str) -> str:
    return re.sub(r":\d+$", "", host).lower()


def _is_embedded_elsewhere(headers: Headers) -> bool:
    """Whether a page of another site fetches, shows or frames this, other than by a link that a person follows.

    It could not read the answer, but several pages lease images, and a crop is work. Another port of the same host is
    the same site to a browser, which sends our cookies along.
    """
    if not _is_elsewhere(headers.get("sec-fetch-site")):
        return False
    return headers.get("sec-fetch-mode") != "navigate" or headers.get("sec-fetch-dest", "document") != "document"


def _is_elsewhere(site: str | None) -> bool:
    return site not in (None, "same-origin", "none")


def _is_cross_site(headers: Headers, here: str) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return _is_elsewhere(site)
    origin = headers.get("origin")
    # Neither header: no browser of the last years, so no cookie that a page of another site could make it send.
    return origin is not None and origin.lower() != here.lower()
