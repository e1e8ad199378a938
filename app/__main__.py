"""The command line. ``touchline`` and ``python -m app`` are the same."""

import os
import sys
from collections.abc import Callable

from app.cli.importing import uncollected

with uncollected():
    import typer

    from app.cli import benching, datasets, keeping, relocations, report, reviews, scan, serve, users
    from app.domain.text import visible
    from app.errors import NotFoundError, TouchlineError, UsageError

COMMANDS: dict[str, Callable[..., None]] = {
    "serve": serve.serve,
    "worker": serve.worker,
    "add": datasets.add,
    "scan": scan.scan,
    "pause": scan.pause,
    "resume": scan.resume,
    "retry": scan.retry,
    "archive": keeping.archive,
    "remove": keeping.remove,
    "relink": keeping.relink,
    "status": datasets.status,
    "demo": datasets.demo,
    "import-reviews": reviews.import_reviews_command,
    "export-reviews": reviews.export_reviews_command,
    "sign-off": reviews.sign_off_command,
    "relocate": relocations.relocate,
    "undo": relocations.undo,
    "recover": relocations.recover,
    "export": relocations.export,
    "certify": reviews.certify,
    "report": report.report,
    "settings": datasets.settings_command,
}


def make_app() -> typer.Typer:
    """The command line with its commands."""
    app = typer.Typer(
        name="touchline",
        help="Cleans a folder of images: the detector raises the flag, a person makes the call, then files move.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for name, command in COMMANDS.items():
        app.command(name)(command)
    app.add_typer(benching.bench, name="bench")
    app.add_typer(users.user, name="user")
    return app


def main() -> None:
    """Run a command; errors of ours become one line on stderr and the exit status of the contract."""
    try:
        make_app()()
    except (UsageError, NotFoundError) as error:
        _fail(error, 2)
    except TouchlineError as error:
        _fail(error, 1)
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _fail(error: TouchlineError, status: int) -> None:
    sys.stderr.write(f"touchline: {visible(' '.join(str(error).split()))}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
