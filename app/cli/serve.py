"""``serve`` and ``worker``."""

from typing import Annotated

import typer

from app.cli.common import Config, opened
from app.cli.importing import uncollected
from app.config import load_settings
from app.logs import set_up_logs


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Serve pages only; run `touchline worker`.")] = False,
    demo: Annotated[bool, typer.Option("--demo", help="Draw and scan the demo if no dataset is registered.")] = False,
    config: Config = None,
) -> None:
    """Migrate, serve the browser interface, and run a worker beside it.

    Example: touchline serve --port 9000
    """
    with uncollected():
        from app.cli.serving import run_server

    overrides = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    settings = load_settings(config)
    if overrides:
        merged = settings.server.model_dump() | overrides
        settings = load_settings(config, server=merged)
    set_up_logs(settings.log)
    run_server(settings, config, with_worker=not no_worker, demo=demo)


def worker(
    once: Annotated[bool, typer.Option("--once", help="End when nothing is queued.")] = False,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
    config: Config = None,
) -> None:
    """Run a worker alone: it scans, relocates and exports what is queued.

    Example: touchline worker --once
    """
    from app.worker.run import Worker

    with opened(config) as parts:
        Worker(parts.database, parts.settings).run(once=once, with_parent=with_parent)
