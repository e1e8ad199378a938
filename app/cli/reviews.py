"""``import-reviews``, ``export-reviews``, ``sign-off``, ``certify``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app.cli.common import AsJson, Config, DatasetArgument, opened, show
from app.services.certificates import certificate_document
from app.services.certificates import certify as certify_dataset
from app.services.clock import utc_now
from app.services.review_files import export_reviews, import_reviews
from app.services.sign_offs import sign_off, withdraw_sign_off


def import_reviews_command(
    dataset: DatasetArgument,
    path: Annotated[Path, typer.Argument(metavar="CSV", help="path,verdict,reviewer,reviewed_at")],
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Take verdicts from a CSV file: all of its rows or, if one is wrong, none.

    Example: touchline import-reviews frames verdicts.csv
    """

    with opened(config) as parts:
        result = import_reviews(parts.database, utc_now, dataset, path)
    unknown = (
        f"; {len(result.unknown)} paths are not in the dataset, first {result.unknown[0]}" if result.unknown else ""
    )
    show(asdict(result), as_json, f"{result.imported} verdicts taken, {result.unchanged} unchanged{unknown}")


def export_reviews_command(
    dataset: DatasetArgument,
    path: Annotated[Path, typer.Argument(metavar="CSV", help="A file that does not exist yet.")],
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Write the verdicts that count to a CSV file.

    Example: touchline export-reviews frames verdicts.csv
    """

    with opened(config) as parts:
        total = export_reviews(parts.database, dataset, path)
    show({"reviews": total, "path": str(path)}, as_json, f"{total} verdicts in {path}")


def sign_off_command(
    dataset: DatasetArgument,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who signs off.")],
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the sign-off back.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Accept exactly the unreviewed images that carry no flag at this moment.

    Example: touchline sign-off frames --by "Ada"
    """

    with opened(config) as parts:
        if withdraw:
            total = withdraw_sign_off(parts.database, utc_now, dataset)
            show({"withdrawn": total, "by": by}, as_json, f"{total} sign-offs withdrawn")
            return
        view = sign_off(parts.database, utc_now, dataset, by)
    show(asdict(view), as_json, f"{view.by} signed off {view.images} images; bound on what is wrong: {view.bound}")


def certify(
    dataset: DatasetArgument,
    risk: Annotated[float, typer.Option(help="Chance that the bound may fail.")] = 0.05,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """The certificate as it stands.

    Example: touchline certify frames --json
    """

    with opened(config) as parts:
        view = certify_dataset(parts.database, utc_now, dataset, risk)
    found = view.certificate
    show(
        certificate_document(view),
        as_json,
        f"{'valid' if found.valid else 'not valid: ' + '; '.join(found.invalid_reasons)}; "
        f"{found.overall.images} images, {found.overall.settled} settled, {found.overall.errors_found} errors found; "
        f"at most {found.overall.errors_upper} wrong ({found.overall.rate_upper:.2%}), {found.overall.audited} draws",
    )
