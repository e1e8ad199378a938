"""``/report``: what was scanned, found and proved, to look at and to hand on."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.services.datasets import get_dataset
from app.services.report import Report, make_report
from app.services.report_examples import link_pictures
from app.services.report_files import report_file_name, report_json
from app.web.context import GivenParts
from app.web.rendering import current_dataset, render
from app.web.report_file import render_report

router = APIRouter(include_in_schema=False)
MEDIA_TYPES = {"html": "text/html; charset=utf-8", "json": "application/json"}


@dataclass(frozen=True, slots=True)
class ReportPage:
    """The report as a page, with the addresses of its pictures."""

    dataset_id: int | None
    report: Report | None
    pictures: dict[int, str]


@router.get("/report")
def report(request: Request, parts: GivenParts) -> Response:
    """The report on a dataset as it stands."""
    dataset = current_dataset(request, parts.database)
    if dataset is None:
        page = ReportPage(None, None, {})
    else:
        made = make_report(parts.database, parts.settings, parts.clock, dataset.id)
        page = ReportPage(dataset.id, made, link_pictures(made.examples))
    return render(request, "report/page.html", "content", "report", page, dataset=dataset)


@router.get("/report/download")
def download(
    parts: GivenParts,
    dataset: Annotated[str, Query(max_length=300)],
    file_format: Annotated[Literal["html", "json"], Query(alias="format")] = "html",
    paths: Annotated[Literal["0", "1"], Query()] = "0",
) -> Response:
    """The report as a file. Under the app's own policy, so it is to be saved, not shown from here."""
    with parts.database.read() as session:
        found = get_dataset(session, dataset)
    made = make_report(parts.database, parts.settings, parts.clock, found.id, with_paths=paths == "1")
    if file_format == "json":
        content = report_json(made)
    else:
        content = render_report(parts.settings, parts.decoding, made, found.root)
    name = report_file_name(made, file_format)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=MEDIA_TYPES[file_format], headers=headers)
