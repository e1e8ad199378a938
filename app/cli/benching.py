"""``touchline bench``: measure, never guess."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.common import AsJson, Config

bench = typer.Typer(help="Measure on this machine.", no_args_is_help=True, rich_markup_mode=None)


@bench.command("scan")
def bench_scan_command(
    images: Annotated[int, typer.Option(help="Drawn frames to scan.")] = 64,
    rounds: Annotated[int, typer.Option(help="Rounds; medians are printed.")] = 3,
    models: Annotated[
        str, typer.Option(help="dfine-n to dfine-x (random weights), builtin, configured; joined by commas.")
    ] = "dfine-n,dfine-s,builtin",
    write: Annotated[Path | None, typer.Option(help="A Markdown file to put the table into.")] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Scanning speed against the bare model, transformers' pipeline and the original loop.

    Example: touchline bench scan --images 64 --json
    """
    from app.cli.bench import run_bench_scan

    run_bench_scan(images, rounds, models.split(","), write, as_json, config)


@bench.callback()
def about() -> None:
    """Measure on this machine."""
