"""``touchline bench``: measure, never guess."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.common import AsJson, Config
from app.errors import UsageError

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


@bench.command("review")
def bench_review_command(
    images: Annotated[str, typer.Option(help="Sizes of the database, joined by commas.")] = "1000,1000000",
    verdicts: Annotated[int, typer.Option(help="Verdicts given by key.", min=10)] = 200,
    browser: Annotated[str | None, typer.Option(help="Chromium to drive [default: chromium on the PATH].")] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """From a key to the next image painted, and the pages' times, in a small and a large database.

    Example: touchline bench review --images 1000,1000000 --json
    """
    from app.cli.bench_review import run_bench_review

    try:
        sizes = [int(size) for size in images.split(",")]
    except ValueError as error:
        raise UsageError(f"--images {images}: whole numbers, joined by commas") from error
    run_bench_review(sizes, verdicts, browser, as_json, config)


@bench.command("review-effort")
def bench_review_effort_command(
    images: Annotated[int, typer.Option(help="Size of each demo set.", min=50)] = 8599,
    seeds: Annotated[int, typer.Option(help="Demo sets, or reviewers of the dataset.", min=1)] = 3,
    error: Annotated[float, typer.Option(help="Share of verdicts that are wrong.", min=0, max=0.5)] = 0.0,
    dataset: Annotated[str | None, typer.Option(help="A scanned dataset, in place of demo sets.")] = None,
    truth: Annotated[Path | None, typer.Option(help="Its truth: a CSV with path and true_label.")] = None,
    write: Annotated[Path | None, typer.Option(help="A Markdown file to put the table into.")] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Verdicts until the errors are found and the rest is certified, by a simulated reviewer, in several orders.

    Example: touchline bench review-effort --images 400 --seeds 1 --json
    """
    from app.cli.bench_effort import run_bench_effort

    if (dataset is None) != (truth is None):
        raise UsageError("--dataset and --truth go together")
    chosen = None if dataset is None or truth is None else (dataset, truth)
    run_bench_effort(images, seeds, error, chosen, write, as_json, config)


@bench.callback()
def about() -> None:
    """Measure on this machine."""
