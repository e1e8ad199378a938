"""Structured logs on stderr: one event, its fields, one line."""

import logging
import sys

import structlog
from structlog.typing import EventDict

from app.config import LogSettings
from app.domain.text import visible


def set_up_logs(settings: LogSettings) -> None:
    """Send structlog's events to stderr as text or JSON, from the level that the settings give."""
    renderer = (
        structlog.processors.JSONRenderer()
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _show_all,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _show_all(_logger: object, _method: str, event: EventDict) -> EventDict:
    """No field, such as the path of a request, moves the cursor or begins a line; a traceback has lines."""
    return {name: visible(value, "\n") if isinstance(value, str) else value for name, value in event.items()}
