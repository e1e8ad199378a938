"""The application factory."""

from collections.abc import Callable

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app import __version__
from app.config import Settings
from app.services.clock import Clock, utc_now
from app.storage.database import Database
from app.web import health, media
from app.web.api import datasets as api_datasets
from app.web.api import duplicates as api_duplicates
from app.web.api import exports as api_exports
from app.web.api import images as api_images
from app.web.api import relocations as api_relocations
from app.web.api import scans as api_scans
from app.web.auth import SignInMiddleware
from app.web.context import Parts
from app.web.failures import install_failures
from app.web.pages import (
    account,
    admin,
    audit,
    clean,
    conflicts,
    dataset,
    datasets,
    duplicates,
    export,
    grid,
    guidelines,
    images,
    keys,
    login,
    overview,
    report,
    review,
    reviewing,
    scans,
    second,
    settings,
    stats,
)
from app.web.problems import responses
from app.web.rendering import STATIC, make_environment
from app.web.security import SecurityMiddleware

#: for the description of the API alone: the middleware has looked at the token before
BEARER = HTTPBearer(auto_error=False, scheme_name="token", description="An API token, where there are accounts.")
APIS = (api_datasets, api_scans, api_images, api_duplicates, api_relocations, api_exports)
PAGES = (
    *(overview, review, second, conflicts, grid, stats, report, audit, scans, clean, export, settings, keys),
    *(datasets, dataset, guidelines, reviewing, duplicates, images, login, account, admin),
)


class HashedFiles(StaticFiles):
    """Static files; a URL that carries the content's hash may be kept for ever."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve one file."""
        response = await super().get_response(path, scope)
        versioned = b"v=" in scope.get("query_string", b"")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable" if versioned else "no-cache"
        return response


def create_app(
    settings: Settings,
    database: Database,
    clock: Clock = utc_now,
    preparing_demo: Callable[[], bool] = lambda: False,
) -> FastAPI:
    """The web application over a migrated database. Loads no engine: scanning is the worker's."""
    app = FastAPI(
        title="Touchline",
        version=__version__,
        summary="The detector raises the flag, a person makes the call.",
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = Parts(database, settings, clock, preparing_demo)
    app.state.templates = make_environment()
    routers = [module.router for module in (health, media, *APIS, *PAGES)]
    app.add_middleware(SignInMiddleware, routers=routers)
    app.add_middleware(SecurityMiddleware, settings=settings.server)
    install_failures(app)
    apis = [module.router for module in APIS]
    for router in routers:
        if router in apis:
            app.include_router(router, responses=responses(401, 403), dependencies=[Depends(BEARER)])
        else:
            app.include_router(router)
    app.mount("/static", HashedFiles(directory=STATIC), name="static")
    return app
