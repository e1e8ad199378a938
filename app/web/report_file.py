"""The report as one HTML file that stands alone: its style and its pictures within, no script, no request."""

from base64 import b64encode
from hashlib import sha256

from markupsafe import Markup

from app.config import Settings
from app.files.budget import PixelBudget
from app.services.report import Report
from app.services.report_examples import embed_pictures
from app.web.rendering import STATIC, make_environment

STYLES = ("app.css", "parts.css", "pages.css", "review.css", "curves.css", "report.css")


def render_report(settings: Settings, budget: PixelBudget, report: Report, root: str) -> bytes:
    """The file of a report. ``root`` is where the dataset's files lie; ``budget`` is held while one is decoded.

    Its own policy forbids scripts and requests, whatever a file name or a note holds: the browser lets in the style by
    its hash, and pictures that are in the file.
    """
    style = "\n".join((STATIC / "css" / name).read_text(encoding="utf-8") for name in STYLES)
    digest = b64encode(sha256(style.encode()).digest()).decode("ascii")
    html = (
        make_environment()
        .get_template("report/file.html")
        .render(
            report=report,
            embedded=True,
            pictures=embed_pictures(settings, budget, root, report.examples),
            policy=f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'",
            style=Markup("<style>{}</style>").format(Markup(style)),  # noqa: S704 (our own files)
        )
    )
    return html.encode()
