"""What every command shares: settings, database, output."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from app.config import Settings, load_settings
from app.domain.text import visible
from app.logs import set_up_logs
from app.services.clock import utc_now
from app.services.relocating import recover_relocations
from app.services.reviews import format_time
from app.services.workers import announced
from app.storage.database import Database
from app.storage.migrating import migrate

Config = Annotated[Path | None, typer.Option("--config", metavar="PATH", help="Settings file [default: config.yaml].")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")]
DatasetArgument = Annotated[str, typer.Argument(metavar="DATASET", help="A dataset's name or id.")]


@dataclass(frozen=True, slots=True)
class Opened:
    """Settings and a migrated database."""

    settings: Settings
    database: Database


@contextmanager
def opened(config: Path | None, **overrides: Any) -> Iterator[Opened]:
    """Read the settings, set up logs, open and migrate the database."""
    settings = load_settings(config, **overrides)
    set_up_logs(settings.log)
    database = Database(settings.url)
    try:
        migrate(database)
        yield Opened(settings, database)
    finally:
        database.dispose()


@contextmanager
def working(config: Path | None) -> Iterator[tuple[Opened, int]]:
    """The same, with this process announced as one that works on what it claims itself; gives its id too."""

    with (
        opened(config) as parts,
        announced(parts.database, parts.settings.worker, utc_now, serves=False) as worker_id,
    ):
        recover_relocations(parts.database, parts.settings.worker, utc_now, worker_id)
        yield parts, worker_id


def show(value: object, as_json: bool, text: str) -> None:
    """Print a result as JSON or as a sentence."""
    document = json.dumps(value, default=_plain, ensure_ascii=False) if as_json else visible(text, "\n\t")
    sys.stdout.write(document + "\n")


def _plain(value: object) -> object:

    if isinstance(value, datetime):
        return format_time(value)
    msg = f"{type(value).__name__} has no JSON form"
    raise TypeError(msg)


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr; gives a function of done and total. Silent where stderr is no terminal."""

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done, whole: bar.update(task, completed=done, total=whole)
