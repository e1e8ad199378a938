"""Pages and their blocks from Jinja templates, with the filters and the assets they use."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2_fragments import render_block
from starlette.responses import HTMLResponse, Response

from app import __version__
from app.domain.keys import ACTIONS, aria_key, show_key
from app.services.datasets import DatasetView, get_dataset, list_dataset_views, view_dataset
from app.services.workers import is_worker_alive
from app.storage.database import Database
from app.storage.datasets import Dataset
from app.web.chosen_keys import keys_of
from app.web.context import (
    CLIENT_COOKIE,
    DATASET_COOKIE,
    HOTKEYS_COOKIE,
    THEME_COOKIE,
    THEMES,
    find_reviewer,
    get_client,
    get_gate,
    get_parts,
)
from app.web.markdown import render_markdown

HERE = Path(__file__).resolve().parents[2]
TEMPLATES = HERE / "templates"
STATIC = HERE / "static"
YEAR_S = 365 * 24 * 3600


@cache
def _fingerprint(path: str) -> str:
    return hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:16]


def asset(path: str) -> str:
    """The URL of a static file, with a hash of its content: it may be kept for ever."""
    return f"/static/{path}?v={_fingerprint(path)}"


def format_number(value: float) -> str:
    """``1234`` -> ``1,234``."""
    return f"{value:,.0f}" if isinstance(value, int) or value == int(value) else f"{value:,.1f}"


def format_percent(value: float) -> str:
    """``0.123`` -> ``12.3 %``."""
    return f"{value * 100:.1f} %"


def format_duration(seconds: float) -> str:
    """Seconds in words that fit a progress line: ``45 s``, ``3 min``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{minutes} min" if not hours else f"{hours} h {minutes} min"


def format_when(moment: datetime) -> str:
    """A time for readers without JavaScript, in UTC."""
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def format_bytes(size: int) -> str:
    """``1536`` -> ``1.5 KB``, in powers of 1,000."""
    value = float(size)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def make_environment() -> Environment:
    """The templates' environment: everything escaped, an unknown name is an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=format_number,
        percent=format_percent,
        duration=format_duration,
        when=format_when,
        bytes=format_bytes,
        keyname=show_key,
        ariakey=aria_key,
        markdown=render_markdown,
    )
    environment.globals.update(asset=asset, version=__version__, KEY_ACTIONS=ACTIONS)
    return environment


def current_dataset(request: Request, database: Database) -> Dataset | None:
    """The dataset that ``?dataset=`` names, else the one of last time, else the first.

    Raises:
        NotFoundError: ``?dataset=`` names none.
    """
    wanted = request.query_params.get("dataset")
    with database.read() as session:
        if wanted:
            return get_dataset(session, wanted)
    views = list_dataset_views(database, limit=500)
    remembered = request.cookies.get(DATASET_COOKIE, "")
    chosen = next((view.id for view in views if str(view.id) == remembered), views[0].id if views else None)
    if chosen is None:
        return None
    with database.read() as session:
        return get_dataset(session, chosen)


def render(
    request: Request,
    template: str,
    block: str,
    nav: str,
    page: object,
    *,
    dataset: Dataset | None,
    status: int = 200,
) -> HTMLResponse:
    """A whole page, or only its block where htmx asks for it."""
    environment: Environment = request.app.state.templates
    values = _common(request, nav, dataset) | {"page": page}
    if is_htmx(request):
        content = render_block(environment, template, block, **values)
    else:
        content = environment.get_template(template).render(**values)
    response = HTMLResponse(content, status_code=status)
    response.headers["Vary"] = "HX-Request"
    response.headers["Cache-Control"] = "no-store"
    _remember(request, response, dataset)
    return response


def is_htmx(request: Request) -> bool:
    """Whether htmx asks for a block rather than a browser for a page."""
    return "hx-request" in request.headers


def render_error(request: Request, status: int, detail: str) -> Response:
    """A page that says what went wrong; for htmx its text alone, which the page shows in a notice."""
    environment: Environment = request.app.state.templates
    error = {"status": status, "title": HTTPStatus(status).phrase, "detail": detail}
    if is_htmx(request):
        return Response(detail, status_code=status, media_type="text/plain", headers={"HX-Reswap": "none"})
    values = _common(request, "", None) | error
    return HTMLResponse(environment.get_template("error.html").render(**values), status_code=status)


def _common(request: Request, nav: str, dataset: Dataset | None) -> dict[str, Any]:
    parts = get_parts(request)
    gate = get_gate(request)
    signed_out = gate.needed and gate.identity is None  # who is not in learns nothing of what is here
    views = () if signed_out else list_dataset_views(parts.database, limit=100)
    theme = request.cookies.get(THEME_COOKIE, THEMES[0])
    return {
        "nav": nav,
        "datasets": views,
        "dataset": _find_view(parts.database, views, dataset),
        "reviewer": find_reviewer(request),
        "account": gate.identity,
        "administers": gate.administers,
        "signed_out": signed_out,
        "worker_alive": is_worker_alive(parts.database, parts.settings.worker, parts.clock),
        "theme": theme if theme in THEMES else THEMES[0],
        "hotkeys": request.cookies.get(HOTKEYS_COOKIE, "on") != "off",
        "keys": keys_of(request),
        "browser": get_client(request),
    }


def _find_view(database: Database, views: Sequence[DatasetView], dataset: Dataset | None) -> DatasetView | None:
    if dataset is None:
        return None
    known = next((view for view in views if view.id == dataset.id), None)
    if known is not None:
        return known
    with database.read() as session:  # an archived one is in no menu, and can be looked at all the same
        return view_dataset(session, dataset)


def _remember(request: Request, response: Response, dataset: Dataset | None) -> None:
    shown = dataset is not None and dataset.archived_at is None
    if dataset is not None and shown and request.cookies.get(DATASET_COOKIE) != str(dataset.id):
        set_cookie(response, DATASET_COOKIE, str(dataset.id))
    client = get_client(request)
    if request.cookies.get(CLIENT_COOKIE) != client:
        set_cookie(response, CLIENT_COOKIE, client)


def set_cookie(response: Response, name: str, value: str) -> None:
    """A cookie of this site alone, for a year."""
    response.set_cookie(name, value, max_age=YEAR_S, httponly=True, samesite="lax")
